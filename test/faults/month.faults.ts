import { expect, test } from '@jest/globals';
import { MemoryRunStore } from '../../shared/adapters/memory-run-store.ts';
import { timetableOf } from '../../shared/core/plan/plan.ts';
import { scheduledTimeText } from '../../shared/core/run/run-id.ts';
import { dueInstants } from '../../shared/core/schedule/due.ts';
import { MINUTE_MS } from '../../shared/core/schedule/zone-table.ts';
import { coverOf } from '../../shared/core/target/eventbridge.ts';
import { deliveries } from '../support/eventbridge-evaluator.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { planOf } from '../support/plan-of.ts';
import { SchedulerProcess } from '../support/scheduler-process.ts';
import { SimulatedDeployment, startOf } from '../support/simulated-deployment.ts';

/** A day less than history is kept. */
const DAYS = 29;

/** Both day rules, times in gaps and in hours that come twice, zones whose clocks change in spring or in autumn. */
const CRONTAB = `# kuber-cron: defaults concurrency-policy=allow
CRON_TZ=Europe/Berlin
# kuber-cron: name=in-the-gap
30 2 * * *  a
# kuber-cron: name=real-time
*/20 * * * *  b
# kuber-cron: name=real-time-at-night
*/30 1-3 * * *  c
# kuber-cron: name=either-day
15 6 1,15 * mon,fri  d
# kuber-cron: name=both-days
45 6 */2 * mon-fri  e
# kuber-cron: name=first-sunday
0 9 1-7 * */7  f
# kuber-cron: name=every-hour-by-name
5 0-23 * * *  g
CRON_TZ=America/New_York
# kuber-cron: name=new-york
30 1,2 * * *  h
CRON_TZ=Australia/Lord_Howe
# kuber-cron: name=half-an-hour
*/15 1,2 * * *  i
CRON_TZ=Asia/Kathmandu
# kuber-cron: name=three-quarters
0 * * * *  j
CRON_TZ=Africa/Cairo
# kuber-cron: name=midnight
0 0 * * *  k
`;

test.each([
  ['2026-03-08T00:00Z', 'spring in New York and Berlin'],
  ['2026-10-09T00:00Z', 'autumn in Berlin, Cairo and New York'],
])(
  'over a month from %s the instants on AWS, on the daemon and of the schedule are the same: %s',
  async (text) => {
    const from = startOf(text);
    const until = from + DAYS * 1440 * MINUTE_MS;
    const plan = planOf(CRONTAB);
    const parts = new Map<string, number[]>();
    const due: string[] = [];
    for (const job of plan.jobs) {
      const timetable = timetableOf(plan, job);
      if (timetable === undefined) throw new Error(`${job.name} has no times`);
      const cover = coverOf(timetable);
      for (const [part, { expression, timeZone }] of (cover.isCarried ? cover.parts : []).entries()) {
        for (const instant of deliveries(expression, timeZone, from, until)) {
          const key = `${job.name} ${instant}`;
          parts.set(key, [...(parts.get(key) ?? []), part]);
        }
      }
      for (const instant of dueInstants(timetable, from, until - MINUTE_MS))
        due.push(`${job.name} ${scheduledTimeText(instant)}`);
    }
    due.sort();

    const aws = new SimulatedDeployment(from - 10 * MINUTE_MS, 1);
    aws.transport = (job, minute) => parts.get(`${job} ${minute}`) ?? [];
    aws.deploy(CRONTAB);
    await aws.pass(10 + DAYS * 1440 + 10);

    const daemon = new SchedulerProcess(new MemoryRunStore(), new FakeClock(from - 10 * MINUTE_MS));
    await daemon.load(CRONTAB);
    daemon.run();
    await daemon.clock.advance(until + 10 * MINUTE_MS - daemon.clock.now());
    await daemon.stop();

    const instants = async (store: MemoryRunStore) => {
      const runs = await store.runs({ limit: 1_000_000 });
      return runs
        .filter(({ scheduledTime, attempts }) => {
          return scheduledTime > from && scheduledTime < until && attempts.length > 0;
        })
        .map(({ jobId, runId }) => `${jobId.replace('shop/', '')} ${runId}`)
        .sort();
    };
    expect(due.length).toBeGreaterThan(4000);
    expect(await instants(aws.store)).toEqual(due);
    expect(await instants(daemon.store as MemoryRunStore)).toEqual(due);
  },
  180_000,
);
