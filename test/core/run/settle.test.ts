import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { startBy } from '../../../shared/core/run/run.ts';
import { type Settlement, type SettlePolicy, settle } from '../../../shared/core/run/settle.ts';
import { dueInstants, nextDue, type Timetable } from '../../../shared/core/schedule/due.ts';
import { scheduleTexts } from '../../support/schedule-texts.ts';
import { timetable } from '../../support/timetables.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const ONCE: SettlePolicy = { catchUp: 'once' };
const NONE: SettlePolicy = { catchUp: 'none' };

/** `catch-up 12:00`, `superseded 11:00..11:30`: a settlement in short, the start first. Without the given prefix. */
function short({ start, missed }: Settlement, prefix: string): string[] {
  const text = (instant: number) => new Date(instant).toISOString().slice(0, 16).replace(prefix, '');
  const answers = missed.map(({ instant, spanFrom, reason }) =>
    spanFrom === undefined ? `${reason} ${text(instant)}` : `${reason} ${text(spanFrom)}..${text(instant)}`,
  );
  return start === undefined ? answers : [`${start.trigger} ${text(start.instant)}`, ...answers];
}

type Row = [
  what: string,
  fields: string,
  after: string,
  now: string,
  policy: SettlePolicy,
  answers: string[],
];

describe('the due instants of one day, in UTC', () => {
  const day = (time: string) => Date.parse(`2026-05-05T${time}Z`);

  test.each<Row>([
    ['on time', '0 * * * *', '11:59', '12:00', ONCE, ['schedule 12:00']],
    ['late by seconds', '0 * * * *', '11:59', '12:00:59.999', ONCE, ['schedule 12:00']],
    ['late by a minute', '0 * * * *', '11:59', '12:01', ONCE, ['catch-up 12:00']],
    ['on time', '0 * * * *', '11:59', '12:00', NONE, ['schedule 12:00']],
    ['late by seconds', '0 * * * *', '11:59', '12:00:59.999', NONE, ['schedule 12:00']],
    ['late by a minute', '0 * * * *', '11:59', '12:01', NONE, ['catch-up-none 12:00']],
    ['nothing due', '0 * * * *', '12:00', '12:59:59', ONCE, []],
    ['no time passed', '* * * * *', '12:00', '12:00', ONCE, []],
    ['the clock went backwards', '* * * * *', '12:00', '11:00', ONCE, []],
    // An hour, when the next due time is further away
    ['down for an hour', '30 2 * * *', '02:00', '03:30', ONCE, ['catch-up 02:30']],
    ['down for longer', '30 2 * * *', '02:00', '03:30:00.001', ONCE, ['too-late 02:30']],
    ['down for an hour', '30 2 * * *', '02:00', '03:30', NONE, ['catch-up-none 02:30']],
    ['down for longer', '30 2 * * *', '02:00', '03:30:00.001', NONE, ['too-late 02:30']],
    // As long as the next due time is away
    [
      'down for 25 minutes',
      '*/10 * * * *',
      '11:59',
      '12:25',
      ONCE,
      ['catch-up 12:20', 'too-late 12:00..12:10'],
    ],
    [
      'back on a due time',
      '*/10 * * * *',
      '11:59',
      '12:20',
      ONCE,
      ['schedule 12:20', 'too-late 12:00', 'superseded 12:10'],
    ],
    [
      'back on a due time',
      '*/10 * * * *',
      '11:59',
      '12:20',
      NONE,
      ['schedule 12:20', 'too-late 12:00', 'catch-up-none 12:10'],
    ],
    [
      'down for uneven gaps',
      '0,1,50 * * * *',
      '11:55',
      '12:52',
      ONCE,
      ['catch-up 12:50', 'too-late 12:00..12:01'],
    ],
    // Five minutes at least
    [
      'down for some minutes',
      '* * * * *',
      '12:00',
      '12:07:30',
      ONCE,
      ['schedule 12:07', 'too-late 12:01..12:02', 'superseded 12:03..12:06'],
    ],
    [
      'down for some minutes',
      '* * * * *',
      '12:00',
      '12:07:30',
      NONE,
      ['schedule 12:07', 'too-late 12:01..12:02', 'catch-up-none 12:03..12:06'],
    ],
    [
      'down for some hours',
      '* * * * *',
      '03:00',
      '12:00',
      ONCE,
      ['schedule 12:00', 'too-late 03:01..11:54', 'superseded 11:55..11:59'],
    ],
    ['down for some hours', '0 * * * *', '03:30', '12:30', ONCE, ['catch-up 12:00', 'too-late 04:00..11:00']],
    // A deadline of its own
    [
      'inside its deadline',
      '30 2 * * *',
      '02:00',
      '04:30',
      { ...ONCE, startingDeadlineMs: 2 * HOUR },
      ['catch-up 02:30'],
    ],
    [
      'past its deadline',
      '30 2 * * *',
      '02:00',
      '04:30:00.001',
      { ...ONCE, startingDeadlineMs: 2 * HOUR },
      ['too-late 02:30'],
    ],
    [
      'late by seconds, with a deadline of fewer',
      '30 2 * * *',
      '02:00',
      '02:30:31',
      { ...ONCE, startingDeadlineMs: 30_000 },
      ['too-late 02:30'],
    ],
    [
      'a deadline longer than the gap',
      '0 * * * *',
      '03:30',
      '12:30',
      { ...ONCE, startingDeadlineMs: 3 * HOUR },
      ['catch-up 12:00', 'too-late 04:00..09:00', 'superseded 10:00..11:00'],
    ],
    [
      'a deadline longer than the gap',
      '0 * * * *',
      '03:30',
      '12:30',
      { ...NONE, startingDeadlineMs: 3 * HOUR },
      ['too-late 04:00..09:00', 'catch-up-none 10:00..12:00'],
    ],
    [
      'a deadline longer than the stretch',
      '0 * * * *',
      '10:30',
      '12:30',
      { ...ONCE, startingDeadlineMs: 24 * HOUR },
      ['catch-up 12:00', 'superseded 11:00'],
    ],
  ])('%s: `%s` after %s, at %s, by %j: %j', (_what, fields, after, now, policy, answers) => {
    expect(short(settle(timetable(fields, 'UTC'), day(after), day(now), policy), '2026-05-05T')).toEqual(
      answers,
    );
  });
});

describe('long stretches', () => {
  test.each<Row>([
    [
      'a year',
      '* * * * *',
      '2025-01-01T00:00Z',
      '2026-01-01T00:00:20Z',
      ONCE,
      [
        'schedule 2026-01-01T00:00',
        'too-late 2025-01-01T00:01..2025-12-31T23:55',
        'superseded 2025-12-31T23:56..2025-12-31T23:59',
      ],
    ],
    [
      'a year',
      '* * * * *',
      '2025-01-01T00:00Z',
      '2026-01-01T00:00:20Z',
      NONE,
      [
        'schedule 2026-01-01T00:00',
        'too-late 2025-01-01T00:01..2025-12-31T23:55',
        'catch-up-none 2025-12-31T23:56..2025-12-31T23:59',
      ],
    ],
    [
      'a year, with a deadline of a month',
      '@daily',
      '2025-01-01T00:00Z',
      '2026-01-01T12:00Z',
      { catchUp: 'once', startingDeadlineMs: 30 * 24 * HOUR },
      [
        'catch-up 2026-01-01T00:00',
        'too-late 2025-01-02T00:00..2025-12-02T00:00',
        'superseded 2025-12-03T00:00..2025-12-31T00:00',
      ],
    ],
    [
      'years, for a day that seldom comes',
      '0 0 29 2 *',
      '2020-03-01T00:00Z',
      '2032-03-01T00:00Z',
      ONCE,
      ['too-late 2024-02-29T00:00..2032-02-29T00:00'],
    ],
    ['years, for a day that never comes', '0 0 30 2 *', '2020-03-01T00:00Z', '2032-03-01T00:00Z', ONCE, []],
  ])('%s: `%s` after %s, at %s, by %j: %j', (_what, fields, after, now, policy, answers) => {
    expect(short(settle(timetable(fields, 'UTC'), Date.parse(after), Date.parse(now), policy), '')).toEqual(
      answers,
    );
  });
});

describe('changes of the clocks in Berlin', () => {
  // Answers are in UTC: one hour before the wall in winter, two in summer.
  test.each<Row>([
    [
      'a time in the gap',
      '30 2 * * *',
      '2026-03-29T01:59+01:00',
      '2026-03-29T03:00:10+02:00',
      ONCE,
      ['schedule 2026-03-29T01:00'],
    ],
    [
      'down in the gap',
      '30 2 * * *',
      '2026-03-28T12:00+01:00',
      '2026-03-29T03:40+02:00',
      ONCE,
      ['catch-up 2026-03-29T01:00'],
    ],
    [
      'two times that the gap merges',
      '0 2,3 * * *',
      '2026-03-29T01:59+01:00',
      '2026-03-29T03:00+02:00',
      ONCE,
      ['schedule 2026-03-29T01:00'],
    ],
    ['the second pass', '30 2 * * *', '2026-10-25T02:31+02:00', '2026-10-25T02:30+01:00', ONCE, []],
    [
      'down for both passes',
      '30 * * * *',
      '2026-10-25T02:00+02:00',
      '2026-10-25T02:45+01:00',
      ONCE,
      ['catch-up 2026-10-25T01:30', 'too-late 2026-10-25T00:30'],
    ],
  ])('%s: `%s` after %s, at %s, by %j: %j', (_what, fields, after, now, policy, answers) => {
    const berlin = timetable(fields, 'Europe/Berlin');
    expect(short(settle(berlin, Date.parse(after), Date.parse(now), policy), '')).toEqual(answers);
  });
});

/** Every due instant with its answer, one by one: the rules without any thrift. */
function oneByOne(entry: Timetable, after: number, now: number, policy: SettlePolicy): string[] {
  const instants = [...dueInstants(entry, after, now)];
  return instants.map((instant, index) => {
    const isNewest = index === instants.length - 1;
    const isOnTime = now - instant < MINUTE;
    if (now > startBy(instant, nextDue(entry, instant), policy.startingDeadlineMs))
      return `${instant} too-late`;
    if (isNewest && isOnTime) return `${instant} schedule`;
    if (policy.catchUp === 'none') return `${instant} catch-up-none`;
    return isNewest ? `${instant} catch-up` : `${instant} superseded`;
  });
}

test('every due instant has exactly one answer, whatever the schedule, the zone and the policy', () => {
  fc.assert(
    fc.property(
      scheduleTexts,
      fc.constantFrom('UTC', 'Europe/Berlin', 'Africa/Cairo', 'Australia/Lord_Howe'),
      fc.oneof(
        fc
          .constantFrom('2026-03-29T01:00Z', '2026-10-25T01:00Z', '2026-04-23T22:00Z', '2026-04-04T15:00Z')
          .map((text) => Date.parse(text)),
        fc.integer({ min: Date.parse('2021-01-01'), max: Date.parse('2044-01-01') }),
      ),
      fc.oneof(fc.integer({ min: 0, max: 10 * MINUTE }), fc.integer({ min: 0, max: 30 * HOUR })),
      fc.integer({ min: 0, max: 3 * HOUR }),
      fc.record(
        {
          catchUp: fc.constantFrom('once' as const, 'none' as const),
          startingDeadlineMs: fc.oneof(
            fc.constantFrom(0, 1, MINUTE, HOUR),
            fc.integer({ min: 0, max: 40 * HOUR }),
          ),
        },
        { requiredKeys: ['catchUp'] },
      ),
      (fields, zone, moment, before, later, policy) => {
        const entry = timetable(fields, zone);
        const [after, now] = [moment - before, moment + later];
        const { start, missed } = settle(entry, after, now, policy);
        const answers = missed.flatMap(({ instant, spanFrom = instant, reason }) =>
          [...dueInstants(entry, spanFrom - 1, instant)].map((one) => `${one} ${reason}`),
        );
        if (start !== undefined) answers.push(`${start.instant} ${start.trigger}`);
        expect(answers).toEqual(oneByOne(entry, after, now, policy));
        expect(missed.length).toBeLessThanOrEqual(2);
      },
    ),
    { numRuns: 500 },
  );
});
