/**
 * An independent model of Debian's cron, to hold the core against: it knows nothing of zone tables, bit sets or
 * segments. It wakes up at every minute, reads the clock on the wall through Intl, and keeps the virtual time by which
 * Debian's main loop tells a changed clock from a passing minute.
 *
 * @see main() and find_jobs() in Debian's cron.c, load_entry() in its entry.c
 */

const MINUTE_MS = 60_000;
const { floor } = Math;

/** Long enough for the virtual time to be in step with the wall again after any clock change before the window. */
const WARM_UP_MINUTES = 720;

/** The instants in [from, until) at which Debian starts an entry at least once, ascending. Whole minutes. */
export function debianStarts(fields: string, zone: string, from: number, until: number): number[] {
  const entry = readEntry(fields);
  const first = from / MINUTE_MS;
  const walls = wallMinutes(zone, first - WARM_UP_MINUTES, until / MINUTE_MS);
  const starts: number[] = [];
  const findJobs = (wall: number, wild: boolean, fixed: boolean) =>
    (entry.isWild ? wild : fixed) && matches(entry, wall);
  let virtual = (walls[0] as number) - 1;
  for (let index = 0; index < walls.length; index++) {
    const wall = walls[index] as number;
    const ahead = wall - virtual;
    let isStarted = false;
    if (ahead > 0 && ahead <= 5) {
      while (virtual < wall) isStarted = findJobs(++virtual, true, true) || isStarted;
    } else if (ahead > 5 && ahead <= 180) {
      isStarted = findJobs(wall, true, false);
      while (virtual < wall) isStarted = findJobs(++virtual, false, true) || isStarted;
    } else if (ahead <= 0 && ahead > -180) {
      isStarted = findJobs(wall, true, false);
    } else {
      virtual = wall;
      isStarted = findJobs(wall, true, true);
    }
    if (isStarted && index >= WARM_UP_MINUTES) starts.push((first - WARM_UP_MINUTES + index) * MINUTE_MS);
  }
  return starts;
}

interface DebianEntry {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly weekdays: ReadonlySet<number>;
  readonly needsBothDays: boolean;
  readonly isWild: boolean;
}

function readEntry(fields: string): DebianEntry {
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = fields.split(' ');
  const weekdays = valuesOf(weekday, 0, 7, 'sun mon tue wed thu fri sat');
  return {
    minutes: valuesOf(minute, 0, 59),
    hours: valuesOf(hour, 0, 23),
    days: valuesOf(day, 1, 31),
    months: valuesOf(month, 1, 12, '- jan feb mar apr may jun jul aug sep oct nov dec'),
    weekdays: new Set([...weekdays].map((value) => value % 7)),
    needsBothDays: day[0] === '*' || weekday[0] === '*',
    isWild: minute[0] === '*' || hour[0] === '*',
  };
}

function valuesOf(field: string, lowest: number, highest: number, names = ''): Set<number> {
  const nameList = names.split(' ');
  const numberOf = (word: string) => (/\d/.test(word) ? Number(word) : nameList.indexOf(word.toLowerCase()));
  const values = new Set<number>();
  for (const item of field.split(',')) {
    const [range = '', step = '1'] = item.split('/');
    const [low, high = low] = range === '*' ? [lowest, highest] : range.split('-').map(numberOf);
    for (let value = lowest; value <= highest; value++) {
      const isInRange = value >= (low as number) && value <= (high as number);
      if (isInRange && (value - (low as number)) % Number(step) === 0) values.add(value);
    }
  }
  return values;
}

function matches(entry: DebianEntry, wall: number): boolean {
  if (!entry.minutes.has(wall % 60) || !entry.hours.has(floor(wall / 60) % 24)) return false;
  const date = new Date(wall * MINUTE_MS);
  if (!entry.months.has(date.getUTCMonth() + 1)) return false;
  const byDay = entry.days.has(date.getUTCDate());
  const byWeekday = entry.weekdays.has(date.getUTCDay());
  return entry.needsBothDays ? byDay && byWeekday : byDay || byWeekday;
}

const knownWalls = new Map<string, Float64Array>();

/** The wall minute at each of the UTC minutes [from, until). */
function wallMinutes(zone: string, from: number, until: number): Float64Array {
  const key = `${zone} ${from} ${until}`;
  const known = knownWalls.get(key);
  if (known !== undefined) return known;
  const walls = new Float64Array(until - from);
  // One reading for a quarter of an hour, unless the clocks change in it.
  for (let quarter = from; quarter < until; quarter += 15) {
    const end = Math.min(quarter + 15, until);
    const offset = offsetByIntl(zone, quarter * MINUTE_MS);
    const isSteady = offsetByIntl(zone, (end - 1) * MINUTE_MS) === offset;
    for (let minute = quarter; minute < end; minute++) {
      walls[minute - from] = minute + (isSteady ? offset : offsetByIntl(zone, minute * MINUTE_MS));
    }
  }
  knownWalls.set(key, walls);
  return walls;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Minutes east of UTC at an instant, from the difference of what the clocks in both places show. */
export function offsetByIntl(zone: string, instant: number): number {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'short' });
    formats.set(zone, format);
  }
  // Swedish writes `2026-03-29 03:00`.
  const wall = Date.parse(`${format.format(instant).replace(' ', 'T')}Z`);
  return (wall - floor(instant / MINUTE_MS) * MINUTE_MS) / MINUTE_MS;
}
