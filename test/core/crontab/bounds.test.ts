import { expect, test } from '@jest/globals';
import { checkCrontab } from '../../../shared/core/crontab/check.ts';
import { DiagnosticRenderer } from '../../../shared/core/diagnostic-text.ts';
import { CHECK_OPTIONS } from '../../support/crontab-fixtures.ts';

const MIB = 2 ** 20;
const LINES = 200_000;

const lines = (count: number, line: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => `${line(index)}\n`).join('');

/** Numbers of entries, errors and warnings. */
function sizes(source: string | Uint8Array): [entries: number, errors: number, warnings: number] {
  const { crontab, diagnostics } = checkCrontab(source, CHECK_OPTIONS);
  return [crontab.entries.length, diagnostics.count('error'), diagnostics.count('warning')];
}

// None of these is timed: one that takes quadratic time, or a stack as deep as the text is long, does not end well.
test.each<[string, () => string | Uint8Array, [number, number, number]]>([
  ['200,000 entries', () => lines(LINES, (i) => `${i % 60} ${5 + (i % 7)} * * * job ${i}`), [LINES, 0, 1]],
  ['200,000 comments', () => lines(LINES, (i) => `# ${i}`), [0, 0, 0]],
  ['200,000 changes of 900 settings', () => lines(LINES, (i) => `A${i % 900}=${i}`), [0, 0, 0]],
  [
    'a setting before each entry',
    () => lines(LINES / 2, (i) => `A${i % 900}=${i}\n0 5 * * * job ${i}`),
    [LINES / 2, 0, 1],
  ],
  [
    'a directive line before each entry',
    () => lines(LINES / 2, (i) => `# kuber-cron: name=j-${i}\nH 5 * * * job`),
    [LINES / 2, 0, 1],
  ],
  ['300,000 faults', () => lines(300_000, () => '60 * * * * job'), [0, 300_000, 0]],
  ['100,000 faults, each another', () => lines(100_000, (i) => `${i + 60} * * * * job`), [0, 100_000, 0]],
  ['100,000 lines of text', () => lines(100_000, (i) => `some text ${i}`), [0, 100_000, 0]],
  ['100,000 identical entries', () => lines(100_000, () => '0 5 * * * job'), [100_000, 99_999, 1]],
  ['20,000 unknown zones', () => lines(20_000, (i) => `CRON_TZ=Europe/Berlin${i}`), [0, 20_000, 0]],
  ['100,000 unknown keys', () => lines(100_000, (i) => `# kuber-cron: timout${i}=5m`), [0, 100_001, 0]],
  ['a key 100,000 times', () => `# kuber-cron: ${'retries=1 '.repeat(100_000)}\n`, [0, 100_000, 0]],
  [
    '100,000 directive lines that are detached',
    () => lines(100_000, () => '# kuber-cron: retries=1\n'),
    [0, 100_000, 0],
  ],
  ['100,000 near misses', () => lines(100_000, () => '# kuber-corn: x'), [0, 0, 100_000]],
  ['a 1 MB comment', () => `#${'x'.repeat(MIB)}\n`, [0, 0, 0]],
  ['a 1 MB description', () => `# kuber-cron: description="${'x'.repeat(MIB)}"\n0 5 * * * job\n`, [1, 1, 0]],
  ['a 10 MB quote that is open', () => `# kuber-cron: description="${'\\"'.repeat(5 * MIB)}\n`, [0, 2, 0]],
  ['a 1 MB command', () => `0 5 * * * ${'x'.repeat(MIB)}\n`, [0, 1, 0]],
  ['a 1 MB setting', () => `A=${'x'.repeat(MIB)}\n`, [0, 1, 0]],
  ['a 1 MB name of a setting', () => `${'x'.repeat(MIB)}=1\n`, [0, 1, 0]],
  ['a 1 MB number', () => `${'1'.repeat(MIB)} * * * * job\n`, [0, 1, 0]],
  ['a 1 MB list', () => `${'1,'.repeat(MIB / 2)}1 5 * * * job\n`, [1, 0, 0]],
  ['a 1 MB nickname', () => `@${'x'.repeat(MIB)} job\n`, [0, 1, 0]],
  ['10 MB of blanks', () => ' '.repeat(10 * MIB), [0, 0, 0]],
  ['10 MB of line ends', () => '\n'.repeat(10 * MIB), [0, 0, 0]],
  ['10 MB of NUL', () => '\0'.repeat(10 * MIB), [0, 1, 0]],
  ['10 MB of CR', () => '\r'.repeat(10 * MIB), [0, 3, 0]],
  ['10 MB in one line', () => 'x '.repeat(5 * MIB), [0, 2, 0]],
  ['10 MB of bytes that are not UTF-8', () => new Uint8Array(10 * MIB).fill(0xff), [0, 3, 0]],
  [
    '300,000 replacement characters before a bad byte',
    () => new Uint8Array([...new TextEncoder().encode(`#${'\ufffd'.repeat(300_000)}`), 0xff]),
    [0, 1, 0],
  ],
  ['33 MB', () => 'x'.repeat(33 * MIB), [0, 1, 0]],
])('%s', (_, source, expected) => {
  expect(sizes(source())).toEqual(expected);
});

test('of very many findings a bounded number is kept, and all are counted', () => {
  const { diagnostics } = checkCrontab(
    lines(LINES, () => '60 * * * * job'),
    CHECK_OPTIONS,
  );
  expect([diagnostics.list.length, diagnostics.count('error'), diagnostics.hasErrors]).toEqual([
    100_000,
    LINES,
    true,
  ]);
});

test('a frame shows a piece of a 1 MB line', () => {
  const text = `${'1,'.repeat(MIB / 2)}60 * * * * job\n`;
  const { diagnostics } = checkCrontab(text, CHECK_OPTIONS);
  const renderer = new DiagnosticRenderer('crontab', text);
  const [first] = diagnostics.list;
  expect(first && renderer.text(first).split('\n').slice(1)).toEqual([
    ' --> crontab:1:1048577',
    `1 | …${'1,'.repeat(20)}60 * * * * job`,
    `  | ${' '.repeat(41)}^^`,
    '  = help: use 0 for the full hour',
  ]);
});
