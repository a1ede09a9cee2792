import { randomUUID } from 'node:crypto';
import { constants } from 'node:os';
import { commandEnvironment, ENVIRONMENT_OPTIONS } from '../shared/adapters/command-environment.ts';
import {
  type Command,
  CommandError,
  type Invocation,
  type Io,
  OPTION,
  text,
  UsageError,
} from '../shared/adapters/command-line.ts';
import { currentOwner, currentUser, machineZone } from '../shared/adapters/host.ts';
import { openExistingStore, openStore, storeLocation } from '../shared/adapters/open-store.ts';
import { StreamingCommandRunner } from '../shared/adapters/process-runner.ts';
import { SYSTEM_CLOCK } from '../shared/adapters/system-clock.ts';
import { DiagnosticRenderer } from '../shared/core/diagnostic-text.ts';
import { nearest } from '../shared/core/nearest.ts';
import { type PlannedJob, planCrontab, planHash, type SchedulePlan } from '../shared/core/plan/plan.ts';
import { executeRun } from '../shared/core/run/execute-run.ts';
import { REASONS, type Reason } from '../shared/core/run/run.ts';
import { crontabOf, cutToMinute, jobIdOf, jobNameOf, manualRunId } from '../shared/core/run/run-id.ts';
import type { Finish, RunStore } from '../shared/core/run/run-store.ts';
import { findJob } from './history.ts';
import { checkSource, readSources, zoneOption } from './sources.ts';
import { diagnosticPaint } from './style.ts';

/** As timeout(1) and env(1) have it. */
const OUR_FAULT = 125;
const TIMED_OUT = 124;

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
  notes: `Waits for the command and passes on its output. Exit code: the command's; 124 when it timed out, 125 when
kuber-cron could not run it (another run of it is under way, for instance), 126 and 127 as of env(1).`,

  async run(invocation, io) {
    const [name, ...rest] = invocation.operands;
    if (name === undefined || rest.length > 0)
      throw new UsageError('`run` wants one job; `kuber-cron jobs` lists them');
    const file = text(invocation, 'crontab');
    const location = storeLocation(text(invocation, 'store'));
    const store = file === undefined ? openExistingStore(location) : openStore(location);
    try {
      const found =
        file === undefined ? await ofDaemon(store, name) : await ofFile(file, name, invocation, io);
      return await runByHand(found.plan, found.job, store, invocation, io);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      io.stderr.write(`kuber-cron: ${error.message}\n`);
      return OUR_FAULT;
    } finally {
      await store.close();
    }
  },
};

interface Found {
  readonly plan: SchedulePlan;
  readonly job: PlannedJob;
}

async function ofDaemon(store: RunStore, name: string): Promise<Found> {
  const jobId = await findJob(store, name);
  const plan = (await store.activePlan(crontabOf(jobId)))?.plan;
  const job = plan?.jobs.find((one) => one.name === jobNameOf(jobId));
  if (plan === undefined || job === undefined)
    throw new CommandError(`\`${jobId}\` has a history, but is no longer in the crontab`);
  return { plan, job };
}

async function ofFile(file: string, name: string, invocation: Invocation, io: Io): Promise<Found> {
  for await (const source of readSources([file], io)) {
    const checked = checkSource(source, invocation, Date.now());
    if (checked.diagnostics.hasErrors) {
      const renderer = new DiagnosticRenderer(source.path, checked.text, diagnosticPaint(io.stderr, io.env));
      for (const one of checked.diagnostics.list)
        if (one.severity === 'error') io.stderr.write(`${renderer.text(one)}\n\n`);
      throw new CommandError(`\`${file}\` has errors`);
    }
    const plan = planCrontab(checked, {
      crontab: source.name,
      zone: zoneOption(invocation) ?? machineZone(),
    });
    const job = plan.jobs.find((one) => one.name === name || jobIdOf(source.name, one.name) === name);
    if (job !== undefined) return { plan, job };
    const near = nearest(
      name,
      plan.jobs.map((one) => one.name),
    );
    throw new CommandError(
      `\`${file}\` has no job \`${name}\`${near === undefined ? '' : `; did you mean \`${near}\`?`}`,
    );
  }
  throw new CommandError(`\`${file}\` is a folder without crontabs`);
}

async function runByHand(
  plan: SchedulePlan,
  job: PlannedJob,
  store: RunStore,
  invocation: Invocation,
  io: Io,
): Promise<number> {
  const { passed, secret } = commandEnvironment(invocation, io.env);
  const secrets: Record<string, string> = {};
  for (const name of job.options.secrets ?? []) {
    const value = secret(name);
    if (value === undefined)
      throw new CommandError(
        `there is no secret \`${name}\`: set the variable, or name a folder by \`--secrets\``,
      );
    secrets[name] = value;
  }
  const token = randomUUID();
  const now = Date.now();
  const { outcome, run } = await store.claim({
    jobId: jobIdOf(plan.crontab, job.name),
    runId: manualRunId(now, token),
    scheduledTime: cutToMinute(now),
    trigger: 'manual',
    planHash: planHash(plan),
    owner: currentOwner(token),
    concurrencyPolicy: job.options['concurrency-policy'] ?? 'forbid',
    at: now,
  });
  if (outcome !== 'won') {
    throw new CommandError(
      `\`${job.name}\` was not started: ${run.reason === undefined ? 'another process has this run' : REASONS[run.reason]} (${run.blockedBy ?? run.runId})`,
    );
  }
  const stop = new AbortController();
  const onSignal = () => stop.abort('requested' satisfies Reason);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, onSignal);
  process.umask(0o022);
  try {
    const commands = new StreamingCommandRunner((stream, output) => io[stream].write(output));
    const finish = await executeRun(
      run,
      job,
      { store, clock: SYSTEM_CLOCK, commands },
      {
        user: currentUser(),
        passed,
        secrets,
        stop: stop.signal,
        onStoreError: (error) =>
          io.stderr.write(`kuber-cron: the store failed, trying again: ${(error as Error).message}\n`),
      },
    );
    return finish === undefined ? OUR_FAULT : exitCode(finish, io);
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, onSignal);
  }
}

function exitCode({ status, reason, attempt }: Finish, io: Io): number {
  if (attempt?.error !== undefined) io.stderr.write(`kuber-cron: not started: ${attempt.error}\n`);
  if (status === 'timed-out') {
    io.stderr.write('kuber-cron: timed out\n');
    return TIMED_OUT;
  }
  if (attempt?.exitCode !== undefined) return attempt.exitCode;
  const signal = attempt?.signal as keyof typeof constants.signals | undefined;
  if (reason !== 'requested' && signal !== undefined) io.stderr.write(`kuber-cron: ended by ${signal}\n`);
  return 128 + (signal === undefined ? 0 : constants.signals[signal]);
}
