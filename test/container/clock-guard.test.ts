import { describe, expect, test } from '@jest/globals';
import { ClockGuard } from '../../container/clock-guard.ts';
import type { DaemonEvent } from '../../container/events.ts';
import { MemoryRunStore } from '../../shared/adapters/memory-run-store.ts';
import type { RunStore } from '../../shared/core/run/run-store.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { history, SchedulerProcess } from '../support/scheduler-process.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const NOON = Date.parse('2026-03-10T12:00:00Z');
const WHY =
  'and 5 s are allowed: nothing is started until it is set right; see whether its time service (NTP) works';

/** A store with a clock of its own, which is right, and an answer that takes its time on both ways. */
class TimedStore {
  asked = 0;
  isReachable = true;
  readonly #clock: FakeClock;
  readonly #start: number;
  readonly #wayMs: number;

  constructor(clock: FakeClock, wayMs = 0) {
    this.#clock = clock;
    this.#start = NOON;
    this.#wayMs = wayMs;
  }

  readonly time = async (): Promise<number> => {
    this.asked += 1;
    if (!this.isReachable) throw new Error('no route to it');
    if (this.#wayMs > 0) await this.#clock.sleep(this.#wayMs);
    const time = Math.floor((this.#start + this.#clock.monotonic()) / SECOND) * SECOND;
    if (this.#wayMs > 0) await this.#clock.sleep(this.#wayMs);
    return time;
  };
}

function guardOf(clock: FakeClock, store: Pick<RunStore, 'time'>) {
  const told: string[] = [];
  const emit = (event: DaemonEvent) => {
    if (event.kind === 'error' || event.kind === 'note') told.push(`${event.kind}: ${event.message}`);
  };
  const guard = new ClockGuard({ store, clock, emit });
  /** Whether something may start now, with as much time as the answer takes. */
  const admits = async (): Promise<boolean> => {
    let is: boolean | undefined;
    void guard.admit().then(
      () => {
        is = true;
      },
      () => {
        is = false;
      },
    );
    while (is === undefined) await clock.advance(100);
    return is;
  };
  return { guard, admits, told };
}

describe('a clock', () => {
  test.each<[offBy: number, wayMs: number, fault: string | undefined]>([
    [0, 0, undefined],
    [5 * SECOND, 0, undefined],
    [-5 * SECOND, 0, undefined],
    [7 * SECOND, 0, `6 s ahead of`],
    [-6 * SECOND, 0, '6 s behind'],
    [3_600 * SECOND, 0, `3599 s ahead of`],
    [-86_400 * SECOND, 0, '86400 s behind'],
    // What the answer takes counts in favour of the clock: it may all have been the way there, or back.
    [7 * SECOND, 2 * SECOND, undefined],
    [12 * SECOND, 2 * SECOND, '9 s ahead of'],
    [-7 * SECOND, 2 * SECOND, undefined],
    [-12 * SECOND, 2 * SECOND, '10 s behind'],
  ])('that is %d ms off, with answers that take %d ms each way: %s', async (offBy, wayMs, fault) => {
    const clock = new FakeClock(NOON + offBy);
    const { guard, admits, told } = guardOf(clock, new TimedStore(clock, wayMs));
    expect(await admits()).toBe(fault === undefined);
    const message = fault && `the clock of this machine is ${fault} that of the run store, ${WHY}`;
    expect(guard.fault).toBe(message);
    expect(told).toEqual(message === undefined ? [] : [`error: ${message}`]);
  });

  test('that jumps is noticed without a question, and is right again as soon as it is set', async () => {
    const clock = new FakeClock(NOON);
    const store = new TimedStore(clock);
    const { guard, admits, told } = guardOf(clock, store);
    await admits();
    clock.jumpTo(clock.now() + MINUTE);
    expect([guard.fault !== undefined, store.asked]).toEqual([true, 1]);
    expect([await admits(), await admits()]).toEqual([false, false]);
    clock.jumpTo(clock.now() - MINUTE);
    expect([await admits(), guard.fault]).toEqual([true, undefined]);
    expect(told).toEqual([
      expect.stringContaining(' s ahead of that of the run store'),
      'note: the clock of this machine agrees with that of the run store again',
    ]);
  });

  test('that goes on while the machine sleeps is right: the store is asked before anything is refused', async () => {
    const clock = new FakeClock(NOON);
    let slept = 0;
    const time = async () => NOON + clock.monotonic() + slept;
    const { admits, told } = guardOf(clock, { time });
    await admits();
    slept = 3_600 * SECOND;
    clock.jumpTo(clock.now() + slept);
    expect([await admits(), told]).toEqual([true, []]);
  });

  test('that parts from the store slowly is noticed within a minute', async () => {
    const clock = new FakeClock(NOON);
    let drift = 0;
    const { guard, admits } = guardOf(clock, { time: async () => NOON + clock.monotonic() + drift });
    await admits();
    drift = 8 * SECOND;
    await clock.advance(59 * SECOND);
    expect([await admits(), guard.fault]).toEqual([true, undefined]);
    await clock.advance(SECOND);
    await admits();
    expect([await admits(), guard.fault]).toEqual([false, expect.stringContaining('8 s behind')]);
  });

  test.each<[string, Pick<RunStore, 'time'>]>([
    ['has no clock', {}],
    ['does not say what its clock shows', { time: async () => undefined }],
    ['does not answer', { time: () => Promise.reject(new Error('no route to it')) }],
  ])('may show anything where the store %s', async (_which, store) => {
    const { guard, admits } = guardOf(new FakeClock(0), store);
    expect([await admits(), guard.fault]).toEqual([true, undefined]);
  });

  test('that was off stays so when the store does not answer any more', async () => {
    const clock = new FakeClock(NOON + MINUTE);
    const store = new TimedStore(clock);
    const { admits } = guardOf(clock, store);
    await admits();
    store.isReachable = false;
    expect(await admits()).toBe(false);
  });

  test('that is right costs the store one question a minute', async () => {
    const clock = new FakeClock(NOON);
    const store = new TimedStore(clock);
    const { admits } = guardOf(clock, store);
    for (let seconds = 0; seconds < 600; seconds += 5) {
      await admits();
      await clock.advance(5 * SECOND - 100);
    }
    expect(store.asked).toBe(10);
  });
});

describe('a scheduler whose clock goes off', () => {
  const [BEFORE, AFTER] = [
    ['a 12:01 succeeded'],
    ['a 12:02-12:03 missed superseded', 'a 12:04 succeeded', 'a 12:05 succeeded'],
  ] as const;

  test.each([
    ['behind', -10 * MINUTE],
    ['ahead', 10 * MINUTE],
    ['far ahead', 10_000 * MINUTE],
  ])('%s starts nothing more, and what is due once it is right again', async (_which, offBy) => {
    const clock = new FakeClock(NOON);
    const store = Object.assign(new MemoryRunStore(), new TimedStore(clock));
    const process = new SchedulerProcess(store, clock, {}, (ports) => new ClockGuard(ports).admit);
    await process.load('# kuber-cron: name=a\n* * * * * run-a\n');
    process.run();
    await clock.advance(MINUTE + 30 * SECOND);
    clock.jumpTo(clock.now() + offBy);
    await clock.advance(3 * MINUTE);
    expect(await history(store)).toEqual(BEFORE);
    await expect(process.scheduler.deactivate('shop')).rejects.toThrow(
      'nothing is started until it is set right',
    );
    clock.jumpTo(clock.now() - offBy);
    await clock.advance(MINUTE);
    expect(await history(store)).toEqual([...BEFORE, ...AFTER]);
    expect(process.starts).toEqual([
      'a 12:01 at 12:01:00.000',
      'a 12:04 at 12:04:31.000',
      'a 12:05 at 12:05:00.000',
    ]);
    // Once, not at each look.
    expect(process.errors()).toEqual([expect.stringMatching(/(?:ahead of|behind) that of the run store/)]);
    await process.stop();
  });
});
