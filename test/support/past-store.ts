import { join } from 'node:path';
import { SqliteRunStore } from '../../shared/adapters/sqlite-run-store.ts';
import { planHash } from '../../shared/core/plan/plan.ts';
import type { RunStore } from '../../shared/core/run/run-store.ts';
import { scheduleChange } from '../../shared/core/run/schedule-history.ts';
import { kuberCron, type Outcome } from './kuber-cron.ts';
import { planOf } from './plan-of.ts';

let count = 0;

/** A store whose crontab `shop` has been in force since a time, and the command line over it. */
export class PastStore {
  readonly path: string;
  readonly store: RunStore;
  readonly planHash: string;

  private constructor(path: string, store: RunStore, hash: string) {
    this.path = path;
    this.store = store;
    this.planHash = hash;
  }

  /** @param zone of entries that set none */
  static async make(folder: string, crontab: string, since: string, zone = 'UTC'): Promise<PastStore> {
    const path = join(folder, `past-${++count}.sqlite`);
    const store = SqliteRunStore.open(path);
    const plan = planOf(crontab, zone);
    const at = Date.parse(since);
    await store.setActivePlan({ plan, hash: planHash(plan), since: at }, scheduleChange([], [], plan, at));
    return new PastStore(path, store, planHash(plan));
  }

  /** Runs a command over the store at a time. */
  async run(now: string, command: string, ...argv: readonly string[]): Promise<Outcome> {
    return await kuberCron([command, '--store', `sqlite:${this.path}`, ...argv], { now });
  }
}
