import { planHash, type SchedulePlan } from '../plan/plan.ts';
import type { EpochMs } from '../schedule/zone-table.ts';
import { successorsOf } from './ledger-work.ts';
import { jobIdOf } from './run-id.ts';
import type { ActivePlan, RunStore } from './run-store.ts';
import { type ScheduleChange, scheduleChange } from './schedule-history.ts';

/** A cursor further ahead of the clock than this was written under a wrong clock. Milliseconds. */
export const LARGEST_SET_BACK_MS = 3 * 3_600_000;

/** What putting a plan in force means for the history of schedules and for jobs that have another name now. */
export async function changeTo(
  store: Pick<RunStore, 'currentSchedules'>,
  before: ActivePlan | undefined,
  active: ActivePlan,
): Promise<ScheduleChange> {
  const { crontab } = active.plan;
  const known = await store.currentSchedules(crontab);
  const successors = before === undefined ? [] : [...successorsOf(before, active)];
  const renamed = successors.map(([was, name]) => ({
    from: jobIdOf(crontab, was),
    to: jobIdOf(crontab, name),
  }));
  return scheduleChange(known, renamed, active.plan, active.since);
}

/** The plan of a crontab that is gone: when it comes back, the time without it is no downtime. */
export function withoutJobs(plan: SchedulePlan, since: EpochMs): ActivePlan {
  const empty = { ...plan, zones: {}, jobs: [] };
  return { plan: empty, hash: planHash(empty), since };
}

/**
 * From when on a plan's due instants are still to be answered, exclusive. A plan that came in force after the cursor
 * owes nothing from before; under a clock that was wrong, it says nothing.
 */
export function owesFrom({ since }: ActivePlan, cursor: EpochMs | undefined, now: EpochMs): EpochMs {
  return Math.max(cursor ?? since, since <= now ? since : 0);
}
