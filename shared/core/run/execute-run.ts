import { sha256Hex } from '../hash.ts';
import type { PlannedJob } from '../plan/plan.ts';
import type {
  Clock,
  CommandEnd,
  CommandLimits,
  CommandRunner,
  CommandSpec,
  RunningCommand,
} from './ports.ts';
import { type RetryPorts, retryOf } from './retry.ts';
import type { Attempt, FinalStatus, Reason, Run } from './run.ts';
import { scheduledTimeText } from './run-id.ts';
import type { Finish, RunStore } from './run-store.ts';

/** Between TERM and KILL. Milliseconds. */
export const GRACE_MS = 10_000;
/** How often is looked whether a group that got TERM is gone. Milliseconds. */
const GROUP_CHECK_MS = 100;
/** How long a store that fails is asked to take an end when the executor shall stop. Milliseconds. */
const LAST_TRIES_MS = 5_000;

/** What cron gives every command: the user that the commands run as. */
export interface CommandUser {
  readonly name: string;
  readonly home: string;
}

export interface ExecutePorts extends RetryPorts {
  readonly store: Pick<RunStore, 'start' | 'finish'>;
  readonly clock: Clock;
  readonly commands: CommandRunner;
  /** Where the end of a run is kept while the store does not take it. */
  readonly spool?: Spool | undefined;
}

/** Keeps ends of runs over the end of the process. Its calls may throw; the end is then kept in memory alone. */
export interface Spool {
  put(finish: Finish): void;
  remove(finish: Finish): void;
}

export interface ExecuteOptions {
  readonly user: CommandUser;
  /** Variables that pass from the executor to every command, by `--pass-env`. */
  readonly passed: Readonly<Record<string, string>>;
  /** Values of the job's `secrets=`. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Aborted when the command shall end: TERM, grace, KILL; its `reason` is the run's reason. */
  readonly stop: AbortSignal;
  /** Aborted when the executor itself ends: a store that fails is then asked for some seconds only. */
  readonly ending: AbortSignal;
  /** Longest run that the platform allows; the job's own `timeout` may be shorter. Milliseconds. */
  readonly limitMs?: number;
  /** Who is told of a failure; nobody where left out. */
  readonly channel?: string | undefined;
  readonly onStart?: (attempt: Attempt) => void;
  /** Told once when the command runs for longer than its `slow-after`. */
  readonly onSlow?: () => void;
  /** Told of each write that failed and is tried again. */
  readonly onStoreError?: (error: unknown) => void;
}

/**
 * Runs the command of a run that is claimed, or was started by its claim, to its end and records it. A failing command is a result, not a throw.
 *
 * A store that fails is asked again until it answers. When `stop` or `ending` is aborted, a run that is not started yet
 * stays claimed.
 *
 * @returns what was recorded; undefined when the run was no longer ours, or stopped, before it started
 * @throws what the store said last, when it did not take the end of the run for some seconds after `ending`
 */
export async function executeRun(
  run: Run,
  job: PlannedJob,
  ports: ExecutePorts,
  options: ExecuteOptions,
): Promise<Finish | undefined> {
  const { clock, commands } = ports;
  const token = run.owner?.token;
  if (token === undefined) throw new Error(`run ${run.runId} is not claimed`);
  // One whose claim started it is running already.
  const number = run.status === 'running' ? run.attempts.length : run.attempts.length + 1;
  if (run.status === 'claimed' && !(await begin(run, token, number, ports, options))) return undefined;

  // Not before: a store that was asked for long makes a start late, and that must show.
  const attempt: Attempt = { number, startedAt: clock.now() };
  const command = startCommand(commands, commandSpec(run, job, number, options));
  options.onStart?.(attempt);
  const stopped = await supervise(command, job, clock, options);
  const end = await command.ended;
  const finish = finishOf(run, job, attempt, end, stopped, ports, options.channel);
  await record(finish, ports, options);
  return finish;
}

/** @returns false when the run is no longer ours, or shall stop before it is known whether it is */
function begin(
  { jobId, runId }: Run,
  token: string,
  number: number,
  { store, clock }: ExecutePorts,
  { stop, ending, onStoreError }: ExecuteOptions,
): Promise<boolean> {
  const attempt: Attempt = { number, startedAt: clock.now() };
  const start = () => store.start(jobId, runId, token, attempt);
  const giveUp = AbortSignal.any([stop, ending]);
  return persist(start, clock, { onStoreError, giveUp }, 0).catch(() => false);
}

/** Puts the end into the store; while that fails, it is on the disk as well. */
async function record(
  finish: Finish,
  { store, clock, spool }: ExecutePorts,
  options: ExecuteOptions,
): Promise<void> {
  let isSpooled = false;
  const onStoreError = (error: unknown) => {
    options.onStoreError?.(error);
    if (isSpooled) return;
    try {
      spool?.put(finish);
      isSpooled = true;
    } catch (problem) {
      options.onStoreError?.(problem);
    }
  };
  await persist(() => store.finish(finish), clock, { onStoreError, giveUp: options.ending }, LAST_TRIES_MS);
  if (isSpooled) spool?.remove(finish);
}

/** A runner that throws would leave a run that never ends. */
function startCommand(commands: CommandRunner, spec: CommandSpec): RunningCommand {
  try {
    return commands.start(spec);
  } catch (error) {
    const end = { kind: 'not-started', exitCode: 125, error: String(error) } as const;
    return { ended: Promise.resolve(end), kill: () => {}, isGroupLeft: () => false };
  }
}

/** Waits between tries of a write: the first, and the longest. Milliseconds. */
const RETRY_WRITE_MS = { first: 250, longest: 30_000 };

/**
 * A write that must not be given up: the token makes a repetition harmless when the first one did arrive.
 *
 * @param patienceMs how long it is still tried after `giveUp`
 * @throws the last error when that is over
 */
async function persist<T>(
  write: () => Promise<T>,
  clock: Clock,
  { onStoreError, giveUp }: Pick<ExecuteOptions, 'onStoreError'> & { readonly giveUp: AbortSignal },
  patienceMs: number,
): Promise<T> {
  let stoppedAt: number | undefined;
  for (let wait = RETRY_WRITE_MS.first; ; wait = Math.min(wait * 2, RETRY_WRITE_MS.longest)) {
    try {
      return await write();
    } catch (error) {
      onStoreError?.(error);
      if (giveUp.aborted) {
        stoppedAt ??= clock.monotonic();
        if (clock.monotonic() - stoppedAt >= patienceMs) throw error;
        await clock.sleep(RETRY_WRITE_MS.first);
      } else await clock.sleep(wait, giveUp);
    }
  }
}

/** Ends the command when its time is over or somebody asks. @returns why it was ended, if it was */
async function supervise(
  command: RunningCommand,
  job: PlannedJob,
  clock: Clock,
  { stop, onSlow, limitMs }: Pick<ExecuteOptions, 'stop' | 'onSlow' | 'limitMs'>,
): Promise<Reason | undefined> {
  const { timeout: said, 'slow-after': slowAfter } = job.options;
  const timeout = said === undefined || limitMs === undefined ? (said ?? limitMs) : Math.min(said, limitMs);
  const over = new AbortController();
  const ended = command.ended.then(() => undefined);
  if (slowAfter !== undefined && onSlow !== undefined) {
    void clock.sleep(slowAfter, over.signal).then(() => over.signal.aborted || onSlow());
  }
  const limit =
    timeout === undefined ? [] : [clock.sleep(timeout, over.signal).then((): Reason => 'timeout')];
  const reason = await Promise.race([ended, ...limit, aborted(stop, over.signal)]);
  if (reason !== undefined) {
    command.kill('SIGTERM');
    const grace = clock.monotonic() + GRACE_MS;
    await Promise.race([ended, clock.sleep(GRACE_MS, over.signal)]);
    // The shell most often goes at once; what it started has the same time to tidy up.
    while (command.isGroupLeft() && clock.monotonic() < grace) await clock.sleep(GROUP_CHECK_MS);
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
  ports: ExecutePorts,
  channel: string | undefined,
): Finish {
  const at = ports.clock.now();
  const [status, reason] = verdict(end, job, stopped);
  const finished: Attempt = {
    ...attempt,
    finishedAt: at,
    status,
    ...(reason === undefined ? {} : { reason }),
    ...(end.kind === 'signalled' ? { signal: end.signal } : { exitCode: end.exitCode }),
    ...(end.kind === 'not-started' ? { error: end.error } : {}),
  };
  const retry = retryOf(run, job, { number: attempt.number, status, reason }, at, ports);
  return {
    jobId: run.jobId,
    runId: run.runId,
    token: run.owner?.token as string,
    status,
    ...(reason === undefined ? {} : { reason }),
    attempt: finished,
    ...(end.kind === 'not-started' || end.output === undefined ? {} : { output: end.output }),
    ...(typeof retry === 'string' ? {} : { retry }),
    ...(channel === undefined ? {} : { channel }),
    at,
  };
}

function verdict(end: CommandEnd, job: PlannedJob, stopped: Reason | undefined): [FinalStatus, Reason?] {
  if (stopped === 'timeout') return ['timed-out', stopped];
  if (stopped !== undefined) return [stopped === 'lease-lost' ? 'lost' : 'cancelled', stopped];
  if (end.kind === 'not-started') return ['failed', 'not-started'];
  // Whatever the exit code: that of a pipeline is its last command's, and we have killed another.
  if (end.exceeded !== undefined) return ['failed', end.exceeded];
  if (end.kind === 'signalled') return ['failed', 'signal'];
  const successes = job.options['success-exit-codes'] ?? [0];
  return successes.includes(end.exitCode) ? ['succeeded'] : ['failed', 'exit-code'];
}

/** Debian's cron gives this to a command that sets no PATH. */
const DEFAULT_PATH = '/usr/bin:/bin';

/** How the command of a run, and what it leaves behind, name it: by the job's name when it was started. */
export function runIdText({ jobId, runId, attempts }: Pick<Run, 'jobId' | 'runId' | 'attempts'>): string {
  return `${attempts.at(-1)?.jobId ?? jobId}/${runId}`;
}

/** What tells the commands of one owner from those of any other, and proves no claim. */
export function ownerMark(token: string): string {
  // A daemon's runs have one owner.
  if (newestMark.token !== token) newestMark = { token, mark: sha256Hex(token).slice(0, 16) };
  return newestMark.mark;
}

let newestMark = { token: '', mark: '' };

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
    KUBERCRON_RUN_ID: runIdText(run),
    KUBERCRON_OWNER: ownerMark(run.owner?.token ?? ''),
    KUBERCRON_SCHEDULED_TIME: scheduledTimeText(run.scheduledTime),
    KUBERCRON_ATTEMPT: String(attemptNumber),
    KUBERCRON_TRIGGER: run.trigger,
  };
  const { memory: memoryBytes, 'cpu-time': cpuTimeMs } = job.options;
  const limits: CommandLimits = {
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(cpuTimeMs === undefined ? {} : { cpuTimeMs }),
  };
  return {
    shell: environment.SHELL as string,
    command: job.command,
    ...(job.stdin === undefined ? {} : { stdin: job.stdin }),
    environment,
    directory: environment.HOME as string,
    masked: Object.values(secrets),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
    log: { jobId: run.jobId, runId: run.runId, attempt: attemptNumber },
  };
}
