import type { PlannedJob } from '../plan/plan.ts';
import type { EpochMs } from '../schedule/zone-table.ts';
import type { LostRun } from './lease.ts';
import { type JobInForce, nextDueOf } from './ledger-work.ts';
import { type RetryPorts, retryOf } from './retry.ts';
import type { Finish, RunStore } from './run-store.ts';

/** The job of a lost run as it is planned now, with what decides about another attempt. */
export interface LostJob extends RetryPorts {
  readonly job: PlannedJob;
  readonly channel?: string | undefined;
}

/** What decides about a lost run of a job that is in force. */
export function lostJobOf(
  found: JobInForce,
  random: RetryPorts['random'],
  channel: string | undefined,
): LostJob {
  return { job: found.job, random, channel, nextDue: (after) => nextDueOf(found, after) };
}

/** What became of a run that was lost: undefined when it was over, or extended, meanwhile. */
export type LostEnd = 'given-back' | Finish | undefined;

/**
 * Takes a run from an owner that is gone, and so frees its job: an attempt that ran is lost, and there may be another;
 * a run that was only claimed is given back. A run by hand that was only claimed is lost too: nobody waits for it.
 *
 * @param planned undefined when nothing is known of the job any more
 */
export async function closeLost(
  store: Pick<RunStore, 'finish' | 'release'>,
  { run, reason }: LostRun,
  planned: LostJob | undefined,
  at: EpochMs,
): Promise<LostEnd> {
  const { jobId, runId, leaseUntil } = run;
  const token = run.owner?.token ?? '';
  if (run.status === 'claimed' && run.trigger !== 'manual') {
    return (await store.release(jobId, runId, token, at, leaseUntil)) ? 'given-back' : undefined;
  }
  const started = run.status === 'running' ? run.attempts.at(-1) : undefined;
  const attempt = started && ({ ...started, finishedAt: at, status: 'lost', reason } as const);
  const retry = attempt && planned && retryOf(run, planned.job, attempt, at, planned);
  const finish: Finish = {
    ...{ jobId, runId, token, status: 'lost', reason, at },
    ...(attempt === undefined ? {} : { attempt }),
    ...(typeof retry === 'object' ? { retry } : {}),
    ...(leaseUntil === undefined ? {} : { ifLeaseUntil: leaseUntil }),
    ...(planned?.channel === undefined ? {} : { channel: planned.channel }),
  };
  return (await store.finish(finish)) ? finish : undefined;
}
