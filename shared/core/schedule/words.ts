import { FIELD_RANGES, type FieldName } from './field.ts';
import type { Schedule } from './schedule.ts';

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];
const MONTHS = [
  '',
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

/** A schedule in English, exact though not always short: `at 02:30, on Monday to Friday`. */
export function scheduleWords(schedule: Schedule): string {
  const [minute = '', hour = '', dayOfMonth = '', month = '', dayOfWeek = ''] = schedule.text.split(' ');
  const parts = [timeWords(hasAll(minute) ? '*' : minute, hasAll(hour) ? '*' : hour)];
  const isEveryDay = !schedule.bothDaysMustMatch && (hasAll(dayOfMonth) || hasAll(dayOfWeek));
  const byMonth =
    isEveryDay || hasAll(dayOfMonth)
      ? undefined
      : `on day ${fieldWords(dayOfMonth, 'dayOfMonth')} of the month`;
  const byWeek = isEveryDay || hasAll(dayOfWeek) ? undefined : `on ${fieldWords(dayOfWeek, 'dayOfWeek')}`;
  if (byMonth !== undefined && byWeek !== undefined) {
    parts.push(
      schedule.bothDaysMustMatch
        ? `${byMonth}, if that is also ${byWeek.slice(3)}`
        : `${byMonth}, and also ${byWeek}`,
    );
  } else if (byMonth !== undefined || byWeek !== undefined) {
    parts.push((byMonth ?? byWeek) as string);
  } else if (!/^\*|every/.test(parts[0] as string)) {
    parts.push('every day');
  }
  if (!hasAll(month)) parts.push(`in ${fieldWords(month, 'month')}`);
  return parts.join(', ');
}

/** The day rule that decides for this schedule, as one sentence. */
export function dayRuleWords(schedule: Schedule): string {
  const [, , dayOfMonth = '', , dayOfWeek = ''] = schedule.text.split(' ');
  if (dayOfMonth === '*' && dayOfWeek === '*') return 'every day of its months';
  if (dayOfWeek === '*') return 'the day of the month decides';
  if (dayOfMonth === '*') return 'the day of the week decides';
  return schedule.bothDaysMustMatch
    ? `both day fields must match, since \`${dayOfMonth.startsWith('*') ? dayOfMonth : dayOfWeek}\` begins with \`*\``
    : 'either day field suffices, since neither begins with `*`';
}

/** What happens when the clocks change, as one sentence. */
export function clockRuleWords(schedule: Schedule): string {
  return schedule.followsRealTime
    ? 'follows real time: times that do not exist are left out, times that come twice run twice'
    : 'fixed times: one that does not exist runs right after the change, one that comes twice runs the first time';
}

function timeWords(minute: string, hour: string): string {
  const minutes = numbers(minute);
  const hours = numbers(hour);
  if (minutes !== undefined && hours !== undefined && minutes.length * hours.length <= 6) {
    const two = (value: number) => String(value).padStart(2, '0');
    return `at ${list(hours.flatMap((h) => minutes.map((m) => `${two(h)}:${two(m)}`)))}`;
  }
  const inHours = hour === '*' ? '' : `, in hour ${fieldWords(hour, 'hour')}`;
  if (minute === '*') return `every minute${inHours}`;
  const step = /^\*\/(\d+)$/.exec(minute)?.[1];
  if (step !== undefined && Number(step) < 60 && 60 % Number(step) === 0)
    return `every ${step === '1' ? 'minute' : `${step} minutes`}${inHours}`;
  const ofHours = hour === '*' ? 'of every hour' : `of hour ${fieldWords(hour, 'hour')}`;
  return `at minute ${fieldWords(minute, 'minute')} ${ofHours}`;
}

/** Whether the field lists every value by a `*` without a step. */
function hasAll(field: string): boolean {
  return field.split(',').includes('*');
}

/** The values when the field is a short list of them. */
function numbers(field: string): number[] | undefined {
  return /^\d+(?:,\d+)*$/.test(field) ? field.split(',').map(Number) : undefined;
}

function fieldWords(field: string, name: FieldName): string {
  return list(field.split(',').map((item) => itemWords(item, name)));
}

function itemWords(item: string, name: FieldName): string {
  const [range = '', step] = item.split('/');
  const { min, max } = FIELD_RANGES[name];
  const [low, high] = range === '*' ? [String(min), String(max)] : range.split('-');
  const word = (value: string) =>
    (name === 'dayOfWeek' ? DAYS : name === 'month' ? MONTHS : undefined)?.[Number(value)] ?? value;
  if (step !== undefined) {
    const values: string[] = [];
    for (let value = Number(low); value <= Number(high); value += Number(step))
      values.push(word(String(value)));
    return [...new Set(values)].join(', ');
  }
  return high === undefined ? word(low as string) : `${word(low as string)} to ${word(high)}`;
}

function list(words: readonly string[]): string {
  return words.length < 2 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}
