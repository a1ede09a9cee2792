import { type Command, CommandError, EXIT, OPTION, UsageError } from '../shared/adapters/command-line.ts';
import { printable } from '../shared/core/diagnostic-text.ts';
import { timetableOf } from '../shared/core/plan/plan.ts';
import { DueHistory } from '../shared/core/run/backfill.ts';
import { crontabOf, jobNameOf } from '../shared/core/run/run-id.ts';
import { nextDue } from '../shared/core/schedule/due.ts';
import { operator, pauseFacts, REASON_OPTION } from './operator.ts';
import { now } from './sources.ts';
import { findJob, withStore } from './stores.ts';
import { spanText } from './style.ts';
import { timeText } from './times.ts';

export const resumeCommand: Command = {
  name: 'resume',
  summary: 'End the pause of a job',
  examples: [
    ['kuber-cron resume nightly-backup', 'from the next due time on it runs again'],
    ["kuber-cron resume nightly-backup --reason 'disk is there'", 'with a word for the record'],
  ],
  operands: 'JOB',
  options: { reason: REASON_OPTION, store: OPTION.store },
  notes: `Starts nothing: what was left out stays so; \`kuber-cron backfill --unrecorded\` runs it.
Exit code: 0 fine, 2 wrong usage, 3 there is no such job, it is not paused, or the store cannot be read.`,

  async run(invocation, io) {
    const [wanted, ...rest] = invocation.operands;
    if (wanted === undefined || rest.length > 0)
      throw new UsageError('`resume` wants one job; `kuber-cron jobs` lists them, and which are paused');
    return await withStore(invocation, async (store) => {
      const at = now(io);
      const jobId = await findJob(store, wanted);
      const pause = await store.resume(jobId, { at, ...operator(invocation) });
      if (pause === undefined) throw new CommandError(`\`${jobId}\` is not paused; nothing is changed`);
      const { count } = new DueHistory(await store.schedules(jobId), pause.from, at - 1);
      const leftOut = `${count} ${count === 1 ? 'run was' : 'runs were'} left out`;
      io.stdout.write(`${jobId} is resumed; it was paused ${printable(pauseFacts(pause))}: ${leftOut}\n`);
      const plan = (await store.activePlan(crontabOf(jobId)))?.plan;
      const job = plan?.jobs.find(({ name }) => name === jobNameOf(jobId));
      const timetable = plan && job && timetableOf(plan, job);
      const next = timetable && job?.options.suspend === undefined ? nextDue(timetable, at) : undefined;
      if (timetable !== undefined && next !== undefined)
        io.stdout.write(`next run: ${timeText(timetable.zone, next)}, in ${spanText(next - at)}\n`);
      return EXIT.fine;
    });
  },
};
