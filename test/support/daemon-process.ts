import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SqliteRunStore } from '../../shared/adapters/sqlite-run-store.ts';
import { scheduledTimeText } from '../../shared/core/run/run-id.ts';

const LAUNCHER = new URL('../../cli/kuber-cron.js', import.meta.url).pathname;

/** A line of the daemon's log. */
export interface LogLine {
  readonly event: string;
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** A folder of one daemon's own: crontabs, store and whatever its commands write. */
export class DaemonHome {
  readonly folder = mkdtempSync(join(tmpdir(), 'kuber-cron-'));
  readonly crontab = this.path('shop.crontab');
  readonly daemons: DaemonProcess[] = [];

  constructor(crontab?: string) {
    if (crontab !== undefined) writeFileSync(this.crontab, crontab);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  get store(): string {
    return this.path('state/kuber-cron/store.sqlite');
  }

  /** Starts a daemon that runs `@reboot` jobs at once. */
  start(args: readonly string[] = [this.crontab], env: Readonly<Record<string, string>> = {}): DaemonProcess {
    const daemon = new DaemonProcess(this, args, env);
    this.daemons.push(daemon);
    return daemon;
  }

  /** The command line of a daemon in this home. */
  commandLine(args: readonly string[]): string[] {
    const all = ['daemon', '--reboot-on', 'start', '--zone', 'UTC', '--http', '127.0.0.1:0', ...args];
    return [process.execPath, LAUNCHER, ...all];
  }

  environment(env: Readonly<Record<string, string>> = {}): Record<string, string> {
    return { PATH: process.env.PATH ?? '', XDG_STATE_HOME: this.path('state'), ...env };
  }

  /** Runs so far, oldest first, as `job status reason`. */
  async history(): Promise<string[]> {
    const store = SqliteRunStore.open(this.store);
    try {
      const runs = await store.runs({ limit: 1000 });
      return runs
        .map(({ jobId, status, reason }) =>
          [jobId.replace('shop/', ''), status, reason ?? ''].join(' ').trim(),
        )
        .reverse();
    } finally {
      await store.close();
    }
  }

  /** What the last run of a job that is over wrote. */
  async lastOutput(jobId: string): Promise<{ runId: string; time: string; stdout: string; stderr: string }> {
    const store = SqliteRunStore.open(this.store);
    try {
      const [run] = await store.runs({ jobId, limit: 1 });
      if (run === undefined) throw new Error(`${jobId} never ran`);
      const output = await store.output(jobId, run.runId, 1);
      return {
        runId: run.runId,
        time: scheduledTimeText(run.scheduledTime),
        stdout: output?.stdout.text ?? '',
        stderr: output?.stderr.text ?? '',
      };
    } finally {
      await store.close();
    }
  }

  async remove(): Promise<void> {
    for (const daemon of this.daemons) await daemon.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export class DaemonProcess {
  readonly child: ChildProcess;
  /** All of standard output. */
  output = '';
  errors = '';
  readonly #exited: Promise<unknown>;

  constructor(home: DaemonHome, args: readonly string[], env: Readonly<Record<string, string>>) {
    mkdirSync(home.path('state'), { recursive: true });
    const [node, ...rest] = home.commandLine(args) as [string, ...string[]];
    this.child = spawn(node, rest, { env: home.environment(env), stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text;
    });
    this.#exited = once(this.child, 'exit');
  }

  get lines(): LogLine[] {
    return this.output
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as LogLine);
  }

  /** Log lines of an event so far. */
  all(event: string): LogLine[] {
    return this.lines.filter((line) => line.event === event);
  }

  /** Waits for the nth line of an event. */
  async event(event: string, nth = 1): Promise<LogLine> {
    for (;;) {
      const line = this.all(event)[nth - 1];
      if (line !== undefined) return line;
      if (this.#isOver) throw new Error(`the daemon ended without ${event}:\n${this.output}${this.errors}`);
      await sleep(20);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** @returns the exit code, or the signal that ended it */
  async exit(): Promise<number | string | null> {
    if (!this.#isOver) await this.#exited;
    return this.child.exitCode ?? this.child.signalCode;
  }

  async kill(): Promise<void> {
    if (this.#isOver) return;
    this.child.kill('SIGKILL');
    await this.#exited;
  }

  /** What an address of the daemon answers. */
  async get(path: string): Promise<{ status: number; body: string }> {
    const { address } = await this.event('listening');
    const response = await fetch(`${address}${path}`);
    return { status: response.status, body: await response.text() };
  }

  /** The value of a series, such as `up{job="x"}`; undefined when there is none. */
  async metric(series: string): Promise<number | undefined> {
    const { body } = await this.get('/metrics');
    const line = body.split('\n').find((one) => one.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  }

  get #isOver(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }
}
