import type { Target } from '../crontab/options.ts';
import { diffPlans, type PlanDiff } from '../plan/diff.ts';
import { type PlannedJob, type SchedulePlan, timetableOf } from '../plan/plan.ts';
import { dueInstants, nextDue, type Timetable } from '../schedule/due.ts';
import { type EpochMs, MINUTE_MS } from '../schedule/zone-table.ts';
import { changeTo, LARGEST_SET_BACK_MS, owesFrom, withoutJobs } from './activation.ts';
import { closeLost, lostJobOf } from './close-lost.ts';
import { isNewlyLate, lateAfter } from './late.ts';
import { endPending } from './ledger-pass.ts';
import {
  answerOf,
  type DueRun,
  downtimeWork,
  isStarted,
  type JobInForce,
  type Known,
  nextDueOf,
  type OwedRun,
  owedOf,
  pendingWork,
  type Work,
} from './ledger-work.ts';
import { isPausedAt, pausedStretch, type Stretch } from './pause.ts';
import type { Clock } from './ports.ts';
import { isFinal, type Run } from './run.ts';
import { crontabOf, cutToMinute, dueRunId, jobIdOf, jobNameOf } from './run-id.ts';
import type { ActivePlan, Finish, RunKey, RunStore } from './run-store.ts';
import { closedRun, followsOrder } from './run-transitions.ts';
import type { Missed } from './settle.ts';

/** A transport has this long to deliver what is due before the ledger does. Milliseconds. */
export const GRACE_MS = 2 * MINUTE_MS;
/** A pass that did not come, or late, is no downtime yet. Milliseconds. */
const NO_DOWNTIME_MS = GRACE_MS + 2 * MINUTE_MS;
/** Whoever keeps a crontab's ledger is gone after this: longer than any pass may take. Milliseconds. */
export const TURN_MS = 2 * MINUTE_MS;
/** A plan that came in force so lately is not replaced: a process of the version before it may still be at work. Milliseconds. */
export const YOUNG_MS = 2 * MINUTE_MS;
/** A pass ends itself after this, and says what is left. Milliseconds. */
const BUDGET_MS = 50_000;
/** How long after the end of its lease a run is taken from its owner: the clocks of both may differ. Milliseconds. */
const LOST_AFTER_MS = 60_000;
/** Up to here a stretch of time is settled run by run; longer ones, job by job. Milliseconds. */
const SHORT_MS = 5 * MINUTE_MS;
/** Jobs that are settled, and runs that are handed over, at once. */
const AT_ONCE = 32;
/** More than there are: runs of others must not hide those that are looked for. */
const ALL_ROWS = 1_000_000;
/** How often is looked whether the next run of a backlog may be handed over; and how often in vain. */
const STAY = { everyMs: 5_000, inVain: 3 } as const;

/** What a pass tells. */
export type KeeperEvent =
  | {
      readonly kind: 'plan-activated';
      readonly active: ActivePlan;
      /** Undefined when there was none before. */
      readonly diff: PlanDiff | undefined;
    }
  | { readonly kind: 'crontab-removed'; readonly crontab: string }
  | { readonly kind: 'runs-missed'; readonly jobId: string; readonly missed: Missed }
  /** Over without a start, or without another one. */
  | { readonly kind: 'run-skipped'; readonly run: Run }
  | { readonly kind: 'run-lost'; readonly run: Run; readonly end: Finish | 'given-back' }
  | ({ readonly kind: 'run-handed-over' } & RunKey)
  | ({ readonly kind: 'run-late'; readonly lateMs: number } & RunKey)
  | { readonly kind: 'note' | 'warning'; readonly message: string }
  | { readonly kind: 'error'; readonly message: string; readonly error: unknown };

/** A pending run that an executor is to start. */
export interface HandedRun {
  readonly crontab: string;
  readonly job: PlannedJob;
  readonly runId: string;
}

export interface KeeperPorts {
  readonly store: RunStore;
  readonly clock: Clock;
  /** At least 0, below 1. */
  readonly random: () => number;
  /** Unlike any before. */
  readonly token: () => string;
  /** Has an executor start a run, and does not wait for it. @throws when nobody could be told; the run is found again */
  readonly handOver: (run: HandedRun) => Promise<void>;
  readonly emit: (event: KeeperEvent) => void;
}

export interface KeeperOptions {
  readonly target: Target;
  /** Who is told of a job's failures; undefined for nobody. */
  readonly channel: (job: PlannedJob | undefined) => string | undefined;
  /** (Default: 50 s) */
  readonly budgetMs?: number;
}

/** A plan as it was deployed. */
export interface DeployedPlan {
  readonly plan: SchedulePlan;
  readonly hash: string;
}

/** What a pass came to. */
export interface PassResult {
  /** Sentences that say what the next pass has to do; none after a complete one. */
  readonly left: readonly string[];
  /** The first thing that went wrong. */
  readonly error?: unknown;
  readonly durationMs: number;
  /** Crontabs of this deployment that are in force, by name. */
  readonly crontabs: readonly ActivePlan[];
  /** Runs whose commands run, by job. */
  readonly running: ReadonlyMap<string, number>;
}

/**
 * Keeps the ledger of crontabs whose runs others start: what is due and was not delivered, attempts after the first,
 * runs that wait. It starts nothing itself. Any number of processes may make passes at once, also of two versions.
 */
export class LedgerKeeper {
  readonly #ports: KeeperPorts;
  readonly #options: KeeperOptions;

  constructor(ports: KeeperPorts, options: KeeperOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  /**
   * Puts plans in force that are new, answers what is due up to two minutes ago, takes runs from owners that are gone
   * and hands over what is pending. It never rejects: what fails is left to the next pass.
   *
   * @param plans of this deployment, all of them: a crontab that has none any more goes out of force
   */
  pass(plans: readonly DeployedPlan[]): Promise<PassResult> {
    return new Pass(this.#ports, this.#options, plans).run();
  }
}

/** The time of a pass is over. */
class OutOfTime extends Error {}

class Pass {
  readonly #ports: KeeperPorts;
  readonly #options: KeeperOptions;
  readonly #plans: ReadonlyMap<string, DeployedPlan>;
  readonly #begin: number;
  readonly #token: string;
  readonly #active = new Map<string, ActivePlan>();
  readonly #left: string[] = [];
  readonly #running = new Map<string, number>();
  /** The last run of each job that was handed over, where its runs come one after the other. */
  readonly #handed = new Map<string, RunKey>();
  /** How many runs of a backfill were handed over, by job. */
  readonly #handedOfBackfill = new Map<string, number>();
  #error: { readonly error: unknown } | undefined;

  constructor(ports: KeeperPorts, options: KeeperOptions, plans: readonly DeployedPlan[]) {
    this.#ports = ports;
    this.#options = options;
    this.#plans = new Map(plans.map((one) => [one.plan.crontab, one]));
    this.#begin = ports.clock.monotonic();
    this.#token = ports.token();
  }

  async run(): Promise<PassResult> {
    await this.#try('the crontabs in the store could not be listed', async () => {
      const known = new Set([...this.#plans.keys(), ...(await this.#ports.store.crontabs())]);
      for (const crontab of [...known].sort()) {
        await this.#try(`crontab ${crontab} could not be settled`, () => this.#keep(crontab));
      }
    });
    await this.#try('lost runs could not be looked for', () => this.#closeLost());
    await this.#try('pending runs could not be handed over', () => this.#handOverPending());
    return {
      ...{ left: this.#left, ...this.#error, durationMs: this.#elapsedMs },
      ...{ crontabs: [...this.#active.values()], running: this.#running },
    };
  }

  get #elapsedMs(): number {
    return this.#ports.clock.monotonic() - this.#begin;
  }

  #checkTime(): void {
    if (this.#elapsedMs >= (this.#options.budgetMs ?? BUDGET_MS)) throw new OutOfTime();
  }

  /** What fails is told and left; the rest of the pass goes on. */
  async #try(message: string, work: () => Promise<unknown>): Promise<void> {
    try {
      this.#checkTime();
      await work();
    } catch (error) {
      if (error instanceof OutOfTime) this.#left.push(`${message} in time`);
      else this.#fail(message, error);
    }
  }

  /** Does work for all of a list; what fails is told once, and left. @throws OutOfTime */
  async #each<T>(
    list: readonly T[],
    message: (count: number) => string,
    work: (one: T) => Promise<void>,
  ): Promise<void> {
    let failed = 0;
    let first: unknown;
    await inParallel(list, async (one) => {
      this.#checkTime();
      try {
        await work(one);
      } catch (error) {
        if (failed++ === 0) first = error;
      }
    });
    if (failed > 0) this.#fail(message(failed), first);
  }

  #fail(message: string, error: unknown): void {
    this.#left.push(message);
    this.#error ??= { error };
    this.#ports.emit({ kind: 'error', message: `${message}; the next pass tries again`, error });
  }

  /** Settles a crontab of this deployment, and puts its plan in force where that is another one. */
  async #keep(crontab: string): Promise<void> {
    const { store, clock } = this.#ports;
    const deployed = this.#plans.get(crontab);
    if (deployed === undefined) {
      const gone = await store.activePlan(crontab);
      if (gone?.target !== this.#options.target) return;
      // Its runs are ours still.
      if (gone.plan.jobs.length === 0) return void this.#active.set(crontab, gone);
    }
    const asked = clock.now();
    if (await store.takeTurn(crontab, this.#token, asked, asked + TURN_MS)) {
      try {
        await this.#keepInTurn(crontab, deployed);
      } finally {
        await store.takeTurn(crontab, this.#token, clock.now(), 0);
      }
      return;
    }
    this.#left.push(`crontab ${crontab} is settled by another pass at this moment`);
    const stored = await store.activePlan(crontab);
    if (stored !== undefined) this.#active.set(crontab, stored);
  }

  async #keepInTurn(crontab: string, deployed: DeployedPlan | undefined): Promise<void> {
    const { store, clock, emit } = this.#ports;
    const now = clock.now();
    const [stored, cursor] = await Promise.all([
      store.activePlan(crontab),
      this.#plausibleCursor(crontab, now),
    ]);
    if (stored !== undefined) this.#active.set(crontab, stored);
    const isInForce = stored?.hash === deployed?.hash && stored?.target === this.#options.target;
    const isYoung = stored !== undefined && stored.since <= now && now - stored.since < YOUNG_MS;
    if (!isInForce && !isYoung) return await this.#activate(crontab, stored, deployed, cursor, now);
    if (!isInForce) {
      const since = new Date((stored as ActivePlan).since).toISOString();
      const message = `crontab ${crontab} has been in force as another version since ${since}; it stays so for ${YOUNG_MS / MINUTE_MS} minutes at least, since processes of the version before may be at work still`;
      emit({ kind: 'note', message });
    }
    const until = cutToMinute(now - GRACE_MS);
    const after = owesFrom(stored as ActivePlan, cursor, now);
    if (until <= after) return;
    await this.#settle({ old: stored as ActivePlan, active: stored as ActivePlan, after, until, now });
    await store.setCursor(crontab, until);
  }

  /** After a small step back nothing that was handled is due again; after a large one the clock was wrong before. */
  async #plausibleCursor(crontab: string, now: EpochMs): Promise<EpochMs | undefined> {
    const { store, emit } = this.#ports;
    const cursor = await store.cursor(crontab);
    if (cursor === undefined || cursor - now <= LARGEST_SET_BACK_MS) return cursor;
    await store.setCursor(crontab, now);
    const at = new Date(cursor).toISOString();
    emit({
      kind: 'warning',
      message: `crontab ${crontab} was settled up to ${at}, under a clock that was wrong`,
    });
    return now;
  }

  async #activate(
    crontab: string,
    stored: ActivePlan | undefined,
    deployed: DeployedPlan | undefined,
    cursor: EpochMs | undefined,
    now: EpochMs,
  ): Promise<void> {
    const { store, emit } = this.#ports;
    const { target } = this.#options;
    const plan = deployed ?? withoutJobs((stored as ActivePlan).plan, now);
    const active: ActivePlan = { ...{ plan: plan.plan, hash: plan.hash, since: now }, target };
    if (stored !== undefined) {
      const after = owesFrom(stored, cursor, now);
      if (after < now) await this.#settle({ old: stored, active, after, until: now, now });
    }
    const change = await changeTo(store, stored, active);
    // The cursor first: between the two writes the old plan owes nothing, and no job of the new one does.
    await store.setCursor(crontab, Math.max(cursor ?? now, now));
    await store.setActivePlan(active, change);
    this.#active.set(crontab, active);
    const diff = stored === undefined ? undefined : diffPlans(stored.plan, active.plan);
    if (deployed === undefined) emit({ kind: 'crontab-removed', crontab });
    else emit({ kind: 'plan-activated', active, diff });
    const gone = new Set(diff?.removed.map((name) => jobIdOf(crontab, name)));
    if (gone.size === 0) return;
    const ledger = { store, target, carryOut: (work: Work) => this.#end(work) };
    await endPending(ledger, (jobId) => gone.has(jobId), now);
  }

  /**
   * Answers what nobody has in a stretch of time, and hands over what may start.
   *
   * @throws what the store said of some jobs, after all the others are answered
   */
  async #settle(stretch: SettledStretch): Promise<void> {
    const { old, active, after, until, now } = stretch;
    const jobs = this.#dueJobs(stretch);
    const answered = await (until - after <= SHORT_MS
      ? this.#answeredByRun(jobs, stretch)
      : this.#answeredByJob(jobs, stretch));
    const settled = new Map<string, EpochMs>();
    const known = (jobId: string): Known => ({
      ...{ answered: answered.get(jobId), now, onTimeMs: NO_DOWNTIME_MS, deliveredMs: GRACE_MS },
    });
    let failed: { readonly error: unknown } | undefined;
    for (let isDone = false; !isDone; ) {
      const { work, partly } = downtimeWork(
        ...([old, active, this.#options.target] as const),
        // What is not named has nothing to be answered.
        (jobId) => settled.get(jobId) ?? (answered.has(jobId) ? after : until),
        until,
        known,
      );
      const { failedJobs, error } = await this.#write(work, old === active);
      if (failedJobs.size > 0) failed ??= { error };
      for (const jobId of answered.keys()) {
        const reached = failedJobs.has(jobId) ? undefined : partly.get(jobId);
        settled.set(jobId, reached ?? until);
      }
      isDone = [...settled.values()].every((reached) => reached === until);
    }
    if (failed !== undefined) throw failed.error;
  }

  #dueJobs({ old, after, until }: SettledStretch): DueJob[] {
    const { crontab, jobs } = old.plan;
    return jobs.flatMap((job) => {
      const timetable = isStarted(job, this.#options.target) ? timetableOf(old.plan, job) : undefined;
      const first = timetable && nextDue(timetable, after);
      if (timetable === undefined || first === undefined || first > until) return [];
      return [{ jobId: jobIdOf(crontab, job.name), timetable }];
    });
  }

  /** Of jobs that lack an answer, what has one: by the keys of what is due. */
  async #answeredByRun(jobs: readonly DueJob[], { old, after, until }: SettledStretch): Promise<Answered> {
    const { store } = this.#ports;
    const due = jobs.flatMap(({ jobId, timetable }) =>
      [...dueInstants(timetable, after, until)].map((instant) => ({
        jobId,
        runId: dueRunId(instant),
        instant,
      })),
    );
    const existing = new Set((await store.existing(due.map(keyOnly))).map(keyText));
    const missing = due.filter((one) => !existing.has(keyText(one)));
    const pauses = await Promise.all(
      [...new Set(missing.map(({ instant }) => instant))].map((instant) =>
        store.pausesAt(old.plan.crontab, instant),
      ),
    );
    const ofJob = Map.groupBy(pauses.flat(), ({ jobId }) => jobId);
    const isPaused = ({ jobId, instant }: (typeof due)[number]) =>
      ofJob.get(jobId)?.some((pause) => isPausedAt(pause, instant)) ?? false;
    const lacking = new Set(missing.map(({ jobId }) => jobId));
    const has = due.filter((one) => existing.has(keyText(one)) || isPaused(one));
    const stretches = Map.groupBy(has, ({ jobId }) => jobId);
    return new Map(
      [...lacking].map((jobId) => [
        jobId,
        (stretches.get(jobId) ?? []).map(({ instant }): Stretch => [instant, instant]),
      ]),
    );
  }

  /** What has an answer, of all jobs: by all rows of the time. Deliveries come in no order, so there may be gaps. */
  async #answeredByJob(jobs: readonly DueJob[], { after, until }: SettledStretch): Promise<Answered> {
    const { store } = this.#ports;
    const answered = new Map<string, readonly Stretch[]>();
    await inParallel(jobs, async ({ jobId, timetable }) => {
      this.#checkTime();
      const [rows, pauses] = await Promise.all([store.answered(jobId, after, until), store.pauses(jobId)]);
      const all = [...joined(rows, timetable), ...pauses.map(pausedStretch)];
      answered.set(jobId, all);
    });
    return answered;
  }

  /** Writes the answers of each job in one turn. @param mayHandOver whether what may start is handed over at once */
  async #write(work: Work, mayHandOver: boolean): Promise<Written> {
    const { store, clock, emit } = this.#ports;
    const missed = Map.groupBy(work.missed, ({ jobId }) => jobId);
    const owed = Map.groupBy(work.owed, ({ jobId }) => jobId);
    const due = new Map(work.due.map((one) => [one.jobId, one]));
    const failedJobs = new Set<string>();
    let error: unknown;
    const starts: { readonly start: DueRun; readonly at: EpochMs }[] = [];
    await inParallel([...new Set([...missed.keys(), ...owed.keys(), ...due.keys()])], async (jobId) => {
      const start = due.get(jobId);
      const behind = owed.get(jobId) ?? [];
      const answers = missed.get(jobId) ?? [];
      const at = clock.now();
      // Behind others it waits for its turn.
      const isHanded = mayHandOver && behind.length === 0;
      const starting = start && owedOf({ ...start, cause: 'catch-up' } satisfies OwedRun, at);
      try {
        this.#checkTime();
        await store.settle({
          answers: answers.map((one) => answerOf(one, at, this.#options.channel(one.job))),
          owed: [
            ...behind.map((one) => owedOf(one, at)),
            ...(starting === undefined ? [] : [{ ...starting, ...(isHanded && { handedAt: at }) }]),
          ],
        });
      } catch (problem) {
        error ??= problem;
        failedJobs.add(jobId);
        return;
      }
      for (const one of answers) emit({ kind: 'runs-missed', jobId, missed: one.missed });
      if (start !== undefined && isHanded) starts.push({ start, at });
    });
    await this.#each(starts, handedOver, ({ start, at }) => this.#tell(start, { attempts: [] }, at));
    return { failedJobs, error };
  }

  async #closeLost(): Promise<void> {
    const { store, clock, random, emit } = this.#ports;
    const now = clock.now();
    const unfinished = (await store.unfinished()).filter(({ jobId }) => this.#active.has(crontabOf(jobId)));
    for (const { jobId, status } of unfinished) {
      if (status === 'running') this.#running.set(jobId, (this.#running.get(jobId) ?? 0) + 1);
    }
    const lost = unfinished.filter(({ leaseUntil = 0 }) => leaseUntil + LOST_AFTER_MS <= now);
    await this.#each(
      lost,
      (count) => `${count} lost runs could not be closed`,
      async (run) => {
        const found = this.#planned(run.jobId);
        const isKnown = found !== undefined && found !== 'gone';
        const planned = isKnown ? lostJobOf(found, random, this.#options.channel(found.job)) : undefined;
        const end = await closeLost(store, { run, reason: 'lease-expired' }, planned, clock.now());
        if (end !== undefined) emit({ kind: 'run-lost', run, end });
      },
    );
  }

  /** A job as it is in force. */
  #planned(jobId: string): JobInForce | 'gone' | undefined {
    const active = this.#active.get(crontabOf(jobId));
    if (active === undefined) return undefined;
    const job = jobsByName(active.plan).get(jobNameOf(jobId));
    return job === undefined ? 'gone' : { active, job, jobId };
  }

  /**
   * Hands over pending runs whose time has come. Of a job whose runs come one after the other, the next one follows when
   * the one before it is over, for as long as there is time.
   */
  async #handOverPending(): Promise<void> {
    const { store, clock } = this.#ports;
    for (let inVain = 0; inVain < STAY.inVain; ) {
      const behind = await this.#handOverRound();
      if (behind.size === 0) return;
      if (this.#elapsedMs + STAY.everyMs >= (this.#options.budgetMs ?? BUDGET_MS)) return;
      await clock.sleep(STAY.everyMs);
      let isMoved = false;
      await inParallel([...behind], async (jobId) => {
        const last = this.#handed.get(jobId) as RunKey;
        const run = await store.run(last.jobId, last.runId);
        const isUnderWay = run !== undefined && !isFinal(run.status) && !isFree(run);
        if (isUnderWay) return;
        this.#handed.delete(jobId);
        isMoved = true;
      });
      inVain = isMoved ? 0 : inVain + 1;
    }
  }

  /** @returns jobs with runs that wait for one that was handed over in this pass */
  async #handOverRound(): Promise<ReadonlySet<string>> {
    const { store, clock } = this.#ports;
    const { target } = this.#options;
    for (;;) {
      const now = clock.now();
      const pending = await store.pending(now, ALL_ROWS);
      const byKey = new Map(pending.map((run) => [keyText(run), run]));
      const work = pendingWork(pending, (jobId) => this.#planned(jobId), target, now);
      const behind = new Set<string>();
      let changed = (await this.#end(work)).changed;
      await this.#each(work.due, handedOver, async (one) => {
        const run = byKey.get(keyText(one)) as Run;
        if (!this.#mayHandOver(one, run)) {
          behind.add(one.jobId);
          return;
        }
        const at = clock.now();
        if (!(await store.handOut(keyOnly(one), at))) return;
        changed++;
        await this.#tell(one, run, at);
      });
      this.#checkTime();
      if (changed === 0) return behind;
    }
  }

  /** One at a time of a job, but under `allow`; of a backfill as many as it says. */
  #mayHandOver({ job, jobId, runId }: DueRun, { maxActiveRuns }: Run): boolean {
    if (job.options['concurrency-policy'] === 'allow') {
      if (maxActiveRuns === undefined) return true;
      const count = this.#handedOfBackfill.get(jobId) ?? 0;
      this.#handedOfBackfill.set(jobId, count + 1);
      return count < maxActiveRuns;
    }
    if (this.#handed.has(jobId)) return false;
    this.#handed.set(jobId, { jobId, runId });
    return true;
  }

  /** Tells an executor to start a run that was handed out at an instant. @throws when it could not be told */
  async #tell(one: DueRun, run: Pick<Run, 'attempts' | 'handedAt' | 'requests'>, at: EpochMs): Promise<void> {
    const { handOver, emit } = this.#ports;
    const { active, job, jobId, runId, scheduledTime } = one;
    if (run.attempts.length === 0 && followsOrder({ ...one, ...run })) {
      const limit = lateAfter(job, scheduledTime, nextDueOf(one, scheduledTime));
      if (isNewlyLate({ scheduledTime, ...run }, limit, at))
        emit({ kind: 'run-late', jobId, runId, lateMs: at - scheduledTime });
    }
    if (job.options['concurrency-policy'] !== 'allow') this.#handed.set(jobId, { jobId, runId });
    await handOver({ crontab: active.plan.crontab, job, runId });
    emit({ kind: 'run-handed-over', jobId, runId });
  }

  /** Ends pending runs that are not started any more. */
  async #end({
    ended,
  }: Work): Promise<{ changed: number; failed: ReadonlyMap<string, EpochMs>; error?: unknown }> {
    const { store, clock, emit } = this.#ports;
    let changed = 0;
    let failed: { readonly error: unknown } | undefined;
    await inParallel(ended, async ({ run, job, reason }) => {
      const { jobId, runId } = run;
      const channel = this.#options.channel(job);
      const end = { jobId, runId, reason, at: clock.now(), ...(channel === undefined ? {} : { channel }) };
      try {
        if (!(await store.endPending(end))) return;
        changed++;
        emit({ kind: 'run-skipped', run: closedRun({ run, holdsLock: false }, end).run });
      } catch (error) {
        failed ??= { error };
      }
    });
    return { changed, failed: new Map(), ...failed };
  }
}

/** A stretch of time, (after, until], that is settled at an instant. */
interface SettledStretch {
  /** The plan that was in force then … */
  readonly old: ActivePlan;
  /** … and the one whose rules decide now. */
  readonly active: ActivePlan;
  readonly after: EpochMs;
  readonly until: EpochMs;
  readonly now: EpochMs;
}

/** A job that had due instants in a stretch of time. */
interface DueJob {
  readonly jobId: string;
  readonly timetable: Timetable;
}

/** Of jobs that may lack answers, what has one. */
type Answered = ReadonlyMap<string, readonly Stretch[]>;

interface Written {
  readonly failedJobs: ReadonlySet<string>;
  readonly error: unknown;
}

/** Rows side by side as one stretch: few gaps are looked at then, however many rows there are. */
function joined(rows: readonly Stretch[], timetable: Timetable): Stretch[] {
  const stretches: Stretch[] = [];
  for (const [from, to] of rows) {
    const last = stretches.at(-1);
    const next = last && nextDue(timetable, last[1]);
    if (last === undefined || (next !== undefined && next < from)) stretches.push([from, to]);
    else stretches[stretches.length - 1] = [last[0], Math.max(last[1], to)];
  }
  return stretches;
}

/** Whether a pending run was given back, or waits for its next attempt: its job is free. */
function isFree({ status, handedAt }: Run): boolean {
  return status === 'pending' && handedAt === undefined;
}

const jobMaps = new WeakMap<SchedulePlan, ReadonlyMap<string, PlannedJob>>();

function jobsByName(plan: SchedulePlan): ReadonlyMap<string, PlannedJob> {
  const known = jobMaps.get(plan) ?? new Map(plan.jobs.map((job) => [job.name, job]));
  jobMaps.set(plan, known);
  return known;
}

const handedOver = (count: number): string =>
  `${count} ${count === 1 ? 'run' : 'runs'} could not be handed over to executors`;
const keyOnly = ({ jobId, runId }: RunKey): RunKey => ({ jobId, runId });
const keyText = ({ jobId, runId }: RunKey): string => `${jobId} ${runId}`;

/** Does work for all of a list, some at a time. @throws the first error, when all the others are done */
async function inParallel<T>(list: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const left = list.values();
  const worker = async () => {
    for (const one of left) await work(one);
  };
  const workers = Array.from({ length: Math.min(AT_ONCE, list.length) }, worker);
  const failed = (await Promise.allSettled(workers)).find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
