import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from './bench.ts';
import { stop } from './children.ts';
import { type Daemon, daemons } from './daemons.ts';
import { cpuMs, hasProcessFiles, memory } from './process-usage.ts';
import type { Cell, Table } from './report.ts';

const SIZES = [10_000, 100_000];
/** A process has come to rest when it used less CPU than this over `REST_MS`. Milliseconds. */
const REST_CPU_MS = 30;
const REST_MS = 3000;
const LOOK_MS = 20;

/** Daemons with many jobs of which none is due: what it costs to have them. */
export async function benchIdle(bench: Bench): Promise<readonly Table[]> {
  if (!hasProcessFiles) {
    bench.say('left out: idle (there is no /proc to read CPU time from)');
    return [];
  }
  const contestants = await daemons(bench);
  // V8 collects what a load has left in two steps, some 100 and 200 s after it, and then nothing.
  const [settleMs, windowMs] = bench.isQuick ? [5000, 30_000] : [240_000, 120_000];
  const rows: Cell[][] = [];
  for (const lines of SIZES) {
    const folder = join(bench.folder, `idle-${lines}`);
    mkdirSync(folder);
    const crontab = join(folder, 'idle.crontab');
    const line = (index: number) => `0 0 1 1 * /opt/app/bin/yearly --shard ${index}\n`;
    writeFileSync(crontab, Array.from({ length: lines }, (_, index) => line(index)).join(''));
    const running = [];
    for (const [name, startDaemon] of contestants) {
      bench.say(`idle: ${name} loads ${lines} jobs`);
      const daemon = startDaemon(crontab, join(folder, name));
      running.push({ name, daemon, ...(await load(daemon)) });
    }
    bench.say(`idle: all with ${lines} jobs, ${(settleMs + windowMs) / 1000} s`);
    await sleep(settleMs);
    const before = running.map(({ daemon }) => cpuMs(daemon.process.pid));
    await sleep(windowMs);
    for (const [index, { name, daemon, readyMs, loadCpuMs }] of running.entries()) {
      const { pid } = daemon.process;
      const perMinute = ((cpuMs(pid) - (before[index] as number)) * 60_000) / windowMs;
      const { now, peak } = memory(pid);
      rows.push([name, lines, readyMs / 1000, loadCpuMs / 1000, perMinute, now, peak]);
    }
    await Promise.all(running.map(({ daemon }) => stop(daemon.process)));
  }
  return [
    {
      title: 'Many jobs, none due',
      columns: ['', 'jobs', 'ready s', 'CPU s to load', 'CPU ms a minute', 'MiB', 'peak MiB'],
      rows: rows.toSorted((a, b) => (a[1] as number) - (b[1] as number)),
      notes: [
        `All jobs are due on 1 January. Ready: when it last used the CPU before ${REST_MS / 1000} quiet seconds; for kuber-cron when \`/readyz\` answers, if that is later.`,
        `The daemons ran side by side for ${windowMs / 1000} s, after ${settleMs / 1000} s to settle.`,
      ],
    },
  ];
}

/** Waits until a daemon has loaded its crontab. */
async function load(daemon: Daemon): Promise<{ readyMs: number; loadCpuMs: number }> {
  const begin = performance.now();
  const { pid } = daemon.process;
  const looks: { at: number; cpu: number }[] = [{ at: 0, cpu: 0 }];
  let answeredMs = daemon.store === undefined ? 0 : undefined;
  for (;;) {
    await sleep(LOOK_MS);
    const look = { at: performance.now() - begin, cpu: cpuMs(pid) };
    if (Number.isNaN(look.cpu)) throw new Error(`a daemon ended:\n${daemon.log().slice(-2000)}`);
    looks.push(look);
    answeredMs ??= await answers(daemon, begin);
    const rested = looks.findLast(({ at }) => at <= look.at - REST_MS);
    if (answeredMs === undefined || rested === undefined || look.cpu - rested.cpu > REST_CPU_MS) continue;
    // The last look with the process at work: it does a little in the quiet seconds too.
    const atWork = looks.findLast(({ cpu }) => cpu < look.cpu - REST_CPU_MS) ?? rested;
    return { readyMs: Math.max(atWork.at + LOOK_MS, answeredMs), loadCpuMs: look.cpu };
  }
}

async function answers(daemon: Daemon, begin: number): Promise<number | undefined> {
  const address = /"address":"([^"]+)"/.exec(daemon.log())?.[1];
  if (address === undefined) return undefined;
  const { status } = await fetch(`${address}/readyz`);
  return status === 200 ? performance.now() - begin : undefined;
}
