import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { LogKey } from '../core/run/ports.ts';
import { CommandError } from './command-line.ts';
import { attemptName, jobLogFolder, LIVE_FOLDER, type LogStream, parseLogFile } from './log-files.ts';

const CHUNK_BYTES = 64 * 1024;

/** Bytes as the command wrote them, masked, or how many are not kept before the next ones. */
export type LogPart = Uint8Array | { readonly notKept: number };

interface FoundFile {
  readonly path: string;
  readonly offset: number;
  readonly isCompressed: boolean;
}

/** Reads what is kept of one stream of an attempt, while it is written and afterwards. */
export class LogReader {
  readonly #folder: string;
  readonly #key: LogKey;
  readonly #stream: LogStream;
  /** Offset of the file that was opened last. */
  #last = -1;
  #position = 0;
  /** Of a file that grows: it is read to its end here even when its name has gone. */
  #growing: { readonly handle: FileHandle; readonly offset: number } | undefined;

  /** @param folder that of all logs */
  constructor(folder: string, key: LogKey, stream: LogStream) {
    this.#folder = folder;
    this.#key = key;
    this.#stream = stream;
  }

  /** Whether there was any file. */
  get hasFound(): boolean {
    return this.#last >= 0;
  }

  /**
   * What is new since the last call.
   *
   * @throws CommandError in one sentence when a file cannot be read
   */
  async *read(): AsyncGenerator<LogPart> {
    for (;;) {
      yield* this.#grown();
      const next = (await this.#files()).find(({ offset }) => offset > this.#last);
      if (next === undefined) return;
      // There is a next one: nothing is added to this one any more.
      yield* this.#grown();
      await this.close();
      const handle = await open(next.path).catch((error: NodeJS.ErrnoException) => {
        // Compressed or removed meanwhile.
        if (error.code !== 'ENOENT') throw unreadable(next.path, error);
      });
      if (handle === undefined) continue;
      this.#last = next.offset;
      if (next.offset > this.#position) yield { notKept: next.offset - this.#position };
      this.#position = next.offset;
      if (next.isCompressed) yield* this.#uncompressed(next.path, handle);
      else this.#growing = { handle, offset: next.offset };
    }
  }

  async close(): Promise<void> {
    const growing = this.#growing;
    this.#growing = undefined;
    await growing?.handle.close();
  }

  async *#grown(): AsyncGenerator<Uint8Array> {
    if (this.#growing === undefined) return;
    const { handle, offset } = this.#growing;
    for (;;) {
      const bytes = Buffer.alloc(CHUNK_BYTES);
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, this.#position - offset);
      if (bytesRead === 0) return;
      this.#position += bytesRead;
      yield bytes.subarray(0, bytesRead);
    }
  }

  async *#uncompressed(path: string, handle: FileHandle): AsyncGenerator<Uint8Array> {
    const gunzip = createGunzip();
    // Errors come out where it is read.
    pipeline(handle.createReadStream(), gunzip, () => {});
    try {
      for await (const chunk of gunzip as AsyncIterable<Uint8Array>) {
        this.#position += chunk.length;
        yield chunk;
      }
    } catch (error) {
      throw unreadable(path, error);
    }
  }

  /** The files of the stream in their order. */
  async #files(): Promise<FoundFile[]> {
    const job = jobLogFolder(this.#key.jobId);
    const writers = await namesIn(join(this.#folder, LIVE_FOLDER));
    const live = writers.map((writer) => join(this.#folder, LIVE_FOLDER, writer, job));
    const attempt = attemptName(this.#key);
    const found: FoundFile[] = [];
    // What grows first: what is compressed in between is found then.
    for (const folder of [...live, join(this.#folder, job)]) {
      for (const name of await namesIn(folder)) {
        const file = parseLogFile(name);
        if (file?.attempt === attempt && file.stream === this.#stream)
          found.push({ path: join(folder, name), offset: file.offset, isCompressed: file.isCompressed });
      }
    }
    return found.sort((a, b) => a.offset - b.offset);
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw unreadable(folder, error);
  });
}

function unreadable(path: string, error: unknown): CommandError {
  return new CommandError(`\`${path}\` cannot be read: ${(error as Error).message}`, { cause: error });
}
