import { readDuration } from '../crontab/values.ts';
import {
  type EpochMinute,
  type EpochMs,
  MINUTE_MS,
  segmentAt,
  segmentOffset,
  type ZoneTable,
} from '../schedule/zone-table.ts';

/** A time as a person wrote it. */
export type TimeRead =
  | { readonly kind: 'instant'; readonly instant: EpochMs }
  /** A wall time that the clocks show twice. */
  | { readonly kind: 'repeated'; readonly wall: string; readonly instants: readonly [EpochMs, EpochMs] }
  /** A wall time that the clocks skip; `instant` is the first minute after. */
  | { readonly kind: 'skipped'; readonly wall: string; readonly instant: EpochMs }
  /** No time: what is allowed. */
  | { readonly kind: 'no-time'; readonly allowed: string };

export interface TimeContext {
  readonly now: EpochMs;
  /** Clocks that a time without offset is read on. */
  readonly zone: ZoneTable;
  /** What a day alone stands for: its first minute or its last one. (Default: it is no time) */
  readonly day?: 'first' | 'last';
  /** What a duration alone stands for: so long from now. (Default: it is no time) */
  readonly isAhead?: boolean;
}

const DATE = /^(\d{4}-\d\d-\d\d)$/;
const INSTANT = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d)(?::\d\d(?:\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)$/;
const WALL = /^(?:(\d{4}-\d\d-\d\d)[Tt ]|(today|yesterday|tomorrow) )?(\d\d:\d\d)(?::\d\d)?$/;
const DAYS: Readonly<Record<string, number>> = { yesterday: -1, today: 0, tomorrow: 1 };
const DAY_MS = 86_400_000;

/** What a time may be, for help and messages. */
export const TIME_FORMS =
  '`2026-03-29T01:30Z`, `2026-03-29T03:30+02:00`, `2026-03-29 03:30`, `03:30`, `yesterday 03:30`, `now`, `2h ago` or `in 2h`';

/**
 * Reads a time: an instant with its offset (RFC 3339, seconds may be missing), a time on the clocks of the zone, with
 * its day or of today, yesterday or tomorrow, or one that is reckoned from now.
 */
export function readTime(text: string, { now, zone, day, isAhead = false }: TimeContext): TimeRead {
  const trimmed = text.trim().replace(/\s+/g, ' ');
  const relative = relativeTime(trimmed, now, isAhead);
  if (relative !== undefined) return { kind: 'instant', instant: relative };
  const wallDay = DATE.exec(trimmed)?.[1];
  if (wallDay !== undefined && day !== undefined) {
    return ofWall(wallDay, day === 'first' ? '00:00' : '23:59', zone, day);
  }
  const [, date, time, offset] = INSTANT.exec(trimmed) ?? [];
  if (date !== undefined && time !== undefined && offset !== undefined) {
    const instant = isDate(date) ? Date.parse(trimmed.replace(' ', 'T').toUpperCase()) : Number.NaN;
    if (Number.isNaN(instant)) return noSuch(date, time);
    return isCovered(zone, instant) ? { kind: 'instant', instant } : OUTSIDE;
  }
  const [, wallDate, word, clock] = WALL.exec(trimmed) ?? [];
  if (clock !== undefined)
    return ofWall(wallDate ?? dayText(now, zone, DAYS[word ?? 'today'] ?? 0), clock, zone);
  const ofDay = day === undefined ? '' : ', a day such as `2026-03-29`';
  return {
    kind: 'no-time',
    allowed: `${TIME_FORMS}${ofDay}${isAhead ? ', or a duration from now such as `2h`' : ''}`,
  };
}

const OUTSIDE: TimeRead = { kind: 'no-time', allowed: 'a time of the years 2020 to 2045' };

function relativeTime(text: string, now: EpochMs, isAhead: boolean): EpochMs | undefined {
  if (text === 'now') return now;
  const [, sign = '', word = '', length = '', ago = ''] =
    /^([+-]?)(in )?(\d+[smhd])( ago)?$/.exec(text) ?? [];
  const marks = [sign, word, ago].filter((mark) => mark !== '');
  if (marks.length > 1 || (marks.length === 0 && !isAhead)) return undefined;
  const duration = readDuration(length);
  if (!duration.ok) return undefined;
  return sign === '-' || ago !== '' ? now - duration.value : now + duration.value;
}

function ofWall(date: string, time: string, zone: ZoneTable, day?: TimeContext['day']): TimeRead {
  const at = isDate(date) ? Date.parse(`${date}T${time}Z`) : Number.NaN;
  if (Number.isNaN(at)) return noSuch(date, time);
  const wall = at / MINUTE_MS;
  if (wall < zone.from || wall >= zone.until) return OUTSIDE;
  const found = instantsOf(zone, wall);
  const text = `${date} ${time}`;
  const [first, second] = found;
  if (first === undefined) {
    const instant = afterGap(zone, wall);
    // A day may begin, or end, in a gap.
    return day === undefined ? { kind: 'skipped', wall: text, instant } : { kind: 'instant', instant };
  }
  if (second === undefined) return { kind: 'instant', instant: first };
  if (day !== undefined) return { kind: 'instant', instant: day === 'first' ? first : second };
  return { kind: 'repeated', wall: text, instants: [first, second] };
}

/** A zone moves its clocks less often than this, and by less. Minutes. */
const AROUND = 2 * 1440;

/** The instants at which the clocks show a wall minute, ascending: none in a gap, two where it is repeated. */
function instantsOf(zone: ZoneTable, wall: number): EpochMs[] {
  const last = segmentAt(zone, wall + AROUND);
  const found: EpochMs[] = [];
  for (let segment = segmentAt(zone, wall - AROUND); segment <= last; segment++) {
    const minute: EpochMinute = wall - segmentOffset(zone, segment);
    if (segmentAt(zone, minute) === segment) found.push(minute * MINUTE_MS);
  }
  return found;
}

/** The first instant after the gap that a wall minute falls into. */
function afterGap(zone: ZoneTable, wall: number): EpochMs {
  const segment = segmentAt(zone, wall - AROUND);
  for (let next = segment + 1; next <= zone.changes.length; next++) {
    const [start] = zone.changes[next - 1] as readonly [number, number];
    if (start + segmentOffset(zone, next) > wall) return start * MINUTE_MS;
  }
  return (wall - segmentOffset(zone, segment)) * MINUTE_MS;
}

/** The day on the zone's clocks, `days` from today: `2026-03-29`. */
function dayText(now: EpochMs, zone: ZoneTable, days: number): string {
  const offset = segmentOffset(zone, segmentAt(zone, Math.floor(now / MINUTE_MS)));
  return new Date(now + offset * MINUTE_MS + days * DAY_MS).toISOString().slice(0, 10);
}

/** `Date` reads 30 February as 2 March. */
function isDate(date: string): boolean {
  const at = Date.parse(date);
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(date);
}

function isCovered({ from, until }: ZoneTable, instant: EpochMs): boolean {
  const minute = Math.floor(instant / MINUTE_MS);
  return minute >= from && minute < until;
}

function noSuch(date: string, time: string): TimeRead {
  return {
    kind: 'no-time',
    allowed: `a day and a time that exist, and there is no ${isDate(date) ? time : date}`,
  };
}
