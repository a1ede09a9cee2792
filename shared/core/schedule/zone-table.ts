/** Milliseconds since 1970-01-01T00:00Z. */
export type EpochMs = number;

/** Whole minutes since 1970-01-01T00:00Z: the resolution of a crontab. */
export type EpochMinute = number;

export const MINUTE_MS = 60_000;

/** Minutes a day has. */
export const DAY_MINUTES = 1440;

/**
 * What a zone's clocks did and will do: part of the plan, so that every target reads the same.
 * Offsets are minutes east of UTC; instants whole minutes.
 */
export interface ZoneTable {
  /** IANA name, such as `Europe/Berlin`. */
  readonly zone: string;
  /** The table holds from here … */
  readonly from: EpochMinute;
  /** … to here, exclusive. No search goes on beyond it. */
  readonly until: EpochMinute;
  /** Offset at `from`. */
  readonly offset: number;
  /** Instant of each change and the offset from then on, ascending, strictly between `from` and `until`. */
  readonly changes: readonly (readonly [at: EpochMinute, offset: number])[];
}

/** Index of the segment (stretch of one offset) that holds the instant: 0 is before the first change. */
export function segmentAt(table: ZoneTable, instant: EpochMinute): number {
  const { changes } = table;
  let low = 0;
  let high = changes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((changes[middle] as readonly [number, number])[0] <= instant) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Offset of a segment, in minutes east of UTC. */
export function segmentOffset(table: ZoneTable, segment: number): number {
  return segment === 0 ? table.offset : (table.changes[segment - 1] as readonly [number, number])[1];
}

export function offsetAt(table: ZoneTable, instant: EpochMinute): number {
  return segmentOffset(table, segmentAt(table, instant));
}

/** A wall time as ISO 8601 with its offset, to the minute: `2026-03-29T03:00+02:00`. */
export function zonedText(table: ZoneTable, instant: EpochMs): string {
  const offset = offsetAt(table, Math.floor(instant / MINUTE_MS));
  const wall = new Date(instant + offset * MINUTE_MS).toISOString().slice(0, 16);
  if (offset === 0) return `${wall}Z`;
  const size = Math.abs(offset);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${wall}${offset < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}
