import type { Target } from '../crontab/options.ts';
import type { PlannedJob } from '../plan/plan.ts';
import { nextDue, previousDue } from '../schedule/due.ts';
import { type ClockNote, clockNote, type NotDue, notDue } from '../schedule/not-due.ts';
import type { EpochMs } from '../schedule/zone-table.ts';
import { lateAfter } from './late.ts';
import { isPausedAt, type PauseInterval } from './pause.ts';
import { SHORTEST_RETENTION_MS } from './retention.ts';
import { type NoRetry, retryOf } from './retry.ts';
import { isFinal, type Reason, type Run, startBy } from './run.ts';
import { INTERVAL_RETENTION_MS } from './run-transitions.ts';
import { intervalAt, type ScheduleInterval, timetableOfInterval } from './schedule-history.ts';
import { settle } from './settle.ts';

/** What the store knows about a job around one minute. */
export interface Ledger {
  /** Cut to the minute. */
  readonly instant: EpochMs;
  readonly now: EpochMs;
  /** All that is known of the job, oldest first. */
  readonly schedules: readonly ScheduleInterval[];
  readonly pauses: readonly PauseInterval[];
  /** The row of the instant. */
  readonly run?: Run | undefined;
  /** The row that answers for a stretch with the instant. */
  readonly span?: Run | undefined;
  /** The run that stood in its way. */
  readonly blocking?: Run | undefined;
  /** Newest minute that the daemon of the job's crontab has handled. */
  readonly cursor?: EpochMs | undefined;
  /** The job as it is planned now, and the hash of that plan. */
  readonly job?: PlannedJob | undefined;
  readonly planHash?: string | undefined;
  /** Where it is asked. (Default: daemon) */
  readonly target?: Target | undefined;
}

/** What happened, or will, at a minute, and which rule decided. */
export type Verdict =
  /** Its row tells. */
  | { readonly kind: 'run'; readonly run: Run; readonly blocking?: Run; readonly noRetry?: NoRetry }
  /** One row tells for all from `spanFrom` to its `scheduledTime`. */
  | { readonly kind: 'span'; readonly span: Run }
  | {
      readonly kind: 'never-due';
      readonly notDue: NotDue;
      readonly before?: EpochMs | undefined;
      readonly after?: EpochMs | undefined;
    }
  /** The job is due at a start, and at no time. */
  | { readonly kind: 'at-start' }
  /** No crontab had the job then: it came at `from`, or went at `until`. */
  | { readonly kind: 'no-job'; readonly until?: EpochMs | undefined; readonly from?: EpochMs | undefined }
  | { readonly kind: 'suspended'; readonly since: EpochMs; readonly why?: string }
  | { readonly kind: 'other-target'; readonly targets: readonly string[] }
  | { readonly kind: 'paused'; readonly pause: PauseInterval }
  | { readonly kind: 'ahead'; readonly lateFrom?: EpochMs; readonly startBy: EpochMs }
  /** Due, and no daemon has handled it: what the next one does. */
  | { readonly kind: 'owed'; readonly startBy: EpochMs; readonly outcome: OwedOutcome }
  /** It is older than rows are kept. */
  | { readonly kind: 'forgotten' }
  /** Due and handled, and yet there is no answer: a fault. */
  | { readonly kind: 'unanswered' };

export type OwedOutcome =
  | { readonly kind: 'starts' }
  /** Behind others that are owed. */
  | { readonly kind: 'waits' }
  | { readonly kind: 'missed'; readonly reason: Reason };

export interface Explanation {
  readonly instant: EpochMs;
  readonly now: EpochMs;
  /** The schedule that was in force then. */
  readonly interval?: ScheduleInterval;
  readonly clock?: ClockNote;
  readonly verdict: Verdict;
}

/** The ledger's one answer about a minute, past or future. */
export function explainInstant(ledger: Ledger): Explanation {
  const { instant, now, schedules, run } = ledger;
  const interval = intervalAt(schedules, instant);
  const timetable = interval && timetableOfInterval(interval);
  const clock = timetable && clockNote(timetable, instant);
  return {
    ...{ instant, now },
    ...(interval === undefined ? {} : { interval }),
    ...(clock === undefined ? {} : { clock }),
    verdict: run === undefined ? withoutRow(ledger, interval) : ofRow(ledger, run, interval),
  };
}

function ofRow({ blocking, job, planHash }: Ledger, run: Run, interval?: ScheduleInterval): Verdict {
  const noRetry = job !== undefined && run.planHash === planHash ? noRetryOf(run, job, interval) : undefined;
  return {
    ...{ kind: 'run', run },
    ...(blocking === undefined ? {} : { blocking }),
    ...(noRetry === undefined ? {} : { noRetry }),
  };
}

/** Why a run that failed was not tried again, where the row itself does not say. */
function noRetryOf(run: Run, job: PlannedJob, interval: ScheduleInterval | undefined): NoRetry | undefined {
  const last = run.attempts.at(-1);
  const { finishedAt } = last ?? {};
  if (!isFinal(run.status) || run.status === 'succeeded') return undefined;
  if (last?.status === undefined || finishedAt === undefined || last.reason !== run.reason) return undefined;
  const timetable = interval && timetableOfInterval(interval);
  const due = (after: EpochMs) => (timetable === undefined ? undefined : nextDue(timetable, after));
  const ended = { number: last.number, status: last.status, reason: last.reason };
  const shortest = retryOf(run, job, ended, finishedAt, { nextDue: due, random: () => 0 });
  // It would have been tried again after the shortest wait: its own was longer.
  return typeof shortest === 'object' ? 'next-due' : shortest;
}

function withoutRow(ledger: Ledger, interval: ScheduleInterval | undefined): Verdict {
  const { instant, now, schedules, pauses, span, cursor, job, target = 'daemon' } = ledger;
  if (interval === undefined) return beforeOrAfter(ledger);
  const timetable = timetableOfInterval(interval);
  if (timetable === undefined) return { kind: 'at-start' };
  const reason = notDue(timetable, instant);
  if (reason !== undefined) {
    const around = { before: dueBefore(schedules, instant), after: dueAfter(schedules, instant) };
    return { kind: 'never-due', notDue: reason, ...around };
  }
  const { suspend, targets } = interval;
  if (suspend !== undefined) {
    const since = suspendedSince(schedules, interval);
    return { kind: 'suspended', since, ...(suspend === true ? {} : { why: suspend }) };
  }
  if (targets?.includes(target) === false) return { kind: 'other-target', targets };
  const pause = pauses.find((one) => isPausedAt(one, instant));
  if (pause !== undefined) return { kind: 'paused', pause };
  if (span !== undefined) return { kind: 'span', span };
  const { startingDeadlineMs, catchUp = 'once' } = interval;
  const next = nextDue(timetable, instant);
  const until = startBy(instant, next, startingDeadlineMs);
  if (instant > now) {
    const late = job === undefined ? undefined : instant + lateAfter(job, instant, next);
    return { kind: 'ahead', startBy: until, ...(late === undefined ? {} : { lateFrom: late }) };
  }
  if (cursor === undefined || cursor < instant) {
    const after = Math.max(cursor ?? Number.NEGATIVE_INFINITY, interval.from - 1);
    const { start, missed } = settle(timetable, after, now, { catchUp, startingDeadlineMs, pauses });
    if (start?.instant === instant) return { kind: 'owed', startBy: until, outcome: { kind: 'starts' } };
    const lost = missed.find((one) => (one.spanFrom ?? one.instant) <= instant && instant <= one.instant);
    return {
      ...{ kind: 'owed', startBy: until },
      outcome: lost === undefined ? { kind: 'waits' } : { kind: 'missed', reason: lost.reason },
    };
  }
  return { kind: now - instant > SHORTEST_RETENTION_MS ? 'forgotten' : 'unanswered' };
}

/** A minute at which no schedule of the job was in force. */
function beforeOrAfter({ instant, now, schedules }: Ledger): Verdict {
  const from = schedules.find((one) => one.from > instant)?.from;
  const until = schedules.findLast((one) => one.until !== undefined && one.until <= instant)?.until;
  // Former schedules are kept for a time too.
  if (until === undefined && from !== undefined && instant < now - INTERVAL_RETENTION_MS)
    return { kind: 'forgotten' };
  return {
    kind: 'no-job',
    ...(until === undefined ? {} : { until }),
    ...(from === undefined ? {} : { from }),
  };
}

/** When a suspension began: other edits of a job that stays suspended do not count. */
function suspendedSince(schedules: readonly ScheduleInterval[], interval: ScheduleInterval): EpochMs {
  let { from } = interval;
  for (const before of schedules.slice(0, schedules.indexOf(interval)).reverse()) {
    if (before.until !== from || before.suspend === undefined) break;
    from = before.from;
  }
  return from;
}

/** The last instant before one at which the job was due, by the schedules that were in force. */
export function dueBefore(schedules: readonly ScheduleInterval[], instant: EpochMs): EpochMs | undefined {
  for (const interval of [...schedules].reverse()) {
    const timetable = interval.from < instant ? timetableOfInterval(interval) : undefined;
    if (timetable === undefined) continue;
    const due = previousDue(timetable, Math.min(instant, interval.until ?? instant));
    if (due !== undefined && due >= interval.from) return due;
  }
  return undefined;
}

/** The first instant after one at which the job is due, by the schedules that were in force and the one that is. */
export function dueAfter(schedules: readonly ScheduleInterval[], instant: EpochMs): EpochMs | undefined {
  for (const interval of schedules) {
    const isOver = interval.until !== undefined && interval.until <= instant;
    const timetable = isOver ? undefined : timetableOfInterval(interval);
    if (timetable === undefined) continue;
    const due = nextDue(timetable, Math.max(instant, interval.from - 1));
    if (due !== undefined && due < (interval.until ?? Number.POSITIVE_INFINITY)) return due;
  }
  return undefined;
}
