import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { SqliteRunStore } from '../../shared/adapters/sqlite-run-store.ts';
import type { JobState } from '../../shared/core/run/job-state.ts';
import type { Run } from '../../shared/core/run/run.ts';
import type { RunStore } from '../../shared/core/run/run-store.ts';
import type { LogLine } from './daemon-process.ts';
import type { Pace } from './fault-clock.ts';
import { FAULT_CRONTAB, WORK } from './fault-crontab.ts';
import type { JournalLine } from './fault-judge.ts';

/** A daemon's last moment: the nth call of a method of its run store. */
export interface Death {
  readonly method: string;
  readonly nth: number;
  readonly moment: 'before' | 'after';
}

export interface Faults {
  readonly pace: Pace;
  readonly death?: Death | undefined;
  /** Whether the daemon hears what the store's own clock shows. (Default: false) */
  readonly isTimeTold?: boolean;
}

/** All methods of the run store, as deaths and faults name them. */
export const STORE_METHODS: readonly string[] = Object.getOwnPropertyNames(SqliteRunStore.prototype).filter(
  (name) => name !== 'constructor' && name !== 'close',
);

const ENTRY = fileURLToPath(new URL('../faults/daemon-entry.ts', import.meta.url));
const LAUNCHER = fileURLToPath(new URL('../../cli/kuber-cron.js', import.meta.url));

/** How long is waited for what must come. Milliseconds. */
const PATIENCE_MS = 60_000;

/** A run store of a home that is not a file in it. */
export interface HomeStore {
  /** As `--store` takes it. */
  readonly option: string;
  /** What a daemon needs in its environment to reach it. */
  readonly env: Readonly<Record<string, string>>;
  /** To read in. */
  readonly store: RunStore;
}

/** A folder with one crontab, one run store, and one journal that all its commands write to. */
export class FaultHome {
  readonly folder = mkdtempSync(join(tmpdir(), 'kuber-cron-'));
  readonly crontab = this.path(`${FAULT_CRONTAB}.crontab`);
  readonly store = this.path('state/store.sqlite');
  /** A process in whose view of the file system the state folder is another one; see `fault-disk.ts`. */
  holder: number | undefined;
  readonly #daemons: FaultDaemon[] = [];
  readonly #remote: HomeStore | undefined;

  /** @param remote (Default: a SQLite file in the home) */
  constructor(remote?: HomeStore) {
    this.#remote = remote;
    mkdirSync(this.path('locks'));
    mkdirSync(this.path('state'));
    writeFileSync(this.path('work.sh'), WORK);
    writeFileSync(this.path('journal'), '');
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /**
   * Starts a daemon, under a clock or a death of a test's own, or as it is shipped.
   *
   * @param http as `--http` takes it
   */
  start(faults?: Faults, http = 'off'): FaultDaemon {
    const log = this.path(`log-${this.#daemons.length + 1}`);
    const daemon = new FaultDaemon(
      log,
      faults === undefined ? this.shipped() : [process.execPath, ENTRY, ...this.#arguments(http)],
      {
        ...{ PATH: process.env.PATH, XDG_STATE_HOME: this.folder, FAULTS: JSON.stringify(faults) },
        ...this.#remote?.env,
      },
      this.holder === undefined ? [] : ['nsenter', `--mount=/proc/${this.holder}/ns/mnt`],
    );
    this.#daemons.push(daemon);
    return daemon;
  }

  /** The command line of the daemon as it is shipped. */
  shipped(): readonly string[] {
    return [process.execPath, LAUNCHER, 'daemon', ...this.#arguments('off')];
  }

  #arguments(http: string): readonly string[] {
    const { options, crontab } = this;
    return [...options, '--log', 'json', '--http', http, '--reboot-on', 'start', crontab];
  }

  /** Runs a command line of the program in this home. */
  command(args: readonly string[]): ChildProcess {
    return spawn(process.execPath, [LAUNCHER, ...args], {
      env: { PATH: process.env.PATH, XDG_STATE_HOME: this.folder },
      stdio: 'ignore',
    });
  }

  get options(): readonly string[] {
    return ['--zone', 'UTC', '--store', this.#remote?.option ?? `sqlite:${this.store}`];
  }

  journal(): JournalLine[] {
    return readFileSync(this.path('journal'), 'utf8').split('\n').filter(Boolean).map(journalLine);
  }

  async read<T>(query: (store: RunStore) => Promise<T>): Promise<T> {
    if (this.#remote !== undefined) return await query(this.#remote.store);
    const store = SqliteRunStore.open(
      this.holder === undefined ? this.store : this.#copyOfStore(this.holder),
    );
    try {
      return await query(store);
    } finally {
      await store.close();
    }
  }

  /** SQLite would follow the link out of the holder's view. A copy that is torn fails, and is made again. */
  #copyOfStore(holder: number): string {
    const copy = this.path('copy.sqlite');
    for (const end of ['', '-wal', '-shm']) rmSync(copy + end, { force: true });
    for (const end of ['', '-wal']) {
      const file = `/proc/${holder}/root${this.store}${end}`;
      if (existsSync(file)) copyFileSync(file, copy + end);
    }
    return copy;
  }

  history(): Promise<{ runs: readonly Run[]; states: readonly JobState[] }> {
    return this.read(async (store) => ({
      runs: await store.runs({ limit: 1_000_000 }),
      states: await store.states(FAULT_CRONTAB),
    }));
  }

  /** Processes of runs of this home that live, as `pid run name`. */
  processes(): string[] {
    return readdirSync('/proc').flatMap((pid) => {
      if (!/^\d+$/.test(pid)) return [];
      try {
        const variables = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
        const run = variables.find((one) => one.startsWith('KUBERCRON_RUN_ID='));
        if (run === undefined || !variables.includes(`HOME=${this.folder}`)) return [];
        const name = readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').trim();
        return [`${pid} ${run.slice('KUBERCRON_RUN_ID='.length)} ${name.slice(0, 80)}`];
      } catch {
        // It ended meanwhile, or is another user's.
        return [];
      }
    });
  }

  /** What the daemons logged about a run or a job. */
  logged(word: string): string[] {
    return this.#daemons.flatMap((daemon, index) =>
      daemon.lines
        .filter((line) => JSON.stringify(line).includes(word))
        .map(({ time, msg, event }) => `daemon ${index + 1} at ${time}: ${event}: ${msg}`),
    );
  }

  /** How often the daemons logged an event. */
  count(event: string): number {
    return this.#daemons.flatMap((daemon) => daemon.lines.filter((line) => line.event === event)).length;
  }

  /** Everything that the daemons wrote that was no log, and their errors. */
  errors(): string[] {
    return this.#daemons.flatMap((daemon, index) => [
      ...daemon.errors
        .split('\n')
        .filter(Boolean)
        .slice(0, 5)
        .map((line) => `daemon ${index + 1}: ${line}`),
      ...daemon.lines
        .filter(({ level }) => level === 'error')
        .map(({ msg, error }) => `daemon ${index + 1}: ${msg}: ${error}`),
    ]);
  }

  async remove(): Promise<void> {
    for (const daemon of this.#daemons) await daemon.kill();
    for (const line of this.processes()) signal(Number(line.split(' ')[0]), 'SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export class FaultDaemon {
  readonly child: ChildProcess;
  readonly exited: Promise<unknown>;
  readonly #log: string;

  constructor(
    log: string,
    command: readonly string[],
    env: Readonly<Record<string, string | undefined>>,
    through: readonly string[] = [],
  ) {
    this.#log = log;
    const [output, errors] = [openSync(log, 'a'), openSync(`${log}.err`, 'a')];
    const [program, ...rest] = [...through, ...command] as [string, ...string[]];
    this.child = spawn(program, rest, { env, stdio: ['ignore', output, errors] });
    closeSync(output);
    closeSync(errors);
    this.exited = once(this.child, 'exit');
  }

  get isOver(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  get lines(): LogLine[] {
    return readFileSync(this.#log, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as LogLine);
  }

  get errors(): string {
    return existsSync(`${this.#log}.err`) ? readFileSync(`${this.#log}.err`, 'utf8') : '';
  }

  /** Waits for the nth line of an event. @throws Error when the daemon ends before, or it does not come */
  async event(event: string, nth = 1): Promise<LogLine> {
    const lines = await waitFor(`line ${nth} of ${event}`, () => {
      const lines = this.lines.filter((line) => line.event === event);
      if (lines.length < nth && this.isOver)
        throw new Error(
          `the daemon ended without ${event}:\n${this.errors}${readFileSync(this.#log, 'utf8')}`,
        );
      return lines.length >= nth ? lines : undefined;
    });
    return lines[nth - 1] as LogLine;
  }

  /** Waits until it has a crontab in force, or has ended before. */
  async isAtWork(): Promise<void> {
    const isSo = () => this.isOver || this.lines.some(({ event }) => event === 'crontab-loaded');
    await waitFor('a crontab in force', () => isSo() || undefined);
  }

  /** @returns the signal that ended it, or its exit code */
  async kill(): Promise<string | number | null> {
    return this.signal('SIGKILL');
  }

  /** Sends a signal and waits for the end. */
  async signal(name: NodeJS.Signals): Promise<string | number | null> {
    if (!this.isOver) {
      this.child.kill(name);
      await this.exited;
    }
    return this.child.signalCode ?? this.child.exitCode;
  }
}

/** Asks until there is an answer. @throws Error when there is none in a minute */
export async function waitFor<T>(
  what: string,
  ask: () => T | undefined | Promise<T | undefined>,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const giveUpAt = performance.now() + patienceMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > giveUpAt) throw new Error(`${what} did not come in ${patienceMs / 1000} s`);
    await sleep(50);
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone.
  }
}

function journalLine(line: string): JournalLine {
  const [what, run = '', attempt, last = ''] = line.split(' ');
  const key = { run, attempt: Number(attempt) };
  if (what === 'start') return { what, ...key, time: last };
  if (what === 'end') return { what, ...key, exitCode: Number(last) };
  if (what === 'overlap') return { what, ...key };
  throw new Error(`the journal has a line that no command writes: ${line}`);
}
