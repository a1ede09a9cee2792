import { type FinalStatus, REASONS, type Reason, type Run } from '../run/run.ts';
import { crontabOf, jobNameOf, scheduledTimeText } from '../run/run-id.ts';
import type { EpochMs } from '../schedule/zone-table.ts';

/** Channel of jobs without `notify`. */
export const DEFAULT_CHANNEL = 'default';

export type NotificationKind = 'failed' | 'missed' | 'recovered';

/** A message about a job, as it waits to be sent. */
export interface Notification {
  /** Unique, and the same at every try: the receiver's key against doubles. Without `.`, which parts what is signed. */
  readonly id: string;
  /** `default`, or the job's `notify`. */
  readonly channel: string;
  readonly kind: NotificationKind;
  readonly jobId: string;
  readonly runId: string;
  readonly scheduledTime: EpochMs;
  readonly status: FinalStatus;
  readonly reason?: Reason;
  /** Of the last attempt. */
  readonly exitCode?: number;
  readonly attempts: number;
  /** When the incident began. */
  readonly since: EpochMs;
  /** When the run ended, and the message was made. */
  readonly at: EpochMs;
  /** How often it was tried in vain. */
  readonly tries: number;
}

/** A job does not do what it should: from a run without success to the next success. */
export interface Incident {
  /** Due time of the first run that it is about. */
  readonly since: EpochMs;
  readonly runId: string;
}

/** Notifications that are to be sent. */
export interface NotificationQueue {
  /** Due ones, each reserved until `reservedUntil`, so that two processes do not both send it; then due again. */
  takeNotifications(now: EpochMs, reservedUntil: EpochMs, limit: number): Promise<readonly Notification[]>;
  /** @param next when to try again, counted as one more try; undefined deletes it: sent, or given up */
  settleNotification(id: string, next: { readonly nextTryAt: EpochMs } | undefined): Promise<void>;
}

/** What came of one try. `problem` holds no secret. */
export type SendResult =
  | { readonly outcome: 'sent' }
  /** Another try would end the same. */
  | { readonly outcome: 'refused'; readonly problem: string }
  | {
      readonly outcome: 'failed';
      readonly problem: string;
      /** How long the receiver asks to be left alone. */
      readonly retryAfterMs?: number;
    };

/** Where notifications go, by channel. */
export interface NotificationChannels {
  /** Tries once; never rejects. `at` is the time of the try. */
  send(notification: Notification, at: EpochMs, signal: AbortSignal): Promise<SendResult>;
}

/**
 * The incident after the end of a run, and what there is to tell: the first final failure or missed run, and the
 * recovery. Runs by hand, skipped and cancelled ones change nothing; nor does a success that was due before the
 * incident began, such as that of a long run under `concurrency-policy=allow` or of a backfill.
 *
 * @param run with all its attempts; one that will be tried again is not final and changes nothing
 */
export function incidentAfter(
  incident: Incident | undefined,
  run: Run,
): { readonly incident?: Incident; readonly kind?: NotificationKind } {
  const same = incident === undefined ? {} : { incident };
  if (run.trigger === 'manual') return same;
  switch (run.status) {
    case 'failed':
    case 'timed-out':
    case 'lost':
    case 'missed': {
      if (incident !== undefined) return same;
      const since = run.spanFrom ?? run.scheduledTime;
      return { incident: { since, runId: run.runId }, kind: run.status === 'missed' ? 'missed' : 'failed' };
    }
    case 'succeeded': {
      if (incident === undefined) return {};
      // What began after this run's end began under a clock that was wrong.
      const isPlausible = incident.since <= (run.finishedAt ?? run.createdAt);
      return run.scheduledTime < incident.since && isPlausible ? same : { kind: 'recovered' };
    }
    default:
      return same;
  }
}

/** Bounds of the wait between two tries. Milliseconds. */
export const TRY_AGAIN_MS = { shortest: 10_000, longest: 3_600_000 } as const;
/** A notification this old is not tried again. Milliseconds. */
export const GIVE_UP_AFTER_MS = 3 * 86_400_000;

/**
 * When to try again after a try that failed: 10 to 20 s, then each wait about twice the one before, up to an hour.
 *
 * @param random in [0, 1)
 * @param retryAfterMs what the receiver asked for: waited for, up to an hour
 * @returns undefined when the notification would be older than three days by then, and is given up
 */
export function nextTry(
  { tries, at }: Pick<Notification, 'tries' | 'at'>,
  now: EpochMs,
  random: number,
  retryAfterMs = 0,
): EpochMs | undefined {
  const { shortest, longest } = TRY_AGAIN_MS;
  const ceiling = Math.min(longest, 2 * shortest * 2 ** tries);
  const backoff = Math.round((ceiling / 2) * (1 + random));
  const next = now + Math.min(longest, Math.max(backoff, retryAfterMs));
  return next - at > GIVE_UP_AFTER_MS ? undefined : next;
}

/** Body of a webhook. Keys may be added; what changes the meaning of one changes `version`. Times are RFC 3339, UTC. */
export interface Payload {
  readonly version: 1;
  readonly type: `job.${NotificationKind}`;
  /** When it happened, not when it is sent. */
  readonly timestamp: string;
  /** One line for people. */
  readonly text: string;
  readonly data: {
    /** As the header `webhook-id`. */
    readonly id: string;
    readonly crontab: string;
    readonly job: string;
    readonly runId: string;
    readonly scheduledTime: string;
    readonly status: FinalStatus;
    readonly reason?: Reason;
    readonly exitCode?: number;
    readonly attempts: number;
    readonly since: string;
  };
}

/** What the receiver gets: nothing of the command or its output, which may hold secrets. */
export function payload(notification: Notification): Payload {
  const { id, kind, jobId, runId, scheduledTime, status, reason, exitCode, attempts, since, at } =
    notification;
  return {
    version: 1,
    type: `job.${kind}`,
    timestamp: iso(at),
    text: notificationText(notification),
    data: {
      ...{
        id,
        crontab: crontabOf(jobId),
        job: jobNameOf(jobId),
        runId,
        scheduledTime: iso(scheduledTime),
        status,
      },
      ...(reason === undefined ? {} : { reason }),
      ...(exitCode === undefined ? {} : { exitCode }),
      ...{ attempts, since: iso(since) },
    },
  };
}

/** Ends without success, as a sentence about a job goes on. */
const VERBS: Readonly<Partial<Record<FinalStatus, string>>> = { 'timed-out': 'timed out', lost: 'was lost' };

/** `shop/nightly-backup failed (exit code 3) after 4 attempts; due 2026-03-29T01:30Z` */
function notificationText(notification: Notification): string {
  const { kind, jobId, scheduledTime, status, reason, exitCode, attempts, since } = notification;
  const due = scheduledTimeText(scheduledTime);
  const first = scheduledTimeText(since);
  if (kind === 'recovered') return `${jobId} succeeded again; due ${due}, without success since ${first}`;
  const isExitCode = reason === 'exit-code' && exitCode !== undefined;
  const why = reason === undefined ? '' : ` (${isExitCode ? `exit code ${exitCode}` : REASONS[reason]})`;
  if (kind === 'missed')
    return first === due
      ? `${jobId} missed a run${why}; due ${due}`
      : `${jobId} missed its runs${why}; due from ${first} to ${due}`;
  const often = attempts > 1 ? ` after ${attempts} attempts` : '';
  return `${jobId} ${VERBS[status] ?? status}${why}${often}; due ${due}`;
}

function iso(instant: EpochMs): string {
  return new Date(instant).toISOString();
}
