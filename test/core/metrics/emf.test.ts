import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { EmfCollector, type EmfValues, emfLines } from '../../../shared/core/metrics/emf.ts';
import { METRICS, type MetricName } from '../../../shared/core/metrics/metrics.ts';

const AT = Date.parse('2026-03-29T04:30:00Z');

/** What the specification asks of a line that is a document. @returns what it says: metric, dimensions, values */
function readLine(line: string): [name: string, dimensions: Record<string, string>, values: number[]][] {
  expect(line).not.toMatch(/[\r\n]/);
  expect(Buffer.byteLength(line)).toBeLessThanOrEqual(256 * 1024);
  const document = JSON.parse(line);
  expect(Object.keys(document._aws).sort()).toEqual(['CloudWatchMetrics', 'Timestamp']);
  expect(document._aws.Timestamp).toBe(AT);
  return document._aws.CloudWatchMetrics.flatMap(
    (directive: { Namespace: string; Dimensions: string[][]; Metrics: { Name: string; Unit: string }[] }) => {
      expect(Object.keys(directive).sort()).toEqual(['Dimensions', 'Metrics', 'Namespace']);
      expect(directive.Namespace).toBe('kuber-cron');
      expect(directive.Metrics.length).toBeGreaterThan(0);
      expect(directive.Metrics.length).toBeLessThanOrEqual(100);
      expect(directive.Dimensions).toHaveLength(1);
      const [names = []] = directive.Dimensions;
      expect(names.length).toBeLessThanOrEqual(30);
      for (const name of names) expect(document[name]).toEqual(expect.any(String));
      const dimensions = Object.fromEntries(names.map((name) => [name, document[name]]));
      return directive.Metrics.map(({ Name, Unit }) => {
        expect(['Seconds', 'Count', 'None']).toContain(Unit);
        const values = [document[Name]].flat();
        expect(values.length).toBeGreaterThan(0);
        expect(values.length).toBeLessThanOrEqual(100);
        for (const value of values) expect(Number.isFinite(value)).toBe(true);
        return [Name, dimensions, values];
      });
    },
  );
}

describe('a line', () => {
  test('is a document with one set of dimensions and its values at the root', () => {
    const dimensions = { Crontab: 'shop' };
    expect(
      emfLines('kuber-cron', AT, [
        { metricName: 'kubercron_job_attempts_total', dimensions, values: [1] },
        { metricName: 'kubercron_job_duration_seconds', dimensions, values: [1.5, 2] },
        { metricName: 'kubercron_scheduler_last_tick_timestamp_seconds', dimensions: {}, values: [7] },
      ]).map((line) => JSON.parse(line)),
    ).toEqual([
      {
        _aws: {
          Timestamp: AT,
          CloudWatchMetrics: [
            {
              Namespace: 'kuber-cron',
              Dimensions: [['Crontab']],
              Metrics: [
                { Name: 'kubercron_job_attempts_total', Unit: 'Count' },
                { Name: 'kubercron_job_duration_seconds', Unit: 'Seconds' },
              ],
            },
          ],
        },
        ...{ Crontab: 'shop', kubercron_job_attempts_total: 1, kubercron_job_duration_seconds: [1.5, 2] },
      },
      {
        _aws: {
          Timestamp: AT,
          CloudWatchMetrics: [
            {
              Namespace: 'kuber-cron',
              Dimensions: [[]],
              Metrics: [{ Name: 'kubercron_scheduler_last_tick_timestamp_seconds', Unit: 'Seconds' }],
            },
          ],
        },
        kubercron_scheduler_last_tick_timestamp_seconds: 7,
      },
    ]);
  });

  test('obeys the limits of the format, however much there is, and nothing is left out', () => {
    const names = Object.keys(METRICS) as MetricName[];
    const metric = fc.record({
      metricName: fc.constantFrom(...names),
      dimensions: fc.oneof(fc.constant({}), fc.record({ Crontab: fc.constantFrom('shop', 'office') })),
      values: fc.array(fc.integer({ min: 0, max: 999 }), { minLength: 1, maxLength: 350, size: 'max' }),
    });
    const metrics = fc.uniqueArray(metric, {
      selector: (one) => JSON.stringify([one.metricName, one.dimensions]),
    });
    fc.assert(
      fc.property(metrics, (given: readonly EmfValues[]) => {
        const written = new Map<string, number[]>();
        for (const [name, dimensions, values] of emfLines('kuber-cron', AT, given).flatMap(readLine)) {
          const key = JSON.stringify([name, dimensions]);
          written.set(key, [...(written.get(key) ?? []), ...values]);
        }
        const expected = given.map((one) => [JSON.stringify([one.metricName, one.dimensions]), one.values]);
        expect(written).toEqual(new Map(expected as [string, number[]][]));
      }),
      { numRuns: 100 },
    );
  });
});

describe('what is collected', () => {
  const shop = (job_name: string) => ({ crontab: 'shop', job_name });
  const collect = (hasJobMetrics: boolean) => {
    const collector = new EmfCollector({ hasJobMetrics });
    collector.add('kubercron_job_attempts_total', shop('backup'), 1);
    collector.add('kubercron_job_attempts_total', shop('report'), 2);
    collector.observe('kubercron_job_duration_seconds', shop('backup'), 1.5);
    collector.observe('kubercron_job_duration_seconds', shop('report'), 2.5);
    collector.set('kubercron_job_running', shop('backup'), 5);
    collector.set('kubercron_job_running', shop('backup'), 1);
    collector.set('kubercron_job_running', shop('report'), 1);
    collector.add('kubercron_job_runs_total', { status: 'failed', ...shop('backup') }, 1);
    return collector;
  };
  const ofCrontab = [
    ['kubercron_job_attempts_total', { Crontab: 'shop' }, [3]],
    ['kubercron_job_runs_total', { Crontab: 'shop', Status: 'failed' }, [1]],
    ['kubercron_job_running', { Crontab: 'shop' }, [2]],
    ['kubercron_job_duration_seconds', { Crontab: 'shop' }, [1.5, 2.5]],
  ];
  const ofJobs = [
    ['kubercron_job_attempts_total', { Crontab: 'shop', JobName: 'backup' }, [1]],
    ['kubercron_job_attempts_total', { Crontab: 'shop', JobName: 'report' }, [2]],
    ['kubercron_job_runs_total', { Crontab: 'shop', JobName: 'backup', Status: 'failed' }, [1]],
    ['kubercron_job_running', { Crontab: 'shop', JobName: 'backup' }, [1]],
    ['kubercron_job_running', { Crontab: 'shop', JobName: 'report' }, [1]],
    ['kubercron_job_duration_seconds', { Crontab: 'shop', JobName: 'backup' }, [1.5]],
    ['kubercron_job_duration_seconds', { Crontab: 'shop', JobName: 'report' }, [2.5]],
  ];
  const sorted = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).sort();
  const rowsOf = (metrics: readonly EmfValues[]) =>
    metrics.map(({ metricName, dimensions, values }) => [metricName, dimensions, values]);

  test.each([
    [false, ofCrontab],
    [true, [...ofCrontab, ...ofJobs]],
  ])('is said of crontabs, and of jobs: %s', (hasJobMetrics, expected) => {
    expect(sorted(rowsOf(collect(hasJobMetrics).take()))).toEqual(sorted(expected));
  });

  test('is taken once', () => {
    const collector = collect(false);
    collector.take();
    expect(collector.take()).toEqual([]);
  });
});
