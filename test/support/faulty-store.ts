import type { RunStore } from '../../shared/core/run/run-store.ts';

/** What a store does about a write: takes it, refuses it, or takes it and then says that it failed. */
export type Fault = 'none' | 'before' | 'after';

const WRITES = [
  'claim',
  'start',
  'extend',
  'finish',
  'settle',
  'owe',
  'endPending',
  'release',
  'handOut',
  'takeTurn',
  'setCursor',
  'setActivePlan',
] as const;
type Write = (typeof WRITES)[number];

/** Makes the writes of a run store fail when a test says so. */
export class StoreFaults {
  /** What becomes of the next write. */
  next: (write: Write) => Fault = () => 'none';

  /** The next writes of a kind fail, one after the other; then all is well again. */
  fail(write: Write, ...faults: readonly Fault[]): void {
    const left = [...faults];
    this.next = (one) => (one === write ? (left.shift() ?? 'none') : 'none');
  }

  /** A store that is the given one but for the faults. */
  of(store: RunStore): RunStore {
    return new Proxy(store, {
      get: (target, name) => {
        const call = Reflect.get(target, name);
        if (typeof call !== 'function') return call;
        if (!(WRITES as readonly unknown[]).includes(name)) return call.bind(target);
        return async (...args: unknown[]) => {
          const fault = this.next(name as Write);
          if (fault === 'before') throw new Error(`${String(name)} is refused`);
          const result = await call.apply(target, args);
          if (fault === 'after') throw new Error(`the answer to ${String(name)} is lost`);
          return result;
        };
      },
    });
  }
}
