import type { Target } from '../crontab/options.ts';
import type { EpochMs } from '../schedule/zone-table.ts';
import { downtimeWork, type JobInForce, pendingWork, type Work } from './ledger-work.ts';
import type { PauseInterval } from './pause.ts';
import { jobIdOf } from './run-id.ts';
import type { ActivePlan, RunStore } from './run-store.ts';
import { ON_TIME_MS } from './settle.ts';

/** Pending runs that are looked at together. */
const PENDING_ROWS = 500;
/** More than there are: runs of others must not hide those that are looked for. */
const ALL_ROWS = 1_000_000;

/** What came of a piece of work. */
export interface CarriedOut {
  /** How many runs it changed. */
  readonly changed: number;
  /** Instants whose claims the store did not answer, by job. */
  readonly failed: ReadonlyMap<string, EpochMs>;
  /** The first thing that went wrong. */
  readonly error?: unknown;
}

export interface LedgerPorts {
  readonly store: Pick<RunStore, 'pending' | 'pauses' | 'answeredUntil'>;
  readonly target: Target;
  /** Writes what is answered and owed, claims what is due and sees that it starts. */
  readonly carryOut: (work: Work) => Promise<CarriedOut>;
}

/**
 * Starts pending runs whose time has come, and ends those that are pointless.
 *
 * @param planned see `pendingWork`
 * @throws what the store said; the rest is found by the next pass
 */
export async function startPending(
  { store, target, carryOut }: LedgerPorts,
  planned: (jobId: string) => JobInForce | 'gone' | undefined,
  now: EpochMs,
): Promise<void> {
  for (let changed = 1; changed > 0; ) {
    const work = pendingWork(await store.pending(now, PENDING_ROWS), planned, target, now);
    const carried = await carryOut(work);
    if (carried.error !== undefined) throw carried.error;
    changed = carried.changed;
  }
}

/**
 * Ends pending runs that nobody will start, whatever their time.
 *
 * @param isConcerned whether a run is one of them, by its job
 * @throws what the store said; the rest is ended by the next call
 */
export async function endPending(
  { store, target, carryOut }: LedgerPorts,
  isConcerned: (jobId: string) => boolean,
  now: EpochMs,
): Promise<void> {
  for (;;) {
    const pending = await store.pending(Number.MAX_SAFE_INTEGER, ALL_ROWS);
    const own = pending.filter(({ jobId }) => isConcerned(jobId));
    if (own.length === 0) return;
    const { error } = await carryOut(pendingWork(own, () => 'gone', target, now));
    if (error !== undefined) throw error;
  }
}

/** A stretch of time in which nobody looked. */
export interface Downtime {
  /** The plan that was in force then … */
  readonly old: ActivePlan;
  /** … and the one whose rules decide now. */
  readonly active: ActivePlan;
  readonly after: EpochMs;
  readonly until: EpochMs;
}

/**
 * Answers what fell due in a downtime.
 *
 * @param settled how far each job is answered, where that is further than the beginning; kept up to date, so that a
 *   call that failed can be made again
 * @throws what the store said
 */
export async function settleDowntime(
  ports: LedgerPorts,
  { old, active, after, until }: Downtime,
  settled: Map<string, EpochMs>,
): Promise<void> {
  const jobIds = old.plan.jobs.map(({ name }) => jobIdOf(old.plan.crontab, name));
  const known = await Promise.all(jobIds.map((jobId) => knownOf(ports.store, jobId, after, until)));
  const pauses = new Map(jobIds.map((jobId, index) => [jobId, known[index]?.pauses ?? []]));
  for (const [index, jobId] of jobIds.entries()) {
    settled.set(jobId, Math.max(settled.get(jobId) ?? after, known[index]?.answeredUntil ?? after));
  }
  for (let isDone = false; !isDone; ) {
    const { work, partly } = downtimeWork(
      old,
      active,
      ports.target,
      (jobId) => settled.get(jobId) ?? after,
      until,
      (jobId) => ({ pauses: pauses.get(jobId) }),
    );
    const { failed, error } = await ports.carryOut(work);
    for (const jobId of jobIds) {
      const failedAt = failed.get(jobId);
      settled.set(jobId, failedAt === undefined ? (partly.get(jobId) ?? until) : failedAt - 1);
    }
    if (error !== undefined) throw error;
    isDone = partly.size === 0;
  }
  for (const jobId of jobIds) settled.delete(jobId);
}

/** What the store knows of a stretch of time in which nobody looked, or somebody who died. */
export interface KnownOfStretch {
  readonly pauses: readonly PauseInterval[];
  /** Up to here its due instants have answers. */
  readonly answeredUntil: EpochMs;
}

/** @param after the beginning, exclusive */
export async function knownOf(
  store: LedgerPorts['store'],
  jobId: string,
  after: EpochMs,
  until: EpochMs,
): Promise<KnownOfStretch> {
  const [answeredUntil, pauses] = await Promise.all([
    store.answeredUntil(jobId, after, until),
    // In a shorter stretch there is one instant, and its claim looks at the pauses.
    until - after <= ON_TIME_MS ? [] : store.pauses(jobId),
  ]);
  return { pauses, answeredUntil: answeredUntil ?? after };
}
