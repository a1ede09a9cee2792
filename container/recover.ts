import { closeLost, isLost } from '../shared/core/run/close-lost.ts';
import type { Owner, Run } from '../shared/core/run/run.ts';
import type { SchedulerPorts } from './run-starter.ts';

type Ports = Pick<SchedulerPorts, 'store' | 'clock' | 'emit'>;
type IsAlive = (owner: Owner) => boolean | undefined;

/**
 * Closes what processes that died have left in the store: an attempt that ran is lost.
 *
 * @param isAlive whether the owner lives; undefined when that cannot be seen from here
 * @returns runs that were only claimed: they can still be started
 */
export async function closeLeftovers(ports: Ports, isAlive: IsAlive): Promise<Run[]> {
  const { store, emit } = ports;
  await closeLostRuns(ports, isAlive);
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
    if (lives === false && run.status === 'claimed') abandoned.push(run);
  }
  return abandoned;
}

/** Closes runs whose owner died, so that they do not stand in the way of the next ones. */
export async function closeLostRuns({ store, clock, emit }: Ports, isAlive: IsAlive): Promise<void> {
  for (const run of await store.unfinished()) {
    if (isLost(run, isAlive) && (await closeLost(store, run, clock.now()))) emit({ kind: 'run-lost', run });
  }
}
