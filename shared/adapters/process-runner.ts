import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  accessSync,
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
} from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout as sleep } from 'node:timers/promises';
import { Masker } from '../core/run/mask.ts';
import type { CommandEnd, CommandRunner, CommandSpec, RunningCommand } from '../core/run/ports.ts';
import { OUTPUT_TAIL_BYTES, type OutputTail, type RunOutput } from '../core/run/run.ts';
import { isGroupAlive } from './host.ts';
import { isAttemptLeft, markOf, signalEscaped } from './leftovers.ts';
import { type LimitedStart, limitedStart } from './limits.ts';
import { inputFile, lastBytes, OutputFile } from './output-file.ts';
import type { RunLogs } from './run-logs.ts';
import type { StreamLog } from './stream-log.ts';

type Stream = 'stdout' | 'stderr';

/** How often the sizes of running commands' files are looked at. Milliseconds. */
const SIZE_CHECK_MS = 250;
/** What commands that run for longer have written is copied to their logs so often. Milliseconds. */
const LOG_EVERY_MS = 1000;
/** Logs that are written to at a time. */
const LOG_LANES = 4;
/** How long the end of a run waits for its log; it is finished all the same. Milliseconds. */
const LOG_PATIENCE_MS = 2000;
/** Files that are made ahead, at most, so many at a time, and so long after a command was started. Milliseconds. */
const MOST_SPARE = 2000;
const SPARE_CHUNK = 20;
const SPARE_AFTER_MS = 3000;
const SPARE_EVERY_MS = 50;
/** What is left of the wish for spare files after a minute without. */
const SPARE_DECAY = 0.99;
/** How long the streams of a watched command that has ended may stay open in its descendants. Milliseconds. */
const LINGER_MS = 500;

/**
 * Runs commands with their output in files: a pipe costs the daemon a wake-up for every line of a thousand jobs,
 * and a descendant that holds it open would keep the run from ending.
 */
export class FileCommandRunner implements CommandRunner {
  readonly #folder: string;
  readonly #logs: RunLogs | undefined;
  readonly #open = new Set<Captured>();
  #sizeCheck: NodeJS.Timeout | undefined;
  #isCopying = false;
  /** Made ahead: on some file systems that takes as long as half of a start. */
  readonly #spare: OutputFile[] = [];
  /** Files that were taken since the last were made ahead: the next minute is to find as many. */
  #taken = 0;
  #wanted = 0;
  #refill: NodeJS.Timeout | undefined;

  /**
   * @param folder for the files; they have no name while they are in use, so none is left behind
   * @param logs take all that a command writes; the end of it is kept without them, too
   */
  constructor(folder: string, logs?: RunLogs) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#folder = folder;
    this.#logs = logs;
  }

  start(spec: CommandSpec): RunningCommand {
    const files: OutputFile[] = [];
    const closeAll = () => {
      for (const file of files) file.close();
    };
    try {
      for (let n = 0; n < 2; n++) files.push(this.#takeFile());
    } catch (error) {
      closeAll();
      return nothingStarted(filesFailed(this.#folder, error));
    }
    const [stdout, stderr] = files as [OutputFile, OutputFile];
    const started = spawnCommand(spec, this.#folder, [stdout.fd, stderr.fd]);
    if ('kind' in started) {
      closeAll();
      return nothingStarted(started);
    }
    const captured = [this.#capture(spec, 'stdout', stdout), this.#capture(spec, 'stderr', stderr)] as const;
    for (const one of captured) this.#open.add(one);
    this.#sizeCheck ??= setInterval(() => this.#limitSizes(), SIZE_CHECK_MS).unref();
    let logged: Promise<unknown> = Promise.resolve();
    const { child, release } = started;
    const ended = new Promise<CommandEnd>((resolve) => {
      child.once('error', (error) => resolve(notStarted(error, spec)));
      // Not `close`: descendants may hold the output open for as long as they like.
      child.once('exit', (code, signal) => {
        const masker = byteMasker(spec);
        const output = { stdout: tailOf(stdout, masker), stderr: tailOf(stderr, masker) };
        for (const one of captured) this.#open.delete(one);
        logged = Promise.all([this.#log(captured[0], output.stdout), this.#log(captured[1], output.stderr)]);
        const resolveNow = () => resolve(withOutput(exited(code, signal), output));
        const patience = setTimeout(resolveNow, LOG_PATIENCE_MS);
        void logged.then(resolveNow).finally(() => clearTimeout(patience));
      });
    }).finally(() => {
      release();
      for (const one of captured) this.#open.delete(one);
      void logged.finally(closeAll);
    });
    return running(started, ended);
  }

  /** @throws Error when there is no spare one and none can be made */
  #takeFile(): OutputFile {
    this.#taken++;
    clearTimeout(this.#refill);
    this.#refill = setTimeout(() => {
      // A busy hour is remembered over the quiet minutes in between.
      this.#wanted = Math.min(Math.max(this.#taken, Math.floor(this.#wanted * SPARE_DECAY)), MOST_SPARE);
      this.#taken = 0;
      this.#makeSpare();
    }, SPARE_AFTER_MS).unref();
    return this.#spare.pop() ?? new OutputFile(this.#folder);
  }

  /** A few at a time, between starts. */
  #makeSpare(): void {
    for (const file of this.#spare.splice(this.#wanted)) file.close();
    try {
      for (let n = 0; n < SPARE_CHUNK && this.#spare.length < this.#wanted; n++) {
        this.#spare.push(new OutputFile(this.#folder));
      }
    } catch {
      // A disk that is full, or no descriptors: what there is belongs to commands, which say what is wrong.
      for (const file of this.#spare.splice(0)) file.close();
      return;
    }
    if (this.#spare.length < this.#wanted) {
      this.#refill = setTimeout(() => this.#makeSpare(), SPARE_EVERY_MS).unref();
    }
  }

  #capture(spec: CommandSpec, stream: Stream, file: OutputFile): Captured {
    const log = spec.log && this.#logs?.open(spec.log, stream, file, byteMasker(spec));
    return { file, log, copiedAt: performance.now() };
  }

  /** Never rejects. */
  async #log({ file, log }: Captured, tail: OutputTail): Promise<void> {
    if (log === undefined) return;
    try {
      file.seal();
    } catch {
      // Then what others add is taken for the command's own.
    }
    // Bytes that are no text are in the files only.
    const isElsewhere = tail.droppedBytes === 0 && !tail.text.includes('\ufffd');
    await this.#logs?.finish(log, isElsewhere);
  }

  #limitSizes(): void {
    for (const { file, log } of this.#open) {
      try {
        file.limit(() => log?.rescue());
      } catch {
        // A disk that fails now is tried again in a moment; the command goes on.
      }
    }
    if (!this.#isCopying) void this.#copyToLogs();
    if (this.#open.size > 0) return;
    clearInterval(this.#sizeCheck);
    this.#sizeCheck = undefined;
  }

  /** A few at a time: a thousand commands that write must not keep others from being started. */
  async #copyToLogs(): Promise<void> {
    const now = performance.now();
    const due = [...this.#open].filter(
      ({ log, copiedAt }) => log !== undefined && now - copiedAt >= LOG_EVERY_MS,
    );
    const lane = async () => {
      for (let one = due.pop(); one !== undefined; one = due.pop()) {
        one.copiedAt = now;
        await one.log?.pump();
      }
    };
    this.#isCopying = true;
    await Promise.all(Array.from({ length: LOG_LANES }, lane));
    this.#isCopying = false;
  }
}

/** A stream of a command that runs. */
interface Captured {
  readonly file: OutputFile;
  readonly log: StreamLog | undefined;
  /** On the monotonic clock: when its log was written last, or the start. */
  copiedAt: number;
}

/** Runs one command for somebody who watches: output is passed on as it comes, and kept as well. */
export class StreamingCommandRunner implements CommandRunner {
  readonly #onOutput: (stream: Stream, text: string) => void;

  constructor(onOutput: (stream: Stream, text: string) => void) {
    this.#onOutput = onOutput;
  }

  start(spec: CommandSpec): RunningCommand {
    const pipes = namedPipes();
    const started = spawnCommand(spec, tmpdir(), pipes?.writers ?? ['pipe', 'pipe']);
    for (const fd of pipes?.writers ?? []) closeSync(fd);
    if ('kind' in started) {
      for (const reader of pipes?.readers ?? []) reader.destroy();
      return nothingStarted(started);
    }
    const { child, release } = started;
    const readers = pipes?.readers ?? [child.stdout as Readable, child.stderr as Readable];
    const stdout = this.#follow(readers[0], 'stdout', spec);
    const stderr = this.#follow(readers[1], 'stderr', spec);
    const ended = new Promise<CommandEnd>((resolve) => {
      child.once('error', (error) => resolve(notStarted(error, spec)));
      child.once('exit', async (code, signal) => {
        const linger = new AbortController();
        const closed = Promise.all([stdout.closed, stderr.closed]);
        await Promise.race([closed, sleep(LINGER_MS, undefined, { signal: linger.signal }).catch(() => {})]);
        linger.abort();
        resolve(withOutput(exited(code, signal), { stdout: stdout.end(), stderr: stderr.end() }));
      });
    }).finally(() => {
      release();
      for (const reader of readers) reader.destroy();
    });
    return running(started, ended);
  }

  #follow(reader: Readable, name: Stream, spec: CommandSpec) {
    const decoder = new StringDecoder('utf8');
    let tail: Buffer = Buffer.alloc(0);
    let droppedBytes = 0;
    const pass = (text: string) => {
      if (text !== '') this.#onOutput(name, text);
    };
    const masked = byteMasker(spec).stream((part) => {
      const bytes = Buffer.from(part, 'latin1');
      pass(decoder.write(bytes));
      tail = Buffer.concat([tail, bytes]);
      const excess = tail.length - OUTPUT_TAIL_BYTES;
      if (excess > 0) {
        droppedBytes += excess;
        tail = tail.subarray(excess);
      }
    });
    const closed = new Promise<void>((resolve) => reader.once('close', resolve));
    reader.on('error', () => {}).on('data', (chunk: Buffer) => masked.write(chunk.toString('latin1')));
    return {
      closed,
      end: (): OutputTail => {
        masked.end();
        pass(decoder.end());
        const last = lastBytes(tail, droppedBytes > 0);
        return { text: last.text, droppedBytes: droppedBytes + last.droppedBytes };
      },
    };
  }
}

/**
 * Pipes for both streams that a command can open anew as `/dev/stdout` and `/dev/stderr`: what Node calls a pipe is a
 * socket. Undefined where they cannot be made.
 */
function namedPipes(): { readers: [Readable, Readable]; writers: [number, number] } | undefined {
  let folder: string | undefined;
  try {
    folder = mkdtempSync(join(tmpdir(), 'kuber-cron-'));
    const paths = [join(folder, 'stdout'), join(folder, 'stderr')] as const;
    execFileSync('mkfifo', ['-m', '600', ...paths], { stdio: 'ignore' });
    // The reader first, and without waiting for its writer.
    const open = (path: string) => {
      const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      return [new Socket({ fd: reader, readable: true, writable: false }), openSync(path, 'w')] as const;
    };
    const [stdout, stderr] = [open(paths[0]), open(paths[1])];
    return { readers: [stdout[0], stderr[0]], writers: [stdout[1], stderr[1]] };
  } catch {
    return undefined;
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true });
  }
}

type Output = readonly [stdout: number | 'pipe', stderr: number | 'pipe'];

interface Started {
  readonly child: ChildProcess;
  readonly spec: CommandSpec;
  readonly limits: LimitedStart | undefined;
  /** Lets go of the input. */
  release(): void;
}

/** @returns the child; or why there is none */
function spawnCommand(spec: CommandSpec, folder: string, output: Output): Started | CommandEnd {
  let input: ReturnType<typeof inputFile> | undefined;
  try {
    input = spec.stdin === undefined ? undefined : inputFile(folder, spec.stdin);
  } catch (error) {
    return filesFailed(folder, error);
  }
  const release = () => input?.close();
  let limits: LimitedStart | undefined;
  try {
    limits = spec.limits && limitedStart(spec);
    const { file, args } = limits ?? { file: spec.shell, args: ['-c', spec.command] };
    const child = spawn(file, args, {
      cwd: spec.directory,
      env: spec.environment,
      // A process group of its own, so that a time-out reaches everything that the command started.
      detached: true,
      stdio: [input?.fd ?? 'ignore', ...output],
    });
    limits?.started(child);
    return { child, spec, limits, release };
  } catch (error) {
    limits?.ended(undefined, false);
    release();
    return notStarted(error, spec);
  }
}

function running({ child, spec, limits }: Started, ended: Promise<CommandEnd>): RunningCommand {
  const { pid } = child;
  const mark = markOf(spec.environment);
  let isKilled = false;
  return {
    ended: limits === undefined ? ended : ended.then((end) => withExceeded(end, limits, isKilled)),
    ...(pid === undefined ? {} : { processGroup: pid }),
    kill: (signal) => {
      if (pid === undefined) return;
      isKilled ||= signal === 'SIGKILL';
      signalGroup(pid, signal);
      if (mark !== undefined) signalEscaped(mark, pid, signal);
    },
    // The attempt first: one look answers for all commands that ask at the same time.
    isGroupLeft: () =>
      pid !== undefined && ((mark !== undefined && isAttemptLeft(mark)) || isGroupAlive(pid)),
  };
}

function withExceeded(end: CommandEnd, limits: LimitedStart, isKilled: boolean): CommandEnd {
  const exceeded = limits.ended(end, isKilled);
  return exceeded === undefined || end.kind === 'not-started' ? end : { ...end, exceeded };
}

function nothingStarted(end: CommandEnd): RunningCommand {
  return { ended: Promise.resolve(end), kill: () => {}, isGroupLeft: () => false };
}

function withOutput(end: CommandEnd, output: RunOutput): CommandEnd {
  const isEmpty = Object.values(output).every(({ text, droppedBytes }) => text === '' && droppedBytes === 0);
  return end.kind === 'not-started' || isEmpty ? end : { ...end, output };
}

function tailOf(file: OutputFile, masker: Masker): OutputTail {
  try {
    return file.tail(masker);
  } catch (error) {
    // How the command ended is worth more than what it said.
    return { text: `[the output cannot be read: ${(error as Error).message}]`, droppedBytes: 0 };
  }
}

/** Masks bytes, each written as one character: a cut through a character of the output then harms nothing. */
function byteMasker({ masked }: CommandSpec): Masker {
  return new Masker(masked.map((secret) => Buffer.from(secret).toString('latin1')));
}

function signalGroup(group: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(-group, signal);
  } catch {
    // Gone, or another user's by now: neither can be mended here, and the run must come to its end.
  }
}

function exited(code: number | null, signal: NodeJS.Signals | null): CommandEnd {
  return signal === null ? { kind: 'exited', exitCode: code ?? 0 } : { kind: 'signalled', signal };
}

function filesFailed(folder: string, error: unknown): CommandEnd {
  const what = `its files in \`${folder}\` cannot be made`;
  return { kind: 'not-started', exitCode: 125, error: `${what}: ${(error as Error).message}` };
}

/** Exit codes as env(1) has them. */
function notStarted(error: unknown, { shell, directory }: CommandSpec): CommandEnd {
  const { code, message } = error as NodeJS.ErrnoException;
  // The same codes stand for a shell and a folder.
  const folderFault = faultOfFolder(directory);
  if (folderFault !== undefined) {
    return {
      kind: 'not-started',
      exitCode: 125,
      error: `the working directory (HOME) \`${directory}\` ${folderFault}`,
    };
  }
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return { kind: 'not-started', exitCode: 127, error: `the shell \`${shell}\` does not exist` };
  }
  if (code === 'EACCES') {
    return { kind: 'not-started', exitCode: 126, error: `the shell \`${shell}\` cannot be executed` };
  }
  return { kind: 'not-started', exitCode: 125, error: message };
}

function faultOfFolder(path: string): string | undefined {
  try {
    if (!statSync(path).isDirectory()) return 'is not a folder';
    accessSync(path, constants.X_OK);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? 'does not exist' : 'cannot be entered';
  }
}
