import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { run } from './children.ts';

const REPOSITORY = join(import.meta.dirname, '..');

/**
 * The package as it would be published: from the sources every start strips types, which no user waits for.
 *
 * @returns the beginning of its command lines
 */
export async function packedKuberCron(folder: string): Promise<readonly string[]> {
  const command = [process.execPath, join(folder, 'package', 'cli', 'kuber-cron.js')];
  if (!existsSync(command[1] as string)) {
    await run([process.execPath, 'cli/build.ts'], { cwd: REPOSITORY });
    const tarball = (
      await run(['npm', 'pack', '--silent', '--pack-destination', folder], { cwd: REPOSITORY })
    ).trim();
    await run(['tar', '-xzf', join(folder, tarball), '-C', folder]);
  }
  return command;
}

/** The daemon of the package with its runs in memory, as the package is made. @returns the beginning of its command lines */
export async function kuberCronWithoutDurability(folder: string): Promise<readonly string[]> {
  await packedKuberCron(folder);
  const outfile = join(folder, 'package', 'dist', 'in-memory-daemon.js');
  await build({
    ...{ entryPoints: [fileURLToPath(import.meta.resolve('./in-memory-daemon.ts'))], outfile, bundle: true },
    ...{ platform: 'node', target: 'node24', format: 'esm', logLevel: 'error' },
    banner: {
      js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`,
    },
  });
  return [process.execPath, outfile];
}

const CRONSTABLE_VERSION = '1.2.72';

/**
 * cronstable, installed once into a folder of this user's caches.
 *
 * @returns its path and version; undefined, after saying so, where it cannot be installed
 */
export async function cronstableProgram(
  say: (text: string) => void,
): Promise<{ readonly path: string; readonly version: string } | undefined> {
  const folder = join(benchCache(), `cronstable-${CRONSTABLE_VERSION}`);
  const path = join(folder, 'bin', 'cronstable');
  if (!existsSync(path)) {
    say('installing cronstable');
    try {
      await run(['python3', '-m', 'venv', folder]);
      await run([join(folder, 'bin', 'pip'), 'install', '--quiet', `cronstable==${CRONSTABLE_VERSION}`]);
    } catch (error) {
      say(`left out: cronstable (${(error as Error).message})`);
      return undefined;
    }
  }
  return { path, version: CRONSTABLE_VERSION };
}

/** What is made once for all runs: below this user's caches. */
export function benchCache(): string {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'kuber-cron-bench');
}

/**
 * supercronic, of the path or built once into a folder of this user's caches.
 *
 * @returns its path and version; undefined, after saying so, where there is none and no Go to build it
 */
export async function supercronic(
  say: (text: string) => void,
): Promise<{ readonly path: string; readonly version: string } | undefined> {
  if (!(await works(['go', 'version']))) {
    say('left out: supercronic (there is no Go to build it and to read its version)');
    return undefined;
  }
  const folder = benchCache();
  const path = join(folder, 'supercronic');
  if (!existsSync(path)) {
    say('building supercronic');
    mkdirSync(folder, { recursive: true });
    try {
      await run(['go', 'install', 'github.com/aptible/supercronic@latest'], {
        env: { ...process.env, GOBIN: folder },
      });
    } catch (error) {
      say(`left out: supercronic (${(error as Error).message})`);
      return undefined;
    }
  }
  const version = /^\s*mod\s+\S+\s+(\S+)/m.exec(await run(['go', 'version', '-m', path]))?.[1] ?? 'unknown';
  return { path, version };
}

/** The beginning of a command line that stays on one core; undefined where that cannot be asked for. */
export async function onOneCore(): Promise<readonly string[] | undefined> {
  return (await works(['taskset', '-c', '0', 'true'])) ? ['taskset', '-c', '0'] : undefined;
}

async function works(command: readonly string[]): Promise<boolean> {
  try {
    await run(command);
    return true;
  } catch {
    return false;
  }
}
