import {
  CommandError,
  type Invocation,
  type Io,
  isSet,
  text,
  UsageError,
} from '../shared/adapters/command-line.ts';
import {
  type CrontabFile,
  crontabFiles,
  foundFiles,
  MOST_BYTES,
  readCrontabFile,
  systemReason,
} from '../shared/adapters/crontab-files.ts';
import { machineZone } from '../shared/adapters/host.ts';
import { type CheckedCrontab, type CheckOptions, checkCrontab } from '../shared/core/crontab/check.ts';
import type { Diagnostic } from '../shared/core/diagnostic.ts';
import { DiagnosticRenderer, type Paint } from '../shared/core/diagnostic-text.ts';
import { planCrontab, type SchedulePlan } from '../shared/core/plan/plan.ts';
import { nearestZone, zoneTable } from '../shared/core/schedule/zone-data.ts';
import type { Progress } from './progress.ts';
import { diagnosticPaint } from './style.ts';

/** Findings that are shown of one file; more scroll away unread. JSON has them all. */
export const MOST_SHOWN = 100;

/** A crontab that a command was given. */
export interface Source extends CrontabFile {
  readonly bytes: Uint8Array;
}

/** Time of the invocation, epoch milliseconds. */
export function now(io: Io): number {
  return io.now?.() ?? Date.now();
}

/**
 * The crontabs that a command line names: files, folders, and `-` for standard input.
 *
 * @param isAlone whether each is looked at by itself, so that several may have one name
 * @throws CommandError when there is none or a folder cannot be read; UsageError when two have one name
 */
export function sourceFiles(
  command: string,
  operands: readonly string[],
  isAlone = false,
): readonly CrontabFile[] {
  if (operands.length === 0)
    throw new UsageError(`\`${command}\` wants a crontab: a file, a folder, or \`-\` for standard input`);
  if (operands.filter((operand) => operand === '-').length > 1)
    throw new UsageError('standard input can be read once: write `-` once');
  const files = isAlone ? foundFiles(operands) : crontabFiles(operands);
  if (files.length === 0)
    throw new CommandError(
      `no crontab in ${operands.map((operand) => `\`${operand}\``).join(', ')}: of a folder, files called *.crontab are read, and those whose names have only letters, digits, - and _`,
    );
  return files;
}

/** Reads a crontab. @throws CommandError in one sentence when that cannot be done */
export async function readSource({ name, path }: CrontabFile, io: Io): Promise<Source> {
  return path === '-'
    ? { name, path: '<stdin>', bytes: await readInput(io) }
    : { name, path, bytes: readCrontabFile(path) };
}

async function readInput({ stdin, stderr }: Io): Promise<Uint8Array> {
  if (stdin.isTTY === true) stderr.write('reading a crontab from the keyboard; Ctrl-D ends it\n');
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of stdin) {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= MOST_BYTES) break;
    }
  } catch (error) {
    throw new CommandError(`cannot read standard input: ${systemReason(error)}`, { cause: error });
  }
  return Buffer.concat(chunks).subarray(0, MOST_BYTES);
}

/** Checks a source with the options that all commands share. @param more user and target, as of `CheckOptions` */
export function checkSource(
  source: Source,
  invocation: Invocation,
  io: Io,
  more: Pick<CheckOptions, 'user' | 'target'> = {},
): CheckedCrontab {
  return checkCrontab(source.bytes, {
    system: isSet(invocation, 'system'),
    zone: zoneOption(invocation),
    now: now(io),
    ...more,
  });
}

/** A crontab without errors. */
export interface Loaded {
  readonly checked: CheckedCrontab;
  readonly plan: SchedulePlan;
}

export interface LoadOptions {
  /** Name of the command, for messages. */
  readonly command: string;
  readonly operands: readonly string[];
  readonly progress: Progress;
  /** User that commands run as: entries for others are errors. */
  readonly user?: string;
  /** What it does not carry is an error, and so is an entry without a zone. */
  readonly target?: 'aws';
  /** Findings that are written to standard error. (Default: errors) */
  readonly isTold?: (diagnostic: Diagnostic, checked: CheckedCrontab) => boolean;
}

/** Compiles crontabs; what has errors is reported on standard error and left out. */
export async function loadCrontabs(
  invocation: Invocation,
  io: Io,
  { command, operands, progress, user, target, isTold = ({ severity }) => severity === 'error' }: LoadOptions,
): Promise<{ readonly crontabs: readonly Loaded[]; readonly hasErrors: boolean }> {
  // Of a target that has no zone of its own, only what it leaves out may lack one.
  const zone = zoneOption(invocation) ?? (target === undefined ? machineZone() : 'UTC');
  const crontabs: Loaded[] = [];
  let hasErrors = false;
  for (const file of sourceFiles(command, operands)) {
    const source = await readSource(file, io);
    progress.show(`reading ${source.path} …`, source.bytes.length);
    const checked = checkSource(source, invocation, io, {
      ...(user !== undefined && { user }),
      ...(target !== undefined && { target }),
    });
    progress.clear();
    writeDiagnostics(
      io.stderr,
      source.path,
      checked.text,
      checked.diagnostics.list.filter((one) => isTold(one, checked)),
      diagnosticPaint(io.stderr, io.env),
    );
    if (checked.diagnostics.hasErrors) hasErrors = true;
    else crontabs.push({ checked, plan: planCrontab(checked, { crontab: source.name, zone }) });
  }
  return { crontabs, hasErrors };
}

/**
 * Writes findings with their code frames, a blank line after each.
 *
 * @param count how many there are in all, when the list has not all of them
 */
export function writeDiagnostics(
  output: Io['stdout'],
  path: string,
  crontab: string,
  list: readonly Diagnostic[],
  paint: Paint,
  count = list.length,
): void {
  const shown = list.slice(0, MOST_SHOWN);
  if (shown.length === 0) return;
  const renderer = new DiagnosticRenderer(path, crontab, paint);
  for (const diagnostic of shown) output.write(`${renderer.text(diagnostic)}\n\n`);
  if (count > shown.length) output.write(`… and ${count - shown.length} more\n\n`);
}

/** The value of `--zone`. @throws UsageError when it is no time zone */
export function zoneOption(invocation: Invocation): string | undefined {
  const zone = text(invocation, 'zone');
  if (zone === undefined || zoneTable(zone) !== undefined) return zone;
  const near = nearestZone(zone);
  throw new UsageError(
    `\`--zone\` takes a time zone such as Europe/Berlin or UTC, got \`${zone}\`${near === undefined ? '' : `; did you mean \`${near}\`?`}`,
  );
}
