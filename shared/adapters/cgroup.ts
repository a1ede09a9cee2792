import { execFileSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { processStart } from './host.ts';

/** What the kernel and systemd say of this process's control groups. */
export interface CgroupHost {
  /** Text of `/proc/self/cgroup`. */
  readonly membership: string;
  /** Text of `/proc/self/mountinfo`. */
  readonly mounts: string;
  /** Whether systemd leaves what is below a unit to the unit: `Delegate=`. */
  isDelegated(unit: string, isOfUser: boolean): boolean;
}

/** @throws Error where there are no control groups, as on macOS */
export function thisCgroupHost(): CgroupHost {
  return {
    membership: readFileSync('/proc/self/cgroup', 'utf8'),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8'),
    isDelegated: (unit, isOfUser) => {
      const scope = isOfUser ? '--user' : '--system';
      const question = [scope, 'show', '--property=Delegate', '--value', '--', unit];
      try {
        return execFileSync('systemctl', question, { encoding: 'utf8', stdio: 'pipe' }).trim() === 'yes';
      } catch {
        return false;
      }
    },
  };
}

/** Where the daemon goes when its own group is divided: v2 allows processes in the leaves only. */
const LEAF = 'kuber-cron.daemon';
/** Scopes that container runtimes make for one container, which they always delegate. */
const CONTAINER_SCOPE = /^(?:docker|cri-containerd|crio|libpod)-[0-9a-f]{64}\.scope$/;
const SYSTEMD_HELP = 'run the daemon as a systemd service with `Delegate=yes`';
const CONTAINER_HELP = 'limit the container as a whole instead';

/**
 * Control groups below the daemon's own, each with a memory limit, each for one command.
 *
 * cgroup v1: any group may have groups below it, be there processes in it or not.
 *
 * cgroup v2: a group that hands the memory controller down holds no processes itself ("no internal processes"; the
 * machine's root excepted). So its processes first move into a leaf below it, and only where the group is surely the
 * daemon's to divide: a systemd unit with `Delegate=yes` (with `DelegateSubgroup=` the daemon is in a leaf already), a
 * container's own group, or one that an administrator gave to our user. Without `Delegate=` a unit's groups are
 * systemd's alone, also where root could write to them. Kubernetes and Docker mount the groups read-only unless the
 * container is privileged.
 *
 * @see https://docs.kernel.org/admin-guide/cgroup-v2.html and https://systemd.io/CGROUP_DELEGATION
 */
export class MemoryGroups {
  readonly #parent: string;
  readonly #version: 1 | 2;
  readonly #owner = `kuber-cron.${process.pid}.${processStart(process.pid)}`;
  readonly #emptied = new Set<string>();
  #made = 0;

  /** @throws Error that says why no group can be made here, and what would change that */
  constructor(host: CgroupHost = thisCgroupHost()) {
    const { path, version } = ownGroup(host);
    this.#version = version;
    this.#parent = version === 1 ? writable(path) : divided(path, host);
    this.#removeLeftovers();
  }

  /** @throws Error when the kernel does not take it */
  make(memoryBytes: number): MemoryGroup {
    this.#sweep();
    const path = join(this.#parent, `${this.#owner}.${++this.#made}`);
    mkdirSync(path);
    const write = (file: string, value: string) => writeFileSync(join(path, file), value);
    const writeWhereThere = (file: string, value: string) => {
      if (existsSync(join(path, file))) write(file, value);
    };
    try {
      if (this.#version === 1) {
        write('memory.limit_in_bytes', String(memoryBytes));
        // Memory and swap together, where the kernel counts swap; see `isExceededV1` for the difference.
        writeWhereThere('memory.memsw.limit_in_bytes', String(memoryBytes + SWAP_V1));
      } else {
        write('memory.max', String(memoryBytes));
        writeWhereThere('memory.swap.max', '0');
        // A command without the process that was killed is of no use to anybody.
        writeWhereThere('memory.oom.group', '1');
      }
    } catch (error) {
      removeEmpty(path);
      throw error;
    }
    return {
      processFile: join(path, 'cgroup.procs'),
      isExceeded: () => (this.#version === 1 ? isExceededV1(path) : isExceededV2(path)),
      remove: () => {
        this.#emptied.add(path);
        this.#sweep();
      },
    };
  }

  /** What a command left in the background keeps its group; it is removed when that has ended too. */
  #sweep(): void {
    for (const path of this.#emptied) if (removeEmpty(path)) this.#emptied.delete(path);
  }

  #removeLeftovers(): void {
    for (const name of readdirSync(this.#parent)) {
      const owner = /^kuber-cron\.(\d+)\.(\d+)\.\d+$/.exec(name);
      if (owner !== null && processStart(Number(owner[1])) !== owner[2]) {
        removeEmpty(join(this.#parent, name));
      }
    }
  }
}

export interface MemoryGroup {
  /** A process that writes its id here is in the group, and so is what it starts. */
  readonly processFile: string;
  /** Whether the kernel killed a process of the group because the group, not the machine, had no memory left. */
  isExceeded(): boolean;
  /** Removes the group as soon as it has no process. */
  remove(): void;
}

/** Swap that a v1 group may use. Bytes. */
const SWAP_V1 = 2 ** 20;

/**
 * v1 counts kills with the victim's group, and refused charges with the group whose limit refused: together it was this
 * group's limit. Not every kernel counts what the limit on memory and swap refuses, so that one is a little higher.
 */
function isExceededV1(path: string): boolean {
  return countIn(path, 'memory.oom_control', 'oom_kill') > 0 && countIn(path, 'memory.failcnt') > 0;
}

function isExceededV2(path: string): boolean {
  return countIn(path, 'memory.events', 'oom_kill') > 0 && countIn(path, 'memory.events', 'oom') > 0;
}

/** A number in a group's file: the whole file, or the line that a key begins. */
function countIn(path: string, file: string, key?: string): number {
  try {
    const text = readFileSync(join(path, file), 'utf8');
    if (key === undefined) return Number(text);
    return Number(new RegExp(`^${key} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function removeEmpty(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

/** The folder of this process's group in the hierarchy that counts memory. */
function ownGroup({ membership, mounts }: CgroupHost): { path: string; version: 1 | 2 } {
  const groups = [...membership.matchAll(/^(\d+):([^:]*):(.*)$/gm)].map(
    ([, hierarchy = '', controllers = '', path = '']) => ({
      hierarchy,
      controllers: controllers.split(','),
      path,
    }),
  );
  const v1 = groups.find(({ controllers }) => controllers.includes('memory'));
  const group = v1 ?? groups.find(({ hierarchy }) => hierarchy === '0');
  if (group === undefined) throw new Error('this kernel has no control groups; use one that has');
  for (const line of mounts.trim().split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root = '', mountPoint = ''] = before.split(' ').map(unescapeOctal);
    const [type, , options = ''] = after.split(' ');
    const isWanted =
      v1 === undefined ? type === 'cgroup2' : type === 'cgroup' && options.split(',').includes('memory');
    const below = root === '/' ? group.path : group.path.slice(root.length);
    if (!isWanted || !`${group.path}/`.startsWith(root === '/' ? '/' : `${root}/`)) continue;
    if (!below.split('/').includes('..')) {
      return { path: join(mountPoint, below), version: v1 === undefined ? 2 : 1 };
    }
  }
  throw new Error(`the control group of this process is not mounted here; ${CONTAINER_HELP}`);
}

/** Blanks and the like stand in mountinfo as `\040`. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_all, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

function writable(path: string): string {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return path;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const [fault, help] =
      code === 'EROFS'
        ? ['is mounted read-only, as in a container', CONTAINER_HELP]
        : ['may not be written by this user', SYSTEMD_HELP];
    throw new Error(`the control group \`${path}\` ${fault}; ${help}`);
  }
}

/** A v2 group at or above this process's own that hands the memory controller down. */
function divided(own: string, host: CgroupHost): string {
  // A leaf of ours, or the one of `DelegateSubgroup=`.
  const above = dirname(own);
  const parent = basename(own) === LEAF || isDelegatedUnit(above, host) ? above : own;
  writable(parent);
  if (!wordsIn(parent, 'cgroup.controllers').includes('memory')) {
    throw new Error(`the control group \`${parent}\` has no memory controller; ${SYSTEMD_HELP}`);
  }
  if (wordsIn(parent, 'cgroup.subtree_control').includes('memory')) return parent;
  // Only the root has no type: it may hold processes all the same.
  const isRoot = !existsSync(join(parent, 'cgroup.type'));
  const mustMove = !isRoot && wordsIn(parent, 'cgroup.procs').length > 0;
  if (mustMove && !isDivisible(parent, host)) {
    throw new Error(`the control group \`${parent}\` is not the daemon's to divide; ${SYSTEMD_HELP}`);
  }
  const leaf = join(parent, LEAF);
  try {
    if (mustMove) {
      mkdirSync(leaf, { recursive: true });
      moveAll(parent, leaf);
    }
    writeFileSync(join(parent, 'cgroup.subtree_control'), '+memory');
  } catch (error) {
    if (mustMove) {
      moveAll(leaf, parent);
      removeEmpty(leaf);
    }
    const reason = (error as Error).message;
    throw new Error(`the control group \`${parent}\` cannot be divided: ${reason}; ${SYSTEMD_HELP}`);
  }
  return parent;
}

function isDivisible(path: string, host: CgroupHost): boolean {
  const name = basename(path);
  if (/\.(?:service|scope)$/.test(name)) return CONTAINER_SCOPE.test(name) || isDelegatedUnit(path, host);
  if (name.endsWith('.slice')) return false;
  // What this process sees as the root of its groups is its container's.
  if (ownGroup(host).path === path && /^0::\/$/m.test(host.membership)) return true;
  const { uid } = statSync(join(path, 'cgroup.procs'));
  return uid !== 0 && uid === process.getuid?.();
}

function isDelegatedUnit(path: string, host: CgroupHost): boolean {
  const unit = basename(path);
  return /\.(?:service|scope)$/.test(unit) && host.isDelegated(unit, path.includes('/user@'));
}

/** Processes that start meanwhile are moved too; those that end are no fault. */
function moveAll(from: string, to: string): void {
  for (let look = 0; look < 10; look++) {
    const pids = wordsIn(from, 'cgroup.procs');
    if (pids.length === 0) return;
    for (const pid of pids) {
      try {
        writeFileSync(join(to, 'cgroup.procs'), pid);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
  }
}

function wordsIn(path: string, file: string): string[] {
  return readFileSync(join(path, file), 'utf8').split(/\s+/).filter(Boolean);
}
