import type { ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SqliteRunStore } from '../shared/adapters/sqlite-run-store.ts';
import type { Run } from '../shared/core/run/run.ts';
import type { Bench } from './bench.ts';
import { start } from './children.ts';
import {
  cronstableProgram,
  kuberCronWithoutDurability,
  packedKuberCron,
  supercronic,
} from './contestants.ts';

/** A daemon that runs a crontab; its log is a file, so that reading it costs the daemon nothing. */
export interface Daemon {
  readonly process: ChildProcess;
  readonly log: () => string;
  /** Database of the runs; ours only. */
  readonly store?: string;
}

/** Starts one on a crontab, in a folder of its own, by a command line that begins so. */
export type StartDaemon = (crontab: string, folder: string, before?: readonly string[]) => Daemon;

/** The daemons to compare, ours first. */
export async function daemons(
  { folder, say }: Bench,
  supercronicOptions: readonly string[] = [],
): Promise<ReadonlyMap<string, StartDaemon>> {
  const kuberCron = await packedKuberCron(folder);
  const all = new Map<string, StartDaemon>();
  all.set('kuber-cron', (crontab, own, before = []) => {
    const store = join(own, 'store.sqlite');
    return { ...launch([...before, ...kuberCron, ...kuberCronArguments(store), crontab], own), store };
  });
  const peer = await supercronic(say);
  if (peer !== undefined) {
    all.set(`supercronic ${peer.version}`, (crontab, own, before = []) =>
      launch([...before, peer.path, ...supercronicOptions, crontab], own),
    );
  }
  return all;
}

/** Ours with a store that writes nothing to the disk: what durability costs is the difference. */
export async function withoutDurability({ folder }: Bench): Promise<ReadonlyMap<string, StartDaemon>> {
  const command = await kuberCronWithoutDurability(folder);
  const startDaemon: StartDaemon = (crontab, own, before = []) =>
    launch([...before, ...command, ...kuberCronArguments(join(own, 'none')), crontab], own);
  return new Map([['kuber-cron, store in memory', startDaemon]]);
}

export async function cronstable({ say }: Bench): Promise<ReadonlyMap<string, StartDaemon>> {
  const peer = await cronstableProgram(say);
  if (peer === undefined) return new Map();
  const startDaemon: StartDaemon = (crontab, own, before = []) =>
    launch([...before, peer.path, '-c', crontab], own);
  return new Map([[`cronstable ${peer.version}`, startDaemon]]);
}

function kuberCronArguments(store: string): readonly string[] {
  const options = ['--zone', 'UTC', '--http', '127.0.0.1:0', '--log', 'json', '--store', `sqlite:${store}`];
  return ['daemon', ...options];
}

function launch(command: readonly string[], folder: string): Daemon {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'log');
  const fd = openSync(path, 'a');
  const daemon = start(command, { stdio: ['ignore', fd, fd], env: { ...process.env, TZ: 'UTC' } });
  closeSync(fd);
  return { process: daemon, log: () => readFileSync(path, 'utf8') };
}

export async function untilInstant(instant: number): Promise<void> {
  for (let left = instant - Date.now(); left > 0; left = instant - Date.now()) await sleep(left);
}

/** The next whole minute that is at least so far away. */
export function minuteAfter(leastMs: number): number {
  return Math.ceil((Date.now() + leastMs) / 60_000) * 60_000;
}

/** All runs of a store that no daemon uses any more, by the instant that they were due at. */
export async function runsByInstant(path: string): Promise<ReadonlyMap<number, readonly Run[]>> {
  const store = SqliteRunStore.open(path);
  const runs = await store.runs({ limit: 1_000_000 });
  await store.close();
  return Map.groupBy(runs, ({ scheduledTime }) => scheduledTime);
}
