import {
  type Command,
  CommandError,
  EXIT,
  type Io,
  OPTION,
  text,
  UsageError,
} from '../shared/adapters/command-line.ts';
import { openExistingStore, type StoreLocation, storeLocation } from '../shared/adapters/open-store.ts';
import { PrometheusMetrics } from '../shared/adapters/prometheus-metrics.ts';
import { StoreError } from '../shared/adapters/store-error.ts';
import { runsOn, timetableOf } from '../shared/core/plan/plan.ts';
import type { ActivePlan, RunStore } from '../shared/core/run/run-store.ts';
import { nextDue } from '../shared/core/schedule/due.ts';
import type { EpochMs } from '../shared/core/schedule/zone-table.ts';
import { DEFAULT_HTTP, httpAddress } from './daemon-options.ts';
import { startHealthServer } from './health-server.ts';
import { StopSignals } from './stop-signals.ts';
import { type ScrapedCrontab, storeSamples } from './store-samples.ts';

export const serveCommand: Command = {
  name: 'serve',
  summary: 'Serve health and metrics of a run store, and run nothing',
  examples: [
    ['kuber-cron serve --store dynamodb:kuber-cron-runs', 'metrics of jobs that run on AWS, for Prometheus'],
    ['kuber-cron serve --http 0.0.0.0:9746', 'in a container'],
  ],
  operands: '',
  options: {
    store: OPTION.store,
    http: { type: 'string', value: 'HOST:PORT', help: `where to listen (default: ${DEFAULT_HTTP})` },
  },
  notes: `/livez is well as long as the process is; /readyz when the store can be read and has a crontab in force; /metrics has
what the store knows of each job. A store that is not there yet is asked again with each request.`,

  async run(invocation, io) {
    if (invocation.operands.length > 0)
      throw new UsageError('`serve` takes no operands: crontabs come from the store');
    const http = httpAddress(text(invocation, 'http') ?? DEFAULT_HTTP);
    if (http === undefined) throw new UsageError('`serve` does nothing else: `--http` cannot be `off`');
    return await serve(new ServedStore(storeLocation(text(invocation, 'store'))), http, io);
  },
};

async function serve(
  served: ServedStore,
  address: { readonly host: string; readonly port: number },
  io: Io,
): Promise<number> {
  const signals = new StopSignals(() => {});
  try {
    const server = await startHealthServer({
      ...address,
      livez: () => [],
      readyz: () => served.problems(),
      metrics: () => served.page(io.now?.() ?? Date.now()),
      log: { warn: (_details, message) => io.stderr.write(`kuber-cron: ${message}\n`) },
    });
    // It has said why.
    if (server === undefined) return EXIT.failed;
    io.stdout.write(`health and metrics of ${served.shown}: ${server.url}\n`);
    await signals.stopped;
    await server.close();
    return EXIT.fine;
  } finally {
    signals.close();
    await served.close();
  }
}

/** A store that is opened by the first request that finds it. */
class ServedStore {
  readonly shown: string;
  readonly #location: StoreLocation;
  readonly #metrics = new PrometheusMetrics();
  #store: RunStore | undefined;

  constructor(location: StoreLocation) {
    this.#location = location;
    this.shown = location.table === undefined ? location.path : `dynamodb:${location.table}`;
  }

  /** Why there is nothing to see. */
  async problems(): Promise<readonly string[]> {
    try {
      const crontabs = await this.#opened().crontabs();
      return crontabs.length === 0 ? ['no crontab is in force'] : [];
    } catch (error) {
      if (error instanceof StoreError || error instanceof CommandError) return [error.message];
      throw error;
    }
  }

  async page(now: EpochMs) {
    const store = this.#opened();
    const crontabs: ScrapedCrontab[] = [];
    for (const name of await store.crontabs()) {
      const active = await store.activePlan(name);
      if (active !== undefined) crontabs.push(scraped(active, now));
    }
    return this.#metrics.expose(await storeSamples(store, crontabs, now));
  }

  async close(): Promise<void> {
    await this.#store?.close();
  }

  #opened(): RunStore {
    this.#store ??= openExistingStore(this.#location);
    return this.#store;
  }
}

function scraped({ plan, target = 'daemon' }: ActivePlan, now: EpochMs): ScrapedCrontab {
  const jobs = plan.jobs.filter((job) => runsOn(job, target));
  const nextRuns = new Map<string, EpochMs>();
  for (const job of jobs) {
    const timetable = timetableOf(plan, job);
    const next = timetable === undefined ? undefined : nextDue(timetable, now);
    if (next !== undefined) nextRuns.set(job.name, next);
  }
  return { plan, jobs, nextRuns };
}
