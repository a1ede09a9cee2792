import { StoreError, type StoreProblem } from '../shared/adapters/store-error.ts';
import type { Clock } from '../shared/core/run/ports.ts';
import type { EmitEvent } from './events.ts';

/** What passes without anybody's hand on this daemon: a table or disk that does not answer, a lock, a full disk. */
const PASSING: ReadonlySet<StoreProblem> = new Set(['failed', 'busy', 'full']);

/** The first wait after a failure, and the longest. Milliseconds. */
const WAIT_MS = { first: 1000, longest: 30_000 } as const;

export interface PatiencePorts {
  readonly clock: Pick<Clock, 'sleep'>;
  readonly random: () => number;
  readonly emit: EmitEvent;
  /** Ends the waiting. */
  readonly stopped: AbortSignal;
}

/**
 * Does work that needs the run store, again and again while the store cannot be reached: a supervisor's restart would
 * mend nothing, and would hide why. The waits double, with jitter.
 *
 * @returns undefined when it was stopped meanwhile
 * @throws what does not pass by itself, such as a store of another program
 */
export async function patiently<T>(
  work: () => T | Promise<T>,
  { clock, random, emit, stopped }: PatiencePorts,
): Promise<T | undefined> {
  for (let tries = 0; !stopped.aborted; tries++) {
    try {
      return await work();
    } catch (error) {
      const problem = storeErrorIn(error);
      if (problem === undefined || !PASSING.has(problem.problem)) throw error;
      emit({
        kind: 'error',
        message: 'the run store cannot be used yet; the daemon waits for it',
        error: problem,
      });
      const wait = Math.min(WAIT_MS.first * 2 ** tries, WAIT_MS.longest);
      await clock.sleep(wait / 2 + (random() * wait) / 2, stopped);
    }
  }
  return undefined;
}

/** The fault of a store that an error is, or comes from. */
function storeErrorIn(error: unknown): StoreError | undefined {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof StoreError) return at;
  return undefined;
}
