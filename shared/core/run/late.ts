import type { PlannedJob } from '../plan/plan.ts';
import { type EpochMs, MINUTE_MS } from '../schedule/zone-table.ts';
import type { Run } from './run.ts';

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

/**
 * Whether a run that starts, or that an executor is told to start, at an instant counts as late by that. Once: whoever
 * tells an executor counts it, and leaves the moment in `handedAt`.
 *
 * @param limitMs as `lateAfter` says
 */
export function isNewlyLate(
  { scheduledTime, handedAt }: Pick<Run, 'scheduledTime' | 'handedAt'>,
  limitMs: number,
  at: EpochMs,
): boolean {
  const isLateAt = (instant: EpochMs) => instant - scheduledTime > limitMs;
  return isLateAt(at) && (handedAt === undefined || !isLateAt(handedAt));
}
