import { type PauseInterval, pauseEnd } from '../core/run/pause.ts';
import { INTERVAL_RETENTION_MS } from '../core/run/run-transitions.ts';
import type { ScheduleInterval } from '../core/run/schedule-history.ts';
import type { EpochMs, ZoneTable } from '../core/schedule/zone-table.ts';
import { pauseKey, scheduleKey, TTL_ATTRIBUTE } from '../core/target/dynamodb-schema.ts';
import { type Item, itemOf, json, numberOf, parsed, textOf, ttlOf } from './dynamodb-items.ts';

/** After every instant: the end of what has none. */
const END_OF_TIME = Number.MAX_SAFE_INTEGER;

/** @param rest of the sort key: what comes after the job id */
export function pauseItem(pause: PauseInterval, rest: string): Item {
  const { jobId, from, ...fields } = pause;
  const end = pauseEnd(pause);
  return itemOf({
    ...pauseKey(jobId, rest),
    ...{ jobId, from, pause: json(fields) },
    [TTL_ATTRIBUTE]: Number.isFinite(end) ? ttlOf(end + INTERVAL_RETENTION_MS) : undefined,
  });
}

export function pauseOf(item: Item): PauseInterval {
  const fields = parsed<Omit<PauseInterval, 'jobId' | 'from'>>(item, 'pause') as PauseInterval;
  return { ...fields, jobId: textOf(item, 'jobId'), from: numberOf(item, 'from') };
}

/** The first instant that none of these pauses covers, nor a later one. */
export function pausedUntil(pauses: readonly PauseInterval[]): EpochMs {
  return Math.min(END_OF_TIME, Math.max(0, ...pauses.map(pauseEnd)));
}

/** @param rest of the sort key: what comes after the job id */
export function scheduleItem(interval: ScheduleInterval, rest: string, zoneTable: string): Item {
  const { jobId, from, until, table: _table, ...schedule } = interval;
  return itemOf({
    ...scheduleKey(jobId, rest),
    ...{ jobId, from, until, zoneTable, schedule: json(schedule) },
    [TTL_ATTRIBUTE]: until === undefined ? undefined : ttlOf(until + INTERVAL_RETENTION_MS),
  });
}

export function scheduleOf(item: Item, table: ZoneTable): ScheduleInterval {
  const schedule = parsed<Omit<ScheduleInterval, 'jobId' | 'from' | 'table'>>(item, 'schedule') as object;
  return {
    ...(schedule as Pick<ScheduleInterval, 'schedule' | 'written' | 'zone'>),
    ...{ jobId: textOf(item, 'jobId'), from: numberOf(item, 'from') },
    ...(item.until === undefined ? {} : { until: numberOf(item, 'until') }),
    table,
  };
}
