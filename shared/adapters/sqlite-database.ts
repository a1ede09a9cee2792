import { accessSync, closeSync, constants, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { asStoreError, StoreError } from './store-error.ts';

/** What a database must be to be used. */
export interface DatabaseFormat {
  readonly applicationId: number;
  /** Each is a script; a database's `user_version` counts those that it has seen. */
  readonly migrations: readonly string[];
}

/**
 * Opens a database, or creates it with its folders for nobody but this user, and brings its tables up to date. A file
 * that is something else, damaged or from a later version is left as it is.
 *
 * @param file absolute
 * @param busyTimeoutMs how long each statement waits for other processes; it blocks meanwhile
 * @throws StoreError
 */
export function openDatabase(file: string, format: DatabaseFormat, busyTimeoutMs: number): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    createFile(file);
    database = new DatabaseSync(file, { timeout: busyTimeoutMs });
    versionOf(database, file, format);
    useWal(database, file, busyTimeoutMs);
    // FULL: a commit is on the disk when it returns, not only after the next checkpoint. A checkpoint makes its commit
    // wait, so it comes once in 16 MiB.
    database.exec('PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -16000');
    migrate(database, file, format);
    return database;
  } catch (error) {
    database?.close();
    throw asStoreError(error, file);
  }
}

/**
 * An existing file is never opened here: closing any descriptor of it would drop the locks that another connection of
 * this process holds. @see https://www.sqlite.org/howtocorrupt.html section 2.2
 */
function createFile(file: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  try {
    closeSync(openSync(file, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  accessSync(dirname(file), constants.W_OK | constants.X_OK);
  accessSync(file, constants.R_OK | constants.W_OK);
}

/** Asks in one transaction, so that a database that another process makes meanwhile is seen whole or not at all. */
function versionOf(database: DatabaseSync, file: string, format: DatabaseFormat): number {
  return transact(database, () => recognise(database, file, format), 'DEFERRED');
}

/** @returns how many migrations the database has seen */
function recognise(
  database: DatabaseSync,
  file: string,
  { applicationId, migrations }: DatabaseFormat,
): number {
  const id = pragma(database, 'application_id');
  const version = pragma(database, 'user_version');
  if (id === 0 && version === 0 && isEmpty(database)) {
    // SQLite takes a file of a single byte, such as an empty line, for an empty one, and would write over it.
    if (statSync(file).size === 1) throw new StoreError('foreign', file);
    return 0;
  }
  if (id !== applicationId) throw new StoreError('foreign', file);
  if (version > migrations.length) throw new StoreError('newer', file);
  return version;
}

function isEmpty(database: DatabaseSync): boolean {
  return database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
}

function migrate(database: DatabaseSync, file: string, format: DatabaseFormat): void {
  const { applicationId, migrations } = format;
  if (versionOf(database, file, format) === migrations.length) return;
  transact(database, () => {
    // Asked again under the write lock: another process may have been first.
    const left = migrations.slice(recognise(database, file, format));
    for (const migration of left) database.exec(migration);
    database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${migrations.length}`);
  });
}

/** SQLite does not wait for other connections that change the journal mode too, so the waiting is done here. */
function useWal(database: DatabaseSync, file: string, busyTimeoutMs: number): void {
  const giveUpAt = performance.now() + busyTimeoutMs;
  for (;;) {
    try {
      const mode = Object.values(database.prepare('PRAGMA journal_mode = WAL').get() ?? {})[0];
      if (mode === 'wal') return;
      throw new StoreError('unwritable', file, {
        cause: new Error(
          'its file system does not let processes share memory, as a network file system does not',
        ),
      });
    } catch (error) {
      const isBusy = ((error as { errcode?: number }).errcode ?? 0) % 256 === SQLITE_BUSY;
      if (!isBusy || performance.now() >= giveUpAt) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

const SQLITE_BUSY = 5;

/** Runs an action in one transaction, for writing if not told otherwise. What it throws undoes everything. */
export function transact<T>(
  database: DatabaseSync,
  action: () => T,
  mode: 'IMMEDIATE' | 'DEFERRED' = 'IMMEDIATE',
): T {
  database.exec(`BEGIN ${mode}`);
  try {
    const result = action();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    // Some faults, such as a full disk, have ended the transaction already.
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

function pragma(database: DatabaseSync, name: string): number {
  return Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0] as number;
}
