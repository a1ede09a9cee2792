import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { commandEnvironment } from '../shared/adapters/command-environment.ts';
import {
  type Command,
  EXIT,
  type Invocation,
  type Io,
  isSet,
  text,
  UsageError,
} from '../shared/adapters/command-line.ts';
import { currentOwner, currentUser, isAlive, readBootId } from '../shared/adapters/host.ts';
import { openStore, storeLocation } from '../shared/adapters/open-store.ts';
import { FileCommandRunner } from '../shared/adapters/process-runner.ts';
import { PrometheusMetrics } from '../shared/adapters/prometheus-metrics.ts';
import { SYSTEM_CLOCK } from '../shared/adapters/system-clock.ts';
import { jobSamples } from '../shared/core/metrics/job-samples.ts';
import type { Sample } from '../shared/core/metrics/metrics.ts';
import { runsOn } from '../shared/core/plan/plan.ts';
import type { Owner } from '../shared/core/run/run.ts';
import type { RunStore } from '../shared/core/run/run-store.ts';
import { CrontabLoader } from './crontab-loader.ts';
import { CrontabWatch } from './crontab-watch.ts';
import { DAEMON_OPTIONS, type DaemonSettings, daemonSettings } from './daemon-options.ts';
import type { DaemonEvent, EmitEvent } from './events.ts';
import { startHealthServer } from './health-server.ts';
import { jsonLog } from './log.ts';
import { measure } from './measure.ts';
import { Presence } from './presence.ts';
import { closeLostRuns } from './recover.ts';
import { Scheduler } from './scheduler.ts';
import { StopSignals } from './stop-signals.ts';
import { TerminalView } from './terminal-view.ts';

/** The loop looks at the time every fifteen seconds: this long without is a loop that hangs. Milliseconds. */
const LONGEST_SILENCE_MS = 120_000;
const PRUNE_EVERY_MS = 10 * 60_000;
const PRUNE_ROWS = 500;
const CLOSE_LOST_EVERY_MS = 20_000;

export const daemonCommand: Command = {
  name: 'daemon',
  summary: 'Run crontabs: start what is due, and remember how it went',
  examples: [
    ['kuber-cron daemon crontab/production', 'one crontab'],
    ['kuber-cron daemon --zone UTC crontab/', 'all crontabs of a folder, in a zone of your own'],
    ['kuber-cron daemon --http 0.0.0.0:9746 --log json FILE', 'in a container'],
  ],
  operands: 'FILE…|FOLDER…',
  options: DAEMON_OPTIONS,
  notes: `Signals: TERM and INT start nothing more, wait for running commands, then end them; a second one ends them now.
HUP reads the crontabs again (a closed terminal stops the daemon). Edits take effect by themselves.
npm does not pass TERM on: send it to the daemon's own pid, which it prints.`,
  run: (invocation, io) => new Daemon(invocation, io).run(),
};

class Daemon {
  readonly #io: Io;
  readonly #invocation: Invocation;
  readonly #settings: DaemonSettings;
  readonly #isAttended: boolean;
  readonly #view: TerminalView | undefined;
  readonly #metrics = new PrometheusMetrics();
  readonly #log: EmitEvent;
  readonly #owner: Owner = currentOwner(randomUUID());
  #storeFailure: string | undefined;
  #exitCode: number = EXIT.fine;

  constructor(invocation: Invocation, io: Io) {
    if (invocation.operands.length === 0)
      throw new UsageError('`daemon` wants a crontab: a file or a folder');
    this.#invocation = invocation;
    this.#io = io;
    this.#settings = daemonSettings(invocation);
    this.#isAttended = io.stdout.isTTY === true;
    const log = text(invocation, 'log') ?? 'auto';
    const isText = log === 'text' || (log === 'auto' && this.#isAttended);
    this.#view = isText ? new TerminalView(io.stdout, io.env) : undefined;
    this.#log = this.#view?.emit ?? jsonLog(io.stdout);
  }

  async run(): Promise<number> {
    const environment = commandEnvironment(this.#invocation, this.#io.env);
    const location = storeLocation(text(this.#invocation, 'store'));
    const store = openStore(location);
    // What commands write must be readable as cron leaves it.
    process.umask(0o022);
    const commands = new FileCommandRunner(join(dirname(location.path), 'output'));
    const presence = new Presence(location.path, this.#owner, isAlive);
    const ports = { store, clock: SYSTEM_CLOCK, commands, emit: this.#emit };
    const scheduler = new Scheduler(ports, { owner: this.#owner, user: currentUser(), ...environment });
    const loader = this.#loader(scheduler, store);
    const watch = new CrontabWatch(
      () => loader.watched(),
      () => void reload(false),
    );
    const reload = async (isAnew: boolean) => {
      if (!(await loader.reload(isAnew))) watch.repeat();
    };
    // Before anything is started: whatever is started must be ended in order.
    const signals = new StopSignals(this.#hasTerminal ? undefined : () => void reload(true));
    const unguard = this.#guard(signals);
    try {
      this.#announce(location.path, presence.others);
      await scheduler.recover(isAlive);
      await loader.loadFirst();
      if (scheduler.plans.length === 0 && this.#isAttended) return EXIT.problems;
      watch.start();
      await this.#serve(scheduler, store, loader, signals);
    } finally {
      watch.close();
      scheduler.stop();
      await scheduler.drain(this.#settings.drainMs, signals.hurry);
      unguard();
      signals.close();
      presence.close();
      this.#view?.close();
      await store.close();
    }
    this.#emit({ kind: 'stopped' });
    return this.#exitCode;
  }

  /** Whether somebody's terminal, when it is closed, takes this process with it. */
  get #hasTerminal(): boolean {
    const { stdin, stdout, stderr } = this.#io;
    return [stdin, stdout, stderr].some(({ isTTY }) => isTTY === true);
  }

  /** Faults of ours are logged, and never end the process while commands run. */
  #guard(signals: StopSignals): () => void {
    const onRejection = (error: unknown) =>
      this.#emit({ kind: 'error', message: 'this is a fault of kuber-cron, please report it', error });
    const onException = (error: unknown) => {
      onRejection(error);
      // Nobody knows what was left half done: end in order, and let a supervisor start anew.
      this.#exitCode = EXIT.failed;
      signals.stop('a fault');
    };
    process.on('unhandledRejection', onRejection).on('uncaughtException', onException);
    return () => void process.off('unhandledRejection', onRejection).off('uncaughtException', onException);
  }

  #loader(scheduler: Scheduler, store: RunStore): CrontabLoader {
    const { operands } = this.#invocation;
    return new CrontabLoader(
      { scheduler, store, metrics: this.#metrics, emit: this.#emit },
      {
        operands,
        name: text(this.#invocation, 'name'),
        check: {
          system: isSet(this.#invocation, 'system'),
          zone: this.#settings.zone,
          user: currentUser().name,
        },
        now: SYSTEM_CLOCK.now,
        isAttended: this.#isAttended,
        onHealed: (crontab) => void scheduler.startReboot(this.#occasion, crontab),
      },
    );
  }

  /** What `@reboot` jobs run once for. */
  get #occasion(): string {
    return this.#settings.rebootOn === 'boot' ? readBootId() : this.#owner.token;
  }

  readonly #emit: EmitEvent = (event: DaemonEvent) => {
    if (event.kind === 'error' && event.error !== undefined) this.#storeFailure = event.message;
    // A pass over nothing has not asked the store.
    if ((event.kind === 'tick' && event.handled > 0) || event.kind === 'run-ended')
      this.#storeFailure = undefined;
    measure(event, this.#metrics, SYSTEM_CLOCK.now);
    this.#log(event);
  };

  /** Says who we are, and who else works on the store. */
  #announce(store: string, others: readonly Owner[]): void {
    const { pid } = this.#owner;
    const { zone, isMachineZone } = this.#settings;
    const version = packageVersion();
    this.#metrics.set('kubercron_build_info', { version }, 1);
    this.#emit({ kind: 'started', pid, version, store, zone });
    if (isMachineZone)
      this.#emit({
        kind: 'note',
        message: `times without CRON_TZ are read in the zone of this machine, ${zone}; \`--zone\` sets another`,
      });
    for (const other of others) {
      this.#emit({
        kind: 'warning',
        message: `another daemon (pid ${other.pid}) works on this store: each run still starts once, in one of the two`,
      });
    }
  }

  /** Works until a signal comes. */
  async #serve(
    scheduler: Scheduler,
    store: RunStore,
    loader: CrontabLoader,
    signals: StopSignals,
  ): Promise<void> {
    const { drainMs, http } = this.#settings;
    const health =
      http === undefined
        ? undefined
        : await startHealthServer({
            ...http,
            livez: () =>
              scheduler.sinceLastTick > LONGEST_SILENCE_MS ? ['the scheduler loop does not go round'] : [],
            readyz: () => this.#unready(scheduler, loader, signals),
            metrics: () => this.#page(scheduler, store),
            log: { warn: (_details, message) => this.#emit({ kind: 'warning', message }) },
          });
    if (health !== undefined) this.#emit({ kind: 'listening', address: health.url });
    this.#view?.follow(scheduler, SYSTEM_CLOCK.now);
    const pruning = setInterval(() => void this.#prune(store), PRUNE_EVERY_MS).unref();
    const closing = setInterval(() => void this.#closeLost(store), CLOSE_LOST_EVERY_MS).unref();
    const work = [scheduler.run(), scheduler.startReboot(this.#occasion)];
    const signal = await signals.stopped;
    scheduler.stop();
    await Promise.all(work);
    this.#emit({ kind: 'draining', signal, running: scheduler.running.length, drainMs });
    await scheduler.drain(drainMs, signals.hurry);
    clearInterval(pruning);
    clearInterval(closing);
    await health?.close();
  }

  #unready(scheduler: Scheduler, loader: CrontabLoader, signals: StopSignals): readonly string[] {
    const reasons = [...loader.refusals];
    if (scheduler.plans.length === 0) reasons.push('no crontab is in force');
    if (this.#storeFailure !== undefined) reasons.push(this.#storeFailure);
    if (signals.isStopping) reasons.push('the daemon is stopping');
    return reasons;
  }

  async #page(scheduler: Scheduler, store: RunStore) {
    const unfinished = await store.unfinished();
    const nextRuns = new Map<string, Map<string, number>>();
    for (const { plan } of scheduler.plans) nextRuns.set(plan.crontab, new Map());
    for (const { crontab, job, next } of scheduler.jobs()) {
      if (next !== undefined) nextRuns.get(crontab)?.set(job.name, next);
    }
    const samples: Sample[][] = [];
    for (const { plan } of scheduler.plans) {
      const { crontab } = plan;
      const jobs = plan.jobs.filter((job) => runsOn(job, 'daemon'));
      const states = await store.states(crontab);
      samples.push(
        jobSamples({ crontab, jobs, states, unfinished, nextRuns: nextRuns.get(crontab) ?? new Map() }),
      );
    }
    return this.#metrics.expose(samples.flat());
  }

  /** A run by hand whose process was killed must not keep its job from running. */
  async #closeLost(store: RunStore): Promise<void> {
    try {
      await closeLostRuns({ store, clock: SYSTEM_CLOCK, emit: this.#emit }, isAlive);
    } catch (error) {
      this.#emit({ kind: 'error', message: 'lost runs could not be looked for; it is tried again', error });
    }
  }

  async #prune(store: RunStore): Promise<void> {
    try {
      await store.prune(SYSTEM_CLOCK.now(), PRUNE_ROWS);
      this.#storeFailure = undefined;
    } catch (error) {
      this.#emit({ kind: 'error', message: 'old history could not be deleted; it is tried again', error });
    }
  }
}

function packageVersion(): string {
  return (
    JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
  ).version;
}
