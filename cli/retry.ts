import { type Command, CommandError, EXIT, OPTION, UsageError } from '../shared/adapters/command-line.ts';
import { printable } from '../shared/core/diagnostic-text.ts';
import { isFinal, type Run } from '../shared/core/run/run.ts';
import { jobNameOf, scheduledTimeText } from '../shared/core/run/run-id.ts';
import type { RunStore } from '../shared/core/run/run-store.ts';
import { findRun } from './find-run.ts';
import { REASON_OPTION, requestOf, startableJob, whenStarted } from './operator.ts';
import { whyText } from './run-text.ts';
import { now } from './sources.ts';
import { findJob, withStore } from './stores.ts';

/** Newest runs among which the latest that is over is looked for. */
const MOST_LOOKED_AT = 100;

export const retryCommand: Command = {
  name: 'retry',
  summary: 'Run a run again that is over',
  examples: [
    ['kuber-cron retry nightly-backup 2026-03-29T01:30Z', 'a run, by the id that `runs` shows'],
    [
      "kuber-cron retry nightly-backup --reason 'disk was full'",
      'the latest that is over, unless it succeeded',
    ],
  ],
  operands: 'JOB [RUN]',
  options: { reason: REASON_OPTION, store: OPTION.store },
  notes: `The run keeps its id and its scheduled time, and gets another attempt, with all retries of the job again. The daemon
starts it.
Exit code: 0 it will be started, 2 wrong usage, 3 there is no such job or run, it is not over, it could not be started,
or the store cannot be read.`,

  async run(invocation, io) {
    const [wanted, runId, ...rest] = invocation.operands;
    if (wanted === undefined || rest.length > 0)
      throw new UsageError(
        '`retry` wants a job, and perhaps one of its runs; `kuber-cron runs JOB` lists them',
      );
    return await withStore(invocation, async (store, location) => {
      const at = now(io);
      const jobId = await findJob(store, wanted);
      const { job } = await startableJob(store, jobId, at, location);
      const run = runId === undefined ? await latestOver(store, jobId) : await findRun(store, jobId, runId);
      checkOver(run);
      io.stdout.write(`${jobId} ${run.runId}: ${factsOf(run)}\n`);
      const request = requestOf('retry', invocation, io);
      const result = await store.reopen({ jobId, runId: run.runId, request, notBefore: at });
      if (result.outcome === 'unknown')
        throw new CommandError(`\`${jobId}\` ${run.runId} is gone: its time in history is over`);
      if (result.outcome !== 'done') throw notOver(result.run);
      const holder = (await store.unfinished()).find((one) => one.jobId === jobId);
      const isBehind = holder !== undefined && job.options['concurrency-policy'] !== 'allow';
      const when = isBehind ? `it starts when ${holder.runId} is over` : whenStarted(location);
      io.stdout.write(`pending for attempt ${run.attempts.length + 1}; ${when}\n`);
      return EXIT.fine;
    });
  },
};

/** @throws CommandError when there is none, or when it needs to be named because it succeeded */
async function latestOver(store: RunStore, jobId: string): Promise<Run> {
  const runs = await store.runs({ jobId, limit: MOST_LOOKED_AT });
  const run = runs.find(({ status, spanFrom }) => isFinal(status) && spanFrom === undefined);
  if (run === undefined) throw new CommandError(`\`${jobId}\` has no run that is over`);
  if (run.status === 'succeeded')
    throw new CommandError(
      `the latest run of \`${jobId}\` succeeded: to run it again all the same, \`kuber-cron retry ${jobNameOf(jobId)} '${run.runId}'\``,
    );
  return run;
}

/** @throws CommandError when the run cannot have another attempt */
function checkOver(run: Run): void {
  const { jobId, runId, scheduledTime, spanFrom } = run;
  if (spanFrom !== undefined) {
    const [from, to] = [scheduledTimeText(spanFrom), scheduledTimeText(scheduledTime)];
    throw new CommandError(
      `\`${runId}\` stands for all due times from ${from} to ${to}: \`kuber-cron backfill ${jobNameOf(jobId)} --from ${from} --to ${to} --unrecorded\` runs them`,
    );
  }
  if (!isFinal(run.status)) throw notOver(run);
}

function notOver(run: Run): CommandError {
  const { jobId, runId, status } = run;
  const fix =
    status === 'pending'
      ? 'it starts by itself'
      : `\`kuber-cron cancel ${jobNameOf(jobId)} '${runId}'\` ends it`;
  return new CommandError(`\`${jobId}\` ${runId} is not over, but ${status}: ${fix}`);
}

function factsOf(run: Run): string {
  return printable([run.status, whyText(run)].filter((fact) => fact !== '').join(', '));
}
