import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { FaultHome, waitFor } from '../support/fault-home.ts';
import type { Evidence } from '../support/fault-judge.ts';
import { Chance, FAULT_SEED } from '../support/fault-seed.ts';
import { endQuietly, evidenceOf, stories } from '../support/fault-trial.ts';

const KILLS = 20;

const home = new FaultHome();
const chance = new Chance(FAULT_SEED, 'kill in real time');
let deaths = 0;
let evidence: Evidence;

/** Jobs at every start, at every minute, and by hand: the fastest that a real clock gives. */
const JOBS: readonly (readonly [schedule: string, options: string, work: string])[] = [
  ['@reboot', '', 'exclusive 0.3 0 none'],
  ['@reboot', 'concurrency-policy=allow', 'shared 0.8 3 child'],
  ['@reboot', 'timeout=5s', 'exclusive 600 0 none'],
  ['@reboot', 'retries=2 backoff=1s..2s', 'exclusive 0.1 2 none'],
  ['* * * * *', 'concurrency-policy=replace', 'exclusive 30 0 child'],
  ['* * * * *', 'retries=1 backoff=1s..3s catch-up=all', 'exclusive 0.2 2 none'],
  ['* * * * *', 'catch-up=none', 'exclusive 2 0 escape'],
  ['0 0 1 1 *', '', 'exclusive 1 0 escape'],
  ['0 0 1 1 *', 'timeout=3s', 'exclusive 600 0 none'],
];
const BY_HAND = ['job-01', 'job-08', 'job-09'] as const;

beforeAll(async () => {
  const entries = JOBS.map(
    ([schedule, options, work], index) =>
      `# kuber-cron: name=job-0${index + 1} ${options}\n${schedule} . ./work.sh; work ${work}\n`,
  );
  writeFileSync(home.crontab, `HOME=${home.folder}\n${entries.join('')}`);
  const first = home.start();
  await first.event('crontab-loaded');
  const reign = await home.read((store) => store.activePlan('shop'));
  if (reign === undefined) throw new Error('no plan is in force');
  if ((await first.kill()) === 'SIGKILL') deaths++;
  while (deaths < KILLS) {
    const daemon = home.start();
    const byHand = chance.percent(40)
      ? home.command(['run', '--store', `sqlite:${home.store}`, chance.of(BY_HAND)])
      : undefined;
    await sleep(chance.whole(200, 4500));
    // Who runs a job by hand may be killed as well.
    if (chance.percent(50)) byHand?.kill('SIGKILL');
    if ((await daemon.kill()) !== 'SIGKILL') throw new Error(`a daemon ended by itself:\n${daemon.errors}`);
    deaths++;
  }
  const until = await endQuietly(home, home.start(), 1);
  evidence = await evidenceOf(home, reign.plan, reign.since, until);
}, 470_000);
afterAll(() => home.remove());

test(`${KILLS} kills in real time, of daemons and of runs by hand, leave no run lost, doubled or told wrongly (seed ${FAULT_SEED})`, () => {
  expect(stories(home, evidence)).toEqual([]);
});

test('the kills hit, and no process of a run is left', () => {
  const lost = evidence.runs.filter(({ attempts }) => attempts.some(({ status }) => status === 'lost'));
  expect({ deaths, isLost: lost.length > 0, processes: home.processes() }).toEqual({
    deaths: KILLS,
    isLost: true,
    processes: [],
  });
});

test('what is left of a killed daemon and ignores TERM is gone before the next one starts anything', async () => {
  const other = new FaultHome();
  try {
    const deaf = "trap '' TERM; (sleep 600; true) & setsid sleep 600 & echo >>started; wait";
    writeFileSync(other.crontab, `HOME=${other.folder}\n# kuber-cron: name=job-01\n@reboot ${deaf}\n`);
    const first = other.start();
    await waitFor('its start', () => (existsSync(other.path('started')) ? true : undefined));
    await first.kill();
    const orphans = other.processes();
    writeFileSync(other.crontab, '');
    const second = other.start();
    await second.event('crontab-loaded');
    const left = other.processes();
    const { runs } = await other.history();
    expect({
      wereLeft: orphans.length > 0,
      left,
      runs: runs.map(({ status, reason }) => [status, reason]),
    }).toEqual({
      wereLeft: true,
      left: [],
      runs: [['lost', 'owner-died']],
    });
    expect(await second.signal('SIGTERM')).toBe(0);
  } finally {
    await other.remove();
  }
});
