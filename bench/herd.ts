import type { ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Bench } from './bench.ts';
import { start, stop } from './children.ts';
import { onOneCore } from './contestants.ts';
import {
  cronstable,
  type Daemon,
  daemons,
  minuteAfter,
  runsByInstant,
  type StartDaemon,
  untilInstant,
  withoutDurability,
} from './daemons.ts';
import { cpuMs, memory } from './process-usage.ts';
import type { Cell, Table } from './report.ts';
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
  const [ours, ...peers] = await daemons(bench);
  const contestants = new Map([
    ...(ours === undefined ? [] : [ours]),
    ...(await withoutDurability(bench)),
    ...peers,
    ...(await cronstable(bench)),
  ]);
  const pinned = await onOneCore();
  if (pinned === undefined) bench.say('left out: one core (there is no taskset)');
  const tables: Table[] = [];
  for (const [cores, before] of [['one core', pinned] as const, ['all cores', []] as const]) {
    if (before === undefined) continue;
    bench.say(`herd: ${[...contestants.keys()].join(', ')} on ${cores}, ${rounds} minutes each`);
    const folder = join(bench.folder, `herd-${before.length}`);
    tables.push(tableOf(cores, await contest(contestants, folder, before, rounds)));
  }
  return tables;
}

/** A minute of a contestant, and the bare loop half a minute later: what slows the machine for a while slows both. */
interface Pair {
  readonly own: Round;
  readonly bare: Round;
}

/**
 * All daemons side by side, each with jobs on minutes of its own, in turn; the others have nothing to do then. The bare
 * loop has the half minutes.
 *
 * @param contestants as many as divide an hour into equal turns
 */
export async function contest(
  contestants: ReadonlyMap<string, StartDaemon>,
  folder: string,
  before: readonly string[],
  rounds: number,
): Promise<ReadonlyMap<string, readonly Pair[]>> {
  mkdirSync(folder);
  const turns = contestants.size;
  // Not across a minute: what is due while they load would count.
  if (60_000 - (Date.now() % 60_000) < LOAD_MS) await untilInstant(minuteAfter(0) + 100);
  const running = [...contestants].map(([name, startDaemon], turn) => {
    const stamps = new Stamps(join(folder, `stamps-${turn}`), JOBS);
    const crontab = join(folder, `herd-${turn}.crontab`);
    writeFileSync(
      crontab,
      stamps.commands.map((command) => `${turn}-59/${turns} * * * * ${command}\n`).join(''),
    );
    const daemon = startDaemon(crontab, join(folder, `daemon-${turn}`), before);
    return { name, stamps, daemon, minutes: [] as number[], pairs: [] as Pair[] };
  });
  const first = minuteAfter(LOAD_MS / 2);
  const minutes = Array.from({ length: rounds * turns }, (_, index) => first + index * 60_000);
  const bare = bareLoop(
    join(folder, 'bare'),
    before,
    minutes.map((minute) => minute + BARE_OFFSET_MS),
  );
  for (const minute of minutes) {
    const one = running[(minute / 60_000) % turns] as (typeof running)[number];
    one.minutes.push(minute);
    one.pairs.push({
      own: await round(one.stamps, one.daemon.process, minute),
      bare: await round(bare.stamps, bare.process, minute + BARE_OFFSET_MS),
    });
  }
  await Promise.all([bare, ...running.map(({ daemon }) => daemon)].map((one) => stop(one.process)));
  for (const one of running) await verify(one.daemon, one.minutes);
  return new Map(running.map(({ name, pairs }) => [name, pairs]));
}

function bareLoop(folder: string, before: readonly string[], instants: readonly number[]) {
  mkdirSync(folder);
  const stamps = new Stamps(join(folder, 'stamps'), JOBS);
  const commands = join(folder, 'commands');
  writeFileSync(commands, stamps.commands.join('\n'));
  const output = join(folder, 'output');
  mkdirSync(output);
  const script = fileURLToPath(import.meta.resolve('./bare-spawn.ts'));
  const child = start([...before, process.execPath, script, commands, output, ...instants.map(String)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return { stamps, process: child };
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

function tableOf(cores: string, results: ReadonlyMap<string, readonly Pair[]>): Table {
  // A stamp may lie a hair before the truth: no minus zero.
  const ms = (value: number) => (Math.round(value) + 0).toLocaleString('en-US');
  const delay = (rounds: readonly Round[], share: number) =>
    rounds.map(({ delays }) => percentile(delays, share));
  const counts = (rounds: readonly Round[]) =>
    (['ran', 'lost', 'doubled', 'early'] as const)
      .map((key) => rounds.reduce((sum, one) => sum + one[key], 0))
      .join(', ');
  const ratios = (pairs: readonly Pair[]) =>
    pairs.map(({ own, bare }) => percentile(own.delays, 0.99) / percentile(bare.delays, 0.99));
  const row = (name: string, rounds: readonly Round[], ratio: string | number): readonly Cell[] => [
    name,
    rounds.length,
    counts(rounds),
    spread(delay(rounds, 0), ms),
    spread(delay(rounds, 0.5), ms),
    spread(delay(rounds, 0.99), ms),
    spread(delay(rounds, 1), ms),
    ratio,
    spread(
      rounds.map((one) => one.cpuMs),
      ms,
    ),
    spread(
      rounds.map((one) => one.peak),
      ms,
    ),
  ];
  const digits = (value: number) => value.toFixed(2);
  const all = [...results];
  return {
    title: `${JOBS.toLocaleString('en-US')} jobs on one minute, ${cores}`,
    columns: [
      ...['', 'minutes', 'ran, lost, double, early', 'first ms', 'p50 ms', 'p99 ms', 'max ms'],
      ...['p99 ÷ bare loop', 'CPU ms', 'peak MiB'],
    ],
    rows: [
      row(
        'bare loop',
        all.flatMap(([, pairs]) => pairs.map(({ bare }) => bare)),
        1,
      ),
      ...all.map(([name, pairs]) =>
        row(
          name,
          pairs.map(({ own }) => own),
          spread(ratios(pairs), digits),
        ),
      ),
    ],
    notes: [
      'From the minute to the first act of each command; median of the minutes (lowest–highest). CPU without that of the commands.',
      'Daemons take turns, a minute each; the ratio is to the bare loop half a minute after each minute.',
      `The store had ${JOBS} succeeded runs of each minute, none double, none early.`,
    ],
    targets: [
      {
        what: `p99 of kuber-cron ÷ that of the bare loop half a minute later, ${cores}`,
        value: median(ratios(all[0]?.[1] ?? [])),
        atMost: 1.15,
      },
    ],
  };
}
