import { describe, expect, test } from '@jest/globals';
import { CLOSED_LABELS, METRICS, type Metrics } from '../../../shared/core/metrics/metrics.ts';

type Spec = {
  type: string;
  source: string;
  labels: readonly string[];
  help: string;
  buckets?: readonly number[];
};
const table: [string, Spec][] = Object.entries(METRICS);

describe('the table of metrics', () => {
  test.each(table)('%s is named as Prometheus asks', (name, { type, labels }) => {
    expect(name).toMatch(/^kubercron_[a-z]+(_[a-z]+)*$/);
    expect(name.endsWith('_total')).toBe(type === 'counter');
    if (type === 'histogram') expect(name).toMatch(/_seconds$/);
    // A metric is about a job if and only if its name says so.
    expect(labels.includes('job_name')).toBe(name.startsWith('kubercron_job_'));
    // `job` and `instance` are Prometheus' own, `le` is that of histograms.
    expect(labels.filter((label) => ['job', 'instance', 'le'].includes(label))).toEqual([]);
    expect(new Set(labels).size).toBe(labels.length);
  });

  test.each(table)('%s says what it is in one line', (_name, { help }) => {
    expect(help).toMatch(/^[A-Z][^\\\n|]*[^.\n]$/);
  });

  test('bounds of histograms are the agreed ones', () => {
    expect(
      Object.fromEntries(table.flatMap(([name, { buckets }]) => (buckets ? [[name, buckets]] : []))),
    ).toEqual({
      kubercron_job_duration_seconds: [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400],
      kubercron_job_lateness_seconds: [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600],
    });
  });

  test('values of closed labels are plain words', () => {
    for (const value of Object.values(CLOSED_LABELS).flat()) expect(value).toMatch(/^[a-z]+(-[a-z]+)*$/);
  });

  test('a call with wrong labels or a wrong name does not compile', () => {
    const calls: unknown[][] = [];
    const record = (...call: unknown[]) => calls.push(call);
    const metrics: Metrics = { add: record, set: record, observe: record };
    metrics.add('kubercron_job_retries_total', { crontab: 'main', job_name: 'a' });
    // @ts-expect-error a label is missing
    metrics.add('kubercron_job_retries_total', { crontab: 'main' });
    // @ts-expect-error a label too many
    metrics.add('kubercron_job_retries_total', { crontab: 'main', job_name: 'a', command: 'x' });
    // @ts-expect-error not one of the reasons
    metrics.add('kubercron_deliveries_dropped_total', { crontab: 'main', reason: 'other' });
    // @ts-expect-error a label of a metric that has none
    metrics.set('kubercron_scheduler_last_tick_timestamp_seconds', { crontab: 'main' }, 1);
    // @ts-expect-error a histogram cannot be set
    metrics.set('kubercron_job_duration_seconds', { crontab: 'main', job_name: 'a' }, 1);
    // @ts-expect-error what comes from the store is not counted by the process
    metrics.add('kubercron_job_attempts_total', { crontab: 'main', job_name: 'a' });
    expect(calls).toHaveLength(7);
  });
});
