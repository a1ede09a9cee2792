import type { Schedule } from '../shared/core/schedule/schedule.ts';

/**
 * The least that a search for the next minute can be: a loop over bit sets in UTC, without zones, limits and checks.
 * It steps over months that do not match, and hours and minutes come from one bit operation each.
 */
export function bareNext(schedule: Schedule, after: number): number {
  let minute = Math.floor(after / 60_000) + 1;
  let day = Math.floor(minute / 1440);
  const start = minute - day * 1440;
  let hour = (start / 60) | 0;
  minute = start - hour * 60;
  // Years from March on in cycles of four: right from 1970 to 2099, and cheaper than a `Date`.
  const sinceMarch1968 = day + 671;
  const marchYear = ((4 * sinceMarch1968 + 3) / 1461) | 0;
  const dayOfYear = sinceMarch1968 - ((1461 * marchYear) >> 2);
  const fromMarch = ((5 * dayOfYear + 2) / 153) | 0;
  let dayOfMonth = dayOfYear - (((153 * fromMarch + 2) / 5) | 0) + 1;
  let month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  let year = 1968 + marchYear + (month < 3 ? 1 : 0);
  for (;;) {
    const length = lengthOf(year, month);
    if ((schedule.month & (1 << month)) === 0) {
      day += length - dayOfMonth + 1;
      dayOfMonth = length + 1;
      hour = minute = 0;
    }
    for (; dayOfMonth <= length; dayOfMonth++, day++, hour = minute = 0) {
      const byMonth = (schedule.dayOfMonth & (1 << dayOfMonth)) !== 0;
      const byWeek = (schedule.dayOfWeek & (1 << ((day + 4) % 7))) !== 0;
      if (!(schedule.bothDaysMustMatch ? byMonth && byWeek : byMonth || byWeek)) continue;
      if ((schedule.hour & (1 << hour)) !== 0) {
        const found = minuteFrom(schedule, minute);
        if (found < 60) return (day * 1440 + hour * 60 + found) * 60_000;
      }
      const later = schedule.hour & (-2 << hour);
      if (later !== 0) return (day * 1440 + lowest(later) * 60 + minuteFrom(schedule, 0)) * 60_000;
    }
    dayOfMonth = 1;
    if (++month > 12) {
      month = 1;
      year++;
    }
  }
}

/** 60 or more when there is none. */
function minuteFrom(schedule: Schedule, minute: number): number {
  if (minute < 32) {
    const low = schedule.minuteLow & (-1 << minute);
    if (low !== 0) return lowest(low);
    minute = 32;
  }
  const high = schedule.minuteHigh & (-1 << (minute - 32));
  return high === 0 ? 64 : 32 + lowest(high);
}

function lowest(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

function lengthOf(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return 30 + ((month + (month >> 3)) & 1);
}
