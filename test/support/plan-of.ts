import { checkCrontab } from '../../shared/core/crontab/check.ts';
import { type PlannedJob, planCrontab, type SchedulePlan } from '../../shared/core/plan/plan.ts';

/** The plan of a crontab named `shop`, in UTC where it sets no zone. @throws Error with the messages of its errors */
export function planOf(text: string, zone = 'UTC'): SchedulePlan {
  const checked = checkCrontab(text, { zone, now: Date.parse('2026-01-01T00:00Z') });
  const errors = checked.diagnostics.list.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw new Error(errors.map(({ code, message }) => `${code}: ${message}`).join('\n'));
  return planCrontab(checked, { crontab: 'shop', zone });
}

/** The only job of a crontab. */
export function jobOf(text: string): PlannedJob {
  const { jobs } = planOf(text);
  if (jobs.length !== 1) throw new Error(`one job expected, got ${jobs.length}`);
  return jobs[0] as PlannedJob;
}
