import { readFileSync } from 'node:fs';
import {
  type Command,
  CommandError,
  commandHelp,
  EXIT,
  type Io,
  parseInvocation,
  UsageError,
} from '../shared/adapters/command-line.ts';
import { nearest } from '../shared/core/nearest.ts';
import { checkCommand } from './check.ts';
import { completionCommand } from './completion.ts';
import { explainCommand } from './explain.ts';
import { jobsCommand, logsCommand, runsCommand } from './history.ts';
import { nextCommand } from './next.ts';
import { runCommand } from './run.ts';

/** All commands; those of other entry folders come from the launcher. */
function allCommands(others: readonly Command[]): readonly Command[] {
  const own = [
    checkCommand,
    explainCommand,
    nextCommand,
    ...others,
    runCommand,
    jobsCommand,
    runsCommand,
    logsCommand,
  ];
  return [...own, completionCommand(own)];
}

/**
 * The whole program: reads arguments, runs one command.
 *
 * @param others commands of other entry folders
 * @returns the exit code: 0 fine, 1 problems found, 2 wrong usage, 3 could not be done; `run` returns its command's
 */
export async function main(
  argv: readonly string[],
  io: Io,
  others: readonly Command[] = [],
): Promise<number> {
  const commands = allCommands(others);
  const [name, ...rest] = argv;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const command = commands.find((one) => one.name === rest[0]);
    (name === undefined ? io.stderr : io.stdout).write(
      command === undefined ? help(commands) : commandHelp(command),
    );
    return name === undefined ? EXIT.usage : EXIT.fine;
  }
  if (name === '--version' || name === '-V' || name === 'version') {
    io.stdout.write(`${version()}\n`);
    return EXIT.fine;
  }
  const command = commands.find((one) => one.name === name);
  try {
    if (command === undefined) {
      const near = nearest(
        name,
        commands.map((one) => one.name),
      );
      throw new UsageError(
        `there is no command \`${name}\`${near === undefined ? '' : `; did you mean \`${near}\`?`}`,
      );
    }
    if (rest.includes('--help') || rest.includes('-h')) {
      io.stdout.write(commandHelp(command));
      return EXIT.fine;
    }
    return await command.run(parseInvocation(command, rest), io);
  } catch (error) {
    if (error instanceof UsageError) {
      const page = command === undefined ? 'kuber-cron --help' : `kuber-cron ${command.name} --help`;
      io.stderr.write(`kuber-cron: ${error.message}\nTry \`${page}\`.\n`);
      return EXIT.usage;
    }
    if (error instanceof CommandError) {
      io.stderr.write(`kuber-cron: ${error.message}\n`);
      return EXIT.failed;
    }
    throw error;
  }
}

function help(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  return `Cron for teams whose crontab lives in git.

  kuber-cron check crontab/production      find what is wrong in a crontab, before it runs
  kuber-cron daemon crontab/production     run it
  kuber-cron runs                          what ran, and how it went

commands:
${commands.map(({ name, summary }) => `  ${name.padEnd(width)}   ${summary}`).join('\n')}

\`kuber-cron COMMAND --help\` has examples and options of a command; \`kuber-cron --version\` prints the version.
`;
}

/** Version of the package that this file belongs to. */
export function version(): string {
  // The same path from the sources and from the bundle.
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return manifest.version;
}

/** Runs `main` on this process. */
export async function runProcess(others: readonly Command[]): Promise<void> {
  // A reader that goes away, such as `head`, is no fault.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE' || error.code === 'EIO') process.exit(EXIT.fine);
      throw error;
    });
  }
  try {
    process.exitCode = await main(process.argv.slice(2), process, others);
  } catch (error) {
    process.stderr.write(
      `kuber-cron: this is a fault of kuber-cron, please report it\n${(error as Error).stack ?? error}\n`,
    );
    process.exitCode = EXIT.failed;
  }
}
