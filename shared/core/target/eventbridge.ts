import type { Finding } from '../diagnostic.ts';
import type { DROP_REASONS } from '../metrics/metrics.ts';
import { countDue } from '../schedule/count-due.ts';
import { dueInstants, isDue, type Timetable } from '../schedule/due.ts';
import { canFire, type Schedule } from '../schedule/schedule.ts';
import { matchesWall } from '../schedule/wall-clock.ts';
import {
  type EpochMinute,
  type EpochMs,
  MINUTE_MS,
  segmentAt,
  segmentOffset,
  type ZoneTable,
} from '../schedule/zone-table.ts';
import { daysOf, fieldText, minutesOf, valuesOf } from './eventbridge-fields.ts';
import { clockOf } from './utc.ts';

/** One schedule of EventBridge Scheduler. */
export interface CoverPart {
  /**
   * Six fields, as the service's guide shows them: `cron(30 2 ? * MON-FRI *)`. At most 256 characters.
   * @see https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
   */
  readonly expression: string;
  /** ScheduleExpressionTimezone: `UTC`, or the entry's own zone. */
  readonly timeZone: string;
}

/**
 * The schedules whose deliveries include every due instant of an entry outside the clock changes of its zone, or why
 * there can be none. A pure function of the entry: neither the date nor other entries change it.
 */
export type Cover =
  /** One part or two; none for an entry that is never due. */
  | { readonly isCarried: true; readonly parts: readonly CoverPart[] }
  | ({ readonly isCarried: false } & typeof NO_REBOOT);

/** Why `@reboot` has no cover. */
export const NO_REBOOT = {
  code: 'unsupported-reboot',
  message: '`@reboot` is due when a daemon starts, and on AWS none does',
  help: 'leave it to the daemon by `# kuber-cron: targets=daemon`, or give it a time',
} as const satisfies Pick<Required<Finding>, 'code' | 'message' | 'help'>;

/**
 * The cover of a job.
 *
 * @param timetable undefined for `@reboot`
 */
export function coverOf(timetable: Timetable | undefined): Cover {
  if (timetable === undefined) return { isCarried: false, ...NO_REBOOT };
  return {
    isCarried: true,
    parts: streamsOf(timetable).map(({ expression, zone }) => ({ expression, timeZone: zone.zone })),
  };
}

/**
 * Whether a delivery starts a run. `not-due`: one that the cover brings along, since the service has no expression for
 * exactly the due instants. `not-foreseen`: one that no part of the cover can have made, so the service reads the
 * clocks of the zone otherwise than the zone table, or its schedule is not ours.
 *
 * @param timetable undefined for `@reboot`, which no schedule carries
 * @param scheduledTime any instant of the minute
 */
export function guardDelivery(
  timetable: Timetable | undefined,
  scheduledTime: EpochMs,
): 'due' | Extract<(typeof DROP_REASONS)[number], 'not-due' | 'not-foreseen'> {
  if (timetable === undefined) return 'not-foreseen';
  if (isDue(timetable, scheduledTime)) return 'due';
  const minute = Math.floor(scheduledTime / MINUTE_MS);
  return streamsOf(timetable).some((stream) => isOnWall(stream, minute)) ? 'not-due' : 'not-foreseen';
}

/**
 * Due instants in the window (after, until] that no part of the cover delivers, ascending: the ledger pass starts
 * them. All lie in a change of the clocks. What the service does with a wall time that comes twice is documented for a
 * daily time only, which it delivers the first time; where it delivers the second too, the claim makes them one.
 */
export function ledgerStarts(timetable: Timetable, after: EpochMs, until: EpochMs): EpochMs[] {
  const { zone } = timetable;
  const streams = streamsOf(timetable);
  const found: EpochMs[] = [];
  for (const [start, size] of clockChanges(zone, after, until)) {
    const from = Math.max(after, start * MINUTE_MS - 1);
    // Of a gap only the minute behind it is special: what did not exist is made up for then.
    const end = Math.min(until, (start + Math.max(size, 1)) * MINUTE_MS - 1);
    for (const instant of dueInstants(timetable, from, end)) {
      if (!streams.some((stream) => isDelivered(stream, instant / MINUTE_MS))) found.push(instant);
    }
  }
  return found;
}

/**
 * How many instants in the window (after, until] are delivered and not due, so that the guard drops them. An instant
 * that both parts deliver is one. The work grows with the days of the window, not with its minutes.
 */
export function extraDeliveries(timetable: Timetable, after: EpochMs, until: EpochMs): number {
  const [first, second] = streamsOf(timetable);
  if (first === undefined) return 0;
  const count = (stream: Stream) => countDelivered(stream, after, until);
  let delivered = count(first);
  if (second !== undefined) {
    const { schedule, zone } = first;
    const { dayOfMonth, dayOfWeek } = second.schedule;
    const both = onDays(schedule, schedule.dayOfMonth & dayOfMonth, schedule.dayOfWeek & dayOfWeek);
    delivered += count(second) - count({ expression: '', zone, schedule: both });
  }
  return delivered - (countDue(timetable, after, until) - ledgerStarts(timetable, after, until).length);
}

/** A part of a cover, and the fields that its expression stands for. */
interface Stream {
  readonly expression: string;
  /** What the service reads the fields on. */
  readonly zone: ZoneTable;
  /** Both days must match; its text is that of the entry. */
  readonly schedule: Schedule;
}

function streamsOf({ schedule, zone }: Timetable): Stream[] {
  if (!canFire(schedule)) return [];
  const clock = clockOf(schedule, zone);
  const minutes = fieldText(minutesOf(schedule), 0, 59);
  const hours = fieldText(valuesOf(schedule.hour), 0, 23);
  const months = fieldText(valuesOf(schedule.month), 1, 12);
  return daysOf(schedule).map(({ dayOfMonth, dayOfWeek, text: [ofMonth, ofWeek] }) => ({
    expression: `cron(${minutes} ${hours} ${ofMonth} ${months} ${ofWeek} *)`,
    zone: clock,
    schedule: onDays(schedule, dayOfMonth, dayOfWeek),
  }));
}

function onDays(schedule: Schedule, dayOfMonth: number, dayOfWeek: number): Schedule {
  return { ...schedule, dayOfMonth, dayOfWeek, bothDaysMustMatch: true, followsRealTime: true };
}

/** Whether the clock on the wall shows a time of the stream, the first time or again. */
function isOnWall({ schedule, zone }: Stream, minute: EpochMinute): boolean {
  return matchesWall(schedule, minute + segmentOffset(zone, segmentAt(zone, minute)));
}

/** As documented: a wall time that does not exist is skipped, one that comes twice is delivered the first time. */
function isDelivered(stream: Stream, minute: EpochMinute): boolean {
  const { zone } = stream;
  const segment = segmentAt(zone, minute);
  const change = zone.changes[segment - 1];
  const isAgain = change !== undefined && minute < change[0] + fallAtStart(zone, segment);
  return !isAgain && isOnWall(stream, minute);
}

function countDelivered({ schedule, zone }: Stream, after: EpochMs, until: EpochMs): number {
  const count = (from: EpochMs, end: EpochMs) => countDue({ schedule, zone }, from, end);
  let delivered = count(after, until);
  for (const [start, size] of clockChanges(zone, after, until)) {
    const from = Math.max(after, start * MINUTE_MS - 1);
    const end = Math.min(until, (start + size) * MINUTE_MS - 1);
    if (from < end) delivered -= count(from, end);
  }
  return delivered;
}

/** Minutes by which the clocks are set back at the start of a segment; 0 when they are not. */
function fallAtStart(zone: ZoneTable, segment: number): number {
  return Math.max(0, segmentOffset(zone, segment - 1) - segmentOffset(zone, segment));
}

/** Changes whose aftermath may lie in the window (after, until], with the wall minutes that come twice from then on. */
function clockChanges(
  zone: ZoneTable,
  after: EpochMs,
  until: EpochMs,
): (readonly [start: EpochMinute, size: number])[] {
  const found: (readonly [EpochMinute, number])[] = [];
  const first = Math.max(segmentAt(zone, Math.floor(after / MINUTE_MS)), 1);
  for (let segment = first; segment <= zone.changes.length; segment++) {
    const [start] = zone.changes[segment - 1] as readonly [number, number];
    if (start * MINUTE_MS > until) break;
    found.push([start, fallAtStart(zone, segment)]);
  }
  return found;
}
