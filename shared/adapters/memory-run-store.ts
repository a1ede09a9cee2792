import type { Notification } from '../core/notify/notification.ts';
import { emptyState, type JobState, recorded, renamedState } from '../core/run/job-state.ts';
import {
  isPausedAt,
  type PauseInterval,
  pauseEnd,
  type Resumption,
  type Stretch,
} from '../core/run/pause.ts';
import { DEFAULT_RETENTION, type Retention } from '../core/run/retention.ts';
import {
  type Attempt,
  isFinal,
  isHandedOut,
  type OperatorRequest,
  type Run,
  type RunOutput,
} from '../core/run/run.ts';
import { crontabOf, dueRunId } from '../core/run/run-id.ts';
import type {
  ActivePlan,
  Answer,
  Claim,
  ClaimResult,
  Finish,
  Lease,
  Owed,
  PendingEnd,
  Reopening,
  RequestResult,
  RunKey,
  RunQuery,
  RunStore,
  Settlement,
} from '../core/run/run-store.ts';
import {
  answeredRun,
  cancelledRun,
  cancelResult,
  closedRun,
  decideClaim,
  extendedRun,
  finishedRun,
  followsOrder,
  handedRun,
  INTERVAL_RETENTION_MS,
  isClaimedBy,
  isFinishedAs,
  isOwnedBy,
  isStartedAs,
  isUnfinished,
  type JobSituation,
  laterStart,
  mayFinish,
  mayReopen,
  type NewestStart,
  newestFirst,
  owedRun,
  releasedRun,
  renamedRun,
  reopenedRun,
  type StoredRun,
  spanWith,
  startedRun,
  startOf,
  wasAsked,
} from '../core/run/run-transitions.ts';
import type { ScheduleChange, ScheduleInterval } from '../core/run/schedule-history.ts';
import type { EpochMs } from '../core/schedule/zone-table.ts';

interface Queued {
  readonly notification: Notification;
  readonly nextTryAt: EpochMs;
}

/** A run store that lasts as long as its process. */
export class MemoryRunStore implements RunStore {
  readonly #retention: Retention;
  readonly #runs = new Map<string, StoredRun>();
  readonly #outputs = new Map<string, Map<number, RunOutput>>();
  readonly #newest = new Map<string, NewestStart>();
  readonly #states = new Map<string, JobState>();
  readonly #cursors = new Map<string, EpochMs>();
  readonly #plans = new Map<string, ActivePlan>();
  readonly #queue = new Map<string, Queued>();
  readonly #turns = new Map<string, { readonly token: string; readonly until: EpochMs }>();
  /** Of jobs that were renamed: what they are called now. */
  readonly #aliases = new Map<string, string>();
  #pauses: PauseInterval[] = [];
  #schedules: ScheduleInterval[] = [];

  constructor(retention: Retention = DEFAULT_RETENTION) {
    this.#retention = retention;
  }

  async claim(claim: Claim): Promise<ClaimResult> {
    const ofJob = [...this.#runs.values()].filter(({ run }) => run.jobId === claim.jobId);
    const situation: JobSituation = {
      unfinished: ofJob.filter(({ run }) => isUnfinished(run.status)),
      owedBefore: (instant) =>
        ofJob
          .filter(({ run }) => run.status === 'pending' && followsOrder(run) && run.scheduledTime < instant)
          .sort((a, b) => a.run.scheduledTime - b.run.scheduledTime),
      settled: this.#newest.get(claim.jobId),
      pauses: this.#pausesOf(claim.jobId),
    };
    const existing = this.#runs.get(keyOf(claim));
    const { result, writes } = decideClaim(claim, existing, situation, this.#retention);
    for (const stored of writes) this.#put(stored, { channel: claim.channel });
    if (result.outcome === 'won' && result.run.status === 'running') this.#settle(result.run);
    return result;
  }

  async start(jobId: string, runId: string, token: string, attempt: Attempt): Promise<boolean> {
    const stored = this.#owned({ jobId, runId }, token);
    if (stored === undefined || isStartedAs(stored.run, token, attempt)) return stored !== undefined;
    if (!isClaimedBy(stored.run, token)) return false;
    this.#put(startedRun(stored, attempt));
    this.#settle(stored.run);
    return true;
  }

  async extend(jobId: string, runId: string, token: string, leaseUntil: EpochMs): Promise<Lease | undefined> {
    const stored = this.#owned({ jobId, runId }, token);
    if (stored === undefined) return undefined;
    this.#put(extendedRun(stored, leaseUntil));
    const { cancelRequest } = stored.run;
    return cancelRequest === undefined ? {} : { cancelRequest };
  }

  async finish(finish: Finish): Promise<boolean> {
    const stored = this.#owned(finish, finish.token);
    if (stored === undefined || !mayFinish(stored.run, finish)) {
      return this.#known(finish).some(({ run }) => isFinishedAs(run, finish));
    }
    const { attempt, output, channel } = finish;
    this.#put(finishedRun(stored, finish, this.#retention), { attempt, channel });
    if (attempt !== undefined && output !== undefined) {
      const key = keyOf(stored.run);
      const outputs = this.#outputs.get(key) ?? new Map<number, RunOutput>();
      this.#outputs.set(key, outputs.set(attempt.number, output));
    }
    return true;
  }

  async settle({ answers, owed }: Settlement): Promise<void> {
    for (const answer of answers) this.#answer(answer);
    for (const one of owed) await this.owe(one);
  }

  async owe(owed: Owed): Promise<boolean> {
    if (this.#runs.has(keyOf(owed))) return false;
    this.#put(owedRun(owed));
    return true;
  }

  async endPending(end: PendingEnd): Promise<boolean> {
    const stored = this.#runs.get(keyOf(end));
    if (stored?.run.status !== 'pending') return false;
    this.#put(closedRun(stored, end, this.#retention), { channel: end.channel });
    return true;
  }

  async handOut(key: RunKey, at: EpochMs): Promise<boolean> {
    const stored = this.#runs.get(keyOf(key));
    const handed = stored && handedRun(stored, at);
    if (handed !== undefined) this.#put(handed);
    return handed !== undefined;
  }

  async release(
    jobId: string,
    runId: string,
    token: string,
    at: EpochMs,
    ifLeaseUntil?: EpochMs,
  ): Promise<boolean> {
    const stored = this.#owned({ jobId, runId }, token);
    if (stored === undefined || !isClaimedBy(stored.run, token)) return false;
    if (ifLeaseUntil !== undefined && stored.run.leaseUntil !== ifLeaseUntil) return false;
    this.#put(releasedRun(stored, at));
    return true;
  }

  async cancel(key: RunKey, request: OperatorRequest): Promise<RequestResult> {
    const stored = this.#runs.get(keyOf(key));
    if (stored === undefined) return { outcome: 'unknown' };
    const result = cancelResult(stored.run, request);
    if (result !== undefined) return result;
    const asked = cancelledRun(stored, request, this.#retention);
    this.#put(asked);
    return { outcome: isFinal(asked.run.status) ? 'done' : 'requested', run: asked.run };
  }

  async reopen(reopening: Reopening): Promise<RequestResult> {
    const stored = this.#runs.get(keyOf(reopening));
    if (stored === undefined) return { outcome: 'unknown' };
    const { run } = stored;
    if (wasAsked(run, reopening.request)) return { outcome: 'done', run };
    if (!mayReopen(run)) return { outcome: 'not-possible', run };
    const reopened = reopenedRun(stored, reopening);
    this.#put(reopened);
    return { outcome: 'done', run: reopened.run };
  }

  async pause(pause: PauseInterval): Promise<PauseInterval> {
    const inForce = this.#pausesOf(pause.jobId).find((one) => isPausedAt(one, pause.from));
    if (inForce !== undefined) return inForce;
    this.#pauses.push(pause);
    return pause;
  }

  async resume(jobId: string, resumption: Resumption): Promise<PauseInterval | undefined> {
    const { at } = resumption;
    this.#pauses = this.#pauses.map((pause) =>
      pause.jobId === jobId && isPausedAt(pause, at) ? { ...pause, resumed: resumption } : pause,
    );
    return this.#pausesOf(jobId).find(({ resumed }) => resumed?.at === at);
  }

  async run(jobId: string, runId: string): Promise<Run | undefined> {
    return this.#runs.get(keyOf({ jobId, runId }))?.run;
  }

  async runs({ jobId, limit, before }: RunQuery): Promise<readonly Run[]> {
    return this.#all()
      .filter((run) => jobId === undefined || run.jobId === jobId)
      .filter((run) => before === undefined || newestFirst(before, run) < 0)
      .sort(newestFirst)
      .slice(0, limit);
  }

  async answeredUntil(jobId: string, after: EpochMs, until: EpochMs): Promise<EpochMs | undefined> {
    return this.#all()
      .filter((run) => run.jobId === jobId && followsOrder(run))
      .map(({ scheduledTime }) => scheduledTime)
      .filter((instant) => instant > after && instant <= until)
      .sort((a, b) => b - a)[0];
  }

  async existing(keys: readonly RunKey[]): Promise<readonly RunKey[]> {
    return keys.filter((key) => this.#runs.has(keyOf(key)));
  }

  async answered(jobId: string, after: EpochMs, until: EpochMs): Promise<readonly Stretch[]> {
    return this.#all()
      .filter((run) => run.jobId === jobId)
      .filter(
        ({ spanFrom, runId, scheduledTime }) => spanFrom !== undefined || runId === dueRunId(scheduledTime),
      )
      .map(({ spanFrom, scheduledTime }): Stretch => [spanFrom ?? scheduledTime, scheduledTime])
      .filter(([from, to]) => to > after && from <= until)
      .sort(oldestFirst);
  }

  async spanAt(jobId: string, instant: EpochMs): Promise<Run | undefined> {
    return this.#all()
      .filter((run) => run.jobId === jobId && run.spanFrom !== undefined)
      .sort((a, b) => a.scheduledTime - b.scheduledTime || (a.runId < b.runId ? -1 : 1))
      .find((run) => (run.spanFrom as EpochMs) <= instant && run.scheduledTime >= instant);
  }

  async output(jobId: string, runId: string, attempt: number): Promise<RunOutput | undefined> {
    return this.#outputs.get(keyOf({ jobId, runId }))?.get(attempt);
  }

  async unfinished(): Promise<readonly Run[]> {
    return this.#all()
      .filter(({ status }) => isUnfinished(status))
      .sort((a, b) => (a.jobId === b.jobId ? newestFirst(b, a) : a.jobId < b.jobId ? -1 : 1));
  }

  async pending(now: EpochMs, limit: number): Promise<readonly Run[]> {
    const due = this.#all()
      .filter(
        (run) => run.status === 'pending' && (run.notBefore as EpochMs) <= now && !isHandedOut(run, now),
      )
      .sort((a, b) => a.scheduledTime - b.scheduledTime || newestFirst(b, a));
    const kindOf = ({ jobId, cause }: Run) => `${jobId} ${cause}`;
    const oldest = new Map([...due].reverse().map((run) => [kindOf(run), run]));
    return due.filter((run) => oldest.get(kindOf(run)) === run).slice(0, limit);
  }

  async pendingCounts(crontab: string): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>();
    for (const { jobId, status } of this.#all()) {
      if (status !== 'pending' || crontabOf(jobId) !== crontab) continue;
      counts.set(jobId, (counts.get(jobId) ?? 0) + 1);
    }
    return new Map([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  async states(crontab: string): Promise<readonly JobState[]> {
    return [...this.#states.values()].filter(({ jobId }) => crontabOf(jobId) === crontab).sort(byJob);
  }

  async pauses(jobId: string): Promise<readonly PauseInterval[]> {
    return this.#pausesOf(jobId);
  }

  async pausesAt(crontab: string, instant: EpochMs): Promise<readonly PauseInterval[]> {
    return this.#pauses
      .filter((pause) => crontabOf(pause.jobId) === crontab && isPausedAt(pause, instant))
      .sort((a, b) => byJob(a, b) || a.from - b.from);
  }

  async schedules(jobId: string): Promise<readonly ScheduleInterval[]> {
    return this.#schedules.filter((one) => one.jobId === jobId).sort((a, b) => a.from - b.from);
  }

  async currentSchedules(crontab: string): Promise<readonly ScheduleInterval[]> {
    return this.#schedules
      .filter(({ jobId, until }) => until === undefined && crontabOf(jobId) === crontab)
      .sort(byJob);
  }

  async takeTurn(crontab: string, token: string, at: EpochMs, until: EpochMs): Promise<boolean> {
    const taken = this.#turns.get(crontab);
    if (taken !== undefined && taken.token !== token && taken.until > at) return false;
    this.#turns.set(crontab, { token, until });
    return true;
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

  async setActivePlan(active: ActivePlan, change: ScheduleChange): Promise<void> {
    this.#plans.set(active.plan.crontab, active);
    for (const { from, to } of change.renamed) this.#rename(from, to);
    const { at } = change;
    const closed = new Set(change.closed);
    const opened = new Set(change.opened.map(({ jobId }) => jobId));
    // What begins at this very moment was opened by the same change before, and its answer was lost.
    const isRepeated = ({ jobId, from, until }: ScheduleInterval) =>
      until === undefined && from === at && (closed.has(jobId) || opened.has(jobId));
    this.#schedules = [
      ...this.#schedules
        .filter((one) => !isRepeated(one))
        .map((one) => (one.until === undefined && closed.has(one.jobId) ? { ...one, until: at } : one)),
      ...change.opened,
    ];
  }

  async crontabs(): Promise<readonly string[]> {
    return [...this.#plans.keys()].sort();
  }

  async takeNotifications(
    now: EpochMs,
    reservedUntil: EpochMs,
    limit: number,
  ): Promise<readonly Notification[]> {
    const due = [...this.#queue.values()]
      .filter(({ nextTryAt }) => nextTryAt <= now)
      .sort((a, b) => a.nextTryAt - b.nextTryAt)
      .slice(0, limit)
      .map(({ notification }) => notification);
    for (const notification of due) {
      this.#queue.set(notification.id, { notification, nextTryAt: reservedUntil });
    }
    return due;
  }

  async settleNotification(id: string, next: { readonly nextTryAt: EpochMs } | undefined): Promise<void> {
    const queued = this.#queue.get(id);
    if (queued === undefined) return;
    const { notification } = queued;
    if (next === undefined) this.#queue.delete(id);
    else this.#queue.set(id, { notification: { ...notification, tries: notification.tries + 1 }, ...next });
  }

  async expired(now: EpochMs): Promise<number> {
    return [...this.#runs.values()].filter(({ expiresAt }) => (expiresAt ?? now + 1) <= now).length;
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
    const oldest = now - INTERVAL_RETENTION_MS;
    this.#pauses = this.#pauses.filter((pause) => pauseEnd(pause) > oldest);
    this.#schedules = this.#schedules.filter(({ until }) => until === undefined || until > oldest);
    return expired.length;
  }

  async close(): Promise<void> {}

  #all(): Run[] {
    return [...this.#runs.values()].map(({ run }) => run);
  }

  #pausesOf(jobId: string): PauseInterval[] {
    return this.#pauses.filter((pause) => pause.jobId === jobId).sort((a, b) => a.from - b.from);
  }

  #answer(answer: Answer): void {
    const existing = this.#runs.get(keyOf(answer));
    if (existing !== undefined) {
      const longer = spanWith(existing, answer);
      if (longer !== undefined) this.#runs.set(keyOf(answer), longer);
    } else this.#put(answeredRun(answer, this.#retention), { channel: answer.channel });
  }

  /** The run of an owner, also when its job has another name by now. */
  #owned(key: RunKey, token: string): StoredRun | undefined {
    return this.#known(key).find(({ run }) => isOwnedBy(run, token));
  }

  /** The run, and those of its id that the job's later names have. */
  #known({ jobId, runId }: RunKey): StoredRun[] {
    const names = new Set<string>();
    for (let name: string | undefined = jobId; name !== undefined && !names.has(name); ) {
      names.add(name);
      name = this.#aliases.get(name);
    }
    return [...names].flatMap((name) => this.#runs.get(keyOf({ jobId: name, runId })) ?? []);
  }

  #put(stored: StoredRun, ended: { attempt?: Attempt | undefined; channel?: string | undefined } = {}): void {
    const { run } = stored;
    this.#runs.set(keyOf(run), stored);
    if (!isFinal(run.status) && ended.attempt === undefined) return;
    const before = this.#states.get(run.jobId) ?? emptyState(run.jobId);
    const { state, notification } = recorded(before, run, ended.attempt, ended.channel);
    this.#states.set(run.jobId, state);
    if (notification !== undefined) {
      this.#queue.set(notification.id, { notification, nextTryAt: notification.at });
    }
  }

  /** Notes a start that can no longer be given back. */
  #settle(run: Run): void {
    if (!followsOrder(run)) return;
    this.#newest.set(run.jobId, laterStart(this.#newest.get(run.jobId), startOf(run)));
  }

  #rename(from: string, to: string): void {
    for (const [key, stored] of [...this.#runs]) {
      if (stored.run.jobId !== from) continue;
      const run = renamedRun(stored.run, to);
      // The new name had a run of that time itself: both are kept, each under its own.
      if (this.#runs.has(keyOf(run))) continue;
      this.#runs.delete(key);
      this.#runs.set(keyOf(run), { ...stored, run });
      const outputs = this.#outputs.get(key);
      this.#outputs.delete(key);
      if (outputs !== undefined) this.#outputs.set(keyOf(run), outputs);
    }
    const state = this.#states.get(from);
    this.#states.delete(from);
    if (state !== undefined) this.#states.set(to, renamedState(state, this.#states.get(to), to));
    const newest = this.#newest.get(from);
    this.#newest.delete(from);
    if (newest !== undefined) this.#newest.set(to, laterStart(this.#newest.get(to), newest));
    const move = <Item extends { readonly jobId: string }>(item: Item): Item =>
      item.jobId === from ? { ...item, jobId: to } : item;
    this.#pauses = this.#pauses.map(move);
    this.#schedules = this.#schedules.map(move);
    this.#aliases.set(from, to);
  }
}

function byJob(a: { readonly jobId: string }, b: { readonly jobId: string }): number {
  if (a.jobId === b.jobId) return 0;
  return a.jobId < b.jobId ? -1 : 1;
}

/** Of two stretches of a job. */
function oldestFirst([a, aEnd]: Stretch, [b, bEnd]: Stretch): number {
  return a - b || aEnd - bEnd;
}

function keyOf({ jobId, runId }: RunKey): string {
  return JSON.stringify([jobId, runId]);
}
