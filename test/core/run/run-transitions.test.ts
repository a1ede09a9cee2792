import { describe, expect, test } from '@jest/globals';
import type { PauseInterval } from '../../../shared/core/run/pause.ts';
import {
  type Attempt,
  FINAL_STATUSES,
  type FinalStatus,
  isFinal,
  type PendingCause,
  type Reason,
  RUN_STATUSES,
  type Run,
  type RunStatus,
} from '../../../shared/core/run/run.ts';
import type { Claim, Finish } from '../../../shared/core/run/run-store.ts';
import {
  answeredRun,
  cancelledRun,
  closedRun,
  decideClaim,
  extendedRun,
  finishedRun,
  followsOrder,
  isFinishedAs,
  type JobSituation,
  mayFinish,
  owedRun,
  releasedRun,
  reopenedRun,
  type StoredRun,
  startedRun,
  TRANSITIONS,
} from '../../../shared/core/run/run-transitions.ts';
import {
  answerOf,
  claimOf,
  finishOf,
  MINUTE,
  owedOf,
  ownerOf,
  SPRING_NIGHT,
} from '../../support/run-claims.ts';

const JOB = 'shop/backup';
const RUN = '2026-03-29T01:30Z';
const DAY = 24 * 60 * MINUTE;
const plus = (minutes: number) => SPRING_NIGHT + minutes * MINUTE;
const first: Attempt = { number: 1, startedAt: SPRING_NIGHT + 1000 };

function runIn(status: RunStatus, fields: Partial<Run> = {}): StoredRun {
  const run: Run = {
    ...{ jobId: JOB, runId: RUN, scheduledTime: SPRING_NIGHT, trigger: 'schedule', status },
    ...{ planHash: 'hash-1', createdAt: SPRING_NIGHT },
    ...(status === 'claimed' || status === 'running'
      ? { owner: ownerOf('token-1'), leaseUntil: plus(5) }
      : {}),
    ...(status === 'pending' ? { cause: 'catch-up', notBefore: SPRING_NIGHT } : {}),
    ...(isFinal(status) ? { finishedAt: plus(1) } : {}),
    attempts: status === 'running' ? [first] : [],
    ...fields,
  };
  return { run, holdsLock: true };
}

function situation(fields: Partial<JobSituation> = {}): JobSituation {
  return { unfinished: [], owedBefore: () => [], settled: undefined, pauses: [], ...fields };
}

describe('the table of steps', () => {
  test('is this one', () => {
    expect(TRANSITIONS).toStrictEqual({
      new: ['pending', 'claimed', 'skipped', 'missed'],
      pending: ['pending', 'claimed', ...FINAL_STATUSES],
      claimed: ['claimed', 'running', 'pending', 'lost', 'cancelled', 'skipped', 'missed'],
      running: ['running', 'pending', 'succeeded', 'failed', 'timed-out', 'lost', 'cancelled'],
      ...Object.fromEntries(FINAL_STATUSES.map((status) => [status, ['pending']])),
    });
  });

  const finish =
    (status: FinalStatus, fields: Partial<Finish> = {}) =>
    (stored: StoredRun) =>
      finishedRun(stored, finishOf(claimOf(), { status, ...fields })).run.status;
  const end = (reason: Reason) => (stored: StoredRun) =>
    closedRun(stored, { jobId: JOB, runId: RUN, reason, at: plus(1) }).run.status;
  const request = (verb: 'cancel' | 'retry') => ({ verb, by: 'ann@host-1', at: plus(2) });
  const claim = (stored: StoredRun) => {
    const { result } = decideClaim(claimOf({ token: 'token-2' }), stored, situation());
    if (result.outcome !== 'won') throw new Error(`cannot be claimed: ${result.outcome}`);
    return result.run.status;
  };

  /** What a step makes of a run in each status where it may be taken; it is refused everywhere else. */
  const all = (status: RunStatus) => Object.fromEntries(FINAL_STATUSES.map((from) => [from, status]));
  test.each<[string, (stored: StoredRun) => RunStatus, Partial<Record<RunStatus, RunStatus>>]>([
    ['claim', claim, { pending: 'claimed' }],
    [
      'start',
      (stored) => startedRun({ ...stored, run: { ...stored.run, attempts: [] } }, first).run.status,
      { claimed: 'running', running: 'running' },
    ],
    [
      'release',
      (stored) => releasedRun(stored, plus(1)).run.status,
      { pending: 'pending', claimed: 'pending', running: 'pending', ...all('pending') },
    ],
    ['end as succeeded', finish('succeeded'), { pending: 'succeeded', running: 'succeeded' }],
    ['end as failed', finish('failed'), { pending: 'failed', running: 'failed' }],
    ['end as timed out', finish('timed-out'), { pending: 'timed-out', running: 'timed-out' }],
    ['end as lost', finish('lost'), { pending: 'lost', claimed: 'lost', running: 'lost' }],
    [
      'end as cancelled',
      finish('cancelled'),
      { pending: 'cancelled', claimed: 'cancelled', running: 'cancelled' },
    ],
    ['end as skipped', finish('skipped'), { pending: 'skipped', claimed: 'skipped' }],
    ['end as missed', finish('missed'), { pending: 'missed', claimed: 'missed' }],
    [
      'end with a retry',
      finish('failed', { retry: { notBefore: plus(1) } }),
      { pending: 'pending', claimed: 'pending', running: 'pending', ...all('pending') },
    ],
    ['close as skipped', end('removed'), { pending: 'skipped', claimed: 'skipped' }],
    ['close as missed', end('too-late'), { pending: 'missed', claimed: 'missed' }],
    [
      'cancel',
      (stored) => cancelledRun(stored, request('cancel')).run.status,
      { pending: 'cancelled', claimed: 'cancelled', running: 'running' },
    ],
    [
      'reopen',
      (stored) =>
        reopenedRun(stored, { jobId: JOB, runId: RUN, request: request('retry'), notBefore: plus(1) }).run
          .status,
      { pending: 'pending', claimed: 'pending', running: 'pending', ...all('pending') },
    ],
    [
      'extend',
      (stored) => extendedRun(stored, plus(9)).run.status,
      Object.fromEntries(RUN_STATUSES.map((status) => [status, status])),
    ],
  ])('holds for: %s', (_step, take, expected) => {
    const found: Partial<Record<RunStatus, RunStatus>> = {};
    for (const status of RUN_STATUSES) {
      try {
        found[status] = take(runIn(status));
      } catch (error) {
        expect((error as Error).message).toMatch(/cannot (go from|be claimed)/);
      }
    }
    expect(found).toStrictEqual(expected);
    const steps = Object.entries(found) as [RunStatus, RunStatus][];
    for (const [from, to] of steps.filter(([from, to]) => from !== to))
      expect(TRANSITIONS[from]).toContain(to);
  });

  test('names the run and both statuses of a step that is not in it', () => {
    expect(() => startedRun(runIn('succeeded'), first)).toThrow(
      'run shop/backup 2026-03-29T01:30Z cannot go from succeeded to running',
    );
  });

  test.each([
    ['owed', () => owedRun(owedOf()).run.status, 'pending'],
    ['answered as skipped', () => answeredRun(answerOf({ status: 'skipped' })).run.status, 'skipped'],
    ['answered as missed', () => answeredRun(answerOf()).run.status, 'missed'],
  ])('has a new run that is %s', (_what, make, status) => {
    expect(make()).toBe(status);
    expect(TRANSITIONS.new).toContain(status);
  });
});

describe('a claim', () => {
  const other = (fields: Partial<Run>, status: RunStatus = 'running', holdsLock = true): StoredRun => ({
    ...runIn(status, { runId: 'other', ...fields }),
    holdsLock,
  });
  const older = { scheduledTime: plus(-1) };
  const newer = { scheduledTime: plus(1) };
  const pause: PauseInterval = { jobId: JOB, from: plus(-2), until: plus(2), by: 'ann' };
  const retried = { cause: 'retry', attempts: [{ ...first, status: 'failed' }] } as const;

  /** `status reason` of what the claim writes, its own run first. */
  test.each<[string, Partial<Claim>, StoredRun | undefined, Partial<JobSituation>, string, string[]]>([
    ['with nothing in its way', {}, undefined, {}, 'won', ['claimed']],
    ['of its own run', {}, runIn('running'), {}, 'won', []],
    ["of another's run", { owner: ownerOf('x') }, runIn('running'), {}, 'taken', []],
    ['of a run that is over', {}, runIn('missed'), {}, 'taken', []],
    ['before its time', {}, runIn('pending', { notBefore: plus(1) }), {}, 'waiting', []],
    ['at its time', {}, runIn('pending'), {}, 'won', ['claimed']],
    [
      'after an older start',
      {},
      undefined,
      { settled: { instant: plus(-1), runId: 'x' } },
      'won',
      ['claimed'],
    ],
    ['after its own start', {}, undefined, { settled: { instant: plus(0), runId: 'x' } }, 'won', ['claimed']],
    [
      'after a newer start',
      {},
      undefined,
      { settled: { instant: plus(1), runId: 'x' } },
      'closed',
      ['skipped superseded'],
    ],
    [
      'three hours before a start',
      {},
      undefined,
      { settled: { instant: plus(180), runId: 'x' } },
      'closed',
      ['skipped superseded'],
    ],
    [
      'far before a start under a wrong clock',
      {},
      undefined,
      { settled: { instant: plus(181), runId: 'x' } },
      'won',
      ['claimed'],
    ],
    ['beside an older run', {}, undefined, { unfinished: [other(older)] }, 'closed', ['skipped overlap']],
    [
      'beside an older run under allow',
      {},
      undefined,
      { unfinished: [other(older, 'running', false)] },
      'won',
      ['claimed'],
    ],
    [
      'beside a newer run',
      {},
      undefined,
      { unfinished: [other(newer, 'claimed')] },
      'closed',
      ['skipped superseded'],
    ],
    [
      'beside a newer run under allow',
      {},
      undefined,
      { unfinished: [other(newer, 'running', false)] },
      'closed',
      ['skipped superseded'],
    ],
    [
      'under allow beside a newer run',
      { concurrencyPolicy: 'allow' },
      undefined,
      { unfinished: [other(newer)] },
      'won',
      ['claimed'],
    ],
    [
      'by hand beside an older run',
      { trigger: 'manual' },
      undefined,
      { unfinished: [other(older)] },
      'closed',
      ['skipped overlap'],
    ],
    [
      'by hand after a newer start',
      { trigger: 'manual' },
      undefined,
      { settled: { instant: plus(1), runId: 'x' } },
      'won',
      ['claimed'],
    ],
    [
      'of a retry beside a run by hand',
      {},
      runIn('pending', retried),
      { unfinished: [other({ trigger: 'manual' })] },
      'waiting',
      [],
    ],
    [
      'of a retry after a newer start',
      {},
      runIn('pending', retried),
      { settled: { instant: plus(1), runId: 'x' } },
      'closed',
      ['failed superseded'],
    ],
    [
      'to replace a run that is not started',
      { concurrencyPolicy: 'replace' },
      undefined,
      { unfinished: [other(older, 'claimed')] },
      'won',
      ['cancelled replaced', 'claimed'],
    ],
    [
      'to replace a running run',
      { concurrencyPolicy: 'replace' },
      undefined,
      { unfinished: [other(older)] },
      'waiting',
      ['running', 'pending'],
    ],
    [
      'to replace a run that was asked before',
      { concurrencyPolicy: 'replace' },
      undefined,
      { unfinished: [other({ ...older, cancelRequest: { verb: 'cancel', by: 'ann', at: 1 } })] },
      'waiting',
      ['pending'],
    ],
    [
      'to replace a run by hand',
      { concurrencyPolicy: 'replace' },
      undefined,
      { unfinished: [other({ ...older, trigger: 'manual' })] },
      'closed',
      ['skipped overlap'],
    ],
    [
      'in order behind a run that is owed',
      { isInOrder: true },
      undefined,
      { owedBefore: () => [other({ cause: 'catch-up', ...older }, 'pending')] },
      'waiting',
      ['pending'],
    ],
    [
      'in order behind one that runs',
      { isInOrder: true },
      undefined,
      { unfinished: [other({ cause: 'catch-up', ...older })] },
      'waiting',
      ['pending'],
    ],
    [
      'in order behind a retry',
      { isInOrder: true },
      undefined,
      { owedBefore: () => [other({ ...retried, ...older }, 'pending')] },
      'won',
      ['claimed', 'failed superseded'],
    ],
    ['at its starting deadline', { startBy: plus(0) }, undefined, {}, 'won', ['claimed']],
    ['after its starting deadline', { startBy: plus(0) - 1 }, undefined, {}, 'closed', ['missed too-late']],
    ['in a pause', {}, undefined, { pauses: [pause] }, 'paused', []],
    ['in a pause by hand', { trigger: 'manual' }, undefined, { pauses: [pause] }, 'won', ['claimed']],
    [
      'in a pause, of a run that is owed',
      {},
      runIn('pending'),
      { pauses: [pause] },
      'closed',
      ['skipped paused'],
    ],
    [
      'after a pause, of a run that was due in it',
      { at: plus(3) },
      undefined,
      { pauses: [pause] },
      'paused',
      [],
    ],
    [
      'after a pause, of a run that is owed',
      { at: plus(3) },
      runIn('pending'),
      { pauses: [pause] },
      'won',
      ['claimed'],
    ],
    [
      'in a pause and too late',
      { startBy: 0 },
      runIn('pending'),
      { pauses: [pause] },
      'closed',
      ['skipped paused'],
    ],
  ])('%s', (_what, fields, existing, job, outcome, writes) => {
    const decision = decideClaim({ ...claimOf(), ...fields }, existing, situation(job));
    const told = decision.writes.map(({ run: { status, reason } }) =>
      [status, reason].filter(Boolean).join(' '),
    );
    expect([decision.result.outcome, told]).toStrictEqual([outcome, writes]);
  });
});

describe('the end of a run', () => {
  test.each<[Reason, PendingCause, FinalStatus]>([
    ['too-late', 'requested', 'missed'],
    ['catch-up-none', 'given-back', 'missed'],
    ['superseded', 'catch-up', 'missed'],
    ['superseded', 'given-back', 'missed'],
    ['superseded', 'replace', 'skipped'],
    ['superseded', 'requested', 'skipped'],
    ['paused', 'catch-up', 'skipped'],
    ['suspended', 'catch-up', 'skipped'],
    ['removed', 'catch-up', 'skipped'],
  ])('for %s of one that waited by %s is %s', (reason, cause, status) => {
    const closed = closedRun(runIn('pending', { cause }), { jobId: JOB, runId: RUN, reason, at: plus(1) });
    expect([closed.run.status, closed.run.notBefore, closed.holdsLock]).toStrictEqual([
      status,
      undefined,
      false,
    ]);
  });

  test.each<[FinalStatus, number | undefined, number]>([
    ['succeeded', undefined, 8],
    ['skipped', undefined, 8],
    ['failed', undefined, 20],
    ['lost', undefined, 20],
    ['missed', undefined, 20],
    ['cancelled', undefined, 20],
    // A row must outlive every claim that could still start its instant.
    ['succeeded', 30, 37],
  ])('that is %s, startBy in %p days, is kept for %d days', (status, startByDays, days) => {
    const startBy = startByDays === undefined ? {} : { startBy: SPRING_NIGHT + startByDays * DAY };
    const finish = finishOf(claimOf(), { status, at: SPRING_NIGHT, attempt: undefined });
    const retention = { successMs: 8 * DAY, failureMs: 20 * DAY };
    const { expiresAt } = finishedRun(runIn('pending', startBy), finish, retention);
    expect(expiresAt).toBe(SPRING_NIGHT + days * DAY);
  });

  const ended: Attempt = { ...first, finishedAt: plus(1), status: 'lost' };
  const second = { number: 2, startedAt: plus(2) };
  const running = runIn('running', { attempts: [ended, second] }).run;
  test.each<[string, Run, Partial<Finish>, may: boolean, was: boolean]>([
    ['the attempt that runs', running, { attempt: { ...second, finishedAt: plus(3) } }, true, false],
    ['an earlier attempt', running, { attempt: { ...ended, finishedAt: plus(3) } }, false, false],
    ['an earlier attempt, as it was', running, { attempt: ended }, false, true],
    [
      'an earlier attempt, at one moment with another',
      running,
      { attempt: { ...ended, status: 'failed' } },
      false,
      false,
    ],
    ['no attempt, of a run that runs', running, { attempt: undefined }, false, false],
    ['no attempt, of a claimed run', runIn('claimed').run, { attempt: undefined }, true, false],
    ['an attempt, of a claimed run', runIn('claimed').run, { attempt: first }, false, false],
    [
      "another's attempt",
      running,
      { attempt: { ...second, finishedAt: plus(3) }, token: 'token-2' },
      false,
      false,
    ],
    [
      'an attempt whose lease is as it was seen',
      running,
      { attempt: second, ifLeaseUntil: plus(5) },
      true,
      false,
    ],
    [
      'an attempt whose lease was extended',
      running,
      { attempt: second, ifLeaseUntil: plus(4) },
      false,
      false,
    ],
    [
      'an attempt that another closed',
      runIn('lost', { attempts: [ended] }).run,
      { attempt: ended, ifLeaseUntil: plus(5) },
      false,
      false,
    ],
  ])('of %s', (_what, run, fields, may, was) => {
    const finish = finishOf(claimOf(), fields);
    expect([mayFinish(run, finish), isFinishedAs(run, finish)]).toStrictEqual([may, was]);
  });
});

describe('the order of instants', () => {
  test.each<[string, Partial<Run>, boolean]>([
    ['a due run', {}, true],
    ['a run made up for', { trigger: 'catch-up' }, true],
    ['a run by hand', { trigger: 'manual' }, false],
    ['a run at a start', { runId: 'reboot#boot-1' }, false],
    ['a backfill', { trigger: 'backfill' }, false],
    ['a run that somebody asked for again', { requests: [{ verb: 'retry', by: 'ann', at: 1 }] }, false],
    ['a run that somebody wanted to stop', { requests: [{ verb: 'cancel', by: 'ann', at: 1 }] }, true],
  ])('has in it %s: %p', (_what, fields, expected) => {
    expect(followsOrder(runIn('pending', fields).run)).toBe(expected);
  });
});
