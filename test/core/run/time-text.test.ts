import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readTime, type TimeContext, type TimeRead } from '../../../shared/core/run/time-text.ts';
import { zonedText } from '../../../shared/core/schedule/zone-table.ts';
import { knownZone } from '../../support/timetables.ts';

const zone = knownZone('Europe/Berlin');
const now = Date.parse('2026-11-23T04:00:30Z');
const at = (instant: string): TimeRead => ({ kind: 'instant', instant: Date.parse(instant) });

describe('a time is read on the clocks of the zone', () => {
  test.each<[text: string, expected: TimeRead, context?: Partial<TimeContext>]>([
    ['2026-03-29T01:30Z', at('2026-03-29T01:30Z')],
    ['2026-03-29t01:30z', at('2026-03-29T01:30Z')],
    ['2026-03-29T03:30+02:00', at('2026-03-29T01:30Z')],
    ['2026-03-29 03:30:15.5+02:00', at('2026-03-29T01:30:15.500Z')],
    ['2026-11-23T04:30', at('2026-11-23T03:30Z')],
    ['  2026-11-23   04:30 ', at('2026-11-23T03:30Z')],
    ['2026-07-01 04:30', at('2026-07-01T02:30Z')],
    ['04:30', at('2026-11-23T03:30Z')],
    ['today 04:30', at('2026-11-23T03:30Z')],
    ['yesterday 04:30', at('2026-11-22T03:30Z')],
    ['tomorrow 04:30', at('2026-11-24T03:30Z')],
    // It is the 24th there already.
    ['00:30', at('2026-11-23T23:30Z'), { now: Date.parse('2026-11-23T23:10Z') }],
    ['now', at('2026-11-23T04:00:30Z')],
    ['2h ago', at('2026-11-23T02:00:30Z')],
    ['-2h', at('2026-11-23T02:00:30Z')],
    ['in 90s', at('2026-11-23T04:02:00Z')],
    ['+1d', at('2026-11-24T04:00:30Z')],
    ['2h', at('2026-11-23T06:00:30Z'), { isAhead: true }],
    ['2026-11-01', at('2026-10-31T23:00Z'), { day: 'first' }],
    ['2026-11-01', at('2026-11-01T22:59Z'), { day: 'last' }],
    [
      '2026-10-25 02:30',
      {
        kind: 'repeated',
        wall: '2026-10-25 02:30',
        instants: [Date.parse('2026-10-25T00:30Z'), Date.parse('2026-10-25T01:30Z')],
      },
    ],
    ['2026-10-25T02:30+01:00', at('2026-10-25T01:30Z')],
    [
      '2026-03-29 02:30',
      { kind: 'skipped', wall: '2026-03-29 02:30', instant: Date.parse('2026-03-29T01:00Z') },
    ],
    ['2026-03-29 03:00', at('2026-03-29T01:00Z')],
    ['2026-03-29 01:59', at('2026-03-29T00:59Z')],
  ])('%j', (text, expected, context = {}) => {
    expect(readTime(text, { now, zone, ...context })).toEqual(expected);
  });

  test('a day that begins in a gap begins after it', () => {
    const beirut = knownZone('Asia/Beirut');
    expect(readTime('2026-03-29', { now, zone: beirut, day: 'first' })).toEqual(at('2026-03-28T22:00Z'));
    expect(readTime('2026-03-29 00:10', { now, zone: beirut })).toEqual({
      ...{ kind: 'skipped', wall: '2026-03-29 00:10', instant: Date.parse('2026-03-28T22:00Z') },
    });
  });
});

describe('what is no time says what is', () => {
  test.each<[text: string, allowed: RegExp, context?: Partial<TimeContext>]>([
    ['', /^`2026-03-29T01:30Z`, .*`2h ago` or `in 2h`$/],
    ['soon', /`yesterday 03:30`/],
    ['2h', /or `in 2h`$/],
    ['2h', /a day such as `2026-03-29`$/, { day: 'first' }],
    ['soon', /or a duration from now such as `2h`$/, { isAhead: true }],
    ['2026-03-29', /`2026-03-29 03:30`/],
    ['in 2h ago', /`in 2h`/],
    ['-2h ago', /`in 2h`/],
    ['367d ago', /`2h ago`/],
    ['2026-02-30 03:30', /a day and a time that exist, and there is no 2026-02-30$/],
    ['2026-02-30T03:30Z', /there is no 2026-02-30$/],
    ['2026-03-01 24:30', /there is no 24:30$/],
    ['25:00', /there is no 25:00$/],
    ['2019-12-31T23:30Z', /a time of the years 2020 to 2045$/],
    ['2046-06-01 03:30', /a time of the years 2020 to 2045$/],
    ['1764000000', /`now`/],
    ['2026-03-29T01:30Z#m0123', /`now`/],
  ])('%j', (text, allowed, context = {}) => {
    expect(readTime(text, { now, zone, ...context })).toEqual({
      kind: 'no-time',
      allowed: expect.stringMatching(allowed),
    });
  });
});

test('every minute is found again by what the clocks show then', () => {
  const zones = [
    'Europe/Berlin',
    'Australia/Lord_Howe',
    'America/St_Johns',
    'Pacific/Apia',
    'Africa/El_Aaiun',
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      fc.integer({ min: Date.UTC(2020, 0, 3) / 60_000, max: Date.UTC(2045, 11, 29) / 60_000 }),
      (name, minute) => {
        const table = knownZone(name);
        const instant = minute * 60_000;
        const text = zonedText(table, instant);
        const read = readTime(text.slice(0, 16).replace('T', ' '), { now, zone: table });
        const instants =
          read.kind === 'instant' ? [read.instant] : read.kind === 'repeated' ? read.instants : [];
        expect(instants).toContain(instant);
        for (const one of instants) expect(zonedText(table, one).slice(0, 16)).toBe(text.slice(0, 16));
        expect(readTime(text, { now, zone: table })).toEqual({ kind: 'instant', instant });
      },
    ),
  );
});

test('no text makes it fail', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(readTime(text, { now, zone }).kind).toMatch(/^(?:instant|repeated|skipped|no-time)$/);
    }),
  );
});
