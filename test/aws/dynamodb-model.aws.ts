import { DynamoDbRunStore } from '../../shared/adapters/dynamodb-run-store.ts';
import { MemoryRunStore } from '../../shared/adapters/memory-run-store.ts';
import type { RunStore } from '../../shared/core/run/run-store.ts';
import { testStoresAgainstModel } from '../adapters/run-stores-model.ts';
import { Chance, FAULT_SEED } from '../support/fault-seed.ts';
import { SPRING_NIGHT } from '../support/run-claims.ts';
import { type FaultyClient, faultyClient, ODD_ANSWERS, WIRE_FAULTS } from './faulty-client.ts';
import { createTable, describeDynamoDb } from './tables.ts';

/** More by hand: `PROPERTY_RUNS=500 PROPERTY_SEED=$RANDOM npm run test:aws -- dynamodb-model`. */
const RUNS = Number(process.env.PROPERTY_RUNS ?? 8);

const now = () => SPRING_NIGHT;

/** What the SDK gives up at; at the others the store itself rests between its tries. */
const LASTING = ['lost-request', 'lost-answer', 'late-server-error', 'throttled'] as const;
const CHECKS = ['runs', 'states'];

/** Calls that take what nobody gets twice: who loses the answer has to wait until it comes again. */
const TAKING = ['takeNotifications', 'settleNotification'];

/** A store whose every call is made again until it is answered, as whoever lost an answer does. */
function insistent(store: RunStore, faulty: FaultyClient, chance: Chance): RunStore {
  const wire = (command: string) =>
    chance.percent(command === 'Query' ? 2 : 12) ? chance.of(WIRE_FAULTS) : undefined;
  // Who asks again in the same moment must find what an index was told.
  const odd = () =>
    chance.percent(20) ? chance.of(ODD_ANSWERS.filter((one) => one !== 'old-index')) : undefined;
  return new Proxy(store, {
    get: (target, name) => {
      const call = Reflect.get(target, name);
      if (typeof call !== 'function') return call;
      return async (...args: unknown[]) => {
        const isSafe = TAKING.includes(String(name));
        for (;;) {
          // Now and then for so long that the SDK gives up.
          const isLong = !isSafe && !CHECKS.includes(String(name)) && chance.percent(15);
          const from = chance.whole(1, 4);
          const fault = chance.of(LASTING);
          faulty.befall(
            isSafe
              ? { odd }
              : { odd, wire: isLong ? (_command, nth) => (nth >= from ? fault : undefined) : wire },
          );
          try {
            return await call.apply(target, args);
          } catch (error) {
            if ((error as Error).name !== 'StoreError') throw error;
          } finally {
            faulty.befall({});
          }
        }
      };
    },
  });
}

describeDynamoDb('on DynamoDB', () => {
  testStoresAgainstModel('the run store does what the model and the one in memory do', RUNS, async () => {
    const { client } = faultyClient();
    return [new MemoryRunStore(), new DynamoDbRunStore(await createTable(client), { client, now })];
  });

  let run = 0;
  testStoresAgainstModel(
    `so does one whose requests and answers are lost, refused, cut and throttled, when it is asked again (seed ${FAULT_SEED})`,
    RUNS,
    async () => {
      const faulty = faultyClient();
      const { client } = faulty;
      const store = new DynamoDbRunStore(await createTable(client), { client, now });
      return [new MemoryRunStore(), insistent(store, faulty, new Chance(FAULT_SEED, `model ${++run}`))];
    },
  );
});
