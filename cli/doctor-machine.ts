import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CommandError, type Io } from '../shared/adapters/command-line.ts';
import { systemReason } from '../shared/adapters/crontab-files.ts';
import { openExistingStore, type StoreLocation } from '../shared/adapters/open-store.ts';
import { StoreError } from '../shared/adapters/store-error.ts';
import type { RunStore } from '../shared/core/run/run-store.ts';
import { nearestZone, zoneTable } from '../shared/core/schedule/zone-data.ts';
import type { EpochMs } from '../shared/core/schedule/zone-table.ts';
import type { Examined } from './doctor.ts';
import type { Finding } from './doctor-jobs.ts';

const ZONE_FILES = '/usr/share/zoneinfo';
/** Less is soon used up by history, output and the log of SQLite. Bytes. */
const LEAST_FREE = 100 * 2 ** 20;
/** Further off the run store's clock, or that of its newest run, a daemon starts nothing, or twice. Milliseconds. */
const MOST_OFF_MS = 5000;

/** The zone of this machine, and the data that commands have of theirs. */
export function zoneFindings(jobs: readonly Examined[], env: Io['env']): readonly Finding[] {
  const findings: Finding[] = [];
  const { TZ: zone = '' } = env;
  if (zone !== '' && zoneTable(zone) === undefined) {
    const near = nearestZone(zone);
    findings.push({
      code: 'zone-unknown',
      message: `the variable TZ is \`${zone}\`, which is no time zone: times without CRON_TZ would be read as UTC`,
      help: `set TZ to ${near === undefined ? 'one such as Europe/Berlin' : `\`${near}\``}, or say \`--zone\``,
    });
  }
  const zones = new Map<string, string[]>();
  for (const { crontab, job } of jobs) {
    const { TZ } = job.environment;
    if (TZ === undefined || zoneTable(TZ) === undefined || existsSync(`${ZONE_FILES}/${TZ}`)) continue;
    zones.set(TZ, [...(zones.get(TZ) ?? []), `${crontab}/${job.name}`]);
  }
  for (const [name, ofJobs] of zones)
    findings.push({
      code: 'zone-data-missing',
      message: `commands that are given \`TZ=${name}\` would read their clock as UTC: there is no ${ZONE_FILES}/${name}`,
      help: 'install the package tzdata',
      jobs: ofJobs,
    });
  return findings;
}

/** Whether history can be kept. Nothing is written: a store that is not there is not made. */
export async function storeFindings(location: StoreLocation): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const isMade = location.table !== undefined || existsSync(location.path);
  try {
    if (isMade) await withStore(location, (store) => store.crontabs());
  } catch (error) {
    findings.push(unusable(error));
  }
  const folder = nearestFolder(dirname(resolve(location.path)));
  try {
    // The daemons of a table keep output and unrecorded results beside it.
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    if (findings.length === 0)
      findings.push({
        code: 'store-unusable',
        message: `run store ${location.path}: the folder \`${folder}\` cannot be written: ${systemReason(error)}`,
        help: 'let this user write there (in a container, mount a volume), or name another place by `--store`',
      });
  }
  const { bavail, blocks, bsize, files, ffree } = statfsSync(folder);
  const free = bavail * bsize;
  // A file system without blocks is none of a disk.
  if (blocks > 0 && (free < LEAST_FREE || (files > 0 && ffree === 0))) {
    const what = free < LEAST_FREE ? `${Math.floor(free / 2 ** 20)} MiB are` : 'no inode is';
    findings.push({
      code: 'disk-nearly-full',
      message: `${what} free in \`${folder}\`, where history and output are kept`,
      help: 'make room, or name another place by `--store`; `--keep-history` and `--max-logs` bound what is kept',
    });
  }
  return findings;
}

/** Whether the clock can be right, by what is known to lie in the past. */
export async function clockFindings(location: StoreLocation, now: EpochMs): Promise<readonly Finding[]> {
  const help = 'set it right, and see whether the time service (NTP) of this machine works';
  const wrong = (message: string): Finding => ({ code: 'clock-wrong', message, help });
  const shown = new Date(now).toISOString();
  const built = statSync(fileURLToPath(import.meta.url)).mtimeMs;
  if (built - now > MOST_OFF_MS)
    return [wrong(`the clock says ${shown}, which is before kuber-cron was installed here`)];
  if (location.table === undefined && !existsSync(location.path)) return [];
  try {
    return await withStore(location, async (store) => {
      const time = await store.time?.();
      if (time !== undefined && Math.abs(now - time) > MOST_OFF_MS)
        return [wrong(`the clock says ${shown}, and that of the run store ${new Date(time).toISOString()}`)];
      const [newest] = await store.runs({ limit: 1 });
      if (newest === undefined || newest.createdAt - now <= MOST_OFF_MS) return [];
      const created = new Date(newest.createdAt).toISOString();
      return [wrong(`the clock says ${shown}, and the newest run in the store was made at ${created}`)];
    });
  } catch (error) {
    // Told of as a finding about the store.
    if (error instanceof StoreError || error instanceof CommandError) return [];
    throw error;
  }
}

async function withStore<T>(location: StoreLocation, work: (store: RunStore) => Promise<T>): Promise<T> {
  const store = openExistingStore(location);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

function unusable(error: unknown): Finding {
  if (!(error instanceof StoreError || error instanceof CommandError)) throw error;
  const [what = '', help] = error.message.split(/; (.*)/s);
  return { code: 'store-unusable', message: what, help: help ?? 'name another by `--store`' };
}

/** The folder, or the one that it would be made in. */
function nearestFolder(folder: string): string {
  let at = folder;
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  return at;
}
