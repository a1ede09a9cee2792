import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe } from '@jest/globals';
import type { LogLine } from '../support/daemon-process.ts';
import { CONTAINER_PREFIX, type Done, podman } from './tools.ts';

const { KUBERCRON_TEST_IMAGE: image, KUBERCRON_TEST_LAMBDA_IMAGE: lambda } = process.env;

/** Tests that need the image; why they are skipped is said once, at the start of the suite. */
export const describeImage = image === undefined ? describe.skip : describe;
/** Tests that need the image for Lambda. */
export const describeLambdaImage = lambda === undefined ? describe.skip : describe;

/** As an orchestrator that trusts nobody runs it: nothing of the root file system can be written, no rights. */
const HARDENED = [
  '--read-only',
  '--read-only-tmpfs=false',
  '--cap-drop',
  'all',
  '--security-opt',
  'no-new-privileges',
];

export interface ContainerOptions {
  /** Files of `/etc/kuber-cron`. */
  readonly crontabs?: Readonly<Record<string, string>>;
  /** Further options of `podman run`. */
  readonly options?: readonly string[];
  /** What is run in place of the default. */
  readonly command?: readonly string[];
  readonly image?: string;
  /** The image has its own. */
  readonly ownCrontabs?: true;
}

/** A run as `kuber-cron runs` has it, in part. */
export interface ShownRun {
  readonly jobId: string;
  readonly status: string;
  readonly attempts: readonly {
    readonly number: number;
    readonly status?: string;
    readonly exitCode?: number;
  }[];
}

let count = 0;

/** A container of the image, and the folder of its crontabs. */
export class Container {
  readonly name = `${CONTAINER_PREFIX}-${process.pid}-${++count}`;
  readonly folder = mkdtempSync(join(tmpdir(), 'kuber-cron-'));
  readonly #options: ContainerOptions;

  constructor(options: ContainerOptions) {
    this.#options = options;
    mkdirSync(this.crontabs);
    for (const [file, text] of Object.entries(options.crontabs ?? {})) this.write(file, text);
  }

  get crontabs(): string {
    return join(this.folder, 'crontabs');
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.crontabs, file), text);
  }

  /** Starts it in the background. */
  async start(): Promise<this> {
    const { options = [], command = [], image: from = image ?? '', ownCrontabs } = this.#options;
    const mounts = ownCrontabs === true ? [] : ['--volume', `${this.crontabs}:/etc/kuber-cron:ro`];
    const done = await podman('run', '--detach', ...this.#common(), ...mounts, ...options, from, ...command);
    if (done.code !== 0) throw new Error(done.stderr);
    return this;
  }

  #common(): string[] {
    const most = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim();
    // Podman would raise them to its own, which not every root may; its checks of health want systemd.
    const limits =
      most === 'unlimited' ? [] : ['--ulimit', `nofile=${most}:${most}`, '--ulimit', 'nproc=4096:4096'];
    return ['--name', this.name, '--network', 'none', '--health-interval', 'disable', ...limits, ...HARDENED];
  }

  /** Runs a program in it. */
  exec(...command: readonly string[]): Promise<Done> {
    return podman('exec', this.name, ...command);
  }

  /** What an address of the daemon answers. */
  async get(path: string): Promise<{ readonly status: number; readonly body: string }> {
    const script = `const r = await fetch('http://127.0.0.1:9746${path}'); console.log(JSON.stringify({ status: r.status, body: await r.text() }))`;
    const { code, stdout, stderr } = await this.exec('node', '--input-type=module', '-e', script);
    if (code !== 0) throw new Error(stderr);
    return JSON.parse(stdout);
  }

  async lines(): Promise<readonly LogLine[]> {
    const { stdout } = await podman('logs', this.name);
    return stdout.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as LogLine] : []));
  }

  /** Waits for the nth line of an event in its log. */
  async event(event: string, nth = 1): Promise<LogLine> {
    for (;;) {
      // Before the lines: what was said at the end shall be read.
      const isUp = (await this.state()).status === 'running';
      const lines = await this.lines();
      const line = lines.filter((one) => one.event === event)[nth - 1];
      if (line !== undefined) return line;
      if (!isUp) throw new Error(`the container ended without ${event}:\n${JSON.stringify(lines, null, 1)}`);
      await sleep(100);
    }
  }

  /** When it started. Epoch milliseconds. */
  async startedAt(): Promise<number> {
    const { stdout } = await podman('inspect', '--format', '{{.State.StartedAt.UnixMilli}}', this.name);
    return Number(stdout.trim());
  }

  async state(): Promise<{ readonly status: string; readonly exitCode: number }> {
    const { stdout } = await podman(
      'inspect',
      '--format',
      '{{.State.Status}} {{.State.ExitCode}}',
      this.name,
    );
    const [status = '', exitCode] = stdout.trim().split(' ');
    return { status, exitCode: Number(exitCode) };
  }

  /** Runs so far, newest first. */
  async runs(): Promise<readonly ShownRun[]> {
    const { stdout } = await this.exec('kuber-cron', 'runs', '--format', 'json');
    return (JSON.parse(stdout) as { runs: ShownRun[] }).runs;
  }

  async remove(): Promise<void> {
    await podman('rm', '--force', '--volumes', '--time', '0', this.name);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
