import type { EpochMs } from '../schedule/zone-table.ts';
import { isPausedAt, type PauseInterval } from './pause.ts';
import { DEFAULT_RETENTION, expiryOf, type Retention } from './retention.ts';
import {
  type Attempt,
  FINAL_STATUSES,
  type FinalStatus,
  isFinal,
  isHandedOut,
  type OperatorRequest,
  type Reason,
  type Run,
  type RunStatus,
} from './run.ts';
import type {
  Answer,
  Claim,
  ClaimResult,
  Finish,
  Owed,
  PendingEnd,
  Reopening,
  RequestResult,
} from './run-store.ts';

/**
 * Every step that a run can take; `new` is one that does not exist yet. What is not here cannot happen.
 *
 * @see docs/run-protocol.md
 */
export const TRANSITIONS: Readonly<Record<RunStatus | 'new', readonly RunStatus[]>> = {
  new: ['pending', 'claimed', 'skipped', 'missed'],
  // To a final status: it is not started (again). An attempt's own status stays that of its run.
  pending: ['pending', 'claimed', ...FINAL_STATUSES],
  // To `skipped`: a dry run. To `missed`: it waited for its turn too long.
  claimed: ['claimed', 'running', 'pending', 'lost', 'cancelled', 'skipped', 'missed'],
  running: ['running', 'pending', 'succeeded', 'failed', 'timed-out', 'lost', 'cancelled'],
  succeeded: ['pending'],
  failed: ['pending'],
  'timed-out': ['pending'],
  lost: ['pending'],
  cancelled: ['pending'],
  skipped: ['pending'],
  missed: ['pending'],
};

/** A run as a store keeps it. */
export interface StoredRun {
  readonly run: Run;
  /** Whether the run takes the job's lock while it is claimed or running. */
  readonly holdsLock: boolean;
  /** End of its retention; of a final run only. */
  readonly expiresAt?: EpochMs;
}

/** The newest due instant of a job that was started. */
export interface NewestStart {
  readonly instant: EpochMs;
  readonly runId: string;
}

/** What a claim has to know about its job. */
export interface JobSituation {
  /** Runs that are claimed or running. */
  readonly unfinished: readonly StoredRun[];
  /** Pending runs that follow the order and are due before an instant, oldest first; not asked for in vain. */
  owedBefore(instant: EpochMs): Iterable<StoredRun>;
  /** The newest start among the runs that can no longer be given back. */
  readonly settled: NewestStart | undefined;
  readonly pauses: readonly PauseInterval[];
}

/** The answer to a claim, and the runs that are to be stored with it. */
export interface ClaimDecision {
  readonly result: ClaimResult;
  readonly writes: readonly StoredRun[];
}

/** The platform's words about a failed start are kept up to here. UTF-16 units. */
const ERROR_MAX_LENGTH = 1000;
/** A start further ahead of the claim than this was made under a wrong clock, and stands in nobody's way. Milliseconds. */
const LARGEST_SET_BACK_MS = 3 * 3_600_000;

/** Decides about a claim. */
export function decideClaim(
  claim: Claim,
  existing: StoredRun | undefined,
  situation: JobSituation,
  retention?: Retention,
): ClaimDecision {
  if (existing !== undefined) {
    const { run } = existing;
    if (isOwnedBy(run, claim.owner.token)) return { result: { outcome: 'won', run }, writes: [] };
    if (run.status !== 'pending') return { result: { outcome: 'taken', run }, writes: [] };
    // Whoever told us to start it may have a clock ahead of ours.
    const { notBefore = 0, handedAt = 0 } = run;
    if (notBefore > Math.max(claim.at, handedAt)) return { result: { outcome: 'waiting', run }, writes: [] };
  }
  return new ClaimInJob(claim, existing, situation, retention ?? DEFAULT_RETENTION).decide();
}

/** A claim of a run that is new, or pending and whose time has come. */
class ClaimInJob {
  readonly #claim: Claim;
  readonly #existing: StoredRun | undefined;
  readonly #situation: JobSituation;
  readonly #retention: Retention;
  /** The run as it would be if nothing were in its way. */
  readonly #run: Run;
  /** Other runs that are claimed or running. */
  readonly #underWay: readonly StoredRun[];

  constructor(claim: Claim, existing: StoredRun | undefined, situation: JobSituation, retention: Retention) {
    this.#claim = claim;
    this.#existing = existing;
    this.#situation = situation;
    this.#retention = retention;
    const { jobId, runId, scheduledTime, trigger, planHash, at, startBy } = claim;
    this.#run = existing?.run ?? {
      ...{ jobId, runId, scheduledTime, trigger, planHash, status: 'pending' },
      ...{ createdAt: at, attempts: [] },
      ...(startBy === undefined ? {} : { startBy }),
    };
    this.#underWay = situation.unfinished.filter(({ run: other }) => other.runId !== runId);
  }

  decide(): ClaimDecision {
    const { at } = this.#claim;
    const pause = this.#pause();
    if (pause === 'its-time') return { result: { outcome: 'paused' }, writes: [] };
    if (pause === 'now') return this.#close('paused');
    if (this.#run.startBy !== undefined && this.#run.startBy < at) return this.#close('too-late');
    if (this.#claim.concurrencyPolicy === 'allow') {
      return this.#isEnoughUnderWay() ? this.#wait() : this.#win();
    }
    // Before the lock: the run that holds it is then most often the newer one, and no "previous run".
    const newer = this.#newerStart();
    if (newer !== undefined) return this.#close('superseded', newer.runId);
    if (this.#isBehindOthers()) return this.#wait('catch-up');
    const holder = this.#underWay.find(({ holdsLock }) => holdsLock);
    if (holder === undefined) return this.#win();
    if (this.#mayReplace(holder.run)) return this.#replace(holder);
    return this.#mayWait ? this.#wait() : this.#close('overlap', holder.run.runId);
  }

  /** Whether the job is paused now, or was at the run's time and so never owed it. */
  #pause(): 'now' | 'its-time' | undefined {
    const { trigger, scheduledTime, at } = this.#claim;
    if (trigger === 'manual') return undefined;
    const covers = (instant: EpochMs) => this.#situation.pauses.some((pause) => isPausedAt(pause, instant));
    if (this.#existing === undefined && covers(scheduledTime)) return 'its-time';
    return covers(at) ? 'now' : undefined;
  }

  /** The start that came after the instant of this run; a run that somebody asked for looks at none. */
  #newerStart(): NewestStart | undefined {
    if (!followsOrder(this.#run)) return undefined;
    const newest = newestStart(this.#underWay, this.#situation.settled);
    if (newest === undefined || newest.instant <= this.#run.scheduledTime) return undefined;
    return newest.instant - this.#claim.at > LARGEST_SET_BACK_MS ? undefined : newest;
  }

  /** Whether runs that are owed come first, none of which is left out. */
  #isBehindOthers(): boolean {
    if (this.#claim.isInOrder !== true || !followsOrder(this.#run)) return false;
    const { scheduledTime } = this.#run;
    const isOwed = ({ run }: StoredRun) => run.cause === 'catch-up' && run.scheduledTime < scheduledTime;
    if (this.#underWay.some(isOwed)) return true;
    for (const stored of this.#situation.owedBefore(scheduledTime)) if (isOwed(stored)) return true;
    return false;
  }

  #isEnoughUnderWay(): boolean {
    const { maxActiveRuns } = this.#run;
    if (maxActiveRuns === undefined) return false;
    return this.#underWay.filter(({ run }) => isReprocessed(run)).length >= maxActiveRuns;
  }

  /** A run that is first handled while another one runs is an overlap; one that waits already goes on waiting. */
  get #mayWait(): boolean {
    const { cause, attempts } = this.#run;
    if (this.#existing === undefined) return false;
    const isOwedOnce = cause === 'catch-up' && this.#claim.isInOrder !== true;
    return attempts.length > 0 || (cause !== 'given-back' && !isOwedOnce);
  }

  /** A backfill stops no other run, and a run by hand is not stopped by the clock. */
  #mayReplace(holder: Run): boolean {
    const isReplacing = this.#claim.concurrencyPolicy === 'replace' && followsOrder(this.#run);
    return isReplacing && holder.trigger !== 'manual';
  }

  #win(): ClaimDecision {
    const { owner, leaseUntil, at, concurrencyPolicy, startedAt } = this.#claim;
    const { notBefore: _notBefore, reason: _reason, blockedBy: _blockedBy, ...rest } = this.#run;
    const run = this.#step({ ...rest, status: 'claimed', owner, leaseUntil });
    const claimed = { run, holdsLock: concurrencyPolicy !== 'allow' };
    const number = run.attempts.length + 1;
    const stored = startedAt === undefined ? claimed : startedRun(claimed, { number, startedAt });
    return { result: { outcome: 'won', run: stored.run }, writes: [stored, ...this.#closeOlder(at)] };
  }

  #wait(cause = this.#run.cause): ClaimDecision {
    const { at } = this.#claim;
    if (this.#existing !== undefined) return { result: { outcome: 'waiting', run: this.#run }, writes: [] };
    const run = this.#step({ ...this.#run, status: 'pending', notBefore: at, ...(cause && { cause }) });
    return { result: { outcome: 'waiting', run }, writes: [{ run, holdsLock: false }] };
  }

  /** Asks the run in the way to end. One that is not started yet ends here. */
  #replace(holder: StoredRun): ClaimDecision {
    const { at, runId } = this.#claim;
    const request: OperatorRequest = { verb: 'replace', by: runId, at };
    const asked = cancelledRun(holder, request, this.#retention);
    if (asked.run.status === 'cancelled') {
      const won = this.#win();
      return { ...won, writes: [asked, ...won.writes] };
    }
    const run = this.#step({
      ...this.#run,
      ...{ status: 'pending', cause: 'replace', notBefore: at, blockedBy: holder.run.runId },
    });
    const isAsked = holder.run.cancelRequest !== undefined;
    return {
      result: { outcome: 'waiting', run },
      writes: [...(isAsked ? [] : [asked]), { run, holdsLock: false }, ...this.#closeOlder(at)],
    };
  }

  #close(reason: Reason, blockedBy?: string): ClaimDecision {
    const stored = closed(this.#run, reason, this.#claim.at, this.#retention, blockedBy);
    checkStep(this.#existing?.run.status ?? 'new', stored.run);
    return { result: { outcome: 'closed', run: stored.run }, writes: [stored] };
  }

  /** Older pending runs that this one makes pointless. */
  #closeOlder(at: EpochMs): StoredRun[] {
    if (this.#claim.concurrencyPolicy === 'allow' || !followsOrder(this.#run)) return [];
    const { runId, scheduledTime } = this.#run;
    return [...this.#situation.owedBefore(scheduledTime)].map(({ run }) => {
      const isTooLate = run.startBy !== undefined && run.startBy < at;
      return closed(run, isTooLate ? 'too-late' : 'superseded', at, this.#retention, runId);
    });
  }

  #step(run: Run): Run {
    return checkStep(this.#existing?.run.status ?? 'new', run);
  }
}

/** @throws Error for a step that is not in the table: a fault of ours */
function checkStep(from: RunStatus | 'new', run: Run): Run {
  if (TRANSITIONS[from].includes(run.status)) return run;
  throw new Error(`run ${run.jobId} ${run.runId} cannot go from ${from} to ${run.status}`);
}

function newestStart(
  underWay: readonly StoredRun[],
  settled: NewestStart | undefined,
): NewestStart | undefined {
  let newest = settled;
  for (const { run } of underWay) if (followsOrder(run)) newest = laterStart(newest, startOf(run));
  return newest;
}

/**
 * Whether a run stands in the order of its job's due instants, where a newer start makes older ones pointless; a run
 * by hand or that somebody asked to run again stands outside.
 */
export function followsOrder(run: Pick<Run, 'trigger' | 'runId' | 'requests'>): boolean {
  return run.trigger !== 'manual' && !run.runId.startsWith('reboot#') && !isReprocessed(run);
}

/** Whether somebody asked for the run although its time was over. */
export function isReprocessed({ trigger, requests }: Pick<Run, 'trigger' | 'requests'>): boolean {
  if (trigger === 'backfill') return true;
  return requests?.some(({ verb }) => verb === 'retry' || verb === 'backfill') ?? false;
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

export function isUnfinished(status: RunStatus): boolean {
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

/**
 * Whether the very same end was written before, and its answer was lost. Who took the run from its owner is not told
 * so: of several that did at one moment, one has ended it.
 */
export function isFinishedAs(run: Run, { attempt, status, reason, at, ifLeaseUntil }: Finish): boolean {
  if (ifLeaseUntil !== undefined) return false;
  if (attempt === undefined) return run.status === status && run.reason === reason && run.finishedAt === at;
  return run.attempts.some(
    (one) =>
      one.number === attempt.number &&
      one.startedAt === attempt.startedAt &&
      one.finishedAt === attempt.finishedAt &&
      one.status === attempt.status,
  );
}

/** Whether an end is that of what runs now: an owner that is late must not end a later attempt. */
export function mayFinish(run: Run, { token, attempt, ifLeaseUntil }: Finish): boolean {
  if (!isOwnedBy(run, token)) return false;
  if (ifLeaseUntil !== undefined && run.leaseUntil !== ifLeaseUntil) return false;
  return run.status === 'claimed' ? attempt === undefined : attempt?.number === run.attempts.at(-1)?.number;
}

/** @throws Error when the attempt is not the next one: a fault of ours */
export function startedRun({ run, holdsLock }: StoredRun, attempt: Attempt): StoredRun {
  const next = (run.attempts.at(-1)?.number ?? 0) + 1;
  if (attempt.number !== next) {
    throw new Error(`run ${run.jobId} ${run.runId} has attempt ${next} next, not ${attempt.number}`);
  }
  const started: Run = { ...run, status: 'running', attempts: [...run.attempts, bounded(attempt)] };
  return { run: checkStep(run.status, started), holdsLock };
}

export function extendedRun({ run, holdsLock }: StoredRun, leaseUntil: EpochMs): StoredRun {
  return { run: { ...run, leaseUntil }, holdsLock };
}

/** The run after the end of an attempt: over, or pending for the next one. */
export function finishedRun(
  { run, holdsLock }: StoredRun,
  finish: Finish,
  retention: Retention = DEFAULT_RETENTION,
): StoredRun {
  const { status, reason, attempt, retry, at } = finish;
  const attempts = attempt === undefined ? run.attempts : withAttempt(run.attempts, bounded(attempt));
  const left: Run = { ...withoutOwner(run), attempts };
  // Whoever asked for the end of a run wants no other attempt, however this one ended.
  if (retry !== undefined && run.cancelRequest === undefined) {
    const { startBy: _startBy, handedAt: _handedAt, ...rest } = left;
    const pending: Run = { ...rest, ...retry, status: 'pending', cause: 'retry' };
    return { run: checkStep(run.status, pending), holdsLock: false };
  }
  const replacedBy = reason === 'replaced' ? run.cancelRequest?.by : undefined;
  const ended: Run = {
    ...{ ...left, status, finishedAt: at },
    ...(reason === undefined ? {} : { reason }),
    ...(replacedBy === undefined ? {} : { blockedBy: replacedBy }),
  };
  return finalRun(checkStep(run.status, ended), at, holdsLock, retention);
}

export function answeredRun(answer: Answer, retention: Retention = DEFAULT_RETENTION): StoredRun {
  const { jobId, runId, scheduledTime, spanFrom, trigger, planHash, status, reason, at } = answer;
  const run: Run = {
    ...{ jobId, runId, scheduledTime, trigger, planHash, status, reason },
    ...(spanFrom === undefined ? {} : { spanFrom }),
    ...{ createdAt: at, finishedAt: at, attempts: [] },
  };
  return finalRun(checkStep('new', run), at, false, retention);
}

/** A row that answers for a stretch, with another answer that begins where it does; undefined when that adds nothing. */
export function spanWith(stored: StoredRun, { spanFrom, scheduledTime }: Answer): StoredRun | undefined {
  const { run } = stored;
  if (spanFrom === undefined || run.spanFrom !== spanFrom || scheduledTime <= run.scheduledTime)
    return undefined;
  return { ...stored, run: { ...run, scheduledTime } };
}

export function owedRun(owed: Owed): StoredRun {
  const { at, request, ...rest } = owed;
  const run: Run = {
    ...rest,
    ...{ status: 'pending', createdAt: at, attempts: [] },
    ...(request === undefined ? {} : { requests: [request] }),
  };
  return { run: checkStep('new', run), holdsLock: false };
}

/** A pending run that is not started any more. */
export function closedRun(
  { run }: StoredRun,
  { reason, at }: PendingEnd,
  retention: Retention = DEFAULT_RETENTION,
): StoredRun {
  const stored = closed(run, reason, at, retention);
  checkStep(run.status, stored.run);
  return stored;
}

/**
 * A pending run that an executor is told to start; the same when it was told by this very call before, and the answer
 * was lost; undefined when another is told, or it is not to start yet.
 */
export function handedRun(stored: StoredRun, at: EpochMs): StoredRun | undefined {
  const { run } = stored;
  if (run.status !== 'pending' || (run.notBefore ?? 0) > at) return undefined;
  if (run.handedAt === at) return stored;
  return isHandedOut(run, at) ? undefined : { ...stored, run: { ...run, handedAt: at } };
}

/** A claimed run that its owner, or whoever saw that it died, gives back. */
export function releasedRun({ run }: StoredRun, at: EpochMs): StoredRun {
  const pending: Run = {
    ...withoutOwner(run),
    status: 'pending',
    cause: run.cause ?? 'given-back',
    notBefore: at,
  };
  return { run: checkStep(run.status, pending), holdsLock: false };
}

/** Whether the very same was asked before, and the answer was lost. */
export function wasAsked({ requests }: Run, { verb, by, at }: OperatorRequest): boolean {
  return requests?.some((one) => one.verb === verb && one.by === by && one.at === at) ?? false;
}

/** The answer to a wish that changes nothing: the run is over, or was asked before. */
export function cancelResult(run: Run, request: OperatorRequest): RequestResult | undefined {
  if (wasAsked(run, request)) return { outcome: isFinal(run.status) ? 'done' : 'requested', run };
  return isFinal(run.status) ? { outcome: 'not-possible', run } : undefined;
}

/** A run of a job that has another name now; the command of a running one knows the old one. */
export function renamedRun(run: Run, to: string): Run {
  const last = run.attempts.at(-1);
  if (run.status !== 'running' || last === undefined || last.jobId !== undefined)
    return { ...run, jobId: to };
  return { ...run, jobId: to, attempts: withAttempt(run.attempts, { ...last, jobId: run.jobId }) };
}

/** A run that shall end: at once when it is not started, else its owner is asked. */
export function cancelledRun(
  { run, holdsLock }: StoredRun,
  request: OperatorRequest,
  retention: Retention = DEFAULT_RETENTION,
): StoredRun {
  const requests = [...(run.requests ?? []), request];
  if (run.status === 'running') return { run: { ...run, cancelRequest: request, requests }, holdsLock };
  const reason: Reason = request.verb === 'replace' ? 'replaced' : 'requested';
  const { notBefore: _notBefore, ...rest } = withoutOwner(run);
  const ended: Run = {
    ...{ ...rest, status: 'cancelled', reason, finishedAt: request.at, requests },
    ...(request.verb === 'replace' ? { blockedBy: request.by } : {}),
  };
  return finalRun(checkStep(run.status, ended), request.at, false, retention);
}

/** Whether a run can have another attempt; a row that answers for a stretch of instants is none. */
export function mayReopen({ status, spanFrom }: Run): boolean {
  return isFinal(status) && spanFrom === undefined;
}

export function reopenedRun({ run }: StoredRun, reopening: Reopening): StoredRun {
  const { request, notBefore, startBy, maxActiveRuns } = reopening;
  const { finishedAt: _finishedAt, reason: _reason, blockedBy: _blockedBy, startBy: _startBy, ...left } = run;
  const { handedAt: _handedAt, ...rest } = left;
  const pending: Run = {
    ...rest,
    ...{ status: 'pending', cause: 'requested', notBefore },
    ...(startBy === undefined ? {} : { startBy }),
    ...(maxActiveRuns === undefined ? {} : { maxActiveRuns }),
    requests: [...(run.requests ?? []), request],
  };
  return { run: checkStep(run.status, pending), holdsLock: false };
}

/** The end of a run that is not started (again): what its last attempt came to, else what the reason says. */
function closed(run: Run, reason: Reason, at: EpochMs, retention: Retention, blockedBy?: string): StoredRun {
  const { notBefore: _notBefore, ...rest } = withoutOwner(run);
  const ended: Run = {
    ...rest,
    status: run.attempts.at(-1)?.status ?? statusOf(reason, run),
    reason,
    ...(blockedBy === undefined ? {} : { blockedBy }),
    finishedAt: at,
  };
  return finalRun(ended, at, false, retention);
}

/** What nobody decided is missed; the rest was left out on purpose. */
function statusOf(reason: Reason, { cause }: Run): FinalStatus {
  if (reason === 'too-late' || reason === 'catch-up-none') return 'missed';
  if (reason === 'superseded') return cause === 'catch-up' || cause === 'given-back' ? 'missed' : 'skipped';
  return 'skipped';
}

function withoutOwner(run: Run): Run {
  const { owner: _owner, leaseUntil: _leaseUntil, cancelRequest: _cancelRequest, ...rest } = run;
  return rest;
}

function finalRun(run: Run, at: EpochMs, holdsLock: boolean, retention: Retention): StoredRun {
  const { startBy, status } = run;
  const ended = { startBy, status: status as FinalStatus } as Parameters<typeof expiryOf>[0];
  return { run, holdsLock, expiresAt: expiryOf(ended, at, retention) };
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

/** Order of history: newest first, and total, so that a page can begin after any run of the one before. */
export function newestFirst(a: Run, b: Run): number {
  return b.createdAt - a.createdAt || descending(a.jobId, b.jobId) || descending(a.runId, b.runId);
}

function descending(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? 1 : -1;
}

/** Pauses and former schedules are kept this long after their end: `why` and the ledger ask for them. Milliseconds. */
export const INTERVAL_RETENTION_MS = 400 * 86_400_000;
