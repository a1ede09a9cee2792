import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { homedir, hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import type { CommandUser } from '../core/run/execute-run.ts';
import type { Owner } from '../core/run/run.ts';

/** Identifies this boot of the machine: `@reboot` runs once for each. */
export function readBootId(): string {
  if (process.platform === 'linux') return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return execFileSync('/usr/sbin/sysctl', ['-n', 'kern.bootsessionuuid'], { encoding: 'utf8' }).trim();
}

/** This process as the owner of runs. */
export function currentOwner(token: string): Owner {
  return {
    token,
    host: hostname(),
    bootId: readBootId(),
    pid: process.pid,
    processStart: processStart(process.pid) ?? '',
  };
}

/** Whether the process that owns a run is alive; undefined when it is on another host, where this cannot be seen. */
export function isAlive(owner: Owner): boolean | undefined {
  if (owner.host !== hostname()) return undefined;
  return owner.bootId === readBootId() && processStart(owner.pid) === owner.processStart;
}

/** When a process started, in the platform's own form; undefined when there is no such process. */
export function processStart(pid: number): string | undefined {
  if (process.platform === 'linux') return processEntry(pid)?.start;
  try {
    return execFileSync('/bin/ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
}

/** A row of the process table. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** When it started, in the platform's own form. */
  readonly start: string;
  /** Used by the process itself so far, in user and kernel mode. Milliseconds. */
  readonly cpuMs: number;
}

/** Length of the clock tick that /proc counts in: `USER_HZ` is 100 wherever Node runs. Milliseconds. */
const TICK_MS = 10;

/** A living process; Linux only. @returns undefined when there is none, or only its entry in the table is left */
function processEntry(pid: number): ProcessEntry | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name and may itself hold blanks and parentheses: what follows begins with field 3.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const field = (n: number) => fields[n - 3] as string;
    // A process that has ended stays in the table until its parent looks.
    if (field(3) === 'Z' || field(3) === 'X') return undefined;
    return {
      pid,
      parent: Number(field(4)),
      group: Number(field(5)),
      start: field(22),
      cpuMs: (Number(field(14)) + Number(field(15))) * TICK_MS,
    };
  } catch {
    // It ended meanwhile.
    return undefined;
  }
}

/** All living processes; Linux only. */
export function processTable(): ProcessEntry[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => processEntry(Number(pid)) ?? []);
}

/**
 * Whether a process group has a member that is more than an entry in the process table: one that has ended and that
 * nobody has asked about, as where PID 1 is no init, is over.
 */
export function isGroupAlive(group: number): boolean {
  try {
    process.kill(-group, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return process.platform !== 'linux' || processTable().some((entry) => entry.group === group);
}

/** The user that commands run as: the daemon's own. */
export function currentUser(): CommandUser {
  try {
    const { username, homedir: home } = userInfo();
    return { name: username, home };
  } catch {
    // A container may run under a number that no passwd file knows.
    return { name: String(process.getuid?.() ?? 'unknown'), home: homedir() };
  }
}

/** Zone of the machine: an IANA name. */
export function machineZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** Where kuber-cron keeps what it has to remember. @see XDG Base Directory Specification */
export function stateFolder(): string {
  const base = process.env.XDG_STATE_HOME;
  // The specification wants relative paths to be ignored.
  return join(base?.startsWith('/') ? base : join(homedir(), '.local', 'state'), 'kuber-cron');
}
