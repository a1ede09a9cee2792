import { describe, expect, jest, test } from '@jest/globals';
import { CronExpressionParser } from 'cron-parser';
import fc from 'fast-check';
import { nextDue } from '../../../shared/core/schedule/due.ts';
import { FIELD_NAMES, parseField } from '../../../shared/core/schedule/field.ts';
import { NICKNAMES } from '../../../shared/core/schedule/schedule.ts';
import { scheduleTexts } from '../../support/schedule-texts.ts';
import { timetable } from '../../support/timetables.ts';

// A busy machine must not make a test of facts fail.
jest.setTimeout(60_000);

/** What cron-parser does with a text: the instants that follow, or the beginning of its complaint. */
function byCronParser(
  fields: string,
  zone: string,
  after: string | number,
  count: number,
): string[] | string {
  try {
    const expression = CronExpressionParser.parse(fields, { currentDate: new Date(after), tz: zone });
    return expression.take(count).map((date) => date.toDate().toISOString());
  } catch (error) {
    return (error as Error).message;
  }
}

/** The same by the core; undefined when it takes no such field. */
function byCore(fields: string, zone: string, after: string | number, count: number): string[] | undefined {
  const texts = (NICKNAMES[fields] ?? fields).split(' ');
  const isCrontab =
    texts.length === 5 &&
    FIELD_NAMES.every((name, index) => !('code' in parseField(texts[index] as string, name)));
  if (!isCrontab) return undefined;
  const entry = timetable(fields, zone);
  const found: string[] = [];
  for (
    let next = nextDue(entry, new Date(after).getTime());
    next !== undefined;
    next = nextDue(entry, next)
  ) {
    if (found.push(new Date(next).toISOString()) === count) break;
  }
  return found;
}

test('cron-parser finds the same instants in UTC, where it reads a schedule as cron does', () => {
  const hasForeignStar = (field: string) => field !== '*' && field.startsWith('*');
  const readAlike = scheduleTexts.filter((fields) => {
    const [, , dayOfMonth = '', , dayOfWeek = ''] = fields.split(' ');
    return !hasForeignStar(dayOfMonth) && !hasForeignStar(dayOfWeek);
  });
  fc.assert(
    fc.property(
      readAlike,
      fc.integer({ min: Date.parse('2020-01-01'), max: Date.parse('2035-01-01') }),
      (fields, after) => {
        const theirs = byCronParser(fields, 'UTC', after, 12);
        // What it refuses of these are lists with a value twice and days that no month has.
        if (typeof theirs === 'string')
          expect(theirs).toMatch(/duplicate values|Invalid explicit day of month/);
        else expect(byCore(fields, 'UTC', after, 12)).toEqual(theirs);
      },
    ),
    { numRuns: 200 },
  );
});

describe('cron-parser disagrees with cron', () => {
  const february = '2026-02-01T12:00:00Z';

  test.each<[what: string, fields: string, theirs: string[], ours: string[]]>([
    ['`*/n` in a day field does not make it need both', '0 0 */2 * 1', ['02', '03', '05'], ['09', '23']],
    ['`*/n` in a day field does not make it need both', '0 0 8 * */2', ['03', '05', '07'], ['08']],
  ])('%s: `%s` on the days %j of February, not %j', (_what, fields, theirs, ours) => {
    const days = (texts: readonly string[] | string | undefined) =>
      [...(texts ?? [])].filter((text) => text.startsWith('2026-02')).map((text) => text.slice(8, 10));
    expect([
      days(byCronParser(fields, 'UTC', february, 3)),
      days(byCore(fields, 'UTC', february, ours.length)),
    ]).toEqual([theirs, ours]);
  });

  test.each<[fields: string, complaint: string, ours: string[]]>([
    ['1,1 * * * *', 'CronMinute Validation error, duplicate', ['2026-02-01T12:01:00.000Z']],
    ['0 0 *,5 * 1', 'CronDayOfMonth Validation error, duplicate', ['2026-02-02T00:00:00.000Z']],
    ['@midnight', 'Validation error, cannot resolve alias', ['2026-02-02T00:00:00.000Z']],
    ['0 0 30 2 *', 'Invalid explicit day of month', []],
  ])('it refuses `%s`', (fields, complaint, ours) => {
    expect(byCronParser(fields, 'UTC', february, 1)).toEqual(expect.stringMatching(`^${complaint}`));
    expect(byCore(fields, 'UTC', february, 1)).toEqual(ours);
  });

  test.each<[fields: string, theirs: string]>([
    ['5/10 * * * *', '2026-02-01T12:05:00.000Z'],
    ['0 0 ? * 1', '2026-02-02T00:00:00.000Z'],
    ['0 0 L * *', '2026-02-28T00:00:00.000Z'],
    ['0 0 * * 1#2', '2026-02-09T00:00:00.000Z'],
    ['0 0 0 1 3 *', '2026-03-01T00:00:00.000Z'],
  ])('it takes `%s`, which is no crontab', (fields, theirs) => {
    expect([byCronParser(fields, 'UTC', february, 1), byCore(fields, 'UTC', february, 1)]).toEqual([
      [theirs],
      undefined,
    ]);
  });

  test.each<[what: string, fields: string, zone: string, after: string, theirs: string, ours: string]>([
    [
      'a time in the gap moves by an hour',
      '30 2 * * *',
      'Europe/Berlin',
      '2026-03-28T12:00Z',
      '2026-03-29T03:30+02:00',
      '2026-03-29T03:00+02:00',
    ],
    [
      'so does one that follows real time',
      '30-59/30 */2 * * *',
      'Europe/Berlin',
      '2026-03-29T01:45+01:00',
      '2026-03-29T03:30+02:00',
      '2026-03-29T04:30+02:00',
    ],
    [
      'a gap of half an hour loses the run',
      '15 2 * * *',
      'Australia/Lord_Howe',
      '2026-10-03T12:00Z',
      '2026-10-05T02:15+11:00',
      '2026-10-04T02:30+11:00',
    ],
    [
      'a second pass is left out',
      '*/30 2 * * *',
      'Europe/Berlin',
      '2026-10-25T02:30+02:00',
      '2026-10-26T02:00+01:00',
      '2026-10-25T02:00+01:00',
    ],
  ])('when clocks change, %s: `%s` in %s after %s', (_what, fields, zone, after, theirs, ours) => {
    expect([byCronParser(fields, zone, after, 1), byCore(fields, zone, after, 1)]).toEqual([
      [new Date(theirs).toISOString()],
      [new Date(ours).toISOString()],
    ]);
  });
});
