import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { nearest } from '../core/nearest.ts';
import type { Retention } from '../core/run/retention.ts';
import type { Owner } from '../core/run/run.ts';
import type { RunStore } from '../core/run/run-store.ts';
import { CommandError, UsageError } from './command-line.ts';
import { isFolder } from './crontab-files.ts';
import { isAlive, stateFolder } from './host.ts';
import { lazyRunStore } from './lazy-run-store.ts';
import { SqliteRunStore } from './sqlite-run-store.ts';
import { StoreError } from './store-error.ts';

/** Where a `--store` option points. */
export interface StoreLocation {
  /** The store's file; of a table, where its daemons on this host keep what they have beside it. */
  readonly path: string;
  /** Name of a table of DynamoDB, which is then the store. */
  readonly table?: string;
  /** Of a dry run: what it records must never be taken for runs. */
  readonly isDryRun?: boolean;
}

/** @throws UsageError for a kind of store that does not exist */
export function storeLocation(
  option: string | undefined,
  { isDryRun = false }: { readonly isDryRun?: boolean } = {},
): StoreLocation {
  const name = isDryRun ? 'dry-run' : 'store';
  if (option === undefined) return { path: join(stateFolder(), `${name}.sqlite`), isDryRun };
  const [, kind, place = ''] = /^(sqlite|dynamodb):(.+)$/.exec(option) ?? [];
  if (kind === undefined) {
    const meant = meantStore(option);
    const hint = meant === undefined ? '' : `; did you mean \`${meant}\`?`;
    throw new UsageError(`\`--store\` takes \`sqlite:PATH\` or \`dynamodb:TABLE\`, got \`${option}\`${hint}`);
  }
  if (kind === 'dynamodb') return { path: tablePath(place, name), table: place, isDryRun };
  if (isFolder(place)) throw new UsageError(`\`--store\` takes a file, and \`${place}\` is a folder`);
  return { path: place, isDryRun };
}

const KINDS = ['sqlite', 'dynamodb'];

/** The store that a misspelt option most likely means. */
function meantStore(option: string): string | undefined {
  const [, word = '', place = ''] = /^([A-Za-z]+):(?:\/\/)?(.+)$/.exec(option) ?? [];
  const kind = nearest(word, KINDS);
  return kind === undefined ? undefined : `${kind}:${place}`;
}

/** @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html */
function tablePath(table: string, name: string): string {
  if (isTableName(table)) return join(stateFolder(), 'dynamodb', table, name);
  const arn = /^arn:[^:]*:dynamodb:([^:]*):\d*:table\/([^/]+)/.exec(table);
  if (arn !== null)
    throw new UsageError(
      `\`--store dynamodb:TABLE\` takes a name and no ARN: \`dynamodb:${arn[2]}\`, and AWS_REGION=${arn[1]}`,
    );
  const meant = table.replaceAll(/^\/+|\/+$/g, '');
  if (isTableName(meant))
    throw new UsageError(
      `\`--store dynamodb:TABLE\` takes the name alone, got \`${table}\`; did you mean \`dynamodb:${meant}\`?`,
    );
  throw new UsageError(
    `\`--store dynamodb:TABLE\` takes 3 to 255 letters, digits and \`_.-\` as the table, got \`${table}\``,
  );
}

function isTableName(text: string): boolean {
  return /^[\w.-]{3,255}$/.test(text);
}

/** Opens the store, and makes it where there is none; a table is made by its stack. @throws CommandError in one sentence */
export function openStore({ path, table }: StoreLocation, retention?: Retention): RunStore {
  if (table !== undefined) return openTable(table, { retention });
  try {
    return SqliteRunStore.open(path, retention === undefined ? {} : { retention });
  } catch (error) {
    if (error instanceof StoreError) throw new CommandError(error.message, { cause: error });
    throw error;
  }
}

/** Its library takes as long to load as all the rest: whoever needs it not does not wait for it. */
function openTable(
  table: string,
  { retention, ...rest }: { readonly retention?: Retention | undefined; readonly isDryRun?: boolean },
): RunStore {
  return lazyRunStore(async () => {
    const { DynamoDbRunStore } = await import('./dynamodb-run-store.ts');
    return new DynamoDbRunStore(table, { ...rest, ...(retention === undefined ? {} : { retention }) });
  });
}

/**
 * Opens the store that a daemon works on. A dry run claims what it starts nothing of: in the store of a daemon that runs
 * for real, that run would be lost.
 *
 * @throws CommandError in one sentence
 */
export function openDaemonStore(location: StoreLocation, retention?: Retention): RunStore {
  const { path, table, isDryRun = false } = location;
  if (table !== undefined) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    return openTable(table, { retention, isDryRun });
  }
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
  if (location.table === undefined && !existsSync(location.path)) {
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
export function hasDaemon({ path, table }: StoreLocation): boolean | undefined {
  const prefix = basename(presencePrefix(path));
  let isSure = table === undefined;
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
