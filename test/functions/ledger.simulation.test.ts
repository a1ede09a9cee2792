import { expect, test } from '@jest/globals';
import { type Mishaps, NO_MISHAPS, SimulatedDeployment, startOf } from '../support/simulated-deployment.ts';

/** More by hand: `LEDGER_SEEDS=100 npm test -- ledger.simulation`. */
const SEEDS = Number(process.env.LEDGER_SEEDS ?? 6);
const HOURS = 3;
const START = startOf('2026-03-10T06:00Z');

/** Editions of one crontab: jobs come, go and change their rules. */
const EDITIONS = [
  `# kuber-cron: name=once retries=2 backoff=30s..2m
* * * * * a
# kuber-cron: name=none catch-up=none
*/3 * * * * b
# kuber-cron: name=all catch-up=all starting-deadline=1h
*/4 * * * * c
# kuber-cron: name=allow concurrency-policy=allow retries=1 backoff=10s..1m
*/2 * * * * d
# kuber-cron: name=replace concurrency-policy=replace
*/5 * * * * e
`,
  `# kuber-cron: name=once starting-deadline=3m
*/2 * * * * a
# kuber-cron: name=all catch-up=all
*/4 * * * * c
# kuber-cron: name=replace concurrency-policy=replace retries=1
*/3 * * * * e
# kuber-cron: name=late starting-deadline=90s
* * * * * f
`,
  `# kuber-cron: name=once suspend
* * * * * a
# kuber-cron: name=none catch-up=none
* * * * * b
# kuber-cron: name=allow concurrency-policy=allow
* * * * * d
`,
] as const;

const MISHAPS: Mishaps = {
  ...{ dropped: 60, doubled: 60, late: 40, dying: 15, passSkipped: 100, passDoubled: 150, passDying: 80 },
  ...{ refused: 40, lost: 40, store: 8 },
};

test.each(Array.from({ length: SEEDS }, (_, seed) => [seed]))(
  'over hours with deliveries lost, doubled and late, executors and passes that die, and deploys, each due instant has one answer and nothing starts twice: seed %d',
  async (seed) => {
    const aws = new SimulatedDeployment(START, seed);
    aws.deploy(EDITIONS[0]);
    aws.mishaps = MISHAPS;
    for (let minute = 0; minute < HOURS * 60; minute += 12) {
      // The watchdog is out for a while, then the transport is, then both.
      aws.isWatching = minute % 60 !== 24;
      aws.isDelivering = minute % 72 !== 36;
      if (minute % 36 === 24) aws.deploy(EDITIONS[(minute / 12 + seed) % EDITIONS.length]);
      await aws.pass(12);
    }
    // Everything comes to its end.
    aws.mishaps = NO_MISHAPS;
    [aws.isWatching, aws.isDelivering] = [true, true];
    await aws.pass(5);
    aws.deploy(undefined);
    await aws.pass(30);
    expect(await aws.judged()).toStrictEqual([]);
    expect(aws.started.length).toBeGreaterThan(100);
    expect(aws.results.at(-1)).toMatchObject({ left: [], running: new Map() });
  },
  60_000,
);
