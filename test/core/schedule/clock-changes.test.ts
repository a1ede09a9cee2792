import { expect, test } from '@jest/globals';
import { type ClockChangeEffect, clockChangeEffects } from '../../../shared/core/schedule/clock-changes.ts';
import { timetable } from '../../support/timetables.ts';

interface Effects {
  readonly skipped?: ClockChangeEffect;
  readonly repeated?: ClockChangeEffect;
}

/** What the clock changes of 2026 do to an entry. */
function effects(fields: string, zone: string, from = '2026-01-01', until = '2027-01-01'): Effects {
  return clockChangeEffects(timetable(fields, zone), Date.parse(from), Date.parse(until));
}

test.each<[fields: string, zone: string, effects: Effects]>([
  ['0 4 * * *', 'Europe/Berlin', {}],
  ['30 2 * * *', 'UTC', {}],
  ['30 2 * * mon', 'Europe/Berlin', {}],
  ['*/30 2 * * *', 'Europe/Berlin', {}],
  [
    '30 2 * * *',
    'Europe/Berlin',
    {
      skipped: { at: '2026-03-29T03:00+02:00', walls: ['02:30'], merged: 1 },
      repeated: { at: '2026-10-25T02:00+01:00', walls: ['02:30'], merged: 1 },
    },
  ],
  [
    '0 2,3 * * *',
    'Europe/Berlin',
    {
      skipped: { at: '2026-03-29T03:00+02:00', walls: ['02:00'], merged: 2 },
      repeated: { at: '2026-10-25T02:00+01:00', walls: ['02:00'], merged: 1 },
    },
  ],
  [
    '0,15,30,45 2 29 3 *',
    'Europe/Berlin',
    { skipped: { at: '2026-03-29T03:00+02:00', walls: ['02:00', '02:15', '02:30', '02:45'], merged: 4 } },
  ],
  [
    '0-50/10 2 29 3 *',
    'Europe/Berlin',
    {
      skipped: { at: '2026-03-29T03:00+02:00', walls: ['02:00', '02:10', '02:20', '… (6 times)'], merged: 6 },
    },
  ],
  ['@daily', 'Africa/Cairo', { skipped: { at: '2026-04-24T01:00+03:00', walls: ['00:00'], merged: 1 } }],
  [
    '45 23 * * *',
    'Africa/Cairo',
    { repeated: { at: '2026-10-29T23:00+02:00', walls: ['23:45'], merged: 1 } },
  ],
  [
    '45 1,2 * * *',
    'Australia/Lord_Howe',
    { repeated: { at: '2026-04-05T01:30+10:30', walls: ['01:45'], merged: 1 } },
  ],
])('in 2026 clock changes do to `%s` in %s: %j', (fields, zone, expected) => {
  expect(effects(fields, zone)).toEqual(expected);
});

test('a gap of three hours is not made up for, so nothing is said of it', () => {
  expect(effects('30 1 4 10 *', 'Antarctica/Casey', '2020-06-01', '2021-01-01')).toEqual({});
});

test.each<[from: string, until: string, at: string | undefined]>([
  ['2026-03-29T00:59Z', '2026-03-29T01:00Z', '2026-03-29T03:00+02:00'],
  ['2026-03-29T00:59Z', '2026-03-29T00:59Z', undefined],
  ['2026-03-29T01:00Z', '2026-12-31T00:00Z', undefined],
  ['2026-03-29T01:00Z', '2029-12-31T00:00Z', '2027-03-28T03:00+02:00'],
])('the next gap after %s and up to %s is at %s', (from, until, at) => {
  expect(effects('30 2 * * *', 'Europe/Berlin', from, until).skipped?.at).toBe(at);
});
