import { beforeEach, describe, expect, test } from '@jest/globals';
import { DynamoDbRunStore } from '../../shared/adapters/dynamodb-run-store.ts';
import type { RunOutput } from '../../shared/core/run/run.ts';
import type { Claim, Finish, RunStore } from '../../shared/core/run/run-store.ts';
import {
  answerOf,
  claimOf,
  finishOf,
  LEASE,
  MINUTE,
  NO_CHANGE,
  owedOf,
  runOf,
  runToEnd,
  SPRING_NIGHT,
} from '../support/run-claims.ts';
import { createTable, describeDynamoDb } from './tables.ts';
import { type Fault, type WatchedClient, watchedClient } from './watched-client.ts';

const JOB = 'shop/backup';
const RUN = '2026-03-29T01:30Z';
const plus = (minutes: number) => SPRING_NIGHT + minutes * MINUTE;
const now = () => SPRING_NIGHT;
const claimAt = (minutes: number, fields: Parameters<typeof claimOf>[0] = {}) =>
  claimOf({ scheduledTime: plus(minutes), startedAt: plus(minutes) + 1000, ...fields });
/** A claim whose run is started by a call of its own. */
const plainClaimAt = (minutes: number) => claimOf({ scheduledTime: plus(minutes) });
const outputOf = (text: string): RunOutput => ({
  stdout: { text, droppedBytes: 0 },
  stderr: { text: '', droppedBytes: 0 },
});

describeDynamoDb('on DynamoDB', () => {
  let watched: WatchedClient;
  let table: string;
  let store: RunStore;
  beforeEach(async () => {
    watched = watchedClient();
    table = await createTable(watched.client);
    store = new DynamoDbRunStore(table, { client: watched.client, now });
    watched.requests.length = 0;
  });
  /** Another process on the same table. */
  const another = (client = watchedClient().client) => new DynamoDbRunStore(table, { client, now });

  describe('requests', () => {
    const attempt = async (claim: Claim, fields: Partial<Finish> = {}) => {
      expect((await store.claim(claim)).outcome).toBe('won');
      expect(await store.finish(finishOf(claim, fields))).toBe(true);
    };
    const TRANSACTION = 'TransactWriteItems';
    const before: Record<string, () => Promise<unknown>> = {
      nothing: async () => {},
      'a success': () => runToEnd(another(), plainClaimAt(0)),
      'a failure that was told': () =>
        runToEnd(another(), plainClaimAt(0), { status: 'failed', channel: 'default' }),
      'a running run': () => another().claim(claimAt(0)),
      'a pause that is over': async () => {
        await another().pause({ jobId: JOB, from: plus(-9), until: plus(-5), by: 'ann@host-1' });
      },
      'a retry that is due': () =>
        runToEnd(another(), plainClaimAt(0), { status: 'failed', retry: { notBefore: plus(1) } }),
    };
    test.each<[string, string, () => Promise<unknown>, string[]]>([
      ['a first attempt', 'nothing', () => attempt(claimAt(1)), [TRANSACTION, TRANSACTION]],
      ['a first attempt', 'a success', () => attempt(claimAt(1)), [TRANSACTION, TRANSACTION]],
      ['a first attempt', 'a pause that is over', () => attempt(claimAt(1)), [TRANSACTION, TRANSACTION]],
      [
        'a first attempt with output',
        'a success',
        () => attempt(claimAt(1), { output: outputOf('done'), channel: 'default' }),
        [TRANSACTION, TRANSACTION],
      ],
      [
        'a first attempt that fails and is tried again',
        'a success',
        () => attempt(claimAt(1), { status: 'failed', retry: { notBefore: plus(2) } }),
        [TRANSACTION, TRANSACTION],
      ],
      [
        'a recovery, which has to know the incident',
        'a failure that was told',
        () => attempt(claimAt(1)),
        [TRANSACTION, TRANSACTION, TRANSACTION],
      ],
      [
        'an attempt that is claimed, then started',
        'a success',
        async () => {
          const claim = plainClaimAt(1);
          await store.claim(claim);
          await store.start(JOB, claim.runId, 'token-1', { number: 1, startedAt: claim.at + 1000 });
          await store.finish(finishOf(claim));
        },
        [TRANSACTION, TRANSACTION, TRANSACTION],
      ],
      [
        'three heartbeats of a run, and its end',
        'nothing',
        async () => {
          await store.claim(claimAt(1));
          for (const minutes of [2, 3, 4])
            await store.extend(JOB, claimAt(1).runId, 'token-1', plus(minutes) + LEASE);
          expect(await store.finish(finishOf(claimAt(1)))).toBe(true);
        },
        [TRANSACTION, 'PutItem', 'PutItem', 'PutItem', TRANSACTION],
      ],
      [
        'a delivery of a run that is over',
        'a success',
        async () => expect((await store.claim(claimAt(0, { token: 'token-2' }))).outcome).toBe('taken'),
        [TRANSACTION],
      ],
      [
        'an overlap',
        'a running run',
        async () => expect((await store.claim(claimAt(1, { token: 'token-2' }))).outcome).toBe('closed'),
        [TRANSACTION, 'BatchGetItem', 'Query', 'Query', TRANSACTION],
      ],
      [
        'a second attempt',
        'a retry that is due',
        async () => {
          const claim = claimOf({ at: plus(1), startedAt: plus(1) });
          expect((await store.claim(claim)).outcome).toBe('won');
          const second = { number: 2, startedAt: plus(1), finishedAt: plus(2), status: 'succeeded' } as const;
          expect(await store.finish(finishOf(claim, { attempt: second }))).toBe(true);
        },
        [TRANSACTION, 'BatchGetItem', 'Query', 'Query', TRANSACTION, TRANSACTION],
      ],
      ['an answer', 'a success', () => store.settle({ answers: [answerOf()], owed: [] }), [TRANSACTION]],
      ['a look for what is owed', 'a success', () => store.pending(plus(9), 9), Array(8).fill('Query')],
    ])('of %s, after %s', async (_what, first, act, expected) => {
      await (before[first] as () => Promise<unknown>)();
      await act();
      expect(watched.requests).toStrictEqual(expected);
    });

    test('of a look for what is owed do not grow with the backlog of one job', async () => {
      const backlog = Array.from({ length: 700 }, (_, minutes) =>
        owedOf({ scheduledTime: plus(minutes), trigger: 'backfill', cause: 'requested' }),
      );
      await store.settle({ answers: [], owed: backlog });
      await store.owe(owedOf({ scheduledTime: plus(3), jobId: 'shop/report' }));
      watched.requests.length = 0;
      const found = await store.pending(plus(9999), 9);
      expect(found.map(({ jobId, scheduledTime }) => [jobId, scheduledTime])).toStrictEqual([
        [JOB, plus(0)],
        ['shop/report', plus(3)],
      ]);
      // A page of the backlog, what comes after it, seven other shards, and the two runs.
      expect(watched.requests.length).toBeLessThanOrEqual(11);
      expect([...(await store.pendingCounts('shop'))]).toStrictEqual([
        [JOB, 700],
        ['shop/report', 1],
      ]);
    });
  });

  describe('a fault', () => {
    const view = async (of: RunStore) => [
      await of.runs({ limit: 99 }),
      await of.states('shop'),
      (await of.takeNotifications(plus(99), plus(100), 9)).map(({ id }) => id),
      await of.output(JOB, RUN, 1),
    ];
    /** The life of a job, each step repeated until it is answered, as its callers do. */
    const live = async (of: RunStore) => {
      const results: unknown[] = [];
      const until = async (step: () => Promise<unknown>) => {
        for (let tries = 1; ; tries++) {
          try {
            return results.push(await step());
          } catch (error) {
            expect(error).toMatchObject({ name: 'StoreError' });
            if (tries === 5) throw error;
          }
        }
      };
      const channel = 'default';
      const first = claimOf();
      await until(() => of.claim(first));
      await until(() => of.start(JOB, RUN, 'token-1', { number: 1, startedAt: plus(0) + 1000 }));
      await until(() => of.extend(JOB, RUN, 'token-1', plus(6)));
      await until(() => of.finish(finishOf(first, { status: 'failed', channel, output: outputOf('one') })));
      await until(() => of.claim(claimAt(1)));
      await until(() => of.claim(claimAt(2, { token: 'token-2' })));
      await until(() => of.finish(finishOf(claimAt(1), { channel })));
      await until(() => of.pause({ jobId: JOB, from: plus(2), by: 'ann@host-1' }));
      await until(() => of.resume(JOB, { at: plus(3), by: 'ann@host-1' }));
      await until(() => of.settle({ answers: [answerOf({ scheduledTime: plus(4), channel })], owed: [] }));
      await until(() => of.settle({ answers: [], owed: [owedOf({ scheduledTime: plus(5), at: plus(5) })] }));
      await until(() => of.claim(claimAt(6, { token: 'token-6', channel })));
      await until(() => of.finish(finishOf(claimAt(6, { token: 'token-6' }), { channel })));
      return results;
    };
    const every = (nth: number, fault: Fault) => (_command: string, number: number) =>
      number % nth === 1 ? fault : undefined;
    const persistent =
      (from: number, fault: Fault) =>
      (_command: string, number: number): Fault | undefined =>
        number >= from && number < from + 5 ? fault : undefined;

    let expected: unknown[];
    beforeEach(async () => {
      const other = watchedClient();
      const clean = new DynamoDbRunStore(await createTable(other.client), { client: other.client, now });
      expected = [await live(clean), await view(clean)];
    });

    test.each<[string, (command: string, number: number) => Fault | undefined]>([
      ['an answer lost after the commit, every second time', every(2, 'lost-answer')],
      ['an answer lost, every third time', every(3, 'lost-answer')],
      ['a request lost, every second time', every(2, 'lost-request')],
      ['throttling, every fourth time', every(4, 'throttled')],
      ['an error of the server, every second time', every(2, 'server-error')],
      [
        'a transaction that meets another, every second time',
        (command, number) => (command === 'TransactWriteItems' && number % 2 === 1 ? 'conflict' : undefined),
      ],
    ])('that is passing changes nothing: %s', async (_what, faultOf) => {
      watched.befall(faultOf);
      const results = await live(store);
      watched.befall(() => undefined);
      expect([results, await view(store)]).toStrictEqual(expected);
    });

    // The SDK gives up, and the caller asks again: the first answer was lost for good, and its write is there.
    test.each([1, 2, 3, 4, 5, 7, 10, 13, 16, 19].map((from) => [from]))(
      'that the SDK does not get over is got over by asking again: answers lost from request %d on',
      async (from) => {
        watched.befall(persistent(from, 'lost-answer'));
        const results = await live(store);
        watched.befall(() => undefined);
        expect([results, await view(store)]).toStrictEqual(expected);
      },
    );
  });

  describe('two processes', () => {
    test('that claim one run: exactly one wins, two hundred times', async () => {
      const stores = [another(), another()] as const;
      const winners: number[] = [];
      for (let round = 0; round < 200; round++) {
        const claims = [0, 1].map((index) => claimAt(round, { token: `token-${round}-${index}` }));
        const results = await Promise.all(stores.map((one, index) => one.claim(claims[index] as Claim)));
        expect(results.map(({ outcome }) => outcome).sort()).toStrictEqual(['taken', 'won']);
        const winner = results.findIndex(({ outcome }) => outcome === 'won');
        winners.push(winner);
        expect(results.map((result) => runOf(result).owner?.token)).toStrictEqual([
          `token-${round}-${winner}`,
          `token-${round}-${winner}`,
        ]);
        const finish = finishOf(claims[winner] as Claim);
        const ends = await Promise.all(stores.map((one) => one.finish(finish)));
        expect(ends).toStrictEqual([true, true]);
      }
      expect(await store.states('shop')).toMatchObject([{ runs: { succeeded: 200 }, attempts: 200 }]);
      expect(await store.unfinished()).toStrictEqual([]);
    });

    test.each([
      ['in which nothing goes on', false],
      ['in which a run waits, so that both read before they write', true],
    ])('that claim two runs of a job %s: one has the lock, fifty times', async (_which, isWaiting) => {
      const stores = [another(), another()] as const;
      if (isWaiting)
        await store.owe(owedOf({ trigger: 'backfill', cause: 'requested', notBefore: plus(999) }));
      for (let round = 0; round < 50; round++) {
        // By hand: neither pause nor order, so the lock alone decides.
        const claims = [0, 1].map((index) =>
          claimAt(round, { trigger: 'manual', runId: `by-hand-${round}-${index}`, token: `token-${index}` }),
        );
        const results = await Promise.all(stores.map((one, index) => one.claim(claims[index] as Claim)));
        expect(results.map(({ outcome }) => outcome).sort()).toStrictEqual(['closed', 'won']);
        const winner = results.findIndex(({ outcome }) => outcome === 'won');
        expect(await store.finish(finishOf(claims[winner] as Claim))).toBe(true);
      }
    });

    test('that pause a job and claim its run: the run is started, or the pause answers, and never both', async () => {
      const [claimer, operator] = [another(), another()];
      for (let round = 0; round < 50; round++) {
        const jobId = `shop/job-${round}`;
        const [result] = await Promise.all([
          claimer.claim(claimAt(0, { jobId })),
          operator.pause({ jobId, from: plus(0), by: 'ann@host-1' }),
        ]);
        expect(['won', 'paused']).toContain(result.outcome);
        expect((await store.run(jobId, RUN))?.status).toBe(result.outcome === 'won' ? 'running' : undefined);
        expect((await claimer.claim(claimAt(1, { jobId, at: plus(1) }))).outcome).toBe('paused');
      }
    });

    test('of which one asks the other to end its run, between two heartbeats', async () => {
      await store.claim(claimAt(0));
      const request = { verb: 'cancel', by: 'ann@host-1', at: plus(1) } as const;
      await another().cancel({ jobId: JOB, runId: RUN }, request);
      expect(await store.extend(JOB, RUN, 'token-1', plus(9))).toStrictEqual({ cancelRequest: request });
      expect(await store.finish(finishOf(claimAt(0), { status: 'cancelled' }))).toBe(true);
    });
  });

  describe('what is large', () => {
    const planOf = (jobs: number, command: (job: number) => string) => ({
      plan: {
        ...{ format: 1 as const, crontab: 'shop', zones: {} },
        jobs: Array.from({ length: jobs }, (_, job) => ({
          ...{ name: `job-${job}`, schedule: '30 1 * * *', written: '30 1 * * *', zone: 'UTC' },
          ...{ command: command(job), environment: { PATH: '/usr/bin:/bin' }, options: {} },
        })),
      },
      hash: `hash-${jobs}`,
      since: SPRING_NIGHT,
    });
    // Digits of a generator: what does not compress well, and is the same in each run.
    const noise = (job: number) => {
      let state = job + 1;
      return Array.from({ length: 200 }, () => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        return state.toString(36);
      }).join('');
    };

    test.each<[number, string, (job: number) => string]>([
      [1000, 'short commands', (job) => `/opt/shop/run.sh --job ${job}`],
      [2000, 'commands of a kilobyte that do not compress', noise],
    ])('a plan of %d jobs with %s comes back as it was', async (jobs, _what, command) => {
      const active = planOf(jobs, command);
      const table = { zone: 'UTC', from: 0, until: 10, offset: 0, changes: [] };
      const opened = active.plan.jobs.map(({ name, schedule, written, zone }) => ({
        ...{ jobId: `shop/${name}`, from: SPRING_NIGHT, schedule, written, zone, table },
      }));
      await store.setActivePlan(active, { ...NO_CHANGE, opened });
      const reader = another();
      expect(await reader.activePlan('shop')).toStrictEqual(active);
      const byJob = opened.toSorted((a, b) => (a.jobId < b.jobId ? -1 : 1));
      expect(await reader.currentSchedules('shop')).toStrictEqual(byJob);
    });

    test('pieces of a former plan are deleted, an hour after', async () => {
      let clock = SPRING_NIGHT;
      const aging = new DynamoDbRunStore(table, { client: watched.client, now: () => clock });
      for (const jobs of [3, 2, 1]) {
        await aging.setActivePlan(planOf(jobs, String), NO_CHANGE);
        clock += 2 * 60 * MINUTE;
      }
      expect(await another().activePlan('shop')).toStrictEqual(planOf(1, String));
      await aging.setActivePlan(planOf(1, String), NO_CHANGE);
      expect(await itemsBelow('PLAN#')).toBe(1);
    });

    const itemsBelow = async (prefix: string) => {
      const { ScanCommand } = await import('@aws-sdk/client-dynamodb');
      const { Items = [] } = await watched.client.send(new ScanCommand({ TableName: table }));
      return Items.filter(({ sk }) => sk?.S?.startsWith(prefix)).length;
    };

    test('a backlog that a claim makes pointless is closed with it, a part of it after it', async () => {
      const owed = Array.from({ length: 90 }, (_, minutes) => owedOf({ scheduledTime: plus(minutes) }));
      await store.settle({ answers: [], owed });
      expect((await store.claim(claimAt(120, { channel: 'default' }))).outcome).toBe('won');
      expect(await store.pending(plus(999), 99)).toStrictEqual([]);
      expect(await store.states('shop')).toMatchObject([{ runs: { missed: 90 }, attempts: 0 }]);
      expect(await store.takeNotifications(plus(999), plus(1000), 9)).toHaveLength(1);
    });

    test('an output keeps its last 4 KiB of a stream, in whole characters', async () => {
      await runToEnd(store, claimOf(), { output: outputOf(`${'x'.repeat(100)}${'€'.repeat(1400)}`) });
      // 4,096 bytes hold 1,365 characters of three bytes.
      expect((await store.output(JOB, RUN, 1))?.stdout).toStrictEqual({
        text: '€'.repeat(1365),
        droppedBytes: 100 + 3 * 35,
      });
    });
  });

  describe('what is over is gone, although DynamoDB has not deleted it yet:', () => {
    const DAY = 24 * 60 * MINUTE;
    test.each<[string, number, boolean]>([
      ['a run within its retention', 29 * DAY, true],
      ['a run after it', 31 * DAY, false],
    ])('%s', async (_what, later, isThere) => {
      await runToEnd(store, claimOf(), { output: outputOf('done') });
      const reader = new DynamoDbRunStore(table, { client: watched.client, now: () => SPRING_NIGHT + later });
      const seen = [
        (await reader.run(JOB, RUN)) !== undefined,
        (await reader.runs({ limit: 9 })).length === 1,
        (await reader.runs({ jobId: JOB, limit: 9 })).length === 1,
        (await reader.output(JOB, RUN, 1)) !== undefined,
        (await reader.answeredUntil(JOB, plus(-1), plus(1))) !== undefined,
        (await reader.claim(claimOf({ token: 'token-2' }))).outcome === 'taken',
      ];
      expect(seen).toStrictEqual(Array(6).fill(isThere));
      expect((await reader.states('shop')).map(({ runs }) => runs)).toStrictEqual([{ succeeded: 1 }]);
      if (!isThere) expect(await reader.output(JOB, RUN, 1)).toBeUndefined();
    });
  });

  describe('what is cut off in the middle is made again:', () => {
    const DUMP = 'shop/dump';
    const crash = Object.assign(new Error('the process ended here'), { name: 'Crash' });
    const plan = { plan: { format: 1 as const, crontab: 'shop', zones: {}, jobs: [] }, hash: 'h', since: 1 };
    const view = async (of: RunStore) => [
      await of.runs({ limit: 99 }),
      await Promise.all([JOB, DUMP].map((jobId) => of.runs({ jobId, limit: 99 }))),
      await of.states('shop'),
      await of.pauses(DUMP),
      await of.schedules(DUMP),
      await Promise.all([1, 2].map((attempt) => of.output(DUMP, plainClaimAt(-2).runId, attempt))),
      await of.output(JOB, RUN, 1),
      (await of.claim(claimAt(9, { jobId: DUMP, token: 'token-9', startedAt: plus(9) }))).outcome,
      (await of.claim(claimAt(-9, { jobId: DUMP, token: 'token-9' }))).outcome,
      await of.unfinished(),
    ];
    const prepare = async (of: RunStore) => {
      await runToEnd(of, plainClaimAt(-2), {
        ...{ status: 'failed', retry: { notBefore: plus(-1) }, output: outputOf('one') },
      });
      await runToEnd(of, { ...plainClaimAt(-2), at: plus(-1) }, { output: outputOf('two') });
      await runToEnd(of, claimOf(), { output: outputOf('done') });
      await runToEnd(of, claimOf({ jobId: DUMP }), { status: 'failed' });
      await runToEnd(of, plainClaimAt(1), { status: 'failed', retry: { notBefore: plus(30) } });
      await of.pause({ jobId: JOB, from: plus(20), until: plus(21), by: 'ann@host-1' });
      const table = { zone: 'UTC', from: 0, until: 10, offset: 0, changes: [] };
      const schedule = { schedule: '30 1 * * *', written: '30 1 * * *', zone: 'UTC', table };
      const opened = [{ jobId: JOB, from: plus(0), ...schedule }];
      await of.setActivePlan(plan, { ...NO_CHANGE, opened });
    };
    const rename = { ...NO_CHANGE, at: plus(9), renamed: [{ from: JOB, to: DUMP }] };

    test('a new name, at each of its requests', async () => {
      await prepare(store);
      watched.requests.length = 0;
      await store.setActivePlan(plan, rename);
      const requests = watched.requests.length;
      expect(requests).toBeGreaterThan(10);
      const expected = await view(store);
      for (let cut = 1; cut <= requests; cut++) {
        const other = watchedClient();
        const victim = new DynamoDbRunStore(await createTable(other.client), { client: other.client, now });
        await prepare(victim);
        other.befall((_command, number) => (number >= cut ? crash : undefined));
        await expect(victim.setActivePlan(plan, rename)).rejects.toThrow('the process ended here');
        other.befall(() => undefined);
        await victim.setActivePlan(plan, rename);
        expect([cut, await view(victim)]).toStrictEqual([cut, expected]);
      }
    });

    test('a long settlement: the oldest instants have their answers', async () => {
      const answers = Array.from({ length: 100 }, (_, minutes) => answerOf({ scheduledTime: plus(minutes) }));
      watched.befall((_command, number) => (number >= 2 ? crash : undefined));
      await expect(store.settle({ answers, owed: [] })).rejects.toThrow('the process ended here');
      watched.befall(() => undefined);
      const done = (await store.runs({ limit: 999 })).length;
      expect(await store.answeredUntil(JOB, plus(-1), plus(999))).toBe(plus(done - 1));
      await store.settle({ answers, owed: [] });
      expect(await store.states('shop')).toMatchObject([{ runs: { missed: 100 } }]);
      expect(await store.runs({ jobId: JOB, limit: 999 })).toHaveLength(100);
    });
  });
});
