import { type EpochMs, MINUTE_MS } from '../schedule/zone-table.ts';

/** What a run is doing, or how it ended. */
export const RUN_STATUSES = [
  'pending',
  'claimed',
  'running',
  'succeeded',
  'failed',
  'timed-out',
  'lost',
  'cancelled',
  'skipped',
  'missed',
] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/** Statuses that a run never leaves by itself. */
export const FINAL_STATUSES = [
  'succeeded',
  'failed',
  'timed-out',
  'lost',
  'cancelled',
  'skipped',
  'missed',
] as const satisfies readonly RunStatus[];
export type FinalStatus = (typeof FINAL_STATUSES)[number];

export function isFinal(status: RunStatus): status is FinalStatus {
  return (FINAL_STATUSES as readonly RunStatus[]).includes(status);
}

/** Why a pending run is not started yet, or was not when it was first handled. */
export const PENDING_CAUSES = {
  retry: 'an attempt failed, and there is another',
  'catch-up': 'it is owed from a downtime',
  replace: 'it takes the place of a run that is being stopped',
  requested: 'somebody asked for it',
  'given-back': 'the process that was to start it could not',
} as const;
export type PendingCause = keyof typeof PENDING_CAUSES;

/** Why a run exists. */
export const TRIGGERS = ['schedule', 'manual', 'catch-up', 'backfill'] as const;
export type Trigger = (typeof TRIGGERS)[number];

/** Why a run ended as it did. */
export const REASONS = {
  'exit-code': 'the command ended with an exit code that is no success',
  signal: 'a signal ended the command',
  timeout: 'the command ran longer than its timeout',
  'not-started': 'the command could not be started',
  memory: 'the command used more memory than it may',
  'cpu-time': 'the command used more CPU time than it may',
  overlap: 'the previous run was still running',
  superseded: 'a later run took its place',
  replaced: 'a later run took its place while it ran',
  paused: 'the job was paused',
  suspended: 'the crontab suspends the job',
  'too-late': 'its starting deadline was over',
  'catch-up-none': 'runs of a downtime are not made up for',
  removed: 'the job is no longer in the crontab',
  'owner-died': 'the process that ran it ended without a word',
  'lease-expired': 'the process that ran it gave no sign of life',
  'lease-lost': 'the process that ran it could not reach the run store, and stopped it',
  'daemon-stopped': 'the daemon was stopped while it ran',
  requested: 'somebody asked for it',
  'dry-run': 'it would have started; a dry run starts nothing',
} as const;
export type Reason = keyof typeof REASONS;

/** Who runs an attempt: enough to find out whether it is still alive. */
export interface Owner {
  /** Random, made before the first write: the proof of a claim. */
  readonly token: string;
  readonly host: string;
  /** Identifies one boot of the host. */
  readonly bootId: string;
  readonly pid: number;
  /** Start time of the process in the unit of its platform: tells a reused pid from the first one. */
  readonly processStart: string;
}

/** One start of a run's command. */
export interface Attempt {
  /** From 1. */
  readonly number: number;
  readonly startedAt: EpochMs;
  readonly finishedAt?: EpochMs;
  readonly status?: FinalStatus;
  readonly reason?: Reason;
  readonly exitCode?: number;
  /** Name of the signal that ended the command, such as `SIGKILL`. */
  readonly signal?: string;
  /** What the platform said when the command could not be started. */
  readonly error?: string;
  /** Of a running attempt: the job's id that its command knows, where the job has another one by now. */
  readonly jobId?: string;
}

/** What a person, or a later run, asked of a run. */
export interface OperatorRequest {
  readonly verb: 'cancel' | 'replace' | 'retry' | 'backfill';
  /** User and host, or the id of the run that replaces it. */
  readonly by: string;
  readonly at: EpochMs;
  /** In their words. */
  readonly why?: string;
}

/** One due execution of a job: the triple (crontab, job, scheduledTime), or a run by hand or at a start. */
export interface Run {
  /** `<crontab>/<job name>` */
  readonly jobId: string;
  /** Unique within the job; see `run-id.ts`. */
  readonly runId: string;
  /** Cut to the minute. */
  readonly scheduledTime: EpochMs;
  readonly trigger: Trigger;
  readonly status: RunStatus;
  readonly reason?: Reason;
  /** Run id of the run that was in the way. */
  readonly blockedBy?: string;
  /** A row that answers for all due instants from here to `scheduledTime`. */
  readonly spanFrom?: EpochMs;
  readonly planHash: string;
  readonly createdAt: EpochMs;
  readonly finishedAt?: EpochMs;
  /** Of a run that is pending, or was. */
  readonly cause?: PendingCause;
  /** Of a pending run: it is not started earlier. */
  readonly notBefore?: EpochMs;
  /** It is not started later; without it, there is no limit. */
  readonly startBy?: EpochMs;
  /** When an executor was last told to start it; see `isHandedOut`. */
  readonly handedAt?: EpochMs;
  /** Of a backfill: how many of its job may be under way at once. */
  readonly maxActiveRuns?: number;
  /** Of a run that is claimed or running. */
  readonly owner?: Owner;
  /** Of a run that is claimed or running: its owner has to extend it before this. */
  readonly leaseUntil?: EpochMs;
  /** Of a running run that shall end. */
  readonly cancelRequest?: OperatorRequest;
  /** Everything that people asked of it, oldest first. */
  readonly requests?: readonly OperatorRequest[];
  readonly attempts: readonly Attempt[];
}

/** The end of a stream's output. */
export interface OutputTail {
  readonly text: string;
  /** Bytes that came before the tail and are not kept. */
  readonly droppedBytes: number;
}

/** What an attempt wrote. */
export interface RunOutput {
  readonly stdout: OutputTail;
  readonly stderr: OutputTail;
}

/** Bytes of each stream that are kept with an attempt. */
export const OUTPUT_TAIL_BYTES = 16 * 1024;

/**
 * A run that nobody handled may still be started until then: five minutes, or as long as the job's next due time is
 * away but an hour at most, unless the job has a starting deadline.
 */
export function startBy(
  scheduledTime: EpochMs,
  nextDue: EpochMs | undefined,
  startingDeadlineMs: number | undefined,
): EpochMs {
  if (startingDeadlineMs !== undefined) return scheduledTime + startingDeadlineMs;
  const gap = nextDue === undefined ? Number.POSITIVE_INFINITY : nextDue - scheduledTime;
  return scheduledTime + Math.max(5 * MINUTE_MS, Math.min(60 * MINUTE_MS, gap));
}

/** How long an executor that was told to start a run has for it, before another one is told. Milliseconds. */
export const HANDED_MS = 2 * MINUTE_MS;

/** Whether an executor was told to start a pending run so lately that nobody else is to be told. */
export function isHandedOut({ handedAt }: Pick<Run, 'handedAt'>, now: EpochMs): boolean {
  return handedAt !== undefined && handedAt + HANDED_MS > now;
}

/** From the scheduled time to the first start. Undefined when nothing was started. Milliseconds. */
export function lateness(run: Run): number | undefined {
  const started = run.attempts[0]?.startedAt;
  return started === undefined ? undefined : started - run.scheduledTime;
}
