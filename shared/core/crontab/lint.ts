import type { DiagnosticSink } from '../diagnostic.ts';
import type { Schedule } from '../schedule/schedule.ts';
import type { Crontab, Entry } from './entry.ts';
import { lintCommand } from './lint-command.ts';
import { reportOn } from './lint-report.ts';
import { type LintContext, LintMemory, lintSchedule, lintTimeout } from './lint-schedule.ts';
import { lintSetting } from './lint-settings.ts';
import { remember } from './remember.ts';

/** Jobs at one minute of a day from which the machine, not the schedule, decides when they start. */
const CROWD = 30;

/** Finds what is legal but most likely not meant. */
export function lintCrontab(crontab: Crontab, context: LintContext, sink: DiagnosticSink): void {
  for (const setting of crontab.settings) lintSetting(setting, sink);
  const memory = new LintMemory(context);
  for (const entry of crontab.entries) {
    const report = reportOn(entry, sink);
    lintSchedule(entry, memory, report);
    lintCommand(entry, report);
    lintTimeout(entry, memory, report);
  }
  lintCrowd(crontab, sink);
  lintNames(crontab, sink);
}

function lintCrowd({ entries, allowedInFile }: Crontab, sink: DiagnosticSink): void {
  if (allowedInFile.has('crowded-minute')) return;
  // Jobs meet when they share a minute and their days are the same, or one of them runs every day.
  const bySchedule = new Map<Schedule, number>();
  for (const { schedule } of entries) {
    if (schedule !== undefined) bySchedule.set(schedule, (bySchedule.get(schedule) ?? 0) + 1);
  }
  const perDays = new Map<string, Uint32Array>();
  for (const [schedule, jobs] of bySchedule) {
    const counts = remember(perDays, daysOf(schedule), () => new Uint32Array(1440));
    for (let time = 0; time < 1440; time++) {
      if (hasTime(schedule, time)) counts[time] = (counts[time] as number) + jobs;
    }
  }
  const everyDay = perDays.get('* * *') ?? new Uint32Array(1440);
  let most = 0;
  let when = 0;
  let crowdedDays = '';
  for (const [days, counts] of perDays) {
    for (let time = 0; time < 1440; time++) {
      const jobs = (counts[time] as number) + (days === '* * *' ? 0 : (everyDay[time] as number));
      if (jobs > most) {
        most = jobs;
        when = time;
        crowdedDays = days;
      }
    }
  }
  if (most < CROWD) return;
  const isThere = (schedule: Schedule) =>
    [crowdedDays, '* * *'].includes(daysOf(schedule)) && hasTime(schedule, when);
  const first = entries.find(({ schedule }) => schedule !== undefined && isThere(schedule)) as Entry;
  const two = (value: number) => String(value).padStart(2, '0');
  sink.add({
    code: 'crowded-minute',
    span: first.scheduleSpan,
    message: `${most} jobs start at ${two(Math.floor(when / 60))}:${two(when % 60)}: they wait for each other, and for the machine`,
    help: 'spread named jobs by `H` in the minute field (`H 3 * * *`), or say `# kuber-cron: defaults allow=crowded-minute`',
  });
}

/** The fields that choose the days, as one text. */
function daysOf({ text }: Schedule): string {
  return text.split(' ').slice(2).join(' ');
}

/** @param time minutes since midnight */
function hasTime({ hour, minuteLow, minuteHigh }: Schedule, time: number): boolean {
  if ((hour & (1 << (time / 60))) === 0) return false;
  const minute = time % 60;
  return ((minute < 32 ? minuteLow : minuteHigh) & (1 << (minute & 31))) !== 0;
}

function lintNames({ entries, allowedInFile }: Crontab, sink: DiagnosticSink): void {
  const unnamed = entries.filter(({ options }) => options.name === undefined);
  const first = unnamed[0];
  if (first === undefined || allowedInFile.has('unnamed-jobs')) return;
  sink.add({
    code: 'unnamed-jobs',
    span: first.scheduleSpan,
    message: `${unnamed.length} of ${entries.length} jobs ${unnamed.length === 1 ? 'has' : 'have'} no name: a job without one loses its history when its command changes`,
    help: 'write `# kuber-cron: name=…` above each; `check --fix` does it',
  });
}
