/** A write that waits for the end of the turn. */
interface Write {
  /** May be called twice, the first time in a transaction that is rolled back. */
  readonly operation: () => unknown;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Runs an action in a transaction: returns when it is on the disk, throws when nothing of it is. */
export type Transact = <T>(action: () => T) => T;

/**
 * Executes all writes that are submitted within one turn of the event loop in their order and in one transaction: a
 * thousand claims of one minute wait for the disk once.
 */
export class GroupCommit {
  readonly #transact: Transact;
  #writes: Write[] = [];

  constructor(transact: Transact) {
    this.#transact = transact;
  }

  /** Resolves with the operation's result after the commit, or rejects when the operation or its commit failed. */
  submit<T>(operation: () => T): Promise<T> {
    if (this.#writes.length === 0) setImmediate(() => this.flush());
    return new Promise<T>((resolve, reject) => {
      this.#writes.push({ operation, resolve: resolve as Write['resolve'], reject });
    });
  }

  /** Executes what was submitted so far. */
  flush(): void {
    const writes = this.#writes;
    this.#writes = [];
    if (writes.length === 0) return;
    let isOperationAtFault = false;
    try {
      const results = this.#transact(() =>
        writes.map(({ operation }) => {
          isOperationAtFault = true;
          const result = operation();
          isOperationAtFault = false;
          return result;
        }),
      );
      for (const [index, { resolve }] of writes.entries()) resolve(results[index]);
    } catch (error) {
      // One write at fault must not take the others with it. A database that does not begin or commit is no write's fault.
      if (isOperationAtFault && writes.length > 1) this.#runEachAlone(writes);
      else for (const { reject } of writes) reject(error);
    }
  }

  #runEachAlone(writes: readonly Write[]): void {
    for (const { operation, resolve, reject } of writes) {
      try {
        resolve(this.#transact(operation));
      } catch (error) {
        reject(error);
      }
    }
  }
}
