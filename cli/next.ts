import {
  type Command,
  CommandError,
  EXIT,
  OPTION,
  text,
  UsageError,
} from '../shared/adapters/command-line.ts';
import { machineZone } from '../shared/adapters/host.ts';
import { DiagnosticRenderer } from '../shared/core/diagnostic-text.ts';
import { planCrontab, timetableOf } from '../shared/core/plan/plan.ts';
import { scheduledTimeText } from '../shared/core/run/run-id.ts';
import { nextDue, type Timetable } from '../shared/core/schedule/due.ts';
import { DueQueue } from '../shared/core/schedule/due-queue.ts';
import { type EpochMs, zonedText } from '../shared/core/schedule/zone-table.ts';
import { checkSource, readSources, zoneOption } from './sources.ts';
import { diagnosticPaint, spanText, table } from './style.ts';

const MOST_LISTED = 10_000;

export const nextCommand: Command = {
  name: 'next',
  summary: 'List the next runs of a crontab',
  examples: [
    ['kuber-cron next crontab/production', 'the next ten runs of all jobs'],
    ['kuber-cron next --count 50 --job backup FILE', 'fifty of one job'],
    ['kuber-cron next --from 2027-03-28T00:00Z FILE', 'from an instant on'],
    ['kuber-cron next --format json FILE', 'for machines'],
  ],
  operands: '[--count N] [--job NAME] FILE…|FOLDER…|-',
  options: {
    count: { type: 'string', value: 'N', help: `how many (default: 10, at most ${MOST_LISTED})` },
    job: { type: 'string', value: 'NAME', help: 'only this job' },
    from: { type: 'string', value: 'TIME', help: 'runs after this instant, ISO 8601 (default: now)' },
    zone: OPTION.zone,
    system: OPTION.system,
    format: OPTION.format(['text', 'json']),
  },
  async run(invocation, io) {
    if (invocation.operands.length === 0)
      throw new UsageError('`next` wants a crontab: a file, a folder, or `-` for standard input');
    const now = Date.now();
    const from = instant(text(invocation, 'from')) ?? now;
    const count = wholeNumber(text(invocation, 'count') ?? '10', 1, MOST_LISTED, '--count');
    const only = text(invocation, 'job');
    const zone = zoneOption(invocation) ?? machineZone();
    const queue = new DueQueue<Upcoming>();
    let jobs = 0;
    let hasErrors = false;
    for await (const source of readSources(invocation.operands, io)) {
      const checked = checkSource(source, invocation, now);
      if (checked.diagnostics.hasErrors) {
        hasErrors = true;
        const renderer = new DiagnosticRenderer(
          source.path,
          checked.text,
          diagnosticPaint(io.stderr, io.env),
        );
        for (const one of checked.diagnostics.list)
          if (one.severity === 'error') io.stderr.write(`${renderer.text(one)}\n\n`);
        continue;
      }
      const plan = planCrontab(checked, { crontab: source.name, zone });
      for (const job of plan.jobs) {
        if (only !== undefined && job.name !== only) continue;
        jobs++;
        const timetable = timetableOf(plan, job);
        const first = timetable === undefined ? undefined : nextDue(timetable, from);
        if (timetable === undefined || first === undefined) continue;
        queue.push(first, {
          crontab: source.name,
          job: job.name,
          written: job.written,
          suspended: job.options.suspend !== undefined,
          timetable,
          instant: first,
        });
      }
    }
    if (only !== undefined && jobs === 0 && !hasErrors)
      throw new CommandError(`there is no job \`${only}\`; \`kuber-cron next FILE\` lists them`);
    const list = [...upcoming(queue, count)];
    if (text(invocation, 'format') === 'json') {
      io.stdout.write(`${JSON.stringify({ runs: list.map(json) }, null, 2)}\n`);
    } else {
      const rows = list.map(({ timetable, instant: at, crontab, job, written, suspended }) => [
        zonedText(timetable.zone, at),
        `in ${spanText(at - now)}`,
        `${crontab}/${job}`,
        suspended ? `${written} (suspended)` : written,
      ]);
      io.stdout.write(
        rows.length === 0 ? 'no run is due before 2046\n' : table([['TIME', '', 'JOB', 'SCHEDULE'], ...rows]),
      );
    }
    return hasErrors ? EXIT.problems : EXIT.fine;
  },
};

interface Upcoming {
  readonly crontab: string;
  readonly job: string;
  readonly written: string;
  readonly suspended: boolean;
  readonly timetable: Timetable;
  readonly instant: EpochMs;
}

function* upcoming(queue: DueQueue<Upcoming>, count: number): Generator<Upcoming> {
  for (let listed = 0; listed < count; listed++) {
    const next = queue.popDue(Number.POSITIVE_INFINITY);
    if (next === undefined) return;
    yield next;
    const after = nextDue(next.timetable, next.instant);
    if (after !== undefined) queue.push(after, { ...next, instant: after });
  }
}

function json({ crontab, job, written, suspended, timetable, instant: at }: Upcoming) {
  return {
    crontab,
    job,
    schedule: written,
    scheduledTime: scheduledTimeText(at),
    zone: timetable.zone.zone,
    localTime: zonedText(timetable.zone, at),
    suspended,
  };
}

/** An instant as ISO 8601 with zone or offset. @throws UsageError */
export function instant(value: string | undefined): EpochMs | undefined {
  if (value === undefined) return undefined;
  const at = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/.test(value)
    ? Date.parse(value)
    : Number.NaN;
  if (Number.isNaN(at))
    throw new UsageError(
      `\`${value}\` is not an instant: write for example \`2027-03-28T02:30+01:00\` or \`2027-03-28T01:30Z\``,
    );
  return at;
}

/** @throws UsageError */
export function wholeNumber(value: string, min: number, max: number, option: string): number {
  const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= min && number <= max))
    throw new UsageError(`\`${option}\` must be ${min}-${max}, got \`${value}\``);
  return number;
}
