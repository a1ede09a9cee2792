import type { Mutants } from './mutant.ts';

const DUE = 'test/core/schedule/due.test.ts';
const CALENDAR = 'test/core/schedule/calendar.test.ts';
const FIELDS = 'test/core/crontab/fields.test.ts';
const PLAN = 'test/core/plan/plan.test.ts';
const DIRECTIVES = 'test/core/crontab/directives.test.ts';
const CHECK = 'test/cli/check.test.ts';

/** What a crontab means, and when its jobs are due. */
export const SCHEDULE: Mutants = {
  'star-rule': {
    promise: 'when either day field begins with `*`, both must match',
    file: 'shared/core/schedule/schedule.ts',
    find: 'dayOfMonth.isStar || dayOfWeek.isStar',
    replace: 'dayOfMonth.isStar && dayOfWeek.isStar',
    test: DUE,
  },
  'star-with-step': {
    promise: 'a field `*/n` begins with `*` like any other that does',
    file: 'shared/core/schedule/field.ts',
    find: "const isStar = text.startsWith('*');",
    replace: "const isStar = text === '*';",
    test: DUE,
  },
  'range-end': {
    promise: 'the last value of a range belongs to it',
    file: 'shared/core/schedule/field.ts',
    find: 'value <= to; value += step',
    replace: 'value < to; value += step',
    test: FIELDS,
  },
  'sunday-is-seven': {
    promise: 'day of week 7 is Sunday, as 0 is',
    file: 'shared/core/schedule/field.ts',
    find: '&& value === 7 ? 0 : value',
    replace: '&& value === 8 ? 0 : value',
    test: FIELDS,
  },
  'field-bounds': {
    promise: 'a value above the largest of its field is refused',
    file: 'shared/core/schedule/field.ts',
    find: 'if (value < min || value > max) {',
    replace: 'if (value < min) {',
    test: FIELDS,
  },
  'due-at-the-minute': {
    promise: 'what is due at a minute is due at its first millisecond',
    file: 'shared/core/schedule/due-queue.ts',
    find: 'first.instant > now',
    replace: 'first.instant >= now',
    test: 'test/core/schedule/due-queue.test.ts',
  },
  'real-time-class': {
    promise: 'an entry whose minute begins with `*` follows real time over changes of the clocks',
    file: 'shared/core/schedule/schedule.ts',
    find: 'minute.isStar || hour.isStar',
    replace: 'hour.isStar',
    test: DUE,
  },
  'spring-gap': {
    promise: 'a fixed time in the gap of spring runs right after it',
    file: 'shared/core/schedule/due.ts',
    find: 'skipped > 0 && skipped < CLOCK_CHANGE_LIMIT ? skipped : 0',
    replace: '0',
    test: DUE,
  },
  'autumn-overlap': {
    promise: 'a fixed time in the repeated hour of autumn runs at its first pass only',
    file: 'shared/core/schedule/due.ts',
    find: 'schedule.followsRealTime ? start : start + repeatedAtStart(zone, segment)',
    replace: 'start',
    test: DUE,
  },
  'leap-day': {
    promise: '29 February comes in leap years',
    file: 'shared/core/schedule/calendar.ts',
    find: '(year % 100 !== 0 || year % 400 === 0) ? 29 : 28',
    replace: 'year % 8 === 0 ? 29 : 28',
    test: CALENDAR,
  },
  'last-day-of-a-month': {
    promise: 'the 31st comes in months that have one, and in no other',
    file: 'shared/core/schedule/calendar.ts',
    find: 'month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31',
    replace: '31',
    test: CALENDAR,
  },
  'directive-marker': {
    promise: 'no comment has a meaning but one that begins with `# kuber-cron:`',
    file: 'shared/core/crontab/directives.ts',
    find: 'const MARKER = /^#[ \\t]*kuber-cron:',
    replace: 'const MARKER = /^#[ \\t]*kuber-?cron:',
    test: DIRECTIVES,
  },
  'directive-binding': {
    promise: 'a directive is for the next entry, and slides on to no other',
    file: 'shared/core/crontab/parse.ts',
    find: 'if (this.#pending.length > 0) this.#pending = [];',
    replace: '',
    test: DIRECTIVES,
  },
  'defaults-name-nothing': {
    promise: '`defaults` cannot give one name to many jobs',
    file: 'shared/core/crontab/directives.ts',
    find: 'if (isDefaults && spec.ofOneJob === true) {',
    replace: 'if (false) {',
    test: DIRECTIVES,
  },
  'unknown-key': {
    promise: 'a key that there is not is an error',
    file: 'shared/core/diagnostic.ts',
    find: "'unknown-key': { severity: 'error'",
    replace: "'unknown-key': { severity: 'warning'",
    test: 'test/core/crontab/golden.test.ts',
  },
  'names-apart': {
    promise: 'two unnamed entries that share a command have two names',
    file: 'shared/core/crontab/names.ts',
    find: '(byCommand.get(commandOf(entry)) as number) > 1',
    replace: 'false',
    test: 'test/core/crontab/names.test.ts',
  },
  'percent-is-newline': {
    promise: '`%` in the input of a command is a newline',
    file: 'shared/core/crontab/command.ts',
    find: "found === '%' ? '\\n' : '%'",
    replace: "found === '%' ? ' ' : '%'",
    test: 'test/core/crontab/command.test.ts',
  },
  'no-plan-with-errors': {
    promise: 'a crontab with an error has no plan',
    file: 'shared/core/plan/plan.ts',
    find: 'if (checked.diagnostics.hasErrors) throw',
    replace: 'if (false) throw',
    test: PLAN,
  },
  'zones-in-the-plan-hash': {
    promise: 'the clock changes of zones are part of the hash of a plan',
    file: 'shared/core/plan/plan.ts',
    find: 'sha256Hex(canonicalJson(plan))',
    replace: 'sha256Hex(canonicalJson({ ...plan, zones: {} }))',
    test: PLAN,
  },
  'check-fails-on-errors': {
    promise: '`check` exits with 1 when there are errors',
    file: 'cli/check.ts',
    find: 'sum.errors > 0 || ',
    replace: '',
    test: CHECK,
  },
  'check-strict': {
    promise: '`check --strict` exits with 1 when there are warnings',
    file: 'cli/check.ts',
    find: "isSet(invocation, 'strict') && sum.warnings > 0",
    replace: 'false',
    test: CHECK,
  },
};
