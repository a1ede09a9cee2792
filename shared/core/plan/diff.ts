import { canonicalJson } from './canonical-json.ts';
import type { PlannedJob, SchedulePlan } from './plan.ts';

/** What an edit did to the jobs of a crontab. */
export interface PlanDiff {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly JobChange[];
}

export interface JobChange {
  readonly name: string;
  /** Which parts are other than before. */
  readonly parts: readonly (keyof PlannedJob)[];
  /**
   * Schedule and command are both new: the name has most likely slid to another job, whose runs would then
   * continue a foreign history.
   */
  readonly isAnotherJob: boolean;
}

const PARTS = ['schedule', 'zone', 'command', 'stdin', 'environment', 'user', 'options'] as const;

export function diffPlans(before: SchedulePlan, after: SchedulePlan): PlanDiff {
  const old = new Map(before.jobs.map((job) => [job.name, job]));
  const added: string[] = [];
  const changed: JobChange[] = [];
  for (const job of after.jobs) {
    const was = old.get(job.name);
    old.delete(job.name);
    if (was === undefined) {
      added.push(job.name);
      continue;
    }
    const parts = PARTS.filter(
      (part) => canonicalJson(was[part] ?? null) !== canonicalJson(job[part] ?? null),
    );
    if (parts.length > 0) {
      const isAnotherJob = parts.includes('schedule') && parts.includes('command');
      changed.push({ name: job.name, parts, isAnotherJob });
    }
  }
  return { added, removed: [...old.keys()], changed };
}
