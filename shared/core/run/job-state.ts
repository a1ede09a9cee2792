import { type Incident, incidentAfter, type Notification } from '../notify/notification.ts';
import type { EpochMs } from '../schedule/zone-table.ts';
import { type Attempt, type FinalStatus, isFinal, type Run } from './run.ts';

/** Counters and last figures of a job: what metrics and `jobs` show without reading history. */
export interface JobState {
  readonly jobId: string;
  /** Runs by final status, ever: history may be pruned, counters are not. A run that is reopened counts again. */
  readonly runs: Readonly<Partial<Record<FinalStatus, number>>>;
  /** Attempts that are over, ever. */
  readonly attempts: number;
  readonly last?: {
    readonly runId: string;
    readonly status: FinalStatus;
    readonly startedAt?: EpochMs;
    readonly finishedAt: EpochMs;
    readonly exitCode?: number;
  };
  readonly lastSuccessAt?: EpochMs;
  readonly lastFailureAt?: EpochMs;
  /** The failure that people were told of and that no success has followed yet. */
  readonly incident?: Incident;
}

export function emptyState(jobId: string): JobState {
  return { jobId, runs: {}, attempts: 0 };
}

/** Ends that say that the job did not do its work. */
function isFailure(status: FinalStatus): boolean {
  return status === 'failed' || status === 'timed-out' || status === 'lost';
}

/** What a change of a run means for its job. */
export interface Recorded {
  readonly state: JobState;
  /** What people are to be told. */
  readonly notification?: Notification;
}

/**
 * The state after a run of the job was written.
 *
 * @param attempt the attempt that ended by it, if one did
 * @param channel who is told; nobody where left out
 */
export function recorded(
  state: JobState,
  run: Run,
  attempt: Attempt | undefined,
  channel: string | undefined,
): Recorded {
  const counted = attempt === undefined ? state : { ...state, attempts: state.attempts + 1 };
  const { status, finishedAt } = run;
  if (!isFinal(status) || finishedAt === undefined) return { state: counted };
  const next = incidentAfter(state.incident, run);
  // One that nobody can be told of begins with the first failure that somebody can.
  const isUntold = channel === undefined && (next.kind === 'failed' || next.kind === 'missed');
  const { incident, kind } = isUntold ? {} : next;
  const { incident: _before, ...ended } = withFinal(counted, run, status, finishedAt);
  const after: JobState = { ...ended, ...(incident === undefined ? {} : { incident }) };
  if (kind === undefined || channel === undefined) return { state: after };
  const { jobId, runId, scheduledTime, reason, attempts } = run;
  const exitCode = attempts.at(-1)?.exitCode;
  const notification: Notification = {
    id: `${jobId}/${runId}/${kind}/${finishedAt}`,
    ...{ channel, kind, jobId, runId, scheduledTime, status },
    ...(reason === undefined ? {} : { reason }),
    ...(exitCode === undefined ? {} : { exitCode }),
    attempts: attempts.length,
    since: (incident ?? state.incident)?.since ?? finishedAt,
    ...{ at: finishedAt, tries: 0 },
  };
  return { state: after, notification };
}

/** Skipped and missed runs count, but are no last run. */
function withFinal(state: JobState, run: Run, status: FinalStatus, finishedAt: EpochMs): JobState {
  const runs = { ...state.runs, [status]: (state.runs[status] ?? 0) + 1 };
  if (status === 'skipped' || status === 'missed') return { ...state, runs };
  const { startedAt, exitCode, finishedAt: endedAt = finishedAt } = run.attempts.at(-1) ?? {};
  return {
    ...state,
    runs,
    last: {
      runId: run.runId,
      status,
      finishedAt,
      ...(startedAt === undefined ? {} : { startedAt }),
      ...(exitCode === undefined ? {} : { exitCode }),
    },
    // Somebody stopped a cancelled run: that says nothing about the job. A run may be closed long after its attempt.
    ...(status === 'succeeded' && { lastSuccessAt: endedAt }),
    ...(isFailure(status) && { lastFailureAt: endedAt }),
  };
}

/** The state of a job that goes on under another name, together with what that name had. */
export function renamedState(from: JobState, to: JobState | undefined, jobId: string): JobState {
  if (to === undefined) return { ...from, jobId };
  const runs = { ...from.runs };
  for (const [status, count] of Object.entries(to.runs)) {
    runs[status as FinalStatus] = (runs[status as FinalStatus] ?? 0) + count;
  }
  return { ...from, ...to, runs, attempts: from.attempts + to.attempts, jobId };
}
