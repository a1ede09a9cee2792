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
import { systemReason } from '../shared/adapters/crontab-files.ts';
import { StoreError } from '../shared/adapters/store-error.ts';
import { printable } from '../shared/core/diagnostic-text.ts';
import { nearest } from '../shared/core/nearest.ts';
import { backfillCommand } from './backfill.ts';
import { cancelCommand } from './cancel.ts';
import { checkCommand } from './check.ts';
import { completionCommand } from './completion.ts';
import { doctorCommand } from './doctor.ts';
import { driftCommand } from './drift.ts';
import { explainCommand } from './explain.ts';
import { jobsCommand } from './jobs.ts';
import { logsCommand } from './logs.ts';
import { nextCommand } from './next.ts';
import { pauseCommand } from './pause.ts';
import { pruneCommand } from './prune.ts';
import { resumeCommand } from './resume.ts';
import { retryCommand } from './retry.ts';
import { runCommand } from './run.ts';
import { runsCommand } from './runs.ts';
import { whyCommand } from './why.ts';

/** All commands; those of other entry folders come from the launcher. */
export function allCommands(others: readonly Command[]): readonly Command[] {
  const own = [
    checkCommand,
    doctorCommand,
    explainCommand,
    nextCommand,
    ...others,
    runCommand,
    jobsCommand,
    runsCommand,
    logsCommand,
    whyCommand,
    retryCommand,
    backfillCommand,
    cancelCommand,
    pauseCommand,
    resumeCommand,
    pruneCommand,
    driftCommand,
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
  if (name === 'help' && rest[0] !== undefined) return main([rest[0], '--help'], io, others);
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    (name === undefined ? io.stderr : io.stdout).write(help(commands));
    return name === undefined ? EXIT.usage : EXIT.fine;
  }
  if (name === '--version' || name === '-V' || name === 'version') {
    io.stdout.write(`${version()}\n`);
    return EXIT.fine;
  }
  const command = commands.find((one) => one.name === name);
  try {
    if (command === undefined) throw new UsageError(noSuchCommand(name, commands));
    if (wantsHelp(rest)) {
      io.stdout.write(commandHelp(command));
      return EXIT.fine;
    }
    return await command.run(parseInvocation(command, rest), io);
  } catch (error) {
    if (error instanceof UsageError) {
      const page = command === undefined ? 'kuber-cron --help' : `kuber-cron ${command.name} --help`;
      io.stderr.write(`kuber-cron: ${printable(error.message)}\nTry \`${page}\`.\n`);
      return EXIT.usage;
    }
    if (error instanceof CommandError || error instanceof StoreError) {
      io.stderr.write(`kuber-cron: ${printable(error.message)}\n`);
      return EXIT.failed;
    }
    throw error;
  }
}

/** What stands behind `--` is no option. */
function wantsHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  const options = end === -1 ? args : args.slice(0, end);
  return options.includes('--help') || options.includes('-h');
}

function noSuchCommand(name: string, commands: readonly Command[]): string {
  const names = commands.map((one) => one.name);
  const near = nearest(name, names);
  const hint = near === undefined ? `there are ${names.join(', ')}` : `did you mean \`${near}\`?`;
  return `there is no command \`${name}\`; ${hint}`;
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
  let hasLostOutput = false;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // A reader that goes away, such as `head`, is no fault. Nothing is ended: a command may be running.
      if (error.code === 'EPIPE' || error.code === 'EIO' || hasLostOutput) return;
      hasLostOutput = true;
      process.exitCode ||= EXIT.failed;
      process.stderr.write(`kuber-cron: cannot write what was asked for: ${systemReason(error)}\n`);
    });
  }
  let code: number;
  try {
    code = await main(process.argv.slice(2), process, others);
  } catch (error) {
    process.stderr.write(
      `kuber-cron: this is a fault of kuber-cron, please report it\n${(error as Error).stack ?? error}\n`,
    );
    code = EXIT.failed;
  }
  process.exitCode = code === EXIT.fine && hasLostOutput ? EXIT.failed : code;
}
