import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { commandEnvironment } from '../shared/adapters/command-environment.ts';
import {
  type Command,
  CommandError,
  EXIT,
  type Invocation,
  type Io,
  isSet,
  text,
  UsageError,
} from '../shared/adapters/command-line.ts';
import { type CrontabFile, crontabFiles, readCrontabFile } from '../shared/adapters/crontab-files.ts';
import { currentOwner, currentUser, isAlive, readBootId } from '../shared/adapters/host.ts';
import { openStore, storeLocation } from '../shared/adapters/open-store.ts';
import { FileCommandRunner } from '../shared/adapters/process-runner.ts';
import { PrometheusMetrics } from '../shared/adapters/prometheus-metrics.ts';
import { SYSTEM_CLOCK } from '../shared/adapters/system-clock.ts';
import { type CheckedCrontab, checkCrontab } from '../shared/core/crontab/check.ts';
import type { Severity } from '../shared/core/diagnostic.ts';
import { DiagnosticRenderer } from '../shared/core/diagnostic-text.ts';
import { jobSamples } from '../shared/core/metrics/job-samples.ts';
import { planCrontab, type SchedulePlan } from '../shared/core/plan/plan.ts';
import type { Owner } from '../shared/core/run/run.ts';
import type { RunStore } from '../shared/core/run/run-store.ts';
import { CrontabWatch } from './crontab-watch.ts';
import { DAEMON_OPTIONS, type DaemonSettings, daemonSettings } from './daemon-options.ts';
import { effectlessKeys } from './effectless-keys.ts';
import type { DaemonEvent, EmitEvent } from './events.ts';
import { startHealthServer } from './health-server.ts';
import { jsonLog } from './log.ts';
import { measure } from './measure.ts';
import { Scheduler } from './scheduler.ts';
import { TerminalView } from './terminal-view.ts';

/** The loop looks at the time every fifteen seconds: this long without is a loop that hangs. Milliseconds. */
const LONGEST_SILENCE_MS = 120_000;
const PRUNE_EVERY_MS = 10 * 60_000;
const PRUNE_ROWS = 500;
/** Errors of a refused crontab that logs and probes show. */
const MOST_REPORTED = 20;

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
  readonly #view: TerminalView | undefined;
  readonly #metrics = new PrometheusMetrics();
  readonly #log: EmitEvent;
  readonly #owner: Owner = currentOwner(randomUUID());
  /** Text of each file that was last looked at, so that a touched file is not a changed one. */
  readonly #read = new Map<string, string>();
  /** First findings of crontabs that are refused, by name: why the daemon is not ready. */
  readonly #refused = new Map<string, string>();
  #storeFailure: string | undefined;

  constructor(invocation: Invocation, io: Io) {
    if (invocation.operands.length === 0)
      throw new UsageError('`daemon` wants a crontab: a file or a folder');
    this.#invocation = invocation;
    this.#io = io;
    this.#settings = daemonSettings(invocation);
    const log = text(invocation, 'log') ?? 'auto';
    const isText = log === 'text' || (log === 'auto' && io.stdout.isTTY === true);
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
    const ports = { store, clock: SYSTEM_CLOCK, commands, emit: this.#emit };
    const scheduler = new Scheduler(ports, { owner: this.#owner, user: currentUser(), ...environment });
    const presence = `${location.path}.daemon`;
    try {
      this.#announce(location.path, presence);
      await scheduler.recover(isAlive);
      await this.#load(scheduler, store, true);
      if (scheduler.plans.length === 0 && this.#io.stdout.isTTY === true) return EXIT.problems;
      return await this.#serve(scheduler, store);
    } finally {
      rmSync(presence, { force: true });
      this.#view?.close();
      await store.close();
    }
  }

  readonly #emit: EmitEvent = (event: DaemonEvent) => {
    if (event.kind === 'error' && event.error !== undefined) this.#storeFailure = event.message;
    if (event.kind === 'tick' || event.kind === 'run-ended') this.#storeFailure = undefined;
    measure(event, this.#metrics, SYSTEM_CLOCK.now);
    this.#log(event);
  };

  /** Says who we are, and who else works on the store. */
  #announce(store: string, presence: string): void {
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
    const other = readPresence(presence);
    if (other !== undefined && isAlive(other) === true) {
      this.#emit({
        kind: 'warning',
        message: `another daemon (pid ${other.pid}) works on this store: each run still starts once, in one of the two`,
      });
    }
    writeFileSync(presence, JSON.stringify(this.#owner), { mode: 0o600 });
  }

  async #serve(scheduler: Scheduler, store: RunStore): Promise<number> {
    const { rebootOn, drainMs, http } = this.#settings;
    const health =
      http === undefined
        ? undefined
        : await startHealthServer({
            ...http,
            livez: () =>
              scheduler.sinceLastTick > LONGEST_SILENCE_MS ? ['the scheduler loop does not go round'] : [],
            readyz: () => this.#unready(scheduler),
            metrics: () => this.#page(scheduler, store),
            log: { warn: (_details, message) => this.#emit({ kind: 'warning', message }) },
          });
    if (health !== undefined) this.#emit({ kind: 'listening', address: health.url });
    this.#view?.follow(scheduler, SYSTEM_CLOCK.now);

    const stopped = Promise.withResolvers<NodeJS.Signals>();
    const hurry = new AbortController();
    const reload = () => void this.#load(scheduler, store, false);
    const stop = (signal: NodeJS.Signals) => {
      if (hurry.signal.aborted) return;
      if (isStopping) hurry.abort();
      isStopping = true;
      stopped.resolve(signal);
    };
    let isStopping = false;
    // Somebody who closes the window wants the daemon to end with it.
    const onHangUp = this.#io.stdout.isTTY === true ? stop : reload;
    process.on('SIGTERM', stop).on('SIGINT', stop).on('SIGHUP', onHangUp);
    const watch = new CrontabWatch(() => this.#watched(), reload);
    const pruning = setInterval(() => void this.#prune(store), PRUNE_EVERY_MS).unref();

    const loop = scheduler.run();
    await scheduler.startReboot(rebootOn === 'boot' ? readBootId() : this.#owner.token);
    const signal = await stopped.promise;
    scheduler.stop();
    await loop;
    this.#emit({ kind: 'draining', signal, running: scheduler.running.length, drainMs });
    clearInterval(pruning);
    watch.close();
    await scheduler.drain(drainMs, hurry.signal);
    await health?.close();
    process.off('SIGTERM', stop).off('SIGINT', stop).off('SIGHUP', onHangUp);
    this.#emit({ kind: 'stopped' });
    return EXIT.fine;
  }

  /** Reads all crontabs that changed since they were last read, and puts in force what is without errors. */
  async #load(scheduler: Scheduler, store: RunStore, isFirst: boolean): Promise<void> {
    let files: readonly CrontabFile[];
    try {
      files = crontabFiles(this.#invocation.operands, text(this.#invocation, 'name'));
    } catch (error) {
      if (isFirst) throw error;
      this.#emit({ kind: 'error', message: (error as Error).message });
      return;
    }
    for (const file of files) {
      try {
        await this.#loadFile(file, scheduler, store);
      } catch (error) {
        this.#emit({ kind: 'error', message: `crontab \`${file.name}\` could not be put in force`, error });
        this.#read.delete(file.path);
        if (isFirst)
          throw new CommandError(
            `crontab \`${file.name}\` could not be put in force: ${(error as Error).message}`,
            { cause: error },
          );
      }
    }
    const names = new Set(files.map(({ name }) => name));
    for (const { plan } of scheduler.plans) {
      if (names.has(plan.crontab)) continue;
      await scheduler.deactivate(plan.crontab);
      this.#metrics.keepJobs(plan.crontab, []);
    }
  }

  async #loadFile({ name, path }: CrontabFile, scheduler: Scheduler, store: RunStore): Promise<void> {
    let checked: CheckedCrontab;
    try {
      const bytes = readCrontabFile(path);
      const text = Buffer.from(bytes).toString('latin1');
      if (this.#read.get(path) === text) return;
      this.#read.set(path, text);
      checked = checkCrontab(bytes, {
        system: isSet(this.#invocation, 'system'),
        zone: this.#settings.zone,
        now: SYSTEM_CLOCK.now(),
        user: currentUser().name,
      });
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      this.#read.delete(path);
      await this.#refuse(name, path, 1, [error.message], scheduler, store);
      return;
    }
    if (checked.diagnostics.hasErrors) {
      await this.#refuse(
        name,
        path,
        checked.diagnostics.count('error'),
        report(path, checked, 'error'),
        scheduler,
        store,
      );
      return;
    }
    this.#refused.delete(name);
    const plan = planCrontab(checked, { crontab: name, zone: this.#settings.zone });
    await this.#putInForce(plan, path, scheduler);
    const warnings = report(path, checked, 'warning');
    if (warnings.length > 0)
      this.#emit({ kind: 'crontab-warnings', crontab: name, file: path, report: warnings });
    for (const message of effectlessKeys(plan)) this.#emit({ kind: 'note', message });
  }

  async #putInForce(plan: SchedulePlan, path: string, scheduler: Scheduler): Promise<void> {
    this.#metrics.keepJobs(
      plan.crontab,
      plan.jobs.map(({ name }) => name),
    );
    await scheduler.activate(plan, path);
  }

  /** A crontab with errors changes nothing: what was in force stays, at a start the last good plan of the store. */
  async #refuse(
    name: string,
    path: string,
    errors: number,
    reported: readonly string[],
    scheduler: Scheduler,
    store: RunStore,
  ): Promise<void> {
    this.#emit({ kind: 'crontab-refused', crontab: name, file: path, errors, report: reported });
    const isInForce = scheduler.plans.some(({ plan }) => plan.crontab === name);
    if (isInForce) return;
    const last = await store.activePlan(name);
    // At a terminal somebody is there to mend it.
    if (last === undefined || this.#io.stdout.isTTY === true) {
      this.#refused.set(name, reported[0]?.split('\n')[0] ?? '');
      return;
    }
    this.#emit({ kind: 'warning', message: `crontab \`${name}\` goes on as it was last without errors` });
    await this.#putInForce(last.plan, path, scheduler);
  }

  #watched(): readonly string[] {
    const { operands } = this.#invocation;
    try {
      return [...operands, ...crontabFiles(operands, text(this.#invocation, 'name')).map(({ path }) => path)];
    } catch {
      return operands;
    }
  }

  #unready(scheduler: Scheduler): readonly string[] {
    const reasons = [...this.#refused].map(([name, finding]) => `crontab ${name}: ${finding}`);
    if (scheduler.plans.length === 0) reasons.push('no crontab is in force');
    if (this.#storeFailure !== undefined) reasons.push(this.#storeFailure);
    return reasons;
  }

  async #page(scheduler: Scheduler, store: RunStore) {
    this.#metrics.set(
      'kubercron_scheduler_last_tick_timestamp_seconds',
      {},
      (SYSTEM_CLOCK.now() - scheduler.sinceLastTick) / 1000,
    );
    const unfinished = await store.unfinished();
    const next = new Map<string, Map<string, number>>();
    for (const one of scheduler.jobs()) {
      const ofCrontab = next.get(one.crontab) ?? new Map<string, number>();
      if (one.next !== undefined) ofCrontab.set(one.job.name, one.next);
      next.set(one.crontab, ofCrontab);
    }
    const samples = [];
    for (const { plan } of scheduler.plans) {
      const states = await store.states(plan.crontab);
      samples.push(
        ...jobSamples({
          crontab: plan.crontab,
          jobs: plan.jobs,
          states,
          unfinished,
          nextRuns: next.get(plan.crontab) ?? new Map(),
        }),
      );
    }
    return this.#metrics.expose(samples);
  }

  async #prune(store: RunStore): Promise<void> {
    try {
      await store.prune(SYSTEM_CLOCK.now(), PRUNE_ROWS);
    } catch (error) {
      this.#emit({ kind: 'error', message: 'old history could not be deleted; it is tried again', error });
    }
  }
}

function report(path: string, { text: crontab, diagnostics }: CheckedCrontab, severity: Severity): string[] {
  const renderer = new DiagnosticRenderer(path, crontab);
  return diagnostics.list
    .filter((one) => one.severity === severity)
    .slice(0, MOST_REPORTED)
    .map((one) => renderer.text(one));
}

function readPresence(path: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Owner;
  } catch {
    // None, or one that was cut off when the machine stopped.
    return undefined;
  }
}

function packageVersion(): string {
  return (
    JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
  ).version;
}
