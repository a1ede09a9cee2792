import { writeFileSync } from 'node:fs';
import type { SchedulePlan } from '../../shared/core/plan/plan.ts';
import { REBOOT } from '../../shared/core/plan/plan.ts';
import { isFinal } from '../../shared/core/run/run.ts';
import { jobIdOf } from '../../shared/core/run/run-id.ts';
import { debianStarts } from './debian-cron.ts';
import { type FaultDaemon, type FaultHome, waitFor } from './fault-home.ts';
import { type Evidence, judge, rowText } from './fault-judge.ts';

/** Rows and lines of a story, each kind: enough to see what happened, not all that there is. */
const MOST_WITNESSES = 12;
const MOST_STORIES = 5;
const MINUTE = 60_000;

/**
 * Lets the last daemon of a home work for some minutes of its clock, then takes all jobs out of the crontab and waits
 * until every run is over and every process gone.
 *
 * @returns until when the jobs were in force
 */
export async function endQuietly(home: FaultHome, daemon: FaultDaemon, rate: number): Promise<number> {
  await daemon.event('crontab-loaded');
  const begin = await cursorOf(home);
  await waitFor(
    'five minutes after the last start',
    async () => ((await cursorOf(home)) >= begin + (rate === 1 ? 1 : 5) * MINUTE ? true : undefined),
    120_000,
  );
  writeFileSync(home.crontab, '');
  await daemon.event('crontab-loaded', 2);
  let open: string[] = [];
  const isQuiet = async () => {
    const { runs } = await home.history();
    open = [...runs.filter(({ status }) => !isFinal(status)).map(rowText), ...home.processes()];
    return open.length === 0 ? true : undefined;
  };
  // What is left open is for the judge to say.
  await waitFor('a quiet end', isQuiet).catch(() => {});
  const code = await daemon.signal('SIGTERM');
  if (code !== 0) throw new Error(`the daemon ended with ${code}:\n${daemon.errors}`);
  const last = await home.read((store) => store.activePlan('shop'));
  if (last === undefined) throw new Error('no plan is in force');
  return last.since;
}

async function cursorOf(home: FaultHome): Promise<number> {
  return (await home.read((store) => store.cursor('shop'))) ?? 0;
}

/** What there is to judge when a plan was in force in (since, until]; due instants are those of Debian's cron. */
export async function evidenceOf(
  home: FaultHome,
  plan: SchedulePlan,
  since: number,
  until: number,
): Promise<Evidence> {
  const { runs, states } = await home.history();
  const due = new Map<string, readonly number[]>();
  const attempts = new Map<string, number>();
  const timeouts = new Map<string, number>();
  for (const { name, schedule, zone, options } of plan.jobs) {
    const jobId = jobIdOf(plan.crontab, name);
    attempts.set(jobId, 1 + (options.retries ?? 0));
    if (options.timeout !== undefined) timeouts.set(jobId, options.timeout);
    if (schedule === REBOOT || options.suspend !== undefined) continue;
    const from = Math.floor(since / MINUTE) * MINUTE + MINUTE;
    due.set(jobId, debianStarts(schedule, zone, from, Math.floor(until / MINUTE) * MINUTE + MINUTE));
  }
  return { runs, states, journal: home.journal(), due, attempts, timeouts };
}

/** What there is against the promises: the first problems each with its story, and how many more there are. */
export function stories(home: FaultHome, evidence: Evidence): string[] {
  const problems = judge(evidence);
  const told = problems.slice(0, MOST_STORIES).map((problem) => story(home, evidence, problem));
  const more = problems.slice(MOST_STORIES);
  return more.length === 0 ? told : [...told, `and ${more.length} more`, ...more.slice(0, MOST_WITNESSES)];
}

/** A problem with the rows, journal lines and log lines around it. */
function story(home: FaultHome, { runs, journal }: Evidence, problem: string): string {
  const [job = ''] = /shop\/job-\d+/.exec(problem) ?? [];
  const [time] = /\d{4}-\d\d-\d\dT\d\d:\d\dZ/.exec(problem) ?? [];
  const word = time ?? job;
  const some = (lines: readonly string[]) => lines.slice(0, MOST_WITNESSES).map((line) => `    ${line}`);
  const rows = runs.filter(
    ({ jobId, runId }) => jobId === job && (time === undefined || runId.includes(time)),
  );
  const lines = journal.filter(({ run }) => run.startsWith(`${job}/`) && run.includes(time ?? ''));
  return [
    problem,
    ...some(rows.map(rowText)),
    ...some(lines.map((line) => `journal ${Object.values(line).join(' ')}`)),
    ...some(home.logged(word).filter((line) => line.includes(job.replace('shop/', '')))),
  ].join('\n');
}
