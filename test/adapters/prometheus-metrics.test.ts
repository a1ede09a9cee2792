import { describe, expect, test } from '@jest/globals';
import { register } from 'prom-client';
import { PrometheusMetrics } from '../../shared/adapters/prometheus-metrics.ts';
import { jobSamples } from '../../shared/core/metrics/job-samples.ts';
import { METRICS, type Sample } from '../../shared/core/metrics/metrics.ts';
import type { PlannedJob } from '../../shared/core/plan/plan.ts';
import { type ReadMetric, readPrometheusText } from '../support/prometheus-text.ts';

const BACKUP = { crontab: 'main', job_name: 'backup' };
const REPORT = { crontab: 'main', job_name: 'report' };

async function read(metrics: PrometheusMetrics, samples: Iterable<Sample> = []): Promise<ReadMetric[]> {
  return readPrometheusText((await metrics.expose(samples)).body);
}

/** All series of the page with their values, histograms by sum and count, as `name{label values}`. */
async function series(
  metrics: PrometheusMetrics,
  samples: Iterable<Sample> = [],
): Promise<Record<string, number>> {
  const page = await read(metrics, samples);
  return Object.fromEntries(
    page.flatMap(({ name, samples: all }) =>
      all
        .filter(({ suffix }) => suffix !== '_bucket')
        .map(({ suffix, labels, value }) => [`${name}${suffix} ${Object.values(labels).join(' ')}`, value]),
    ),
  );
}

const NOTHING_DROPPED = {
  'kubercron_deliveries_dropped_total main malformed': 0,
  'kubercron_deliveries_dropped_total main not-due': 0,
  'kubercron_deliveries_dropped_total main not-foreseen': 0,
  'kubercron_deliveries_dropped_total main unknown-job': 0,
};

function untouched(job: string): Record<string, number> {
  return {
    [`kubercron_job_retries_total main ${job}`]: 0,
    [`kubercron_job_late_runs_total main ${job}`]: 0,
    [`kubercron_job_slow_runs_total main ${job}`]: 0,
    [`kubercron_job_duration_seconds_sum main ${job}`]: 0,
    [`kubercron_job_duration_seconds_count main ${job}`]: 0,
    [`kubercron_job_lateness_seconds_sum main ${job}`]: 0,
    [`kubercron_job_lateness_seconds_count main ${job}`]: 0,
  };
}

describe('the page that Prometheus reads', () => {
  test('has every metric of the table, in its order, with its help and type, and no other', async () => {
    expect(await read(new PrometheusMetrics())).toEqual(
      Object.entries(METRICS).map(([name, { help, type }]) => ({ name, help, type, samples: [] })),
    );
  });

  test('has exactly the labels of the table', async () => {
    const metrics = new PrometheusMetrics();
    metrics.keepJobs('main', ['backup']);
    metrics.set('kubercron_build_info', { version: '1.2.3' }, 1);
    metrics.set('kubercron_config_last_reload_successful', { crontab: 'main' }, 1);
    metrics.set('kubercron_config_last_reload_success_timestamp_seconds', { crontab: 'main' }, 1);
    metrics.set('kubercron_scheduler_last_tick_timestamp_seconds', {}, 1);
    metrics.set('kubercron_scheduler_last_tick_duration_seconds', {}, 1);
    metrics.add('kubercron_notifications_total', { result: 'sent' });
    const state = {
      jobId: 'main/backup',
      runs: {},
      attempts: 1,
      last: { runId: 'r', status: 'failed', startedAt: 1, finishedAt: 1, exitCode: 1 },
      lastSuccessAt: 1,
      lastFailureAt: 1,
    } as const;
    const samples = jobSamples({
      crontab: 'main',
      jobs: [plannedJob('backup')],
      states: [state],
      unfinished: [],
      nextRuns: new Map([['backup', 1]]),
    });
    const labels = (await read(metrics, samples)).map(({ name, samples: all }) => [
      name,
      [...new Set(all.flatMap((sample) => Object.keys(sample.labels)))]
        .filter((label) => label !== 'le')
        .sort(),
    ]);
    expect(labels).toEqual(
      Object.entries(METRICS).map(([name, { labels: names }]) => [name, [...names].sort()]),
    );
    // Each metric had at least one sample, so that the comparison was about something.
    expect((await read(metrics, samples)).filter(({ samples: all }) => all.length === 0)).toEqual([]);
  });

  test('has the content type of the text format', async () => {
    const { contentType } = await new PrometheusMetrics().expose([]);
    expect(contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
  });

  test.each(['a"b', 'a\\b', 'a\nb', 'a\\nb', '"', '\\', '\\"', 'a,b="c"} 1', 'café', ''])(
    'gives back the label value %j',
    async (value) => {
      const metrics = new PrometheusMetrics();
      metrics.set('kubercron_build_info', { version: value }, 1);
      const page = await read(metrics, [
        { name: 'kubercron_job_running', labels: { crontab: value, job_name: value }, value: 2 },
      ]);
      const samples = page.flatMap(({ samples: all }) => all);
      expect(samples).toEqual([
        { suffix: '', labels: { version: value }, value: 1 },
        { suffix: '', labels: { crontab: value, job_name: value }, value: 2 },
      ]);
    },
  );

  test.each([0, 1.5, -1, 1_774_747_800.123, 1e21, 5e-324])('gives back the value %d', async (value) => {
    const metrics = new PrometheusMetrics();
    metrics.set('kubercron_scheduler_last_tick_timestamp_seconds', {}, value);
    expect(await series(metrics, [{ name: 'kubercron_job_last_exit_code', labels: BACKUP, value }])).toEqual({
      'kubercron_scheduler_last_tick_timestamp_seconds ': value,
      'kubercron_job_last_exit_code main backup': value,
    });
  });

  test('gathers the samples of several crontabs under one metric', async () => {
    const samples = ['a', 'b'].flatMap((crontab) =>
      jobSamples({ crontab, jobs: [plannedJob('backup')], states: [], unfinished: [], nextRuns: new Map() }),
    );
    const page = await read(new PrometheusMetrics(), samples);
    const runs = page.find(({ name }) => name === 'kubercron_job_runs_total');
    expect(runs?.samples.filter(({ labels }) => labels.status === 'failed')).toEqual([
      { suffix: '', labels: { crontab: 'a', job_name: 'backup', status: 'failed' }, value: 0 },
      { suffix: '', labels: { crontab: 'b', job_name: 'backup', status: 'failed' }, value: 0 },
    ]);
  });

  test('keeps no sample from one scrape to the next', async () => {
    const metrics = new PrometheusMetrics();
    await metrics.expose([{ name: 'kubercron_job_running', labels: BACKUP, value: 1 }]);
    expect(await series(metrics)).toEqual({});
  });
});

describe('what the process measures', () => {
  test('begins at zero for every job and every reason', async () => {
    const metrics = new PrometheusMetrics();
    metrics.keepJobs('main', ['backup', 'report']);
    expect(await series(metrics)).toEqual({
      ...NOTHING_DROPPED,
      ...untouched('backup'),
      ...untouched('report'),
    });
  });

  test('is counted', async () => {
    const metrics = new PrometheusMetrics();
    metrics.keepJobs('main', ['backup']);
    metrics.add('kubercron_job_retries_total', BACKUP);
    metrics.add('kubercron_job_retries_total', BACKUP, 2);
    metrics.add('kubercron_deliveries_dropped_total', { crontab: 'main', reason: 'not-due' });
    metrics.observe('kubercron_job_duration_seconds', BACKUP, 0.25);
    metrics.observe('kubercron_job_duration_seconds', BACKUP, 20_000);
    expect(await series(metrics)).toEqual({
      ...NOTHING_DROPPED,
      ...untouched('backup'),
      'kubercron_deliveries_dropped_total main not-due': 1,
      'kubercron_job_retries_total main backup': 3,
      'kubercron_job_duration_seconds_sum main backup': 20_000.25,
      'kubercron_job_duration_seconds_count main backup': 2,
    });
  });

  test('falls into the bucket whose bound it does not exceed', async () => {
    const metrics = new PrometheusMetrics();
    metrics.keepJobs('main', ['backup']);
    for (const seconds of [0, 0.5, 0.6, 3600, 3601]) {
      metrics.observe('kubercron_job_lateness_seconds', BACKUP, seconds);
    }
    const lateness = (await read(metrics)).find(({ name }) => name === 'kubercron_job_lateness_seconds');
    const buckets = lateness?.samples.filter(({ suffix }) => suffix === '_bucket');
    expect(buckets?.map(({ labels, value }) => `${labels.le}: ${value}`)).toEqual([
      '0.1: 1',
      '0.5: 2',
      '1: 3',
      '5: 3',
      '15: 3',
      '60: 3',
      '300: 3',
      '900: 3',
      '3600: 4',
      '+Inf: 5',
    ]);
  });

  test('a reload keeps the figures of the jobs that stay and of other crontabs, and drops those of removed jobs', async () => {
    const metrics = new PrometheusMetrics();
    metrics.keepJobs('main', ['backup', 'report']);
    metrics.keepJobs('other', ['backup']);
    metrics.set('kubercron_config_last_reload_successful', { crontab: 'main' }, 1);
    metrics.add('kubercron_deliveries_dropped_total', { crontab: 'main', reason: 'unknown-job' });
    for (const job of [BACKUP, REPORT, { ...BACKUP, crontab: 'other' }]) {
      metrics.add('kubercron_job_retries_total', job);
      metrics.observe('kubercron_job_duration_seconds', job, 2);
    }
    const before = await series(metrics);
    metrics.keepJobs('main', ['backup', 'rotate']);
    const ofReport = Object.keys(before).filter((key) => key.endsWith('report'));
    expect(ofReport).toHaveLength(7);
    for (const key of ofReport) delete before[key];
    expect(await series(metrics)).toEqual({ ...before, ...untouched('rotate') });
  });

  test('a run that ends after its job was removed does not bring the series back', async () => {
    const metrics = new PrometheusMetrics();
    metrics.keepJobs('main', ['backup']);
    metrics.keepJobs('main', []);
    metrics.add('kubercron_job_retries_total', BACKUP);
    metrics.observe('kubercron_job_duration_seconds', BACKUP, 2);
    expect(await series(metrics)).toEqual(NOTHING_DROPPED);
  });

  test('a job that comes back begins at zero', async () => {
    const metrics = new PrometheusMetrics();
    metrics.keepJobs('main', ['backup']);
    metrics.observe('kubercron_job_duration_seconds', BACKUP, 2);
    metrics.keepJobs('main', []);
    metrics.keepJobs('main', ['backup']);
    expect(await series(metrics)).toEqual({ ...NOTHING_DROPPED, ...untouched('backup') });
  });

  test('is apart from that of another instance and from the default registry of prom-client', async () => {
    const metrics = new PrometheusMetrics();
    metrics.keepJobs('main', ['backup']);
    expect(await series(new PrometheusMetrics())).toEqual({});
    expect(register.getMetricsAsArray()).toEqual([]);
  });
});

function plannedJob(name: string): PlannedJob {
  return {
    name,
    schedule: '*/5 * * * *',
    written: '*/5 * * * *',
    zone: 'UTC',
    command: 'true',
    environment: {},
    options: {},
  };
}
