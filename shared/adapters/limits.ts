import { type ChildProcess, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { availableParallelism, constants as system } from 'node:os';
import { delimiter, resolve } from 'node:path';
import type { CommandEnd, CommandSpec, ExceededLimit } from '../core/run/ports.ts';
import { type MemoryGroup, MemoryGroups } from './cgroup.ts';
import { processTable } from './host.ts';

/** The shell that sets limits before it becomes the command's own. */
const SHELL = '/bin/sh';
/** What a process has between SIGXCPU and SIGKILL to tidy up. Seconds of CPU time. */
const CPU_GRACE_SECONDS = 5;
/** Shortest time between two looks at the CPU time of a command. Milliseconds. */
const CPU_CHECK_MS = 500;
/** A shell that ends because of its last command's signal ends with this plus the signal. */
const SIGNAL_EXIT = 128;
/** Variables that shells give to what they start, where nobody set them. */
const SHELL_VARIABLES = ['PWD', 'OLDPWD', 'SHLVL', '_'];

/** Which limits of commands are enforced here. */
export interface LimitSupport {
  readonly memory: boolean;
  /** Why `memory` is not, and what to do about it. */
  readonly why?: string;
  readonly cpuTime: boolean;
}

let memoryGroups: MemoryGroups | Error | undefined;

/**
 * Tries once in the life of the process, with a group of its own; on cgroup v2 this may move the processes of the
 * daemon's group into a leaf below it. So ask only when some job has a limit.
 */
export function limitSupport(): LimitSupport {
  const groups = openGroups();
  const cpuTime = existsSync(SHELL);
  return groups instanceof Error
    ? { memory: false, why: groups.message, cpuTime }
    : { memory: true, cpuTime };
}

function openGroups(): MemoryGroups | Error {
  if (memoryGroups !== undefined) return memoryGroups;
  try {
    if (process.platform !== 'linux') {
      throw new Error(`only Linux has control groups, this is ${process.platform}; run the daemon on Linux`);
    }
    const groups = new MemoryGroups();
    tryOut(groups);
    memoryGroups = groups;
  } catch (error) {
    memoryGroups = error as Error;
  }
  return memoryGroups;
}

/** The kernel has more rules than can be read from files. @throws Error when no process gets into a group */
export function tryOut(groups: MemoryGroups): void {
  const group = groups.make(64 * 2 ** 20);
  try {
    const [file, args] = limited(group, undefined, {}, [SHELL, '-c', ':']);
    const { status, stderr, error } = spawnSync(file, args, { encoding: 'utf8', env: {} });
    if (status !== 0)
      throw new Error(`no process gets into a control group: ${error?.message ?? stderr.trim()}`);
  } finally {
    group.remove();
  }
}

/** A start of a command that has limits. */
export interface LimitedStart {
  readonly file: string;
  readonly args: readonly string[];
  /** Told of the child when there is one. */
  started(child: ChildProcess): void;
  /** Told of the end, or that there was no start, just once. @returns which limit the command exceeded */
  ended(end: CommandEnd | undefined, isKilledByUs: boolean): ExceededLimit | undefined;
}

/**
 * How to start a command within its limits: by a shell that first goes into the memory group, sets RLIMIT_CPU, and
 * then becomes the command's own shell with the same pid, streams, arguments and environment. Limits that are not
 * enforced here are left out.
 *
 * @throws Error with the code of exec(3) when the command's shell cannot be started; another when its memory group
 *   cannot be made
 */
export function limitedStart(spec: CommandSpec): LimitedStart | undefined {
  const { memoryBytes, cpuTimeMs } = spec.limits ?? {};
  const groups = memoryBytes === undefined ? undefined : openGroups();
  const hasMemoryLimit = groups !== undefined && !(groups instanceof Error);
  if (!hasMemoryLimit && cpuTimeMs === undefined) return undefined;
  // The shell that sets limits could only write into the command's own output that there is no such file.
  assertExecutable(spec);
  let group: MemoryGroup | undefined;
  try {
    if (hasMemoryLimit) group = groups.make(memoryBytes as number);
  } catch (error) {
    throw new Error(`its memory limit cannot be set: ${(error as Error).message}`, { cause: error });
  }
  const [file, args] = limited(group, cpuTimeMs, spec.environment, [spec.shell, '-c', spec.command]);
  let watch: CpuWatch | undefined;
  return {
    file,
    args,
    started: ({ pid }) => {
      if (cpuTimeMs !== undefined && pid !== undefined) watch = new CpuWatch(pid, cpuTimeMs);
    },
    ended: (end, isKilledByUs) => {
      watch?.stop();
      const isExceeded = group?.isExceeded();
      group?.remove();
      if (isExceeded) return 'memory';
      const isByXcpu = isSignal(end, 'SIGXCPU');
      const isByKill = isSignal(end, 'SIGKILL') && !isKilledByUs && watch?.isUsedUp;
      return cpuTimeMs !== undefined && (isByXcpu || isByKill) ? 'cpu-time' : undefined;
    },
  };
}

/** The shell that sets limits, and its arguments. */
function limited(
  group: MemoryGroup | undefined,
  cpuTimeMs: number | undefined,
  environment: Readonly<Record<string, string>>,
  command: readonly string[],
): [file: string, args: string[]] {
  const steps: string[] = [];
  if (group !== undefined) steps.push('echo $$ > "$0" || exit 125');
  if (cpuTimeMs !== undefined) {
    const seconds = Math.max(1, Math.ceil(cpuTimeMs / 1000));
    // The soft one first: a hard one below it is refused. One that is stricter already cannot be raised, and stays.
    steps.push(`{ ulimit -S -t ${seconds}; ulimit -H -t ${seconds + CPU_GRACE_SECONDS}; } 2>/dev/null`);
  }
  const foreign = SHELL_VARIABLES.filter((name) => !Object.hasOwn(environment, name));
  if (foreign.length > 0) steps.push(`unset ${foreign.join(' ')}`);
  steps.push('exec "$@"');
  return [SHELL, ['-c', steps.join('\n'), group?.processFile ?? SHELL, ...command]];
}

function isSignal(end: CommandEnd | undefined, signal: 'SIGXCPU' | 'SIGKILL'): boolean {
  if (end?.kind === 'signalled') return end.signal === signal;
  return end?.kind === 'exited' && end.exitCode === SIGNAL_EXIT + system.signals[signal];
}

/** @throws Error with the code that execvp(3) would give */
function assertExecutable({ shell, environment, directory }: CommandSpec): void {
  const folders = shell.includes('/') ? [''] : (environment.PATH ?? '/usr/bin:/bin').split(delimiter);
  let worst = 'ENOENT';
  for (const folder of folders) {
    const path = resolve(directory, folder, shell);
    try {
      if (statSync(path).isFile()) {
        accessSync(path, constants.X_OK);
        return;
      }
      worst = 'EACCES';
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENOTDIR') worst = 'EACCES';
    }
  }
  throw Object.assign(new Error(`${worst}: ${shell}`), { code: worst });
}

/**
 * Looks whether a process of a group has used up its CPU time: of one that ignores SIGXCPU and is killed nothing is
 * left to ask. Linux only: elsewhere nothing is seen.
 */
class CpuWatch {
  isUsedUp = false;
  readonly #group: number;
  readonly #limitMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(group: number, limitMs: number) {
    this.#group = group;
    this.#limitMs = Math.max(1000, limitMs);
    if (process.platform === 'linux') this.#wait(0);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** No sooner than all processors together could have used up what is left. */
  #wait(usedMs: number): void {
    const soonest = (this.#limitMs - usedMs) / availableParallelism();
    const wait = Math.min(Math.max(CPU_CHECK_MS, soonest), 2 ** 31 - 1);
    this.#timer = setTimeout(() => this.#look(), wait).unref();
  }

  #look(): void {
    const members = processTable().filter(({ group }) => group === this.#group);
    const used = Math.max(0, ...members.map(({ cpuMs }) => cpuMs));
    this.isUsedUp = used >= this.#limitMs;
    if (!this.isUsedUp) this.#wait(used);
  }
}
