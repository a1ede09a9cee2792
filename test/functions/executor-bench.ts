import { type ExecutorPorts, RunExecutor } from '../../functions/executor/execute.ts';
import type { FormerRun } from '../../functions/executor/sandbox.ts';
import { jsonLog } from '../../functions/log.ts';
import { EmfMetrics } from '../../shared/adapters/emf-metrics.ts';
import { MemoryRunStore } from '../../shared/adapters/memory-run-store.ts';
import { planHash } from '../../shared/core/plan/plan.ts';
import type { Run } from '../../shared/core/run/run.ts';
import type { RunStore } from '../../shared/core/run/run-store.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';
import { FakeCommands } from '../support/fake-commands.ts';
import { planOf } from '../support/plan-of.ts';
import { ownerOf } from '../support/run-claims.ts';

/** Sunday 2026-03-29T04:30:07Z, seven seconds after a due time of the jobs here. */
export const NOW = Date.parse('2026-03-29T04:30:07Z');
export const MINUTE = 60_000;
/** What Lambda gives an executor. */
export const FIFTEEN_MINUTES = 15 * MINUTE;

export const CREDENTIALS = {
  AWS_ACCESS_KEY_ID: 'ASIACOMMANDSKEYID',
  AWS_SECRET_ACCESS_KEY: 'secret-key-of-commands',
  AWS_SESSION_TOKEN: 'session-token-of-commands',
};

/** A line of the log, without its time. */
export interface Line {
  readonly level: string;
  readonly event: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** An executor whose world stands still until a test moves it. */
export class ExecutorBench {
  readonly clock = new FakeClock(NOW);
  readonly memory = new MemoryRunStore();
  readonly commands = new FakeCommands(this.clock);
  readonly lines: Line[] = [];
  /** Metrics as CloudWatch would have them: name, dimensions, value. */
  readonly metrics: (readonly [name: string, dimensions: Record<string, string>, value: unknown])[] = [];
  /** Calls of the store, in order. */
  readonly requests: string[] = [];
  readonly sessions: string[] = [];
  /** What the sandbox was told, in order. */
  readonly sandbox: string[] = [];
  former: FormerRun | undefined;
  executor: RunExecutor;
  readonly #ports: ExecutorPorts;
  readonly #options: { userName: string; region: string; isDryRun: boolean };
  #tokens = 0;

  constructor(
    crontab: string,
    change: Partial<ExecutorPorts> & {
      readonly isDryRun?: boolean;
      readonly hasJobMetrics?: boolean;
      readonly faulty?: (store: RunStore) => RunStore;
    } = {},
  ) {
    const { isDryRun = false, hasJobMetrics = false, faulty = (store) => store, ...ports } = change;
    const plan = planOf(crontab);
    const bundled = { plan, hash: planHash(plan) };
    const write = (text: string) => this.#noteMetrics(text);
    this.#ports = {
      store: this.#watched(faulty(this.memory)),
      clock: this.clock,
      metrics: new EmfMetrics({ namespace: 'test', hasJobMetrics, now: () => this.clock.now(), write }),
      log: jsonLog(
        (text) => {
          const { time: _time, ...line } = JSON.parse(text);
          this.lines.push(line);
        },
        () => this.clock.now(),
      ),
      plan: (name) => (name === 'shop' ? bundled : undefined),
      commands: () => this.commands,
      secrets: async (names) => Object.fromEntries(names.map((name) => [name, `value-of-${name}`])),
      credentials: async (session) => {
        this.sessions.push(session);
        return CREDENTIALS;
      },
      sandbox: {
        sweep: async () => this.former,
        enter: () => {
          this.sandbox.push('enter');
          return { home: '/sandbox/home', temporary: '/sandbox/home/tmp' };
        },
        remember: ({ runId }) => void this.sandbox.push(`remember ${runId}`),
        leave: async () => {
          this.sandbox.push('leave');
          return [];
        },
      },
      newOwner: () => ownerOf(`token-${++this.#tokens}`),
      random: () => 0.5,
      ...ports,
    };
    this.#options = { userName: 'sbx_user', region: 'eu-central-1', isDryRun };
    this.executor = this.another();
  }

  /** An executor in another sandbox. */
  another(): RunExecutor {
    return new RunExecutor(this.#ports, this.#options);
  }

  /** Hands an event over. @returns how the invocation ends */
  invoke(
    event: unknown,
    { executor = this.executor, ms = FIFTEEN_MINUTES }: { executor?: RunExecutor; ms?: number } = {},
  ): Promise<'returned' | Error> {
    const end = this.clock.monotonic() + ms;
    const remainingMs = () => end - this.clock.monotonic();
    return executor.handle(event, { remainingMs }).then(
      () => 'returned' as const,
      (error: Error) => error,
    );
  }

  /** Hands an event over whose command ends at once. */
  async runToEnd(event: unknown, exitCode = 0, executor = this.executor): Promise<'returned' | Error> {
    const before = this.commands.started.length;
    const ended = this.invoke(event, { executor });
    await settled();
    this.commands.started[before]?.end({ kind: 'exited', exitCode });
    await this.clock.advance(0);
    return await ended;
  }

  run(job = 'backup', runId = '2026-03-29T04:30Z'): Promise<Run | undefined> {
    return this.memory.run(`shop/${job}`, runId);
  }

  /** Lines of an event. */
  said(event: string): Line[] {
    return this.lines.filter((line) => line.event === event);
  }

  #watched(store: RunStore): RunStore {
    return new Proxy(store, {
      get: (target, name) => {
        const call = Reflect.get(target, name);
        if (typeof call !== 'function') return call;
        return (...args: unknown[]) => {
          this.requests.push(String(name));
          return call.apply(target, args);
        };
      },
    });
  }

  #noteMetrics(text: string): void {
    for (const line of text.trimEnd().split('\n')) {
      const document = JSON.parse(line);
      for (const { Dimensions, Metrics } of document._aws.CloudWatchMetrics) {
        const dimensions = Object.fromEntries(Dimensions[0].map((name: string) => [name, document[name]]));
        for (const { Name } of Metrics) this.metrics.push([Name, dimensions, document[Name]]);
      }
    }
  }
}

/** An event of EventBridge Scheduler, for `shop/backup` at 04:30. */
export function delivery(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    ...{ crontab: 'shop', job: 'backup', part: 0, scheduledTime: '2026-03-29T04:30:02Z' },
    ...{ executionId: '6f1c', attemptNumber: '1' },
    scheduleArn: 'arn:aws:scheduler:eu-central-1:123456789012:schedule/kuber-cron/shop--backup--0',
    ...fields,
  };
}
