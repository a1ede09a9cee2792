import { RunExecutor } from '../../functions/executor/execute.ts';
import { EmfMetrics } from '../../shared/adapters/emf-metrics.ts';
import { MemoryRunStore } from '../../shared/adapters/memory-run-store.ts';
import { planHash, type SchedulePlan, timetableOf } from '../../shared/core/plan/plan.ts';
import {
  type HandedRun,
  type KeeperEvent,
  LedgerKeeper,
  type PassResult,
} from '../../shared/core/run/ledger-keeper.ts';
import { isStarted } from '../../shared/core/run/ledger-work.ts';
import { cutToMinute, dueRunId, jobIdOf } from '../../shared/core/run/run-id.ts';
import type { ActivePlan, RunStore } from '../../shared/core/run/run-store.ts';
import type { ScheduleChange } from '../../shared/core/run/schedule-history.ts';
import { dueInstants, isDue, type Timetable } from '../../shared/core/schedule/due.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeCommands } from './fake-commands.ts';
import { type Evidence, judge } from './fault-judge.ts';
import { StoreFaults } from './faulty-store.ts';
import { planOf } from './plan-of.ts';
import { ownerOf } from './run-claims.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** How often something goes wrong, of a thousand times. */
export interface Mishaps {
  /** Deliveries that never come, come twice, come minutes late. */
  readonly dropped: number;
  readonly doubled: number;
  readonly late: number;
  /** Sandboxes that end in the middle of an invocation. */
  readonly dying: number;
  /** Passes that do not come, come twice, or end in the middle. */
  readonly passSkipped: number;
  readonly passDoubled: number;
  readonly passDying: number;
  /** Starts of executors that are refused, and that are lost on the way. */
  readonly refused: number;
  readonly lost: number;
  /** Writes that fail, half of them after they were done. */
  readonly store: number;
}

export const NO_MISHAPS: Mishaps = {
  ...{ dropped: 0, doubled: 0, late: 0, dying: 0, passSkipped: 0, passDoubled: 0, passDying: 0 },
  ...{ refused: 0, lost: 0, store: 0 },
};

interface Version {
  readonly plan: SchedulePlan;
  readonly hash: string;
}

/** A store that notes which plan was in force when. */
class WatchedStore extends MemoryRunStore {
  readonly reigns: ActivePlan[] = [];

  override async setActivePlan(active: ActivePlan, change: ScheduleChange): Promise<void> {
    this.reigns.push(active);
    await super.setActivePlan(active, change);
  }
}

/**
 * A deployment on AWS in one process: the real executor and the real ledger pass, over a store in memory, with a
 * transport that may lose, double and hold back what it delivers. Which mishaps there are follows from the seed.
 */
export class SimulatedDeployment {
  readonly clock: FakeClock;
  readonly store = new WatchedStore();
  readonly events: KeeperEvent[] = [];
  readonly results: PassResult[] = [];
  mishaps = NO_MISHAPS;
  /** What EventBridge delivers of a job at a minute, by parts of its cover; where left out, one delivery when it is due. */
  transport: ((job: string, minute: number) => readonly number[]) | undefined;
  /** Whether EventBridge delivers at all. */
  isDelivering = true;
  /** Whether the watchdog is called. */
  isWatching = true;
  readonly #deploys: { readonly version: Version; readonly at: number }[] = [];
  readonly #journal: Evidence['journal'][number][] = [];
  readonly #faults = new StoreFaults();
  readonly #underWay = new Map<string, Set<object>>();
  #state: number;
  #executors: Version | undefined;
  #watchdog: Version | undefined;
  #former: Version | undefined;
  #schedules: Version | undefined;
  #tokens = 0;

  constructor(start: number, seed: number) {
    this.clock = new FakeClock(start);
    this.#state = seed * 2 + 1;
    this.#faults.next = () => {
      if (!this.#chance(this.mishaps.store)) return 'none';
      return this.#random() < 0.5 ? 'before' : 'after';
    };
  }

  /** Deploys a crontab, or none: functions first, schedules minutes later. */
  deploy(crontab: string | undefined): void {
    const version = crontab === undefined ? undefined : versionOf(crontab);
    this.#executors = version;
    if (version !== undefined) this.#deploys.push({ version, at: this.clock.now() });
    this.#after(this.#random() * 40 * SECOND, () => {
      this.#former = this.#watchdog;
      this.#watchdog = version;
    });
    this.#after((1 + this.#random() * 2) * MINUTE, () => {
      this.#schedules = version;
    });
  }

  /** Lets minutes pass, whose beginnings the clock is at. */
  async pass(minutes: number): Promise<void> {
    for (let count = 0; count < minutes; count++) {
      if (this.isDelivering) this.#deliver(this.clock.now());
      if (this.isWatching) this.#watch();
      await this.clock.advance(MINUTE);
    }
  }

  /** What the evidence holds against the promises. */
  async judged(): Promise<string[]> {
    const due = new Map<string, number[]>();
    const attempts = new Map<string, number>();
    for (const [index, { plan, since }] of this.store.reigns.entries()) {
      const until = this.store.reigns[index + 1]?.since ?? since;
      for (const job of plan.jobs) {
        const jobId = jobIdOf(plan.crontab, job.name);
        const timetable = isStarted(job, 'aws') ? timetableOf(plan, job) : undefined;
        attempts.set(jobId, Math.max(attempts.get(jobId) ?? 1, 1 + (job.options.retries ?? 0)));
        if (timetable === undefined) continue;
        due.set(jobId, [...(due.get(jobId) ?? []), ...dueInstants(timetable, since, until)]);
      }
    }
    const runs = await this.store.runs({ limit: 1_000_000 });
    // Executors go by their own plan, which may be deployed before it is in force.
    const rows = new Set(runs.map(({ jobId, runId }) => `${jobId} ${runId}`));
    for (const { version, at } of this.#deploys) {
      const since =
        this.store.reigns.find((one) => one.hash === version.hash && one.since >= at)?.since ?? at;
      for (const job of version.plan.jobs) {
        const jobId = jobIdOf(version.plan.crontab, job.name);
        const known = due.get(jobId) ?? [];
        for (const instant of dueInstants(timetableOf(version.plan, job) as Timetable, at - MINUTE, since)) {
          if (rows.has(`${jobId} ${dueRunId(instant)}`) && !known.includes(instant)) known.push(instant);
        }
        due.set(jobId, known);
      }
    }
    return judge({
      ...{ runs, states: await this.store.states('shop') },
      ...{ journal: this.#journal, due, attempts, timeouts: new Map() },
    });
  }

  /** Commands that were started: `job 06:30`, each attempt by itself. */
  get started(): string[] {
    return this.#journal.flatMap((line) =>
      line.what === 'start' ? [line.run.replace(/^shop\/(.*)\/.{10}T(.{5})Z$/, '$1 $2')] : [],
    );
  }

  #deliver(minute: number): void {
    const plan = this.#schedules?.plan;
    if (plan === undefined) return;
    for (const job of plan.jobs) {
      const timetable = isStarted(job, 'aws') ? timetableOf(plan, job) : undefined;
      if (timetable === undefined) continue;
      const parts = this.transport?.(job.name, minute) ?? (isDue(timetable, minute) ? [0] : []);
      if (parts.length === 0 || this.#chance(this.mishaps.dropped)) continue;
      for (const part of this.#chance(this.mishaps.doubled) ? [...parts, ...parts] : parts) {
        const lateMs = this.#chance(this.mishaps.late) ? this.#random() * 12 * MINUTE : 0;
        const event = {
          ...{
            crontab: 'shop',
            job: job.name,
            part,
            executionId: 'e',
            attemptNumber: '1',
            scheduleArn: 'arn:s',
          },
          scheduledTime: new Date(minute + 17 * SECOND).toISOString(),
        };
        this.#after(lateMs + this.#random() * 20 * SECOND, () => this.#invoke(event));
      }
    }
  }

  #watch(): void {
    if (this.#chance(this.mishaps.passSkipped)) return;
    const passes = this.#chance(this.mishaps.passDoubled) ? 2 : 1;
    for (let pass = 0; pass < passes; pass++) {
      // A process of the version before may be called once more.
      const former = this.#former;
      const isFormer = former !== undefined && this.#random() < 0.5;
      this.#after((this.#random() * 50 + pass * 3) * SECOND, () =>
        this.#makePass(isFormer ? former : this.#watchdog),
      );
    }
    this.#after(59 * SECOND, () => {
      this.#former = undefined;
    });
  }

  async #makePass(version: Version | undefined): Promise<void> {
    const life = { left: this.#chance(this.mishaps.passDying) ? Math.floor(this.#random() * 30) : Infinity };
    const keeper = new LedgerKeeper(
      {
        store: this.#mortal(this.#faults.of(this.store), () => life.left-- > 0),
        clock: this.clock,
        random: () => this.#random(),
        token: () => `pass-${++this.#tokens}`,
        handOver: (run) => this.#handOver(run),
        emit: (event) => void this.events.push(event),
      },
      { target: 'aws', channel: () => 'default' },
    );
    this.results.push(await keeper.pass(version === undefined ? [] : [version]));
  }

  async #handOver({ crontab, job, runId }: HandedRun): Promise<void> {
    if (this.#chance(this.mishaps.refused)) throw new Error('Lambda is asked too often');
    if (this.#chance(this.mishaps.lost)) return;
    this.#after(this.#random() * 2 * SECOND, () => this.#invoke({ crontab, job: job.name, runId }));
  }

  /** An invocation in a sandbox of its own; one that throws is made again a minute later, twice. */
  async #invoke(event: object, tries = 1): Promise<void> {
    const bundled = this.#executors;
    const isDying = this.#chance(this.mishaps.dying);
    let isAlive = true;
    const commands = new FakeCommands(this.clock);
    const under: { job?: string; command?: object } = {};
    const die = () => {
      isAlive = false;
      if (under.job !== undefined && under.command !== undefined)
        this.#underWay.get(under.job)?.delete(under.command);
    };
    const start: FakeCommands['start'] = (spec) => {
      const command = commands.start(spec);
      const {
        KUBERCRON_JOB: job = '',
        KUBERCRON_RUN_ID: run = '',
        KUBERCRON_ATTEMPT: attempt,
      } = spec.environment;
      const what = { run, attempt: Number(attempt) };
      const others = this.#underWay.get(job) ?? new Set();
      this.#journal.push({ what: 'start', ...what, time: spec.environment.KUBERCRON_SCHEDULED_TIME ?? '' });
      if (others.size > 0 && !job.startsWith('allow')) this.#journal.push({ what: 'overlap', ...what });
      this.#underWay.set(job, others.add(command));
      Object.assign(under, { job, command });
      const end = (exitCode: number | undefined) => {
        if (!isAlive || !others.delete(command)) return;
        if (exitCode !== undefined) this.#journal.push({ what: 'end', ...what, exitCode });
        command.end(
          exitCode === undefined ? { kind: 'signalled', signal: 'SIGTERM' } : { kind: 'exited', exitCode },
        );
      };
      command.onSignal = () => end(undefined);
      const lasts = this.#random() < 0.1 ? 4 * MINUTE : 20 * SECOND;
      this.#after(this.#random() * lasts, () => end(this.#random() < 0.15 ? 1 : 0));
      return command;
    };
    if (isDying) this.#after(this.#random() * 30 * SECOND, die);
    const begin = this.clock.monotonic();
    const executor = new RunExecutor(
      {
        store: this.#mortal(this.#faults.of(this.store), () => isAlive),
        clock: this.clock,
        metrics: new EmfMetrics({
          namespace: 't',
          hasJobMetrics: false,
          now: () => this.clock.now(),
          write: () => {},
        }),
        log: () => {},
        plan: (crontab) => (crontab === 'shop' ? bundled : undefined),
        commands: () => ({ start }),
        secrets: async () => ({}),
        credentials: async () => ({
          AWS_ACCESS_KEY_ID: '',
          AWS_SECRET_ACCESS_KEY: '',
          AWS_SESSION_TOKEN: '',
        }),
        sandbox: {
          sweep: async () => undefined,
          enter: () => ({ home: '/h', temporary: '/h/t' }),
          remember: () => {},
          leave: async () => [],
        },
        newOwner: () => ownerOf(`token-${++this.#tokens}`),
        random: () => this.#random(),
      },
      { userName: 'sbx', region: 'eu-central-1', isDryRun: false },
    );
    try {
      await executor.handle(event, { remainingMs: () => 15 * MINUTE - (this.clock.monotonic() - begin) });
    } catch {
      // The sandbox goes with what it runs.
      die();
      if (tries < 3) this.#after(MINUTE, () => this.#invoke(event, tries + 1));
    }
  }

  /** A store as a process has it that may end: then nothing is answered, or done. */
  #mortal(store: RunStore, isAlive: () => boolean): RunStore {
    return new Proxy(store, {
      get: (target, name) => {
        const call = Reflect.get(target, name);
        if (typeof call !== 'function') return call;
        return async (...args: unknown[]) => {
          if (!isAlive()) return await new Promise(() => {});
          return await call.apply(target, args);
        };
      },
    });
  }

  #after(ms: number, act: () => unknown): void {
    void this.clock.sleep(Math.max(1, Math.round(ms))).then(act);
  }

  #chance(ofThousand: number): boolean {
    return ofThousand > 0 && this.#random() * 1000 < ofThousand;
  }

  /** mulberry32 */
  #random(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let value = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296;
  }
}

function versionOf(crontab: string): Version {
  const plan = planOf(crontab);
  return { plan, hash: planHash(plan) };
}

/** The minute that an instant lies in, as the simulation begins. */
export function startOf(text: string): number {
  return cutToMinute(Date.parse(text));
}
