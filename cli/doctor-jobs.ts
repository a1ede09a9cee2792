import { statSync } from 'node:fs';
import type { CommandEnvironment } from '../shared/adapters/command-environment.ts';
import { CommandError, type Io } from '../shared/adapters/command-line.ts';
import { findOnPath, findProgram, missingInterpreter } from '../shared/adapters/find-program.ts';
import { limitSupport } from '../shared/adapters/limits.ts';
import { addressVariable, WebhookChannels } from '../shared/adapters/webhook.ts';
import { type Program, programsOf } from '../shared/core/crontab/programs.ts';
import type { DoctorCode } from '../shared/core/doctor.ts';
import { type CommandUser, commandSpec } from '../shared/core/run/execute-run.ts';
import { isMaskable, unmasked } from '../shared/core/run/mask.ts';
import { jobIdOf } from '../shared/core/run/run-id.ts';
import type { Span } from '../shared/core/source.ts';
import type { Examined } from './doctor.ts';

/** Something that is missing or wrong, and how to mend it. */
export interface Finding {
  readonly code: DoctorCode;
  readonly message: string;
  readonly help: string;
  readonly file?: string;
  /** Jobs that it concerns: `crontab/name`. */
  readonly jobs?: readonly string[];
  readonly place?: { readonly source: Examined['source']; readonly text: string; readonly span: Span };
}

/** Findings of jobs, one for all jobs of a crontab that have it in common. */
class JobFindings {
  readonly #byKey = new Map<string, Finding & { readonly jobs: string[] }>();

  add(examined: Examined, finding: Pick<Finding, 'code' | 'message' | 'help'>, span: Span): void {
    const { crontab, job, source, text } = examined;
    const jobId = jobIdOf(crontab, job.name);
    const key = JSON.stringify([source.path, finding.code, finding.message]);
    const known = this.#byKey.get(key);
    if (known === undefined)
      this.#byKey.set(key, { ...finding, jobs: [jobId], place: { source, text, span } });
    else if (known.jobs.at(-1) !== jobId) known.jobs.push(jobId);
  }

  get list(): readonly Finding[] {
    return [...this.#byKey.values()].map((finding) => {
      const others = finding.jobs.length - 1;
      if (others === 0) return finding;
      return {
        ...finding,
        message: `${finding.message} (and in ${others} more ${others === 1 ? 'job' : 'jobs'})`,
      };
    });
  }
}

const POSIX_SHELL = /(?:^|\/)(?:ba|da|a|k|z|mk|ya)?sh$/;

/**
 * Shell, folder and programs of every command, as they would be looked for by it.
 *
 * @param ownPath PATH of this process: where programs are that commands do not see
 */
export function commandFindings(
  jobs: readonly Examined[],
  { passed }: Pick<CommandEnvironment, 'passed'>,
  user: CommandUser,
  ownPath = '',
): readonly Finding[] {
  const findings = new JobFindings();
  for (const examined of jobs) {
    const { job, command } = examined;
    const whole = { start: command.start, end: command.end };
    const { environment, shell, directory } = specOf(examined, passed, user);
    const add = (code: DoctorCode, message: string, help: string, span: Span = whole) =>
      findings.add(examined, { code, message, help }, span);
    const foundShell = findProgram({ word: shell, folder: '' }, environment);
    if (foundShell.kind !== 'found') {
      const how = foundShell.kind === 'not-executable' ? 'may not be executed' : 'is not there';
      add(
        'shell-missing',
        `the shell \`${shell}\` ${how}`,
        'install it, or set `SHELL=` above the entry to one that is there',
      );
    }
    if (!isFolder(directory))
      add(
        'home-missing',
        `the folder \`${directory}\` (HOME), which the command starts in, is not there`,
        'make it, or set `HOME=` above the entry to a folder that is there',
      );
    if (!POSIX_SHELL.test(shell)) continue;
    for (const program of programsOf(job.command)) {
      if (isSetByCommand(program, job.command)) continue;
      const fault = programFault(program, environment, ownPath);
      if (fault !== undefined) add(fault.code, fault.message, fault.help, spanOf(program, examined));
    }
  }
  return findings.list;
}

function specOf({ crontab, job }: Examined, passed: Readonly<Record<string, string>>, user: CommandUser) {
  const jobId = jobIdOf(crontab, job.name);
  const run = {
    jobId,
    runId: 'doctor',
    scheduledTime: 0,
    trigger: 'manual',
    status: 'running',
    planHash: '',
  } as const;
  return commandSpec({ ...run, createdAt: 0, attempts: [] }, job, 1, { user, passed, secrets: {} });
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** Whether a variable in a program's name gets its value in the command itself. */
function isSetByCommand({ word }: Program, command: string): boolean {
  return [...word.matchAll(/\$\{?(\w+)/g)].some(([, name]) =>
    new RegExp(`(?:\\b${name}\\+?=|\\b(?:read|for)\\b.*\\b${name}\\b)`).test(command),
  );
}

function programFault(
  program: Program,
  environment: Readonly<Record<string, string>>,
  ownPath: string,
): Pick<Finding, 'code' | 'message' | 'help'> | undefined {
  const found = findProgram(program, environment);
  switch (found.kind) {
    case 'unknown':
      return undefined;
    case 'not-executable':
      return {
        code: 'program-not-executable',
        message: `\`${found.path}\` may not be executed by this user`,
        help: `\`chmod +x ${found.path}\`, or start it by its interpreter, such as \`sh ${found.path}\``,
      };
    case 'missing': {
      if (found.name.includes('/'))
        return {
          code: 'program-missing',
          message: `there is no program \`${found.name}\``,
          help: 'put it there, or write where it is',
        };
      const { PATH = '' } = environment;
      const elsewhere = findOnPath(found.name, ownPath);
      const message = `there is no program \`${found.name}\` on the PATH of the command, \`${PATH}\``;
      if (elsewhere?.kind !== 'found')
        return {
          code: 'program-missing',
          message,
          help: 'install it, or write where it is: commands do not have the PATH of a login shell',
        };
      const folder = elsewhere.path.slice(0, elsewhere.path.lastIndexOf('/'));
      return {
        code: 'program-missing',
        message,
        help: `it is \`${elsewhere.path}\`: write that, or \`PATH=${folder}:${PATH}\` above the entry`,
      };
    }
    case 'found': {
      const missing = missingInterpreter(found.path, environment);
      if (missing === undefined) return undefined;
      const help = 'install what it names, mend its first line, or give it the line ends of Unix';
      return { code: 'interpreter-missing', message: missing, help };
    }
  }
}

/** Where a program stands in the crontab: `\%` is one character in the command and two there. */
function spanOf({ word, start, end }: Program, { job, command }: Examined): Span {
  const before = job.command.slice(0, end);
  if (command.text.startsWith(before)) return { start: command.start + start, end: command.start + end };
  const at = command.text.indexOf(word, start);
  if (at === -1) return { start: command.start, end: command.end };
  return { start: command.start + at, end: command.start + at + word.length };
}

/** Secrets that are asked for. */
export function secretFindings(
  jobs: readonly Examined[],
  { secret }: CommandEnvironment,
): readonly Finding[] {
  const findings = new JobFindings();
  for (const examined of jobs) {
    const { job, command } = examined;
    for (const name of job.options.secrets ?? []) {
      const finding = secretFault(name, secret);
      if (finding !== undefined) findings.add(examined, finding, { start: command.start, end: command.end });
    }
  }
  return findings.list;
}

function secretFault(
  name: string,
  secret: CommandEnvironment['secret'],
): Pick<Finding, 'code' | 'message' | 'help'> | undefined {
  const help =
    'set the variable where the daemon starts, or name the folder that has it as a file by `--secrets`';
  try {
    const value = secret(name);
    if (value === undefined)
      return { code: 'secret-missing', message: `there is no secret \`${name}\``, help };
    if (isMaskable(value)) return undefined;
    return { code: 'secret-not-masked', message: unmasked(name), help: 'use a longer one' };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return { code: 'secret-missing', message: error.message, help: 'let this user read it' };
  }
}

/** Limits that are asked for. To find out what is enforced costs something, so it is asked only then. */
export function limitFindings(jobs: readonly Examined[]): readonly Finding[] {
  const findings = new JobFindings();
  const limited = jobs.filter(
    ({ job: { options } }) => options.memory !== undefined || options['cpu-time'] !== undefined,
  );
  if (limited.length === 0) return [];
  const support = limitSupport();
  for (const examined of limited) {
    const { job, command } = examined;
    const span = { start: command.start, end: command.end };
    if (job.options.memory !== undefined && !support.memory) {
      const [why, help] = (support.why ?? 'there are no control groups').split('; ', 2);
      const message = `\`memory\` is not enforced here: ${why}`;
      findings.add(
        examined,
        { code: 'limit-not-enforced', message, help: help ?? 'leave `memory` out' },
        span,
      );
    }
    if (job.options['cpu-time'] !== undefined && !support.cpuTime) {
      const message = '`cpu-time` is not enforced here: there is no /bin/sh that could set it';
      findings.add(
        examined,
        { code: 'limit-not-enforced', message, help: 'install a shell as /bin/sh' },
        span,
      );
    }
  }
  return findings.list;
}

/** Channels that are told of failures. */
export function channelFindings(jobs: readonly Examined[], env: Io['env']): readonly Finding[] {
  let channels: WebhookChannels;
  try {
    channels = new WebhookChannels(env);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const help = 'set it as docs/notifications.md says, or leave it out';
    return [{ code: 'channel-unusable', message: error.message, help }];
  }
  const findings = new JobFindings();
  for (const examined of jobs) {
    const { job, command } = examined;
    const { notify } = job.options;
    if (notify === undefined || channels.has(notify)) continue;
    const message = `nobody is told by \`notify=${notify}\``;
    const help = `set \`${addressVariable(notify)}\` where the daemon starts`;
    findings.add(
      examined,
      { code: 'channel-missing', message, help },
      { start: command.start, end: command.end },
    );
  }
  return findings.list;
}
