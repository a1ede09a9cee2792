import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { DaemonEvent } from '../../container/events.ts';
import { patiently } from '../../container/patience.ts';
import { CommandError } from '../../shared/adapters/command-line.ts';
import { StoreError, type StoreProblem } from '../../shared/adapters/store-error.ts';
import { DaemonHome } from '../support/daemon-process.ts';

const HOLD_LOCK = new URL('../support/hold-lock.ts', import.meta.url).pathname;
const YEARLY = '# kuber-cron: name=yearly\n0 0 1 1 * true\n';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

function homeWith(crontab?: string): DaemonHome {
  const home = new DaemonHome(crontab);
  ends.push(() => home.remove());
  return home;
}

/** A home whose store knows its crontab. */
async function homeThatRan(crontab: string): Promise<DaemonHome> {
  const home = homeWith(crontab);
  const daemon = home.start([home.folder]);
  await daemon.event('listening');
  daemon.signal('SIGTERM');
  expect(await daemon.exit()).toBe(0);
  return home;
}

/** Another process that keeps a store from being written. @returns ends it */
async function holdLock(store: string): Promise<() => Promise<void>> {
  const holder = spawn(process.execPath, [HOLD_LOCK, store, '3600000'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const over = once(holder, 'exit');
  const release = async () => {
    holder.kill('SIGKILL');
    await over;
  };
  ends.push(release);
  await once(holder.stdout, 'data');
  return release;
}

describe('a run store that cannot be used yet', () => {
  test('is waited for: the daemon lives, is not ready and says why, and works when it can', async () => {
    const home = await homeThatRan(YEARLY);
    const release = await holdLock(home.store);
    writeFileSync(home.crontab, `${YEARLY}# kuber-cron: name=once\n@reboot echo up\n`);
    const daemon = home.start();
    const { msg, error } = await daemon.event('error');
    expect([msg, error]).toEqual([
      'the run store cannot be used yet; the daemon waits for it',
      `run store ${home.store}: another process keeps it locked; find the process that has the file open and end it, then try again: database is locked`,
    ]);
    expect(await daemon.get('/livez')).toEqual({ status: 200, body: '{"status":"ok"}\n' });
    const { status, body } = await daemon.get('/readyz');
    expect([status, JSON.parse(body)]).toEqual([
      503,
      {
        status: 'unready',
        reasons: ['the daemon is starting', 'the run store cannot be used yet; the daemon waits for it'],
      },
    ]);
    expect((await daemon.get('/metrics')).body).toContain('kubercron_build_info{');
    await release();
    expect(await daemon.event('run-ended')).toMatchObject({ job: 'once', status: 'succeeded' });
    expect(await daemon.get('/readyz')).toEqual({ status: 200, body: '{"status":"ok"}\n' });
  });

  test('is not waited for when the daemon is told to stop', async () => {
    const home = await homeThatRan(YEARLY);
    await holdLock(home.store);
    writeFileSync(home.crontab, YEARLY.replace('true', 'false'));
    const daemon = home.start();
    await daemon.event('error');
    daemon.signal('SIGTERM');
    expect(await daemon.exit()).toBe(0);
    expect(daemon.lines.at(-1)?.event).toBe('stopped');
  });
});

describe('patience with a run store', () => {
  const FILE = '/store.sqlite';
  const fault = (problem: StoreProblem) => new StoreError(problem, FILE);

  /** Work that fails so many times, and how it was waited for. */
  async function waits(failures: number, error: Error) {
    const slept: number[] = [];
    const emitted: DaemonEvent[] = [];
    let tries = 0;
    const done = patiently(
      () => {
        if (tries++ < failures) throw error;
        return 'done';
      },
      {
        clock: { sleep: async (ms) => void slept.push(ms) },
        random: () => 1,
        emit: (event) => emitted.push(event),
        stopped: new AbortController().signal,
      },
    );
    return { done: await done, slept, told: emitted.length };
  }

  test('waits twice as long each time, half a minute at most', async () => {
    expect(await waits(7, fault('failed'))).toEqual({
      done: 'done',
      slept: [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000],
      told: 7,
    });
  });

  test.each(['failed', 'busy', 'full'] as const)('a store that is %s may pass', async (problem) => {
    const wrapped = new CommandError('crontab `shop` could not be put in force', { cause: fault(problem) });
    expect(await waits(1, wrapped)).toEqual({ done: 'done', slept: [1000], told: 1 });
  });

  test.each([
    ['foreign', fault('foreign')],
    ['newer', fault('newer')],
    ['damaged', fault('damaged')],
    ['unwritable', fault('unwritable')],
    ['a fault of ours', new Error('a fault')],
  ])('what is %s does not pass', async (_what, error) => {
    await expect(waits(1, error)).rejects.toBe(error);
  });
});

describe('a folder in which two files are one crontab', () => {
  test('at the start: the daemon lives, is not ready and says why, and heals', async () => {
    const home = homeWith();
    const folder = home.path('tabs');
    mkdirSync(folder);
    for (const name of ['shop', 'shop.crontab']) writeFileSync(join(folder, name), YEARLY);
    const daemon = home.start([folder]);
    await daemon.event('listening');
    const { status, body } = await daemon.get('/readyz');
    expect([status, JSON.parse(body)]).toEqual([
      503,
      {
        status: 'unready',
        reasons: [
          `crontab shop: \`${join(folder, 'shop')}\` and \`${join(folder, 'shop.crontab')}\` would both be crontab \`shop\`: rename one file`,
          'no crontab is in force',
        ],
      },
    ]);
    rmSync(join(folder, 'shop'));
    await daemon.event('crontab-loaded');
    expect(await daemon.get('/readyz')).toEqual({ status: 200, body: '{"status":"ok"}\n' });
  });

  test('the last good one goes on', async () => {
    const home = await homeThatRan(YEARLY);
    writeFileSync(home.path('shop'), YEARLY);
    const daemon = home.start([home.folder]);
    await daemon.event('listening');
    expect(await daemon.get('/readyz')).toEqual({ status: 200, body: '{"status":"ok"}\n' });
    expect(daemon.all('crontab-refused').map(({ crontab }) => crontab)).toEqual(['shop']);
    renameSync(home.path('shop'), home.path('till'));
    expect(await daemon.event('crontab-loaded')).toMatchObject({ crontab: 'shop' });
  });
});
