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
}

export type CommandEnd =
  | { readonly kind: 'exited'; readonly exitCode: number; readonly output?: RunOutput }
  | { readonly kind: 'signalled'; readonly signal: string; readonly output?: RunOutput }
  /** Nothing was started; `exitCode` as env(1) has it: 126 not executable, 127 not found, 125 anything else. */
  | { readonly kind: 'not-started'; readonly exitCode: 125 | 126 | 127; readonly error: string };

export interface RunningCommand {
  /** Resolves, never rejects, when the command has ended and its output is read. */
  readonly ended: Promise<CommandEnd>;
  /** Signals the whole process group; nothing when it is gone. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
  /** Whether any process of the group is left, be it not the first one. */
  isGroupLeft(): boolean;
}

export interface CommandRunner {
  start(spec: CommandSpec): RunningCommand;
}
