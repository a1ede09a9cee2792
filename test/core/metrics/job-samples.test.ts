import { describe, expect, test } from '@jest/globals';
import { type JobFigures, jobSamples } from '../../../shared/core/metrics/job-samples.ts';
import type { PlannedJob } from '../../../shared/core/plan/plan.ts';

const SECOND = 1000;

function plannedJob(name: string, options: PlannedJob['options'] = {}): PlannedJob {
  return {
    name,
    schedule: '30 2 * * *',
    written: '30 02 * * *',
    zone: 'Europe/Berlin',
    command: 'psql postgres://user:hunter2@db',
    environment: { TOKEN: 'hunter2' },
    options,
  };
}

const NOTHING: JobFigures = { crontab: 'main', jobs: [], states: [], unfinished: [], nextRuns: new Map() };

/** Samples as `name{labels}` → value, without the labels that are the same in all of them. */
function figures(input: Partial<JobFigures>): Record<string, number> {
  const samples = jobSamples({ ...NOTHING, ...input });
  const entries = samples.map(({ name, labels, value }): [string, number] => {
    const { crontab, ...others } = labels;
    expect(crontab).toBe('main');
    return [`${name.replace('kubercron_job_', '')} ${Object.values(others).join(' ')}`, value];
  });
  expect(new Set(entries.map(([key]) => key)).size).toBe(entries.length);
  return Object.fromEntries(entries);
}

const ZEROS = {
  'info backup 30 2 * * * Europe/Berlin forbid': 1,
  'suspended backup': 0,
  'paused backup': 0,
  'runs_total backup succeeded': 0,
  'runs_total backup failed': 0,
  'runs_total backup timed-out': 0,
  'runs_total backup lost': 0,
  'runs_total backup cancelled': 0,
  'runs_total backup skipped': 0,
  'runs_total backup missed': 0,
  'attempts_total backup': 0,
  'running backup': 0,
  'pending backup': 0,
};

describe('samples of jobs', () => {
  test('a job that never ran has every count, and no time', () => {
    expect(figures({ jobs: [plannedJob('backup')] })).toEqual(ZEROS);
  });

  test('counts and last figures are those of the store, times in seconds', () => {
    expect(
      figures({
        jobs: [plannedJob('backup')],
        states: [
          {
            jobId: 'main/backup',
            runs: { succeeded: 7, failed: 2, missed: 1 },
            attempts: 12,
            last: {
              runId: 'r',
              status: 'failed',
              startedAt: 20 * SECOND,
              finishedAt: 30 * SECOND,
              exitCode: 3,
            },
            lastSuccessAt: 10_500,
            lastFailureAt: 30 * SECOND,
          },
        ],
        nextRuns: new Map([['backup', 60 * SECOND]]),
      }),
    ).toEqual({
      ...ZEROS,
      'runs_total backup succeeded': 7,
      'runs_total backup failed': 2,
      'runs_total backup missed': 1,
      'attempts_total backup': 12,
      'last_run_timestamp_seconds backup': 20,
      'last_success_timestamp_seconds backup': 10.5,
      'last_failure_timestamp_seconds backup': 30,
      'last_exit_code backup': 3,
      'next_run_timestamp_seconds backup': 60,
    });
  });

  test('a last run that a signal ended before anything was known has no exit code', () => {
    const last = { runId: 'r', status: 'lost', finishedAt: 30 * SECOND } as const;
    const states = [
      { jobId: 'main/backup', runs: { lost: 1 }, attempts: 1, last, lastFailureAt: 30 * SECOND },
    ];
    expect(figures({ jobs: [plannedJob('backup')], states })).toEqual({
      ...ZEROS,
      'runs_total backup lost': 1,
      'attempts_total backup': 1,
      'last_failure_timestamp_seconds backup': 30,
    });
  });

  test('runs that are not over are counted by job, and those of other crontabs are not ours', () => {
    const unfinished = [
      { jobId: 'main/backup', status: 'running' },
      { jobId: 'main/backup', status: 'running' },
      { jobId: 'main/backup', status: 'claimed' },
      { jobId: 'other/backup', status: 'running' },
    ] as const;
    const pending = new Map([
      ['main/backup', 2],
      ['other/backup', 7],
    ]);
    expect(figures({ jobs: [plannedJob('backup')], unfinished, pending })).toEqual({
      ...ZEROS,
      'running backup': 2,
      'pending backup': 3,
    });
  });

  test('a job that is paused says so, and is due as before', () => {
    const nextRuns = new Map([['backup', 60 * SECOND]]);
    const paused = new Set(['main/backup']);
    expect(figures({ jobs: [plannedJob('backup')], nextRuns, paused })).toEqual({
      ...ZEROS,
      'paused backup': 1,
      'next_run_timestamp_seconds backup': 60,
    });
  });

  test.each([[true], ['until the move']] as const)('a job suspended by %j has no next run', (suspend) => {
    const nextRuns = new Map([['backup', 60 * SECOND]]);
    expect(figures({ jobs: [plannedJob('backup', { suspend })], nextRuns })).toEqual({
      ...ZEROS,
      'suspended backup': 1,
    });
  });

  test('the concurrency policy is the one that holds', () => {
    const jobs = [plannedJob('a', { 'concurrency-policy': 'replace' }), plannedJob('b')];
    expect(Object.keys(figures({ jobs })).filter((key) => key.startsWith('info'))).toEqual([
      'info a 30 2 * * * Europe/Berlin replace',
      'info b 30 2 * * * Europe/Berlin forbid',
    ]);
  });

  test('what is not in the plan has no samples', () => {
    const states = [
      { jobId: 'main/removed', runs: { succeeded: 1 }, attempts: 1 },
      { jobId: 'other/backup', runs: { succeeded: 1 }, attempts: 1 },
    ];
    expect(figures({ jobs: [plannedJob('backup')], states, nextRuns: new Map([['removed', 1]]) })).toEqual(
      ZEROS,
    );
    expect(figures({ states })).toEqual({});
  });

  test('nothing of the command or its environment gets out', () => {
    const jobs = [plannedJob('backup', { secrets: ['TOKEN'], description: 'hunter2', owner: 'hunter2' })];
    expect(JSON.stringify(jobSamples({ ...NOTHING, jobs }))).not.toContain('hunter2');
  });
});
