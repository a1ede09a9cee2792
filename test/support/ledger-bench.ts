import { MemoryRunStore } from '../../shared/adapters/memory-run-store.ts';
import { planHash, type SchedulePlan } from '../../shared/core/plan/plan.ts';
import {
  type DeployedPlan,
  type KeeperEvent,
  type KeeperPorts,
  LedgerKeeper,
  type PassResult,
} from '../../shared/core/run/ledger-keeper.ts';
import { jobNameOf } from '../../shared/core/run/run-id.ts';
import type { RunStore } from '../../shared/core/run/run-store.ts';
import { FakeClock } from './fake-clock.ts';
import { planOf } from './plan-of.ts';
import { claimOf, runToEnd } from './run-claims.ts';

export const MINUTE = 60_000;
/** The first pass of a bench; a crontab comes in force by it. */
export const FIRST_PASS = Date.parse('2026-03-10T06:00:20Z');

/** `06:05` of that day. */
export function at(time: string): number {
  return Date.parse(`2026-03-10T${time.length === 5 ? `${time}:00` : time}Z`);
}

export function deployed(crontab: string): DeployedPlan {
  const plan = planOf(crontab);
  return { plan, hash: planHash(plan) };
}

export function namedAs(crontab: string, { plan }: DeployedPlan): DeployedPlan {
  const named: SchedulePlan = { ...plan, crontab };
  return { plan: named, hash: planHash(named) };
}

/** Ledger passes over a store in memory, at times that a test says. */
export class LedgerBench {
  readonly clock = new FakeClock(FIRST_PASS);
  readonly memory = new MemoryRunStore();
  readonly events: KeeperEvent[] = [];
  /** What executors were told, `job 06:05`. */
  readonly told: string[] = [];
  /** Calls of the store, in order. */
  readonly calls: (readonly [name: string, args: readonly unknown[]])[] = [];
  /** What befalls who tells an executor. */
  onHandOver: () => Promise<void> = async () => {};
  plans: readonly DeployedPlan[];
  readonly #ports: Partial<KeeperPorts>;
  #tokens = 0;

  constructor(crontab: string, ports: Partial<KeeperPorts> = {}) {
    this.plans = [deployed(crontab)];
    this.#ports = ports;
  }

  /** A deployment whose first pass was made. */
  static async inForce(crontab: string, ports: Partial<KeeperPorts> = {}): Promise<LedgerBench> {
    const bench = new LedgerBench(crontab, ports);
    await bench.pass(FIRST_PASS);
    bench.events.length = 0;
    return bench;
  }

  /** A pass at a time; what it sleeps for passes at once. */
  async pass(time: string | number, plans = this.plans, budgetMs?: number): Promise<PassResult> {
    this.clock.jumpTo(typeof time === 'number' ? time : at(time));
    this.calls.length = 0;
    const keeper = new LedgerKeeper(
      {
        store: this.#watched(this.memory),
        clock: this.clock,
        random: () => 0,
        token: () => `pass-${++this.#tokens}`,
        handOver: async ({ job, runId }) => {
          await this.onHandOver();
          this.told.push(`${job.name} ${runId.slice(11, 16)}`);
        },
        emit: (event) => void this.events.push(event),
        ...this.#ports,
      },
      { target: 'aws', channel: () => 'default', ...(budgetMs !== undefined && { budgetMs }) },
    );
    const result: { value?: PassResult } = {};
    void keeper.pass(plans).then((value) => Object.assign(result, { value }));
    for (let seconds = 0; result.value === undefined && seconds < 300; seconds++)
      await this.clock.advance(1000);
    if (result.value === undefined) throw new Error('the pass does not end');
    return result.value;
  }

  /** A run that was delivered at its time, and succeeded. */
  async delivered(job: string, time: string): Promise<void> {
    await runToEnd(
      this.memory,
      claimOf({ jobId: `shop/${job}`, scheduledTime: at(time), token: `t-${time}` }),
    );
  }

  /** Rows by age: `a 06:05 missed too-late`, of a stretch `a 06:01-06:04 …`. */
  async rows(): Promise<string[]> {
    const runs = await this.memory.runs({ limit: 9999 });
    const time = (instant: number) => new Date(instant).toISOString().slice(11, 16);
    return runs
      .map(({ jobId, scheduledTime, spanFrom, status, reason, cause }) => ({
        order: `${scheduledTime} ${jobId}`,
        text: [
          jobNameOf(jobId),
          spanFrom === undefined ? time(scheduledTime) : `${time(spanFrom)}-${time(scheduledTime)}`,
          status,
          ...(status === 'pending' ? [cause] : reason === undefined ? [] : [reason]),
        ].join(' '),
      }))
      .sort((a, b) => (a.order < b.order ? -1 : 1))
      .map(({ text }) => text);
  }

  /** Events of a kind. */
  said<Kind extends KeeperEvent['kind']>(kind: Kind): Extract<KeeperEvent, { kind: Kind }>[] {
    return this.events.filter((event) => event.kind === kind) as Extract<KeeperEvent, { kind: Kind }>[];
  }

  #watched(store: RunStore): RunStore {
    return new Proxy(store, {
      get: (target, name) => {
        const call = Reflect.get(target, name);
        if (typeof call !== 'function') return call;
        return (...args: unknown[]) => {
          this.calls.push([String(name), args]);
          return call.apply(target, args);
        };
      },
    });
  }
}
