import type { Clock } from '../../shared/core/run/ports.ts';

interface Sleeper {
  readonly until: number;
  readonly wake: () => void;
}

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #now: number;
  #monotonic = 0;
  #sleepers: Sleeper[] = [];
  readonly #settled: () => Promise<void>;

  /** @param whenSettled resolves when everything that can go on without time passing has done so */
  constructor(now: number, whenSettled: () => Promise<void> = settled) {
    this.#now = now;
    this.#settled = whenSettled;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        signal?.removeEventListener('abort', wake);
        this.#sleepers = this.#sleepers.filter((one) => one.wake !== wake);
        resolve();
      };
      signal?.addEventListener('abort', wake);
      this.#sleepers.push({ until: this.#monotonic + ms, wake });
    });
  }

  /** How many calls of `sleep` have not ended. */
  get sleepers(): number {
    return this.#sleepers.length;
  }

  /** Lets time pass: wakes sleepers in the order of their ends, each at its own time, and lets all that follows run. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    await this.#settled();
    for (;;) {
      const [next] = this.#sleepers.filter(({ until }) => until <= end).sort((a, b) => a.until - b.until);
      if (next === undefined) break;
      this.#pass(next.until - this.#monotonic);
      next.wake();
      await this.#settled();
    }
    this.#pass(end - this.#monotonic);
  }

  /** Sets the wall clock, as an administrator or a time server does: no time passes. */
  jumpTo(now: number): void {
    this.#now = now;
  }

  #pass(ms: number): void {
    this.#now += ms;
    this.#monotonic += ms;
  }
}

/** Resolves when everything that can go on without time passing has done so. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
