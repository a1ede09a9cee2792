import { readName } from '../crontab/values.ts';
import { stableHash } from '../hash.ts';
import { isCrontabName } from '../plan/plan.ts';
import { startBy } from '../run/run.ts';
import { jobIdOf } from '../run/run-id.ts';
import type { Timetable } from '../schedule/due.ts';
import type { Schedule } from '../schedule/schedule.ts';
import { type EpochMs, MINUTE_MS } from '../schedule/zone-table.ts';
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

/** What the watchdog gives an executor: a run that is pending in the store. */
export interface StartInput {
  readonly crontab: string;
  readonly job: string;
  readonly runId: string;
}

/** An event of an executor. */
export type ExecutorEvent =
  | {
      readonly kind: 'delivery';
      readonly crontab: string;
      readonly job: string;
      /** To the millisecond, as it was delivered. */
      readonly scheduledTime: EpochMs;
    }
  | ({ readonly kind: 'start' } & StartInput);

/** An event, or in one sentence what is wrong with it; that holds none of its values. */
export type ReadEvent =
  | { readonly ok: true; readonly event: ExecutorEvent }
  | { readonly ok: false; readonly problem: string };

/** No queue keeps an event for longer. Milliseconds. */
const OLDEST_MS = 14 * 86_400_000;
/** What the clocks of a service and a function may differ by. Milliseconds. */
const CLOCKS_MS = MINUTE_MS;

interface MemberRule {
  readonly allowed: string;
  readonly isAllowed: (value: unknown, now: EpochMs) => boolean;
}

const text = (allowed: string, pattern: RegExp): MemberRule => ({
  allowed,
  isAllowed: (value) => typeof value === 'string' && pattern.test(value),
});
const CRONTAB: MemberRule = {
  allowed: 'the name of a crontab',
  isAllowed: (value) => typeof value === 'string' && isCrontabName(value),
};
const JOB: MemberRule = {
  allowed: 'the name of a job',
  isAllowed: (value) => typeof value === 'string' && readName(value).ok,
};

const DELIVERY_RULES: Readonly<Record<keyof DeliveryInput, MemberRule>> = {
  crontab: CRONTAB,
  job: JOB,
  part: { allowed: '0 or 1', isAllowed: (value) => value === 0 || value === 1 },
  scheduledTime: {
    allowed: 'a time such as 2026-03-29T01:30:17Z, of the last 14 days and not to come',
    isAllowed: (value, now) => {
      if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/.test(value))
        return false;
      const instant = Date.parse(value);
      return instant >= now - OLDEST_MS && instant <= now + CLOCKS_MS;
    },
  },
  executionId: text('a text of 1 to 256 characters', /^.{1,256}$/),
  attemptNumber: text('a whole number as text', /^\d{1,4}$/),
  scheduleArn: text('the ARN of a schedule', /^arn:.{1,1600}$/),
};

const START_RULES: Readonly<Record<keyof StartInput, MemberRule>> = {
  crontab: CRONTAB,
  job: JOB,
  runId: text('the id of a run', /^\d{4}-\d\d-\d\dT\d\d:\d\dZ(?:#[a-z0-9]{1,40})?$/),
};

/**
 * Reads an event of an executor: a `DeliveryInput` or a `StartInput`, and no member more.
 *
 * @param now a delivery of another time cannot be one
 */
export function readExecutorEvent(value: unknown, now: EpochMs): ReadEvent {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { ok: false, problem: `the event takes an object, got ${kindOf(value)}` };
  const members = value as Readonly<Record<string, unknown>>;
  const rules: Readonly<Record<string, MemberRule>> = Object.hasOwn(members, 'runId')
    ? START_RULES
    : DELIVERY_RULES;
  const unknown = Object.keys(members).filter((name) => !Object.hasOwn(rules, name));
  if (unknown.length > 0) {
    const known = Object.keys(rules).join(', ');
    return { ok: false, problem: `the event has ${unknown.length} unknown members; it takes ${known}` };
  }
  for (const [name, { allowed, isAllowed }] of Object.entries(rules)) {
    if (!isAllowed(members[name], now))
      return {
        ok: false,
        problem: `\`${name}\` of the event takes ${allowed}, got ${kindOf(members[name])}`,
      };
  }
  if (rules === START_RULES) return { ok: true, event: { kind: 'start', ...(value as StartInput) } };
  const { crontab, job, scheduledTime } = value as DeliveryInput;
  return { ok: true, event: { kind: 'delivery', crontab, job, scheduledTime: Date.parse(scheduledTime) } };
}

/** What a value is, without saying it: whoever writes an event may write a secret into it. */
function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'string' ? 'another text' : `a ${typeof value}`;
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
