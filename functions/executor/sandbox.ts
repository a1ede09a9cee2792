import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type AttemptMark, findLeftovers, killLeftovers } from '../../shared/adapters/leftovers.ts';

/** Between TERM and KILL for what a former invocation left: nobody waits for what it does. Milliseconds. */
const GRACE_MS = 500;
/** Says, to whatever runs in this sandbox after us, what ran here. */
const MARKER = '.kuber-cron-run.json';

/** A run that was started in this sandbox by an invocation that did not come to its end. */
export interface FormerRun {
  readonly jobId: string;
  readonly runId: string;
  /** Its owner's. */
  readonly token: string;
  /** As the command knows it: `KUBERCRON_RUN_ID` and `KUBERCRON_OWNER`. */
  readonly mark: { readonly runId: string; readonly owner: string };
}

/** Where a command works: folders of its own. */
export interface Workplace {
  readonly home: string;
  /** Inside of it. */
  readonly temporary: string;
}

export interface SandboxOptions {
  /** In which commands work. */
  readonly folder: string;
  /** Whether nobody else uses the folder: then all that is new in it after a run is removed, else the run's own. */
  readonly isOwnFolder: boolean;
  /** Whether every process with the mark of a run is one of this sandbox; else those of the former run are. */
  readonly isAlone: boolean;
}

/**
 * What of Lambda's execution environment outlives an invocation: its processes and its files. Nothing of a run is left
 * to the next.
 */
export class Sandbox {
  readonly #folder: string;
  readonly #isOwnFolder: boolean;
  readonly #isAlone: boolean;
  #workplace: Workplace | undefined;
  /** What was in the folder when the invocation began. */
  #before: readonly string[] = [];

  constructor({ folder, isOwnFolder, isAlone }: SandboxOptions) {
    this.#folder = folder;
    this.#isOwnFolder = isOwnFolder;
    this.#isAlone = isAlone;
  }

  /**
   * Ends what former invocations left: after a time-out or a crash the same sandbox begins anew with its files, and it
   * may be with processes.
   *
   * @returns the run that was under way then; undefined when the last invocation came to its end
   */
  async sweep(): Promise<FormerRun | undefined> {
    const marker = this.#isOwnFolder ? this.#readMarker() : undefined;
    const mark = marker?.run.mark;
    const isLeft = ({ runId, owner }: AttemptMark) =>
      this.#isAlone || (mark !== undefined && runId === mark.runId && owner === mark.owner);
    if (this.#isAlone || mark !== undefined) await killLeftovers(() => findLeftovers(isLeft), GRACE_MS);
    if (marker !== undefined) {
      this.#before = marker.before;
      await this.#removeNew();
    }
    return marker?.run;
  }

  /** @throws Error when the folder cannot be written */
  enter(): Workplace {
    this.#before = readdirSync(this.#folder);
    const home = mkdtempSync(join(this.#folder, 'kuber-cron-run-'));
    const temporary = join(home, 'tmp');
    mkdirSync(temporary, { mode: 0o700 });
    this.#workplace = { home, temporary };
    return this.#workplace;
  }

  /** Notes which run is started now, for whoever comes after a crash. */
  remember(run: FormerRun): void {
    if (!this.#isOwnFolder) return;
    writeFileSync(join(this.#folder, MARKER), JSON.stringify({ run, before: this.#before }), { mode: 0o600 });
  }

  /** Removes what the command left in files. @returns paths that could not be removed */
  async leave(): Promise<readonly string[]> {
    const home = this.#workplace?.home;
    this.#workplace = undefined;
    if (this.#isOwnFolder) return await this.#removeNew();
    return home === undefined || (await removed(home)) ? [] : [home];
  }

  /** All that is new but the marker, then that. */
  async #removeNew(): Promise<string[]> {
    const known = new Set([...this.#before, MARKER]);
    const left: string[] = [];
    for (const name of (await readdir(this.#folder)).filter((one) => !known.has(one))) {
      const path = join(this.#folder, name);
      if (!(await removed(path))) left.push(path);
    }
    rmSync(join(this.#folder, MARKER), { force: true });
    return left;
  }

  #readMarker(): { readonly run: FormerRun; readonly before: readonly string[] } | undefined {
    try {
      return JSON.parse(readFileSync(join(this.#folder, MARKER), 'utf8'));
    } catch {
      // There is none; or the command, whose folder this was too, has written something else there.
      return undefined;
    }
  }
}

async function removed(path: string): Promise<boolean> {
  try {
    await rm(path, { recursive: true, force: true });
    return true;
  } catch {
    try {
      // Of folders that a command has locked it is the owner, and so are we.
      await unlock(path);
      await rm(path, { recursive: true, force: true });
      return true;
    } catch {
      return false;
    }
  }
}

async function unlock(folder: string): Promise<void> {
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true }))
    if (entry.isDirectory()) await unlock(join(folder, entry.name));
}
