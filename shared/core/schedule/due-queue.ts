import type { EpochMs } from './zone-table.ts';

interface Item<T> {
  readonly instant: EpochMs;
  readonly value: T;
}

/** Values in the order of their instants: a binary heap, so that a minute costs what is due in it, not what exists. */
export class DueQueue<T> {
  readonly #heap: Item<T>[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** The earliest instant; undefined when the queue is empty. */
  get next(): EpochMs | undefined {
    return this.#heap[0]?.instant;
  }

  push(instant: EpochMs, value: T): void {
    const heap = this.#heap;
    const item = { instant, value };
    let at = heap.length;
    heap.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Item<T>;
      if (above.instant <= instant) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = item;
  }

  /** Takes out the earliest value that is due at or before an instant. */
  popDue(now: EpochMs): T | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.instant > now) return undefined;
    const last = heap.pop() as Item<T>;
    if (heap.length > 0) this.#sink(last);
    return first.value;
  }

  /** Removes all values that a test names. */
  remove(isUnwanted: (value: T) => boolean): void {
    const kept = this.#heap.filter(({ value }) => !isUnwanted(value));
    this.#heap.length = 0;
    for (const { instant, value } of kept) this.push(instant, value);
  }

  #sink(item: Item<T>): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      if (left === undefined) break;
      const isRight = right !== undefined && right.instant < left.instant;
      const below = isRight ? right : left;
      if (below.instant >= item.instant) break;
      heap[at] = below;
      at = 2 * at + (isRight ? 2 : 1);
    }
    heap[at] = item;
  }
}
