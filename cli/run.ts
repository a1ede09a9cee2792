import { randomUUID } from 'node:crypto';
import { constants } from 'node:os';
import {
  type CommandEnvironment,
  commandEnvironment,
  ENVIRONMENT_OPTIONS,
} from '../shared/adapters/command-environment.ts';
import {
  type Command,
  CommandError,
  type Invocation,
  type Io,
  OPTION,
  text,
  UsageError,
} from '../shared/adapters/command-line.ts';
import { currentOwner, currentUser, isAlive } from '../shared/adapters/host.ts';
import { limitSupport } from '../shared/adapters/limits.ts';
import { endLostCommands } from '../shared/adapters/lost-commands.ts';
import { openExistingStore, openStore, storeLocation } from '../shared/adapters/open-store.ts';
import { StreamingCommandRunner } from '../shared/adapters/process-runner.ts';
import { StoreError } from '../shared/adapters/store-error.ts';
import { SYSTEM_CLOCK } from '../shared/adapters/system-clock.ts';
import { type PlannedJob, planHash, type SchedulePlan, timetableOf } from '../shared/core/plan/plan.ts';
import { closeLost } from '../shared/core/run/close-lost.ts';
import { executeRun, GRACE_MS } from '../shared/core/run/execute-run.ts';
import { LEASE_MS, LeaseKeeper, LeaseWatch } from '../shared/core/run/lease.ts';
import { isMaskable, unmasked } from '../shared/core/run/mask.ts';
import { REASONS, type Reason, type Run } from '../shared/core/run/run.ts';
import { crontabOf, cutToMinute, jobIdOf, jobNameOf, manualRunId } from '../shared/core/run/run-id.ts';
import type { Finish, RunStore } from '../shared/core/run/run-store.ts';
import { nextDue } from '../shared/core/schedule/due.ts';
import { pickJob } from './find-job.ts';
import { Progress } from './progress.ts';
import { loadCrontabs } from './sources.ts';
import { findJob } from './stores.ts';

/** As timeout(1) and env(1) have them. */
const TIMED_OUT = 124;
const OUR_FAULT = 125;

/** How often the store is asked whether somebody wants the run to end. Milliseconds. */
const LOOK_EVERY_MS = 2000;

const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export const runCommand: Command = {
  name: 'run',
  summary: 'Run a job now, by hand, as the daemon would',
  examples: [
    ['kuber-cron run nightly-backup', 'a job of the crontab that the daemon runs'],
    ['kuber-cron run --crontab crontab/production nightly-backup', 'of a file, with or without a daemon'],
  ],
  operands: '[--crontab FILE] JOB',
  options: {
    crontab: { type: 'string', value: 'FILE', help: "crontab to take the job from (default: the daemon's)" },
    ...ENVIRONMENT_OPTIONS,
    zone: OPTION.zone,
    system: OPTION.system,
    store: OPTION.store,
  },
  notes: `Waits for the command and passes on its output. Exit code: the command's, or 128 and its signal; 124 timed out,
125 it was not run by a fault of ours or because another run of it is under way, 126 and 127 as of env(1), 2 wrong usage.`,

  async run(invocation, io) {
    const [name, ...rest] = invocation.operands;
    if (name === undefined || rest.length > 0)
      throw new UsageError('`run` wants one job; `kuber-cron jobs` lists them');
    try {
      return await runNamed(name, invocation, io);
    } catch (error) {
      if (!(error instanceof CommandError || error instanceof StoreError)) throw error;
      io.stderr.write(`kuber-cron: ${error.message}\n`);
      return OUR_FAULT;
    }
  },
};

interface Found {
  readonly plan: SchedulePlan;
  readonly job: PlannedJob;
}

async function runNamed(name: string, invocation: Invocation, io: Io): Promise<number> {
  const environment = commandEnvironment(invocation, io.env);
  const location = storeLocation(text(invocation, 'store'));
  const file = text(invocation, 'crontab');
  // Before a store is made: a file that cannot be run shall leave none behind.
  const ofCrontab = file === undefined ? undefined : await ofFile(file, name, invocation, io);
  const store = ofCrontab === undefined ? openExistingStore(location) : openStore(location);
  try {
    const found = ofCrontab ?? (await ofDaemon(store, name));
    const secrets = secretsOf(found.job, environment, io);
    sayUnlimited(found.job, io);
    const run = await claim(found, store);
    return await execute(run, found.job, store, { passed: environment.passed, secrets }, io);
  } finally {
    await store.close();
  }
}

async function ofDaemon(store: RunStore, name: string): Promise<Found> {
  const jobId = await findJob(store, name);
  const plan = (await store.activePlan(crontabOf(jobId)))?.plan;
  const job = plan?.jobs.find((one) => one.name === jobNameOf(jobId));
  if (plan === undefined || job === undefined)
    throw new CommandError(
      `\`${jobId}\` has a history, but no daemon runs it; \`--crontab FILE\` takes it from a file`,
    );
  return { plan, job };
}

async function ofFile(file: string, name: string, invocation: Invocation, io: Io): Promise<Found> {
  const { crontabs, hasErrors } = await loadCrontabs(invocation, io, {
    command: 'run',
    operands: [file],
    progress: new Progress(io),
    user: currentUser().name,
  });
  if (hasErrors && crontabs.length === 0) throw new CommandError(`\`${file}\` has errors`);
  const all = crontabs.flatMap(({ plan }) => plan.jobs.map((job) => ({ plan, job })));
  const idOf = ({ plan, job }: Found) => jobIdOf(plan.crontab, job.name);
  const jobId = pickJob(all.map(idOf), name);
  return all.find((one) => idOf(one) === jobId) as Found;
}

function secretsOf(job: PlannedJob, { secret }: CommandEnvironment, io: Io): Record<string, string> {
  const secrets: Record<string, string> = {};
  for (const name of job.options.secrets ?? []) {
    const value = secret(name);
    if (value === undefined)
      throw new CommandError(
        `there is no secret \`${name}\`: set the variable, or name a folder by \`--secrets\``,
      );
    if (!isMaskable(value)) io.stderr.write(`kuber-cron: ${unmasked(name)}\n`);
    secrets[name] = value;
  }
  return secrets;
}

/** Nobody shall count on a limit that is not there. */
function sayUnlimited({ options }: PlannedJob, io: Io): void {
  if (options.memory === undefined) return;
  const { memory, why } = limitSupport();
  if (!memory) io.stderr.write(`kuber-cron: \`memory\` is not enforced here: ${why}\n`);
}

/** @throws CommandError when another run is in the way */
async function claim({ plan, job }: Found, store: RunStore): Promise<Run> {
  const token = randomUUID();
  const now = Date.now();
  const jobId = jobIdOf(plan.crontab, job.name);
  await clearTheWay({ plan, job }, jobId, store);
  const result = await store.claim({
    jobId,
    runId: manualRunId(now, token),
    scheduledTime: cutToMinute(now),
    trigger: 'manual',
    planHash: planHash(plan),
    owner: currentOwner(token),
    concurrencyPolicy: job.options['concurrency-policy'] ?? 'forbid',
    at: now,
    leaseUntil: now + LEASE_MS,
  });
  if (result.outcome === 'won') return result.run;
  if (result.outcome === 'paused') throw new Error('a pause does not hold for a run by hand');
  const { run } = result;
  const reason = run.reason === undefined ? 'another process has this run' : REASONS[run.reason];
  throw new CommandError(`\`${job.name}\` was not started: ${reason} (${run.blockedBy ?? run.runId})`);
}

/** A process that was killed must not keep the job from running, and nothing of its command may run beside this one. */
async function clearTheWay({ plan, job }: Found, jobId: string, store: RunStore): Promise<void> {
  const ofJob = (await store.unfinished()).filter((run) => run.jobId === jobId);
  const lost = new LeaseWatch(SYSTEM_CLOCK).lost(ofJob, isAlive, () => false);
  if (lost.length === 0) return;
  await endLostCommands(
    lost.map(({ run }) => run),
    GRACE_MS,
  );
  const timetable = timetableOf(plan, job);
  const due = (after: number) => (timetable === undefined ? undefined : nextDue(timetable, after));
  for (const one of lost) {
    await closeLost(store, one, { job, nextDue: due, random: Math.random }, SYSTEM_CLOCK.now());
  }
}

async function execute(
  run: Run,
  job: PlannedJob,
  store: RunStore,
  variables: { readonly passed: Readonly<Record<string, string>>; readonly secrets: Record<string, string> },
  io: Io,
): Promise<number> {
  const stop = new AbortController();
  let signalled: (typeof STOP_SIGNALS)[number] | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    if (signalled !== undefined) return;
    signalled = signal as (typeof STOP_SIGNALS)[number];
    io.stderr.write(`kuber-cron: ending \`${job.name}\`; after ${GRACE_MS / 1000}s it is killed\n`);
    stop.abort('requested' satisfies Reason);
  };
  // Every time: a second signal must not end this process before the command, and its record, have ended.
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  // What commands write must be readable as cron leaves it.
  const umask = process.umask(0o022);
  const leases = new LeaseKeeper(store, SYSTEM_CLOCK, { lookEveryMs: LOOK_EVERY_MS });
  const letGo = leases.keep(run, (reason) => stop.abort(reason));
  try {
    const finish = await executeRun(
      run,
      job,
      {
        store,
        clock: SYSTEM_CLOCK,
        // A run by hand has no other attempt.
        ...{ random: Math.random, nextDue: () => undefined },
        commands: new StreamingCommandRunner((stream, output) => io[stream].write(output)),
      },
      {
        user: currentUser(),
        ...variables,
        stop: stop.signal,
        ending: stop.signal,
        onStoreError: (error) =>
          io.stderr.write(`kuber-cron: the store failed, trying again: ${(error as Error).message}\n`),
      },
    );
    if (finish === undefined)
      throw new CommandError(`\`${job.name}\` was not started: another process closed this run`);
    return exitCode(finish, signalled, io);
  } finally {
    letGo();
    process.umask(umask);
    for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
  }
}

function exitCode({ status, attempt }: Finish, signalled: NodeJS.Signals | undefined, io: Io): number {
  if (attempt?.error !== undefined) io.stderr.write(`kuber-cron: not started: ${attempt.error}\n`);
  if (status === 'timed-out') {
    io.stderr.write('kuber-cron: timed out\n');
    return TIMED_OUT;
  }
  // A command that was told to end did not succeed, whatever it returned.
  if (status === 'cancelled' && signalled !== undefined) return 128 + constants.signals[signalled];
  if (attempt?.exitCode !== undefined) return attempt.exitCode;
  const signal = attempt?.signal as NodeJS.Signals | undefined;
  if (signal === undefined) return OUR_FAULT;
  io.stderr.write(`kuber-cron: ended by ${signal}\n`);
  return 128 + constants.signals[signal];
}
