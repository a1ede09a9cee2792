import type { DiagnosticSink } from '../diagnostic.ts';
import { shortHash } from '../hash.ts';
import type { Entry } from './entry.ts';
import { programName } from './shell.ts';
import { NAME_MAX_LENGTH, tameName } from './values.ts';

/** Room for a dash and a short hash behind the program. */
const PROGRAM_MAX_LENGTH = NAME_MAX_LENGTH - 9;

/**
 * The name of each entry's job, in the order of the entries: `name=`, else the program and a hash of the command.
 *
 * Names do not change when entries move or comments are edited. Unnamed entries that share a command are told apart
 * by a hash of command, schedule, zone and user.
 */
export function assignNames(entries: readonly Entry[], sink: DiagnosticSink): readonly string[] {
  const byCommand = new Map<string, number>();
  // Named ones count too: else naming one of two would rename the other.
  for (const entry of entries) {
    const command = commandOf(entry);
    byCommand.set(command, (byCommand.get(command) ?? 0) + 1);
  }
  const owners = new Map<string, Entry>();
  const names = entries.map((entry) => {
    const name = entry.options.name ?? derivedName(entry, (byCommand.get(commandOf(entry)) as number) > 1);
    const owner = owners.get(name);
    if (owner === undefined) owners.set(name, entry);
    else reportClash(name, owner, entry, sink);
    return name;
  });
  checkFormerNames(entries, owners, sink);
  return names;
}

/** A history can move to one job, and only when its own is gone. */
function checkFormerNames(
  entries: readonly Entry[],
  owners: ReadonlyMap<string, Entry>,
  sink: DiagnosticSink,
): void {
  const heirs = new Map<string, Entry>();
  for (const entry of entries) {
    const { was } = entry.options;
    const span = entry.directives.find(({ key }) => key === 'was')?.valueSpan;
    if (was === undefined || span === undefined) continue;
    const owner = owners.get(was);
    const heir = heirs.get(was);
    if (owner !== undefined) {
      sink.add({
        code: 'former-name-in-use',
        span,
        message: `a job is still named \`${was}\`, so its history stays with it`,
        help: owner === entry ? 'leave `was` out' : 'rename the job that has the name, or leave `was` out',
        related: owner === entry ? [] : [{ span: owner.span, message: 'this one' }],
      });
    } else if (heir !== undefined) {
      sink.add({
        code: 'former-name-in-use',
        span,
        message: `the history of \`${was}\` goes to another job`,
        help: 'leave `was` out in one of the two',
        related: [{ span: heir.span, message: 'this one' }],
      });
    } else heirs.set(was, entry);
  }
}

/** Editors cut blanks at the end of a line: they are no part of a job's identity. */
function commandOf(entry: Entry): string {
  return entry.commandText.trimEnd();
}

function derivedName(entry: Entry, isShared: boolean): string {
  const program = tameName(programName(entry.commandText), PROGRAM_MAX_LENGTH) || 'job';
  const command = commandOf(entry);
  const identity = isShared
    ? [command, entry.schedule?.text ?? '@reboot', entry.zone ?? '', entry.user ?? ''].join('\n')
    : command;
  return `${program}-${shortHash(identity)}`;
}

function reportClash(name: string, first: Entry, entry: Entry, sink: DiagnosticSink): void {
  const related = [{ span: first.span, message: 'the other one' }];
  const nameSpan = entry.directives.find((directive) => directive.key === 'name')?.valueSpan;
  if (nameSpan !== undefined) {
    sink.add({
      code: 'duplicate-name',
      span: nameSpan,
      message: `the name \`${name}\` is taken`,
      help: 'give each job a name of its own',
      related,
    });
    return;
  }
  if (first.options.name !== undefined) {
    sink.add({
      code: 'duplicate-name',
      span: entry.scheduleSpan,
      message: `the name \`${name}\`, which this entry gets without one of its own, is taken`,
      help: 'name it by `# kuber-cron: name=…`',
      related,
    });
    return;
  }
  sink.add({
    code: 'identical-entries',
    span: entry.span,
    message: 'nothing but its place tells this entry from another one, so their histories would mix',
    help: 'remove one, or name both by `# kuber-cron: name=…`',
    related,
  });
}
