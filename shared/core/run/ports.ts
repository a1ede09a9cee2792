import type { EpochMs } from '../schedule/zone-table.ts';
import type { RunOutput } from './run.ts';

/** Time. `now` is the wall clock and may jump; `monotonic` never does. */
export interface Clock {
  now(): EpochMs;
  /** Milliseconds since some fixed moment. */
  monotonic(): number;
  /** Resolves after at least `ms` on the monotonic clock, or at once when the signal is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** A command to start, with everything that it sees. */
export interface CommandSpec {
  readonly shell: string;
  readonly command: string;
  readonly stdin?: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly directory: string;
  /** Values that must not be kept or shown. */
  readonly masked: readonly string[];
  /** Enforced where the platform can; the runner's own check says where it cannot. */
  readonly limits?: CommandLimits;
  /** Which attempt this is, for a runner that keeps all of its output. */
  readonly log?: LogKey;
}

/** What a command may use at most. */
export interface CommandLimits {
  /** Of all its processes together. */
  readonly memoryBytes?: number;
  /** Of each of its processes, as setrlimit(2) counts; in effect rounded up to seconds. */
  readonly cpuTimeMs?: number;
}

/** The limit that a command, or a process that it started, was killed at. */
export type ExceededLimit = 'memory' | 'cpu-time';

/** The attempt that an output is of. */
export interface LogKey {
  readonly jobId: string;
  readonly runId: string;
  /** From 1. */
  readonly attempt: number;
}

export type CommandEnd =
  | {
      readonly kind: 'exited';
      readonly exitCode: number;
      readonly exceeded?: ExceededLimit;
      readonly output?: RunOutput;
    }
  | {
      readonly kind: 'signalled';
      readonly signal: string;
      readonly exceeded?: ExceededLimit;
      readonly output?: RunOutput;
    }
  /** Nothing was started; `exitCode` as env(1) has it: 126 not executable, 127 not found, 125 anything else. */
  | { readonly kind: 'not-started'; readonly exitCode: 125 | 126 | 127; readonly error: string };

export interface RunningCommand {
  /** Resolves, never rejects, when the command has ended and its output is read. */
  readonly ended: Promise<CommandEnd>;
  /** Id of the process group that the command was started in: the pid of its first process. */
  readonly processGroup?: number;
  /** Signals the whole process group, and what left the group but is of the same attempt; nothing when all are gone. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
  /** Whether any process of the group is left, be it not the first one, or any of the attempt that left the group. */
  isGroupLeft(): boolean;
}

export interface CommandRunner {
  start(spec: CommandSpec): RunningCommand;
}
