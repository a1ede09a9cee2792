import { describe, expect, test } from '@jest/globals';
import { isDue, nextDue, previousDue } from '../../../shared/core/schedule/due.ts';
import { zoneTableBetween } from '../../../shared/core/schedule/zone-data.ts';
import { MINUTE_MS, type ZoneTable, zonedText } from '../../../shared/core/schedule/zone-table.ts';
import { dueTexts, timetable } from '../../support/timetables.ts';

// The expected instants follow from Debian's rules and the dates on which each zone changes its clocks:
// docs/crontab-format.md has the rules.

const DAY_MS = 1440 * MINUTE_MS;

/** When an entry is due on a day of its zone's calendar: `03:00+02:00`. */
function dueOn(day: string, fields: string, zone: string | ZoneTable): string[] {
  const around = (days: number) => new Date(Date.parse(day) + days * DAY_MS).toISOString();
  return dueTexts(timetable(fields, zone), around(-1), around(2))
    .filter((text) => text.startsWith(day))
    .map((text) => text.slice(11));
}

function hourly(from: number, to: number, rest: string): string[] {
  return Array.from({ length: to - from + 1 }, (_, n) => `${String(from + n).padStart(2, '0')}${rest}`);
}

type DayRow = [zone: string, day: string, fields: string, due: string[]];

describe('when the clock goes forwards', () => {
  test.each<DayRow>([
    // 02:00 to 03:00
    ['Europe/Berlin', '2026-03-29', '30 2 * * *', ['03:00+02:00']],
    ['Europe/Berlin', '2026-03-29', '0,15,30 2 * * *', ['03:00+02:00']],
    ['Europe/Berlin', '2026-03-29', '0 2,3 * * *', ['03:00+02:00']],
    ['Europe/Berlin', '2026-03-29', '30 2,4 * * *', ['03:00+02:00', '04:30+02:00']],
    ['Europe/Berlin', '2026-03-29', '0 3 * * *', ['03:00+02:00']],
    ['Europe/Berlin', '2026-03-29', '59 1 * * *', ['01:59+01:00']],
    ['Europe/Berlin', '2026-03-29', '*/30 2 * * *', []],
    [
      'Europe/Berlin',
      '2026-03-29',
      '*/30 1-3 * * *',
      ['01:00+01:00', '01:30+01:00', '03:00+02:00', '03:30+02:00'],
    ],
    ['Europe/Berlin', '2026-03-29', '30 1-3 * * *', ['01:30+01:00', '03:00+02:00', '03:30+02:00']],
    ['Europe/Berlin', '2026-03-29', '30 */23 * * *', ['00:30+01:00', '23:30+02:00']],
    [
      'Europe/Berlin',
      '2026-03-29',
      '30 */2 29 3 *',
      ['00:30+01:00', ...hourly(4, 22, ':30+02:00').filter((_, n) => n % 2 === 0)],
    ],
    ['America/New_York', '2026-03-08', '15 2 * * *', ['03:00-04:00']],
    ['America/New_York', '2026-03-08', '15 2 8-14 3 *', ['03:00-04:00']],
    ['America/New_York', '2026-03-08', '15 2 * * mon', []],
    ['Australia/Sydney', '2026-10-04', '59 2 * * sun', ['03:00+11:00']],
    ['Africa/Casablanca', '2026-03-22', '30 2 * * *', ['03:00+01:00']],
    // Half an hour, 02:00 to 02:30
    ['Australia/Lord_Howe', '2026-10-04', '15 2 * * *', ['02:30+11:00']],
    ['Australia/Lord_Howe', '2026-10-04', '45 2 * * *', ['02:45+11:00']],
    ['Australia/Lord_Howe', '2026-10-04', '*/15 2 * * *', ['02:30+11:00', '02:45+11:00']],
    // Two hours, 01:00 to 03:00
    ['Antarctica/Troll', '2026-03-29', '30 1,2 * * *', ['03:00+02:00']],
    ['Antarctica/Troll', '2026-03-29', '30 * * * *', ['00:30Z', ...hourly(3, 23, ':30+02:00')]],
    // Midnight does not exist
    ['Africa/Cairo', '2026-04-24', '@daily', ['01:00+03:00']],
    ['Africa/Cairo', '2026-04-24', '30 0 * * fri', ['01:00+03:00']],
    ['Africa/Cairo', '2026-04-24', '30 0 * * thu', []],
    ['America/Havana', '2026-03-08', '@midnight', ['01:00-04:00']],
    ['America/Havana', '2026-03-08', '@weekly', ['01:00-04:00']],
    // Three hours, 00:01 to 03:01: a new time, not one to make up for
    ['Antarctica/Casey', '2020-10-04', '0 0 * * *', ['00:00+08:00']],
    ['Antarctica/Casey', '2020-10-04', '30 1 * * *', []],
    ['Antarctica/Casey', '2020-10-04', '1 3 * * *', ['03:01+11:00']],
  ])('%s on %s: `%s` is due at %j', (zone, day, fields, due) => {
    expect(dueOn(day, fields, zone)).toEqual(due);
  });
});

describe('when the clock goes backwards', () => {
  test.each<DayRow>([
    // 03:00 to 02:00
    ['Europe/Berlin', '2026-10-25', '30 2 * * *', ['02:30+02:00']],
    ['Europe/Berlin', '2026-10-25', '0 2 * * *', ['02:00+02:00']],
    ['Europe/Berlin', '2026-10-25', '0 3 * * *', ['03:00+01:00']],
    [
      'Europe/Berlin',
      '2026-10-25',
      '0,59 1-3 * * *',
      ['01:00+02:00', '01:59+02:00', '02:00+02:00', '02:59+02:00', '03:00+01:00', '03:59+01:00'],
    ],
    [
      'Europe/Berlin',
      '2026-10-25',
      '*/30 2 * * *',
      ['02:00+02:00', '02:30+02:00', '02:00+01:00', '02:30+01:00'],
    ],
    [
      'Europe/Berlin',
      '2026-10-25',
      '30 * * * *',
      [...hourly(0, 2, ':30+02:00'), ...hourly(2, 23, ':30+01:00')],
    ],
    ['America/New_York', '2026-11-01', '15 1 * * *', ['01:15-04:00']],
    [
      'America/New_York',
      '2026-11-01',
      '*/30 1 1-7 11 *',
      ['01:00-04:00', '01:30-04:00', '01:00-05:00', '01:30-05:00'],
    ],
    ['Australia/Sydney', '2026-04-05', '30 2 * * *', ['02:30+11:00']],
    ['Africa/Casablanca', '2026-02-15', '30 2 * * *', ['02:30+01:00']],
    // Half an hour, 02:00 to 01:30
    ['Australia/Lord_Howe', '2026-04-05', '15,45 1 * * *', ['01:15+11:00', '01:45+11:00']],
    ['Australia/Lord_Howe', '2026-04-05', '*/45 1 * * *', ['01:00+11:00', '01:45+11:00', '01:45+10:30']],
    // Two hours, 03:00 to 01:00
    ['Antarctica/Troll', '2026-10-25', '30 1,2 * * *', ['01:30+02:00', '02:30+02:00']],
    [
      'Antarctica/Troll',
      '2026-10-25',
      '*/59 1-2 * * *',
      [
        ...['01:00', '01:59', '02:00', '02:59'].map((wall) => `${wall}+02:00`),
        ...['01:00', '01:59', '02:00', '02:59'].map((wall) => `${wall}Z`),
      ],
    ],
    // Over midnight: the day before gets an hour more
    ['Africa/Cairo', '2026-10-29', '30 23 * * *', ['23:30+03:00']],
    [
      'Africa/Cairo',
      '2026-10-29',
      '*/30 23 * * *',
      ['23:00+03:00', '23:30+03:00', '23:00+02:00', '23:30+02:00'],
    ],
    ['Africa/Cairo', '2026-10-30', '@daily', ['00:00+02:00']],
    ['America/Havana', '2026-11-01', '@daily', ['00:00-04:00']],
    // Three hours, 00:00 to 21:00 of the day before
    ['Antarctica/Casey', '2021-03-13', '30 22 * * *', ['22:30+11:00']],
    ['Antarctica/Casey', '2021-03-13', '30 */22 * * *', ['00:30+11:00', '22:30+11:00', '22:30+08:00']],
    ['Antarctica/Casey', '2021-03-14', '0 0 * * *', ['00:00+08:00']],
  ])('%s on %s: `%s` is due at %j', (zone, day, fields, due) => {
    expect(dueOn(day, fields, zone)).toEqual(due);
  });
});

describe('where the clock never changes', () => {
  test.each<[zone: string, instant: string, wall: string]>([
    ['Asia/Kathmandu', '2026-07-01T00:00Z', '2026-07-01T05:45+05:45'],
    ['Asia/Kolkata', '2026-07-01T00:00Z', '2026-07-01T05:30+05:30'],
    ['Pacific/Marquesas', '2026-07-01T00:00Z', '2026-06-30T14:30-09:30'],
    ['Pacific/Kiritimati', '2026-07-01T00:00Z', '2026-07-01T14:00+14:00'],
    ['Etc/GMT+12', '2026-07-01T00:00Z', '2026-06-30T12:00-12:00'],
    ['UTC', '2026-07-01T00:00Z', '2026-07-01T00:00Z'],
  ])('%s reads %s as %s', (zone, instant, wall) => {
    const [, day, hour, minute] = /-(\d\d)T(\d\d):(\d\d)/.exec(wall) as unknown as string[];
    const entry = timetable(`${Number(minute)} ${Number(hour)} ${Number(day)} * *`, zone);
    const next = nextDue(entry, Date.parse('2026-06-29T12:00Z')) as number;
    expect([new Date(next).toISOString(), zonedText(entry.zone, next)]).toEqual([
      new Date(instant).toISOString(),
      wall,
    ]);
  });
});

describe('a day that a zone leaves out', () => {
  // Samoa went from the end of Thursday, 29 December 2011, to the start of Saturday.
  const samoa = zoneTableBetween(
    'Pacific/Apia',
    Date.parse('2011-11-01T00:00Z') / MINUTE_MS,
    Date.parse('2012-02-01T00:00Z') / MINUTE_MS,
  ) as ZoneTable;

  test.each<[fields: string, due: string[]]>([
    ['0 12 * * *', ['2011-12-29T12:00-10:00', '2011-12-31T12:00+14:00']],
    ['@daily', ['2011-12-29T00:00-10:00', '2011-12-31T00:00+14:00']],
    ['0 12 30 12 *', []],
    ['0 */12 30 12 *', []],
    ['0 12 * * fri', []],
    ['0 0 * * sat', ['2011-12-31T00:00+14:00']],
    ['59 23 29-31 * *', ['2011-12-29T23:59-10:00', '2011-12-31T23:59+14:00']],
  ])('`%s` is due at %j', (fields, due) => {
    expect(dueTexts(timetable(fields, samoa), '2011-12-29T00:00-10:00', '2012-01-01T00:00+14:00')).toEqual(
      due,
    );
  });
});

describe('the limit of three hours', () => {
  const changeAt = Date.parse('2030-05-05T04:00Z') / MINUTE_MS;
  /** A zone at UTC whose clock moves once, at 04:00. */
  const moving = (minutes: number): ZoneTable => ({
    zone: 'Test/Moving',
    from: changeAt - 10 * 1440,
    until: changeAt + 10 * 1440,
    offset: 0,
    changes: [[changeAt, minutes]],
  });

  test.each<[minutes: number, fields: string, due: string[]]>([
    [179, '30 4 * * *', ['06:59+02:59']],
    [180, '30 4 * * *', []],
    [180, '0 7 * * *', ['07:00+03:00']],
    [-179, '30 1 * * *', ['01:30Z']],
    [-180, '0 1 * * *', ['01:00Z']],
    [-181, '0 1 * * *', ['01:00Z', '01:00-03:01']],
    [-181, '*/60 1 * * *', ['01:00Z', '01:00-03:01']],
  ])('a clock that moves by %d minutes: `%s` is due at %j', (minutes, fields, due) => {
    expect(dueOn('2030-05-05', fields, moving(minutes))).toEqual(due);
  });
});

describe('the day rule', () => {
  // February 2026 begins on a Sunday.
  test.each<[fields: string, days: number[]]>([
    ['0 0 13 * *', [13]],
    ['0 0 * * 5', [6, 13, 20, 27]],
    ['0 0 14 * 5', [6, 13, 14, 20, 27]],
    ['0 0 1,15 * mon', [1, 2, 9, 15, 16, 23]],
    ['0 0 */2 * mon', [9, 23]],
    [
      '0 0 2-28/2 * mon',
      [...Array(14).keys()]
        .map((n) => 2 * n + 2)
        .concat(9, 23)
        .sort((a, b) => a - b),
    ],
    ['0 0 1-31 * mon', [...Array(28).keys()].map((n) => n + 1)],
    ['0 0 *,5 * mon', [2, 9, 16, 23]],
    ['0 0 5,* * mon', [...Array(28).keys()].map((n) => n + 1)],
    ['0 0 1-7 * */7', [1]],
    ['0 0 1-7 * 7', [1, 2, 3, 4, 5, 6, 7, 8, 15, 22]],
    ['0 0 10 * */2', [10]],
    ['0 0 30 * *', []],
    ['0 0 30 * 0', [1, 8, 15, 22]],
    ['0 0 * 1,3-12 *', []],
  ])('in February 2026 `%s` is due on the days %j', (fields, days) => {
    const texts = dueTexts(timetable(fields, 'UTC'), '2026-02-01T00:00Z', '2026-03-01T00:00Z');
    expect(texts.map((text) => Number(text.slice(8, 10)))).toEqual(days);
  });
});

describe('nextDue and previousDue', () => {
  test.each<[fields: string, zone: string, at: string, previous: string, next: string]>([
    ['0 12 * * *', 'UTC', '2026-05-05T12:00Z', '2026-05-04T12:00Z', '2026-05-06T12:00Z'],
    ['0 12 * * *', 'UTC', '2026-05-05T12:00:00.001Z', '2026-05-05T12:00Z', '2026-05-06T12:00Z'],
    ['0 12 * * *', 'UTC', '2026-05-05T11:59:59.999Z', '2026-05-04T12:00Z', '2026-05-05T12:00Z'],
    ['* * * * *', 'UTC', '2026-05-05T11:59:30Z', '2026-05-05T11:59Z', '2026-05-05T12:00Z'],
    ['0 0 29 2 *', 'UTC', '2026-05-05T12:00Z', '2024-02-29T00:00Z', '2028-02-29T00:00Z'],
    ['0 0 */29 2 wed', 'UTC', '2026-05-05T12:00Z', '2023-02-01T00:00Z', '2034-02-01T00:00Z'],
    [
      '59 23 31 12 *',
      'Asia/Tokyo',
      '2026-12-31T23:59+09:00',
      '2025-12-31T23:59+09:00',
      '2027-12-31T23:59+09:00',
    ],
    [
      '30 2 * * *',
      'Europe/Berlin',
      '2026-03-29T03:00+02:00',
      '2026-03-28T02:30+01:00',
      '2026-03-30T02:30+02:00',
    ],
    [
      '30 2 * * *',
      'Europe/Berlin',
      '2026-03-29T03:01+02:00',
      '2026-03-29T03:00+02:00',
      '2026-03-30T02:30+02:00',
    ],
    [
      '30 2 * * *',
      'Europe/Berlin',
      '2026-10-25T02:30+01:00',
      '2026-10-25T02:30+02:00',
      '2026-10-26T02:30+01:00',
    ],
    ['30 2 29 3 *', 'Europe/Berlin', '2025-06-01T00:00Z', '2025-03-29T02:30+01:00', '2026-03-29T03:00+02:00'],
  ])('`%s` in %s at %s: %s before, %s after', (fields, zone, at, previous, next) => {
    const entry = timetable(fields, zone);
    const text = (instant: number | undefined) => instant && zonedText(entry.zone, instant);
    expect([text(previousDue(entry, Date.parse(at))), text(nextDue(entry, Date.parse(at)))]).toEqual([
      previous,
      next,
    ]);
  });

  test.each(['0 0 30 2 *', '0 0 31 2-6/2 */2', '0 0 31 4,6,9,11 *'])(
    '`%s` has neither before nor after',
    (fields) => {
      const entry = timetable(fields, 'America/New_York');
      const at = Date.parse('2026-05-05T12:00Z');
      expect([previousDue(entry, at), nextDue(entry, at)]).toEqual([undefined, undefined]);
    },
  );

  test('nothing is due outside the years of the zone table', () => {
    const entry = timetable('* * * * *', 'Europe/Berlin');
    const [first, last] = [Date.parse('2020-01-01T00:00Z'), Date.parse('2045-12-31T23:59Z')];
    expect({
      first: nextDue(entry, Number.NEGATIVE_INFINITY),
      last: previousDue(entry, Number.POSITIVE_INFINITY),
      beforeFirst: previousDue(entry, first),
      afterLast: nextDue(entry, last),
      due: [first - 1, first, last, last + MINUTE_MS].map((instant) => isDue(entry, instant)),
    }).toEqual({
      first,
      last,
      beforeFirst: undefined,
      afterLast: undefined,
      due: [false, true, true, false],
    });
  });

  test('an instant is due for the whole of its minute', () => {
    const entry = timetable('30 2 * * *', 'Europe/Berlin');
    const at = Date.parse('2026-03-29T03:00+02:00');
    const offsets = [-1, 0, 1, MINUTE_MS - 1, MINUTE_MS];
    expect(offsets.map((ms) => isDue(entry, at + ms))).toEqual([false, true, true, true, false]);
  });
});
