import { createHash, randomUUID } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { FINAL_STATUSES } from '../core/run/run.ts';
import type { Finish } from '../core/run/run-store.ts';

/** Form of the files; a program that knows another one leaves them alone. */
const VERSION = 1;

/** A file of the spool that holds no result that this program can read. */
export interface ForeignFile {
  readonly path: string;
  readonly why: string;
}

/**
 * Results of runs that the store did not take, in files that outlive the process. Several processes may share a
 * folder: a result proves its owner by its token, so it does not matter who hands it in, or that two do.
 */
export class ResultSpool {
  readonly #folder: string;

  /** @param folder made by the first `put`, for this user only */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Keeps a result, in place of an earlier one of the same attempt; durable when it returns.
   *
   * @throws Error when it cannot be kept; nothing of it is left then
   */
  put(finish: Finish): void {
    // Its own name for each writer, which no reader takes for a result.
    const temporary = join(this.#folder, `.${randomUUID()}.tmp`);
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      const file = openSync(temporary, 'wx', 0o600);
      try {
        writeFileSync(file, JSON.stringify({ version: VERSION, finish }));
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(temporary, this.#pathOf(finish));
      this.#syncFolder();
    } catch (error) {
      removeQuietly(temporary);
      const what = `the result of run ${finish.runId} of ${finish.jobId} cannot be kept in \`${this.#folder}\``;
      throw new Error(`${what}: ${(error as Error).message}; make room there and let this user write`, {
        cause: error,
      });
    }
  }

  /** Lets go of a result that the store has; nothing when it is not here. @throws Error when it cannot be removed */
  remove(finish: Finish): void {
    rmSync(this.#pathOf(finish), { force: true });
  }

  /**
   * All results, oldest first.
   *
   * @param onForeign told of each file that is no result, or not of this version; it is left as it is
   * @throws Error when the folder is there and cannot be read
   */
  all(onForeign: (file: ForeignFile) => void): readonly Finish[] {
    const found: Finish[] = [];
    for (const name of this.#names()) {
      const path = join(this.#folder, name);
      try {
        const finish = finishIn(readFileSync(path, 'utf8'));
        if (this.#pathOf(finish) !== path) throw new Error('it has the name of another result');
        found.push(finish);
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        // Handed in meanwhile by another process.
        if (code !== 'ENOENT') onForeign({ path, why: message });
      }
    }
    return found.sort((a, b) => a.at - b.at);
  }

  #names(): string[] {
    try {
      // Hidden ones are being written, or were when their writer died: they hold nothing whole.
      return readdirSync(this.#folder)
        .filter((name) => !name.startsWith('.'))
        .sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  #pathOf({ jobId, runId, token, attempt }: Finish): string {
    const identity = JSON.stringify([jobId, runId, token, attempt?.number ?? 0]);
    return join(this.#folder, `${createHash('sha256').update(identity).digest('hex').slice(0, 32)}.json`);
  }

  /** A name is durable when its folder is. */
  #syncFolder(): void {
    const folder = openSync(this.#folder, 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  }
}

/** @throws Error that says why the text is no result */
function finishIn(text: string): Finish {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    throw new Error('it is no JSON');
  }
  if (!isObject(file) || typeof file.version !== 'number') throw new Error('it is no file of a spool');
  const { version, finish } = file;
  if (version !== VERSION) throw new Error(`it is of version ${version}, this program knows ${VERSION}`);
  if (!isFinish(finish)) throw new Error('it lacks a part of a result');
  return finish;
}

function isFinish(value: unknown): value is Finish {
  if (!isObject(value)) return false;
  const { jobId, runId, token, status, attempt, at } = value;
  const hasNames = [jobId, runId, token].every((name) => typeof name === 'string' && name !== '');
  const isEnd = typeof at === 'number' && (FINAL_STATUSES as readonly unknown[]).includes(status);
  return (
    hasNames && isEnd && (attempt === undefined || (isObject(attempt) && typeof attempt.number === 'number'))
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // What kept it from being written is told, and matters more.
  }
}
