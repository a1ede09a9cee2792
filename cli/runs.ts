import {
  type Command,
  EXIT,
  type Io,
  OPTION,
  text,
  UsageError,
  whole,
} from '../shared/adapters/command-line.ts';
import type { Run } from '../shared/core/run/run.ts';
import { latenessOf, runJson, statusPaint, whyText } from './run-text.ts';
import { now } from './sources.ts';
import { findJob, withStore } from './stores.ts';
import { spanText, table } from './style.ts';

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
  notes:
    'Newest first. Exit code: 0 fine, 2 wrong usage, 3 there is no such job, or no store that can be read.',

  async run(invocation, io) {
    const [wanted, ...rest] = invocation.operands;
    if (rest.length > 0) throw new UsageError('`runs` takes one job');
    const limit = whole(invocation, 'limit', { min: 1, max: 100_000, otherwise: 20 });
    return await withStore(invocation, async (store) => {
      const jobId = wanted === undefined ? undefined : await findJob(store, wanted);
      const runs = await store.runs(jobId === undefined ? { limit } : { jobId, limit });
      if (text(invocation, 'format') === 'json')
        io.stdout.write(`${JSON.stringify({ runs: runs.map(runJson) }, null, 2)}\n`);
      else io.stdout.write(runs.length === 0 ? 'no runs yet\n' : runsTable(runs, io));
      return EXIT.fine;
    });
  },
};

function runsTable(runs: readonly Run[], io: Io): string {
  const paint = statusPaint(io);
  return table([
    ['JOB', 'RUN', 'STATUS', 'STARTED', 'LATE', 'TOOK', ''],
    ...runs.map((run) => {
      const attempt = run.attempts.at(-1);
      const late = latenessOf(run);
      return [
        run.jobId,
        run.runId,
        paint(run.status),
        attempt === undefined ? '-' : `${new Date(attempt.startedAt).toISOString().slice(0, 19)}Z`,
        late === undefined ? '-' : spanText(late),
        attempt === undefined ? '-' : spanText((attempt.finishedAt ?? now(io)) - attempt.startedAt),
        whyText(run),
      ];
    }),
  ]);
}
