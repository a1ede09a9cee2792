import type { Target } from '../crontab/options.ts';
import { countDue } from '../schedule/count-due.ts';
import { dueInstants, nextDue, type Timetable } from '../schedule/due.ts';
import type { EpochMs } from '../schedule/zone-table.ts';
import { isPausedAt, type PauseInterval } from './pause.ts';
import { SHORTEST_RETENTION_MS } from './retention.ts';
import { type FinalStatus, isFinal, type Run, startBy } from './run.ts';
import { type ScheduleInterval, timetableOfInterval } from './schedule-history.ts';

/** Due instants that one backfill may have. */
export const MOST_BACKFILLED = 10_000;

/** Which runs that are over a backfill runs again. */
export const REPROCESSING = ['none', 'failed', 'all'] as const;
export type Reprocessing = (typeof REPROCESSING)[number];

/** Ends of runs that did not do their work; a skipped or cancelled one was left out on purpose. */
const FAILED: ReadonlySet<FinalStatus> = new Set(['failed', 'timed-out', 'lost', 'missed']);

/** A stretch of one schedule; both ends included. */
interface ScheduledStretch {
  readonly interval: ScheduleInterval;
  readonly timetable: Timetable;
  readonly from: EpochMs;
  readonly to: EpochMs;
}

/** An instant at which a job was due, by the schedule in force then. */
export interface PastDue {
  readonly instant: EpochMs;
  readonly interval: ScheduleInterval;
  /** Until when it could have been started without being asked for. */
  readonly startBy: EpochMs;
}

/** When a job was due between two instants, both included, whatever its crontab says today. */
export class DueHistory {
  readonly #stretches: readonly ScheduledStretch[];

  constructor(schedules: readonly ScheduleInterval[], from: EpochMs, to: EpochMs, target: Target = 'daemon') {
    this.#stretches = schedules.flatMap((interval) => {
      const start = Math.max(from, interval.from);
      const end = Math.min(to, (interval.until ?? Number.POSITIVE_INFINITY) - 1);
      const timetable = timetableOfInterval(interval);
      if (timetable === undefined || start > end || interval.targets?.includes(target) === false) return [];
      return [{ interval, timetable, from: start, to: end }];
    });
  }

  /** How many there are; the work grows with the days, not with the instants. */
  get count(): number {
    return this.#stretches.reduce(
      (sum, { timetable, from, to }) => sum + countDue(timetable, from - 1, to),
      0,
    );
  }

  /** Oldest first. */
  *instants(): Generator<PastDue, void, undefined> {
    for (const { interval, timetable, from, to } of this.#stretches) {
      for (const instant of dueInstants(timetable, from - 1, to)) {
        const until = startBy(instant, nextDue(timetable, instant), interval.startingDeadlineMs);
        yield { instant, interval, startBy: until };
      }
    }
  }
}

/** What a backfill does about an instant. */
export type BackfillStep =
  /** Its run is over, and has another attempt. */
  | { readonly kind: 'reopen'; readonly run: Run }
  /** It has no run, and gets one. */
  | { readonly kind: 'owe'; readonly because: Unrecorded }
  | { readonly kind: 'leave'; readonly because: 'under-way' | 'not-wanted'; readonly run: Run }
  | { readonly kind: 'leave'; readonly because: Unrecorded | 'still-owed' };

/** Why a due instant has no run of its own; one that is `forgotten` may have had one, which is not kept any more. */
export type Unrecorded = 'span' | 'paused' | 'suspended' | 'forgotten' | 'no-row';

export interface BackfillWish {
  readonly reprocess: Reprocessing;
  /** Whether instants without a run get one. */
  readonly unrecorded: boolean;
}

/** What is known about a due instant. */
export interface PastAnswer {
  readonly run?: Run | undefined;
  readonly span?: Run | undefined;
  readonly pauses: readonly PauseInterval[];
  /** Newest minute that the daemon has handled. */
  readonly cursor?: EpochMs | undefined;
  readonly now: EpochMs;
}

/** What a backfill does about an instant: what is under way, or will be by itself, it leaves alone. */
export function backfillStep(due: PastDue, answer: PastAnswer, wish: BackfillWish): BackfillStep {
  const { run, cursor, now } = answer;
  if (run !== undefined) {
    if (!isFinal(run.status)) return { kind: 'leave', because: 'under-way', run };
    const isWanted = wish.reprocess === 'all' || (wish.reprocess === 'failed' && FAILED.has(run.status));
    return isWanted ? { kind: 'reopen', run } : { kind: 'leave', because: 'not-wanted', run };
  }
  const { instant } = due;
  const isHandled = cursor !== undefined && instant <= cursor;
  const because = unrecorded(due, answer, isHandled);
  if (because === 'no-row' && !isHandled && due.startBy >= now)
    return { kind: 'leave', because: 'still-owed' };
  // It may have succeeded: only who wants everything again gets that again.
  const isWanted = wish.unrecorded && (because !== 'forgotten' || wish.reprocess === 'all');
  return { kind: isWanted ? 'owe' : 'leave', because };
}

function unrecorded(
  { instant, interval }: PastDue,
  { span, pauses, now }: PastAnswer,
  isHandled: boolean,
): Unrecorded {
  if (span !== undefined) return 'span';
  if (pauses.some((pause) => isPausedAt(pause, instant))) return 'paused';
  if (interval.suspend !== undefined) return 'suspended';
  return isHandled && now - instant > SHORTEST_RETENTION_MS ? 'forgotten' : 'no-row';
}
