import { describe, expect, jest, test } from '@jest/globals';
import { nearestZone, zoneTable, zoneTableBetween } from '../../../shared/core/schedule/zone-data.ts';
import { MINUTE_MS, offsetAt, type ZoneTable, zonedText } from '../../../shared/core/schedule/zone-table.ts';
import { offsetByIntl } from '../../support/debian-cron.ts';
import { knownZone } from '../../support/timetables.ts';

// A busy machine must not make a test of facts fail.
jest.setTimeout(60_000);

/** Where a table and the runtime disagree: nothing, or the first few places. */
function disagreements(table: ZoneTable, minutes: Iterable<number>): string[] {
  const wrong: string[] = [];
  for (const minute of minutes) {
    const offset = offsetByIntl(table.zone, minute * MINUTE_MS);
    if (offsetAt(table, minute) === offset) continue;
    wrong.push(`${zonedText(table, minute * MINUTE_MS)} in ${table.zone} is at ${offset}`);
    if (wrong.length === 5) break;
  }
  return wrong;
}

function* every(days: number, table: ZoneTable): Generator<number> {
  for (let minute = table.from; minute < table.until; minute += days * 1440) yield minute;
}

describe('the table of a zone', () => {
  test('agrees with the runtime for every zone, in between and at each change', () => {
    const zones = Intl.supportedValuesOf('timeZone');
    const wrong = zones.flatMap((zone) => {
      const table = knownZone(zone);
      const around = table.changes.slice(0, 30).flatMap(([at]) => [at - 1, at]);
      return disagreements(table, [...every(211, table), ...around, table.until - 1]);
    });
    expect(wrong).toEqual([]);
  });

  // Those that change their clocks at the shortest distances, by odd steps, or gave it up.
  test.each([
    'Africa/Casablanca',
    'Africa/El_Aaiun',
    'America/Mexico_City',
    'America/Nuuk',
    'Antarctica/Casey',
    'Antarctica/Troll',
    'Asia/Gaza',
    'Asia/Hebron',
    'Asia/Tehran',
    'Australia/Lord_Howe',
    'Europe/Berlin',
    'Pacific/Fiji',
  ])('lacks no change: %s looked at every twelve hours', (zone) => {
    const table = knownZone(zone);
    expect(disagreements(table, every(0.5, table))).toEqual([]);
  });

  test('is data alone, from 2020 to 2045, with its changes in order', () => {
    const table = knownZone('Europe/Berlin');
    const { changes, ...rest } = table;
    expect(rest).toEqual({
      zone: 'Europe/Berlin',
      from: Date.parse('2020-01-01T00:00Z') / MINUTE_MS,
      until: Date.parse('2046-01-01T00:00Z') / MINUTE_MS,
      offset: 60,
    });
    // Two a year for 26 years.
    expect(changes.length).toBe(52);
    expect(changes.slice(0, 3).map(([at]) => zonedText(table, at * MINUTE_MS))).toEqual([
      '2020-03-29T03:00+02:00',
      '2020-10-25T02:00+01:00',
      '2021-03-28T03:00+02:00',
    ]);
    expect(JSON.parse(JSON.stringify(table))).toEqual(table);
  });

  test('can be made for other years: Samoa moved over the date line', () => {
    const [from, until] = [Date.parse('2011-11-01T00:00Z'), Date.parse('2012-02-01T00:00Z')];
    expect(zoneTableBetween('Pacific/Apia', from / MINUTE_MS, until / MINUTE_MS)).toEqual({
      zone: 'Pacific/Apia',
      from: from / MINUTE_MS,
      until: until / MINUTE_MS,
      offset: -600,
      changes: [[Date.parse('2011-12-31T00:00+14:00') / MINUTE_MS, 840]],
    });
  });
});

describe('a name of a zone', () => {
  test.each<[alias: string, zone: string]>([
    ['US/Eastern', 'America/New_York'],
    ['Asia/Kolkata', 'Asia/Calcutta'],
    ['Europe/Kyiv', 'Europe/Kiev'],
    ['GB-Eire', 'Europe/London'],
    ['NZ-CHAT', 'Pacific/Chatham'],
    ['W-SU', 'Europe/Moscow'],
    ['America/Argentina/ComodRivadavia', 'America/Catamarca'],
    ['Australia/ACT', 'Australia/Sydney'],
    ['EST5EDT', 'America/New_York'],
    ['PRC', 'Asia/Shanghai'],
    ['Etc/UTC', 'UTC'],
    ['Zulu', 'UTC'],
  ])('may be an alias: %s has the clocks of %s', (alias, zone) => {
    expect(zoneTable(alias)).toEqual({ ...knownZone(zone), zone: alias });
  });

  test.each<[zone: string, offset: number]>([
    ['UTC', 0],
    ['GMT', 0],
    ['Etc/GMT+5', -300],
    ['Etc/GMT-14', 840],
    ['EST', -300],
    ['Asia/Kathmandu', 345],
  ])('%s has one offset for ever: %d', (zone, offset) => {
    const { offset: first, changes } = knownZone(zone);
    expect([first, changes]).toEqual([offset, []]);
  });

  test.each([
    '',
    'Berlin',
    'Europe/Berln',
    'Europe/Berlin ',
    'Europe/Berlin/Mitte',
    'Etc/Unknown',
    // Offsets
    '+01:00',
    '-0500',
    'UTC+1',
    // In another case
    'utc',
    'Utc',
    'europe/berlin',
    'Europe/berlin',
    'EUROPE/BERLIN',
    'EUROPE/KYIV',
    'US/EASTERN',
    'Us/Eastern',
    'Gb-Eire',
    'Prc',
    'Etc/gmt+5',
    // Known to ICU alone: each means several places
    'PST',
    'IST',
    'AST',
    'ACT',
    'Cst',
    'SystemV/EST5',
  ])('is not `%s`', (name) => {
    expect(zoneTable(name)).toBeUndefined();
  });

  test.each<[name: string, zone: string | undefined]>([
    ['Europe/Berln', 'Europe/Berlin'],
    ['europe/berlin', 'Europe/Berlin'],
    ['America/New York', 'America/New_York'],
    ['Mars/Olympus_Mons', undefined],
  ])('misspelt as `%s` is nearest to %s', (name, zone) => {
    expect(nearestZone(name)).toBe(zone);
  });
});
