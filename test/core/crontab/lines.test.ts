import { describe, expect, test } from '@jest/globals';
import { checkCrontab } from '../../../shared/core/crontab/check.ts';
import { NICKNAMES } from '../../../shared/core/schedule/schedule.ts';
import { findings } from '../../support/crontab-findings.ts';
import { CHECK_OPTIONS } from '../../support/crontab-fixtures.ts';

/** Entries as `schedule | user | command`. */
function entries(text: string, system = false): string[] {
  return checkCrontab(text, { ...CHECK_OPTIONS, system }).crontab.entries.map(
    ({ schedule, user, commandText }) => `${schedule?.text ?? '@reboot'} | ${user ?? '-'} | ${commandText}`,
  );
}

describe('an entry is five fields and a command', () => {
  test.each<[string, string]>([
    ['0 5 * * * job', '0 5 * * * | - | job'],
    ['  0\t5  *\t\t* * \t job  --now ', '0 5 * * * | - | job  --now '],
    ['0 5 * * * job # not a comment', '0 5 * * * | - | job # not a comment'],
    ['0 5 * * * A=1 job', '0 5 * * * | - | A=1 job'],
    ['0 5 * * * #job', '0 5 * * * | - | #job'],
    ['0 5 * jan mon job', '0 5 * 1 1 | - | job'],
    ['0 5 1 jan-dec/2 * job', '0 5 1 1-12/2 * | - | job'],
    ['0 5 * * mon-fri/2 job', '0 5 * * 1-5/2 | - | job'],
    ['0 5 * * * /bin/job', '0 5 * * * | - | /bin/job'],
    ['0 5 * * * = x', '0 5 * * * | - | = x'],
  ])('%j', (line, entry) => {
    expect(entries(`${line}\n`)).toEqual([entry]);
  });

  test.each<[string, string[]]>([
    ['0 5 * * *', ['missing-command: *']],
    ['0 5 * * *  \t', ['missing-command: \t']],
    ['0 5 * *', ['missing-fields: ']],
    ['0', ['missing-fields: ']],
    ['0 5 * * /bin/job', ['missing-fields: /bin/job']],
    ['0 5 * ./job --now', ['missing-fields: ./job --now']],
    ['0 5 backup.sh', ['missing-fields: backup.sh']],
    ['0 5 * * $HOME/job', ['missing-fields: $HOME/job']],
    ['0 5 * * "my job"', ['missing-fields: "my job"']],
    ['0 5 * * * *', ['bad-command-start: *']],
    ['0 5 * * * * job', ['bad-command-start: *']],
    ['0 5 * * * */2 job', ['bad-command-start: */2']],
    ['0 5 * * 2 - 5 job', ['bad-command-start: -']],
    ['0 5 * * * -n job', ['bad-command-start: -n']],
    ['60 24 * * * job', ['value-out-of-range: 60', 'value-out-of-range: 24']],
    ['60 24', ['value-out-of-range: 60', 'value-out-of-range: 24']],
    ['0 5 1 january * job', ['unknown-value: january']],
    ['0 5 * * monday-friday job', ['unknown-value: monday-friday']],
    ['job', ['unknown-value: job']],
    ['This is no crontab at all', ['unknown-value: This']],
    ['_ 5 * * * job', ['unknown-value: _']],
    ['0\u00a05 * * * job', ['unknown-value: \u00a0']],
    ['0 5 * *\u3000* job', ['unknown-value: \u3000']],
    ['0 5 * * *\u000bjob', ['unknown-value: \u000b']],
    ['- 5 * * * job', ['unknown-value: -']],
    ['-0 5 * * * job', ['unknown-value: -0']],
  ])('%j is refused', (line, expected) => {
    expect([findings(`${line}\n`), entries(`${line}\n`)]).toEqual([expected, []]);
  });

  test('a fault does not hide those on the lines below', () => {
    expect(findings('60 * * * * a\n@x b\nA=\n0 5 * * * c\n0 5 * * *\n')).toEqual([
      'value-out-of-range: 60',
      'unknown-nickname: @x',
      'empty-setting: A',
      'missing-command: *',
    ]);
  });
});

describe('a nickname', () => {
  test.each(Object.entries({ ...NICKNAMES, '@reboot': '@reboot' }))('%s means %s', (nickname, schedule) => {
    expect(entries(`${nickname} job\n`)).toEqual([`${schedule} | - | job`]);
    expect(entries(`${nickname} job\n`)).toEqual(entries(`\t${nickname} \t job\n`));
  });

  test.each<[string, string, string]>([
    ['@Daily job', '@Daily', 'did you mean `@daily`?'],
    ['@dayly job', '@dayly', 'did you mean `@daily`?'],
    ['@midnigth job', '@midnigth', 'did you mean `@midnight`?'],
    ['@month job', '@month', 'did you mean `@monthly`?'],
    ['@every 5m job', '@every', 'a crontab has no intervals: write time fields, such as `*/5 * * * *`'],
    ['@constructor job', '@constructor', 'use one of these, in lower case, or five time fields'],
    ['@ daily job', '@', 'use one of these, in lower case, or five time fields'],
  ])('%s is refused', (line, word, help) => {
    const { diagnostics, text } = checkCrontab(`${line}\n`, CHECK_OPTIONS);
    expect(
      diagnostics.list.map(({ code, span, help: one }) => [code, text.slice(span.start, span.end), one]),
    ).toEqual([['unknown-nickname', word, help]]);
  });

  test('wants a command too', () => {
    expect(findings('@daily\n@reboot \n')).toEqual(['missing-command: y', 'missing-command:  ']);
  });
});

describe('a system crontab has a user before the command', () => {
  test.each<[string, string]>([
    ['0 5 * * * root job --now', '0 5 * * * | root | job --now'],
    ['@daily\twww-data\tjob', '0 0 * * * | www-data | job'],
    ['@reboot deploy %', '@reboot | deploy | %'],
  ])('%j', (line, entry) => {
    expect(entries(`${line}\n`, true)).toEqual([entry]);
  });

  test.each<[string, string]>([
    ['0 5 * * * root', 'missing-user: 0 5 * * * root'],
    ['0 5 * * * root ', 'missing-user: 0 5 * * * root '],
    ['0 5 * * *', 'missing-command: 0 5 * * *'],
    ['@daily', 'missing-command: @daily'],
    ['0 5 * * * root * job', 'bad-command-start: *'],
    ['0 5 * * * * root job', 'sixth-field: *'],
    ['0 5 * * * 2026 root job', 'sixth-field: 2026'],
  ])('%j is not in order', (line, finding) => {
    expect(findings(`${line}\n`, { system: true })).toEqual([finding]);
  });

  test('whose commands another user runs is refused, where the user is known', () => {
    const text = '0 5 * * * root a\n0 5 * * * deploy b\n@reboot www-data c\n';
    expect(findings(text, { system: true, user: 'deploy' })).toEqual([
      'foreign-user: root',
      'foreign-user: www-data',
    ]);
    expect(findings(text, { system: true })).toEqual([]);
    expect(findings('0 5 * * * a\n', { user: 'deploy' })).toEqual([]);
  });
});

describe('the length of a command', () => {
  test.each<[string, string, string[]]>([
    ['998 bytes are taken', 'x'.repeat(998), []],
    ['999 bytes are refused', 'x'.repeat(999), [`command-too-long: ${'x'.repeat(999)}`]],
    ['bytes count, not characters', `x ${'ä'.repeat(499)}`, ['command-too-long: x']],
    ['time fields do not count', `x ${'ä'.repeat(498)}`, []],
  ])('%s', (_, command, expected) => {
    expect(findings(`*/5   0-23/2   1-31   jan-dec   *   ${command}\n`)).toEqual(expected);
  });
});

describe('the characters of a file', () => {
  const entry = '0 5 * * * job';

  test.each<[string, string, string[]]>([
    ['an empty file is in order', '', []],
    ['so is one of blank lines', '\n \n\t', []],
    ['the last line may be an unfinished comment', `${entry}\n# end`, []],
    ['the last line may be unfinished blanks', `${entry}\n  `, []],
    ['an unfinished entry is refused', entry, ['missing-final-newline: ']],
    ['so is an unfinished setting', 'A=b', ['missing-final-newline: ']],
    [
      'and an unfinished line with a fault has both',
      '60 * * * * x',
      ['value-out-of-range: 60', 'missing-final-newline: '],
    ],
    ['CR LF is one finding for the file', `${entry}\r\n\r\nA=b\r\n`, ['carriage-return: \r']],
    ['a CR inside a line is found too', `0 5 * * * a\rb\n`, ['carriage-return: \r']],
    [
      'a byte order mark is found, and the first line read without it',
      `\ufeff60 * * * * x\n`,
      ['byte-order-mark: \ufeff', 'value-out-of-range: 60'],
    ],
    ['a byte order mark alone is one too', '\ufeff', ['byte-order-mark: \ufeff']],
    ['a byte order mark elsewhere is a character', `0 5 * * * echo \ufeff\n`, []],
    ['NUL is one finding for the file', `\0\n0 5 * * * a\0\n60\0\n`, ['nul-character: \0']],
    ['and lines without it are read', `#\0\n60 * * * * x\n`, ['nul-character: \0', 'value-out-of-range: 60']],
  ])('%s', (_, text, expected) => {
    expect(findings(text)).toEqual(expected);
  });

  test('a CR at the end of a line is no part of command or value', () => {
    expect(entries('A="b"\r\n0 5 * * * job\r\n')).toEqual(['0 5 * * * | - | job']);
  });

  const bytes = (text: string, ...more: number[]) =>
    new Uint8Array([...new TextEncoder().encode(text), ...more, 10]);

  test.each<[string, Uint8Array, string[]]>([
    ['UTF-8 is in order', bytes('# ä€🎉'), []],
    ['Latin-1 is not', bytes('# caf', 0xe9), ['not-utf-8: \ufffd']],
    ['a character that was cut is not', bytes('# ', 0xe2, 0x82), ['not-utf-8: \ufffd']],
    ['a replacement character is one like others', bytes('# \ufffd'), []],
    ['and not where the fault is', bytes('# \ufffd\ufffd ', 0xff), ['not-utf-8: \ufffd']],
    ['a byte order mark is kept', new Uint8Array([0xef, 0xbb, 0xbf, 10]), ['byte-order-mark: \ufeff']],
    [
      'UTF-16 is found out',
      new Uint8Array([0xff, 0xfe, 0x23, 0, 10, 0]),
      ['not-utf-8: \ufffd', 'nul-character: \0'],
    ],
  ])('%s', (_, source, expected) => {
    expect(findings(source)).toEqual(expected);
  });

  test('the first byte that is not UTF-8 is where the finding is', () => {
    const { diagnostics } = checkCrontab(bytes('# \ufffdä\ufffd ', 0x80, 0x81), CHECK_OPTIONS);
    expect(diagnostics.list.map(({ span }) => span)).toEqual([{ start: 6, end: 7 }]);
  });
});

test('spans and lines are where the text is', () => {
  const text = 'A=1\n\n  0 5 * * mon   job %x\n\t@daily  job\n';
  const { crontab } = checkCrontab(text, CHECK_OPTIONS);
  const at = ({ start, end }: { start: number; end: number }) => text.slice(start, end);
  expect(
    crontab.entries.map(({ line, span, scheduleSpan, commandSpan }) => [
      line,
      at(span),
      at(scheduleSpan),
      at(commandSpan),
    ]),
  ).toEqual([
    [3, '0 5 * * mon   job %x', '0 5 * * mon', 'job %x'],
    [4, '@daily  job', '@daily', 'job'],
  ]);
  expect(crontab.settings.map(({ span, valueSpan }) => [at(span), at(valueSpan)])).toEqual([['A=1', '1']]);
});
