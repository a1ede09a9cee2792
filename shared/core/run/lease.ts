import type { Clock } from './ports.ts';
import type { Owner, Reason, Run } from './run.ts';
import type { RunKey, RunStore } from './run-store.ts';

/** How long a run is its owner's after it was last extended. Milliseconds. */
export const LEASE_MS = 5 * 60_000;
/** How often it is extended. Milliseconds. */
export const HEARTBEAT_MS = 20_000;
/** How often leases are looked at, and a heartbeat that failed is repeated. Milliseconds. */
const TICK_MS = 5_000;
/** What remains of a lease when an owner that cannot extend it stops its command: TERM, grace, KILL, and over 30 s. Milliseconds. */
const STOPPED_BEFORE_MS = 50_000;

interface Kept {
  readonly key: RunKey;
  readonly token: string;
  readonly onStop: (reason: Reason) => void;
  /** End of the lease on the monotonic clock, reckoned from before the store was asked. */
  until: number;
  isStopped: boolean;
}

export interface LeaseKeeperOptions {
  /** How often runs are looked at for a wish to end them, where that costs little; else with each heartbeat. */
  readonly lookEveryMs?: number;
  readonly onError?: (error: unknown) => void;
}

/** Keeps the leases of one process's runs, and hears who wants them ended. All are extended in one turn. */
export class LeaseKeeper {
  readonly #store: Pick<RunStore, 'extend' | 'run'>;
  readonly #clock: Clock;
  readonly #options: LeaseKeeperOptions;
  readonly #kept = new Map<string, Kept>();
  #isGoingRound = false;
  #isAsking = false;
  #nextBeat = 0;
  #wake = new AbortController();

  constructor(store: Pick<RunStore, 'extend' | 'run'>, clock: Clock, options: LeaseKeeperOptions = {}) {
    this.#store = store;
    this.#clock = clock;
    this.#options = options;
  }

  /**
   * Keeps the lease of a run that was claimed just now.
   *
   * @param onStop called once, when the command shall end: its reason says why
   * @returns what ends the keeping
   */
  keep(run: Run, onStop: (reason: Reason) => void): () => void {
    const token = run.owner?.token;
    if (token === undefined) throw new Error(`run ${run.runId} is not claimed`);
    const { jobId, runId } = run;
    const id = `${jobId} ${runId}`;
    const until = this.#clock.monotonic() + (run.leaseUntil ?? 0) - this.#clock.now();
    const kept = { key: { jobId, runId }, token, onStop, until, isStopped: false };
    this.#kept.set(id, kept);
    void this.#goRound();
    return () => {
      if (this.#kept.get(id) === kept) this.#kept.delete(id);
      if (this.#kept.size === 0) this.#wake.abort();
    };
  }

  async #goRound(): Promise<void> {
    if (this.#isGoingRound) return;
    this.#isGoingRound = true;
    const { lookEveryMs = HEARTBEAT_MS } = this.#options;
    this.#nextBeat = this.#clock.monotonic() + HEARTBEAT_MS;
    while (this.#kept.size > 0) {
      this.#wake = new AbortController();
      await this.#clock.sleep(Math.min(lookEveryMs, TICK_MS), this.#wake.signal);
      // A store that hangs must not keep the end of a lease from being seen.
      if (!this.#isAsking) void this.#ask(lookEveryMs < HEARTBEAT_MS);
      this.#stopLate();
    }
    this.#isGoingRound = false;
  }

  async #ask(isLooking: boolean): Promise<void> {
    this.#isAsking = true;
    if (this.#clock.monotonic() >= this.#nextBeat) {
      const isFine = await this.#beat();
      this.#nextBeat = this.#clock.monotonic() + (isFine ? HEARTBEAT_MS : 0);
    } else if (isLooking) await this.#look();
    this.#isAsking = false;
  }

  async #beat(): Promise<boolean> {
    const asked = this.#clock.monotonic();
    let problem: unknown;
    const leaseUntil = this.#clock.now() + LEASE_MS;
    const beats = await Promise.all(
      [...this.#kept.values()].map(async (kept) => {
        const { jobId, runId } = kept.key;
        try {
          const lease = await this.#store.extend(jobId, runId, kept.token, leaseUntil);
          if (lease === undefined) this.#stop(kept, 'lease-lost');
          else {
            kept.until = asked + LEASE_MS;
            if (lease.cancelRequest !== undefined) this.#stop(kept, stopReason(lease.cancelRequest.verb));
          }
          return true;
        } catch (error) {
          problem ??= error;
          return false;
        }
      }),
    );
    // Once for all of them: each would say the same.
    if (problem !== undefined) this.#options.onError?.(problem);
    return beats.every((isFine) => isFine);
  }

  async #look(): Promise<void> {
    for (const kept of [...this.#kept.values()]) {
      const { jobId, runId } = kept.key;
      // What fails here is heard of at the next heartbeat.
      const run = await this.#store.run(jobId, runId).catch(() => undefined);
      const request = run?.cancelRequest;
      if (request !== undefined && run?.owner?.token === kept.token)
        this.#stop(kept, stopReason(request.verb));
    }
  }

  /** Whoever sees the lease end takes the run for lost and may start it again: nothing of it must be left by then. */
  #stopLate(): void {
    const now = this.#clock.monotonic();
    for (const kept of this.#kept.values()) {
      if (now >= kept.until - STOPPED_BEFORE_MS) this.#stop(kept, 'lease-lost');
    }
  }

  #stop(kept: Kept, reason: Reason): void {
    // It may be over meanwhile, and then the store is right to know nothing of it.
    if (kept.isStopped || this.#kept.get(`${kept.key.jobId} ${kept.key.runId}`) !== kept) return;
    kept.isStopped = true;
    kept.onStop(reason);
  }
}

function stopReason(verb: 'cancel' | 'replace' | 'retry' | 'backfill'): Reason {
  return verb === 'replace' ? 'replaced' : 'requested';
}

/** A run that nobody is left to end. */
export interface LostRun {
  readonly run: Run;
  readonly reason: 'owner-died' | 'lease-expired';
}

/** A lease and since when it is seen unchanged, on the monotonic clock. */
interface Seen {
  readonly lease: string;
  readonly since: number;
}

/** Sees which owners of runs are gone. */
export class LeaseWatch {
  readonly #clock: Clock;
  #seen = new Map<string, Seen>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Of the runs that are claimed or running, those whose owner died, or has not extended its lease for as long as one
   * lasts. That is measured here: the clocks of two machines may differ, and ours may jump.
   *
   * @param isAlive whether an owner lives; undefined when that cannot be seen from here
   * @param isOwn whether this process itself sees to the run
   */
  lost(
    unfinished: readonly Run[],
    isAlive: (owner: Owner) => boolean | undefined,
    isOwn: (run: Run) => boolean,
  ): LostRun[] {
    const now = this.#clock.monotonic();
    const seen = new Map<string, Seen>();
    const lost: LostRun[] = [];
    for (const run of unfinished) {
      const { owner } = run;
      if (owner === undefined || isOwn(run)) continue;
      if (isAlive(owner) === false) {
        lost.push({ run, reason: 'owner-died' });
        continue;
      }
      const id = `${run.jobId} ${run.runId}`;
      const lease = `${owner.token} ${run.leaseUntil}`;
      const before = this.#seen.get(id);
      const since = before?.lease === lease ? before.since : now;
      seen.set(id, { lease, since });
      if (now - since > LEASE_MS) lost.push({ run, reason: 'lease-expired' });
    }
    this.#seen = seen;
    return lost;
  }
}
