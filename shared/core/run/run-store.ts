import type { ConcurrencyPolicy } from '../crontab/options.ts';
import type { SchedulePlan } from '../plan/plan.ts';
import type { EpochMs } from '../schedule/zone-table.ts';
import type { JobState } from './job-state.ts';
import type { Attempt, FinalStatus, Owner, Reason, Run, RunOutput, Trigger } from './run.ts';

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
}

export type ClaimResult =
  | { readonly outcome: 'won'; readonly run: Run }
  /** Somebody else has, or had, this very run. */
  | { readonly outcome: 'taken'; readonly run: Run }
  /** Closed by this claim as `skipped`: another run of the job holds the lock, or a newer one started before. */
  | { readonly outcome: 'skipped'; readonly run: Run };

/** How an attempt, and with it the run, ended. */
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
  readonly at: EpochMs;
}

/** The plan that a crontab ran by last, and since when. */
export interface ActivePlan {
  readonly plan: SchedulePlan;
  readonly hash: string;
  readonly since: EpochMs;
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
 * Where runs are kept. Every write is atomic and durable when its promise resolves. Reads are up to date by key;
 * lists may lag.
 */
export interface RunStore {
  /**
   * Creates the run as `claimed` under the claim's owner, unless it exists, or, but for policy `allow`, another run
   * of the job is claimed or running or a newer due instant has started: then it is created `skipped`. A repeated
   * claim with the same token wins again. Runs by hand obey the lock and do not count as newest.
   *
   * A run that is claimed under `allow` keeps no other run of the job from starting, and is not closed for a newer
   * one, but counts as newest. Where both hold, the reason is `superseded`, not `overlap`.
   */
  claim(claim: Claim): Promise<ClaimResult>;
  /**
   * `claimed` to `running`, right before the command is started; the same again when asked again. False when the run is no longer
   * the owner's.
   */
  start(jobId: string, runId: string, token: string, attempt: Attempt): Promise<boolean>;
  /** Ends the run: state, counters, output and lock in one write. False when the run is no longer the owner's. */
  finish(finish: Finish): Promise<boolean>;
  /** Creates a final run for an instant that was not started, and counts it. Nothing when the run exists. */
  answer(answer: Answer): Promise<void>;
  /** Gives a claimed run back: it is removed as if it had never been claimed, and its lock is free. */
  release(jobId: string, runId: string, token: string): Promise<boolean>;

  run(jobId: string, runId: string): Promise<Run | undefined>;
  runs(query: RunQuery): Promise<readonly Run[]>;
  output(jobId: string, runId: string, attempt: number): Promise<RunOutput | undefined>;
  /** All runs that are claimed or running, by job and then in the order of their creation. */
  unfinished(): Promise<readonly Run[]>;
  /** Counters and last figures of all jobs that ever ran in a crontab, by job. */
  states(crontab: string): Promise<readonly JobState[]>;

  /** Newest minute that a crontab's daemon has handled. */
  cursor(crontab: string): Promise<EpochMs | undefined>;
  setCursor(crontab: string, cursor: EpochMs): Promise<void>;
  activePlan(crontab: string): Promise<ActivePlan | undefined>;
  setActivePlan(active: ActivePlan): Promise<void>;
  /** Names of crontabs with an active plan, sorted. */
  crontabs(): Promise<readonly string[]>;

  /** Deletes final runs whose retention is over with their outputs, oldest first, at most `limit`. @returns how many */
  prune(now: EpochMs, limit: number): Promise<number>;
  close(): Promise<void>;
}

/** How long final runs are kept: successes and skips, and everything else. Milliseconds. */
export const RETENTION_MS = { success: 30 * 86_400_000, failure: 90 * 86_400_000 } as const;

export function expiryOf(status: FinalStatus, finishedAt: EpochMs): EpochMs {
  const isQuiet = status === 'succeeded' || status === 'skipped';
  return finishedAt + (isQuiet ? RETENTION_MS.success : RETENTION_MS.failure);
}
