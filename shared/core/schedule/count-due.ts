import { madeUpAtStart, repeatedAtStart, type Timetable } from './due.ts';
import { nextWall, type WallMinute } from './wall-clock.ts';
import {
  DAY_MINUTES,
  type EpochMs,
  MINUTE_MS,
  segmentAt,
  segmentOffset,
  type ZoneTable,
} from './zone-table.ts';

/**
 * How many due instants there are in the window (after, until]. Looks at days, never at minutes: the work does not grow
 * with the number of instants in a day.
 */
export function countDue(timetable: Timetable, after: EpochMs, until: EpochMs): number {
  const { schedule, zone } = timetable;
  const first = Math.max(Math.floor(after / MINUTE_MS) + 1, zone.from);
  const end = Math.min(Math.floor(until / MINUTE_MS) + 1, zone.until);
  let count = 0;
  for (let segment = segmentAt(zone, first), from = first; from < end; segment++) {
    const start = startOf(zone, segment);
    const segmentEnd = Math.min(startOf(zone, segment + 1), end);
    const offset = segmentOffset(zone, segment);
    if (!schedule.followsRealTime) {
      const gap = madeUpAtStart(zone, segment);
      const isMadeUp = gap > 0 && hasWall(timetable, start + offset - gap, start + offset);
      if (from === start && isMadeUp) {
        count++;
        // The regular start of that minute is one with it.
        from++;
      }
      from = Math.max(from, start + repeatedAtStart(zone, segment));
    }
    count += countWalls(timetable, from + offset, segmentEnd + offset);
    from = segmentEnd;
  }
  return count;
}

function startOf({ changes }: ZoneTable, segment: number): number {
  if (segment === 0) return Number.NEGATIVE_INFINITY;
  return changes[segment - 1]?.[0] ?? Number.POSITIVE_INFINITY;
}

function hasWall({ schedule }: Timetable, from: WallMinute, until: WallMinute): boolean {
  return !Number.isNaN(nextWall(schedule, from, until));
}

/** Matching wall minutes in [from, until). */
function countWalls({ schedule }: Timetable, from: WallMinute, until: WallMinute): number {
  const { minuteLow, minuteHigh, hour } = schedule;
  const inDay = (bits(minuteLow) + bits(minuteHigh)) * bits(hour);
  let count = 0;
  let wall = nextWall(schedule, from, until);
  while (wall === wall) {
    const day = Math.floor(wall / DAY_MINUTES) * DAY_MINUTES;
    const dayEnd = day + DAY_MINUTES;
    if (from <= day && dayEnd <= until) {
      count += inDay;
      wall = nextWall(schedule, dayEnd, until);
    } else {
      count++;
      wall = nextWall(schedule, wall + 1, until);
    }
  }
  return count;
}

function bits(set: number): number {
  let count = 0;
  for (let left = set >>> 0; left !== 0; left = (left & (left - 1)) >>> 0) count++;
  return count;
}
