import { diffPlans } from '../shared/core/plan/diff.ts';
import {
  type PlannedJob,
  planHash,
  REBOOT,
  runsOn,
  type SchedulePlan,
  timetableOf,
} from '../shared/core/plan/plan.ts';
import { type CommandUser, executeRun } from '../shared/core/run/execute-run.ts';
import type { Clock, CommandRunner } from '../shared/core/run/ports.ts';
import { type Owner, type Reason, type Run, startBy, type Trigger } from '../shared/core/run/run.ts';
import {
  crontabOf,
  cutToMinute,
  dueRunId,
  jobIdOf,
  jobNameOf,
  rebootRunId,
} from '../shared/core/run/run-id.ts';
import type { ActivePlan, Answer, RunStore } from '../shared/core/run/run-store.ts';
import { type Missed, settle } from '../shared/core/run/settle.ts';
import { nextDue, type Timetable } from '../shared/core/schedule/due.ts';
import { DueQueue } from '../shared/core/schedule/due-queue.ts';
import type { EpochMs } from '../shared/core/schedule/zone-table.ts';
import type { EmitEvent } from './events.ts';

/** A clock jump is noticed after this at the latest. Milliseconds. */
const LONGEST_SLEEP_MS = 15_000;
/** A cursor further ahead of the clock than this was written under a wrong clock. Milliseconds. */
const LARGEST_SET_BACK_MS = 3 * 3_600_000;
/** Commands that are started between two looks at anything else. */
const START_CHUNK = 50;
/** Wait after a store error before the same minute is tried again. Milliseconds. */
const RETRY_TICK_MS = 1000;

export interface SchedulerPorts {
  readonly store: RunStore;
  readonly clock: Clock;
  readonly commands: CommandRunner;
  readonly emit: EmitEvent;
}

export interface SchedulerOptions {
  readonly owner: Owner;
  readonly user: CommandUser;
  /** Variables for every command, by `--pass-env`. */
  readonly passed: Readonly<Record<string, string>>;
  /** Value of a secret; undefined when the daemon has none. */
  readonly secret: (name: string) => string | undefined;
}

/** A job that has times, on the queue under its next one. */
interface ScheduledJob {
  readonly active: ActivePlan;
  readonly job: PlannedJob;
  readonly jobId: string;
  readonly timetable: Timetable;
  next: EpochMs;
}

/** One crontab in force. */
interface Lane {
  readonly active: ActivePlan;
  readonly jobs: readonly ScheduledJob[];
  /** Newest minute that is handled. */
  cursor: EpochMs;
}

interface RunningRun {
  readonly run: Run;
  readonly job: PlannedJob;
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/** A run that is due and not yet claimed. */
interface DueRun {
  readonly active: ActivePlan;
  readonly job: PlannedJob;
  readonly jobId: string;
  readonly runId: string;
  readonly scheduledTime: EpochMs;
  readonly trigger: Trigger;
}

/** Due instants that will not be started. */
interface MissedRuns {
  readonly jobId: string;
  readonly planHash: string;
  readonly missed: Missed;
}

/** What a stretch of time asks for; all of it is written in one turn. */
interface Work {
  readonly due: DueRun[];
  readonly missed: MissedRuns[];
  /** Claims of a process that died before it started anything: given back, and claimed anew. */
  readonly abandoned: Run[];
}

/**
 * Starts what is due at its minute: never before, and once. Crontabs come and go by `activate`; one tick or
 * activation happens at a time.
 */
export class Scheduler {
  readonly #ports: SchedulerPorts;
  readonly #options: SchedulerOptions;
  readonly #lanes = new Map<string, Lane>();
  readonly #queue = new DueQueue<ScheduledJob>();
  readonly #running = new Map<string, RunningRun>();
  #abandoned: Run[] = [];
  #turn: Promise<unknown> = Promise.resolve();
  #wake = new AbortController();
  #isStopping = false;
  #lastTick: number;

  constructor(ports: SchedulerPorts, options: SchedulerOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#lastTick = ports.clock.monotonic();
  }

  /** Jobs in force with their next due instants, in no order. */
  *jobs(): Generator<{ crontab: string; job: PlannedJob; next: EpochMs | undefined }> {
    for (const lane of this.#lanes.values()) {
      const next = new Map(lane.jobs.map((one) => [one.job, one.next]));
      for (const job of lane.active.plan.jobs) {
        yield { crontab: lane.active.plan.crontab, job, next: next.get(job) };
      }
    }
  }

  get plans(): readonly ActivePlan[] {
    return [...this.#lanes.values()].map(({ active }) => active);
  }

  /** Earliest due instant of all jobs. */
  get nextInstant(): EpochMs | undefined {
    return this.#queue.next;
  }

  get running(): readonly { readonly run: Run; readonly job: PlannedJob }[] {
    return [...this.#running.values()];
  }

  /** How long ago the loop last went round. Milliseconds on the monotonic clock. */
  get sinceLastTick(): number {
    return this.#ports.clock.monotonic() - this.#lastTick;
  }

  /**
   * Puts a plan in force. What was due under the plan before it, in this process or the last one, is settled first;
   * a job owes nothing from before it existed.
   */
  activate(plan: SchedulePlan, file: string): Promise<void> {
    return this.#exclusively(async () => {
      const { store, clock, emit } = this.#ports;
      const before = this.#lanes.get(plan.crontab);
      // One instant parts the old plan from the new: a minute that begins in between belongs to one of them.
      const now = clock.now();
      if (before !== undefined) await this.#handleDue(now);
      const stored = before?.active ?? (await store.activePlan(plan.crontab));
      const hash = planHash(plan);
      const isSame = stored?.hash === hash;
      const active = isSame ? stored : { plan, hash, since: now };
      if (before === undefined && stored !== undefined) await this.#settleDowntime(stored, active, now);
      if (!isSame) await store.setActivePlan(active);
      // A cursor ahead of the clock stays: what it covers was handled before the clock went back.
      const stopped = before?.cursor ?? (await store.cursor(plan.crontab)) ?? now;
      const cursor = this.#plausibleCursor(Math.max(stopped, now), now);
      await store.setCursor(plan.crontab, cursor);
      this.#putInForce(active, cursor);
      const diff = stored === undefined || isSame ? undefined : diffPlans(stored.plan, plan);
      emit({ kind: 'crontab-loaded', crontab: plan.crontab, file, active, diff });
    });
  }

  /** Takes a crontab out of force, after what is due under it by now. What runs goes on. */
  deactivate(crontab: string): Promise<void> {
    return this.#exclusively(async () => {
      await this.#handleDue(this.#ports.clock.now());
      this.#queue.remove(({ active }) => active.plan.crontab === crontab);
      if (this.#lanes.delete(crontab)) this.#ports.emit({ kind: 'crontab-removed', crontab });
    });
  }

  /** Claims and starts the `@reboot` jobs, unless they ran on this occasion already. */
  startReboot(occasion: string): Promise<void> {
    return this.#exclusively(async () => {
      const scheduledTime = cutToMinute(this.#ports.clock.now());
      const due: DueRun[] = [];
      for (const { active } of this.#lanes.values()) {
        for (const job of active.plan.jobs) {
          if (job.schedule !== REBOOT || !isStarted(job)) continue;
          const jobId = jobIdOf(active.plan.crontab, job.name);
          due.push({ active, job, jobId, runId: rebootRunId(occasion), scheduledTime, trigger: 'schedule' });
        }
      }
      await this.#start({ due, missed: [], abandoned: [] });
    });
  }

  /** Goes round until `stop` is called. */
  async run(): Promise<void> {
    const { clock, emit } = this.#ports;
    while (!this.#isStopping) {
      let wait = LONGEST_SLEEP_MS;
      try {
        await this.#exclusively(() => this.#handleDue(clock.now()));
      } catch (error) {
        emit({ kind: 'error', message: 'the store failed; this minute is tried again', error });
        wait = RETRY_TICK_MS;
      }
      this.#lastTick = clock.monotonic();
      const next = this.#queue.next;
      if (next !== undefined) wait = Math.min(wait, Math.max(next - clock.now(), 0));
      this.#wake = new AbortController();
      if (!this.#isStopping) await clock.sleep(wait, this.#wake.signal);
    }
  }

  /** Starts nothing more; `run` returns. */
  stop(): void {
    this.#isStopping = true;
    this.#wake.abort();
  }

  /** Waits for the commands that run, then stops those that are left: TERM, grace, KILL. */
  async drain(drainMs: number, hurry: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    await this.#turn;
    const idle = () => Promise.allSettled([...this.#running.values()].map(({ done }) => done));
    const over = new AbortController();
    const hurried = AbortSignal.any([hurry, over.signal]);
    await Promise.race([idle(), clock.sleep(drainMs, hurried)]);
    over.abort();
    for (const { stop } of this.#running.values()) stop.abort('daemon-stopped' satisfies Reason);
    await idle();
  }

  /** One tick or activation at a time: a tick in the middle of an activation would mix two plans. */
  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }

  #putInForce(active: ActivePlan, cursor: EpochMs): void {
    const { plan } = active;
    this.#queue.remove((one) => one.active.plan.crontab === plan.crontab);
    const jobs: ScheduledJob[] = [];
    for (const job of plan.jobs) {
      const timetable = isStarted(job) ? timetableOf(plan, job) : undefined;
      const next = timetable === undefined ? undefined : nextDue(timetable, cursor);
      if (timetable === undefined || next === undefined) continue;
      const scheduled = { active, job, jobId: jobIdOf(plan.crontab, job.name), timetable, next };
      jobs.push(scheduled);
      this.#queue.push(next, scheduled);
    }
    this.#lanes.set(plan.crontab, { active, jobs, cursor });
    this.#wake.abort();
  }

  /** Handles everything that is due by now. */
  async #handleDue(now: EpochMs): Promise<void> {
    const { store, clock, emit } = this.#ports;
    const begin = clock.monotonic();
    this.#noticeSetBack(now);
    const popped: ScheduledJob[] = [];
    const work: Work = { due: [], missed: [], abandoned: [] };
    for (let job = this.#queue.popDue(now); job !== undefined; job = this.#queue.popDue(now)) {
      popped.push(job);
      settleJob(job, job.job, job.timetable, job.next - 1, now, work);
    }
    if (popped.length === 0) return;
    const cursor = cutToMinute(now);
    try {
      const cursors = [...this.#lanes.values()].filter((lane) => lane.cursor < cursor);
      await this.#start(work, () =>
        cursors.map(({ active }) => store.setCursor(active.plan.crontab, cursor)),
      );
      for (const lane of cursors) lane.cursor = cursor;
    } catch (error) {
      // Back to where they were: claims that did succeed are won again under the same token.
      for (const job of popped) this.#queue.push(job.next, job);
      throw error;
    }
    for (const job of popped) {
      const next = nextDue(job.timetable, now);
      if (next === undefined) continue;
      job.next = next;
      this.#queue.push(next, job);
    }
    emit({ kind: 'tick', now, handled: popped.length, durationMs: clock.monotonic() - begin });
  }

  /** Records what is missed and claims what is due, all in one turn and so in one transaction, and starts what was won. */
  async #start({ due, missed, abandoned }: Work, more: () => Promise<unknown>[] = () => []): Promise<void> {
    const { store, clock, emit } = this.#ports;
    const at = clock.now();
    const writes: Promise<unknown>[] = [
      ...abandoned.map((run) => store.release(run.jobId, run.runId, run.owner?.token ?? '')),
      ...missed.map((one) => store.answer(answerOf(one, at))),
    ];
    const claims = due.map((one) =>
      store.claim({
        jobId: one.jobId,
        runId: one.runId,
        scheduledTime: one.scheduledTime,
        trigger: one.trigger,
        planHash: one.active.hash,
        owner: this.#options.owner,
        concurrencyPolicy: one.job.options['concurrency-policy'] ?? 'forbid',
        at,
      }),
    );
    const [results] = await Promise.all([Promise.all(claims), Promise.all(writes), Promise.all(more())]);
    for (const { jobId, missed: one } of missed) emit({ kind: 'runs-missed', jobId, missed: one });

    const won: { run: Run; job: PlannedJob }[] = [];
    for (const [index, { outcome, run }] of results.entries()) {
      if (outcome === 'skipped') emit({ kind: 'run-skipped', run });
      else if (outcome === 'taken') emit({ kind: 'run-taken', run });
      else if (!this.#running.has(runKey(run))) won.push({ run, job: (due[index] as DueRun).job });
    }
    for (let from = 0; from < won.length; from += START_CHUNK) {
      await Promise.all(won.slice(from, from + START_CHUNK).map(({ run, job }) => this.#execute(run, job)));
    }
  }

  /** @returns when the command has been started, or it is clear that it will not be */
  #execute(run: Run, job: PlannedJob): Promise<void> {
    const { store, clock, commands, emit } = this.#ports;
    const { user, passed, secret } = this.#options;
    const stop = new AbortController();
    const started = Promise.withResolvers<void>();
    const secrets: Record<string, string> = {};
    for (const name of job.options.secrets ?? []) {
      const value = secret(name);
      if (value === undefined)
        emit({ kind: 'warning', message: `job ${run.jobId}: the daemon has no secret \`${name}\`` });
      else secrets[name] = value;
    }
    const done = executeRun(
      run,
      job,
      { store, clock, commands },
      {
        user,
        passed,
        secrets,
        stop: stop.signal,
        onStart: (attempt) => {
          emit({ kind: 'run-started', run, job, attempt });
          started.resolve();
        },
        onStoreError: (error) => {
          started.resolve();
          emit({
            kind: 'error',
            message: `the store failed for run ${run.jobId} ${run.runId}; it is asked again`,
            error,
          });
        },
      },
    )
      .then((finish) => {
        if (finish !== undefined) emit({ kind: 'run-ended', run, job, finish });
      })
      .catch((error: unknown) =>
        emit({ kind: 'error', message: `run ${run.jobId} ${run.runId} broke off`, error }),
      )
      .finally(() => {
        this.#running.delete(runKey(run));
        started.resolve();
      });
    this.#running.set(runKey(run), { run, job, stop, done });
    return started.promise;
  }

  /**
   * Closes what processes that died have left in the store, before the first `activate`: an attempt that ran is lost,
   * one that was only claimed is started anew when its crontab comes in force.
   *
   * @param isAlive whether the owner lives; undefined when that cannot be seen from here
   */
  async recover(isAlive: (owner: Owner) => boolean | undefined): Promise<void> {
    const { store, clock, emit } = this.#ports;
    for (const run of await store.unfinished()) {
      const { owner } = run;
      if (owner === undefined || isAlive(owner) !== false) continue;
      // A run by hand is not started behind the back of the person who gave it up.
      if (run.status === 'claimed' && run.trigger !== 'manual') {
        this.#abandoned.push(run);
        continue;
      }
      const at = clock.now();
      const attempt = run.attempts.at(-1);
      const end = { status: 'lost', reason: 'owner-died' } as const;
      const isClosed = await store.finish({
        jobId: run.jobId,
        runId: run.runId,
        token: owner.token,
        ...end,
        ...(attempt === undefined ? {} : { attempt: { ...attempt, ...end, finishedAt: at } }),
        at,
      });
      if (isClosed) emit({ kind: 'run-lost', run });
    }
  }

  /** Answers what fell due while no daemon ran, by the plan that was in force then. */
  async #settleDowntime(old: ActivePlan, active: ActivePlan, now: EpochMs): Promise<void> {
    const { crontab } = old.plan;
    const cursor = (await this.#ports.store.cursor(crontab)) ?? old.since;
    const jobsNow = new Map(active.plan.jobs.filter(isStarted).map((job) => [job.name, job]));
    const work: Work = { due: [], missed: [], abandoned: [] };
    if (cursor < now) {
      for (const job of old.plan.jobs) {
        const timetable = isStarted(job) ? timetableOf(old.plan, job) : undefined;
        if (timetable === undefined) continue;
        settleJob(
          { active, jobId: jobIdOf(crontab, job.name) },
          jobsNow.get(job.name),
          timetable,
          cursor,
          now,
          work,
        );
      }
    }
    for (const run of this.#abandoned.filter(({ jobId }) => crontabOf(jobId) === crontab)) {
      const { jobId, runId, scheduledTime } = run;
      const job = jobsNow.get(jobNameOf(jobId));
      const timetable = job === undefined ? undefined : timetableOf(active.plan, job);
      const next = timetable === undefined ? undefined : nextDue(timetable, scheduledTime);
      const isOver = startBy(scheduledTime, next, job?.options['starting-deadline']) < now;
      work.abandoned.push(run);
      if (job === undefined || isOver) {
        const reason = job === undefined ? 'removed' : 'too-late';
        work.missed.push({ jobId, planHash: active.hash, missed: { instant: scheduledTime, reason } });
      } else {
        work.due.push({ active, job, jobId, runId, scheduledTime, trigger: 'catch-up' });
      }
    }
    this.#abandoned = this.#abandoned.filter(({ jobId }) => crontabOf(jobId) !== crontab);
    await this.#start(work);
  }

  #plausibleCursor(cursor: EpochMs, now: EpochMs): EpochMs {
    if (cursor - now <= LARGEST_SET_BACK_MS) return cursor;
    this.#ports.emit({ kind: 'clock-set-back', from: cursor, to: now, isReset: true });
    return now;
  }

  /** After a small step back nothing that was handled is due again; after a large one the clock was wrong before. */
  #noticeSetBack(now: EpochMs): void {
    for (const lane of this.#lanes.values()) {
      if (lane.cursor - now <= LARGEST_SET_BACK_MS) continue;
      const cursor = this.#plausibleCursor(lane.cursor, now);
      this.#putInForce(lane.active, cursor);
    }
  }
}

/** A job that this daemon starts: not suspended, and not meant for other targets only. */
function isStarted(job: PlannedJob): boolean {
  return job.options.suspend === undefined && runsOn(job, 'daemon');
}

/** Adds to the work what becomes of a job's due instants in (after, now]; `job` is undefined when it is gone. */
function settleJob(
  { active, jobId }: Pick<DueRun, 'active' | 'jobId'>,
  job: PlannedJob | undefined,
  timetable: Timetable,
  after: EpochMs,
  now: EpochMs,
  work: Work,
): void {
  const { start, missed } = settle(timetable, after, now, {
    catchUp: job?.options['catch-up'] ?? 'once',
    startingDeadlineMs: job?.options['starting-deadline'],
  });
  for (const one of missed) work.missed.push({ jobId, planHash: active.hash, missed: one });
  if (start === undefined) return;
  const { instant, trigger } = start;
  if (job === undefined) {
    work.missed.push({ jobId, planHash: active.hash, missed: { instant, reason: 'removed' } });
  } else {
    work.due.push({ active, job, jobId, runId: dueRunId(instant), scheduledTime: instant, trigger });
  }
}

function answerOf(
  { jobId, planHash, missed: { instant, spanFrom, reason } }: MissedRuns,
  at: EpochMs,
): Answer {
  return {
    jobId,
    runId: dueRunId(instant),
    scheduledTime: instant,
    ...(spanFrom === undefined ? {} : { spanFrom }),
    trigger: 'schedule',
    planHash,
    status: reason === 'removed' ? 'skipped' : 'missed',
    reason,
    at,
  };
}

function runKey(run: Run): string {
  return `${run.jobId} ${run.runId}`;
}
