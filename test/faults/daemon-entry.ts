/**
 * The daemon with a clock and a death of a test's own, from `FAULTS` in its environment. Everything else, commands
 * too, is as it is shipped.
 */
import { Daemon, daemonCommand } from '../../container/daemon.ts';
import { parseInvocation } from '../../shared/adapters/command-line.ts';
import { openDaemonStore } from '../../shared/adapters/open-store.ts';
import type { RunStore } from '../../shared/core/run/run-store.ts';
import { fastClock } from '../support/fault-clock.ts';
import type { Death, Faults } from '../support/fault-home.ts';

const { pace, death, isTimeTold = false } = JSON.parse(process.env.FAULTS as string) as Faults;

/** Dies by KILL at the nth call of a method, before it is made or when it is answered. */
function mortal(store: RunStore, { method, nth, moment }: Death): RunStore {
  let calls = 0;
  return new Proxy(store, {
    get: (target, name) => {
      const call = Reflect.get(target, name);
      if (typeof call !== 'function') return call;
      if (name !== method) return call.bind(target);
      return async (...args: unknown[]) => {
        const isLast = ++calls === nth;
        if (isLast && moment === 'before') process.kill(process.pid, 'SIGKILL');
        const result = await call.apply(target, args);
        if (isLast) process.kill(process.pid, 'SIGKILL');
        return result;
      };
    },
  });
}

/** A store whose own clock, which is not the test's, is not seen. */
function timeless(store: RunStore): RunStore {
  return new Proxy(store, {
    get: (target, name) => {
      const value = name === 'time' ? undefined : Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

const paced = fastClock(pace);
let correction = 0;
// As an administrator sets a clock: right, and wrong again.
process.on('SIGUSR2', () => {
  correction = correction === 0 ? Date.now() - paced.now() : 0;
});

const daemon = new Daemon(parseInvocation(daemonCommand, process.argv.slice(2)), process, {
  clock: { ...paced, now: () => paced.now() + correction },
  openStore: (location, retention) => {
    const opened = openDaemonStore(location, retention);
    const store = isTimeTold ? opened : timeless(opened);
    return death === undefined ? store : mortal(store, death);
  },
});
try {
  process.exitCode = await daemon.run();
} catch (error) {
  process.stderr.write(`${(error as Error).stack}\n`);
  process.exitCode = 3;
}
