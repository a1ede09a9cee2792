import type { CheckedCrontab } from '../crontab/check.ts';
import { splitCommand } from '../crontab/command.ts';
import type { JobOptions, Target } from '../crontab/options.ts';
import { tameName } from '../crontab/values.ts';
import { sha256Hex, shortHash } from '../hash.ts';
import type { Timetable } from '../schedule/due.ts';
import { compileSchedule } from '../schedule/schedule.ts';
import { zoneTable } from '../schedule/zone-data.ts';
import type { ZoneTable } from '../schedule/zone-table.ts';
import { canonicalJson } from './canonical-json.ts';

/** The schedule text of jobs that are due at a start and at no time. */
export const REBOOT = '@reboot';

/** What a crontab means, for every target: data only, the same wherever it was compiled. */
export interface SchedulePlan {
  readonly format: 1;
  /** Name of the crontab: `[a-z0-9-]`, at most 16 characters. */
  readonly crontab: string;
  /** Clock changes of each zone that a job uses, so that no target asks its own zone data. */
  readonly zones: Readonly<Record<string, ZoneTable>>;
  /** In the order of their names. */
  readonly jobs: readonly PlannedJob[];
}

export interface PlannedJob {
  readonly name: string;
  /** Five canonical fields (numbers, `H` replaced), or `@reboot`. */
  readonly schedule: string;
  /** Time fields or nickname as a person wrote them. */
  readonly written: string;
  /** IANA name, a key of the plan's `zones`. */
  readonly zone: string;
  readonly command: string;
  /** What the command reads, ending in LF. */
  readonly stdin?: string;
  readonly environment: Readonly<Record<string, string>>;
  /** User column of a system crontab. */
  readonly user?: string;
  readonly options: Omit<JobOptions, 'name' | 'allow'>;
}

export interface PlanOptions {
  readonly crontab: string;
  /** Zone of entries without `CRON_TZ`: an IANA name. */
  readonly zone: string;
}

/**
 * Compiles a crontab without errors.
 *
 * @throws Error when the crontab has errors or the zone is unknown: callers look at both before
 */
export function planCrontab(checked: CheckedCrontab, options: PlanOptions): SchedulePlan {
  if (checked.diagnostics.hasErrors) throw new Error('a crontab with errors has no plan');
  const zones: Record<string, ZoneTable> = {};
  const jobs = checked.crontab.entries.map((entry, index): PlannedJob => {
    const zone = entry.zone ?? options.zone;
    const table = zoneTable(zone);
    if (table === undefined) throw new Error(`\`${zone}\` is not a time zone`);
    zones[zone] = table;
    const { name: _name, allow: _allow, ...jobOptions } = entry.options;
    return {
      name: checked.names[index] as string,
      schedule: entry.schedule?.text ?? REBOOT,
      written: checked.text.slice(entry.scheduleSpan.start, entry.scheduleSpan.end).replace(/[ \t]+/g, ' '),
      zone,
      ...splitCommand(entry.commandText),
      environment: entry.environment.toObject(),
      ...(entry.user === undefined ? {} : { user: entry.user }),
      options: jobOptions,
    };
  });
  jobs.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { format: 1, crontab: options.crontab, zones, jobs };
}

/** SHA-256 of the plan's canonical JSON, in hexadecimal. */
export function planHash(plan: SchedulePlan): string {
  return sha256Hex(canonicalJson(plan));
}

/** When a job is due; undefined for `@reboot`. */
export function timetableOf(plan: SchedulePlan, job: PlannedJob): Timetable | undefined {
  if (job.schedule === REBOOT) return undefined;
  const zone = plan.zones[job.zone];
  if (zone === undefined) throw new Error(`the plan lacks the zone ${job.zone} of job ${job.name}`);
  return { schedule: compileSchedule(job.schedule), zone };
}

/** Whether a target runs the job. */
export function runsOn(job: PlannedJob, target: Target): boolean {
  return job.options.targets?.includes(target) ?? true;
}

const CRONTAB_NAME_MAX_LENGTH = 16;

/** Name of a crontab from its file: the base name without `.crontab`, `.cron` or `.txt`; a long one is cut and keeps a hash. */
export function crontabName(path: string): string {
  const base = (path.split('/').at(-1) ?? '').replace(/(?<=.)\.(?:crontab|cron|txt)$/, '');
  const name = tameName(base, 200);
  if (name === '') return 'crontab';
  if (name.length <= CRONTAB_NAME_MAX_LENGTH) return name;
  return `${tameName(name, CRONTAB_NAME_MAX_LENGTH - 5)}-${shortHash(name).slice(0, 4)}`;
}

/** Names that Debian's cron reads in /etc/cron.d (no dot, no `~` of an editor's copy), and our own ending. */
const FILE_OF_FOLDER = /^(?:[A-Za-z0-9_-]+|[^.].*\.crontab)$/;

/** Whether a file of a folder of crontabs is one. @param file name without folder */
export function isCrontabFile(file: string): boolean {
  return FILE_OF_FOLDER.test(file);
}

/** Whether a text can be the name of a crontab. */
export function isCrontabName(text: string): boolean {
  return /^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(text) && text.length <= CRONTAB_NAME_MAX_LENGTH;
}
