import type { RunStore } from '../core/run/run-store.ts';

/** A run store that is opened by its first use, and closed only if it was. Calls reach it in their order. */
export function lazyRunStore(open: () => Promise<RunStore>): RunStore {
  let opened: Promise<RunStore> | undefined;
  const methods = new Map<string | symbol, unknown>();
  return new Proxy({} as RunStore, {
    get(_target, name) {
      // A promise that resolves with the store must not take it for a promise.
      if (name === 'then') return undefined;
      const known = methods.get(name);
      if (known !== undefined) return known;
      const method = async (...args: unknown[]) => {
        if (name === 'close' && opened === undefined) return;
        opened ??= open();
        const store = (await opened) as unknown as Record<string | symbol, (...args: unknown[]) => unknown>;
        return await store[name]?.(...args);
      };
      methods.set(name, method);
      return method;
    },
  });
}
