import {
  type Command,
  CommandError,
  EXIT,
  type Io,
  OPTION,
  UsageError,
} from '../shared/adapters/command-line.ts';
import { printable } from '../shared/core/diagnostic-text.ts';
import { REBOOT, timetableOf } from '../shared/core/plan/plan.ts';
import { crontabOf, jobNameOf } from '../shared/core/run/run-id.ts';
import type { RunStore } from '../shared/core/run/run-store.ts';
import { countDue } from '../shared/core/schedule/count-due.ts';
import { nextDue, type Timetable } from '../shared/core/schedule/due.ts';
import { type EpochMs, zonedText } from '../shared/core/schedule/zone-table.ts';
import { operator, pauseFacts, plannedJob, REASON_OPTION } from './operator.ts';
import { now } from './sources.ts';
import { findJob, withStore } from './stores.ts';
import { TIME_NOTE, timeOption, timeText, zoneOfJob } from './times.ts';

/** Instants that are listed one by one. */
const LISTED = 3;

export const pauseCommand: Command = {
  name: 'pause',
  summary: 'Start nothing of a job for a while',
  examples: [
    ['kuber-cron pause nightly-backup', 'until `kuber-cron resume nightly-backup`'],
    ['kuber-cron pause nightly-backup --until 2h', 'for two hours'],
    [
      "kuber-cron pause nightly-backup --until '2026-12-01 08:00' --reason 'disk is replaced'",
      'until a time',
    ],
  ],
  operands: 'JOB',
  options: {
    until: { type: 'string', value: 'TIME|DURATION', help: 'when it ends by itself (default: never)' },
    reason: REASON_OPTION,
    store: OPTION.store,
  },
  notes: `What falls due in the pause is left out, and not made up for afterwards; what runs goes on. A run by hand starts all the same.
${TIME_NOTE}
Exit code: 0 fine, 2 wrong usage, 3 there is no such job, it is paused already, or the store cannot be read.`,

  async run(invocation, io) {
    const [wanted, ...rest] = invocation.operands;
    if (wanted === undefined || rest.length > 0)
      throw new UsageError('`pause` wants one job; `kuber-cron jobs` lists them');
    return await withStore(invocation, async (store, location) => {
      const at = now(io);
      const jobId = await findJob(store, wanted);
      const { active, job } = await plannedJob(store, jobId, location);
      const zone = await zoneOfJob(store, jobId);
      const until = timeOption(invocation, 'until', { now: at, zone, day: 'first', isAhead: true });
      if (until !== undefined && until <= at)
        throw new UsageError(
          `\`--until\` must be in the future: ${timeText(zone, until)} is over, it is ${timeText(zone, at)} now`,
        );
      const asked = { jobId, from: at, ...operator(invocation), ...(until === undefined ? {} : { until }) };
      const pause = await store.pause(asked);
      if (pause.from !== at || pause.by !== asked.by)
        throw new CommandError(
          `\`${jobId}\` is paused already, ${pauseFacts(pause)}; nothing is changed: \`kuber-cron resume ${jobNameOf(jobId)}\` ends that pause`,
        );
      const end =
        until === undefined
          ? `until \`kuber-cron resume ${jobNameOf(jobId)}\``
          : `until ${timeText(zone, until)}`;
      io.stdout.write(
        `${jobId} is paused ${end}${asked.why === undefined ? '' : `: ${printable(asked.why)}`}\n`,
      );
      if (job.options.suspend !== undefined) io.stdout.write('the crontab suspends it anyway\n');
      else if (job.schedule === REBOOT) io.stdout.write('left out: its runs at a start\n');
      else io.stdout.write(`${leftOut(timetableOf(active.plan, job) as Timetable, at, until)}\n`);
      await tellOpenRuns(store, jobId, io);
      return EXIT.fine;
    });
  },
};

/** Which runs a pause leaves out. */
function leftOut(timetable: Timetable, from: EpochMs, until: EpochMs | undefined): string {
  const first: EpochMs[] = [];
  for (let last = from; first.length < LISTED; ) {
    const due = nextDue(timetable, last);
    if (due === undefined || (until !== undefined && due >= until)) break;
    first.push(due);
    last = due;
  }
  if (first.length === 0) return 'no run is due until then';
  const list = first.map((instant) => zonedText(timetable.zone, instant)).join(', ');
  if (until === undefined) return `left out: ${list} and all that follow`;
  const count = countDue(timetable, from, until - 1);
  const more = count - first.length;
  return `left out: ${count} ${count === 1 ? 'run' : 'runs'}, ${list}${more > 0 ? ` and ${more} more` : ''}`;
}

/** What the pause does to runs that are there already. */
async function tellOpenRuns(store: RunStore, jobId: string, io: Io): Promise<void> {
  for (const { runId } of (await store.unfinished()).filter((run) => run.jobId === jobId))
    io.stdout.write(
      `${runId} is under way and goes on; \`kuber-cron cancel ${jobNameOf(jobId)} '${runId}'\` ends it\n`,
    );
  const pending = (await store.pendingCounts(crontabOf(jobId))).get(jobId) ?? 0;
  const runs =
    pending === 1
      ? '1 run, which is closed if its time comes'
      : `${pending} runs, which are closed if their time comes`;
  if (pending > 0) io.stdout.write(`pending: ${runs} in the pause\n`);
}
