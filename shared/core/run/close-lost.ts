import type { EpochMs } from '../schedule/zone-table.ts';
import type { Owner, Run } from './run.ts';
import type { RunStore } from './run-store.ts';

/**
 * Whether a run is lost with its owner: its command may have run, or only a person could have wanted it started.
 * A due run that is claimed and was never started is not: whoever comes next can still start it.
 *
 * @param isAlive whether an owner lives; undefined when that cannot be seen from here
 */
export function isLost(run: Run, isAlive: (owner: Owner) => boolean | undefined): boolean {
  if (run.owner === undefined || isAlive(run.owner) !== false) return false;
  return run.status === 'running' || run.trigger === 'manual';
}

/** Records a run as lost, and so frees its job. @returns false when it was over meanwhile */
export function closeLost(store: Pick<RunStore, 'finish'>, run: Run, at: EpochMs): Promise<boolean> {
  const attempt = run.attempts.at(-1);
  const end = { status: 'lost', reason: 'owner-died' } as const;
  return store.finish({
    jobId: run.jobId,
    runId: run.runId,
    token: run.owner?.token ?? '',
    ...end,
    ...(attempt === undefined ? {} : { attempt: { ...attempt, ...end, finishedAt: at } }),
    at,
  });
}
