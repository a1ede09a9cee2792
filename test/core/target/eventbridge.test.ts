import { describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { dueInstants } from '../../../shared/core/schedule/due.ts';
import { MINUTE_MS, zonedText } from '../../../shared/core/schedule/zone-table.ts';
import {
  type CoverPart,
  coverOf,
  extraDeliveries,
  guardDelivery,
  ledgerStarts,
} from '../../../shared/core/target/eventbridge.ts';
import { deliveries, type Repeated, readExpression } from '../../support/eventbridge-evaluator.ts';
import { scheduleTexts } from '../../support/schedule-texts.ts';
import { knownZone, timetable } from '../../support/timetables.ts';

const DAY_MS = 1440 * MINUTE_MS;

// A busy machine must not make a test of facts fail.
jest.setTimeout(120_000);

function parts(fields: string, zone: string): readonly CoverPart[] {
  const cover = coverOf(timetable(fields, zone));
  if (!cover.isCarried) throw new Error(cover.message);
  return cover.parts;
}

const texts = (fields: string, zone: string): string[] =>
  parts(fields, zone).map(({ expression, timeZone }) => `${expression} ${timeZone}`);

describe('the cover of an entry', () => {
  test.each<[fields: string, expression: string]>([
    ['30 4 * * *', 'cron(30 4 * * ? *)'],
    ['@daily', 'cron(0 0 * * ? *)'],
    ['@weekly', 'cron(0 0 ? * SUN *)'],
    ['@yearly', 'cron(0 0 1 1 ? *)'],
    ['05 9 * jan,mar mon-fri', 'cron(5 9 ? 1,3 MON-FRI *)'],
    ['0,30 9-17 * * *', 'cron(0,30 9-17 * * ? *)'],
    ['*/15 8-10 * * 1-5', 'cron(0/15 8-10 ? * MON-FRI *)'],
    ['5-59/15 9 * * *', 'cron(5/15 9 * * ? *)'],
    ['*/7 9 * * *', 'cron(0/7 9 * * ? *)'],
    ['0-30/10 9 * * *', 'cron(0,10,20,30 9 * * ? *)'],
    ['*/99 9 * * *', 'cron(0 9 * * ? *)'],
    ['0-59 9 * * *', 'cron(* 9 * * ? *)'],
    ['0 22-23,0-4 * * *', 'cron(0 0-4,22,23 * * ? *)'],
    ['0 9 */2 * *', 'cron(0 9 1/2 * ? *)'],
    ['0 9 * */3 *', 'cron(0 9 * 1/3 ? *)'],
    ['0 9 * * */2', 'cron(0 9 ? * SUN,TUE,THU,SAT *)'],
    ['0 9 * * 5-7', 'cron(0 9 ? * SUN,FRI,SAT *)'],
    ['0 9 * * 0-7', 'cron(0 9 * * ? *)'],
    ['0 9 1-31 * *', 'cron(0 9 * * ? *)'],
    ['0 9 1-31 * mon', 'cron(0 9 * * ? *)'],
    ['0 9 13 * 0-6', 'cron(0 9 * * ? *)'],
    ['0 9 29-31 2 *', 'cron(0 9 29 2 ? *)'],
    ['0 9 31 4,6 5', 'cron(0 9 ? 4,6 FRI *)'],
    ['0 9 1-30 4 5', 'cron(0 9 * 4 ? *)'],
    ['0 9 */2 4 *', 'cron(0 9 1/2 4 ? *)'],
    // Both days must match: exact where the guide has a word for it, else by the side with fewer days.
    ['0 9 1-7 * */7', 'cron(0 9 ? * 1#1 *)'],
    ['0 9 */99,2-7 * mon', 'cron(0 9 ? * 2#1 *)'],
    ['0 9 8-14 * */7', 'cron(0 9 ? * 1#2 *)'],
    ['0 9 */2 * 1', 'cron(0 9 ? * MON *)'],
    ['0 9 */15 * 1-5', 'cron(0 9 1/15 * ? *)'],
    ['0 9 */16 * */7', 'cron(0 9 1,17 * ? *)'],
    ['0 9 29-31 * */7', 'cron(0 9 29-31 * ? *)'],
  ])('`%s` is %s', (fields, expression) => {
    expect(texts(fields, 'Europe/Berlin')).toEqual([`${expression} Europe/Berlin`]);
  });

  test.each<[fields: string, first: string, second: string]>([
    ['0 9 13 * 5', 'cron(0 9 13 * ? *)', 'cron(0 9 ? * FRI *)'],
    ['0 9 1-7 * 1', 'cron(0 9 1-7 * ? *)', 'cron(0 9 ? * MON *)'],
    ['30 4 1,15 * 1-5', 'cron(30 4 1,15 * ? *)', 'cron(30 4 ? * MON-FRI *)'],
    ['0 9 */99,2-7 * mon,thu', 'cron(0 9 ? * 2#1 *)', 'cron(0 9 ? * 5#1 *)'],
    ['0 9 1-14 * */7', 'cron(0 9 ? * 1#1 *)', 'cron(0 9 ? * 1#2 *)'],
  ])('`%s` is %s and %s', (fields, first, second) => {
    expect(texts(fields, 'Asia/Tokyo')).toEqual([`${first} Asia/Tokyo`, `${second} Asia/Tokyo`]);
  });

  test.each<[fields: string, zone: string, text: string]>([
    ['* * * * *', 'Europe/Berlin', 'cron(* * * * ? *) UTC'],
    ['*/5 * * * *', 'America/New_York', 'cron(0/5 * * * ? *) UTC'],
    ['17 0-23 * * *', 'Antarctica/Troll', 'cron(17 * * * ? *) UTC'],
    ['0 * 1-31 * 0-6', 'UTC', 'cron(0 * * * ? *) UTC'],
    // Half an hour moves the minutes, unless they are the same half an hour on.
    ['0 * * * *', 'Asia/Kathmandu', 'cron(0 * * * ? *) Asia/Kathmandu'],
    ['0 * * * *', 'Australia/Lord_Howe', 'cron(0 * * * ? *) Australia/Lord_Howe'],
    ['*/30 * * * *', 'Australia/Lord_Howe', 'cron(0,30 * * * ? *) UTC'],
    ['*/30 * * * *', 'Asia/Kathmandu', 'cron(0,30 * * * ? *) Asia/Kathmandu'],
    ['*/15 * * * *', 'Pacific/Chatham', 'cron(0/15 * * * ? *) UTC'],
    ['* * * * *', 'Pacific/Chatham', 'cron(* * * * ? *) UTC'],
    // A day and a month begin when the zone says so.
    ['0 * 1 * *', 'Europe/Berlin', 'cron(0 * 1 * ? *) Europe/Berlin'],
    ['0 * * * 1', 'Europe/Berlin', 'cron(0 * ? * MON *) Europe/Berlin'],
    ['0 * * 1-11 *', 'Europe/Berlin', 'cron(0 * * 1-11 ? *) Europe/Berlin'],
    ['0 1-23 * * *', 'Europe/Berlin', 'cron(0 1-23 * * ? *) Europe/Berlin'],
  ])('`%s` in %s is %s', (fields, zone, text) => {
    expect(texts(fields, zone)).toEqual([text]);
  });

  test.each(['0 9 30 2 *', '0 9 31 4,6,9,11 *', '0 9 31 2 */2'])(
    '`%s` never comes and has none',
    (fields) => {
      expect(texts(fields, 'UTC')).toEqual([]);
    },
  );

  test('`@reboot` cannot be carried, and the way out is said', () => {
    expect(coverOf(undefined)).toEqual({
      isCarried: false,
      code: 'unsupported-reboot',
      message: '`@reboot` is due when a daemon starts, and on AWS none does',
      help: 'leave it to the daemon by `# kuber-cron: targets=daemon`, or give it a time',
    });
    expect(guardDelivery(undefined, 0)).toBe('not-foreseen');
  });

  test('is at most 240 characters long: pairs of values are what costs most', () => {
    const pairs = (first: number, last: number) => {
      const values = Array.from({ length: last - first + 1 }, (_, index) => last - index);
      return values
        .filter((_, index) => index % 3 < 2)
        .sort((a, b) => a - b)
        .join(',');
    };
    const fields = `${pairs(0, 59)} ${pairs(0, 23)} ${pairs(1, 31)} ${pairs(1, 12)} *`;
    const [part] = parts(fields, 'UTC');
    expect(part?.expression).toHaveLength(240);
    fc.assert(
      fc.property(scheduleTexts, (any) => {
        for (const { expression } of parts(any, 'UTC')) expect(expression.length).toBeLessThanOrEqual(240);
      }),
    );
  });
});

/** What goes wrong in a window (from, until]: instants and what is the matter with them; nothing when the law holds. */
function faults(fields: string, zone: string, from: number, until: number, repeated: Repeated): string[] {
  const entry = timetable(fields, zone);
  const due = new Set(dueInstants(entry, from, until));
  const delivered = new Set(
    parts(fields, zone).flatMap(({ expression, timeZone }) =>
      deliveries(expression, timeZone, from + MINUTE_MS, until + MINUTE_MS, repeated),
    ),
  );
  const ledger = ledgerStarts(entry, from, until);
  const wrong: [instant: number, what: string][] = [];
  let dropped = 0;
  for (const instant of delivered) {
    // The service delivers at any second of the minute.
    const verdict = guardDelivery(entry, instant + ((instant / MINUTE_MS) % 60) * 1000);
    if (verdict === 'not-foreseen') wrong.push([instant, 'is delivered and not foreseen']);
    if (verdict === 'not-due') dropped++;
    if ((verdict === 'due') !== due.has(instant)) wrong.push([instant, `is ${verdict} to the guard`]);
  }
  for (const instant of ledger) {
    if (!due.has(instant)) wrong.push([instant, 'is started by the ledger and not due']);
    // Where the service does more than is documented, the ledger finds the run that is there already.
    if (repeated === 'first' && delivered.has(instant)) wrong.push([instant, 'is started twice']);
  }
  const started = new Set(ledger);
  if (started.size < ledger.length) wrong.push([from, 'the ledger has an instant twice']);
  for (const instant of due) {
    if (!delivered.has(instant) && !started.has(instant)) wrong.push([instant, 'is lost']);
  }
  const counted = extraDeliveries(entry, from, until);
  if (repeated === 'first' && counted !== dropped) wrong.push([from, `has ${dropped} extra, not ${counted}`]);
  return wrong.slice(0, 5).map(([instant, what]) => `${zonedText(entry.zone, instant)} ${what}`);
}

/** Zones whose clocks do what others do not: half hours, two hours, midnight, a month of Ramadan, three quarters. */
const ZONES = [
  ...['Europe/Berlin', 'Europe/Dublin', 'America/New_York', 'America/St_Johns', 'America/Havana'],
  ...['America/Santiago', 'America/Nuuk', 'Africa/Cairo', 'Africa/Casablanca', 'Africa/Juba', 'Asia/Beirut'],
  ...['Asia/Gaza', 'Asia/Tehran', 'Asia/Amman', 'Asia/Almaty', 'Asia/Kathmandu', 'Asia/Kolkata', 'UTC'],
  ...['Australia/Lord_Howe', 'Australia/Adelaide', 'Pacific/Chatham', 'Pacific/Norfolk', 'Pacific/Apia'],
  ...['Antarctica/Troll', 'Antarctica/Casey', 'Atlantic/Azores'],
];
const CHANGING = ZONES.filter((zone) => knownZone(zone).changes.length > 0);

/** The minutes at which the clocks of a zone change, from 2020 to 2045. */
const changesOf = (zone: string) => knownZone(zone).changes.map(([at]) => at * MINUTE_MS);

describe.each<Repeated>(['first', 'both'])(
  'what is delivered (of a time that comes twice: %s), filtered by the guard, and the ledger are the due instants',
  (repeated) => {
    test.each(CHANGING)('around any change of the clocks in %s', (zone) => {
      fc.assert(
        fc.property(scheduleTexts, fc.constantFrom(...changesOf(zone)), (fields, change) => {
          expect(faults(fields, zone, change - 2 * DAY_MS, change + 2 * DAY_MS, repeated)).toEqual([]);
        }),
        { numRuns: 20 },
      );
    });

    test('in any zone at any time, and from any minute on', () => {
      fc.assert(
        fc.property(
          scheduleTexts,
          fc.constantFrom(...Intl.supportedValuesOf('timeZone')),
          fc.integer({
            min: Date.parse('2020-01-02') / MINUTE_MS,
            max: Date.parse('2045-11-01') / MINUTE_MS,
          }),
          fc.integer({ min: 1, max: 50_000 }),
          (fields, zone, minute, minutes) => {
            const from = minute * MINUTE_MS;
            expect(faults(fields, zone, from, from + minutes * MINUTE_MS, repeated)).toEqual([]);
          },
        ),
        { numRuns: 60 },
      );
    });

    test('in windows that begin or end inside of a change', () => {
      const near = fc.integer({ min: -200, max: 200 });
      const changes = fc
        .constantFrom(...CHANGING)
        .chain((zone) => fc.tuple(fc.constant(zone), fc.constantFrom(...changesOf(zone))));
      fc.assert(
        fc.property(scheduleTexts, changes, near, near, (fields, [zone, change], a, b) => {
          const [from, until] = [Math.min(a, b), Math.max(a, b)].map((by) => change + by * MINUTE_MS);
          expect(faults(fields, zone, from as number, until as number, repeated)).toEqual([]);
        }),
        { numRuns: 200 },
      );
    });
  },
);

test.each(['Europe/Berlin', 'Australia/Lord_Howe', 'Africa/Casablanca', 'Antarctica/Troll'])(
  'over whole years in %s',
  (zone) => {
    fc.assert(
      fc.property(scheduleTexts, fc.integer({ min: 2020, max: 2044 }), (fields, year) => {
        expect(faults(fields, zone, Date.UTC(year), Date.UTC(year + 1), 'first')).toEqual([]);
      }),
      { numRuns: 4 },
    );
  },
);

const YEAR_2027 = [Date.parse('2027-01-01') - 1, Date.parse('2028-01-01') - 1] as const;

test.each<[fields: string, zone: string, dropped: number, ledger: string[]]>([
  ['30 4 * * *', 'Europe/Berlin', 0, []],
  ['30 2 * * *', 'UTC', 0, []],
  ['30 2 * * *', 'Europe/Berlin', 0, ['2027-03-28T03:00+02:00']],
  ['0 2,3 * * *', 'Europe/Berlin', 0, []],
  ['0,30 2 * * *', 'Europe/Berlin', 0, ['2027-03-28T03:00+02:00']],
  ['*/30 2 * * *', 'Europe/Berlin', 0, ['2027-10-31T02:00+01:00', '2027-10-31T02:30+01:00']],
  ['*/30 2 * * 1-6', 'Europe/Berlin', 0, []],
  ['0 * * * 7', 'Europe/Berlin', 0, ['2027-10-31T02:00+01:00']],
  ['*/5 * * * *', 'Europe/Berlin', 0, []],
  ['30 0-23 * * *', 'Europe/Berlin', 1, ['2027-03-28T03:00+02:00']],
  ['0 0-23 * * *', 'Europe/Berlin', 1, []],
  ['@daily', 'Africa/Cairo', 0, ['2027-04-30T01:00+03:00']],
  ['*/15 1 * * *', 'Australia/Lord_Howe', 0, ['2027-04-04T01:30+10:30', '2027-04-04T01:45+10:30']],
  ['0 * * * *', 'Australia/Lord_Howe', 0, []],
  ['45 * * * *', 'Australia/Lord_Howe', 0, ['2027-04-04T01:45+10:30']],
  ['10 1 * * *', 'Antarctica/Troll', 0, ['2027-03-28T03:00+02:00']],
  ['10 * 1-31 * 0', 'Antarctica/Troll', 0, []],
  ['10 */2 * * *', 'Antarctica/Troll', 0, ['2027-10-31T02:10Z']],
  // Days that one expression cannot say: Mondays that are on even days, and all days but one of the first week.
  ['0 9 */2 * 1', 'UTC', 52 - 27, []],
  ['30 2 */99,2-7 * 7', 'Europe/Berlin', 0, []],
  ['0 9 13 * 5', 'UTC', 0, []],
])(
  'in 2027 of `%s` in %s %i deliveries are dropped, and the ledger starts %j',
  (fields, zone, dropped, ledger) => {
    const entry = timetable(fields, zone);
    expect([
      extraDeliveries(entry, ...YEAR_2027),
      ledgerStarts(entry, ...YEAR_2027).map((instant) => zonedText(entry.zone, instant)),
    ]).toEqual([dropped, ledger]);
  },
);

test.each<[fields: string, zone: string, time: string, verdict: ReturnType<typeof guardDelivery>]>([
  ['30 4 * * *', 'Europe/Berlin', '2027-01-01T03:30:59.999Z', 'due'],
  ['30 4 * * *', 'Europe/Berlin', '2027-01-01T03:31:00Z', 'not-foreseen'],
  ['30 4 * * *', 'Europe/Berlin', '2027-01-01T02:30:00Z', 'not-foreseen'],
  // Brought along: the second 02:30, and Mondays on odd days.
  ['30 2 * * *', 'Europe/Berlin', '2027-10-31T00:30Z', 'due'],
  ['30 2 * * *', 'Europe/Berlin', '2027-10-31T01:30Z', 'not-due'],
  ['0 9 */2 * 1', 'UTC', '2027-02-01T09:00Z', 'due'],
  ['0 9 */2 * 1', 'UTC', '2027-02-08T09:00Z', 'not-due'],
  ['0 9 */2 * 1', 'UTC', '2027-02-03T09:00Z', 'not-foreseen'],
  // What was due in the gap is due at its end, which no expression says.
  ['30 2 * * *', 'Europe/Berlin', '2027-03-28T01:00Z', 'due'],
  ['30 2 * * *', 'Europe/Berlin', '2027-03-28T01:30Z', 'not-foreseen'],
  ['30 0-23 * * *', 'Europe/Berlin', '2027-10-31T01:30Z', 'not-due'],
])('a delivery of `%s` in %s for %s is %s', (fields, zone, time, verdict) => {
  expect(guardDelivery(timetable(fields, zone), Date.parse(time))).toBe(verdict);
});

/** Day-of-week fields: the columns of the next table. */
const DAYS_OF_WEEK = ['*', '1', '1-5', '0,6', '0-6', '*/2', '*/7', '*,5'];

// `2`: two expressions; `1+25`: one, which delivers on 25 days of 2027 more than the entry is due on.
test.each<[dayOfMonth: string, counts: string]>([
  ['*      ', '1  1     1     1     1  1     1     1'],
  ['1      ', '1  2     2     2     1  1+7   1+11  1'],
  ['1,15   ', '1  2     2     2     1  1+14  1+22  1'],
  ['1-7    ', '1  2     2     2     1  1+36  1     1'],
  ['15-28  ', '1  2     2     2     1  1+72  2     1'],
  ['1-31   ', '1  1     1     1     1  1     1     1'],
  ['31     ', '1  2     2     2     1  1+3   1+5   1'],
  ['*/2    ', '1  1+25  1+53  1+51  1  1+81  1+25  1'],
  ['*/8    ', '1  1+41  1+13  1+35  1  1+21  1+42  1'],
  ['*,5    ', '1  1     1     1     1  1     1     1'],
  ['*/99,2-7', '1  1     1+24  2     1  1+36  1     1'],
])('day of month `%s` with each of the days of week takes so many expressions: %s', (dayOfMonth, counts) => {
  const found = DAYS_OF_WEEK.map((dayOfWeek) => {
    const fields = `0 9 ${dayOfMonth.trim()} * ${dayOfWeek}`;
    const extra = extraDeliveries(timetable(fields, 'UTC'), ...YEAR_2027);
    return `${parts(fields, 'UTC').length}${extra === 0 ? '' : `+${extra}`}`;
  });
  expect(found).toEqual(counts.split(/ +/));
});

describe("the evaluator takes what the service's guide shows, and nothing else", () => {
  test.each<[expression: string, days: string[]]>([
    ['cron(0 9 ? 2 MON-WED *)', ['01', '02', '03', '08', '09', '10', '15', '16', '17', '22', '23', '24']],
    ['cron(0 9 ? 2 2-4 2027)', ['01', '02', '03', '08', '09', '10', '15', '16', '17', '22', '23', '24']],
    ['cron(0 9 1/10 2 ? 2027-2028)', ['01', '11', '21']],
    ['cron(0 9 ? FEB 3#2 *)', ['09']],
    ['cron(0 9 ? 2 6L *)', ['26']],
    ['cron(0 9 L 2 ? *)', ['28']],
    ['cron(0 9 31 2 ? *)', []],
    ['cron(0 9 1 2 ? 2028)', []],
  ])('%s in February 2027', (expression, days) => {
    const instants = deliveries(expression, 'UTC', Date.parse('2027-02-01'), Date.parse('2027-03-01'));
    expect(instants.map((instant) => new Date(instant).toISOString().slice(8))).toEqual(
      days.map((day) => `${day}T09:00:00.000Z`),
    );
  });

  test.each<[expression: string, repeated: Repeated, times: string[]]>([
    ['cron(30 2 28 3 ? *)', 'first', []],
    ['cron(30 3 28 3 ? *)', 'first', ['2027-03-28T01:30']],
    ['cron(30 2 31 10 ? *)', 'first', ['2027-10-31T00:30']],
    ['cron(30 2 31 10 ? *)', 'both', ['2027-10-31T00:30', '2027-10-31T01:30']],
    ['cron(30 3 31 10 ? *)', 'both', ['2027-10-31T02:30']],
  ])('%s in Berlin in 2027, %s', (expression, repeated, times) => {
    const instants = deliveries(expression, 'Europe/Berlin', YEAR_2027[0], YEAR_2027[1], repeated);
    expect(instants.map((instant) => new Date(instant).toISOString().slice(0, 16))).toEqual(times);
  });

  test.each([
    'cron(0 9 * * ?)',
    'cron(0 9 * * * *)',
    'cron(0 9 ? * ? *)',
    'cron(0  9 * * ? *)',
    'rate(1 minute)',
    'cron(60 9 * * ? *)',
    'cron(09 9 * * ? *)',
    'cron(*/5 9 * * ? *)',
    'cron(0/60 9 * * ? *)',
    'cron(0-30/5 9 * * ? *)',
    'cron(0 22-2 * * ? *)',
    'cron(0 2,1 * * ? *)',
    'cron(0 1,1 * * ? *)',
    'cron(0 9 0 * ? *)',
    'cron(0 9 ? * 0 *)',
    'cron(0 9 ? * mon *)',
    'cron(0 9 ? * MON/2 *)',
    'cron(0 9 ? * FRI-MON *)',
    'cron(0 9 ? * MON#1 *)',
    'cron(0 9 ? * 2#1,3#1 *)',
    'cron(0 9 ? * 2#5 *)',
    `cron(${Array.from({ length: 60 }, (_, minute) => minute).join(',')} ${'0,'.repeat(40)}1 * * ? *)`,
  ])('%s is refused', (expression) => {
    expect(() => readExpression(expression)).toThrow();
  });
});
