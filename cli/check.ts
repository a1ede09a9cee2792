import { realpathSync } from 'node:fs';
import { rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  type Command,
  CommandError,
  EXIT,
  type Io,
  isSet,
  OPTION,
  text,
  UsageError,
} from '../shared/adapters/command-line.ts';
import { systemReason } from '../shared/adapters/crontab-files.ts';
import type { CheckedCrontab } from '../shared/core/crontab/check.ts';
import { fixCrontab } from '../shared/core/crontab/fix.ts';
import { DiagnosticRenderer } from '../shared/core/diagnostic-text.ts';
import { checkSource, readSources, type Source } from './sources.ts';
import { diagnosticPaint } from './style.ts';

/** Findings that are shown of one file; more scroll away unread. JSON has them all. */
const MOST_SHOWN = 100;

export const checkCommand: Command = {
  name: 'check',
  summary: 'Find what is wrong in a crontab, before it runs',
  examples: [
    ['kuber-cron check crontab/production', 'all faults of a file, each with its place and its fix'],
    ['kuber-cron check --strict crontab/', 'a folder; warnings fail too'],
    ['kuber-cron check --format github crontab/', 'as annotations of a pull request'],
    [
      'kuber-cron check --fix crontab/production',
      'write a name above each unnamed job, and the last newline',
    ],
    ['crontab -l | kuber-cron check -', 'the crontab in use'],
  ],
  operands: '[--strict] [--fix] FILE…|FOLDER…|-',
  options: {
    strict: { type: 'boolean', help: 'warnings make the exit code 1' },
    fix: { type: 'boolean', help: 'add missing names and the final newline to the files' },
    zone: OPTION.zone,
    system: OPTION.system,
    format: OPTION.format(['text', 'json', 'github']),
  },
  notes:
    'Exit code: 0 fine, 1 errors found (with --strict also warnings), 2 wrong usage, 3 a file cannot be read.',

  async run(invocation, io) {
    if (invocation.operands.length === 0)
      throw new UsageError('`check` wants a crontab: a file, a folder, or `-` for standard input');
    const format = text(invocation, 'format') ?? 'text';
    const isStrict = isSet(invocation, 'strict');
    const reports: unknown[] = [];
    let hasProblems = false;
    let files = 0;
    for await (const source of readSources(invocation.operands, io)) {
      files++;
      let checked = checkSource(source, invocation, Date.now());
      if (isSet(invocation, 'fix'))
        checked = await fix(source, checked, io, () =>
          checkSource({ ...source, bytes: Buffer.from(fixCrontab(checked).text) }, invocation, Date.now()),
        );
      const { diagnostics } = checked;
      hasProblems ||= diagnostics.hasErrors || (isStrict && diagnostics.count('warning') > 0);
      if (format === 'json') reports.push(jsonReport(source, checked));
      else if (format === 'github') githubReport(source, checked, io);
      else textReport(source, checked, io);
    }
    if (files === 0)
      throw new CommandError(
        `no crontab in ${invocation.operands.join(', ')}: in a folder, files called *.crontab or without a dot are read`,
      );
    if (format === 'json') io.stdout.write(`${JSON.stringify({ files: reports }, null, 2)}\n`);
    return hasProblems ? EXIT.problems : EXIT.fine;
  },
};

function textReport(source: Source, { text, crontab, diagnostics }: CheckedCrontab, io: Io): void {
  const renderer = new DiagnosticRenderer(source.path, text, diagnosticPaint(io.stdout, io.env));
  const shown = diagnostics.list.slice(0, MOST_SHOWN);
  for (const diagnostic of shown) io.stdout.write(`${renderer.text(diagnostic)}\n\n`);
  const hidden =
    diagnostics.count('error') + diagnostics.count('warning') + diagnostics.count('note') - shown.length;
  if (hidden > 0) io.stdout.write(`… and ${hidden} more\n\n`);
  const named = crontab.entries.filter(({ options }) => options.name !== undefined).length;
  const withOptions = crontab.entries.filter(({ options }) =>
    Object.keys(options).some((key) => key !== 'name'),
  ).length;
  const counts = [
    plural(crontab.entries.length, 'entry', 'entries'),
    `${named} named`,
    `${withOptions} with options`,
    plural(diagnostics.count('error'), 'error'),
    plural(diagnostics.count('warning'), 'warning'),
  ];
  io.stdout.write(`${source.path}: ${counts.join(', ')}\n`);
}

function githubReport(source: Source, { text, diagnostics }: CheckedCrontab, io: Io): void {
  const renderer = new DiagnosticRenderer(source.path, text);
  for (const diagnostic of diagnostics.list.slice(0, MOST_SHOWN))
    io.stdout.write(`${renderer.github(diagnostic)}\n`);
}

/** Documented in docs/diagnostics.md. */
function jsonReport(source: Source, { text, crontab, names, diagnostics }: CheckedCrontab) {
  const renderer = new DiagnosticRenderer(source.path, text);
  return {
    file: source.path,
    crontab: source.name,
    entries: crontab.entries.length,
    jobs: names,
    errors: diagnostics.count('error'),
    warnings: diagnostics.count('warning'),
    diagnostics: diagnostics.list.map((diagnostic) => renderer.json(diagnostic)),
  };
}

async function fix(
  source: Source,
  checked: CheckedCrontab,
  io: Io,
  checkAgain: () => CheckedCrontab,
): Promise<CheckedCrontab> {
  if (source.path === '<stdin>')
    throw new UsageError('`--fix` writes files: standard input cannot be mended in place');
  const { text, namesAdded, newlineAdded } = fixCrontab(checked);
  if (text === checked.text) return checked;
  // Beside the file and then in its place, so that a daemon never reads half of it; a link keeps pointing where it did.
  const path = realpathSync(source.path);
  const beside = join(dirname(path), `.${process.pid}.kuber-cron-fix`);
  try {
    const { mode } = await stat(path);
    await writeFile(beside, text, { mode, flag: 'wx', flush: true });
    await rename(beside, path);
  } catch (error) {
    throw new CommandError(`cannot write \`${source.path}\`: ${systemReason(error)}`, { cause: error });
  }
  const done = [
    ...(namesAdded > 0 ? [plural(namesAdded, 'name')] : []),
    ...(newlineAdded ? ['the final newline'] : []),
  ];
  io.stderr.write(`${source.path}: added ${done.join(' and ')}\n`);
  return checkAgain();
}

function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
