import { FIELD_NAMES, type Field, parseField } from './field.ts';

/** Five time fields compiled to bit sets: everything that decides when an entry is due, but the zone. */
export interface Schedule {
  /** Canonical text: five fields, one blank apart, numbers only. Compiles back to an equal schedule. */
  readonly text: string;
  /** Bit n of `minuteLow`: minute n (0-31); bit n of `minuteHigh`: minute 32 + n. */
  readonly minuteLow: number;
  readonly minuteHigh: number;
  readonly hour: number;
  /** Bits 1-31. */
  readonly dayOfMonth: number;
  /** Bits 1-12. */
  readonly month: number;
  /** Bits 0-6, Sunday is 0. */
  readonly dayOfWeek: number;
  /**
   * Debian's day rule: when either day field begins with `*` both must match, else one suffices.
   * @see crontab(5), and find_jobs() in Debian's cron.c
   */
  readonly bothDaysMustMatch: boolean;
  /**
   * Debian's class for daylight saving: the minute or hour field begins with `*`, so the entry follows real time:
   * it skips wall times that do not exist and runs in both passes of those that come twice.
   */
  readonly followsRealTime: boolean;
}

/** `@` words that stand for five fields. @see crontab(5) */
export const NICKNAMES: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/** The schedule of five fields that `parseField` accepted, in crontab order. */
export function scheduleOf(fields: readonly Field[]): Schedule {
  const [minute, hour, dayOfMonth, month, dayOfWeek] = fields as [Field, Field, Field, Field, Field];
  return {
    text: `${minute.text} ${hour.text} ${dayOfMonth.text} ${month.text} ${dayOfWeek.text}`,
    minuteLow: minute.low,
    minuteHigh: minute.high,
    hour: hour.low,
    dayOfMonth: dayOfMonth.low,
    month: month.low,
    dayOfWeek: dayOfWeek.low,
    bothDaysMustMatch: dayOfMonth.isStar || dayOfWeek.isStar,
    followsRealTime: minute.isStar || hour.isStar,
  };
}

/**
 * Compiles the canonical text of a plan, or a nickname.
 *
 * @throws Error for text that the parser would have refused: a plan is made by a machine, so this is a fault of ours.
 */
export function compileSchedule(text: string): Schedule {
  const fields = (NICKNAMES[text] ?? text).split(' ').map((part, index) => {
    const name = FIELD_NAMES[index];
    const field = name === undefined ? undefined : parseField(part, name);
    if (field === undefined || 'code' in field) {
      throw new Error(`schedule \`${text}\` is not one of a plan: ${field?.message ?? 'too many fields'}`);
    }
    return field;
  });
  if (fields.length !== 5) throw new Error(`schedule \`${text}\` is not one of a plan: five fields expected`);
  return scheduleOf(fields);
}

const DAYS_IN_MONTH = [0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * Whether some calendar day matches. 29 February counts: the Gregorian calendar puts it on every weekday.
 * A day-of-week side of an OR always matches some day.
 */
export function canFire(schedule: Schedule): boolean {
  if (!schedule.bothDaysMustMatch) return true;
  for (let month = 1; month <= 12; month++) {
    if ((schedule.month & (1 << month)) === 0) continue;
    const days = (2 ** ((DAYS_IN_MONTH[month] as number) + 1) - 2) | 0;
    if ((schedule.dayOfMonth & days) !== 0) return true;
  }
  return false;
}
