import { type Command, EXIT, OPTION, text, UsageError, whole } from '../shared/adapters/command-line.ts';
import { timetableOf } from '../shared/core/plan/plan.ts';
import { jobIdOf, scheduledTimeText } from '../shared/core/run/run-id.ts';
import { nextDue, type Timetable } from '../shared/core/schedule/due.ts';
import { DueQueue } from '../shared/core/schedule/due-queue.ts';
import { type EpochMs, zonedText } from '../shared/core/schedule/zone-table.ts';
import { pickJob } from './find-job.ts';
import { Progress } from './progress.ts';
import { type Loaded, loadCrontabs, now } from './sources.ts';
import { spanText, table } from './style.ts';

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
  notes: 'Exit code: 0 fine, 1 a crontab has errors, 2 wrong usage, 3 a file cannot be read.',

  async run(invocation, io) {
    const from = instant(text(invocation, 'from')) ?? now(io);
    const count = whole(invocation, 'count', { min: 1, max: MOST_LISTED, otherwise: 10 });
    const { crontabs, hasErrors } = await loadCrontabs(invocation, io, {
      command: 'next',
      operands: invocation.operands,
      progress: new Progress(io),
    });
    const jobs = chosenJobs(crontabs, text(invocation, 'job'), hasErrors);
    const queue = new DueQueue<Upcoming>();
    for (const job of jobs) {
      const first = job.timetable === undefined ? undefined : nextDue(job.timetable, from);
      if (job.timetable !== undefined && first !== undefined)
        queue.push(first, { ...job, timetable: job.timetable, instant: first });
    }
    const runs = [...upcoming(queue, count)];
    if (text(invocation, 'format') === 'json')
      io.stdout.write(`${JSON.stringify({ runs: runs.map(runJson) }, null, 2)}\n`);
    else if (runs.length > 0) io.stdout.write(runsTable(runs, now(io)));
    else if (!hasErrors)
      io.stdout.write(jobs.length === 0 ? 'no jobs\n' : 'no run is due at any time before 2046\n');
    return hasErrors ? EXIT.problems : EXIT.fine;
  },
};

interface ListedJob {
  readonly crontab: string;
  readonly job: string;
  readonly written: string;
  readonly suspended: boolean;
  /** Undefined for `@reboot`. */
  readonly timetable: Timetable | undefined;
}

interface Upcoming extends ListedJob {
  readonly timetable: Timetable;
  readonly instant: EpochMs;
}

function chosenJobs(
  crontabs: readonly Loaded[],
  wanted: string | undefined,
  hasErrors: boolean,
): ListedJob[] {
  const jobs = crontabs.flatMap(({ plan }) =>
    plan.jobs.map((job) => ({
      crontab: plan.crontab,
      job: job.name,
      written: job.written,
      suspended: job.options.suspend !== undefined,
      timetable: timetableOf(plan, job),
    })),
  );
  // It may be in the crontab that has errors; those are told already.
  if (wanted === undefined || (hasErrors && jobs.length === 0)) return jobs;
  const idOf = ({ crontab, job }: ListedJob) => jobIdOf(crontab, job);
  const jobId = pickJob(jobs.map(idOf), wanted);
  return jobs.filter((job) => idOf(job) === jobId);
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

function runsTable(runs: readonly Upcoming[], now: EpochMs): string {
  return table([
    ['TIME', '', 'JOB', 'SCHEDULE'],
    ...runs.map(({ timetable, instant, crontab, job, written, suspended }) => [
      zonedText(timetable.zone, instant),
      instant < now ? '' : `in ${spanText(instant - now)}`,
      jobIdOf(crontab, job),
      suspended ? `${written} (suspended)` : written,
    ]),
  ]);
}

/** Documented in docs/cli.md. */
function runJson({ crontab, job, written, suspended, timetable, instant }: Upcoming) {
  return {
    crontab,
    job,
    schedule: written,
    scheduledTime: scheduledTimeText(instant),
    zone: timetable.zone.zone,
    localTime: zonedText(timetable.zone, instant),
    suspended,
  };
}

/** An instant as ISO 8601 with zone or offset; a day alone begins in UTC. @throws UsageError */
function instant(value: string | undefined): EpochMs | undefined {
  if (value === undefined) return undefined;
  const day = /^(\d{4}-\d\d-\d\d)(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/.exec(
    value,
  )?.[1];
  const at = day === undefined ? Number.NaN : Date.parse(value);
  // `Date` reads 30 February as 2 March.
  const isDay = day !== undefined && !Number.isNaN(at) && new Date(day).toISOString().startsWith(day);
  if (!isDay)
    throw new UsageError(
      `\`--from\` takes an instant with its offset, such as \`2027-03-28T02:30+01:00\` or \`2027-03-28T01:30Z\`, got \`${value}\``,
    );
  return at;
}
