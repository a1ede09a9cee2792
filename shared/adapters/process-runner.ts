import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { Masker } from '../core/run/mask.ts';
import type { CommandEnd, CommandRunner, CommandSpec, RunningCommand } from '../core/run/ports.ts';
import { OUTPUT_TAIL_BYTES, type OutputTail, type RunOutput } from '../core/run/run.ts';

type Stream = 'stdout' | 'stderr';

/** A stream's file is emptied when it grows beyond this: its end is kept, the disk is not filled. Bytes. */
const LARGEST_OUTPUT = 64 * 2 ** 20;
/** How often running commands' files are looked at. Milliseconds. */
const SIZE_CHECK_MS = 2000;
/** How long the streams of a command that has ended may stay open in its descendants. Milliseconds. */
const LINGER_MS = 500;

/**
 * Runs commands with their output in files: a pipe costs the daemon a wake-up for every line of a thousand jobs,
 * and a descendant that holds it open would keep the run from ending.
 */
export class FileCommandRunner implements CommandRunner {
  readonly #folder: string;
  readonly #open = new Set<OutputFile>();
  #sizeCheck: NodeJS.Timeout | undefined;

  /** @param folder for the files; they have no name while they are in use, so none is left behind */
  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#folder = folder;
  }

  start(spec: CommandSpec): RunningCommand {
    let files: Record<Stream, OutputFile>;
    try {
      files = { stdout: new OutputFile(this.#folder), stderr: new OutputFile(this.#folder) };
    } catch (error) {
      return { ended: Promise.resolve(notStarted(error, spec)), kill: () => {} };
    }
    const stdin = spec.stdin === undefined ? 'ignore' : 'pipe';
    const child = spawnCommand(spec, [stdin, files.stdout.fd, files.stderr.fd]);
    if ('kind' in child) {
      files.stdout.close();
      files.stderr.close();
      return { ended: Promise.resolve(child), kill: () => {} };
    }
    this.#watchSize(files.stdout);
    this.#watchSize(files.stderr);
    const masker = new Masker(spec.masked);
    const ended = new Promise<CommandEnd>((resolve) => {
      const finish = (end: CommandEnd) => {
        const output = { stdout: files.stdout.tail(masker), stderr: files.stderr.tail(masker) };
        for (const file of Object.values(files)) {
          this.#open.delete(file);
          file.close();
        }
        resolve(end.kind === 'not-started' || isEmpty(output) ? end : { ...end, output });
      };
      child.once('exit', (code, signal) => finish(exited(code, signal)));
      child.once('error', (error) => finish(notStarted(error, spec)));
    });
    feed(child, spec);
    return { ended, kill: (signal) => killGroup(child, signal) };
  }

  #watchSize(file: OutputFile): void {
    this.#open.add(file);
    this.#sizeCheck ??= setInterval(() => {
      for (const one of this.#open) one.limit();
      if (this.#open.size === 0) {
        clearInterval(this.#sizeCheck);
        this.#sizeCheck = undefined;
      }
    }, SIZE_CHECK_MS).unref();
  }
}

/** Runs one command for somebody who watches: output is passed on as it comes, and kept as well. */
export class StreamingCommandRunner implements CommandRunner {
  readonly #onOutput: (stream: Stream, text: string) => void;

  constructor(onOutput: (stream: Stream, text: string) => void) {
    this.#onOutput = onOutput;
  }

  start(spec: CommandSpec): RunningCommand {
    const child = spawnCommand(spec, [spec.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe']);
    if ('kind' in child) return { ended: Promise.resolve(child), kill: () => {} };
    const masker = new Masker(spec.masked);
    const streams = {
      stdout: this.#follow(child, 'stdout', masker),
      stderr: this.#follow(child, 'stderr', masker),
    };
    const ended = new Promise<CommandEnd>((resolve) => {
      let end: CommandEnd | undefined;
      const finish = () => {
        const output = { stdout: streams.stdout.end(), stderr: streams.stderr.end() };
        child.stdout?.destroy();
        child.stderr?.destroy();
        resolve(
          end === undefined || end.kind === 'not-started' || isEmpty(output)
            ? (end as CommandEnd)
            : { ...end, output },
        );
      };
      child.once('error', (error) => {
        end = notStarted(error, spec);
        finish();
      });
      child.once('exit', (code, signal) => {
        end = exited(code, signal);
        const timer = setTimeout(finish, LINGER_MS);
        child.once('close', () => {
          clearTimeout(timer);
          finish();
        });
      });
    });
    feed(child, spec);
    return { ended, kill: (signal) => killGroup(child, signal) };
  }

  #follow(child: ChildProcess, name: Stream, masker: Masker): { end(): OutputTail } {
    const decoder = new StringDecoder('utf8');
    let text = '';
    let droppedBytes = 0;
    const passed = masker.stream((part) => {
      this.#onOutput(name, part);
      text += part;
      const excess = Buffer.byteLength(text) - OUTPUT_TAIL_BYTES;
      // Cut seldom: a cut copies the tail.
      if (excess > OUTPUT_TAIL_BYTES) {
        const cut = cutTail(Buffer.from(text));
        droppedBytes += cut.droppedBytes;
        text = cut.text;
      }
    });
    child[name]?.on('data', (chunk: Buffer) => passed.write(decoder.write(chunk)));
    child[name]?.on('error', () => {});
    return {
      end: () => {
        passed.write(decoder.end());
        passed.end();
        const cut = cutTail(Buffer.from(text));
        return { text: cut.text, droppedBytes: droppedBytes + cut.droppedBytes };
      },
    };
  }
}

function spawnCommand(spec: CommandSpec, stdio: StdioOptions): ChildProcess | CommandEnd {
  try {
    return spawn(spec.shell, ['-c', spec.command], {
      cwd: spec.directory,
      env: spec.environment,
      // A process group of its own, so that a time-out reaches everything that the command started.
      detached: true,
      stdio,
    });
  } catch (error) {
    return notStarted(error, spec);
  }
}

function feed(child: ChildProcess, spec: CommandSpec): void {
  // A command may end without reading its input.
  child.stdin?.on('error', () => {});
  child.stdin?.end(spec.stdin);
}

function killGroup(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function exited(code: number | null, signal: NodeJS.Signals | null): CommandEnd {
  return signal === null ? { kind: 'exited', exitCode: code ?? 0 } : { kind: 'signalled', signal };
}

/** Exit codes as env(1) has them. */
function notStarted(error: unknown, spec: CommandSpec): CommandEnd {
  const { code, message } = error as NodeJS.ErrnoException;
  // The same code stands for a missing shell and a missing folder.
  if (code === 'ENOENT' && !existsSync(spec.directory)) {
    return {
      kind: 'not-started',
      exitCode: 125,
      error: `the working directory (HOME) \`${spec.directory}\` does not exist`,
    };
  }
  if (code === 'ENOENT') {
    return { kind: 'not-started', exitCode: 127, error: `the shell \`${spec.shell}\` does not exist` };
  }
  if (code === 'EACCES') {
    return { kind: 'not-started', exitCode: 126, error: `the shell \`${spec.shell}\` cannot be executed` };
  }
  return { kind: 'not-started', exitCode: 125, error: message };
}

function isEmpty({ stdout, stderr }: RunOutput): boolean {
  return stdout.text === '' && stderr.text === '' && stdout.droppedBytes + stderr.droppedBytes === 0;
}

/** A file without a name that a command writes to. */
class OutputFile {
  readonly fd: number;
  #dropped = 0;

  constructor(folder: string) {
    const path = join(folder, randomUUID());
    // Appending, so that a writer goes on at the start after the file was emptied.
    this.fd = openSync(
      path,
      constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND,
      0o600,
    );
    unlinkSync(path);
  }

  limit(): void {
    const { size } = fstatSync(this.fd);
    if (size <= LARGEST_OUTPUT) return;
    ftruncateSync(this.fd, 0);
    this.#dropped += size;
  }

  tail(masker: Masker): OutputTail {
    const { size } = fstatSync(this.fd);
    if (size === 0) return { text: '', droppedBytes: this.#dropped };
    // More than is kept, so that a secret is whole when it is looked for. Four bytes is the longest character.
    const wanted = Math.min(size, OUTPUT_TAIL_BYTES + masker.longest * 4);
    const bytes = Buffer.alloc(wanted);
    const got = readSync(this.fd, bytes, 0, wanted, size - wanted);
    const cut = cutTail(Buffer.from(masker.mask(bytes.subarray(0, got).toString('utf8'))));
    return { text: cut.text, droppedBytes: this.#dropped + (size - wanted) + cut.droppedBytes };
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** The last bytes of a UTF-8 text, from the beginning of a character. */
function cutTail(bytes: Buffer): OutputTail {
  let start = Math.max(0, bytes.length - OUTPUT_TAIL_BYTES);
  while (start > 0 && start < bytes.length && ((bytes[start] as number) & 0xc0) === 0x80) start++;
  return { text: bytes.toString('utf8', start), droppedBytes: start };
}
