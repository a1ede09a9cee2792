import { StoreError } from '../../shared/adapters/store-error.ts';
import type { Clock } from '../../shared/core/run/ports.ts';
import type { RunStore } from '../../shared/core/run/run-store.ts';

/** What befalls a call: nothing, refused, answered by an error after it was done, late, or refused as locked. */
export const CALL_FAULTS = ['before', 'after', 'slow', 'busy'] as const;
export type CallFault = 'none' | (typeof CALL_FAULTS)[number];

/** A slow store takes this long. Milliseconds. */
const SLOW_MS = 40_000;

/** Makes any call of a run store fail, reads too. */
export class CallFaults {
  /** What befalls the nth call of a method, from 1. */
  next: (method: string, nth: number) => CallFault = () => 'none';
  /** Calls so far, by method. */
  readonly calls = new Map<string, number>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * A store that is the given one but for the faults.
   *
   * @param isDead whether the process that calls it is: then nothing more is done for it, and it hears nothing
   */
  of(store: RunStore, isDead: () => boolean = () => false): RunStore {
    return new Proxy(store, {
      get: (target, name) => {
        const call = Reflect.get(target, name);
        if (typeof call !== 'function' || typeof name !== 'string' || name === 'close') return call;
        return async (...args: unknown[]) => {
          const nth = (this.calls.get(name) ?? 0) + 1;
          this.calls.set(name, nth);
          const fault = this.next(name, nth);
          if (fault === 'before') throw new Error(`${name} is refused`);
          if (fault === 'busy') throw new StoreError('busy', 'store.sqlite');
          if (fault === 'slow') await this.#clock.sleep(SLOW_MS);
          if (isDead()) return new Promise(() => {});
          const result = await call.apply(target, args);
          if (isDead()) return new Promise(() => {});
          if (fault === 'after') throw new Error(`the answer to ${name} is lost`);
          return result;
        };
      },
    });
  }
}
