import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Owner } from '../core/run/run.ts';
import type { RunStore } from '../core/run/run-store.ts';
import { CommandError, UsageError } from './command-line.ts';
import { isFolder } from './crontab-files.ts';
import { isAlive, stateFolder } from './host.ts';
import { SqliteRunStore } from './sqlite-run-store.ts';
import { StoreError } from './store-error.ts';

/** Where a `--store` option points. */
export interface StoreLocation {
  readonly path: string;
}

/** @throws UsageError for a kind of store that does not exist */
export function storeLocation(option: string | undefined): StoreLocation {
  if (option === undefined) return { path: join(stateFolder(), 'store.sqlite') };
  const path = /^sqlite:(.+)$/.exec(option)?.[1];
  if (path === undefined) throw new UsageError(`\`--store\` takes \`sqlite:PATH\`, got \`${option}\``);
  if (isFolder(path)) throw new UsageError(`\`--store\` takes a file, and \`${path}\` is a folder`);
  return { path };
}

/** Opens the store, and makes it where there is none. @throws CommandError in one sentence */
export function openStore({ path }: StoreLocation): RunStore {
  try {
    return SqliteRunStore.open(path);
  } catch (error) {
    if (error instanceof StoreError) throw new CommandError(error.message, { cause: error });
    throw error;
  }
}

/** Opens a store to read in: one that does not exist is not made. @throws CommandError in one sentence */
export function openExistingStore(location: StoreLocation): RunStore {
  if (!existsSync(location.path)) {
    throw new CommandError(
      `no run store at \`${location.path}\`: start \`kuber-cron daemon\` first, or name another by \`--store sqlite:PATH\``,
    );
  }
  return openStore(location);
}

/** Whether a daemon works on a store; undefined where that cannot be seen, because it is on another host. */
export function hasDaemon({ path }: StoreLocation): boolean | undefined {
  try {
    return isAlive(JSON.parse(readFileSync(`${path}.daemon`, 'utf8')) as Owner);
  } catch {
    // None, or one that was cut off when the machine stopped.
    return false;
  }
}
