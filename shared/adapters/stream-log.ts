import { constants } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import type { Masker } from '../core/run/mask.ts';

/** What is read, masked and written in one go: between two of them everything else has its turn. Bytes. */
const SLICE_BYTES = 128 * 1024;
/** The end of a stream is kept in so many files, of which the oldest goes when another one begins. */
const END_FILES = 4;

/** What a command writes, as it comes. */
export interface LogSource {
  /** Bytes that were written and neither taken nor skipped. */
  readonly untaken: number;
  /** The next bytes, at most so many. @throws Error when they cannot be read */
  take(most: number): Buffer;
  skip(bytes: number): void;
}

/** Where a stream's files lie. */
export interface LogPlace {
  /** Path of the file whose first byte stands at an offset of the stream; its folder is made. */
  pathAt(offset: number): Promise<string>;
  /** Told of whatever cannot be read or written. */
  failed(error: unknown): void;
}

interface Piece {
  readonly path: string;
  bytes: number;
}

/**
 * Copies what a command writes to files, masked. Of what is more than `keptBytes` the beginning and the end are kept,
 * half of it each; the offsets in the files' names say how much is left out in between.
 *
 * The files are contiguous. Bytes are left out when a command writes faster than they are copied, too: then what is
 * kept of the end begins anew behind them.
 */
export class StreamLog {
  readonly #source: LogSource;
  readonly #masker: Masker;
  readonly #place: LogPlace;
  readonly #halfBytes: number;
  /** Taken before the source was emptied: bytes, or how many were left out. */
  #rescued: (Buffer | number)[] = [];
  #beginning: Piece | undefined;
  #isBeginningOver = false;
  #end: Piece[] = [];
  /** Bytes of the stream until now: masked, or left out. */
  #position = 0;
  /** Masked bytes to come that can be the rest of a secret, whose beginning was left out. */
  #doubtful = 0;
  #masked: ReturnType<Masker['stream']>;
  #ready: Buffer[] = [];
  #file: { readonly piece: Piece; readonly handle: FileHandle } | undefined;
  #pumping: Promise<void> | undefined;

  /**
   * @param masker for bytes, each written as one character
   * @param keptBytes most bytes that the files hold
   */
  constructor(source: LogSource, masker: Masker, place: LogPlace, keptBytes: number) {
    this.#source = source;
    this.#masker = masker;
    this.#place = place;
    this.#halfBytes = Math.max(END_FILES, Math.floor(keptBytes / 2));
    this.#masked = this.#maskedStream();
  }

  get hasFiles(): boolean {
    return this.#beginning !== undefined || this.#end.length > 0;
  }

  /** Files that hold something, in order. */
  get paths(): readonly string[] {
    return [...(this.#beginning === undefined ? [] : [this.#beginning]), ...this.#end].map(
      ({ path }) => path,
    );
  }

  /** Copies what is new. Never rejects. */
  pump(): Promise<void> {
    this.#pumping ??= this.#copy().finally(() => {
      this.#pumping = undefined;
    });
    return this.#pumping;
  }

  /** Takes what is to be kept of a source that is about to be emptied. @throws Error when it cannot be read */
  rescue(): void {
    if (!this.#isBeginningOver) this.#take(this.#halfBytes - this.#position - sumOf(this.#rescued));
    const excess = this.#source.untaken - this.#halfBytes;
    if (excess > 0) {
      this.#source.skip(excess);
      // Of what still waits only the beginning is not superseded by what comes now.
      const isBeginning = !this.#isBeginningOver && typeof this.#rescued[0] === 'object';
      this.#rescued.push(sumOf(this.#rescued.splice(isBeginning ? 1 : 0)) + excess);
    }
    this.#take(this.#halfBytes);
  }

  #take(most: number): void {
    if (most > 0 && this.#source.untaken > 0) this.#rescued.push(this.#source.take(most));
  }

  /** Copies the rest of a source to which nothing is added any more. Never rejects. */
  async finish(): Promise<void> {
    // A copy that is under way may have looked for the last time.
    await this.pump();
    await this.pump();
    this.#masked.end();
    await this.#write(this.#takeReady());
    await this.#close();
  }

  async #copy(): Promise<void> {
    try {
      for (let next = this.#next(); next !== undefined; next = this.#next()) {
        if (typeof next === 'number') {
          // Neither the beginning of a secret before the gap may be seen, nor the end of one behind it.
          this.#masked = this.#maskedStream();
          this.#doubtful = Math.max(0, this.#masker.longest - 1);
          await this.#leaveOut(next);
        } else await this.#write(this.#mask(next));
      }
    } catch (error) {
      this.#place.failed(error);
    } finally {
      await this.#close();
    }
  }

  /** Bytes to copy, or how many are left out; undefined when there is nothing new. */
  #next(): Buffer | number | undefined {
    const rescued = this.#rescued.shift();
    if (typeof rescued === 'number') return rescued;
    if (rescued !== undefined) {
      if (rescued.length > SLICE_BYTES) this.#rescued.unshift(rescued.subarray(SLICE_BYTES));
      return rescued.subarray(0, SLICE_BYTES);
    }
    const { untaken } = this.#source;
    if (untaken === 0) return undefined;
    const excess = this.#isBeginningOver ? untaken - this.#halfBytes : 0;
    if (excess <= 0) return this.#source.take(SLICE_BYTES);
    this.#source.skip(excess);
    return excess;
  }

  #maskedStream() {
    return this.#masker.stream((part) => void this.#ready.push(Buffer.from(part, 'latin1')));
  }

  #mask(bytes: Buffer): Buffer {
    if (this.#masker.longest === 0) return bytes;
    this.#masked.write(bytes.toString('latin1'));
    return this.#takeReady();
  }

  #takeReady(): Buffer {
    return Buffer.concat(this.#ready.splice(0));
  }

  async #write(bytes: Buffer): Promise<void> {
    const doubtful = Math.min(bytes.length, this.#doubtful);
    if (doubtful > 0) {
      this.#doubtful -= doubtful;
      await this.#leaveOut(doubtful);
    }
    let rest = bytes.subarray(doubtful);
    try {
      while (rest.length > 0) {
        const { piece, handle } = await this.#fileWithRoom();
        const part = rest.subarray(0, this.#roomIn(piece));
        const { bytesWritten } = await handle.write(part);
        piece.bytes += bytesWritten;
        this.#position += bytesWritten;
        rest = rest.subarray(bytesWritten);
      }
    } catch (error) {
      this.#place.failed(error);
      await this.#leaveOut(rest.length);
    }
  }

  #roomIn(piece: Piece): number {
    const most = piece === this.#beginning ? this.#halfBytes : Math.floor(this.#halfBytes / END_FILES);
    return most - piece.bytes;
  }

  async #fileWithRoom(): Promise<{ piece: Piece; handle: FileHandle }> {
    const last = this.#end.at(-1) ?? (this.#isBeginningOver ? undefined : this.#beginning);
    if (last !== undefined && this.#roomIn(last) > 0) {
      // Not made anew: one that has vanished is a fault, and the next one says where it begins.
      this.#file ??= {
        piece: last,
        handle: await open(last.path, constants.O_WRONLY | constants.O_APPEND),
      };
      return this.#file;
    }
    await this.#close();
    if (this.#beginning !== undefined) this.#isBeginningOver = true;
    const path = await this.#place.pathAt(this.#position);
    const handle = await open(path, 'a', 0o600);
    const piece: Piece = { path, bytes: 0 };
    this.#file = { piece, handle };
    if (this.#isBeginningOver) {
      this.#end.push(piece);
      await remove(this.#end.splice(0, Math.max(0, this.#end.length - END_FILES)));
    } else this.#beginning = piece;
    return this.#file;
  }

  /** What comes next is not contiguous with what is there. */
  async #leaveOut(bytes: number): Promise<void> {
    this.#position += bytes;
    await this.#close();
    this.#isBeginningOver = true;
    await remove(this.#end.splice(0));
    if (this.#beginning?.bytes !== 0) return;
    await remove([this.#beginning]);
    this.#beginning = undefined;
  }

  /** Between two copies no file is open: a thousand commands that wait cost none. */
  async #close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.handle.close().catch(() => {});
  }
}

function sumOf(bytes: readonly (Buffer | number)[]): number {
  return bytes.reduce<number>((sum, one) => sum + (typeof one === 'number' ? one : one.length), 0);
}

async function remove(pieces: readonly Piece[]): Promise<void> {
  for (const { path } of pieces) await rm(path, { force: true }).catch(() => {});
}
