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
  const known: readonly string[] = METRICS[name].labels;
  const dimensions = Object.entries(labels as Record<string, string>)
    .filter(([label]) => known.includes(label) && !LEFT_OUT.includes(label))
    .map(([label, value]) => [dimensionName(label), value]);
  return { metricName: name, dimensions: Object.fromEntries(dimensions) };
}

function dimensionName(label: string): string {
  return label.replace(/(?:^|_)([a-z])/g, (_whole, letter: string) => letter.toUpperCase());
}
