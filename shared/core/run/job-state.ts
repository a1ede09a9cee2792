import type { EpochMs } from '../schedule/zone-table.ts';
import { type FinalStatus, isFinal, type Run } from './run.ts';

/** Counters and last figures of a job: what metrics and `jobs` show without reading history. */
export interface JobState {
  readonly jobId: string;
  /** Runs by final status, ever: history may be pruned, counters are not. */
  readonly runs: Readonly<Partial<Record<FinalStatus, number>>>;
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
}

export function emptyState(jobId: string): JobState {
  return { jobId, runs: {}, attempts: 0 };
}

/** Ends that say that the job did not do its work. */
function isFailure(status: FinalStatus): boolean {
  return status === 'failed' || status === 'timed-out' || status === 'lost';
}

/** The state after a run of the job became final. Skipped and missed runs count, but are no last run. */
export function withFinished(state: JobState, run: Run): JobState {
  const { status, finishedAt } = run;
  if (!isFinal(status) || finishedAt === undefined) throw new Error(`run ${run.runId} is not final`);
  const runs = { ...state.runs, [status]: (state.runs[status] ?? 0) + 1 };
  const attempt = run.attempts.at(-1);
  if (status === 'skipped' || status === 'missed') return { ...state, runs };
  const { startedAt, exitCode } = attempt ?? {};
  return {
    ...state,
    runs,
    attempts: state.attempts + run.attempts.length,
    last: {
      runId: run.runId,
      status,
      finishedAt,
      ...(startedAt === undefined ? {} : { startedAt }),
      ...(exitCode === undefined ? {} : { exitCode }),
    },
    // Somebody stopped a cancelled run: that says nothing about the job.
    ...(status === 'succeeded' && { lastSuccessAt: finishedAt }),
    ...(isFailure(status) && { lastFailureAt: finishedAt }),
  };
}
