import { resolve } from 'node:path';
import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import type { Target } from '../core/crontab/options.ts';
import { sha256Hex } from '../core/hash.ts';
import type { Notification } from '../core/notify/notification.ts';
import { emptyState, type JobState, recorded, renamedState } from '../core/run/job-state.ts';
import {
  isPausedAt,
  type PauseInterval,
  pauseEnd,
  type Resumption,
  type Stretch,
} from '../core/run/pause.ts';
import { DEFAULT_RETENTION, type Retention } from '../core/run/retention.ts';
import { type Attempt, isFinal, type OperatorRequest, type Run, type RunOutput } from '../core/run/run.ts';
import { dueRunId } from '../core/run/run-id.ts';
import type {
  ActivePlan,
  Answer,
  Claim,
  ClaimResult,
  Finish,
  Lease,
  Owed,
  PendingEnd,
  Reopening,
  RequestResult,
  RunKey,
  RunQuery,
  RunStore,
  Settlement,
} from '../core/run/run-store.ts';
import {
  answeredRun,
  cancelledRun,
  cancelResult,
  closedRun,
  decideClaim,
  finishedRun,
  followsOrder,
  handedRun,
  INTERVAL_RETENTION_MS,
  isClaimedBy,
  isFinishedAs,
  isOwnedBy,
  isStartedAs,
  type JobSituation,
  mayFinish,
  mayReopen,
  type NewestStart,
  owedRun,
  releasedRun,
  renamedRun,
  reopenedRun,
  type StoredRun,
  spanWith,
  startedRun,
  wasAsked,
} from '../core/run/run-transitions.ts';
import type { ScheduleChange, ScheduleInterval } from '../core/run/schedule-history.ts';
import type { EpochMs, ZoneTable } from '../core/schedule/zone-table.ts';
import { GroupCommit } from './group-commit.ts';
import { APPLICATION_ID, MIGRATIONS, STATEMENTS } from './run-store-schema.ts';
import { openDatabase, transact } from './sqlite-database.ts';
import { asStoreError, StoreError } from './store-error.ts';

export interface SqliteRunStoreOptions {
  /** How long a write waits for other processes before it fails. It blocks meanwhile. (Default: 5000) */
  readonly busyTimeoutMs?: number;
  /** How long final runs are kept. (Default: `DEFAULT_RETENTION`) */
  readonly retention?: Retention;
  /** Steps to the tables in use. (Default: those of this version) */
  readonly migrations?: readonly string[];
}

type Row = Readonly<Record<string, SQLOutputValue>>;
type Statements = Readonly<Record<keyof typeof STATEMENTS, StatementSync>>;

/** A run in its row. */
interface RunRow extends StoredRun {
  readonly id: number;
}

/** After every run in the order of creation, and the end of what has none. */
const END_OF_TIME = Number.MAX_SAFE_INTEGER;

/** A run store in one SQLite file on a local disk; several processes may use it at once. */
export class SqliteRunStore implements RunStore {
  readonly #file: string;
  readonly #database: DatabaseSync;
  readonly #retention: Retention;
  readonly #statements: Statements;
  readonly #writes: GroupCommit;

  private constructor(file: string, database: DatabaseSync, retention: Retention) {
    this.#file = file;
    this.#database = database;
    this.#retention = retention;
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
    const { busyTimeoutMs = 5000, retention = DEFAULT_RETENTION, migrations = MIGRATIONS } = options;
    const file = resolve(path);
    const database = openDatabase(file, { applicationId: APPLICATION_ID, migrations }, busyTimeoutMs);
    try {
      return new SqliteRunStore(file, database, retention);
    } catch (error) {
      database.close();
      throw asStoreError(error, file);
    }
  }

  claim(claim: Claim): Promise<ClaimResult> {
    return this.#write(() => {
      const existing = this.#find(claim);
      const { result, writes } = decideClaim(claim, existing, this.#situation(claim), this.#retention);
      for (const stored of writes) this.#put(stored, this.#idOf(stored, claim, existing), claim);
      if (result.outcome === 'won' && result.run.status === 'running') this.#settle(result.run);
      return result;
    });
  }

  start(jobId: string, runId: string, token: string, attempt: Attempt): Promise<boolean> {
    return this.#write(() => {
      const row = this.#owned({ jobId, runId }, token);
      if (row === undefined || isStartedAs(row.run, token, attempt)) return row !== undefined;
      if (!isClaimedBy(row.run, token)) return false;
      const { run } = startedRun(row, attempt);
      this.#statements.startRun.run(run.status, JSON.stringify(run.attempts), row.id);
      this.#settle(run);
      return true;
    });
  }

  extend(jobId: string, runId: string, token: string, leaseUntil: EpochMs): Promise<Lease | undefined> {
    return this.#write(() => {
      const row = this.#owned({ jobId, runId }, token);
      if (row === undefined) return undefined;
      this.#statements.extendRun.run(leaseUntil, row.id);
      const { cancelRequest } = row.run;
      return cancelRequest === undefined ? {} : { cancelRequest };
    });
  }

  finish(finish: Finish): Promise<boolean> {
    return this.#write(() => {
      const row = this.#owned(finish, finish.token);
      if (row === undefined || !mayFinish(row.run, finish)) {
        return this.#known(finish).some(({ run }) => isFinishedAs(run, finish));
      }
      const { attempt, output } = finish;
      this.#put(finishedRun(row, finish, this.#retention), row.id, finish);
      if (attempt !== undefined && output !== undefined) {
        this.#statements.setOutput.run(row.id, attempt.number, JSON.stringify(output));
      }
      return true;
    });
  }

  settle({ answers, owed }: Settlement): Promise<void> {
    return this.#write(() => {
      for (const answer of answers) this.#answer(answer);
      for (const one of owed) this.#owe(one);
    });
  }

  owe(owed: Owed): Promise<boolean> {
    return this.#write(() => this.#owe(owed));
  }

  endPending(end: PendingEnd): Promise<boolean> {
    return this.#write(() => {
      const row = this.#find(end);
      if (row?.run.status !== 'pending') return false;
      this.#put(closedRun(row, end, this.#retention), row.id, { channel: end.channel });
      return true;
    });
  }

  handOut(key: RunKey, at: EpochMs): Promise<boolean> {
    return this.#write(() => {
      const row = this.#find(key);
      const handed = row && handedRun(row, at);
      if (row !== undefined && handed !== undefined) this.#put(handed, row.id);
      return handed !== undefined;
    });
  }

  release(
    jobId: string,
    runId: string,
    token: string,
    at: EpochMs,
    ifLeaseUntil?: EpochMs,
  ): Promise<boolean> {
    return this.#write(() => {
      const row = this.#owned({ jobId, runId }, token);
      if (row === undefined || !isClaimedBy(row.run, token)) return false;
      if (ifLeaseUntil !== undefined && row.run.leaseUntil !== ifLeaseUntil) return false;
      this.#put(releasedRun(row, at), row.id);
      return true;
    });
  }

  cancel(key: RunKey, request: OperatorRequest): Promise<RequestResult> {
    return this.#write((): RequestResult => {
      const row = this.#find(key);
      if (row === undefined) return { outcome: 'unknown' };
      const result = cancelResult(row.run, request);
      if (result !== undefined) return result;
      const asked = cancelledRun(row, request, this.#retention);
      this.#put(asked, row.id);
      return { outcome: isFinal(asked.run.status) ? 'done' : 'requested', run: asked.run };
    });
  }

  reopen(reopening: Reopening): Promise<RequestResult> {
    return this.#write((): RequestResult => {
      const row = this.#find(reopening);
      if (row === undefined) return { outcome: 'unknown' };
      const { run } = row;
      if (wasAsked(run, reopening.request)) return { outcome: 'done', run };
      if (!mayReopen(run)) return { outcome: 'not-possible', run };
      const reopened = reopenedRun(row, reopening);
      this.#put(reopened, row.id);
      return { outcome: 'done', run: reopened.run };
    });
  }

  pause(pause: PauseInterval): Promise<PauseInterval> {
    return this.#write(() => {
      const { jobId, from, ...rest } = pause;
      const inForce = this.#pauses(jobId).find((one) => isPausedAt(one, from));
      if (inForce !== undefined) return inForce;
      this.#statements.insertPause.run(jobId, from, endOf(pause), JSON.stringify(rest));
      return pause;
    });
  }

  resume(jobId: string, resumption: Resumption): Promise<PauseInterval | undefined> {
    return this.#write(() => {
      const { at } = resumption;
      for (const row of this.#statements.pausesAfter.all(jobId, at)) {
        const pause = pauseOf(row);
        if (!isPausedAt(pause, at)) continue;
        const { jobId: _jobId, from: _from, ...rest } = { ...pause, resumed: resumption };
        this.#statements.endPause.run(at, JSON.stringify(rest), row.id as number);
      }
      return this.#pauses(jobId).find(({ resumed }) => resumed?.at === at);
    });
  }

  run(jobId: string, runId: string): Promise<Run | undefined> {
    return this.#read(() => this.#find({ jobId, runId })?.run);
  }

  runs({ jobId, limit, before }: RunQuery): Promise<readonly Run[]> {
    const { createdAt, jobId: beforeJob, runId } = before ?? { createdAt: END_OF_TIME, jobId: '', runId: '' };
    return this.#read(() => {
      const rows =
        jobId === undefined
          ? this.#statements.runs.all(createdAt, beforeJob, runId, limit)
          : this.#statements.runsOfJob.all(jobId, createdAt, runId, limit);
      return rows.map(runOf);
    });
  }

  answeredUntil(jobId: string, after: EpochMs, until: EpochMs): Promise<EpochMs | undefined> {
    return this.#read(() => {
      const row = this.#statements.answeredUntil.get(
        ...[jobId, after, until, dueRunId(after), dueRunId(until)],
      );
      return (row?.instant ?? undefined) as EpochMs | undefined;
    });
  }

  existing(keys: readonly RunKey[]): Promise<readonly RunKey[]> {
    return this.#read(() => keys.filter((key) => this.#find(key) !== undefined));
  }

  answered(jobId: string, after: EpochMs, until: EpochMs): Promise<readonly Stretch[]> {
    return this.#read(() => {
      const rows = this.#statements.answered.all(
        ...[jobId, after, until, dueRunId(after), dueRunId(until)],
      ) as { run_id: string; scheduled_time: EpochMs; span_from: EpochMs | null }[];
      return rows
        .filter((row) => row.span_from !== null || row.run_id === dueRunId(row.scheduled_time))
        .map(({ span_from, scheduled_time }): Stretch => [span_from ?? scheduled_time, scheduled_time])
        .sort(([a, aEnd], [b, bEnd]) => a - b || aEnd - bEnd);
    });
  }

  spanAt(jobId: string, instant: EpochMs): Promise<Run | undefined> {
    return this.#read(() => this.#statements.spanAt.all(jobId, instant).map(runOf)[0]);
  }

  output(jobId: string, runId: string, attempt: number): Promise<RunOutput | undefined> {
    return this.#read(() => parsed<RunOutput>(this.#statements.output.get(runId, jobId, attempt)?.output));
  }

  unfinished(): Promise<readonly Run[]> {
    return this.#read(() => this.#statements.unfinished.all().map(runOf));
  }

  pending(now: EpochMs, limit: number): Promise<readonly Run[]> {
    return this.#read(() => this.#statements.pending.all(now, limit).map(runOf));
  }

  pendingCounts(crontab: string): Promise<ReadonlyMap<string, number>> {
    return this.#read(() => {
      const rows = this.#statements.pendingCounts.all(crontab);
      return new Map(rows.map(({ job_id, count }) => [job_id as string, count as number]));
    });
  }

  states(crontab: string): Promise<readonly JobState[]> {
    return this.#read(() => this.#statements.states.all(crontab).map(({ state }) => parse<JobState>(state)));
  }

  pauses(jobId: string): Promise<readonly PauseInterval[]> {
    return this.#read(() => this.#pauses(jobId));
  }

  pausesAt(crontab: string, instant: EpochMs): Promise<readonly PauseInterval[]> {
    return this.#read(() => this.#statements.pausesAt.all(crontab, instant).map(pauseOf));
  }

  schedules(jobId: string): Promise<readonly ScheduleInterval[]> {
    return this.#read(() => this.#intervals(this.#statements.schedules.all(jobId)));
  }

  currentSchedules(crontab: string): Promise<readonly ScheduleInterval[]> {
    return this.#read(() => this.#intervals(this.#statements.currentSchedules.all(crontab)));
  }

  takeTurn(crontab: string, token: string, at: EpochMs, until: EpochMs): Promise<boolean> {
    return this.#write(() => {
      const taken = this.#statements.turn.get(crontab);
      if (taken !== undefined && taken.token !== token && (taken.until_time as EpochMs) > at) return false;
      this.#statements.setTurn.run(crontab, token, until);
      return true;
    });
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
      const { hash, since, plan, target } = row;
      return {
        ...{ plan: parse<ActivePlan['plan']>(plan), hash: hash as string, since: since as EpochMs },
        ...(target === null ? {} : { target: target as Target }),
      };
    });
  }

  setActivePlan({ plan, hash, since, target }: ActivePlan, change: ScheduleChange): Promise<void> {
    return this.#write(() => {
      const { setPlan, dropSchedule, closeSchedule } = this.#statements;
      setPlan.run(plan.crontab, hash, since, JSON.stringify(plan), target ?? null);
      for (const { from, to } of change.renamed) this.#rename(from, to);
      const { at, closed, opened } = change;
      // What begins at this very moment was opened by the same change before, and its answer was lost.
      for (const jobId of [...closed, ...opened.map((one) => one.jobId)]) dropSchedule.run(jobId, at);
      for (const jobId of closed) closeSchedule.run(at, jobId);
      this.#openSchedules(opened);
    });
  }

  crontabs(): Promise<readonly string[]> {
    return this.#read(() => this.#statements.crontabs.all().map(({ crontab }) => crontab as string));
  }

  takeNotifications(now: EpochMs, reservedUntil: EpochMs, limit: number): Promise<readonly Notification[]> {
    return this.#write(() =>
      this.#statements.dueNotifications.all(now, limit).map(({ number, notification }) => {
        this.#statements.reserveNotification.run(reservedUntil, number as number);
        return parse<Notification>(notification);
      }),
    );
  }

  settleNotification(id: string, next: { readonly nextTryAt: EpochMs } | undefined): Promise<void> {
    return this.#write(() => {
      const row = this.#statements.notification.get(id);
      if (row === undefined) return;
      if (next === undefined) this.#statements.deleteNotification.run(id);
      else {
        const notification = parse<Notification>(row.notification);
        const tried: Notification = { ...notification, tries: notification.tries + 1 };
        this.#statements.retryNotification.run(next.nextTryAt, JSON.stringify(tried), row.number as number);
      }
    });
  }

  expired(now: EpochMs): Promise<number> {
    return this.#read(() => this.#statements.expired.get(now)?.count as number);
  }

  prune(now: EpochMs, limit: number): Promise<number> {
    return this.#write(() => {
      this.#statements.prunePauses.run(now - INTERVAL_RETENTION_MS);
      this.#statements.pruneSchedules.run(now - INTERVAL_RETENTION_MS);
      return Number(this.#statements.prune.run(now, limit).changes);
    });
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

  #answer(answer: Answer): void {
    const row = this.#find(answer);
    if (row === undefined) this.#put(answeredRun(answer, this.#retention), undefined, answer);
    else {
      const longer = spanWith(row, answer);
      if (longer !== undefined) this.#statements.extendSpan.run(longer.run.scheduledTime, row.id);
    }
  }

  #owe(owed: Owed): boolean {
    if (this.#find(owed) !== undefined) return false;
    this.#put(owedRun(owed), undefined);
    return true;
  }

  #find({ jobId, runId }: RunKey): RunRow | undefined {
    const row = this.#statements.run.get(runId, jobId);
    return row === undefined ? undefined : storedRunOf(row);
  }

  /** The run of an owner, also when its job has another name by now. */
  #owned(key: RunKey, token: string): RunRow | undefined {
    const row = this.#find(key);
    if (row !== undefined && isOwnedBy(row.run, token)) return row;
    return this.#known(key).find(({ run }) => isOwnedBy(run, token));
  }

  /** The run, and those of its id that the job's later names have. */
  #known({ jobId, runId }: RunKey): RunRow[] {
    const names = new Set<string>();
    for (let name: string | undefined = jobId; name !== undefined && !names.has(name); ) {
      names.add(name);
      name = this.#statements.alias.get(name)?.new_id as string | undefined;
    }
    return [...names].flatMap((name) => this.#find({ jobId: name, runId }) ?? []);
  }

  #situation({ jobId, scheduledTime, at }: Claim): JobSituation {
    const { unfinishedOfJob, owedBefore, newest } = this.#statements;
    const row = newest.get(jobId);
    const settled: NewestStart | undefined = row && {
      instant: row.newest_instant as EpochMs,
      runId: row.newest_run_id as string,
    };
    return {
      unfinished: unfinishedOfJob.all(jobId).map(storedRunOf),
      *owedBefore(instant) {
        for (const owed of owedBefore.iterate(jobId, instant)) yield storedRunOf(owed);
      },
      settled,
      pauses: this.#pausesAfter(jobId, Math.min(scheduledTime, at)),
    };
  }

  /** The row of a run that a claim writes; undefined when it is new. */
  #idOf({ run }: StoredRun, claim: Claim, existing: RunRow | undefined): number | undefined {
    return run.runId === claim.runId ? existing?.id : this.#find(run)?.id;
  }

  /** Writes a run into its row, or a new one, and what its end means for its job. */
  #put(
    { run, holdsLock, expiresAt }: StoredRun,
    id: number | undefined,
    ended: { readonly attempt?: Attempt | undefined; readonly channel?: string | undefined } = {},
  ): void {
    const changing: SQLInputValue[] = [
      ...[run.status, run.reason ?? null, run.blockedBy ?? null, run.finishedAt ?? null, expiresAt ?? null],
      ...[holdsLock ? 1 : 0, run.cause ?? null, run.notBefore ?? null, run.startBy ?? null],
      ...[
        run.handedAt ?? null,
        run.maxActiveRuns ?? null,
        json(run.owner),
        run.leaseUntil ?? null,
        json(run.cancelRequest),
      ],
      ...[json(run.requests), followsOrder(run) ? 1 : 0, JSON.stringify(run.attempts)],
    ];
    if (id === undefined) {
      const { jobId, runId, scheduledTime, trigger, planHash, createdAt, spanFrom = null } = run;
      const fixed = [jobId, runId, scheduledTime, trigger, planHash, createdAt, spanFrom];
      this.#statements.insertRun.run(...fixed, ...changing);
    } else this.#statements.updateRun.run(...changing, id);
    if (isFinal(run.status) || ended.attempt !== undefined) this.#record(run, ended.attempt, ended.channel);
  }

  /** Notes a start that can no longer be given back. */
  #settle(run: Run): void {
    if (followsOrder(run)) this.#statements.settleNewest.run(run.jobId, run.scheduledTime, run.runId);
  }

  #record(run: Run, attempt: Attempt | undefined, channel: string | undefined): void {
    const { state, notification } = recorded(
      this.#state(run.jobId) ?? emptyState(run.jobId),
      ...([run, attempt, channel] as const),
    );
    this.#statements.setState.run(run.jobId, JSON.stringify(state));
    if (notification === undefined) return;
    const { id, at } = notification;
    this.#statements.queueNotification.run(id, at, JSON.stringify(notification));
  }

  #state(jobId: string): JobState | undefined {
    return parsed<JobState>(this.#statements.state.get(jobId)?.state);
  }

  #pauses(jobId: string): PauseInterval[] {
    return this.#statements.pauses.all(jobId).map(pauseOf);
  }

  #pausesAfter(jobId: string, instant: EpochMs): PauseInterval[] {
    return this.#statements.pausesAfter.all(jobId, instant).map(pauseOf);
  }

  /** Thousands of schedules share a few zone tables. */
  #openSchedules(intervals: readonly ScheduleInterval[]): void {
    const { keepZoneTable, openSchedule } = this.#statements;
    const hashes = new Map<ZoneTable, string>();
    for (const { jobId, from, until = null, table, ...schedule } of intervals) {
      const text = JSON.stringify(table);
      const hash = hashes.get(table) ?? sha256Hex(text);
      if (!hashes.has(table)) keepZoneTable.run(hash, text);
      hashes.set(table, hash);
      openSchedule.run(jobId, from, until, hash, JSON.stringify(schedule));
    }
  }

  #intervals(rows: readonly Row[]): ScheduleInterval[] {
    const tables = new Map<string, ZoneTable>();
    const tableOf = (hash: string): ZoneTable => {
      const table = tables.get(hash) ?? parse<ZoneTable>(this.#statements.zoneTable.get(hash)?.zone_table);
      tables.set(hash, table);
      return table;
    };
    return rows.map(({ job_id, from_time, until_time, zone_table, schedule }) => ({
      ...parse<Pick<ScheduleInterval, 'schedule' | 'written' | 'zone'>>(schedule),
      jobId: job_id as string,
      from: from_time as EpochMs,
      ...(until_time === null ? {} : { until: until_time as EpochMs }),
      table: tableOf(zone_table as string),
    }));
  }

  #rename(from: string, to: string): void {
    const { renameRuns, renamePauses, renameSchedules, setAlias } = this.#statements;
    const underWay = this.#statements.unfinishedOfJob.all(from).map(storedRunOf);
    for (const statement of [renameRuns, renamePauses, renameSchedules, setAlias]) statement.run(from, to);
    for (const row of underWay) this.#put({ ...row, run: renamedRun(row.run, to) }, row.id);
    const state = this.#state(from);
    if (state !== undefined) {
      const renamed = renamedState(state, this.#state(to), to);
      this.#statements.setState.run(to, JSON.stringify(renamed));
      this.#statements.deleteState.run(from);
    }
    const newest = this.#statements.newest.get(from);
    if (newest === undefined) return;
    const { newest_instant, newest_run_id } = newest as Readonly<Record<string, SQLInputValue>>;
    this.#statements.settleNewest.run(to, newest_instant as number, newest_run_id as string);
    this.#statements.deleteNewest.run(from);
  }
}

function storedRunOf(row: Row): RunRow {
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
    ...(row.cause === null ? {} : { cause: row.cause as Run['cause'] }),
    ...(row.not_before === null ? {} : { notBefore: row.not_before as EpochMs }),
    ...(row.start_by === null ? {} : { startBy: row.start_by as EpochMs }),
    ...(row.handed_at === null ? {} : { handedAt: row.handed_at as EpochMs }),
    ...(row.max_active_runs === null ? {} : { maxActiveRuns: row.max_active_runs as number }),
    ...(row.owner === null ? {} : { owner: parse<Run['owner']>(row.owner) }),
    ...(row.lease_until === null ? {} : { leaseUntil: row.lease_until as EpochMs }),
    ...(row.cancel_request === null ? {} : { cancelRequest: parse<OperatorRequest>(row.cancel_request) }),
    ...(row.requests === null ? {} : { requests: parse<OperatorRequest[]>(row.requests) }),
    attempts: parse<Attempt[]>(row.attempts),
  };
  return {
    id: row.id as number,
    run,
    holdsLock: row.holds_lock === 1,
    ...(row.expires_at === null ? {} : { expiresAt: row.expires_at as EpochMs }),
  };
}

function runOf(row: Row): Run {
  return storedRunOf(row).run;
}

function pauseOf({ job_id, from_time, pause }: Row): PauseInterval {
  const rest = parse<Omit<PauseInterval, 'jobId' | 'from'>>(pause);
  return { ...rest, jobId: job_id as string, from: from_time as EpochMs };
}

/** The end of a pause as a number that SQLite keeps. */
function endOf(pause: PauseInterval): EpochMs {
  return Math.min(pauseEnd(pause), END_OF_TIME);
}

function json(value: object | undefined): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

function parse<T>(text: SQLOutputValue | undefined): T {
  return JSON.parse(text as string) as T;
}

function parsed<T>(text: SQLOutputValue | undefined): T | undefined {
  return text === undefined ? undefined : parse<T>(text);
}
