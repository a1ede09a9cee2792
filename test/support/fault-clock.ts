import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../shared/core/run/ports.ts';

/** How a clock that runs fast follows the machine's. */
export interface Pace {
  /** What the machine's clock shows when the fast one shows `shown`. Epoch milliseconds. */
  readonly real: number;
  readonly shown: number;
  /** How many seconds pass in one. */
  readonly rate: number;
}

/** A clock that runs faster than the machine's, in step with any other of the same pace, whatever its process. */
export function fastClock({ real, shown, rate }: Pace): Clock {
  const monotonic = () => performance.now() * rate;
  return {
    now: () => Math.floor(shown + (performance.timeOrigin + performance.now() - real) * rate),
    monotonic,
    async sleep(ms, signal) {
      const until = monotonic() + ms;
      for (let left = ms; left > 0 && signal?.aborted !== true; left = until - monotonic()) {
        await sleep(Math.ceil(left / rate), undefined, signal === undefined ? {} : { signal }).catch(
          () => {},
        );
      }
    },
  };
}
