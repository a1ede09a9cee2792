import { NotificationSender, type SenderPorts } from '../shared/core/notify/sender.ts';

/** Runs of other processes end without a word to this one. Milliseconds. */
const LOOK_EVERY_MS = 15_000;
/** How long a shutdown may take: with drain and grace less than the thirty seconds of Kubernetes. Milliseconds. */
const FLUSH_MS = 3_000;

/** Sends what the queue holds for as long as the daemon runs. */
export class Notifier {
  readonly #clock: SenderPorts['clock'];
  readonly #sender: NotificationSender;
  readonly #stopped = Promise.withResolvers<void>();
  /** Ends the tries that are under way. */
  readonly #cut = new AbortController();
  #wake = new AbortController();
  #isStopping = false;

  constructor(ports: SenderPorts) {
    this.#clock = ports.clock;
    this.#sender = new NotificationSender(ports);
  }

  /** Goes round until `stop` is called, then sends for three seconds at most what is due; the rest stays queued. */
  async run(): Promise<void> {
    const clock = this.#clock;
    const done = new AbortController();
    void this.#stopped.promise.then(() => clock.sleep(FLUSH_MS, done.signal)).then(() => this.#cut.abort());
    while (!this.#isStopping) {
      // Before the pass: who wakes in the middle of it is not overheard.
      this.#wake = new AbortController();
      const { signal } = this.#wake;
      await this.#sender.pass(this.#cut.signal);
      if (!this.#isStopping) await clock.sleep(LOOK_EVERY_MS, signal);
    }
    await this.#sender.pass(this.#cut.signal);
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
}
