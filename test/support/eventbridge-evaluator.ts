import { offsetByIntl } from './debian-cron.ts';

/**
 * An independent reading of EventBridge Scheduler's cron expressions, to hold the core's cover against: it knows nothing
 * of bit sets, zone tables or crontabs, and reads the clock on the wall through Intl. It takes what the service's guide
 * shows (without `W`) and no more, so that an expression that the service might refuse fails here.
 *
 * @see https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
 */

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/**
 * What the service does with a wall time that comes twice. `first`: it runs once, before the shift, as is documented
 * for a daily time. `both`: what it might do with the rest, of which the guide says nothing.
 */
export type Repeated = 'first' | 'both';

/** The instants in [from, until) at which the service delivers, ascending. Whole minutes in epoch milliseconds. */
export function deliveries(
  expression: string,
  timeZone: string,
  from: number,
  until: number,
  repeated: Repeated = 'first',
): number[] {
  const reading = readExpression(expression);
  const offsetAt = (instant: number) => offsetByIntl(timeZone, instant) * MINUTE_MS;
  const found: number[] = [];
  for (let day = Math.floor(from / DAY_MS) - 1; day * DAY_MS <= until + DAY_MS; day++) {
    if (!isOnDay(reading, new Date(day * DAY_MS))) continue;
    const before = offsetAt((day - 1) * DAY_MS);
    const isPlain = before === offsetAt((day + 2) * DAY_MS);
    for (const hour of reading.hours) {
      for (const minute of reading.minutes) {
        const wall = day * DAY_MS + (hour * 60 + minute) * MINUTE_MS;
        if (isPlain) found.push(wall - before);
        else found.push(...instantsOf(wall, offsetAt, repeated));
      }
    }
  }
  return found.filter((instant) => instant >= from && instant < until).sort((a, b) => a - b);
}

/** The instants at which the clock on the wall shows a time: none, or one, or two where both count. */
function instantsOf(wall: number, offsetAt: (instant: number) => number, repeated: Repeated): number[] {
  const offsets = new Set([offsetAt(wall - 1.5 * DAY_MS), offsetAt(wall + 1.5 * DAY_MS)]);
  const instants = [...offsets].map((offset) => wall - offset).sort((a, b) => a - b);
  const shown = instants.filter((instant) => instant + offsetAt(instant) === wall);
  return repeated === 'first' ? shown.slice(0, 1) : shown;
}

interface Reading {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly months: readonly number[];
  readonly years: readonly number[] | undefined;
  readonly isDayOfMonth: (day: Date) => boolean;
  readonly isDayOfWeek: (day: Date) => boolean;
}

/** @throws Error for an expression that the guide does not show to be one */
export function readExpression(expression: string): Reading {
  if (expression.length > 256) throw new Error(`${expression.length} characters: at most 256 are allowed`);
  const fields = /^cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)$/.exec(expression)?.slice(1);
  if (fields === undefined) throw new Error(`not cron(…) with six fields, one blank apart: ${expression}`);
  const [minutes = '', hours = '', dayOfMonth = '', month = '', dayOfWeek = '', year = ''] = fields;
  if ((dayOfMonth === '?') === (dayOfWeek === '?')) {
    throw new Error(`one of the two day fields, and one only, must be \`?\`: ${expression}`);
  }
  return {
    minutes: valuesOf(minutes, 0, 59),
    hours: valuesOf(hours, 0, 23),
    months: valuesOf(month, 1, 12, MONTHS),
    years: year === '*' ? undefined : valuesOf(year, 1970, 2199),
    isDayOfMonth: dayOfMonth === '?' ? () => true : dayOfMonthTest(dayOfMonth),
    isDayOfWeek: dayOfWeek === '?' ? () => true : dayOfWeekTest(dayOfWeek),
  };
}

const MONTHS = 'JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC'.split(' ');
const WEEKDAYS = 'SUN MON TUE WED THU FRI SAT'.split(' ');

function isOnDay({ months, years, isDayOfMonth, isDayOfWeek }: Reading, day: Date): boolean {
  return (
    months.includes(day.getUTCMonth() + 1) &&
    (years === undefined || years.includes(day.getUTCFullYear())) &&
    isDayOfMonth(day) &&
    isDayOfWeek(day)
  );
}

function lastOfMonth(day: Date): number {
  return new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + 1, 0)).getUTCDate();
}

function dayOfMonthTest(field: string): (day: Date) => boolean {
  if (field === 'L') return (day) => day.getUTCDate() === lastOfMonth(day);
  const days = valuesOf(field, 1, 31);
  return (day) => days.includes(day.getUTCDate());
}

function dayOfWeekTest(field: string): (day: Date) => boolean {
  if (field.includes('/')) throw new Error(`the day of the week has no steps: ${field}`);
  const [, nth, week] = /^([1-7])#([1-4])$/.exec(field) ?? [];
  if (nth !== undefined) {
    return (day) => day.getUTCDay() + 1 === Number(nth) && Math.ceil(day.getUTCDate() / 7) === Number(week);
  }
  const [, last] = /^([1-7])L$/.exec(field) ?? [];
  if (last !== undefined) {
    return (day) => day.getUTCDay() + 1 === Number(last) && day.getUTCDate() > lastOfMonth(day) - 7;
  }
  const days = valuesOf(field, 1, 7, WEEKDAYS);
  return (day) => days.includes(day.getUTCDay() + 1);
}

/** `*`, `a/b`, or a list of values and ranges that do not wrap; each value once, ascending. */
function valuesOf(field: string, min: number, max: number, names: readonly string[] = []): number[] {
  const upTo = (from: number, to: number, step = 1) => {
    const values: number[] = [];
    for (let value = from; value <= to; value += step) values.push(value);
    return values;
  };
  const valueIn = (text: string) => {
    const index = names.indexOf(text);
    const value = index === -1 ? Number(/^(?:0|[1-9]\d*)$/.exec(text)?.[0] ?? Number.NaN) : min + index;
    if (!(value >= min && value <= max)) throw new Error(`\`${text}\` in \`${field}\` is not ${min}-${max}`);
    return value;
  };
  if (field === '*') return upTo(min, max);
  const [, start, step] = /^([^/,-]+)\/([1-9]\d*)$/.exec(field) ?? [];
  if (start !== undefined) {
    if (Number(step) > max) throw new Error(`the step of \`${field}\` is larger than the field`);
    return upTo(valueIn(start), max, Number(step));
  }
  const values = field.split(',').flatMap((item) => {
    const [from = '', to, ...rest] = item.split('-');
    if (rest.length > 0) throw new Error(`\`${item}\` in \`${field}\` is no range`);
    if (to === undefined) return [valueIn(from)];
    if (valueIn(from) >= valueIn(to)) throw new Error(`the range \`${item}\` in \`${field}\` wraps`);
    return upTo(valueIn(from), valueIn(to));
  });
  if (values.some((value, index) => index > 0 && value <= (values[index - 1] as number))) {
    throw new Error(`\`${field}\` has a value twice or out of order`);
  }
  return values;
}
