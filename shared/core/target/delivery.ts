import { stableHash } from '../hash.ts';
import { startBy } from '../run/run.ts';
import { jobIdOf } from '../run/run-id.ts';
import type { Timetable } from '../schedule/due.ts';
import type { Schedule } from '../schedule/schedule.ts';
import { MINUTE_MS } from '../schedule/zone-table.ts';
import { minutesOf } from './eventbridge-fields.ts';

/**
 * Name of the schedule that delivers a part of a job's cover: `<crontab>--<job>--<part>`, at most 51 characters of the
 * service's 64. Neither name has two dashes in a row, so no two jobs share one.
 */
export function scheduleName(crontab: string, job: string, part: number): string {
  return `${crontab}--${job}--${part}`;
}

/** Which of so many stacks holds a job's schedules: it depends on the job's id alone, so no edit moves another job. */
export function shardOfJob(crontab: string, job: string, shards: number): number {
  return stableHash(jobIdOf(crontab, job)) % shards;
}

/** What the executor gets, once the service has filled in its context attributes. All values but `part` are texts. */
export interface DeliveryInput {
  readonly crontab: string;
  readonly job: string;
  /** Which expression of the cover it came by, from 0. */
  readonly part: number;
  /** ISO 8601 in UTC with seconds that need not be 0: `2026-03-29T01:30:17Z`. */
  readonly scheduledTime: string;
  readonly executionId: string;
  /** Of the delivery, from `1`. */
  readonly attemptNumber: string;
  readonly scheduleArn: string;
}

/**
 * Input of a schedule, JSON: who is due and no more. Whoever can write an event could write a command as well.
 *
 * @see https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
 */
export function deliveryInput(crontab: string, job: string, part: number): string {
  return JSON.stringify({
    crontab,
    job,
    part,
    scheduledTime: '<aws.scheduler.scheduled-time>',
    executionId: '<aws.scheduler.execution-id>',
    attemptNumber: '<aws.scheduler.attempt-number>',
    scheduleArn: '<aws.scheduler.schedule-arn>',
  } satisfies DeliveryInput);
}

/** Bounds of MaximumEventAgeInSeconds. */
const SHORTEST_AGE_S = 60;
const LONGEST_AGE_S = 86_400;

/**
 * How long the service goes on trying to deliver: a minute longer than any run of the job may still start, so that the
 * ledger and not the service says that one was missed; a day at most, which is all that the service offers. Seconds.
 */
export function eventAgeSeconds(timetable: Timetable, startingDeadlineMs: number | undefined): number {
  const longest = startBy(0, longestGapMs(timetable), startingDeadlineMs) + MINUTE_MS;
  return Math.min(LONGEST_AGE_S, Math.max(SHORTEST_AGE_S, Math.ceil(longest / 1000)));
}

const EVERY_HOUR = 0xff_ffff;
const EVERY_MONTH = 0x1ffe;
const EVERY_DAY_OF_MONTH = 0xffff_fffe;
const EVERY_DAY_OF_WEEK = 0x7f;

/** A bound of the time from a due instant to the next, exact up to an hour; undefined where it can be more than that. */
function longestGapMs({ schedule, zone }: Timetable): number | undefined {
  if (!isEveryHour(schedule)) return undefined;
  // A clock change moves the minutes of an hour, or makes a fixed time come once in two hours.
  const offsets = [zone.offset, ...zone.changes.map(([, offset]) => offset)];
  const movesMinutes = offsets.some((offset) => (offset - zone.offset) % 60 !== 0);
  if (movesMinutes || (!schedule.followsRealTime && zone.changes.length > 0)) return undefined;
  const minutes = minutesOf(schedule);
  const gaps = minutes.map((minute, index) => (minutes[index + 1] ?? 60 + (minutes[0] ?? 0)) - minute);
  return Math.max(...gaps) * MINUTE_MS;
}

function isEveryHour({ hour, month, dayOfMonth, dayOfWeek, bothDaysMustMatch }: Schedule): boolean {
  const ofMonth = dayOfMonth >>> 0 === EVERY_DAY_OF_MONTH;
  const ofWeek = dayOfWeek === EVERY_DAY_OF_WEEK;
  const isEveryDay = bothDaysMustMatch ? ofMonth && ofWeek : ofMonth || ofWeek;
  return isEveryDay && hour === EVERY_HOUR && month === EVERY_MONTH;
}
