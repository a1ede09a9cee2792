import { DynamoDbRunStore } from '../../shared/adapters/dynamodb-run-store.ts';
import type { RunStore } from '../../shared/core/run/run-store.ts';
import type { EpochMs } from '../../shared/core/schedule/zone-table.ts';
import { settled } from '../support/fake-clock.ts';
import type { DayStore } from '../support/fault-day.ts';
import type { Chance } from '../support/fault-seed.ts';
import { faultyClient, ODD_ANSWERS, WIRE_FAULTS } from './faulty-client.ts';

/** Stores of several processes on one table, each with a client of its own, for a test whose clock waits for them. */
export class BusyStores implements DayStore {
  /** Of a hundred tries of requests, how many go wrong. */
  wirePercent = 0;
  /** Of a hundred requests, how many are answered oddly. */
  oddPercent = 0;
  readonly #table: string;
  readonly #chance: Chance;
  readonly #now: () => EpochMs;
  #calls = 0;
  #idle = Promise.withResolvers<void>();

  /** @param now by which items are over */
  constructor(table: string, chance: Chance, now: () => EpochMs) {
    this.#table = table;
    this.#chance = chance;
    this.#now = now;
  }

  /** A process that dies has its requests cut off, also in the middle of a call that takes several. */
  readonly open = (isDead: () => boolean): RunStore => {
    const { client, befall } = faultyClient();
    const chance = this.#chance;
    befall({
      wire: () => {
        if (isDead()) return chance.of(['lost-request', 'lost-answer'] as const);
        return chance.percent(this.wirePercent) ? chance.of(WIRE_FAULTS) : undefined;
      },
      odd: () => (chance.percent(this.oddPercent) ? chance.of(ODD_ANSWERS) : undefined),
    });
    return this.#counted(new DynamoDbRunStore(this.#table, { client, now: this.#now }));
  };

  readonly settled = async (): Promise<void> => {
    await settled();
    while (this.#calls > 0) {
      await this.#idle.promise;
      await settled();
    }
  };

  #counted(store: RunStore): RunStore {
    return new Proxy(store, {
      get: (target, name) => {
        const call = Reflect.get(target, name);
        if (typeof call !== 'function') return call;
        return async (...args: unknown[]) => {
          this.#calls += 1;
          try {
            return await call.apply(target, args);
          } finally {
            this.#calls -= 1;
            if (this.#calls === 0) {
              this.#idle.resolve();
              this.#idle = Promise.withResolvers();
            }
          }
        };
      },
    });
  }
}
