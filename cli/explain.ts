import { existsSync } from 'node:fs';
import { type Command, EXIT, type Io, OPTION, text, UsageError } from '../shared/adapters/command-line.ts';
import { isFolder } from '../shared/adapters/crontab-files.ts';
import { machineZone } from '../shared/adapters/host.ts';
import { checkCrontab } from '../shared/core/crontab/check.ts';
import type { JobOptions, OptionKey } from '../shared/core/crontab/options.ts';
import { durationText } from '../shared/core/crontab/values.ts';
import { DiagnosticRenderer } from '../shared/core/diagnostic-text.ts';
import { type PlannedJob, planCrontab, type SchedulePlan, timetableOf } from '../shared/core/plan/plan.ts';
import { clockChangeEffects } from '../shared/core/schedule/clock-changes.ts';
import { nextDue } from '../shared/core/schedule/due.ts';
import { clockRuleWords, dayRuleWords, scheduleWords } from '../shared/core/schedule/words.ts';
import { zonedText } from '../shared/core/schedule/zone-table.ts';
import { checkSource, readSources, zoneOption } from './sources.ts';
import { colours, diagnosticPaint, spanText } from './style.ts';

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
  ],
  operands: 'EXPRESSION | FILE [JOB]',
  options: { zone: OPTION.zone, system: OPTION.system, format: OPTION.format(['text', 'json']) },
  async run(invocation, io) {
    const [first, job, ...rest] = invocation.operands;
    if (first === undefined)
      throw new UsageError('`explain` wants an expression in quotes, or a crontab and perhaps a job');
    const isFile = first === '-' || existsSync(first);
    if (!isFile && job !== undefined && rest.length < 3 && !/^[\d*@H,/-]+$/.test(first))
      throw new UsageError(`\`${first}\` is no file and no expression`);
    const now = Date.now();
    const zone = zoneOption(invocation) ?? machineZone();
    const explained: Explained[] = [];
    let hasErrors = false;
    if (isFile) {
      if (rest.length > 0)
        throw new UsageError('`explain` takes one crontab and one job; an expression stands in quotes');
      if (isFolder(first) && job !== undefined)
        throw new UsageError(`\`${first}\` is a folder; name the file that has job \`${job}\``);
      for await (const source of readSources([first], io)) {
        const checked = checkSource(source, invocation, now);
        hasErrors ||= report(source.path, checked, io);
        if (checked.diagnostics.hasErrors) continue;
        const plan = planCrontab(checked, { crontab: source.name, zone });
        for (const one of plan.jobs)
          if (job === undefined || one.name === job) explained.push(explain(plan, one, now));
      }
      if (job !== undefined && explained.length === 0 && !hasErrors)
        throw new UsageError(
          `\`${first}\` has no job \`${job}\`; \`kuber-cron check --format json\` lists their names`,
        );
    } else {
      // Unquoted fields arrive as several operands.
      const expression = invocation.operands.join(' ');
      const words = expression.trim().split(/[ \t]+/);
      const isWhole = words.length > (expression.startsWith('@') ? 1 : 5);
      const line = isWhole ? expression : `${expression} true`;
      // A name, so that `H` has something to spread by.
      const head = /^[^%]*\bH/.test(expression) ? '# kuber-cron: name=example\n' : '';
      const checked = checkCrontab(`${head}${line}\n`, { now, zone });
      hasErrors = report('expression', checked, io);
      if (!hasErrors) {
        const plan = planCrontab(checked, { crontab: 'expression', zone });
        for (const one of plan.jobs) explained.push(explain(plan, one, now, isWhole));
      }
    }
    if (text(invocation, 'format') === 'json')
      io.stdout.write(`${JSON.stringify({ jobs: explained }, null, 2)}\n`);
    else io.stdout.write(explained.map((one) => render(one, io, now)).join('\n'));
    return hasErrors ? EXIT.problems : EXIT.fine;
  },
};

interface Explained {
  readonly job: string | undefined;
  readonly schedule: string;
  readonly words: string;
  readonly zone?: string;
  readonly dayRule?: string;
  readonly clockRule?: string;
  readonly next: readonly string[];
  readonly clockChanges: readonly string[];
  readonly command?: string;
  readonly stdin?: string;
  readonly options: readonly string[];
}

function explain(plan: SchedulePlan, job: PlannedJob, now: number, hasCommand = true): Explained {
  const timetable = timetableOf(plan, job);
  const options = Object.entries(job.options).map(([key, value]) => `${key}=${optionText(key, value)}`);
  const about = {
    job: plan.crontab === 'expression' ? undefined : job.name,
    schedule: job.written,
    ...(hasCommand ? splitInput(job) : {}),
    options,
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

function splitInput({ command, stdin }: PlannedJob): { command: string; stdin?: string } {
  return stdin === undefined ? { command } : { command, stdin };
}

const DURATIONS: ReadonlySet<string> = new Set<OptionKey>([
  'timeout',
  'starting-deadline',
  'late-after',
  'slow-after',
  'cpu-time',
]);

function optionText(key: string, value: unknown): string {
  if (DURATIONS.has(key)) return durationText(value as number);
  if (key === 'memory') return `${Math.ceil((value as number) / 2 ** 20)}Mi`;
  if (Array.isArray(value)) return value.join(',');
  if (key === 'backoff') {
    const { minMs, maxMs } = value as NonNullable<JobOptions['backoff']>;
    return `${durationText(minMs)}..${durationText(maxMs)}`;
  }
  return String(value);
}

function render(one: Explained, io: Io, now: number): string {
  const paint = colours(io.stdout, io.env);
  const lines = [paint('bold', one.job === undefined ? one.schedule : `${one.job}   ${one.schedule}`)];
  const fact = (name: string, value: string | undefined) => {
    if (value !== undefined && value !== '') lines.push(`  ${paint('dim', name.padEnd(8))} ${value}`);
  };
  fact('runs', one.words);
  fact('zone', one.zone);
  fact('days', one.dayRule);
  fact('clocks', one.clockRule);
  fact('command', one.command);
  fact('stdin', one.stdin === undefined ? undefined : JSON.stringify(one.stdin));
  fact('options', one.options.join(' '));
  for (const [index, at] of one.next.entries()) {
    fact(index === 0 ? 'next' : '', `${at}   in ${spanText(Date.parse(at) - now)}`);
  }
  if (one.zone !== undefined && one.next.length === 0) fact('next', 'never before 2046');
  for (const [index, change] of one.clockChanges.entries()) fact(index === 0 ? 'change' : '', change);
  return `${lines.join('\n')}\n`;
}

/** Shows errors and warnings. @returns whether there are errors */
function report(
  path: string,
  { text: crontab, diagnostics }: ReturnType<typeof checkCrontab>,
  io: Io,
): boolean {
  const renderer = new DiagnosticRenderer(path, crontab, diagnosticPaint(io.stderr, io.env));
  for (const one of diagnostics.list) {
    // The explanation itself tells of clock changes.
    const isTold = one.code === 'dst-transition' || one.code === 'merged-starts';
    if (one.severity !== 'note' && !isTold) io.stderr.write(`${renderer.text(one)}\n\n`);
  }
  return diagnostics.hasErrors;
}
