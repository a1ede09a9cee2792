import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { SchedulePlan } from '../../shared/core/plan/plan.ts';
import { DEFAULT_RETENTION } from '../../shared/core/run/retention.ts';
import type { Attempt, FinalStatus, Run, RunOutput } from '../../shared/core/run/run.ts';
import { dueRunId, spanId } from '../../shared/core/run/run-id.ts';
import type { ActivePlan, Claim, RunStore } from '../../shared/core/run/run-store.ts';
import {
  answerOf,
  claimOf,
  finishOf,
  LEASE,
  MINUTE,
  NO_CHANGE,
  owedOf,
  ownerOf,
  recordAnswer,
  runOf,
  runToEnd,
  SPRING_NIGHT,
} from '../support/run-claims.ts';
import { describeLedger } from './run-store-ledger.ts';
import { describeRunProtocol } from './run-store-protocol.ts';
import { describeRunRecords } from './run-store-records.ts';
import { describeStartedClaims } from './started-claim.ts';

const JOB = 'shop/backup';
const RUN = '2026-03-29T01:30Z';
const DAY = 86_400_000;

/** Takes a claim of a run that does not exist to one of the states that later claims meet. */
type Stage = 'claimed' | 'running' | 'finished' | 'released';

async function bringTo(stage: Stage, store: RunStore, claim: Claim): Promise<void> {
  const { jobId, runId, owner, at } = claim;
  expect((await store.claim(claim)).outcome).toBe('won');
  if (stage === 'released') expect(await store.release(jobId, runId, owner.token, at)).toBe(true);
  if (stage === 'running' || stage === 'finished') {
    const attempt = { number: 1, startedAt: at + 1000 };
    expect(await store.start(jobId, runId, owner.token, attempt)).toBe(true);
  }
  if (stage === 'finished') expect(await store.finish(finishOf(claim))).toBe(true);
}

/** Defines what every run store must do. */
export function describeRunStore(name: string, open: () => RunStore): void {
  describe(`${name} as a run store`, () => {
    let store: RunStore;
    beforeEach(() => {
      store = open();
    });
    afterEach(() => store.close());

    describeRunProtocol(open);
    describeRunRecords(open);
    describeStartedClaims(open);
    describeLedger(open);

    describe('claim', () => {
      const claimed: Run = {
        jobId: JOB,
        runId: RUN,
        scheduledTime: SPRING_NIGHT,
        trigger: 'schedule',
        status: 'claimed',
        planHash: 'hash-1',
        createdAt: SPRING_NIGHT + 20,
        owner: ownerOf('token-1'),
        leaseUntil: SPRING_NIGHT + 20 + LEASE,
        attempts: [],
      };

      test('creates the run as claimed under its owner', async () => {
        const result = await store.claim(claimOf({ at: SPRING_NIGHT + 20 }));
        expect(result).toStrictEqual({ outcome: 'won', run: claimed });
        expect(await store.run(JOB, RUN)).toStrictEqual(claimed);
      });

      test.each([
        ['claimed', 'token-1', 'won'],
        ['claimed', 'token-2', 'taken'],
        ['running', 'token-1', 'won'],
        ['running', 'token-2', 'taken'],
        ['finished', 'token-1', 'taken'],
        ['finished', 'token-2', 'taken'],
        ['released', 'token-2', 'won'],
      ] as const)('of a run that token-1 has %s, by %s, is %s', async (stage, token, outcome) => {
        await bringTo(stage, store, claimOf());
        const before = await store.run(JOB, RUN);
        const result = await store.claim(claimOf({ token, at: SPRING_NIGHT + 5000 }));
        expect(result.outcome).toBe(outcome);
        expect(runOf(result)).toStrictEqual(await store.run(JOB, RUN));
        if (stage !== 'released') expect(runOf(result)).toStrictEqual(before);
      });

      test.each([
        ['forbid', 'claimed', 'forbid', 'closed'],
        ['forbid', 'running', 'forbid', 'closed'],
        ['replace', 'running', 'forbid', 'closed'],
        ['forbid', 'running', 'allow', 'won'],
        ['allow', 'claimed', 'allow', 'won'],
        ['allow', 'running', 'forbid', 'won'],
        ['forbid', 'finished', 'forbid', 'won'],
        ['forbid', 'released', 'forbid', 'won'],
      ] as const)(
        'after a run under %s is %s, of the next one under %s, is %s',
        async (first, stage, policy, outcome) => {
          await bringTo(stage, store, claimOf({ concurrencyPolicy: first }));
          const scheduledTime = SPRING_NIGHT + MINUTE;
          const result = await store.claim(
            claimOf({ scheduledTime, concurrencyPolicy: policy, token: 'token-2' }),
          );
          expect(result.outcome).toBe(outcome);
          expect(runOf(result).blockedBy).toBe(outcome === 'closed' ? RUN : undefined);
        },
      );

      test('closes a run that another is in the way of as skipped, and counts it', async () => {
        await bringTo('running', store, claimOf());
        const at = SPRING_NIGHT + MINUTE;
        const result = await store.claim(claimOf({ scheduledTime: at, token: 'token-2' }));
        const run: Run = {
          jobId: JOB,
          runId: '2026-03-29T01:31Z',
          scheduledTime: at,
          trigger: 'schedule',
          status: 'skipped',
          reason: 'overlap',
          blockedBy: RUN,
          planHash: 'hash-1',
          createdAt: at,
          finishedAt: at,
          attempts: [],
        };
        expect(result).toStrictEqual({ outcome: 'closed', run });
        expect(await store.run(JOB, '2026-03-29T01:31Z')).toStrictEqual(run);
        expect(await store.states('shop')).toStrictEqual([{ jobId: JOB, runs: { skipped: 1 }, attempts: 0 }]);
        expect((await store.claim(claimOf({ scheduledTime: at, token: 'token-2' }))).outcome).toBe('taken');
      });

      test('takes no lock when it skips, so that the end of the first run frees the job', async () => {
        await bringTo('running', store, claimOf());
        await store.claim(claimOf({ scheduledTime: SPRING_NIGHT + MINUTE }));
        await store.finish(finishOf(claimOf()));
        const result = await store.claim(claimOf({ scheduledTime: SPRING_NIGHT + 2 * MINUTE }));
        expect(result.outcome).toBe('won');
      });

      test('asks for no lock of another job', async () => {
        await bringTo('running', store, claimOf());
        expect((await store.claim(claimOf({ jobId: 'shop/report' }))).outcome).toBe('won');
      });

      const later = claimOf({ scheduledTime: SPRING_NIGHT + MINUTE, token: 'token-2' });
      const laterByHand: Claim = { ...later, trigger: 'manual', runId: '2026-03-29T01:31Z#mabc' };
      const laterAtStart: Claim = { ...later, runId: 'reboot#boot-1' };
      const laterAllowed: Claim = { ...later, concurrencyPolicy: 'allow' };
      const byHand: Partial<Claim> = { trigger: 'manual', runId: '2026-03-29T01:30Z#mabc' };
      test.each<[string, Stage, string, string, Claim, Partial<Claim>]>([
        ['due run', 'finished', 'due run', 'closed', later, {}],
        ['due run', 'running', 'due run', 'closed', later, {}],
        ['due run', 'finished', 'run made up for', 'closed', later, { trigger: 'catch-up' }],
        ['due run', 'finished', 'due run under replace', 'closed', later, { concurrencyPolicy: 'replace' }],
        ['due run', 'finished', 'due run under allow', 'won', later, { concurrencyPolicy: 'allow' }],
        ['due run', 'finished', 'run by hand', 'won', later, byHand],
        ['due run', 'finished', 'run at a start', 'won', later, { runId: 'reboot#boot-0' }],
        ['due run', 'released', 'due run', 'won', later, {}],
        ['due run under allow', 'claimed', 'due run', 'closed', laterAllowed, {}],
        ['due run under allow', 'running', 'due run', 'closed', laterAllowed, {}],
        ['run by hand', 'finished', 'due run', 'won', laterByHand, {}],
        ['run at a start', 'finished', 'due run', 'won', laterAtStart, {}],
      ])(
        'after a newer %s is %s, of an older %s, is %s',
        async (_newer, stage, _older, outcome, first, fields) => {
          await bringTo(stage, store, first);
          const result = await store.claim(claimOf({ ...fields, at: first.at + MINUTE }));
          const { reason, blockedBy } = runOf(result);
          expect([result.outcome, reason, blockedBy]).toStrictEqual(
            outcome === 'closed'
              ? ['closed', 'superseded', '2026-03-29T01:31Z']
              : ['won', undefined, undefined],
          );
        },
      );

      test('is not kept from a run by one that was started under a clock hours ahead', async () => {
        const ahead = SPRING_NIGHT + 10 * 365 * 86_400_000;
        const wrong = claimOf({ runId: '2036-03-26T01:30Z', scheduledTime: ahead, at: ahead });
        await bringTo('finished', store, wrong);
        expect((await store.claim(claimOf())).outcome).toBe('won');
      });

      test('is not kept from an older run by a newer one that was only answered', async () => {
        await recordAnswer(store, answerOf({ scheduledTime: SPRING_NIGHT + MINUTE }));
        expect((await store.claim(claimOf())).outcome).toBe('won');
      });

      test('is not kept from an older run by a newer one that ended before it started', async () => {
        await store.claim(later);
        await store.finish(finishOf(later, { status: 'cancelled', reason: 'requested', attempt: undefined }));
        expect((await store.claim(claimOf())).outcome).toBe('won');
      });

      test('remembers the newest start when an older run starts after it', async () => {
        await bringTo('finished', store, later);
        await bringTo('finished', store, claimOf({ concurrencyPolicy: 'allow' }));
        const before = await store.claim(claimOf({ scheduledTime: SPRING_NIGHT - MINUTE }));
        expect(runOf(before).blockedBy).toBe(later.runId);
      });

      test('remembers the newest start when its run is pruned', async () => {
        await bringTo('finished', store, later);
        await store.prune(SPRING_NIGHT + 1000 * DAY, 10);
        expect((await store.claim(claimOf())).outcome).toBe('closed');
      });
    });

    describe('start', () => {
      test('makes a claimed run a running one', async () => {
        const run = runOf(await store.claim(claimOf()));
        const attempt = { number: 1, startedAt: SPRING_NIGHT + 1000 };
        expect(await store.start(JOB, RUN, 'token-1', attempt)).toBe(true);
        expect(await store.run(JOB, RUN)).toStrictEqual({ ...run, status: 'running', attempts: [attempt] });
      });

      test('answers the same again when the first answer was lost', async () => {
        await store.claim(claimOf());
        const attempt = { number: 1, startedAt: SPRING_NIGHT + 1000 };
        const answers = [
          await store.start(JOB, RUN, 'token-1', attempt),
          await store.start(JOB, RUN, 'token-1', attempt),
        ];
        expect([answers, (await store.run(JOB, RUN))?.attempts]).toStrictEqual([[true, true], [attempt]]);
      });

      test.each([
        ['claimed', 'token-2'],
        ['running', 'token-1'],
        ['finished', 'token-1'],
        ['released', 'token-1'],
      ] as const)('changes nothing when the run is %s and %s asks', async (stage, token) => {
        await bringTo(stage, store, claimOf());
        const before = await store.run(JOB, RUN);
        expect(await store.start(JOB, RUN, token, { number: 2, startedAt: SPRING_NIGHT + 9000 })).toBe(false);
        expect(await store.run(JOB, RUN)).toStrictEqual(before);
      });
    });

    describe('finish', () => {
      const output: RunOutput = {
        stdout: { text: 'saved\0 12 \u{1F4BE} files\n', droppedBytes: 70_000 },
        // A tail may begin in the middle of a character.
        stderr: { text: '\udcbe half\n', droppedBytes: 0 },
      };

      test('ends the run with its attempt, its output and the counters of its job', async () => {
        await bringTo('running', store, claimOf());
        const finish = finishOf(claimOf(), { output });
        expect(await store.finish(finish)).toBe(true);
        expect(await store.run(JOB, RUN)).toStrictEqual({
          jobId: JOB,
          runId: RUN,
          scheduledTime: SPRING_NIGHT,
          trigger: 'schedule',
          status: 'succeeded',
          planHash: 'hash-1',
          createdAt: SPRING_NIGHT,
          finishedAt: SPRING_NIGHT + 3000,
          attempts: [finish.attempt],
        });
        expect(await store.output(JOB, RUN, 1)).toStrictEqual(output);
        const last = {
          runId: RUN,
          status: 'succeeded',
          startedAt: SPRING_NIGHT + 1000,
          finishedAt: SPRING_NIGHT + 3000,
          exitCode: 0,
        };
        expect(await store.states('shop')).toStrictEqual([
          { jobId: JOB, runs: { succeeded: 1 }, attempts: 1, last, lastSuccessAt: SPRING_NIGHT + 3000 },
        ]);
      });

      test('keeps the reason of the run and of the attempt', async () => {
        await bringTo('running', store, claimOf());
        const attempt = {
          number: 1,
          startedAt: SPRING_NIGHT + 1000,
          finishedAt: SPRING_NIGHT + 3000,
          status: 'timed-out',
          reason: 'timeout',
          signal: 'SIGKILL',
        } as const;
        await store.finish(finishOf(claimOf(), { status: 'timed-out', reason: 'timeout', attempt }));
        const run = await store.run(JOB, RUN);
        expect([run?.status, run?.reason, run?.attempts]).toStrictEqual(['timed-out', 'timeout', [attempt]]);
      });

      test('ends a run whose command was never started', async () => {
        await store.claim(claimOf());
        const finish = finishOf(claimOf(), {
          status: 'lost',
          reason: 'owner-died',
          attempt: undefined,
          output,
        });
        expect(await store.finish(finish)).toBe(true);
        const run = await store.run(JOB, RUN);
        expect([run?.status, run?.owner, run?.attempts]).toStrictEqual(['lost', undefined, []]);
        expect(await store.output(JOB, RUN, 1)).toBeUndefined();
      });

      test('cuts a long message of the platform', async () => {
        await bringTo('running', store, claimOf());
        const attempt = { number: 1, startedAt: SPRING_NIGHT + 1000, error: 'x'.repeat(5000) };
        await store.finish(finishOf(claimOf(), { status: 'failed', reason: 'not-started', attempt }));
        expect((await store.run(JOB, RUN))?.attempts[0]?.error).toBe(`${'x'.repeat(999)}…`);
      });

      test.each([
        ['claimed', 'token-2'],
        ['running', 'token-2'],
        ['finished', 'token-1'],
        ['released', 'token-1'],
      ] as const)('changes nothing when the run is %s and %s asks', async (stage, token) => {
        await bringTo(stage, store, claimOf());
        const before = [await store.run(JOB, RUN), await store.states('shop')];
        const { attempt } = finishOf(claimOf());
        const late = { ...(attempt as Attempt), finishedAt: SPRING_NIGHT + 4000, status: 'failed' } as const;
        const finish = finishOf(claimOf({ token }), { status: 'failed', attempt: late, output });
        expect(await store.finish(finish)).toBe(false);
        expect([await store.run(JOB, RUN), await store.states('shop')]).toStrictEqual(before);
        expect(await store.output(JOB, RUN, 1)).toBeUndefined();
      });
    });

    describe('release', () => {
      test('makes a claimed run pending, at no cost of an attempt', async () => {
        const { owner: _owner, leaseUntil: _leaseUntil, ...claimed } = runOf(await store.claim(claimOf()));
        expect(await store.release(JOB, RUN, 'token-1', SPRING_NIGHT + 7)).toBe(true);
        expect(await store.run(JOB, RUN)).toStrictEqual({
          ...claimed,
          status: 'pending',
          cause: 'given-back',
          notBefore: SPRING_NIGHT + 7,
        });
        expect(await store.states('shop')).toStrictEqual([]);
      });

      test('brings back the newest start of before', async () => {
        const [first, second, third] = [0, 2, 4].map((minutes) =>
          claimOf({ scheduledTime: SPRING_NIGHT + minutes * MINUTE, concurrencyPolicy: 'allow' }),
        ) as [Claim, Claim, Claim];
        for (const claim of [first, second, third]) await store.claim(claim);
        for (const { runId, at } of [second, third]) await store.release(JOB, runId, 'token-1', at);
        // Older than both that were given back, newer than the one that stays.
        const between = await store.claim(claimOf({ scheduledTime: SPRING_NIGHT + MINUTE }));
        expect(between.outcome).toBe('won');
        const before = await store.claim(claimOf({ scheduledTime: SPRING_NIGHT - MINUTE }));
        expect([before.outcome, runOf(before).blockedBy]).toStrictEqual(['closed', runOf(between).runId]);
      });

      test.each([
        ['claimed', 'token-2'],
        ['running', 'token-1'],
        ['finished', 'token-1'],
        ['released', 'token-1'],
      ] as const)('changes nothing when the run is %s and %s asks', async (stage, token) => {
        await bringTo(stage, store, claimOf());
        const before = await store.run(JOB, RUN);
        expect(await store.release(JOB, RUN, token, SPRING_NIGHT)).toBe(false);
        expect(await store.run(JOB, RUN)).toStrictEqual(before);
      });
    });

    describe('settle', () => {
      test('records instants that are missed and instants that are owed, and leaves alone what exists', async () => {
        const owed = owedOf({ scheduledTime: SPRING_NIGHT + MINUTE, runId: dueRunId(SPRING_NIGHT + MINUTE) });
        const settlement = { answers: [answerOf()], owed: [owed] };
        await store.settle(settlement);
        await store.settle(settlement);
        const runs = await store.runs({ jobId: JOB, limit: 9 });
        expect(
          runs.map(({ scheduledTime, status }) => [(scheduledTime - SPRING_NIGHT) / MINUTE, status]).sort(),
        ).toEqual([
          [0, 'missed'],
          [1, 'pending'],
        ]);
        expect(await store.states('shop')).toMatchObject([{ runs: { missed: 1 } }]);
      });
    });

    describe('answeredUntil', () => {
      const minute = (n: number) => SPRING_NIGHT + n * MINUTE;
      const until = (after: number, to: number) => store.answeredUntil(JOB, minute(after), minute(to));

      test('is the newest due instant of the stretch with an answer, whatever kind of row gives it', async () => {
        await recordAnswer(store, answerOf({ scheduledTime: minute(0), runId: dueRunId(minute(0)) }));
        const span = { scheduledTime: minute(5), spanFrom: minute(1), runId: spanId(minute(1)) };
        await recordAnswer(store, answerOf(span));
        await store.claim(claimOf({ scheduledTime: minute(7), runId: dueRunId(minute(7)), at: minute(7) }));
        const answered = [
          [-1, 0],
          [-1, 4],
          [-1, 5],
          [0, 6],
          [5, 6],
          [5, 7],
          [6, 60],
          [7, 60],
        ].map(async ([after = 0, to = 0]) => [after, to, await until(after, to)]);
        expect(
          (await Promise.all(answered)).map(([after, to, at]) => [
            after,
            to,
            at && (at - SPRING_NIGHT) / MINUTE,
          ]),
        ).toEqual([
          [-1, 0, 0],
          [-1, 4, 0],
          [-1, 5, 5],
          [0, 6, 5],
          [5, 6, undefined],
          [5, 7, 7],
          [6, 60, 7],
          [7, 60, undefined],
        ]);
      });

      test.each<[what: string, claim: Parameters<typeof claimOf>[0]]>([
        ['a run by hand', { runId: `${RUN}#m1`, trigger: 'manual' }],
        ['a backfill', { trigger: 'backfill' }],
        ['an @reboot run', { runId: 'reboot#1' }],
        ['a run of another job', { jobId: 'shop/other' }],
      ])('does not look at %s', async (_what, claim) => {
        await store.claim(claimOf(claim));
        expect(await until(-10, 10)).toBeUndefined();
      });
    });

    test('expired counts what prune would delete', async () => {
      await recordAnswer(store, answerOf());
      await store.claim(claimOf({ jobId: 'shop/other' }));
      const end = answerOf().at + DEFAULT_RETENTION.failureMs;
      expect([await store.expired(end - 1), await store.expired(end)]).toEqual([0, 1]);
      expect(await store.prune(end, 9)).toBe(1);
      expect(await store.expired(end)).toBe(0);
    });

    describe('answer', () => {
      test.each<[string, string, number | undefined]>([
        ['an instant', RUN, undefined],
        ['a stretch of them', spanId(SPRING_NIGHT - 60 * MINUTE), SPRING_NIGHT - 60 * MINUTE],
      ])('creates one final run for %s, and counts it once', async (_what, runId, spanFrom) => {
        const answer = answerOf({ runId, ...(spanFrom === undefined ? {} : { spanFrom }) });
        await recordAnswer(store, answer);
        await recordAnswer(store, answer);
        expect(await store.runs({ limit: 9 })).toStrictEqual([
          {
            ...{ jobId: JOB, runId, scheduledTime: SPRING_NIGHT, ...(spanFrom && { spanFrom }) },
            ...{ trigger: 'schedule', status: 'missed', reason: 'too-late', planHash: 'hash-1' },
            ...{
              createdAt: SPRING_NIGHT + 10 * MINUTE,
              finishedAt: SPRING_NIGHT + 10 * MINUTE,
              attempts: [],
            },
          },
        ]);
        expect(await store.states('shop')).toMatchObject([{ jobId: JOB, runs: { missed: 1 }, attempts: 0 }]);
      });

      test.each(['claimed', 'running', 'finished'] as const)('leaves a %s run as it is', async (stage) => {
        await bringTo(stage, store, claimOf());
        const before = [await store.run(JOB, RUN), await store.states('shop')];
        await recordAnswer(store, answerOf());
        expect([await store.run(JOB, RUN), await store.states('shop')]).toStrictEqual(before);
      });
    });

    describe('runs', () => {
      /** In the order of creation, with three at one moment. */
      const created: readonly [string, number][] = [
        ['shop/report', -2],
        ['shop/backup', -1],
        ['shop/backup', 0],
        ['shop/report', 0],
        ['till/close', 0],
        ['shop/backup', 1],
      ];
      const idOf = ({ jobId, runId }: Run) => `${jobId} ${runId.slice(11, 16)}`;
      const newestFirst = [
        'shop/backup 01:31',
        'till/close 01:30',
        'shop/report 01:30',
        'shop/backup 01:30',
        'shop/backup 01:29',
        'shop/report 01:28',
      ];

      beforeEach(async () => {
        // Written in another order than the wanted one: the time of creation counts.
        for (const [jobId, minute] of created.toReversed()) {
          const scheduledTime = SPRING_NIGHT + minute * MINUTE;
          await store.claim(claimOf({ jobId, scheduledTime, concurrencyPolicy: 'allow' }));
        }
      });

      test.each<[string, string | undefined, number, string[]]>([
        ['all jobs', undefined, 10, newestFirst],
        ['all jobs, two rows', undefined, 2, newestFirst.slice(0, 2)],
        ['one job', 'shop/backup', 10, ['shop/backup 01:31', 'shop/backup 01:30', 'shop/backup 01:29']],
        ['one job, one row', 'shop/backup', 1, ['shop/backup 01:31']],
        ['an unknown job', 'shop/back', 10, []],
      ])('of %s are newest first', async (_which, jobId, limit, expected) => {
        const runs = await store.runs({ ...(jobId === undefined ? {} : { jobId }), limit });
        expect(runs.map(idOf)).toStrictEqual(expected);
      });

      test.each([
        ['all jobs', 1, undefined, newestFirst],
        ['all jobs', 4, undefined, newestFirst],
        ['one job', 2, 'shop/backup', newestFirst.filter((id) => id.startsWith('shop/backup'))],
      ])('of %s come in pages of %j, each run once', async (_which, limit, jobId, expected) => {
        const seen: string[] = [];
        let page: readonly Run[] = [];
        do {
          const before = page.at(-1);
          page = await store.runs({
            limit,
            ...(jobId === undefined ? {} : { jobId }),
            ...(before === undefined ? {} : { before }),
          });
          seen.push(...page.map(idOf));
        } while (page.length > 0 && seen.length <= created.length);
        expect(seen).toStrictEqual(expected);
      });

      test('go on after a run that is gone', async () => {
        const [, before] = await store.runs({ limit: 2 });
        await store.start('till/close', RUN, 'token-1', { number: 1, startedAt: SPRING_NIGHT });
        await store.finish(finishOf(claimOf({ jobId: 'till/close' })));
        expect(await store.prune(SPRING_NIGHT + 1000 * DAY, 10)).toBe(1);
        const rest = await store.runs({ limit: 10, ...(before === undefined ? {} : { before }) });
        expect(rest.map(idOf)).toStrictEqual(newestFirst.slice(2));
      });
    });

    test('unfinished runs are those that are claimed or running, by job and creation', async () => {
      const concurrencyPolicy = 'allow';
      const close = claimOf({ jobId: 'till/close' });
      const report = claimOf({ jobId: 'shop/report' });
      const backup = claimOf({ concurrencyPolicy });
      const next = claimOf({ scheduledTime: SPRING_NIGHT + MINUTE, concurrencyPolicy });
      await bringTo('running', store, close);
      await bringTo('finished', store, report);
      await store.claim(next);
      await store.claim(backup);
      await recordAnswer(store, answerOf({ scheduledTime: SPRING_NIGHT - MINUTE }));
      const unfinished = await store.unfinished();
      expect(unfinished).toStrictEqual([
        runOf(await store.claim(backup)),
        runOf(await store.claim(next)),
        runOf(await store.claim(close)),
      ]);
    });

    test('states are those of one crontab, by job', async () => {
      for (const jobId of ['shop-2/a', 'shop/b', 'shop/a', 'shop0/a', 'shop/c']) {
        await recordAnswer(store, answerOf({ jobId }));
      }
      const states = await store.states('shop');
      expect(states.map(({ jobId }) => jobId)).toStrictEqual(['shop/a', 'shop/b', 'shop/c']);
    });

    test('counters add up over the runs of a job', async () => {
      const ends: readonly FinalStatus[] = ['succeeded', 'failed', 'succeeded', 'timed-out'];
      for (const [index, status] of ends.entries()) {
        const claim = claimOf({ scheduledTime: SPRING_NIGHT + index * MINUTE });
        await runToEnd(store, claim, { status });
      }
      const [state] = await store.states('shop');
      expect([state?.runs, state?.attempts]).toStrictEqual([{ succeeded: 2, failed: 1, 'timed-out': 1 }, 4]);
    });

    test('a cursor belongs to its crontab and may be moved both ways', async () => {
      expect(await store.cursor('shop')).toBeUndefined();
      await store.setCursor('shop', SPRING_NIGHT);
      await store.setCursor('till', SPRING_NIGHT + MINUTE);
      expect([await store.cursor('shop'), await store.cursor('till')]).toStrictEqual([
        SPRING_NIGHT,
        SPRING_NIGHT + MINUTE,
      ]);
      await store.setCursor('shop', SPRING_NIGHT - MINUTE);
      expect(await store.cursor('shop')).toBe(SPRING_NIGHT - MINUTE);
    });

    test('the active plan of a crontab is the last one set', async () => {
      expect([await store.activePlan('shop'), await store.crontabs()]).toStrictEqual([undefined, []]);
      await store.setActivePlan(activePlan('till', 'hash-0'), NO_CHANGE);
      await store.setActivePlan(activePlan('shop', 'hash-1'), NO_CHANGE);
      await store.setActivePlan(activePlan('shop', 'hash-2'), NO_CHANGE);
      expect(await store.activePlan('shop')).toStrictEqual(activePlan('shop', 'hash-2'));
      expect(await store.crontabs()).toStrictEqual(['shop', 'till']);
    });

    describe('prune', () => {
      const at = SPRING_NIGHT + 3000;
      test.each<[FinalStatus, number]>([
        ['succeeded', DEFAULT_RETENTION.successMs],
        ['failed', DEFAULT_RETENTION.failureMs],
        ['timed-out', DEFAULT_RETENTION.failureMs],
        ['lost', DEFAULT_RETENTION.failureMs],
        ['cancelled', DEFAULT_RETENTION.failureMs],
      ])('deletes a run that %s when its retention is over, not before', async (status, retention) => {
        const stdout = { text: 'done', droppedBytes: 0 };
        await runToEnd(store, claimOf(), { status, output: { stdout, stderr: stdout }, at });
        const states = await store.states('shop');
        expect(await store.prune(at + retention - 1, 10)).toBe(0);
        expect((await store.run(JOB, RUN))?.status).toBe(status);
        expect(await store.prune(at + retention, 10)).toBe(1);
        expect([await store.run(JOB, RUN), await store.output(JOB, RUN, 1)]).toStrictEqual([
          undefined,
          undefined,
        ]);
        expect(await store.runs({ limit: 10 })).toStrictEqual([]);
        expect(await store.states('shop')).toStrictEqual(states);
      });

      test.each([
        ['skipped', DEFAULT_RETENTION.successMs],
        ['missed', DEFAULT_RETENTION.failureMs],
      ] as const)(
        'deletes a run that was %s when its retention is over, not before',
        async (status, retention) => {
          await recordAnswer(store, answerOf({ status, at }));
          expect(await store.prune(at + retention - 1, 10)).toBe(0);
          expect(await store.prune(at + retention, 10)).toBe(1);
        },
      );

      test.each(['claimed', 'running'] as const)('never deletes a %s run', async (stage) => {
        await bringTo(stage, store, claimOf());
        expect(await store.prune(SPRING_NIGHT + 10_000 * DAY, 10)).toBe(0);
        expect((await store.run(JOB, RUN))?.status).toBe(stage);
      });

      test('begins with what expired first and stops at the limit', async () => {
        for (const minutes of [2, 0, 3, 1]) {
          await recordAnswer(store, answerOf({ scheduledTime: SPRING_NIGHT + minutes * MINUTE }));
        }
        expect(await store.prune(SPRING_NIGHT + 1000 * DAY, 3)).toBe(3);
        const left = await store.runs({ limit: 10 });
        expect(left.map(({ runId }) => runId)).toStrictEqual(['2026-03-29T01:33Z']);
        expect(await store.prune(SPRING_NIGHT + 1000 * DAY, 3)).toBe(1);
      });

      test('lets a run be claimed again without its former output', async () => {
        const stdout = { text: 'done', droppedBytes: 0 };
        await runToEnd(store, claimOf(), { output: { stdout, stderr: stdout } });
        await store.prune(SPRING_NIGHT + 1000 * DAY, 1);
        expect((await store.claim(claimOf())).outcome).toBe('won');
        expect(await store.output(JOB, RUN, 1)).toBeUndefined();
      });
    });

    test('writes that do not wait for each other are done in their order', async () => {
      const claim = claimOf();
      const next = claimOf({ scheduledTime: SPRING_NIGHT + MINUTE });
      const results = await Promise.all([
        store.claim(claim),
        store.start(JOB, RUN, 'token-1', { number: 1, startedAt: SPRING_NIGHT + 1000 }),
        store.finish(finishOf(claim)),
        store.claim(next),
        store.release(JOB, next.runId, 'token-1', next.at),
        store.claim({ ...next, owner: ownerOf('token-2') }),
      ]);
      expect(results.map((result) => (typeof result === 'object' ? result.outcome : result))).toStrictEqual([
        'won',
        true,
        true,
        'won',
        true,
        'won',
      ]);
    });
  });
}

function activePlan(crontab: string, hash: string): ActivePlan {
  const plan: SchedulePlan = {
    format: 1,
    crontab,
    zones: {},
    jobs: [
      {
        name: 'backup',
        schedule: '30 1 * * *',
        written: '30 1 * * *',
        zone: 'UTC',
        command: `printf '\0 \u{1F4BE}' # ${hash}`,
        environment: { A: '1' },
        options: {},
      },
    ],
  };
  return { plan, hash, since: SPRING_NIGHT };
}
