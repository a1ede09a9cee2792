import { expect, test } from '@jest/globals';
import { DynamoDbRunStore } from '../../shared/adapters/dynamodb-run-store.ts';
import { planHash, type SchedulePlan } from '../../shared/core/plan/plan.ts';
import { LedgerKeeper } from '../../shared/core/run/ledger-keeper.ts';
import { dueRunId } from '../../shared/core/run/run-id.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { planOf } from '../support/plan-of.ts';
import { createTable, describeDynamoDb } from './tables.ts';
import { watchedClient } from './watched-client.ts';

const MINUTE = 60_000;
const START = Date.parse('2026-03-10T06:00:20Z');
const JOBS = 10_000;
/** Of these, in the minutes that are looked at. */
const DUE = 200;

/** A plan like that of a crontab with thousands of entries, without compiling these. */
function largePlan(): SchedulePlan {
  const [job, ...none] = planOf('# kuber-cron: name=j\n* * * * * run\n').jobs;
  if (job === undefined || none.length > 0) throw new Error('one job expected');
  const jobs = Array.from({ length: JOBS }, (_, index) => {
    const schedule = `${index % (JOBS / DUE)} * * * *`;
    return { ...job, name: `j${String(index).padStart(5, '0')}`, schedule, written: schedule };
  });
  return { ...planOf('# kuber-cron: name=j\n* * * * * run\n'), jobs };
}

describeDynamoDb('a ledger pass on DynamoDB over ten thousand jobs', () => {
  test('makes so many requests: a few, one for each hundred runs that are due, and one for each that is missing', async () => {
    const { client, requests } = watchedClient();
    const clock = new FakeClock(START);
    const store = new DynamoDbRunStore(await createTable(client), { client, now: () => clock.now() });
    const plan = largePlan();
    const told: string[] = [];
    const keeper = new LedgerKeeper(
      {
        ...{ store, clock, random: () => 0, token: () => `pass-${clock.now()}`, emit: () => {} },
        handOver: async ({ job, runId }) => void told.push(`${job.name} ${runId}`),
      },
      { target: 'aws', channel: () => undefined },
    );
    const pass = async (time: number) => {
      clock.jumpTo(time);
      requests.length = 0;
      const { left } = await keeper.pass([{ plan, hash: planHash(plan) }]);
      expect(left).toStrictEqual([]);
      const counts: Record<string, number> = {};
      for (const request of requests) counts[request] = (counts[request] ?? 0) + 1;
      return counts;
    };
    await pass(START);
    // Once in a process, the plan itself is read.
    await pass(START + MINUTE);
    await store.setCursor('shop', START + 4 * MINUTE - 20_000);

    // All of a minute was delivered.
    const delivered = START + 5 * MINUTE - 20_000;
    const due = plan.jobs.filter(({ schedule }) => schedule.startsWith('5 '));
    expect(due).toHaveLength(DUE);
    for (const { name } of due) {
      await store.settle({
        answers: [
          {
            ...{
              jobId: `shop/${name}`,
              runId: dueRunId(delivered),
              scheduledTime: delivered,
              trigger: 'schedule',
            },
            ...{ planHash: 'h', status: 'missed', reason: 'too-late', at: delivered },
          },
        ],
        owed: [],
      });
    }
    // One list of crontabs, turn taken and given back, plan and cursor, the new cursor; eight shards twice.
    const always = { Query: 1 + 8 + 8, PutItem: 3, GetItem: 2 };
    expect(await pass(START + 7 * MINUTE)).toStrictEqual({ ...always, BatchGetItem: DUE / 100 });
    expect(told).toHaveLength(0);

    // None of the next one was; eight shards with pauses are looked at, and pending runs are read.
    expect(await pass(START + 8 * MINUTE)).toStrictEqual({
      ...always,
      ...{ Query: always.Query + 8, BatchGetItem: DUE / 100, TransactWriteItems: DUE },
    });
    expect(told).toHaveLength(DUE);
    // Nothing started them: they are read, handed out and told of again; the minute before has answers for all.
    const again = await pass(START + 10 * MINUTE);
    expect(told).toHaveLength(DUE * 4);
    expect(again.PutItem).toBe(3 + DUE);
    expect(again.GetItem).toBe(2 + DUE);
    await store.close();
  }, 120_000);
});
