import { runProcess } from '../cli/main.ts';
import { Daemon, daemonCommand } from '../container/daemon.ts';
import { MemoryRunStore } from '../shared/adapters/memory-run-store.ts';
import { SYSTEM_CLOCK } from '../shared/adapters/system-clock.ts';

/** Longer than any history is kept. Milliseconds. */
const AGES_MS = 1e12;

/** Looks through all runs that it has for each claim, so what is over goes with the next clean-up. */
class ForgetfulRunStore extends MemoryRunStore {
  override prune(now: number): Promise<number> {
    return super.prune(now + AGES_MS, Number.POSITIVE_INFINITY);
  }
}

/** The command line with a daemon that loses its runs when it ends. */
const machine = { clock: SYSTEM_CLOCK, openStore: () => new ForgetfulRunStore() };
await runProcess([{ ...daemonCommand, run: (invocation, io) => new Daemon(invocation, io, machine).run() }]);
