import { nearest } from '../nearest.ts';
import { type EpochMinute, MINUTE_MS, type ZoneTable } from './zone-table.ts';

/** The years that a plan's zone tables cover: from this one … */
const FROM_YEAR = 2020;
/** … to the end of the one before this. */
const UNTIL_YEAR = 2046;

/** Shorter than the time between any two changes of a zone in the table's years (Gaza in 2040: just under a week). */
const PROBE_MINUTES = 5 * 1440;

const cache = new Map<string, ZoneTable>();

/**
 * The runtime's IANA data for a zone as a table, made where a plan is compiled.
 *
 * @returns undefined for a name that is not an IANA zone, or spelt in another case.
 */
export function zoneTable(zone: string): ZoneTable | undefined {
  const known = cache.get(zone);
  if (known !== undefined) return known;
  const from = Date.UTC(FROM_YEAR, 0) / MINUTE_MS;
  const until = Date.UTC(UNTIL_YEAR, 0) / MINUTE_MS;
  // Every check asks for it, and asking the runtime for 26 years costs more than a small check.
  const table =
    zone === 'UTC' ? { zone, from, until, offset: 0, changes: [] } : zoneTableBetween(zone, from, until);
  if (table !== undefined) cache.set(zone, table);
  return table;
}

/** As `zoneTable`, for other years. */
export function zoneTableBetween(zone: string, from: EpochMinute, until: EpochMinute): ZoneTable | undefined {
  const read = offsetReader(zone);
  if (read === undefined) return undefined;
  const offset = read(from);
  const changes: [number, number][] = [];
  let before = from;
  let current = offset;
  while (before < until) {
    const after = Math.min(before + PROBE_MINUTES, until);
    const next = read(after - 1);
    if (next === current) {
      before = after;
      continue;
    }
    let low = before;
    let high = after - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (read(middle) === current) low = middle + 1;
      else high = middle;
    }
    current = read(low);
    changes.push([low, current]);
    before = low + 1;
  }
  return { zone, from, until, offset, changes };
}

/** The known zone nearest to a misspelt name, for a message. */
export function nearestZone(name: string): string | undefined {
  return nearest(name, Intl.supportedValuesOf('timeZone'));
}

/** The IANA names of three letters: ICU has more of its own, `AST` and `IST` among them, that no zone file knows. */
const THREE_LETTER_ZONES = [
  ...['CET', 'EET', 'EST', 'GMT', 'HST', 'MET', 'MST'],
  ...['PRC', 'ROC', 'ROK', 'UCT', 'UTC', 'WET'],
];

/** Words of IANA names that are not one capital and then small letters. */
const OWN_SPELLING = new Map(
  [
    ...THREE_LETTER_ZONES,
    ...['ACT', 'CHAT', 'GB', 'GMT0', 'IN', 'LHI', 'NSW', 'NZ', 'SU', 'US', 'W'],
    ...['CST6CDT', 'EST5EDT', 'MST7MDT', 'PST8PDT'],
    ...['BajaNorte', 'BajaSur', 'ComodRivadavia', 'DeNoronha', 'DumontDUrville', 'EasterIsland', 'McMurdo'],
    ...['au', 'es', 'of'],
  ].map((word) => [word.toLowerCase(), word]),
);

/**
 * Whether a name that the runtime takes, in any case and from ICU's own list too, is one that a zone file and
 * EventBridge Scheduler take. The runtime lists its canonical names only, so aliases are judged word by word.
 */
function isSpeltAsInZoneFiles(zone: string): boolean {
  if (zone.length === 3) return THREE_LETTER_ZONES.includes(zone);
  return zone.split(/[/_+-]/).every((word) => {
    const small = word.toLowerCase();
    return word === (OWN_SPELLING.get(small) ?? small.charAt(0).toUpperCase() + small.slice(1));
  });
}

/** Reads offsets from the runtime; undefined when the zone is unknown. */
function offsetReader(zone: string): ((instant: EpochMinute) => number) | undefined {
  // `+01:00` is known to Intl and to nobody else.
  if (!/^[A-Z]/.test(zone)) return undefined;
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
  } catch {
    return undefined;
  }
  if (!isSpeltAsInZoneFiles(zone) && !Intl.supportedValuesOf('timeZone').includes(zone)) return undefined;
  return (instant) => {
    const text = format.format(instant * MINUTE_MS);
    const match = /GMT(?:([+-])(\d\d):(\d\d))?/.exec(text.slice(text.indexOf('GMT')));
    if (match === null) throw new Error(`the runtime gives no offset for ${zone}: ${text}`);
    const [, sign, hours, minutes] = match;
    if (sign === undefined) return 0;
    return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
  };
}
