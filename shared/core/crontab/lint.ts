import type { DiagnosticCode, DiagnosticSink } from '../diagnostic.ts';
import { clockChangeEffects } from '../schedule/clock-changes.ts';
import { nextDue, type Timetable } from '../schedule/due.ts';
import { canFire, type Schedule } from '../schedule/schedule.ts';
import { zoneTable } from '../schedule/zone-data.ts';
import type { EpochMs, ZoneTable } from '../schedule/zone-table.ts';
import type { Span } from '../source.ts';
import { firstUnescapedPercent } from './command.ts';
import type { Crontab, Entry, EnvironmentSetting } from './entry.ts';
import { shellSkeleton } from './shell.ts';
import { durationText } from './values.ts';

/** What the lint needs to know beside the text. */
export interface LintContext {
  /** Zone of entries without `CRON_TZ`; without it their clock changes are not looked at. */
  readonly zone?: string | undefined;
  /** Clock changes are looked for in the two years after this. */
  readonly now: EpochMs;
}

/** Jobs at one minute of a day from which the machine, not the schedule, decides when they start. */
const CROWD = 30;

/** Finds what is legal but most likely not meant. */
export function lintCrontab(crontab: Crontab, context: LintContext, sink: DiagnosticSink): void {
  for (const setting of crontab.settings) lintSetting(setting, sink);
  const memory = new LintMemory(context);
  for (const entry of crontab.entries) {
    const report = (code: DiagnosticCode, span: Span, message: string, help: string) =>
      sink.add({ code, span, message, help }, entry.allowed);
    lintSchedule(entry, memory, report);
    lintCommand(entry, report);
    lintTimeout(entry, memory, report);
  }
  lintCrowd(crontab, sink);
  lintNames(crontab, sink);
}

type Report = (code: DiagnosticCode, span: Span, message: string, help: string) => void;

// Environment settings

/** Names of files to read first: the shells expand their values themselves. `MAILTO` has a finding of its own. */
const EXPANDED_BY_SHELLS = new Set(['BASH_ENV', 'ENV', 'MAILTO']);

const CREDENTIAL_NAME =
  /(?:PASSWORD|PASSWD|PASSPHRASE|(?:^|_|DB|SSH)PASS|(?:^|_)(?:PWD|SECRET|TOKEN|CREDENTIALS?|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|SECRET_?KEY))(?:_ID)?$/i;
/** Values of variables that say whether there is a credential, or where. */
const NO_CREDENTIAL = /^(?:|\/.*|true|false|yes|no|on|off|[01])$/i;
/** `scheme://user:password@host` */
const URL_WITH_PASSWORD = /^[a-z][a-z0-9+.-]*:\/\/[^/\s:@]*:[^/\s@]+@/i;

function lintSetting(setting: EnvironmentSetting, sink: DiagnosticSink): void {
  const { name, value, valueSpan, span, allowed } = setting;
  const nameSpan = { start: span.start, end: span.start + name.length };
  const isCredentialName = CREDENTIAL_NAME.test(name) && !['PWD', 'OLDPWD'].includes(name);
  if ((isCredentialName && !NO_CREDENTIAL.test(value)) || URL_WITH_PASSWORD.test(value)) {
    sink.add(
      {
        code: 'credential-in-setting',
        span: nameSpan,
        message: `\`${name}\` looks like a credential, and a crontab in git is no place for one`,
        help: `remove the line, write \`# kuber-cron: secrets=${name}\` above the entries that need it, and set it where they run`,
      },
      allowed,
    );
  }
  if (name === 'MAILTO' && value !== '') {
    sink.add(
      {
        code: 'mailto-ignored',
        span: nameSpan,
        message: 'no mail is sent: output is kept with each run instead',
        help: 'read it with `kuber-cron logs`; write `MAILTO=""` to say so to other crons too',
      },
      allowed,
    );
  }
  const trap = /\$[A-Za-z_{(]|`(?=[^`]+`)|(?:^|:)~(?=\/|:|$)/.exec(value);
  if (trap !== null && !EXPANDED_BY_SHELLS.has(name)) {
    sink.add(
      {
        code: 'unexpanded-setting',
        span: valueSpan,
        message: `no shell reads a setting: ${trap[0].includes('~') ? '`~`' : trap[0].startsWith('$') ? '`$`' : 'a backquote'} in \`${name}\` stays as it is written`,
        help: 'write the full value, or set the variable in the command',
      },
      allowed,
    );
  }
  if (
    /(?:^|[ \t])[\d*][\d*,/-]*[ \t]+[\d*][\d*,/-]*[ \t]+[\d*]\S*[ \t]+[\d*A-Za-z]\S*[ \t]+[\d*A-Za-z]\S*[ \t]+\S/.test(
      value,
    )
  ) {
    sink.add(
      {
        code: 'setting-hides-entry',
        span: valueSpan,
        message: `the whole line is the value of \`${name}\`: what looks like an entry in it never runs`,
        help: 'put the entry on a line of its own',
      },
      allowed,
    );
  }
}

// Schedules

/** Answers that entries with one schedule share. */
class LintMemory {
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

function remember<T>(memory: Map<string, T>, key: string, make: () => T): T {
  let value = memory.get(key);
  if (value === undefined) {
    value = make();
    memory.set(key, value);
  }
  return value;
}

function lintSchedule(entry: Entry, memory: LintMemory, report: Report): void {
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

function lintTimeout(entry: Entry, memory: LintMemory, report: Report): void {
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

// Commands

/** Users of system crontabs that are no programs. */
const USER_NAMES = new Set([
  'root',
  'www-data',
  'nobody',
  'operator',
  'ubuntu',
  'ec2-user',
  'apache',
  'http',
]);
const FIELD_LIKE =
  /^(?:\?|\*|\d+(?:[-,/]\d+)*|\d+-\d+\/\d+|(?:mon|tue|wed|thu|fri|sat|sun)(?:[-,](?:mon|tue|wed|thu|fri|sat|sun))*)$/i;

function lintCommand(entry: Entry, report: Report): void {
  const { commandText, commandSpan } = entry;
  const at = (start: number, end: number) => ({
    start: commandSpan.start + start,
    end: commandSpan.start + end,
  });
  const [firstWord = '', secondWord] = commandText.split(/[ \t]+/, 2);
  if (FIELD_LIKE.test(entry.user ?? firstWord) && (secondWord !== undefined || entry.user !== undefined)) {
    report(
      'sixth-field',
      entry.userSpan ?? at(0, firstWord.length),
      `\`${entry.user ?? firstWord}\` stands after five time fields, so it is the ${entry.user === undefined ? 'program that runs' : 'user'}`,
      'a crontab has no seconds and no years: remove the extra field',
    );
  } else if (entry.user === undefined && USER_NAMES.has(firstWord) && secondWord !== undefined) {
    report(
      'user-column',
      at(0, firstWord.length),
      `\`${firstWord}\` is run as a program: only system crontabs such as /etc/crontab have a user column`,
      'remove the user, or read the file with `--system`',
    );
  }

  const marker = commandText.includes('kuber-cron:') ? /#[ \t]*kuber-cron:/.exec(commandText) : null;
  if (marker !== null) {
    report(
      'near-miss-directive',
      at(marker.index, marker.index + marker[0].length),
      'a directive line is a line of its own: behind a command it is part of the command',
      'put it on the line above the entry',
    );
  }

  const backslashes = commandText.indexOf('\\\\');
  const percent = firstUnescapedPercent(commandText);
  if (percent !== -1) {
    report(
      'unescaped-percent',
      at(percent, percent + 1),
      'an unescaped `%` ends the command; what follows is its standard input',
      'write `\\%` for a percent sign, also inside quotes; if input is meant, say so by `# kuber-cron: allow=unescaped-percent`',
    );
  }
  if (backslashes !== -1 && (percent === -1 || backslashes < percent)) {
    report(
      'double-backslash',
      at(backslashes, backslashes + 2),
      "Debian's cron, and kuber-cron, make one backslash of two; cronie leaves both",
      'put the command into a script, so that every cron means the same',
    );
  }
  lintShell(entry, percent, report);
}

/** Every command that a rule below may object to has one of these; most have none. */
const WORTH_A_LOOK = /['"`\\]|2>&1[ \t]+1?>|\[\[|&>|<\(|source/;

/** @param percent offset of the `%` that ends the command, or -1 */
function lintShell(entry: Entry, percent: number, report: Report): void {
  const { commandText, commandSpan, environment } = entry;
  if (!WORTH_A_LOOK.test(commandText)) return;
  const shell = environment.get('SHELL') ?? '/bin/sh';
  if (!/(?:^|\/)(?:ba|da|a|k|z|mk|ya)?sh$/.test(shell)) return;
  if (/(?<!\\)(?:\\\\)*\\$/.test(commandText)) {
    report(
      'trailing-backslash',
      { start: commandSpan.end - 1, end: commandSpan.end },
      'a crontab line is not continued by a backslash: the next line is an entry of its own',
      'write the command on one line, or put it into a script',
    );
    return;
  }
  const hasInput = percent !== -1;
  const command = hasInput ? commandText.slice(0, percent) : commandText;
  const skeleton = shellSkeleton(command);
  const span = (start: number, end: number) => ({
    start: commandSpan.start + start,
    end: commandSpan.start + end,
  });
  if (skeleton.openQuote !== undefined) {
    // A `%` inside quotes cuts them in two, and is reported itself.
    if (!hasInput) {
      report(
        'unbalanced-quote',
        span(skeleton.openQuote, skeleton.openQuote + 1),
        `this ${command[skeleton.openQuote] === '`' ? 'backquote' : 'quote'} is not closed: the shell refuses the command`,
        'close it, or write `\\` before it if it is meant literally',
      );
    }
    return;
  }
  const redirect = /\b2>&1[ \t]+(?:1?>>?)(?![&>(])[ \t]*[^\s;&|<>()]+(?![^;&]*\|)/.exec(skeleton.text);
  if (redirect !== null) {
    report(
      'redirect-order',
      span(redirect.index, redirect.index + redirect[0].length),
      '`2>&1` copies where standard output goes at that moment, so errors do not go to the file',
      'write `>file 2>&1`',
    );
  }
  if (!/(?:^|\/)(?:da|a)?sh$/.test(shell)) return;
  for (const { pattern, what } of BASH_ONLY) {
    const found = pattern.exec(skeleton.text);
    if (found === null) continue;
    const start = found.index + (found[1]?.length ?? 0);
    report(
      'bash-syntax',
      span(start, found.index + found[0].length),
      `${what} is bash, but the command runs under \`${shell}\``,
      'write `SHELL=/bin/bash` above the entry, or use what POSIX has',
    );
    return;
  }
}

/** What stands before a finding is the first group. */
const BASH_ONLY = [
  { pattern: /((?:^|[;&|(]|\b(?:if|while|until|then|do|else|!)\s)\s*)\[\[(?=\s)/, what: '`[[`' },
  { pattern: /((?:^|[;&|(]|\b(?:then|do|else)\s)\s*)source(?=\s)/, what: '`source`' },
  { pattern: /(?<![<>\d])&>>?/, what: '`&>`' },
  { pattern: /<\(/, what: '`<(…)`' },
] as const;

// The file

function lintCrowd({ entries, allowedInFile }: Crontab, sink: DiagnosticSink): void {
  if (allowedInFile.has('crowded-minute')) return;
  // Jobs meet when they share a minute and their days are the same, or one of them runs every day.
  const bySchedule = new Map<NonNullable<Entry['schedule']>, number>();
  for (const { schedule } of entries) {
    if (schedule !== undefined) bySchedule.set(schedule, (bySchedule.get(schedule) ?? 0) + 1);
  }
  const perDays = new Map<string, Uint32Array>();
  for (const [schedule, jobs] of bySchedule) {
    const days = schedule.text.split(' ').slice(2).join(' ');
    const counts = remember(perDays, days, () => new Uint32Array(1440));
    for (let hour = 0; hour < 24; hour++) {
      if ((schedule.hour & (1 << hour)) === 0) continue;
      for (let minute = 0; minute < 60; minute++) {
        const bits = minute < 32 ? schedule.minuteLow : schedule.minuteHigh;
        const time = hour * 60 + minute;
        if ((bits & (1 << (minute & 31))) !== 0) counts[time] = (counts[time] as number) + jobs;
      }
    }
  }
  const everyDay = perDays.get('* * *') ?? new Uint32Array(1440);
  let most = 0;
  let when = 0;
  for (const [days, counts] of perDays) {
    for (let time = 0; time < 1440; time++) {
      const jobs = (counts[time] as number) + (days === '* * *' ? 0 : (everyDay[time] as number));
      if (jobs > most) {
        most = jobs;
        when = time;
      }
    }
  }
  const first = entries.find((entry) => entry.schedule !== undefined);
  if (most < CROWD || first === undefined) return;
  const two = (value: number) => String(value).padStart(2, '0');
  sink.add({
    code: 'crowded-minute',
    span: first.scheduleSpan,
    message: `${most} jobs start at ${two(Math.floor(when / 60))}:${two(when % 60)}: they wait for each other, and for the machine`,
    help: 'spread named jobs by `H` in the minute field (`H 3 * * *`), or say `# kuber-cron: defaults allow=crowded-minute`',
  });
}

function lintNames({ entries, allowedInFile }: Crontab, sink: DiagnosticSink): void {
  const unnamed = entries.filter(({ options }) => options.name === undefined);
  const first = unnamed[0];
  if (first === undefined || allowedInFile.has('unnamed-jobs')) return;
  sink.add({
    code: 'unnamed-jobs',
    span: first.scheduleSpan,
    message: `${unnamed.length} of ${entries.length} jobs ${unnamed.length === 1 ? 'has' : 'have'} no name: a job without one loses its history when its command changes`,
    help: 'write `# kuber-cron: name=…` above each; `check --fix` does it',
  });
}
