import type { CatchUpPolicy } from '../crontab/options.ts';
import { canonicalJson } from '../plan/canonical-json.ts';
import { type PlannedJob, REBOOT, type SchedulePlan } from '../plan/plan.ts';
import type { Timetable } from '../schedule/due.ts';
import { compileSchedule } from '../schedule/schedule.ts';
import type { EpochMs, ZoneTable } from '../schedule/zone-table.ts';
import { jobIdOf } from './run-id.ts';

/** What a job's schedule was for a time: what was due then follows from it, whatever the crontab says today. */
export interface ScheduleInterval {
  readonly jobId: string;
  readonly from: EpochMs;
  /** The first instant at which it was no longer in force; of one that is in force, undefined. */
  readonly until?: EpochMs;
  /** Five canonical fields, or `@reboot`. */
  readonly schedule: string;
  readonly written: string;
  readonly zone: string;
  readonly table: ZoneTable;
  /** Of a job that the crontab suspends: true, or the reason. */
  readonly suspend?: true | string;
  readonly targets?: readonly string[];
  readonly startingDeadlineMs?: number;
  readonly catchUp?: CatchUpPolicy;
}

/** What a new plan does to the history of schedules. */
export interface ScheduleChange {
  readonly at: EpochMs;
  /** Jobs whose interval ends. */
  readonly closed: readonly string[];
  readonly opened: readonly ScheduleInterval[];
  /** Jobs that go on under another name: runs, counters, lock, pauses and schedules move. */
  readonly renamed: readonly { readonly from: string; readonly to: string }[];
}

/**
 * What a plan changes. A job that only does something else keeps its interval.
 *
 * @param known intervals of the crontab that are in force
 */
export function scheduleChange(
  known: readonly ScheduleInterval[],
  renamed: ScheduleChange['renamed'],
  after: SchedulePlan,
  at: EpochMs,
): ScheduleChange {
  const names = new Map(renamed.map(({ from, to }) => [from, to]));
  const before = new Map(known.map((interval) => [names.get(interval.jobId) ?? interval.jobId, interval]));
  const opened: ScheduleInterval[] = [];
  const closed: string[] = [];
  const now = new Set<string>();
  for (const job of after.jobs) {
    const interval = intervalOf(after, job, at);
    const old = before.get(interval.jobId);
    now.add(interval.jobId);
    if (old !== undefined && content(old) === content(interval)) continue;
    if (old !== undefined) closed.push(interval.jobId);
    opened.push(interval);
  }
  for (const jobId of before.keys()) if (!now.has(jobId)) closed.push(jobId);
  return { at, closed, opened, renamed };
}

function intervalOf(plan: SchedulePlan, job: PlannedJob, from: EpochMs): ScheduleInterval {
  const { schedule, written, zone, options } = job;
  const { suspend, targets, 'starting-deadline': startingDeadlineMs, 'catch-up': catchUp } = options;
  return {
    jobId: jobIdOf(plan.crontab, job.name),
    from,
    ...{ schedule, written, zone, table: plan.zones[zone] as ZoneTable },
    ...(suspend === undefined ? {} : { suspend }),
    ...(targets === undefined ? {} : { targets }),
    ...(startingDeadlineMs === undefined ? {} : { startingDeadlineMs }),
    ...(catchUp === undefined ? {} : { catchUp }),
  };
}

function content({ jobId: _jobId, from: _from, until: _until, table, ...rest }: ScheduleInterval): string {
  return canonicalJson(rest) + tableText(table);
}

const tableTexts = new WeakMap<ZoneTable, string>();

/** Thousands of jobs share a few tables. */
function tableText(table: ZoneTable): string {
  const known = tableTexts.get(table);
  if (known !== undefined) return known;
  const text = canonicalJson(table);
  tableTexts.set(table, text);
  return text;
}

/** The interval that was in force at an instant. */
export function intervalAt(
  intervals: readonly ScheduleInterval[],
  instant: EpochMs,
): ScheduleInterval | undefined {
  return intervals.findLast(({ from, until }) => from <= instant && (until === undefined || instant < until));
}

/** When the job was due in the interval; undefined for `@reboot`. */
export function timetableOfInterval({ schedule, table }: ScheduleInterval): Timetable | undefined {
  return schedule === REBOOT ? undefined : { schedule: compileSchedule(schedule), zone: table };
}
