import type { PlannedJob } from '../plan/plan.ts';
import { emptyState, type JobState } from '../run/job-state.ts';
import { FINAL_STATUSES, type Run } from '../run/run.ts';
import { jobIdOf } from '../run/run-id.ts';
import type { EpochMs } from '../schedule/zone-table.ts';
import type { LabelsOf, Sample, ScrapeMetricName } from './metrics.ts';

/** What is known of a crontab's jobs at a scrape. */
export interface JobFigures {
  readonly crontab: string;
  /** Of the plan in force, those that run on this target. */
  readonly jobs: readonly PlannedJob[];
  /** What the store has counted; may lack jobs, and may hold ones that are no longer in the plan. */
  readonly states: readonly JobState[];
  /** Runs that are not over, of any crontab. */
  readonly unfinished: readonly Pick<Run, 'jobId' | 'status'>[];
  /** How many runs of each job are pending, by job id. */
  readonly pending?: ReadonlyMap<string, number>;
  /** Ids of jobs that are paused. */
  readonly paused?: ReadonlySet<string>;
  /** By job name; without an instant for jobs that are never due. */
  readonly nextRuns: ReadonlyMap<string, EpochMs>;
}

/**
 * The samples of a crontab's jobs. Counts are there for every job and every final status, zero where nothing happened
 * yet: Prometheus sees no increase in a series that begins at 1, and the first failure would go unseen. What did not
 * happen yet has no time, and what is no longer in the plan has no samples.
 */
export function jobSamples({
  crontab,
  jobs,
  states,
  unfinished,
  pending,
  paused,
  nextRuns,
}: JobFigures): Sample[] {
  const stateOf = new Map(states.map((state) => [state.jobId, state]));
  const running = countByJob(unfinished.filter(({ status }) => status === 'running'));
  const claimed = countByJob(unfinished.filter(({ status }) => status === 'claimed'));
  return jobs.flatMap((job) => {
    const jobId = jobIdOf(crontab, job.name);
    const { runs, attempts, last, lastSuccessAt, lastFailureAt } = stateOf.get(jobId) ?? emptyState(jobId);
    const isSuspended = job.options.suspend !== undefined;
    const ofJob = { crontab, job_name: job.name };
    return [
      ...sample('kubercron_job_info', infoOf(crontab, job), 1),
      ...sample('kubercron_job_suspended', ofJob, isSuspended ? 1 : 0),
      ...sample('kubercron_job_paused', ofJob, paused?.has(jobId) ? 1 : 0),
      ...FINAL_STATUSES.flatMap((status) =>
        sample('kubercron_job_runs_total', { ...ofJob, status }, runs[status] ?? 0),
      ),
      ...sample('kubercron_job_attempts_total', ofJob, attempts),
      ...sample('kubercron_job_running', ofJob, running.get(jobId) ?? 0),
      ...sample('kubercron_job_pending', ofJob, (pending?.get(jobId) ?? 0) + (claimed.get(jobId) ?? 0)),
      ...sample('kubercron_job_last_run_timestamp_seconds', ofJob, seconds(last?.startedAt)),
      ...sample('kubercron_job_last_success_timestamp_seconds', ofJob, seconds(lastSuccessAt)),
      ...sample('kubercron_job_last_failure_timestamp_seconds', ofJob, seconds(lastFailureAt)),
      ...sample('kubercron_job_last_exit_code', ofJob, last?.exitCode),
      // A suspended job is due as before, but nothing will run then.
      ...sample(
        'kubercron_job_next_run_timestamp_seconds',
        ofJob,
        isSuspended ? undefined : seconds(nextRuns.get(job.name)),
      ),
    ];
  });
}

function infoOf(crontab: string, job: PlannedJob): LabelsOf<'kubercron_job_info'> {
  return {
    crontab,
    job_name: job.name,
    schedule: job.schedule,
    timezone: job.zone,
    concurrency_policy: job.options['concurrency-policy'] ?? 'forbid',
  };
}

/** One sample, or none where there is no value. */
function sample<Name extends ScrapeMetricName>(
  name: Name,
  labels: LabelsOf<Name>,
  value: number | undefined,
): Sample[] {
  // The compiler does not see that a name and its own labels make a member of the union.
  return value === undefined ? [] : [{ name, labels, value } as Sample];
}

function seconds(instant: EpochMs | undefined): number | undefined {
  return instant === undefined ? undefined : instant / 1000;
}

function countByJob(runs: readonly Pick<Run, 'jobId'>[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { jobId } of runs) counts.set(jobId, (counts.get(jobId) ?? 0) + 1);
  return counts;
}
