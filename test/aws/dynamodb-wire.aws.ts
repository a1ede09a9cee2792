import { ScanCommand } from '@aws-sdk/client-dynamodb';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { DynamoDbRunStore } from '../../shared/adapters/dynamodb-run-store.ts';
import type { RunStore } from '../../shared/core/run/run-store.ts';
import {
  answerOf,
  claimOf,
  finishOf,
  MINUTE,
  NO_CHANGE,
  owedOf,
  runToEnd,
  SPRING_NIGHT,
} from '../support/run-claims.ts';
import { type FaultyClient, faultyClient, SDK_TRIES, WIRE_FAULTS, type WireFault } from './faulty-client.ts';
import { createTable, describeDynamoDb } from './tables.ts';

const JOB = 'shop/backup';
const RUN = '2026-03-29T01:30Z';
const plus = (minutes: number) => SPRING_NIGHT + minutes * MINUTE;
const now = () => SPRING_NIGHT;
const claimAt = (minutes: number, token = `token-${minutes}`) =>
  claimOf({ scheduledTime: plus(minutes), at: plus(minutes), channel: 'default', token });
const request = { verb: 'cancel', by: 'ann@host-1', at: plus(1) } as const;

/** What a table is at first, by the store that every case begins with. */
const BEFORE = {
  nothing: async () => {},
  'a claimed run': (store) => store.claim(claimAt(0)),
  'a running run': async (store) => {
    await store.claim(claimAt(0));
    await store.start(JOB, RUN, 'token-0', { number: 1, startedAt: plus(0) + 1000 });
  },
  'a failure that was told': (store) =>
    runToEnd(store, claimAt(-9), { status: 'failed', channel: 'default' }),
  'a failure that was told, and a running run': async (store) => {
    await runToEnd(store, claimAt(-9), { status: 'failed', channel: 'default' });
    await store.claim(claimAt(0));
    await store.start(JOB, RUN, 'token-0', { number: 1, startedAt: plus(0) + 1000 });
  },
  'runs that are owed': (store) =>
    store.settle({
      answers: [],
      owed: [-3, -2, -1].map((minutes) => owedOf({ scheduledTime: plus(minutes) })),
    }),
  'a pause': async (store) => {
    await store.pause({ jobId: JOB, from: plus(-1), by: 'ann@host-1' });
  },
  'a message to send': async (store) => {
    await runToEnd(store, claimAt(-9), { status: 'failed', channel: 'default' });
  },
  'a job with history': async (store) => {
    await runToEnd(store, claimAt(-9), { status: 'failed', channel: 'default' });
    await store.pause({ jobId: JOB, from: plus(-8), until: plus(-7), by: 'ann@host-1' });
    await store.owe(owedOf({ scheduledTime: plus(-6) }));
    await store.claim(claimAt(0));
  },
} as const satisfies Record<string, (store: RunStore) => Promise<unknown>>;

const plan = { format: 1, crontab: 'shop', zones: {}, jobs: [] } as const;
const table = { zone: 'UTC', from: 0, until: 10, offset: 0, changes: [] };
const interval = { from: plus(0), schedule: '* * * * *', written: '* * * * *', zone: 'UTC', table };

const CASES: readonly (readonly [string, keyof typeof BEFORE, (store: RunStore) => Promise<unknown>])[] = [
  ['claim', 'nothing', (store) => store.claim(claimAt(0))],
  ['claim', 'a running run', (store) => store.claim(claimAt(1))],
  ['claim', 'runs that are owed', (store) => store.claim(claimAt(0))],
  ['claim', 'a pause', (store) => store.claim(claimAt(0))],
  [
    'start',
    'a claimed run',
    (store) => store.start(JOB, RUN, 'token-0', { number: 1, startedAt: plus(0) + 1000 }),
  ],
  ['extend', 'a running run', (store) => store.extend(JOB, RUN, 'token-0', plus(9))],
  [
    'finish',
    'a running run',
    (store) => store.finish(finishOf(claimAt(0), { status: 'failed', channel: 'default' })),
  ],
  [
    'finish',
    'a failure that was told, and a running run',
    (store) => store.finish(finishOf(claimAt(0), { channel: 'default' })),
  ],
  [
    'settle',
    'a failure that was told',
    (store) =>
      store.settle({
        answers: [answerOf({ channel: 'default' }), answerOf({ scheduledTime: plus(1), channel: 'default' })],
        owed: [owedOf({ scheduledTime: plus(2) })],
      }),
  ],
  ['owe', 'nothing', async (store) => void (await store.owe(owedOf()))],
  [
    'endPending',
    'runs that are owed',
    async (store) => {
      const run = owedOf({ scheduledTime: plus(-2) });
      await store.endPending({ ...run, reason: 'too-late', channel: 'default', at: plus(0) });
    },
  ],
  ['release', 'a claimed run', async (store) => void (await store.release(JOB, RUN, 'token-0', plus(1)))],
  ['cancel', 'a running run', (store) => store.cancel({ jobId: JOB, runId: RUN }, request)],
  ['cancel', 'a claimed run', (store) => store.cancel({ jobId: JOB, runId: RUN }, request)],
  [
    'reopen',
    'a failure that was told',
    (store) =>
      store.reopen({
        jobId: JOB,
        runId: claimAt(-9).runId,
        request: { ...request, verb: 'retry' },
        notBefore: plus(1),
      }),
  ],
  ['pause', 'a running run', (store) => store.pause({ jobId: JOB, from: plus(1), by: 'ann@host-1' })],
  ['resume', 'a pause', (store) => store.resume(JOB, { at: plus(1), by: 'ann@host-1' })],
  ['handOut', 'runs that are owed', (store) => store.handOut(owedOf({ scheduledTime: plus(-2) }), plus(0))],
  ['takeTurn', 'nothing', (store) => store.takeTurn('shop', 'token-1', plus(0), plus(1))],
  ['setCursor', 'nothing', (store) => store.setCursor('shop', plus(0))],
  [
    'setActivePlan',
    'a job with history',
    (store) =>
      store.setActivePlan(
        { plan, hash: 'hash-2', since: plus(0) },
        {
          ...NO_CHANGE,
          renamed: [{ from: JOB, to: 'shop/copy' }],
          opened: [
            { ...interval, jobId: 'shop/copy' },
            { ...interval, jobId: 'shop/report' },
          ],
        },
      ),
  ],
  [
    'settleNotification',
    'a message to send',
    async (store) => {
      const [message] = await store.takeNotifications(plus(9), plus(9), 1);
      await store.settleNotification(message?.id ?? '', { nextTryAt: plus(30) });
    },
  ],
  [
    'settleNotification',
    'a message to send',
    async (store) => {
      const [message] = await store.takeNotifications(plus(9), plus(9), 1);
      await store.settleNotification(message?.id ?? '', undefined);
    },
  ],
];

/** Everything in a table but what is random, or counts writes. */
async function contentOf({ client }: FaultyClient, name: string): Promise<unknown[]> {
  const { Items = [] } = await client.send(new ScanCommand({ TableName: name, ConsistentRead: true }));
  const sortKey = (item: Record<string, unknown>) => JSON.stringify([item.pk, item.sk]);
  return Items.filter(({ sk }) => !sk?.S?.startsWith('PLAN#'))
    .map(({ id: _id, version, ...item }) => (item.sk?.S === 'CONTROL' ? item : { ...item, version }))
    .sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
}

async function prepared(before: keyof typeof BEFORE) {
  const faulty = faultyClient();
  const name = await createTable(faulty.client);
  const store = new DynamoDbRunStore(name, { client: faulty.client, now });
  await BEFORE[before](store);
  faulty.befall({});
  return { faulty, name, store };
}

/** Whoever asks again finds a run closed by its own claim, as others do. */
const asAskedAgain = (result: unknown): unknown =>
  (result as { outcome?: string } | undefined)?.outcome === 'closed'
    ? { ...(result as object), outcome: 'taken' }
    : result;

const LASTING: readonly WireFault[] = ['lost-answer', 'lost-request', 'in-progress'];

/** Of many requests, these are tried: all where an answer is lost, some where the service says that it did nothing. */
function places(fault: WireFault, count: number): readonly number[] {
  const all = Array.from({ length: count }, (_, index) => index + 1);
  const isLost = LASTING.includes(fault);
  const offset = WIRE_FAULTS.indexOf(fault);
  return isLost || count <= 2 ? all : all.filter((nth) => nth === 1 || (nth + offset) % 6 === 0);
}

describeDynamoDb('on DynamoDB,', () => {
  describe.each(CASES)('%s after %s', (_method, before, act) => {
    test.each(WIRE_FAULTS)(
      'whose nth request meets %s: it is got over, or told, and asking again does the rest',
      async (fault) => {
        const clean = await prepared(before);
        const result = await act(clean.store);
        const { tries } = clean.faulty;
        const content = await contentOf(clean.faulty, clean.name);
        const isLost = LASTING.includes(fault);
        for (const nth of places(fault, tries)) {
          for (const times of isLost ? [1, SDK_TRIES] : [1]) {
            const { faulty, name, store } = await prepared(before);
            const wire = (_command: string, number: number) =>
              number >= nth && number < nth + times ? fault : undefined;
            faulty.befall({ wire });
            const told: unknown[] = await act(store).then(
              (value) => [value],
              (error: Error) => [error.name, faulty.befall({})],
            );
            faulty.befall({});
            const isTold = told.length > 1;
            if (isTold) expect(told[0]).toBe('StoreError');
            const answer = isTold ? asAskedAgain(await act(store)) : told[0];
            expect([nth, times, answer, await contentOf(faulty, name)]).toEqual([
              ...[nth, times, isTold ? asAskedAgain(result) : result, content],
            ]);
          }
        }
      },
    );
  });

  test('a job that others are at all the time is told as busy, and nothing of the write is there', async () => {
    const { faulty, name, store } = await prepared('a running run');
    const before = await contentOf(faulty, name);
    faulty.befall({ wire: (command) => (command === 'TransactWriteItems' ? 'conflict' : undefined) });
    await expect(store.finish(finishOf(claimAt(0)))).rejects.toMatchObject({ problem: 'busy' });
    faulty.befall({});
    expect(await contentOf(faulty, name)).toEqual(before);
    expect(await store.finish(finishOf(claimAt(0)))).toBe(true);
  });

  test('what fails in the middle of many writes leaves none of them under way', async () => {
    const { faulty, store } = await prepared('nothing');
    const opened = Array.from({ length: 1000 }, (_, job) => ({ ...interval, jobId: `shop/job-${job}` }));
    faulty.client.middlewareStack.add(
      (next) => async (args) => {
        if (JSON.stringify(args.input).includes('SCHED#shop/job-7#'))
          throw Object.assign(new Error('lost'), { name: 'TimeoutError' });
        return await next(args);
      },
      { step: 'initialize' },
    );
    const activation = store.setActivePlan(
      { plan, hash: 'hash-2', since: plus(0) },
      { ...NO_CHANGE, opened },
    );
    await expect(activation).rejects.toMatchObject({ name: 'StoreError' });
    faulty.befall({});
    for (let looks = 0; looks < 50; looks++) await store.cursor('shop');
    expect(faulty.tries).toBe(50);
  });

  test('a plan that comes in force while another clears old pieces away keeps its own, however old its clock says they are', async () => {
    const { faulty, name } = await prepared('nothing');
    const put = (one: RunStore, hash: string) => one.setActivePlan({ plan, hash, since: plus(0) }, NO_CHANGE);
    const clearing = new DynamoDbRunStore(name, { client: faulty.client, now: () => plus(180) });
    const slow = new DynamoDbRunStore(name, { client: faultyClient().client, now });
    faulty.client.middlewareStack.add(
      (next) => async (args) => {
        if (JSON.stringify(args.input).includes('BETWEEN')) await put(slow, 'hash-slow');
        return await next(args);
      },
      { step: 'initialize' },
    );
    await put(clearing, 'hash-clearing');
    const reader = new DynamoDbRunStore(name, { client: faultyClient().client, now });
    expect(await reader.activePlan('shop')).toEqual({ plan, hash: 'hash-slow', since: plus(0) });
  });

  test('a plan whose writer slept in the middle does not come in force when its pieces are cleared away', async () => {
    const { faulty, name, store } = await prepared('nothing');
    const reader = new DynamoDbRunStore(name, { client: faultyClient().client, now });
    const later = new DynamoDbRunStore(name, { client: faultyClient().client, now: () => plus(180) });
    const put = (one: RunStore, hash: string) => one.setActivePlan({ plan, hash, since: plus(0) }, NO_CHANGE);
    let slept = false;
    faulty.client.middlewareStack.add(
      (next) => async (args) => {
        const isHead = JSON.stringify(args.input).includes('"CRONTABS"');
        if (isHead && !slept) {
          slept = true;
          await put(later, 'hash-later');
        }
        return await next(args);
      },
      { step: 'initialize' },
    );
    await expect(put(store, 'hash-sleeper')).rejects.toMatchObject({ problem: 'busy' });
    expect((await reader.activePlan('shop'))?.hash).toBe('hash-later');
    await put(store, 'hash-sleeper');
    expect((await reader.activePlan('shop'))?.hash).toBe('hash-sleeper');
  });

  describe('a list', () => {
    const LISTS: readonly (readonly [string, (store: RunStore) => Promise<unknown>])[] = [
      ['of runs of a job', (store) => store.runs({ jobId: JOB, limit: 30 })],
      ['of runs of all jobs', (store) => store.runs({ limit: 30 })],
      ['of what is pending', (store) => store.pending(plus(99), 99)],
      ['of what is not over', (store) => store.unfinished()],
      ['of counts of what is pending', (store) => store.pendingCounts('shop')],
      ['of states', (store) => store.states('shop')],
      ['of pauses', (store) => store.pauses(JOB)],
      ['of pauses in force', (store) => store.pausesAt('shop', plus(99))],
      ['of schedules', (store) => store.schedules(JOB)],
      ['of schedules in force', (store) => store.currentSchedules('shop')],
      ['of crontabs', (store) => store.crontabs()],
      ['of answered instants', (store) => store.answered(JOB, plus(-99), plus(99))],
      ['of instants up to the last answered', (store) => store.answeredUntil(JOB, plus(-99), plus(99))],
      ['of stretches', (store) => store.spanAt(JOB, plus(-50))],
      [
        'of runs that exist',
        (store) =>
          store.existing(
            Array.from({ length: 300 }, (_, n) => ({ jobId: JOB, runId: claimAt(n - 150).runId })),
          ),
      ],
      ['of pieces of the plan', (store) => store.activePlan('shop')],
    ];
    let name: string;
    let faulty: FaultyClient;
    beforeAll(async () => {
      ({ faulty, name } = await prepared('nothing'));
      const store = new DynamoDbRunStore(name, { client: faulty.client, now });
      for (const jobId of [JOB, 'shop/report', 'shop/close']) {
        for (const minutes of [-9, -8, -7]) {
          const claim = claimOf({ ...claimAt(minutes), jobId, token: 'token-1' });
          await runToEnd(store, claim, { status: 'failed', channel: 'default' });
        }
        for (const minutes of [-60, -40]) {
          const span = {
            runId: `span#${minutes}`,
            spanFrom: plus(minutes - 15),
            scheduledTime: plus(minutes),
          };
          await store.settle({ answers: [answerOf({ jobId, ...span })], owed: [] });
        }
        const owed = [1, 2, 3, 4, 5, 6, 7].map((minutes) => owedOf({ jobId, scheduledTime: plus(minutes) }));
        await store.settle({ answers: [], owed });
        await store.claim(claimOf({ jobId, trigger: 'manual', runId: 'by-hand', scheduledTime: plus(0) }));
        for (const minutes of [90, 92, 94]) {
          const until = minutes === 94 ? {} : { until: plus(minutes + 1) };
          await store.pause({ jobId, from: plus(minutes), ...until, by: 'ann@host-1' });
        }
      }
      for (const crontab of ['shop', 'till', 'post', 'bank'])
        await store.setActivePlan(
          { plan: { ...plan, crontab }, hash: 'hash-1', since: plus(0) },
          { ...NO_CHANGE, opened: [{ ...interval, jobId: `${crontab}/backup` }] },
        );
      const closed = {
        ...NO_CHANGE,
        at: plus(5),
        closed: [JOB],
        opened: [{ ...interval, jobId: JOB, from: plus(5) }],
      };
      await store.setActivePlan({ plan, hash: 'hash-2', since: plus(5) }, closed);
    });

    test.each(LISTS)('%s is whole, in whatever pieces it comes', async (_which, list) => {
      const open = () => new DynamoDbRunStore(name, { client: faulty.client, now });
      faulty.befall({});
      const whole = await list(open());
      expect(JSON.stringify(whole)).not.toMatch(/^(?:\[\]|undefined)$/);
      for (const how of ['small-page', 'empty-page', 'partly-processed'] as const) {
        let requests = 0;
        faulty.befall({
          odd: () => (how !== 'empty-page' ? how : ++requests % 2 === 0 ? how : 'small-page'),
        });
        expect([how, await list(open())]).toEqual([how, whole]);
      }
      faulty.befall({});
    });
  });
});
