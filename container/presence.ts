import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { presencePrefix } from '../shared/adapters/open-store.ts';
import type { Owner } from '../shared/core/run/run.ts';

/** A file beside the store for each daemon that works on it, so that a second one can say so. */
export class Presence {
  readonly #path: string;
  /** Daemons on this store that are alive. */
  readonly others: readonly Owner[];

  /** @param isAlive undefined when that cannot be seen from here */
  constructor(store: string, owner: Owner, isAlive: (owner: Owner) => boolean | undefined) {
    const folder = dirname(store);
    const prefix = basename(presencePrefix(store));
    const others: Owner[] = [];
    for (const name of readdirSync(folder)) {
      if (!name.startsWith(prefix)) continue;
      const path = join(folder, name);
      const other = readOwner(path);
      const lives = other === undefined ? false : isAlive(other);
      if (other !== undefined && lives === true) others.push(other);
      // Left behind by a daemon that was killed.
      if (lives === false) rmSync(path, { force: true });
    }
    this.others = others;
    this.#path = `${presencePrefix(store)}${owner.token}`;
    writeFileSync(this.#path, JSON.stringify(owner), { mode: 0o600 });
  }

  close(): void {
    rmSync(this.#path, { force: true });
  }
}

function readOwner(path: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Owner;
  } catch {
    // One that was cut off when the machine stopped.
    return undefined;
  }
}
