import { commandEnvironment, ENVIRONMENT_OPTIONS } from '../shared/adapters/command-environment.ts';
import {
  type Command,
  CommandError,
  EXIT,
  type Invocation,
  type Io,
  OPTION,
  text,
  UsageError,
} from '../shared/adapters/command-line.ts';
import { crontabFiles } from '../shared/adapters/crontab-files.ts';
import { currentUser, machineZone } from '../shared/adapters/host.ts';
import { type StoreLocation, storeLocation } from '../shared/adapters/open-store.ts';
import { DiagnosticRenderer, printable } from '../shared/core/diagnostic-text.ts';
import { DOCTOR_CODES, type DoctorCode } from '../shared/core/doctor.ts';
import { nearest } from '../shared/core/nearest.ts';
import { type PlannedJob, planCrontab } from '../shared/core/plan/plan.ts';
import {
  channelFindings,
  commandFindings,
  type Finding,
  limitFindings,
  secretFindings,
} from './doctor-jobs.ts';
import { clockFindings, storeFindings, zoneFindings } from './doctor-machine.ts';
import { checkSource, now, readSource, type Source, writeDiagnostics, zoneOption } from './sources.ts';
import { diagnosticPaint } from './style.ts';

export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'Find what a crontab needs and this machine does not have',
  examples: [
    ['kuber-cron doctor crontab/production', 'would every job start here, and be recorded?'],
    ['kuber-cron doctor', 'only the machine: run store, clock, time zone, channels'],
    [
      'kuber-cron doctor --skip secret-missing /etc/kuber-cron',
      'in the build of an image, which has no secrets',
    ],
  ],
  operands: '[--skip CODE,…] [FILE…|FOLDER…|-]',
  options: {
    skip: { type: 'string', value: 'CODE,…', help: 'findings that are not looked for' },
    store: OPTION.store,
    zone: OPTION.zone,
    ...ENVIRONMENT_OPTIONS,
    system: OPTION.system,
    format: OPTION.format(['text', 'json', 'github']),
  },
  notes: `Run it as the user, with the environment and with the options that the daemon has.
Exit code: 0 fine, 1 something was found, 2 wrong usage. docs/troubleshooting.md has a section on each finding.`,

  async run(invocation, io) {
    const skipped = skippedCodes(invocation);
    const environment = commandEnvironment(invocation, io.env);
    const location = storeLocation(text(invocation, 'store'));
    const format = text(invocation, 'format') ?? 'text';
    const { crontabs, findings } = await readCrontabs(invocation, io, format === 'text');
    const jobs = crontabs.flatMap(({ examined }) => examined);
    findings.push(
      ...commandFindings(jobs, environment, currentUser(), io.env.PATH),
      ...secretFindings(jobs, environment),
      ...limitFindings(jobs),
      ...channelFindings(jobs, io.env),
      ...zoneFindings(jobs, io.env),
      ...(await storeFindings(location)),
      ...(await clockFindings(location, now(io))),
    );
    const told = findings.filter(({ code }) => !skipped.has(code));
    if (format === 'json')
      io.stdout.write(`${JSON.stringify(jsonReport(crontabs, location, told), null, 2)}\n`);
    else if (format === 'github') for (const finding of told) io.stdout.write(`${annotation(finding)}\n`);
    else {
      for (const finding of told) io.stdout.write(`${findingText(finding, io)}\n\n`);
      io.stdout.write(`${summary(crontabs.length, jobs.length, told.length)}\n`);
    }
    return told.length === 0 ? EXIT.fine : EXIT.problems;
  },
};

/** @throws UsageError for a code that there is not */
function skippedCodes(invocation: Invocation): ReadonlySet<string> {
  const codes = text(invocation, 'skip')?.split(',') ?? [];
  for (const code of codes) {
    if ((DOCTOR_CODES as readonly string[]).includes(code)) continue;
    const near = nearest(code, DOCTOR_CODES);
    throw new UsageError(
      `\`doctor\` finds no \`${code}\`; ${near === undefined ? `there are ${DOCTOR_CODES.join(', ')}` : `did you mean \`${near}\`?`}`,
    );
  }
  return new Set(codes);
}

/** An entry of a crontab without errors, and the job that it is. */
export interface Examined {
  readonly source: Source;
  readonly crontab: string;
  /** The crontab's text. */
  readonly text: string;
  readonly job: PlannedJob;
  readonly command: { readonly text: string; readonly start: number; readonly end: number };
}

interface ReadCrontab {
  readonly source: Source;
  readonly examined: readonly Examined[];
}

async function readCrontabs(
  invocation: Invocation,
  io: Io,
  isShown: boolean,
): Promise<{ crontabs: ReadCrontab[]; findings: Finding[] }> {
  const crontabs: ReadCrontab[] = [];
  const findings: Finding[] = [];
  const zone = zoneOption(invocation) ?? machineZone();
  const { operands } = invocation;
  const unreadable = (message: string): Finding => ({
    code: 'crontab-unreadable',
    message,
    help: 'name a file or a folder that is there, and that this user may read',
  });
  let files: ReturnType<typeof crontabFiles> = [];
  try {
    files = crontabFiles(operands);
    if (files.length === 0 && operands.length > 0)
      findings.push(unreadable(`there is no crontab in ${operands.map((one) => `\`${one}\``).join(', ')}`));
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    findings.push(unreadable(error.message));
  }
  for (const file of files) {
    try {
      const source = await readSource(file, io);
      const checked = checkSource(source, invocation, io, { user: currentUser().name });
      const errors = checked.diagnostics.list.filter(({ severity }) => severity === 'error');
      if (errors.length > 0) {
        if (isShown)
          writeDiagnostics(io.stdout, source.path, checked.text, errors, diagnosticPaint(io.stdout, io.env));
        findings.push({
          code: 'crontab-refused',
          message: `\`${source.path}\` has ${errors.length} ${errors.length === 1 ? 'error' : 'errors'}, so nothing of it would run`,
          help: `mend what \`kuber-cron check ${file.path}\` shows`,
          file: source.path,
        });
        crontabs.push({ source, examined: [] });
        continue;
      }
      const plan = planCrontab(checked, { crontab: source.name, zone });
      const byName = new Map(plan.jobs.map((job) => [job.name, job]));
      const examined = checked.crontab.entries.map(({ commandText, commandSpan }, index) => ({
        source,
        crontab: source.name,
        text: checked.text,
        job: byName.get(checked.names[index] as string) as PlannedJob,
        command: { text: commandText, ...commandSpan },
      }));
      crontabs.push({ source, examined });
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      findings.push(unreadable(error.message));
    }
  }
  return { crontabs, findings };
}

function findingText({ code, message, help, place }: Finding, io: Io): string {
  const paint = diagnosticPaint(io.stdout, io.env);
  if (place !== undefined) {
    const { source, text, span } = place;
    const renderer = new DiagnosticRenderer(source.path, text, paint);
    return renderer.text({ code, severity: 'error', span, message, help });
  }
  return `${paint('error', `error[${code}]`)}: ${printable(message)}\n${paint('help', '  = help:')} ${printable(help)}`;
}

function annotation({ code, message, help, file, place }: Finding): string {
  const { source, text, span } = place ?? {
    source: { path: file ?? '' },
    text: '',
    span: { start: 0, end: 0 },
  };
  const line = new DiagnosticRenderer(source.path, text).github({
    code,
    severity: 'error',
    span,
    message,
    help,
  });
  return place === undefined && file === undefined
    ? line.replace(/^::error [^:]*,title=/, '::error title=')
    : line;
}

function summary(crontabs: number, jobs: number, findings: number): string {
  const count = (n: number, one: string) => `${n === 0 ? 'no' : n} ${one}${n === 1 ? '' : 's'}`;
  return `${count(crontabs, 'crontab')}, ${count(jobs, 'job')}, ${count(findings, 'finding')}`;
}

/** Documented in docs/cli.md. */
function jsonReport(
  crontabs: readonly ReadCrontab[],
  { path, table }: StoreLocation,
  findings: readonly Finding[],
) {
  return {
    crontabs: crontabs.map(({ source, examined }) => ({
      file: source.path,
      crontab: source.name,
      jobs: examined.length,
    })),
    store: table === undefined ? path : `dynamodb:${table}`,
    findings: findings.map(({ code, message, help, file, jobs, place }) => {
      const at =
        place === undefined
          ? undefined
          : new DiagnosticRenderer(place.source.path, place.text).json({
              code,
              severity: 'error',
              span: place.span,
              message,
            });
      const named = at?.file ?? file;
      return {
        ...{ code: code satisfies DoctorCode, message, help },
        ...(named === undefined ? {} : { file: named }),
        ...(at === undefined ? {} : { start: at.start, end: at.end }),
        ...(jobs === undefined ? {} : { jobs }),
      };
    }),
  };
}
