import type { EpochMs } from '../schedule/zone-table.ts';
import { type CloudWatchMetric, cloudWatchDimensions } from './cloudwatch.ts';
import { METRICS, type MetricName } from './metrics.ts';

/** Limits of the format. @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html */
const METRICS_OF_LINE = 100;
const VALUES_OF_METRIC = 100;

/** Values of a metric under one set of dimensions. */
export interface EmfValues extends CloudWatchMetric {
  /** Finite, at least one. */
  readonly values: readonly number[];
}

/**
 * Lines of the embedded metric format, each without a newline: what CloudWatch makes metrics of. Metrics of equal
 * dimensions share a line, as far as its limits go.
 *
 * @param metrics a metric of the same name and dimensions only once
 */
export function emfLines(namespace: string, at: EpochMs, metrics: readonly EmfValues[]): string[] {
  const sets = new Map<string, Document[]>();
  for (const { metricName, dimensions, values } of metrics) {
    const set = JSON.stringify(dimensions);
    const documents = sets.get(set) ?? [];
    sets.set(set, documents);
    for (let from = 0, index = 0; from < values.length; from += VALUES_OF_METRIC) {
      // A name stands in a line once: more values than one can have go to the next.
      while (!(documents[index]?.hasRoomFor(metricName) ?? true)) index++;
      documents[index] ??= new Document(dimensions);
      documents[index]?.add(metricName, values.slice(from, from + VALUES_OF_METRIC));
    }
  }
  return [...sets.values()].flat().map((document) => document.text(namespace, at));
}

/** A line in the making. */
class Document {
  readonly #dimensions: Readonly<Record<string, string>>;
  readonly #values = new Map<MetricName, readonly number[]>();

  constructor(dimensions: Readonly<Record<string, string>>) {
    this.#dimensions = dimensions;
  }

  hasRoomFor(name: MetricName): boolean {
    return this.#values.size < METRICS_OF_LINE && !this.#values.has(name);
  }

  add(name: MetricName, values: readonly number[]): void {
    this.#values.set(name, values);
  }

  text(namespace: string, at: EpochMs): string {
    const names = [...this.#values.keys()];
    return JSON.stringify({
      _aws: {
        Timestamp: at,
        CloudWatchMetrics: [
          {
            Namespace: namespace,
            Dimensions: [Object.keys(this.#dimensions)],
            Metrics: names.map((name) => ({ Name: name, Unit: unitOf(name) })),
          },
        ],
      },
      ...this.#dimensions,
      ...Object.fromEntries(
        [...this.#values].map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
      ),
    });
  }
}

function unitOf(name: MetricName): 'Seconds' | 'Count' | 'None' {
  if (name.endsWith('_seconds')) return 'Seconds';
  return METRICS[name].type === 'counter' ? 'Count' : 'None';
}

/**
 * Collects what is measured until it is written. Counters add up, a gauge keeps its last value, and of a histogram every
 * value counts. What is said of jobs is said of their crontab: there the gauges of its jobs add up.
 */
export class EmfCollector {
  readonly #hasJobMetrics: boolean;
  readonly #counters = new Map<string, Entry<number>>();
  /** Of each set of dimensions, by the labels that it leaves out. */
  readonly #gauges = new Map<string, Entry<Map<string, number>>>();
  readonly #histograms = new Map<string, Entry<number[]>>();

  /** @param hasJobMetrics whether each job has metrics of its own as well: each of them is paid for */
  constructor({ hasJobMetrics }: { readonly hasJobMetrics: boolean }) {
    this.#hasJobMetrics = hasJobMetrics;
  }

  add(metricName: MetricName, labels: Labels, by: number): void {
    for (const entry of this.#entries(this.#counters, metricName, labels, () => 0)) entry.value += by;
  }

  set(metricName: MetricName, labels: Labels, value: number): void {
    const none = () => new Map<string, number>();
    for (const entry of this.#entries(this.#gauges, metricName, labels, none))
      entry.value.set(JSON.stringify(labels), value);
  }

  observe(metricName: MetricName, labels: Labels, value: number): void {
    for (const entry of this.#entries(this.#histograms, metricName, labels, () => []))
      entry.value.push(value);
  }

  /** What was collected since the last call. */
  take(): EmfValues[] {
    const found = [
      ...valuesOf(this.#counters, (value) => [value]),
      ...valuesOf(this.#gauges, (byJob) => [[...byJob.values()].reduce((sum, value) => sum + value, 0)]),
      ...valuesOf(this.#histograms, (values) => values),
    ];
    for (const map of [this.#counters, this.#gauges, this.#histograms]) map.clear();
    return found;
  }

  #entries<T>(map: Map<string, Entry<T>>, metricName: MetricName, labels: Labels, none: () => T): Entry<T>[] {
    return cloudWatchDimensions(metricName, labels, this.#hasJobMetrics).map((dimensions) => {
      const key = JSON.stringify([metricName, dimensions]);
      const entry = map.get(key) ?? { metricName, dimensions, value: none() };
      map.set(key, entry);
      return entry;
    });
  }
}

type Labels = Readonly<Record<string, string>>;

interface Entry<T> extends CloudWatchMetric {
  value: T;
}

function valuesOf<T>(
  map: ReadonlyMap<string, Entry<T>>,
  values: (value: T) => readonly number[],
): EmfValues[] {
  return [...map.values()].map(({ metricName, dimensions, value }) => ({
    ...{ metricName, dimensions, values: values(value) },
  }));
}
