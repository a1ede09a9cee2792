import { beforeEach, describe, expect, test } from '@jest/globals';
import { jsonLog } from '../../functions/log.ts';
import { Watchdog, type WatchdogPorts } from '../../functions/watchdog/watch.ts';
import { EmfMetrics } from '../../shared/adapters/emf-metrics.ts';
import { MemoryRunStore } from '../../shared/adapters/memory-run-store.ts';
import type { Notification, SendResult } from '../../shared/core/notify/notification.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { StoreFaults } from '../support/faulty-store.ts';
import { at, deployed, FIRST_PASS, MINUTE } from '../support/ledger-bench.ts';
import { claimOf } from '../support/run-claims.ts';

const EVENT = { scheduledTime: '2026-03-10T06:00:00Z' };

describe('a watchdog', () => {
  const crontab =
    '# kuber-cron: name=a retries=1 notify=ops\n5 * * * * run-a\n# kuber-cron: name=b starting-deadline=90s\n*/5 * * * * run-b\n';
  let clock: FakeClock;
  let memory: MemoryRunStore;
  let lines: Record<string, unknown>[];
  let metrics: (readonly [name: string, dimensions: Record<string, string>, value: unknown])[];
  let sent: Notification[];
  let result: SendResult;
  let told: string[];
  beforeEach(() => {
    [clock, memory, lines, metrics, sent, told] = [
      new FakeClock(FIRST_PASS),
      new MemoryRunStore(),
      [],
      [],
      [],
      [],
    ];
    result = { outcome: 'sent' };
  });
  const watchdog = (ports: Partial<WatchdogPorts> = {}) =>
    new Watchdog({
      ...{ store: memory, clock, random: () => 0, token: () => `pass-${clock.now()}` },
      handOver: async ({ runId }) => void told.push(runId),
      channels: {
        send: async (notification) => {
          sent.push(notification);
          return result;
        },
      },
      metrics: new EmfMetrics({
        ...{ namespace: 'shop', hasJobMetrics: false, now: () => clock.now() },
        write: (text) => {
          for (const line of text.trimEnd().split('\n')) {
            const document = JSON.parse(line);
            const { Dimensions, Metrics } = document._aws.CloudWatchMetrics[0];
            const dimensions = Object.fromEntries(
              Dimensions[0].map((name: string) => [name, document[name]]),
            );
            for (const { Name } of Metrics) metrics.push([Name, dimensions, document[Name]]);
          }
        },
      }),
      log: jsonLog(
        (text) => lines.push(JSON.parse(text)),
        () => clock.now(),
      ),
      plans: () => [deployed(crontab)],
      ...ports,
    });
  const callAt = (time: number, ports?: Partial<WatchdogPorts>, event: unknown = EVENT) => {
    clock.jumpTo(time);
    [lines, metrics] = [[], []];
    return watchdog(ports).handle(event);
  };
  const said = () => lines.map(({ level, event }) => `${level} ${event}`);
  const heartbeat = (time: number) => [
    ['kubercron_scheduler_last_tick_timestamp_seconds', {}, time / 1000],
    ['kubercron_scheduler_last_tick_duration_seconds', {}, 0],
  ];

  test('beats at the end of a complete pass, and says what runs', async () => {
    await callAt(FIRST_PASS);
    expect(said()).toStrictEqual(['info plan-activated', 'info pass']);
    await callAt(FIRST_PASS + MINUTE);
    expect(metrics).toStrictEqual([
      ['kubercron_job_running', { Crontab: 'shop' }, 0],
      ...heartbeat(FIRST_PASS + MINUTE),
    ]);
  });

  test('counts and tells of what it makes final, and what it hands over', async () => {
    await callAt(FIRST_PASS);
    await callAt(at('06:07:00'));
    expect(told).toStrictEqual(['2026-03-10T06:05Z']);
    expect(metrics).toStrictEqual([
      ['kubercron_job_runs_total', { Crontab: 'shop', Status: 'missed' }, 1],
      ['kubercron_notifications_total', { Result: 'sent' }, 1],
      ['kubercron_job_running', { Crontab: 'shop' }, 0],
      ...heartbeat(at('06:07:00')),
    ]);
    expect(said()).toStrictEqual(['warn runs-missed', 'info run-handed-over', 'info notified', 'info pass']);
    expect(sent.map(({ kind, jobId, channel }) => [kind, jobId, channel])).toStrictEqual([
      ['missed', 'shop/b', 'default'],
    ]);
  });

  test('counts an attempt that is lost, and the run when there is no other', async () => {
    await callAt(FIRST_PASS);
    const claim = { jobId: 'shop/b', scheduledTime: at('06:00'), startedAt: at('06:00') };
    await memory.claim(claimOf(claim));
    await callAt(at('06:06:00'));
    expect(metrics).toStrictEqual(
      expect.arrayContaining([
        ['kubercron_job_attempts_total', { Crontab: 'shop' }, 1],
        ['kubercron_job_runs_total', { Crontab: 'shop', Status: 'lost' }, 1],
      ]),
    );
  });

  test.each<[string, SendResult, string, string]>([
    ['is tried again', { outcome: 'failed', problem: 'busy' }, 'warn notification-failed', 'retried'],
    ['is given up', { outcome: 'refused', problem: 'no' }, 'error notification-failed', 'given-up'],
  ])('counts a notification that %s', async (_what, outcome, line, counted) => {
    await callAt(FIRST_PASS);
    result = outcome;
    await callAt(at('06:07:00'));
    expect(said()).toContain(line);
    expect(metrics).toContainEqual(['kubercron_notifications_total', { Result: counted }, 1]);
  });

  test('fails, and does not beat, when the store did not take all of a pass; the rest of it is done', async () => {
    await callAt(FIRST_PASS);
    const faults = new StoreFaults();
    faults.fail('setCursor', 'before');
    const call = callAt(at('06:07:00'), { store: faults.of(memory) });
    await expect(call).rejects.toMatchObject({
      name: 'WatchdogFault',
      message: 'crontab shop could not be settled',
      stack: 'WatchdogFault: crontab shop could not be settled',
    });
    expect(told).toStrictEqual(['2026-03-10T06:05Z']);
    expect(sent).toHaveLength(1);
    expect(metrics.map(([name]) => name)).not.toContain('kubercron_scheduler_last_tick_timestamp_seconds');
    expect(lines.filter(({ level }) => level === 'error')).toMatchObject([
      {
        event: 'error',
        msg: 'crontab shop could not be settled; the next pass tries again',
        error: 'setCursor is refused',
      },
    ]);
  });

  test('neither fails nor beats when another pass is at work', async () => {
    await callAt(FIRST_PASS);
    await memory.takeTurn('shop', 'another', at('06:06:59'), at('06:08:59'));
    await callAt(at('06:07:00'));
    expect(said()).toStrictEqual(['warn pass-incomplete']);
    expect(metrics.map(([name]) => name)).not.toContain('kubercron_scheduler_last_tick_timestamp_seconds');
  });

  test('fails in one sentence when its plans cannot be read', async () => {
    const plans = () => {
      throw new Error('`plans/shop.json` is no plan of crontab shop');
    };
    await expect(callAt(FIRST_PASS, { plans })).rejects.toMatchObject({
      message: '`plans/shop.json` is no plan of crontab shop',
      stack: 'WatchdogFault: `plans/shop.json` is no plan of crontab shop',
    });
  });

  test.each([
    ['nothing', null],
    ['a text', 'now'],
    ['an object without a time', {}],
    ['a time that is none', { scheduledTime: '<aws.scheduler.scheduled-time>' }],
    ['more than a time', { ...EVENT, command: 'rm' }],
  ])('makes no pass for an event that is %s', async (_what, event) => {
    await callAt(FIRST_PASS, {}, event);
    expect(said()).toStrictEqual(['error malformed']);
    expect(await memory.crontabs()).toStrictEqual([]);
  });
});
