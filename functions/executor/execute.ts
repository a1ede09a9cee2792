import { Unobtainable } from '../../shared/adapters/aws-error.ts';
import type { Credentials } from '../../shared/adapters/command-credentials.ts';
import type { EmfMetrics } from '../../shared/adapters/emf-metrics.ts';
import type { DROP_REASONS } from '../../shared/core/metrics/metrics.ts';
import { DEFAULT_CHANNEL } from '../../shared/core/notify/notification.ts';
import { type PlannedJob, timetableOf } from '../../shared/core/plan/plan.ts';
import { closeLost } from '../../shared/core/run/close-lost.ts';
import { executeRun, GRACE_MS, ownerMark, runIdText } from '../../shared/core/run/execute-run.ts';
import { isNewlyLate, lateAfter } from '../../shared/core/run/late.ts';
import { LEASE_MS, LeaseKeeper } from '../../shared/core/run/lease.ts';
import { isStarted } from '../../shared/core/run/ledger-work.ts';
import { isMaskable, unmasked } from '../../shared/core/run/mask.ts';
import type { Clock, CommandRunner } from '../../shared/core/run/ports.ts';
import type { RetryPorts } from '../../shared/core/run/retry.ts';
import { type Attempt, type Owner, REASONS, type Run, startBy } from '../../shared/core/run/run.ts';
import { crontabOf, cutToMinute, dueRunId, jobIdOf, jobNameOf } from '../../shared/core/run/run-id.ts';
import type { Claim, ClaimResult, Finish, RunKey, RunStore } from '../../shared/core/run/run-store.ts';
import { followsOrder, isUnfinished } from '../../shared/core/run/run-transitions.ts';
import { nextDue, type Timetable } from '../../shared/core/schedule/due.ts';
import { type ExecutorEvent, readExecutorEvent } from '../../shared/core/target/delivery.ts';
import { guardDelivery } from '../../shared/core/target/eventbridge.ts';
import { errorText, type Log } from '../log.ts';
import type { BundledPlan } from '../plans.ts';
import { notStarted, sandboxed } from './command-runner.ts';
import { OutputLines } from './output-lines.ts';
import type { Sandbox, Workplace } from './sandbox.ts';

/** What is left of an invocation when it stops waiting for the run store. Milliseconds. */
const END_MS = 10_000;
/** What is left of it when a command has ended at the latest, with its grace. Milliseconds. */
const AFTER_COMMAND_MS = 20_000;
/** A shorter time is none for a command. Milliseconds. */
const SHORTEST_RUN_MS = 1_000;
/** Waits before a claim that was not answered is made again. Milliseconds. */
const CLAIM_AGAIN_MS = [1_000, 3_000];
/** Stands for the crontab where an event names none that there is: no crontab is called so. */
const NO_CRONTAB = '(none)';

const NO_SECRETS: Readonly<Record<string, string>> = {};

type DropReason = (typeof DROP_REASONS)[number];

/** Everything that an executor needs of the world. */
export interface ExecutorPorts {
  readonly store: Pick<RunStore, 'claim' | 'start' | 'extend' | 'finish' | 'release' | 'run'>;
  readonly clock: Clock;
  readonly metrics: EmfMetrics;
  readonly log: Log;
  /** A crontab as it was deployed. */
  readonly plan: (crontab: string) => BundledPlan | undefined;
  /** @param onOutput told of what a command writes, masked */
  readonly commands: (onOutput: (stream: 'stdout' | 'stderr', text: string) => void) => CommandRunner;
  /** Values by variable. @throws Unobtainable when that will not help again */
  readonly secrets: (variables: readonly string[]) => Promise<Readonly<Record<string, string>>>;
  /** Of the role that commands have. @throws Unobtainable when that will not help again */
  readonly credentials: (session: string) => Promise<Credentials>;
  readonly sandbox: Pick<Sandbox, 'sweep' | 'enter' | 'remember' | 'leave'>;
  /** This process as the owner of a run, with a token of its own at each call. */
  readonly newOwner: () => Owner;
  /** At least 0, below 1. */
  readonly random: () => number;
}

export interface ExecutorOptions {
  /** Name of the user that commands run as. */
  readonly userName: string;
  readonly region: string;
  readonly isDryRun: boolean;
}

/** What an executor asks of its invocation. */
export interface Invocation {
  /** Milliseconds until the platform ends it. */
  readonly remainingMs: () => number;
}

/** Something failed that may pass: the platform shall deliver the event again. */
export class ExecutorFault extends Error {
  override readonly name = 'ExecutorFault';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    // The platform logs it, and the places in a bundle help nobody.
    this.stack = `${this.name}: ${message}`;
  }
}

/** A run that is to be started, with what decides about it. */
interface Wanted {
  readonly planned: Planned;
  readonly claim: Omit<Claim, 'owner' | 'at' | 'leaseUntil' | 'startedAt'>;
}

interface Planned extends RetryPorts {
  readonly hash: string;
  readonly job: PlannedJob;
  readonly jobId: string;
  readonly timetable: Timetable | undefined;
}

/** What a command gets: undefined parts say why it cannot. */
interface Prepared {
  readonly place: Workplace;
  readonly secrets: Readonly<Record<string, string>>;
  readonly credentials: Credentials | undefined;
  /** Why it is not started. */
  readonly problem?: string;
}

/**
 * Starts the run that an event is about, if there is one, and sees it to its end. One event at a time.
 *
 * Nothing that may fail stands between the claim and the start of the command: what it needs is got before.
 */
export class RunExecutor {
  readonly #ports: ExecutorPorts;
  readonly #options: ExecutorOptions;
  readonly #leases: LeaseKeeper;
  /** Tokens of claims that the store did not answer, by run: the event comes again, it may be to us. */
  readonly #doubtful = new Map<string, string>();
  /** Ends of runs that the store did not take. */
  #unrecorded: Finish[] = [];
  #swept: Promise<void> | undefined;

  constructor(ports: ExecutorPorts, options: ExecutorOptions) {
    this.#ports = ports;
    this.#options = options;
    const { store, clock } = ports;
    this.#leases = new LeaseKeeper(store, clock, {
      onError: (error) =>
        this.#error('the store did not extend the lease of the run; it is asked again', error),
    });
  }

  /** Ends what former invocations left in this sandbox; `handle` waits for it. Never rejects. */
  sweep(): Promise<void> {
    this.#swept ??= this.#sweep();
    return this.#swept;
  }

  /**
   * @throws ExecutorFault when the claim was not answered, or what a command needs could not be asked for, or the end
   *   of the run was not recorded in time
   */
  async handle(value: unknown, invocation: Invocation): Promise<void> {
    const { clock, metrics } = this.#ports;
    try {
      await this.sweep();
      const read = readExecutorEvent(value, clock.now());
      if (!read.ok) return this.#drop('malformed', NO_CRONTAB, {}, read.problem);
      const wanted = await this.#wanted(read.event);
      if (wanted !== undefined) await this.#start(wanted, invocation);
    } catch (error) {
      throw error instanceof ExecutorFault ? error : this.#fault(errorText(error), error);
    } finally {
      this.#swept = undefined;
      metrics.flush();
    }
  }

  async #sweep(): Promise<void> {
    const { store, clock, sandbox } = this.#ports;
    try {
      await this.#handIn();
      const former = await sandbox.sweep();
      if (former === undefined) return;
      const run = await store.run(former.jobId, former.runId);
      if (run === undefined || !isUnfinished(run.status) || run.owner?.token !== former.token) return;
      const planned = this.#planned(crontabOf(run.jobId), jobNameOf(run.jobId));
      const known = planned && { ...planned, channel: channelOf(planned.job) };
      const end = await closeLost(store, { run, reason: 'owner-died' }, known, clock.now());
      if (end === undefined || end === 'given-back') return;
      this.#countEnd(run.jobId, end);
      this.#log(
        'error',
        'run-lost',
        run,
        { reason: end.reason },
        'run lost: the invocation that ran it was ended',
      );
    } catch (error) {
      // Whoever finds its lease over does the rest.
      this.#error('what a former invocation left could not be seen to', error);
    }
  }

  /** Asks the store once more to take the ends of former runs. */
  async #handIn(): Promise<void> {
    const { store } = this.#ports;
    const left: Finish[] = [];
    for (const finish of this.#unrecorded) {
      try {
        if (await store.finish(finish)) this.#countEnd(finish.jobId, finish);
      } catch {
        left.push(finish);
      }
    }
    this.#unrecorded = left;
  }

  /** The run that an event is about; undefined when nothing is to be started. */
  async #wanted(event: ExecutorEvent): Promise<Wanted | undefined> {
    const { crontab, job: name } = event;
    const fields = { job: name, named_crontab: crontab };
    const planned = this.#planned(crontab, name);
    if (planned === undefined) {
      const known = this.#ports.plan(crontab) === undefined ? NO_CRONTAB : crontab;
      return this.#drop('unknown-job', known, fields, 'no such job was deployed with this function');
    }
    if (!isStarted(planned.job, 'aws'))
      return this.#drop('not-due', crontab, fields, 'the crontab suspends the job');
    return event.kind === 'start' ? this.#pending(event, planned) : this.#due(event, planned);
  }

  async #due(
    event: ExecutorEvent & { readonly kind: 'delivery' },
    planned: Planned,
  ): Promise<Wanted | undefined> {
    const { crontab, job: name } = event;
    const { job, jobId, hash, timetable } = planned;
    const scheduledTime = cutToMinute(event.scheduledTime);
    const verdict = guardDelivery(timetable, scheduledTime);
    if (verdict !== 'due') {
      const fields = { job: name, scheduled_time: iso(scheduledTime) };
      return this.#drop(verdict, crontab, fields, DROPPED[verdict]);
    }
    const by = startBy(scheduledTime, planned.nextDue(scheduledTime), job.options['starting-deadline']);
    const rest = this.#claimOf(planned);
    const runId = dueRunId(scheduledTime);
    // The ledger says that it is missed, in one row with others: a row of its own would be a second answer.
    if (by < this.#ports.clock.now()) {
      const known = await this.#asked(() => this.#ports.store.run(jobId, runId), 'the run was not read');
      if (known === undefined) {
        this.#log(
          'warn',
          'delivery-late',
          { jobId, runId },
          {},
          'delivered too late: the ledger has its answer',
        );
        return undefined;
      }
    }
    return {
      planned,
      claim: { ...rest, jobId, runId, scheduledTime, trigger: 'schedule', planHash: hash, startBy: by },
    };
  }

  async #pending(
    { runId }: ExecutorEvent & { readonly kind: 'start' },
    planned: Planned,
  ): Promise<Wanted | undefined> {
    const { jobId, hash } = planned;
    const run = await this.#asked(() => this.#ports.store.run(jobId, runId), 'the run was not read');
    if (run?.status !== 'pending') {
      const status = run?.status ?? 'none';
      this.#log(
        'info',
        'run-not-pending',
        { jobId, runId },
        { status },
        'nothing to start: the run is not pending',
      );
      return undefined;
    }
    const { scheduledTime, trigger, startBy: by } = run;
    return {
      planned,
      claim: {
        ...{ ...this.#claimOf(planned), jobId, runId, scheduledTime, trigger, planHash: hash },
        ...(by === undefined ? {} : { startBy: by }),
      },
    };
  }

  /** What all claims of a job have. */
  #claimOf({ job }: Planned) {
    return {
      concurrencyPolicy: job.options['concurrency-policy'] ?? 'forbid',
      ...(job.options['catch-up'] === 'all' ? { isInOrder: true } : {}),
      channel: channelOf(job),
    } as const;
  }

  async #start(wanted: Wanted, invocation: Invocation): Promise<void> {
    const { sandbox, log } = this.#ports;
    if (this.#options.isDryRun) return await this.#pretend(wanted);
    const timeMs = () => invocation.remainingMs() - GRACE_MS - AFTER_COMMAND_MS;
    if (timeMs() < SHORTEST_RUN_MS)
      throw this.#fault(
        `only ${Math.round(invocation.remainingMs() / 1000)} s are left of the invocation: a run takes 31 s at least`,
      );
    try {
      const prepared = await this.#prepare(wanted.planned);
      const run = await this.#claim(wanted, true);
      if (run !== undefined) await this.#execute(run, wanted.planned, prepared, invocation, timeMs());
    } finally {
      const left = await sandbox.leave();
      if (left.length > 0)
        log('warn', 'files-left', { paths: left }, 'files of the command could not be removed');
    }
  }

  /** A dry run: records what would start, and starts nothing. */
  async #pretend(wanted: Wanted): Promise<void> {
    const { store, clock } = this.#ports;
    const run = await this.#claim(wanted, false);
    if (run === undefined) return;
    const { jobId, runId, owner } = run;
    const end = { status: 'skipped', reason: 'dry-run' } as const;
    const finish: Finish = { jobId, runId, token: owner?.token ?? '', ...end, at: clock.now() };
    if (await this.#asked(() => store.finish(finish), 'the dry run was not recorded'))
      this.#countEnd(jobId, finish);
    this.#log('info', 'run-would-start', run, {}, 'run would start; a dry run starts nothing');
  }

  /** Gets what the command needs. What cannot be had fails the run; what cannot be asked for now is a fault. */
  async #prepare({ job, jobId }: Planned): Promise<Prepared> {
    const { sandbox, log } = this.#ports;
    const names = job.options.secrets ?? [];
    const place = await this.#asked(async () => sandbox.enter(), 'no folder could be made for the command');
    try {
      const [secrets, credentials] = await this.#asked(
        () =>
          Promise.all([
            names.length === 0 ? NO_SECRETS : this.#ports.secrets(names),
            this.#ports.credentials(sessionOf(jobId)),
          ]),
        'what the command needs could not be asked for',
      );
      for (const [name, value] of Object.entries(secrets))
        if (!isMaskable(value)) log('warn', 'warning', { ...jobFields(jobId) }, unmasked(name));
      return { place, secrets, credentials };
    } catch (error) {
      if (!(error instanceof Unobtainable)) throw error;
      return { place, secrets: {}, credentials: undefined, problem: error.message };
    }
  }

  /** @returns the run when it is ours */
  async #claim({ claim, planned }: Wanted, isStarting: boolean): Promise<Run | undefined> {
    const { store, clock, newOwner } = this.#ports;
    const fresh = newOwner();
    const id = keyOf(claim);
    // The first claim of this run may have been taken, and then is won under its own token only.
    const owner = { ...fresh, token: this.#doubtful.get(id) ?? fresh.token };
    this.#doubtful.set(id, owner.token);
    const make = () => {
      const at = clock.now();
      const times = { at, leaseUntil: at + LEASE_MS, ...(isStarting ? { startedAt: at } : {}) };
      return store.claim({ ...claim, owner, ...times });
    };
    const result = await this.#asked(() => this.#again(make), 'the claim of the run was not answered');
    this.#doubtful.delete(id);
    return this.#answered(result, planned.jobId);
  }

  async #again<T>(ask: () => Promise<T>): Promise<T> {
    for (const wait of CLAIM_AGAIN_MS) {
      try {
        return await ask();
      } catch (error) {
        this.#error('the store failed; it is asked again', error);
        await this.#ports.clock.sleep(wait);
      }
    }
    return await ask();
  }

  #answered(result: ClaimResult, jobId: string): Run | undefined {
    switch (result.outcome) {
      case 'won':
        return result.run;
      case 'closed': {
        const { run } = result;
        const { status, reason, blockedBy } = run;
        this.#ports.metrics.runEnded(jobId, status as Finish['status']);
        const why = reason === undefined ? '' : REASONS[reason];
        this.#log(
          'warn',
          'run-skipped',
          run,
          { status, reason, blocked_by: blockedBy },
          `run ${status}: ${why}`,
        );
        return undefined;
      }
      case 'taken': {
        const { run } = result;
        this.#log(
          'info',
          'run-taken',
          run,
          { status: run.status },
          'run belongs to another invocation, or is over',
        );
        return undefined;
      }
      case 'waiting':
        this.#log('info', 'run-waiting', result.run, { cause: result.run.cause }, 'run waits for its turn');
        return undefined;
      case 'paused':
        this.#ports.log('info', 'run-paused', jobFields(jobId), 'the job was paused at that time');
        return undefined;
    }
  }

  async #execute(
    run: Run,
    planned: Planned,
    prepared: Prepared,
    invocation: Invocation,
    limitMs: number,
  ): Promise<void> {
    const { store, clock, sandbox } = this.#ports;
    const { userName } = this.#options;
    const { job } = planned;
    const [stop, ending, over] = [new AbortController(), new AbortController(), new AbortController()];
    const { runner, endOutput } = this.#runner(run, prepared);
    const token = run.owner?.token ?? '';
    sandbox.remember({
      ...{ jobId: run.jobId, runId: run.runId, token },
      mark: { runId: runIdText(run), owner: ownerMark(token) },
    });
    const letGo = this.#leases.keep(run, (reason) => stop.abort(reason));
    const timeIsUp = clock.sleep(invocation.remainingMs() - END_MS, over.signal).then(() => {
      if (!over.signal.aborted) ending.abort();
    });
    const recording: { finish?: Finish; isRecorded?: boolean } = {};
    const watched: Pick<RunStore, 'start' | 'finish'> = {
      start: (...args) => store.start(...args),
      finish: async (finish) => {
        recording.finish = finish;
        recording.isRecorded = await store.finish(finish);
        return recording.isRecorded;
      },
    };
    const executed = executeRun(
      run,
      job,
      { ...planned, store: watched, clock, commands: runner },
      {
        ...{ user: { name: userName, home: prepared.place.home }, passed: this.#passed(prepared) },
        ...{ secrets: prepared.secrets, stop: stop.signal, ending: ending.signal, limitMs },
        channel: channelOf(job),
        onStart: (attempt) => this.#noticeStart(run, planned, attempt),
        onSlow: () => {
          this.#ports.metrics.add('kubercron_job_slow_runs_total', labelsOf(run.jobId));
          this.#log('warn', 'run-slow', run, {}, 'run is slow');
        },
        onStoreError: (error) =>
          this.#error('the store did not take the end of the run; it is asked again', error),
      },
    );
    try {
      await Promise.race([executed, timeIsUp]);
      if (recording.isRecorded === undefined) throw this.#unfinished(run, recording.finish);
      endOutput();
      this.#noticeEnd(run, recording.finish as Finish, recording.isRecorded);
    } finally {
      // What goes on after the invocation was given up is nobody's any more.
      executed.catch(() => {});
      letGo();
      over.abort();
    }
  }

  /** The end of an invocation whose run has no recorded end. */
  #unfinished(run: Run, finish: Finish | undefined): ExecutorFault {
    const { log } = this.#ports;
    if (finish === undefined)
      return this.#fault(`the command of run ${run.jobId} ${run.runId} cannot be ended`);
    this.#unrecorded.push(finish);
    const { token: _token, output: _output, ...result } = finish;
    log(
      'error',
      'run-unrecorded',
      { ...fieldsOf(run), result },
      'the end of the run is not recorded: this is it',
    );
    return this.#fault(`the end of run ${run.jobId} ${run.runId} is not recorded`);
  }

  #runner(run: Run, { credentials, problem }: Prepared): { runner: CommandRunner; endOutput: () => void } {
    if (problem !== undefined) return { runner: notStarted(problem), endOutput: () => {} };
    const { commands, clock } = this.#ports;
    const attempt = run.attempts.at(-1)?.number ?? 1;
    const linesOf = (stream: 'stdout' | 'stderr') =>
      new OutputLines((line) => this.#log('info', 'output', run, { attempt, stream }, line));
    const lines = { stdout: linesOf('stdout'), stderr: linesOf('stderr') };
    const runner = commands((stream, text) => lines[stream].write(text));
    return {
      runner: sandboxed(runner, clock, Object.values(credentials ?? {})),
      endOutput: () => {
        lines.stdout.end();
        lines.stderr.end();
      },
    };
  }

  #passed({ place, credentials }: Prepared): Readonly<Record<string, string>> {
    const { region } = this.#options;
    return { TMPDIR: place.temporary, AWS_REGION: region, AWS_DEFAULT_REGION: region, ...credentials };
  }

  #noticeStart(run: Run, { job, nextDue }: Planned, { number, startedAt }: Attempt): void {
    const { metrics } = this.#ports;
    const labels = labelsOf(run.jobId);
    const lateMs = followsOrder(run) ? startedAt - run.scheduledTime : undefined;
    this.#log('info', 'run-started', run, { attempt: number, lateness_ms: lateMs }, 'run started');
    if (number > 1) metrics.add('kubercron_job_retries_total', labels);
    if (number > 1 || lateMs === undefined) return;
    metrics.observe('kubercron_job_lateness_seconds', labels, Math.max(0, lateMs) / 1000);
    const limitMs = lateAfter(job, run.scheduledTime, nextDue(run.scheduledTime));
    if (!isNewlyLate(run, limitMs, startedAt)) return;
    metrics.add('kubercron_job_late_runs_total', labels);
    this.#log('warn', 'run-late', run, { lateness_ms: lateMs }, 'run is late');
  }

  #noticeEnd(run: Run, finish: Finish, isRecorded: boolean): void {
    const { metrics } = this.#ports;
    const { status, reason, attempt, retry } = finish;
    const { number, exitCode, signal, error, startedAt = 0, finishedAt = startedAt } = attempt ?? {};
    const duration = finishedAt - startedAt;
    metrics.observe('kubercron_job_duration_seconds', labelsOf(run.jobId), Math.max(0, duration) / 1000);
    const fields = {
      ...{ attempt: number, status, reason, exit_code: exitCode, signal, error, duration_ms: duration },
      retry_at: retry && iso(retry.notBefore),
    };
    if (!isRecorded) {
      this.#log('error', 'run-taken-away', run, fields, 'the run was no longer ours when it ended');
      return;
    }
    this.#countEnd(run.jobId, finish);
    const what = retry === undefined ? `run ${status}` : `attempt ${status}; there is another`;
    this.#log(status === 'succeeded' ? 'info' : 'warn', 'run-ended', run, fields, what);
  }

  #countEnd(jobId: string, { status, attempt, retry }: Finish): void {
    const { metrics } = this.#ports;
    if (attempt !== undefined) metrics.add('kubercron_job_attempts_total', labelsOf(jobId));
    if (retry === undefined) metrics.runEnded(jobId, status);
  }

  /** A job as it was deployed. */
  #planned(crontab: string, name: string): Planned | undefined {
    const bundled = this.#ports.plan(crontab);
    const job = bundled?.plan.jobs.find((one) => one.name === name);
    if (bundled === undefined || job === undefined) return undefined;
    const timetable = timetableOf(bundled.plan, job);
    return {
      ...{ hash: bundled.hash, job, jobId: jobIdOf(crontab, name), timetable, random: this.#ports.random },
      nextDue: (after) => (timetable === undefined ? undefined : nextDue(timetable, after)),
    };
  }

  #drop(
    reason: DropReason,
    crontab: string,
    fields: Readonly<Record<string, unknown>>,
    why: string,
  ): undefined {
    const { log, metrics } = this.#ports;
    metrics.add('kubercron_deliveries_dropped_total', { crontab, reason });
    const level = reason === 'not-due' ? 'info' : 'error';
    log(level, 'delivery-dropped', { crontab, ...fields, reason }, `delivery dropped: ${why}`);
    return undefined;
  }

  /** @throws ExecutorFault with what it throws, unless asking again would not help */
  async #asked<T>(ask: () => Promise<T>, what: string): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof Unobtainable) throw error;
      throw this.#fault(`${what}: ${errorText(error)}`, error);
    }
  }

  #fault(message: string, cause?: unknown): ExecutorFault {
    this.#ports.log('error', 'fault', {}, message);
    return new ExecutorFault(message, { cause });
  }

  #error(message: string, error: unknown): void {
    this.#ports.log('error', 'error', { error: errorText(error) }, message);
  }

  #log(
    level: 'info' | 'warn' | 'error',
    event: string,
    run: RunKey & Partial<Run>,
    fields: Readonly<Record<string, unknown>>,
    message: string,
  ): void {
    this.#ports.log(level, event, { ...fieldsOf(run), ...fields }, message);
  }
}

const DROPPED: Readonly<Record<'not-due' | 'not-foreseen', string>> = {
  'not-due': 'its schedule stands for more than the due times',
  'not-foreseen': 'no schedule of the job can have made it',
};

/** Notifications go to one topic, which knows channels by an attribute. */
function channelOf({ options }: PlannedJob): string {
  return options.notify ?? DEFAULT_CHANNEL;
}

/** What logs of AWS call the commands of a job. */
function sessionOf(jobId: string): string {
  return `${crontabOf(jobId)}.${jobNameOf(jobId)}`;
}

function labelsOf(jobId: string): { readonly crontab: string; readonly job_name: string } {
  return { crontab: crontabOf(jobId), job_name: jobNameOf(jobId) };
}

function jobFields(jobId: string): { readonly crontab: string; readonly job: string } {
  return { crontab: crontabOf(jobId), job: jobNameOf(jobId) };
}

function fieldsOf({ jobId, runId, trigger }: RunKey & Partial<Run>) {
  return { ...jobFields(jobId), run_id: runId, trigger };
}

function keyOf({ jobId, runId }: RunKey): string {
  return `${jobId} ${runId}`;
}

function iso(instant: number): string {
  return new Date(instant).toISOString();
}
