import { closeLost, type LostJob, lostJobOf } from '../shared/core/run/close-lost.ts';
import { LeaseWatch, type LostRun } from '../shared/core/run/lease.ts';
import type { JobInForce } from '../shared/core/run/ledger-work.ts';
import type { Owner, Run } from '../shared/core/run/run.ts';
import { crontabOf, jobIdOf, jobNameOf } from '../shared/core/run/run-id.ts';
import type { Finish, RunKey } from '../shared/core/run/run-store.ts';
import type { EpochMs } from '../shared/core/schedule/zone-table.ts';
import type { SchedulerOptions, SchedulerPorts } from './run-starter.ts';

/** How often owners that are gone are looked for. Milliseconds. */
const LOOK_EVERY_MS = 20_000;
/** How often expired history is deleted. Milliseconds. */
const PRUNE_EVERY_MS = 60_000;
/** In pieces, with a rest between them: a start must not wait for it. */
const PRUNE = { rows: 500, pieces: 100, restMs: 50 } as const;

export interface JanitorPorts extends Pick<SchedulerPorts, 'store' | 'clock' | 'emit' | 'random'> {
  /** Whether an owner lives; undefined when that cannot be seen from here. */
  readonly isAlive: (owner: Owner) => boolean | undefined;
  /** Ends what is left of the commands of runs on this host. @returns when nothing is, or it cannot be ended */
  readonly killLeftovers: (runs: readonly Run[]) => Promise<void>;
  /** Ends of runs that the store did not take. */
  readonly spool: { all(): readonly Finish[]; remove(finish: Finish): void };
  /** Deletes old output. */
  readonly cleanLogs: (now: EpochMs) => Promise<void>;
}

/** What the janitor has to know of the scheduler. */
export interface RunsInForce {
  holds(run: RunKey): boolean;
  planned(jobId: string): JobInForce | 'gone' | undefined;
  sweepFrom(instant: EpochMs): void;
}

/** Clears up after processes that died, and history and output that are too old. */
export class Janitor {
  readonly #ports: JanitorPorts;
  readonly #channel: NonNullable<SchedulerOptions['channel']>;
  readonly #runs: RunsInForce;
  readonly #watch: LeaseWatch;
  readonly #stopped = new AbortController();
  #warned = new Set<string>();

  constructor(ports: JanitorPorts, runs: RunsInForce, channel: SchedulerOptions['channel']) {
    this.#ports = ports;
    this.#runs = runs;
    this.#channel = channel ?? (() => undefined);
    this.#watch = new LeaseWatch(ports.clock);
  }

  /**
   * What has to be done before anything is started: ends that the store did not take are recorded, and runs of owners
   * that died are closed, or given back. What the store does not take is tried again by `run`.
   *
   * @throws what the store said when it cannot be read
   */
  async recover(): Promise<void> {
    await this.#handIn();
    await this.#closeLost();
    this.#warnOfOthers(await this.#ports.store.unfinished());
  }

  /** Goes round until `stop` is called. */
  async run(): Promise<void> {
    const { clock } = this.#ports;
    let nextPrune = clock.monotonic() + PRUNE_EVERY_MS;
    while (!this.#stopped.signal.aborted) {
      await clock.sleep(LOOK_EVERY_MS, this.#stopped.signal);
      if (this.#stopped.signal.aborted) return;
      // Before lost runs: what is in the spool came to its end.
      await this.#try('results in the spool could not be read', () => this.#handIn());
      await this.#try('lost runs could not be looked for', () => this.#closeLost());
      if (clock.monotonic() < nextPrune) continue;
      nextPrune = clock.monotonic() + PRUNE_EVERY_MS;
      await this.#try('old history could not be deleted', () => this.#prune());
      await this.#try('old output could not be deleted', () => this.#ports.cleanLogs(clock.now()));
    }
  }

  stop(): void {
    this.#stopped.abort();
  }

  /** Records ends that the store did not take when they came. */
  async #handIn(): Promise<void> {
    const { store, spool } = this.#ports;
    for (const finish of spool.all()) {
      await this.#try(`the end of run ${finish.jobId} ${finish.runId} could not be recorded`, async () => {
        await store.finish(finish);
        spool.remove(finish);
      });
    }
  }

  async #try(message: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#ports.emit({ kind: 'error', message: `${message}; it is tried again`, error });
    }
  }

  async #prune(): Promise<void> {
    const { store, clock } = this.#ports;
    for (let piece = 0; piece < PRUNE.pieces && !this.#stopped.signal.aborted; piece++) {
      if ((await store.prune(clock.now(), PRUNE.rows)) < PRUNE.rows) return;
      await clock.sleep(PRUNE.restMs, this.#stopped.signal);
    }
  }

  async #closeLost(): Promise<void> {
    const { store, clock, emit, isAlive, killLeftovers } = this.#ports;
    const lost = this.#watch.lost(await store.unfinished(), isAlive, (run) => this.#runs.holds(run));
    if (lost.length === 0) return;
    // Before they are closed: once they are, they may be started again.
    await killLeftovers(lost.map(({ run }) => run));
    for (const one of lost) {
      const { jobId, runId } = one.run;
      await this.#try(`lost run ${jobId} ${runId} could not be closed`, async () => {
        const end = await closeLost(store, one, await this.#planned(one), clock.now());
        if (end === undefined) return;
        if (end !== 'given-back') emit({ kind: 'run-lost', run: one.run, end });
        this.#runs.sweepFrom(end === 'given-back' ? clock.now() : (end.retry?.notBefore ?? clock.now()));
      });
    }
  }

  /** The job of a lost run as it is in force, or was last. */
  async #planned({ run: { jobId } }: LostRun): Promise<LostJob | undefined> {
    const found = this.#runs.planned(jobId) ?? (await this.#lastPlanned(jobId));
    if (found === 'gone' || found === undefined) return undefined;
    return lostJobOf(found, this.#ports.random, this.#channel(found.job));
  }

  async #lastPlanned(jobId: string): Promise<JobInForce | undefined> {
    const active = await this.#ports.store.activePlan(crontabOf(jobId));
    const job = active?.plan.jobs.find(({ name }) => name === jobNameOf(jobId));
    if (active === undefined || job === undefined) return undefined;
    return { active, job, jobId: jobIdOf(active.plan.crontab, job.name) };
  }

  #warnOfOthers(unfinished: readonly Run[]): void {
    for (const { jobId, runId, owner } of unfinished) {
      if (owner === undefined || this.#ports.isAlive(owner) !== undefined || this.#warned.has(owner.host))
        continue;
      this.#warned.add(owner.host);
      this.#ports.emit({
        kind: 'warning',
        message: `run ${jobId} ${runId} belongs to a process on host ${owner.host}, which cannot be seen from here; its job may start nothing else until it is over, or has given no sign of life for five minutes`,
      });
    }
  }
}
