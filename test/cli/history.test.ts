import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { currentOwner } from '../../shared/adapters/host.ts';
import { SqliteRunStore } from '../../shared/adapters/sqlite-run-store.ts';
import type { Attempt, FinalStatus, Reason, RunOutput, Trigger } from '../../shared/core/run/run.ts';
import type { RunStore } from '../../shared/core/run/run-store.ts';
import { kuberCron } from '../support/kuber-cron.ts';
import { planOf } from '../support/plan-of.ts';
import { LEASE, NO_CHANGE, recordAnswer } from '../support/run-claims.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FOLDER = temporaryFolder();
const STORE = join(FOLDER, 'store.sqlite');
const EMPTY = join(FOLDER, 'empty.sqlite');
const now = '2026-11-23T04:00:30Z';
const store = ['--store', `sqlite:${STORE}`];

const SHOP = `# kuber-cron: name=backup description="Nightly dump" owner=platform
30 3 * * * true
# kuber-cron: name=queue
*/5 * * * * true
# kuber-cron: name=old suspend
0 5 * * * true
# kuber-cron: name=boot
@reboot true
# kuber-cron: name=both
0 6 * * * true
`;

interface Past {
  readonly jobId: string;
  readonly runId: string;
  readonly scheduledTime: string;
  readonly trigger?: Trigger;
  readonly startedAt: string;
  /** Left out where it still runs. */
  readonly end?: {
    readonly status: FinalStatus;
    readonly finishedAt: string;
    readonly reason?: Reason;
    readonly attempt?: Partial<Attempt>;
    readonly output?: RunOutput;
  };
}

const tail = (text: string, droppedBytes = 0) => ({ text, droppedBytes });

const PAST: readonly Past[] = [
  {
    jobId: 'shop/queue',
    runId: '2026-11-23T03:25Z',
    scheduledTime: '2026-11-23T03:25Z',
    startedAt: '2026-11-23T03:25:00.100Z',
    end: {
      status: 'failed',
      reason: 'exit-code',
      finishedAt: '2026-11-23T03:25:00.500Z',
      attempt: { exitCode: 7 },
      output: { stdout: tail('no newline', 5), stderr: tail('oh\n') },
    },
  },
  {
    jobId: 'shop/backup',
    runId: '2026-11-23T03:30Z',
    scheduledTime: '2026-11-23T03:30Z',
    startedAt: '2026-11-23T03:30:02Z',
    end: { status: 'succeeded', finishedAt: '2026-11-23T03:36:14Z', attempt: { exitCode: 0 } },
  },
  {
    jobId: 'shop/boot',
    runId: 'reboot#b',
    scheduledTime: '2026-11-23T03:50Z',
    startedAt: '2026-11-23T03:50:30Z',
    end: {
      status: 'failed',
      reason: 'not-started',
      finishedAt: '2026-11-23T03:50:31Z',
      attempt: { exitCode: 127, error: 'the shell `/x` does not exist' },
    },
  },
  {
    jobId: 'other/by-hand',
    runId: '2026-11-23T03:55Z#m0123',
    scheduledTime: '2026-11-23T03:55Z',
    trigger: 'manual',
    startedAt: '2026-11-23T03:55:40Z',
    end: {
      status: 'failed',
      reason: 'signal',
      finishedAt: '2026-11-23T03:55:41Z',
      attempt: { signal: 'SIGKILL' },
      output: { stdout: tail('a\n'), stderr: tail('') },
    },
  },
  {
    jobId: 'shop/queue',
    runId: '2026-11-23T03:59Z',
    scheduledTime: '2026-11-23T03:59Z',
    startedAt: '2026-11-23T03:59:00Z',
  },
];

async function remember(opened: RunStore, { jobId, runId, scheduledTime, trigger, startedAt, end }: Past) {
  const attempt: Attempt = { number: 1, startedAt: Date.parse(startedAt) };
  const claim = {
    jobId,
    runId,
    scheduledTime: Date.parse(scheduledTime),
    planHash: 'hash',
    owner: currentOwner('token'),
    concurrencyPolicy: 'forbid',
    at: Date.parse(startedAt),
    leaseUntil: Date.parse(startedAt) + LEASE,
  } as const;
  await opened.claim({ ...claim, trigger: trigger ?? 'schedule' });
  await opened.start(jobId, runId, 'token', attempt);
  if (end === undefined) return;
  const { status, finishedAt, reason, output } = end;
  const at = Date.parse(finishedAt);
  await opened.finish({
    jobId,
    runId,
    token: 'token',
    status,
    at,
    attempt: { ...attempt, finishedAt: at, status, ...end.attempt },
    ...(reason === undefined ? {} : { reason }),
    ...(output === undefined ? {} : { output }),
  });
}

beforeAll(async () => {
  await SqliteRunStore.open(EMPTY).close();
  const opened = SqliteRunStore.open(STORE);
  await opened.setActivePlan({ plan: planOf(SHOP), hash: 'hash', since: 0 }, NO_CHANGE);
  const admin = planOf('# kuber-cron: name=both\n0 6 * * * true\n');
  await opened.setActivePlan({ plan: { ...admin, crontab: 'admin' }, hash: 'hash', since: 0 }, NO_CHANGE);
  for (const past of PAST) await remember(opened, past);
  const answer = {
    jobId: 'shop/queue',
    trigger: 'schedule',
    planHash: 'hash',
    at: Date.parse('2026-11-23T04:00Z'),
  } as const;
  await recordAnswer(opened, {
    ...answer,
    runId: '2026-11-23T03:45Z',
    scheduledTime: Date.parse('2026-11-23T03:45Z'),
    spanFrom: Date.parse('2026-11-23T03:35Z'),
    status: 'missed',
    reason: 'too-late',
  });
  await opened.claim({
    ...answer,
    runId: '2026-11-23T04:00Z',
    scheduledTime: Date.parse('2026-11-23T04:00Z'),
    owner: currentOwner('second'),
    concurrencyPolicy: 'forbid',
    leaseUntil: Date.parse('2026-11-23T04:05Z'),
  });
  await opened.close();
});

describe('jobs', () => {
  test('the table has the last and the next run of each job', async () => {
    expect(await kuberCron(['jobs', ...store], { now })).toEqual({
      code: 0,
      stdout: `JOB          SCHEDULE     LAST RUN                NEXT RUN    RUNS  FAILED
admin/both   0 6 * * *    -                       in 1h 59m   0     0
shop/backup  30 3 * * *   succeeded  24m 16s ago  in 23h 29m  1     0
shop/boot    @reboot      failed     9m 59s ago   -           1     1
shop/both    0 6 * * *    -                       in 1h 59m   0     0
shop/old     0 5 * * *    -                       suspended   0     0
shop/queue   */5 * * * *  running    for 1m 30s   in 4m 30s   1     1
`,
      stderr: 'no daemon works on this store: nothing starts by itself\n',
    });
  });

  test('while a daemon works on the store nothing is said of it', async () => {
    const copy = join(FOLDER, 'with-daemon.sqlite');
    copyFileSync(STORE, copy);
    writeFileSync(`${copy}.daemon-token`, JSON.stringify(currentOwner('token')));
    expect((await kuberCron(['jobs', '--store', `sqlite:${copy}`], { now })).stderr).toBe('');
  });

  test('JSON has the same, and what does not fit into a table', async () => {
    const { stdout } = await kuberCron(['jobs', '--format', 'json', ...store], { now });
    const { jobs } = JSON.parse(stdout) as { jobs: { jobId: string }[] };
    expect(jobs.filter(({ jobId }) => jobId !== 'shop/boot' && !jobId.endsWith('both'))).toEqual([
      {
        jobId: 'shop/backup',
        schedule: '30 3 * * *',
        zone: 'UTC',
        suspended: false,
        description: 'Nightly dump',
        owner: 'platform',
        nextRun: '2026-11-24T03:30Z',
        runs: 1,
        failed: 0,
        counts: { succeeded: 1 },
        pending: 0,
        last: {
          runId: '2026-11-23T03:30Z',
          status: 'succeeded',
          startedAt: '2026-11-23T03:30:02.000Z',
          finishedAt: '2026-11-23T03:36:14.000Z',
          exitCode: 0,
        },
      },
      {
        jobId: 'shop/old',
        schedule: '0 5 * * *',
        zone: 'UTC',
        suspended: true,
        runs: 0,
        failed: 0,
        counts: {},
        pending: 0,
      },
      {
        jobId: 'shop/queue',
        schedule: '*/5 * * * *',
        zone: 'UTC',
        suspended: false,
        nextRun: '2026-11-23T04:05Z',
        runs: 1,
        failed: 1,
        counts: { failed: 1, missed: 1, skipped: 1 },
        pending: 0,
        running: { runId: '2026-11-23T03:59Z', since: '2026-11-23T03:59:00.000Z' },
        last: {
          runId: '2026-11-23T03:25Z',
          status: 'failed',
          startedAt: '2026-11-23T03:25:00.100Z',
          finishedAt: '2026-11-23T03:25:00.500Z',
          exitCode: 7,
        },
      },
    ]);
  });
});

describe('runs', () => {
  test('the table says what ran, what did not, and why, the newest first', async () => {
    expect(await kuberCron(['runs', ...store], { now })).toEqual({
      code: 0,
      stdout: `JOB            RUN                      STATUS     STARTED               LATE  TOOK
shop/queue     2026-11-23T04:00Z        skipped    -                     -     -       the previous run was still running (2026-11-23T03:59Z)
shop/queue     2026-11-23T03:45Z        missed     -                     -     -       its starting deadline was over, all since 2026-11-23T03:35Z
shop/queue     2026-11-23T03:59Z        running    2026-11-23T03:59:00Z  0.0s  1m 30s
other/by-hand  2026-11-23T03:55Z#m0123  failed     2026-11-23T03:55:40Z  -     1.0s    by hand, SIGKILL
shop/boot      reboot#b                 failed     2026-11-23T03:50:30Z  -     1.0s    the shell \`/x\` does not exist
shop/backup    2026-11-23T03:30Z        succeeded  2026-11-23T03:30:02Z  2.0s  6m 12s
shop/queue     2026-11-23T03:25Z        failed     2026-11-23T03:25:00Z  0.1s  0.4s    exit code 7
`,
      stderr: '',
    });
  });

  test.each<[argv: string[], rows: string[]]>([
    [['backup'], ['2026-11-23T03:30Z']],
    [['shop/backup'], ['2026-11-23T03:30Z']],
    [['by-hand'], ['2026-11-23T03:55Z#m0123']],
    [['--limit', '1', 'queue'], ['2026-11-23T04:00Z']],
    [['admin/both'], []],
  ])('%j are those of the job', async (argv, rows) => {
    const { stdout } = await kuberCron(['runs', '--format', 'json', ...store, ...argv], { now });
    expect(JSON.parse(stdout).runs.map((run: { runId: string }) => run.runId)).toEqual(rows);
  });

  test('JSON has times in ISO 8601 and spans in milliseconds', async () => {
    const { stdout } = await kuberCron(['runs', '--format', 'json', ...store, 'backup'], { now });
    expect(JSON.parse(stdout)).toEqual({
      runs: [
        {
          jobId: 'shop/backup',
          runId: '2026-11-23T03:30Z',
          scheduledTime: '2026-11-23T03:30Z',
          trigger: 'schedule',
          status: 'succeeded',
          planHash: 'hash',
          createdAt: '2026-11-23T03:30:02.000Z',
          finishedAt: '2026-11-23T03:36:14.000Z',
          latenessMs: 2000,
          attempts: [
            {
              number: 1,
              startedAt: '2026-11-23T03:30:02.000Z',
              finishedAt: '2026-11-23T03:36:14.000Z',
              status: 'succeeded',
              exitCode: 0,
              durationMs: 372_000,
            },
          ],
        },
      ],
    });
  });
});

describe('logs', () => {
  test.each<[argv: string[], stdout: string, stderr: string]>([
    [
      ['queue', '2026-11-23T03:25Z'],
      'no newline',
      'shop/queue 2026-11-23T03:25Z: failed, exit code 7\n(5 bytes of stdout before this are not kept)\noh\n',
    ],
    [['by-hand'], 'a\n', 'other/by-hand 2026-11-23T03:55Z#m0123: failed, by hand, SIGKILL\n'],
    [['backup'], '', 'shop/backup 2026-11-23T03:30Z: succeeded\nit wrote nothing\n'],
    [['queue'], '', 'shop/queue 2026-11-23T03:59Z: running\nit still runs: `--follow` waits for more\n'],
    [
      ['queue', '2026-11-23T04:00Z'],
      '',
      'shop/queue 2026-11-23T04:00Z: skipped, the previous run was still running (2026-11-23T03:59Z)\nit was not started\n',
    ],
  ])('%j', async (argv, stdout, stderr) => {
    expect(await kuberCron(['logs', ...store, ...argv], { now })).toEqual({ code: 0, stdout, stderr });
  });

  test('JSON has the run and both streams', async () => {
    const of = async (...argv: string[]) =>
      JSON.parse((await kuberCron(['logs', '--format', 'json', ...store, ...argv])).stdout);
    const { run, output } = await of('by-hand');
    expect(output).toEqual({ stdout: tail('a\n'), stderr: tail('') });
    expect(run).toMatchObject({ runId: '2026-11-23T03:55Z#m0123', reason: 'signal' });
    expect((await of('backup')).output).toBeNull();
  });
});

describe('a name that is not quite right is exit code 3', () => {
  test.each<[argv: string[], stderr: string]>([
    [['runs', 'bakup'], 'there is no job `bakup`; did you mean `backup`?'],
    [['logs', 'shop/bakup'], 'there is no job `shop/bakup`; did you mean `shop/backup`?'],
    [['runs', 'both'], 'several crontabs have a job `both`: name one of admin/both, shop/both'],
    [['logs', 'zzzz'], 'there is no job `zzzz`; there are both, backup, boot, old, queue, by-hand'],
    [
      ['logs', 'queue', '2026-11-23T03:26Z'],
      '`shop/queue` has no run `2026-11-23T03:26Z`; did you mean `2026-11-23T03:25Z`?',
    ],
    [['logs', 'queue', '2026-11-23T03:'], 'several runs of `shop/queue` begin with'],
    [['logs', 'old'], '`shop/old` has not run yet'],
    [['runs', '--store', `sqlite:${EMPTY}`, 'x'], 'there is no job `x`; there is none at all'],
  ])('%j', async (argv, stderr) => {
    const [command = '', ...rest] = argv;
    const outcome = await kuberCron([command, ...store, ...rest]);
    expect([outcome.code, outcome.stdout]).toEqual([3, '']);
    expect(outcome.stderr).toMatch(/^kuber-cron: .*\n$/);
    expect(outcome.stderr).toContain(stderr);
  });

  test('a job with a history that no daemon runs is not run either', async () => {
    const { code, stderr } = await kuberCron(['run', ...store, 'by-hand']);
    expect([code, stderr]).toEqual([
      125,
      'kuber-cron: `other/by-hand` has a history, but no daemon runs it; `--crontab FILE` takes it from a file\n',
    ]);
  });
});

describe('stores', () => {
  test.each<[argv: string[], stdout: string]>([
    [['jobs'], 'no jobs: no daemon has loaded a crontab into this store yet\n'],
    [['runs'], 'no runs yet\n'],
    [['jobs', '--format', 'json'], '{\n  "jobs": []\n}\n'],
    [['runs', '--format', 'json'], '{\n  "runs": []\n}\n'],
  ])('%j of an empty one', async (argv, stdout) => {
    expect(await kuberCron([...argv, '--store', `sqlite:${EMPTY}`])).toEqual({ code: 0, stdout, stderr: '' });
  });

  test.each<[title: string, damage: (bytes: Buffer) => Buffer, stderr: RegExp]>([
    ['of another kind', () => Buffer.from('hello\n'), /belongs to another program/],
    ['that is cut off', (bytes) => bytes.subarray(0, 5000), /is damaged/],
    ['that is overwritten inside', (bytes) => bytes.fill(0xa5, 4096), /is damaged/],
  ])('one %s is told in one sentence, by every command', async (title, damage, stderr) => {
    const path = join(FOLDER, `${title}.sqlite`);
    writeFileSync(path, damage(readFileSync(STORE)));
    for (const [argv, code] of [
      [['jobs'], 3],
      [['runs'], 3],
      [['logs', 'queue'], 3],
      [['run', 'queue'], 125],
    ] as const) {
      const outcome = await kuberCron([argv[0], '--store', `sqlite:${path}`, ...argv.slice(1)]);
      expect([argv, outcome.code, outcome.stdout]).toEqual([argv, code, '']);
      expect(outcome.stderr).toMatch(/^kuber-cron: run store .*\n$/);
      expect(outcome.stderr).toMatch(stderr);
    }
  });
});
