import type { EpochMs } from '../schedule/zone-table.ts';
import { emptyState, type JobState, withFinished } from './job-state.ts';
import type { Attempt, Run } from './run.ts';
import { type Answer, type Claim, type ClaimResult, expiryOf, type Finish } from './run-store.ts';

/** A run as a store keeps it. */
export interface StoredRun {
  readonly run: Run;
  /** Whether the run takes the job's lock while it is claimed or running. */
  readonly holdsLock: boolean;
  /** End of its retention; of a final run only. */
  readonly expiresAt?: EpochMs;
}

/** What a claim has to know about a run that is claimed or running. */
export type UnfinishedRun = Pick<Run, 'runId' | 'scheduledTime' | 'trigger'> & Pick<StoredRun, 'holdsLock'>;

/** The newest due instant of a job that was started. */
export interface NewestStart {
  readonly instant: EpochMs;
  readonly runId: string;
}

/** The platform's words about a failed start are kept up to here. UTF-16 units. */
const ERROR_MAX_LENGTH = 1000;

/** The answer to a claim of a run that exists: won again when the first answer to the same claim was lost. */
export function repeatedClaim(existing: Run, claim: Claim): ClaimResult {
  return { outcome: isOwnedBy(existing, claim.owner.token) ? 'won' : 'taken', run: existing };
}

/**
 * Decides about a claim of a run that does not exist.
 *
 * @param unfinished the job's runs that are claimed or running
 * @param settled the newest start among the job's runs that can no longer be released
 * @returns the answer, and the run to store
 */
export function firstClaim(
  claim: Claim,
  unfinished: readonly UnfinishedRun[],
  settled: NewestStart | undefined,
): { readonly result: ClaimResult; readonly stored: StoredRun } {
  const obstacle = needsLock(claim) ? obstacleOf(claim, unfinished, settled) : undefined;
  if (obstacle !== undefined) {
    const { jobId, runId, scheduledTime, trigger, planHash, at } = claim;
    const run: Run = {
      ...{ jobId, runId, scheduledTime, trigger, planHash },
      ...{ status: 'skipped', ...obstacle, createdAt: at, finishedAt: at, attempts: [] },
    };
    return { result: { outcome: 'skipped', run }, stored: finalRun(run, at, false) };
  }
  const { jobId, runId, scheduledTime, trigger, planHash, owner, at } = claim;
  const run: Run = {
    ...{ jobId, runId, scheduledTime, trigger, planHash },
    ...{ status: 'claimed', createdAt: at, owner, attempts: [] },
  };
  return { result: { outcome: 'won', run }, stored: { run, holdsLock: needsLock(claim) } };
}

function obstacleOf(
  claim: Claim,
  unfinished: readonly UnfinishedRun[],
  settled: NewestStart | undefined,
): Pick<Run, 'reason' | 'blockedBy'> | undefined {
  const newest = newestStart(unfinished, settled);
  // Before the lock: the run that holds it is then most often the newer one, and no "previous run".
  if (newest !== undefined && isSuperseded(claim, newest)) {
    return { reason: 'superseded', blockedBy: newest.runId };
  }
  const holder = lockHolder(unfinished);
  return holder === undefined ? undefined : { reason: 'overlap', blockedBy: holder.runId };
}

/** `replace` cannot stop the run in the way, so it waits for it as `forbid` does. */
function needsLock(claim: Claim): boolean {
  return claim.concurrencyPolicy !== 'allow';
}

function lockHolder(unfinished: readonly UnfinishedRun[]): UnfinishedRun | undefined {
  return unfinished.find((run) => run.holdsLock);
}

/** A start further ahead of the claim than this was made under a wrong clock, and stands in nobody's way. Milliseconds. */
const LARGEST_SET_BACK_MS = 3 * 3_600_000;

function isSuperseded(claim: Claim, newest: NewestStart): boolean {
  const isPlausible = newest.instant - claim.at <= LARGEST_SET_BACK_MS;
  return isDue(claim) && isPlausible && claim.scheduledTime < newest.instant;
}

function newestStart(
  unfinished: readonly UnfinishedRun[],
  settled: NewestStart | undefined,
): NewestStart | undefined {
  let newest = settled;
  for (const run of unfinished) {
    if (isDue(run)) newest = laterStart(newest, startOf(run));
  }
  return newest;
}

/** Whether a run answers for a due instant of its job's schedule, and so counts among its newest. */
export function isDue({ trigger, runId }: Pick<Run, 'trigger' | 'runId'>): boolean {
  return trigger !== 'manual' && !runId.startsWith('reboot#');
}

export function startOf({ scheduledTime, runId }: Pick<Run, 'scheduledTime' | 'runId'>): NewestStart {
  return { instant: scheduledTime, runId };
}

export function laterStart(known: NewestStart | undefined, start: NewestStart): NewestStart {
  return known !== undefined && known.instant >= start.instant ? known : start;
}

/** Whether the run is claimed or running under a token. */
export function isOwnedBy({ status, owner }: Run, token: string): boolean {
  return isUnfinished(status) && owner?.token === token;
}

export function isUnfinished(status: Run['status']): boolean {
  return status === 'claimed' || status === 'running';
}

/** Whether the run can still be started or given back under a token. */
export function isClaimedBy(run: Run, token: string): boolean {
  return run.status === 'claimed' && isOwnedBy(run, token);
}

/** Whether the very same start was written before: its answer was lost, and it is asked again. */
export function isStartedAs(run: Run, token: string, { number, startedAt }: Attempt): boolean {
  const last = run.attempts.at(-1);
  return (
    run.status === 'running' &&
    isOwnedBy(run, token) &&
    last?.number === number &&
    last.startedAt === startedAt
  );
}

export function startedRun({ run, holdsLock }: StoredRun, attempt: Attempt): StoredRun {
  return { run: { ...run, status: 'running', attempts: [...run.attempts, bounded(attempt)] }, holdsLock };
}

export function finishedRun({ run, holdsLock }: StoredRun, finish: Finish): StoredRun {
  const { status, reason, attempt, at } = finish;
  const { owner: _owner, ...rest } = run;
  const ended: Run = {
    ...rest,
    status,
    ...(reason === undefined ? {} : { reason }),
    finishedAt: at,
    attempts: attempt === undefined ? run.attempts : withAttempt(run.attempts, bounded(attempt)),
  };
  return finalRun(ended, at, holdsLock);
}

export function answeredRun(answer: Answer): StoredRun {
  const { jobId, runId, scheduledTime, spanFrom, trigger, planHash, status, reason, at } = answer;
  const run: Run = {
    ...{ jobId, runId, scheduledTime, trigger, planHash, status, reason },
    ...(spanFrom === undefined ? {} : { spanFrom }),
    ...{ createdAt: at, finishedAt: at, attempts: [] },
  };
  return finalRun(run, at, false);
}

function finalRun(run: Run, at: EpochMs, holdsLock: boolean): StoredRun {
  return { run, holdsLock, expiresAt: expiryOf(run.status as Finish['status'], at) };
}

/** Puts the end of an attempt in the place of its start. */
function withAttempt(attempts: readonly Attempt[], ended: Attempt): readonly Attempt[] {
  return [...attempts.filter(({ number }) => number !== ended.number), ended];
}

function bounded(attempt: Attempt): Attempt {
  const { error } = attempt;
  if (error === undefined || error.length <= ERROR_MAX_LENGTH) return attempt;
  return { ...attempt, error: `${error.slice(0, ERROR_MAX_LENGTH - 1)}…` };
}

export function countedState(state: JobState | undefined, run: Run): JobState {
  return withFinished(state ?? emptyState(run.jobId), run);
}

/** Order of history: newest first, and total, so that a page can begin after any run of the one before. */
export function newestFirst(a: Run, b: Run): number {
  return b.createdAt - a.createdAt || descending(a.jobId, b.jobId) || descending(a.runId, b.runId);
}

function descending(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? 1 : -1;
}
