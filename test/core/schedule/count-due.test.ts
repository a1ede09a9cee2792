import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { countDue } from '../../../shared/core/schedule/count-due.ts';
import { dueInstants } from '../../../shared/core/schedule/due.ts';
import { timetable } from '../../support/timetables.ts';

describe('as many as there are', () => {
  test.each<[fields: string, zone: string, after: string, until: string, count: number]>([
    ['* * * * *', 'UTC', '2026-01-01T00:00Z', '2026-01-01T01:00Z', 60],
    ['* * * * *', 'UTC', '2026-01-01T00:00Z', '2027-01-01T00:00Z', 525_600],
    // A spring day has 23 hours, an autumn day 25, for who follows real time.
    ['* * * * *', 'Europe/Berlin', '2026-03-28T23:00Z', '2026-03-29T22:00Z', 1380],
    ['* * * * *', 'Europe/Berlin', '2026-10-24T22:00Z', '2026-10-25T23:00Z', 1500],
    // Fixed times run once a day, whatever the clocks do.
    ['30 2 * * *', 'Europe/Berlin', '2026-03-28T22:59Z', '2026-03-29T21:59Z', 1],
    ['30 2 * * *', 'Europe/Berlin', '2026-10-24T21:59Z', '2026-10-25T22:59Z', 1],
    // Three times that do not exist and the regular one are one start.
    ['0,20,40 2,3 * * *', 'Europe/Berlin', '2026-03-29T00:59Z', '2026-03-29T02:00Z', 3],
    ['0 0 30 2 *', 'UTC', '2020-01-01T00:00Z', '2045-12-31T00:00Z', 0],
    ['0 0 * * *', 'UTC', '2026-01-02T00:00Z', '2026-01-01T00:00Z', 0],
  ])('%s in %s, (%s, %s]: %d', (fields, zone, after, until, count) => {
    expect(countDue(timetable(fields, zone), Date.parse(after), Date.parse(until))).toBe(count);
  });
});

test('a count is what one gets by walking, around every change of the clocks', () => {
  const minute = fc.constantFrom('*', '*/7', '0', '30', '59', '0,15,30,45', '5-50/9');
  const hour = fc.constantFrom('*', '*/5', '0', '1', '2', '3', '1-3', '23', '0,2,12');
  const day = fc.constantFrom('*', '*/2', '29', '1-7', '25,31');
  const month = fc.constantFrom('*', '3,10', '4', '9-11');
  const weekday = fc.constantFrom('*', '0', '1-5', '*/3');
  const zone = fc.constantFrom(
    ...['Europe/Berlin', 'Australia/Lord_Howe', 'America/New_York', 'Africa/Casablanca', 'Asia/Kolkata'],
    ...['Pacific/Apia', 'America/Santiago'],
  );
  const start = Date.UTC(2026, 0);
  fc.assert(
    fc.property(
      fc.tuple(minute, hour, day, month, weekday),
      zone,
      fc.integer({ min: 0, max: 400 * 86_400 }),
      fc.integer({ min: 0, max: 60 * 86_400 }),
      (fields, name, seconds, length) => {
        const entry = timetable(fields.join(' '), name);
        const after = start + seconds * 1000;
        const until = after + length * 1000;
        expect(countDue(entry, after, until)).toBe([...dueInstants(entry, after, until)].length);
      },
    ),
    { numRuns: 300 },
  );
});
