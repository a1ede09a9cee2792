import type { PlannedJob } from '../shared/core/plan/plan.ts';
import { type CommandUser, executeRun, type Spool } from '../shared/core/run/execute-run.ts';
import { lateAfter } from '../shared/core/run/late.ts';
import { LEASE_MS, LeaseKeeper } from '../shared/core/run/lease.ts';
import type { CarriedOut } from '../shared/core/run/ledger-pass.ts';
import {
  answerOf,
  type DueRun,
  type EndedRun,
  type JobInForce,
  type MissedRuns,
  nextDueOf,
  type OwedRun,
  owedOf,
  type Work,
} from '../shared/core/run/ledger-work.ts';
import { isMaskable, unmasked } from '../shared/core/run/mask.ts';
import { isPausedAt } from '../shared/core/run/pause.ts';
import type { Clock, CommandRunner, RunningCommand } from '../shared/core/run/ports.ts';
import type { Attempt, Owner, Reason, Run } from '../shared/core/run/run.ts';
import { crontabOf } from '../shared/core/run/run-id.ts';
import type { ClaimResult, Finish, RunKey, RunStore } from '../shared/core/run/run-store.ts';
import { closedRun } from '../shared/core/run/run-transitions.ts';
import { type EpochMs, MINUTE_MS } from '../shared/core/schedule/zone-table.ts';
import type { EmitEvent } from './events.ts';

/** Commands that are started between two looks at anything else. */
const START_CHUNK = 50;
/** How often the store is asked whether somebody wants a run to end. Milliseconds. */
const LOOK_EVERY_MS = 2000;

export interface SchedulerPorts {
  readonly store: RunStore;
  readonly clock: Clock;
  readonly commands: CommandRunner;
  readonly emit: EmitEvent;
  /** At least 0, below 1. */
  readonly random: () => number;
  readonly spool?: Spool | undefined;
  /** Rejects when nothing may be started now. */
  readonly admit?: (() => Promise<void>) | undefined;
}

export interface SchedulerOptions {
  readonly owner: Owner;
  readonly user: CommandUser;
  /** Variables for every command, by `--pass-env`. */
  readonly passed: Readonly<Record<string, string>>;
  /** Value of a secret; undefined when the daemon has none. */
  readonly secret: (name: string) => string | undefined;
  /** Who is told of a job's failures; undefined for nobody. */
  readonly channel?: (job: PlannedJob | undefined) => string | undefined;
  /** Commands that may run at once; the others wait in order. */
  readonly maxConcurrent?: number | undefined;
  /** Records what would start, and starts nothing. */
  readonly isDryRun?: boolean;
}

/** What the starter asks of the scheduler. */
export interface StarterCalls {
  /** A run may be started from an instant on: it is to be tried again, or another was in its way. */
  readonly onPending: (notBefore: EpochMs) => void;
  /** A job as it is in force. */
  readonly planned: (jobId: string) => JobInForce | 'gone' | undefined;
}

interface WonRun extends JobInForce {
  readonly run: Run;
}

/** A run that is ours, from its claim to its end. */
interface HeldRun extends WonRun {
  active: WonRun['active'];
  job: PlannedJob;
  readonly stop: AbortController;
  /** Ends the keeping of its lease. */
  readonly letGo: () => void;
  /** Resolves when it has been started, or will not be. */
  readonly started: PromiseWithResolvers<void>;
  /** When it was claimed, on the monotonic clock. */
  readonly since: number;
  /** Whether it counts among those that may be under way at once. */
  hasTurn: boolean;
  done: Promise<void> | undefined;
  isLate: boolean;
}

/** What the store said to a piece of work. */
interface Claimed extends CarriedOut {
  readonly won: readonly WonRun[];
}

/** Something to write that needs no answer: repeated until the store takes it. */
interface Note {
  readonly jobId: string;
  write(): Promise<void>;
}

/** Claims runs, starts those that it won and sees them to their ends. */
export class RunStarter {
  readonly #ports: SchedulerPorts;
  readonly #options: SchedulerOptions;
  readonly #leases: LeaseKeeper;
  readonly #held = new Map<string, HeldRun>();
  /** Runs that wait until fewer commands run. */
  readonly #waiting: HeldRun[] = [];
  /** Claims that the store may or may not have taken: given back before their jobs are looked at again. */
  readonly #doubtful = new Map<string, RunKey>();
  /** Answers that the store has not taken yet. */
  readonly #unwritten: Note[] = [];
  /** Jobs with runs that wait for the end of another. */
  readonly #blocked = new Set<string>();
  /** Ends of runs that the store has not taken yet; their jobs look as if they ran. */
  readonly #unrecorded = new Map<string, Finish>();
  readonly #calls: StarterCalls;
  /** Aborted when this process ends. */
  readonly #ending = new AbortController();
  #isDraining = false;

  constructor(ports: SchedulerPorts, options: SchedulerOptions, calls: StarterCalls) {
    this.#ports = ports;
    this.#options = options;
    this.#calls = calls;
    const { store, clock, emit } = ports;
    const onError = (error: unknown) =>
      emit({
        kind: 'error',
        message: 'the store did not extend the lease of a run; it is asked again',
        error,
      });
    this.#leases = new LeaseKeeper(store, clock, { lookEveryMs: LOOK_EVERY_MS, onError });
  }

  /** Runs whose commands run. */
  get running(): readonly { readonly run: Run; readonly job: PlannedJob }[] {
    return [...this.#held.values()].filter(({ done }) => done !== undefined);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Whether a run is ours, from its claim to its end. */
  holds(run: RunKey): boolean {
    return this.#held.has(keyOf(run));
  }

  /** Jobs of which it is not known whether a run of theirs is claimed. */
  get doubtfulJobs(): ReadonlySet<string> {
    return new Set([...this.#doubtful.values()].map(({ jobId }) => jobId));
  }

  /** Crontabs with something that the store has not taken yet. */
  get owing(): ReadonlySet<string> {
    const jobIds = [...this.#doubtful.values(), ...this.#unwritten].map(({ jobId }) => jobId);
    return new Set(jobIds.map(crontabOf));
  }

  /**
   * Asks the store once more for what it has not taken.
   *
   * @returns its first error; undefined when nothing is owed any more
   */
  async settleOwed(): Promise<unknown> {
    if (this.#doubtful.size + this.#unwritten.length + this.#unrecorded.size === 0) return undefined;
    const unrecorded = [...this.#unrecorded];
    const doubtful = [...this.#doubtful];
    // What comes to it meanwhile stays in it.
    const unwritten = this.#unwritten.splice(0);
    const [recorded, released, written] = await Promise.all([
      // Before the next claim: a run that is over must not be in its way. Who executes it hears of it when asking again.
      Promise.allSettled(unrecorded.map(([, finish]) => this.#ports.store.finish(finish))),
      Promise.allSettled(doubtful.map(([, key]) => this.#release(key))),
      Promise.allSettled(unwritten.map((note) => note.write())),
    ]);
    for (const [index, { status }] of recorded.entries()) {
      if (status === 'fulfilled')
        this.#unrecorded.delete((unrecorded[index] as (typeof unrecorded)[number])[0]);
    }
    for (const [index, { status }] of released.entries()) {
      if (status === 'fulfilled') this.#doubtful.delete((doubtful[index] as (typeof doubtful)[number])[0]);
    }
    this.#unwritten.unshift(...unwritten.filter((_note, index) => written[index]?.status === 'rejected'));
    return [...recorded, ...released, ...written].find((one) => one.status === 'rejected')?.reason;
  }

  /**
   * Records what is missed, owed and ended, then claims what is due, each in one turn and so in one transaction. Of a
   * job whose older instants are not recorded nothing is claimed: whatever has an answer has one for all before it.
   */
  async claim({ due, owed, missed, ended }: Work): Promise<Claimed> {
    const notes = [...this.#settlementNotes(missed, owed), ...ended.map((one) => this.#endNote(one))];
    const errors: unknown[] = [];
    const failed = new Map<string, EpochMs>();
    for (const [index, one] of (await Promise.allSettled(notes.map((note) => note.write()))).entries()) {
      if (one.status === 'fulfilled') continue;
      errors.push(one.reason);
      this.#unwritten.push(notes[index] as Note);
    }
    const unwritten = new Set([...this.#unwritten, ...this.#unrecorded.values()].map(({ jobId }) => jobId));
    const ready = due.filter(({ jobId }) => !unwritten.has(jobId));
    for (const { jobId, scheduledTime } of due) if (unwritten.has(jobId)) failed.set(jobId, scheduledTime);
    const claims = await Promise.allSettled(ready.map((one) => this.#claim(one)));
    const won: WonRun[] = [];
    let changed = ended.length;
    for (const [index, one] of claims.entries()) {
      const dueRun = ready[index] as DueRun;
      const { jobId, runId, scheduledTime } = dueRun;
      if (one.status === 'rejected') {
        errors.push(one.reason);
        failed.set(jobId, Math.min(failed.get(jobId) ?? scheduledTime, scheduledTime));
        this.#doubtful.set(keyOf(dueRun), { jobId, runId });
      } else {
        this.#doubtful.delete(keyOf(dueRun));
        if (this.#isChanged(one.value, dueRun, won)) changed++;
      }
    }
    return { won, changed, failed, error: errors[0] };
  }

  /** Starts what was won. @returns when each command has been started, or it is clear that it will not be yet */
  async start(won: readonly WonRun[]): Promise<void> {
    const held = [...won].sort(inOrder).map((one) => this.#hold(one));
    this.#waiting.push(...held);
    for (let chunk = this.#nextChunk(); chunk.length > 0; chunk = this.#nextChunk()) {
      await Promise.all(chunk.map((one) => this.#begin(one)));
    }
  }

  /** Says which of the waiting runs are late by now. */
  noticeLate(): void {
    for (const held of this.#waiting) this.#noticeLate(held, this.#ports.clock.now());
  }

  /** Waits for the commands that run, then stops those that are left: TERM, grace, KILL. */
  async drain(drainMs: number, hurry: AbortSignal): Promise<void> {
    this.#isDraining = true;
    await Promise.all(this.#waiting.splice(0).map((held) => this.#giveBack(held)));
    const idle = () => Promise.allSettled([...this.#held.values()].map(({ done }) => done));
    const over = new AbortController();
    const hurried = AbortSignal.any([hurry, over.signal]);
    await Promise.race([idle(), this.#ports.clock.sleep(drainMs, hurried)]);
    over.abort();
    for (const { stop } of this.#held.values()) stop.abort('daemon-stopped' satisfies Reason);
    this.#ending.abort();
    await idle();
  }

  /** Whether an answer to a claim is other than that nothing is to be done. */
  #isChanged(result: ClaimResult, { active, job, jobId }: DueRun, won: WonRun[]): boolean {
    const { emit } = this.#ports;
    switch (result.outcome) {
      case 'won':
        // A repeated claim of what we hold already is won, too.
        if (this.holds(result.run)) {
          this.#putOffNextAttempt(result.run);
          return false;
        }
        won.push({ run: result.run, active, job, jobId });
        return true;
      case 'closed':
        emit({ kind: 'run-skipped', run: result.run });
        return true;
      case 'taken':
        emit({ kind: 'run-taken', run: result.run });
        return false;
      case 'waiting': {
        const { notBefore } = result.run;
        if (notBefore !== undefined && notBefore > this.#ports.clock.now()) this.#calls.onPending(notBefore);
        else this.#blocked.add(jobId);
        return false;
      }
      case 'paused':
        return false;
    }
  }

  /**
   * The attempt before, whose end is recorded by now, is still held by who executes it and has not heard of that: the
   * next one begins when it has. A claim that is not given back meanwhile is won again.
   */
  #putOffNextAttempt(run: Run): void {
    const held = this.#held.get(keyOf(run));
    const isNext = run.status === 'claimed' && run.attempts.length > (held?.run.attempts.length ?? Infinity);
    if (!isNext) return;
    this.#blocked.add(run.jobId);
    void this.#release(run).catch(() => {});
  }

  // `async`, so that a store that throws at once is one that rejects.
  async #claim(one: DueRun): Promise<ClaimResult> {
    const { job, jobId, runId, scheduledTime, trigger, active, startBy } = one;
    const at = this.#ports.clock.now();
    const channel = this.#channel(job);
    return await this.#ports.store.claim({
      ...{ jobId, runId, scheduledTime, trigger },
      planHash: active.hash,
      owner: this.#options.owner,
      concurrencyPolicy: job.options['concurrency-policy'] ?? 'forbid',
      at,
      leaseUntil: at + LEASE_MS,
      ...(startBy === undefined ? {} : { startBy }),
      ...(job.options['catch-up'] === 'all' ? { isInOrder: true } : {}),
      ...(channel === undefined ? {} : { channel }),
    });
  }

  /** One write for each job: its instants are recorded together or not at all. */
  #settlementNotes(missed: readonly MissedRuns[], owed: readonly OwedRun[]): Note[] {
    const { store, clock, emit } = this.#ports;
    const byJob = new Map<string, { readonly missed: MissedRuns[]; readonly owed: OwedRun[] }>();
    const ofJob = (jobId: string) => {
      const known = byJob.get(jobId) ?? { missed: [], owed: [] };
      byJob.set(jobId, known);
      return known;
    };
    for (const one of missed) ofJob(one.jobId).missed.push(one);
    for (const one of owed) ofJob(one.jobId).owed.push(one);
    return [...byJob].map(([jobId, work]) => {
      const write = async () => {
        const at = clock.now();
        await store.settle({
          answers: work.missed.map((one) => answerOf(one, at, this.#channel(one.job))),
          owed: work.owed.map((one) => owedOf(one, at)),
        });
        for (const one of work.missed) emit({ kind: 'runs-missed', jobId, missed: one.missed });
        if (work.owed.length > 0) this.#calls.onPending(at);
      };
      return { jobId, write };
    });
  }

  #endNote({ run, job, reason }: EndedRun): Note {
    const { store, clock, emit } = this.#ports;
    const { jobId, runId } = run;
    const channel = this.#channel(job);
    const write = async () => {
      const end = { jobId, runId, reason, at: clock.now(), ...(channel === undefined ? {} : { channel }) };
      if (await store.endPending(end)) {
        emit({ kind: 'run-skipped', run: closedRun({ run, holdsLock: false }, end).run });
      }
    };
    return { jobId, write };
  }

  #channel(job: PlannedJob | undefined): string | undefined {
    return this.#options.channel?.(job);
  }

  async #release({ jobId, runId }: RunKey): Promise<void> {
    const { store, clock } = this.#ports;
    await store.release(jobId, runId, this.#options.owner.token, clock.now());
  }

  #hold(won: WonRun): HeldRun {
    const stop = new AbortController();
    const letGo = this.#leases.keep(won.run, (reason) => stop.abort(reason));
    const started = Promise.withResolvers<void>();
    const since = this.#ports.clock.monotonic();
    const held: HeldRun = {
      ...won,
      stop,
      letGo,
      started,
      since,
      hasTurn: false,
      done: undefined,
      isLate: false,
    };
    this.#held.set(keyOf(won.run), held);
    return held;
  }

  /** The next runs that may start. */
  #nextChunk(): HeldRun[] {
    const { maxConcurrent = Number.POSITIVE_INFINITY } = this.#options;
    const underWay = [...this.#held.values()].filter(({ hasTurn }) => hasTurn).length;
    const chunk = this.#waiting.splice(0, Math.min(START_CHUNK, Math.max(0, maxConcurrent - underWay)));
    for (const held of chunk) held.hasTurn = true;
    return chunk;
  }

  async #begin(held: HeldRun): Promise<void> {
    const { run } = held;
    const isTooLate = run.startBy !== undefined && run.startBy < this.#ports.clock.now();
    if (held.stop.signal.aborted) this.#drop(held);
    else if (await this.#isOvertaken(held)) {
      // The ledger says what becomes of it now.
      await this.#giveBack(held);
      this.#calls.onPending(this.#ports.clock.now());
    } else if (isTooLate) await this.#end(held, { status: 'missed', reason: 'too-late' });
    else if (this.#options.isDryRun === true) {
      this.#ports.emit({ kind: 'run-would-start', run, job: held.job });
      await this.#end(held, { status: 'skipped', reason: 'dry-run' });
    } else {
      held.done = this.#execute(held);
      await held.started.promise;
    }
  }

  /** Whether the job of a run that waited is gone, suspended or paused by now; if it was edited, the edit counts. */
  async #isOvertaken(held: HeldRun): Promise<boolean> {
    const { clock, store } = this.#ports;
    if (clock.monotonic() - held.since < LOOK_EVERY_MS) return false;
    const found = this.#calls.planned(held.jobId);
    if (found === 'gone') return true;
    if (found !== undefined) {
      if (found.job.options.suspend !== undefined) return true;
      held.job = found.job;
      held.active = found.active;
    }
    // A store that fails now would not have let it be claimed either, and what it would say is not known.
    const pauses = await store.pauses(held.jobId).catch(() => []);
    return held.run.trigger !== 'manual' && pauses.some((pause) => isPausedAt(pause, clock.now()));
  }

  /** Ends a run that was not started. */
  async #end(held: HeldRun, end: Pick<Finish, 'status' | 'reason'>): Promise<void> {
    const { run, jobId } = held;
    const { store, clock, emit } = this.#ports;
    const channel = this.#channel(held.job);
    const finish: Finish = {
      ...{ jobId, runId: run.runId, token: this.#options.owner.token, ...end, at: clock.now() },
      ...(channel === undefined ? {} : { channel }),
    };
    this.#drop(held);
    const write = async () => {
      if (await store.finish(finish)) emit({ kind: 'run-skipped', run: { ...run, ...end } });
    };
    await write().catch(() => this.#unwritten.push({ jobId, write }));
  }

  async #giveBack(held: HeldRun): Promise<void> {
    this.#drop(held);
    // What the store does not take now is found by whoever sees that we are gone.
    await this.#release(held.run).catch(() => {});
  }

  #drop(held: HeldRun): void {
    held.letGo();
    this.#held.delete(keyOf(held.run));
  }

  async #execute(held: HeldRun): Promise<void> {
    const { run, job, started } = held;
    const { store, clock, emit, random } = this.#ports;
    const { user, passed } = this.#options;
    const { secrets, commands } = this.#prepare(run, job);
    const spool = this.#spoolOf(run);
    const onStoreError = (error: unknown) => {
      started.resolve();
      const message = `the store failed for run ${run.jobId} ${run.runId}; it is asked again`;
      emit({ kind: 'error', message, error });
    };
    try {
      const finish = await executeRun(
        run,
        job,
        { store, clock, commands, random, spool, nextDue: (after) => nextDueOf(held, after) },
        {
          ...{
            user,
            passed,
            secrets,
            stop: held.stop.signal,
            ending: this.#ending.signal,
            channel: this.#channel(job),
          },
          onStart: (attempt) => this.#noticeStart(held, attempt),
          onSlow: () => emit({ kind: 'run-slow', run, job }),
          onStoreError,
        },
      );
      if (finish === undefined) await this.#release(run).catch(() => {});
      else {
        emit({ kind: 'run-ended', run, job, finish });
        if (finish.retry !== undefined) this.#calls.onPending(finish.retry.notBefore);
        if (this.#blocked.delete(run.jobId)) this.#calls.onPending(clock.now());
      }
    } catch (error) {
      emit({ kind: 'error', message: `the end of run ${run.jobId} ${run.runId} is not recorded`, error });
    } finally {
      this.#unrecorded.delete(keyOf(run));
      this.#drop(held);
      started.resolve();
      if (this.#waiting.length > 0 && !this.#isDraining) void this.start([]);
    }
  }

  /** Remembers an end that the store does not take, also when the disk does not either. */
  #spoolOf(run: Run): Spool {
    const { spool } = this.#ports;
    return {
      put: (finish) => {
        this.#unrecorded.set(keyOf(run), finish);
        spool?.put(finish);
      },
      remove: (finish) => {
        this.#unrecorded.delete(keyOf(run));
        spool?.remove(finish);
      },
    };
  }

  #noticeStart(held: HeldRun, attempt: Attempt): void {
    const { run, job } = held;
    if (attempt.number === 1) this.#noticeLate(held, attempt.startedAt);
    this.#ports.emit({ kind: 'run-started', run, job, attempt });
    held.started.resolve();
  }

  #noticeLate(held: HeldRun, now: EpochMs): void {
    const { run, job } = held;
    if (held.isLate || run.trigger === 'manual' || run.attempts.length > 0) return;
    // Nothing is late within half a minute unless it says so: a schedule is not compiled for each start of a minute.
    if (now - run.scheduledTime <= (job.options['late-after'] ?? MINUTE_MS / 2)) return;
    const limit = lateAfter(job, run.scheduledTime, nextDueOf(held, run.scheduledTime));
    if (now - run.scheduledTime <= limit) return;
    held.isLate = true;
    this.#ports.emit({ kind: 'run-late', run, job, lateMs: now - run.scheduledTime });
  }

  /** The job's secrets; one that cannot be read fails its own run and nothing else. */
  #prepare(run: Run, job: PlannedJob): { secrets: Record<string, string>; commands: CommandRunner } {
    const { commands, emit } = this.#ports;
    const secrets: Record<string, string> = {};
    try {
      for (const name of job.options.secrets ?? []) {
        const value = this.#options.secret(name);
        if (value !== undefined) {
          secrets[name] = value;
          if (!isMaskable(value)) emit({ kind: 'warning', message: `job ${run.jobId}: ${unmasked(name)}` });
        } else
          throw new Error(
            `the daemon has no secret \`${name}\`: set the variable, or its file in \`--secrets\``,
          );
      }
      return { secrets, commands };
    } catch (error) {
      return { secrets: {}, commands: { start: () => notStarted((error as Error).message) } };
    }
  }
}

function notStarted(error: string): RunningCommand {
  const ended = Promise.resolve({ kind: 'not-started', exitCode: 125, error } as const);
  return { ended, kill: () => {}, isGroupLeft: () => false };
}

/** By due time, then name: a minute is started in the same order each day. */
function inOrder(a: WonRun, b: WonRun): number {
  return a.run.scheduledTime - b.run.scheduledTime || (a.jobId < b.jobId ? -1 : 1);
}

function keyOf({ jobId, runId }: RunKey): string {
  return `${jobId} ${runId}`;
}
