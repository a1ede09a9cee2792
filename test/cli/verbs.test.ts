import { writeFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { describe, expect, test } from '@jest/globals';
import { currentOwner } from '../../shared/adapters/host.ts';
import { PastStore } from '../support/past-store.ts';
import {
  answerOf,
  claimOf,
  finishOf,
  owedOf,
  recordAnswer,
  runToEnd,
  startRun,
} from '../support/run-claims.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FOLDER = temporaryFolder();
const NOW = '2026-11-23T04:00:30Z';
const BY = `${userInfo().username}@${hostname()}`;
const t = (text: string) => Date.parse(text);

const SHOP = `# kuber-cron: name=backup retries=1
30 3 * * * true
# kuber-cron: name=queue
*/5 * * * * true
# kuber-cron: name=old suspend="new disk"
0 5 * * * true
# kuber-cron: name=boot
@reboot true
# kuber-cron: name=cloud targets=aws
0 5 * * * true
`;

/** The backup failed on the 21st, was skipped in one row before, succeeded on the 22nd; the queue has had no run. */
async function shop(): Promise<PastStore> {
  const past = await PastStore.make(FOLDER, SHOP, '2026-01-01T00:00Z');
  const { store } = past;
  await runToEnd(store, claimOf({ scheduledTime: t('2026-11-21T03:30Z'), token: 'a' }), {
    status: 'failed',
    reason: 'exit-code',
  });
  await runToEnd(store, claimOf({ scheduledTime: t('2026-11-22T03:30Z'), token: 'b' }));
  const scheduledTime = t('2026-11-18T03:30Z');
  await recordAnswer(
    store,
    answerOf({ runId: '2026-11-15T03:30Z..', spanFrom: t('2026-11-15T03:30Z'), scheduledTime }),
  );
  await store.setCursor('shop', t('2026-11-23T04:00Z'));
  return past;
}

describe('pause', () => {
  test.each<[argv: string[], stdout: string]>([
    [
      ['backup'],
      'shop/backup is paused until `kuber-cron resume backup`\nleft out: 2026-11-24T03:30Z, 2026-11-25T03:30Z, 2026-11-26T03:30Z and all that follow\n',
    ],
    [
      ['backup', '--until', '2026-12-01', '--reason', 'new\u001b disk'],
      'shop/backup is paused until 2026-12-01T00:00Z: new\\u{1b} disk\nleft out: 7 runs, 2026-11-24T03:30Z, 2026-11-25T03:30Z, 2026-11-26T03:30Z and 4 more\n',
    ],
    [
      ['backup', '--until', '2026-11-24T03:30Z'],
      'shop/backup is paused until 2026-11-24T03:30Z\nno run is due until then\n',
    ],
    [
      ['backup', '--until', '2026-11-24T03:31Z'],
      'shop/backup is paused until 2026-11-24T03:31Z\nleft out: 1 run, 2026-11-24T03:30Z\n',
    ],
    [
      ['shop/queue', '--until', '366d'],
      'shop/queue is paused until 2027-11-24T04:00Z\nleft out: 105408 runs, 2026-11-23T04:05Z, 2026-11-23T04:10Z, 2026-11-23T04:15Z and 105405 more\n',
    ],
    [['old'], 'shop/old is paused until `kuber-cron resume old`\nthe crontab suspends it anyway\n'],
    [['boot'], 'shop/boot is paused until `kuber-cron resume boot`\nleft out: its runs at a start\n'],
  ])('%j says what is left out', async (argv, stdout) => {
    const past = await shop();
    expect(await past.run(NOW, 'pause', ...argv)).toEqual({ code: 0, stdout, stderr: '' });
  });

  test('keeps who, when, until when and why', async () => {
    const { run, store } = await bound();
    await run(NOW, 'pause', 'backup', '--until', '2h', '--reason', ' disk ');
    expect(await store.pauses('shop/backup')).toEqual([
      { jobId: 'shop/backup', from: t(NOW), until: t(NOW) + 7_200_000, by: BY, why: 'disk' },
    ]);
  });

  test('says what goes on, and what will be closed', async () => {
    const { run, store } = await bound();
    await startRun(store, claimOf({ scheduledTime: t('2026-11-23T03:30Z'), token: 'c' }));
    await store.owe(owedOf({ scheduledTime: t('2026-11-20T03:30Z') }));
    const { stdout } = await run(NOW, 'pause', 'backup', '--until', '1h');
    expect(stdout).toBe(`shop/backup is paused until 2026-11-23T05:00Z
no run is due until then
2026-11-23T03:30Z is under way and goes on; \`kuber-cron cancel backup '2026-11-23T03:30Z'\` ends it
pending: 1 run, which is closed if its time comes in the pause
`);
  });

  test('of a paused job is refused, and changes nothing', async () => {
    const { run, store } = await bound();
    await run(NOW, 'pause', 'backup', '--until', '1d', '--reason', 'disk');
    expect(await run('2026-11-23T05:00Z', 'pause', 'backup')).toEqual({
      code: 3,
      stdout: '',
      stderr: `kuber-cron: \`shop/backup\` is paused already, by ${BY} since 2026-11-23T04:00:30Z until 2026-11-24T04:00:30Z (disk); nothing is changed: \`kuber-cron resume backup\` ends that pause\n`,
    });
    expect(await store.pauses('shop/backup')).toHaveLength(1);
  });
});

/** A store of its own with its `run`. */
async function bound() {
  const past = await shop();
  return { past, store: past.store, run: past.run.bind(past) };
}

describe('resume', () => {
  test('says who had paused it, what was left out and what comes next', async () => {
    const { run, store } = await bound();
    await run('2026-11-20T12:00:00Z', 'pause', 'backup', '--reason', 'disk');
    expect(await run(NOW, 'resume', 'backup', '--reason', 'disk is there')).toEqual({
      code: 0,
      stdout: `shop/backup is resumed; it was paused by ${BY} since 2026-11-20T12:00:00Z (disk): 3 runs were left out\nnext run: 2026-11-24T03:30Z, in 23h 29m\n`,
      stderr: '',
    });
    expect(await store.pausesAt('shop', t(NOW))).toEqual([]);
    expect((await store.pauses('shop/backup'))[0]?.resumed).toEqual({
      at: t(NOW),
      by: BY,
      why: 'disk is there',
    });
  });

  test('a job that is not paused is refused', async () => {
    const { run } = await bound();
    expect(await run(NOW, 'resume', 'backup')).toEqual({
      code: 3,
      stdout: '',
      stderr: 'kuber-cron: `shop/backup` is not paused; nothing is changed\n',
    });
  });
});

describe('jobs shows', () => {
  test('pauses and pending runs', async () => {
    const { run, store } = await bound();
    await run(NOW, 'pause', 'backup', '--until', '2026-11-25', '--reason', 'disk');
    await run(NOW, 'pause', 'queue');
    await store.owe(owedOf({ jobId: 'shop/queue', scheduledTime: t('2026-11-23T03:55Z') }));
    const { stdout } = await run(NOW, 'jobs');
    expect(
      stdout,
    ).toBe(`JOB          SCHEDULE     LAST RUN               NEXT RUN           PENDING  RUNS  FAILED
shop/backup  30 3 * * *   succeeded  1d 00h ago  paused for 1d 19h  0        2     1
shop/boot    @reboot      -                      -                  0        0     0
shop/cloud   0 5 * * *    -                      -                  0        0     0
shop/old     0 5 * * *    -                      suspended          0        0     0
shop/queue   */5 * * * *  -                      paused             1        0     0
`);
    const jobs = JSON.parse((await run(NOW, 'jobs', '--format', 'json')).stdout).jobs as { jobId: string }[];
    expect(jobs.filter(({ jobId }) => jobId === 'shop/backup' || jobId === 'shop/queue')).toMatchObject([
      {
        paused: {
          since: '2026-11-23T04:00:30.000Z',
          until: '2026-11-25T00:00:00.000Z',
          by: BY,
          reason: 'disk',
        },
        nextRun: '2026-11-25T03:30Z',
        pending: 0,
      },
      { paused: { since: '2026-11-23T04:00:30.000Z', by: BY }, pending: 1 },
    ]);
    expect(jobs.find(({ jobId }) => jobId === 'shop/queue')).not.toHaveProperty('nextRun');
  });
});

describe('retry', () => {
  test('gives a run that is over another attempt, and says when it starts', async () => {
    const { run, store } = await bound();
    expect(await run(NOW, 'retry', 'backup', '2026-11-21', '--reason', 'disk')).toEqual({
      code: 0,
      stdout:
        'shop/backup 2026-11-21T03:30Z: failed, exit code 0\npending for attempt 2; no daemon works on this store: nothing starts until one does\n',
      stderr: '',
    });
    expect(await store.run('shop/backup', '2026-11-21T03:30Z')).toMatchObject({
      status: 'pending',
      cause: 'requested',
      notBefore: t(NOW),
      requests: [{ verb: 'retry', by: BY, at: t(NOW), why: 'disk' }],
    });
  });

  test('without a run it takes the latest that is over', async () => {
    const { run, store } = await bound();
    const missed = t('2026-11-23T03:30Z');
    await recordAnswer(store, answerOf({ scheduledTime: missed, at: t('2026-11-23T03:59Z') }));
    expect((await run(NOW, 'retry', 'backup')).stdout).toBe(
      'shop/backup 2026-11-23T03:30Z: missed, its starting deadline was over\npending for attempt 1; no daemon works on this store: nothing starts until one does\n',
    );
  });

  test('what it waits for is said: another run of the job, or the daemon', async () => {
    const { past, run, store } = await bound();
    writeFileSync(`${past.path}.daemon-1`, JSON.stringify(currentOwner('daemon')));
    const of = async () => (await run(NOW, 'retry', 'backup', '2026-11-21T03:30Z')).stdout.split('; ')[1];
    expect(await of()).toBe('the daemon looks within 15s\n');
    await run(NOW, 'cancel', 'backup', '2026-11-21T03:30Z');
    await startRun(store, claimOf({ scheduledTime: t('2026-11-23T03:30Z'), token: 'c' }));
    expect(await of()).toBe('it starts when 2026-11-23T03:30Z is over\n');
  });

  test.each<[title: string, argv: string[], stderr: string]>([
    [
      'one that succeeded is named',
      ['backup'],
      "the latest run of `shop/backup` succeeded: to run it again all the same, `kuber-cron retry backup '2026-11-22T03:30Z'`",
    ],
    [
      'a row for many is backfilled',
      ['backup', '2026-11-15'],
      '`2026-11-15T03:30Z..` stands for all due times from 2026-11-15T03:30Z to 2026-11-18T03:30Z: `kuber-cron backfill backup --from 2026-11-15T03:30Z --to 2026-11-18T03:30Z --unrecorded` runs them',
    ],
    ['a job without runs has none', ['queue'], '`shop/queue` has no run that is over'],
    [
      'what is suspended is not started',
      ['old'],
      'the crontab suspends `shop/old` (new disk): nothing of it is started; take `suspend` out first',
    ],
    ['what others run is theirs', ['cloud'], '`shop/cloud` is meant for other targets: no daemon starts it'],
    ['a misspelt job', ['bakup'], 'there is no job `bakup`; did you mean `backup`?'],
    [
      'a beginning that several have',
      ['backup', '2026-11-2'],
      'several runs of `shop/backup` begin with `2026-11-2`: `2026-11-22T03:30Z`, `2026-11-21T03:30Z`',
    ],
    [
      'a misspelt run',
      ['backup', '2026-11-22T03:31Z'],
      '`shop/backup` has no run `2026-11-22T03:31Z`; did you mean `2026-11-22T03:30Z`?',
    ],
    [
      'a run that is far from any',
      ['backup', 'yesterday'],
      '`shop/backup` has no run `yesterday`; the latest are `2026-11-22T03:30Z`, `2026-11-21T03:30Z`, `2026-11-15T03:30Z..`',
    ],
  ])('%s: refused', async (_title, argv, stderr) => {
    const past = await shop();
    expect(await past.run(NOW, 'retry', ...argv)).toEqual({
      code: 3,
      stdout: '',
      stderr: `kuber-cron: ${stderr}\n`,
    });
    expect([...(await past.store.pendingCounts('shop')).values()]).toEqual([]);
  });

  test('a paused job and a run that is not over: refused', async () => {
    const { run } = await bound();
    await run(NOW, 'retry', 'backup', '2026-11-21T03:30Z');
    expect((await run(NOW, 'retry', 'backup', '2026-11-21T03:30Z')).stderr).toBe(
      'kuber-cron: `shop/backup` 2026-11-21T03:30Z is not over, but pending: it starts by itself\n',
    );
    await run(NOW, 'pause', 'backup');
    expect((await run(NOW, 'retry', 'backup')).stderr).toBe(
      `kuber-cron: \`shop/backup\` is paused by ${BY} since 2026-11-23T04:00:30Z: nothing of it is started; \`kuber-cron resume backup\` ends that\n`,
    );
  });
});

describe('cancel', () => {
  test('a pending run is cancelled at once', async () => {
    const { run, store } = await bound();
    await store.owe(owedOf({ scheduledTime: t('2026-11-20T03:30Z') }));
    expect(await run(NOW, 'cancel', 'backup', '2026-11-20T03:30Z', '--reason', 'no need')).toEqual({
      code: 0,
      stdout: `shop/backup 2026-11-20T03:30Z: cancelled, catch-up, by ${BY} (no need)\n`,
      stderr: '',
    });
    expect(await store.run('shop/backup', '2026-11-20T03:30Z')).toMatchObject({
      ...{ status: 'cancelled', reason: 'requested' },
      requests: [{ verb: 'cancel', by: BY, at: t(NOW), why: 'no need' }],
    });
  });

  const scheduledTime = t('2026-11-23T03:30Z');
  const claim = { ...claimOf({ scheduledTime }), owner: currentOwner('c') };
  test.each<[status: 'cancelled' | 'succeeded', reason: 'requested' | undefined, code: number, end: string]>([
    ['cancelled', 'requested', 0, `cancelled, by ${BY}`],
    ['succeeded', undefined, 1, 'succeeded'],
  ])('of a running one it waits for the end: %s', async (status, reason, code, end) => {
    const { run, store } = await bound();
    await startRun(store, claim);
    const cancelled = run(NOW, 'cancel', 'backup', '2026-11-23T03:30Z');
    // Its owner sees the wish, and then ends.
    for (let isAsked = false; !isAsked; ) {
      const lease = await store.extend('shop/backup', '2026-11-23T03:30Z', 'c', claim.leaseUntil);
      isAsked = lease?.cancelRequest !== undefined;
      await new Promise((resolve) => setImmediate(resolve));
    }
    const finish = finishOf(claim, { status, ...(reason === undefined ? {} : { reason }) });
    expect(await store.finish(finish)).toBe(true);
    expect(await cancelled).toEqual({
      code,
      stdout: `shop/backup 2026-11-23T03:30Z: ${end}\n`,
      stderr: '',
    });
  });

  test('with `--no-wait` it asks, and is done', async () => {
    const { run, store } = await bound();
    await startRun(store, claim);
    expect(await run(NOW, 'cancel', '--no-wait', 'backup', '2026-11-23T03:30Z')).toEqual({
      code: 0,
      stdout: 'shop/backup 2026-11-23T03:30Z is to end: it is asked for\n',
      stderr: '',
    });
    expect((await store.run('shop/backup', '2026-11-23T03:30Z'))?.cancelRequest).toMatchObject({ by: BY });
    expect((await run(NOW, 'runs', '--limit', '1', 'backup')).stdout).toContain(`is to end: cancel by ${BY}`);
  });

  test('a run whose process is gone, and no daemon to close it, is not waited for', async () => {
    const { run, store } = await bound();
    await startRun(store, { ...claim, owner: { ...claim.owner, bootId: 'before' } });
    expect(await run(NOW, 'cancel', 'backup', '2026-11-23T03:30Z')).toEqual({
      code: 3,
      stdout: '',
      stderr:
        'kuber-cron: `shop/backup` 2026-11-23T03:30Z is to end, but the process that ran it is gone, and no daemon works on this store: the next one closes the run\n',
    });
  });

  test('a run that is over is refused', async () => {
    const { run } = await bound();
    expect(await run(NOW, 'cancel', 'backup', '2026-11-21')).toEqual({
      code: 3,
      stdout: '',
      stderr: 'kuber-cron: `shop/backup` 2026-11-21T03:30Z is over already: failed, exit code 0\n',
    });
  });
});

describe('prune', () => {
  test.each<[now: string, stdout: string]>([
    ['2026-11-23T04:00Z', 'nothing to delete\n'],
    ['2026-12-22T04:00Z', 'deleted 1 run\n'],
    ['2027-11-23T04:00Z', 'deleted 3 runs\n'],
  ])('at %s: %j', async (now, stdout) => {
    const past = await shop();
    const count = /\d+ runs?/.exec(stdout)?.[0] ?? '0 runs';
    expect((await past.run(now, 'prune', '--dry-run')).stdout).toBe(`${count} would be deleted\n`);
    expect(await past.run(now, 'prune')).toEqual({ code: 0, stdout, stderr: '' });
    expect((await past.run(now, 'prune')).stdout).toBe('nothing to delete\n');
  });
});

describe('what cannot be meant is exit code 2, and changes nothing', () => {
  test.each<[argv: string[], stderr: string]>([
    [['pause'], '`pause` wants one job; `kuber-cron jobs` lists them'],
    [['resume'], '`resume` wants one job; `kuber-cron jobs` lists them, and which are paused'],
    [['cancel', 'backup'], '`cancel` wants a job and one of its runs; `kuber-cron runs JOB` lists them'],
    [['retry'], '`retry` wants a job, and perhaps one of its runs; `kuber-cron runs JOB` lists them'],
    [['prune', 'backup'], '`prune` takes no operand: it deletes what is over of all jobs'],
    [
      ['pause', 'backup', '--until', '2026-11-23'],
      '`--until` must be in the future: 2026-11-23T00:00Z is over, it is 2026-11-23T04:00Z now',
    ],
    [
      ['pause', 'backup', '--until', 'soon'],
      '`--until` takes `2026-03-29T01:30Z`, `2026-03-29T03:30+02:00`, `2026-03-29 03:30`, `03:30`, `yesterday 03:30`, `now`, `2h ago` or `in 2h`, a day such as `2026-03-29`, or a duration from now such as `2h`; got `soon`',
    ],
    [['pause', 'backup', '--until', '2h ago'], '`--until` must be in the future: 2026-11-23T02:00Z is over'],
  ])('%j', async (argv, stderr) => {
    const past = await shop();
    const [command = '', ...rest] = argv;
    const outcome = await past.run(NOW, command, ...rest);
    expect([outcome.code, outcome.stdout]).toEqual([2, '']);
    expect(outcome.stderr).toContain(`kuber-cron: ${stderr}`);
    expect(await past.store.pauses('shop/backup')).toEqual([]);
  });
});
