import {
  type Notification,
  type NotificationChannels,
  type NotificationQueue,
  nextTry,
  TRY_AGAIN_MS,
} from '../shared/core/notify/notification.ts';
import type { Clock } from '../shared/core/run/ports.ts';
import type { EmitEvent } from './events.ts';

/** Runs of other processes end without a word to this one. Milliseconds. */
const LOOK_EVERY_MS = 15_000;
const MOST_AT_ONCE = 4;
/** Longer than the longest try takes. Milliseconds. */
const RESERVED_MS = 60_000;
/** How long a shutdown may take: with drain and grace less than the thirty seconds of Kubernetes. Milliseconds. */
const FLUSH_MS = 3_000;

export interface NotifierPorts {
  readonly queue: NotificationQueue;
  readonly channels: NotificationChannels;
  readonly clock: Clock;
  readonly emit: EmitEvent;
  /** In [0, 1). */
  readonly random: () => number;
}

type Settlement = Parameters<NotificationQueue['settleNotification']>[1];

/** Sends what the queue holds: at least once, each until it is sent or given up. */
export class Notifier {
  readonly #ports: NotifierPorts;
  /** When a channel that failed may be asked again, on the monotonic clock: what waits there holds up no other. */
  readonly #restUntil = new Map<string, number>();
  /** What became of notifications, and the store has not taken. */
  readonly #unsettled = new Map<string, Settlement>();
  readonly #stopped = Promise.withResolvers<void>();
  /** Ends the tries that are under way. */
  readonly #cut = new AbortController();
  #wake = new AbortController();
  #isStopping = false;

  constructor(ports: NotifierPorts) {
    this.#ports = ports;
  }

  /** Goes round until `stop` is called, then sends for three seconds at most what is due; the rest stays queued. */
  async run(): Promise<void> {
    const { clock } = this.#ports;
    const done = new AbortController();
    void this.#stopped.promise.then(() => clock.sleep(FLUSH_MS, done.signal)).then(() => this.#cut.abort());
    while (!this.#isStopping) {
      // Before the pass: who wakes in the middle of it is not overheard.
      this.#wake = new AbortController();
      const { signal } = this.#wake;
      await this.#pass();
      if (!this.#isStopping) await clock.sleep(LOOK_EVERY_MS, signal);
    }
    await this.#pass();
    done.abort();
  }

  /** Something may be due: looks at once. */
  wake(): void {
    this.#wake.abort();
  }

  /** `run` returns. After the last end of a run, so that its notification still goes out. */
  stop(): void {
    this.#isStopping = true;
    this.#stopped.resolve();
    this.#wake.abort();
  }

  async #pass(): Promise<void> {
    const { queue, clock, emit } = this.#ports;
    try {
      for (const [id, settlement] of this.#unsettled) {
        await queue.settleNotification(id, settlement);
        this.#unsettled.delete(id);
      }
      for (let taken = MOST_AT_ONCE; taken === MOST_AT_ONCE && !this.#cut.signal.aborted; ) {
        const now = clock.now();
        const due = await queue.takeNotifications(now, now + RESERVED_MS, MOST_AT_ONCE);
        await Promise.all(due.map((notification) => this.#deliver(notification)));
        // What is sent and not settled must not be taken again.
        taken = this.#unsettled.size > 0 ? 0 : due.length;
      }
    } catch (error) {
      emit({ kind: 'error', message: 'the store failed; notifications are tried again', error });
    }
  }

  /** Tries once. What is left alone here is due again when its reservation is over. */
  async #deliver(notification: Notification): Promise<void> {
    const { channels, clock, emit, random } = this.#ports;
    const { id, channel } = notification;
    if (clock.monotonic() < (this.#restUntil.get(channel) ?? 0)) return;
    const result = await channels.send(notification, clock.now(), this.#cut.signal);
    if (result.outcome === 'sent') {
      this.#restUntil.delete(channel);
      emit({ kind: 'notified', notification });
      return this.#settle(id, undefined);
    }
    if (this.#cut.signal.aborted) return;
    const { outcome, problem } = result;
    let nextTryAt: number | undefined;
    if (outcome === 'failed') {
      const { retryAfterMs = 0 } = result;
      const { shortest, longest } = TRY_AGAIN_MS;
      const restMs = Math.min(longest, Math.max(shortest, retryAfterMs));
      this.#restUntil.set(channel, clock.monotonic() + restMs);
      nextTryAt = nextTry(notification, clock.now(), random(), retryAfterMs);
    }
    emit({ kind: 'notification-failed', notification, problem, nextTryAt });
    return this.#settle(id, nextTryAt === undefined ? undefined : { nextTryAt });
  }

  async #settle(id: string, settlement: Settlement): Promise<void> {
    const { queue, emit } = this.#ports;
    try {
      await queue.settleNotification(id, settlement);
    } catch (error) {
      // Remembered: it must not be sent again only because the store did not take that it was.
      this.#unsettled.set(id, settlement);
      emit({ kind: 'error', message: 'the store did not take what became of a notification', error });
    }
  }
}
