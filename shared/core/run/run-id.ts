import { type EpochMs, MINUTE_MS } from '../schedule/zone-table.ts';

/** `<crontab>/<job name>` */
export function jobIdOf(crontab: string, jobName: string): string {
  return `${crontab}/${jobName}`;
}

export function jobNameOf(jobId: string): string {
  return jobId.slice(jobId.indexOf('/') + 1);
}

export function crontabOf(jobId: string): string {
  return jobId.slice(0, jobId.indexOf('/'));
}

/** The one spelling of a scheduled time: UTC, cut to the minute, `2026-03-29T01:30Z`. */
export function scheduledTimeText(instant: EpochMs): string {
  return `${new Date(cutToMinute(instant)).toISOString().slice(0, 16)}Z`;
}

export function cutToMinute(instant: EpochMs): EpochMs {
  return Math.floor(instant / MINUTE_MS) * MINUTE_MS;
}

/** Id of the run that is due at an instant. */
export function dueRunId(scheduledTime: EpochMs): string {
  return scheduledTimeText(scheduledTime);
}

/** Id of a row that answers for the due instants from one on: never that of a due run. */
export function spanId(from: EpochMs): string {
  return `${scheduledTimeText(from)}..`;
}

/** Id of a run by hand: never that of a due run. */
export function manualRunId(now: EpochMs, token: string): string {
  return `${scheduledTimeText(now)}#m${token.replaceAll('-', '').slice(0, 12)}`;
}

/** Id of an `@reboot` run: one for each boot, or each start. */
export function rebootRunId(occasion: string): string {
  return `reboot#${occasion}`;
}
