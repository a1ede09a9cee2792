import { closeSync, fstatSync, openSync, readdirSync, readSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { crontabName, isCrontabFile, isCrontabName } from '../core/plan/plan.ts';
import { CommandError, UsageError } from './command-line.ts';

/** A crontab's name and where it is read. */
export interface CrontabFile {
  readonly name: string;
  readonly path: string;
}

/** Larger than the checker takes: it is told by its first part. Bytes. */
export const MOST_BYTES = 33 * 2 ** 20;

/**
 * The crontabs that operands stand for: files as they are, of a folder those that `isCrontabFile` lets through.
 *
 * @throws UsageError when two have one name
 * @throws CommandError when a folder cannot be read
 */
export function crontabFiles(operands: readonly string[], name?: string): readonly CrontabFile[] {
  const files = foundFiles(operands);
  if (name !== undefined) {
    const [only, ...others] = files;
    if (only === undefined || others.length > 0)
      throw new UsageError('`--name` names one crontab; give one file');
    if (!isCrontabName(name)) {
      throw new UsageError(
        `a crontab's name has lower-case letters, digits and single dashes, at most 16 characters, got \`${name}\``,
      );
    }
    return [{ name, path: only.path }];
  }
  const byName = new Map<string, string>();
  for (const { name: own, path } of files) {
    const other = byName.get(own);
    if (other !== undefined)
      throw new UsageError(`\`${other}\` and \`${path}\` would both be crontab \`${own}\`: rename one file`);
    byName.set(own, path);
  }
  return files;
}

/** As `crontabFiles`, but several may have one name: for looking at each by itself. */
export function foundFiles(operands: readonly string[]): readonly CrontabFile[] {
  return operands
    .flatMap((operand) => (isFolder(operand) ? folderFiles(operand) : [operand]))
    .map((path) => ({ name: path === '-' ? 'stdin' : crontabName(path), path }));
}

function folderFiles(folder: string): string[] {
  try {
    return (
      readdirSync(folder)
        .filter(isCrontabFile)
        .map((file) => join(folder, file))
        // A link that leads nowhere is kept, so that reading it says so; a pipe would be waited for.
        .filter((path) => status(path)?.isFile() ?? true)
        .sort()
    );
  } catch (error) {
    throw cannotRead(folder, error);
  }
}

export function isFolder(path: string): boolean {
  return status(path)?.isDirectory() ?? false;
}

/** Undefined where there is nothing, or nothing that can be reached: reading tells why. */
function status(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/**
 * The bytes of a crontab file.
 *
 * @throws CommandError in one sentence when it cannot be read
 */
export function readCrontabFile(path: string): Uint8Array {
  try {
    const fd = openSync(path, 'r');
    try {
      const { size } = fstatSync(fd);
      // Pipes and devices have no size: they are read to their end, or to the bound.
      const bytes = Buffer.alloc(Math.min(size === 0 ? MOST_BYTES : size + 1, MOST_BYTES));
      let filled = 0;
      for (;;) {
        const got = readSync(fd, bytes, filled, bytes.length - filled, null);
        filled += got;
        if (got === 0 || filled === bytes.length) return bytes.subarray(0, filled);
      }
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw cannotRead(path, error);
  }
}

function cannotRead(path: string, error: unknown): CommandError {
  return new CommandError(`cannot read \`${path}\`: ${systemReason(error)}`, { cause: error });
}

/** What the system said, in words. */
export function systemReason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOENT':
      return 'there is no such file or folder';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    case 'EISDIR':
      return 'it is a folder';
    case 'ENOTDIR':
      return 'a part of the path is not a folder';
    case 'ELOOP':
      return 'its symbolic links lead round in a circle';
    case 'ENAMETOOLONG':
      return 'the name is too long';
    case 'ENOSPC':
      return 'the disk is full';
    case 'EROFS':
      return 'the file system is read-only';
    default:
      return message;
  }
}

/** A text that changes whenever the file may have: replaced, written, or reached through another link. */
export function fileSignature(path: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
  } catch (error) {
    // Absent, or behind a folder that nobody may enter: what matters is when that changes.
    return String((error as NodeJS.ErrnoException).code);
  }
}
