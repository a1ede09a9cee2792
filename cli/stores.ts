import { type Invocation, text } from '../shared/adapters/command-line.ts';
import { openExistingStore, type StoreLocation, storeLocation } from '../shared/adapters/open-store.ts';
import { crontabOf, jobIdOf } from '../shared/core/run/run-id.ts';
import type { RunStore } from '../shared/core/run/run-store.ts';
import { pickJob } from './find-job.ts';

/** Runs back to which jobs are known that no crontab in force has. */
const RUNS_LOOKED_AT = 1000;

/** Opens the store of `--store` for a command that reads it, and closes it afterwards. */
export async function withStore(
  invocation: Invocation,
  work: (store: RunStore, location: StoreLocation) => Promise<number>,
): Promise<number> {
  const location = storeLocation(text(invocation, 'store'));
  const store = openExistingStore(location);
  try {
    return await work(store, location);
  } finally {
    await store.close();
  }
}

/** The id of a job of the history, as `pickJob` has it. @throws CommandError */
export async function findJob(store: RunStore, wanted: string): Promise<string> {
  const known = new Set<string>();
  const add = async (crontab: string) => {
    for (const { name } of (await store.activePlan(crontab))?.plan.jobs ?? [])
      known.add(jobIdOf(crontab, name));
    for (const { jobId } of await store.states(crontab)) known.add(jobId);
  };
  for (const crontab of await store.crontabs()) await add(crontab);
  // A crontab that was only run by hand is in force nowhere.
  for (const { jobId } of await store.runs({ limit: RUNS_LOOKED_AT })) known.add(jobId);
  if (wanted.includes('/')) await add(crontabOf(wanted));
  return pickJob(known, wanted);
}
