import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import type { FaultHome } from './fault-home.ts';

/** Why no file systems can be mounted here, be it in a view of one's own; undefined where they can. */
export function mountFault(): string | undefined {
  const { error, status, stderr } = spawnSync(
    'unshare',
    ['--mount', 'sh', '-c', 'mount -t tmpfs none /tmp && command -v nsenter'],
    { encoding: 'utf8' },
  );
  if (error !== undefined) return error.message;
  return status === 0 ? undefined : stderr.trim() || `unshare ended with ${status}`;
}

/** A small file system in the place of a home's state folder, that only the daemons of the home see. */
export class SmallDisk {
  readonly #home: FaultHome;
  readonly #holder: ChildProcess;

  private constructor(home: FaultHome, holder: ChildProcess) {
    this.#home = home;
    this.#holder = holder;
    home.holder = holder.pid;
  }

  static async mount(home: FaultHome, megabytes: number): Promise<SmallDisk> {
    const script = 'mount -t tmpfs -o "size=$1m" none "$2" && echo mounted && exec sleep 600';
    const holder = spawn(
      'unshare',
      [
        '--mount',
        '--propagation',
        'private',
        'sh',
        '-c',
        script,
        'sh',
        String(megabytes),
        home.path('state'),
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await once(holder.stdout, 'data');
    return new SmallDisk(home, holder);
  }

  get #ballast(): string {
    return `/proc/${this.#holder.pid}/root${this.#home.path('state/ballast')}`;
  }

  /** Leaves no byte of room. */
  fill(): void {
    try {
      for (;;) writeFileSync(this.#ballast, Buffer.alloc(4096), { flag: 'a' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }

  makeRoom(): void {
    rmSync(this.#ballast);
  }

  unmount(): void {
    this.#holder.kill('SIGKILL');
  }
}
