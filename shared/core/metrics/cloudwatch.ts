import { type LabelsOf, METRICS, type MetricName } from './metrics.ts';

/** A metric as CloudWatch has it. */
export interface CloudWatchMetric {
  readonly metricName: MetricName;
  /** At most two: each set of values is a metric that is paid for. Empty for what concerns the deployment. */
  readonly dimensions: Readonly<Record<string, string>>;
}

/** Labels that stay out of CloudWatch: a metric for each job would cost more than running it. */
const LEFT_OUT = ['job_name'];

/**
 * The metric of the table under its own name, its labels as dimensions: `job_name` left out, the others in capitals as
 * CloudWatch writes them (`crontab` is `Crontab`). What is a counter there is a count of events here, to be summed.
 */
export function cloudWatchMetric<Name extends MetricName>(
  name: Name,
  labels: Omit<LabelsOf<Name>, 'job_name'>,
): CloudWatchMetric {
  const all = labels as Readonly<Record<string, string>>;
  return { metricName: name, dimensions: dimensionsOf(name, all, (label) => !LEFT_OUT.includes(label)) };
}

/**
 * The sets of dimensions that a value with these labels counts under: that of `cloudWatchMetric`, and where each job has
 * metrics of its own, one with `JobName` as well.
 */
export function cloudWatchDimensions(
  name: MetricName,
  labels: Readonly<Record<string, string>>,
  hasJobMetrics: boolean,
): Readonly<Record<string, string>>[] {
  const usual = dimensionsOf(name, labels, (label) => !LEFT_OUT.includes(label));
  const all = dimensionsOf(name, labels, () => true);
  return hasJobMetrics && LEFT_OUT.some((label) => Object.hasOwn(all, dimensionName(label)))
    ? [usual, all]
    : [usual];
}

function dimensionsOf(
  name: MetricName,
  labels: Readonly<Record<string, string>>,
  isKept: (label: string) => boolean,
): Readonly<Record<string, string>> {
  const known: readonly string[] = METRICS[name].labels;
  const kept = known.filter((label) => isKept(label) && labels[label] !== undefined);
  return Object.fromEntries(kept.map((label) => [dimensionName(label), labels[label] as string]));
}

function dimensionName(label: string): string {
  return label.replace(/(?:^|_)([a-z])/g, (_whole, letter: string) => letter.toUpperCase());
}
