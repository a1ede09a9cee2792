import type { ClockGuardPorts } from '../../container/clock-guard.ts';
import type { DaemonEvent } from '../../container/events.ts';
import { Janitor } from '../../container/janitor.ts';
import type { SchedulerOptions, SchedulerPorts } from '../../container/run-starter.ts';
import { Scheduler } from '../../container/scheduler.ts';
import type { CommandSpec } from '../../shared/core/run/ports.ts';
import type { Owner, Run } from '../../shared/core/run/run.ts';
import type { RunStore } from '../../shared/core/run/run-store.ts';
import { type FakeClock, settled } from './fake-clock.ts';
import { type FakeCommand, FakeCommands } from './fake-commands.ts';
import { planOf } from './plan-of.ts';
import { ownerOf } from './run-claims.ts';

/** Commands that succeed as soon as they are started, unless their job is named. */
class MostlyQuickCommands extends FakeCommands {
  readonly lasting = new Set<string>();

  override start(spec: CommandSpec): FakeCommand {
    const command = super.start(spec);
    if (!this.lasting.has(jobOfCommand(command))) command.end({ kind: 'exited', exitCode: 0 });
    return command;
  }
}

/** A daemon's scheduler with a clock and commands of a test's own, and a process that can die. */
export class SchedulerProcess {
  static #count = 0;
  readonly store: RunStore;
  readonly clock: FakeClock;
  readonly owner: Owner;
  readonly commands: MostlyQuickCommands;
  readonly events: DaemonEvent[] = [];
  readonly scheduler: Scheduler;
  readonly janitor: Janitor;
  /** Whether another process lives, as this one sees it. */
  isAlive: (owner: Owner) => boolean | undefined = () => true;
  /** Runs of which it ended what was left. */
  readonly killed: Run[] = [];
  #isDead = false;
  #loop: Promise<void> = Promise.resolve();

  /** @param admit what says whether anything may start, as `SchedulerPorts` has it */
  constructor(
    store: RunStore,
    clock: FakeClock,
    options: Partial<SchedulerOptions> = {},
    admit: (ports: ClockGuardPorts) => SchedulerPorts['admit'] = () => undefined,
  ) {
    this.clock = clock;
    this.owner = ownerOf(`process-${++SchedulerProcess.#count}`);
    this.commands = new MostlyQuickCommands(clock);
    this.store = this.#mortal(store);
    const emit = (event: DaemonEvent) => void this.events.push(event);
    const ports = { store: this.store, clock, commands: this.commands, emit, random: () => 0 };
    const user = { name: 'jane', home: '/home/jane' };
    const all = { owner: this.owner, user, passed: {}, secret: () => undefined, ...options };
    this.scheduler = new Scheduler({ ...ports, admit: admit(ports) }, all);
    this.janitor = new Janitor(
      {
        ...ports,
        isAlive: (owner) => this.isAlive(owner),
        killLeftovers: async (runs) => void this.killed.push(...runs),
        spool: { all: () => [], remove: () => {} },
        cleanLogs: async () => {},
      },
      this.scheduler,
      options.channel,
    );
  }

  /** What a daemon does before anything else. */
  async recover(isAlive: (owner: Owner) => boolean | undefined): Promise<void> {
    this.isAlive = isAlive;
    await this.janitor.recover();
  }

  /** Puts a crontab named `shop` in force, tried again until the store takes it. */
  async load(crontab: string): Promise<void> {
    const plan = planOf(crontab);
    let isDone = false;
    const load = async () => {
      while (!isDone && !this.#isDead) {
        try {
          await this.scheduler.activate(plan, 'shop.crontab');
          isDone = true;
        } catch {
          await this.clock.sleep(1000);
        }
      }
    };
    void load();
    await settled();
    while (!isDone && !this.#isDead) await this.clock.advance(1000);
  }

  run(): void {
    this.#loop = this.scheduler.run();
    void this.janitor.run();
  }

  async stop(): Promise<void> {
    this.janitor.stop();
    this.scheduler.stop();
    await this.#loop;
  }

  /** Ends the process as `kill -9` does: from now on it does nothing to the store. */
  die(): void {
    this.#isDead = true;
    this.janitor.stop();
    this.scheduler.stop();
  }

  /** Starts so far, as `job 10:00 at 10:00:00.000`. */
  get starts(): string[] {
    return this.events.flatMap((event) => {
      if (event.kind !== 'run-started') return [];
      const { run, attempt } = event;
      return [`${runText(run)} at ${new Date(attempt.startedAt).toISOString().slice(11, -1)}`];
    });
  }

  errors(): string[] {
    return this.events.flatMap((event) => (event.kind === 'error' ? [event.message] : []));
  }

  command(job: string): FakeCommand {
    const command = this.commands.started.findLast((one) => jobOfCommand(one) === job);
    if (command === undefined) throw new Error(`no command of ${job} was started`);
    return command;
  }

  #mortal(store: RunStore): RunStore {
    return new Proxy(store, {
      get: (target, name) => {
        const value = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => (this.#isDead ? new Promise(() => {}) : value.apply(target, args));
      },
    });
  }
}

/** The runs of the crontab `shop`, oldest first, as `job 10:00 succeeded`. */
export async function history(store: RunStore): Promise<string[]> {
  const runs = await store.runs({ limit: 100_000 });
  return [...runs]
    .sort((a, b) => a.scheduledTime - b.scheduledTime || (a.jobId < b.jobId ? -1 : 1))
    .map((run) => {
      const trigger = run.trigger === 'schedule' ? '' : ` (${run.trigger})`;
      return `${runText(run)} ${run.status}${run.reason === undefined ? '' : ` ${run.reason}`}${trigger}`;
    });
}

function runText({ jobId, runId, scheduledTime, spanFrom }: Run): string {
  const time = (instant: number) => new Date(instant).toISOString().slice(11, 16);
  const due = spanFrom === undefined ? time(scheduledTime) : `${time(spanFrom)}-${time(scheduledTime)}`;
  const occasion = runId.startsWith('reboot#') ? runId : due;
  return `${jobId.replace('shop/', '')} ${occasion}`;
}

function jobOfCommand({ spec }: FakeCommand): string {
  return spec.environment.KUBERCRON_JOB as string;
}
