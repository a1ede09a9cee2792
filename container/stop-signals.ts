/** One key press may arrive twice: from the terminal, and from a parent that passes it on. Milliseconds. */
const ONE_PRESS_MS = 300;

/** The signals that a daemon listens to, from construction to `close`. */
export class StopSignals {
  /** Resolves with what asked to stop. */
  readonly stopped: Promise<string>;
  readonly #stop: (what: string) => void;
  readonly #hurry = new AbortController();
  readonly #onHangUp: () => void;
  #stoppedAt: number | undefined;

  /** @param reload what HUP asks for; left out, it stops: who closes a terminal wants its daemon to end with it */
  constructor(reload: (() => void) | undefined) {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.stopped = promise;
    this.#stop = resolve;
    // It never hurries: a terminal that is closed sends several.
    this.#onHangUp = reload ?? (() => this.stop('SIGHUP'));
    process.on('SIGTERM', this.#onSignal).on('SIGINT', this.#onSignal).on('SIGHUP', this.#onHangUp);
  }

  /** Aborted by a second signal: commands shall end now. */
  get hurry(): AbortSignal {
    return this.#hurry.signal;
  }

  get isStopping(): boolean {
    return this.#stoppedAt !== undefined;
  }

  stop(what: string): void {
    this.#stoppedAt ??= performance.now();
    this.#stop(what);
  }

  close(): void {
    process.off('SIGTERM', this.#onSignal).off('SIGINT', this.#onSignal).off('SIGHUP', this.#onHangUp);
  }

  readonly #onSignal = (signal: NodeJS.Signals) => {
    const first = this.#stoppedAt;
    if (first === undefined) this.stop(signal);
    else if (performance.now() - first > ONE_PRESS_MS) this.#hurry.abort();
  };
}
