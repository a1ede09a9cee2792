import type { PlannedJob } from '../plan/plan.ts';
import type { Clock, CommandEnd, CommandRunner, CommandSpec } from './ports.ts';
import type { Attempt, FinalStatus, Reason, Run } from './run.ts';
import { scheduledTimeText } from './run-id.ts';
import type { Finish, RunStore } from './run-store.ts';

/** Between TERM and KILL. Milliseconds. */
export const GRACE_MS = 10_000;

/** What cron gives every command: the user that the commands run as. */
export interface CommandUser {
  readonly name: string;
  readonly home: string;
}

export interface ExecutePorts {
  readonly store: Pick<RunStore, 'start' | 'finish'>;
  readonly clock: Clock;
  readonly commands: CommandRunner;
}

export interface ExecuteOptions {
  readonly user: CommandUser;
  /** Variables that pass from the executor to every command, by `--pass-env`. */
  readonly passed: Readonly<Record<string, string>>;
  /** Values of the job's `secrets=`. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Aborted when the command shall end: TERM, grace, KILL; its `reason` is the run's reason. */
  readonly stop: AbortSignal;
  readonly onStart?: (attempt: Attempt) => void;
  /** Told of each write that failed and is tried again. */
  readonly onStoreError?: (error: unknown) => void;
}

/**
 * Runs the command of a claimed run to its end and records it. A failing command is a result, not a throw.
 *
 * A store that fails is asked again until it answers.
 *
 * @returns what was recorded; undefined when the run was no longer ours before it started
 */
export async function executeRun(
  run: Run,
  job: PlannedJob,
  ports: ExecutePorts,
  options: ExecuteOptions,
): Promise<Finish | undefined> {
  const { store, clock, commands } = ports;
  const token = run.owner?.token;
  if (token === undefined) throw new Error(`run ${run.runId} is not claimed`);
  const attempt: Attempt = { number: run.attempts.length + 1, startedAt: clock.now() };
  const isOurs = await persist(() => store.start(run.jobId, run.runId, token, attempt), clock, options);
  if (!isOurs) return undefined;

  const command = commands.start(commandSpec(run, job, attempt.number, options));
  options.onStart?.(attempt);
  const stopped = await supervise(command, job, clock, options.stop);
  const end = await command.ended;
  const finish = finishOf(run, job, attempt, end, stopped, clock);
  await persist(() => store.finish(finish), clock, options);
  return finish;
}

/** Waits between tries of a write: the first, and the longest. Milliseconds. */
const RETRY_WRITE_MS = { first: 250, longest: 30_000 };

/** A write that must not be given up: the token makes a repetition harmless when the first one did arrive. */
async function persist<T>(
  write: () => Promise<T>,
  clock: Clock,
  { onStoreError }: Pick<ExecuteOptions, 'onStoreError'>,
): Promise<T> {
  for (let wait = RETRY_WRITE_MS.first; ; wait = Math.min(wait * 2, RETRY_WRITE_MS.longest)) {
    try {
      return await write();
    } catch (error) {
      onStoreError?.(error);
      await clock.sleep(wait);
    }
  }
}

/** Ends the command when its time is over or somebody asks. @returns why it was ended, if it was */
async function supervise(
  command: ReturnType<CommandRunner['start']>,
  job: PlannedJob,
  clock: Clock,
  stop: AbortSignal,
): Promise<Reason | undefined> {
  const { timeout } = job.options;
  const over = new AbortController();
  const ended = command.ended.then(() => undefined);
  const limit =
    timeout === undefined ? [] : [clock.sleep(timeout, over.signal).then((): Reason => 'timeout')];
  const reason = await Promise.race([ended, ...limit, aborted(stop, over.signal)]);
  if (reason !== undefined) {
    command.kill('SIGTERM');
    await Promise.race([ended, clock.sleep(GRACE_MS, over.signal)]);
    command.kill('SIGKILL');
  }
  over.abort();
  return reason;
}

/** The reason of an abort; never resolves after `over`. */
function aborted(stop: AbortSignal, over: AbortSignal): Promise<Reason> {
  return new Promise((resolve) => {
    if (stop.aborted) resolve(stop.reason as Reason);
    else stop.addEventListener('abort', () => resolve(stop.reason as Reason), { once: true, signal: over });
  });
}

function finishOf(
  run: Run,
  job: PlannedJob,
  attempt: Attempt,
  end: CommandEnd,
  stopped: Reason | undefined,
  clock: Clock,
): Finish {
  const at = clock.now();
  const [status, reason] = verdict(end, job, stopped);
  const finished: Attempt = {
    ...attempt,
    finishedAt: at,
    status,
    ...(reason === undefined ? {} : { reason }),
    ...(end.kind === 'signalled' ? { signal: end.signal } : { exitCode: end.exitCode }),
    ...(end.kind === 'not-started' ? { error: end.error } : {}),
  };
  return {
    jobId: run.jobId,
    runId: run.runId,
    token: run.owner?.token as string,
    status,
    ...(reason === undefined ? {} : { reason }),
    attempt: finished,
    ...(end.kind === 'not-started' || end.output === undefined ? {} : { output: end.output }),
    at,
  };
}

function verdict(end: CommandEnd, job: PlannedJob, stopped: Reason | undefined): [FinalStatus, Reason?] {
  if (stopped !== undefined) return [stopped === 'timeout' ? 'timed-out' : 'cancelled', stopped];
  if (end.kind === 'not-started') return ['failed', 'not-started'];
  if (end.kind === 'signalled') return ['failed', 'signal'];
  const successes = job.options['success-exit-codes'] ?? [0];
  return successes.includes(end.exitCode) ? ['succeeded'] : ['failed', 'exit-code'];
}

/** Debian's cron gives this to a command that sets no PATH. */
const DEFAULT_PATH = '/usr/bin:/bin';

/** Everything that a command sees; the same on every target. @see docs/crontab-format.md */
export function commandSpec(
  run: Run,
  job: PlannedJob,
  attemptNumber: number,
  { user, passed, secrets }: Pick<ExecuteOptions, 'user' | 'passed' | 'secrets'>,
): CommandSpec {
  const environment: Record<string, string> = {
    HOME: user.home,
    PATH: DEFAULT_PATH,
    SHELL: '/bin/sh',
    ...passed,
    ...job.environment,
    ...secrets,
    LOGNAME: user.name,
    USER: user.name,
    KUBERCRON_JOB: job.name,
    KUBERCRON_RUN_ID: `${run.jobId}/${run.runId}`,
    KUBERCRON_SCHEDULED_TIME: scheduledTimeText(run.scheduledTime),
    KUBERCRON_ATTEMPT: String(attemptNumber),
    KUBERCRON_TRIGGER: run.trigger,
  };
  return {
    shell: environment.SHELL as string,
    command: job.command,
    ...(job.stdin === undefined ? {} : { stdin: job.stdin }),
    environment,
    directory: environment.HOME as string,
    masked: Object.values(secrets),
  };
}
