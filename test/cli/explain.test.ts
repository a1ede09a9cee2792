import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { kuberCron, type World } from '../support/kuber-cron.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
const now = '2027-03-27T12:00:00Z';
const UTC = ['--zone', 'UTC'];

describe('an expression', () => {
  test.each<[argv: string[], stdout: string]>([
    [
      ['--zone', 'Europe/Berlin', '30 2 13 * 5'],
      `30 2 13 * 5
  runs     at 02:30, on day 13 of the month, and also on Friday
  zone     Europe/Berlin
  days     either day field suffices, since neither begins with \`*\`
  clocks   fixed times: one that does not exist runs right after the change, one that comes twice runs the first time
  next     2027-04-02T02:30+02:00   in 5d 12h
           2027-04-09T02:30+02:00   in 12d 12h
           2027-04-13T02:30+02:00   in 16d 12h
           2027-04-16T02:30+02:00   in 19d 12h
           2027-04-23T02:30+02:00   in 26d 12h
`,
    ],
    [
      ['--zone', 'Europe/Berlin', '30 2 * * *'],
      `30 2 * * *
  runs     at 02:30, every day
  zone     Europe/Berlin
  days     every day of its months
  clocks   fixed times: one that does not exist runs right after the change, one that comes twice runs the first time
  next     2027-03-28T03:00+02:00   in 13h 00m
           2027-03-29T02:30+02:00   in 1d 12h
           2027-03-30T02:30+02:00   in 2d 12h
           2027-03-31T02:30+02:00   in 3d 12h
           2027-04-01T02:30+02:00   in 4d 12h
  change   2027-03-28T03:00+02:00: 02:30 does not exist; it starts once at that minute
           2027-10-31T02:00+01:00: 02:30 comes twice; it starts the first time only
`,
    ],
    [
      [...UTC, 'H 4 1 1 *'],
      `H 4 1 1 *
  runs     at 04:23, on day 1 of the month, in January
           \`H\` is chosen by the name of the job; this is for one that is called \`example\`
  zone     UTC
  days     the day of the month decides
  next     2028-01-01T04:23Z   in 279d 16h
           2029-01-01T04:23Z   in 645d 16h
           2030-01-01T04:23Z   in 1010d 16h
           2031-01-01T04:23Z   in 1375d 16h
           2032-01-01T04:23Z   in 1740d 16h
`,
    ],
    [
      ['@reboot', 'cat%one%two'],
      `@reboot
  runs     once at the first start of the daemon after a boot (\`--reboot-on start\`: at every start)
  command  cat
  stdin    "one\\ntwo\\n"
`,
    ],
  ])('%j', async (argv, stdout) => {
    const outcome = await kuberCron(['explain', ...argv], { now });
    expect([outcome.code, outcome.stdout]).toEqual([0, stdout]);
  });

  test('fields that the shell took apart are one expression', async () => {
    const whole = await kuberCron(['explain', ...UTC, '0 4 * * 1'], { now });
    expect(await kuberCron(['explain', ...UTC, '0', '4', '*', '*', '1'], { now })).toEqual(whole);
    expect(whole.code).toBe(0);
  });

  test.each<[expression: string, code: number, stderr: string]>([
    [
      '61 * * * *',
      1,
      `error[value-out-of-range]: minute must be 0-59, got \`61\`
 --> expression:1:1
1 | 61 * * * *
  | ^^
  = help: the fields are, in order: minute hour day-of-month month day-of-week

`,
    ],
    [
      'H 25 * * *',
      1,
      `error[value-out-of-range]: hour must be 0-23, got \`25\`
 --> expression:1:3
1 | H 25 * * *
  |   ^^
  = help: the fields are, in order: minute hour day-of-month month day-of-week

`,
    ],
    [
      '0 0 30 2 *',
      0,
      `warning[never-fires]: no month of \`0 0 30 2 *\` has such a day: this entry never runs
 --> expression:1:1
1 | 0 0 30 2 *
  | ^^^^^^^^^^
  = help: correct the day or the month

`,
    ],
  ])('`%s` is reported as it was written', async (expression, code, stderr) => {
    const outcome = await kuberCron(['explain', ...UTC, expression], { now });
    expect([outcome.code, outcome.stderr]).toEqual([code, stderr]);
    expect(outcome.stdout.includes('never before 2046')).toBe(code === 0);
  });
});

const CRONTAB = `# kuber-cron: defaults timeout=90s
# kuber-cron: name=second description="The \\"last\\" word" secrets=TOKEN,KEY backoff=1m..5m memory=1Gi
0 4 * * 1 true
# kuber-cron: name=first suspend
0 0 30 2 * true
`;

describe('a crontab', () => {
  const world: World = { stdin: CRONTAB, now };

  test('its jobs come in the order of the file, with their keys as directives have them', async () => {
    const { code, stdout } = await kuberCron(['explain', ...UTC, '-'], world);
    expect(code).toBe(0);
    expect(stdout.match(/^\S.*$/gm)).toEqual(['stdin/second   0 4 * * 1', 'stdin/first   0 0 30 2 *']);
    expect(stdout.match(/(?<=options {2}).*$/gm)).toEqual([
      'timeout=90s description="The \\"last\\" word" secrets=TOKEN,KEY backoff=1m..5m memory=1024Mi',
      'timeout=90s suspend',
    ]);
  });

  test('of one job only what concerns it is said', async () => {
    const first = await kuberCron(['explain', ...UTC, '-', 'first'], world);
    expect([first.code, first.stdout.match(/^\S.*$/gm)]).toEqual([0, ['stdin/first   0 0 30 2 *']]);
    expect(first.stderr).toContain('warning[never-fires]');
    const second = await kuberCron(['explain', ...UTC, '-', 'stdin/second'], world);
    expect([second.code, second.stderr, second.stdout.match(/^\S.*$/gm)]).toEqual([
      0,
      '',
      ['stdin/second   0 4 * * 1'],
    ]);
  });

  test('a job that there is not is told with the nearest', async () => {
    expect(
      await kuberCron(['explain', ...UTC, '-', 'secnd'], { ...world, stdin: CRONTAB.replace('30 2', '3 2') }),
    ).toEqual({
      code: 3,
      stdout: '',
      stderr: 'kuber-cron: there is no job `secnd`; did you mean `second`?\n',
    });
  });

  test('a job of a folder is found, and one that is in two files must be named in full', async () => {
    const entry = (name: string) => `# kuber-cron: name=${name}\n0 4 * * * true\n`;
    writeFileSync(join(folder, 'a'), entry('both') + entry('only-a'));
    writeFileSync(join(folder, 'b'), entry('both'));
    const heads = async (...argv: string[]) => {
      const { code, stdout, stderr } = await kuberCron(['explain', folder, ...argv], { now });
      return [code, stdout.match(/^\S+/gm), stderr];
    };
    expect(await heads()).toEqual([0, ['a/both', 'a/only-a', 'b/both'], '']);
    expect(await heads('only-a')).toEqual([0, ['a/only-a'], '']);
    expect(await heads('b/both')).toEqual([0, ['b/both'], '']);
    expect(await heads('both')).toEqual([
      3,
      null,
      'kuber-cron: several crontabs have a job `both`: name one of a/both, b/both\n',
    ]);
  });

  test('one with errors is reported and explains nothing', async () => {
    const outcome = await kuberCron(['explain', '-', 'job'], { stdin: '61 * * * * true\n', now });
    expect([outcome.code, outcome.stdout]).toEqual([1, '']);
    expect(outcome.stderr).toMatch(/^error\[value-out-of-range\]/);
  });

  test('an empty one has no jobs', async () => {
    expect(await kuberCron(['explain', '-'], { now })).toEqual({ code: 0, stdout: 'no jobs\n', stderr: '' });
  });
});
