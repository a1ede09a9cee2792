import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { main } from '../cli/main.ts';
import type { Io } from '../shared/adapters/command-line.ts';
import { MIGRATIONS } from '../shared/adapters/run-store-schema.ts';
import { SqliteRunStore } from '../shared/adapters/sqlite-run-store.ts';
import { sha256Hex } from '../shared/core/hash.ts';
import type { Bench } from './bench.ts';
import { stop } from './children.ts';
import { benchCache } from './contestants.ts';
import { type Daemon, daemons } from './daemons.ts';
import { HISTORY, makeLongHistory, runHour } from './long-history.ts';
import type { Table } from './report.ts';
import { interleaved, median } from './statistics.ts';

const HOUR_MS = 3_600_000;
const SIZES = { short: 10_000, long: 1_000_000 } as const;
/** Files of another form are made anew. */
const FORM = 1;

type Size = keyof typeof SIZES;
/** Something that is done to a store. @returns milliseconds */
type Work = (size: Size) => Promise<number>;

/** The same on a short history and on one that is a hundred times as long. */
export async function benchHistory(bench: Bench): Promise<readonly Table[]> {
  const rounds = bench.isQuick ? 21 : 101;
  const folders = { short: join(bench.folder, 'history-short'), long: join(bench.folder, 'history-long') };
  const sizes = Object.keys(SIZES) as Size[];
  for (const size of sizes) {
    mkdirSync(folders[size]);
    copyFileSync(await cached(SIZES[size], bench.say), join(folders[size], 'store.sqlite'));
  }
  const path = (size: Size) => join(folders[size], 'store.sqlite');
  const [JOB] = HISTORY.jobIds as [string];
  const works: [string, Work][] = [
    ['`jobs`', (size) => byCommand(path(size), ['jobs'])],
    ['`runs`', (size) => byCommand(path(size), ['runs'])],
    ['`runs JOB`', (size) => byCommand(path(size), ['runs', JOB])],
    ['`why JOB TIME`', (size) => byCommand(path(size), ['why', JOB, '2026-10-29T20:07Z'])],
  ];
  const rows: (readonly [string, Record<Size, number[]>])[] = [];
  const measure = async (what: string, work: Work) => {
    bench.say(`history: ${what}`);
    for (const size of sizes) await work(size);
    const times = await interleaved(rounds, { short: () => work('short'), long: () => work('long') });
    rows.push([what, times]);
  };
  for (const [what, work] of works) await measure(what, work);

  const stores = { short: SqliteRunStore.open(path('short')), long: SqliteRunStore.open(path('long')) };
  const hours = { short: HISTORY.newest, long: HISTORY.newest };
  const runs = (count: number): Work => {
    const jobIds = HISTORY.jobIds.slice(0, count);
    return (size) => {
      hours[size] += HOUR_MS;
      return timed(() => runHour(stores[size], jobIds, hours[size]));
    };
  };
  await measure('claim, start and finish of a run', runs(1));
  await measure('the same of 100 runs at once', runs(100));
  // What fell due before the daemons start is none of their business.
  for (const size of sizes) await stores[size].setCursor('shop', Date.now());
  for (const size of sizes) await stores[size].close();

  const [startDaemon] = [...(await daemons(bench)).values()];
  const running = {} as Record<Size, Daemon>;
  for (const size of sizes) {
    const crontab = join(folders[size], 'shop.crontab');
    writeFileSync(crontab, HISTORY.crontab);
    running[size] = startDaemon?.(crontab, folders[size]) as Daemon;
  }
  const addresses = { short: await addressOf(running.short), long: await addressOf(running.long) };
  await measure('a scrape of `/metrics`', (size) =>
    timed(async () => {
      const answer = await fetch(`${addresses[size]}/metrics`);
      if (!(await answer.text()).includes('kubercron_job_runs_total{')) throw new Error('no metrics of runs');
    }),
  );
  await Promise.all(sizes.map((size) => stop(running[size].process)));
  return [tableOf(rows, rounds, statSync(path('long')).size)];
}

/** A store of so many runs, made once for all benchmarks of a form of the tables. */
async function cached(rows: number, say: Bench['say']): Promise<string> {
  const form = sha256Hex(JSON.stringify([FORM, MIGRATIONS])).slice(0, 12);
  const folder = benchCache();
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) {
    if (/^history-/.test(name) && !name.startsWith(`history-${form}-`)) rmSync(join(folder, name));
  }
  const path = join(folder, `history-${form}-${rows}.sqlite`);
  if (existsSync(path)) return path;
  say(`history: makes ${rows.toLocaleString('en-US')} runs`);
  for (const left of ['', '-wal', '-shm']) rmSync(`${path}.new${left}`, { force: true });
  await makeLongHistory(`${path}.new`, rows);
  renameSync(`${path}.new`, path);
  return path;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

/** In this process, so that the start of Node hides nothing; the store is opened and closed each time. */
async function byCommand(path: string, argv: readonly string[]): Promise<number> {
  const said: string[] = [];
  const output = { write: (text: string | Uint8Array) => said.push(String(text)) };
  const io: Io = {
    ...{ stdin: process.stdin, stdout: output, stderr: output, env: {} },
    now: () => HISTORY.newest + 60_000,
  };
  return await timed(async () => {
    const code = await main([...argv, '--store', `sqlite:${path}`], io);
    if (code !== 0) throw new Error(`\`${argv.join(' ')}\` ended with ${code}: ${said.join('')}`);
  });
}

async function addressOf(daemon: Daemon): Promise<string> {
  for (;;) {
    const address = /"address":"([^"]+)"/.exec(daemon.log())?.[1];
    if (address !== undefined) return address;
    if (daemon.process.exitCode !== null) throw new Error(`a daemon ended:\n${daemon.log().slice(-2000)}`);
    await sleep(50);
  }
}

function tableOf(
  rows: readonly (readonly [string, Record<Size, number[]>])[],
  rounds: number,
  bytes: number,
): Table {
  // Of neighbours: what slows the machine for a while slows both.
  const ratio = ({ short, long }: Record<Size, number[]>) =>
    median(long.map((time, round) => time / (short[round] ?? Number.NaN)));
  const thousands = (size: Size) => SIZES[size].toLocaleString('en-US');
  return {
    title: 'A long history',
    columns: ['', `ms with ${thousands('short')} runs`, `ms with ${thousands('long')}`, 'ratio'],
    rows: rows.map(([what, times]) => [what, median(times.short), median(times.long), ratio(times)]),
    notes: [
      `Medians of ${rounds} turns, one on each store; the ratio is that of the pairs. Commands ran in one process and opened the store each time.`,
      `100 jobs, every hour; the file of the long history has ${Math.round(bytes / 2 ** 20)} MiB.`,
    ],
    targets: [
      {
        what: 'the largest of the ratios',
        value: Math.max(...rows.map(([, times]) => ratio(times))),
        atMost: 1.5,
      },
    ],
  };
}
