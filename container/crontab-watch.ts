import { fileSignature } from '../shared/adapters/crontab-files.ts';

/** How often files are looked at, and how long a change must have rested before it is read. Milliseconds. */
const POLL_MS = 1000;
const REST_MS = 200;

/**
 * Tells when files change, by looking at them: this sees an editor's rename, a swapped link of a ConfigMap and a
 * network file system alike, which notifications of the kernel do not. A file is told of only when it has come to rest,
 * so that half of a write is not read.
 */
export class CrontabWatch {
  readonly #paths: () => readonly string[];
  readonly #onChange: () => void;
  #seen: string;
  #timer: NodeJS.Timeout | undefined;

  /**
   * Takes a first look; make it before the files are first read, so that no change falls between.
   *
   * @param paths files and folders to look at
   */
  constructor(paths: () => readonly string[], onChange: () => void) {
    this.#paths = paths;
    this.#onChange = onChange;
    this.#seen = this.#look();
  }

  start(): void {
    this.#schedule(POLL_MS, () => this.#poll());
  }

  /** Tells of the files once more, as if they had changed. */
  repeat(): void {
    this.#seen = '';
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #poll(): void {
    const now = this.#look();
    if (now === this.#seen) this.#schedule(POLL_MS, () => this.#poll());
    else this.#schedule(REST_MS, () => this.#rest(now));
  }

  #rest(before: string): void {
    const now = this.#look();
    if (now !== before) {
      this.#schedule(REST_MS, () => this.#rest(now));
      return;
    }
    this.#seen = now;
    this.#onChange();
    this.#schedule(POLL_MS, () => this.#poll());
  }

  #look(): string {
    return this.#paths().map(fileSignature).join('\n');
  }

  #schedule(ms: number, work: () => void): void {
    this.#timer = setTimeout(work, ms);
    this.#timer.unref();
  }
}
