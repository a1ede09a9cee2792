import { expect, test } from '@jest/globals';
import { kuberCron } from '../support/kuber-cron.ts';

const now = '2026-11-23T12:00Z';

const CRONTAB = `CRON_TZ=Europe/Berlin
# kuber-cron: defaults timeout=10m allow=dst-transition,both-day-fields,never-fires
# kuber-cron: name=nightly-backup
30 2 * * * true
# kuber-cron: name=check-queue timeout=5m
*/5 * * * * true
# kuber-cron: name=reports
0 9 13 * 5 true
# kuber-cron: name=odd-sundays
*/15 2 */2 * 7 true
# kuber-cron: name=never
0 0 30 2 * true
# kuber-cron: name=warm-up targets=daemon
@reboot true
`;

test('check --target aws shows the schedules of each job, and what they deliver too much and too little', async () => {
  expect(await kuberCron(['check', '--target', 'aws', '-'], { stdin: CRONTAB, now })).toEqual({
    code: 0,
    stdout: `<stdin>: 6 entries, 6 named, 6 with options, 0 errors, 0 warnings
JOB             SCHEDULE ON AWS            ZONE           DROPPED  STARTED BY THE WATCHDOG
nightly-backup  cron(30 2 * * ? *)         Europe/Berlin  0        2027-03-28T03:00+02:00
check-queue     cron(0/5 * * * ? *)        UTC            0
reports         cron(0 9 13 * ? *)         Europe/Berlin  0
                cron(0 9 ? * FRI *)        Europe/Berlin
odd-sundays     cron(0/15 2 ? * SUN *)     Europe/Berlin  92       2027-10-31T02:00+01:00, 2027-10-31T02:15+01:00 and 2 more
never           none: never due
warm-up         left out by its \`targets\`
`,
    stderr: '',
  });
});

const FAULTY = `# kuber-cron: name=boot timeout=2h
@reboot true
# kuber-cron: name=heavy timeout=1h memory=11Gi
0 4 * * * true
# kuber-cron: name=endless
0 5 * * * true
`;

test.each<[argv: string[], code: number, findings: string[]]>([
  [
    ['--target', 'aws'],
    1,
    [
      'error[unsupported-reboot]',
      'error[timeout-exceeds-target]',
      'error[memory-exceeds-target]',
      'error[missing-time-zone]',
      'warning[missing-timeout]',
    ],
  ],
  [
    ['--target', 'aws', '--zone', 'UTC'],
    1,
    [
      'error[unsupported-reboot]',
      'error[timeout-exceeds-target]',
      'error[memory-exceeds-target]',
      'warning[missing-timeout]',
    ],
  ],
  [[], 0, []],
])('check %j of what AWS cannot carry', async (argv, code, findings) => {
  const outcome = await kuberCron(['check', ...argv, '-'], { stdin: FAULTY, now });
  expect([outcome.code, outcome.stdout.match(/^(?:error|warning)\[.*?\]/gm) ?? []]).toEqual([code, findings]);
  expect(outcome.stdout).not.toContain('SCHEDULE ON AWS');
});

test('JSON has the schedules of a crontab without errors', async () => {
  const json = async (stdin: string) => {
    const { stdout } = await kuberCron(['check', '--format', 'json', '--target', 'aws', '-'], { stdin, now });
    return JSON.parse(stdout).files[0].aws;
  };
  const crontab =
    '# kuber-cron: name=a\n30 2 1 * 7 true\n# kuber-cron: name=b targets=daemon\n0 1 * * * true\n';
  expect(await json(`CRON_TZ=Europe/Berlin\n${crontab}`)).toEqual([
    {
      job: 'a',
      leftOut: false,
      schedules: [
        { expression: 'cron(30 2 1 * ? *)', timeZone: 'Europe/Berlin' },
        { expression: 'cron(30 2 ? * SUN *)', timeZone: 'Europe/Berlin' },
      ],
      droppedDeliveries: 0,
      watchdogStarts: ['2027-03-28T03:00+02:00'],
      obstacles: [
        {
          code: 'missing-timeout',
          message: 'without `timeout` a command is ended after 14m, the longest run that Lambda allows',
          help: 'write `# kuber-cron: timeout=…` with 14m at most, or leave it to the daemon by `# kuber-cron: targets=daemon`',
        },
      ],
    },
    {
      job: 'b',
      leftOut: true,
      schedules: [],
      droppedDeliveries: 0,
      watchdogStarts: [],
      obstacles: [],
    },
  ]);
  expect(await json(FAULTY)).toBeUndefined();
});

test.each<[argv: string[], aws: string[]]>([
  [
    ['--zone', 'Europe/Berlin', '30 2 * * *'],
    [
      'cron(30 2 * * ? *) in Europe/Berlin',
      'in a change of the clocks the watchdog starts 2027-03-28T03:00+02:00',
    ],
  ],
  [['--zone', 'Europe/Berlin', '0 * * * *'], ['cron(0 * * * ? *) in UTC']],
  [
    ['--zone', 'UTC', '0 9 */2 * 1'],
    ['cron(0 9 ? * MON *) in UTC', '26 deliveries of the next year are dropped: no run is due'],
  ],
  [
    ['--zone', 'Europe/Berlin', '30 0-23 * * *'],
    [
      'cron(30 * * * ? *) in UTC',
      '1 delivery of the next year is dropped: no run is due',
      'in a change of the clocks the watchdog starts 2027-03-28T03:00+02:00',
    ],
  ],
  [
    ['--zone', 'UTC', '30 2 * * * true'],
    [
      'cron(30 2 * * ? *) in UTC',
      'without `timeout` a command is ended after 14m, the longest run that Lambda allows; write `# kuber-cron: timeout=…` with 14m at most, or leave it to the daemon by `# kuber-cron: targets=daemon`',
    ],
  ],
  [
    ['@reboot'],
    [
      '`@reboot` is due when a daemon starts, and on AWS none does; leave it to the daemon by `# kuber-cron: targets=daemon`, or give it a time',
    ],
  ],
])('explain --target aws %j', async (argv, aws) => {
  const { code, stdout } = await kuberCron(['explain', '--target', 'aws', ...argv], { now });
  const shown = stdout.slice(stdout.indexOf('\n  aws ')).split(/\n {2}(?:command|options)/)[0] as string;
  expect([
    code,
    shown
      .trim()
      .split(/\n/)
      .map((line) => line.slice(line.startsWith('aws') ? 9 : 11)),
  ]).toEqual([0, aws]);
});

test('explain --target aws says of each job of a crontab what becomes of it, and whose zone is missing', async () => {
  const stdin =
    '# kuber-cron: name=a timeout=1m\n30 4 * * * true\n# kuber-cron: name=b targets=daemon\n@reboot true\n';
  const { stdout } = await kuberCron(['explain', '--target', 'aws', '--format', 'json', '-'], { stdin, now });
  const jobs: { job: string; aws: { leftOut: boolean; obstacles: { code: string }[] } }[] =
    JSON.parse(stdout).jobs;
  expect(jobs.map(({ job, aws }) => [job, aws.leftOut, aws.obstacles.map(({ code }) => code)])).toEqual([
    ['a', false, ['missing-time-zone']],
    ['b', true, []],
  ]);
});

test('a target that there is not is told with those that there are', async () => {
  expect(await kuberCron(['check', '--target', 'gcp', '-'])).toEqual({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('`--target` must be one of aws, got `gcp`'),
  });
});
