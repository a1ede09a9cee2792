import { type Command, EXIT, type Io, OPTION, text, UsageError } from '../shared/adapters/command-line.ts';
import { hasDaemon, type StoreLocation } from '../shared/adapters/open-store.ts';
import { type PlannedJob, REBOOT, type SchedulePlan, timetableOf } from '../shared/core/plan/plan.ts';
import type { JobState } from '../shared/core/run/job-state.ts';
import { type PauseInterval, pauseEnd } from '../shared/core/run/pause.ts';
import type { Run, RunStatus } from '../shared/core/run/run.ts';
import { jobIdOf, scheduledTimeText } from '../shared/core/run/run-id.ts';
import type { RunStore } from '../shared/core/run/run-store.ts';
import { nextDue } from '../shared/core/schedule/due.ts';
import type { EpochMs } from '../shared/core/schedule/zone-table.ts';
import { starterOf, targetOf } from './operator.ts';
import { statusPaint } from './run-text.ts';
import { now } from './sources.ts';
import { withStore } from './stores.ts';
import { spanText, table } from './style.ts';

export const jobsCommand: Command = {
  name: 'jobs',
  summary: 'List the jobs, their last and their next run',
  examples: [
    ['kuber-cron jobs', 'all jobs that the daemon runs'],
    ['kuber-cron jobs --format json', 'for machines'],
  ],
  operands: '',
  options: { store: OPTION.store, format: OPTION.format(['text', 'json']) },
  notes:
    'Runs by hand count too. Exit code: 0 fine, 2 wrong usage, 3 there is no store, or it cannot be read.',

  async run(invocation, io) {
    if (invocation.operands.length > 0)
      throw new UsageError('`jobs` takes no operand; `kuber-cron runs JOB` shows one job');
    return await withStore(invocation, async (store, location) => {
      const at = now(io);
      const jobs = await jobRows(store, location, at);
      if (text(invocation, 'format') === 'json') {
        io.stdout.write(`${JSON.stringify({ jobs }, null, 2)}\n`);
        return EXIT.fine;
      }
      io.stdout.write(
        jobs.length === 0
          ? `no jobs: no ${starterOf(location)} has loaded a crontab into this store yet\n`
          : jobsTable(jobs, at, io),
      );
      if (jobs.length > 0 && hasDaemon(location) === false)
        io.stderr.write('no daemon works on this store: nothing starts by itself\n');
      return EXIT.fine;
    });
  },
};

/** Documented in docs/cli.md. */
interface JobRow {
  readonly jobId: string;
  readonly schedule: string;
  readonly zone: string;
  readonly suspended: boolean;
  /** The pause that is in force. */
  readonly paused?: {
    readonly since: string;
    readonly until?: string;
    readonly by: string;
    readonly reason?: string;
  };
  readonly description?: string;
  readonly owner?: string;
  readonly nextRun?: string;
  readonly runs: number;
  readonly failed: number;
  readonly counts: JobState['runs'];
  /** Runs that wait for their time, their turn or another attempt. */
  readonly pending: number;
  /** Of the newest run that is under way. */
  readonly running?: { readonly runId: string; readonly since: string };
  readonly last?: {
    readonly runId: string;
    readonly status: RunStatus;
    readonly startedAt?: string;
    readonly finishedAt: string;
    readonly exitCode?: number;
  };
}

async function jobRows(store: RunStore, location: StoreLocation, at: EpochMs): Promise<JobRow[]> {
  const rows: JobRow[] = [];
  const running = new Map((await store.unfinished()).map((run) => [run.jobId, run]));
  for (const crontab of await store.crontabs()) {
    const active = await store.activePlan(crontab);
    if (active === undefined) continue;
    const states = new Map((await store.states(crontab)).map((state) => [state.jobId, state]));
    const pauses = new Map((await store.pausesAt(crontab, at)).map((pause) => [pause.jobId, pause]));
    const pending = await store.pendingCounts(crontab);
    for (const job of active.plan.jobs) {
      const jobId = jobIdOf(crontab, job.name);
      const open = {
        running: running.get(jobId),
        pause: pauses.get(jobId),
        pending: pending.get(jobId) ?? 0,
        isStarted: targetOf(job, location) !== undefined,
      };
      rows.push(jobRow(active.plan, job, states.get(jobId), open, at));
    }
  }
  return rows;
}

/** What there is of a job now. */
interface Open {
  readonly running: Run | undefined;
  readonly pause: PauseInterval | undefined;
  readonly pending: number;
  /** Something that works on the store starts it. */
  readonly isStarted: boolean;
}

function jobRow(
  plan: SchedulePlan,
  job: PlannedJob,
  state: JobState | undefined,
  { running, pause, pending, isStarted }: Open,
  at: EpochMs,
): JobRow {
  const { suspend, description, owner } = job.options;
  const timetable = job.schedule === REBOOT ? undefined : timetableOf(plan, job);
  // A pause without an end leaves nothing to come.
  const from = pause === undefined ? at : pauseEnd(pause) - 1;
  const isAhead = timetable !== undefined && isStarted && suspend === undefined && Number.isFinite(from);
  const next = isAhead ? nextDue(timetable, from) : undefined;
  const { runs: counts = {}, last: end } = state ?? {};
  const { succeeded = 0, failed = 0, lost = 0, cancelled = 0, 'timed-out': timedOut = 0 } = counts;
  const iso = (instant: EpochMs) => new Date(instant).toISOString();
  return {
    jobId: jobIdOf(plan.crontab, job.name),
    schedule: job.written,
    zone: job.zone,
    suspended: suspend !== undefined,
    ...(pause === undefined ? {} : { paused: pausedJson(pause) }),
    ...(description === undefined ? {} : { description }),
    ...(owner === undefined ? {} : { owner }),
    ...(next === undefined ? {} : { nextRun: scheduledTimeText(next) }),
    runs: succeeded + failed + timedOut + lost + cancelled,
    failed: failed + timedOut + lost,
    counts,
    pending,
    ...(running === undefined
      ? {}
      : {
          running: {
            runId: running.runId,
            since: iso(running.attempts.at(-1)?.startedAt ?? running.createdAt),
          },
        }),
    ...(end === undefined
      ? {}
      : {
          last: {
            runId: end.runId,
            status: end.status,
            ...(end.startedAt === undefined ? {} : { startedAt: iso(end.startedAt) }),
            finishedAt: iso(end.finishedAt),
            ...(end.exitCode === undefined ? {} : { exitCode: end.exitCode }),
          },
        }),
  };
}

function pausedJson({ from, until, by, why }: PauseInterval): NonNullable<JobRow['paused']> {
  return {
    since: new Date(from).toISOString(),
    ...(until === undefined ? {} : { until: new Date(until).toISOString() }),
    by,
    ...(why === undefined ? {} : { reason: why }),
  };
}

function jobsTable(jobs: readonly JobRow[], at: EpochMs, io: Io): string {
  const paint = statusPaint(io);
  const ago = (instant: string) => spanText(Math.max(0, at - Date.parse(instant)));
  const lastRun = ({ running, last }: JobRow): readonly [string, string] => {
    if (running !== undefined) return [paint('running'), `for ${ago(running.since)}`];
    return last === undefined ? ['-', ''] : [paint(last.status), `${ago(last.finishedAt)} ago`];
  };
  const nextRun = ({ suspended, paused, nextRun }: JobRow) => {
    if (suspended) return 'suspended';
    if (paused !== undefined)
      return paused.until === undefined ? 'paused' : `paused for ${spanText(Date.parse(paused.until) - at)}`;
    return nextRun === undefined ? '-' : `in ${spanText(Date.parse(nextRun) - at)}`;
  };
  const hasPending = jobs.some(({ pending }) => pending > 0);
  return table([
    ['JOB', 'SCHEDULE', 'LAST RUN', '', 'NEXT RUN', ...(hasPending ? ['PENDING'] : []), 'RUNS', 'FAILED'],
    ...jobs.map((job) => [
      job.jobId,
      job.schedule,
      ...lastRun(job),
      nextRun(job),
      ...(hasPending ? [String(job.pending)] : []),
      String(job.runs),
      String(job.failed),
    ]),
  ]);
}
