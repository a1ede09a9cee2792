import { readdir, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { EpochMs } from '../core/schedule/zone-table.ts';
import { LIVE_FOLDER, parseLogFile } from './log-files.ts';

export interface LogBounds {
  readonly attemptsPerJob: number;
  /** Milliseconds since the last byte was written. */
  readonly age: number;
  readonly totalBytes: number;
}

/** What was removed: attempts by the bound that they went beyond, and bytes of all of them. */
export interface Cleaned {
  readonly tooOld: number;
  readonly tooMany: number;
  readonly tooLarge: number;
  readonly bytes: number;
}

type Counts = { -readonly [count in keyof Cleaned]: number };
/** Whether files of an attempt, by folder and name, are still to come. */
type IsBusy = (attempt: string) => boolean;

/** Logs of one attempt. */
interface KeptAttempt {
  /** Folder and name. */
  readonly path: string;
  readonly files: string[];
  bytes: number;
  /** When the last byte was written. */
  at: EpochMs;
}

/** What is known of a job's folder. */
interface KeptJob {
  readonly bytes: number;
  /** When its oldest attempt ended. */
  readonly oldest: EpochMs;
}

/** Files that one call looks at for each of its three tasks before it leaves the rest to the next call. */
const FILES_PER_TASK = 2_000;
/** Unfinished files of a process that was killed are as old as that. Milliseconds. */
const UNFINISHED_MS = 60 * 60_000;

/** Removes compressed logs beyond the bounds, the oldest first: all folders in turn, and those that grew before. */
export class LogCleaner {
  readonly #folder: string;
  readonly #bounds: LogBounds;
  readonly #jobs = new Map<string, KeptJob>();
  readonly #grown = new Set<string>();
  /** Folders that are still to be looked at in this round. */
  #round: string[] = [];
  #hasSeenAll = false;

  constructor(folder: string, bounds: LogBounds) {
    this.#folder = folder;
    this.#bounds = bounds;
  }

  /** A file came into a job's folder, which is looked at soon. */
  grew(folder: string, bytes: number): void {
    this.#grown.add(folder);
    const known = this.#jobs.get(folder);
    if (known !== undefined) this.#jobs.set(folder, { ...known, bytes: known.bytes + bytes });
  }

  /** @throws Error when a folder cannot be read or a file not removed */
  async clean(now: EpochMs, isBusy: IsBusy): Promise<Cleaned> {
    const removed = { tooOld: 0, tooMany: 0, tooLarge: 0, bytes: 0 };
    let left = FILES_PER_TASK;
    for (const folder of this.#grown) {
      if (left <= 0) break;
      this.#grown.delete(folder);
      left -= await this.#look(folder, now, isBusy, removed);
    }
    if (this.#round.length === 0) this.#round = await this.#folders();
    left = FILES_PER_TASK;
    for (let folder = this.#round.pop(); folder !== undefined; folder = this.#round.pop()) {
      left -= await this.#look(folder, now, isBusy, removed);
      if (left <= 0) break;
    }
    this.#hasSeenAll ||= this.#round.length === 0;
    if (this.#hasSeenAll) await this.#limitTotal(isBusy, removed);
    return removed;
  }

  async #folders(): Promise<string[]> {
    const folders: string[] = [];
    for (const crontab of await namesIn(this.#folder)) {
      if (crontab === LIVE_FOLDER) continue;
      for (const job of await namesIn(join(this.#folder, crontab)))
        folders.push(join(this.#folder, crontab, job));
    }
    return folders;
  }

  /** Enforces the bounds of one job. @returns files looked at */
  async #look(folder: string, now: EpochMs, isBusy: IsBusy, removed: Counts): Promise<number> {
    await removeUnfinished(folder, now);
    const attempts = await attemptsIn(folder);
    const free = attempts.filter(({ path }) => !isBusy(path));
    const gone = new Set<KeptAttempt>();
    for (const attempt of free) {
      const isOld = now - attempt.at > this.#bounds.age;
      if (!isOld && attempts.length - gone.size <= this.#bounds.attemptsPerJob) break;
      await removeAttempt(attempt);
      gone.add(attempt);
      removed[isOld ? 'tooOld' : 'tooMany'] += 1;
      removed.bytes += attempt.bytes;
    }
    await this.#remember(
      folder,
      attempts.filter((attempt) => !gone.has(attempt)),
    );
    return filesOf(attempts);
  }

  async #remember(folder: string, attempts: readonly KeptAttempt[]): Promise<void> {
    const [oldest] = attempts;
    if (oldest !== undefined) {
      this.#jobs.set(folder, { bytes: bytesOf(attempts), oldest: oldest.at });
      return;
    }
    this.#jobs.delete(folder);
    // Those that hold something stay.
    await rmdir(folder)
      .then(() => rmdir(dirname(folder)))
      .catch(() => {});
  }

  /** The oldest of all go first. */
  async #limitTotal(isBusy: IsBusy, removed: Counts): Promise<void> {
    let left = FILES_PER_TASK;
    let total = 0;
    for (const { bytes } of this.#jobs.values()) total += bytes;
    const jobs = [...this.#jobs].sort(([, a], [, b]) => b.oldest - a.oldest);
    while (total > this.#bounds.totalBytes && left > 0) {
      const [folder, known] = jobs.pop() ?? [];
      if (folder === undefined || known === undefined) return;
      const nextOldest = jobs.at(-1)?.[1].oldest ?? Number.POSITIVE_INFINITY;
      const kept: KeptAttempt[] = [];
      const attempts = await attemptsIn(folder);
      left -= filesOf(attempts);
      total -= known.bytes - bytesOf(attempts);
      for (const attempt of attempts) {
        if (total <= this.#bounds.totalBytes || attempt.at > nextOldest || isBusy(attempt.path)) {
          kept.push(attempt);
          continue;
        }
        await removeAttempt(attempt);
        total -= attempt.bytes;
        removed.tooLarge += 1;
        removed.bytes += attempt.bytes;
      }
      await this.#remember(folder, kept);
      const rest = this.#jobs.get(folder);
      // Where all that is left is still to come, or nothing, other jobs have to do.
      if (rest === undefined || kept.length === attempts.length) continue;
      const behind = jobs.findLastIndex(([, { oldest }]) => oldest >= rest.oldest);
      jobs.splice(behind + 1, 0, [folder, rest]);
    }
  }
}

/** A job's attempts, the oldest first. */
async function attemptsIn(folder: string): Promise<KeptAttempt[]> {
  const attempts = new Map<string, KeptAttempt>();
  for (const name of await namesIn(folder)) {
    const parsed = parseLogFile(name);
    if (parsed?.isCompressed !== true) continue;
    const file = join(folder, name);
    const found = await stat(file).catch(ignoreMissing);
    if (found === undefined) continue;
    const path = join(folder, parsed.attempt);
    const attempt = attempts.get(path) ?? { path, files: [], bytes: 0, at: 0 };
    attempt.files.push(file);
    attempt.bytes += found.size;
    attempt.at = Math.max(attempt.at, found.mtimeMs);
    attempts.set(path, attempt);
  }
  return [...attempts.values()].sort((a, b) => a.at - b.at || (a.path < b.path ? -1 : 1));
}

async function removeAttempt({ files }: KeptAttempt): Promise<void> {
  for (const file of files) await rm(file, { force: true });
}

/** Files that a process was killed over. */
async function removeUnfinished(folder: string, now: EpochMs): Promise<void> {
  for (const name of await namesIn(folder)) {
    if (!name.endsWith('.tmp')) continue;
    const found = await stat(join(folder, name)).catch(ignoreMissing);
    if (found !== undefined && now - found.mtimeMs > UNFINISHED_MS)
      await rm(join(folder, name), { force: true });
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(ignoreMissing)) ?? [];
}

function bytesOf(attempts: readonly KeptAttempt[]): number {
  return attempts.reduce((sum, { bytes }) => sum + bytes, 0);
}

function filesOf(attempts: readonly KeptAttempt[]): number {
  return attempts.reduce((sum, { files }) => sum + files.length, 1);
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
}
