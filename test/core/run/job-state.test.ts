import { describe, expect, test } from '@jest/globals';
import { emptyState, type JobState, recorded, renamedState } from '../../../shared/core/run/job-state.ts';
import type { Attempt, FinalStatus, Run } from '../../../shared/core/run/run.ts';

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
  /** How a run ended, and whether an attempt did by that. */
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
        attempts: 8,
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
    const ended = finished(run);
    // Failures begin an incident, which has tests of its own.
    const { incident: _incident, ...state } = recorded(before, ended, ended.attempts.at(-1), undefined).state;
    expect(state).toStrictEqual({ ...before, ...changes });
  });

  test('the first run of all', () => {
    const run = finished({});
    expect(recorded(emptyState(JOB), run, run.attempts[0], undefined)).toStrictEqual({
      state: {
        jobId: JOB,
        runs: { succeeded: 1 },
        attempts: 1,
        last: { runId: 'run-1', status: 'succeeded', startedAt: 1_000, finishedAt: 9_000, exitCode: 0 },
        lastSuccessAt: 9_000,
      },
    });
  });

  test.each<[what: string, run: Partial<Run>]>([
    ['waits for its next attempt', { status: 'pending', finishedAt: undefined }],
    ['is running', { status: 'running', finishedAt: undefined }],
  ])('an attempt of a run that %s counts, and the run does not', (_what, run) => {
    const ended = finished(run);
    expect(recorded(before, ended, ended.attempts[0], 'ops')).toStrictEqual({
      state: { ...before, attempts: 8 },
    });
  });

  test('a run that is closed long after its last attempt: the figures are those of the attempt', () => {
    const closed = finished({ status: 'failed', reason: 'superseded', finishedAt: 99_000 });
    const { state } = recorded(before, closed, undefined, undefined);
    expect([state.attempts, state.runs, state.lastFailureAt, state.last?.finishedAt]).toStrictEqual([
      7,
      { succeeded: 4, failed: 2 },
      9_000,
      99_000,
    ]);
  });
});

describe('messages about a job', () => {
  type End = [status: FinalStatus, scheduledTime: number, fields?: Partial<Run>];
  test.each<[string, End[], (string | undefined)[]]>([
    [
      'first failure and first success after it',
      [
        ['failed', 1],
        ['lost', 2],
        ['succeeded', 3],
        ['succeeded', 4],
      ],
      ['failed', undefined, 'recovered', undefined],
    ],
    [
      'a missed run',
      [
        ['missed', 1],
        ['failed', 2],
        ['succeeded', 3],
      ],
      ['missed', undefined, 'recovered'],
    ],
    [
      'each incident',
      [
        ['failed', 1],
        ['succeeded', 2],
        ['timed-out', 3],
        ['succeeded', 4],
      ],
      ['failed', 'recovered', 'failed', 'recovered'],
    ],
    [
      'none of what is no failure',
      [
        ['skipped', 1],
        ['cancelled', 2],
        ['succeeded', 3],
      ],
      [undefined, undefined, undefined],
    ],
    [
      'none of runs by hand',
      [
        ['failed', 1, { trigger: 'manual' }],
        ['failed', 2],
        ['succeeded', 3, { trigger: 'manual' }],
      ],
      [undefined, 'failed', undefined],
    ],
    [
      'no recovery by an older run',
      [
        ['failed', 5],
        ['succeeded', 4],
        ['succeeded', 5],
      ],
      ['failed', undefined, 'recovered'],
    ],
  ])('tell of %s', (_what, ends, expected) => {
    let state = emptyState(JOB);
    const told = ends.map(([status, scheduledTime, fields]) => {
      const run = finished({ status, scheduledTime, runId: `run-${scheduledTime}`, ...fields });
      const { notification, ...after } = recorded(state, run, run.attempts[0], 'ops');
      state = after.state;
      return notification?.kind;
    });
    expect(told).toStrictEqual(expected);
  });

  test('go to nobody without a channel, and the incident begins with the first that somebody is told of', () => {
    const run = finished({ status: 'failed', scheduledTime: 5 });
    const { state, notification } = recorded(emptyState(JOB), run, run.attempts[0], undefined);
    expect([notification, state.incident]).toStrictEqual([undefined, undefined]);
    const later = finished({ status: 'failed', scheduledTime: 6 });
    const told = recorded(state, later, later.attempts[0], 'ops');
    expect([told.notification?.kind, told.state.incident?.since]).toStrictEqual(['failed', 6]);
  });
});

describe('the state of a job with a new name', () => {
  test('is that of the old one', () => {
    expect(renamedState(before, undefined, 'shop/dump')).toStrictEqual({ ...before, jobId: 'shop/dump' });
  });

  test('counts what both did, and shows what the new name did last', () => {
    const to: JobState = {
      jobId: 'shop/dump',
      runs: { succeeded: 1, lost: 2 },
      attempts: 3,
      lastSuccessAt: 900,
    };
    expect(renamedState(before, to, 'shop/dump')).toStrictEqual({
      ...before,
      jobId: 'shop/dump',
      runs: { succeeded: 5, failed: 1, lost: 2 },
      attempts: 10,
      lastSuccessAt: 900,
    });
  });
});
