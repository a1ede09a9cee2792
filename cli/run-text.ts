import type { Io } from '../shared/adapters/command-line.ts';
import { printable } from '../shared/core/diagnostic-text.ts';
import {
  type Attempt,
  lateness,
  type OperatorRequest,
  PENDING_CAUSES,
  REASONS,
  type Run,
  type RunStatus,
} from '../shared/core/run/run.ts';
import { scheduledTimeText } from '../shared/core/run/run-id.ts';
import type { EpochMs } from '../shared/core/schedule/zone-table.ts';
import { colours } from './style.ts';

/** What there is to say about how a run went; may be empty. */
export function whyText(run: Run): string {
  const { status, trigger, reason, attempts, cancelRequest } = run;
  const parts: string[] = [];
  if (trigger !== 'schedule') parts.push(trigger === 'manual' ? 'by hand' : trigger);
  if (status === 'pending') parts.push(...pendingFacts(run));
  else if (reason !== undefined) parts.push(reasonText(run));
  if (cancelRequest !== undefined) parts.push(`is to end: ${requestText(cancelRequest)}`);
  if (attempts.length > 1) parts.push(`attempt ${attempts.length}`);
  if (run.spanFrom !== undefined) parts.push(`all since ${scheduledTimeText(run.spanFrom)}`);
  return parts.join(', ');
}

/** Why the run ended as it did. */
function reasonText({ reason, attempts, blockedBy, requests }: Run): string {
  const { exitCode, signal, error } = attempts.at(-1) ?? {};
  if (reason === undefined) return '';
  if (reason === 'not-started' && error !== undefined) return error;
  if (reason === 'exit-code') return `exit code ${exitCode}`;
  if (reason === 'signal') return signal ?? 'signal';
  const asked = reason === 'requested' ? requests?.findLast(({ verb }) => verb === 'cancel') : undefined;
  if (asked !== undefined) return askerText(asked);
  return `${REASONS[reason]}${blockedBy === undefined ? '' : ` (${blockedBy})`}`;
}

/** Why a run waits, until when, and what came before. */
function pendingFacts({ cause, notBefore, attempts, requests }: Run): string[] {
  const last = attempts.at(-1);
  const asked = cause === 'requested' ? requests?.findLast(({ verb }) => verb !== 'cancel') : undefined;
  const why = asked === undefined ? cause && PENDING_CAUSES[cause] : requestText(asked);
  return [
    ...(why === undefined ? [] : [why]),
    ...(notBefore === undefined ? [] : [`not before ${new Date(notBefore).toISOString().slice(0, 19)}Z`]),
    ...(last === undefined ? [] : [`last ${attemptText(last)}`]),
  ];
}

/** How an attempt went: `failed, exit code 7`. */
export function attemptText({ status, reason, exitCode, signal, error }: Attempt): string {
  if (status === undefined) return 'runs';
  if (error !== undefined) return `${status}, ${error}`;
  if (reason === undefined) return status;
  const why =
    reason === 'exit-code'
      ? `exit code ${exitCode}`
      : reason === 'signal'
        ? (signal ?? 'signal')
        : REASONS[reason];
  return `${status}, ${why}`;
}

/** Who asked for what, and why: `retry by jane@host (disk was full)`. */
export function requestText(request: OperatorRequest): string {
  return `${request.verb} ${askerText(request)}`;
}

function askerText({ by, why }: OperatorRequest): string {
  return printable(`by ${by}${why === undefined ? '' : ` (${why})`}`);
}

/** How late a run was; undefined where no time was set for it. Milliseconds. */
export function latenessOf(run: Run): number | undefined {
  return run.trigger === 'manual' || run.runId.startsWith('reboot#') ? undefined : lateness(run);
}

/** Documented in docs/cli.md. */
export function runJson(run: Run) {
  const iso = (instant: EpochMs | undefined) =>
    instant === undefined ? undefined : new Date(instant).toISOString();
  return {
    jobId: run.jobId,
    runId: run.runId,
    scheduledTime: scheduledTimeText(run.scheduledTime),
    trigger: run.trigger,
    status: run.status,
    reason: run.reason,
    blockedBy: run.blockedBy,
    spanFrom: run.spanFrom === undefined ? undefined : scheduledTimeText(run.spanFrom),
    cause: run.cause,
    notBefore: iso(run.notBefore),
    startBy: iso(run.startBy),
    maxActiveRuns: run.maxActiveRuns,
    requests: run.requests?.map(({ at, ...request }) => ({ ...request, at: iso(at) })),
    planHash: run.planHash,
    createdAt: iso(run.createdAt),
    finishedAt: iso(run.finishedAt),
    latenessMs: latenessOf(run),
    attempts: run.attempts.map((attempt) => ({
      ...attempt,
      startedAt: iso(attempt.startedAt),
      finishedAt: iso(attempt.finishedAt),
      durationMs: attempt.finishedAt === undefined ? undefined : attempt.finishedAt - attempt.startedAt,
    })),
  };
}

/** Colours of statuses: good, under way, on purpose, bad. */
export function statusPaint(io: Io): (status: RunStatus) => string {
  const paint = colours(io.stdout, io.env);
  return (status) => {
    if (status === 'succeeded') return paint('green', status);
    if (status === 'running' || status === 'claimed' || status === 'pending') return paint('blue', status);
    return paint(status === 'skipped' || status === 'cancelled' ? 'yellow' : 'red', status);
  };
}
