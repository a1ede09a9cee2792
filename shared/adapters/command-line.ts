import { parseArgs } from 'node:util';
import { nearest } from '../core/nearest.ts';

/** Where a command writes. */
export interface Output {
  write(text: string | Uint8Array): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** The world of one invocation; tests give their own. */
export interface Io {
  readonly stdin: AsyncIterable<Uint8Array> & { readonly isTTY?: boolean };
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Wall clock, epoch milliseconds. (Default: the machine's) */
  readonly now?: () => number;
}

/** Exit codes; `run` adds those of the command that it ran. */
export const EXIT = { fine: 0, problems: 1, usage: 2, failed: 3 } as const;

/** The command line is not one that we take: exit code 2. */
export class UsageError extends Error {}

/** What was asked for cannot be done, for a reason that the user can mend: one sentence, exit code 3. */
export class CommandError extends Error {}

export interface OptionSpec {
  readonly type: 'string' | 'boolean';
  /** Name of the value in the help, such as `ZONE`. */
  readonly value?: string;
  readonly help: string;
  /** Closed set of values. */
  readonly choices?: readonly string[];
}

export interface Invocation {
  readonly operands: readonly string[];
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
}

export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Command lines and what they do; the help begins with them. */
  readonly examples: readonly (readonly [line: string, meaning: string])[];
  /** Operands as the usage line shows them. */
  readonly operands: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** What there is to say beyond the options. */
  readonly notes?: string;
  run(invocation: Invocation, io: Io): Promise<number>;
}

/** Options that several commands share. */
export const OPTION = {
  format: (choices: readonly string[]) =>
    ({ type: 'string', value: choices.join('|'), choices, help: 'how the result is written' }) as const,
  store: {
    type: 'string',
    value: 'sqlite:PATH|dynamodb:TABLE',
    help: 'run store (default: store.sqlite in the state folder)',
  },
  zone: {
    type: 'string',
    value: 'ZONE',
    help: 'time zone of entries without CRON_TZ, such as Europe/Berlin',
  },
  system: { type: 'boolean', help: 'system crontab: a user column stands before the command' },
} as const satisfies Record<string, OptionSpec | ((choices: readonly string[]) => OptionSpec)>;

/**
 * Reads the arguments of a command.
 *
 * @throws UsageError naming the argument, what is allowed and the nearest option
 */
export function parseInvocation(command: Command, argv: readonly string[]): Invocation {
  const options = Object.fromEntries(
    Object.entries(command.options).map(([name, { type }]) => [name, { type }]),
  );
  const { tokens, positionals, values } = parseArgs({
    args: [...argv],
    options,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const spec = command.options[token.name];
    if (spec === undefined) {
      const known = Object.keys(command.options);
      const near = nearest(token.name, known);
      throw new UsageError(
        `\`${command.name}\` has no option \`${token.rawName}\`; ${near === undefined ? `it takes ${[...known, 'help'].map((name) => `--${name}`).join(', ')}` : `did you mean \`--${near}\`?`}`,
      );
    }
    if (spec.type === 'string' && (token.value === undefined || token.value === '')) {
      throw new UsageError(
        `\`${token.rawName}\` wants a value: \`${token.rawName} ${spec.value ?? 'VALUE'}\``,
      );
    }
    if (spec.type === 'boolean' && token.value !== undefined) {
      throw new UsageError(`\`${token.rawName}\` takes no value`);
    }
    if (spec.choices !== undefined && !spec.choices.includes(token.value ?? '')) {
      throw new UsageError(
        `\`${token.rawName}\` must be one of ${spec.choices.join(', ')}, got \`${token.value}\``,
      );
    }
  }
  return { operands: positionals, values: values as Invocation['values'] };
}

/** The help of one command: examples first. */
export function commandHelp(command: Command): string {
  const width = Math.max(...command.examples.map(([line]) => line.length));
  const lines = [`${command.summary}.`, ''];
  for (const [line, meaning] of command.examples) lines.push(`  ${line.padEnd(width)}   ${meaning}`);
  lines.push('', `usage: kuber-cron ${command.name} ${command.operands}`.trimEnd());
  const options = Object.entries(command.options).map(([name, { value, help }]) => [
    value === undefined ? `--${name}` : `--${name} ${value}`,
    help,
  ]);
  if (options.length > 0) {
    const optionWidth = Math.max(...options.map(([option]) => (option as string).length));
    lines.push(
      '',
      ...options.map(([option, help]) => `  ${(option as string).padEnd(optionWidth)}   ${help}`),
    );
  }
  if (command.notes !== undefined) lines.push('', command.notes);
  return `${lines.join('\n')}\n`;
}

/** A string option's value. */
export function text(invocation: Invocation, name: string): string | undefined {
  const value = invocation.values[name];
  return typeof value === 'string' ? value : undefined;
}

export function isSet(invocation: Invocation, name: string): boolean {
  return invocation.values[name] === true;
}

/**
 * The value of an option that is a number.
 *
 * @throws UsageError when it is not a whole number of the range
 */
export function whole(
  invocation: Invocation,
  name: string,
  { min, max, otherwise }: { readonly min: number; readonly max: number; readonly otherwise: number },
): number {
  const value = text(invocation, name);
  if (value === undefined) return otherwise;
  const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= min && number <= max))
    throw new UsageError(`\`--${name}\` must be a whole number of ${min}-${max}, got \`${value}\``);
  return number;
}
