import { hostname } from 'node:os';
import { CommandError, type Invocation, type Io, text } from '../shared/adapters/command-line.ts';
import { currentUser } from '../shared/adapters/host.ts';
import { hasDaemon, type StoreLocation } from '../shared/adapters/open-store.ts';
import type { Target } from '../shared/core/crontab/options.ts';
import { type PlannedJob, runsOn } from '../shared/core/plan/plan.ts';
import type { PauseInterval } from '../shared/core/run/pause.ts';
import type { OperatorRequest } from '../shared/core/run/run.ts';
import { crontabOf, jobNameOf } from '../shared/core/run/run-id.ts';
import type { ActivePlan, RunStore } from '../shared/core/run/run-store.ts';
import type { EpochMs } from '../shared/core/schedule/zone-table.ts';
import { now } from './sources.ts';
import { spanText } from './style.ts';

/** How often a daemon looks for what was put into its store. Milliseconds. */
const TAKEN_UP_WITHIN_MS = 15_000;

export const REASON_OPTION = {
  type: 'string',
  value: 'TEXT',
  help: 'why, in your words; kept with the record',
} as const;

/** Longer is no reason but a report. UTF-16 units. */
const LONGEST_REASON = 500;

/** Who asks, and why: what is kept of an operator's act. */
export function operator(invocation: Invocation): Pick<OperatorRequest, 'by' | 'why'> {
  const why = text(invocation, 'reason')?.trim().slice(0, LONGEST_REASON);
  return { by: `${currentUser().name}@${hostname()}`, ...(why === undefined || why === '' ? {} : { why }) };
}

/** What a person asks of a run now. */
export function requestOf(verb: OperatorRequest['verb'], invocation: Invocation, io: Io): OperatorRequest {
  return { verb, at: now(io), ...operator(invocation) };
}

/** What starts the runs of a store, in a word: a table can be that of a deployment to AWS, or of daemons. */
export function starterOf({ table }: StoreLocation): string {
  return table === undefined ? 'daemon' : 'watchdog or daemon';
}

/** The target as which the runs of a job are started from a store; undefined for one that is meant for others only. */
export function targetOf(job: PlannedJob, { table }: StoreLocation): Target | undefined {
  if (runsOn(job, 'daemon')) return 'daemon';
  return table !== undefined && runsOn(job, 'aws') ? 'aws' : undefined;
}

/** A job of a plan in force. */
export interface Planned {
  readonly active: ActivePlan;
  readonly job: PlannedJob;
}

/** The job as its crontab has it now. @throws CommandError when it is in none that is in force */
export async function plannedJob(store: RunStore, jobId: string, location: StoreLocation): Promise<Planned> {
  const active = await store.activePlan(crontabOf(jobId));
  const job = active?.plan.jobs.find(({ name }) => name === jobNameOf(jobId));
  if (active === undefined || job === undefined)
    throw new CommandError(
      `\`${jobId}\` has a history, but it is in no crontab that a ${starterOf(location)} runs`,
    );
  return { active, job };
}

/** The job, when a run that is asked for would be started. @throws CommandError with what is in the way */
export async function startableJob(
  store: RunStore,
  jobId: string,
  at: EpochMs,
  location: StoreLocation,
): Promise<Planned & { readonly target: Target }> {
  const planned = await plannedJob(store, jobId, location);
  const { suspend } = planned.job.options;
  if (suspend !== undefined)
    throw new CommandError(
      `the crontab suspends \`${jobId}\`${suspend === true ? '' : ` (${suspend})`}: nothing of it is started; take \`suspend\` out first`,
    );
  const target = targetOf(planned.job, location);
  if (target === undefined)
    throw new CommandError(`\`${jobId}\` is meant for other targets: no ${starterOf(location)} starts it`);
  const pause = await pauseOf(store, jobId, at);
  if (pause !== undefined)
    throw new CommandError(
      `\`${jobId}\` is paused ${pauseFacts(pause)}: nothing of it is started; \`kuber-cron resume ${jobNameOf(jobId)}\` ends that`,
    );
  return { ...planned, target };
}

/** The pause of a job that is in force. */
export async function pauseOf(
  store: RunStore,
  jobId: string,
  at: EpochMs,
): Promise<PauseInterval | undefined> {
  return (await store.pausesAt(crontabOf(jobId), at)).find((pause) => pause.jobId === jobId);
}

/** Who paused, since when, until when and why. Times are UTC. */
export function pauseFacts({ from, until, by, why }: PauseInterval): string {
  const end = until === undefined ? '' : ` until ${utcText(until)}`;
  return `by ${by} since ${utcText(from)}${end}${why === undefined ? '' : ` (${why})`}`;
}

/** An instant to the second, in UTC: `2026-03-29T01:30:00Z`. */
export function utcText(instant: EpochMs): string {
  return `${new Date(instant).toISOString().slice(0, 19)}Z`;
}

/** When a run that was put into the store is started. */
export function whenStarted(location: StoreLocation): string {
  switch (hasDaemon(location)) {
    case true:
      return `the daemon looks within ${spanText(TAKEN_UP_WITHIN_MS)}`;
    case false:
      return 'no daemon works on this store: nothing starts until one does';
    case undefined:
      if (location.table !== undefined)
        return `the watchdog of the deployment looks each minute, a daemon that works on this table within ${spanText(TAKEN_UP_WITHIN_MS)}`;
      return `a daemon that works on this store looks within ${spanText(TAKEN_UP_WITHIN_MS)}`;
  }
}
