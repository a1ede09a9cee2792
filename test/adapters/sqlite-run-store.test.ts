import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { isNativeError } from 'node:util/types';
import { describe, expect, test } from '@jest/globals';
import { MemoryRunStore } from '../../shared/adapters/memory-run-store.ts';
import { APPLICATION_ID, MIGRATIONS, STATEMENTS } from '../../shared/adapters/run-store-schema.ts';
import { openDatabase } from '../../shared/adapters/sqlite-database.ts';
import { SqliteRunStore } from '../../shared/adapters/sqlite-run-store.ts';
import { StoreError } from '../../shared/adapters/store-error.ts';
import type { Attempt } from '../../shared/core/run/run.ts';
import {
  claimOf,
  finishOf,
  LEASE,
  MINUTE,
  NO_CHANGE,
  owedOf,
  ownerOf,
  runOf,
  runToEnd,
  SPRING_NIGHT,
  startRun,
} from '../support/run-claims.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { countCommits } from '../support/write-ahead-log.ts';
import { describeRunStore } from './run-store-contract.ts';

const folder = temporaryFolder();
let files = 0;
/** A path in a folder of its own that does not exist yet. */
function freshFile(): string {
  files += 1;
  return join(folder, String(files), 'runs.db');
}

const JOB = 'shop/backup';
const RUN = '2026-03-29T01:30Z';
const DAY = 24 * 60 * MINUTE;
const output = {
  stdout: { text: 'done\n', droppedBytes: 0 },
  stderr: { text: '', droppedBytes: 0 },
};

describeRunStore('SqliteRunStore', () => SqliteRunStore.open(freshFile()));

describe('a SQLite run store', () => {
  test('keeps everything over a restart', async () => {
    const file = freshFile();
    const store = SqliteRunStore.open(file);
    const next = claimOf({ scheduledTime: SPRING_NIGHT + MINUTE });
    const table = { zone: 'UTC', from: 0, until: 10, offset: 0, changes: [] };
    const interval = { jobId: JOB, from: 1, schedule: '30 1 * * *', written: '@daily', zone: 'UTC', table };
    const writes = [
      store.claim(claimOf()),
      store.start(JOB, RUN, 'token-1', { number: 1, startedAt: SPRING_NIGHT + 1000 }),
      store.finish(finishOf(claimOf(), { output })),
      store.claim(next),
      store.setCursor('shop', SPRING_NIGHT),
      store.owe(owedOf({ jobId: 'shop/report', startBy: SPRING_NIGHT + 2 * MINUTE, maxActiveRuns: 2 })),
      store.pause({ jobId: JOB, from: SPRING_NIGHT + 9 * MINUTE, by: 'ann@host-1' }),
      store.setActivePlan(
        { plan: { format: 1, crontab: 'shop', zones: {}, jobs: [] }, hash: 'hash-1', since: SPRING_NIGHT },
        { ...NO_CHANGE, opened: [interval] },
      ),
    ];
    const view = async (of: SqliteRunStore) => ({
      runs: await of.runs({ limit: 10 }),
      unfinished: await of.unfinished(),
      output: await of.output(JOB, RUN, 1),
      states: await of.states('shop'),
      cursor: await of.cursor('shop'),
      plan: await of.activePlan('shop'),
      pending: await of.pending(SPRING_NIGHT, 9),
      pauses: await of.pauses(JOB),
      schedules: await of.schedules(JOB),
    });
    await Promise.all(writes);
    const before = await view(store);
    expect([before.runs.length, before.unfinished.length, before.output]).toStrictEqual([3, 1, output]);
    expect([before.pending.length, before.pauses.length, before.schedules]).toStrictEqual([1, 1, [interval]]);
    await store.close();

    const reopened = SqliteRunStore.open(file);
    expect(await view(reopened)).toStrictEqual(before);
    expect(runOf(await reopened.claim(claimOf({ scheduledTime: SPRING_NIGHT - MINUTE }))).reason).toBe(
      'superseded',
    );
    await reopened.close();
  });

  test('keeps runs for as long as it is told', async () => {
    const retention = { successMs: 10 * DAY, failureMs: 20 * DAY };
    const store = SqliteRunStore.open(freshFile(), { retention });
    await runToEnd(store, claimOf());
    await runToEnd(store, claimOf({ scheduledTime: SPRING_NIGHT + MINUTE }), { status: 'failed' });
    const pruned = [];
    for (const days of [10, 11, 20, 21]) pruned.push(await store.prune(SPRING_NIGHT + days * DAY, 9));
    expect(pruned).toStrictEqual([0, 1, 0, 1]);
    await store.close();
  });

  test('is a file in a folder for nobody else', async () => {
    const file = freshFile();
    const store = SqliteRunStore.open(file);
    await store.claim(claimOf());
    const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);
    expect(modeOf(dirname(file))).toBe('700');
    expect(readdirSync(dirname(file)).map((name) => [name, modeOf(join(dirname(file), name))])).toStrictEqual(
      [
        ['runs.db', '600'],
        ['runs.db-shm', '600'],
        ['runs.db-wal', '600'],
      ],
    );
    await store.close();
    expect(readdirSync(dirname(file))).toStrictEqual(['runs.db']);
  });

  test('writes what was submitted before it closes, and nothing after', async () => {
    const file = freshFile();
    const store = SqliteRunStore.open(file);
    const claim = store.claim(claimOf());
    await store.close();
    expect((await claim).outcome).toBe('won');
    await expect(store.claim(claimOf())).rejects.toMatchObject({ name: 'StoreError', problem: 'closed' });
    await expect(store.run(JOB, RUN)).rejects.toMatchObject({ name: 'StoreError', problem: 'closed' });
    await expect(store.close()).resolves.toBeUndefined();
    const reopened = SqliteRunStore.open(file);
    expect((await reopened.run(JOB, RUN))?.status).toBe('claimed');
    await reopened.close();
  });

  test('commits the writes of one turn once', async () => {
    const file = freshFile();
    const store = SqliteRunStore.open(file);
    const commits = () => countCommits(`${file}-wal`);
    const jobs = Array.from({ length: 1000 }, (_, index) => claimOf({ jobId: `shop/job-${index}` }));
    const opened = commits();
    const results = await Promise.all(jobs.map((claim) => store.claim(claim)));
    expect(new Set(results.map(({ outcome }) => outcome))).toStrictEqual(new Set(['won']));
    expect(commits() - opened).toBe(1);
    for (const { jobId, runId } of jobs.slice(0, 3))
      await store.extend(jobId, runId, 'token-1', SPRING_NIGHT);
    expect(commits() - opened).toBe(4);
    await store.close();
  });

  test('rejects a write at fault and no other of its turn', async () => {
    const store = SqliteRunStore.open(freshFile());
    const results = await Promise.allSettled([
      store.claim(claimOf({ jobId: 'shop/a' })),
      store.claim(claimOf({ jobId: 'shop/b', runId: 'x', scheduledTime: 0.5 })),
      store.claim(claimOf({ jobId: 'shop/c' })),
    ]);
    expect(results.map(({ status }) => status)).toStrictEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(results[1]).toMatchObject({ reason: { name: 'StoreError', problem: 'failed' } });
    expect((await store.unfinished()).map(({ jobId }) => jobId)).toStrictEqual(['shop/a', 'shop/c']);
    await store.close();
  });
});

describe('statements', () => {
  const RUN_ROW = 'SEARCH run USING INTEGER PRIMARY KEY (rowid=?)';
  const RUN_KEY = 'SEARCH run USING INDEX sqlite_autoindex_run_1 (run_id=? AND job_id=?)';
  const plans: Readonly<Partial<Record<keyof typeof STATEMENTS, readonly string[]>>> = {
    run: [RUN_KEY],
    runs: ['SEARCH run USING INDEX run_by_creation ((created_at,job_id,run_id)<(?,?,?))'],
    runsOfJob: ['SEARCH run USING INDEX run_of_job (job_id=? AND (created_at,run_id)<(?,?))'],
    spanAt: ['SEARCH run USING INDEX run_span (job_id=? AND scheduled_time>?)'],
    // Reads the due runs of all jobs, but only those of the stretch of time.
    answeredUntil: [
      'CO-ROUTINE (subquery-2)',
      'COMPOUND QUERY',
      'LEFT-MOST SUBQUERY',
      'SEARCH run USING INDEX sqlite_autoindex_run_1 (run_id>? AND run_id<?)',
      'UNION ALL',
      'SEARCH run USING INDEX run_span (job_id=? AND scheduled_time>? AND scheduled_time<?)',
      'SEARCH (subquery-2)',
    ],
    answered: [
      'COMPOUND QUERY',
      'LEFT-MOST SUBQUERY',
      'SEARCH run USING INDEX sqlite_autoindex_run_1 (run_id>? AND run_id<?)',
      'UNION ALL',
      'SEARCH run USING INDEX run_span (job_id=? AND scheduled_time>?)',
    ],
    expired: ['SEARCH run USING COVERING INDEX run_by_expiry (expires_at<?)'],
    // Scans an index of none but runs that are claimed or running.
    unfinished: ['SCAN run USING INDEX run_unfinished'],
    unfinishedOfJob: ['SEARCH run USING INDEX run_unfinished (job_id=?)'],
    owedBefore: ['SEARCH run USING INDEX run_owed (job_id=? AND scheduled_time<?)'],
    // Scans an index of none but pending runs, and sorts one of each job and cause.
    pending: [
      'CO-ROUTINE (subquery-1)',
      'SCAN run USING COVERING INDEX run_pending',
      'SCAN (subquery-1)',
      RUN_ROW,
      'CORRELATED SCALAR SUBQUERY 2',
      'SEARCH run USING COVERING INDEX run_pending (job_id=? AND cause=?)',
      'USE TEMP B-TREE FOR ORDER BY',
    ],
    pendingCounts: ['SEARCH run USING COVERING INDEX run_pending (job_id>? AND job_id<?)'],
    updateRun: [RUN_ROW],
    startRun: [RUN_ROW],
    extendRun: [RUN_ROW],
    extendSpan: [RUN_ROW],
    prune: [
      RUN_ROW,
      'LIST SUBQUERY 1',
      'SEARCH run USING COVERING INDEX run_by_expiry (expires_at<?)',
      'SEARCH output USING COVERING INDEX sqlite_autoindex_output_1 (run=?)',
    ],
    output: [
      'SEARCH output USING INDEX sqlite_autoindex_output_1 (run=? AND attempt=?)',
      'SCALAR SUBQUERY 1',
      'SEARCH run USING COVERING INDEX sqlite_autoindex_run_1 (run_id=? AND job_id=?)',
    ],
    newest: ['SEARCH control USING PRIMARY KEY (job_id=?)'],
    state: ['SEARCH state USING PRIMARY KEY (job_id=?)'],
    states: ['SEARCH state USING PRIMARY KEY (job_id>? AND job_id<?)'],
    pauses: ['SEARCH pause USING INDEX pause_of_job (job_id=?)'],
    pausesAfter: ['SEARCH pause USING INDEX pause_by_end (job_id=? AND ends_at>?)'],
    // Sorts pauses that are in force.
    pausesAt: ['SEARCH pause USING INDEX pause_expiry (ends_at>?)', 'USE TEMP B-TREE FOR ORDER BY'],
    endPause: ['SEARCH pause USING INTEGER PRIMARY KEY (rowid=?)'],
    prunePauses: ['SEARCH pause USING INDEX pause_expiry (ends_at<?)'],
    schedules: ['SEARCH schedule USING INDEX schedule_of_job (job_id=?)'],
    currentSchedules: ['SEARCH schedule USING INDEX schedule_in_force (job_id>? AND job_id<?)'],
    zoneTable: ['SEARCH zone_table USING PRIMARY KEY (hash=?)'],
    dropSchedule: ['SEARCH schedule USING INDEX schedule_of_job (job_id=? AND from_time=?)'],
    closeSchedule: ['SEARCH schedule USING INDEX schedule_in_force (job_id=?)'],
    pruneSchedules: ['SEARCH schedule USING COVERING INDEX schedule_expiry (until_time<?)'],
    alias: ['SEARCH alias USING PRIMARY KEY (job_id=?)'],
    renameRuns: ['SEARCH run USING INDEX run_of_job (job_id=?)'],
    renamePauses: ['SEARCH pause USING INDEX pause_by_end (job_id=?)'],
    renameSchedules: ['SEARCH schedule USING INDEX schedule_of_job (job_id=?)'],
    deleteNewest: ['SEARCH control USING PRIMARY KEY (job_id=?)'],
    deleteState: ['SEARCH state USING PRIMARY KEY (job_id=?)'],
    dueNotifications: ['SEARCH notification USING INDEX notification_by_try (next_try_at<?)'],
    reserveNotification: ['SEARCH notification USING INTEGER PRIMARY KEY (rowid=?)'],
    notification: ['SEARCH notification USING INDEX sqlite_autoindex_notification_1 (id=?)'],
    retryNotification: ['SEARCH notification USING INTEGER PRIMARY KEY (rowid=?)'],
    deleteNotification: ['SEARCH notification USING INDEX sqlite_autoindex_notification_1 (id=?)'],
    cursor: ['SEARCH cursor USING INDEX sqlite_autoindex_cursor_1 (crontab=?)'],
    turn: ['SEARCH turn USING INDEX sqlite_autoindex_turn_1 (crontab=?)'],
    plan: ['SEARCH plan USING INDEX sqlite_autoindex_plan_1 (crontab=?)'],
    // Crontabs are few.
    crontabs: ['SCAN plan USING COVERING INDEX sqlite_autoindex_plan_1'],
  };

  test('follow an index and sort nothing, so that they read no more as history grows', async () => {
    const file = freshFile();
    await SqliteRunStore.open(file).close();
    const database = new DatabaseSync(file);
    const found = Object.entries(STATEMENTS).map(([name, sql]) => {
      const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all();
      return [name, plan.map(({ detail }) => detail)] as const;
    });
    database.close();
    // What only inserts reads nothing.
    expect(Object.fromEntries(found.filter(([, plan]) => plan.length > 0))).toStrictEqual(plans);
  });
});

describe('migrations', () => {
  const later = [
    ...MIGRATIONS,
    'CREATE TABLE label (name TEXT PRIMARY KEY) STRICT',
    `INSERT INTO label VALUES ('first'); ALTER TABLE label ADD COLUMN colour TEXT`,
  ];

  function inspect(file: string, sql: string): unknown[] {
    const database = new DatabaseSync(file);
    const rows = database.prepare(sql).all();
    database.close();
    return rows.map((row) => ({ ...row }));
  }

  test.each(later.map((_, index) => index + 1))(
    'lead on from version %d and keep the runs',
    async (version) => {
      const file = freshFile();
      mkdirSync(dirname(file));
      const format = { applicationId: APPLICATION_ID, migrations: later.slice(0, version) };
      const database = openDatabase(file, format, 5000);
      database.exec(`INSERT INTO run (job_id, run_id, scheduled_time, triggered_by, status, plan_hash, created_at,
        holds_lock, owner, attempts) VALUES ('${JOB}', '${RUN}', ${SPRING_NIGHT}, 'schedule', 'claimed', 'hash-1',
        ${SPRING_NIGHT}, 1, '${JSON.stringify(ownerOf('token-1'))}', '[]')`);
      database.close();
      expect(inspect(file, 'PRAGMA user_version')).toStrictEqual([{ user_version: version }]);

      const migrated = SqliteRunStore.open(file, { migrations: later });
      const { leaseUntil: _leaseUntil, ...claimed } = runOf(await new MemoryRunStore().claim(claimOf()));
      // What an earlier version claimed had no lease, and gets one.
      const lease = version === 1 ? { leaseUntil: SPRING_NIGHT + LEASE } : {};
      expect(await migrated.run(JOB, RUN)).toStrictEqual({ ...claimed, ...lease });
      const next = await migrated.claim(claimOf({ scheduledTime: SPRING_NIGHT + MINUTE }));
      expect([next.outcome, runOf(next).blockedBy]).toStrictEqual(['closed', RUN]);
      await migrated.close();
      expect(inspect(file, 'PRAGMA user_version')).toStrictEqual([{ user_version: later.length }]);
      expect(inspect(file, 'SELECT * FROM label')).toStrictEqual([{ name: 'first', colour: null }]);
    },
  );

  test('that fail leave the version before them', async () => {
    const file = freshFile();
    const broken = [...MIGRATIONS, 'CREATE TABLE half (x); CREATE TABLE run (x)'];
    const store = SqliteRunStore.open(file);
    await store.claim(claimOf());
    await store.close();
    const failed = problemOf(() => SqliteRunStore.open(file, { migrations: broken }));
    expect([failed.problem, (failed.cause as Error).message]).toStrictEqual([
      'failed',
      'table run already exists',
    ]);
    expect(inspect(file, 'PRAGMA user_version')).toStrictEqual([{ user_version: MIGRATIONS.length }]);
    expect(inspect(file, `SELECT name FROM sqlite_schema WHERE name = 'half'`)).toStrictEqual([]);
    const again = SqliteRunStore.open(file);
    expect((await again.run(JOB, RUN))?.status).toBe('claimed');
    await again.close();
  });
});

function problemOf(action: () => unknown): StoreError {
  try {
    action();
  } catch (error) {
    if (error instanceof StoreError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('a file that is no run store of this version', () => {
  async function storeFile(): Promise<string> {
    const file = freshFile();
    const store = SqliteRunStore.open(file);
    for (let index = 0; index < 100; index += 1) {
      const claim = claimOf({ jobId: `shop/job-${index}` });
      await runToEnd(store, claim, { output });
    }
    await store.close();
    return file;
  }
  function written(bytes: string | Uint8Array): string {
    const file = freshFile();
    mkdirSync(dirname(file));
    writeFileSync(file, bytes);
    return file;
  }
  function database(sql: string): string {
    const file = written('');
    const other = new DatabaseSync(file);
    other.exec(sql);
    other.close();
    return file;
  }
  const cutStore = async (share: number) => {
    const bytes = readFileSync(await storeFile());
    return written(bytes.subarray(0, Math.floor(bytes.length * share)));
  };
  async function newerStore(): Promise<string> {
    const file = await storeFile();
    await SqliteRunStore.open(file, { migrations: [...MIGRATIONS, 'CREATE TABLE later (x)'] }).close();
    return file;
  }

  const foreign = 'this file belongs to another program; give the run store a file of its own';
  const damaged =
    'the file is damaged (database disk image is malformed); restore it from a backup, or move it and its -wal and -shm files away to begin an empty history';
  const newer =
    'a later version of kuber-cron wrote this file; use that version, or give this one a file of its own';
  test.each<[string, () => string | Promise<string>, string, string]>([
    ['a text', () => written('30 2 * * * ./backup.sh\n'.repeat(100)), 'foreign', foreign],
    ['a few bytes', () => written('hello'), 'foreign', foreign],
    ['an empty line', () => written('\n'), 'foreign', foreign],
    ["another program's database", () => database('CREATE TABLE person (name)'), 'foreign', foreign],
    [
      "another program's database in WAL mode",
      () => database('PRAGMA journal_mode = WAL; CREATE TABLE person (name)'),
      'foreign',
      foreign,
    ],
    ["another program's empty database", () => database('PRAGMA user_version = 1'), 'foreign', foreign],
    [
      "another program's marked database",
      () => database('PRAGMA application_id = 7; CREATE TABLE run (id)'),
      'foreign',
      foreign,
    ],
    ['a store of a later version', newerStore, 'newer', newer],
    ['a store that is cut in half', () => cutStore(0.5), 'damaged', damaged],
    ['a store that is cut in its first page', () => cutStore(0.01), 'damaged', damaged],
  ])('is refused and left as it is: %s', async (_what, make, problem, message) => {
    const file = await make();
    const before = readFileSync(file);
    const error = problemOf(() => SqliteRunStore.open(file));
    expect([error.problem, error.file, error.message]).toStrictEqual([
      problem,
      file,
      `run store ${file}: ${message}`,
    ]);
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(readdirSync(dirname(file))).toStrictEqual(['runs.db']);
  });

  test('is named when the damage is met later', async () => {
    const file = await storeFile();
    const bytes = readFileSync(file);
    const database = new DatabaseSync(file);
    const pages = database.prepare(`SELECT rootpage FROM sqlite_schema WHERE tbl_name = 'run'`).all();
    database.close();
    // Keeps the pages that tell what the tables are.
    for (const { rootpage } of pages)
      bytes.fill(0xff, ((rootpage as number) - 1) * 4096, (rootpage as number) * 4096);
    writeFileSync(file, bytes);
    const store = SqliteRunStore.open(file);
    await expect(store.claim(claimOf())).rejects.toMatchObject({
      name: 'StoreError',
      problem: 'damaged',
      file,
    });
    await expect(store.runs({ limit: 1 })).rejects.toMatchObject({
      name: 'StoreError',
      problem: 'damaged',
      file,
    });
    await store.close();
  });
});

describe('a place that cannot be written', () => {
  const below = written('no folder');
  function written(content: string): string {
    const file = freshFile();
    mkdirSync(dirname(file));
    writeFileSync(file, content);
    return file;
  }

  test.each([
    ['below a file', join(below, 'runs.db')],
    ['far below a file', join(below, 'a', 'b', 'runs.db')],
    ['a folder', folder],
  ])('is named: %s', (_what, file) => {
    const error = problemOf(() => SqliteRunStore.open(file));
    expect([error.problem, error.file, isNativeError(error.cause)]).toStrictEqual(['unwritable', file, true]);
    expect(error.message).toContain(`run store ${file}: the file or its folder cannot be written (`);
  });

  const isRoot = process.getuid?.() === 0;
  (isRoot ? test.skip : test)('is named: a read-only folder (skipped as root, who may write there)', () => {
    const file = freshFile();
    mkdirSync(dirname(file));
    chmodSync(dirname(file), 0o500);
    expect(problemOf(() => SqliteRunStore.open(file)).problem).toBe('unwritable');
    expect(readdirSync(dirname(file))).toStrictEqual([]);
    chmodSync(dirname(file), 0o700);
  });
});

function startScript(name: string, ...args: string[]): ChildProcess & { stdout: NodeJS.ReadableStream } {
  const script = join(import.meta.dirname, '..', 'support', name);
  return spawn(process.execPath, [script, ...args], { stdio: ['pipe', 'pipe', 'inherit'] }) as never;
}

describe('several users of one file', () => {
  test('two connections claim the same runs: each run has one winner', async () => {
    const file = freshFile();
    const [one, two] = [SqliteRunStore.open(file), SqliteRunStore.open(file)];
    for (let round = 0; round < 100; round += 1) {
      const claim = { jobId: `shop/job-${round}` };
      const claims = [
        () => one.claim(claimOf({ ...claim, token: 'one' })),
        () => two.claim(claimOf({ ...claim, token: 'two' })),
      ];
      const results = await Promise.all((round % 2 === 0 ? claims : claims.reverse()).map((make) => make()));
      expect(results.map(({ outcome }) => outcome)).toStrictEqual(['won', 'taken']);
      expect(results.map(runOf)[1]).toStrictEqual(results.map(runOf)[0]);
    }
    await one.close();
    await two.close();
  });

  test('two connections see a lease expire: one of them ends the run', async () => {
    const file = freshFile();
    const stores = [SqliteRunStore.open(file), SqliteRunStore.open(file)];
    const [one] = stores as [SqliteRunStore];
    await startRun(one, claimOf());
    const attempt = {
      number: 1,
      startedAt: SPRING_NIGHT + 1000,
      finishedAt: SPRING_NIGHT + LEASE,
      status: 'lost',
    };
    const lost = finishOf(claimOf(), {
      ...{ status: 'lost', reason: 'lease-expired', attempt: attempt as Attempt },
      ...{ at: SPRING_NIGHT + LEASE, ifLeaseUntil: SPRING_NIGHT + LEASE },
    });
    const ended = await Promise.all(stores.map((store) => store.finish(lost)));
    expect(ended.filter(Boolean)).toStrictEqual([true]);
    expect(await one.states('shop')).toMatchObject([{ runs: { lost: 1 }, attempts: 1 }]);
    for (const store of stores) await store.close();
  });

  test('processes that begin at once claim the same runs: each run and each lock has one winner', async () => {
    const file = freshFile();
    const rounds = 150;
    const names = ['a', 'b', 'c'];
    const children = names.map((name) => startScript('claim-in-turn.ts', file, name, String(rounds)));
    await Promise.all(children.map(({ stdout }) => once(stdout, 'data')));
    for (const { stdin } of children) stdin?.write('go\n');
    const outcomes = (await Promise.all(children.map(({ stdout }) => text(stdout)))).map(
      (line) => JSON.parse(line) as { shared: string[]; locked: string[] },
    );
    const inRound = (key: 'shared' | 'locked', round: number) => outcomes.map((of) => of[key][round]).sort();
    const store = SqliteRunStore.open(file);
    for (let round = 0; round < rounds; round += 1) {
      expect(inRound('shared', round)).toStrictEqual(['taken', 'taken', 'won']);
      expect(inRound('locked', round)).toStrictEqual(['closed', 'closed', 'won']);
      const winner = names[outcomes.findIndex(({ shared }) => shared[round] === 'won')];
      expect((await store.run(`shop/shared-${round}`, RUN))?.owner?.token).toBe(`${winner}-${round}`);
    }
    await store.close();
  });

  test('a write waits for another process', async () => {
    const file = freshFile();
    const store = SqliteRunStore.open(file);
    const child = startScript('hold-lock.ts', file, '300');
    await once(child.stdout, 'data');
    expect((await store.claim(claimOf())).outcome).toBe('won');
    await once(child, 'exit');
    await store.close();
  });

  test('a write that has waited long enough fails, and the next one is written', async () => {
    const file = freshFile();
    const store = SqliteRunStore.open(file, { busyTimeoutMs: 10 });
    const other = new DatabaseSync(file);
    other.exec('BEGIN IMMEDIATE');
    const results = await Promise.allSettled([store.claim(claimOf()), store.setCursor('shop', SPRING_NIGHT)]);
    for (const result of results) {
      expect(result).toMatchObject({
        status: 'rejected',
        reason: {
          problem: 'busy',
          message: `run store ${file}: another process keeps it locked; find the process that has the file open and end it, then try again`,
        },
      });
    }
    expect(await store.unfinished()).toStrictEqual([]);
    other.exec('COMMIT');
    other.close();
    expect((await store.claim(claimOf())).outcome).toBe('won');
    await store.close();
  });

  test('a process that is killed leaves everything that it was promised', async () => {
    const file = freshFile();
    for (let round = 0; round < 3; round += 1) {
      const child = startScript('write-without-end.ts', file);
      let said = '';
      for await (const chunk of child.stdout) {
        said += chunk;
        if (said.split('\n').length > 300) child.kill('SIGKILL');
      }
      const kept = new Map<string, string>();
      for (const line of said.split('\n').slice(0, -1)) {
        const [jobId, runId, status] = line.split(' ') as [string, string, string];
        kept.set(`${jobId} ${runId}`, status);
      }
      const order = ['claimed', 'running', 'succeeded'];
      const store = SqliteRunStore.open(file);
      for (const [run, promised] of kept) {
        const [jobId, runId] = run.split(' ') as [string, string];
        const status = (await store.run(jobId, runId))?.status ?? 'nothing';
        expect([run, order.indexOf(status)]).toStrictEqual([
          run,
          Math.max(order.indexOf(status), order.indexOf(promised)),
        ]);
        expect((await store.output(jobId, runId, 1))?.stdout.text).toBe(
          status === 'succeeded' ? runId : undefined,
        );
      }
      await store.close();
    }
  });
});
