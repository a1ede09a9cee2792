import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  type Attempt,
  FINAL_STATUSES,
  type FinalStatus,
  isFinal,
  type OperatorRequest,
  type PendingCause,
  type Reason,
  type Run,
  type RunOutput,
  type RunStatus,
} from '../../shared/core/run/run.ts';
import { dueRunId, spanId } from '../../shared/core/run/run-id.ts';
import type { Claim, Finish, Owed, Reopening, RunStore } from '../../shared/core/run/run-store.ts';
import {
  answerOf,
  claimOf,
  finishOf,
  LEASE,
  MINUTE,
  owedOf,
  recordAnswer,
  runOf,
  runToEnd,
  SPRING_NIGHT,
  startRun,
} from '../support/run-claims.ts';

const JOB = 'shop/backup';
const RUN = '2026-03-29T01:30Z';
const NEXT = '2026-03-29T01:31Z';
/** Minutes after the night's run. */
const plus = (minutes: number) => SPRING_NIGHT + minutes * MINUTE;
const claimAt = (minutes: number, fields: Parameters<typeof claimOf>[0] = {}) =>
  claimOf({ scheduledTime: plus(minutes), ...fields });
const owedAt = (minutes: number, fields: Partial<Owed> = {}) =>
  owedOf({ scheduledTime: plus(minutes), ...fields });
const requestOf = (verb: OperatorRequest['verb'], minutes = 9): OperatorRequest => ({
  verb,
  by: 'ann@host-1',
  at: plus(minutes),
  why: 'disk was full',
});
const reopeningOf = (fields: Partial<Reopening> = {}): Reopening => ({
  ...{ jobId: JOB, runId: RUN, request: requestOf('retry'), notBefore: plus(9) },
  ...fields,
});
const retryAt = (minutes: number): Partial<Finish> => ({
  status: 'failed',
  reason: 'exit-code',
  retry: { notBefore: plus(minutes), startBy: plus(minutes + 5) },
});

/** Leads a new run to a status. */
async function leadTo(status: RunStatus, store: RunStore): Promise<Run> {
  if (status === 'pending') await store.owe(owedOf());
  else if (status === 'claimed') await store.claim(claimOf());
  else if (status === 'running') await startRun(store, claimOf());
  else if (status === 'skipped' || status === 'missed') await recordAnswer(store, answerOf({ status }));
  else await runToEnd(store, claimOf(), { status });
  return (await store.run(JOB, RUN)) as Run;
}

/** Defines how every run store leads runs from status to status. */
export function describeRunProtocol(open: () => RunStore): void {
  let store: RunStore;
  beforeEach(() => {
    store = open();
  });
  afterEach(() => store.close());
  const stored = (runId = RUN) => store.run(JOB, runId);
  const briefly = async (runId = RUN) => {
    const run = await stored(runId);
    return [run?.status, run?.reason, run?.blockedBy];
  };

  describe('owe', () => {
    test('creates a pending run, and leaves one that exists as it is', async () => {
      const request = requestOf('backfill');
      const owed = owedOf({ trigger: 'backfill', cause: 'requested', request, maxActiveRuns: 2, startBy: 5 });
      const run: Run = {
        ...{ jobId: JOB, runId: RUN, scheduledTime: SPRING_NIGHT, trigger: 'backfill', status: 'pending' },
        ...{ cause: 'requested', notBefore: SPRING_NIGHT, startBy: 5, maxActiveRuns: 2, requests: [request] },
        ...{ planHash: 'hash-1', createdAt: SPRING_NIGHT, attempts: [] },
      };
      expect(await store.owe(owed)).toBe(true);
      expect(await stored()).toStrictEqual(run);
      expect(await store.owe({ ...owed, cause: 'catch-up' })).toBe(false);
      expect([await stored(), await store.states('shop')]).toStrictEqual([run, []]);
    });
  });

  describe('claim of a pending run', () => {
    test.each([
      ['before its time', -1, 'waiting', 'pending'],
      ['at its time', 0, 'won', 'claimed'],
      ['at its starting deadline', 5 * MINUTE, 'won', 'claimed'],
      ['after its starting deadline', 5 * MINUTE + 1, 'closed', 'missed'],
    ] as const)('%s is %3$s', async (_when, ms, outcome, status) => {
      await store.owe(owedOf({ startBy: plus(5) }));
      const result = await store.claim(claimOf({ at: SPRING_NIGHT + ms }));
      expect([result.outcome, runOf(result).status]).toStrictEqual([outcome, status]);
      expect(runOf(result)).toStrictEqual(await stored());
    });

    test('keeps what it was owed for, and takes it from the others', async () => {
      await store.owe(owedOf());
      const { cause, notBefore, trigger, owner } = runOf(await store.claim(claimOf()));
      expect([cause, notBefore, trigger, owner?.token]).toStrictEqual([
        'catch-up',
        undefined,
        'catch-up',
        'token-1',
      ]);
      expect((await store.claim(claimOf({ token: 'token-2' }))).outcome).toBe('taken');
      expect((await store.claim(claimOf())).outcome).toBe('won');
    });

    test('that comes too late for a new run closes it as missed, and counts it', async () => {
      const result = await store.claim(claimOf({ startBy: plus(5), at: plus(5) + 1 }));
      expect([result.outcome, runOf(result).status, runOf(result).reason]).toStrictEqual([
        'closed',
        'missed',
        'too-late',
      ]);
      expect(await store.states('shop')).toMatchObject([{ runs: { missed: 1 }, attempts: 0 }]);
    });

    test.each<[PendingCause, boolean, string]>([
      ['catch-up', false, 'closed'],
      ['given-back', false, 'closed'],
      ['catch-up', true, 'waiting'],
      ['requested', false, 'waiting'],
      ['replace', false, 'waiting'],
    ])('by %s, in order %p, while the previous run still runs, is %s', async (cause, isInOrder, outcome) => {
      await startRun(store, claimOf());
      await store.owe(owedAt(1, { cause }));
      const result = await store.claim(claimAt(1, { isInOrder }));
      expect(result.outcome).toBe(outcome);
      expect(await briefly(NEXT)).toStrictEqual(
        outcome === 'closed' ? ['skipped', 'overlap', RUN] : ['pending', undefined, undefined],
      );
    });

    test('for a retry waits while a run by hand has the lock, and closes none', async () => {
      await runToEnd(store, claimOf(), retryAt(2));
      await startRun(store, claimAt(1, { runId: 'by-hand', trigger: 'manual' }));
      expect((await store.claim(claimOf({ at: plus(2) }))).outcome).toBe('waiting');
    });
  });

  describe('claim under replace', () => {
    const second = claimAt(1, { concurrencyPolicy: 'replace', token: 'token-2' });
    const request = { verb: 'replace', by: NEXT, at: plus(1) };

    test('ends a run that is not started, and wins', async () => {
      await store.claim(claimOf());
      expect((await store.claim(second)).outcome).toBe('won');
      expect(await briefly()).toStrictEqual(['cancelled', 'replaced', '2026-03-29T01:31Z']);
      expect((await stored())?.requests).toStrictEqual([request]);
      expect(await store.start(JOB, RUN, 'token-1', { number: 1, startedAt: plus(1) })).toBe(false);
      expect(await store.states('shop')).toMatchObject([{ runs: { cancelled: 1 }, attempts: 0 }]);
    });

    test('asks a running run once to end, and waits until it has', async () => {
      await startRun(store, claimOf());
      const waiting = await store.claim(second);
      expect([waiting.outcome, runOf(waiting)]).toStrictEqual(['waiting', await stored(NEXT)]);
      expect(runOf(waiting)).toMatchObject({ status: 'pending', cause: 'replace', blockedBy: RUN });
      expect((await store.claim({ ...second, at: plus(2) })).outcome).toBe('waiting');
      const { cancelRequest, requests, status } = (await stored()) as Run;
      expect([status, cancelRequest, requests]).toStrictEqual(['running', request, [request]]);
      expect(await store.extend(JOB, RUN, 'token-1', plus(9))).toStrictEqual({ cancelRequest: request });
      await store.finish(finishOf(claimOf(), { status: 'cancelled', reason: 'replaced' }));
      expect((await stored())?.cancelRequest).toBeUndefined();
      expect((await store.claim({ ...second, at: plus(3) })).outcome).toBe('won');
    });

    test('takes the place of a run that waits for the same one', async () => {
      await startRun(store, claimOf());
      await store.claim(second);
      const third = claimAt(2, { concurrencyPolicy: 'replace', token: 'token-3' });
      expect((await store.claim(third)).outcome).toBe('waiting');
      expect(await briefly(NEXT)).toStrictEqual(['skipped', 'superseded', third.runId]);
    });

    test.each<[string, Partial<Claim>, Partial<Claim>, string]>([
      ['a due run', {}, { runId: 'by-hand', trigger: 'manual' }, 'closed'],
      ['a run by hand', { runId: 'by-hand', trigger: 'manual' }, {}, 'closed'],
      ['a run at a start', { runId: 'reboot#1' }, {}, 'closed'],
    ])('by %s stops no such run: it overlaps', async (_what, newer, running, outcome) => {
      await startRun(store, claimOf(running));
      expect((await store.claim({ ...second, ...newer })).outcome).toBe(outcome);
      expect((await stored(running.runId))?.cancelRequest).toBeUndefined();
    });

    test('by a backfill waits for the running run', async () => {
      await startRun(store, claimOf());
      await store.owe(owedAt(1, { trigger: 'backfill', cause: 'requested' }));
      expect((await store.claim(second)).outcome).toBe('waiting');
      expect((await stored())?.cancelRequest).toBeUndefined();
    });
  });

  describe('claims in order', () => {
    const claims = [0, 1, 2].map((minutes) =>
      claimAt(minutes, { isInOrder: true, at: plus(9), trigger: 'catch-up' }),
    ) as [Claim, Claim, Claim];

    test('start every owed run, oldest first, and a due one behind them', async () => {
      for (const minutes of [2, 0, 1]) await store.owe(owedAt(minutes, { at: plus(9), notBefore: plus(9) }));
      const started: string[] = [];
      const due = claimAt(9, { isInOrder: true });
      for (let round = 0; round < 4; round += 1) {
        for (const claim of [due, claims[2], claims[1], claims[0]]) {
          const { outcome } = await store.claim(claim);
          if (outcome === 'taken') continue;
          if (outcome === 'waiting') continue;
          started.push(claim.runId);
          await store.start(JOB, claim.runId, 'token-1', { number: 1, startedAt: plus(9) });
          // Not even the one that runs lets another pass.
          for (const other of claims) expect((await store.claim(other)).outcome).not.toBe('closed');
          await store.finish(finishOf(claim, { attempt: ended(1, plus(9)) }));
          break;
        }
      }
      expect(started).toStrictEqual([...claims, due].map(({ runId }) => runId));
      expect((await stored(due.runId))?.cause).toBe('catch-up');
    });

    test.each<[boolean, string[]]>([
      [true, ['pending', 'pending', 'pending']],
      [false, ['missed', 'missed', 'claimed']],
    ])('that are %p for the newest owed run leave its job as %j', async (isInOrder, statuses) => {
      for (const minutes of [0, 1, 2]) await store.owe(owedAt(minutes));
      await store.claim({ ...claims[2], isInOrder });
      const runs = await Promise.all(claims.map(({ runId }) => stored(runId)));
      expect(runs.map((run) => run?.status)).toStrictEqual(statuses);
      if (!isInOrder) expect(await briefly()).toStrictEqual(['missed', 'superseded', claims[2].runId]);
    });
  });

  describe('backfills with a bound', () => {
    test('have no more of their job under way at once', async () => {
      const backfill = (minutes: number) =>
        owedAt(minutes, { trigger: 'backfill', cause: 'requested', maxActiveRuns: 2 });
      const claim = (minutes: number) => claimAt(minutes, { concurrencyPolicy: 'allow', at: plus(9) });
      for (const minutes of [0, 1, 2]) await store.owe(backfill(minutes));
      await startRun(store, claimAt(9, { concurrencyPolicy: 'allow' }));
      const outcomes = [];
      for (const minutes of [0, 1, 2]) outcomes.push((await store.claim(claim(minutes))).outcome);
      await store.finish(finishOf(claim(1), { status: 'cancelled', attempt: undefined }));
      outcomes.push((await store.claim(claim(2))).outcome);
      expect(outcomes).toStrictEqual(['won', 'won', 'waiting', 'won']);
    });
  });

  describe('a pause from 01:30 to 01:40', () => {
    const pause = { jobId: JOB, from: plus(0), until: plus(10), by: 'ann@host-1' };

    test.each<[string, number, number, Partial<Claim>, string]>([
      ['due and claimed in it', 5, 5, {}, 'paused'],
      ['due as it begins', 0, 0, {}, 'paused'],
      ['due in it and claimed after it', 5, 11, {}, 'paused'],
      ['due before it and claimed in it', -1, 0, {}, 'closed'],
      ['due and claimed before it', -1, -1, {}, 'won'],
      ['due as it ends', 10, 10, {}, 'won'],
      ['at a start in it', 5, 5, { runId: 'reboot#1' }, 'paused'],
      ['by hand in it', 5, 5, { runId: 'by-hand', trigger: 'manual' }, 'won'],
      ['of another job in it', 5, 5, { jobId: 'shop/report' }, 'won'],
    ])('has a run %s be %4$s', async (_which, due, at, fields, outcome) => {
      await store.pause(pause);
      const claim = claimAt(due, { at: plus(at), ...fields });
      expect((await store.claim(claim)).outcome).toBe(outcome);
      const run = await store.run(claim.jobId, claim.runId);
      expect([run?.status, run?.reason]).toStrictEqual(
        { paused: [undefined, undefined], closed: ['skipped', 'paused'], won: ['claimed', undefined] }[
          outcome
        ],
      );
    });

    test('that is resumed answers only up to then', async () => {
      await store.pause(pause);
      await store.resume(JOB, { at: plus(3), by: 'bob@host-1' });
      const outcomes = [];
      for (const minutes of [2, 3]) outcomes.push((await store.claim(claimAt(minutes))).outcome);
      expect(outcomes).toStrictEqual(['paused', 'won']);
    });

    test('ends a retry that comes due in it with what its attempt came to', async () => {
      await runToEnd(store, claimAt(-1), retryAt(2));
      await store.pause(pause);
      const { runId } = claimAt(-1);
      expect((await store.claim(claimAt(-1, { at: plus(2) }))).outcome).toBe('closed');
      expect(await briefly(runId)).toStrictEqual(['failed', 'paused', undefined]);
    });
  });

  describe('a run that starts', () => {
    const newest = claimAt(5, { token: 'token-2' });

    test.each<[string, Partial<Owed>, FinalStatus | 'pending']>([
      ['is owed from a downtime', { cause: 'catch-up' }, 'missed'],
      ['was given back', { cause: 'given-back' }, 'missed'],
      ['waits in the place of another', { cause: 'replace' }, 'skipped'],
      ['is newer', { scheduledTime: plus(6), runId: RUN }, 'pending'],
      ['is a backfill', { trigger: 'backfill' }, 'pending'],
      ['was asked for', { cause: 'requested', request: requestOf('retry') }, 'pending'],
      ['is by hand', { trigger: 'manual' }, 'pending'],
      ['is of another job', { jobId: 'shop/report' }, 'pending'],
    ])('leaves a pending run that %s %3$s', async (_which, fields, status) => {
      await store.owe(owedOf(fields));
      expect((await store.claim(newest)).outcome).toBe('won');
      const run = await store.run(fields.jobId ?? JOB, RUN);
      expect([run?.status, run?.reason, run?.blockedBy]).toStrictEqual(
        status === 'pending' ? ['pending', undefined, undefined] : [status, 'superseded', newest.runId],
      );
    });

    test('closes an older one that could not have started any more for that reason', async () => {
      await store.owe(owedOf({ startBy: plus(4) }));
      await store.claim(newest);
      expect((await stored())?.reason).toBe('too-late');
    });

    test('closes an older one that waits for a retry with its last status', async () => {
      await runToEnd(store, claimOf(), retryAt(9));
      await store.claim(newest);
      expect(await briefly()).toStrictEqual(['failed', 'superseded', newest.runId]);
      expect(await store.states('shop')).toMatchObject([{ runs: { failed: 1 }, attempts: 1 }]);
    });

    test('leaves all as they are under allow', async () => {
      await store.owe(owedOf());
      await store.claim({ ...newest, concurrencyPolicy: 'allow' });
      expect((await stored())?.status).toBe('pending');
    });
  });

  describe('a lease', () => {
    test.each<[RunStatus, string, boolean]>([
      ['claimed', 'token-1', true],
      ['running', 'token-1', true],
      ['running', 'token-2', false],
      ['pending', 'token-1', false],
      ['succeeded', 'token-1', false],
    ])('of a %s run, extended by %s: %p', async (status, token, isOwner) => {
      const before = await leadTo(status, store);
      for (let repeated = 0; repeated < 2; repeated += 1) {
        expect(await store.extend(JOB, RUN, token, plus(99))).toStrictEqual(isOwner ? {} : undefined);
      }
      expect(await stored()).toStrictEqual(isOwner ? { ...before, leaseUntil: plus(99) } : before);
    });

    test.each(['finish', 'release'] as const)(
      'that was extended meanwhile keeps a run from another: no %s',
      async (verb) => {
        await (verb === 'finish' ? startRun(store, claimOf()) : store.claim(claimOf()));
        await store.extend(JOB, RUN, 'token-1', plus(7));
        const close = (ifLeaseUntil: number) =>
          verb === 'release'
            ? store.release(JOB, RUN, 'token-1', plus(9), ifLeaseUntil)
            : store.finish(finishOf(claimOf(), { status: 'lost', ifLeaseUntil }));
        expect([await close(SPRING_NIGHT + LEASE), await close(plus(7))]).toStrictEqual([false, true]);
      },
    );

    test.each([
      ['at different times', 0, 1],
      ['at one moment', 0, 0],
    ])('that two see expire %s ends its run once', async (_when, ...moments) => {
      await startRun(store, claimOf());
      const closings = moments.map((ms) => {
        const at = plus(9) + ms;
        const attempt = { ...ended(1), finishedAt: at, status: 'lost', reason: 'lease-expired' } as const;
        const retry = { notBefore: at + MINUTE };
        return store.finish(
          finishOf(claimOf(), { status: 'lost', attempt, at, retry, ifLeaseUntil: SPRING_NIGHT + LEASE }),
        );
      });
      expect((await Promise.all(closings)).filter(Boolean)).toStrictEqual([true]);
      expect(await store.states('shop')).toMatchObject([{ attempts: 1 }]);
    });

    test('that is over is no end by itself: its owner still ends the run', async () => {
      await startRun(store, claimOf());
      expect(await store.finish(finishOf(claimOf(), { at: plus(60) }))).toBe(true);
    });
  });

  const ended = (number: number, startedAt = SPRING_NIGHT + 1000): Attempt => ({
    ...{ number, startedAt, finishedAt: startedAt + 2000, status: 'succeeded', exitCode: 0 },
  });
  const outputOf = (text: string): RunOutput => ({
    stdout: { text, droppedBytes: 0 },
    stderr: { text: '', droppedBytes: 0 },
  });

  describe('a run that is tried again', () => {
    const failed: Attempt = { ...ended(1), status: 'failed', reason: 'exit-code', exitCode: 7 };
    const again = claimOf({ at: plus(3), token: 'token-2' });

    beforeEach(async () => {
      await startRun(store, claimOf());
      const finish = finishOf(claimOf(), { ...retryAt(3), attempt: failed, output: outputOf('one') });
      expect(await store.finish(finish)).toBe(true);
    });

    test('is pending, with its attempt counted and itself not', async () => {
      const run = (await stored()) as Run;
      expect(run).toMatchObject({
        status: 'pending',
        cause: 'retry',
        notBefore: plus(3),
        startBy: plus(8),
      });
      expect([run.attempts, run.owner, run.leaseUntil, run.finishedAt, run.reason]).toStrictEqual([
        [failed],
        undefined,
        undefined,
        undefined,
        undefined,
      ]);
      expect(await store.states('shop')).toStrictEqual([{ jobId: JOB, runs: {}, attempts: 1 }]);
      expect(await store.unfinished()).toStrictEqual([]);
    });

    test('keeps both attempts and their outputs', async () => {
      await startRun(store, again);
      const second = ended(2, plus(3) + 1000);
      await store.finish(finishOf(again, { attempt: second, output: outputOf('two') }));
      expect((await stored())?.attempts).toStrictEqual([failed, second]);
      const texts = await Promise.all([1, 2].map((number) => store.output(JOB, RUN, number)));
      expect(texts.map((output) => output?.stdout.text)).toStrictEqual(['one', 'two']);
      expect(await store.states('shop')).toMatchObject([{ runs: { succeeded: 1 }, attempts: 2 }]);
    });

    test.each<[string, Partial<Attempt>, boolean]>([
      ['the same end again', {}, true],
      ['another end', { finishedAt: plus(4), status: 'lost' }, false],
    ])('is not ended by %s of its first attempt under the same token', async (_what, fields, answer) => {
      const claim = claimOf({ at: plus(3) });
      const running = await startRun(store, claim);
      const states = await store.states('shop');
      const late = finishOf(claim, { attempt: { ...failed, ...fields }, output: outputOf('late') });
      expect(await store.finish(late)).toBe(answer);
      expect([await stored(), await store.states('shop')]).toStrictEqual([running, states]);
      const outputs = await Promise.all([1, 2].map((number) => store.output(JOB, RUN, number)));
      expect(outputs.map((output) => output?.stdout.text)).toStrictEqual(['one', undefined]);
    });

    test('has no attempt started twice', async () => {
      const claimed = runOf(await store.claim(again));
      await expect(store.start(JOB, RUN, 'token-2', { number: 1, startedAt: plus(3) })).rejects.toThrow(
        `run ${JOB} ${RUN} has attempt 2 next, not 1`,
      );
      expect(await stored()).toStrictEqual(claimed);
    });
  });

  describe('a write whose answer was lost is repeated without effect:', () => {
    const later = claimOf({ at: plus(1) });
    const cancelled = finishOf(claimOf(), { status: 'cancelled', reason: 'requested', attempt: undefined });
    test.each<[string, RunStatus, () => Promise<unknown>, first: unknown, second: unknown]>([
      ['an end', 'running', () => store.finish(finishOf(claimOf())), true, true],
      ['an end before the start', 'claimed', () => store.finish(cancelled), true, true],
      ['a claim', 'pending', async () => (await store.claim(later)).outcome, 'won', 'won'],
      ['a debt', 'running', () => store.owe(owedAt(1)), true, false],
      ['a release', 'claimed', () => store.release(JOB, RUN, 'token-1', plus(1)), true, false],
      ['an answer', 'running', () => recordAnswer(store, answerOf({ runId: NEXT })), undefined, undefined],
      [
        'an end of a pending run',
        'pending',
        () => store.endPending({ jobId: JOB, runId: RUN, reason: 'removed', at: plus(1) }),
        true,
        false,
      ],
      ['a reopening', 'failed', async () => (await store.reopen(reopeningOf())).outcome, 'done', 'done'],
      [
        'a wish to stop a pending run',
        'pending',
        async () => (await store.cancel({ jobId: JOB, runId: RUN }, requestOf('cancel'))).outcome,
        'done',
        'done',
      ],
      [
        'a wish to stop a running run',
        'running',
        async () => (await store.cancel({ jobId: JOB, runId: RUN }, requestOf('cancel'))).outcome,
        'requested',
        'requested',
      ],
    ])('%s', async (_what, status, write, first, second) => {
      await leadTo(status, store);
      expect(await write()).toStrictEqual(first);
      const view = async () => [await store.runs({ limit: 9 }), await store.states('shop')];
      const once = await view();
      expect(await write()).toStrictEqual(second);
      expect(await view()).toStrictEqual(once);
    });
  });

  describe('endPending', () => {
    test.each<[Reason, PendingCause, FinalStatus]>([
      ['removed', 'catch-up', 'skipped'],
      ['suspended', 'given-back', 'skipped'],
      ['catch-up-none', 'given-back', 'missed'],
      ['too-late', 'requested', 'missed'],
      ['superseded', 'catch-up', 'missed'],
      ['superseded', 'replace', 'skipped'],
    ])('for %s ends a run by %s as %s, and counts it', async (reason, cause, status) => {
      await store.owe(owedOf({ cause }));
      expect(await store.endPending({ jobId: JOB, runId: RUN, reason, at: plus(1) })).toBe(true);
      expect(await stored()).toMatchObject({ status, reason, finishedAt: plus(1) });
      expect((await stored())?.notBefore).toBeUndefined();
      expect(await store.states('shop')).toMatchObject([{ runs: { [status]: 1 }, attempts: 0 }]);
    });

    test('ends a run that waits for a retry as its last attempt ended', async () => {
      await runToEnd(store, claimOf(), retryAt(3));
      await store.endPending({ jobId: JOB, runId: RUN, reason: 'removed', at: plus(1) });
      expect(await briefly()).toStrictEqual(['failed', 'removed', undefined]);
      expect(await store.states('shop')).toMatchObject([
        { runs: { failed: 1 }, attempts: 1, lastFailureAt: SPRING_NIGHT + 3000 },
      ]);
    });

    test.each<RunStatus>(['claimed', 'running', 'succeeded', 'missed'])('leaves a %s run', async (status) => {
      const before = [await leadTo(status, store), await store.states('shop')];
      const end = { jobId: JOB, runId: RUN, reason: 'removed', at: plus(1) } as const;
      expect(await store.endPending(end)).toBe(false);
      expect([await stored(), await store.states('shop')]).toStrictEqual(before);
      expect(await store.endPending({ ...end, runId: NEXT })).toBe(false);
    });
  });

  describe('cancel', () => {
    test.each<[RunStatus, string, RunStatus]>([
      ['pending', 'done', 'cancelled'],
      ['claimed', 'done', 'cancelled'],
      ['running', 'requested', 'running'],
      ...FINAL_STATUSES.map((status): [RunStatus, string, RunStatus] => [status, 'not-possible', status]),
    ])('of a %s run is %s, and it is %s', async (before, outcome, status) => {
      const run = await leadTo(before, store);
      const request = requestOf('cancel');
      const result = await store.cancel({ jobId: JOB, runId: RUN }, request);
      expect(result).toStrictEqual({ outcome, run: await stored() });
      if (outcome === 'not-possible') expect(await stored()).toStrictEqual(run);
      else if (outcome === 'requested') {
        expect(await stored()).toStrictEqual({ ...run, cancelRequest: request, requests: [request] });
      } else {
        expect(await stored()).toMatchObject({ status, reason: 'requested', requests: [request] });
        expect([(await stored())?.owner, await store.unfinished()]).toStrictEqual([undefined, []]);
        expect(await store.states('shop')).toMatchObject([{ runs: { cancelled: 1 }, attempts: 0 }]);
      }
    });

    test('of an unknown run says so', async () => {
      const result = await store.cancel({ jobId: JOB, runId: RUN }, requestOf('cancel'));
      expect(result).toStrictEqual({ outcome: 'unknown' });
    });
  });

  describe('reopen', () => {
    test.each(FINAL_STATUSES.map((status) => [status]))(
      'makes a run that is %s pending, takes nothing from the counters and keeps its attempts',
      async (status) => {
        const before = await leadTo(status, store);
        const states = await store.states('shop');
        const result = await store.reopen(reopeningOf({ startBy: plus(99), maxActiveRuns: 3 }));
        const { finishedAt: _finishedAt, reason: _reason, ...rest } = before;
        const run: Run = {
          ...rest,
          ...{ status: 'pending', cause: 'requested', notBefore: plus(9), startBy: plus(99) },
          ...{ maxActiveRuns: 3, requests: [requestOf('retry')] },
        };
        expect(result).toStrictEqual({ outcome: 'done', run });
        expect([await stored(), await store.states('shop')]).toStrictEqual([run, states]);
        expect(await store.prune(plus(10_000_000), 9)).toBe(0);
      },
    );

    test.each<RunStatus>(['pending', 'claimed', 'running'])(
      'is not possible for a %s run',
      async (status) => {
        const run = await leadTo(status, store);
        expect(await store.reopen(reopeningOf())).toStrictEqual({ outcome: 'not-possible', run });
      },
    );

    test('is not possible for the answer to a stretch, nor for an unknown run', async () => {
      const runId = spanId(SPRING_NIGHT);
      await recordAnswer(store, answerOf({ runId, spanFrom: SPRING_NIGHT, scheduledTime: plus(60) }));
      const run = await stored(runId);
      expect(await store.reopen(reopeningOf({ runId }))).toStrictEqual({ outcome: 'not-possible', run });
      expect(await store.reopen(reopeningOf())).toStrictEqual({ outcome: 'unknown' });
    });

    test('leads to the next attempt, counted again, and past newer starts', async () => {
      await runToEnd(store, claimOf(), { status: 'failed' });
      await runToEnd(store, claimAt(1));
      await store.reopen(reopeningOf());
      expect((await store.claim(claimOf({ at: plus(8) }))).outcome).toBe('waiting');
      await runToEnd(store, claimOf({ at: plus(9) }));
      expect(await stored()).toMatchObject({ status: 'succeeded', attempts: [{ number: 1 }, { number: 2 }] });
      expect(await store.states('shop')).toMatchObject([{ runs: { failed: 1, succeeded: 2 }, attempts: 3 }]);
      // It stands outside the order: the due run of before is still the newest.
      expect(runOf(await store.claim(claimAt(-1))).blockedBy).toBe(NEXT);
    });

    test('repeated after the run is over again opens it no second time', async () => {
      await runToEnd(store, claimOf(), { status: 'failed' });
      await store.reopen(reopeningOf());
      await runToEnd(store, claimOf({ at: plus(9) }));
      expect((await store.reopen(reopeningOf())).outcome).toBe('done');
      expect((await stored())?.status).toBe('succeeded');
    });
  });

  describe('a stretch of instants', () => {
    const from = SPRING_NIGHT;
    const stretch = (to: number) =>
      answerOf({ runId: spanId(from), spanFrom: from, scheduledTime: to, at: plus(200) });

    test('is one with another that begins where it does, counted once', async () => {
      for (const to of [60, 90, 30]) await recordAnswer(store, stretch(plus(to)));
      const runs = await store.runs({ limit: 9 });
      expect(runs.map((run) => [run.runId, run.spanFrom, run.scheduledTime])).toStrictEqual([
        [spanId(from), from, plus(90)],
      ]);
      expect(await store.states('shop')).toMatchObject([{ runs: { missed: 1 } }]);
    });

    test.each([
      ['before it', -1, undefined],
      ['its first', 0, 0],
      ['one within it', 30, 0],
      ['its last', 60, 0],
      ['between two', 61, undefined],
      ['of the next', 100, 90],
      ['after all', 121, undefined],
    ])('is found by its instants: %s', async (_which, minutes, found) => {
      await recordAnswer(store, stretch(plus(60)));
      const next = plus(90);
      await recordAnswer(
        store,
        answerOf({ runId: spanId(next), spanFrom: next, scheduledTime: plus(120), at: plus(300) }),
      );
      await recordAnswer(store, answerOf({ jobId: 'shop/report' }));
      const span = await store.spanAt(JOB, plus(minutes));
      expect(span?.runId).toBe(found === undefined ? undefined : spanId(plus(found)));
      expect(await store.spanAt('shop/report', SPRING_NIGHT)).toBeUndefined();
    });
  });

  describe('pending runs', () => {
    test('are those whose time has come, of each job and cause the oldest, by scheduled time', async () => {
      const owed: Owed[] = [
        owedAt(3, { jobId: 'shop/report' }),
        owedAt(2, { notBefore: plus(5) }),
        owedAt(1),
        owedAt(0, { cause: 'requested', notBefore: plus(1) }),
        owedAt(0, { jobId: 'till/close', notBefore: plus(9) }),
        owedAt(4, { cause: 'requested' }),
      ];
      for (const one of owed) await store.owe(one);
      await store.claim(claimAt(1, { jobId: 'shop/other' }));
      const due = async (minutes: number, limit: number) =>
        (await store.pending(plus(minutes), limit)).map(
          ({ jobId, runId }) => `${jobId} ${runId.slice(14, 16)}`,
        );
      expect(await due(0, 9)).toStrictEqual([]);
      expect(await due(5, 9)).toStrictEqual(['shop/backup 30', 'shop/backup 31', 'shop/report 33']);
      expect(await due(9, 9)).toStrictEqual([
        'shop/backup 30',
        'till/close 30',
        'shop/backup 31',
        'shop/report 33',
      ]);
      expect(await due(9, 2)).toStrictEqual(['shop/backup 30', 'till/close 30']);
      const [first] = await store.pending(plus(9), 1);
      expect(first).toStrictEqual(await store.run(JOB, dueRunId(plus(0))));
    });

    test('are counted by job of a crontab', async () => {
      for (const jobId of ['shop/b', 'shop/a', 'shop-2/a', 'shop0/a']) {
        await store.owe(owedOf({ jobId }));
        await store.owe(owedAt(1, { jobId, notBefore: plus(99) }));
      }
      await store.claim(claimOf({ jobId: 'shop/a' }));
      await store.claim(claimOf({ jobId: 'shop/c' }));
      expect([...(await store.pendingCounts('shop'))]).toStrictEqual([
        ['shop/a', 1],
        ['shop/b', 2],
      ]);
      const statuses = await Promise.all(['shop/a', 'shop/c'].map((jobId) => store.run(jobId, RUN)));
      expect(statuses.some((run) => run === undefined || isFinal(run.status))).toBe(false);
    });
  });
}
