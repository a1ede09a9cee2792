import { realpathSync } from 'node:fs';
import { chmod, chown, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  type Command,
  CommandError,
  EXIT,
  type Invocation,
  type Io,
  isSet,
  OPTION,
  text,
  UsageError,
} from '../shared/adapters/command-line.ts';
import { systemReason } from '../shared/adapters/crontab-files.ts';
import { type CheckedCrontab, checkCrontab } from '../shared/core/crontab/check.ts';
import { fixCrontab } from '../shared/core/crontab/fix.ts';
import { DiagnosticRenderer } from '../shared/core/diagnostic-text.ts';
import { type PlannedJob, planCrontab, timetableOf } from '../shared/core/plan/plan.ts';
import { Progress } from './progress.ts';
import {
  MOST_SHOWN,
  now,
  readSource,
  type Source,
  sourceFiles,
  writeDiagnostics,
  zoneOption,
} from './sources.ts';
import { diagnosticPaint, table } from './style.ts';
import { type OnAws, onAws, TARGET_OPTION, watchdogText } from './target.ts';

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
    [
      'kuber-cron check --target aws crontab/production',
      'also what AWS cannot carry, and its schedules there',
    ],
    ['crontab -l | kuber-cron check -', 'the crontab in use'],
  ],
  operands: '[--strict] [--fix] FILE…|FOLDER…|-',
  options: {
    strict: { type: 'boolean', help: 'warnings make the exit code 1' },
    fix: { type: 'boolean', help: 'add missing names and the final newline to the files' },
    target: TARGET_OPTION,
    zone: OPTION.zone,
    system: OPTION.system,
    format: OPTION.format(['text', 'json', 'github']),
  },
  notes:
    'Exit code: 0 fine, 1 errors found (with --strict also warnings), 2 wrong usage, 3 a file cannot be read.',

  async run(invocation, io) {
    const format = text(invocation, 'format') ?? 'text';
    const isFixing = isSet(invocation, 'fix');
    if (isFixing && invocation.operands.includes('-'))
      throw new UsageError('`--fix` writes files: standard input cannot be mended in place');
    const files = sourceFiles('check', invocation.operands, true);
    const progress = new Progress(io);
    const reports: unknown[] = [];
    const sum = { errors: 0, warnings: 0, unreadable: 0 };
    for (const [index, file] of files.entries()) {
      try {
        const source = await readSource(file, io);
        progress.show(`checking ${index + 1} of ${files.length}: ${source.path} …`, source.bytes.length);
        let checked = check(source, invocation, io);
        progress.clear();
        if (isFixing && (await fix(source, checked, io))) {
          const bytes = Buffer.from(fixCrontab(checked).text);
          checked = check({ ...source, bytes }, invocation, io);
        }
        sum.errors += checked.diagnostics.count('error');
        sum.warnings += checked.diagnostics.count('warning');
        const jobs = jobsOnTarget(source, checked, invocation, io);
        if (format === 'json') reports.push(jsonReport(source, checked, jobs));
        else if (format === 'github') githubReport(source, checked, io);
        else {
          textReport(source, checked, io);
          if (jobs !== undefined && jobs.length > 0) io.stdout.write(awsTable(jobs));
        }
      } catch (error) {
        // What is wrong with one file says nothing about the others.
        if (!(error instanceof CommandError)) throw error;
        sum.unreadable++;
        io.stderr.write(`kuber-cron: ${error.message}\n`);
      }
    }
    if (format === 'json') io.stdout.write(`${JSON.stringify({ files: reports }, null, 2)}\n`);
    if (format === 'text' && files.length > 1)
      io.stdout.write(
        `${files.length} files: ${plural(sum.errors, 'error')}, ${plural(sum.warnings, 'warning')}\n`,
      );
    if (sum.unreadable > 0) return EXIT.failed;
    const hasProblems = sum.errors > 0 || (isSet(invocation, 'strict') && sum.warnings > 0);
    return hasProblems ? EXIT.problems : EXIT.fine;
  },
};

function check({ bytes }: Source, invocation: Invocation, io: Io): CheckedCrontab {
  const isForAws = text(invocation, 'target') !== undefined;
  return checkCrontab(bytes, {
    system: isSet(invocation, 'system'),
    zone: zoneOption(invocation),
    now: now(io),
    ...(isForAws ? { target: 'aws' } : {}),
  });
}

/** What becomes of each job of a crontab without errors on the target that was asked for, in the order of the entries. */
function jobsOnTarget(
  { name }: Source,
  checked: CheckedCrontab,
  invocation: Invocation,
  io: Io,
): (OnAws & { readonly job: string })[] | undefined {
  if (text(invocation, 'target') === undefined || checked.diagnostics.hasErrors) return undefined;
  // Only what AWS leaves out may lack a zone here.
  const plan = planCrontab(checked, { crontab: name, zone: zoneOption(invocation) ?? 'UTC' });
  const byName = new Map(plan.jobs.map((job) => [job.name, job]));
  return checked.crontab.entries.map((entry, index) => {
    const job = byName.get(checked.names[index] as string) as PlannedJob;
    return { job: job.name, ...onAws(timetableOf(plan, job), { ...entry, zone: job.zone }, now(io)) };
  });
}

function awsTable(jobs: readonly (OnAws & { readonly job: string })[]): string {
  return table([
    ['JOB', 'SCHEDULE ON AWS', 'ZONE', 'DROPPED', 'STARTED BY THE WATCHDOG'],
    ...jobs.flatMap((one) => {
      const { job, leftOut, schedules, droppedDeliveries } = one;
      if (schedules.length === 0) return [[job, leftOut ? 'left out by its `targets`' : 'none: never due']];
      return schedules.map(({ expression, timeZone }, index) =>
        index > 0
          ? ['', expression, timeZone]
          : [job, expression, timeZone, String(droppedDeliveries), watchdogText(one)],
      );
    }),
  ]);
}

function textReport({ path }: Source, { text, crontab, diagnostics }: CheckedCrontab, io: Io): void {
  const count = diagnostics.count('error') + diagnostics.count('warning') + diagnostics.count('note');
  writeDiagnostics(io.stdout, path, text, diagnostics.list, diagnosticPaint(io.stdout, io.env), count);
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
  io.stdout.write(`${path}: ${counts.join(', ')}\n`);
}

function githubReport(source: Source, { text, diagnostics }: CheckedCrontab, io: Io): void {
  const renderer = new DiagnosticRenderer(source.path, text);
  for (const diagnostic of diagnostics.list.slice(0, MOST_SHOWN))
    io.stdout.write(`${renderer.github(diagnostic)}\n`);
}

/** Documented in docs/diagnostics.md. */
function jsonReport(
  source: Source,
  { text, crontab, names, diagnostics }: CheckedCrontab,
  aws: ReturnType<typeof jobsOnTarget>,
) {
  const renderer = new DiagnosticRenderer(source.path, text);
  return {
    file: source.path,
    crontab: source.name,
    entries: crontab.entries.length,
    jobs: names,
    errors: diagnostics.count('error'),
    warnings: diagnostics.count('warning'),
    diagnostics: diagnostics.list.map((diagnostic) => renderer.json(diagnostic)),
    ...(aws === undefined ? {} : { aws }),
  };
}

/** Mends a file in its place. @returns whether there was anything to mend */
async function fix(source: Source, checked: CheckedCrontab, io: Io): Promise<boolean> {
  const { text, namesAdded, newlineAdded } = fixCrontab(checked);
  if (text === checked.text) {
    if (checked.diagnostics.hasErrors)
      io.stderr.write(`${source.path}: nothing is written while there are other errors\n`);
    return false;
  }
  try {
    await replace(source.path, text);
  } catch (error) {
    throw new CommandError(`cannot write \`${source.path}\`: ${systemReason(error)}`, { cause: error });
  }
  const done = [
    ...(namesAdded > 0 ? [plural(namesAdded, 'name')] : []),
    ...(newlineAdded ? ['the final newline'] : []),
  ];
  io.stderr.write(`${source.path}: added ${done.join(' and ')}\n`);
  return true;
}

/** Writes beside the file and then in its place, so that a daemon never reads half of it; a link stays a link. */
async function replace(file: string, text: string): Promise<void> {
  const path = realpathSync(file);
  const old = await stat(path);
  if (!old.isFile()) throw new Error('it is not a regular file');
  const beside = join(dirname(path), `.${process.pid}.kuber-cron-fix`);
  await writeFile(beside, text, { mode: 0o600, flag: 'wx', flush: true });
  try {
    // Only root may give a file away; whoever else may write here becomes its owner, as with any editor.
    await chown(beside, old.uid, old.gid).catch(() => {});
    await chmod(beside, old.mode & 0o7777);
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
