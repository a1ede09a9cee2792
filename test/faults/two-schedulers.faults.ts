import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { MemoryRunStore } from '../../shared/adapters/memory-run-store.ts';
import { SqliteRunStore } from '../../shared/adapters/sqlite-run-store.ts';
import { DAY_CRONTAB, FaultDay } from '../support/fault-day.ts';
import { Chance, FAULT_SEED } from '../support/fault-seed.ts';
import { CALL_FAULTS } from '../support/fault-store.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

const folder = temporaryFolder();

test.each(Array.from({ length: 20 }, (_, n) => n))(
  `schedulers on one store, of which one after the other dies, answer each due instant once (seed ${FAULT_SEED}, day %i)`,
  async (n) => {
    const chance = new Chance(FAULT_SEED, `two schedulers ${n}`);
    const store = n % 2 === 0 ? new MemoryRunStore() : SqliteRunStore.open(join(folder, `${n}.sqlite`));
    try {
      const day = new FaultDay(store, chance);
      await day.begin();
      await day.begin();
      for (let step = 0; step < 30; step++) {
        const percent = chance.of([0, 0, 5, 30]);
        day.faults.next = () => (chance.percent(percent) ? chance.of(CALL_FAULTS) : 'none');
        await day.clock.advance(chance.of([1, 43 * SECOND, MINUTE, 3 * MINUTE, 11 * MINUTE]));
        if (chance.percent(25)) await day.operate(chance);
        if (chance.percent(30)) {
          day.die(chance.of(day.alive));
          await day.clock.advance(chance.of([0, SECOND, 2 * MINUTE, 7 * MINUTE]));
          await day.begin(DAY_CRONTAB);
        }
      }
      await day.end();
      expect(await day.problems()).toEqual([]);
    } finally {
      await store.close();
    }
  },
);
