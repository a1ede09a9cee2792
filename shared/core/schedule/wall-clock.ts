import { daysInMonth, firstDayOfMonth, packedDate, weekday } from './calendar.ts';
import type { Schedule } from './schedule.ts';
import { DAY_MINUTES } from './zone-table.ts';

/** Minutes since 1970-01-01T00:00 on a clock on the wall: no zone, every minute exists once. */
export type WallMinute = number;

/** No match within the limits asked for. */
export const NONE = Number.NaN;

/** Whether a wall minute matches all fields. */
export function matchesWall(schedule: Schedule, wall: WallMinute): boolean {
  const day = Math.floor(wall / DAY_MINUTES);
  const time = wall - day * DAY_MINUTES;
  const hour = (time / 60) | 0;
  return (
    (schedule.hour & (1 << hour)) !== 0 && hasMinute(schedule, time - hour * 60) && matchesDay(schedule, day)
  );
}

/** First matching wall minute in [from, limit), else NONE. */
export function nextWall(schedule: Schedule, from: WallMinute, limit: WallMinute): WallMinute {
  let day = Math.floor(from / DAY_MINUTES);
  if (matchesDay(schedule, day)) {
    const time = nextTime(schedule, from - day * DAY_MINUTES);
    if (time !== -1) return within(day * DAY_MINUTES + time, limit);
  }
  day = nextDay(schedule, day + 1, Math.ceil(limit / DAY_MINUTES));
  return within(day * DAY_MINUTES + nextTime(schedule, 0), limit);
}

/** Last matching wall minute in [limit, from], else NONE. */
export function previousWall(schedule: Schedule, from: WallMinute, limit: WallMinute): WallMinute {
  let day = Math.floor(from / DAY_MINUTES);
  if (matchesDay(schedule, day)) {
    const time = previousTime(schedule, from - day * DAY_MINUTES);
    if (time !== -1) return notBefore(day * DAY_MINUTES + time, limit);
  }
  day = previousDay(schedule, day - 1, Math.floor(limit / DAY_MINUTES));
  return notBefore(day * DAY_MINUTES + previousTime(schedule, DAY_MINUTES - 1), limit);
}

function within(wall: WallMinute, limit: WallMinute): WallMinute {
  return wall < limit ? wall : NONE;
}

function notBefore(wall: WallMinute, limit: WallMinute): WallMinute {
  return wall >= limit ? wall : NONE;
}

function matchesDay(schedule: Schedule, day: number): boolean {
  const date = packedDate(day);
  if ((schedule.month & (1 << ((date >> 5) & 15))) === 0) return false;
  const dayOfMonth = (schedule.dayOfMonth & (1 << (date & 31))) !== 0;
  if (schedule.bothDaysMustMatch ? !dayOfMonth : dayOfMonth) return dayOfMonth;
  return (schedule.dayOfWeek & (1 << weekday(day))) !== 0;
}

/** Matching days of a month: bit n is day n + 1. */
function daysOfMonth(schedule: Schedule, year: number, month: number, firstDay: number): number {
  if ((schedule.month & (1 << month)) === 0) return 0;
  const shift = weekday(firstDay);
  const week = ((schedule.dayOfWeek >> shift) | (schedule.dayOfWeek << (7 - shift))) & 127;
  const byWeek = week | (week << 7) | (week << 14) | (week << 21) | (week << 28);
  const byMonth = schedule.dayOfMonth >>> 1;
  const days = schedule.bothDaysMustMatch ? byMonth & byWeek : byMonth | byWeek;
  return days & (0x7fff_ffff >>> (31 - daysInMonth(year, month)));
}

/** First matching day in [from, limit), else NONE. */
function nextDay(schedule: Schedule, from: number, limit: number): number {
  const date = packedDate(from);
  let year = date >> 9;
  let month = (date >> 5) & 15;
  let firstDay = from - (date & 31) + 1;
  let candidates = daysOfMonth(schedule, year, month, firstDay) & (-1 << (from - firstDay));
  for (;;) {
    if (candidates !== 0) return firstDay + lowestBit(candidates);
    month++;
    if (month > 12) {
      month = 1;
      year++;
    }
    firstDay = firstDayOfMonth(year, month);
    if (firstDay >= limit) return NONE;
    candidates = daysOfMonth(schedule, year, month, firstDay);
  }
}

/** Last matching day in [limit, from], else NONE. */
function previousDay(schedule: Schedule, from: number, limit: number): number {
  const date = packedDate(from);
  let year = date >> 9;
  let month = (date >> 5) & 15;
  let firstDay = from - (date & 31) + 1;
  let candidates = daysOfMonth(schedule, year, month, firstDay) & (0x7fff_ffff >>> (30 - (from - firstDay)));
  for (;;) {
    if (candidates !== 0) return firstDay + highestBit(candidates);
    if (firstDay <= limit) return NONE;
    month--;
    if (month < 1) {
      month = 12;
      year--;
    }
    firstDay = firstDayOfMonth(year, month);
    candidates = daysOfMonth(schedule, year, month, firstDay);
  }
}

/** First matching minute of the day from `time` on, else -1. */
function nextTime(schedule: Schedule, time: number): number {
  const hour = (time / 60) | 0;
  if ((schedule.hour & (1 << hour)) !== 0) {
    const minute = nextMinute(schedule, time - hour * 60);
    if (minute !== -1) return hour * 60 + minute;
  }
  const later = schedule.hour & (-2 << hour);
  return later === 0 ? -1 : lowestBit(later) * 60 + nextMinute(schedule, 0);
}

/** Last matching minute of the day up to `time`, else -1. */
function previousTime(schedule: Schedule, time: number): number {
  const hour = (time / 60) | 0;
  if ((schedule.hour & (1 << hour)) !== 0) {
    const minute = previousMinute(schedule, time - hour * 60);
    if (minute !== -1) return hour * 60 + minute;
  }
  const earlier = schedule.hour & ((1 << hour) - 1);
  return earlier === 0 ? -1 : highestBit(earlier) * 60 + previousMinute(schedule, 59);
}

function hasMinute(schedule: Schedule, minute: number): boolean {
  return minute < 32
    ? (schedule.minuteLow & (1 << minute)) !== 0
    : (schedule.minuteHigh & (1 << (minute - 32))) !== 0;
}

function nextMinute(schedule: Schedule, minute: number): number {
  if (minute < 32) {
    const low = schedule.minuteLow & (-1 << minute);
    if (low !== 0) return lowestBit(low);
    return schedule.minuteHigh === 0 ? -1 : 32 + lowestBit(schedule.minuteHigh);
  }
  const high = schedule.minuteHigh & (-1 << (minute - 32));
  return high === 0 ? -1 : 32 + lowestBit(high);
}

function previousMinute(schedule: Schedule, minute: number): number {
  if (minute >= 32) {
    const high = schedule.minuteHigh & (0xffff_ffff >>> (63 - minute));
    if (high !== 0) return 32 + highestBit(high);
    return schedule.minuteLow === 0 ? -1 : highestBit(schedule.minuteLow);
  }
  const low = schedule.minuteLow & (0xffff_ffff >>> (31 - minute));
  return low === 0 ? -1 : highestBit(low);
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

function highestBit(bits: number): number {
  return 31 - Math.clz32(bits);
}
