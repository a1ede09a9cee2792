import { hostname, userInfo } from 'node:os';
import { describe, expect, test } from '@jest/globals';
import { DueHistory } from '../../shared/core/run/backfill.ts';
import { Backfill } from '../../shared/core/run/backfill-work.ts';
import type { Run } from '../../shared/core/run/run.ts';
import { PastStore } from '../support/past-store.ts';
import { answerOf, claimOf, owedOf, recordAnswer, runToEnd } from '../support/run-claims.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FOLDER = temporaryFolder();
const NOW = '2026-11-23T04:00:30Z';
const BY = `${userInfo().username}@${hostname()}`;
const t = (text: string) => Date.parse(text);
const day = (number: number) => `2026-11-${number}T03:30Z`;

const SHOP = `# kuber-cron: name=backup
30 3 * * * true
# kuber-cron: name=queue concurrency-policy=allow
* * * * * true
# kuber-cron: name=old suspend
0 5 * * * true
`;

/** Of the backup: failed on the 17th, one row for the 18th and 19th, paused on the 20th, succeeded on the 21st, missed on the 22nd; nothing of the 23rd. */
async function shop() {
  const past = await PastStore.make(FOLDER, SHOP, '2026-01-01T00:00Z');
  const { store } = past;
  await runToEnd(store, claimOf({ scheduledTime: t(day(17)), token: 'a' }), { status: 'failed' });
  const scheduledTime = t(day(19));
  await recordAnswer(store, answerOf({ runId: `${day(18)}..`, spanFrom: t(day(18)), scheduledTime }));
  await store.pause({
    ...{ jobId: 'shop/backup', from: t('2026-11-20T00:00Z'), until: t('2026-11-21T00:00Z'), by: 'jane@host' },
  });
  await runToEnd(store, claimOf({ scheduledTime: t(day(21)), token: 'b' }));
  await recordAnswer(store, answerOf({ scheduledTime: t(day(22)) }));
  await store.setCursor('shop', t('2026-11-23T04:00Z'));
  return { store, run: past.run.bind(past) };
}

/** The pending runs of the backup, oldest first. */
async function pending(store: PastStore['store']): Promise<Run[]> {
  const runs = await store.runs({ jobId: 'shop/backup', limit: 100 });
  return runs.filter(({ status }) => status === 'pending').sort((a, b) => a.scheduledTime - b.scheduledTime);
}

const RANGE = ['--from', '2026-11-17', 'backup'];
const COUNTED = 'shop/backup was due 7 times from 2026-11-17T00:00Z to 2026-11-23T04:00Z, both included\n';
const STARTS =
  'they run one at a time, oldest first; no daemon works on this store: nothing starts until one does\n';

describe('what is made pending', () => {
  test.each<[argv: string[], days: number[], summary: string]>([
    [
      [],
      [17, 22],
      '2 to run again, 0 for the first time, 5 left alone (2 missed in one row, 1 paused, 1 succeeded, 1 no run)\n',
    ],
    [
      ['--reprocess', 'all'],
      [17, 21, 22],
      '3 to run again, 0 for the first time, 4 left alone (2 missed in one row, 1 paused, 1 no run)\n',
    ],
    [
      ['--unrecorded'],
      [17, 18, 19, 20, 22, 23],
      '2 to run again, 4 for the first time, 1 left alone (1 succeeded)\n',
    ],
    [
      ['--unrecorded', '--reprocess', 'none'],
      [18, 19, 20, 23],
      '0 to run again, 4 for the first time, 3 left alone (1 failed, 1 succeeded, 1 missed)\n',
    ],
    [
      ['--unrecorded', '--reprocess', 'all'],
      [17, 18, 19, 20, 21, 22, 23],
      '3 to run again, 4 for the first time, 0 left alone\n',
    ],
  ])('by %j', async (argv, days, summary) => {
    const { store, run } = await shop();
    expect(await run(NOW, 'backfill', ...argv, ...RANGE, '--reason', 'disk')).toEqual({
      code: 0,
      stdout: COUNTED + summary + STARTS,
      stderr: '',
    });
    const request = { verb: 'backfill', by: BY, at: t(NOW), why: 'disk' };
    const expected = days.map((number) => ({
      ...{ runId: day(number), cause: 'requested', notBefore: t(NOW), maxActiveRuns: 1, requests: [request] },
    }));
    expect(await pending(store)).toMatchObject(expected);
    expect(await pending(store)).toHaveLength(days.length);
  });

  test('a repeated one leaves alone what is pending', async () => {
    const { store, run } = await shop();
    await run(NOW, 'backfill', '--unrecorded', ...RANGE);
    const before = await pending(store);
    expect((await run('2026-11-23T05:00Z', 'backfill', '--unrecorded', ...RANGE)).stdout).toBe(
      `shop/backup was due 7 times from 2026-11-17T00:00Z to 2026-11-23T05:00Z, both included\n0 to run again, 0 for the first time, 7 left alone (6 pending, 1 succeeded)\n`,
    );
    expect(await pending(store)).toEqual(before);
  });

  test.each<[from: string, to: string, days: number[]]>([
    [day(17), day(22), [17, 22]],
    ['2026-11-17T03:31Z', day(22), [22]],
    [day(17), '2026-11-22T03:29Z', [17]],
    ['2026-11-22', '2026-11-22', [22]],
    ['6d ago', 'now', [22]],
    ['2026-11-22', '2026-11-23', [22]],
  ])('both ends are included: %s to %s', async (from, to, days) => {
    const { store, run } = await shop();
    expect((await run(NOW, 'backfill', 'backup', '--from', from, '--to', to)).code).toBe(0);
    expect((await pending(store)).map(({ runId }) => runId)).toEqual(days.map(day));
  });

  test.each<[job: string, atOnce: string, told: string, stderr: string]>([
    ['queue', '3', '3 at once', ''],
    [
      'backup',
      '3',
      'one at a time',
      'more at once needs `concurrency-policy=allow`: the job runs one at a time\n',
    ],
  ])('%s with `--max-active-runs %s` runs %s', async (job, atOnce, told, stderr) => {
    const { store, run } = await shop();
    await recordAnswer(store, answerOf({ jobId: 'shop/queue', scheduledTime: t(day(22)) }));
    const outcome = await run(
      NOW,
      'backfill',
      job,
      '--from',
      day(22),
      '--to',
      day(22),
      '--max-active-runs',
      atOnce,
    );
    expect(outcome).toMatchObject({ code: 0, stderr });
    expect(outcome.stdout).toContain(`they run ${told}, oldest first; `);
    expect(await store.run(`shop/${job}`, day(22))).toMatchObject({ status: 'pending', maxActiveRuns: 3 });
  });
});

describe('a dry run', () => {
  test('lists what would run, counts the rest, and changes nothing', async () => {
    const { store, run } = await shop();
    expect(await run(NOW, 'backfill', '--dry-run', ...RANGE)).toEqual({
      code: 0,
      stdout: `${COUNTED}RUN                TIME               NOW     THEN
2026-11-17T03:30Z  2026-11-17T03:30Z  failed  run again
2026-11-22T03:30Z  2026-11-22T03:30Z  missed  run again
dry run, nothing is changed: 2 to run again, 0 for the first time, 5 left alone (2 missed in one row, 1 paused, 1 succeeded, 1 no run)
`,
      stderr:
        '`--unrecorded` runs 4 more, which have no run of their own\n`--reprocess all` runs 1 more, which succeeded or were left out on purpose\n',
    });
    expect(await pending(store)).toEqual([]);
  });

  test('of many lists the first twenty', async () => {
    const { store, run } = await shop();
    const argv = ['--dry-run', '--unrecorded', '--from', '2026-11-22', '--to', '2026-11-22', 'queue'];
    const { stdout } = await run(NOW, 'backfill', ...argv);
    expect(stdout.split('\n')).toEqual([
      'shop/queue was due 1440 times from 2026-11-22T00:00Z to 2026-11-22T23:59Z, both included',
      'RUN                TIME               NOW     THEN',
      ...Array.from({ length: 20 }, (_, minute) => {
        const time = `2026-11-22T00:${String(minute).padStart(2, '0')}Z`;
        return `${time}  ${time}  no run  first run`;
      }),
      '… and 1420 more',
      'dry run, nothing is changed: 0 to run again, 1440 for the first time, 0 left alone',
      '',
    ]);
    expect([...(await store.pendingCounts('shop')).values()]).toEqual([]);
  });

  test('what is older than history may have succeeded', async () => {
    const { run } = await shop();
    const { stdout, stderr } = await run(
      ...([
        NOW,
        'backfill',
        '--dry-run',
        '--unrecorded',
        '--from',
        '2026-11-01',
        '--to',
        '2026-11-05',
        'backup',
      ] as const),
    );
    expect(stdout).toContain('0 to run again, 0 for the first time, 5 left alone (5 no longer kept)');
    expect(stderr).toBe(
      '5 may have succeeded: nothing of them is kept any more; `--unrecorded --reprocess all` runs them\n',
    );
  });

  test('what was before the schedule is known is not counted', async () => {
    const { run } = await shop();
    const { stdout, stderr } = await run(
      ...([NOW, 'backfill', '--dry-run', '--from', '2025-12-30', '--to', '2026-01-02', 'backup'] as const),
    );
    expect(stdout).toContain('was due 2 times');
    expect(stderr).toContain(
      'the schedule of shop/backup is known from 2026-01-01T00:00:00Z on: what was due before is not counted\n',
    );
  });
});

describe('what cannot be done changes nothing', () => {
  test.each<[argv: string[], code: number, stderr: string]>([
    [[], 2, '`backfill` wants one job; `kuber-cron jobs` lists them'],
    [['backup'], 2, '`backfill` wants the first due time: `--from TIME`'],
    [
      ['backup', '--from', '2026-11-17', '--reprocess', 'none'],
      2,
      '`--reprocess none` leaves everything alone but with `--unrecorded`',
    ],
    [
      ['backup', '--from', '2026-11-17', '--reprocess', 'skipped'],
      2,
      '`--reprocess` must be one of none, failed, all, got `skipped`',
    ],
    [
      ['backup', '--from', '2026-11-17', '--max-active-runs', '0'],
      2,
      '`--max-active-runs` must be a whole number of 1-1000, got `0`',
    ],
    [
      ['backup', '--from', '2026-11-22', '--to', '2026-11-17'],
      2,
      '`--from` (2026-11-22T00:00Z) must be before `--to` (2026-11-17T23:59Z)',
    ],
    [
      ['backup', '--from', '2026-11-17', '--to', '2026-11-24'],
      2,
      '`--to` must be in the past, got 2026-11-24T23:59Z: what is due later runs by itself; leave `--to` out for now',
    ],
    [['backup', '--from', 'march'], 2, '`--from` takes `2026-03-29T01:30Z`, '],
    [
      ['queue', '--from', '2026-11-01', '--unrecorded'],
      2,
      '`shop/queue` was due 31921 times then, and a backfill takes 10000 at most; the first of them end at `--to 2026-11-07T22:39Z`',
    ],
    [['old', '--from', '2026-11-17'], 3, 'the crontab suspends `shop/old`: nothing of it is started'],
    [['bakup', '--from', '2026-11-17'], 3, 'there is no job `bakup`; did you mean `backup`?'],
  ])('%j', async (argv, code, stderr) => {
    const { store, run } = await shop();
    const outcome = await run(NOW, 'backfill', ...argv);
    expect([outcome.code, outcome.stdout]).toEqual([code, '']);
    expect(outcome.stderr).toContain(`kuber-cron: ${stderr}`);
    expect([...(await store.pendingCounts('shop')).values()]).toEqual([]);
  });

  test('the count of too many is that of the first that fit', async () => {
    const { run } = await shop();
    const argv = ['--dry-run', '--from', '2026-11-01', '--to', '2026-11-07T22:39Z', 'queue'];
    expect((await run(NOW, 'backfill', ...argv)).stdout).toContain('was due 10000 times');
  });
});

test('what somebody else took up after it was looked at is left alone', async () => {
  const { store } = await shop();
  const history = new DueHistory(await store.schedules('shop/backup'), t(day(17)), t(day(23)));
  const work = new Backfill(store, 'shop/backup', t(NOW), () => {});
  const steps = await work.plan(history, { reprocess: 'failed', unrecorded: true });
  const request = { verb: 'retry', by: 'joe@host', at: t(NOW) } as const;
  await store.reopen({ jobId: 'shop/backup', runId: day(17), request, notBefore: t(NOW) });
  await store.owe(owedOf({ scheduledTime: t(day(20)) }));
  const done = await work.carryOut(steps, {
    ...{ request: { ...request, verb: 'backfill' }, maxActiveRuns: 1, planHash: 'hash-1' },
  });
  expect(done).toEqual({ reopened: 1, added: 3, overtaken: 2 });
});
