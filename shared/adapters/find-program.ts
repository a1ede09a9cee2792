import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import type { Program } from '../core/crontab/programs.ts';

/** Where a program was looked for, and what was found. */
export type FoundProgram =
  | { readonly kind: 'found'; readonly path: string }
  /** A file, but this user may not execute it. */
  | { readonly kind: 'not-executable'; readonly path: string }
  | { readonly kind: 'missing'; readonly name: string }
  /** Its name is known at run time only. */
  | { readonly kind: 'unknown' };

/** Looks for a program as the shell of a command would, from its folder and on its PATH. */
export function findProgram(
  { word, folder }: Pick<Program, 'word' | 'folder'>,
  environment: Readonly<Record<string, string>>,
): FoundProgram {
  const name = expanded(word, environment);
  if (name === undefined || name === '' || /[\s*?]/.test(name)) return { kind: 'unknown' };
  if (name.includes('/')) {
    if (isAbsolute(name)) return look([name]) ?? { kind: 'missing', name };
    if (folder === undefined) return { kind: 'unknown' };
    const path = join(resolve(environment.HOME ?? '/', folder), name);
    return look([path]) ?? { kind: 'missing', name: path };
  }
  return findOnPath(name, environment.PATH ?? '', environment.HOME) ?? { kind: 'missing', name };
}

/** The first file of a name on a PATH that may be executed, else the first that is there at all. */
export function findOnPath(name: string, path: string, home = '/'): FoundProgram | undefined {
  // An empty part is the folder that the command is in.
  return look(path.split(':').map((folder) => join(resolve(home, folder), name)));
}

/**
 * What the first line of a script asks for and is not there, in words; undefined when it asks for nothing, or all is
 * there.
 */
export function missingInterpreter(
  path: string,
  environment: Readonly<Record<string, string>>,
): string | undefined {
  const line = /^#![ \t]*([^\n]*)\n/.exec(beginOf(path))?.[1];
  if (line === undefined) return undefined;
  const [interpreter = '', argument] = line.split(/[ \t]+/);
  if (line.endsWith('\r'))
    return `the first line of \`${path}\` ends in CR LF, so \`${line.trimEnd()}\` with a CR is looked for`;
  if (look([interpreter])?.kind !== 'found')
    return `\`${path}\` is a script for \`${interpreter}\`, which is not there`;
  if (!interpreter.endsWith('/env') || argument === undefined || !/^[\w.+-]+$/.test(argument))
    return undefined;
  if (argument.startsWith('-')) return undefined;
  if (findOnPath(argument, environment.PATH ?? '', environment.HOME)?.kind === 'found') return undefined;
  return `\`${path}\` is a script for \`${argument}\`, which is not on the PATH \`${environment.PATH ?? ''}\``;
}

/** Variables by their values; undefined when one is not known. */
function expanded(word: string, environment: Readonly<Record<string, string>>): string | undefined {
  let isKnown = true;
  const text = word
    .replace(/^~(?=\/)/, '$HOME')
    .replaceAll(/\$(?:(\w+)|\{(\w+)\})/g, (_all, plain, braced) => {
      const value = environment[plain ?? braced];
      if (value === undefined) isKnown = false;
      return value ?? '';
    });
  return isKnown ? text : undefined;
}

function look(paths: readonly string[]): FoundProgram | undefined {
  let second: FoundProgram | undefined;
  for (const path of paths) {
    try {
      if (!statSync(path).isFile()) continue;
      accessSync(path, constants.X_OK);
      return { kind: 'found', path };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EACCES') second ??= { kind: 'not-executable', path };
    }
  }
  return second;
}

function beginOf(path: string): string {
  const bytes = Buffer.alloc(256);
  try {
    const fd = openSync(path, 'r');
    try {
      return bytes.subarray(0, readSync(fd, bytes)).toString('latin1');
    } finally {
      closeSync(fd);
    }
  } catch {
    // A binary may be executable and not readable.
    return '';
  }
}
