import type { ConcurrencyPolicy, Target } from '../crontab/options.ts';
import type { NotificationQueue } from '../notify/notification.ts';
import type { SchedulePlan } from '../plan/plan.ts';
import type { EpochMs } from '../schedule/zone-table.ts';
import type { JobState } from './job-state.ts';
import type { PauseInterval, Resumption, Stretch } from './pause.ts';
import type {
  Attempt,
  FinalStatus,
  OperatorRequest,
  Owner,
  PendingCause,
  Reason,
  Run,
  RunOutput,
  Trigger,
} from './run.ts';
import type { ScheduleChange, ScheduleInterval } from './schedule-history.ts';

/** What names a run. */
export type RunKey = Pick<Run, 'jobId' | 'runId'>;

/** A wish to start a run. */
export interface Claim {
  readonly jobId: string;
  readonly runId: string;
  readonly scheduledTime: EpochMs;
  readonly trigger: Trigger;
  readonly planHash: string;
  readonly owner: Owner;
  readonly concurrencyPolicy: ConcurrencyPolicy;
  /** When the claim is made. */
  readonly at: EpochMs;
  readonly leaseUntil: EpochMs;
  /** It is not started later; without it, there is no limit. */
  readonly startBy?: EpochMs;
  /** Whether runs that are owed come one after the other and none is left out: `catch-up=all`. */
  readonly isInOrder?: boolean;
  /** Channel that is told when the claim closes a run as missed. */
  readonly channel?: string;
  /** When its owner, who starts at once, starts the next attempt: a run that is won is then running, without `start`. */
  readonly startedAt?: EpochMs;
}

export type ClaimResult =
  | { readonly outcome: 'won'; readonly run: Run }
  /** Somebody else has, or had, this very run. */
  | { readonly outcome: 'taken'; readonly run: Run }
  /** Over by this claim: another run is in the way, or it is too late, or the job is paused. */
  | { readonly outcome: 'closed'; readonly run: Run }
  /** Pending, by this claim or before: it is to be claimed again later. */
  | { readonly outcome: 'waiting'; readonly run: Run }
  /** The job was paused at the scheduled time: the pause answers for it, and there is no row. */
  | { readonly outcome: 'paused' };

/** How an attempt, and with it most often the run, ended. */
export interface Finish {
  readonly jobId: string;
  readonly runId: string;
  readonly token: string;
  readonly status: FinalStatus;
  readonly reason?: Reason;
  /** The attempt with its end; undefined when the command was never started. */
  readonly attempt?: Attempt;
  /** Kept with the attempt, and only with one. */
  readonly output?: RunOutput;
  /** Another attempt: the run is then pending, not over. */
  readonly retry?: { readonly notBefore: EpochMs; readonly startBy?: EpochMs };
  /** Only while the lease is this one: whoever takes a run from its owner must have seen that it is not extended. */
  readonly ifLeaseUntil?: EpochMs;
  /** Channel that is told of a failure, and of the first success after it. */
  readonly channel?: string;
  readonly at: EpochMs;
}

/** A run that is answered without being started: skipped or missed. */
export interface Answer {
  readonly jobId: string;
  readonly runId: string;
  readonly scheduledTime: EpochMs;
  readonly spanFrom?: EpochMs;
  readonly trigger: Trigger;
  readonly planHash: string;
  readonly status: 'skipped' | 'missed';
  readonly reason: Reason;
  readonly channel?: string;
  readonly at: EpochMs;
}

/** A run that is to be started by whoever looks next. */
export interface Owed {
  readonly jobId: string;
  readonly runId: string;
  readonly scheduledTime: EpochMs;
  readonly trigger: Trigger;
  readonly planHash: string;
  readonly cause: PendingCause;
  readonly notBefore: EpochMs;
  readonly startBy?: EpochMs;
  /** When an executor is told to start it, where that follows at once. */
  readonly handedAt?: EpochMs;
  readonly maxActiveRuns?: number;
  readonly request?: OperatorRequest;
  readonly at: EpochMs;
}

/** Answers for due instants of one job. */
export interface Settlement {
  readonly answers: readonly Answer[];
  readonly owed: readonly Owed[];
}

/** The end of a pending run that is not started any more. */
export interface PendingEnd extends RunKey {
  readonly reason: Reason;
  readonly channel?: string;
  readonly at: EpochMs;
}

/** A final run that shall have another attempt. */
export interface Reopening extends RunKey {
  readonly request: OperatorRequest;
  readonly notBefore: EpochMs;
  readonly startBy?: EpochMs;
  readonly maxActiveRuns?: number;
}

/** What became of a request to a run; `run` is as it is now. */
export type RequestResult =
  | { readonly outcome: 'done' | 'requested' | 'not-possible'; readonly run: Run }
  | { readonly outcome: 'unknown' };

/** An owner's hold on a run, extended. */
export interface Lease {
  /** The run shall end: its owner stops the command. */
  readonly cancelRequest?: OperatorRequest;
}

/** The plan that a crontab ran by last, and since when. */
export interface ActivePlan {
  readonly plan: SchedulePlan;
  readonly hash: string;
  readonly since: EpochMs;
  /** Of a plan that a deployment put in force: for which target. */
  readonly target?: Target;
}

/** Which rows of history to read, newest first: by creation, then job, then run id, all descending. */
export interface RunQuery {
  /** All jobs where left out. */
  readonly jobId?: string;
  readonly limit: number;
  /** Only runs that come after this one, the last row of the previous page; it need not exist any more. */
  readonly before?: Run;
}

/**
 * Where runs are kept. Every write is atomic and durable when its promise resolves, and may be repeated: who lost an
 * answer asks again. Reads are up to date by key; lists may lag. The rules stand in `run-transitions.ts`.
 */
export interface RunStore extends NotificationQueue {
  /**
   * Creates the run as `claimed` under the claim's owner, or claims it when it is pending and its time has come. But
   * for policy `allow`, no other run of the job may be claimed or running, and no newer due instant may have started.
   * What stands in the way decides whether the run is closed or waits; under `replace` the run in the way is asked to
   * end. A claim that is won, or waits, closes older pending runs of the job that it makes pointless.
   *
   * Runs by hand obey the lock, but neither pauses nor the order of instants. A run that is claimed under `allow`
   * keeps no other from starting.
   */
  claim(claim: Claim): Promise<ClaimResult>;
  /** `claimed` to `running`, right before the command is started. False when the run is no longer the owner's. */
  start(jobId: string, runId: string, token: string, attempt: Attempt): Promise<boolean>;
  /** Extends the lease of a run that is claimed or running. Undefined when it is no longer the owner's. */
  extend(jobId: string, runId: string, token: string, leaseUntil: EpochMs): Promise<Lease | undefined>;
  /** Ends an attempt: state, counters, output, lock and message in one write. False when it is no longer the owner's. */
  finish(finish: Finish): Promise<boolean>;
  /**
   * Records what became of due instants of one job, oldest first and in one write: creates final runs for those that
   * were not started, or for a stretch of them, and counts them, and pending runs for those that shall be. Nothing for
   * a run that exists; a stretch that begins where one does is one with it.
   */
  settle(settlement: Settlement): Promise<void>;
  /** Creates a pending run. False when the run exists. */
  owe(owed: Owed): Promise<boolean>;
  /** Ends a pending run: with the status of its last attempt, or as skipped, missed or cancelled. False when it is not pending. */
  endPending(end: PendingEnd): Promise<boolean>;
  /**
   * Notes that an executor is told to start a pending run whose time has come: of several who are about to, one may.
   * False for the others, and when the run is not pending, or not yet to start.
   */
  handOut(key: RunKey, at: EpochMs): Promise<boolean>;
  /** Gives a claimed run back: it is pending, at no cost of an attempt. */
  release(jobId: string, runId: string, token: string, at: EpochMs, ifLeaseUntil?: EpochMs): Promise<boolean>;

  /** Cancels a run that is not started (`done`), or asks the owner of a running one to stop it (`requested`). */
  cancel(key: RunKey, request: OperatorRequest): Promise<RequestResult>;
  /** Makes a final run pending again. */
  reopen(reopening: Reopening): Promise<RequestResult>;
  /** Begins a pause, unless one is in force then. @returns the one that is in force */
  pause(pause: PauseInterval): Promise<PauseInterval>;
  /** Ends the pause that is in force. @returns it; undefined when there is none */
  resume(jobId: string, resumption: Resumption): Promise<PauseInterval | undefined>;

  run(jobId: string, runId: string): Promise<Run | undefined>;
  runs(query: RunQuery): Promise<readonly Run[]>;
  /**
   * The newest due instant of a job in (after, until] that has an answer; undefined when none has. Whoever settles that
   * stretch of time again, after a crash, begins behind it.
   */
  answeredUntil(jobId: string, after: EpochMs, until: EpochMs): Promise<EpochMs | undefined>;
  /** Of these runs those that there are, in their order. */
  existing(keys: readonly RunKey[]): Promise<readonly RunKey[]>;
  /** Instants and stretches in (after, until] that rows answer for, oldest first; the first may begin before it. */
  answered(jobId: string, after: EpochMs, until: EpochMs): Promise<readonly Stretch[]>;
  /** The row that answers for a stretch of due instants, if one holds this instant. */
  spanAt(jobId: string, instant: EpochMs): Promise<Run | undefined>;
  output(jobId: string, runId: string, attempt: number): Promise<RunOutput | undefined>;
  /** All runs that are claimed or running, by job and then in the order of their creation. */
  unfinished(): Promise<readonly Run[]>;
  /**
   * Pending runs whose time has come and that are not handed out, by scheduled time; at most `limit`. Of each job and cause the oldest one only: a
   * long backlog of one job must not hide the others, and is looked at as it gets shorter.
   */
  pending(now: EpochMs, limit: number): Promise<readonly Run[]>;
  /** All pending runs of a crontab's jobs by job: how many there are. */
  pendingCounts(crontab: string): Promise<ReadonlyMap<string, number>>;
  /** Counters and last figures of all jobs that ever ran in a crontab, by job. */
  states(crontab: string): Promise<readonly JobState[]>;
  /** Pauses of a job, oldest first. */
  pauses(jobId: string): Promise<readonly PauseInterval[]>;
  /** Pauses of a crontab's jobs that are in force at an instant, by job. */
  pausesAt(crontab: string, instant: EpochMs): Promise<readonly PauseInterval[]>;
  /** What a job's schedule was, oldest first. */
  schedules(jobId: string): Promise<readonly ScheduleInterval[]>;
  /** The schedules of a crontab's jobs that are in force, by job. */
  currentSchedules(crontab: string): Promise<readonly ScheduleInterval[]>;

  /**
   * Keeps a crontab for who asks under its token, until an instant: two that settle it at once would write two answers.
   * False while somebody else has it. Who had it asks for `until` that is over.
   */
  takeTurn(crontab: string, token: string, at: EpochMs, until: EpochMs): Promise<boolean>;
  /** Newest minute that a crontab's daemon has handled. */
  cursor(crontab: string): Promise<EpochMs | undefined>;
  setCursor(crontab: string, cursor: EpochMs): Promise<void>;
  activePlan(crontab: string): Promise<ActivePlan | undefined>;
  /** Puts a plan in force, with what it changes in the history of schedules and the names of jobs, in one write. */
  setActivePlan(active: ActivePlan, change: ScheduleChange): Promise<void>;
  /** Names of crontabs with an active plan, sorted. */
  crontabs(): Promise<readonly string[]>;

  /** How many final runs `prune` would delete. */
  expired(now: EpochMs): Promise<number>;
  /** Deletes final runs whose retention is over with their outputs, oldest first, at most `limit`. @returns how many */
  prune(now: EpochMs, limit: number): Promise<number>;
  /**
   * What the store's own clock shows, to the second and cut off, where it has one that is not this machine's. Undefined
   * when it does not say.
   */
  time?(): Promise<EpochMs | undefined>;
  close(): Promise<void>;
}
