import {
  type Command,
  CommandError,
  EXIT,
  type Io,
  OPTION,
  text,
  UsageError,
} from '../shared/adapters/command-line.ts';
import { nearest } from '../shared/core/nearest.ts';
import type { Run, RunOutput } from '../shared/core/run/run.ts';
import type { RunStore } from '../shared/core/run/run-store.ts';
import { runJson, whyText } from './run-text.ts';
import { findJob, withStore } from './stores.ts';

export const logsCommand: Command = {
  name: 'logs',
  summary: 'Print what a run wrote',
  examples: [
    ['kuber-cron logs nightly-backup', 'the latest run of a job'],
    ['kuber-cron logs nightly-backup 2026-03-29T01:30Z', 'one run, by the id that `runs` shows'],
  ],
  operands: 'JOB [RUN]',
  options: { store: OPTION.store, format: OPTION.format(['text', 'json']) },
  notes: `The last 16 KiB of each stream are kept. Standard output goes to standard output, errors to errors.
Exit code: 0 fine, 2 wrong usage, 3 there is no such job or run, or no store that can be read.`,

  async run(invocation, io) {
    const [wanted, runId, ...rest] = invocation.operands;
    if (wanted === undefined || rest.length > 0)
      throw new UsageError('`logs` wants a job, and perhaps one of its runs; `kuber-cron runs` lists both');
    return await withStore(invocation, async (store) => {
      const jobId = await findJob(store, wanted);
      const run = await findRun(store, jobId, runId);
      const attempt = run.attempts.at(-1);
      const output = attempt === undefined ? undefined : await store.output(jobId, run.runId, attempt.number);
      if (text(invocation, 'format') === 'json')
        io.stdout.write(`${JSON.stringify({ run: runJson(run), output: output ?? null }, null, 2)}\n`);
      else write(run, output, io);
      return EXIT.fine;
    });
  },
};

function write(run: Run, output: RunOutput | undefined, io: Io): void {
  const facts = [run.status, whyText(run)].filter((fact) => fact !== '').join(', ');
  io.stderr.write(`${run.jobId} ${run.runId}: ${facts}\n`);
  if (output === undefined) {
    io.stderr.write(noOutput(run));
    return;
  }
  for (const stream of ['stdout', 'stderr'] as const) {
    const { text: tail, droppedBytes } = output[stream];
    if (droppedBytes > 0) io.stderr.write(`(${droppedBytes} bytes of ${stream} before this are not kept)\n`);
    io[stream].write(tail === '' || tail.endsWith('\n') ? tail : `${tail}\n`);
  }
}

function noOutput({ status, attempts }: Run): string {
  if (status === 'running') return 'it still runs: its output is kept when it ends\n';
  return attempts.length === 0 ? 'it was not started\n' : 'it wrote nothing\n';
}

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
