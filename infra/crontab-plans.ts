import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { checkCrontab } from '../shared/core/crontab/check.ts';
import type { Diagnostic } from '../shared/core/diagnostic.ts';
import { DiagnosticRenderer } from '../shared/core/diagnostic-text.ts';
import {
  crontabName,
  isCrontabFile,
  planCrontab,
  runsOn,
  type SchedulePlan,
} from '../shared/core/plan/plan.ts';
import { nearestZone, zoneTable } from '../shared/core/schedule/zone-data.ts';
import { InputError } from './input-error.ts';

/** What crontabs come to on AWS. */
export interface CrontabPlans {
  /** One of each crontab, in the order of their names, with the jobs that run on AWS only. */
  readonly plans: readonly SchedulePlan[];
  /** Warnings of `check --target aws`, with places; `id` tells them apart. */
  readonly warnings: readonly { readonly id: string; readonly text: string }[];
}

/**
 * Reads, checks and compiles crontabs for AWS.
 *
 * @param paths files, and folders whose crontabs are meant
 * @param zone of entries without `CRON_TZ`
 * @param now what clock changes to warn of depends on it, and nothing else: epoch milliseconds
 * @throws InputError when a file cannot be read, or with the diagnostics of all crontabs that have errors
 */
export function planCrontabs(paths: readonly string[], zone: string | undefined, now: number): CrontabPlans {
  if (zone !== undefined && zoneTable(zone) === undefined) throw new InputError(unknownZone(zone));
  const plans: SchedulePlan[] = [];
  const warnings: CrontabPlans['warnings'][number][] = [];
  const errors: string[] = [];
  for (const { name, path } of crontabFiles(paths)) {
    const checked = checkCrontab(read(path), { zone, now, target: 'aws' });
    const { list } = checked.diagnostics;
    const renderer = new DiagnosticRenderer(path, checked.text);
    const isOf = (severity: Diagnostic['severity']) => (one: Diagnostic) => one.severity === severity;
    errors.push(...list.filter(isOf('error')).map((one) => renderer.text(one)));
    for (const one of list.filter(isOf('warning'))) {
      warnings.push({ id: `${one.code}:${renderer.place(one.span)}`, text: renderer.text(one) });
    }
    // Entries without a zone are errors, or for other targets.
    if (!checked.diagnostics.hasErrors)
      plans.push(onAws(planCrontab(checked, { crontab: name, zone: zone ?? 'UTC' })));
  }
  if (errors.length > 0) {
    const count = `${errors.length} ${errors.length === 1 ? 'error' : 'errors'}`;
    throw new InputError(`${errors.join('\n\n')}\n\n${count} in the crontabs: nothing is synthesized`);
  }
  plans.sort((a, b) => (a.crontab < b.crontab ? -1 : 1));
  return { plans, warnings };
}

function unknownZone(zone: string): string {
  const near = nearestZone(zone);
  const hint = near === undefined ? '' : `; did you mean \`${near}\`?`;
  return `\`zone\` takes a time zone such as Europe/Berlin or UTC, got \`${zone}\`${hint}`;
}

function onAws({ zones, jobs, ...plan }: SchedulePlan): SchedulePlan {
  const own = jobs.filter((job) => runsOn(job, 'aws'));
  const used = new Set(own.map(({ zone }) => zone));
  return {
    ...plan,
    zones: Object.fromEntries(Object.entries(zones).filter(([zone]) => used.has(zone))),
    jobs: own,
  };
}

function crontabFiles(paths: readonly string[]): { readonly name: string; readonly path: string }[] {
  if (paths.length === 0)
    throw new InputError(
      '`crontabs` is empty: name a file such as crontab/production, or a folder of crontabs',
    );
  const files = paths.flatMap(filesOf).map((path) => ({ name: crontabName(path), path }));
  if (files.length === 0) {
    const names = paths.map((path) => `\`${path}\``).join(', ');
    throw new InputError(
      `no crontab in ${names}: of a folder, files called *.crontab are read, and those whose names have only letters, digits, - and _`,
    );
  }
  const byName = new Map<string, string>();
  for (const { name, path } of files) {
    const other = byName.get(name);
    if (other !== undefined)
      throw new InputError(`\`${other}\` and \`${path}\` would both be crontab \`${name}\`: rename one file`);
    byName.set(name, path);
  }
  return files;
}

function filesOf(path: string): string[] {
  if (!reading(path, () => statSync(path).isDirectory())) return [path];
  return reading(path, () =>
    readdirSync(path, { withFileTypes: true })
      .filter((entry) => isCrontabFile(entry.name) && !entry.isDirectory())
      .map(({ name }) => join(path, name))
      .sort(),
  );
}

function read(path: string): Uint8Array {
  return reading(path, () => readFileSync(path));
}

function reading<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'there is no such file or folder' : message;
    throw new InputError(`cannot read the crontab \`${path}\`: ${reason}`, { cause: error });
  }
}
