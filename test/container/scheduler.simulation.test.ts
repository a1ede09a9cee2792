import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MemoryRunStore } from '../../shared/adapters/memory-run-store.ts';
import { type SchedulePlan, timetableOf } from '../../shared/core/plan/plan.ts';
import type { Run } from '../../shared/core/run/run.ts';
import { dueInstants } from '../../shared/core/schedule/due.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { StoreFaults } from '../support/faulty-store.ts';
import { planOf } from '../support/plan-of.ts';
import { SchedulerProcess } from '../support/scheduler-process.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const START = Date.parse('2026-03-10T06:00:17Z');

/** Editions of one crontab: jobs come, go, move, change their rules; the last one is empty. */
const EDITIONS = [
  `# kuber-cron: name=a
* * * * * run-a
# kuber-cron: name=b catch-up=none
*/7 * * * * run-b
# kuber-cron: name=c concurrency-policy=allow
3,33 * * * * run-c
`,
  `# kuber-cron: name=c concurrency-policy=allow starting-deadline=2h
3,33 * * * * run-c
# kuber-cron: name=a
*/2 * * * * run-a
# kuber-cron: name=d
*/5 6-12 * * * run-d
`,
  `# kuber-cron: name=a suspend
* * * * * run-a
# kuber-cron: name=b starting-deadline=90s
*/7 * * * * run-b
# kuber-cron: name=d
0 * * * * run-d
`,
  '',
] as const;

type Action =
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'jump'; readonly ms: number }
  | { readonly kind: 'edit'; readonly edition: number }
  | { readonly kind: 'restart'; readonly edition: number; readonly downMs: number; readonly isCrash: boolean }
  | { readonly kind: 'faults'; readonly percent: number; readonly ms: number; readonly seed: number };

const edition = fc.nat(EDITIONS.length - 2);
const ACTIONS: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('advance' as const),
      ms: fc.integer({ min: 1, max: 50 * MINUTE }),
    }),
  },
  // To the very moment when a minute begins, or right before it.
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('advance' as const),
      ms: fc.constantFrom(42_999, 43_000, 17_000, 60_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('jump' as const),
      ms: fc.integer({ min: -2 * 60 * MINUTE, max: 4 * 60 * MINUTE }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('edit' as const), edition }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('restart' as const),
      edition,
      downMs: fc.integer({ min: 0, max: 90 * MINUTE }),
      isCrash: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('faults' as const),
      percent: fc.constantFrom(10, 50, 100),
      ms: fc.integer({ min: 1, max: 10 * MINUTE }),
      seed: fc.nat(),
    }),
  },
);

/** A plan and the instants that are its: (from, until]. */
interface Reign {
  readonly plan: SchedulePlan;
  readonly from: number;
  until: number;
}

/** A day of a daemon and what became of it. */
class Day {
  readonly clock = new FakeClock(START);
  readonly store = new MemoryRunStore();
  readonly faults = new StoreFaults();
  readonly reigns: Reign[] = [];
  readonly processes: SchedulerProcess[] = [];
  #latest = START;

  async live(actions: readonly Action[]): Promise<void> {
    await this.#begin(0);
    for (const action of actions) await this.#do(action);
    // Everything comes to its end.
    await this.clock.advance(2 * MINUTE);
    await this.#edit(EDITIONS.length - 1);
  }

  get #process(): SchedulerProcess {
    return this.processes.at(-1) as SchedulerProcess;
  }

  async #do(action: Action): Promise<void> {
    this.#latest = Math.max(this.#latest, this.clock.now());
    switch (action.kind) {
      case 'advance':
        await this.clock.advance(action.ms);
        return;
      case 'jump':
        // Further back than three hours is another rule.
        this.clock.jumpTo(Math.max(this.clock.now() + action.ms, this.#latest - 170 * MINUTE));
        this.#latest = Math.max(this.#latest, this.clock.now());
        await this.clock.advance(15 * SECOND);
        return;
      case 'edit':
        await this.#edit(action.edition);
        return;
      case 'restart':
        if (action.isCrash) this.#process.die();
        else {
          await this.#process.stop();
          await this.#process.scheduler.drain(0, new AbortController().signal);
          this.#process.die();
        }
        await this.clock.advance(action.downMs);
        await this.#begin(action.edition);
        return;
      case 'faults': {
        const random = randomPercents(action.seed);
        this.faults.next = () => {
          if (random() >= action.percent) return 'none';
          return random() < 50 ? 'before' : 'after';
        };
        await this.clock.advance(action.ms);
        this.faults.next = () => 'none';
        // A crash in the middle of a failing store is another test's matter.
        await this.clock.advance(MINUTE);
      }
    }
  }

  async #begin(edition: number): Promise<void> {
    const dead = new Set(this.processes.map(({ owner }) => owner.token));
    this.processes.push(new SchedulerProcess(this.faults.of(this.store), this.clock));
    await this.#process.recover(({ token }) => !dead.has(token));
    await this.#edit(edition);
    this.#process.run();
  }

  async #edit(edition: number): Promise<void> {
    await this.#process.load(EDITIONS[edition] as string);
    const from = (await this.store.cursor('shop')) as number;
    const last = this.reigns.at(-1);
    if (last !== undefined) last.until = from;
    this.reigns.push({ plan: planOf(EDITIONS[edition] as string), from, until: from });
  }
}

function randomPercents(seed: number): () => number {
  let state = seed % 2_147_483_647 || 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state % 100;
  };
}

/** `job 2026-03-10T10:00Z`, for each due instant of each job while its plan was in force. */
function owed(reigns: readonly Reign[]): string[] {
  return reigns.flatMap(({ plan, from, until }) =>
    plan.jobs.flatMap((job) => {
      const timetable = timetableOf(plan, job);
      if (timetable === undefined || job.options.suspend !== undefined) return [];
      return [...dueInstants(timetable, from, until)].map((instant) => `${job.name} ${text(instant)}`);
    }),
  );
}

/** The same, for what the rows of the store answer: a span answers for the due instants of its plan that are in it. */
function answered(runs: readonly Run[], reigns: readonly Reign[]): string[] {
  return runs.flatMap(({ jobId, scheduledTime, spanFrom = scheduledTime }) => {
    const name = jobId.replace('shop/', '');
    return reigns.flatMap(({ plan, from, until }) => {
      const job = plan.jobs.find((one) => one.name === name);
      const timetable = job === undefined ? undefined : timetableOf(plan, job);
      if (timetable === undefined) return [];
      const instants = dueInstants(timetable, Math.max(from, spanFrom - 1), Math.min(until, scheduledTime));
      return [...instants].map((instant) => `${name} ${text(instant)}`);
    });
  });
}

function text(instant: number): string {
  return new Date(instant).toISOString().slice(0, 16);
}

test('on any day with edits, clock jumps, restarts, crashes and store faults, each due instant is answered once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(ACTIONS, { minLength: 5, maxLength: 60 }), async (actions) => {
      const day = new Day();
      await day.live(actions);
      const runs = await day.store.runs({ limit: 1_000_000 });
      expect(answered(runs, day.reigns).sort()).toEqual(owed(day.reigns).sort());
      const starts = day.processes.flatMap(({ events }) =>
        events.flatMap((event) => (event.kind === 'run-started' ? [event] : [])),
      );
      const keys = starts.map(({ run }) => `${run.jobId} ${run.runId}`);
      expect(keys.filter((key, index) => keys.indexOf(key) !== index)).toEqual([]);
      const early = starts.filter(({ run, attempt }) => attempt.startedAt < run.scheduledTime);
      expect(early.map(({ run }) => run.runId)).toEqual([]);
      expect(await day.store.unfinished()).toEqual([]);
    }),
    { numRuns: 150 },
  );
}, 120_000);
