import type { CatchUpPolicy } from '../crontab/options.ts';
import { dueInstants, nextDue, previousDue, type Timetable } from '../schedule/due.ts';
import { type EpochMs, MINUTE_MS } from '../schedule/zone-table.ts';
import { type Reason, startBy, type Trigger } from './run.ts';

/** Started within this after its time, a run is on time, and no catch-up rule asks about it. Milliseconds. */
export const ON_TIME_MS = MINUTE_MS;

export interface SettlePolicy {
  readonly catchUp: CatchUpPolicy;
  readonly startingDeadlineMs?: number | undefined;
}

/** Due instants that get one answer: a single one, or all from `spanFrom` to `instant`. */
export interface Missed {
  readonly instant: EpochMs;
  readonly spanFrom?: EpochMs;
  readonly reason: Reason;
}

/** What becomes of the due instants of a stretch of time. */
export interface Settlement {
  readonly start?: { readonly instant: EpochMs; readonly trigger: Trigger };
  /** Instants that are not started any more. */
  readonly missed: readonly Missed[];
}

const HOUR_MS = 60 * MINUTE_MS;

/**
 * Answers every due instant of a job in (after, now]: the newest is started if it still may be, the others are missed.
 * The work is bounded however long the stretch.
 */
export function settle(
  timetable: Timetable,
  after: EpochMs,
  now: EpochMs,
  { catchUp, startingDeadlineMs }: SettlePolicy,
): Settlement {
  const newest = previousDue(timetable, now + 1);
  if (newest === undefined || newest <= after) return { missed: [] };
  const aliveFrom = Math.max(after + 1, firstAlive(timetable, after, now, startingDeadlineMs));
  const missed = span(timetable, after, aliveFrom - 1, 'too-late');
  if (newest < aliveFrom) return { missed };
  const isOnTime = now - newest < ON_TIME_MS;
  if (catchUp === 'none') {
    const notMadeUp = span(timetable, aliveFrom - 1, isOnTime ? newest - 1 : newest, 'catch-up-none');
    if (!isOnTime) return { missed: [...missed, ...notMadeUp] };
    return { start: { instant: newest, trigger: 'schedule' }, missed: [...missed, ...notMadeUp] };
  }
  return {
    start: { instant: newest, trigger: isOnTime ? 'schedule' : 'catch-up' },
    missed: [...missed, ...span(timetable, aliveFrom - 1, newest - 1, 'superseded')],
  };
}

/** The first instant after `after` of which a due run may still be started now. */
function firstAlive(
  timetable: Timetable,
  after: EpochMs,
  now: EpochMs,
  startingDeadlineMs: number | undefined,
): EpochMs {
  if (startingDeadlineMs !== undefined) return now - startingDeadlineMs;
  for (const instant of dueInstants(timetable, Math.max(after, now - HOUR_MS - 1), now)) {
    if (startBy(instant, nextDue(timetable, instant), undefined) >= now) return instant;
  }
  return now + 1;
}

/** One answer for the due instants in (after, until], if there are any. */
function span(timetable: Timetable, after: EpochMs, until: EpochMs, reason: Reason): Missed[] {
  const first = nextDue(timetable, after);
  if (first === undefined || first > until) return [];
  const last = previousDue(timetable, until + 1) ?? first;
  return [{ instant: last, ...(last === first ? {} : { spanFrom: first }), reason }];
}
