import { ownerMark, runIdText } from '../core/run/execute-run.ts';
import type { Run } from '../core/run/run.ts';
import { findLeftovers, killLeftovers } from './leftovers.ts';

/**
 * Ends what is left on this host of the commands of runs whose owners are gone.
 *
 * @param graceMs between TERM and KILL
 */
export function endLostCommands(runs: readonly Run[], graceMs: number): ReturnType<typeof killLeftovers> {
  const textOf = (runId: string, owner: string) => `${runId} ${owner}`;
  const wanted = new Set(runs.map((run) => textOf(runIdText(run), ownerMark(run.owner?.token ?? ''))));
  return killLeftovers(() => findLeftovers(({ runId, owner }) => wanted.has(textOf(runId, owner))), graceMs);
}
