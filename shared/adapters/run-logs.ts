import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Masker } from '../core/run/mask.ts';
import type { LogKey } from '../core/run/ports.ts';
import type { Owner } from '../core/run/run.ts';
import type { EpochMs } from '../core/schedule/zone-table.ts';
import { currentOwner, isAlive } from './host.ts';
import { type Cleaned, LogCleaner } from './log-cleaner.ts';
import { jobLogFolder, LIVE_FOLDER, type LogStream, logFileName, parseLogFile } from './log-files.ts';
import { type LogSource, StreamLog } from './stream-log.ts';

export interface RunLogsOptions {
  /**
   * Most bytes that are kept of one stream of an attempt, before they are compressed: the beginning and the end, half
   * of it each.
   *
   * @default 10 MiB
   */
  readonly bytesPerStream?: number;
  /** @default 100 */
  readonly attemptsPerJob?: number;
  /**
   * Milliseconds since the last byte was written.
   *
   * @default 30 days
   */
  readonly age?: number;
  /**
   * Most bytes of all compressed files.
   *
   * @default 1 GiB
   */
  readonly totalBytes?: number;
  /**
   * How long a log stays that the run store has all of, for those who follow it. Milliseconds.
   *
   * @default 10,000
   */
  readonly linger?: number;
  /** Told in one sentence when logs cannot be kept, once in ten minutes. Commands go on. */
  readonly onWarning?: (message: string) => void;
}

/** One that goes on is not told anew before that. Milliseconds. */
const WARN_EVERY_MS = 10 * 60_000;
/** Who has not cleaned up for so long and cannot be seen from here is dead. Milliseconds. */
const SILENCE_MS = 24 * 60 * 60_000;
/** Who writes the files beside it. */
const OWNER_FILE = 'owner.json';

/**
 * Everything that runs write, in files of the user alone: `<crontab>/<job>/<run id>.<attempt>.<stdout|stderr>.log.gz`,
 * with the offset of its first byte before `.log` where a file is not the first of its stream. What is being written
 * is plain text below `.live`.
 */
export class RunLogs {
  readonly #folder: string;
  readonly #live: string;
  readonly #owner: Owner;
  readonly #bytesPerStream: number;
  readonly #linger: number;
  readonly #onWarning: (message: string) => void;
  readonly #cleaner: LogCleaner;
  /** Finished files and what they are to become. */
  readonly #waiting = new Map<string, string>();
  /** Those of them that are tried in this turn. */
  #queue: string[] = [];
  #isCompressing = false;
  readonly #timers = new Set<NodeJS.Timeout>();
  #compressed: Promise<void> = Promise.resolve();
  #isClosed = false;
  #warnedAt = Number.NEGATIVE_INFINITY;

  /** @param folder is made when there is something to keep */
  constructor(folder: string, options: RunLogsOptions = {}) {
    const {
      bytesPerStream = 10 * 2 ** 20,
      attemptsPerJob = 100,
      age = 30 * 86_400_000,
      totalBytes = 2 ** 30,
      linger = 10_000,
      onWarning = () => {},
    } = options;
    this.#folder = folder;
    this.#owner = currentOwner(randomUUID());
    this.#live = join(folder, LIVE_FOLDER, this.#owner.token);
    this.#bytesPerStream = bytesPerStream;
    this.#linger = linger;
    this.#onWarning = onWarning;
    this.#cleaner = new LogCleaner(folder, { attemptsPerJob, age, totalBytes });
  }

  /** @param masker for bytes, each written as one character */
  open(key: LogKey, stream: LogStream, source: LogSource, masker: Masker): StreamLog {
    const folder = join(this.#live, jobLogFolder(key.jobId));
    const pathAt = async (offset: number) => {
      await this.#makeFolder(folder);
      return join(folder, logFileName(key, stream, offset));
    };
    const failed = (error: unknown) => this.#warn('what runs write cannot be kept', error);
    return new StreamLog(source, masker, { pathAt, failed }, this.#bytesPerStream);
  }

  /**
   * The end of a log whose command has ended; nothing is written that nobody needs.
   *
   * @param isElsewhere the run store has all of it
   * @returns resolves when everything can be read; compression comes later. Never rejects.
   */
  async finish(log: StreamLog, isElsewhere: boolean): Promise<void> {
    if (isElsewhere && !log.hasFiles) return;
    await log.finish();
    if (isElsewhere) this.#removeLater(log.paths);
    else this.#compress(log.paths);
  }

  /**
   * Enforces the bounds, oldest first, and takes over what dead processes left: a bounded piece of the work, so that
   * it is to be called again every minute or so. Never rejects.
   *
   * @returns what was removed
   */
  async clean(now: EpochMs): Promise<Cleaned> {
    try {
      // Others see by this that we live.
      const at = now / 1000;
      await utimes(join(this.#live, OWNER_FILE), at, at)
        .catch(() => utimes(this.#live, at, at))
        .catch(ignoreMissing);
      await this.#adopt(now);
      // Those that failed before, too.
      if (!this.#isCompressing) this.#compress([...this.#waiting.keys()]);
      const busy = new Set([...this.#waiting.values()].map(attemptPath));
      return await this.#cleaner.clean(now, (attempt) => busy.has(attempt));
    } catch (error) {
      this.#warn('old logs cannot be removed', error);
      return { tooOld: 0, tooMany: 0, tooLarge: 0, bytes: 0 };
    }
  }

  /** Ends with the file that is being compressed; the next process does the others. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    await this.#compressed;
    await this.#removeIfDone(this.#live).catch(() => {});
  }

  /** The folder of a job's growing files. */
  async #makeFolder(folder: string): Promise<void> {
    const made = await mkdir(folder, { recursive: true, mode: 0o700 });
    if (made === undefined || !this.#live.startsWith(made)) return;
    await writeFile(join(this.#live, OWNER_FILE), JSON.stringify(this.#owner), { mode: 0o600 });
  }

  /** Not at once: the store takes the end of the run only now. */
  #removeLater(paths: readonly string[]): void {
    if (this.#isClosed) return;
    const timer = setTimeout(async () => {
      this.#timers.delete(timer);
      for (const path of paths) await rm(path, { force: true }).catch(() => {});
    }, this.#linger).unref();
    this.#timers.add(timer);
  }

  /** In the background, one file at a time. */
  #compress(paths: readonly string[]): void {
    for (const path of paths)
      this.#waiting.set(path, this.#waiting.get(path) ?? this.#finalOf(path, this.#live));
    this.#queue.push(...paths);
    if (!this.#isCompressing) this.#compressed = this.#compressAll();
  }

  async #compressAll(): Promise<void> {
    this.#isCompressing = true;
    for (let path = this.#queue.shift(); path !== undefined && !this.#isClosed; path = this.#queue.shift()) {
      const final = this.#waiting.get(path);
      if (final === undefined) continue;
      try {
        const bytes = await compressed(path, final, this.#owner.token);
        this.#waiting.delete(path);
        this.#cleaner.grew(dirname(final), bytes);
      } catch (error) {
        // Another process, or a person, may have had it.
        if (existsSync(path)) this.#warn('a log cannot be compressed', error);
        else this.#waiting.delete(path);
      }
    }
    this.#isCompressing = false;
  }

  #finalOf(path: string, live: string): string {
    return `${join(this.#folder, relative(live, path))}.gz`;
  }

  /** Takes over what processes left that were killed. */
  async #adopt(now: EpochMs): Promise<void> {
    const folder = join(this.#folder, LIVE_FOLDER);
    for (const token of await readdir(folder).catch(ignoreMissing)) {
      const live = join(folder, token);
      if (live === this.#live || !(await isLeft(live, now))) continue;
      const names = await readdir(live, { recursive: true });
      for (const name of names.filter((one) => parseLogFile(basename(one)) !== undefined))
        this.#waiting.set(join(live, name), this.#finalOf(join(live, name), live));
      await this.#removeIfDone(live);
    }
  }

  /** Removes the folder of a process that writes no more, when everything in it is compressed. */
  async #removeIfDone(live: string): Promise<void> {
    const names = await readdir(live, { recursive: true }).catch(ignoreMissing);
    if (names.every((name) => parseLogFile(basename(name)) === undefined))
      await rm(live, { recursive: true, force: true });
  }

  #warn(what: string, error: unknown): void {
    const at = performance.now();
    if (at - this.#warnedAt < WARN_EVERY_MS) return;
    this.#warnedAt = at;
    this.#onWarning(
      `${what} in \`${this.#folder}\` (${(error as Error).message}): commands go on, and the end of their output is kept with the run`,
    );
  }
}

/** Whether the process that writes into a folder is gone. */
async function isLeft(live: string, now: EpochMs): Promise<boolean> {
  const path = join(live, OWNER_FILE);
  const owner = await readFile(path, 'utf8')
    .then((text) => JSON.parse(text) as Owner)
    .catch(() => undefined);
  const lives = owner === undefined ? undefined : isAlive(owner);
  if (lives !== undefined) return !lives;
  // On another host, or cut off when the machine stopped.
  const { mtimeMs } = await stat(path).catch(() => stat(live));
  return now - mtimeMs > SILENCE_MS;
}

/**
 * A half of it is never seen under its name; not flushed to the disk, which claims need more.
 *
 * @returns bytes of the compressed file
 */
async function compressed(path: string, final: string, token: string): Promise<number> {
  const { mtime } = await stat(path);
  const folder = dirname(final);
  const unfinished = `${final}.${token}.tmp`;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    await pipeline(createReadStream(path), createGzip(), createWriteStream(unfinished, { mode: 0o600 }));
    await utimes(unfinished, mtime, mtime);
    const { size } = await stat(unfinished);
    await rename(unfinished, final);
    await rm(path, { force: true });
    return size;
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => {});
    throw error;
  }
}

/** Folder and name of the attempt that a compressed file is of. */
function attemptPath(final: string): string {
  return join(dirname(final), parseLogFile(basename(final))?.attempt ?? '');
}

function ignoreMissing(error: NodeJS.ErrnoException): [] {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
  throw error;
}
