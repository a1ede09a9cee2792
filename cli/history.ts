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
import { openExistingStore, storeLocation } from '../shared/adapters/open-store.ts';
import { nearest } from '../shared/core/nearest.ts';
import { type PlannedJob, REBOOT, runsOn, type SchedulePlan, timetableOf } from '../shared/core/plan/plan.ts';
import type { JobState } from '../shared/core/run/job-state.ts';
import { lateness, REASONS, type Run, type RunStatus } from '../shared/core/run/run.ts';
import { jobIdOf, jobNameOf, scheduledTimeText } from '../shared/core/run/run-id.ts';
import type { RunStore } from '../shared/core/run/run-store.ts';
import { nextDue } from '../shared/core/schedule/due.ts';
import type { EpochMs } from '../shared/core/schedule/zone-table.ts';
import { wholeNumber } from './next.ts';
import { colours, spanText, table } from './style.ts';

export const jobsCommand: Command = {
  name: 'jobs',
  summary: 'List the jobs, their last and their next run',
  examples: [
    ['kuber-cron jobs', 'all jobs that the daemon runs'],
    ['kuber-cron jobs --format json', 'for machines'],
  ],
  operands: '',
  options: { store: OPTION.store, format: OPTION.format(['text', 'json']) },
  run: (invocation, io) =>
    withStore(invocation, async (store) => {
      if (invocation.operands.length > 0)
        throw new UsageError('`jobs` takes no operand; `kuber-cron runs JOB` shows one job');
      const now = Date.now();
      const jobs: JobRow[] = [];
      for (const crontab of await store.crontabs()) {
        const active = await store.activePlan(crontab);
        if (active === undefined) continue;
        const states = new Map((await store.states(crontab)).map((state) => [state.jobId, state]));
        for (const job of active.plan.jobs)
          jobs.push(jobRow(active.plan, job, states.get(jobIdOf(crontab, job.name)), now));
      }
      if (text(invocation, 'format') === 'json') {
        io.stdout.write(`${JSON.stringify({ jobs }, null, 2)}\n`);
        return EXIT.fine;
      }
      const paint = statusPaint(io);
      io.stdout.write(
        jobs.length === 0
          ? 'no jobs: no daemon has loaded a crontab into this store yet\n'
          : table([
              ['JOB', 'SCHEDULE', 'LAST RUN', '', 'NEXT RUN', 'RUNS', 'FAILED'],
              ...jobs.map((job) => [
                job.jobId,
                job.schedule,
                job.last === undefined ? '-' : paint(job.last.status),
                job.last === undefined ? '' : `${spanText(now - Date.parse(job.last.finishedAt))} ago`,
                job.suspended
                  ? 'suspended'
                  : job.nextRun === undefined
                    ? '-'
                    : `in ${spanText(Date.parse(job.nextRun) - now)}`,
                String(job.runs),
                String(job.failed),
              ]),
            ]),
      );
      return EXIT.fine;
    }),
};

interface JobRow {
  readonly jobId: string;
  readonly schedule: string;
  readonly zone: string;
  readonly suspended: boolean;
  readonly description?: string;
  readonly owner?: string;
  readonly nextRun?: string;
  readonly runs: number;
  readonly failed: number;
  readonly counts: JobState['runs'];
  readonly last?: {
    readonly runId: string;
    readonly status: RunStatus;
    readonly finishedAt: string;
    readonly exitCode?: number;
  };
}

function jobRow(plan: SchedulePlan, job: PlannedJob, state: JobState | undefined, now: EpochMs): JobRow {
  const timetable = job.schedule === REBOOT ? undefined : timetableOf(plan, job);
  const isStarted = job.options.suspend === undefined && runsOn(job, 'daemon');
  const next = timetable === undefined || !isStarted ? undefined : nextDue(timetable, now);
  const counts = state?.runs ?? {};
  const { succeeded = 0, failed = 0, lost = 0, cancelled = 0 } = counts;
  const timedOut = counts['timed-out'] ?? 0;
  return {
    jobId: jobIdOf(plan.crontab, job.name),
    schedule: job.written,
    zone: job.zone,
    suspended: !isStarted,
    ...(job.options.description === undefined ? {} : { description: job.options.description }),
    ...(job.options.owner === undefined ? {} : { owner: job.options.owner }),
    ...(next === undefined ? {} : { nextRun: scheduledTimeText(next) }),
    runs: succeeded + failed + timedOut + lost + cancelled,
    failed: failed + timedOut + lost,
    counts,
    ...(state?.last === undefined
      ? {}
      : { last: { ...state.last, finishedAt: new Date(state.last.finishedAt).toISOString() } }),
  };
}

export const runsCommand: Command = {
  name: 'runs',
  summary: 'Show what ran, what did not, and why',
  examples: [
    ['kuber-cron runs', 'the latest runs of all jobs'],
    ['kuber-cron runs nightly-backup', 'of one job'],
    ['kuber-cron runs --limit 200 --format json', 'for machines'],
  ],
  operands: '[JOB]',
  options: {
    limit: { type: 'string', value: 'N', help: 'how many (default: 20)' },
    store: OPTION.store,
    format: OPTION.format(['text', 'json']),
  },
  run: (invocation, io) =>
    withStore(invocation, async (store) => {
      const [job, ...rest] = invocation.operands;
      if (rest.length > 0) throw new UsageError('`runs` takes one job');
      const limit = wholeNumber(text(invocation, 'limit') ?? '20', 1, 100_000, '--limit');
      const jobId = job === undefined ? undefined : await findJob(store, job);
      const runs = await store.runs(jobId === undefined ? { limit } : { jobId, limit });
      if (text(invocation, 'format') === 'json') {
        io.stdout.write(`${JSON.stringify({ runs: runs.map(runJson) }, null, 2)}\n`);
        return EXIT.fine;
      }
      const paint = statusPaint(io);
      const now = Date.now();
      io.stdout.write(
        runs.length === 0
          ? 'no runs yet\n'
          : table([
              ['JOB', 'RUN', 'STATUS', 'STARTED', 'LATE', 'TOOK', ''],
              ...runs.map((run) => {
                const attempt = run.attempts.at(-1);
                const late = lateness(run);
                return [
                  run.jobId,
                  run.runId,
                  paint(run.status),
                  attempt === undefined ? '-' : `${new Date(attempt.startedAt).toISOString().slice(0, 19)}Z`,
                  late === undefined || run.trigger === 'manual' || run.runId.startsWith('reboot#')
                    ? '-'
                    : spanText(late),
                  attempt === undefined ? '-' : spanText((attempt.finishedAt ?? now) - attempt.startedAt),
                  why(run),
                ];
              }),
            ]),
      );
      return EXIT.fine;
    }),
};

/** What there is to say about how a run went. */
function why(run: Run): string {
  const attempt = run.attempts.at(-1);
  const parts: string[] = [];
  if (run.trigger !== 'schedule') parts.push(run.trigger === 'manual' ? 'by hand' : run.trigger);
  if (attempt?.error !== undefined) parts.push(attempt.error);
  else if (run.reason === 'exit-code') parts.push(`exit code ${attempt?.exitCode}`);
  else if (run.reason === 'signal') parts.push(attempt?.signal ?? 'signal');
  else if (run.reason !== undefined) parts.push(REASONS[run.reason]);
  if (run.blockedBy !== undefined) parts.push(`(${run.blockedBy})`);
  if (run.spanFrom !== undefined) parts.push(`all since ${scheduledTimeText(run.spanFrom)}`);
  return parts.join(', ');
}

function runJson(run: Run) {
  const iso = (instant: EpochMs | undefined) =>
    instant === undefined ? undefined : new Date(instant).toISOString();
  const late = lateness(run);
  return {
    jobId: run.jobId,
    runId: run.runId,
    scheduledTime: scheduledTimeText(run.scheduledTime),
    trigger: run.trigger,
    status: run.status,
    reason: run.reason,
    blockedBy: run.blockedBy,
    spanFrom: run.spanFrom === undefined ? undefined : scheduledTimeText(run.spanFrom),
    planHash: run.planHash,
    createdAt: iso(run.createdAt),
    finishedAt: iso(run.finishedAt),
    latenessMs: late,
    attempts: run.attempts.map((attempt) => ({
      ...attempt,
      startedAt: iso(attempt.startedAt),
      finishedAt: iso(attempt.finishedAt),
      durationMs: attempt.finishedAt === undefined ? undefined : attempt.finishedAt - attempt.startedAt,
    })),
  };
}

export const logsCommand: Command = {
  name: 'logs',
  summary: 'Print what a run wrote',
  examples: [
    ['kuber-cron logs nightly-backup', 'the latest run of a job'],
    ['kuber-cron logs nightly-backup 2026-03-29T01:30Z', 'one run, by the id that `runs` shows'],
  ],
  operands: 'JOB [RUN]',
  options: { store: OPTION.store, format: OPTION.format(['text', 'json']) },
  notes:
    'The last 16 KiB of each stream are kept. Standard output goes to standard output, errors to errors.',
  run: (invocation, io) =>
    withStore(invocation, async (store) => {
      const [job, runId, ...rest] = invocation.operands;
      if (job === undefined || rest.length > 0)
        throw new UsageError('`logs` wants a job, and perhaps one of its runs');
      const jobId = await findJob(store, job);
      const run = await findRun(store, jobId, runId);
      const attempt = run.attempts.at(-1);
      const output = attempt === undefined ? undefined : await store.output(jobId, run.runId, attempt.number);
      if (text(invocation, 'format') === 'json') {
        io.stdout.write(`${JSON.stringify({ run: runJson(run), output: output ?? null }, null, 2)}\n`);
        return EXIT.fine;
      }
      io.stderr.write(
        `${jobId} ${run.runId}: ${[run.status, why(run)].filter((part) => part !== '').join(', ')}\n`,
      );
      if (output === undefined) {
        io.stderr.write(
          run.status === 'running'
            ? 'it still runs: its output is kept when it ends\n'
            : 'it wrote nothing\n',
        );
        return EXIT.fine;
      }
      for (const [stream, out] of [
        ['stdout', io.stdout],
        ['stderr', io.stderr],
      ] as const) {
        const { text: tail, droppedBytes } = output[stream];
        if (droppedBytes > 0)
          io.stderr.write(`(${droppedBytes} bytes of ${stream} before this are not kept)\n`);
        out.write(tail === '' || tail.endsWith('\n') ? tail : `${tail}\n`);
      }
      return EXIT.fine;
    }),
};

async function findRun(store: RunStore, jobId: string, runId: string | undefined): Promise<Run> {
  if (runId !== undefined) {
    const run = await store.run(jobId, runId);
    if (run !== undefined) return run;
    const known = (await store.runs({ jobId, limit: 100 })).map((one) => one.runId);
    const near = nearest(runId, known) ?? known.find((one) => one.startsWith(runId)) ?? known[0];
    throw new CommandError(
      `\`${jobId}\` has no run \`${runId}\`${near === undefined ? '' : `; did you mean \`${near}\`?`}`,
    );
  }
  // The latest that can have written anything.
  const runs = await store.runs({ jobId, limit: 100 });
  const run = runs.find(({ attempts }) => attempts.length > 0) ?? runs[0];
  if (run === undefined) throw new CommandError(`\`${jobId}\` has not run yet`);
  return run;
}

/** The id of a job that is given by its name, or as `crontab/name`. @throws CommandError with the nearest name */
export async function findJob(store: RunStore, job: string): Promise<string> {
  const known = new Set<string>();
  for (const crontab of await store.crontabs()) {
    for (const { name } of (await store.activePlan(crontab))?.plan.jobs ?? [])
      known.add(jobIdOf(crontab, name));
    for (const { jobId } of await store.states(crontab)) known.add(jobId);
  }
  if (known.has(job)) return job;
  const found = [...known].filter((jobId) => jobNameOf(jobId) === job);
  if (found.length === 1) return found[0] as string;
  if (found.length > 1)
    throw new CommandError(`several crontabs have a job \`${job}\`: name one of ${found.join(', ')}`);
  const near =
    nearest(job, job.includes('/') ? known : [...known].map(jobNameOf)) ??
    [...known].map(jobNameOf).find((name) => name.startsWith(job));
  throw new CommandError(
    `there is no job \`${job}\`${near === undefined ? '; `kuber-cron jobs` lists them' : `; did you mean \`${near}\`?`}`,
  );
}

async function withStore(
  invocation: Invocation,
  work: (store: RunStore) => Promise<number>,
): Promise<number> {
  const store = openExistingStore(storeLocation(text(invocation, 'store')));
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

function statusPaint(io: Io): (status: RunStatus) => string {
  const paint = colours(io.stdout, io.env);
  return (status) => {
    if (status === 'succeeded') return paint('green', status);
    if (status === 'running' || status === 'claimed' || status === 'pending') return paint('blue', status);
    return paint(status === 'skipped' || status === 'cancelled' ? 'yellow' : 'red', status);
  };
}
