import { describe, expect, test } from '@jest/globals';
import { clockRuleWords, dayRuleWords, scheduleWords } from '../../../shared/core/schedule/words.ts';
import { timetable } from '../../support/timetables.ts';

describe('a schedule in words', () => {
  test.each<[fields: string, words: string]>([
    ['* * * * *', 'every minute'],
    ['*/1 * * * *', 'every minute'],
    ['*/5 * * * *', 'every 5 minutes'],
    ['*/7 * * * *', 'at minute 0, 7, 14, 21, 28, 35, 42, 49, 56 of every hour'],
    ['*/60 * * * *', 'at minute 0 of every hour'],
    ['@hourly', 'at minute 0 of every hour'],
    ['1-5 * * * *', 'at minute 1 to 5 of every hour'],
    ['0-10/5,30 * * * *', 'at minute 0, 5, 10 and 30 of every hour'],
    ['5,* *,3 * * *', 'every minute'],
    ['* 0-5 * * *', 'every minute, in hour 0 to 5'],
    ['*/15 3 * * *', 'every 15 minutes, in hour 3'],
    ['30 2 * * *', 'at 02:30, every day'],
    ['0,30 8,20 * * *', 'at 08:00, 08:30, 20:00 and 20:30, every day'],
    ['0 1,2,3,4,5,6,7 * * *', 'at minute 0 of hour 1, 2, 3, 4, 5, 6 and 7, every day'],
    ['0 8-18 * * mon-fri', 'at minute 0 of hour 8 to 18, on Monday to Friday'],
    ['5 4 * * sun', 'at 04:05, on Sunday'],
    ['5 4 * * 5-7', 'at 04:05, on Friday to Sunday'],
    ['5 4 * * */7', 'at 04:05, on Sunday'],
    ['5 4 * * */2', 'at 04:05, on Sunday, Tuesday, Thursday, Saturday'],
    ['@monthly', 'at 00:00, on day 1 of the month'],
    ['@yearly', 'at 00:00, on day 1 of the month, in January'],
    ['0 0 * 3-5 *', 'at 00:00, every day, in March to May'],
    ['0 0 * 1,*,3 *', 'at 00:00, every day'],
    ['0 0 1,15 * 1', 'at 00:00, on day 1 and 15 of the month, and also on Monday'],
    ['0 0 1-31/10 * 1', 'at 00:00, on day 1, 11, 21, 31 of the month, and also on Monday'],
    ['0 0 */10 * 1', 'at 00:00, on day 1, 11, 21, 31 of the month, if that is also Monday'],
    ['0 0 1-7 12 */7', 'at 00:00, on day 1 to 7 of the month, if that is also Sunday, in December'],
    ['0 0 *,5 * 1', 'at 00:00, on Monday'],
    ['0 0 5,* * 1', 'at 00:00, every day'],
  ])('`%s`: %s', (fields, words) => {
    expect(scheduleWords(timetable(fields, 'UTC').schedule)).toBe(words);
  });
});

describe('the day rule in words', () => {
  test.each<[fields: string, words: string]>([
    ['0 0 * 2 *', 'every day of its months'],
    ['0 0 13 * *', 'the day of the month decides'],
    ['0 0 * * 5', 'the day of the week decides'],
    ['0 0 13 * 5', 'either day field suffices, since neither begins with `*`'],
    ['0 0 */2 * 5', 'both day fields must match, since `*/2` begins with `*`'],
    ['0 0 13 * */2', 'both day fields must match, since `*/2` begins with `*`'],
    ['0 0 *,13 * 5', 'both day fields must match, since `*,13` begins with `*`'],
    ['0 0 13,* * 5', 'either day field suffices, since neither begins with `*`'],
  ])('`%s`: %s', (fields, words) => {
    expect(dayRuleWords(timetable(fields, 'UTC').schedule)).toBe(words);
  });
});

describe('the clock rule in words', () => {
  const REAL_TIME =
    'follows real time: times that do not exist are left out, times that come twice run twice';
  const FIXED =
    'fixed times: one that does not exist runs right after the change, one that comes twice runs the first time';

  test.each<[fields: string, words: string]>([
    ['0 * * * *', REAL_TIME],
    ['*/5 3 * * *', REAL_TIME],
    ['0 */2 * * *', REAL_TIME],
    ['@hourly', REAL_TIME],
    ['30 2 * * *', FIXED],
    ['0-59/5 3 * * *', FIXED],
    ['30 0-23 * * *', FIXED],
    ['@daily', FIXED],
  ])('`%s`: %s', (fields, words) => {
    expect(clockRuleWords(timetable(fields, 'UTC').schedule)).toBe(words);
  });
});
