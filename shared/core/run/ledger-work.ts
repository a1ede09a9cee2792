import type { Target } from '../crontab/options.ts';
import { type PlannedJob, runsOn, timetableOf } from '../plan/plan.ts';
import { nextDue, type Timetable } from '../schedule/due.ts';
import type { EpochMs } from '../schedule/zone-table.ts';
import { type PendingCause, type Reason, type Run, startBy, type Trigger } from './run.ts';
import { dueRunId, jobIdOf, spanId } from './run-id.ts';
import type { ActivePlan, Answer, Owed } from './run-store.ts';
import { type Missed, ON_TIME_MS, type SettlePolicy, settle } from './settle.ts';

/** A job of a plan in force. */
export interface JobInForce {
  readonly active: ActivePlan;
  readonly job: PlannedJob;
  readonly jobId: string;
}

/** A run that is to be claimed now. */
export interface DueRun extends JobInForce {
  readonly runId: string;
  readonly scheduledTime: EpochMs;
  readonly trigger: Trigger;
  readonly startBy?: EpochMs | undefined;
}

/** A run that is to be put into the store, and started when its turn comes. */
export interface OwedRun extends DueRun {
  readonly cause: PendingCause;
}

/** Due instants that will not be started. */
export interface MissedRuns {
  readonly jobId: string;
  /** Undefined when it is gone. */
  readonly job: PlannedJob | undefined;
  readonly planHash: string;
  readonly missed: Missed;
}

/** A pending run that will not be started. */
export interface EndedRun {
  readonly run: Run;
  readonly job: PlannedJob | undefined;
  readonly reason: Reason;
}

/** What the ledger asks for; all of it is written in one turn. */
export interface Work {
  readonly due: DueRun[];
  readonly owed: OwedRun[];
  readonly missed: MissedRuns[];
  readonly ended: EndedRun[];
}

export function noWork(): Work {
  return { due: [], owed: [], missed: [], ended: [] };
}

/** A job that a target starts: not suspended, and not meant for other targets only. */
export function isStarted(job: PlannedJob, target: Target): boolean {
  return job.options.suspend === undefined && runsOn(job, target);
}

/** What is known of a job's stretch of time, and when that is settled; see `SettlePolicy`. */
export type Known = Pick<SettlePolicy, 'pauses' | 'answered' | 'now' | 'onTimeMs' | 'deliveredMs'>;

/**
 * Adds to the work what becomes of a job's due instants in (after, until].
 *
 * @param job undefined when it is gone
 * @returns how far this goes: less than `until` when much is owed
 */
export function settleJob(
  { active, jobId }: Pick<DueRun, 'active' | 'jobId'>,
  job: PlannedJob | undefined,
  timetable: Timetable,
  after: EpochMs,
  end: EpochMs,
  work: Work,
  known: Known = {},
): EpochMs {
  const startingDeadlineMs = job?.options['starting-deadline'];
  const { start, owed, missed, until } = settle(timetable, after, end, {
    ...{ ...known, catchUp: job?.options['catch-up'] ?? 'once', startingDeadlineMs },
  });
  const planHash = active.hash;
  for (const one of missed) work.missed.push({ jobId, job, planHash, missed: one });
  const dueRun = (instant: EpochMs, trigger: Trigger, of: PlannedJob): DueRun => ({
    ...{ active, job: of, jobId, runId: dueRunId(instant), scheduledTime: instant, trigger },
    startBy: startBy(instant, nextDue(timetable, instant), startingDeadlineMs),
  });
  if (job !== undefined) {
    for (const instant of owed) work.owed.push({ ...dueRun(instant, 'catch-up', job), cause: 'catch-up' });
    if (start !== undefined) work.due.push(dueRun(start.instant, start.trigger, job));
  } else if (start !== undefined) {
    work.missed.push({ jobId, job, planHash, missed: { instant: start.instant, reason: 'removed' } });
  }
  return until;
}

/**
 * What fell due while nobody looked, by the plan that was in force then and the rules of the one that is now.
 *
 * @param settledUntil newest instant of a job that is answered already
 * @param knownOf what is known of a job's time since then
 * @returns how far each job is settled by this work; jobs that are not named, up to `until`
 */
export function downtimeWork(
  old: ActivePlan,
  active: ActivePlan,
  target: Target,
  settledUntil: (jobId: string) => EpochMs,
  until: EpochMs,
  knownOf: (jobId: string) => Known,
): { readonly work: Work; readonly partly: ReadonlyMap<string, EpochMs> } {
  const jobsNow = new Map(
    active.plan.jobs.filter((job) => isStarted(job, target)).map((job) => [job.name, job]),
  );
  const successors = successorsOf(old, active);
  const work = noWork();
  const partly = new Map<string, EpochMs>();
  for (const job of old.plan.jobs) {
    const timetable = isStarted(job, target) ? timetableOf(old.plan, job) : undefined;
    if (timetable === undefined) continue;
    const jobId = jobIdOf(old.plan.crontab, job.name);
    const after = settledUntil(jobId);
    if (after >= until) continue;
    const jobNow = jobsNow.get(successors.get(job.name) ?? job.name);
    const reached = settleJob({ active, jobId }, jobNow, timetable, after, until, work, knownOf(jobId));
    if (reached < until) partly.set(jobId, reached);
  }
  return { work, partly };
}

/** Names of jobs that go on under another by `was=`, by the old one. */
export function successorsOf(old: ActivePlan, active: ActivePlan): ReadonlyMap<string, string> {
  const before = new Set(old.plan.jobs.map(({ name }) => name));
  const after = new Set(active.plan.jobs.map(({ name }) => name));
  const successors = new Map<string, string>();
  for (const { name, options } of active.plan.jobs) {
    const { was } = options;
    if (was !== undefined && before.has(was) && !after.has(was) && !before.has(name))
      successors.set(was, name);
  }
  return successors;
}

/**
 * What becomes of pending runs whose time has come.
 *
 * @param planned the run's job as it is in force; `gone` when its crontab is and the job is not; undefined when the
 *   crontab is somebody else's
 */
export function pendingWork(
  pending: readonly Run[],
  planned: (jobId: string) => JobInForce | 'gone' | undefined,
  target: Target,
  now: EpochMs,
): Work {
  const work = noWork();
  for (const run of pending) {
    const found = planned(run.jobId);
    if (found === undefined) continue;
    if (found === 'gone') {
      work.ended.push({ run, job: undefined, reason: 'removed' });
      continue;
    }
    const { job } = found;
    if (!runsOn(job, target)) continue;
    const reason = reasonAgainst(run, job, now);
    if (reason !== undefined) work.ended.push({ run, job, reason });
    else {
      const { runId, scheduledTime, trigger } = run;
      work.due.push({ ...found, runId, scheduledTime, trigger, startBy: run.startBy });
    }
  }
  return work;
}

/** Why a pending run is not started any more, where the store does not see that itself. */
function reasonAgainst(
  { cause, attempts, scheduledTime, runId }: Run,
  job: PlannedJob,
  now: EpochMs,
): Reason | undefined {
  if (job.options.suspend !== undefined) return 'suspended';
  // One that came to nothing is made up for like any other.
  const isOwed = cause === 'given-back' && attempts.length === 0 && !runId.startsWith('reboot#');
  const isLate = now - scheduledTime >= ON_TIME_MS;
  return isOwed && isLate && job.options['catch-up'] === 'none' ? 'catch-up-none' : undefined;
}

/** The record of due instants that will not be started. @param channel who is told */
export function answerOf(
  { jobId, planHash, missed: { instant, spanFrom, reason } }: MissedRuns,
  at: EpochMs,
  channel: string | undefined,
): Answer {
  return {
    jobId,
    runId: spanFrom === undefined ? dueRunId(instant) : spanId(spanFrom),
    scheduledTime: instant,
    ...(spanFrom === undefined ? {} : { spanFrom }),
    trigger: 'schedule',
    planHash,
    status: reason === 'removed' ? 'skipped' : 'missed',
    reason,
    ...(channel === undefined ? {} : { channel }),
    at,
  };
}

/** The record of a run that is to be started. */
export function owedOf(
  { jobId, runId, scheduledTime, trigger, active, cause, startBy }: OwedRun,
  at: EpochMs,
): Owed {
  return {
    ...{ jobId, runId, scheduledTime, trigger, planHash: active.hash, cause, notBefore: at, at },
    ...(startBy === undefined ? {} : { startBy }),
  };
}

/** The first due instant of a job after one; undefined when there is none. */
export function nextDueOf({ active, job }: Omit<JobInForce, 'jobId'>, after: EpochMs): EpochMs | undefined {
  const timetable = timetableOf(active.plan, job);
  return timetable === undefined ? undefined : nextDue(timetable, after);
}
