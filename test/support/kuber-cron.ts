import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { main } from '../../cli/main.ts';
import type { Command, Io } from '../../shared/adapters/command-line.ts';

/** What an invocation left. */
export interface Outcome {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

export interface World {
  readonly stdin?: string | Uint8Array | AsyncIterable<Uint8Array>;
  readonly env?: Readonly<Record<string, string>>;
  /** Wall clock, ISO 8601. (Default: the machine's) */
  readonly now?: string;
  /** Both outputs are a terminal of so many columns. */
  readonly columns?: number;
  /** Commands of other entry folders. */
  readonly others?: readonly Command[];
}

/** Runs the command line inside this process: strings in, strings out. */
export async function kuberCron(argv: readonly string[], world: World = {}): Promise<Outcome> {
  const { stdin = '', env = {}, now, columns, others } = world;
  const written = { stdout: '', stderr: '' };
  const output = (name: keyof typeof written) => ({
    write: (text: string) => {
      written[name] += text;
    },
    isTTY: columns !== undefined,
    ...(columns === undefined ? {} : { columns }),
  });
  const io: Io = {
    stdin: typeof stdin === 'string' || stdin instanceof Uint8Array ? once(Buffer.from(stdin)) : stdin,
    stdout: output('stdout'),
    stderr: output('stderr'),
    env,
    ...(now === undefined ? {} : { now: () => Date.parse(now) }),
  };
  const code = await main(argv, io, others);
  return { code, ...written };
}

async function* once(bytes: Uint8Array) {
  yield bytes;
}

const LAUNCHER = fileURLToPath(new URL('../../cli/kuber-cron.js', import.meta.url));

export interface Launch {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly uid?: number;
  /** Sent as soon as standard output has a line. */
  readonly signal?: NodeJS.Signals;
  /** Standard output is closed by its reader as soon as it has a line. */
  readonly hangsUp?: boolean;
  /** File descriptor in the place of standard output. */
  readonly stdout?: number;
}

/**
 * Runs a program in a process of its own.
 *
 * @param command the program and its arguments; `kuber-cron` stands for the launcher under this Node
 * @returns `code` is the signal's name when one ended it
 */
export function launch([program = '', ...argv]: readonly string[], options: Launch = {}): Promise<Outcome> {
  const { env = {}, cwd, uid, signal, hangsUp, stdout } = options;
  const [file, args] = program === 'kuber-cron' ? [process.execPath, [LAUNCHER, ...argv]] : [program, argv];
  const child = spawn(file, args, {
    stdio: ['ignore', stdout ?? 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, ...env },
    ...(cwd === undefined ? {} : { cwd }),
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  const written = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      written[name] += text;
    });
  child.stdout?.once('data', () => {
    if (signal !== undefined) child.kill(signal);
    if (hangsUp === true) child.stdout?.destroy();
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, ended) => resolve({ code: code ?? (ended as string), ...written }));
  });
}
