import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { openDatabase } from '../../shared/adapters/sqlite-database.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FOLDER = temporaryFolder();

// Whether a commit survives the loss of power shows in nothing else: a killed process loses nothing in any mode.
test('a commit waits for the disk, and readers do not wait for it', () => {
  const database = openDatabase(join(FOLDER, 'store.sqlite'), { applicationId: 1, migrations: [] }, 1000);
  const pragma = (name: string) => Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
  const FULL = 2;
  expect([pragma('synchronous'), pragma('journal_mode')]).toEqual([FULL, 'wal']);
  database.close();
});
