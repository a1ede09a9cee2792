import type { PlannedJob } from '../plan/plan.ts';
import type { EpochMs } from '../schedule/zone-table.ts';
import { type FinalStatus, type Reason, type Run, startBy } from './run.ts';
import type { Finish } from './run-store.ts';
import { followsOrder, isReprocessed } from './run-transitions.ts';

/** Shortest and longest wait of a job that does not say. Milliseconds. */
const DEFAULT_BACKOFF = { minMs: 60_000, maxMs: 15 * 60_000 };

/** What decides about another attempt. */
export interface RetryPorts {
  /** The job's first due instant after one; undefined when there is none. */
  readonly nextDue: (after: EpochMs) => EpochMs | undefined;
  /** At least 0, below 1. */
  readonly random: () => number;
}

/** Why a run that failed has no other attempt. */
export type NoRetry = 'not-retryable' | 'used-up' | 'next-due';

/**
 * Whether a run whose attempt ended has another, and when. The wait is spread evenly between the shortest and one that
 * doubles with each attempt, so that what failed together does not come back together.
 */
export function retryOf(
  run: Run,
  job: PlannedJob,
  attempt: { readonly number: number; readonly status: FinalStatus; readonly reason?: Reason | undefined },
  at: EpochMs,
  { nextDue, random }: RetryPorts,
): NonNullable<Finish['retry']> | NoRetry {
  if (!isRetryable(attempt.status, attempt.reason) || run.trigger === 'manual') return 'not-retryable';
  const used = attemptsSinceAsked(run, attempt.number);
  if (used > (job.options.retries ?? 0)) return 'used-up';
  const { minMs, maxMs } = job.options.backoff ?? DEFAULT_BACKOFF;
  const longest = Math.min(maxMs, minMs * 2 ** Math.min(used, 40));
  // What was interrupted has waited for nothing yet, and its cause is gone.
  const wait = attempt.reason === 'daemon-stopped' ? 0 : Math.round(minMs + random() * (longest - minMs));
  const notBefore = at + wait;
  const policy = job.options['concurrency-policy'] ?? 'forbid';
  const next = nextDue(at);
  if (policy !== 'allow' && followsOrder(run) && next !== undefined && next <= notBefore) return 'next-due';
  if (isReprocessed(run)) return { notBefore };
  return { notBefore, startBy: startBy(notBefore, nextDue(notBefore), job.options['starting-deadline']) };
}

/** A run that a person stopped is not tried again; one that the end of its daemon stopped is. */
function isRetryable(status: FinalStatus, reason: Reason | undefined): boolean {
  if (status === 'cancelled') return reason === 'daemon-stopped';
  return status === 'failed' || status === 'timed-out' || status === 'lost';
}

/** Attempts that count against the job's retries: who asks for a run again asks for all of them again. */
function attemptsSinceAsked({ attempts, requests }: Run, number: number): number {
  const asked = requests?.findLast(({ verb }) => verb === 'retry' || verb === 'backfill')?.at;
  if (asked === undefined) return number;
  const before = attempts.filter((one) => one.number < number && one.startedAt < asked);
  return number - before.length;
}
