import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Retention } from '../core/run/retention.ts';
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
  /** Of a dry run: what it records must never be taken for runs. */
  readonly isDryRun?: boolean;
}

/** @throws UsageError for a kind of store that does not exist */
export function storeLocation(
  option: string | undefined,
  { isDryRun = false }: { readonly isDryRun?: boolean } = {},
): StoreLocation {
  return { path: storePath(option, isDryRun ? 'dry-run.sqlite' : 'store.sqlite'), isDryRun };
}

function storePath(option: string | undefined, usual: string): string {
  if (option === undefined) return join(stateFolder(), usual);
  const path = /^sqlite:(.+)$/.exec(option)?.[1];
  if (path === undefined) throw new UsageError(`\`--store\` takes \`sqlite:PATH\`, got \`${option}\``);
  if (isFolder(path)) throw new UsageError(`\`--store\` takes a file, and \`${path}\` is a folder`);
  return path;
}

/** Opens the store, and makes it where there is none. @throws CommandError in one sentence */
export function openStore({ path }: StoreLocation, retention?: Retention): RunStore {
  try {
    return SqliteRunStore.open(path, retention === undefined ? {} : { retention });
  } catch (error) {
    if (error instanceof StoreError) throw new CommandError(error.message, { cause: error });
    throw error;
  }
}

/**
 * Opens the store that a daemon works on. A dry run claims what it starts nothing of: in the store of a daemon that runs
 * for real, that run would be lost.
 *
 * @throws CommandError in one sentence
 */
export function openDaemonStore(location: StoreLocation, retention?: Retention): RunStore {
  const { path, isDryRun = false } = location;
  const mark = `${path}.dry-run`;
  if (existsSync(path) && existsSync(mark) !== isDryRun) {
    throw new CommandError(
      isDryRun
        ? `the run store \`${path}\` is that of a daemon that runs for real; give the dry run one of its own, or leave \`--store\` out`
        : `the run store \`${path}\` is that of a dry run, which recorded runs as skipped; name another, or delete \`${path}*\``,
    );
  }
  if (isDryRun) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(mark, '', { mode: 0o600 });
  }
  return openStore(location, retention);
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

/** Begin of the names of the files beside a store that daemons make while they work on it; each holds an owner. */
export function presencePrefix(path: string): string {
  return `${path}.daemon-`;
}

/** Whether a daemon works on a store; undefined where that cannot be seen, because it is on another host. */
export function hasDaemon({ path }: StoreLocation): boolean | undefined {
  const prefix = basename(presencePrefix(path));
  let isSure = true;
  for (const name of namesIn(dirname(path))) {
    if (!name.startsWith(prefix)) continue;
    const lives = isAliveIn(join(dirname(path), name));
    if (lives === true) return true;
    isSure &&= lives === false;
  }
  return isSure ? false : undefined;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isAliveIn(file: string): boolean | undefined {
  try {
    return isAlive(JSON.parse(readFileSync(file, 'utf8')) as Owner);
  } catch {
    // One that was cut off when the machine stopped.
    return false;
  }
}
