import type { Io, Output } from '../shared/adapters/command-line.ts';
import { printable } from '../shared/core/diagnostic-text.ts';

/** What takes longer than this is worth a word. Milliseconds. */
const PATIENCE_MS = 1000;
/** Between two looks of the line, so that it costs nothing. Milliseconds. */
const REDRAW_MS = 100;
/** Checking more than this takes about as long as `PATIENCE_MS`, in one go. Bytes. */
const MANY_BYTES = 2 * 2 ** 20;

/** One line on a terminal that says what takes so long, and goes when it is over. */
export class Progress {
  readonly #output: Output;
  readonly #monotonic: () => number;
  readonly #start: number;
  #drawnAt = Number.NEGATIVE_INFINITY;

  /** @param monotonic milliseconds since some fixed moment */
  constructor({ stderr }: Pick<Io, 'stderr'>, monotonic: () => number = () => performance.now()) {
    this.#output = stderr;
    this.#monotonic = monotonic;
    this.#start = monotonic();
  }

  /** Says what comes now. @param bytes what it has to go through, when it cannot be interrupted */
  show(text: string, bytes = 0): void {
    if (this.#output.isTTY !== true) return;
    const now = this.#monotonic();
    if (bytes < MANY_BYTES && (now - this.#start < PATIENCE_MS || now - this.#drawnAt < REDRAW_MS)) return;
    this.#drawnAt = now;
    // A line that wraps could not be erased.
    this.#output.write(`\r${printable(text).slice(0, (this.#output.columns ?? 80) - 1)}\u001b[K`);
  }

  /** Takes the line away; before anything else is written. */
  clear(): void {
    if (this.#drawnAt === Number.NEGATIVE_INFINITY) return;
    this.#drawnAt = Number.NEGATIVE_INFINITY;
    this.#output.write('\r\u001b[K');
  }
}
