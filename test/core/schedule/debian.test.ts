import { describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { dueInstants, isDue, nextDue, previousDue } from '../../../shared/core/schedule/due.ts';
import { compileSchedule } from '../../../shared/core/schedule/schedule.ts';
import { MINUTE_MS } from '../../../shared/core/schedule/zone-table.ts';
import { debianStarts, offsetByIntl } from '../../support/debian-cron.ts';
import { scheduleTexts } from '../../support/schedule-texts.ts';
import { timetable } from '../../support/timetables.ts';

const DAY_MS = 1440 * MINUTE_MS;

// A busy machine must not make a test of facts fail.
jest.setTimeout(60_000);

/** Zones and days (of UTC) on which, or in the night after which, they change their clocks. */
const TRANSITIONS: readonly (readonly [zone: string, day: string])[] = [
  ['Europe/Berlin', '2026-03-29'],
  ['Europe/Berlin', '2026-10-25'],
  ['Europe/London', '2040-03-25'],
  ['Europe/Dublin', '2026-10-25'],
  ['America/New_York', '2026-03-08'],
  ['America/New_York', '2026-11-01'],
  ['America/St_Johns', '2031-11-02'],
  ['America/Havana', '2026-03-08'],
  ['America/Havana', '2026-11-01'],
  ['America/Santiago', '2026-04-04'],
  ['America/Santiago', '2026-09-05'],
  ['America/Nuuk', '2023-03-25'],
  ['America/Nuuk', '2026-03-28'],
  ['Atlantic/Azores', '2026-10-25'],
  ['Africa/Cairo', '2026-04-23'],
  ['Africa/Cairo', '2026-10-29'],
  ['Africa/Casablanca', '2026-02-15'],
  ['Africa/Casablanca', '2026-03-22'],
  ['Africa/Juba', '2021-01-31'],
  ['Asia/Beirut', '2026-03-28'],
  ['Asia/Gaza', '2040-10-19'],
  ['Asia/Tehran', '2022-03-21'],
  ['Asia/Amman', '2022-02-24'],
  ['Asia/Almaty', '2024-02-29'],
  ['Australia/Lord_Howe', '2026-04-04'],
  ['Australia/Lord_Howe', '2026-10-03'],
  ['Australia/Sydney', '2044-04-02'],
  ['Australia/Adelaide', '2026-10-03'],
  ['Pacific/Chatham', '2026-04-04'],
  ['Pacific/Chatham', '2026-09-26'],
  ['Pacific/Norfolk', '2026-10-03'],
  ['Antarctica/Troll', '2026-03-29'],
  ['Antarctica/Troll', '2026-10-25'],
  ['Antarctica/Casey', '2020-10-03'],
  ['Antarctica/Casey', '2021-03-13'],
  ['Antarctica/Casey', '2022-10-01'],
  ['Antarctica/Casey', '2023-03-08'],
];

interface Question {
  readonly fields: string;
  readonly zone: string;
  /** Whole minutes; the window is half-open. */
  readonly from: number;
  readonly until: number;
}

/** Where the core disagrees with Debian's model: nothing, or the first few places. */
function disagreements({ fields, zone, from, until }: Question): string[] {
  const entry = timetable(fields, zone);
  const due = debianStarts(fields, zone, from, until);
  const wrong = differences([...dueInstants(entry, from - 1, until - 1)], due);
  const compare = (what: string, at: number, got: number | boolean | undefined, expected: typeof got) => {
    if (got !== expected) wrong.push(`${what}(${isoText(at)}) is ${isoText(got)}, not ${isoText(expected)}`);
  };
  const beyond = nextDue(entry, until - 1);
  const before = previousDue(entry, from);
  let index = 0;
  for (let at = from; at < until && wrong.length < 5; at += MINUTE_MS) {
    const isDueNow = due[index] === at;
    // Inside of the minute too: everything is asked in milliseconds.
    const inside = at + (((at / MINUTE_MS) * 7919) % MINUTE_MS);
    compare('isDue', inside, isDue(entry, inside), isDueNow);
    // The searches at every due instant and its neighbours, and at times in between.
    const isNear = isDueNow || due[index] === at + MINUTE_MS || due[index - 1] === at - MINUTE_MS;
    if (isNear || (at / MINUTE_MS) % 19 === 0) {
      compare('previousDue', at, previousDue(entry, at), due[index - 1] ?? before);
      compare('nextDue', inside, nextDue(entry, inside), due[isDueNow ? index + 1 : index] ?? beyond);
    }
    if (isDueNow) index++;
  }
  return wrong;
}

/** What one ascending list of instants lacks or has too much: nothing, or the first few. */
function differences(got: readonly number[], expected: readonly number[]): string[] {
  const inGot = new Set(got);
  const inExpected = new Set(expected);
  return [
    ...expected.filter((instant) => !inGot.has(instant)).map((instant) => `lacks ${isoText(instant)}`),
    ...got.filter((instant) => !inExpected.has(instant)).map((instant) => `adds ${isoText(instant)}`),
  ].slice(0, 5);
}

function isoText(value: number | boolean | undefined): string {
  return typeof value === 'number' ? new Date(value).toISOString() : String(value);
}

describe("the core and Debian's cron start an entry at the same instants", () => {
  test.each(TRANSITIONS)('around the change of the clocks in %s on %s', (zone, day) => {
    const from = Date.parse(day);
    const until = from + 40 * 60 * MINUTE_MS;
    expect(offsetByIntl(zone, from)).not.toBe(offsetByIntl(zone, until));
    fc.assert(
      fc.property(scheduleTexts, (fields) => {
        expect(disagreements({ fields, zone, from, until })).toEqual([]);
      }),
      { numRuns: 12 },
    );
  });

  test('in any zone at any time', () => {
    fc.assert(
      fc.property(
        scheduleTexts,
        fc.constantFrom(...Intl.supportedValuesOf('timeZone')),
        fc.integer({ min: Date.parse('2020-01-02') / MINUTE_MS, max: Date.parse('2045-12-25') / MINUTE_MS }),
        (fields, zone, minute) => {
          const from = minute * MINUTE_MS;
          expect(disagreements({ fields, zone, from, until: from + 2 * DAY_MS })).toEqual([]);
        },
      ),
      { numRuns: 60 },
    );
  });

  test.each(['Europe/Berlin', 'Australia/Lord_Howe', 'America/Havana'])('over a whole year in %s', (zone) => {
    const [from, until] = [Date.parse('2024-01-01'), Date.parse('2025-01-01')];
    fc.assert(
      fc.property(scheduleTexts, (fields) => {
        const due = [...dueInstants(timetable(fields, zone), from - 1, until - 1)];
        expect(differences(due, debianStarts(fields, zone, from, until))).toEqual([]);
      }),
      { numRuns: 2 },
    );
  });
});

test('nextDue and previousDue step through the same instants in opposite directions, over any distance', () => {
  fc.assert(
    fc.property(
      scheduleTexts,
      fc.constantFrom(...new Set(TRANSITIONS.map(([zone]) => zone))),
      fc.integer({ min: Date.parse('2020-01-01'), max: Date.parse('2045-12-31') }),
      (fields, zone, at) => {
        const entry = timetable(fields, zone);
        const forwards: number[] = [];
        for (let next = nextDue(entry, at); next !== undefined && forwards.length < 20; ) {
          forwards.push(next);
          next = nextDue(entry, next);
        }
        const backwards: number[] = [];
        let previous = forwards.at(-1);
        while (previous !== undefined && previous > at) {
          backwards.unshift(previous);
          previous = previousDue(entry, previous);
        }
        expect(backwards).toEqual(forwards);
        expect(forwards.filter((instant, index) => instant <= (forwards[index - 1] ?? at))).toEqual([]);
      },
    ),
    { numRuns: 300 },
  );
});

test('the canonical text of a schedule compiles to the same schedule', () => {
  fc.assert(
    fc.property(scheduleTexts, (fields) => {
      const { schedule } = timetable(fields, 'UTC');
      expect(compileSchedule(schedule.text)).toEqual(schedule);
    }),
  );
});
