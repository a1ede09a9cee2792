import { expect, test } from '@jest/globals';
import { type CloudWatchMetric, cloudWatchMetric } from '../../../shared/core/metrics/cloudwatch.ts';

test.each<[metric: CloudWatchMetric, dimensions: Record<string, string>]>([
  [cloudWatchMetric('kubercron_scheduler_last_tick_timestamp_seconds', {}), {}],
  [cloudWatchMetric('kubercron_job_late_runs_total', { crontab: 'shop' }), { Crontab: 'shop' }],
  [
    cloudWatchMetric('kubercron_job_runs_total', { crontab: 'shop', status: 'missed' }),
    { Crontab: 'shop', Status: 'missed' },
  ],
  [
    cloudWatchMetric('kubercron_deliveries_dropped_total', { crontab: 'shop', reason: 'not-due' }),
    { Crontab: 'shop', Reason: 'not-due' },
  ],
])('%j has the dimensions %j', ({ dimensions }, expected) => {
  expect(dimensions).toEqual(expected);
});

test('the labels of a job are none of its dimensions, whoever gives them', () => {
  const labels = { crontab: 'shop', job_name: 'backup' };
  expect(cloudWatchMetric('kubercron_job_retries_total', labels)).toEqual({
    metricName: 'kubercron_job_retries_total',
    dimensions: { Crontab: 'shop' },
  });
});
