import type { CatchUpPolicy } from '../crontab/options.ts';
import { dueInstants, nextDue, previousDue, type Timetable } from '../schedule/due.ts';
import { type EpochMs, MINUTE_MS } from '../schedule/zone-table.ts';
import { type PauseInterval, pausedStretch, type Stretch, without } from './pause.ts';
import { type Reason, startBy, type Trigger } from './run.ts';

/** Started within this after its time, a run is on time, and no catch-up rule asks about it. Milliseconds. */
export const ON_TIME_MS = MINUTE_MS;

/** Owed runs of one job that are put into the store at once. */
const MOST_OWED = 1000;

export interface SettlePolicy {
  readonly catchUp: CatchUpPolicy;
  readonly startingDeadlineMs?: number | undefined;
  /** Pauses of the job: they answer for what was due in them. */
  readonly pauses?: readonly PauseInterval[] | undefined;
  /** What has an answer already. */
  readonly answered?: readonly Stretch[] | undefined;
  /** When the stretch is settled, where that is later than its end. */
  readonly now?: EpochMs | undefined;
  /** (Default: `ON_TIME_MS`) */
  readonly onTimeMs?: number | undefined;
  /**
   * Where others start what is delivered to them: what could be started this long ago is answered one by one, since they
   * look at the run and at no stretch. Milliseconds.
   */
  readonly deliveredMs?: number | undefined;
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
  /** Instants that are started one after the other, oldest first. */
  readonly owed: readonly EpochMs[];
  /** Instants that are not started any more. */
  readonly missed: readonly Missed[];
  /** How far this goes: less than to the end when more is owed than is put into the store at once. */
  readonly until: EpochMs;
}

const HOUR_MS = 60 * MINUTE_MS;

/**
 * Answers every due instant of a job in (after, until]: what may still be started, by its rule of catch-up, and what is
 * missed. The work is bounded however long the stretch.
 */
export function settle(
  timetable: Timetable,
  after: EpochMs,
  until: EpochMs,
  policy: SettlePolicy,
): Settlement {
  const { catchUp, startingDeadlineMs, pauses = [], answered = [] } = policy;
  const { now = until, onTimeMs = ON_TIME_MS } = policy;
  const due = new DueStretches(
    timetable,
    without([after + 1, until], [...pauses.map(pausedStretch), ...answered]),
  );
  const newest = due.last;
  if (newest === undefined) return { owed: [], missed: [], until };
  const aliveFrom = Math.max(after + 1, firstAlive(timetable, after, now, startingDeadlineMs));
  const { deliveredMs } = policy;
  if (deliveredMs !== undefined)
    due.singlyFrom = firstAlive(timetable, after, now - deliveredMs, startingDeadlineMs);
  const tooLate = due.spans(after + 1, aliveFrom - 1, 'too-late');
  if (newest < aliveFrom) return { owed: [], missed: tooLate, until };
  const onTime = now - newest < onTimeMs ? newest : undefined;
  const start = { instant: newest, trigger: onTime === undefined ? 'catch-up' : 'schedule' } as const;
  switch (catchUp) {
    case 'none': {
      const notMadeUp = due.spans(aliveFrom, onTime === undefined ? newest : newest - 1, 'catch-up-none');
      const missed = [...tooLate, ...notMadeUp];
      return { ...(onTime === undefined ? {} : { start }), owed: [], missed, until };
    }
    case 'once': {
      const missed = [...tooLate, ...due.spans(aliveFrom, newest - 1, 'superseded')];
      return { start, owed: [], missed, until };
    }
    case 'all': {
      const owed = due.instants(aliveFrom, onTime === undefined ? newest : newest - 1, MOST_OWED + 1);
      if (owed.length > MOST_OWED) {
        const first = owed.slice(0, MOST_OWED);
        return { owed: first, missed: tooLate, until: first.at(-1) as EpochMs };
      }
      return { ...(onTime === undefined ? {} : { start }), owed, missed: tooLate, until };
    }
  }
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

/** The due instants of a job in the stretches of time in which it owes any. */
class DueStretches {
  readonly #timetable: Timetable;
  readonly #stretches: readonly Stretch[];
  /** From here on instants have answers of their own. */
  singlyFrom = Number.POSITIVE_INFINITY;

  constructor(timetable: Timetable, stretches: readonly Stretch[]) {
    this.#timetable = timetable;
    this.#stretches = stretches;
  }

  get last(): EpochMs | undefined {
    for (const [from, to] of [...this.#stretches].reverse()) {
      const instant = previousDue(this.#timetable, to + 1);
      if (instant !== undefined && instant >= from) return instant;
    }
    return undefined;
  }

  /** One answer for the due instants of each stretch, between two instants, both included. */
  spans(from: EpochMs, to: EpochMs, reason: Reason): Missed[] {
    const singles = this.instants(Math.max(from, this.singlyFrom), to, Number.POSITIVE_INFINITY);
    const spans = this.#spans(from, Math.min(to, this.singlyFrom - 1), reason);
    return [...spans, ...singles.map((instant) => ({ instant, reason }))];
  }

  #spans(from: EpochMs, to: EpochMs, reason: Reason): Missed[] {
    return this.#between(from, to).flatMap(([start, end]): Missed[] => {
      const first = nextDue(this.#timetable, start - 1);
      if (first === undefined || first > end) return [];
      const last = previousDue(this.#timetable, end + 1) ?? first;
      return [{ instant: last, ...(last === first ? {} : { spanFrom: first }), reason }];
    });
  }

  /** The first due instants between two, both included. */
  instants(from: EpochMs, to: EpochMs, limit: number): EpochMs[] {
    const found: EpochMs[] = [];
    for (const [start, end] of this.#between(from, to)) {
      for (const instant of dueInstants(this.#timetable, start - 1, end)) {
        if (found.length === limit) return found;
        found.push(instant);
      }
    }
    return found;
  }

  #between(from: EpochMs, to: EpochMs): Stretch[] {
    return this.#stretches
      .map(([start, end]): Stretch => [Math.max(start, from), Math.min(end, to)])
      .filter(([start, end]) => start <= end);
  }
}
