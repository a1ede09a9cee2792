import type { ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Bench } from './bench.ts';
import { start, stop } from './children.ts';
import { onOneCore } from './contestants.ts';
import {
  type Daemon,
  daemons,
  minuteAfter,
  runsByInstant,
  type StartDaemon,
  untilInstant,
} from './daemons.ts';
import { cpuMs, memory } from './process-usage.ts';
import type { Table } from './report.ts';
import { Stamps, type Starts } from './stamps.ts';
import { median, percentile, spread } from './statistics.ts';

const JOBS = 1000;
/** From a daemon's minute to the bare loop's turn: the machine is quiet again by then. */
const BARE_OFFSET_MS = 30_000;
/** A round that is not complete after this has lost runs. */
const PATIENCE_MS = 25_000;
/** To load a crontab of a thousand lines and come to rest. */
const LOAD_MS = 12_000;

interface Round extends Starts {
  readonly cpuMs: number;
  /** MiB */
  readonly peak: number;
}

/** A thousand jobs on one minute: how late the last of them starts. */
export async function benchHerd(bench: Bench): Promise<readonly Table[]> {
  const rounds = bench.isQuick ? 1 : 3;
  const contestants = await daemons(bench);
  const pinned = await onOneCore();
  if (pinned === undefined) bench.say('left out: one core (there is no taskset)');
  const tables: Table[] = [];
  for (const [cores, before] of [['one core', pinned] as const, ['all cores', []] as const]) {
    if (before === undefined) continue;
    const results = new Map<string, Round[]>([['bare loop', []]]);
    const ratios: number[] = [];
    for (const [name, startDaemon] of contestants) {
      bench.say(`herd: ${name} and the bare loop on ${cores}, ${rounds} minutes`);
      const folder = join(bench.folder, `herd-${results.size}-${before.length}`);
      const { daemon, bare } = await duel(startDaemon, folder, before, rounds);
      results.set(name, daemon);
      results.get('bare loop')?.push(...bare);
      if (ratios.length > 0) continue;
      // Of neighbours, half a minute apart: what slows the machine for a while slows both.
      for (const [index, one] of daemon.entries()) {
        ratios.push(percentile(one.delays, 0.99) / percentile(bare[index]?.delays ?? [], 0.99));
      }
    }
    tables.push(tableOf(cores, results, median(ratios)));
  }
  return tables;
}

/** A daemon on the minutes, and the bare loop half a minute after each. */
async function duel(
  startDaemon: StartDaemon,
  folder: string,
  before: readonly string[],
  rounds: number,
): Promise<{ daemon: Round[]; bare: Round[] }> {
  mkdirSync(folder);
  const stamps = new Stamps(join(folder, 'stamps'), JOBS);
  const crontab = join(folder, 'herd.crontab');
  writeFileSync(crontab, stamps.commands.map((command) => `* * * * * ${command}\n`).join(''));
  const commands = join(folder, 'commands');
  writeFileSync(commands, stamps.commands.join('\n'));

  // Not across a minute: what is due while it loads would count.
  if (60_000 - (Date.now() % 60_000) < LOAD_MS) await untilInstant(minuteAfter(0) + 100);
  const daemon = startDaemon(crontab, join(folder, 'daemon'), before);
  const first = minuteAfter(LOAD_MS / 2);
  const minutes = Array.from({ length: rounds }, (_, round) => first + round * 60_000);
  const halves = minutes.map((minute) => minute + BARE_OFFSET_MS);
  mkdirSync(join(folder, 'bare'));
  const script = fileURLToPath(import.meta.resolve('./bare-spawn.ts'));
  const bare = start(
    [...before, process.execPath, script, commands, join(folder, 'bare'), ...halves.map(String)],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  const results: { daemon: Round[]; bare: Round[] } = { daemon: [], bare: [] };
  for (const [index, minute] of minutes.entries()) {
    results.daemon.push(await round(stamps, daemon.process, minute));
    results.bare.push(await round(stamps, bare, halves[index] as number));
  }
  await stop(daemon.process);
  await stop(bare);
  await verify(daemon, minutes);
  return results;
}

async function round(stamps: Stamps, contestant: ChildProcess, instant: number): Promise<Round> {
  stamps.reset();
  await untilInstant(instant - 500);
  const before = cpuMs(contestant.pid);
  await untilInstant(instant + 1000);
  while (!stamps.areComplete && Date.now() < instant + PATIENCE_MS) await sleep(500);
  // What is recorded and what comes twice comes now.
  await sleep(2500);
  return {
    ...stamps.since(instant),
    cpuMs: cpuMs(contestant.pid) - before,
    peak: memory(contestant.pid).peak,
  };
}

/** The store must know of each start: once, not early, and succeeded. */
async function verify({ store }: Daemon, minutes: readonly number[]): Promise<void> {
  if (store === undefined) return;
  const stored = await runsByInstant(store);
  for (const minute of minutes) {
    const runs = stored.get(minute) ?? [];
    const jobs = new Set(runs.map(({ jobId }) => jobId)).size;
    const good = runs.filter(
      ({ status, attempts }) =>
        status === 'succeeded' && attempts.length === 1 && (attempts[0]?.startedAt ?? 0) >= minute,
    ).length;
    if (runs.length !== JOBS || jobs !== JOBS || good !== JOBS) {
      throw new Error(
        `of ${JOBS} runs at ${new Date(minute).toISOString()} the store has ${runs.length}, of ${jobs} jobs, ${good} succeeded and not early`,
      );
    }
  }
}

function tableOf(cores: string, results: ReadonlyMap<string, readonly Round[]>, ratio: number): Table {
  // A stamp may lie a hair before the truth: no minus zero.
  const ms = (value: number) => (Math.round(value) + 0).toLocaleString('en-US');
  const delay = (rounds: readonly Round[], share: number) =>
    rounds.map(({ delays }) => percentile(delays, share));
  const counts = (rounds: readonly Round[]) =>
    (['ran', 'lost', 'doubled', 'early'] as const)
      .map((key) => rounds.reduce((sum, one) => sum + one[key], 0))
      .join(', ');
  return {
    title: `${JOBS.toLocaleString('en-US')} jobs on one minute, ${cores}`,
    columns: [
      ...['', 'minutes', 'ran, lost, double, early', 'first ms', 'p50 ms', 'p99 ms', 'max ms'],
      ...['CPU ms', 'peak MiB'],
    ],
    rows: [...results].map(([name, rounds]) => [
      name,
      rounds.length,
      counts(rounds),
      spread(delay(rounds, 0), ms),
      spread(delay(rounds, 0.5), ms),
      spread(delay(rounds, 0.99), ms),
      spread(delay(rounds, 1), ms),
      spread(
        rounds.map((one) => one.cpuMs),
        ms,
      ),
      spread(
        rounds.map((one) => one.peak),
        ms,
      ),
    ]),
    notes: [
      'From the minute to the first act of each command; median of the minutes (lowest–highest). CPU without that of the commands.',
      `The store had ${JOBS} succeeded runs of each minute, none double, none early.`,
    ],
    targets: [
      {
        what: `p99 of kuber-cron ÷ that of the bare loop half a minute later, ${cores}`,
        value: ratio,
        atMost: 1.15,
      },
    ],
  };
}
