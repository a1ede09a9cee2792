import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { faultCrontab } from '../support/fault-crontab.ts';
import { type FaultDaemon, FaultHome } from '../support/fault-home.ts';
import { type Evidence, rowText } from '../support/fault-judge.ts';
import { Chance, FAULT_SEED } from '../support/fault-seed.ts';
import { endQuietly, evidenceOf, stories } from '../support/fault-trial.ts';

const KILLS = 20;
const JOBS = 20;
/** A minute is a second: a lease of five minutes outlives what a busy machine takes. */
const RATE = 60;

const home = new FaultHome();
const chance = new Chance(FAULT_SEED, 'two daemons');
let evidence: Evidence;
/** Of each daemon: how many runs it started. */
const starts: number[] = [];

beforeAll(async () => {
  writeFileSync(home.crontab, faultCrontab(new Chance(FAULT_SEED, 'shared crontab'), JOBS, home.folder));
  const pace = { real: Date.now(), shown: Date.parse('2026-07-04T11:58:00Z'), rate: RATE };
  const start = async () => {
    const daemon = home.start({ pace });
    await daemon.event('crontab-loaded');
    return daemon;
  };
  const daemons: [FaultDaemon, FaultDaemon] = [await start(), await start()];
  const reign = await home.read((store) => store.activePlan('shop'));
  if (reign === undefined) throw new Error('no plan is in force');
  const end = async (which: 0 | 1) => {
    starts.push(daemons[which].lines.filter(({ event }) => event === 'run-started').length);
    return daemons[which].kill();
  };
  for (let deaths = 0; deaths < KILLS; deaths++) {
    await sleep(chance.whole(300, 2500));
    const which = chance.of([0, 1] as const);
    if ((await end(which)) !== 'SIGKILL')
      throw new Error(`a daemon ended by itself:\n${daemons[which].errors}`);
    // The other is alone for up to two minutes.
    await sleep(chance.whole(0, 2000));
    daemons[which] = await start();
  }
  await end(0);
  const until = await endQuietly(home, daemons[1], RATE);
  evidence = await evidenceOf(home, reign.plan, reign.since, until);
}, 470_000);
afterAll(() => home.remove());

test(`two daemons on one store, killed in turns, start each run once (seed ${FAULT_SEED})`, () => {
  expect(stories(home, evidence)).toEqual([]);
});

test('one takes over when the other dies: nothing is missed for want of a daemon', () => {
  const tooLate = evidence.runs.filter(({ reason }) => reason === 'too-late' || reason === 'catch-up-none');
  expect(tooLate.map(rowText)).toEqual([]);
});

test('both work, and no process of a run is left', () => {
  const idle = starts.filter((count) => count === 0).length;
  expect({ isShared: idle < starts.length / 2, processes: home.processes() }).toEqual({
    isShared: true,
    processes: [],
  });
});
