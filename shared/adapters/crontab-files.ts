import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { crontabName, isCrontabName } from '../core/plan/plan.ts';
import { CommandError, UsageError } from './command-line.ts';

/** A crontab's name and where it is read. */
export interface CrontabFile {
  readonly name: string;
  readonly path: string;
}

/** Larger than the checker takes: it is told by its first part. Bytes. */
const MOST_BYTES = 33 * 2 ** 20;

/**
 * The crontabs that operands stand for: files as they are, of a folder each file called `*.crontab` or without a dot
 * (as cron reads /etc/cron.d).
 *
 * @throws UsageError when two have one name
 */
export function crontabFiles(operands: readonly string[], name?: string): readonly CrontabFile[] {
  const paths = operands.flatMap((operand) => (isFolder(operand) ? folderFiles(operand) : [operand]));
  if (name !== undefined) {
    if (paths.length !== 1) throw new UsageError('`--name` names one crontab; give one file');
    if (!isCrontabName(name)) {
      throw new UsageError(
        `a crontab's name has lower-case letters, digits and single dashes, at most 16 characters, got \`${name}\``,
      );
    }
    return [{ name, path: paths[0] as string }];
  }
  const byName = new Map<string, string>();
  return paths.map((path) => {
    const own = crontabName(path);
    const other = byName.get(own);
    if (other !== undefined)
      throw new UsageError(`\`${other}\` and \`${path}\` would both be crontab \`${own}\`: rename one file`);
    byName.set(own, path);
    return { name: own, path };
  });
}

function folderFiles(folder: string): string[] {
  return readdirSync(folder)
    .filter((file) => /^(?:[^.]+|[^.].*\.crontab)$/.test(basename(file)))
    .map((file) => join(folder, file))
    .filter((path) => !isFolder(path))
    .sort();
}

export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
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
    throw new CommandError(`cannot read \`${path}\`: ${systemReason(error)}`, { cause: error });
  }
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
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stat === undefined
    ? 'absent'
    : `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`;
}
