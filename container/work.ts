import { type PlannedJob, runsOn, timetableOf } from '../shared/core/plan/plan.ts';
import { type Reason, type Run, startBy, type Trigger } from '../shared/core/run/run.ts';
import { dueRunId, jobIdOf, jobNameOf } from '../shared/core/run/run-id.ts';
import type { ActivePlan } from '../shared/core/run/run-store.ts';
import { type Missed, ON_TIME_MS, settle } from '../shared/core/run/settle.ts';
import { nextDue, type Timetable } from '../shared/core/schedule/due.ts';
import type { EpochMs } from '../shared/core/schedule/zone-table.ts';

/** A run that is due and not yet claimed. */
export interface DueRun {
  readonly active: ActivePlan;
  readonly job: PlannedJob;
  readonly jobId: string;
  readonly runId: string;
  readonly scheduledTime: EpochMs;
  readonly trigger: Trigger;
}

/** Due instants that will not be started. */
export interface MissedRuns {
  readonly jobId: string;
  readonly planHash: string;
  readonly missed: Missed;
  /** Where it is not that of a due run. */
  readonly runId?: string;
}

/** What a stretch of time asks for; all of it is written in one turn. */
export interface Work {
  readonly due: DueRun[];
  readonly missed: MissedRuns[];
  /** Claims of a process that died before it started anything: given back, and claimed or answered anew. */
  readonly abandoned: Run[];
}

/** A job that this daemon starts: not suspended, and not meant for other targets only. */
export function isStarted(job: PlannedJob): boolean {
  return job.options.suspend === undefined && runsOn(job, 'daemon');
}

/** Adds to the work what becomes of a job's due instants in (after, now]; `job` is undefined when it is gone. */
export function settleJob(
  { active, jobId }: Pick<DueRun, 'active' | 'jobId'>,
  job: PlannedJob | undefined,
  timetable: Timetable,
  after: EpochMs,
  now: EpochMs,
  work: Work,
): void {
  const { start, missed } = settle(timetable, after, now, {
    catchUp: job?.options['catch-up'] ?? 'once',
    startingDeadlineMs: job?.options['starting-deadline'],
  });
  for (const one of missed) work.missed.push({ jobId, planHash: active.hash, missed: one });
  if (start === undefined) return;
  const { instant, trigger } = start;
  if (job === undefined) {
    work.missed.push({ jobId, planHash: active.hash, missed: { instant, reason: 'removed' } });
  } else {
    work.due.push({ active, job, jobId, runId: dueRunId(instant), scheduledTime: instant, trigger });
  }
}

/**
 * What fell due while no daemon ran, by the plan that was in force then.
 *
 * @param settledUntil newest instant of a job that is answered already
 * @param abandoned runs of this crontab that were claimed and never started
 */
export function downtimeWork(
  old: ActivePlan,
  active: ActivePlan,
  settledUntil: (jobId: string) => EpochMs,
  now: EpochMs,
  abandoned: readonly Run[],
): Work {
  const jobsNow = new Map(active.plan.jobs.filter(isStarted).map((job) => [job.name, job]));
  const work: Work = { due: [], missed: [], abandoned: [] };
  for (const job of old.plan.jobs) {
    const timetable = isStarted(job) ? timetableOf(old.plan, job) : undefined;
    if (timetable === undefined) continue;
    const jobId = jobIdOf(old.plan.crontab, job.name);
    const after = settledUntil(jobId);
    if (after < now) settleJob({ active, jobId }, jobsNow.get(job.name), timetable, after, now, work);
  }
  const newest = new Map(work.due.map(({ jobId, scheduledTime }) => [jobId, scheduledTime]));
  // The newest first: it takes the place of the others.
  for (const run of [...abandoned].sort((a, b) => b.scheduledTime - a.scheduledTime)) {
    settleAbandoned(run, jobsNow.get(jobNameOf(run.jobId)), active, newest, now, work);
  }
  return work;
}

/** A claim that came to nothing is owed like any instant of the downtime, and the same rules say what becomes of it. */
function settleAbandoned(
  run: Run,
  job: PlannedJob | undefined,
  active: ActivePlan,
  newest: Map<string, EpochMs>,
  now: EpochMs,
  work: Work,
): void {
  const { jobId, runId, scheduledTime } = run;
  work.abandoned.push(run);
  const reason =
    job === undefined ? 'removed' : reasonAgainst(run, job, active, newest.get(jobId) ?? scheduledTime, now);
  if (job === undefined || reason !== undefined) {
    const missed = { instant: scheduledTime, reason: reason ?? 'removed' };
    work.missed.push({ jobId, planHash: active.hash, missed, runId });
    return;
  }
  newest.set(jobId, scheduledTime);
  const trigger = now - scheduledTime < ON_TIME_MS ? run.trigger : 'catch-up';
  work.due.push({ active, job, jobId, runId, scheduledTime, trigger });
}

/** Why a run that was claimed by a process that died is not started any more; undefined when it is. */
function reasonAgainst(
  { scheduledTime }: Run,
  job: PlannedJob,
  active: ActivePlan,
  newest: EpochMs,
  now: EpochMs,
): Reason | undefined {
  if (newest > scheduledTime) return 'superseded';
  const timetable = timetableOf(active.plan, job);
  const next = timetable === undefined ? undefined : nextDue(timetable, scheduledTime);
  if (startBy(scheduledTime, next, job.options['starting-deadline']) < now) return 'too-late';
  const isMadeUpFor = job.options['catch-up'] !== 'none' || timetable === undefined;
  return isMadeUpFor || now - scheduledTime < ON_TIME_MS ? undefined : 'catch-up-none';
}
