import type { Schedule } from './schedule.ts';
import { matchesWall, nextWall, previousWall } from './wall-clock.ts';
import {
  type EpochMinute,
  type EpochMs,
  MINUTE_MS,
  segmentAt,
  segmentOffset,
  type ZoneTable,
} from './zone-table.ts';

/** When a job is due: its fields, read on the clocks of its zone. */
export interface Timetable {
  readonly schedule: Schedule;
  readonly zone: ZoneTable;
}

/**
 * Debian's cron makes up for a clock that moved forwards by less than this, and holds fixed-time entries back
 * when it moved backwards by no more than this; a larger move is a new time to it. Minutes.
 * @see the wake-up kinds in Debian's cron.c
 */
const CLOCK_CHANGE_LIMIT = 180;

/** Minutes of wall time that the change at the start of a segment skipped and that are made up for; 0 when none are. */
export function madeUpAtStart(zone: ZoneTable, segment: number): number {
  if (segment === 0) return 0;
  const skipped = segmentOffset(zone, segment) - segmentOffset(zone, segment - 1);
  return skipped > 0 && skipped < CLOCK_CHANGE_LIMIT ? skipped : 0;
}

/** Minutes of wall time that come a second time at the start of a segment; 0 when none do. */
export function repeatedAtStart(zone: ZoneTable, segment: number): number {
  if (segment === 0) return 0;
  const repeated = segmentOffset(zone, segment - 1) - segmentOffset(zone, segment);
  return repeated > 0 && repeated <= CLOCK_CHANGE_LIMIT ? repeated : 0;
}

function segmentStart(zone: ZoneTable, segment: number): EpochMinute {
  return segment === 0
    ? Number.NEGATIVE_INFINITY
    : (zone.changes[segment - 1] as readonly [number, number])[0];
}

/** Whether a fixed-time entry has a time inside the wall time that the segment's first minute stands for. */
function isMadeUpAtStart({ schedule, zone }: Timetable, segment: number): boolean {
  const skipped = madeUpAtStart(zone, segment);
  if (skipped === 0 || schedule.followsRealTime) return false;
  const gapEnd = segmentStart(zone, segment) + segmentOffset(zone, segment);
  return !Number.isNaN(nextWall(schedule, gapEnd - skipped, gapEnd));
}

/** First minute of a segment whose wall time counts for the entry: fixed times do not run in a second pass. */
function firstCounted({ schedule, zone }: Timetable, segment: number): EpochMinute {
  const start = segmentStart(zone, segment);
  return schedule.followsRealTime ? start : start + repeatedAtStart(zone, segment);
}

/** Whether the entry is due in the minute that holds the instant. */
export function isDue(timetable: Timetable, instant: EpochMs): boolean {
  const { schedule, zone } = timetable;
  const minute = Math.floor(instant / MINUTE_MS);
  if (minute < zone.from || minute >= zone.until) return false;
  const segment = segmentAt(zone, minute);
  if (minute === segmentStart(zone, segment) && isMadeUpAtStart(timetable, segment)) return true;
  return (
    minute >= firstCounted(timetable, segment) && matchesWall(schedule, minute + segmentOffset(zone, segment))
  );
}

/** First due instant after (never at) the given one; undefined when there is none before the zone table ends. */
export function nextDue(timetable: Timetable, after: EpochMs): EpochMs | undefined {
  const { schedule, zone } = timetable;
  const { changes } = zone;
  let from = Math.max(Math.floor(after / MINUTE_MS) + 1, zone.from);
  for (let segment = segmentAt(zone, from); ; segment++) {
    const change = changes[segment];
    const end = change === undefined ? zone.until : change[0];
    const offset = segmentOffset(zone, segment);
    if (segment > 0) {
      if (from <= segmentStart(zone, segment) && isMadeUpAtStart(timetable, segment)) {
        return segmentStart(zone, segment) * MINUTE_MS;
      }
      from = Math.max(from, firstCounted(timetable, segment));
    }
    const wall = nextWall(schedule, from + offset, end + offset);
    if (wall === wall) return (wall - offset) * MINUTE_MS;
    if (change === undefined) return undefined;
    from = end;
  }
}

/** Last due instant before (never at) the given one; undefined when there is none since the zone table begins. */
export function previousDue(timetable: Timetable, before: EpochMs): EpochMs | undefined {
  const { schedule, zone } = timetable;
  let until = Math.min(Math.ceil(before / MINUTE_MS), zone.until) - 1;
  for (let segment = segmentAt(zone, until); segment >= 0; segment--) {
    const offset = segmentOffset(zone, segment);
    const start = Math.max(firstCounted(timetable, segment), zone.from);
    if (until >= start) {
      const wall = previousWall(schedule, until + offset, start + offset);
      if (wall === wall) return (wall - offset) * MINUTE_MS;
    }
    if (until >= segmentStart(zone, segment) && isMadeUpAtStart(timetable, segment)) {
      return segmentStart(zone, segment) * MINUTE_MS;
    }
    until = segmentStart(zone, segment) - 1;
  }
  return undefined;
}

/** All due instants in the window (after, until], ascending. */
export function* dueInstants(
  timetable: Timetable,
  after: EpochMs,
  until: EpochMs,
): Generator<EpochMs, void, undefined> {
  let instant = nextDue(timetable, after);
  while (instant !== undefined && instant <= until) {
    yield instant;
    instant = nextDue(timetable, instant);
  }
}
