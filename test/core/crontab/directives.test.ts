import { describe, expect, test } from '@jest/globals';
import { checkCrontab } from '../../../shared/core/crontab/check.ts';
import { OPTION_KEYS, OPTIONS } from '../../../shared/core/crontab/options.ts';
import { ALLOWABLE_CODES, DIAGNOSTICS, type DiagnosticCode } from '../../../shared/core/diagnostic.ts';
import { findings } from '../../support/crontab-findings.ts';
import { CHECK_OPTIONS } from '../../support/crontab-fixtures.ts';

/** The options of each entry. */
function options(text: string): unknown[] {
  return checkCrontab(text, CHECK_OPTIONS).crontab.entries.map((entry) => entry.options);
}

/** A directive line above an entry. */
const above = (line: string) => `${line}\n0 5 * * * job\n`;

describe('a comment is a directive line when its first word is exactly the marker', () => {
  test.each([
    '# kuber-cron: name=a',
    '#kuber-cron: name=a',
    '#\tkuber-cron:\tname=a',
    '  # kuber-cron: name=a',
    '#    kuber-cron:    name=a   ',
  ])('%j is one', (line) => {
    expect([findings(above(line)), options(above(line))]).toEqual([[], [{ name: 'a' }]]);
  });

  test.each([
    '# name=a',
    '#name=a timeout=5m',
    '# cron: name=a',
    '# see kuber-cron: name=a',
    '# kuber-cron',
    '# kuber-cron reads this file',
    '# kuber-cron is great, name=a',
    '# kubernetes: name=a',
    '# kubectl-cron: name=a',
    '# supercron: name=a',
    '# https://example.com/kuber-cron: name=a',
    '# @every 5m',
    '#@daily name=a',
    '#',
    '##',
    '#!/bin/sh',
    '# kuber: name=a',
    '# cron-kuber: name=a',
    '# kuber-cron runs this file',
    '# kuber-cron, name it as you like',
  ])('%j is a comment like any other', (line) => {
    expect([findings(above(line)), options(above(line))]).toEqual([[], [{}]]);
  });

  test.each([
    ['# kuber-corn: name=a', 'kuber-corn:'],
    ['# kubercron: name=a', 'kubercron:'],
    ['# kuber_cron: name=a', 'kuber_cron:'],
    ['# kuber cron: name=a', 'kuber cron:'],
    ['# kubr-cron: name=a', 'kubr-cron:'],
    ['# Kuber-Cron: name=a', 'Kuber-Cron:'],
    ['# kuber-cron:name=a', 'kuber-cron:'],
    ['# kuber-cron name=a', 'kuber-cron'],
    ['# kuber-cron : suspend', 'kuber-cron :'],
    ['# kuber-cron suspend', 'kuber-cron'],
    ['# kuber-cron; suspend', 'kuber-cron;'],
    ['# kuber-cron= suspend', 'kuber-cron='],
    ['# kuber-cron  name = a', 'kuber-cron'],
    ['#! kuber-cron: name=a', 'kuber-cron:'],
    ['## kuber-cron: name=a', 'kuber-cron:'],
    ['# # kuber-cron: name=a', 'kuber-cron:'],
    ['#\u00a0kuber-cron: name=a', 'kuber-cron:'],
    ['# kuber-cron:\u00a0name=a', 'kuber-cron:'],
    ['# kuber-cron:', 'bad-directive'],
  ])('%j is a near miss', (line, word) => {
    const expected = word === 'bad-directive' ? 'bad-directive: :' : `near-miss-directive: ${word}`;
    expect([findings(above(line)), options(above(line))]).toEqual([[expected], [{}]]);
  });

  test('behind a command it is part of the command', () => {
    const text = '0 5 * * * job # kuber-cron: name=a\n0 6 * * * echo kuber-cron: is here\n';
    expect([findings(text), options(text)]).toEqual([['near-miss-directive: # kuber-cron:'], [{}, {}]]);
  });
});

describe('a directive line is logfmt', () => {
  test.each<[string, Record<string, unknown>]>([
    ['description=a', { description: 'a' }],
    ['description="a b"', { description: 'a b' }],
    ['description="a \\"b\\" \\\\ c"', { description: 'a "b" \\ c' }],
    ['description="a=b, c"', { description: 'a=b, c' }],
    ["description='a'", { description: "'a'" }],
    ['description=a=b', { description: 'a=b' }],
    ['description="a" owner=b', { description: 'a', owner: 'b' }],
    ['description=\\', { description: '\\' }],
    ['description="# kuber-cron: name=b"', { description: '# kuber-cron: name=b' }],
    ['suspend', { suspend: true }],
    ['suspend owner=b', { suspend: true, owner: 'b' }],
    ['suspend=true', { suspend: true }],
    ['suspend="new disks"', { suspend: 'new disks' }],
    ['owner=b\ttimeout=5m  ', { owner: 'b', timeout: 300_000 }],
  ])('%s', (text, expected) => {
    const line = above(`# kuber-cron: ${text}`);
    expect([findings(line), options(line)]).toEqual([[], [expected]]);
  });

  test.each<[string, string[], Record<string, unknown>]>([
    ['', ['bad-directive: :'], {}],
    ['defaults', ['bad-directive: defaults'], {}],
    ['owner=b defaults', ['bad-directive: defaults'], { owner: 'b' }],
    ['defaults=yes', ['bad-directive: defaults'], {}],
    ['owner=', ['bad-directive: owner='], {}],
    ['owner= b', ['bad-directive: owner='], {}],
    ['owner =b', ['bad-directive: owner ='], {}],
    ['owner = b timeout=5m', ['bad-directive: owner ='], {}],
    ['timeout=5m = b', ['bad-directive: ='], { timeout: 300_000 }],
    ['=b', ['bad-directive: ='], {}],
    ['description="a', ['bad-directive: "a'], {}],
    ['description="a\\"', ['bad-directive: "a\\"'], {}],
    ['description="', ['bad-directive: "'], {}],
    ['description="a"b', ['bad-directive: "a"b'], {}],
    ['description=a"b"', ['bad-directive: a"b"'], {}],
    ['"owner"=b', ['bad-directive: "'], {}],
    ['owner=b description="a', ['bad-directive: "a'], { owner: 'b' }],
    ['timout=5m', ['unknown-key: timout'], {}],
    ['Timeout=5m', ['unknown-key: Timeout'], {}],
    ['timeout: 5m', ['unknown-key: timeout:', 'unknown-key: 5m'], {}],
    ['retries=3, owner=b', ['bad-value: 3,'], { owner: 'b' }],
    ['constructor=x __proto__=x', ['unknown-key: constructor', 'unknown-key: __proto__'], {}],
    ['timeout', ['bad-value: timeout'], {}],
    ['suspend=false', ['bad-value: false'], {}],
    ['suspend=""', ['bad-value: ""'], {}],
    ['owner=a owner=b', ['duplicate-key: owner=b'], { owner: 'a' }],
  ])('%j has a fault', (text, expected, read) => {
    const line = above(`# kuber-cron: ${text}`.trimEnd());
    expect([findings(line), options(line)]).toEqual([expected, [read]]);
  });

  test.each<[string, string]>([
    ['timout=5m', 'did you mean `timeout`?'],
    ['desc=x', 'did you mean `description`?'],
    ['concurrencypolicy=forbid', 'did you mean `concurrency-policy`?'],
    ['default owner=a', 'did you mean `defaults`?'],
    ['colour=red', `the keys are ${OPTION_KEYS.join(', ')}`],
    ['name=Nightly_Backup!', 'write `nightly-backup`'],
    ['concurrency-policy=Forbid', 'write `forbid`'],
    ['allow=dst-transitions', 'did you mean `dst-transition`?'],
    ['allow=unknown-value', 'errors cannot be silenced; `check` prints the code of each warning'],
  ])('the first help for %s is: %s', (text, help) => {
    const { diagnostics } = checkCrontab(above(`# kuber-cron: ${text}`), CHECK_OPTIONS);
    expect(diagnostics.list[0]?.help).toBe(help);
  });

  test('a fault in the name is not reported as the lack of one', () => {
    expect(findings('# kuber-cron: name=A!\nH 5 * * * job\n')).toEqual(['bad-value: A!']);
    expect(findings('# kuber-cron: nmae=a\nH 5 * * * job\n')).toEqual(['unknown-key: nmae']);
    expect(findings('# kuber-cron: owner=a\nH 5 * * * job\n')).toEqual(['hash-needs-name: H']);
    expect(findings('# kuber-cron: nmae=a\n0 5 * * * x\nH 5 * * * job\n')).toEqual([
      'unknown-key: nmae',
      'hash-needs-name: H',
    ]);
  });
});

describe('a directive line belongs to the next entry', () => {
  const directive = '# kuber-cron: name=a\n';
  const entry = '0 5 * * * job\n';

  test.each<[string, string, string[], unknown[]]>([
    ['right above it', directive + entry, [], [{ name: 'a' }]],
    ['across a comment', `${directive}# comment\n#\n${entry}`, [], [{ name: 'a' }]],
    [
      'across another directive line',
      `${directive}# kuber-cron: owner=b\n${entry}`,
      [],
      [{ name: 'a', owner: 'b' }],
    ],
    ['not to the one after that', `${directive}${entry}0 6 * * * b\n`, [], [{ name: 'a' }, {}]],
    ['not across a blank line', `${directive}\n${entry}`, ['detached-directive: # kuber-cron: name=a'], [{}]],
    [
      'not across a line of blanks',
      `${directive} \t\n${entry}`,
      ['detached-directive: # kuber-cron: name=a'],
      [{}],
    ],
    ['not across a setting', `${directive}A=b\n${entry}`, ['detached-directive: # kuber-cron: name=a'], [{}]],
    ['not across the end of the file', entry + directive, ['detached-directive: # kuber-cron: name=a'], [{}]],
    [
      'nor an unfinished one',
      `${entry}# kuber-cron: name=a`,
      ['detached-directive: # kuber-cron: name=a'],
      [{}],
    ],
    [
      'and is reported once for several lines',
      `${directive}# kuber-cron: owner=b\n\n${entry}`,
      ['detached-directive: # kuber-cron: name=a'],
      [{}],
    ],
    [
      'an entry with a fault takes it, too',
      `${directive}60 * * * * x\n${entry}`,
      ['value-out-of-range: 60'],
      [{}],
    ],
    [
      'a key stands once, on one line or several',
      `${directive}# kuber-cron: name=b\n${entry}`,
      ['duplicate-key: name=b'],
      [{ name: 'a' }],
    ],
  ])('%s', (_, text, expected, read) => {
    expect([findings(text), options(text)]).toEqual([expected, read]);
  });
});

describe('an entry that is commented out takes the directive lines above it with it', () => {
  const directive = '# kuber-cron: name=a\n';

  test.each([
    '#0 5 * * * job',
    '# 0 5 * * * job',
    '#\t0\t5\t*\t*\t*\tjob',
    '## */5 * * * * job',
    '#@daily job',
    '# @reboot job',
    '#H 5 * jan mon job',
  ])('%s', (comment) => {
    expect([
      findings(`${directive}${comment}\n0 6 * * * next\n`),
      options(`${directive}${comment}\n0 6 * * * next\n`),
    ]).toEqual([['disabled-entry-directive: # kuber-cron: name=a'], [{}]]);
  });

  test.each([
    '# 5 times a day, at night',
    '# 0 5 * * *',
    '# 60 5 * * * job',
    '# * a list item',
    '# @daily',
    '# @Daily job',
    '# @author jane',
    '# 2026-11-23 was the day',
    '# Have a nice day, all of you here',
  ])('%s is a comment like any other', (comment) => {
    const text = `${directive}${comment}\n0 6 * * * next\n`;
    expect([findings(text), options(text)]).toEqual([[], [{ name: 'a' }]]);
  });

  test.each<[string, string, string[]]>([
    ['both commented out is in order', '# # kuber-cron: name=a\n# 0 5 * * * job\n', []],
    ['with several lines, too', '## kuber-cron: name=a\n## kuber-cron: owner=b\n# why\n#0 5 * * * job\n', []],
    ['and above nothing', '# # kuber-cron: name=a\n\n0 5 * * * job\n', []],
    [
      'above an entry it is a slip',
      '# # kuber-cron: name=a\n0 5 * * * job\n',
      ['near-miss-directive: kuber-cron:'],
    ],
    [
      'above the next entry it is one',
      '# # kuber-cron: name=a\n# 0 5 * * * job\n## kuber-cron: name=b\n0 6 * * * job\n',
      ['near-miss-directive: kuber-cron:'],
    ],
  ])('%s', (_, text, expected) => {
    expect(findings(text)).toEqual(expected);
  });
});

describe('defaults', () => {
  test('hold for the entries below until they are set again; an own key wins', () => {
    const text = [
      '0 5 * * * a',
      '# kuber-cron: defaults timeout=1m owner=x',
      '0 6 * * * b',
      '',
      '# kuber-cron: owner=y',
      '0 7 * * * c',
      'A=b',
      '# kuber-cron: defaults timeout=2m',
      '# kuber-cron: name=d',
      '0 8 * * * d',
      '',
    ].join('\n');
    expect([findings(text), options(text)]).toEqual([
      [],
      [
        {},
        { timeout: 60_000, owner: 'x' },
        { timeout: 60_000, owner: 'y' },
        { timeout: 120_000, owner: 'x', name: 'd' },
      ],
    ]);
  });

  test('do not belong to an entry: a blank line may follow, and a directive line of the entry may stand above', () => {
    const text =
      '# kuber-cron: name=a\n# kuber-cron: defaults owner=x\n0 5 * * * job\n# kuber-cron: defaults owner=y\n\n';
    expect([findings(text), options(text)]).toEqual([[], [{ name: 'a', owner: 'x' }]]);
  });

  test.each(OPTION_KEYS.filter((key) => OPTIONS[key].ofOneJob))('do not take %s', (key) => {
    expect(findings(`# kuber-cron: defaults ${key}=x\n`)).toEqual([`key-not-in-defaults: ${key}`]);
  });

  test('have a key once a line', () => {
    expect(findings('# kuber-cron: defaults owner=x owner=y\n# kuber-cron: defaults owner=z\n')).toEqual([
      'duplicate-key: owner=y',
    ]);
  });
});

describe('a key takes values of its type', () => {
  test.each<[string, string, unknown]>([
    ['name', 'nightly-backup-2', 'nightly-backup-2'],
    ['name', '1', '1'],
    ['name', 'a'.repeat(30), 'a'.repeat(30)],
    ['was', 'old', 'old'],
    ['notify', 'ops', 'ops'],
    ['timeout', '90s', 90_000],
    ['timeout', '1s', 1000],
    ['starting-deadline', '366d', 366 * 86_400_000],
    ['starting-deadline', '2h', 7_200_000],
    ['late-after', '10m', 600_000],
    ['slow-after', '1d', 86_400_000],
    ['cpu-time', '0000005m', 300_000],
    ['retries', '0', 0],
    ['retries', '100', 100],
    ['backoff', '1m..15m', { minMs: 60_000, maxMs: 900_000 }],
    ['backoff', '5m', { minMs: 300_000, maxMs: 300_000 }],
    ['backoff', '60s..1m', { minMs: 60_000, maxMs: 60_000 }],
    ['concurrency-policy', 'allow', 'allow'],
    ['concurrency-policy', 'forbid', 'forbid'],
    ['concurrency-policy', 'replace', 'replace'],
    ['catch-up', 'none', 'none'],
    ['catch-up', 'once', 'once'],
    ['catch-up', 'all', 'all'],
    ['targets', 'aws', ['aws']],
    ['targets', 'daemon,kubernetes,daemon', ['daemon', 'kubernetes']],
    ['memory', '512Mi', 2 ** 29],
    ['memory', '1.5Gi', 1.5 * 2 ** 30],
    ['memory', '500M', 5e8],
    ['memory', '1048576', 2 ** 20],
    ['secrets', 'DATABASE_URL,_x1', ['DATABASE_URL', '_x1']],
    ['success-exit-codes', '0,3,255', [0, 3, 255]],
    ['allow', 'dst-transition,merged-starts', ['dst-transition', 'merged-starts']],
    ['owner', 'x'.repeat(100), 'x'.repeat(100)],
    ['description', 'ä🎉', 'ä🎉'],
  ])('%s=%s', (key, value, read) => {
    const text = above(`# kuber-cron: ${key}=${value}`);
    expect([findings(text), options(text)]).toEqual([[], [{ [key]: read }]]);
  });

  test.each<[string, string]>([
    ['name', 'Backup'],
    ['name', 'a_b'],
    ['name', '-a'],
    ['name', 'a-'],
    ['name', 'a--b'],
    ['name', 'ä'],
    ['name', 'a'.repeat(31)],
    ['was', 'a b'],
    ['timeout', '10'],
    ['timeout', '10min'],
    ['timeout', '1.5h'],
    ['timeout', '-1s'],
    ['timeout', '0s'],
    ['timeout', '367d'],
    ['timeout', '1h30m'],
    ['timeout', '5M'],
    ['timeout', '9999999999s'],
    ['retries', '-1'],
    ['retries', '101'],
    ['retries', '1.0'],
    ['retries', '1e1'],
    ['backoff', '15m..1m'],
    ['backoff', '1m..'],
    ['backoff', '..1m'],
    ['backoff', '1m-15m'],
    ['backoff', '1m..2m..3m'],
    ['concurrency-policy', 'Allow'],
    ['catch-up', 'true'],
    ['targets', 'lambda'],
    ['targets', 'daemon,'],
    ['targets', 'daemon, aws'],
    ['memory', '512'],
    ['memory', '512mi'],
    ['memory', '512MB'],
    ['memory', '2000Ti'],
    ['secrets', 'A-B'],
    ['secrets', '1A'],
    ['secrets', 'A=b'],
    ['success-exit-codes', '256'],
    ['success-exit-codes', 'ok'],
    ['allow', 'nothing'],
    ['allow', 'value-out-of-range'],
    ['owner', 'x'.repeat(101)],
    ['description', '  '],
    ['suspend', 'no'],
  ])('%s=%s is refused', (key, value) => {
    const written = value.includes(' ') ? `"${value}"` : value;
    expect(findings(above(`# kuber-cron: ${key}=${written}`))).toEqual([`bad-value: ${written}`]);
  });

  test('allow takes the code of every warning and note, and of no error', () => {
    const codes = Object.keys(DIAGNOSTICS) as DiagnosticCode[];
    const taken = codes.filter((code) => OPTIONS.allow.read(code).ok);
    expect(taken).toEqual(ALLOWABLE_CODES);
    expect(taken).toEqual(codes.filter((code) => DIAGNOSTICS[code].severity !== 'error'));
  });
});
