import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OptionSpec } from './command-line.ts';
import { CommandError, type Invocation, text, UsageError } from './command-line.ts';
import { systemReason } from './crontab-files.ts';

/** Options that decide what a command sees of the place where it runs; the same for `daemon` and `run`. */
export const ENVIRONMENT_OPTIONS = {
  'pass-env': { type: 'string', value: 'NAME,…', help: 'variables of this process that every command sees' },
  secrets: {
    type: 'string',
    value: 'FOLDER',
    help: 'read `secrets=` from files of their names (default: this environment)',
  },
} as const satisfies Record<string, OptionSpec>;

export interface CommandEnvironment {
  readonly passed: Readonly<Record<string, string>>;
  /** Undefined when there is no such secret. */
  readonly secret: (name: string) => string | undefined;
}

/** @throws UsageError for a name that is no variable's */
export function commandEnvironment(
  invocation: Invocation,
  env: Readonly<Record<string, string | undefined>>,
): CommandEnvironment {
  const passed: Record<string, string> = {};
  for (const name of text(invocation, 'pass-env')?.split(',') ?? []) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      throw new UsageError(`\`--pass-env\` takes names of variables, with commas between, got \`${name}\``);
    }
    const value = env[name];
    if (value !== undefined) passed[name] = value;
  }
  const folder = text(invocation, 'secrets');
  return { passed, secret: (name) => (folder === undefined ? env[name] : readSecret(folder, name)) };
}

function readSecret(folder: string, name: string): string | undefined {
  try {
    // Editors and `echo` end a file with a newline that is no part of the secret.
    return readFileSync(join(folder, name), 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new CommandError(`cannot read the secret \`${name}\` in \`${folder}\`: ${systemReason(error)}`, {
      cause: error,
    });
  }
}
