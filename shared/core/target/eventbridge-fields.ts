import { daysInMonth } from '../schedule/calendar.ts';
import type { Schedule } from '../schedule/schedule.ts';

const EVERY_DAY_OF_WEEK = 0x7f;

/** What one expression says about the days: those that are in both sets. */
export interface Days {
  readonly dayOfMonth: number;
  readonly dayOfWeek: number;
  readonly text: readonly [dayOfMonth: string, dayOfWeek: string];
}

/** The service wants `?` in one day field and has no AND of the two, so an entry's days are one expression or two. */
export function daysOf({ month, bothDaysMustMatch, ...schedule }: Schedule): Days[] {
  const lengths = valuesOf(month).map((one) => daysInMonth(2024, one));
  const longest = Math.max(...lengths);
  const existing = -2 & (0xffff_ffff >>> (31 - longest));
  const dayOfMonth = schedule.dayOfMonth & existing;
  const { dayOfWeek } = schedule;
  const isEveryDayOfMonth = dayOfMonth === existing;
  const isEveryDayOfWeek = dayOfWeek === EVERY_DAY_OF_WEEK;
  const byMonth: Days = {
    dayOfMonth,
    dayOfWeek: EVERY_DAY_OF_WEEK,
    text: [fieldText(valuesOf(dayOfMonth), 1, longest), '?'],
  };
  const byWeek: Days = { dayOfMonth: -2, dayOfWeek, text: ['?', weekdayText(valuesOf(dayOfWeek))] };
  if (!bothDaysMustMatch) {
    if (isEveryDayOfMonth || isEveryDayOfWeek) return [EVERY_DAY];
    return dayOfMonth === 0 ? [byWeek] : [byMonth, byWeek];
  }
  // The side with fewer days: exact when the other is every day, else the guard drops what it brings along.
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const choices: { readonly days: Days[]; readonly cost: number }[] = [
    {
      days: [byMonth],
      cost: lengths.reduce((sum, length) => sum + valuesOf(dayOfMonth & (2 ** (length + 1) - 2)).length, 0),
    },
    { days: [byWeek], cost: (valuesOf(dayOfWeek).length * total) / 7 },
  ];
  const byWeekOfMonth = weekdaysOfMonth(dayOfMonth, dayOfWeek);
  if (byWeekOfMonth.length > 0) {
    choices.push({ days: byWeekOfMonth, cost: byWeekOfMonth.length * lengths.length });
  }
  return choices.reduce((best, one) => (one.cost < best.cost ? one : best)).days;
}

const EVERY_DAY: Days = { dayOfMonth: -2, dayOfWeek: EVERY_DAY_OF_WEEK, text: ['*', '?'] };

/** `d#k`, the k-th weekday d of the month, for all days that are in both sets; none when it takes more than two. */
function weekdaysOfMonth(dayOfMonth: number, dayOfWeek: number): Days[] {
  const weeks = [...new Set(valuesOf(dayOfMonth).map((day) => Math.ceil(day / 7)))];
  const days = valuesOf(dayOfWeek);
  // The guide says nothing of a fifth weekday, which most months lack.
  if (weeks.length * days.length > 2 || weeks.includes(5)) return [];
  return weeks.flatMap((week) =>
    days.map((day): Days => {
      const ofWeek = 0xfe << (7 * (week - 1));
      // A digit, as the guide has it: whether a name may stand before `#` it does not say.
      return { dayOfMonth: ofWeek, dayOfWeek: 1 << day, text: ['?', `${day + 1}#${week}`] };
    }),
  );
}

/** The values of a bit set, ascending. */
export function valuesOf(bits: number): number[] {
  const values: number[] = [];
  for (let left = bits >>> 0; left !== 0; left = (left & (left - 1)) >>> 0) {
    values.push(31 - Math.clz32(left & -left));
  }
  return values;
}

/** The minutes of a schedule, ascending. */
export function minutesOf({ minuteLow, minuteHigh }: Schedule): number[] {
  return [...valuesOf(minuteLow), ...valuesOf(minuteHigh).map((value) => value + 32)];
}

/** A set of values as `*`, a step to the end of the field, or a list of values and of ranges of three or more. */
export function fieldText(values: readonly number[], min: number, max: number): string {
  const [first = min, second = min] = values;
  if (values.length === max - min + 1) return '*';
  const step = second - first;
  const isRegular = values.every((value, index) => value === first + index * step);
  if (values.length > 2 && step > 1 && isRegular && first + values.length * step > max) {
    return `${first}/${step}`;
  }
  return listText(values, String);
}

const WEEKDAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

/** Names, since the service counts from 1; the field has no steps. */
function weekdayText(values: readonly number[]): string {
  return listText(values, (value) => WEEKDAYS[value] as string);
}

export function listText(values: readonly number[], textOf: (value: number) => string): string {
  const items: string[] = [];
  for (let index = 0; index < values.length; ) {
    const first = values[index] as number;
    let length = 1;
    while (values[index + length] === first + length) length++;
    if (length > 2) items.push(`${textOf(first)}-${textOf(first + length - 1)}`);
    else for (let value = first; value < first + length; value++) items.push(textOf(value));
    index += length;
  }
  return items.join(',');
}
