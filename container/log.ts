import pino from 'pino';
import type { Output } from '../shared/adapters/command-line.ts';
import type { Notification } from '../shared/core/notify/notification.ts';
import { REASONS } from '../shared/core/run/run.ts';
import { crontabOf, jobNameOf } from '../shared/core/run/run-id.ts';
import { followsOrder } from '../shared/core/run/run-transitions.ts';
import type { DaemonEvent, EmitEvent, ReportedFinding } from './events.ts';

/** Renders events as JSON lines, for machines. Never the command of a job: it may hold a secret. */
export function jsonLog(output: Output): EmitEvent {
  const log = pino(
    { base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (level) => ({ level }) } },
    { write: (line: string) => void output.write(line) },
  );
  return (event) => {
    const [level, fields, message] = record(event);
    log[level]({ event: event.kind, ...fields }, message);
  };
}

type Level = 'debug' | 'info' | 'warn' | 'error';

function record(event: DaemonEvent): [Level, object, string] {
  switch (event.kind) {
    case 'crontab-loaded': {
      const { crontab, file, active, diff } = event;
      const changes =
        diff === undefined
          ? {}
          : { added: diff.added, removed: diff.removed, changed: diff.changed.map(({ name }) => name) };
      return [
        'info',
        { crontab, file, jobs: active.plan.jobs.length, plan: active.hash.slice(0, 12), ...changes },
        'crontab in force',
      ];
    }
    case 'crontab-refused':
      return [
        'error',
        { crontab: event.crontab, file: event.file, errors: event.errors, report: lines(event.report) },
        'crontab refused; the last good one stays in force',
      ];
    case 'crontab-removed':
      return ['info', { crontab: event.crontab }, 'crontab removed'];
    case 'crontab-warnings':
      return [
        'warn',
        { crontab: event.crontab, file: event.file, report: lines(event.report) },
        'crontab has warnings',
      ];
    case 'run-started':
      return [
        'info',
        {
          ...ids(event.run),
          attempt: event.attempt.number,
          lateness_ms: followsOrder(event.run)
            ? event.attempt.startedAt - event.run.scheduledTime
            : undefined,
        },
        'run started',
      ];
    case 'run-ended': {
      const { status, reason, attempt, retry } = event.finish;
      const { number, exitCode, signal, error, startedAt, finishedAt } = attempt ?? {};
      const duration =
        startedAt === undefined || finishedAt === undefined ? undefined : finishedAt - startedAt;
      const fields = {
        ...{ ...ids(event.run), attempt: number, status, reason, exit_code: exitCode, signal, error },
        ...{ duration_ms: duration, retry_at: retry && iso(retry.notBefore) },
      };
      const what = retry === undefined ? `run ${status}` : `attempt ${status}; there is another`;
      return [status === 'succeeded' ? 'info' : 'warn', fields, what];
    }
    case 'run-skipped':
      return [
        'warn',
        {
          ...{ ...ids(event.run), status: event.run.status, reason: event.run.reason },
          blocked_by: event.run.blockedBy,
        },
        `run ${event.run.status}: ${event.run.reason === undefined ? '' : REASONS[event.run.reason]}`,
      ];
    case 'run-would-start':
      return ['info', ids(event.run), 'run would start; a dry run starts nothing'];
    case 'run-late':
      return ['warn', { ...ids(event.run), lateness_ms: event.lateMs }, 'run is late'];
    case 'run-slow':
      return ['warn', { ...ids(event.run), slow_after_ms: event.job.options['slow-after'] }, 'run is slow'];
    case 'run-taken':
      return ['debug', ids(event.run), 'run belongs to another process, or is over'];
    case 'runs-missed': {
      const { instant, spanFrom, reason } = event.missed;
      return [
        'warn',
        {
          crontab: crontabOf(event.jobId),
          job: jobNameOf(event.jobId),
          from: iso(spanFrom ?? instant),
          to: iso(instant),
          reason,
        },
        `runs missed: ${REASONS[reason]}`,
      ];
    }
    case 'run-lost':
      return [
        'error',
        {
          ...ids(event.run),
          reason: event.end.reason,
          retry_at: event.end.retry && iso(event.end.retry.notBefore),
        },
        `run lost: ${REASONS[event.end.reason ?? 'owner-died']}`,
      ];
    case 'notified':
      return ['info', notificationIds(event.notification), 'notification sent'];
    case 'notification-failed': {
      const { notification, problem, nextTryAt } = event;
      const fields = { ...notificationIds(notification), problem };
      if (nextTryAt === undefined) return ['error', fields, 'notification given up: nobody was told'];
      return ['warn', { ...fields, next_try: iso(nextTryAt) }, 'notification not sent; it is tried again'];
    }
    case 'tick':
      return [
        'debug',
        { handled: event.handled, duration_ms: Math.round(event.durationMs) },
        'due runs handled',
      ];
    case 'clock-set-back':
      return [
        'warn',
        { from: iso(event.from), to: iso(event.to) },
        'the clock was far ahead before: starting again from now',
      ];
    case 'listening':
      return ['info', { address: event.address }, 'health and metrics'];
    case 'draining':
      return [
        'info',
        { signal: event.signal, running: event.running, drain_ms: event.drainMs },
        'stopping: waiting for running commands',
      ];
    case 'stopped':
      return ['info', {}, 'stopped'];
    case 'started':
      return [
        'info',
        { pid: event.pid, version: event.version, store: event.store, zone: event.zone },
        'kuber-cron started',
      ];
    case 'note':
      return ['info', {}, event.message];
    case 'warning':
      return ['warn', {}, event.message];
    case 'error':
      return ['error', event.error === undefined ? {} : { error: errorText(event.error) }, event.message];
  }
}

/** An error with its causes, in one line. */
export function errorText(error: unknown): string {
  const parts: string[] = [];
  for (let at = error; at !== undefined; at = (at as Error).cause) {
    parts.push(at instanceof Error ? at.message : String(at));
  }
  return parts.join(': ');
}

function lines(report: readonly ReportedFinding[]): string[] {
  return report.map(({ line }) => line);
}

function ids(run: { jobId: string; runId: string; trigger: string }) {
  return {
    crontab: crontabOf(run.jobId),
    job: jobNameOf(run.jobId),
    run_id: run.runId,
    trigger: run.trigger,
  };
}

function notificationIds({ id, channel, kind, jobId, runId, tries }: Notification) {
  return {
    notification: id,
    channel,
    about: kind,
    crontab: crontabOf(jobId),
    job: jobNameOf(jobId),
    run_id: runId,
    tries: tries + 1,
  };
}

function iso(instant: number): string {
  return new Date(instant).toISOString();
}
