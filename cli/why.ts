import { type Command, EXIT, OPTION, text, UsageError } from '../shared/adapters/command-line.ts';
import type { StoreLocation } from '../shared/adapters/open-store.ts';
import type { Run } from '../shared/core/run/run.ts';
import { crontabOf, cutToMinute, dueRunId, jobNameOf } from '../shared/core/run/run-id.ts';
import type { RunStore } from '../shared/core/run/run-store.ts';
import { readTime } from '../shared/core/run/time-text.ts';
import { explainInstant } from '../shared/core/run/why.ts';
import { type EpochMs, MINUTE_MS, type ZoneTable, zonedText } from '../shared/core/schedule/zone-table.ts';
import { targetOf } from './operator.ts';
import { now } from './sources.ts';
import { findJob, withStore } from './stores.ts';
import { TIME_NOTE, zoneOfJob } from './times.ts';
import { type Answer, answerJson, answerText } from './why-text.ts';

/** Runs by hand around a minute that are looked through. */
const MOST_BESIDE = 20;

export const whyCommand: Command = {
  name: 'why',
  summary: 'Say what happened at a time, or will, and which rule decided',
  examples: [
    ['kuber-cron why nightly-backup yesterday 03:30', 'a time of the zone of the job'],
    ['kuber-cron why nightly-backup 2026-03-29T01:30Z', 'an instant'],
    ['kuber-cron why nightly-backup in 2h', 'what is to come'],
    ['kuber-cron why --format json nightly-backup 03:30', 'for machines'],
  ],
  operands: 'JOB TIME',
  options: { store: OPTION.store, format: OPTION.format(['text', 'json']) },
  notes: `${TIME_NOTE}
Exit code: 0 fine, 2 wrong usage, 3 there is no such job, or no store that can be read.`,

  async run(invocation, io) {
    const [wanted, ...words] = invocation.operands;
    if (wanted === undefined || words.length === 0)
      throw new UsageError(
        '`why` wants a job and a time, such as `kuber-cron why nightly-backup yesterday 03:30`',
      );
    return await withStore(invocation, async (store, location) => {
      const jobId = await findJob(store, wanted);
      const zone = await zoneOfJob(store, jobId);
      const { instants, note } = wantedInstants(words.join(' '), zone, now(io));
      const answers: Answer[] = [];
      for (const instant of instants)
        answers.push({ jobId, zone, ...note, ...(await explain(store, jobId, instant, now(io), location)) });
      if (text(invocation, 'format') === 'json')
        io.stdout.write(`${JSON.stringify({ answers: answers.map(answerJson) }, null, 2)}\n`);
      else io.stdout.write(answers.map((answer) => answerText(answer, io)).join('\n'));
      return EXIT.fine;
    });
  },
};

/** The minutes that a person means: two where the clocks show it twice. @throws UsageError */
function wantedInstants(
  value: string,
  zone: ZoneTable,
  at: EpochMs,
): { readonly instants: readonly EpochMs[]; readonly note: { readonly note?: string } } {
  const read = readTime(value, { now: at, zone });
  switch (read.kind) {
    case 'instant':
      return { instants: [cutToMinute(read.instant)], note: {} };
    case 'repeated':
      return { instants: read.instants, note: { note: `${read.wall} comes twice in ${zone.zone}` } };
    case 'skipped': {
      const note = `${read.wall} does not exist in ${zone.zone}: the clocks go forward to ${zonedText(zone, read.instant).slice(11, 16)}`;
      return { instants: [read.instant], note: { note } };
    }
    case 'no-time':
      throw new UsageError(`a time is ${read.allowed}; got \`${value}\``);
  }
}

/** Everything that the store knows about a minute; the number of reads does not grow with history. */
async function explain(
  store: RunStore,
  jobId: string,
  instant: EpochMs,
  at: EpochMs,
  location: StoreLocation,
): Promise<Pick<Answer, 'explanation' | 'byHand'>> {
  const crontab = crontabOf(jobId);
  const [schedules, pauses, run, span, cursor, active, byHand] = await Promise.all([
    store.schedules(jobId),
    store.pauses(jobId),
    store.run(jobId, dueRunId(instant)),
    store.spanAt(jobId, instant),
    store.cursor(crontab),
    store.activePlan(crontab),
    startedByHand(store, jobId, instant),
  ]);
  const blocking = run?.blockedBy === undefined ? undefined : await store.run(jobId, run.blockedBy);
  const job = active?.plan.jobs.find(({ name }) => name === jobNameOf(jobId));
  const facts = {
    instant,
    now: at,
    schedules,
    pauses,
    run,
    span,
    blocking,
    cursor,
    job,
    planHash: active?.hash,
    target: job && targetOf(job, location),
  };
  return { explanation: explainInstant(facts), byHand };
}

/** Runs by hand of a minute: where a page of history that begins behind the minute shows them. */
async function startedByHand(store: RunStore, jobId: string, instant: EpochMs): Promise<readonly Run[]> {
  const behind: Run = {
    ...{ jobId, runId: '', scheduledTime: instant, trigger: 'manual', status: 'pending', planHash: '' },
    ...{ createdAt: instant + MINUTE_MS, attempts: [] },
  };
  const runs = await store.runs({ jobId, limit: MOST_BESIDE, before: behind });
  return runs.filter(({ trigger, scheduledTime }) => trigger === 'manual' && scheduledTime === instant);
}
