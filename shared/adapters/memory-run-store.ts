import type { JobState } from '../core/run/job-state.ts';
import type { Attempt, Run, RunOutput } from '../core/run/run.ts';
import type {
  ActivePlan,
  Answer,
  Claim,
  ClaimResult,
  Finish,
  RunQuery,
  RunStore,
} from '../core/run/run-store.ts';
import {
  answeredRun,
  countedState,
  finishedRun,
  firstClaim,
  isClaimedBy,
  isDue,
  isOwnedBy,
  isStartedAs,
  isUnfinished,
  laterStart,
  type NewestStart,
  newestFirst,
  repeatedClaim,
  type StoredRun,
  startedRun,
  startOf,
} from '../core/run/run-transitions.ts';
import type { EpochMs } from '../core/schedule/zone-table.ts';

/** A run store that lasts as long as its process. */
export class MemoryRunStore implements RunStore {
  readonly #runs = new Map<string, StoredRun>();
  readonly #outputs = new Map<string, Map<number, RunOutput>>();
  readonly #newest = new Map<string, NewestStart>();
  readonly #states = new Map<string, JobState>();
  readonly #cursors = new Map<string, EpochMs>();
  readonly #plans = new Map<string, ActivePlan>();

  async claim(claim: Claim): Promise<ClaimResult> {
    const existing = this.#runs.get(keyOf(claim));
    if (existing !== undefined) return repeatedClaim(existing.run, claim);
    const unfinished = this.#unfinished()
      .filter(({ run }) => run.jobId === claim.jobId)
      .map(({ run, holdsLock }) => ({ ...run, holdsLock }));
    const { result, stored } = firstClaim(claim, unfinished, this.#newest.get(claim.jobId));
    this.#put(stored);
    return result;
  }

  async start(jobId: string, runId: string, token: string, attempt: Attempt): Promise<boolean> {
    const stored = this.#runs.get(keyOf({ jobId, runId }));
    if (stored !== undefined && isStartedAs(stored.run, token, attempt)) return true;
    if (stored === undefined || !isClaimedBy(stored.run, token)) return false;
    this.#put(startedRun(stored, attempt));
    this.#settle(stored.run);
    return true;
  }

  async finish(finish: Finish): Promise<boolean> {
    const key = keyOf(finish);
    const stored = this.#runs.get(key);
    if (stored === undefined || !isOwnedBy(stored.run, finish.token)) return false;
    this.#put(finishedRun(stored, finish));
    this.#settle(stored.run);
    if (finish.attempt !== undefined && finish.output !== undefined) {
      const outputs = this.#outputs.get(key) ?? new Map<number, RunOutput>();
      this.#outputs.set(key, outputs.set(finish.attempt.number, finish.output));
    }
    return true;
  }

  async answer(answer: Answer): Promise<void> {
    if (!this.#runs.has(keyOf(answer))) this.#put(answeredRun(answer));
  }

  async release(jobId: string, runId: string, token: string): Promise<boolean> {
    const key = keyOf({ jobId, runId });
    const stored = this.#runs.get(key);
    if (stored === undefined || !isClaimedBy(stored.run, token)) return false;
    return this.#runs.delete(key);
  }

  async run(jobId: string, runId: string): Promise<Run | undefined> {
    return this.#runs.get(keyOf({ jobId, runId }))?.run;
  }

  async runs({ jobId, limit, before }: RunQuery): Promise<readonly Run[]> {
    return [...this.#runs.values()]
      .map(({ run }) => run)
      .filter((run) => jobId === undefined || run.jobId === jobId)
      .filter((run) => before === undefined || newestFirst(before, run) < 0)
      .sort(newestFirst)
      .slice(0, limit);
  }

  async output(jobId: string, runId: string, attempt: number): Promise<RunOutput | undefined> {
    return this.#outputs.get(keyOf({ jobId, runId }))?.get(attempt);
  }

  async unfinished(): Promise<readonly Run[]> {
    return this.#unfinished()
      .map(({ run }) => run)
      .sort((a, b) => (a.jobId === b.jobId ? newestFirst(b, a) : a.jobId < b.jobId ? -1 : 1));
  }

  async states(crontab: string): Promise<readonly JobState[]> {
    return [...this.#states.values()]
      .filter(({ jobId }) => jobId.startsWith(`${crontab}/`))
      .sort((a, b) => (a.jobId < b.jobId ? -1 : 1));
  }

  async cursor(crontab: string): Promise<EpochMs | undefined> {
    return this.#cursors.get(crontab);
  }

  async setCursor(crontab: string, cursor: EpochMs): Promise<void> {
    this.#cursors.set(crontab, cursor);
  }

  async activePlan(crontab: string): Promise<ActivePlan | undefined> {
    return this.#plans.get(crontab);
  }

  async setActivePlan(active: ActivePlan): Promise<void> {
    this.#plans.set(active.plan.crontab, active);
  }

  async crontabs(): Promise<readonly string[]> {
    return [...this.#plans.keys()].sort();
  }

  async prune(now: EpochMs, limit: number): Promise<number> {
    const expired = [...this.#runs]
      .map(([key, { expiresAt }]) => ({ key, expiresAt: expiresAt ?? Number.POSITIVE_INFINITY }))
      .filter(({ expiresAt }) => expiresAt <= now)
      .sort((a, b) => a.expiresAt - b.expiresAt)
      .slice(0, limit);
    for (const { key } of expired) {
      this.#runs.delete(key);
      this.#outputs.delete(key);
    }
    return expired.length;
  }

  async close(): Promise<void> {}

  #unfinished(): StoredRun[] {
    return [...this.#runs.values()].filter(({ run }) => isUnfinished(run.status));
  }

  #put(stored: StoredRun): void {
    const { run, expiresAt } = stored;
    this.#runs.set(keyOf(run), stored);
    if (expiresAt !== undefined) {
      this.#states.set(run.jobId, countedState(this.#states.get(run.jobId), run));
    }
  }

  /** Notes a start that can no longer be released. */
  #settle(run: Run): void {
    if (!isDue(run)) return;
    this.#newest.set(run.jobId, laterStart(this.#newest.get(run.jobId), startOf(run)));
  }
}

function keyOf({ jobId, runId }: Pick<Run, 'jobId' | 'runId'>): string {
  return JSON.stringify([jobId, runId]);
}
