import type { PlannedJob } from '../plan/plan.ts';
import { type EpochMs, MINUTE_MS } from '../schedule/zone-table.ts';

const MOST_MS = 5 * MINUTE_MS;

/**
 * How long after its time a run that has not started is late: what the job says, else half the time to the next one,
 * five minutes at most. Milliseconds.
 */
export function lateAfter(job: PlannedJob, scheduledTime: EpochMs, nextDue: EpochMs | undefined): number {
  const { 'late-after': said } = job.options;
  if (said !== undefined) return said;
  return nextDue === undefined ? MOST_MS : Math.min(MOST_MS, (nextDue - scheduledTime) / 2);
}
