import type { ConcurrencyPolicy } from '../../shared/core/crontab/options.ts';
import type { FinalStatus, PendingCause, Reason, RunStatus } from '../../shared/core/run/run.ts';

/** Minutes; all of the model's time. */
type Minute = number;

interface ModelAttempt {
  readonly startedAt: Minute;
  finishedAt?: Minute;
  status?: FinalStatus;
}

export interface ModelRun {
  readonly id: string;
  /** The minute that it is due at; of a stretch, its last. */
  due: Minute;
  readonly trigger: 'schedule' | 'manual' | 'catch-up' | 'backfill';
  status: RunStatus;
  reason?: Reason | undefined;
  cause?: PendingCause | undefined;
  notBefore?: Minute | undefined;
  startBy?: Minute | undefined;
  token?: string | undefined;
  leaseUntil?: Minute | undefined;
  isLocking?: boolean;
  finishedAt?: Minute | undefined;
  most?: number | undefined;
  spanFrom?: Minute;
  /** The wish to end it that its owner has not heeded yet. */
  wish?: 'cancel' | 'replace' | undefined;
  readonly asked: string[];
  readonly attempts: ModelAttempt[];
}

export interface ModelJob {
  name: string;
  readonly runs: Map<string, ModelRun>;
  readonly counts: Map<FinalStatus, number>;
  attempts: number;
  newest: Minute;
  readonly pauses: { from: Minute; end: Minute }[];
  incident?: Minute | undefined;
  readonly told: string[];
}

export interface ModelClaim {
  readonly job: string;
  readonly id: string;
  readonly due: Minute;
  readonly isManual: boolean;
  readonly token: string;
  readonly policy: ConcurrencyPolicy;
  readonly isInOrder: boolean;
  readonly startBy: Minute | undefined;
}

export interface ModelFinish {
  readonly job: string;
  readonly id: string;
  readonly token: string;
  readonly status: FinalStatus;
  /** From 0; undefined when nothing was started. */
  readonly attempt: number | undefined;
  readonly startedAt: Minute;
  readonly retryAfter: Minute | undefined;
  readonly ifLeaseUntil: Minute | undefined;
}

const LEASE = 5;
const FAR = 180;

/** What a run store has to do, told a second time and in another way: one mutable object, no rule shared with the core. */
export class RunModel {
  now: Minute = 100;
  readonly #jobs = new Map<string, ModelJob>();
  readonly #later = new Map<string, string>();

  job(name: string): ModelJob {
    let job = this.#jobs.get(name);
    if (job === undefined) {
      job = { name, runs: new Map(), counts: new Map(), attempts: 0, newest: -1e9, pauses: [], told: [] };
      this.#jobs.set(name, job);
    }
    return job;
  }

  get jobs(): readonly ModelJob[] {
    return [...this.#jobs.values()];
  }

  claim(claim: ModelClaim): string {
    const job = this.job(claim.job);
    const known = job.runs.get(claim.id);
    if (known !== undefined) {
      if (isLive(known) && known.token === claim.token) return 'won';
      if (known.status !== 'pending') return 'taken';
      if ((known.notBefore as Minute) > this.now) return 'waiting';
    }
    const isPaused = (minute: Minute) => job.pauses.some(({ from, end }) => from <= minute && minute < end);
    if (known === undefined && !claim.isManual && isPaused(claim.due)) return 'paused';
    const run: ModelRun = known ?? {
      ...{ id: claim.id, due: claim.due, trigger: claim.isManual ? 'manual' : 'schedule', status: 'pending' },
      ...{ startBy: claim.startBy, asked: [], attempts: [] },
    };
    job.runs.set(run.id, run);
    const close = (reason: Reason) => {
      this.#end(job, run, endOf(run, reason), reason);
      return 'closed';
    };
    const wait = (cause: PendingCause | undefined) => {
      if (known === undefined) Object.assign(run, { cause, notBefore: this.now });
      return 'waiting';
    };
    if (!claim.isManual && isPaused(this.now)) return close('paused');
    if (run.startBy !== undefined && run.startBy < this.now) return close('too-late');
    const live = [...job.runs.values()].filter((other) => other !== run && isLive(other));
    if (claim.policy === 'allow') {
      const busy = live.filter((other) => isRedone(other)).length;
      return run.most !== undefined && busy >= run.most ? wait(run.cause) : this.#win(job, run, claim);
    }
    const isInLine = isOrdered(run);
    if (isInLine) {
      const newest = Math.max(job.newest, ...live.filter(isOrdered).map(({ due }) => due));
      if (newest > run.due && newest - this.now <= FAR) return close('superseded');
      const isBehind = [...job.runs.values()].some(
        (other) =>
          (isLive(other) || (other.status === 'pending' && isOrdered(other))) &&
          other.cause === 'catch-up' &&
          other.due < run.due,
      );
      if (claim.isInOrder && isBehind) return wait('catch-up');
    }
    const holder = live.find(({ isLocking }) => isLocking === true);
    if (holder === undefined) return this.#win(job, run, claim);
    if (claim.policy === 'replace' && isInLine && holder.trigger !== 'manual') {
      if (holder.wish === undefined) holder.asked.push(`replace ${run.id} ${this.now}`);
      if (holder.status === 'claimed') {
        this.#end(job, holder, 'cancelled', 'replaced');
        return this.#win(job, run, claim);
      }
      holder.wish ??= 'replace';
      Object.assign(run, { cause: 'replace', notBefore: this.now });
      this.#overtake(job, run);
      return 'waiting';
    }
    const isOverlap =
      known === undefined ||
      (run.attempts.length === 0 &&
        (run.cause === 'given-back' || (run.cause === 'catch-up' && !claim.isInOrder)));
    return isOverlap ? close('overlap') : 'waiting';
  }

  #win(job: ModelJob, run: ModelRun, { token, policy }: ModelClaim): string {
    const leaseUntil = this.now + LEASE;
    Object.assign(run, { status: 'claimed', token, leaseUntil, isLocking: policy !== 'allow' });
    Object.assign(run, { notBefore: undefined, reason: undefined });
    if (policy !== 'allow') this.#overtake(job, run);
    return 'won';
  }

  /** Older runs that wait in line wait in vain. */
  #overtake(job: ModelJob, by: ModelRun): void {
    if (!isOrdered(by)) return;
    for (const run of [...job.runs.values()].sort((a, b) => a.due - b.due)) {
      if (run.status !== 'pending' || !isOrdered(run) || run.due >= by.due) continue;
      const reason = run.startBy !== undefined && run.startBy < this.now ? 'too-late' : 'superseded';
      this.#end(job, run, endOf(run, reason), reason);
    }
  }

  start(name: string, id: string, token: string): boolean {
    const found = this.owned(name, id, token);
    if (found === undefined) return false;
    const { job, run } = found;
    if (run.status === 'running') return run.attempts.at(-1)?.startedAt === this.now;
    run.status = 'running';
    run.attempts.push({ startedAt: this.now });
    if (isOrdered(run)) job.newest = Math.max(job.newest, run.due);
    return true;
  }

  extend(name: string, id: string, token: string): 'lost' | 'kept' | 'cancel' | 'replace' {
    const run = this.owned(name, id, token)?.run;
    if (run === undefined) return 'lost';
    run.leaseUntil = this.now + LEASE;
    return run.wish ?? 'kept';
  }

  finish(finish: ModelFinish): boolean {
    const { status, attempt, startedAt, retryAfter, ifLeaseUntil } = finish;
    const found = this.owned(finish.job, finish.id, finish.token);
    const isCurrent =
      found !== undefined &&
      (ifLeaseUntil === undefined || ifLeaseUntil === found.run.leaseUntil) &&
      attempt === (found.run.status === 'claimed' ? undefined : found.run.attempts.length - 1);
    if (!isCurrent) {
      if (ifLeaseUntil !== undefined) return false;
      return this.#named(finish.job, finish.id).some(({ run }) => {
        if (attempt === undefined) {
          return run.status === status && run.finishedAt === this.now && run.reason === undefined;
        }
        const one = run.attempts[attempt];
        return one?.startedAt === startedAt && one.finishedAt === this.now && one.status === status;
      });
    }
    const { job, run } = found;
    if (attempt !== undefined) {
      run.attempts[attempt] = { startedAt, finishedAt: this.now, status };
      job.attempts += 1;
    }
    if (retryAfter === undefined || run.wish !== undefined) this.#end(job, run, status, undefined);
    else {
      leave(run);
      const notBefore = this.now + retryAfter;
      Object.assign(run, { status: 'pending', cause: 'retry', notBefore, startBy: undefined });
    }
    return true;
  }

  release(name: string, id: string, token: string): boolean {
    const run = this.owned(name, id, token)?.run;
    if (run?.status !== 'claimed') return false;
    leave(run);
    Object.assign(run, { status: 'pending', cause: run.cause ?? 'given-back', notBefore: this.now });
    return true;
  }

  owe(name: string, run: Pick<ModelRun, 'id' | 'due' | 'trigger' | 'cause' | 'most'>): boolean {
    const { runs } = this.job(name);
    if (runs.has(run.id)) return false;
    runs.set(run.id, { ...run, status: 'pending', notBefore: this.now, asked: [], attempts: [] });
    return true;
  }

  endPending(name: string, id: string, reason: Reason): boolean {
    const job = this.job(name);
    const run = job.runs.get(id);
    if (run?.status !== 'pending') return false;
    this.#end(job, run, endOf(run, reason), reason);
    return true;
  }

  answer(name: string, id: string, spanFrom: Minute | undefined, due: Minute): void {
    const job = this.job(name);
    const known = job.runs.get(id);
    if (known !== undefined) {
      if (spanFrom !== undefined && known.spanFrom === spanFrom) known.due = Math.max(known.due, due);
      return;
    }
    const run: ModelRun = { id, due, trigger: 'schedule', status: 'pending', asked: [], attempts: [] };
    if (spanFrom !== undefined) run.spanFrom = spanFrom;
    job.runs.set(id, run);
    this.#end(job, run, 'missed', 'too-late');
  }

  cancel(name: string, id: string): string {
    const job = this.job(name);
    const run = job.runs.get(id);
    if (run === undefined) return 'unknown';
    const wish = `cancel op ${this.now}`;
    if (run.asked.includes(wish)) return isOver(run) ? 'done' : 'requested';
    if (isOver(run)) return 'not-possible';
    run.asked.push(wish);
    if (run.status !== 'running') {
      this.#end(job, run, 'cancelled', 'requested');
      return 'done';
    }
    run.wish = 'cancel';
    return 'requested';
  }

  reopen(name: string, id: string): string {
    const run = this.job(name).runs.get(id);
    if (run === undefined) return 'unknown';
    const wish = `retry op ${this.now}`;
    if (run.asked.includes(wish)) return 'done';
    if (!isOver(run) || run.spanFrom !== undefined) return 'not-possible';
    run.asked.push(wish);
    Object.assign(run, { status: 'pending', cause: 'requested', notBefore: this.now });
    Object.assign(run, { startBy: undefined, finishedAt: undefined, reason: undefined });
    return 'done';
  }

  pause(name: string, minutes: Minute | undefined): void {
    const { pauses } = this.job(name);
    if (pauses.some(({ from, end }) => from <= this.now && this.now < end)) return;
    pauses.push({ from: this.now, end: this.now + (minutes ?? Number.POSITIVE_INFINITY) });
  }

  resume(name: string): void {
    for (const pause of this.job(name).pauses) {
      if (pause.from <= this.now && this.now < pause.end) pause.end = this.now;
    }
  }

  /** @returns whether the new name is free, as it must be */
  mayRename(to: string): boolean {
    return !this.#jobs.has(to);
  }

  rename(from: string, to: string): void {
    const job = this.job(from);
    this.#jobs.delete(from);
    this.#jobs.set(to, Object.assign(job, { name: to }));
    this.#later.set(from, to);
  }

  /** The live run of an owner, under this name or a later one of its job. */
  owned(name: string, id: string, token: string): { job: ModelJob; run: ModelRun } | undefined {
    return this.#named(name, id).find(({ run }) => isLive(run) && run.token === token);
  }

  #named(first: string, id: string): { job: ModelJob; run: ModelRun }[] {
    const found = [];
    const seen = new Set<string>();
    for (let name: string | undefined = first; name !== undefined && !seen.has(name); ) {
      seen.add(name);
      const job = this.#jobs.get(name);
      const run = job?.runs.get(id);
      if (job !== undefined && run !== undefined) found.push({ job, run });
      name = this.#later.get(name);
    }
    return found;
  }

  #end(job: ModelJob, run: ModelRun, status: FinalStatus, reason: Reason | undefined): void {
    leave(run);
    Object.assign(run, { status, reason, notBefore: undefined, finishedAt: this.now });
    job.counts.set(status, (job.counts.get(status) ?? 0) + 1);
    if (run.trigger === 'manual') return;
    const isBad = status === 'failed' || status === 'timed-out' || status === 'lost' || status === 'missed';
    if (isBad && job.incident === undefined) {
      job.incident = run.spanFrom ?? run.due;
      job.told.push(status === 'missed' ? 'missed' : 'failed');
    } else if (status === 'succeeded' && job.incident !== undefined) {
      if (run.due < job.incident && job.incident <= this.now) return;
      job.incident = undefined;
      job.told.push('recovered');
    }
  }
}

function isLive({ status }: ModelRun): boolean {
  return status === 'claimed' || status === 'running';
}

function isOver(run: ModelRun): boolean {
  return !isLive(run) && run.status !== 'pending';
}

function isRedone({ trigger, asked }: ModelRun): boolean {
  return trigger === 'backfill' || asked.some((wish) => wish.startsWith('retry '));
}

function isOrdered(run: ModelRun): boolean {
  return run.trigger !== 'manual' && !isRedone(run);
}

function leave(run: ModelRun): void {
  Object.assign(run, { token: undefined, leaseUntil: undefined, wish: undefined, isLocking: false });
}

function endOf({ attempts, cause }: ModelRun, reason: Reason): FinalStatus {
  const last = attempts.at(-1)?.status;
  if (last !== undefined) return last;
  if (reason === 'too-late') return 'missed';
  const isOwed = cause === 'catch-up' || cause === 'given-back';
  return reason === 'superseded' && isOwed ? 'missed' : 'skipped';
}
