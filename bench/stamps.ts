import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The coarsest clock that a kernel may stamp files by: a stamp may lie this much before the truth. Milliseconds. */
const CLOCK_TICK_MS = 10;

/** What became of the runs of one minute. */
export interface Starts {
  readonly ran: number;
  readonly lost: number;
  readonly doubled: number;
  readonly early: number;
  /** Of each that ran, from its instant to its start. Milliseconds. */
  readonly delays: readonly number[];
}

/**
 * Commands that leave a mark of when they start: each appends a line to a file of its own, so the file's time is the
 * time of the start and its size tells how often. The shell does that itself: no program, no clock and no lock disturb
 * what is measured.
 */
export class Stamps {
  readonly commands: readonly string[];
  readonly #files: readonly string[];

  constructor(folder: string, count: number) {
    mkdirSync(folder);
    this.#files = Array.from({ length: count }, (_, index) => join(folder, String(index)));
    this.commands = this.#files.map((file) => `echo >> ${file}`);
    this.reset();
  }

  reset(): void {
    for (const file of this.#files) {
      writeFileSync(file, '');
      // Linux stamps a file by its finest clock only after somebody has asked for the last stamp.
      statSync(file);
    }
  }

  get areComplete(): boolean {
    return this.#files.every((file) => statSync(file).size > 0);
  }

  /** Since the last `reset`. */
  since(instant: number): Starts {
    const files = this.#files.map((file) => statSync(file, { bigint: true })).filter(({ size }) => size > 0n);
    const delays = files.map(({ mtimeNs }) => Number(mtimeNs - BigInt(instant) * 1_000_000n) / 1e6);
    return {
      ran: files.length,
      lost: this.#files.length - files.length,
      doubled: files.filter(({ size }) => size > 1n).length,
      early: delays.filter((delay) => delay < -CLOCK_TICK_MS).length,
      delays,
    };
  }
}
