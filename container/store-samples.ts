import { jobSamples } from '../shared/core/metrics/job-samples.ts';
import type { Sample } from '../shared/core/metrics/metrics.ts';
import type { PlannedJob, SchedulePlan } from '../shared/core/plan/plan.ts';
import type { RunStore } from '../shared/core/run/run-store.ts';
import type { EpochMs } from '../shared/core/schedule/zone-table.ts';

/** A crontab in force, as a scrape sees it. */
export interface ScrapedCrontab {
  readonly plan: SchedulePlan;
  /** Those that run here. */
  readonly jobs: readonly PlannedJob[];
  /** By job name; without those that are never due. */
  readonly nextRuns: ReadonlyMap<string, EpochMs>;
}

/** What the store knows of the jobs of crontabs. @throws what the store says when it cannot be read */
export async function storeSamples(
  store: RunStore,
  crontabs: readonly ScrapedCrontab[],
  now: EpochMs,
): Promise<Sample[]> {
  const unfinished = await store.unfinished();
  const samples: Sample[][] = [];
  for (const { plan, jobs, nextRuns } of crontabs) {
    const { crontab } = plan;
    const states = await store.states(crontab);
    const pending = await store.pendingCounts(crontab);
    const pauses = await store.pausesAt(crontab, now);
    const paused = new Set(pauses.map(({ jobId }) => jobId));
    samples.push(jobSamples({ crontab, jobs, states, unfinished, pending, paused, nextRuns }));
  }
  return samples.flat();
}
