import { buffer } from 'node:stream/consumers';
import { type Invocation, type Io, isSet, text, UsageError } from '../shared/adapters/command-line.ts';
import { crontabFiles, readCrontabFile } from '../shared/adapters/crontab-files.ts';
import { type CheckedCrontab, checkCrontab } from '../shared/core/crontab/check.ts';
import { nearestZone, zoneTable } from '../shared/core/schedule/zone-data.ts';

/** A crontab that a command was given. */
export interface Source {
  /** Path, or `-` for standard input. */
  readonly path: string;
  /** Name that its runs have. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Reads the crontabs of a command line: files, folders, and `-` for standard input. */
export async function* readSources(operands: readonly string[], io: Io): AsyncGenerator<Source> {
  for (const { name, path } of crontabFiles(operands)) {
    const bytes = path === '-' ? await buffer(io.stdin) : readCrontabFile(path);
    yield { name: path === '-' ? 'stdin' : name, path: path === '-' ? '<stdin>' : path, bytes };
  }
}

/** Checks a source with the options that all commands share. */
export function checkSource(source: Source, invocation: Invocation, now: number): CheckedCrontab {
  return checkCrontab(source.bytes, {
    system: isSet(invocation, 'system'),
    zone: zoneOption(invocation),
    now,
  });
}

/** The value of `--zone`. @throws UsageError when it is no time zone */
export function zoneOption(invocation: Invocation): string | undefined {
  const zone = text(invocation, 'zone');
  if (zone === undefined || zoneTable(zone) !== undefined) return zone;
  const near = nearestZone(zone);
  throw new UsageError(
    `\`${zone}\` is not a time zone${near === undefined ? ', such as Europe/Berlin or UTC' : `; did you mean \`${near}\`?`}`,
  );
}
