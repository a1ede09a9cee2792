import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { OperatorRequest, Run, RunStatus } from '../../shared/core/run/run.ts';
import { spanId } from '../../shared/core/run/run-id.ts';
import type { RunStore } from '../../shared/core/run/run-store.ts';
import {
  answerOf,
  claimOf,
  finishOf,
  MINUTE,
  NO_CHANGE,
  owedOf,
  recordAnswer,
  SPRING_NIGHT,
} from '../support/run-claims.ts';
import { type ModelJob, type ModelRun, RunModel } from '../support/run-model.ts';

const SEED = Number(process.env.PROPERTY_SEED ?? 20_261_123);

/** Steps that a run may take between two looks at it: several of the protocol's, where one write does two. */
const SEEN: Readonly<Record<RunStatus, readonly RunStatus[]>> = {
  pending: [
    'pending',
    'claimed',
    'succeeded',
    'failed',
    'timed-out',
    'lost',
    'cancelled',
    'skipped',
    'missed',
  ],
  claimed: ['claimed', 'running', 'pending', 'lost', 'cancelled', 'skipped', 'missed'],
  running: ['running', 'pending', 'succeeded', 'failed', 'timed-out', 'lost', 'cancelled'],
  succeeded: ['succeeded', 'pending'],
  failed: ['failed', 'pending'],
  'timed-out': ['timed-out', 'pending'],
  lost: ['lost', 'pending'],
  cancelled: ['cancelled', 'pending'],
  skipped: ['skipped', 'pending'],
  missed: ['missed', 'pending'],
};

const instantOf = (minute: number) => SPRING_NIGHT + minute * MINUTE;
const minuteOf = (instant: number | undefined) =>
  instant === undefined ? undefined : (instant - SPRING_NIGHT) / MINUTE;

/** The stores, in one crontab of their own, and what was seen of them. */
class Stores {
  readonly stores: readonly RunStore[];
  readonly crontab: string;
  readonly seen = new Map<object, RunStatus>();
  /** When each attempt was started, by its number. */
  readonly started = new Map<object, Map<number, number>>();

  constructor(stores: readonly RunStore[], crontab: string) {
    this.stores = stores;
    this.crontab = crontab;
  }

  /** What all stores say, which must be the same. */
  async ask<T>(question: (store: RunStore) => Promise<T>): Promise<T> {
    const [first, ...others] = await Promise.all(this.stores.map(question));
    for (const other of others) expect(other).toStrictEqual(first);
    return first as T;
  }

  jobId(name: string): string {
    return `${this.crontab}/${name}`;
  }

  /** That the stores hold what the model does, and what must hold whatever it does. */
  async check(model: RunModel): Promise<void> {
    for (const job of model.jobs) await this.#checkJob(job);
    const states = await this.ask((store) => store.states(this.crontab));
    expect(states.map(({ jobId, runs, attempts }) => [jobId, runs, attempts])).toStrictEqual(
      model.jobs
        .filter(({ counts, attempts }) => counts.size > 0 || attempts > 0)
        .map(({ name, counts, attempts }) => [this.jobId(name), Object.fromEntries(counts), attempts])
        .sort(([a], [b]) => ((a as string) < (b as string) ? -1 : 1)),
    );
    // What was told and should not have been is found with the next message.
    if (model.jobs.some(({ told }) => told.length > 0)) await this.checkMessages(model);
  }

  async #checkJob(job: ModelJob): Promise<void> {
    const jobId = this.jobId(job.name);
    const runs = await this.ask((store) => store.runs({ jobId, limit: 1000 }));
    const view = runs.map((run) => [
      ...[run.runId, run.status, run.reason, run.cause, run.trigger, run.owner?.token],
      ...[minuteOf(run.notBefore), minuteOf(run.leaseUntil), minuteOf(run.scheduledTime)],
      ...[run.cancelRequest?.verb, run.attempts.map(({ status }) => status)],
    ]);
    const wanted = [...job.runs.values()].map((run) => [
      ...[run.id, run.status, run.reason, run.cause, run.trigger, run.token],
      ...[run.notBefore, run.leaseUntil, run.due, run.wish, run.attempts.map(({ status }) => status)],
    ]);
    const byId = (a: unknown[], b: unknown[]) => ((a[0] as string) < (b[0] as string) ? -1 : 1);
    expect(view.sort(byId)).toStrictEqual(wanted.sort(byId));

    for (const run of job.runs.values()) {
      const before = this.seen.get(run);
      if (before !== undefined)
        expect([before, SEEN[before]]).toStrictEqual([before, expect.arrayContaining([run.status])]);
      this.seen.set(run, run.status);
    }
    const isLive = ({ status }: Run) => status === 'claimed' || status === 'running';
    const holders = runs.filter((run) => isLive(run) && job.runs.get(run.runId)?.isLocking === true);
    expect(holders.length).toBeLessThanOrEqual(1);
    // Counters tell at least of every run that is over, and of each attempt that is.
    const over = runs.filter(({ finishedAt }) => finishedAt !== undefined).length;
    expect([...job.counts.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(over);
    const ended = runs.flatMap(({ attempts }) =>
      attempts.filter(({ finishedAt }) => finishedAt !== undefined),
    );
    expect(job.attempts).toBe(ended.length);
  }

  async checkMessages(model: RunModel): Promise<void> {
    const messages = await this.ask((store) => store.takeNotifications(FAR, FAR, 100));
    await Promise.all(messages.map(({ id }) => this.ask((store) => store.settleNotification(id, undefined))));
    for (const job of model.jobs) {
      const told = messages.filter(({ jobId }) => jobId === this.jobId(job.name)).map(({ kind }) => kind);
      expect(told).toStrictEqual(job.told.splice(0));
      const isBad = this.#isBad.get(job) ?? false;
      for (const [index, kind] of told.entries()) {
        expect(kind === 'recovered').toBe(index % 2 === 0 ? isBad : !isBad);
      }
      this.#isBad.set(job, told.length % 2 === 0 ? isBad : !isBad);
    }
  }

  /** Jobs of which a failure was told, and no recovery since. */
  readonly #isBad = new Map<ModelJob, boolean>();
}

type Act = (model: RunModel, stores: Stores) => Promise<void>;

/** One thing that somebody does; then everything is looked at. */
class Step implements fc.AsyncCommand<RunModel, Stores> {
  readonly #what: string;
  readonly #act: Act;
  readonly #isPossible: (model: RunModel) => boolean;

  constructor(what: string, act: Act, isPossible: (model: RunModel) => boolean = () => true) {
    this.#what = what;
    this.#act = act;
    this.#isPossible = isPossible;
  }

  check(model: Readonly<RunModel>): boolean {
    return this.#isPossible(model as RunModel);
  }

  async run(model: RunModel, stores: Stores): Promise<void> {
    await this.#act(model, stores);
    await stores.check(model);
  }

  toString(): string {
    return this.#what;
  }
}

const CHANNEL = 'ops';
const FAR = instantOf(1_000_000);
const names = fc.constantFrom('a', 'a', 'b');
const tokens = fc.constantFrom('one', 'two');
/** Due runs around the time, and two by hand: few, so that steps meet. */
const wanted = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -3, max: 2 }) },
  { weight: 1, arbitrary: fc.constantFrom('hand-1', 'hand-2') },
);
type Wanted = number | string;

function wantedRun(model: RunModel, run: Wanted) {
  if (typeof run === 'string') return { id: run, due: model.now, isManual: true };
  return { id: `due-${model.now + run}`, due: model.now + run, isManual: false };
}

/** Whom a step is aimed at: most often a run of which something can come. */
interface Aim {
  readonly job: string;
  readonly run: Wanted;
  readonly token: string;
  /** Which one of those. */
  readonly which: number;
}

const aim: fc.Arbitrary<Aim> = fc.record({
  ...{ job: names, run: wanted, token: tokens },
  which: fc.integer({ min: 0, max: 7 }),
});

function aimed<T>(value: fc.Arbitrary<T>) {
  return fc.record({ aim, value });
}

function target(model: RunModel, { job, run, token, which }: Aim, isMeant: (run: ModelRun) => boolean) {
  const meant = model.jobs.flatMap((one) =>
    [...one.runs.values()].filter(isMeant).map((of) => ({ job: one, of })),
  );
  const found = which === 0 ? undefined : meant[which % Math.max(1, meant.length)];
  if (found === undefined) return { job, token, ...wantedRun(model, run) };
  const { id, due, trigger } = found.of;
  return { job: found.job.name, id, due, isManual: trigger === 'manual', token: found.of.token ?? token };
}

const isOwned = (run: ModelRun) => run.token !== undefined;
const isPending = (run: ModelRun) => run.status === 'pending';

function step<T>(
  verb: string,
  values: fc.Arbitrary<T>,
  act: (value: T) => Act,
  isPossible?: (value: T) => (model: RunModel) => boolean,
): fc.Arbitrary<Step> {
  return values.map((value) => new Step(`${verb} ${JSON.stringify(value)}`, act(value), isPossible?.(value)));
}

const claims = step(
  'claim',
  fc.record({
    ...{ aim, isInOrder: fc.boolean() },
    policy: fc.constantFrom('forbid', 'forbid', 'replace', 'replace', 'allow'),
    patience: fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined }),
  }),
  ({ aim: { which, ...any }, policy, isInOrder, patience }) =>
    async (model, stores) => {
      const { job, id, due, isManual, token } = target(
        model,
        { ...any, which: which < 4 ? 0 : which },
        isPending,
      );
      const startBy = patience === undefined ? undefined : due + patience;
      const claim = claimOf({
        ...{ jobId: stores.jobId(job), runId: id, scheduledTime: instantOf(due), token, isInOrder },
        ...{ concurrencyPolicy: policy, at: instantOf(model.now), channel: CHANNEL },
        ...(isManual ? { trigger: 'manual' } : {}),
        ...(startBy === undefined ? {} : { startBy: instantOf(startBy) }),
      });
      const { outcome } = await stores.ask((store) => store.claim(claim));
      expect(outcome).toBe(model.claim({ job, id, due, isManual, token, policy, isInOrder, startBy }));
    },
);

const starts = step('start', aim, (who) => async (model, stores) => {
  const { job, id, token } = target(model, who, isOwned);
  const run = model.owned(job, id, token)?.run;
  const number = (run?.attempts.length ?? 0) + (run?.status === 'running' ? 0 : 1);
  const attempt = { number, startedAt: instantOf(model.now) };
  const answer = await stores.ask((store) => store.start(stores.jobId(job), id, token, attempt));
  expect(answer).toBe(model.start(job, id, token));
  if (!answer || run === undefined || run.status !== 'running') return;
  // Told twice only to who asked twice about one start.
  const started = stores.started.get(run) ?? new Map<number, number>();
  expect(started.get(number) ?? model.now).toBe(model.now);
  stores.started.set(run, started.set(number, model.now));
});

const finishes = step(
  'finish',
  aimed(
    fc.record({
      status: fc.constantFrom('succeeded', 'failed', 'failed', 'timed-out', 'lost', 'cancelled'),
      retryAfter: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
      /** How many attempts the finish is behind. */
      behind: fc.constantFrom(0, 0, 0, 1),
      lease: fc.constantFrom('any', 'any', 'seen', 'stale'),
    }),
  ),
  ({ aim, value }) =>
    async (model, stores) => {
      const { job, id, token } = target(model, aim, isOwned);
      const { status, retryAfter, behind, lease } = value;
      const run = model.owned(job, id, token)?.run ?? model.job(job).runs.get(id);
      const last = (run?.attempts.length ?? 0) - 1 - behind;
      const attempt = run?.status === 'claimed' || last < 0 ? undefined : last;
      // What was not started has not succeeded either.
      const end = attempt === undefined && status !== 'lost' ? 'cancelled' : status;
      const startedAt = run?.attempts[attempt ?? 0]?.startedAt ?? model.now;
      const leaseUntil = run?.leaseUntil ?? 0;
      const ifLeaseUntil = lease === 'any' ? undefined : leaseUntil - (lease === 'stale' ? 1 : 0);
      const finish = finishOf(
        claimOf({ jobId: stores.jobId(job), runId: id, token, at: instantOf(model.now) }),
        {
          ...{ status: end, at: instantOf(model.now), channel: CHANNEL },
          attempt:
            attempt === undefined
              ? undefined
              : {
                  ...{
                    number: attempt + 1,
                    startedAt: instantOf(startedAt),
                    finishedAt: instantOf(model.now),
                  },
                  status: end,
                },
          ...(retryAfter === undefined ? {} : { retry: { notBefore: instantOf(model.now + retryAfter) } }),
          ...(ifLeaseUntil === undefined ? {} : { ifLeaseUntil: instantOf(ifLeaseUntil) }),
        },
      );
      const answer = await stores.ask((store) => store.finish(finish));
      const known = { job, id, token, status: end, attempt, startedAt, retryAfter, ifLeaseUntil };
      expect(answer).toBe(model.finish(known));
    },
);

const extensions = step('extend', aim, (who) => async (model, stores) => {
  const { job, id, token } = target(model, who, isOwned);
  const until = instantOf(model.now + 5);
  const lease = await stores.ask((store) => store.extend(stores.jobId(job), id, token, until));
  const heard = lease === undefined ? 'lost' : (lease.cancelRequest?.verb ?? 'kept');
  expect(heard).toBe(model.extend(job, id, token));
});

const releases = step('release', aim, (who) => async (model, stores) => {
  const { job, id, token } = target(model, who, isOwned);
  const answer = await stores.ask((store) =>
    store.release(stores.jobId(job), id, token, instantOf(model.now)),
  );
  expect(answer).toBe(model.release(job, id, token));
});

const debts = step(
  'owe',
  fc.record({ job: names, offset: fc.integer({ min: -3, max: 2 }), most: fc.constantFrom(undefined, 1, 2) }),
  ({ job, offset, most }) =>
    async (model, stores) => {
      const due = model.now + offset;
      const kind =
        most === undefined
          ? ({ trigger: 'catch-up', cause: 'catch-up' } as const)
          : ({ trigger: 'backfill', cause: 'requested', maxActiveRuns: most } as const);
      const owed = owedOf({
        ...{ jobId: stores.jobId(job), runId: `due-${due}`, scheduledTime: instantOf(due), ...kind },
        ...{ notBefore: instantOf(model.now), at: instantOf(model.now) },
      });
      const { trigger, cause } = kind;
      const answer = await stores.ask((store) => store.owe(owed));
      expect(answer).toBe(model.owe(job, { id: `due-${due}`, due, trigger, cause, most }));
    },
);

const closings = step(
  'end',
  aimed(fc.constantFrom('removed', 'superseded', 'too-late')),
  ({ aim, value }) =>
    async (model, stores) => {
      const { job, id } = target(model, aim, () => true);
      const end = { reason: value, channel: CHANNEL, at: instantOf(model.now) } as const;
      const answer = await stores.ask((store) =>
        store.endPending({ jobId: stores.jobId(job), runId: id, ...end }),
      );
      expect(answer).toBe(model.endPending(job, id, value));
    },
);

const answers = step(
  'answer',
  fc.record({
    job: names,
    offset: fc.integer({ min: -3, max: 2 }),
    length: fc.constantFrom(undefined, 1, 2),
  }),
  ({ job, offset, length }) =>
    async (model, stores) => {
      const due = model.now + offset;
      const id = length === undefined ? `due-${due}` : spanId(instantOf(due));
      const last = due + (length ?? 0);
      const answer = answerOf({
        ...{ jobId: stores.jobId(job), runId: id, scheduledTime: instantOf(last), channel: CHANNEL },
        ...{ at: instantOf(model.now), ...(length === undefined ? {} : { spanFrom: instantOf(due) }) },
      });
      await stores.ask((store) => recordAnswer(store, answer));
      model.answer(job, id, length === undefined ? undefined : due, last);
    },
);

const requestOf = (verb: OperatorRequest['verb'], model: RunModel) => ({
  verb,
  by: 'op',
  at: instantOf(model.now),
});

const cancels = step('cancel', aim, (who) => async (model, stores) => {
  const { job, id } = target(model, who, () => true);
  const key = { jobId: stores.jobId(job), runId: id };
  const { outcome } = await stores.ask((store) => store.cancel(key, requestOf('cancel', model)));
  expect(outcome).toBe(model.cancel(job, id));
});

const reopenings = step('reopen', aim, (who) => async (model, stores) => {
  const { job, id } = target(model, who, () => true);
  const notBefore = instantOf(model.now);
  const reopening = { jobId: stores.jobId(job), runId: id, request: requestOf('retry', model), notBefore };
  const { outcome } = await stores.ask((store) => store.reopen(reopening));
  expect(outcome).toBe(model.reopen(job, id));
});

const pauses = step(
  'pause',
  fc.record({ job: names, minutes: fc.constantFrom(0, 1, 2, 3, undefined) }),
  ({ job, minutes }) =>
    async (model, stores) => {
      const until = minutes === undefined ? {} : { until: instantOf(model.now + minutes) };
      const pause = { jobId: stores.jobId(job), from: instantOf(model.now), by: 'op', ...until };
      await stores.ask((store) => store.pause(pause));
      model.pause(job, minutes);
    },
);

const resumes = step('resume', names, (job) => async (model, stores) => {
  await stores.ask((store) => store.resume(stores.jobId(job), { at: instantOf(model.now), by: 'op' }));
  model.resume(job);
});

const renames = step(
  'rename',
  fc.record({ from: names, to: fc.constantFrom('c', 'd', 'a') }),
  ({ from, to }) =>
    async (model, stores) => {
      const plan = { format: 1, crontab: stores.crontab, zones: {}, jobs: [] } as const;
      const renamed = [{ from: stores.jobId(from), to: stores.jobId(to) }];
      await stores.ask((store) =>
        store.setActivePlan({ plan, hash: 'hash-1', since: 0 }, { ...NO_CHANGE, renamed }),
      );
      model.rename(from, to);
    },
  ({ to }) =>
    (model) =>
      model.mayRename(to),
);

const clock = step(
  'clock',
  fc.constantFrom(1, 1, 1, 1, 1, 2, 2, 3, 4, -1, -3, 200),
  (minutes) => async (model) => {
    model.now += minutes;
  },
);

let crontabs = 0;

/**
 * Asks anything of the stores, in any order, and looks whether they do what the model does.
 *
 * @param open the stores, for each of the runs
 */
export function testStoresAgainstModel(
  title: string,
  runs: number,
  open: () => readonly RunStore[] | Promise<readonly RunStore[]>,
): void {
  const weighted = [
    ...[claims, claims, claims, claims, claims, starts, starts, starts, finishes, finishes, finishes],
    ...[clock, clock, clock, releases, debts, debts, extensions, closings, answers, cancels, reopenings],
    ...[pauses, resumes, resumes, renames],
  ];
  test(
    `${title} (${runs} runs)`,
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.commands(weighted, { maxCommands: 60, size: 'max' }), async (steps) => {
          crontabs += 1;
          const stores = await open();
          // What a run that failed has left.
          for (const store of stores) {
            for (const { id } of await store.takeNotifications(FAR, FAR, 1000))
              await store.settleNotification(id, undefined);
          }
          const setup = { model: new RunModel(), real: new Stores(stores, `crontab-${crontabs}`) };
          await fc.asyncModelRun(() => setup, steps);
          await setup.real.checkMessages(setup.model);
        }),
        { numRuns: runs, seed: SEED },
      );
    },
    Math.max(120_000, runs * 10_000),
  );
}
