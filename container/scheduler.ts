import { diffPlans } from '../shared/core/plan/diff.ts';
import {
  type PlannedJob,
  planHash,
  REBOOT,
  type SchedulePlan,
  timetableOf,
} from '../shared/core/plan/plan.ts';
import { changeTo, LARGEST_SET_BACK_MS, owesFrom, withoutJobs } from '../shared/core/run/activation.ts';
import {
  endPending,
  knownOf,
  type LedgerPorts,
  settleDowntime,
  startPending,
} from '../shared/core/run/ledger-pass.ts';
import {
  type DueRun,
  isStarted,
  type JobInForce,
  noWork,
  settleJob,
  type Work,
} from '../shared/core/run/ledger-work.ts';
import { type Run, startBy } from '../shared/core/run/run.ts';
import { crontabOf, cutToMinute, jobIdOf, jobNameOf, rebootRunId } from '../shared/core/run/run-id.ts';
import type { ActivePlan, RunKey } from '../shared/core/run/run-store.ts';
import { ON_TIME_MS } from '../shared/core/run/settle.ts';
import { nextDue, type Timetable } from '../shared/core/schedule/due.ts';
import { DueQueue } from '../shared/core/schedule/due-queue.ts';
import type { EpochMs } from '../shared/core/schedule/zone-table.ts';
import { ClockError } from './clock-guard.ts';
import { RunStarter, type SchedulerOptions, type SchedulerPorts } from './run-starter.ts';

/** A clock jump is noticed after this at the latest. Milliseconds. */
const LONGEST_SLEEP_MS = 15_000;
/** Wait after a store error before the same is tried again. Milliseconds. */
const RETRY_MS = 1000;
/** How often pending runs are looked for that others have put into the store. Milliseconds. */
const SWEEP_EVERY_MS = 15_000;

/** A job that has times, on the queue under its next one. */
interface ScheduledJob {
  readonly active: ActivePlan;
  readonly job: PlannedJob;
  readonly jobId: string;
  readonly timetable: Timetable;
  next: EpochMs;
  /** How far its due instants are answered. */
  settledUntil: EpochMs;
}

/** One crontab in force. */
interface Lane {
  readonly active: ActivePlan;
  /** All of its jobs, by name. */
  readonly byName: ReadonlyMap<string, PlannedJob>;
  readonly jobs: readonly ScheduledJob[];
  /** Newest minute that is handled. */
  cursor: EpochMs;
}

/**
 * Starts what is due at its minute: never before, and once. Crontabs come and go by `activate`; one pass or
 * activation happens at a time.
 */
export class Scheduler {
  readonly #ports: SchedulerPorts;
  readonly #starter: RunStarter;
  readonly #lanes = new Map<string, Lane>();
  readonly #queue = new DueQueue<ScheduledJob>();
  /** How far a downtime is answered already, by job, when the store failed in the middle of it. */
  readonly #settledUntil = new Map<string, EpochMs>();
  /** Whether the last pass left something that the store has not taken. */
  #isBehind = false;
  #turn: Promise<unknown> = Promise.resolve();
  #wake = new AbortController();
  #isStopping = false;
  #lastPass: number;
  /** When pending runs are to be looked for. */
  readonly #sweepsAt = new Set<EpochMs>();
  /** When that was last done, on the monotonic clock. */
  #lastSweep = Number.NEGATIVE_INFINITY;

  constructor(ports: SchedulerPorts, options: SchedulerOptions) {
    this.#ports = ports;
    this.#starter = new RunStarter(ports, options, {
      onPending: (notBefore) => this.sweepFrom(notBefore),
      planned: (jobId) => this.planned(jobId),
    });
    this.#lastPass = ports.clock.monotonic();
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
    return this.#starter.running;
  }

  /** How long ago the loop last went round. Milliseconds on the monotonic clock. */
  get sinceLastTick(): number {
    return this.#ports.clock.monotonic() - this.#lastPass;
  }

  /** Runs that are claimed and wait until fewer commands run. */
  get waiting(): number {
    return this.#starter.waiting;
  }

  /** Whether a run is this process's own, from its claim to its end. */
  holds(run: RunKey): boolean {
    return this.#starter.holds(run);
  }

  /** A job as it is in force; `gone` when its crontab is and the job is not; undefined when the crontab is not ours. */
  planned(jobId: string): JobInForce | 'gone' | undefined {
    const lane = this.#lanes.get(crontabOf(jobId));
    if (lane === undefined) return undefined;
    const job = lane.byName.get(jobNameOf(jobId));
    return job === undefined ? 'gone' : { active: lane.active, job, jobId };
  }

  /** Looks for pending runs from an instant on. */
  sweepFrom(instant: EpochMs): void {
    this.#sweepsAt.add(instant);
    this.#wake.abort();
  }

  /**
   * Puts a plan in force. What was due under the plan before it, in this process or the last one, is settled first;
   * a job owes nothing from before it existed. Nothing once the scheduler stops.
   *
   * @throws what the store said; then the plan before it goes on, and the same call can be made again
   */
  activate(plan: SchedulePlan, file: string): Promise<void> {
    return this.#exclusively(async () => {
      if (this.#isStopping) return;
      const { store, clock, emit } = this.#ports;
      const { crontab } = plan;
      const before = this.#lanes.get(crontab);
      // One instant parts the old plan from the new: a minute that begins in between belongs to one of them.
      const now = clock.now();
      if (before !== undefined) await this.#handleDue(now);
      const stored = before?.active ?? (await store.activePlan(crontab));
      const storedCursor = this.#lanes.get(crontab)?.cursor ?? (await store.cursor(crontab));
      const hash = planHash(plan);
      const isSame = stored?.hash === hash;
      const active = isSame ? stored : { plan, hash, since: now };
      if (before === undefined && stored !== undefined)
        await this.#settleDowntime(stored, active, storedCursor, now);
      const change = await changeTo(store, stored, active);
      // A cursor ahead of the clock stays: what it covers was handled before the clock went back.
      const cursor = this.#plausibleCursor(Math.max(storedCursor ?? now, now), now);
      // The cursor first: between the two writes the old plan owes nothing, and no job of the new one does.
      const isChanged = !isSame || change.opened.length > 0;
      await Promise.all([
        store.setCursor(crontab, cursor),
        ...(isChanged ? [store.setActivePlan(active, change)] : []),
      ]);
      this.#putInForce(active, cursor);
      const diff = stored === undefined || isSame ? undefined : diffPlans(stored.plan, plan);
      if (diff !== undefined) await this.#endPendingOf(crontab, diff.removed, now);
      emit({ kind: 'crontab-loaded', crontab, file, active, diff });
    });
  }

  /**
   * Takes a crontab out of force, after what is due under it by now. What runs goes on.
   *
   * @throws what the store said; then the crontab stays in force
   */
  deactivate(crontab: string): Promise<void> {
    return this.#exclusively(async () => {
      if (!this.#lanes.has(crontab) || this.#isStopping) return;
      const { store, clock, emit } = this.#ports;
      const now = clock.now();
      await this.#handleDue(now);
      await endPending(this.#ledger, (jobId) => crontabOf(jobId) === crontab, now);
      const { active, cursor } = this.#lanes.get(crontab) as Lane;
      const empty = withoutJobs(active.plan, now);
      const change = await changeTo(store, active, empty);
      await Promise.all([
        store.setCursor(crontab, Math.max(cursor, now)),
        store.setActivePlan(empty, change),
      ]);
      this.#queue.remove((one) => one.active === active);
      this.#lanes.delete(crontab);
      emit({ kind: 'crontab-removed', crontab });
    });
  }

  /**
   * Claims and starts the `@reboot` jobs in force, unless they ran on this occasion already. A store that fails is
   * asked again.
   *
   * @param crontab all where left out
   */
  async startReboot(occasion: string, crontab?: string): Promise<void> {
    const { clock, emit } = this.#ports;
    while (!this.#isStopping) {
      try {
        await this.#exclusively(() => this.#startReboot(rebootRunId(occasion), crontab));
        return;
      } catch (error) {
        if (!(error instanceof ClockError))
          emit({ kind: 'error', message: 'the store failed; the @reboot jobs are tried again', error });
        await clock.sleep(RETRY_MS);
      }
    }
  }

  /** Goes round until `stop` is called. */
  async run(): Promise<void> {
    const { clock, emit } = this.#ports;
    while (!this.#isStopping) {
      let wait = LONGEST_SLEEP_MS;
      try {
        await this.#exclusively(() => this.#handleDue(clock.now()));
        const next = [...this.#sweepsAt].reduce(
          (earliest, instant) => Math.min(earliest, instant),
          this.#queue.next ?? Number.POSITIVE_INFINITY,
        );
        wait = Math.min(wait, Math.max(next - clock.now(), 0));
      } catch (error) {
        if (!(error instanceof ClockError))
          emit({ kind: 'error', message: 'the store failed; this minute is tried again', error });
        wait = RETRY_MS;
      }
      this.#lastPass = clock.monotonic();
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
    await this.#turn;
    await this.#starter.drain(drainMs, hurry);
  }

  /** One pass or activation at a time: a pass in the middle of an activation would mix two plans. */
  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const { admit } = this.#ports;
    const admitted = async () => {
      await admit?.();
      return await work();
    };
    const result = this.#turn.then(admit === undefined ? work : admitted);
    this.#turn = result.catch(() => {});
    return result;
  }

  #putInForce(active: ActivePlan, cursor: EpochMs): void {
    const { plan } = active;
    this.#queue.remove((one) => one.active.plan.crontab === plan.crontab);
    const jobs: ScheduledJob[] = [];
    const byName = new Map(plan.jobs.map((job) => [job.name, job]));
    for (const job of plan.jobs) {
      const timetable = isStarted(job, 'daemon') ? timetableOf(plan, job) : undefined;
      const next = timetable === undefined ? undefined : nextDue(timetable, cursor);
      if (timetable === undefined || next === undefined) continue;
      const jobId = jobIdOf(plan.crontab, job.name);
      const scheduled = { active, job, jobId, timetable, next, settledUntil: cursor };
      jobs.push(scheduled);
      this.#queue.push(next, scheduled);
    }
    this.#lanes.set(plan.crontab, { active, byName, jobs, cursor });
    // What is pending is judged by the new plan.
    this.sweepFrom(Number.NEGATIVE_INFINITY);
  }

  /**
   * Handles everything that is due by now.
   *
   * @throws what the store said when it did not take all of it; the rest is handled by the next call
   */
  async #handleDue(now: EpochMs): Promise<void> {
    if (this.#isStopping) return;
    const { clock, emit } = this.#ports;
    const begin = clock.monotonic();
    const owedError = await this.#starter.settleOwed();
    await this.#noticeSetBack(now);
    const { popped, held } = this.#popDue(now);
    if (popped.length > 0 || this.#isBehind || owedError !== undefined) {
      await this.#handle(popped, held, now, owedError);
    }
    await this.#sweep(now);
    this.#starter.noticeLate();
    emit({ kind: 'tick', now, handled: popped.length, durationMs: clock.monotonic() - begin });
  }

  /** @returns also those held back: what became of their last claim must be known first */
  #popDue(now: EpochMs): {
    readonly popped: readonly ScheduledJob[];
    readonly held: readonly ScheduledJob[];
  } {
    const popped: ScheduledJob[] = [];
    const held: ScheduledJob[] = [];
    const doubtful = this.#starter.doubtfulJobs;
    for (let job = this.#queue.popDue(now); job !== undefined; job = this.#queue.popDue(now)) {
      (doubtful.has(job.jobId) ? held : popped).push(job);
    }
    for (const job of held) this.#queue.push(job.next, job);
    return { popped, held };
  }

  async #handle(
    popped: readonly ScheduledJob[],
    held: readonly ScheduledJob[],
    now: EpochMs,
    owedError: unknown,
  ): Promise<void> {
    this.#isBehind = true;
    const work = noWork();
    try {
      for (const job of popped) {
        const { jobId, next } = job;
        const isOnTime = now - next < ON_TIME_MS;
        const known = isOnTime ? undefined : await knownOf(this.#ports.store, jobId, next - 1, now);
        const after = known?.answeredUntil ?? next - 1;
        const { pauses } = known ?? {};
        job.settledUntil = settleJob(job, job.job, job.timetable, after, now, work, { pauses });
      }
    } catch (error) {
      for (const job of popped) this.#queue.push(job.next, job);
      throw error;
    }
    const { won, failed, error } = await this.#starter.claim(work);
    for (const job of popped) {
      const next = failed.get(job.jobId) ?? nextDue(job.timetable, job.settledUntil);
      if (next === undefined) continue;
      job.next = next;
      this.#queue.push(next, job);
    }
    const partly = popped.filter(({ settledUntil }) => settledUntil < now);
    const putOff = popped.filter(({ jobId }) => failed.has(jobId));
    const unsettled = new Set([...partly, ...putOff, ...held].map(({ active }) => active.plan.crontab));
    // In one turn: the first starts and the cursors are one transaction.
    const [, cursors] = await Promise.allSettled([
      this.#starter.start(won),
      this.#moveCursors(cutToMinute(now), unsettled),
    ]);
    const problem = owedError ?? error ?? (cursors.status === 'rejected' ? cursors.reason : undefined);
    if (problem !== undefined) throw problem;
    this.#isBehind = unsettled.size > 0;
  }

  /** Only past what is answered: after a crash everything behind the cursor is taken as done. */
  async #moveCursors(cursor: EpochMs, unsettled: ReadonlySet<string>): Promise<void> {
    const owing = this.#starter.owing;
    const behind = [...this.#lanes].filter(
      ([crontab, lane]) => lane.cursor < cursor && !owing.has(crontab) && !unsettled.has(crontab),
    );
    await Promise.all(
      behind.map(async ([crontab, lane]) => {
        await this.#ports.store.setCursor(crontab, cursor);
        lane.cursor = cursor;
      }),
    );
  }

  async #startReboot(runId: string, crontab: string | undefined): Promise<void> {
    if (this.#isStopping) return;
    const scheduledTime = cutToMinute(this.#ports.clock.now());
    const due: DueRun[] = [];
    for (const { active } of this.#lanes.values()) {
      if (crontab !== undefined && active.plan.crontab !== crontab) continue;
      for (const job of active.plan.jobs) {
        if (job.schedule !== REBOOT || !isStarted(job, 'daemon')) continue;
        const jobId = jobIdOf(active.plan.crontab, job.name);
        due.push({
          ...{ active, job, jobId, runId, scheduledTime, trigger: 'schedule' },
          startBy: startBy(scheduledTime, undefined, job.options['starting-deadline']),
        });
      }
    }
    await this.#starter.settleOwed();
    const { won, error } = await this.#starter.claim({ ...noWork(), due });
    await this.#starter.start(won);
    if (error !== undefined) throw error;
  }

  /** Answers what fell due while no daemon ran, by the plan that was in force then. */
  async #settleDowntime(
    old: ActivePlan,
    active: ActivePlan,
    cursor: EpochMs | undefined,
    now: EpochMs,
  ): Promise<void> {
    const after = owesFrom(old, cursor, now);
    const owedError = await this.#starter.settleOwed();
    if (owedError !== undefined) throw owedError;
    await settleDowntime(this.#ledger, { old, active, after, until: now }, this.#settledUntil);
  }

  /** Ends what is owed of jobs that are gone, also what is not to start for long. */
  async #endPendingOf(crontab: string, names: readonly string[], now: EpochMs): Promise<void> {
    const jobIds = new Set(names.map((name) => jobIdOf(crontab, name)));
    if (jobIds.size > 0) await endPending(this.#ledger, (jobId) => jobIds.has(jobId), now);
  }

  /** Starts what is pending, where something may be. */
  async #sweep(now: EpochMs): Promise<void> {
    const { clock } = this.#ports;
    const due = [...this.#sweepsAt].filter((instant) => instant <= now);
    const isWanted = due.length > 0 || clock.monotonic() - this.#lastSweep >= SWEEP_EVERY_MS;
    if (this.#isStopping || !isWanted) return;
    const doubtful = this.#starter.doubtfulJobs;
    for (const instant of due) this.#sweepsAt.delete(instant);
    try {
      const planned = (jobId: string) => (doubtful.has(jobId) ? undefined : this.planned(jobId));
      await startPending(this.#ledger, planned, now);
      this.#lastSweep = clock.monotonic();
    } catch (error) {
      this.#sweepsAt.add(now);
      throw error;
    }
  }

  get #ledger(): LedgerPorts {
    const carryOut = async (work: Work) => {
      const { won, ...carried } = await this.#starter.claim(work);
      await this.#starter.start(won);
      return carried;
    };
    return { store: this.#ports.store, target: 'daemon', carryOut };
  }

  #plausibleCursor(cursor: EpochMs, now: EpochMs): EpochMs {
    if (cursor - now <= LARGEST_SET_BACK_MS) return cursor;
    this.#ports.emit({ kind: 'clock-set-back', from: cursor, to: now, isReset: true });
    return now;
  }

  /** After a small step back nothing that was handled is due again; after a large one the clock was wrong before. */
  async #noticeSetBack(now: EpochMs): Promise<void> {
    for (const [crontab, lane] of this.#lanes) {
      if (lane.cursor - now <= LARGEST_SET_BACK_MS) continue;
      await this.#ports.store.setCursor(crontab, now);
      this.#putInForce(lane.active, this.#plausibleCursor(lane.cursor, now));
    }
  }
}
