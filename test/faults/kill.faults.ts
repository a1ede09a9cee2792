import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Attempt } from '../../shared/core/run/run.ts';
import { faultCrontab } from '../support/fault-crontab.ts';
import { FaultHome, type Faults, STORE_METHODS } from '../support/fault-home.ts';
import { type Evidence, runName } from '../support/fault-judge.ts';
import { Chance, FAULT_SEED } from '../support/fault-seed.ts';
import { endQuietly, evidenceOf, stories } from '../support/fault-trial.ts';

const KILLS = 200;
const JOBS = 50;
/** A minute is half a second. */
const RATE = 120;
const MINUTE = 60_000;
/** Three hours before the clocks of Berlin go forward. */
const START = Date.parse('2026-03-28T22:00:00Z');
/** Methods that daemons call all the time; the others come too. */
const BUSY_METHODS = ['claim', 'start', 'finish', 'setCursor', 'settle', 'extend', 'owe', 'pending'] as const;

/** What must have happened for the kills to prove anything. */
const LEAST = { started: 500, lost: 50, retries: 50, loaded: KILLS / 3 } as const;

const home = new FaultHome();
const chance = new Chance(FAULT_SEED, 'kill');
let deaths = 0;
let evidence: Evidence;

beforeAll(async () => {
  writeFileSync(home.crontab, faultCrontab(new Chance(FAULT_SEED, 'crontab'), JOBS, home.folder));
  const real = Date.now();
  let shown = START;
  const faults = (): Faults => ({ pace: { real, shown, rate: RATE } });
  const first = home.start(faults());
  await first.event('crontab-loaded');
  const reign = await home.read((store) => store.activePlan('shop'));
  if (reign === undefined) throw new Error('no plan is in force');
  await sleep(500);
  if ((await first.kill()) === 'SIGKILL') deaths++;

  while (deaths < KILLS) {
    // Downtimes cost no time of the machine.
    if (chance.percent(25)) shown += chance.whole(1, 12) * MINUTE;
    if (chance.percent(2)) shown += chance.whole(1, 4) * 60 * MINUTE;
    const method = chance.of(chance.percent(70) ? BUSY_METHODS : STORE_METHODS);
    const death = chance.percent(50)
      ? { method, nth: chance.whole(1, 40), moment: chance.of(['before', 'after'] as const) }
      : undefined;
    const daemon = home.start({ ...faults(), death });
    // Half of them while they begin, however long that takes here, the others at work.
    if (chance.percent(55)) await daemon.isAtWork();
    await Promise.race([daemon.exited, sleep(chance.whole(20, 900), undefined, { ref: false })]);
    if ((await daemon.kill()) !== 'SIGKILL') throw new Error(`a daemon ended by itself:\n${daemon.errors}`);
    deaths++;
  }

  const until = await endQuietly(home, home.start(faults()), RATE);
  evidence = await evidenceOf(home, reign.plan, reign.since, until);
}, 470_000);
afterAll(() => home.remove());

test(`${KILLS} kills of a daemon leave no run lost, doubled or told wrongly (seed ${FAULT_SEED})`, () => {
  expect(stories(home, evidence)).toEqual([]);
});

test('the kills hit daemons at work: runs are lost to them, and every end and every way to start comes about', () => {
  const seen = new Set(evidence.runs.flatMap(({ status, reason, trigger }) => [status, reason, trigger]));
  const expected = [
    'succeeded',
    'failed',
    'timed-out',
    'skipped',
    'missed',
    'overlap',
    'superseded',
    'catch-up',
  ];
  const attempts = evidence.runs.flatMap((run) => run.attempts);
  const count = (test: (attempt: Attempt) => boolean) => attempts.filter(test).length;
  const work = {
    absent: expected.filter((one) => !seen.has(one as never)),
    started: attempts.length,
    lost: count(({ status }) => status === 'lost'),
    retries: count(({ number }) => number > 1),
    loaded: home.count('crontab-loaded'),
  };
  process.stderr.write(`of ${deaths} killed daemons: ${JSON.stringify(work)}\n`);
  const tooFew = Object.entries(LEAST).filter(([name, least]) => work[name as keyof typeof LEAST] < least);
  expect({ deaths, absent: work.absent, tooFew }).toEqual({ deaths: KILLS, absent: [], tooFew: [] });
});

test('no process of a run is left, and no command without its row', async () => {
  const told = new Set(evidence.runs.map(runName));
  expect({
    processes: home.processes(),
    untold: evidence.journal.filter(({ run }) => !told.has(run)),
  }).toEqual({ processes: [], untold: [] });
  expect(readFileSync(home.path('journal'), 'utf8').endsWith('\n')).toBe(true);
});
