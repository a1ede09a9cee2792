import type { JobOptions, OptionKey } from '../shared/core/crontab/options.ts';
import type { SchedulePlan } from '../shared/core/plan/plan.ts';

/** Keys that are read and checked, and that the daemon does not act on yet. */
const EFFECTLESS: readonly OptionKey[] = [
  'was',
  'retries',
  'backoff',
  'late-after',
  'slow-after',
  'memory',
  'cpu-time',
  'notify',
];

/** Values of other keys that act as another value for now. */
const EFFECTLESS_VALUES: readonly {
  readonly key: OptionKey;
  readonly value: string;
  readonly actsAs: string;
}[] = [
  { key: 'concurrency-policy', value: 'replace', actsAs: 'forbid' },
  { key: 'catch-up', value: 'all', actsAs: 'once' },
];

/** One sentence for each key of the plan that has no effect yet: nobody shall count on what is not there. */
export function effectlessKeys({ crontab, jobs }: SchedulePlan): string[] {
  const sentences: string[] = [];
  const users = (test: (options: Omit<JobOptions, 'name' | 'allow'>) => boolean) => {
    const count = jobs.filter((job) => test(job.options)).length;
    return count === 0 ? undefined : `${count} ${count === 1 ? 'job' : 'jobs'} of crontab \`${crontab}\``;
  };
  for (const key of EFFECTLESS) {
    const who = users((options) => (options as JobOptions)[key] !== undefined);
    if (who !== undefined) sentences.push(`\`${key}\` has no effect yet (${who})`);
  }
  for (const { key, value, actsAs } of EFFECTLESS_VALUES) {
    const who = users((options) => (options as JobOptions)[key] === value);
    if (who !== undefined) sentences.push(`\`${key}=${value}\` acts as \`${actsAs}\` for now (${who})`);
  }
  return sentences;
}
