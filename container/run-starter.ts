import type { PlannedJob } from '../shared/core/plan/plan.ts';
import { type CommandUser, executeRun } from '../shared/core/run/execute-run.ts';
import { isMaskable, unmasked } from '../shared/core/run/mask.ts';
import type { Clock, CommandRunner, RunningCommand } from '../shared/core/run/ports.ts';
import type { Owner, Reason, Run } from '../shared/core/run/run.ts';
import { crontabOf, dueRunId } from '../shared/core/run/run-id.ts';
import type { Answer, ClaimResult, RunStore } from '../shared/core/run/run-store.ts';
import type { EpochMs } from '../shared/core/schedule/zone-table.ts';
import type { EmitEvent } from './events.ts';
import type { DueRun, MissedRuns, Work } from './work.ts';

/** Commands that are started between two looks at anything else. */
const START_CHUNK = 50;

export interface SchedulerPorts {
  readonly store: RunStore;
  readonly clock: Clock;
  readonly commands: CommandRunner;
  readonly emit: EmitEvent;
}

export interface SchedulerOptions {
  readonly owner: Owner;
  readonly user: CommandUser;
  /** Variables for every command, by `--pass-env`. */
  readonly passed: Readonly<Record<string, string>>;
  /** Value of a secret; undefined when the daemon has none. */
  readonly secret: (name: string) => string | undefined;
}

interface WonRun {
  readonly run: Run;
  readonly job: PlannedJob;
}

interface RunningRun extends WonRun {
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/** What the store said to a piece of work. */
interface Claimed {
  readonly won: readonly WonRun[];
  /** Instants whose claims it did not answer, by job. */
  readonly failed: ReadonlyMap<string, EpochMs>;
  /** The first thing that went wrong. */
  readonly error: unknown;
}

type RunKey = Pick<Run, 'jobId' | 'runId'>;

/** Claims runs, starts those that it won and sees them to their ends. */
export class RunStarter {
  readonly #ports: SchedulerPorts;
  readonly #options: SchedulerOptions;
  readonly #running = new Map<string, RunningRun>();
  /** Claims that the store may or may not have taken: given back before their jobs are looked at again. */
  readonly #doubtful = new Map<string, RunKey>();
  /** Answers that the store has not taken yet. */
  #unanswered: MissedRuns[] = [];

  constructor(ports: SchedulerPorts, options: SchedulerOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  get running(): readonly WonRun[] {
    return [...this.#running.values()];
  }

  /** Jobs of which it is not known whether a run of theirs is claimed. */
  get doubtfulJobs(): ReadonlySet<string> {
    return new Set([...this.#doubtful.values()].map(({ jobId }) => jobId));
  }

  /** Crontabs with something that the store has not taken yet. */
  get owing(): ReadonlySet<string> {
    const jobIds = [...this.#doubtful.values(), ...this.#unanswered].map(({ jobId }) => jobId);
    return new Set(jobIds.map(crontabOf));
  }

  /**
   * Asks the store once more for what it has not taken.
   *
   * @returns its first error; undefined when nothing is owed any more
   */
  async settleOwed(): Promise<unknown> {
    if (this.#doubtful.size + this.#unanswered.length === 0) return undefined;
    const doubtful = [...this.#doubtful];
    const unanswered = this.#unanswered;
    const [released, answered] = await Promise.all([
      Promise.allSettled(doubtful.map(([, { jobId, runId }]) => this.#release(jobId, runId))),
      Promise.allSettled(unanswered.map((one) => this.#answer(one))),
    ]);
    for (const [index, { status }] of released.entries()) {
      if (status === 'fulfilled') this.#doubtful.delete((doubtful[index] as (typeof doubtful)[number])[0]);
    }
    this.#unanswered = unanswered.filter((_one, index) => answered[index]?.status === 'rejected');
    return [...released, ...answered].find((one) => one.status === 'rejected')?.reason;
  }

  /** Records what is missed and claims what is due, all in one turn and so in one transaction. */
  async claim({ due, missed, abandoned }: Work): Promise<Claimed> {
    const { emit } = this.#ports;
    const [released, answered, claims] = await Promise.all([
      Promise.allSettled(
        abandoned.map((run) => this.#release(run.jobId, run.runId, run.owner?.token as string)),
      ),
      Promise.allSettled(missed.map((one) => this.#answer(one))),
      Promise.allSettled(due.map((one) => this.#claim(one))),
    ]);
    const errors: unknown[] = [];
    for (const one of released) if (one.status === 'rejected') errors.push(one.reason);
    for (const [index, one] of answered.entries()) {
      if (one.status === 'fulfilled') continue;
      errors.push(one.reason);
      this.#unanswered.push(missed[index] as MissedRuns);
    }
    const won: WonRun[] = [];
    const failed = new Map<string, EpochMs>();
    for (const [index, one] of claims.entries()) {
      const { job, jobId, runId, scheduledTime } = due[index] as DueRun;
      const key = keyOf({ jobId, runId });
      if (one.status === 'rejected') {
        errors.push(one.reason);
        failed.set(jobId, scheduledTime);
        this.#doubtful.set(key, { jobId, runId });
        continue;
      }
      this.#doubtful.delete(key);
      const { outcome, run } = one.value;
      if (outcome === 'skipped') emit({ kind: 'run-skipped', run });
      else if (outcome === 'taken') emit({ kind: 'run-taken', run });
      else if (!this.#running.has(key)) won.push({ run, job });
    }
    return { won, failed, error: errors[0] };
  }

  /** Starts what was won. @returns when each command has been started, or it is clear that it will not be yet */
  async start(won: readonly WonRun[]): Promise<void> {
    for (let from = 0; from < won.length; from += START_CHUNK) {
      await Promise.all(won.slice(from, from + START_CHUNK).map(({ run, job }) => this.#execute(run, job)));
    }
  }

  /** Waits for the commands that run, then stops those that are left: TERM, grace, KILL. */
  async drain(drainMs: number, hurry: AbortSignal): Promise<void> {
    const idle = () => Promise.allSettled([...this.#running.values()].map(({ done }) => done));
    const over = new AbortController();
    const hurried = AbortSignal.any([hurry, over.signal]);
    await Promise.race([idle(), this.#ports.clock.sleep(drainMs, hurried)]);
    over.abort();
    for (const { stop } of this.#running.values()) stop.abort('daemon-stopped' satisfies Reason);
    await idle();
  }

  // `async`, so that a store that throws at once is one that rejects.
  async #claim(one: DueRun): Promise<ClaimResult> {
    return await this.#ports.store.claim({
      jobId: one.jobId,
      runId: one.runId,
      scheduledTime: one.scheduledTime,
      trigger: one.trigger,
      planHash: one.active.hash,
      owner: this.#options.owner,
      concurrencyPolicy: one.job.options['concurrency-policy'] ?? 'forbid',
      at: this.#ports.clock.now(),
    });
  }

  async #answer(one: MissedRuns): Promise<void> {
    const { store, clock, emit } = this.#ports;
    await store.answer(answerOf(one, clock.now()));
    emit({ kind: 'runs-missed', jobId: one.jobId, missed: one.missed });
  }

  async #release(jobId: string, runId: string, token = this.#options.owner.token): Promise<void> {
    await this.#ports.store.release(jobId, runId, token);
  }

  #execute(run: Run, job: PlannedJob): Promise<void> {
    const { store, clock, emit } = this.#ports;
    const { user, passed } = this.#options;
    const stop = new AbortController();
    const started = Promise.withResolvers<void>();
    const { secrets, commands } = this.#prepare(run, job);
    const done = executeRun(
      run,
      job,
      { store, clock, commands },
      {
        user,
        passed,
        secrets,
        stop: stop.signal,
        onStart: (attempt) => {
          emit({ kind: 'run-started', run, job, attempt });
          started.resolve();
        },
        onStoreError: (error) => {
          started.resolve();
          emit({
            kind: 'error',
            message: `the store failed for run ${run.jobId} ${run.runId}; it is asked again`,
            error,
          });
        },
      },
    )
      .then((finish) => {
        if (finish !== undefined) emit({ kind: 'run-ended', run, job, finish });
      })
      .catch((error: unknown) =>
        emit({ kind: 'error', message: `the end of run ${run.jobId} ${run.runId} is not recorded`, error }),
      )
      .finally(() => {
        this.#running.delete(keyOf(run));
        started.resolve();
      });
    this.#running.set(keyOf(run), { run, job, stop, done });
    return started.promise;
  }

  /** The job's secrets; one that cannot be read fails its own run and nothing else. */
  #prepare(run: Run, job: PlannedJob): { secrets: Record<string, string>; commands: CommandRunner } {
    const { commands, emit } = this.#ports;
    const secrets: Record<string, string> = {};
    try {
      for (const name of job.options.secrets ?? []) {
        const value = this.#options.secret(name);
        if (value !== undefined) {
          secrets[name] = value;
          if (!isMaskable(value)) emit({ kind: 'warning', message: `job ${run.jobId}: ${unmasked(name)}` });
        } else emit({ kind: 'warning', message: `job ${run.jobId}: the daemon has no secret \`${name}\`` });
      }
      return { secrets, commands };
    } catch (error) {
      return { secrets: {}, commands: { start: () => notStarted((error as Error).message) } };
    }
  }
}

function notStarted(error: string): RunningCommand {
  const ended = Promise.resolve({ kind: 'not-started', exitCode: 125, error } as const);
  return { ended, kill: () => {}, isGroupLeft: () => false };
}

function answerOf(
  { jobId, planHash, missed: { instant, spanFrom, reason }, runId = dueRunId(instant) }: MissedRuns,
  at: EpochMs,
): Answer {
  return {
    jobId,
    runId,
    scheduledTime: instant,
    ...(spanFrom === undefined ? {} : { spanFrom }),
    trigger: 'schedule',
    planHash,
    status: reason === 'removed' ? 'skipped' : 'missed',
    reason,
    at,
  };
}

function keyOf({ jobId, runId }: RunKey): string {
  return `${jobId} ${runId}`;
}
