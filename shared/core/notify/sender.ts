import type { Clock } from '../run/ports.ts';
import type { EpochMs } from '../schedule/zone-table.ts';
import {
  type Notification,
  type NotificationChannels,
  type NotificationQueue,
  nextTry,
  TRY_AGAIN_MS,
} from './notification.ts';

const MOST_AT_ONCE = 4;
/** Longer than the longest try takes. Milliseconds. */
const RESERVED_MS = 60_000;

/** What becomes of notifications. */
export type SenderEvent =
  | { readonly kind: 'notified'; readonly notification: Notification }
  | {
      readonly kind: 'notification-failed';
      readonly notification: Notification;
      /** Why, without path, query or credentials of the address: these are secrets. */
      readonly problem: string;
      /** Undefined when it is given up. */
      readonly nextTryAt: EpochMs | undefined;
    }
  | { readonly kind: 'error'; readonly message: string; readonly error?: unknown };

export interface SenderPorts {
  readonly queue: NotificationQueue;
  readonly channels: NotificationChannels;
  readonly clock: Clock;
  readonly emit: (event: SenderEvent) => void;
  /** In [0, 1). */
  readonly random: () => number;
}

type Settlement = Parameters<NotificationQueue['settleNotification']>[1];

/** Sends what the queue holds: at least once, each until it is sent or given up. */
export class NotificationSender {
  readonly #ports: SenderPorts;
  /** When a channel that failed may be asked again, on the monotonic clock: what waits there holds up no other. */
  readonly #restUntil = new Map<string, number>();
  /** What became of notifications, and the store has not taken. */
  readonly #unsettled = new Map<string, Settlement>();

  constructor(ports: SenderPorts) {
    this.#ports = ports;
  }

  /**
   * Sends what is due. A store that fails is told of as an event.
   *
   * @param cut ends the tries that are under way
   */
  async pass(cut: AbortSignal): Promise<void> {
    const { queue, clock, emit } = this.#ports;
    try {
      for (const [id, settlement] of this.#unsettled) {
        await queue.settleNotification(id, settlement);
        this.#unsettled.delete(id);
      }
      for (let taken = MOST_AT_ONCE; taken === MOST_AT_ONCE && !cut.aborted; ) {
        const now = clock.now();
        const due = await queue.takeNotifications(now, now + RESERVED_MS, MOST_AT_ONCE);
        await Promise.all(due.map((notification) => this.#deliver(notification, cut)));
        // What is sent and not settled must not be taken again.
        taken = this.#unsettled.size > 0 ? 0 : due.length;
      }
    } catch (error) {
      emit({ kind: 'error', message: 'the store failed; notifications are tried again', error });
    }
  }

  /** Tries once. What is left alone here is due again when its reservation is over. */
  async #deliver(notification: Notification, cut: AbortSignal): Promise<void> {
    const { channels, clock, emit, random } = this.#ports;
    const { id, channel } = notification;
    if (clock.monotonic() < (this.#restUntil.get(channel) ?? 0)) return;
    const result = await channels.send(notification, clock.now(), cut);
    if (result.outcome === 'sent') {
      this.#restUntil.delete(channel);
      emit({ kind: 'notified', notification });
      return this.#settle(id, undefined);
    }
    if (cut.aborted) return;
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
