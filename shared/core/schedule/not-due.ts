import { clockChangeEffects } from './clock-changes.ts';
import { isDue, repeatedAtStart, type Timetable } from './due.ts';
import { FIELD_NAMES, type FieldName } from './field.ts';
import type { Schedule } from './schedule.ts';
import { matchesWall } from './wall-clock.ts';
import { type EpochMs, MINUTE_MS, segmentAt, segmentOffset } from './zone-table.ts';

/** A time field that does not match. */
export interface FieldMismatch {
  readonly field: FieldName;
  /** What the clock on the wall shows; Sunday is 0. */
  readonly value: number;
  /** The field as the plan has it. */
  readonly text: string;
}

/** Why an entry is not due at a minute. */
export type NotDue =
  | { readonly kind: 'fields'; readonly fields: readonly FieldMismatch[] }
  /** The wall time comes twice, and the entry has fixed times: it ran at the first. */
  | { readonly kind: 'repeated'; readonly first: EpochMs }
  /** No zone table covers the time. */
  | { readonly kind: 'outside' };

/** Why an entry is not due in the minute that holds the instant; undefined when it is. */
export function notDue(timetable: Timetable, instant: EpochMs): NotDue | undefined {
  if (isDue(timetable, instant)) return undefined;
  const { schedule, zone } = timetable;
  const minute = Math.floor(instant / MINUTE_MS);
  if (minute < zone.from || minute >= zone.until) return { kind: 'outside' };
  const segment = segmentAt(zone, minute);
  const wall = minute + segmentOffset(zone, segment);
  if (matchesWall(schedule, wall)) {
    return { kind: 'repeated', first: (minute - repeatedAtStart(zone, segment)) * MINUTE_MS };
  }
  return { kind: 'fields', fields: mismatches(schedule, wall) };
}

function mismatches(schedule: Schedule, wall: number): FieldMismatch[] {
  const date = new Date(wall * MINUTE_MS);
  const values: Readonly<Record<FieldName, number>> = {
    minute: date.getUTCMinutes(),
    hour: date.getUTCHours(),
    dayOfMonth: date.getUTCDate(),
    month: date.getUTCMonth() + 1,
    dayOfWeek: date.getUTCDay(),
  };
  const texts = schedule.text.split(' ');
  const found = FIELD_NAMES.map((field, index) => ({
    field,
    value: values[field],
    text: texts[index] as string,
  })).filter((one) => !hasValue(schedule, one.field, one.value));
  const isDay = ({ field }: FieldMismatch) => field === 'dayOfMonth' || field === 'dayOfWeek';
  // Where either day field suffices, one that does not match is no reason.
  const areDaysAtFault = schedule.bothDaysMustMatch || found.filter(isDay).length === 2;
  return found.filter((one) => areDaysAtFault || !isDay(one));
}

function hasValue(schedule: Schedule, field: FieldName, value: number): boolean {
  if (field !== 'minute') return (schedule[field] & (1 << value)) !== 0;
  const { minuteLow, minuteHigh } = schedule;
  return value < 32 ? (minuteLow & (1 << value)) !== 0 : (minuteHigh & (1 << (value - 32))) !== 0;
}

/** What a change of the clocks has to do with a due instant. */
export type ClockNote =
  /** Times that the clocks skip are made up for at this minute; `merged` starts are one. */
  | { readonly kind: 'moved'; readonly walls: readonly string[]; readonly merged: number }
  /** The wall time comes again at `second`; the entry runs then too when it follows real time. */
  | { readonly kind: 'first-of-two'; readonly second: EpochMs; readonly runsTwice: boolean }
  | { readonly kind: 'second-of-two'; readonly first: EpochMs };

/** What the clocks do at a due instant; undefined on any other day. */
export function clockNote(timetable: Timetable, instant: EpochMs): ClockNote | undefined {
  const { schedule, zone } = timetable;
  const minute = Math.floor(instant / MINUTE_MS);
  const { skipped } = clockChangeEffects(timetable, (minute - 1) * MINUTE_MS, minute * MINUTE_MS);
  if (skipped !== undefined) return { kind: 'moved', walls: skipped.walls, merged: skipped.merged };
  const segment = segmentAt(zone, minute);
  const end = zone.changes[segment]?.[0];
  const ahead = end === undefined ? 0 : repeatedAtStart(zone, segment + 1);
  if (end !== undefined && minute >= end - ahead) {
    const second = (minute + ahead) * MINUTE_MS;
    return { kind: 'first-of-two', second, runsTwice: schedule.followsRealTime };
  }
  const behind = repeatedAtStart(zone, segment);
  const start = segment === 0 ? Number.NEGATIVE_INFINITY : (zone.changes[segment - 1]?.[0] ?? 0);
  if (minute < start + behind) return { kind: 'second-of-two', first: (minute - behind) * MINUTE_MS };
  return undefined;
}
