import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';
import { SqliteRunStore } from '../../shared/adapters/sqlite-run-store.ts';
import { describeRunStore } from './run-store-contract.ts';

const folder = mkdtempSync(join(tmpdir(), 'kuber-cron-store-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

describeRunStore('SqliteRunStore', () => {
  files += 1;
  return SqliteRunStore.open(join(folder, `runs-${files}.db`));
});
