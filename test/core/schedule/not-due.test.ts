import { describe, expect, test } from '@jest/globals';
import { type ClockNote, clockNote, type NotDue, notDue } from '../../../shared/core/schedule/not-due.ts';
import { timetable } from '../../support/timetables.ts';

const fields = (...list: [field: string, value: number, text: string][]) =>
  ({ kind: 'fields', fields: list.map(([field, value, text]) => ({ field, value, text })) }) as NotDue;

describe('what keeps an entry from being due', () => {
  test.each<[fields: string, zone: string, instant: string, expected: NotDue | undefined]>([
    ['30 2 * * *', 'UTC', '2026-11-23T02:30Z', undefined],
    ['30 2 * * *', 'UTC', '2026-11-23T02:31Z', fields(['minute', 31, '30'])],
    ['40 2 * * *', 'UTC', '2026-11-23T03:41Z', fields(['minute', 41, '40'], ['hour', 3, '2'])],
    ['30 2 * * *', 'Europe/Berlin', '2026-11-23T02:30Z', fields(['hour', 3, '2'])],
    // Either day field suffices: one that matches makes the other no reason.
    ['0 0 13 * 5', 'UTC', '2026-11-13T00:01Z', fields(['minute', 1, '0'])],
    ['0 0 13 * 5', 'UTC', '2026-11-20T00:01Z', fields(['minute', 1, '0'])],
    ['0 0 13 * 5', 'UTC', '2026-11-23T00:00Z', fields(['dayOfMonth', 23, '13'], ['dayOfWeek', 1, '5'])],
    // Both must match: the one that does not is the reason.
    ['0 0 */2 * 1', 'UTC', '2026-11-24T00:00Z', fields(['dayOfMonth', 24, '*/2'], ['dayOfWeek', 2, '1'])],
    ['0 0 */2 * 1', 'UTC', '2026-11-25T00:00Z', fields(['dayOfWeek', 3, '1'])],
    ['0 0 * 12 *', 'UTC', '2026-11-23T00:00Z', fields(['month', 11, '12'])],
    [
      '30 2 * * *',
      'Europe/Berlin',
      '2026-10-25T01:30Z',
      { kind: 'repeated', first: Date.parse('2026-10-25T00:30Z') },
    ],
    ['30 2 * * *', 'UTC', '2019-12-31T02:30Z', { kind: 'outside' }],
    ['30 2 * * *', 'UTC', '2046-01-01T02:30Z', { kind: 'outside' }],
  ])('%s in %s at %s', (text, zone, instant, expected) => {
    expect(notDue(timetable(text, zone), Date.parse(instant))).toEqual(expected);
  });
});

describe('what the clocks do at a due instant', () => {
  test.each<[fields: string, instant: string, expected: ClockNote | undefined]>([
    ['30 2 * * *', '2026-03-28T01:30Z', undefined],
    ['30 2 * * *', '2026-03-29T01:00Z', { kind: 'moved', walls: ['02:30'], merged: 1 }],
    ['0,30 2,3 * * *', '2026-03-29T01:00Z', { kind: 'moved', walls: ['02:00', '02:30'], merged: 3 }],
    ['*/30 2 * * *', '2026-03-29T01:00Z', undefined],
    [
      '30 2 * * *',
      '2026-10-25T00:30Z',
      { kind: 'first-of-two', second: Date.parse('2026-10-25T01:30Z'), runsTwice: false },
    ],
    [
      '*/30 * * * *',
      '2026-10-25T00:30Z',
      { kind: 'first-of-two', second: Date.parse('2026-10-25T01:30Z'), runsTwice: true },
    ],
    ['*/30 * * * *', '2026-10-25T01:30Z', { kind: 'second-of-two', first: Date.parse('2026-10-25T00:30Z') }],
    ['*/30 * * * *', '2026-10-25T02:00Z', undefined],
    ['*/30 * * * *', '2026-10-24T23:30Z', undefined],
  ])('%s at %s', (text, instant, expected) => {
    expect(clockNote(timetable(text, 'Europe/Berlin'), Date.parse(instant))).toEqual(expected);
  });
});
