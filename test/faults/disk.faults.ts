import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from '@jest/globals';
import { faultCrontab } from '../support/fault-crontab.ts';
import { mountFault, SmallDisk } from '../support/fault-disk.ts';
import { type FaultDaemon, FaultHome, waitFor } from '../support/fault-home.ts';
import { Chance, FAULT_SEED } from '../support/fault-seed.ts';
import { endQuietly, evidenceOf, stories } from '../support/fault-trial.ts';

const JOBS = 12;
/** A minute is a second. */
const RATE = 60;
const HOLD_LOCK = fileURLToPath(new URL('../support/hold-lock.ts', import.meta.url));

const homes: FaultHome[] = [];
const disks: SmallDisk[] = [];
afterEach(async () => {
  for (const home of homes.splice(0)) await home.remove();
  for (const disk of disks.splice(0)) disk.unmount();
});

const noMount = mountFault();
if (noMount !== undefined)
  process.stderr.write(
    `left out: a disk that is full, a folder that is read-only, for want of mounts: ${noMount}\n`,
  );
const onMounts = noMount === undefined ? test : test.skip;

/** Has a daemon work before, in and after a fault, and gives what there is against it. */
async function workThrough(
  home: FaultHome,
  fault: (daemon: FaultDaemon) => Promise<void>,
): Promise<{ problems: string[]; errors: string[] }> {
  homes.push(home);
  writeFileSync(home.crontab, faultCrontab(new Chance(FAULT_SEED, 'disk'), JOBS, home.folder));
  const pace = { real: Date.now(), shown: Date.parse('2026-07-04T11:58:00Z'), rate: RATE };
  const daemon = home.start({ pace });
  await daemon.event('crontab-loaded');
  const reign = await home.read((store) => store.activePlan('shop'));
  if (reign === undefined) throw new Error('no plan is in force');
  await daemon.event('run-ended', 20);
  await fault(daemon);
  const until = await endQuietly(home, daemon, RATE);
  const evidence = await evidenceOf(home, reign.plan, reign.since, until);
  return { problems: stories(home, evidence), errors: home.errors() };
}

/** Waits until the daemon has said that the store fails, for so many minutes of its clock. */
async function failing(daemon: FaultDaemon, words: string, minutes: number): Promise<void> {
  const said = () => daemon.lines.filter((line) => JSON.stringify(line).includes(words)).length;
  await waitFor(`an error with "${words}"`, () => (said() > 0 ? true : undefined));
  await sleep((minutes * 60_000) / RATE);
}

onMounts(
  `a disk that is full for ten minutes: the daemon says so, goes on, and answers for all of them (seed ${FAULT_SEED})`,
  async () => {
    const home = new FaultHome();
    const disk = await SmallDisk.mount(home, 32);
    disks.push(disk);
    const { problems, errors } = await workThrough(home, async (daemon) => {
      disk.fill();
      await failing(daemon, 'no space is left', 10);
      disk.makeRoom();
    });
    expect(problems).toEqual([]);
    expect(errors.some((line) => line.includes('make room in its file system'))).toBe(true);
  },
);

test(`a disk that takes no more bytes for ten minutes (seed ${FAULT_SEED})`, async () => {
  const home = new FaultHome();
  const { problems, errors } = await workThrough(home, async (daemon) => {
    // As large as its largest file is already, so that the others still grow: the log-ahead of the store.
    const { size } = statSync(`${home.store}-wal`);
    const limit = (bytes: number | 'unlimited') =>
      spawnSync('prlimit', ['--pid', String(daemon.child.pid), `--fsize=${bytes}:unlimited`]).status;
    expect(limit(size)).toBe(0);
    await failing(daemon, 'disk I/O error', 10);
    limit('unlimited');
  });
  expect(problems).toEqual([]);
  expect(errors.some((line) => line.includes('see whether its file system is healthy'))).toBe(true);
});

test(`another process that keeps the store locked for twelve minutes (seed ${FAULT_SEED})`, async () => {
  const home = new FaultHome();
  const { problems, errors } = await workThrough(home, async (daemon) => {
    const holder = spawn(process.execPath, [HOLD_LOCK, home.store, '12000'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(holder.stdout, 'data');
    await failing(daemon, 'another process keeps it locked', 0);
    await once(holder, 'exit');
  });
  expect(problems).toEqual([]);
  expect(errors.some((line) => line.includes('find the process that has the file open'))).toBe(true);
});

onMounts.each([
  ['before there is a store', false],
  ['after there was one', true],
])(
  'a folder that is read-only, %s: the daemon says so in one sentence, and changes nothing',
  async (_when, hadStore) => {
    const home = new FaultHome();
    homes.push(home);
    writeFileSync(home.crontab, '');
    mkdirSync(home.path('state'), { recursive: true });
    if (hadStore) {
      const daemon = home.start();
      await daemon.event('crontab-loaded');
      await daemon.signal('SIGTERM');
    }
    const before = readdirSync(home.path('state'));
    const script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"';
    const [program, ...args] = home.shipped();
    const { status, stdout, stderr } = spawnSync(
      'unshare',
      ['--mount', 'sh', '-c', script, 'sh', home.path('state'), program as string, ...args],
      { encoding: 'utf8', timeout: 60_000 },
    );
    expect({ status, stdout, stderr: stderr.replaceAll(home.folder, '') }).toEqual({
      status: 3,
      stdout: '',
      stderr: expect.stringMatching(
        /^kuber-cron: run store \/state\/store\.sqlite: the file or its folder cannot be written.*; let this user write there, or choose a file in another folder\n$/,
      ),
    });
    expect(readdirSync(home.path('state'))).toEqual(before);
  },
);
