import type { Clock } from '../core/run/ports.ts';

/** Longer timers overflow in Node. Milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** The machine's own time. */
export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  async sleep(ms, signal) {
    const until = performance.now() + ms;
    // A timer may fire a millisecond early, and one is not enough for a long sleep.
    for (let left = ms; left > 0 && signal?.aborted !== true; left = until - performance.now()) {
      await oneTimer(Math.min(Math.ceil(left), LONGEST_TIMER), signal);
    }
  },
};

function oneTimer(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}
