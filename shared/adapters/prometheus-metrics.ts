import { Counter, Gauge, type GaugeConfiguration, Histogram, Registry } from 'prom-client';
import {
  type CounterName,
  DROP_REASONS,
  type GaugeName,
  type HistogramName,
  type LabelsOf,
  METRICS,
  type MetricName,
  type Metrics,
  type ProcessMetricName,
  type Sample,
} from '../core/metrics/metrics.ts';

/** A page in the text format of Prometheus. */
export interface Exposition {
  readonly contentType: string;
  readonly body: string;
}

const NAMES = Object.keys(METRICS) as readonly MetricName[];

/** The metrics of this process, and the page that Prometheus reads. */
export class PrometheusMetrics implements Metrics {
  readonly #registry = new Registry();
  readonly #counters = new Map<MetricName, Counter>();
  readonly #gauges = new Map<MetricName, Gauge>();
  readonly #histograms = new Map<MetricName, Histogram>();
  /** Names of the jobs that are measured, by crontab. */
  readonly #jobs = new Map<string, ReadonlySet<string>>();

  constructor() {
    for (const name of NAMES) {
      const spec = METRICS[name];
      if (spec.source !== 'process') continue;
      const config = { name, help: spec.help, labelNames: spec.labels, registers: [this.#registry] };
      if (spec.type === 'counter') this.#counters.set(name, new Counter(config));
      else if (spec.type === 'gauge') this.#gauges.set(name, emptyGauge(config));
      else this.#histograms.set(name, new Histogram({ ...config, buckets: [...spec.buckets] }));
    }
  }

  add<Name extends CounterName & ProcessMetricName>(name: Name, labels: LabelsOf<Name>, by = 1): void {
    if (this.#isMeasured(labels)) this.#counters.get(name)?.inc(labels, by);
  }

  set<Name extends GaugeName & ProcessMetricName>(name: Name, labels: LabelsOf<Name>, value: number): void {
    this.#gauges.get(name)?.set(labels, value);
  }

  observe<Name extends HistogramName & ProcessMetricName>(
    name: Name,
    labels: LabelsOf<Name>,
    value: number,
  ): void {
    if (this.#isMeasured(labels)) this.#histograms.get(name)?.observe(labels, value);
  }

  /**
   * Says which jobs a crontab has. The series of others go, those of new ones begin at zero, and those of the rest
   * stay as they are. A job is measured from the first call that names it.
   */
  keepJobs(crontab: string, names: Iterable<string>): void {
    const before = this.#jobs.get(crontab) ?? new Set();
    const after = new Set(names);
    this.#jobs.set(crontab, after);
    for (const name of before) {
      if (after.has(name)) continue;
      for (const metric of this.#metricsOfJobs()) metric.remove({ crontab, job_name: name });
    }
    for (const name of after) {
      if (before.has(name)) continue;
      const labels = { crontab, job_name: name };
      for (const metric of this.#metricsOfJobs()) {
        if (metric instanceof Counter) metric.inc(labels, 0);
        else metric.zero(labels);
      }
    }
    for (const reason of DROP_REASONS) this.add('kubercron_deliveries_dropped_total', { crontab, reason }, 0);
  }

  /** Forgets a crontab that is gone, with all its series. */
  dropCrontab(crontab: string): void {
    this.keepJobs(crontab, []);
    this.#jobs.delete(crontab);
    for (const reason of DROP_REASONS)
      this.#counters.get('kubercron_deliveries_dropped_total')?.remove({ crontab, reason });
    for (const [name, gauge] of this.#gauges) {
      if ((METRICS[name].labels as readonly string[]).includes('crontab')) gauge.remove({ crontab });
    }
  }

  /** The page: what this process measured, and what was made for this scrape. */
  async expose(samples: Iterable<Sample>): Promise<Exposition> {
    const measured = await this.#registry.metrics();
    return { contentType: this.#registry.contentType, body: `${measured}${renderSamples(samples)}` };
  }

  /** A run may end after its job left the crontab: that must not bring the series back. */
  #isMeasured(labels: { readonly crontab?: string; readonly job_name?: string }): boolean {
    const { crontab, job_name: job } = labels;
    return job === undefined || crontab === undefined || this.#jobs.get(crontab)?.has(job) === true;
  }

  *#metricsOfJobs(): Generator<Counter | Histogram> {
    for (const [name, metric] of [...this.#counters, ...this.#histograms]) {
      if ((METRICS[name].labels as readonly string[]).includes('job_name')) yield metric;
    }
  }
}

/** Without labels prom-client begins at 0, and to an alert that is a heartbeat of 1970. */
function emptyGauge(config: GaugeConfiguration<string>): Gauge {
  const gauge = new Gauge(config);
  if (config.labelNames?.length === 0) gauge.remove();
  return gauge;
}

/**
 * Samples in the text format, metric by metric in the order of the table. Written by hand: going through prom-client
 * would keep a second copy of every series, to be emptied before each scrape, and takes twice as long.
 */
function renderSamples(samples: Iterable<Sample>): string {
  const lines = new Map<MetricName, string[]>();
  for (const name of NAMES) {
    const { source, help, type } = METRICS[name];
    // No help text has a backslash or a line end, which would have to be escaped.
    if (source === 'scrape') lines.set(name, [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`]);
  }
  for (const { name, labels, value } of samples) {
    lines.get(name)?.push(`${name}${labelText(labels)} ${value}`);
  }
  return `${[...lines.values()].map((block) => block.join('\n')).join('\n')}\n`;
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return `{${pairs.join(',')}}`;
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };

/** @see https://prometheus.io/docs/instrumenting/exposition_formats/ */
function escaped(value: string): string {
  return value.replace(/[\\"\n]/g, (character) => ESCAPES[character] as string);
}
