import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CheckedCrontab, type CheckOptions, checkCrontab } from '../../shared/core/crontab/check.ts';
import { DIAGNOSTICS, type Diagnostic, type DiagnosticCode } from '../../shared/core/diagnostic.ts';
import { DiagnosticRenderer } from '../../shared/core/diagnostic-text.ts';

export const FIXTURES = join(import.meta.dirname, '../fixtures/crontab');

/** The day on which clock changes ahead are looked for, and the zone of entries without one. */
export const CHECK_OPTIONS: CheckOptions = { now: Date.UTC(2026, 10, 23), zone: 'Europe/Berlin' };

/** What the daemon says of itself where that decides. */
const MORE_OPTIONS: Partial<Record<DiagnosticCode, Partial<CheckOptions>>> = {
  'missing-user': { system: true },
  'foreign-user': { system: true, user: 'deploy' },
  'missing-time-zone': { target: 'aws', zone: undefined },
  'missing-timeout': { target: 'aws' },
  'timeout-exceeds-target': { target: 'aws' },
  'memory-exceeds-target': { target: 'aws' },
  'unsupported-reboot': { target: 'aws' },
};

/** Fixtures that would say nothing to a reader, and much to a disk. */
const MADE: Partial<Record<DiagnosticCode, () => string>> = {
  'file-too-large': () => '# filler\n'.repeat(4_000_000),
  'too-many-settings': () => Array.from({ length: 1001 }, (_, index) => `PART_${index}=on\n`).join(''),
};

export interface Fixture {
  /** Base name without its ending: a code, and a number from the second on. */
  readonly name: string;
  readonly code: DiagnosticCode;
  readonly checked: CheckedCrontab;
  /** What `check` prints of it, ending in LF. */
  readonly output: string;
}

/** The fixtures of err/, by name. */
export function errorFixtures(): Fixture[] {
  const written = readdirSync(join(FIXTURES, 'err'))
    .filter((file) => file.endsWith('.crontab'))
    .map((file) => file.slice(0, -'.crontab'.length));
  return [...written, ...Object.keys(MADE)].sort().map((name) => {
    const code = (name in DIAGNOSTICS ? name : name.replace(/-\d+$/, '')) as DiagnosticCode;
    const source = MADE[name as DiagnosticCode]?.() ?? readFileSync(join(FIXTURES, 'err', `${name}.crontab`));
    const checked = checkCrontab(source, { ...CHECK_OPTIONS, ...MORE_OPTIONS[code] });
    return { name, code, checked, output: rendered(checked, `${name}.crontab`) };
  });
}

/** All findings, or those given, as text, a blank line apart. */
export function rendered(
  { text, diagnostics }: CheckedCrontab,
  file: string,
  list: readonly Diagnostic[] = diagnostics.list,
): string {
  const renderer = new DiagnosticRenderer(file, text);
  return list.map((diagnostic) => `${renderer.text(diagnostic)}\n`).join('\n');
}

/**
 * The golden text of a file; with `UPDATE_GOLDENS=1` the file is first made to hold what is expected of it, so that a
 * change shows as a diff.
 */
export function golden(path: string, actual: string): string {
  if (process.env.UPDATE_GOLDENS === '1') writeFileSync(path, actual);
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}
