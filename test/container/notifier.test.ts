import { describe, expect, test } from '@jest/globals';
import type { DaemonEvent } from '../../container/events.ts';
import { Notifier } from '../../container/notifier.ts';
import type {
  Notification,
  NotificationChannels,
  NotificationQueue,
  SendResult,
} from '../../shared/core/notify/notification.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';

const START = Date.parse('2026-03-29T01:42Z');
const DAY = 86_400_000;
const SENT: SendResult = { outcome: 'sent' };
const DOWN: SendResult = { outcome: 'failed', problem: 'down' };

function notification(id: string, fields: Partial<Notification> = {}): Notification {
  return {
    ...{ id, channel: 'default', kind: 'failed', jobId: `shop/${id}`, runId: '2026-03-29T01:30Z' },
    ...{ scheduledTime: START, status: 'failed', attempts: 1, since: START, at: START, tries: 0 },
    ...fields,
  };
}

interface Queued {
  readonly notification: Notification;
  readonly dueAt: number;
}

/** A queue in memory, that fails when it is told to. */
class Queue implements NotificationQueue {
  readonly rows = new Map<string, Queued>();
  /** How many of the next calls fail. */
  readonly failing = { take: 0, settle: 0 };

  constructor(notifications: readonly Notification[] = []) {
    for (const one of notifications) this.put(one);
  }

  put(one: Notification): void {
    this.rows.set(one.id, { notification: one, dueAt: START });
  }

  async takeNotifications(now: number, reservedUntil: number, limit: number) {
    if (this.failing.take-- > 0) throw new Error('the disk is gone');
    const due = [...this.rows.values()]
      .filter(({ dueAt }) => dueAt <= now)
      .sort((a, b) => a.dueAt - b.dueAt)
      .slice(0, limit);
    for (const row of due) this.rows.set(row.notification.id, { ...row, dueAt: reservedUntil });
    return due.map((row) => row.notification);
  }

  async settleNotification(id: string, next: { readonly nextTryAt: number } | undefined) {
    if (this.failing.settle-- > 0) throw new Error('the disk is full');
    const row = this.rows.get(id);
    if (row === undefined) return;
    if (next === undefined) this.rows.delete(id);
    else {
      const tried = { ...row.notification, tries: row.notification.tries + 1 };
      this.rows.set(id, { notification: tried, dueAt: next.nextTryAt });
    }
  }
}

type Answer = (one: Notification, signal: AbortSignal) => SendResult | Promise<SendResult>;

/** A notifier that runs, under a clock that the test moves, with the shortest jitter. */
function started(queue: NotificationQueue, answer: Answer = () => SENT, clock = new FakeClock(START)) {
  /** Tries as `<id> <seconds since the start>`. */
  const tries: string[] = [];
  const events: DaemonEvent[] = [];
  const channels: NotificationChannels = {
    async send(one, at, signal) {
      tries.push(`${one.id} ${(at - START) / 1000}`);
      return answer(one, signal);
    },
  };
  const emit = (event: DaemonEvent) => void events.push(event);
  const notifier = new Notifier({ queue, channels, clock, emit, random: () => 0 });
  const ended = notifier.run();
  const stop = async () => {
    notifier.stop();
    await ended;
    await settled();
  };
  return { notifier, clock, tries, events, ended, stop };
}

/** Resolves as aborted fetches do. */
function untilCut(signal: AbortSignal): Promise<SendResult> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(DOWN)));
}

describe('the notifier', () => {
  test('sends what is due once, and says so', async () => {
    const [a, b] = [notification('a'), notification('b')];
    const queue = new Queue([a, b]);
    const { clock, tries, events, stop } = started(queue);
    await clock.advance(3_600_000);
    await stop();
    expect({ tries, events, left: queue.rows.size, sleepers: clock.sleepers }).toEqual({
      tries: ['a 0', 'b 0'],
      events: [
        { kind: 'notified', notification: a },
        { kind: 'notified', notification: b },
      ],
      left: 0,
      sleepers: 0,
    });
  });

  test('looks every 15 s, and at once when it is woken', async () => {
    const queue = new Queue();
    const { notifier, clock, tries, stop } = started(queue);
    await clock.advance(14_000);
    queue.put(notification('waits'));
    await clock.advance(10_000);
    queue.put(notification('wakes'));
    notifier.wake();
    await settled();
    await stop();
    expect(tries).toEqual(['waits 15', 'wakes 24']);
  });

  test('is woken in the middle of a pass as well', async () => {
    const queue = new Queue([notification('first')]);
    const answer = Promise.withResolvers<SendResult>();
    const { notifier, tries, stop } = started(queue, (one) => (one.id === 'first' ? answer.promise : SENT));
    await settled();
    queue.put(notification('second'));
    notifier.wake();
    answer.resolve(SENT);
    await settled();
    expect(tries).toEqual(['first 0', 'second 0']);
    await stop();
  });

  test('sends four at once, and all that is due in one pass', async () => {
    const ids = Array.from({ length: 10 }, (_, index) => String(index));
    const queue = new Queue(ids.map((id) => notification(id)));
    let [under, most] = [0, 0];
    const { tries, stop } = started(queue, async () => {
      under += 1;
      most = Math.max(most, under);
      await settled();
      under -= 1;
      return SENT;
    });
    while (queue.rows.size > 0) await settled();
    await stop();
    expect([most, tries]).toEqual([4, ids.map((id) => `${id} 0`)]);
  });

  test('tries again with waits that double, until it is sent', async () => {
    const one = notification('a');
    const queue = new Queue([one]);
    const answers = [DOWN, DOWN, DOWN];
    const { clock, tries, events, stop } = started(queue, () => answers.shift() ?? SENT);
    await clock.advance(600_000);
    await stop();
    // Waits of 10, 20 and 40 s end between two looks.
    expect(tries).toEqual(['a 0', 'a 15', 'a 45', 'a 90']);
    const failed = (tried: number, nextTry: number) => ({
      kind: 'notification-failed',
      notification: { ...one, tries: tried },
      problem: 'down',
      nextTryAt: START + nextTry * 1000,
    });
    expect(events).toEqual([
      failed(0, 10),
      failed(1, 35),
      failed(2, 85),
      { kind: 'notified', notification: { ...one, tries: 3 } },
    ]);
    expect(queue.rows.size).toBe(0);
  });

  test('gives up after three days, and says so', async () => {
    const queue = new Queue([notification('a')]);
    const { clock, events, stop } = started(queue, () => DOWN);
    await clock.advance(4 * DAY);
    await stop();
    const givenUp = events.map(
      (event) => event.kind === 'notification-failed' && event.nextTryAt === undefined,
    );
    expect(givenUp.indexOf(true)).toBe(givenUp.length - 1);
    expect(events.length).toBeGreaterThan(70);
    expect([queue.rows.size, clock.now() - START]).toEqual([0, 4 * DAY]);
  });

  test('gives up at once what is refused', async () => {
    const one = notification('a');
    const queue = new Queue([one]);
    const { clock, tries, events, stop } = started(queue, () => ({
      outcome: 'refused',
      problem: 'answered 410',
    }));
    await clock.advance(DAY);
    await stop();
    expect([tries, events, queue.rows.size]).toEqual([
      ['a 0'],
      [{ kind: 'notification-failed', notification: one, problem: 'answered 410', nextTryAt: undefined }],
      0,
    ]);
  });

  test('waits as long as the receiver asks, and so do the others of its channel', async () => {
    const queue = new Queue([notification('a')]);
    const answers: SendResult[] = [{ ...DOWN, outcome: 'failed', problem: 'busy', retryAfterMs: 120_000 }];
    const { clock, tries, stop } = started(queue, () => answers.shift() ?? SENT);
    await clock.advance(1_000);
    queue.put(notification('b'));
    queue.put(notification('c', { channel: 'ops' }));
    await clock.advance(300_000);
    await stop();
    // `b` is taken at 15 s, and again each time that its reservation of a minute is over.
    expect(tries).toEqual(['a 0', 'c 15', 'a 120', 'b 135']);
  });

  test('is not held up by a channel that is down', async () => {
    const dead = Array.from({ length: 40 }, (_, index) => notification(`dead-${index}`, { channel: 'ops' }));
    const queue = new Queue([...dead, notification('well')]);
    const clock = new FakeClock(START);
    const answer: Answer = async ({ channel }) => {
      if (channel === 'default') return SENT;
      await clock.sleep(10_000);
      return DOWN;
    };
    const { tries, stop } = started(queue, answer, clock);
    await clock.advance(10_000);
    expect(tries).toEqual(['dead-0 0', 'dead-1 0', 'dead-2 0', 'dead-3 0', 'well 10']);
    const stopped = stop();
    await clock.advance(30_000);
    await stopped;
  });

  test('of two on one queue, one sends', async () => {
    const queue = new Queue([notification('a')]);
    const answer = Promise.withResolvers<SendResult>();
    const clock = new FakeClock(START);
    const all = [started(queue, () => answer.promise, clock), started(queue, () => answer.promise, clock)];
    await clock.advance(45_000);
    answer.resolve(SENT);
    await settled();
    await Promise.all(all.map(({ stop }) => stop()));
    expect(all.map(({ tries }) => tries)).toEqual([['a 0'], []]);
  });
});

describe('a store that fails', () => {
  test('is told of, and asked again', async () => {
    const queue = new Queue([notification('a')]);
    queue.failing.take = 2;
    const { clock, tries, events, stop } = started(queue);
    await clock.advance(60_000);
    await stop();
    const error = {
      kind: 'error',
      message: 'the store failed; notifications are tried again',
      error: new Error('the disk is gone'),
    };
    expect([tries, events.slice(0, -1)]).toEqual([['a 30'], [error, error]]);
  });

  test.each<[what: string, answer: SendResult, left: object[]]>([
    ['was sent', SENT, []],
    [
      'is to be tried again',
      { ...DOWN, outcome: 'failed', problem: 'busy', retryAfterMs: 3_600_000 },
      [{ tries: 1, dueIn: 3600 }],
    ],
  ])('to take that a message %s does not make it go twice', async (_what, answer, left) => {
    const queue = new Queue([notification('a')]);
    queue.failing.settle = 6;
    const { clock, tries, events, stop } = started(queue, () => answer);
    await clock.advance(600_000);
    await stop();
    expect(tries).toEqual(['a 0']);
    expect(events.filter(({ kind }) => kind === 'error')).toHaveLength(6);
    const rows = [...queue.rows.values()];
    expect(rows.map((row) => ({ tries: row.notification.tries, dueIn: (row.dueAt - START) / 1000 }))).toEqual(
      left,
    );
  });
});

describe('a message that was sent and not settled', () => {
  test('ends the pass, however many are due', async () => {
    const queue = new Queue(['1', '2', '3', '4', '5'].map((id) => notification(id)));
    queue.failing.settle = 1;
    const { clock, tries, stop } = started(queue);
    await clock.advance(120_000);
    await stop();
    expect([tries, queue.rows.size]).toEqual([['1 0', '2 0', '3 0', '4 0', '5 15'], 0]);
  });
});

describe('at a shutdown', () => {
  test('what is due goes out', async () => {
    const queue = new Queue();
    const { clock, tries, stop } = started(queue);
    await clock.advance(1_000);
    for (const id of ['1', '2', '3', '4', '5', '6']) queue.put(notification(id));
    await stop();
    expect([tries, queue.rows.size, clock.sleepers]).toEqual([
      ['1 1', '2 1', '3 1', '4 1', '5 1', '6 1'],
      0,
      0,
    ]);
  });

  test('a receiver that is silent is left after three seconds, and everything stays queued', async () => {
    const queue = new Queue(['1', '2', '3', '4', '5'].map((id) => notification(id)));
    const { notifier, clock, tries, events, ended } = started(queue, (_one, signal) => untilCut(signal));
    await clock.advance(2_000);
    notifier.stop();
    let isOver = false;
    void ended.then(() => {
      isOver = true;
    });
    await clock.advance(2_999);
    expect(isOver).toBe(false);
    await clock.advance(1);
    await ended;
    expect([tries, events]).toEqual([['1 0', '2 0', '3 0', '4 0'], []]);
    const rows = [...queue.rows.values()];
    expect(rows.map((row) => [row.notification.tries, (row.dueAt - START) / 1000])).toEqual([
      ...[1, 2, 3, 4].map(() => [0, 60]),
      [0, 0],
    ]);
  });

  test('before the start, what is due goes out all the same', async () => {
    const queue = new Queue([notification('a')]);
    const clock = new FakeClock(START);
    const emit = () => {};
    const channels = { send: async () => SENT };
    const notifier = new Notifier({ queue, channels, clock, emit, random: () => 0 });
    notifier.stop();
    await notifier.run();
    expect([queue.rows.size, clock.sleepers]).toEqual([0, 0]);
  });
});
