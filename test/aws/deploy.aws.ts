import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { kuberCron } from '../support/kuber-cron.ts';
import { buildFunctions } from '../support/synthesize.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { Cdk, type CdkOutcome } from './cdk.ts';
import { everythingIn, startMoto } from './moto.ts';
import { describeMoto } from './needs.ts';
import { readSchedules, type Schedule } from './schedules.ts';
import { type Server, stop } from './tools.ts';

const FOLDER = temporaryFolder();
const CRONTAB = join(FOLDER, 'shop');
const YEAR_MS = 365 * 86_400_000;

const DEPLOY = ['deploy', '--all', '--method', 'direct', '--require-approval', 'never'];
const DESTROY = ['destroy', '--all', '--force'];

/** Jobs of the crontab: lines by name. */
type Jobs = Readonly<Record<string, string>>;

const FIRST: Jobs = {
  backup: '30 4 * * *  true',
  report: '0 6 1,15 * 1  true',
  poll: '*/5 * * * *  true',
  clean: '15 3 * * 7  true',
};

function crontabOf(jobs: Jobs): string {
  const entries = Object.entries(jobs).map(
    ([name, line]) => `# kuber-cron: name=${name} timeout=1m\n${line}\n`,
  );
  return ['CRON_TZ=Europe/Berlin\n', ...entries].join('');
}

/** What an edit does to which schedules; those that stay the same to the last letter are left out. */
function touched(
  before: ReadonlyMap<string, Schedule>,
  after: ReadonlyMap<string, Schedule>,
): Record<string, string> {
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  const all = names.map((name) => {
    const [old, new_] = [before.get(name), after.get(name)];
    if (old === undefined) return [name, 'added'];
    if (new_ === undefined) return [name, 'removed'];
    const keys = Object.keys(new_) as (keyof Schedule)[];
    return [
      name,
      keys
        .filter((key) => !isDeepStrictEqual(old[key], new_[key]))
        .sort()
        .join(' '),
    ];
  });
  return Object.fromEntries(all.filter(([, what]) => what !== ''));
}

describeMoto('a crontab that is deployed', () => {
  let aws: Server;
  let cdk: Cdk;
  let context: Record<string, string>;

  const deploy = async (jobs: Jobs, clockAhead = 0): Promise<CdkOutcome> => {
    writeFileSync(CRONTAB, crontabOf(jobs));
    const outcome = await cdk.run(DEPLOY, { context, clockAhead });
    if (outcome.code !== 0) throw new Error(outcome.stderr + outcome.stdout);
    return outcome;
  };
  const schedules = () => readSchedules(aws, 'kuber-cron');

  beforeAll(async () => {
    aws = await startMoto();
    cdk = new Cdk(FOLDER, aws);
    context = { crontab: CRONTAB, functions: buildFunctions(FOLDER), shards: '3', email: 'ops@example.com' };
    writeFileSync(CRONTAB, crontabOf(FIRST));
    expect(await cdk.bootstrap({ context })).toMatchObject({ code: 0 });
  });
  afterAll(() => stop(aws));

  test('makes what the documentation lists, and nothing else', async () => {
    const before = await everythingIn(aws);
    await deploy(FIRST);
    const made = Object.entries(await everythingIn(aws)).map(([kind, names]) => {
      const old = before[kind] ?? [];
      return [kind, names.filter((name) => !old.includes(name)).map(withoutSuffix)] as const;
    });
    expect(Object.fromEntries(made.filter(([, names]) => names.length > 0))).toStrictEqual({
      stacks: ['core', 'schedules-0', 'schedules-1', 'schedules-2'],
      alarms: [
        ...['dead-letters', 'dropped', 'errors', 'heartbeat', 'shop-failed', 'shop-late', 'shop-missed'],
        ...['shop-not-foreseen', 'store-throttles', 'target-errors', 'throttles'],
      ],
      dashboards: ['runs'],
      tables: ['core-Runs'],
      roles: ['core-CommandRole', 'core-ExecutorRole', 'core-WatchdogRole', 'scheduler-eu-central-1'],
      functions: ['executor-512', 'watchdog'],
      'log groups': ['executor-512', 'watchdog'],
      'schedule groups': ['kuber-cron'],
      schedules: [
        ...['shop--backup--0', 'shop--clean--0', 'shop--poll--0', 'shop--report--0', 'shop--report--1'],
        'watchdog',
      ],
      subscriptions: ['ops@example.com'],
      topics: ['core-Topic'],
      queues: ['dead-letters'],
    });
  });

  const changed = 'Description LastModificationDate ScheduleExpression';
  test.each<[edit: string, jobs: (now: Jobs) => Jobs, expected: Record<string, string>]>([
    ['reordered', (now) => Object.fromEntries(Object.entries(now).reverse()), {}],
    [
      'edited in the time of one job',
      (now) => ({ ...now, backup: '45 4 * * *  true' }),
      { 'shop--backup--0': changed },
    ],
    ['edited in the command of one job', (now) => ({ ...now, backup: '45 4 * * *  false' }), {}],
    [
      'edited so that one expression is enough',
      (now) => ({ ...now, report: '0 6 1,15 * *  true' }),
      { 'shop--report--0': 'Description LastModificationDate', 'shop--report--1': 'removed' },
    ],
    ['given one more job', (now) => ({ mail: '@hourly true', ...now }), { 'shop--mail--0': 'added' }],
    ['left by one job', ({ clean, ...now }) => now, { 'shop--clean--0': 'removed' }],
    [
      'edited in the name of one job',
      ({ poll = '', ...now }) => ({ ...now, 'poll-orders was=poll': poll }),
      { 'shop--poll--0': 'removed', 'shop--poll-orders--0': 'added' },
    ],
  ])('%s touches these schedules only', async (_edit, edited, expected) => {
    const before = await schedules();
    jobs = edited(jobs);
    await deploy(jobs);
    expect(touched(before, await schedules())).toStrictEqual(expected);
  });
  let jobs = FIRST;

  test.each([
    ['at once', 0],
    ['in two years', 2 * YEAR_MS],
  ])('and deployed once more, %s, changes nothing, and `cdk diff` says so', async (_when, clockAhead) => {
    const before = await schedules();
    const diff = await cdk.run(['diff', '--fail', '--method=template'], { context, clockAhead });
    const deployed = await deploy(jobs, clockAhead);
    expect(touched(before, await schedules())).toStrictEqual({});
    expect(diff).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('Number of stacks with differences: 0'),
    });
    const changes = deployed.stderr.match(/✅ .*/g)?.map((line) => line.replace(/^.*\((.*)\) /, '$1 '));
    expect(changes?.sort()).toStrictEqual([
      'kuber-cron-core (no changes)',
      'kuber-cron-schedules-0 (no changes)',
      'kuber-cron-schedules-1 (no changes)',
      'kuber-cron-schedules-2 (no changes)',
    ]);
  });

  test('and has errors then is refused with the diagnostics of `check`, and nothing changes', async () => {
    const before = [await everythingIn(aws), await schedules()];
    writeFileSync(
      CRONTAB,
      crontabOf({ ...jobs, backup: '61 4 * * *  true', long: '0 5 * * *  true', mail: '@reboot true' }),
    );
    const outcome = await cdk.run(DEPLOY, { context });
    const check = await kuberCron(['check', '--target', 'aws', CRONTAB]);
    const errors = check.stdout.split('\n\n').filter((one) => one.startsWith('error['));
    expect(errors).toHaveLength(2);
    expect(outcome).toStrictEqual({
      ...{ code: 1, stdout: '' },
      stderr: `kuber-cron: ${errors.join('\n\n')}\n\n2 errors in the crontabs: nothing is synthesized\n${SUBPROCESS}`,
    });
    expect([await everythingIn(aws), await schedules()]).toStrictEqual(before);
  });

  test('and destroyed leaves the run store, and what the CDK itself needs', async () => {
    writeFileSync(CRONTAB, crontabOf(jobs));
    const { tables = [] } = await everythingIn(aws);
    expect(await cdk.run(DESTROY, { context })).toMatchObject({ code: 0 });
    const { roles = [], ...left } = await everythingIn(aws);
    expect(roles.filter((role) => !role.startsWith('cdk-'))).toStrictEqual([]);
    expect(left).toStrictEqual({
      stacks: ['CDKToolkit'],
      tables: [tables[0]],
      repositories: [expect.stringMatching(/^cdk-/)],
      buckets: [expect.stringMatching(/^cdk-.*-assets-/)],
      parameters: [expect.stringMatching(/^\/cdk-bootstrap\//)],
      'schedule groups': ['default'],
    });
  });
});

/** What the command line adds to what the app said. */
const SUBPROCESS = 'node infra/app.ts: Subprocess exited with error 1\n';

describe('what is wrong on the command line of the CDK is told in one sentence', () => {
  beforeAll(() => {
    writeFileSync(CRONTAB, crontabOf(FIRST));
    writeFileSync(join(FOLDER, 'zoneless'), crontabOf(FIRST).replace(/^CRON_TZ.*\n/, ''));
  });

  test.each<[what: string, context: Record<string, string>, said: string]>([
    ['no crontab', {}, 'no crontab: say which by `-c crontab=crontab/production`, a file or a folder'],
    [
      'a key that is none',
      { crontab: CRONTAB, zon: 'UTC' },
      'there is no context value `zon`; did you mean `-c zone=…`?',
    ],
    [
      'a zone that is none',
      { crontab: CRONTAB, zone: 'Europe/Berln' },
      '`zone` takes a time zone such as Europe/Berlin or UTC, got `Europe/Berln`; did you mean `Europe/Berlin`?',
    ],
    [
      'a number that is none',
      { crontab: CRONTAB, shards: 'eight' },
      '`-c shards=…` takes a whole number, over how many stacks the schedules are spread, got "eight"',
    ],
  ])('%s', async (_what, context, said) => {
    const outcome = await new Cdk(FOLDER).run(['synth', '--quiet'], { context });
    expect(outcome).toStrictEqual({ code: 1, stdout: '', stderr: `kuber-cron: ${said}\n${SUBPROCESS}` });
  });

  test('and a zone that is missing as `check` tells it', async () => {
    const context = { crontab: join(FOLDER, 'zoneless'), functions: buildFunctions(FOLDER) };
    const outcome = await new Cdk(FOLDER).run(['synth', '--quiet'], { context });
    expect(outcome.stderr).toMatch(/^kuber-cron: error\[missing-time-zone\]: 4 of 4 jobs have no time zone/);
    expect(outcome.stderr.replace(SUBPROCESS, '')).not.toMatch(/^ +at /m);
  });
});

/** A name without what is the same for all, and without what CloudFormation adds to be unique. */
function withoutSuffix(name: string): string {
  return name
    .replace(/^.*[:/](?=[^:/]+$)/, '')
    .replace(/^kuber-cron-(?=.)/, '')
    .replace(/[0-9A-F]{8}-[0-9A-Z]{12}$/, '');
}
