import { describe, expect, test } from '@jest/globals';
import { emptyState, type JobState, withFinished } from '../../../shared/core/run/job-state.ts';
import type { Attempt, Run } from '../../../shared/core/run/run.ts';

const JOB = 'shop/backup';

function finished(fields: Partial<Run>): Run {
  return {
    jobId: JOB,
    runId: 'run-1',
    scheduledTime: 0,
    trigger: 'schedule',
    status: 'succeeded',
    planHash: 'hash',
    createdAt: 0,
    finishedAt: 9_000,
    attempts: [{ number: 1, startedAt: 1_000, finishedAt: 9_000, exitCode: 0 }],
    ...fields,
  };
}

const before: JobState = {
  jobId: JOB,
  runs: { succeeded: 4, failed: 1 },
  attempts: 7,
  last: { runId: 'run-0', status: 'succeeded', startedAt: 100, finishedAt: 500, exitCode: 0 },
  lastSuccessAt: 500,
  lastFailureAt: 300,
};

describe('the state of a job after', () => {
  test.each<[what: string, run: Partial<Run>, changes: Partial<JobState>]>([
    [
      'a success',
      {},
      {
        runs: { succeeded: 5, failed: 1 },
        attempts: 8,
        last: { runId: 'run-1', status: 'succeeded', startedAt: 1_000, finishedAt: 9_000, exitCode: 0 },
        lastSuccessAt: 9_000,
      },
    ],
    [
      'a failure at the second attempt',
      {
        status: 'failed',
        attempts: [1, 2].map((number): Attempt => ({ number, startedAt: number * 1_000, exitCode: number })),
      },
      {
        runs: { succeeded: 4, failed: 2 },
        attempts: 9,
        last: { runId: 'run-1', status: 'failed', startedAt: 2_000, finishedAt: 9_000, exitCode: 2 },
        lastFailureAt: 9_000,
      },
    ],
    [
      'a time-out, the first of its kind, which leaves no exit code',
      { status: 'timed-out', attempts: [{ number: 1, startedAt: 1_000, signal: 'SIGTERM' }] },
      {
        runs: { succeeded: 4, failed: 1, 'timed-out': 1 },
        attempts: 8,
        last: { runId: 'run-1', status: 'timed-out', startedAt: 1_000, finishedAt: 9_000 },
        lastFailureAt: 9_000,
      },
    ],
    [
      'a run that was lost before its command started',
      { status: 'lost', attempts: [] },
      {
        runs: { succeeded: 4, failed: 1, lost: 1 },
        last: { runId: 'run-1', status: 'lost', finishedAt: 9_000 },
        lastFailureAt: 9_000,
      },
    ],
    [
      'a run that somebody stopped, which is no failure of the job',
      { status: 'cancelled', reason: 'daemon-stopped' },
      {
        runs: { succeeded: 4, failed: 1, cancelled: 1 },
        attempts: 8,
        last: { runId: 'run-1', status: 'cancelled', startedAt: 1_000, finishedAt: 9_000, exitCode: 0 },
      },
    ],
    ['a skipped run', { status: 'skipped', attempts: [] }, { runs: { succeeded: 4, failed: 1, skipped: 1 } }],
    ['a missed run', { status: 'missed', attempts: [] }, { runs: { succeeded: 4, failed: 1, missed: 1 } }],
  ])('%s', (_what, run, changes) => {
    expect(withFinished(before, finished(run))).toEqual({ ...before, ...changes });
  });

  test('the first run of all', () => {
    expect(withFinished(emptyState(JOB), finished({}))).toEqual({
      jobId: JOB,
      runs: { succeeded: 1 },
      attempts: 1,
      last: { runId: 'run-1', status: 'succeeded', startedAt: 1_000, finishedAt: 9_000, exitCode: 0 },
      lastSuccessAt: 9_000,
    });
  });

  test.each<[what: string, run: Partial<Run>]>([
    ['is running', { status: 'running' }],
    ['has no end', { finishedAt: undefined }],
  ])('a run that %s: none, it is refused', (_what, run) => {
    expect(() => withFinished(before, finished(run))).toThrow('run run-1 is not final');
  });
});
