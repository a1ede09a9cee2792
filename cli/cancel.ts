import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Command,
  CommandError,
  EXIT,
  type Io,
  isSet,
  OPTION,
  UsageError,
} from '../shared/adapters/command-line.ts';
import { isAlive } from '../shared/adapters/host.ts';
import { hasDaemon, type StoreLocation } from '../shared/adapters/open-store.ts';
import { printable } from '../shared/core/diagnostic-text.ts';
import { isFinal, type Run } from '../shared/core/run/run.ts';
import type { RunStore } from '../shared/core/run/run-store.ts';
import { findRun } from './find-run.ts';
import { REASON_OPTION, requestOf } from './operator.ts';
import { Progress } from './progress.ts';
import { whyText } from './run-text.ts';
import { findJob, withStore } from './stores.ts';
import { spanText } from './style.ts';

/** How often is looked whether the run is over. Milliseconds. */
const LOOK_EVERY_MS = 250;

export const cancelCommand: Command = {
  name: 'cancel',
  summary: 'End a run, or keep a pending one from starting',
  examples: [
    ['kuber-cron cancel nightly-backup 2026-03-29T01:30Z', 'a run, by the id that `runs` shows'],
    ['kuber-cron cancel --no-wait nightly-backup 2026-03-29', 'by a beginning that only one run has'],
  ],
  operands: 'JOB RUN',
  options: {
    'no-wait': { type: 'boolean', help: 'ask for the end, and do not wait for it' },
    reason: REASON_OPTION,
    store: OPTION.store,
  },
  notes: `A run that is not started yet is cancelled at once. A running one gets TERM, and KILL after its grace; a cancelled run
is not tried again.
Exit code: 0 it is cancelled, or asked for with \`--no-wait\`, 1 it ended otherwise before, 2 wrong usage, 3 there is no
such job or run, it was over already, nobody is there to end it, or the store cannot be read.`,

  async run(invocation, io) {
    const [wanted, runId, ...rest] = invocation.operands;
    if (wanted === undefined || runId === undefined || rest.length > 0)
      throw new UsageError('`cancel` wants a job and one of its runs; `kuber-cron runs JOB` lists them');
    return await withStore(invocation, async (store, location) => {
      const run = await findRun(store, await findJob(store, wanted), runId);
      const result = await store.cancel(run, requestOf('cancel', invocation, io));
      if (result.outcome === 'unknown')
        throw new CommandError(`\`${run.jobId}\` ${run.runId} is gone: its time in history is over`);
      if (result.outcome === 'not-possible')
        throw new CommandError(`\`${run.jobId}\` ${run.runId} is over already: ${factsOf(result.run)}`);
      if (result.outcome === 'done') return tellEnd(result.run, io);
      if (isSet(invocation, 'no-wait')) {
        io.stdout.write(`${run.jobId} ${run.runId} is to end: it is asked for\n`);
        return EXIT.fine;
      }
      return tellEnd(await ended(store, location, result.run, io), io);
    });
  },
};

/** The run when it is over. @throws CommandError when nobody is there to end it */
async function ended(store: RunStore, location: StoreLocation, asked: Run, io: Io): Promise<Run> {
  const { jobId, runId } = asked;
  const progress = new Progress(io);
  const start = performance.now();
  try {
    for (let run: Run | undefined = asked; ; run = await store.run(jobId, runId)) {
      if (run === undefined)
        throw new CommandError(`\`${jobId}\` ${runId} is gone: its time in history is over`);
      // An attempt that ended is no longer the one that was to end: what comes is another.
      if (isFinal(run.status)) return run;
      if (run.owner !== undefined && isAlive(run.owner) === false && hasDaemon(location) === false)
        throw new CommandError(
          `\`${jobId}\` ${runId} is to end, but the process that ran it is gone, and no daemon works on this store: the next one closes the run`,
        );
      progress.show(`waiting for ${jobId} ${runId} to end: ${spanText(performance.now() - start)}`);
      await sleep(LOOK_EVERY_MS);
    }
  } finally {
    progress.clear();
  }
}

function tellEnd(run: Run, io: Io): number {
  io.stdout.write(`${run.jobId} ${run.runId}: ${factsOf(run)}\n`);
  return run.status === 'cancelled' ? EXIT.fine : EXIT.problems;
}

function factsOf(run: Run): string {
  return printable([run.status, whyText(run)].filter((fact) => fact !== '').join(', '));
}
