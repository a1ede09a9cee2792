import type { EpochMs } from '../schedule/zone-table.ts';
import type { FinalStatus, Run } from './run.ts';

const DAY_MS = 86_400_000;

/** How long final runs are kept: successes and skips, and everything else. Milliseconds. */
export interface Retention {
  readonly successMs: number;
  readonly failureMs: number;
}

export const DEFAULT_RETENTION: Retention = { successMs: 30 * DAY_MS, failureMs: 90 * DAY_MS };

/** A row is what keeps its instant from being started again, so it stays for this long at least. Milliseconds. */
export const SHORTEST_RETENTION_MS = 7 * DAY_MS;

/** When a final run may be deleted: never soon after it could still have been started. */
export function expiryOf(
  { status, startBy }: Pick<Run, 'startBy'> & { readonly status: FinalStatus },
  finishedAt: EpochMs,
  { successMs, failureMs }: Retention,
): EpochMs {
  const isQuiet = status === 'succeeded' || status === 'skipped';
  const kept = Math.max(isQuiet ? successMs : failureMs, SHORTEST_RETENTION_MS);
  return Math.max(finishedAt + kept, (startBy ?? 0) + SHORTEST_RETENTION_MS);
}
