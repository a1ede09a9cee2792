import {
  type Command,
  EXIT,
  type Invocation,
  type Io,
  isSet,
  OPTION,
  text,
  UsageError,
  whole,
} from '../shared/adapters/command-line.ts';
import type { StoreLocation } from '../shared/adapters/open-store.ts';
import {
  type BackfillStep,
  type BackfillWish,
  DueHistory,
  MOST_BACKFILLED,
  REPROCESSING,
  type Reprocessing,
} from '../shared/core/run/backfill.ts';
import { Backfill, type BackfillDone, type PlannedStep } from '../shared/core/run/backfill-work.ts';
import { scheduledTimeText } from '../shared/core/run/run-id.ts';
import type { RunStore } from '../shared/core/run/run-store.ts';
import { type EpochMs, type ZoneTable, zonedText } from '../shared/core/schedule/zone-table.ts';
import { type Planned, REASON_OPTION, requestOf, startableJob, utcText, whenStarted } from './operator.ts';
import { Progress } from './progress.ts';
import { now } from './sources.ts';
import { findJob, withStore } from './stores.ts';
import { table } from './style.ts';
import { TIME_NOTE, timeOption, timeText, zoneOfJob } from './times.ts';

/** Runs that `--dry-run` lists. */
const LISTED = 20;

export const backfillCommand: Command = {
  name: 'backfill',
  summary: 'Run again what was due in a stretch of the past',
  examples: [
    ['kuber-cron backfill report --from 2026-03-01 --to 2026-03-31 --dry-run', 'what it would do'],
    ['kuber-cron backfill report --from 2026-03-01 --to 2026-03-31', 'what failed or was missed in March'],
    [
      'kuber-cron backfill report --from 2026-03-01 --unrecorded',
      'also what was paused, or missed in a long downtime',
    ],
  ],
  operands: '--from TIME JOB',
  options: {
    from: { type: 'string', value: 'TIME', help: 'the first due time' },
    to: { type: 'string', value: 'TIME', help: 'the last due time, which is included (default: now)' },
    'dry-run': { type: 'boolean', help: 'list what it would do, and do nothing' },
    reprocess: {
      type: 'string',
      value: REPROCESSING.join('|'),
      choices: REPROCESSING,
      help: 'which runs that are over are run again (default: failed)',
    },
    unrecorded: { type: 'boolean', help: 'also due times without a run of their own' },
    'max-active-runs': {
      type: 'string',
      value: 'N',
      help: 'how many run at once where the job allows it (default: 1)',
    },
    reason: REASON_OPTION,
    store: OPTION.store,
  },
  notes: `What was due follows from the schedule that was in force then. \`failed\` are failed, timed-out, lost and missed runs;
skipped and cancelled ones were left out on purpose, and are run again by \`all\` only. At most ${MOST_BACKFILLED} due times.
What is pending or runs is left alone, so it may be repeated.
${TIME_NOTE} A day alone is its
first minute in \`--from\` and its last one in \`--to\`.
Exit code: 0 fine, 2 wrong usage or too many due times, 3 there is no such job, it could not be started, or the store
cannot be read.`,

  async run(invocation, io) {
    const [wanted, ...rest] = invocation.operands;
    if (wanted === undefined || rest.length > 0)
      throw new UsageError('`backfill` wants one job; `kuber-cron jobs` lists them');
    if (text(invocation, 'from') === undefined)
      throw new UsageError('`backfill` wants the first due time: `--from TIME`');
    const wish = {
      reprocess: (text(invocation, 'reprocess') ?? 'failed') as Reprocessing,
      unrecorded: isSet(invocation, 'unrecorded'),
    };
    if (wish.reprocess === 'none' && !wish.unrecorded)
      throw new UsageError('`--reprocess none` leaves everything alone but with `--unrecorded`');
    const maxActiveRuns = whole(invocation, 'max-active-runs', { min: 1, max: 1000, otherwise: 1 });
    return await withStore(invocation, async (store, location) => {
      const at = now(io);
      const jobId = await findJob(store, wanted);
      const range = await rangeOf(store, jobId, invocation, at);
      const planned = await startableJob(store, jobId, at, location);
      const schedules = await store.schedules(jobId);
      const history = new DueHistory(schedules, range.from, range.to, planned.target);
      const count = countOf(history, jobId, range);
      tellRange(jobId, range, count, io);
      const known = schedules[0]?.from;
      if (known === undefined || known > range.from)
        io.stderr.write(
          `the schedule of ${jobId} is known from ${known === undefined ? 'now' : utcText(known)} on: what was due before is not counted\n`,
        );
      const progress = new Progress(io);
      const work = new Backfill(store, jobId, at, (text) => progress.show(text));
      const steps = await work.plan(history, wish);
      progress.clear();
      if (isSet(invocation, 'dry-run')) {
        tellSteps(steps, wish, range.zone, io);
        return EXIT.fine;
      }
      const request = requestOf('backfill', invocation, io);
      const done = await work.carryOut(steps, { request, maxActiveRuns, planHash: planned.active.hash });
      progress.clear();
      tellDone(done, steps, wish, planned, maxActiveRuns, location, io);
      return EXIT.fine;
    });
  },
};

interface Range {
  readonly from: EpochMs;
  readonly to: EpochMs;
  readonly zone: ZoneTable;
}

/** @throws UsageError */
async function rangeOf(store: RunStore, jobId: string, invocation: Invocation, at: EpochMs): Promise<Range> {
  const zone = await zoneOfJob(store, jobId);
  const from = timeOption(invocation, 'from', { now: at, zone, day: 'first' }) ?? at;
  const to = timeOption(invocation, 'to', { now: at, zone, day: 'last' }) ?? at;
  if (from > to)
    throw new UsageError(
      `\`--from\` (${timeText(zone, from)}) must be before \`--to\` (${timeText(zone, to)})`,
    );
  if (to > at && !isToday(invocation, zone, to, at))
    throw new UsageError(
      `\`--to\` must be in the past, got ${timeText(zone, to)}: what is due later runs by itself; leave \`--to\` out for now`,
    );
  return { from, to: Math.min(to, at), zone };
}

/** Whether the end is today as a day alone: it means up to now. */
function isToday(invocation: Invocation, zone: ZoneTable, to: EpochMs, at: EpochMs): boolean {
  const isDay = /^\d{4}-\d\d-\d\d$/.test(text(invocation, 'to')?.trim() ?? '');
  return isDay && zonedText(zone, to).slice(0, 10) === zonedText(zone, at).slice(0, 10);
}

/** How many due times there are. @throws UsageError when they are too many, with where to cut */
function countOf(history: DueHistory, jobId: string, { zone }: Range): number {
  const { count } = history;
  if (count <= MOST_BACKFILLED) return count;
  let seen = 0;
  for (const { instant } of history.instants()) {
    if (++seen < MOST_BACKFILLED) continue;
    throw new UsageError(
      `\`${jobId}\` was due ${count} times then, and a backfill takes ${MOST_BACKFILLED} at most; the first of them end at \`--to ${zonedText(zone, instant)}\``,
    );
  }
  return count;
}

function tellRange(jobId: string, { from, to, zone }: Range, count: number, io: Io): void {
  const times = count === 1 ? 'once' : `${count} times`;
  io.stdout.write(
    `${jobId} was due ${times} from ${zonedText(zone, from)} to ${timeText(zone, to)}, both included\n`,
  );
}

/** What a run is now, or what stands in its place. */
function stateText(step: BackfillStep): string {
  if ('run' in step) return step.run.status;
  switch (step.because) {
    case 'span':
      return 'missed in one row';
    case 'paused':
      return 'paused';
    case 'suspended':
      return 'suspended';
    case 'forgotten':
      return 'no longer kept';
    case 'no-row':
      return 'no run';
    case 'still-owed':
      return 'not handled yet';
  }
}

function tellSteps(steps: readonly PlannedStep[], wish: BackfillWish, zone: ZoneTable, io: Io): void {
  const wanted = steps.filter(({ step }) => step.kind !== 'leave');
  if (wanted.length > 0) {
    const rows = wanted
      .slice(0, LISTED)
      .map(({ due, step }) => [
        scheduledTimeText(due.instant),
        zonedText(zone, due.instant),
        stateText(step),
        step.kind === 'reopen' ? 'run again' : 'first run',
      ]);
    io.stdout.write(table([['RUN', 'TIME', 'NOW', 'THEN'], ...rows]));
    if (wanted.length > LISTED) io.stdout.write(`… and ${wanted.length - LISTED} more\n`);
  }
  const again = wanted.filter(({ step }) => step.kind === 'reopen').length;
  const left = steps.length - wanted.length;
  io.stdout.write(
    `dry run, nothing is changed: ${again} to run again, ${wanted.length - again} for the first time, ${left} left alone${leftText(steps)}\n`,
  );
  tellLeft(steps, wish, io);
}

/** Which option does more. */
function tellLeft(steps: readonly PlannedStep[], wish: BackfillWish, io: Io): void {
  const left = steps.flatMap(({ step }) => (step.kind === 'leave' ? [step.because] : []));
  const count = (...because: string[]) => left.filter((one) => because.includes(one)).length;
  const unrecorded = count('span', 'paused', 'suspended', 'no-row');
  const forgotten = count('forgotten');
  if (unrecorded > 0)
    io.stderr.write(`\`--unrecorded\` runs ${unrecorded} more, which have no run of their own\n`);
  if (forgotten > 0)
    io.stderr.write(
      `${forgotten} may have succeeded: nothing of them is kept any more; \`--unrecorded --reprocess all\` runs them\n`,
    );
  const others = wish.reprocess === 'failed' ? count('not-wanted') : 0;
  if (others > 0)
    io.stderr.write(`\`--reprocess all\` runs ${others} more, which succeeded or were left out on purpose\n`);
}

/** What is left alone, by what it is: ` (3 succeeded, 1 paused)`. */
function leftText(steps: readonly PlannedStep[]): string {
  const counts = new Map<string, number>();
  for (const { step } of steps)
    if (step.kind === 'leave') counts.set(stateText(step), (counts.get(stateText(step)) ?? 0) + 1);
  return counts.size === 0 ? '' : ` (${[...counts].map(([state, count]) => `${count} ${state}`).join(', ')})`;
}

function tellDone(
  { reopened, added, overtaken }: BackfillDone,
  steps: readonly PlannedStep[],
  wish: BackfillWish,
  { job }: Planned,
  maxActiveRuns: number,
  location: StoreLocation,
  io: Io,
): void {
  const left = steps.length - reopened - added - overtaken;
  const meanwhile = overtaken === 0 ? '' : `, ${overtaken} changed meanwhile`;
  io.stdout.write(
    `${reopened} to run again, ${added} for the first time, ${left} left alone${leftText(steps)}${meanwhile}\n`,
  );
  if (reopened + added === 0) {
    tellLeft(steps, wish, io);
    return;
  }
  const isLocked = job.options['concurrency-policy'] !== 'allow';
  const atOnce = isLocked || maxActiveRuns === 1 ? 'one at a time' : `${maxActiveRuns} at once`;
  io.stdout.write(`they run ${atOnce}, oldest first; ${whenStarted(location)}\n`);
  if (isLocked && maxActiveRuns > 1)
    io.stderr.write('more at once needs `concurrency-policy=allow`: the job runs one at a time\n');
}
