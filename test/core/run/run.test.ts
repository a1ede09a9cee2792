import { describe, expect, test } from '@jest/globals';
import {
  type Attempt,
  FINAL_STATUSES,
  isFinal,
  lateness,
  RUN_STATUSES,
  type Run,
  startBy,
} from '../../../shared/core/run/run.ts';

const MINUTE = 60_000;

describe('a run that nobody handled may be started until', () => {
  // Minutes after the scheduled time.
  test.each<[nextDue: number | undefined, deadlineMs: number | undefined, until: number]>([
    [1, undefined, 5],
    [5, undefined, 5],
    [6, undefined, 6],
    [30, undefined, 30],
    [60, undefined, 60],
    [61, undefined, 60],
    [1440, undefined, 60],
    [undefined, undefined, 60],
    [60, 2 * MINUTE, 2],
    [60, 0, 0],
    [1, 7 * 1440 * MINUTE, 7 * 1440],
    [undefined, 2 * MINUTE, 2],
  ])(
    'with the next due %s minutes later and a deadline of %s ms: %d minutes later',
    (next, deadline, until) => {
      const at = Date.parse('2026-05-05T12:00Z');
      expect(startBy(at, next === undefined ? undefined : at + next * MINUTE, deadline)).toBe(
        at + until * MINUTE,
      );
    },
  );
});

test('a run is final once it cannot change by itself', () => {
  expect(RUN_STATUSES.filter((status) => !isFinal(status))).toEqual(['pending', 'claimed', 'running']);
  expect(RUN_STATUSES.filter(isFinal)).toEqual(FINAL_STATUSES);
});

describe('the lateness of a run', () => {
  const attempt = (number: number, startedAt: number): Attempt => ({ number, startedAt });

  test.each<[what: string, attempts: Attempt[], lateness: number | undefined]>([
    ['started at once', [attempt(1, 60_000)], 0],
    ['started late', [attempt(1, 61_234)], 1_234],
    ['of several attempts is that of the first', [attempt(1, 61_000), attempt(2, 90_000)], 1_000],
    ['never started is unknown', [], undefined],
  ])('%s', (_what, attempts, expected) => {
    const run: Run = {
      jobId: 'shop/backup',
      runId: '1970-01-01T00:01Z',
      scheduledTime: 60_000,
      trigger: 'schedule',
      status: 'running',
      planHash: 'hash',
      createdAt: 60_000,
      attempts,
    };
    expect(lateness(run)).toBe(expected);
  });
});
