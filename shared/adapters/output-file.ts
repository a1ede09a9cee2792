import { randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Masker } from '../core/run/mask.ts';
import { OUTPUT_TAIL_BYTES, type OutputTail } from '../core/run/run.ts';
import type { LogSource } from './stream-log.ts';

/** A file is emptied when it grows beyond this: its end is kept, the disk is not filled. Bytes. */
const LARGEST_OUTPUT = 64 * 2 ** 20;
/** Secrets longer than this may be cut where a file was emptied. Bytes. */
const KEPT_WHEN_EMPTIED = OUTPUT_TAIL_BYTES + 64 * 1024;
/** The longest UTF-8 character has this many bytes after its first. */
const MOST_CONTINUATIONS = 3;

/** A file without a name that a command writes to. */
export class OutputFile implements LogSource {
  readonly fd: number;
  readonly #largest: number;
  /** Bytes of the file as it is that were taken or skipped. */
  #taken = 0;
  /** Size at the end of the command: what others add to it is not its own. */
  #sealed: number | undefined;
  /** The end of what was written before the file was last emptied. */
  #kept: Buffer = Buffer.alloc(0);
  /** Bytes that came before what is kept. */
  #dropped = 0;

  /**
   * @param largest bytes beyond which it is emptied
   * @throws Error when it cannot be made
   */
  constructor(folder: string, largest = LARGEST_OUTPUT) {
    this.#largest = largest;
    // Appending, so that a writer goes on at the start after the file was emptied.
    this.fd = openNameless(folder, constants.O_APPEND);
  }

  /**
   * Empties the file when it has grown too large.
   *
   * @param rescue what has to be taken is taken by this
   */
  limit(rescue?: () => void): void {
    const { size } = fstatSync(this.fd);
    if (size <= this.#largest) return;
    rescue?.();
    const kept = this.#end(size, KEPT_WHEN_EMPTIED);
    ftruncateSync(this.fd, 0);
    this.#taken = 0;
    this.#dropped += this.#kept.length + size - kept.length;
    this.#kept = kept;
  }

  /** The command has ended: nothing is added any more to what can be taken. */
  seal(): void {
    this.#sealed = fstatSync(this.fd).size;
  }

  get untaken(): number {
    return Math.max(0, (this.#sealed ?? fstatSync(this.fd).size) - this.#taken);
  }

  take(most: number): Buffer {
    const bytes = Buffer.alloc(Math.min(most, this.untaken));
    const got = readSync(this.fd, bytes, 0, bytes.length, this.#taken);
    this.#taken += got;
    return bytes.subarray(0, got);
  }

  skip(bytes: number): void {
    this.#taken += bytes;
  }

  /** @param masker for bytes, each written as one character */
  tail(masker: Masker): OutputTail {
    const { size } = fstatSync(this.fd);
    const total = this.#dropped + this.#kept.length + size;
    // More than is kept, so that a secret is whole when it is looked for.
    const raw = this.#end(size, OUTPUT_TAIL_BYTES + masker.longest);
    const isCut = raw.length < total;
    const masked = Buffer.from(masker.mask(raw.toString('latin1')), 'latin1');
    // What the cut left of a secret: masking only shortens, so it stands in these bytes still.
    const doubtful = isCut ? Math.min(masked.length, Math.max(0, masker.longest - 1)) : 0;
    const { text, droppedBytes } = lastBytes(masked.subarray(doubtful), isCut);
    return { text, droppedBytes: total - raw.length + doubtful + droppedBytes };
  }

  close(): void {
    closeSync(this.fd);
  }

  /** The last bytes of all that is still there. */
  #end(size: number, wanted: number): Buffer {
    const fromFile = Math.min(size, wanted);
    const bytes = Buffer.alloc(fromFile);
    const got = fromFile === 0 ? 0 : readSync(this.fd, bytes, 0, fromFile, size - fromFile);
    const fromKept = Math.min(this.#kept.length, wanted - fromFile);
    return Buffer.concat([this.#kept.subarray(this.#kept.length - fromKept), bytes.subarray(0, got)]);
  }
}

/**
 * A file without a name that a command reads; a command can open it anew as `/dev/stdin`, which it cannot a socket.
 *
 * @throws Error when it cannot be made
 */
export function inputFile(folder: string, text: string): { readonly fd: number; close(): void } {
  const fd = openNameless(folder, 0);
  try {
    const bytes = Buffer.from(text);
    // At positions, so that the reader begins at the start.
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, at);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { fd, close: () => closeSync(fd) };
}

/** The end of an output as it is kept: from the beginning of a character, where something came before it. */
export function lastBytes(bytes: Buffer, isCutBefore: boolean): OutputTail {
  let start = Math.max(0, bytes.length - OUTPUT_TAIL_BYTES);
  for (let n = 0; (isCutBefore || start > 0) && n < MOST_CONTINUATIONS; n++) {
    if (!isContinuation(bytes[start])) break;
    start++;
  }
  return { text: bytes.toString('utf8', start), droppedBytes: start };
}

function openNameless(folder: string, flags: number): number {
  const path = join(folder, `kuber-cron-${randomUUID()}`);
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | flags, 0o600);
  unlinkSync(path);
  return fd;
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
