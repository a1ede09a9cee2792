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
import { jobSamples } from '../shared/core/metrics/job-samples.ts';
import { NOTIFICATION_RESULTS, type Sample } from '../shared/core/metrics/metrics.ts';
import { DEFAULT_CHANNEL } from '../shared/core/notify/notification.ts';
import { type PlannedJob, runsOn } from '../shared/core/plan/plan.ts';
import { GRACE_MS } from '../shared/core/run/execute-run.ts';
import type { Clock } from '../shared/core/run/ports.ts';
import type { Retention } from '../shared/core/run/retention.ts';
import type { Owner, Run } from '../shared/core/run/run.ts';
import type { RunStore } from '../shared/core/run/run-store.ts';
import { CrontabLoader } from './crontab-loader.ts';
import { CrontabWatch } from './crontab-watch.ts';
import { DAEMON_OPTIONS, type DaemonSettings, daemonSettings } from './daemon-options.ts';
import type { DaemonEvent, EmitEvent } from './events.ts';
import { startHealthServer } from './health-server.ts';
import { Janitor } from './janitor.ts';
import { jsonLog } from './log.ts';
import { measure } from './measure.ts';
import { Notifier } from './notifier.ts';
import { Presence } from './presence.ts';
import { Scheduler } from './scheduler.ts';
import { StopSignals } from './stop-signals.ts';
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
    const { clock } = this.#machine;
    const { isDryRun, retention, logBounds, maxConcurrent, drainMs } = this.#settings;
    const environment = commandEnvironment(this.#invocation, this.#io.env);
    const channels = new WebhookChannels(this.#io.env);
    const location = storeLocation(text(this.#invocation, 'store'), { isDryRun });
    const store = this.#machine.openStore(location, retention);
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
    const ports = { store, clock, commands, emit: this.#emit, random: Math.random, spool };
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
    // Before anything is started: whatever is started must be ended in order.
    const signals = new StopSignals(this.#hasTerminal ? undefined : () => void reload(true));
    const unguard = this.#guard(signals);
    let notifying: Promise<void> | undefined;
    try {
      const shown = location.table === undefined ? location.path : `dynamodb:${location.table}`;
      this.#announce(shown, presence.others);
      for (const finding of channels.findings) this.#emit(finding);
      await janitor.recover();
      // What a killed daemon left; nothing waits for it.
      void cleanLogs(clock.now());
      await loader.loadFirst();
      if (scheduler.plans.length === 0 && this.#isAttended) return EXIT.problems;
      watch.start();
      notifying = notifier.run();
      await this.#serve(scheduler, janitor, store, loader, signals);
    } finally {
      watch.close();
      janitor.stop();
      scheduler.stop();
      await scheduler.drain(drainMs, signals.hurry);
      notifier.stop();
      await notifying;
      await logs.close();
      unguard();
      signals.close();
      presence.close();
      this.#view?.close();
      await store.close();
    }
    this.#emit({ kind: 'stopped' });
    return this.#exitCode;
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
    scheduler: Scheduler,
    janitor: Janitor,
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
      const pending = await store.pendingCounts(crontab);
      const paused = await store.pausesAt(crontab, this.#machine.clock.now());
      samples.push(
        jobSamples({
          ...{ crontab, jobs, states, unfinished, pending, nextRuns: nextRuns.get(crontab) ?? new Map() },
          paused: new Set(paused.map(({ jobId }) => jobId)),
        }),
      );
    }
    return this.#metrics.expose(samples.flat());
  }
}

function packageVersion(): string {
  return (
    JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
  ).version;
}
