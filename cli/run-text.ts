import type { Io } from '../shared/adapters/command-line.ts';
import { lateness, REASONS, type Run, type RunStatus } from '../shared/core/run/run.ts';
import { scheduledTimeText } from '../shared/core/run/run-id.ts';
import type { EpochMs } from '../shared/core/schedule/zone-table.ts';
import { colours } from './style.ts';

/** What there is to say about how a run went; may be empty. */
export function whyText(run: Run): string {
  const attempt = run.attempts.at(-1);
  const parts: string[] = [];
  if (run.trigger !== 'schedule') parts.push(run.trigger === 'manual' ? 'by hand' : run.trigger);
  if (attempt?.error !== undefined) parts.push(attempt.error);
  else if (run.reason === 'exit-code') parts.push(`exit code ${attempt?.exitCode}`);
  else if (run.reason === 'signal') parts.push(attempt?.signal ?? 'signal');
  else if (run.reason !== undefined)
    parts.push(`${REASONS[run.reason]}${run.blockedBy === undefined ? '' : ` (${run.blockedBy})`}`);
  if (run.spanFrom !== undefined) parts.push(`all since ${scheduledTimeText(run.spanFrom)}`);
  return parts.join(', ');
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
