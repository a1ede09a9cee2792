import { EmfCollector, emfLines } from '../core/metrics/emf.ts';
import type { CounterName, GaugeName, HistogramName, LabelsOf, Metrics } from '../core/metrics/metrics.ts';
import type { FinalStatus } from '../core/run/run.ts';
import { crontabOf, jobNameOf } from '../core/run/run-id.ts';
import type { EpochMs } from '../core/schedule/zone-table.ts';

export interface EmfMetricsOptions {
  /** Namespace of CloudWatch. */
  readonly namespace: string;
  /** Whether each job has metrics of its own. */
  readonly hasJobMetrics: boolean;
  readonly now: () => EpochMs;
  /** Takes whole lines. `console` must not: what it puts before a line hides it from CloudWatch. */
  readonly write: (text: string) => void;
}

/**
 * Metrics that CloudWatch takes from the log of a function. Nobody asks a function for a page, so it counts what others
 * read from the run store as well: runs that are over, and attempts.
 */
export class EmfMetrics implements Metrics {
  readonly #options: EmfMetricsOptions;
  readonly #collected: EmfCollector;

  constructor(options: EmfMetricsOptions) {
    this.#options = options;
    this.#collected = new EmfCollector(options);
  }

  add<Name extends CounterName>(name: Name, labels: LabelsOf<Name>, by = 1): void {
    this.#collected.add(name, labels as Readonly<Record<string, string>>, by);
  }

  /** Of a gauge with `job_name`, the crontab has the sum over the jobs that are named until `flush`. */
  set<Name extends GaugeName>(name: Name, labels: LabelsOf<Name>, value: number): void {
    this.#collected.set(name, labels as Readonly<Record<string, string>>, value);
  }

  observe<Name extends HistogramName>(name: Name, labels: LabelsOf<Name>, value: number): void {
    this.#collected.observe(name, labels as Readonly<Record<string, string>>, value);
  }

  /** Counts a run that is over now. */
  runEnded(jobId: string, status: FinalStatus): void {
    this.add('kubercron_job_runs_total', { crontab: crontabOf(jobId), job_name: jobNameOf(jobId), status });
  }

  /** Writes what was measured since the last call. */
  flush(): void {
    const { namespace, now, write } = this.#options;
    const lines = emfLines(namespace, now(), this.#collected.take());
    if (lines.length > 0) write(`${lines.join('\n')}\n`);
  }
}
