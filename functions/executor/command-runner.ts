import type { Clock, CommandRunner, CommandSpec, RunningCommand } from '../../shared/core/run/ports.ts';

/** Between two looks at what is left of a command that has ended, and how long is looked. Milliseconds. */
const LOOK_MS = 50;
const PATIENCE_MS = 5_000;

/**
 * Starts commands as the sandbox has them: their memory is that of the function, more is masked, and what they leave in
 * the background ends with them, since a sandbox stands still between two invocations.
 *
 * @param masked values that must not be kept or shown, besides the job's secrets
 */
export function sandboxed(runner: CommandRunner, clock: Clock, masked: readonly string[]): CommandRunner {
  return {
    start: (spec) => {
      const command = runner.start({ ...withoutMemory(spec), masked: [...spec.masked, ...masked] });
      const ended = command.ended.then(async (end) => {
        await endGroup(command, clock);
        return end;
      });
      return {
        ended,
        kill: (signal) => command.kill(signal),
        isGroupLeft: () => command.isGroupLeft(),
        ...(command.processGroup === undefined ? {} : { processGroup: command.processGroup }),
      };
    },
  };
}

/** A command that is not started. @param error why, for the run's record */
export function notStarted(error: string): CommandRunner {
  const ended = Promise.resolve({ kind: 'not-started', exitCode: 125, error } as const);
  return { start: () => ({ ended, kill: () => {}, isGroupLeft: () => false }) };
}

function withoutMemory({ limits, ...spec }: CommandSpec): CommandSpec {
  const cpuTimeMs = limits?.cpuTimeMs;
  return cpuTimeMs === undefined ? spec : { ...spec, limits: { cpuTimeMs } };
}

async function endGroup(command: RunningCommand, clock: Clock): Promise<void> {
  const until = clock.monotonic() + PATIENCE_MS;
  while (command.isGroupLeft() && clock.monotonic() < until) {
    command.kill('SIGKILL');
    await clock.sleep(LOOK_MS);
  }
}
