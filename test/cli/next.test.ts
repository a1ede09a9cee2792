import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { kuberCron, type World } from '../support/kuber-cron.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
const now = '2027-03-27T12:00:30Z';
const CRONTAB = `CRON_TZ=Europe/Berlin
# kuber-cron: name=backup
30 2 * * * true
# kuber-cron: name=report suspend="not yet"
0 3 * * * true
# kuber-cron: name=boot
@reboot true
`;

describe('the table', () => {
  test.each<[argv: string[], world: World, stdout: string]>([
    [
      ['--count', '4'],
      {},
      `TIME                                JOB           SCHEDULE
2027-03-28T03:00+02:00  in 12h 59m  stdin/backup  30 2 * * *
2027-03-28T03:00+02:00  in 12h 59m  stdin/report  0 3 * * * (suspended)
2027-03-29T02:30+02:00  in 1d 12h   stdin/backup  30 2 * * *
2027-03-29T03:00+02:00  in 1d 12h   stdin/report  0 3 * * * (suspended)
`,
    ],
    [
      ['--job', 'backup', '--count', '2', '--from', '2027-10-30T12:00Z'],
      {},
      `TIME                                 JOB           SCHEDULE
2027-10-31T02:30+02:00  in 217d 12h  stdin/backup  30 2 * * *
2027-11-01T02:30+01:00  in 218d 13h  stdin/backup  30 2 * * *
`,
    ],
    [
      ['--job', 'stdin/backup', '--count', '1', '--from', '2026-01-01'],
      {},
      `TIME                      JOB           SCHEDULE
2026-01-01T02:30+01:00    stdin/backup  30 2 * * *
`,
    ],
    [
      ['--zone', 'Asia/Kolkata', '--count', '1'],
      { stdin: '# kuber-cron: name=a\n0 0 * * * true\n' },
      `TIME                               JOB      SCHEDULE
2027-03-28T00:00+05:30  in 6h 29m  stdin/a  0 0 * * *
`,
    ],
    [['--job', 'boot'], {}, 'no run is due at any time before 2046\n'],
    [['--from', '2045-12-31T23:00Z'], {}, 'no run is due at any time before 2046\n'],
    [[], { stdin: '' }, 'no jobs\n'],
  ])('%j', async (argv, world, stdout) => {
    expect(await kuberCron(['next', ...argv, '-'], { stdin: CRONTAB, now, ...world })).toEqual({
      code: 0,
      stdout,
      stderr: '',
    });
  });
});

test('JSON has times in UTC and in the zone of the entry', async () => {
  const argv = ['next', '--format', 'json', '--count', '1', '--job', 'report', '-'];
  const { code, stdout } = await kuberCron(argv, { stdin: CRONTAB, now });
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    runs: [
      {
        crontab: 'stdin',
        job: 'report',
        schedule: '0 3 * * *',
        scheduledTime: '2027-03-28T01:00Z',
        zone: 'Europe/Berlin',
        localTime: '2027-03-28T03:00+02:00',
        suspended: true,
      },
    ],
  });
});

test('a crontab with errors is reported, and the others are listed', async () => {
  writeFileSync(join(folder, 'bad'), '61 * * * * true\n');
  writeFileSync(join(folder, 'good'), CRONTAB);
  const report = `error[value-out-of-range]: minute must be 0-59, got \`61\`
 --> ${folder}/bad:1:1
1 | 61 * * * * true
  | ^^
  = help: the fields are, in order: minute hour day-of-month month day-of-week

`;
  const ofFolder = await kuberCron(['next', '--count', '1', folder], { now });
  expect([ofFolder.code, ofFolder.stderr]).toEqual([1, report]);
  expect(ofFolder.stdout).toContain('good/backup');
  for (const argv of [
    ['next', join(folder, 'bad')],
    ['next', '--job', 'x', join(folder, 'bad')],
  ])
    expect(await kuberCron(argv, { now })).toEqual({ code: 1, stdout: '', stderr: report });
});

test.each<[job: string, stderr: string]>([
  ['bakup', 'there is no job `bakup`; did you mean `backup`?'],
  ['rep', 'there is no job `rep`; did you mean `report`?'],
  ['stdin/bakup', 'there is no job `stdin/bakup`; did you mean `stdin/backup`?'],
  ['other', 'there is no job `other`; there are backup, boot, report'],
])('a job `%s` that there is not', async (job, stderr) => {
  expect(await kuberCron(['next', '--job', job, '-'], { stdin: CRONTAB, now })).toEqual({
    code: 3,
    stdout: '',
    stderr: `kuber-cron: ${stderr}\n`,
  });
});
