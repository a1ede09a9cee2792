import { existsSync } from 'node:fs';
import {
  type Command,
  CommandError,
  EXIT,
  type Invocation,
  type Io,
  OPTION,
  text,
  UsageError,
} from '../shared/adapters/command-line.ts';
import { machineZone } from '../shared/adapters/host.ts';
import { type CheckedCrontab, checkCrontab } from '../shared/core/crontab/check.ts';
import type { Entry } from '../shared/core/crontab/entry.ts';
import type { JobOptions, OptionKey } from '../shared/core/crontab/options.ts';
import { durationText } from '../shared/core/crontab/values.ts';
import type { Diagnostic, DiagnosticCode } from '../shared/core/diagnostic.ts';
import { type PlannedJob, planCrontab, type SchedulePlan, timetableOf } from '../shared/core/plan/plan.ts';
import { jobIdOf, jobNameOf } from '../shared/core/run/run-id.ts';
import { clockChangeEffects } from '../shared/core/schedule/clock-changes.ts';
import { nextDue } from '../shared/core/schedule/due.ts';
import { clockRuleWords, dayRuleWords, scheduleWords } from '../shared/core/schedule/words.ts';
import { zonedText } from '../shared/core/schedule/zone-table.ts';
import { pickJob } from './find-job.ts';
import { Progress } from './progress.ts';
import { loadCrontabs, now, writeDiagnostics, zoneOption } from './sources.ts';
import { colours, diagnosticPaint, spanText } from './style.ts';
import { type OnAws, onAws, TARGET_OPTION, watchdogText } from './target.ts';

const NEXT_RUNS = 5;
const TWO_YEARS_MS = 2 * 366 * 86_400_000;

export const explainCommand: Command = {
  name: 'explain',
  summary: 'Say in words when an entry runs, and what it runs',
  examples: [
    ["kuber-cron explain '30 2 * * 1-5'", 'an expression'],
    ["kuber-cron explain --zone Europe/Berlin '0 2 13 * 5'", 'its day rule and its clock changes'],
    ['kuber-cron explain crontab/production', 'every entry of a crontab'],
    ['kuber-cron explain crontab/production nightly-backup', 'one job'],
    ['kuber-cron explain --target aws crontab/production', 'with its schedules on AWS'],
  ],
  operands: 'EXPRESSION | FILE [JOB]',
  options: {
    target: TARGET_OPTION,
    zone: OPTION.zone,
    system: OPTION.system,
    format: OPTION.format(['text', 'json']),
  },
  notes:
    'Exit code: 0 fine, 1 the crontab or the expression has errors, 2 wrong usage, 3 a file cannot be read.',

  async run(invocation, io) {
    const [first, job, ...rest] = invocation.operands;
    if (first === undefined)
      throw new UsageError('`explain` wants an expression in quotes, or a crontab and perhaps a job');
    const isFile = first === '-' || existsSync(first);
    if (isFile && rest.length > 0)
      throw new UsageError('`explain` takes one crontab and one job; an expression stands in quotes');
    const progress = new Progress(io);
    const { jobs, hasErrors } = isFile
      ? await ofCrontab(first, job, invocation, io, progress)
      : ofExpression(invocation, io);
    if (text(invocation, 'format') === 'json') io.stdout.write(`${JSON.stringify({ jobs }, null, 2)}\n`);
    else if (jobs.length > 0) io.stdout.write(jobs.map((one) => render(one, io)).join('\n'));
    else if (!hasErrors) io.stdout.write('no jobs\n');
    return hasErrors ? EXIT.problems : EXIT.fine;
  },
};

interface Answer {
  readonly jobs: readonly Explained[];
  readonly hasErrors: boolean;
}

/** What the explanation itself says. */
const TOLD: ReadonlySet<DiagnosticCode> = new Set(['dst-transition', 'merged-starts', 'both-day-fields']);

function isWorthTelling({ severity, code }: Diagnostic): boolean {
  return severity !== 'note' && !TOLD.has(code);
}

async function ofCrontab(
  path: string,
  wanted: string | undefined,
  invocation: Invocation,
  io: Io,
  progress: Progress,
): Promise<Answer> {
  const { crontabs, hasErrors } = await loadCrontabs(invocation, io, {
    command: 'explain',
    operands: [path],
    progress,
    isTold: (one, checked) =>
      isWorthTelling(one) &&
      (one.severity === 'error' || wanted === undefined || concerns(one, wanted, checked)),
  });
  // In the order of the file, as a reader has it before them.
  const all = crontabs.flatMap(({ plan, checked }) => {
    const byName = new Map(plan.jobs.map((job) => [job.name, job]));
    return checked.crontab.entries.map((entry, index) => ({
      plan,
      entry,
      job: byName.get(checked.names[index] as string) as PlannedJob,
    }));
  });
  const idOf = ({ plan, job }: (typeof all)[number]) => jobIdOf(plan.crontab, job.name);
  // A job that is wanted may be in the crontab that has errors; those are told already.
  const jobId =
    wanted === undefined || (hasErrors && all.length === 0) ? undefined : pickJob(all.map(idOf), wanted);
  const chosen = jobId === undefined ? all : all.filter((one) => idOf(one) === jobId);
  const jobs: Explained[] = [];
  for (const [index, { plan, entry, job }] of chosen.entries()) {
    progress.show(`explaining ${index + 1} of ${chosen.length} …`);
    jobs.push({
      crontab: plan.crontab,
      job: job.name,
      ...explain(plan, job, now(io)),
      ...onTarget(plan, job, entry, invocation, io),
      ...input(job),
    });
  }
  progress.clear();
  return { jobs, hasErrors };
}

/** What becomes of a job on the target that was asked for. */
function onTarget(
  plan: SchedulePlan,
  job: PlannedJob,
  entry: Entry,
  invocation: Invocation,
  io: Io,
): { readonly aws?: OnAws } {
  if (text(invocation, 'target') === undefined) return {};
  const zone = entry.zone ?? zoneOption(invocation);
  return { aws: onAws(timetableOf(plan, job), { ...entry, zone }, now(io)) };
}

/** Whether a finding is about the entry of a job. */
function concerns({ span }: Diagnostic, wanted: string, { crontab, names }: CheckedCrontab): boolean {
  const name = jobNameOf(wanted);
  return crontab.entries.some(
    (entry, index) => names[index] === name && span.start <= entry.span.end && span.end >= entry.span.start,
  );
}

/** Stands for the command where only the time fields are given. */
const ANY_COMMAND = ' true';
/** Gives `H` a name to spread by. */
const EXAMPLE_NAME = '# kuber-cron: name=example\n';

function ofExpression(invocation: Invocation, io: Io): Answer {
  const { operands } = invocation;
  // Unquoted fields arrive as several operands.
  const expression = operands.join(' ').trim();
  const words = expression.split(/[ \t]+/);
  const fields = expression.startsWith('@') ? 1 : 5;
  if (words.length < fields) {
    const count = `an expression has five fields (minute hour day-of-month month day-of-week), got ${expression === '' ? 0 : words.length}`;
    if (/^(?:[\d*]|H(?:[/(,-]|$)|$)/.test(words[0] as string))
      throw new UsageError(`${count}: \`${expression}\``);
    throw new CommandError(`cannot read \`${operands[0]}\`: there is no such file, and ${count}`);
  }
  const isWhole = words.length > fields;
  const isSpread = words.slice(0, fields).some((word) => word.includes('H'));
  const head = isSpread ? EXAMPLE_NAME : '';
  const zone = zoneOption(invocation) ?? machineZone();
  const checked = checkCrontab(`${head}${expression}${isWhole ? '' : ANY_COMMAND}\n`, { now: now(io), zone });
  const shift = ({ start, end }: Diagnostic['span']) => ({
    start: start - head.length,
    end: end - head.length,
  });
  writeDiagnostics(
    io.stderr,
    'expression',
    expression,
    checked.diagnostics.list
      .filter(isWorthTelling)
      .map(({ related: _, ...one }) => ({ ...one, span: shift(one.span) })),
    diagnosticPaint(io.stderr, io.env),
  );
  if (checked.diagnostics.hasErrors) return { jobs: [], hasErrors: true };
  if (checked.names.length !== 1)
    throw new UsageError(`\`${expression}\` is a setting, a comment or several lines, and no expression`);
  const plan = planCrontab(checked, { crontab: 'expression', zone });
  const jobs = plan.jobs.map((job) => ({
    ...explain(plan, job, now(io)),
    ...onTarget(plan, job, withTimeout(checked.crontab.entries[0] as Entry, isWhole), invocation, io),
    ...(isWhole ? input(job) : {}),
    ...(isSpread
      ? { spread: '`H` is chosen by the name of the job; this is for one that is called `example`' }
      : {}),
  }));
  return { jobs, hasErrors: false };
}

/** An entry whose time fields alone are asked about has no limit to miss. */
function withTimeout(entry: Entry, isWhole: boolean): Entry {
  return isWhole ? entry : { ...entry, options: { ...entry.options, timeout: 0 } };
}

/** Documented in docs/cli.md. */
interface Explained {
  readonly crontab?: string;
  readonly job?: string;
  readonly schedule: string;
  readonly words: string;
  readonly spread?: string;
  readonly zone?: string;
  readonly dayRule?: string;
  readonly clockRule?: string;
  readonly next: readonly string[];
  readonly clockChanges: readonly string[];
  readonly options: readonly string[];
  readonly aws?: OnAws;
  readonly command?: string;
  readonly stdin?: string;
}

function explain(plan: SchedulePlan, job: PlannedJob, now: number): Explained {
  const timetable = timetableOf(plan, job);
  const about = {
    schedule: job.written,
    options: Object.entries(job.options).map(([key, value]) => optionText(key, value)),
  };
  if (timetable === undefined) {
    return {
      ...about,
      words: 'once at the first start of the daemon after a boot (`--reboot-on start`: at every start)',
      next: [],
      clockChanges: [],
    };
  }
  const { schedule, zone } = timetable;
  const { skipped, repeated } = clockChangeEffects(timetable, now, now + TWO_YEARS_MS);
  const clockChanges: string[] = [];
  if (skipped !== undefined)
    clockChanges.push(
      `${skipped.at}: ${skipped.walls.join(', ')} does not exist; it starts once at that minute`,
    );
  if (repeated !== undefined)
    clockChanges.push(
      `${repeated.at}: ${repeated.walls.join(', ')} comes twice; it starts the first time only`,
    );
  const next: string[] = [];
  let last = now;
  for (let count = 0; count < NEXT_RUNS; count++) {
    const due = nextDue(timetable, last);
    if (due === undefined) break;
    next.push(zonedText(zone, due));
    last = due;
  }
  return {
    ...about,
    words: scheduleWords(schedule),
    zone: zone.zone,
    dayRule: dayRuleWords(schedule),
    ...(zone.changes.length > 0 ? { clockRule: clockRuleWords(schedule) } : {}),
    next,
    clockChanges: clockChanges.sort(),
  };
}

function input({ command, stdin }: PlannedJob): { command: string; stdin?: string } {
  return stdin === undefined ? { command } : { command, stdin };
}

const DURATIONS: ReadonlySet<string> = new Set<OptionKey>([
  'timeout',
  'starting-deadline',
  'late-after',
  'slow-after',
  'cpu-time',
]);

/** As a directive line has it. */
function optionText(key: string, value: unknown): string {
  const plain = valueText(key, value);
  return /[\s"]/.test(plain)
    ? `${key}="${plain.replaceAll('"', '\\"')}"`
    : value === true
      ? key
      : `${key}=${plain}`;
}

function valueText(key: string, value: unknown): string {
  if (DURATIONS.has(key)) return durationText(value as number);
  if (key === 'memory') return `${Math.ceil((value as number) / 2 ** 20)}Mi`;
  if (Array.isArray(value)) return value.join(',');
  if (key === 'backoff') {
    const { minMs, maxMs } = value as NonNullable<JobOptions['backoff']>;
    return `${durationText(minMs)}..${durationText(maxMs)}`;
  }
  return String(value);
}

function render(one: Explained, io: Io): string {
  const paint = colours(io.stdout, io.env);
  const { crontab, job, schedule } = one;
  const head =
    crontab === undefined || job === undefined ? schedule : `${jobIdOf(crontab, job)}   ${schedule}`;
  const lines = [paint('bold', head)];
  const fact = (name: string, ...values: readonly (string | undefined)[]) => {
    for (const [index, value] of values.entries())
      if (value !== undefined && value !== '')
        lines.push(`  ${paint('dim', (index === 0 ? name : '').padEnd(8))} ${value}`);
  };
  fact('runs', one.words, one.spread);
  fact('zone', one.zone);
  fact('days', one.dayRule);
  fact('clocks', one.clockRule);
  fact('command', one.command);
  fact('stdin', one.stdin === undefined ? undefined : JSON.stringify(one.stdin));
  fact('options', one.options.join(' '));
  fact('next', ...one.next.map((at) => `${at}   in ${spanText(Date.parse(at) - now(io))}`));
  if (one.zone !== undefined && one.next.length === 0) fact('next', 'never before 2046');
  fact('change', ...one.clockChanges);
  if (one.aws !== undefined) fact('aws', ...awsLines(one.aws));
  return `${lines.join('\n')}\n`;
}

function awsLines(aws: OnAws): string[] {
  if (aws.leftOut) return ['left out by its `targets`'];
  const lines = aws.schedules.map(({ expression, timeZone }) => `${expression} in ${timeZone}`);
  const { droppedDeliveries: dropped } = aws;
  if (dropped > 0)
    lines.push(
      `${dropped} ${dropped === 1 ? 'delivery' : 'deliveries'} of the next year ${dropped === 1 ? 'is' : 'are'} dropped: no run is due`,
    );
  if (aws.watchdogStarts.length > 0)
    lines.push(`in a change of the clocks the watchdog starts ${watchdogText(aws)}`);
  return [...lines, ...aws.obstacles.map(({ message, help }) => `${message}; ${help}`)];
}
