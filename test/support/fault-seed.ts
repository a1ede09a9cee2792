/** The seed of this run of the fault suite. @throws Error when it is no whole number */
export const FAULT_SEED = readSeed(process.env.FAULT_SEED ?? '1');

function readSeed(text: string): number {
  const seed = Number(text);
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new Error(`FAULT_SEED is a whole number, got \`${text}\``);
  return seed;
}

/** A reproducible source of chances. Streams of different names from one seed know nothing of each other. */
export class Chance {
  #state: number;

  constructor(seed: number, name: string) {
    this.#state = seed | 0;
    for (const char of name) this.#state = Math.imul(this.#state ^ char.charCodeAt(0), 0x9e3779b1) | 0;
  }

  /** In [0, 1). @see mulberry32 */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number in [from, to]. */
  whole(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  percent(percent: number): boolean {
    return this.next() * 100 < percent;
  }

  of<T>(values: readonly T[]): T {
    return values[this.whole(0, values.length - 1)] as T;
  }
}
