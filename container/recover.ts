import type { Owner, Run } from '../shared/core/run/run.ts';
import type { SchedulerPorts } from './run-starter.ts';

/**
 * Closes what processes that died have left in the store: an attempt that ran is lost.
 *
 * @param isAlive whether the owner lives; undefined when that cannot be seen from here
 * @returns runs that were only claimed: they can still be started
 */
export async function closeLeftovers(
  { store, clock, emit }: Pick<SchedulerPorts, 'store' | 'clock' | 'emit'>,
  isAlive: (owner: Owner) => boolean | undefined,
): Promise<Run[]> {
  const abandoned: Run[] = [];
  for (const run of await store.unfinished()) {
    const { owner } = run;
    if (owner === undefined) continue;
    const lives = isAlive(owner);
    if (lives === undefined) {
      emit({
        kind: 'warning',
        message: `run ${run.jobId} ${run.runId} belongs to a process on host ${owner.host}, which cannot be seen from here; while it is not over, its job may start nothing else`,
      });
    }
    if (lives !== false) continue;
    // A run by hand is not started behind the back of the person who gave it up.
    if (run.status === 'claimed' && run.trigger !== 'manual') {
      abandoned.push(run);
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
  return abandoned;
}
