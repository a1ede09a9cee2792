import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { HISTORY, makeLongHistory, runHour } from '../../bench/long-history.ts';
import { SqliteRunStore } from '../../shared/adapters/sqlite-run-store.ts';
import { kuberCron } from '../support/kuber-cron.ts';
import { recordAnswer } from '../support/run-claims.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const HOUR = 3_600_000;
/** What Linux says of this thread: how many bytes it has read from files. */
const READS = '/proc/thread-self/io';
const PAGE = 4096;
const { jobIds, newest } = HISTORY;
const [JOB] = jobIds as [string];

const folder = temporaryFolder();
const stores = {
  short: { path: join(folder, 'short.sqlite'), runs: 10_000 },
  long: { path: join(folder, 'long.sqlite'), runs: 160_000 },
};
const made = Promise.all(Object.values(stores).map(({ path, runs }) => makeLongHistory(path, runs)));

function bytesRead(): number {
  return Number(/^rchar: (\d+)$/m.exec(readFileSync(READS, 'utf8'))?.[1]);
}

/** Pages that some work reads: a connection that was opened for it reads each page once, and has none to begin with. */
async function pagesRead(work: () => Promise<unknown>): Promise<number> {
  const before = bytesRead();
  await work();
  return Math.round((bytesRead() - before) / PAGE);
}

async function inStore(path: string, work: (store: SqliteRunStore) => Promise<unknown>): Promise<number> {
  const store = SqliteRunStore.open(path);
  const pages = await pagesRead(() => work(store));
  await store.close();
  return pages;
}

async function byCommand(path: string, argv: readonly string[]): Promise<number> {
  const world = { now: new Date(newest + 60_000).toISOString() };
  return await pagesRead(async () => {
    const { code } = await kuberCron([...argv, '--store', `sqlite:${path}`], world);
    expect(code).toBe(0);
  });
}

const hasReads = existsSync(READS);
(hasReads ? describe : describe.skip)(
  'a history that is sixteen times as long (left out where there is no /proc)',
  () => {
    type Work = (path: string) => Promise<number>;
    const store =
      (work: (store: SqliteRunStore) => Promise<unknown>): Work =>
      (path) =>
        inStore(path, work);
    const command =
      (...argv: readonly string[]): Work =>
      (path) =>
        byCommand(path, argv);
    const pagesOf = async (work: Work) => {
      await made;
      return [await work(stores.short.path), await work(stores.long.path)] as const;
    };

    test.each<[string, Work]>([
      ['`jobs`', command('jobs')],
      ['`runs`', command('runs')],
      ['`runs JOB`', command('runs', JOB)],
      ['`why JOB TIME` of a recent run', command('why', JOB, '2026-10-31T20:07Z')],
      ['`why JOB TIME` of an old run', command('why', JOB, '2026-10-28T20:07Z')],
      ['`why JOB TIME` of a minute that was not due', command('why', JOB, '2026-10-31T20:08Z')],
      ['`why JOB TIME` of what is to come', command('why', JOB, '2026-11-01T01:07Z')],
      [
        'what a scrape asks',
        store(async (of) => [
          await of.unfinished(),
          await of.states('shop'),
          await of.pendingCounts('shop'),
          await of.pausesAt('shop', newest),
        ]),
      ],
      ['what a sweep asks', store((of) => of.pending(newest, 100))],
      [
        'an older page of `runs`',
        store(async (of) => {
          const [last] = (await of.runs({ limit: 1000 })).slice(-1);
          return await of.runs({ limit: 20, ...(last === undefined ? {} : { before: last }) });
        }),
      ],
      ['claim, start and finish of a run', store((of) => runHour(of, [JOB], newest + HOUR))],
      ['claim, start and finish of a hundred runs', store((of) => runHour(of, jobIds, newest + 2 * HOUR))],
      [
        'the answer to what was missed',
        store((of) =>
          recordAnswer(of, {
            ...{
              jobId: JOB,
              runId: '2026-11-01T03:07Z',
              scheduledTime: newest + 3 * HOUR,
              trigger: 'schedule',
            },
            ...{ planHash: 'hash-1', status: 'missed', reason: 'too-late', at: newest + 4 * HOUR },
          }),
        ),
      ],
      ['a clean-up of nothing', store((of) => of.prune(newest, 500))],
      ['a clean-up of 500 runs', store((of) => of.prune(newest + 365 * 24 * HOUR, 500))],
    ])('does not make more work: %s', async (_what, work) => {
      const [short, long] = await pagesOf(work);
      expect(short).toBeGreaterThan(0);
      // Trees are a level higher, and neighbours in an index share fewer pages.
      expect([short, long, long <= 1.5 * short]).toStrictEqual([short, long, true]);
    });

    test('would be noticed where all of it was read', async () => {
      const [short, long] = await pagesOf(store((of) => of.runs({ limit: 1_000_000 })));
      expect([short, long, long > 10 * short]).toStrictEqual([short, long, true]);
    });
  },
);
