import { describe, expect, test } from '@jest/globals';
import { retryOf } from '../../../shared/core/run/retry.ts';
import type { FinalStatus, OperatorRequest, Reason, Run } from '../../../shared/core/run/run.ts';
import { jobOf } from '../../support/plan-of.ts';

const MINUTE = 60_000;
const NOW = Date.parse('2026-03-29T01:40Z');

function runOf(fields: Partial<Run> = {}): Run {
  return {
    jobId: 'shop/backup',
    runId: '2026-03-29T01:30Z',
    scheduledTime: Date.parse('2026-03-29T01:30Z'),
    trigger: 'schedule',
    status: 'running',
    planHash: 'hash-1',
    createdAt: NOW - 10 * MINUTE,
    attempts: [{ number: 1, startedAt: NOW - 10 * MINUTE }],
    ...fields,
  };
}

function job(options: string) {
  return jobOf(`# kuber-cron: name=backup ${options}\n30 1 * * * ./backup.sh\n`);
}

interface Given {
  readonly options?: string;
  readonly run?: Partial<Run>;
  readonly number?: number;
  readonly status?: FinalStatus;
  readonly reason?: Reason;
  readonly random?: number;
  /** Minutes until the job is due next. */
  readonly nextDueIn?: number;
}

/** Minutes until the next attempt, or why there is none. */
function minutesToRetry({
  options = 'retries=2 backoff=1m..10m',
  number = 1,
  status = 'failed',
  random = 0,
  ...given
}: Given): number | string {
  const { nextDueIn } = given;
  const nextDue = (after: number) =>
    nextDueIn === undefined || after >= NOW + nextDueIn * MINUTE ? undefined : NOW + nextDueIn * MINUTE;
  const attempt = { number, status, reason: given.reason };
  const retry = retryOf(runOf(given.run), job(options), attempt, NOW, { nextDue, random: () => random });
  return typeof retry === 'string' ? retry : (retry.notBefore - NOW) / MINUTE;
}

const asked = (verb: OperatorRequest['verb']): OperatorRequest => ({
  verb,
  by: 'jane@desk',
  at: NOW - 5 * MINUTE,
});

describe('an attempt that ended has another one', () => {
  test.each<[what: string, given: Given, minutes: number | string]>([
    ['when it failed', {}, 1],
    ['when it timed out', { status: 'timed-out' }, 1],
    ['when it was lost', { status: 'lost' }, 1],
    ['not when it succeeded', { status: 'succeeded' }, 'not-retryable'],
    ['not when somebody cancelled it', { status: 'cancelled', reason: 'requested' }, 'not-retryable'],
    ['not when a later run replaced it', { status: 'cancelled', reason: 'replaced' }, 'not-retryable'],
    ['at once when its daemon was stopped', { status: 'cancelled', reason: 'daemon-stopped' }, 0],
    ['not by hand', { run: { trigger: 'manual' } }, 'not-retryable'],
    ['not without retries', { options: '' }, 'used-up'],
    ['the second time', { number: 2 }, 1],
    ['not when they are used up', { number: 3 }, 'used-up'],
    // Its wait lies between the shortest and one that doubles
    ['after the shortest wait at least', { random: 0 }, 1],
    ['after up to twice that, the first time', { random: 0.5 }, 1.5],
    ['after up to twice as long again, the second time', { number: 2, random: 0.5 }, 2.5],
    ['after up to the longest', { options: 'retries=9 backoff=1m..10m', number: 9, random: 0.5 }, 5.5],
    ['after a minute, where nothing is said', { options: 'retries=1' }, 1],
    // Under forbid and replace it gives way to the next due time
    ['before the next due time', { nextDueIn: 2 }, 1],
    ['not at the next due time', { nextDueIn: 1 }, 'next-due'],
    ['not after the next due time', { nextDueIn: 0.5 }, 'next-due'],
    [
      'not after it under replace',
      { options: 'retries=1 concurrency-policy=replace', nextDueIn: 0.5 },
      'next-due',
    ],
    ['after it under allow', { options: 'retries=1 concurrency-policy=allow', nextDueIn: 0.5 }, 1],
    ['after it when it is a backfill', { run: { trigger: 'backfill' }, nextDueIn: 0.5 }, 1],
    ['after it when somebody asked for the run', { run: { requests: [asked('retry')] }, nextDueIn: 0.5 }, 1],
    [
      'not after it when somebody asked to stop it',
      { run: { requests: [asked('cancel')] }, nextDueIn: 0.5 },
      'next-due',
    ],
    [
      'as often again when somebody asked for the run again',
      {
        run: {
          requests: [asked('retry')],
          attempts: [1, 2, 3].map((number) => ({ number, startedAt: NOW - 10 * MINUTE })),
        },
        number: 4,
      },
      1,
    ],
  ])('%s', (_what, given, minutes) => {
    expect(minutesToRetry(given)).toBe(minutes);
  });

  test.each<[what: string, run: Partial<Run>, options: string, minutes: number | undefined]>([
    ['an hour after its time, where nothing is due', {}, 'retries=1', 61],
    ['its starting deadline after its time', {}, 'retries=1 starting-deadline=7m', 8],
    ['whenever, when somebody asked for it', { trigger: 'backfill' }, 'retries=1', undefined],
  ])('and may start until %s', (_what, run, options, minutes) => {
    const ports = { nextDue: () => undefined, random: () => 0 };
    const retry = retryOf(runOf(run), job(options), { number: 1, status: 'failed' }, NOW, ports);
    const until = typeof retry === 'string' ? Number.NaN : retry.startBy;
    expect(until).toBe(minutes === undefined ? undefined : NOW + minutes * MINUTE);
  });
});
