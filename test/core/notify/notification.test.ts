import { describe, expect, test } from '@jest/globals';
import {
  GIVE_UP_AFTER_MS,
  type Incident,
  incidentAfter,
  type Notification,
  nextTry,
  payload,
} from '../../../shared/core/notify/notification.ts';
import type { Run } from '../../../shared/core/run/run.ts';

const instant = (text: string) => Date.parse(text);
const DUE = instant('2026-03-29T01:30Z');
const HOUR = 3_600_000;

function run(fields: Partial<Run>): Run {
  return {
    jobId: 'shop/nightly-backup',
    runId: '2026-03-29T01:30Z',
    scheduledTime: DUE,
    trigger: 'schedule',
    status: 'failed',
    planHash: 'hash',
    createdAt: DUE,
    finishedAt: DUE + 60_000,
    attempts: [],
    ...fields,
  };
}

describe('the incident after a run', () => {
  const OPEN: Incident = { since: DUE - HOUR, runId: '2026-03-29T00:30Z' };
  const OWN: Incident = { since: DUE, runId: '2026-03-29T01:30Z' };

  test.each<
    [what: string, before: Incident | undefined, run: Partial<Run>, after: ReturnType<typeof incidentAfter>]
  >([
    ['a failure opens one', undefined, { status: 'failed' }, { incident: OWN, kind: 'failed' }],
    ['a time-out opens one', undefined, { status: 'timed-out' }, { incident: OWN, kind: 'failed' }],
    ['a lost run opens one', undefined, { status: 'lost' }, { incident: OWN, kind: 'failed' }],
    ['a missed run opens one', undefined, { status: 'missed' }, { incident: OWN, kind: 'missed' }],
    [
      'many missed runs open one from the first of them',
      undefined,
      { status: 'missed', spanFrom: DUE - 9 * HOUR },
      { incident: { ...OWN, since: DUE - 9 * HOUR }, kind: 'missed' },
    ],
    ['a run of a downtime counts', undefined, { trigger: 'catch-up' }, { incident: OWN, kind: 'failed' }],
    ['a backfill counts', undefined, { trigger: 'backfill' }, { incident: OWN, kind: 'failed' }],
    ['an open one goes on with a failure', OPEN, { status: 'failed' }, { incident: OPEN }],
    ['an open one goes on with a missed run', OPEN, { status: 'missed' }, { incident: OPEN }],
    ['a success closes it', OPEN, { status: 'succeeded' }, { kind: 'recovered' }],
    [
      'a success of the very run, tried again, closes it',
      OWN,
      { status: 'succeeded' },
      { kind: 'recovered' },
    ],
    [
      'a success that was due before it began does not close it',
      { since: DUE + 1, runId: 'later' },
      { status: 'succeeded' },
      { incident: { since: DUE + 1, runId: 'later' } },
    ],
    [
      'one that began after the end of the run began under a wrong clock, and any success closes it',
      { since: DUE + 60_001, runId: 'from the future' },
      { status: 'succeeded' },
      { kind: 'recovered' },
    ],
    ['a success without one is nothing to tell', undefined, { status: 'succeeded' }, {}],
    ['a cancelled run opens none', undefined, { status: 'cancelled' }, {}],
    ['a cancelled run closes none', OPEN, { status: 'cancelled' }, { incident: OPEN }],
    ['a skipped run opens none', undefined, { status: 'skipped' }, {}],
    ['a skipped run closes none', OPEN, { status: 'skipped' }, { incident: OPEN }],
    ['a failure by hand opens none', undefined, { status: 'failed', trigger: 'manual' }, {}],
    ['a success by hand closes none', OPEN, { status: 'succeeded', trigger: 'manual' }, { incident: OPEN }],
    ['a run that waits for its retry opens none', undefined, { status: 'pending' }, {}],
    ['a run that waits for its retry closes none', OPEN, { status: 'pending' }, { incident: OPEN }],
    ['a running run closes none', OPEN, { status: 'running' }, { incident: OPEN }],
  ])('%s', (_what, before, fields, after) => {
    expect(incidentAfter(before, run(fields))).toEqual(after);
  });

  test('a job that fails all night is told of once, and once more in the morning', () => {
    const ends: Run['status'][] = [
      'succeeded',
      'failed',
      'missed',
      'failed',
      'skipped',
      'lost',
      'succeeded',
      'succeeded',
    ];
    let incident: Incident | undefined;
    const told = ends.map((status, hour) => {
      const scheduledTime = DUE + hour * HOUR;
      const after = incidentAfter(incident, run({ status, scheduledTime, finishedAt: scheduledTime + 1 }));
      incident = after.incident;
      return after.kind;
    });
    expect(told).toEqual([
      undefined,
      'failed',
      undefined,
      undefined,
      undefined,
      undefined,
      'recovered',
      undefined,
    ]);
  });
});

describe('the next try', () => {
  const now = DUE + 5_000;
  const seconds = (tries: number, random: number, retryAfterMs?: number) => {
    const next = nextTry({ tries, at: DUE }, now, random, retryAfterMs);
    return next === undefined ? undefined : (next - now) / 1000;
  };

  test.each<[tries: number, shortest: number, longest: number]>([
    [0, 10, 20],
    [1, 20, 40],
    [2, 40, 80],
    [5, 320, 640],
    [7, 1280, 2560],
    [8, 1800, 3600],
    [9, 1800, 3600],
    [2000, 1800, 3600],
  ])('after %d failed tries before is %d to %d s away', (tries, shortest, longest) => {
    expect([seconds(tries, 0), seconds(tries, 1)]).toEqual([shortest, longest]);
  });

  test.each<[asked: string, tries: number, retryAfterMs: number, waited: number]>([
    ['less than the wait is waited anyway', 2, 30_000, 40],
    ['more than the wait is obeyed', 2, 90_000, 90],
    ['a day is an hour', 0, 24 * HOUR, 3600],
    ['no end is an hour', 0, Number.POSITIVE_INFINITY, 3600],
  ])('of a receiver that asks for patience: %s', (_asked, tries, retryAfterMs, waited) => {
    expect(seconds(tries, 0, retryAfterMs)).toBe(waited);
  });

  test.each<[what: string, age: number, next: number | undefined]>([
    ['in its last moment', GIVE_UP_AFTER_MS - 10_000, 10_000],
    ['too late', GIVE_UP_AFTER_MS - 9_999, undefined],
    ['long too late', 30 * 24 * HOUR, undefined],
    ['from the future, after the clock was set back', -24 * HOUR, 10_000],
  ])('of a message that would go %s', (_what, age, next) => {
    const at = now - age;
    const tried = nextTry({ tries: 0, at }, now, 0);
    expect(tried === undefined ? undefined : tried - now).toBe(next);
  });
});

describe('the body', () => {
  const FAILED: Notification = {
    id: 'shop/nightly-backup/2026-03-29T01:30Z/failed/1774748527315',
    channel: 'ops',
    kind: 'failed',
    jobId: 'shop/nightly-backup',
    runId: '2026-03-29T01:30Z',
    scheduledTime: DUE,
    status: 'failed',
    reason: 'exit-code',
    exitCode: 3,
    attempts: 4,
    since: DUE,
    at: instant('2026-03-29T01:42:07.315Z'),
    tries: 2,
  };

  test('has these keys, with times in UTC, and nothing of the command', () => {
    expect(payload(FAILED)).toEqual({
      version: 1,
      type: 'job.failed',
      timestamp: '2026-03-29T01:42:07.315Z',
      text: 'shop/nightly-backup failed (exit code 3) after 4 attempts; due 2026-03-29T01:30Z',
      data: {
        id: 'shop/nightly-backup/2026-03-29T01:30Z/failed/1774748527315',
        crontab: 'shop',
        job: 'nightly-backup',
        runId: '2026-03-29T01:30Z',
        scheduledTime: '2026-03-29T01:30:00.000Z',
        status: 'failed',
        reason: 'exit-code',
        exitCode: 3,
        attempts: 4,
        since: '2026-03-29T01:30:00.000Z',
      },
    });
  });

  test('has neither reason nor exit code where there is none', () => {
    const { reason: _reason, exitCode: _exitCode, ...bare } = FAILED;
    const { data } = payload({ ...bare, kind: 'recovered', status: 'succeeded' });
    expect(Object.keys(data)).toEqual([
      ...['id', 'crontab', 'job', 'runId', 'scheduledTime', 'status', 'attempts', 'since'],
    ]);
  });

  test.each<[fields: Partial<Notification>, text: string]>([
    [{ attempts: 1 }, 'failed (exit code 3); due 2026-03-29T01:30Z'],
    [
      { reason: 'signal', exitCode: undefined },
      'failed (a signal ended the command) after 4 attempts; due 2026-03-29T01:30Z',
    ],
    [
      { reason: 'not-started', exitCode: 127, attempts: 1 },
      'failed (the command could not be started); due 2026-03-29T01:30Z',
    ],
    [{ reason: undefined }, 'failed after 4 attempts; due 2026-03-29T01:30Z'],
    [
      { status: 'timed-out', reason: 'timeout', attempts: 2 },
      'timed out (the command ran longer than its timeout) after 2 attempts; due 2026-03-29T01:30Z',
    ],
    [
      { status: 'lost', reason: 'owner-died', attempts: 1 },
      'was lost (the process that ran it ended without a word); due 2026-03-29T01:30Z',
    ],
    [
      { kind: 'missed', status: 'missed', reason: 'too-late', attempts: 0 },
      'missed a run (its starting deadline was over); due 2026-03-29T01:30Z',
    ],
    [
      { kind: 'missed', status: 'missed', reason: 'too-late', attempts: 0, since: DUE - 9 * HOUR },
      'missed its runs (its starting deadline was over); due from 2026-03-28T16:30Z to 2026-03-29T01:30Z',
    ],
    [
      { kind: 'recovered', status: 'succeeded', reason: undefined, exitCode: 0, since: DUE - 24 * HOUR },
      'succeeded again; due 2026-03-29T01:30Z, without success since 2026-03-28T01:30Z',
    ],
  ])('of %j says in words: %s', (fields, text) => {
    expect(payload({ ...FAILED, ...fields } as Notification).text).toBe(`shop/nightly-backup ${text}`);
  });
});
