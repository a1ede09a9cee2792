import type {
  Clock,
  CommandEnd,
  CommandRunner,
  CommandSpec,
  RunningCommand,
} from '../../shared/core/run/ports.ts';

/** A command that runs until a test ends it. */
export class FakeCommand implements RunningCommand {
  readonly spec: CommandSpec;
  readonly ended: Promise<CommandEnd>;
  /** Each signal and the monotonic time at which it came. */
  readonly signals: (readonly [signal: 'SIGTERM' | 'SIGKILL', at: number])[] = [];
  /** What a signal does to it: nothing, unless a test says so. */
  onSignal: (signal: 'SIGTERM' | 'SIGKILL') => void = () => {};
  /** What is left of its group; nothing, unless a test says so. */
  isGroupLeft: () => boolean = () => false;
  readonly #clock: Clock;
  readonly #end: (end: CommandEnd) => void;

  constructor(spec: CommandSpec, clock: Clock) {
    this.spec = spec;
    this.#clock = clock;
    const { promise, resolve } = Promise.withResolvers<CommandEnd>();
    this.ended = promise;
    this.#end = resolve;
  }

  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    this.signals.push([signal, this.#clock.monotonic()]);
    this.onSignal(signal);
  }

  end(end: CommandEnd): void {
    this.#end(end);
  }
}

/** Starts commands that do nothing, and keeps them for a test to look at. */
export class FakeCommands implements CommandRunner {
  readonly started: FakeCommand[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(spec: CommandSpec): FakeCommand {
    const command = new FakeCommand(spec, this.#clock);
    this.started.push(command);
    return command;
  }
}
