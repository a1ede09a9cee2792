import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { RunStore } from '../core/run/run-store.ts';
import { CommandError, UsageError } from './command-line.ts';
import { stateFolder } from './host.ts';
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
