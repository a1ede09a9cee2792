import { describe, expect, test } from '@jest/globals';
import { checkCrontab } from '../../../shared/core/crontab/check.ts';
import { EnvironmentScope, MOST_SETTINGS } from '../../../shared/core/crontab/environment.ts';
import { findings } from '../../support/crontab-findings.ts';
import { CHECK_OPTIONS } from '../../support/crontab-fixtures.ts';

/** What the last entry of a crontab sees of its settings. */
function environmentOf(text: string): Readonly<Record<string, string>> | undefined {
  return checkCrontab(text, CHECK_OPTIONS).crontab.entries.at(-1)?.environment.toObject();
}

describe('a line is a setting with a name and a value', () => {
  test.each<[string, Record<string, string>]>([
    ['A=b', { A: 'b' }],
    ['A = b', { A: 'b' }],
    ['\tA\t=\tb\t', { A: 'b' }],
    ['A=b c  d ', { A: 'b c  d' }],
    ['A="b c "', { A: 'b c' }],
    ["A='b c '", { A: 'b c' }],
    ["A=' b'", { A: ' b' }],
    [`A='"b"'`, { A: 'b' }],
    [`A="'b' "`, { A: 'b' }],
    [`A='"b'`, { A: '"b' }],
    ['A=""', { A: '' }],
    ["A=''", { A: '' }],
    ['A = "b" \t', { A: 'b' }],
    ['"A"=b', { A: 'b' }],
    ["'A' = 'b'", { A: 'b' }],
    ['A="it\'s"', { A: "it's" }],
    [`A='say "x"'`, { A: 'say "x"' }],
    ['A=b"c"', { A: 'b"c"' }],
    ['A=b # no comment', { A: 'b # no comment' }],
    ['A=100%', { A: '100%' }],
    ['A=a\\nb', { A: 'a\\nb' }],
    ['A=b=c', { A: 'b=c' }],
    ['A==', { A: '=' }],
    ['_a1=b', { _a1: 'b' }],
    ['a=1', { a: '1' }],
    ['A=\u00a0b', { A: '\u00a0b' }],
    ['MAILTO=""', { MAILTO: '' }],
    ['SHELL=/bin/bash', { SHELL: '/bin/bash' }],
    ['CRON_TZ=UTC', { CRON_TZ: 'UTC' }],
    ['TZ=Nowhere/Land', { TZ: 'Nowhere/Land' }],
    ['__proto__=x', Object.fromEntries([['__proto__', 'x']])],
  ])('%j', (line, environment) => {
    const text = `${line}\n0 5 * * * job\n`;
    expect([findings(text), environmentOf(text)]).toEqual([[], environment]);
  });
});

describe('a line that crons refuse as a setting is a fault', () => {
  test.each<[string, string]>([
    ['A=', 'empty-setting: A'],
    ['A = \t', 'empty-setting: A'],
    ['MAILTO=', 'empty-setting: MAILTO'],
    ['A="b', 'bad-setting: "b'],
    ["A='b", "bad-setting: 'b"],
    ['A="b\'', 'bad-setting: "b\''],
    ['A="', 'bad-setting: "'],
    ['A="b" c', 'bad-setting: "b"'],
    ['A="b"c', 'bad-setting: "b"'],
    ['A="b\\"c"', 'bad-setting: "b\\"'],
    ['A="b"\u00a0', 'bad-setting: "b"'],
    ['A="/a":"/b"', 'bad-setting: "/a"'],
    ['A="b" # comment', 'bad-setting: "b"'],
    ['1A=b', 'bad-setting: 1A'],
    ['A-B=c', 'bad-setting: A-B'],
    ['*=c', 'bad-setting: *'],
    ['@daily=job', 'bad-setting: @daily'],
    ['"A B"=c', 'bad-setting: A B'],
    ['=b', 'bad-setting: ='],
    ['""=b', 'bad-setting: "'],
    ['Ä=b', 'bad-setting: Ä'],
    ['export A=b', 'bad-setting: export'],
    ['setenv A b', 'bad-setting: setenv'],
    ['"A=b"', 'unknown-value: "A=b"'],
    ['"A', 'unknown-value: "A'],
    ['A B=c', 'unknown-value: A'],
    ['CRON_TZ=Nowhere/Land', 'unknown-time-zone: Nowhere/Land'],
    ['CRON_TZ=europe/berlin', 'unknown-time-zone: europe/berlin'],
    ['CRON_TZ=""', 'unknown-time-zone: ""'],
    ['CRON_TZ=+02:00', 'unknown-time-zone: +02:00'],
    ['LOGNAME=root', 'ignored-setting: LOGNAME'],
    ['USER=root', 'ignored-setting: USER'],
  ])('%j', (line, finding) => {
    expect(findings(`${line}\n`)).toEqual([finding]);
  });
});

test.each<[string, string]>([
  ['CRON_TZ=Europe/Berln', 'did you mean `Europe/Berlin`?'],
  ['CRON_TZ=europe/berlin', 'did you mean `Europe/Berlin`?'],
  ['CRON_TZ=America/New_Yor', 'did you mean `America/New_York`?'],
  ['CRON_TZ=Nowhere', 'use a name of the IANA database, such as `Europe/Berlin` or `UTC`'],
  [
    'CRON_TZ=UTC 0 9 * * 1 ./job',
    'a setting takes its whole line: put `0 9 * * 1 ./job` on a line of its own',
  ],
])('the help for %s is: %s', (line, help) => {
  const { diagnostics } = checkCrontab(`${line}\n`, CHECK_OPTIONS);
  expect(diagnostics.list.map((one) => one.help)).toEqual([help]);
});

test('a setting holds for the entries below it until it is set again', () => {
  const text =
    'A=1\n0 1 * * * a\nA=2\nB=x\n0 2 * * * b\n# comment\n\n0 3 * * * c\nB=""\n0 4 * * * d\nC=last\n';
  const { crontab } = checkCrontab(text, CHECK_OPTIONS);
  expect(crontab.entries.map(({ environment }) => environment.toObject())).toEqual([
    { A: '1' },
    { A: '2', B: 'x' },
    { A: '2', B: 'x' },
    { A: '2', B: '' },
  ]);
});

test('the zone of an entry is that of the last good CRON_TZ above it; TZ changes nothing', () => {
  const text =
    '0 1 * * * a\nCRON_TZ=UTC\nTZ=Asia/Tokyo\n0 2 * * * b\nCRON_TZ=Asia/Tokyo\n0 3 * * * c\nCRON_TZ=x\n0 4 * * * d\n';
  const { crontab } = checkCrontab(text, CHECK_OPTIONS);
  expect(crontab.entries.map(({ zone }) => zone)).toEqual([undefined, 'UTC', 'Asia/Tokyo', 'Asia/Tokyo']);
});

describe('the length of a setting', () => {
  const setting = (bytes: number) => `A=${'x'.repeat(bytes - 2)}`;

  test.each<[string, string, string[]]>([
    ['998 bytes are taken', setting(998), []],
    ['999 bytes are refused', setting(999), ['setting-too-long: A']],
    ['bytes count, not characters', `A=${'ä'.repeat(499)}`, ['setting-too-long: A']],
    ['498 characters of two bytes are taken', `A=${'ä'.repeat(498)}`, []],
    ['a character beyond the first plane has four', `A=${'🎉'.repeat(249)}`, []],
    ['and one more of them is too much', `A=${'🎉'.repeat(249)}xxx`, ['setting-too-long: A']],
    ['blanks around the line do not count', `   ${setting(998)}`, []],
  ])('%s', (_, line, expected) => {
    expect(findings(`${line}\n`)).toEqual(expected);
  });
});

test('a crontab sets at most so many different variables, however often', () => {
  const lines = Array.from({ length: MOST_SETTINGS }, (_, index) => `V${index}=a\nV${index}=b\n`);
  expect(findings(lines.join(''))).toEqual([]);
  expect(findings([...lines, 'LAST=1\n', 'V0=c\n'].join(''))).toEqual(['too-many-settings: LAST']);
});

test('a scope keeps its settings when further ones are added, in any number', () => {
  let scope = EnvironmentScope.EMPTY;
  const expected: Record<string, string> = {};
  for (let index = 0; index < 100; index++) {
    const before = scope;
    scope = scope.with(`V${index % 40}`, String(index));
    expected[`V${index % 40}`] = String(index);
    expect(before.get(`V${index % 40}`)).toBe(index < 40 ? undefined : String(index - 40));
  }
  expect([scope.toObject(), scope.size, EnvironmentScope.EMPTY.size]).toEqual([expected, 40, 0]);
});
