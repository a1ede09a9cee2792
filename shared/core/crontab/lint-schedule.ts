import { clockChangeEffects } from '../schedule/clock-changes.ts';
import { nextDue, type Timetable } from '../schedule/due.ts';
import { canFire, type Schedule } from '../schedule/schedule.ts';
import { zoneTable } from '../schedule/zone-data.ts';
import type { EpochMs, ZoneTable } from '../schedule/zone-table.ts';
import type { Span } from '../source.ts';
import type { Entry } from './entry.ts';
import type { Report } from './lint-report.ts';
import { remember } from './remember.ts';
import { durationText } from './values.ts';

/** What the lint needs to know beside the text. */
export interface LintContext {
  /** Zone of entries without `CRON_TZ`; without it their clock changes are not looked at. */
  readonly zone?: string | undefined;
  /** Clock changes are looked for in the two years after this. */
  readonly now: EpochMs;
}

/** Answers that entries with one schedule share. */
export class LintMemory {
  readonly #zone: ZoneTable | undefined;
  readonly #utc = zoneTable('UTC') as ZoneTable;
  readonly #now: EpochMs;
  readonly #effects = new Map<string, ReturnType<typeof clockChangeEffects>>();
  readonly #gaps = new Map<string, number>();

  constructor({ zone, now }: LintContext) {
    this.#zone = zone === undefined ? undefined : zoneTable(zone);
    this.#now = now;
  }

  /** The entry on the clocks of its zone; undefined when the zone is not known or the entry has no times. */
  timetable({ schedule, zone }: Entry): Timetable | undefined {
    const table = zone === undefined ? this.#zone : zoneTable(zone);
    return schedule === undefined || table === undefined ? undefined : { schedule, zone: table };
  }

  clockChanges(entry: Entry): ReturnType<typeof clockChangeEffects> {
    const timetable = this.timetable(entry);
    if (timetable === undefined || timetable.zone.changes.length === 0) return {};
    return remember(this.#effects, `${timetable.zone.zone} ${timetable.schedule.text}`, () =>
      clockChangeEffects(timetable, this.#now, this.#now + 2 * 366 * 86_400_000),
    );
  }

  /** Shortest time between two starts among the next ones; in UTC where the zone is not known. Milliseconds. */
  shortestGap(entry: Entry): number {
    const { schedule } = entry;
    if (schedule === undefined) return Number.POSITIVE_INFINITY;
    return remember(this.#gaps, schedule.text, () => {
      const timetable = { schedule, zone: this.#utc };
      let shortest = Number.POSITIVE_INFINITY;
      let last = nextDue(timetable, this.#now);
      for (let count = 0; count < 100 && last !== undefined; count++) {
        const next = nextDue(timetable, last);
        if (next === undefined) break;
        shortest = Math.min(shortest, next - last);
        last = next;
      }
      return shortest;
    });
  }
}

/** Finds what an entry's schedule most likely was not meant to be. */
export function lintSchedule(entry: Entry, memory: LintMemory, report: Report): void {
  const { schedule, scheduleSpan } = entry;
  if (schedule === undefined) return;
  if (!canFire(schedule)) {
    report(
      'never-fires',
      scheduleSpan,
      `no month of \`${schedule.text}\` has such a day: this entry never runs`,
      'correct the day or the month',
    );
    return;
  }
  lintDays(schedule, scheduleSpan, report);
  const { skipped, repeated } = memory.clockChanges(entry);
  const zone = memory.timetable(entry)?.zone;
  if (zone === undefined || (skipped === undefined && repeated === undefined)) return;
  const facts: string[] = [];
  if (skipped !== undefined) {
    facts.push(
      `on ${skipped.at.slice(0, 10)} the clocks skip ${skipped.walls.join(', ')}, and it starts ${skipped.merged > 1 ? 'once, ' : ''}at ${skipped.at.slice(11, 16)}${skipped.merged > 1 ? '' : ' instead'}`,
    );
  }
  if (repeated !== undefined) {
    facts.push(
      `on ${repeated.at.slice(0, 10)} ${repeated.walls.join(', ')} ${repeated.walls.length > 1 ? 'come' : 'comes'} twice, and it starts the first time only`,
    );
  }
  if (skipped !== undefined && skipped.merged > 1) {
    report(
      'merged-starts',
      scheduleSpan,
      `in ${zone.zone} ${skipped.merged} starts become one: ${facts.join('; ')}`,
      'if that is fine, say so by `# kuber-cron: allow=merged-starts`; else choose other times, or a zone without clock changes by `CRON_TZ=UTC`',
    );
    return;
  }
  report(
    'dst-transition',
    scheduleSpan,
    `in ${zone.zone} ${facts.join('; ')}`,
    'if that is fine, say so by `# kuber-cron: allow=dst-transition`; else choose another time',
  );
}

const EVERY_DAY_OF_MONTH = 0xffff_fffe | 0;
const EVERY_DAY_OF_WEEK = 0x7f;

function lintDays(schedule: Schedule, span: Span, report: Report): void {
  const { bothDaysMustMatch } = schedule;
  const [, , dayOfMonth = '', , dayOfWeek = ''] = schedule.text.split(' ');
  if (dayOfMonth === '*' || dayOfWeek === '*') return;
  const isEveryDayOfMonth = schedule.dayOfMonth === EVERY_DAY_OF_MONTH;
  const isEveryDayOfWeek = schedule.dayOfWeek === EVERY_DAY_OF_WEEK;
  if (bothDaysMustMatch) {
    // Where one side is every day the other decides alone, as everybody expects.
    if (isEveryDayOfMonth || isEveryDayOfWeek) return;
    report(
      'both-day-fields',
      span,
      `a day field that begins with \`*\` makes cron want both: day of month \`${dayOfMonth}\` and day of week \`${dayOfWeek}\``,
      'if that is meant, say so by `# kuber-cron: allow=both-day-fields`',
    );
    return;
  }
  const everyDay = isEveryDayOfMonth ? dayOfMonth : isEveryDayOfWeek ? dayOfWeek : undefined;
  report(
    'both-day-fields',
    span,
    `with both day fields set cron runs on either: day of month \`${dayOfMonth}\` or day of week \`${dayOfWeek}\`${everyDay === undefined ? '' : `, and \`${everyDay}\` is every day`}`,
    everyDay === undefined
      ? 'for both, let the command test the date; if either is meant, say so by `# kuber-cron: allow=both-day-fields`'
      : `write \`*\` in place of \`${everyDay}\``,
  );
}

/** What two starts are apart at least, told from the fields alone. Milliseconds. */
function leastGap({ minuteLow, minuteHigh, hour }: Schedule): number {
  const isOne = (bits: number) => (bits & (bits - 1)) === 0;
  const isOneMinute = minuteLow === 0 ? isOne(minuteHigh) : minuteHigh === 0 && isOne(minuteLow);
  if (!isOneMinute) return 60_000;
  return isOne(hour) ? 86_400_000 : 3_600_000;
}

/** Finds a timeout that swallows the next run. */
export function lintTimeout(entry: Entry, memory: LintMemory, report: Report): void {
  const { timeout } = entry.options;
  if (timeout === undefined || entry.options['concurrency-policy'] === 'allow') return;
  if (entry.schedule === undefined || timeout <= leastGap(entry.schedule)) return;
  const gap = memory.shortestGap(entry);
  if (timeout <= gap) return;
  const own = entry.directives.find((directive) => directive.key === 'timeout');
  report(
    'timeout-exceeds-gap',
    own?.span ?? entry.scheduleSpan,
    `a run may take ${durationText(timeout)}, but the next is due after ${durationText(gap)}: while it runs, that one is skipped`,
    'shorten the timeout, run less often, or say what shall happen by `concurrency-policy=…`',
  );
}
