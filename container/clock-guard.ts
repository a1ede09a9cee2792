import { StoreError } from '../shared/adapters/store-error.ts';
import type { Clock } from '../shared/core/run/ports.ts';
import type { RunStore } from '../shared/core/run/run-store.ts';
import type { EmitEvent } from './events.ts';

/** Further off the store's clock than this, nothing is started. Milliseconds. */
const MOST_OFF_MS = 5_000;
/** The store tells its time to the second, cut off. Milliseconds. */
const TOLD_TO_MS = 1_000;
/** How long an answer of the store is gone by: clocks that keep their pace part slowly. Milliseconds. */
const KNOWN_FOR_MS = 60_000;

/** The clock is off that of the run store: nothing may be started by it. The guard has said so already. */
export class ClockError extends StoreError {
  constructor(fault: string) {
    super('busy', '');
    this.message = fault;
  }
}

export interface ClockGuardPorts {
  readonly store: Pick<RunStore, 'time'>;
  readonly clock: Clock;
  readonly emit: EmitEvent;
}

/**
 * Keeps a daemon from starting anything while its clock is more than 5 s off that of the store that it shares: what
 * others are to start, or have skipped, is judged by the same minutes. What an answer takes on its way counts in favour
 * of the clock. A store without a clock of its own, such as a file, lets everything pass.
 */
export class ClockGuard {
  readonly #ports: ClockGuardPorts;
  /** The store's time less the monotonic clock: within these. */
  #known: { readonly from: number; readonly to: number; readonly at: number } | undefined;
  #measuring: Promise<void> | undefined;
  #wasOff = false;

  constructor(ports: ClockGuardPorts) {
    this.#ports = ports;
  }

  /** Why nothing is started; undefined when the clock is right, or the store does not say. */
  get fault(): string | undefined {
    const off = this.#off();
    if (Math.abs(off) <= MOST_OFF_MS) return undefined;
    const seconds = Math.ceil(Math.abs(off) / 1000);
    const how = off > 0 ? 'ahead of' : 'behind';
    return `the clock of this machine is ${seconds} s ${how} that of the run store, and 5 s are allowed: nothing is started until it is set right; see whether its time service (NTP) works`;
  }

  /** @throws ClockError when nothing may be started now */
  readonly admit = async (): Promise<void> => {
    const { clock } = this.#ports;
    // A machine that slept has a monotonic clock that did: then only the store knows.
    if (this.#known === undefined || this.fault !== undefined) await this.#measure();
    else if (clock.monotonic() - this.#known.at >= KNOWN_FOR_MS) void this.#measure();
    this.#tell();
    const { fault } = this;
    if (fault !== undefined) throw new ClockError(fault);
  };

  /** How far the clock is off at least, ahead if positive. Milliseconds. */
  #off(): number {
    if (this.#known === undefined) return 0;
    const { clock } = this.#ports;
    const mine = clock.now() - clock.monotonic();
    const { from, to } = this.#known;
    return Math.max(0, mine - to) + Math.min(0, mine - from);
  }

  #measure(): Promise<void> {
    this.#measuring ??= this.#ask().finally(() => {
      this.#measuring = undefined;
    });
    return this.#measuring;
  }

  async #ask(): Promise<void> {
    const { store, clock } = this.#ports;
    const sent = clock.monotonic();
    // A store that does not answer starts nothing either, and whoever asks it for more says so.
    const time = await store.time?.().catch(() => undefined);
    if (time === undefined) return;
    const at = clock.monotonic();
    this.#known = { from: time - at, to: time + TOLD_TO_MS - sent, at };
  }

  /** Says when it changes. */
  #tell(): void {
    const { emit } = this.#ports;
    const { fault } = this;
    const isOff = fault !== undefined;
    if (isOff === this.#wasOff) return;
    this.#wasOff = isOff;
    if (isOff) emit({ kind: 'error', message: fault });
    else emit({ kind: 'note', message: 'the clock of this machine agrees with that of the run store again' });
  }
}
