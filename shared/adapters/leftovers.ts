import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EpochMs } from '../core/schedule/zone-table.ts';
import { type ProcessEntry, processStart, processTable } from './host.ts';

/** Which attempt a process belongs to, as its environment says. */
export interface AttemptMark {
  /** `KUBERCRON_RUN_ID`: `<jobId>/<runId>` */
  readonly runId: string;
  /** `KUBERCRON_OWNER`; empty where there is none. */
  readonly owner: string;
  /** `KUBERCRON_ATTEMPT`; empty where there is none. */
  readonly attempt: string;
}

/** A process of an attempt. */
export interface Leftover extends AttemptMark {
  readonly pid: number;
  /** Its process group. */
  readonly group: number;
  /** Tells the process from a later one with its pid. */
  readonly processStart: string;
}

/** The process group that an attempt was started in, for platforms that do not show environments. */
export interface AttemptGroup extends AttemptMark {
  readonly processGroup: number;
  readonly startedAt: EpochMs;
}

/** Between two looks at what was signalled. Milliseconds. */
const LOOK_MS = 50;
/** How long is looked for what KILL does not end: only a process that waits in the kernel. Milliseconds. */
const KILL_PATIENCE_MS = 5_000;
/** A process in the middle of exec(2) shows no environment: nothing is gone before it was missed twice. */
const LOOKS_WITHOUT = 2;

/**
 * Living processes of attempts, by their environment: never this process and its ancestors.
 *
 * Linux: of this user, and with what they started in turn, though it may have cleared its environment. Not found is what
 * cleared or overwrote its environment and whose parent has ended.
 *
 * Elsewhere only processes of the given groups are found, so nothing that has left its group (setsid); a group whose
 * first process is alive but older or younger than the attempt is another one by now and left alone.
 */
export async function findLeftovers(
  isWanted: (environment: AttemptMark) => boolean,
  groups: readonly AttemptGroup[] = [],
): Promise<readonly Leftover[]> {
  const found = process.platform === 'linux' ? markedProcesses() : groupMembers(groups);
  return found.filter(isWanted);
}

/**
 * TERM, then KILL after the grace, to all that `find` finds, until it finds nothing or what is left cannot be ended:
 * also what is started meanwhile.
 *
 * @returns what was found and is gone, and what is left, each in the order of being found
 */
export async function killLeftovers(
  find: () => Promise<readonly Leftover[]>,
  graceMs: number,
): Promise<{ readonly ended: readonly Leftover[]; readonly left: readonly Leftover[] }> {
  const seen = new Map<string, Leftover>();
  const began = performance.now();
  let left: readonly Leftover[] = [];
  for (let without = 0; without < LOOKS_WITHOUT; without = left.length === 0 ? without + 1 : 0) {
    left = await find();
    const age = performance.now() - began;
    if (left.length === 0 && seen.size === 0) break;
    if (age > graceMs + KILL_PATIENCE_MS) break;
    for (const one of left) {
      const isNew = !seen.has(keyOf(one));
      seen.set(keyOf(one), one);
      if (age >= graceMs) signal(one, 'SIGKILL');
      else if (isNew) signal(one, 'SIGTERM');
    }
    await sleep(LOOK_MS);
  }
  const keys = new Set(left.map(keyOf));
  return { ended: [...seen].filter(([key]) => !keys.has(key)).map(([, one]) => one), left };
}

/** The mark that a command's environment gives it; undefined when it has none. */
export function markOf(environment: Readonly<Record<string, string>>): AttemptMark | undefined {
  const {
    KUBERCRON_RUN_ID: runId,
    KUBERCRON_OWNER: owner = '',
    KUBERCRON_ATTEMPT: attempt = '',
  } = environment;
  return runId === undefined ? undefined : { runId, owner, attempt };
}

/** What was seen last, by attempt. */
let seen: { readonly at: number; readonly byAttempt: ReadonlyMap<string, readonly Leftover[]> } | undefined;
let isCurrent = false;

/** Looks once in a turn of the event loop: a thousand commands that end together do not each look. */
function look(): ReadonlyMap<string, readonly Leftover[]> {
  if (seen === undefined || !isCurrent) {
    seen = { at: performance.now(), byAttempt: Map.groupBy(markedProcesses(), attemptKey) };
    isCurrent = true;
    setImmediate(() => {
      isCurrent = false;
    });
  }
  return seen.byAttempt;
}

/** Whether any process of an attempt is left, in whatever group. Linux only: elsewhere none is seen. */
export function isAttemptLeft(mark: AttemptMark): boolean {
  if (process.platform !== 'linux') return false;
  // One that was there a moment ago may be taken to be there; that it is gone must be true.
  const isRecent = seen !== undefined && performance.now() - seen.at < LOOK_MS;
  return (isRecent && seen?.byAttempt.has(attemptKey(mark))) || look().has(attemptKey(mark));
}

/**
 * Signals what an attempt has outside of its process group, which got the signal before: nobody gets TERM twice. After
 * KILL it is looked again until none is left. Linux only: elsewhere nothing shows whose such a process is.
 */
export function signalEscaped(mark: AttemptMark, group: number, name: 'SIGTERM' | 'SIGKILL'): void {
  if (process.platform !== 'linux') return;
  for (const one of look().get(attemptKey(mark)) ?? []) if (one.group !== group) signal(one, name);
  if (name === 'SIGTERM') return;
  condemned.set(attemptKey(mark), { looks: 0, without: 0 });
  finishOff();
}

/** Attempts whose processes are killed until none is left. */
const condemned = new Map<string, { looks: number; without: number }>();
let isLookDue = false;

function finishOff(): void {
  if (isLookDue) return;
  isLookDue = true;
  setTimeout(() => {
    isLookDue = false;
    const byAttempt = look();
    for (const [key, state] of condemned) {
      const found = byAttempt.get(key) ?? [];
      for (const one of found) signal(one, 'SIGKILL');
      state.looks++;
      state.without = found.length === 0 ? state.without + 1 : 0;
      const isOver = state.without === LOOKS_WITHOUT || state.looks * LOOK_MS > KILL_PATIENCE_MS;
      if (isOver) condemned.delete(key);
    }
    if (condemned.size > 0) finishOff();
  }, LOOK_MS);
}

function keyOf({ pid, processStart }: Leftover): string {
  return `${pid} ${processStart}`;
}

function attemptKey({ runId, owner, attempt }: AttemptMark): string {
  return [runId, owner, attempt].join('\0');
}

/** Nothing when the pid belongs to another process by now, or may not be signalled. */
function signal({ pid, processStart: start }: Leftover, name: 'SIGTERM' | 'SIGKILL'): void {
  const now =
    process.platform === 'linux' ? processStart(pid) : psTable().find((one) => one.pid === pid)?.start;
  if (now !== start) return;
  try {
    process.kill(pid, name);
  } catch {
    // Gone meanwhile, or another user's: the next look tells.
  }
}

/** All living processes of this user that have a mark, or an ancestor with one; Linux only. */
function markedProcesses(): Leftover[] {
  const table = new Map(processTable().map((entry) => [entry.pid, entry]));
  const untouchable = new Set([0, 1]);
  for (
    let pid: number | undefined = process.pid;
    pid !== undefined && pid > 0;
    pid = table.get(pid)?.parent
  ) {
    untouchable.add(pid);
  }
  const marks = new Map<number, AttemptMark | undefined>();
  const markOfProcess = ({ pid, parent }: ProcessEntry): AttemptMark | undefined => {
    if (untouchable.has(pid)) return undefined;
    if (!marks.has(pid)) {
      // Before the parent is asked, in case the table shows a circle.
      marks.set(pid, undefined);
      const above = table.get(parent);
      marks.set(pid, ownMark(pid) ?? (above === undefined ? undefined : markOfProcess(above)));
    }
    return marks.get(pid);
  };
  return [...table.values()].flatMap((entry) => {
    const mark = markOfProcess(entry);
    return mark === undefined
      ? []
      : [{ pid: entry.pid, group: entry.group, processStart: entry.start, ...mark }];
  });
}

function ownMark(pid: number): AttemptMark | undefined {
  try {
    // As bytes: an environment need not be text.
    const environment = readFileSync(`/proc/${pid}/environ`).toString('latin1');
    const value = (name: string) => {
      const found = new RegExp(`(?:^|\0)${name}=([^\0]*)`).exec(environment)?.[1];
      return found === undefined ? undefined : Buffer.from(found, 'latin1').toString();
    };
    const runId = value('KUBERCRON_RUN_ID');
    if (runId === undefined || statSync(`/proc/${pid}`).uid !== process.geteuid?.()) return undefined;
    return { runId, owner: value('KUBERCRON_OWNER') ?? '', attempt: value('KUBERCRON_ATTEMPT') ?? '' };
  } catch {
    // Gone, or another user's.
    return undefined;
  }
}

interface PsEntry {
  readonly pid: number;
  readonly group: number;
  /** In seconds, as text. */
  readonly start: string;
}

/** All living processes as ps(1) shows them; zombies left out. */
function psTable(): PsEntry[] {
  const text = execFileSync('/bin/ps', ['-axo', 'pid=,pgid=,stat=,lstart='], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  return [...text.matchAll(/^ *(\d+) +(\d+) +([^ ]+) +(.+?) *$/gm)]
    .filter(([, , , state = '']) => !state.startsWith('Z'))
    .map(([, pid, group, , start = '']) => ({ pid: Number(pid), group: Number(group), start }));
}

/** `ps` gives whole seconds, and the attempt's start is taken just before or after that of its process. */
const START_TOLERANCE_MS = 5_000;

/** Living processes in the groups of attempts, but none of our own group. */
export function groupMembers(groups: readonly AttemptGroup[]): Leftover[] {
  if (groups.length === 0) return [];
  const table = psTable();
  const own = table.find(({ pid }) => pid === process.pid)?.group;
  return groups.flatMap(({ processGroup, startedAt, ...mark }) => {
    const leader = table.find(({ pid }) => pid === processGroup);
    const isOther =
      leader !== undefined && Math.abs(Date.parse(leader.start) - startedAt) > START_TOLERANCE_MS;
    if (isOther || processGroup === own) return [];
    return table
      .filter(({ group }) => group === processGroup)
      .map(({ pid, group, start }) => ({ pid, group, processStart: start, ...mark }));
  });
}
