import { type PlannedJob, runsOn, type SchedulePlan, timetableOf } from '../plan/plan.ts';
import { deliveryInput, eventAgeSeconds, scheduleName } from './delivery.ts';
import { coverOf } from './eventbridge.ts';
import { executorMemory } from './executor.ts';
import type { Names } from './names.ts';

/** The service's longest description. */
const LONGEST_DESCRIPTION = 512;

/** Attempts that the service allows; the event's age ends them earlier. */
const MOST_DELIVERY_ATTEMPTS = 185;

/** Name of the schedule of the watchdog. No job's is the same: those have dashes in pairs. */
const WATCHDOG_SCHEDULE = 'watchdog';

/**
 * A schedule of EventBridge Scheduler in the service's words, whole: what is left out, the service chooses. ARNs are as
 * `Names` has them.
 */
export interface ScheduleText {
  readonly name: string;
  readonly groupName: string;
  readonly description: string;
  readonly scheduleExpression: string;
  readonly scheduleExpressionTimezone: string;
  readonly flexibleTimeWindow: { readonly mode: 'OFF' };
  readonly state: 'ENABLED' | 'DISABLED';
  readonly target: {
    readonly arn: string;
    readonly roleArn: string;
    /** JSON. */
    readonly input: string;
    readonly retryPolicy: {
      readonly maximumEventAgeInSeconds: number;
      readonly maximumRetryAttempts: number;
    };
    readonly deadLetterConfig: { readonly arn: string };
  };
}

export interface ScheduleContext {
  readonly names: Names;
  /** MiB of the executor for jobs that ask for none. */
  readonly memory: number;
}

/**
 * The schedules of a job: one for each part of its cover; none for a job that does not run on AWS or never comes.
 * Depends on the job, on no other, and on no date.
 */
export function schedulesOf(
  plan: SchedulePlan,
  job: PlannedJob,
  { names, memory }: ScheduleContext,
): ScheduleText[] {
  if (!runsOn(job, 'aws')) return [];
  const timetable = timetableOf(plan, job);
  const cover = coverOf(timetable);
  if (timetable === undefined || !cover.isCarried) return [];
  const { description, suspend } = job.options;
  const what = `${job.written} ${job.zone}`;
  return cover.parts.map(({ expression, timeZone }, part) => ({
    name: scheduleName(plan.crontab, job.name, part),
    groupName: names.group,
    description: (description === undefined ? what : `${what}: ${description}`).slice(0, LONGEST_DESCRIPTION),
    scheduleExpression: expression,
    scheduleExpressionTimezone: timeZone,
    flexibleTimeWindow: { mode: 'OFF' },
    state: suspend === undefined ? 'ENABLED' : 'DISABLED',
    target: {
      arn: names.executorArn(executorMemory(job.options, memory)),
      roleArn: names.schedulerRoleArn,
      input: deliveryInput(plan.crontab, job.name, part),
      retryPolicy: {
        maximumEventAgeInSeconds: eventAgeSeconds(timetable, job.options['starting-deadline']),
        maximumRetryAttempts: MOST_DELIVERY_ATTEMPTS,
      },
      deadLetterConfig: { arn: names.deadLettersArn },
    },
  }));
}

/** The schedule of the watchdog: each minute, and a minute that was lost is made up for by the next. */
export function watchdogSchedule(names: Names): ScheduleText {
  return {
    name: WATCHDOG_SCHEDULE,
    groupName: names.group,
    description: 'Every minute: the watchdog',
    scheduleExpression: 'cron(* * * * ? *)',
    scheduleExpressionTimezone: 'UTC',
    flexibleTimeWindow: { mode: 'OFF' },
    state: 'ENABLED',
    target: {
      arn: names.watchdogArn,
      roleArn: names.schedulerRoleArn,
      input: JSON.stringify({ scheduledTime: '<aws.scheduler.scheduled-time>' }),
      retryPolicy: { maximumEventAgeInSeconds: 60, maximumRetryAttempts: 0 },
      deadLetterConfig: { arn: names.deadLettersArn },
    },
  };
}
