import { join } from 'node:path';
import { afterAll } from '@jest/globals';
import { MemoryRunStore } from '../../shared/adapters/memory-run-store.ts';
import { SqliteRunStore } from '../../shared/adapters/sqlite-run-store.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { testStoresAgainstModel } from './run-stores-model.ts';

/** More by hand: `PROPERTY_RUNS=5000 PROPERTY_SEED=$RANDOM npm test -- run-stores.property`. */
const RUNS = Number(process.env.PROPERTY_RUNS ?? 200);

const sqlite = SqliteRunStore.open(join(temporaryFolder(), 'runs.db'));
afterAll(() => sqlite.close());

testStoresAgainstModel(
  'run stores of memory and SQLite do what the model does, whatever is asked of them',
  RUNS,
  () => [new MemoryRunStore(), sqlite],
);
