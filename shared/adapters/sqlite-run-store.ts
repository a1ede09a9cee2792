import { resolve } from 'node:path';
import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite';
import type { JobState } from '../core/run/job-state.ts';
import type { Attempt, Run, RunOutput } from '../core/run/run.ts';
import type {
  ActivePlan,
  Answer,
  Claim,
  ClaimResult,
  Finish,
  RunQuery,
  RunStore,
} from '../core/run/run-store.ts';
import {
  answeredRun,
  countedState,
  finishedRun,
  firstClaim,
  isClaimedBy,
  isDue,
  isOwnedBy,
  isStartedAs,
  type NewestStart,
  repeatedClaim,
  type StoredRun,
  startedRun,
  type UnfinishedRun,
} from '../core/run/run-transitions.ts';
import type { EpochMs } from '../core/schedule/zone-table.ts';
import { GroupCommit } from './group-commit.ts';
import { APPLICATION_ID, MIGRATIONS, STATEMENTS } from './run-store-schema.ts';
import { openDatabase, transact } from './sqlite-database.ts';
import { asStoreError, StoreError } from './store-error.ts';

export interface SqliteRunStoreOptions {
  /** How long a write waits for other processes before it fails. It blocks meanwhile. (Default: 5000) */
  readonly busyTimeoutMs?: number;
  /** Steps to the tables in use. (Default: those of this version) */
  readonly migrations?: readonly string[];
}

type Row = Readonly<Record<string, SQLOutputValue>>;
type Statements = Readonly<Record<keyof typeof STATEMENTS, StatementSync>>;

/** After every run in the order of creation. */
const END_OF_TIME = Number.MAX_SAFE_INTEGER;

/** A run store in one SQLite file on a local disk; several processes may use it at once. */
export class SqliteRunStore implements RunStore {
  readonly #file: string;
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  readonly #writes: GroupCommit;

  private constructor(file: string, database: DatabaseSync) {
    this.#file = file;
    this.#database = database;
    const prepared = Object.entries(STATEMENTS).map(([name, sql]) => [name, database.prepare(sql)]);
    this.#statements = Object.fromEntries(prepared) as Statements;
    this.#writes = new GroupCommit((action) => this.#guard(() => transact(database, action)));
  }

  /**
   * Opens a store; creates the file, and folders on the way to it, for nobody but this user.
   *
   * @throws StoreError when the file is something else, damaged or from a later version, when it cannot be written, or
   *   when another process keeps it locked
   */
  static open(path: string, options: SqliteRunStoreOptions = {}): SqliteRunStore {
    const { busyTimeoutMs = 5000, migrations = MIGRATIONS } = options;
    const file = resolve(path);
    const database = openDatabase(file, { applicationId: APPLICATION_ID, migrations }, busyTimeoutMs);
    try {
      return new SqliteRunStore(file, database);
    } catch (error) {
      database.close();
      throw asStoreError(error, file);
    }
  }

  claim(claim: Claim): Promise<ClaimResult> {
    return this.#write(() => {
      const existing = this.#find(claim.jobId, claim.runId);
      if (existing !== undefined) return repeatedClaim(existing.run, claim);
      const unfinished = this.#statements.unfinishedOfJob.all(claim.jobId).map(unfinishedRunOf);
      const { result, stored } = firstClaim(claim, unfinished, this.#newest(claim.jobId));
      this.#insert(stored);
      return result;
    });
  }

  start(jobId: string, runId: string, token: string, attempt: Attempt): Promise<boolean> {
    return this.#write(() => {
      const stored = this.#find(jobId, runId);
      if (stored !== undefined && isStartedAs(stored.run, token, attempt)) return true;
      if (stored === undefined || !isClaimedBy(stored.run, token)) return false;
      const { run } = startedRun(stored, attempt);
      this.#statements.startRun.run(run.status, JSON.stringify(run.attempts), stored.id);
      this.#settle(run);
      return true;
    });
  }

  finish(finish: Finish): Promise<boolean> {
    return this.#write(() => {
      const stored = this.#find(finish.jobId, finish.runId);
      if (stored === undefined || !isOwnedBy(stored.run, finish.token)) return false;
      const { run, expiresAt } = finishedRun(stored, finish);
      this.#statements.finishRun.run(
        ...[run.status, run.reason ?? null, finish.at, expiresAt ?? null],
        ...[JSON.stringify(run.attempts), stored.id],
      );
      this.#count(run);
      if (stored.run.status === 'claimed') this.#settle(run);
      if (finish.attempt !== undefined && finish.output !== undefined) {
        this.#statements.setOutput.run(stored.id, finish.attempt.number, JSON.stringify(finish.output));
      }
      return true;
    });
  }

  answer(answer: Answer): Promise<void> {
    return this.#write(() => {
      if (this.#find(answer.jobId, answer.runId) === undefined) this.#insert(answeredRun(answer));
    });
  }

  release(jobId: string, runId: string, token: string): Promise<boolean> {
    return this.#write(() => {
      const stored = this.#find(jobId, runId);
      if (stored === undefined || !isClaimedBy(stored.run, token)) return false;
      this.#statements.deleteRun.run(stored.id);
      return true;
    });
  }

  run(jobId: string, runId: string): Promise<Run | undefined> {
    return this.#read(() => this.#find(jobId, runId)?.run);
  }

  runs({ jobId, limit, before }: RunQuery): Promise<readonly Run[]> {
    const { createdAt, jobId: beforeJob, runId } = before ?? { createdAt: END_OF_TIME, jobId: '', runId: '' };
    return this.#read(() => {
      const rows =
        jobId === undefined
          ? this.#statements.runs.all(createdAt, beforeJob, runId, limit)
          : this.#statements.runsOfJob.all(jobId, createdAt, runId, limit);
      return rows.map((row) => storedRunOf(row).run);
    });
  }

  output(jobId: string, runId: string, attempt: number): Promise<RunOutput | undefined> {
    return this.#read(() => fromJson<RunOutput>(this.#statements.output.get(runId, jobId, attempt)?.output));
  }

  unfinished(): Promise<readonly Run[]> {
    return this.#read(() => this.#statements.unfinished.all().map((row) => storedRunOf(row).run));
  }

  states(crontab: string): Promise<readonly JobState[]> {
    return this.#read(() =>
      this.#statements.states
        .all(crontab, crontab)
        .map(({ state }) => JSON.parse(state as string) as JobState),
    );
  }

  cursor(crontab: string): Promise<EpochMs | undefined> {
    return this.#read(() => this.#statements.cursor.get(crontab)?.handled_until as EpochMs | undefined);
  }

  setCursor(crontab: string, cursor: EpochMs): Promise<void> {
    return this.#write(() => void this.#statements.setCursor.run(crontab, cursor));
  }

  activePlan(crontab: string): Promise<ActivePlan | undefined> {
    return this.#read(() => {
      const row = this.#statements.plan.get(crontab);
      if (row === undefined) return undefined;
      const { hash, since, plan } = row;
      return { plan: JSON.parse(plan as string), hash: hash as string, since: since as EpochMs };
    });
  }

  setActivePlan({ plan, hash, since }: ActivePlan): Promise<void> {
    return this.#write(
      () => void this.#statements.setPlan.run(plan.crontab, hash, since, JSON.stringify(plan)),
    );
  }

  crontabs(): Promise<readonly string[]> {
    return this.#read(() => this.#statements.crontabs.all().map(({ crontab }) => crontab as string));
  }

  prune(now: EpochMs, limit: number): Promise<number> {
    return this.#write(() => Number(this.#statements.prune.run(now, limit).changes));
  }

  /** Writes what was submitted before, then lets go of the file. */
  async close(): Promise<void> {
    if (!this.#database.isOpen) return;
    this.#writes.flush();
    this.#guard(() => this.#database.close());
  }

  #write<T>(operation: () => T): Promise<T> {
    return this.#database.isOpen ? this.#writes.submit(operation) : this.#refuse();
  }

  async #read<T>(query: () => T): Promise<T> {
    return this.#database.isOpen ? this.#guard(query) : this.#refuse();
  }

  #refuse(): Promise<never> {
    return Promise.reject(new StoreError('closed', this.#file));
  }

  #guard<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw asStoreError(error, this.#file);
    }
  }

  #find(jobId: string, runId: string): (StoredRun & { readonly id: number }) | undefined {
    const row = this.#statements.run.get(runId, jobId);
    return row === undefined ? undefined : { ...storedRunOf(row), id: row.id as number };
  }

  #newest(jobId: string): NewestStart | undefined {
    const row = this.#statements.newest.get(jobId);
    if (row === undefined) return undefined;
    return { instant: row.newest_instant as EpochMs, runId: row.newest_run_id as string };
  }

  #insert({ run, holdsLock, expiresAt }: StoredRun): void {
    this.#statements.insertRun.run(
      ...[run.jobId, run.runId, run.scheduledTime, run.trigger, run.status, run.reason ?? null],
      ...[run.blockedBy ?? null, run.spanFrom ?? null, run.planHash, run.createdAt],
      ...[run.finishedAt ?? null, expiresAt ?? null, holdsLock ? 1 : 0],
      ...[run.owner === undefined ? null : JSON.stringify(run.owner), JSON.stringify(run.attempts)],
    );
    if (expiresAt !== undefined) this.#count(run);
  }

  #count(run: Run): void {
    const state = fromJson<JobState>(this.#statements.state.get(run.jobId)?.state);
    this.#statements.setState.run(run.jobId, JSON.stringify(countedState(state, run)));
  }

  /** Notes a start that can no longer be released; before that the claimed run itself tells of it. */
  #settle(run: Run): void {
    if (isDue(run)) this.#statements.settleNewest.run(run.jobId, run.scheduledTime, run.runId);
  }
}

function unfinishedRunOf(row: Row): UnfinishedRun {
  return {
    runId: row.run_id as string,
    scheduledTime: row.scheduled_time as EpochMs,
    trigger: row.triggered_by as Run['trigger'],
    holdsLock: row.holds_lock === 1,
  };
}

function storedRunOf(row: Row): StoredRun {
  const owner = fromJson<Run['owner']>(row.owner);
  const run: Run = {
    jobId: row.job_id as string,
    runId: row.run_id as string,
    scheduledTime: row.scheduled_time as EpochMs,
    trigger: row.triggered_by as Run['trigger'],
    status: row.status as Run['status'],
    ...(row.reason === null ? {} : { reason: row.reason as Run['reason'] }),
    ...(row.blocked_by === null ? {} : { blockedBy: row.blocked_by as string }),
    ...(row.span_from === null ? {} : { spanFrom: row.span_from as EpochMs }),
    planHash: row.plan_hash as string,
    createdAt: row.created_at as EpochMs,
    ...(row.finished_at === null ? {} : { finishedAt: row.finished_at as EpochMs }),
    ...(owner === undefined ? {} : { owner }),
    attempts: JSON.parse(row.attempts as string) as Run['attempts'],
  };
  return {
    run,
    holdsLock: row.holds_lock === 1,
    ...(row.expires_at === null ? {} : { expiresAt: row.expires_at as EpochMs }),
  };
}

function fromJson<T>(text: SQLOutputValue | undefined): T | undefined {
  return typeof text === 'string' ? (JSON.parse(text) as T) : undefined;
}
