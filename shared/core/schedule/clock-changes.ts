import { madeUpAtStart, repeatedAtStart, type Timetable } from './due.ts';
import { nextWall } from './wall-clock.ts';
import { type EpochMs, MINUTE_MS, segmentAt, segmentOffset, zonedText } from './zone-table.ts';

/** What a change of the clocks does to an entry with fixed times. */
export interface ClockChangeEffect {
  /** First minute after the change, with its offset: `2026-03-29T03:00+02:00`. */
  readonly at: string;
  /** The entry's wall times that do not exist, or come twice: `02:30`. At most four. */
  readonly walls: readonly string[];
  /** Starts that fall on that minute, the regular one included. */
  readonly merged: number;
}

/** The next change in the window that skips a time of the entry, and the next that repeats one. */
export function clockChangeEffects(
  timetable: Timetable,
  after: EpochMs,
  until: EpochMs,
): { readonly skipped?: ClockChangeEffect; readonly repeated?: ClockChangeEffect } {
  const { schedule, zone } = timetable;
  if (schedule.followsRealTime) return {};
  let skipped: ClockChangeEffect | undefined;
  let repeated: ClockChangeEffect | undefined;
  for (let segment = segmentAt(zone, after / MINUTE_MS) + 1; segment <= zone.changes.length; segment++) {
    const [start] = zone.changes[segment - 1] as readonly [number, number];
    if (start * MINUTE_MS > until) break;
    const wall = start + segmentOffset(zone, segment);
    const at = zonedText(zone, start * MINUTE_MS);
    const gap = madeUpAtStart(zone, segment);
    if (gap > 0 && skipped === undefined) {
      const walls = wallsBetween(timetable, wall - gap, wall);
      const onTime = nextWall(schedule, wall, wall + 1) === wall ? 1 : 0;
      if (walls.length > 0) skipped = { at, walls: shown(walls), merged: walls.length + onTime };
    }
    const overlap = repeatedAtStart(zone, segment);
    if (overlap > 0 && repeated === undefined) {
      const walls = wallsBetween(timetable, wall, wall + overlap);
      if (walls.length > 0) repeated = { at, walls: shown(walls), merged: 1 };
    }
  }
  return { ...(skipped && { skipped }), ...(repeated && { repeated }) };
}

function wallsBetween({ schedule }: Timetable, from: number, until: number): number[] {
  const walls: number[] = [];
  for (
    let wall = nextWall(schedule, from, until);
    wall === wall;
    wall = nextWall(schedule, wall + 1, until)
  ) {
    walls.push(wall);
  }
  return walls;
}

function shown(walls: readonly number[]): string[] {
  const texts = walls.slice(0, 4).map((wall) => new Date(wall * MINUTE_MS).toISOString().slice(11, 16));
  return walls.length > 4 ? [...texts.slice(0, 3), `… (${walls.length} times)`] : texts;
}
