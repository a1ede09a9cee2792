import { type AttributeValue, ScanCommand } from '@aws-sdk/client-dynamodb';
import { expect, test } from '@jest/globals';
import { DynamoDbRunStore } from '../../shared/adapters/dynamodb-run-store.ts';
import { isFinal, type Run } from '../../shared/core/run/run.ts';
import type { RunStore } from '../../shared/core/run/run-store.ts';
import { Chance, FAULT_SEED } from '../support/fault-seed.ts';
import { answerOf, claimOf, MINUTE, NO_CHANGE, owedOf, SPRING_NIGHT } from '../support/run-claims.ts';
import { faultyClient, ODD_ANSWERS, WIRE_FAULTS } from './faulty-client.ts';
import { createTable, describeDynamoDb, localClient } from './tables.ts';

/** More by hand: `FAULT_RACES=50 FAULT_SEED=$RANDOM npm run test:aws -- dynamodb-races`. */
const RACES = Number(process.env.FAULT_RACES ?? 4);
const ROUNDS = 40;
const PROCESSES = 3;

type Item = Record<string, AttributeValue>;

/** Three processes that do anything to two jobs at once, while their requests and answers get lost. */
class Race {
  readonly chance: Chance;
  readonly processes: { readonly store: RunStore; readonly token: string }[] = [];
  readonly said: string[] = [];
  readonly #table: string;
  minute = 100;

  /** Whether jobs get other names: then two that ran under two names may run under one. */
  readonly #isRenaming: boolean;

  constructor(table: string, chance: Chance, isRenaming: boolean) {
    this.#isRenaming = isRenaming;
    this.#table = table;
    this.chance = chance;
    for (let process = 0; process < PROCESSES; process++) {
      const { client, befall } = faultyClient();
      befall({
        wire: () => (chance.percent(8) ? chance.of(WIRE_FAULTS) : undefined),
        odd: () => (chance.percent(5) ? chance.of(ODD_ANSWERS) : undefined),
      });
      const store = new DynamoDbRunStore(table, { client, now: () => SPRING_NIGHT });
      this.processes.push({ store, token: `token-${process}` });
    }
  }

  get now(): number {
    return SPRING_NIGHT + this.minute * MINUTE;
  }

  /** One process does one thing; whether it hears the answer is another matter. */
  async act(process: number, runs: readonly Run[]): Promise<void> {
    const { chance, now } = this;
    const { store, token } = this.processes[process] as (typeof this.processes)[number];
    const jobId = `shop/${chance.of(['a', 'a', 'b'])}`;
    const scheduledTime = now - chance.whole(0, 3) * MINUTE;
    const at = now;
    const run = chance.of(runs.length === 0 ? [undefined] : runs);
    const mine = runs.filter(({ owner }) => owner?.token === token);
    const own = chance.of(mine.length === 0 ? [undefined] : mine);
    const channel = 'default';
    const what = chance.of([
      ...(['claim', 'claim', 'claim', 'start', 'start', 'finish', 'finish', 'finish', 'extend'] as const),
      ...([
        'release',
        'owe',
        'settle',
        'end',
        'cancel',
        'reopen',
        'pause',
        'resume',
        'hand',
        'rename',
      ] as const),
    ]);
    const request = { by: 'ann@host-1', at } as const;
    const calls: Record<typeof what, () => Promise<unknown> | undefined> = {
      claim: () =>
        store.claim(
          claimOf({
            ...{ jobId, scheduledTime, at, token, channel },
            concurrencyPolicy: chance.of(['forbid', 'forbid', 'replace', 'allow']),
            ...(chance.percent(20) && { trigger: 'manual', runId: `by-hand-${this.minute}-${process}` }),
            ...(chance.percent(30) && { startedAt: at }),
          }),
        ),
      start: () =>
        own && store.start(own.jobId, own.runId, token, { number: own.attempts.length + 1, startedAt: at }),
      finish: () => {
        if (own === undefined) return undefined;
        const status = chance.of(['succeeded', 'failed', 'lost'] as const);
        const last = own.status === 'running' ? own.attempts.at(-1) : undefined;
        const attempt = last && { ...last, finishedAt: at, status };
        const retry = chance.percent(30) ? { retry: { notBefore: at } } : {};
        return store.finish({
          ...{ jobId: own.jobId, runId: own.runId, token, status: attempt ? status : 'lost', at, channel },
          ...(attempt && { attempt }),
          ...retry,
        });
      },
      extend: () => own && store.extend(own.jobId, own.runId, token, at + 5 * MINUTE),
      release: () => own && store.release(own.jobId, own.runId, token, at),
      owe: () => store.owe(owedOf({ jobId, scheduledTime, at, notBefore: at })),
      settle: () =>
        store.settle({
          answers: [0, 1, 2].map((back) =>
            answerOf({ jobId, scheduledTime: scheduledTime - back * MINUTE, at, channel }),
          ),
          owed: [owedOf({ jobId, scheduledTime: scheduledTime + MINUTE, at, notBefore: at })],
        }),
      end: () => run && store.endPending({ ...run, reason: 'superseded', channel, at }),
      cancel: () => run && store.cancel(run, { ...request, verb: 'cancel' }),
      reopen: () => run && store.reopen({ ...run, request: { ...request, verb: 'retry' }, notBefore: at }),
      pause: () =>
        chance.percent(20) ? store.pause({ jobId, from: at, until: at + MINUTE, by: 'ann' }) : undefined,
      resume: () => store.resume(jobId, { at, by: 'ann@host-1' }),
      hand: () => run && store.handOut(run, at),
      rename: () => {
        if (!this.#isRenaming || !chance.percent(40)) return undefined;
        const [from, to] = chance.of([
          ['a', 'b'],
          ['b', 'a'],
          ['a', 'c'],
          ['c', 'a'],
        ] as const);
        const plan = { format: 1, crontab: 'shop', zones: {}, jobs: [] } as const;
        const renamed = [{ from: `shop/${from}`, to: `shop/${to}` }];
        return store.setActivePlan(
          { plan, hash: `hash-${process}`, since: at },
          { ...NO_CHANGE, at, renamed },
        );
      },
    };
    try {
      const answer = await calls[what]();
      if (answer !== undefined) this.said.push(`${process} ${what} ${JSON.stringify(answer).slice(0, 90)}`);
    } catch (error) {
      this.said.push(`${process} ${what} ${(error as Error).message.slice(0, 60)}`);
      if ((error as Error).name !== 'StoreError') throw error;
    }
  }

  async items(): Promise<readonly Item[]> {
    const client = localClient();
    const { Items = [] } = await client.send(
      new ScanCommand({ TableName: this.#table, ConsistentRead: true }),
    );
    client.destroy();
    return Items;
  }
}

const numberIn = (item: Item | undefined, name: string): number => Number(item?.[name]?.N ?? 0);

/** What does not fit together in a table. */
function contradictions(items: readonly Item[], runs: readonly Run[], isLocked: boolean): string[] {
  const problems: string[] = [];
  for (const jobId of ['shop/a', 'shop/b', 'shop/c']) {
    const ofJob = items.filter(({ pk }) => pk?.S === `JOB#${jobId}`);
    const control = ofJob.find(({ sk }) => sk?.S === 'CONTROL');
    const mine = runs.filter((run) => run.jobId === jobId);
    const open = mine.filter(({ status }) => !isFinal(status));
    if (numberIn(control, 'open') !== open.length)
      problems.push(`${jobId} counts ${numberIn(control, 'open')} open runs, and has ${open.length}`);
    const holders = ofJob.filter(({ holdsLock, status }) => {
      const isLive = status?.S === 'claimed' || status?.S === 'running';
      return isLive && holdsLock?.BOOL === true;
    });
    if (isLocked && holders.length > 1)
      problems.push(`${jobId} is held by ${holders.map(({ sk }) => sk?.S).join(' and ')}`);
    for (const run of mine) {
      const numbers = run.attempts.map(({ number }) => number);
      if (numbers.some((number, index) => number !== index + 1))
        problems.push(`${jobId} ${run.runId} has attempts ${numbers.join(', ')}`);
    }
  }
  const states = items.filter(({ sk }) => sk?.S?.startsWith('STATE#'));
  const counted = states.reduce((sum, state) => sum + numberIn(state, 'attempts'), 0);
  const ended = runs.flatMap(({ attempts }) => attempts).filter(({ finishedAt }) => finishedAt !== undefined);
  if (counted !== ended.length)
    problems.push(`${counted} attempts are counted, and ${ended.length} have ended`);
  return problems;
}

describeDynamoDb('on DynamoDB', () => {
  test.each(Array.from({ length: RACES }, (_, n) => [n]))(
    `three processes that do anything at once leave a table that fits together (seed ${FAULT_SEED}, race %d)`,
    async (n) => {
      const client = localClient();
      const table = await createTable(client);
      const reader = new DynamoDbRunStore(table, { client, now: () => SPRING_NIGHT });
      const isRenaming = n % 2 === 1;
      const race = new Race(table, new Chance(FAULT_SEED, `race ${n}`), isRenaming);
      for (let round = 0; round < ROUNDS; round++) {
        const runs = await reader.runs({ limit: 1000 });
        const said = race.said.length;
        await Promise.all([0, 1, 2, 0, 1, 2].map((process) => race.act(process, runs)));
        const problems = contradictions(await race.items(), await reader.runs({ limit: 1000 }), !isRenaming);
        if (problems.length > 0) problems.push(...race.said.slice(Math.max(0, said - 3)));
        expect([round, problems]).toEqual([round, []]);
        race.minute += 1;
      }
    },
  );
});
