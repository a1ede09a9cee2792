import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type CommandEnvironment, commandEnvironment } from '../shared/adapters/command-environment.ts';
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
import { limitSupport } from '../shared/adapters/limits.ts';
import { logsFolder } from '../shared/adapters/log-files.ts';
import { endLostCommands } from '../shared/adapters/lost-commands.ts';
import { openDaemonStore, type StoreLocation, storeLocation } from '../shared/adapters/open-store.ts';
import { FileCommandRunner } from '../shared/adapters/process-runner.ts';
import { PrometheusMetrics } from '../shared/adapters/prometheus-metrics.ts';
import { ResultSpool } from '../shared/adapters/result-spool.ts';
import { RunLogs } from '../shared/adapters/run-logs.ts';
import { SYSTEM_CLOCK } from '../shared/adapters/system-clock.ts';
import { WebhookChannels } from '../shared/adapters/webhook.ts';
import { NOTIFICATION_RESULTS } from '../shared/core/metrics/metrics.ts';
import { DEFAULT_CHANNEL } from '../shared/core/notify/notification.ts';
import { type PlannedJob, runsOn } from '../shared/core/plan/plan.ts';
import { GRACE_MS } from '../shared/core/run/execute-run.ts';
import type { Clock } from '../shared/core/run/ports.ts';
import type { Retention } from '../shared/core/run/retention.ts';
import type { Owner, Run } from '../shared/core/run/run.ts';
import type { RunStore } from '../shared/core/run/run-store.ts';
import { ClockGuard } from './clock-guard.ts';
import { CrontabLoader } from './crontab-loader.ts';
import { CrontabWatch } from './crontab-watch.ts';
import { DAEMON_OPTIONS, type DaemonSettings, daemonSettings } from './daemon-options.ts';
import type { DaemonEvent, EmitEvent } from './events.ts';
import { type HealthServer, startHealthServer } from './health-server.ts';
import { Janitor } from './janitor.ts';
import { jsonLog } from './log.ts';
import { measure } from './measure.ts';
import { Notifier } from './notifier.ts';
import { patiently } from './patience.ts';
import { Presence } from './presence.ts';
import { Scheduler } from './scheduler.ts';
import { StopSignals } from './stop-signals.ts';
import { storeSamples } from './store-samples.ts';
import { TerminalView } from './terminal-view.ts';

/** The loop looks at the time every fifteen seconds: this long without is a loop that hangs. Milliseconds. */
const LONGEST_SILENCE_MS = 120_000;

export const daemonCommand: Command = {
  name: 'daemon',
  summary: 'Run crontabs: start what is due, and remember how it went',
  examples: [
    ['kuber-cron daemon crontab/production', 'one crontab'],
    ['kuber-cron daemon --zone UTC crontab/', 'all crontabs of a folder, in a zone of your own'],
    ['kuber-cron daemon --http 0.0.0.0:9746 --log json FILE', 'in a container'],
    ['kuber-cron daemon --dry-run --http off FILE', 'only record what would start, beside another cron'],
  ],
  operands: 'FILE…|FOLDER…',
  options: DAEMON_OPTIONS,
  notes: `Signals: TERM and INT start nothing more, wait for running commands, then end them; a second one ends them now.
HUP reads the crontabs again (a closed terminal stops the daemon). Edits take effect by themselves.
npm does not pass TERM on: send it to the daemon's own pid, which it prints.
KUBERCRON_WEBHOOK_URL in its environment is told of failures, missed runs and recoveries; see docs/notifications.md.`,
  run: (invocation, io) => new Daemon(invocation, io).run(),
};

/** What a daemon gets from the machine that it runs on. */
export interface Machine {
  readonly clock: Clock;
  readonly openStore: (location: StoreLocation, retention?: Retention) => RunStore;
}

/** What is there before the store is. */
interface Given {
  readonly location: StoreLocation;
  readonly environment: CommandEnvironment;
  readonly channels: WebhookChannels;
  readonly signals: StopSignals;
  readonly health: HealthServer | undefined;
}

/** What works once the store could be read, and the crontabs. */
interface Works {
  readonly scheduler: Scheduler;
  readonly store: RunStore;
  readonly loader: CrontabLoader;
}

export class Daemon {
  readonly #io: Io;
  readonly #machine: Machine;
  readonly #invocation: Invocation;
  readonly #settings: DaemonSettings;
  readonly #isAttended: boolean;
  readonly #view: TerminalView | undefined;
  readonly #metrics = new PrometheusMetrics();
  readonly #log: EmitEvent;
  readonly #owner: Owner = currentOwner(randomUUID());
  #onRunOver: () => void = () => {};
  #storeFailure: string | undefined;
  #works: Works | undefined;
  #clockGuard: ClockGuard | undefined;
  #onHangUp: () => void = () => {};
  #listening: string | undefined;
  #exitCode: number = EXIT.fine;

  constructor(
    invocation: Invocation,
    io: Io,
    machine: Machine = { clock: SYSTEM_CLOCK, openStore: openDaemonStore },
  ) {
    if (invocation.operands.length === 0)
      throw new UsageError('`daemon` wants a crontab: a file or a folder');
    this.#invocation = invocation;
    this.#io = io;
    this.#machine = machine;
    this.#settings = daemonSettings(invocation);
    this.#isAttended = io.stdout.isTTY === true;
    const log = text(invocation, 'log') ?? 'auto';
    const isText = log === 'text' || (log === 'auto' && this.#isAttended);
    this.#view = isText ? new TerminalView(io.stdout, io.env) : undefined;
    this.#log = this.#view?.emit ?? jsonLog(io.stdout);
  }

  async run(): Promise<number> {
    const { isDryRun, retention } = this.#settings;
    const location = storeLocation(text(this.#invocation, 'store'), { isDryRun });
    const environment = commandEnvironment(this.#invocation, this.#io.env);
    const channels = new WebhookChannels(this.#io.env);
    // Before anything is started: whatever is started must be ended in order.
    const signals = new StopSignals(this.#hasTerminal ? undefined : () => this.#onHangUp());
    const unguard = this.#guard(signals);
    let health: HealthServer | undefined;
    try {
      // Before the store: while that cannot be reached, probes shall hear why.
      health = await this.#listen(signals);
      const store = await this.#patiently(signals, () => this.#machine.openStore(location, retention));
      const given = { location, environment, channels, signals, health };
      const code = store === undefined ? undefined : await this.#run(store, given);
      if (code !== undefined) return code;
    } finally {
      await health?.close();
      unguard();
      signals.close();
      this.#view?.close();
    }
    this.#emit({ kind: 'stopped' });
    return this.#exitCode;
  }

  /** @returns the exit code where there is nothing to do */
  async #run(
    store: RunStore,
    { location, environment, channels, signals, health }: Given,
  ): Promise<number | undefined> {
    const { clock } = this.#machine;
    const { isDryRun, logBounds, maxConcurrent, drainMs } = this.#settings;
    // What commands write must be readable as cron leaves it.
    process.umask(0o022);
    const folder = dirname(location.path);
    const onWarning = (message: string) => this.#emit({ kind: 'warning', message });
    const logs = new RunLogs(logsFolder(location.path), { ...logBounds, onWarning });
    // A dry run writes none: those beside its store may be another daemon's.
    const cleanLogs = async (now: number) => void (isDryRun || (await logs.clean(now)));
    const commands = new FileCommandRunner(join(folder, 'output'), logs);
    const spool = new ResultSpool(join(folder, 'spool'));
    const presence = new Presence(location.path, this.#owner, isAlive);
    const channel = (job: PlannedJob | undefined) => {
      const name = job?.options.notify ?? DEFAULT_CHANNEL;
      return channels.has(name) ? name : undefined;
    };
    const clockGuard = new ClockGuard({ store, clock, emit: this.#emit });
    this.#clockGuard = clockGuard;
    const { admit } = clockGuard;
    const ports = { store, clock, commands, emit: this.#emit, random: Math.random, spool, admit };
    const scheduler = new Scheduler(ports, {
      ...{ owner: this.#owner, user: currentUser(), ...environment },
      ...{ channel, maxConcurrent, isDryRun },
    });
    const janitor = new Janitor(
      {
        ...{
          store,
          clock,
          emit: this.#emit,
          random: Math.random,
          isAlive,
          killLeftovers: this.#killLeftovers,
        },
        spool: {
          all: () =>
            spool.all(({ path, why }) =>
              onWarning(`${path} is no result of a run, and is left alone: ${why}`),
            ),
          remove: (finish) => spool.remove(finish),
        },
        cleanLogs,
      },
      scheduler,
      channel,
    );
    const notifier = new Notifier({ queue: store, channels, clock, emit: this.#emit, random: Math.random });
    this.#onRunOver = () => notifier.wake();
    const loader = this.#loader(scheduler, store, channels);
    const watch = new CrontabWatch(
      () => loader.watched(),
      () => void reload(false),
    );
    const reload = async (isAnew: boolean) => {
      if (!(await loader.reload(isAnew))) watch.repeat();
    };
    this.#onHangUp = () => void reload(true);
    let notifying: Promise<void> | undefined;
    try {
      const shown = location.table === undefined ? location.path : `dynamodb:${location.table}`;
      this.#announce(shown, presence.others);
      for (const finding of channels.findings) this.#emit(finding);
      const isReady = await this.#patiently(signals, async () => {
        await janitor.recover();
        await loader.loadFirst();
        return true;
      });
      // What a killed daemon left; nothing waits for it.
      void cleanLogs(clock.now());
      if (scheduler.plans.length === 0 && this.#isAttended) return EXIT.problems;
      if (isReady !== true) return undefined;
      this.#works = { scheduler, store, loader };
      watch.start();
      notifying = notifier.run();
      await this.#serve(this.#works, janitor, health, signals);
    } finally {
      watch.close();
      janitor.stop();
      scheduler.stop();
      await scheduler.drain(drainMs, signals.hurry);
      notifier.stop();
      await notifying;
      await logs.close();
      presence.close();
      await store.close();
    }
    return undefined;
  }

  /** Waits for a store that cannot be used yet; a person at a terminal is told at once. */
  async #patiently<T>(signals: StopSignals, work: () => T | Promise<T>): Promise<T | undefined> {
    if (this.#isAttended) return work();
    const stop = new AbortController();
    void signals.stopped.then(() => stop.abort());
    const emit: EmitEvent = (event) => {
      this.#emit(event);
      this.#sayWhereItListens();
    };
    const { clock } = this.#machine;
    const done = await patiently(work, { clock, random: Math.random, emit, stopped: stop.signal });
    if (done !== undefined) this.#storeFailure = undefined;
    return done;
  }

  /** Health and metrics, from before the first look at the store. */
  async #listen(signals: StopSignals): Promise<HealthServer | undefined> {
    const { http } = this.#settings;
    if (http === undefined) return undefined;
    const health = await startHealthServer({
      ...http,
      livez: () =>
        (this.#works?.scheduler.sinceLastTick ?? 0) > LONGEST_SILENCE_MS
          ? ['the scheduler loop does not go round']
          : [],
      readyz: () => this.#unready(signals),
      metrics: () => this.#page(),
      log: { warn: (_details, message) => this.#emit({ kind: 'warning', message }) },
    });
    this.#listening = health?.url;
    return health;
  }

  /** Once, and when there is something to hear. */
  #sayWhereItListens(): void {
    if (this.#listening !== undefined) this.#emit({ kind: 'listening', address: this.#listening });
    this.#listening = undefined;
  }

  /** Ends what is left of the commands of runs on this host, whose owners are gone. */
  readonly #killLeftovers = async (runs: readonly Run[]): Promise<void> => {
    const { ended, left } = await endLostCommands(runs, GRACE_MS);
    const count = ended.length;
    if (count > 0) {
      this.#emit({
        kind: 'note',
        message: `ended ${count} left-over ${count === 1 ? 'process' : 'processes'} of lost runs`,
      });
    }
    for (const { pid, runId } of left) {
      this.#emit({ kind: 'warning', message: `process ${pid} of lost run ${runId} cannot be ended` });
    }
  };

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

  #loader(scheduler: Scheduler, store: RunStore, channels: Pick<WebhookChannels, 'has'>): CrontabLoader {
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
        now: this.#machine.clock.now,
        isAttended: this.#isAttended,
        abilities: { limits: limitSupport, hasChannel: (name) => channels.has(name) },
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
    if (event.kind === 'run-ended' || event.kind === 'runs-missed' || event.kind === 'run-lost')
      this.#onRunOver();
    measure(event, this.#metrics, this.#machine.clock.now);
    this.#log(event);
  };

  /** Says who we are, and who else works on the store. */
  #announce(store: string, others: readonly Owner[]): void {
    const { pid } = this.#owner;
    const { zone, isMachineZone } = this.#settings;
    const version = packageVersion();
    this.#metrics.set('kubercron_build_info', { version }, 1);
    for (const result of NOTIFICATION_RESULTS)
      this.#metrics.add('kubercron_notifications_total', { result }, 0);
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
    { scheduler }: Works,
    janitor: Janitor,
    health: HealthServer | undefined,
    signals: StopSignals,
  ): Promise<void> {
    const { drainMs } = this.#settings;
    this.#sayWhereItListens();
    this.#view?.follow(scheduler, this.#machine.clock.now);
    const work = [scheduler.run(), scheduler.startReboot(this.#occasion)];
    const cleaning = janitor.run();
    const signal = await signals.stopped;
    scheduler.stop();
    janitor.stop();
    await Promise.all(work);
    this.#emit({ kind: 'draining', signal, running: scheduler.running.length, drainMs });
    await scheduler.drain(drainMs, signals.hurry);
    await cleaning;
    await health?.close();
  }

  #unready(signals: StopSignals): readonly string[] {
    const reasons = [...(this.#works?.loader.refusals ?? [])];
    if (this.#works === undefined) reasons.push('the daemon is starting');
    else if (this.#works.scheduler.plans.length === 0) reasons.push('no crontab is in force');
    const clockFault = this.#clockGuard?.fault;
    if (clockFault !== undefined) reasons.push(clockFault);
    if (this.#storeFailure !== undefined) reasons.push(this.#storeFailure);
    if (signals.isStopping) reasons.push('the daemon is stopping');
    return reasons;
  }

  async #page() {
    if (this.#works === undefined) return this.#metrics.expose([]);
    const { scheduler, store } = this.#works;
    const nextRuns = new Map<string, Map<string, number>>();
    for (const { plan } of scheduler.plans) nextRuns.set(plan.crontab, new Map());
    for (const { crontab, job, next } of scheduler.jobs()) {
      if (next !== undefined) nextRuns.get(crontab)?.set(job.name, next);
    }
    const crontabs = scheduler.plans.map(({ plan }) => ({
      plan,
      jobs: plan.jobs.filter((job) => runsOn(job, 'daemon')),
      nextRuns: nextRuns.get(plan.crontab) ?? new Map<string, number>(),
    }));
    const samples = await storeSamples(store, crontabs, this.#machine.clock.now());
    return this.#metrics.expose(samples);
  }
}

function packageVersion(): string {
  return (
    JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
  ).version;
}
