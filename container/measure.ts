import type { Metrics } from '../shared/core/metrics/metrics.ts';
import type { Run } from '../shared/core/run/run.ts';
import { crontabOf, jobNameOf } from '../shared/core/run/run-id.ts';
import { followsOrder } from '../shared/core/run/run-transitions.ts';
import type { DaemonEvent } from './events.ts';

/** Reports an event to the metrics of the process. */
export function measure(event: DaemonEvent, metrics: Metrics, now: () => number): void {
  const seconds = () => now() / 1000;
  switch (event.kind) {
    case 'crontab-loaded': {
      const { crontab } = event;
      metrics.set('kubercron_config_last_reload_successful', { crontab }, 1);
      metrics.set('kubercron_config_last_reload_success_timestamp_seconds', { crontab }, seconds());
      return;
    }
    case 'crontab-refused':
      metrics.set('kubercron_config_last_reload_successful', { crontab: event.crontab }, 0);
      return;
    case 'tick':
      metrics.set('kubercron_scheduler_last_tick_timestamp_seconds', {}, seconds());
      metrics.set('kubercron_scheduler_last_tick_duration_seconds', {}, event.durationMs / 1000);
      return;
    case 'run-started': {
      const { scheduledTime } = event.run;
      if (event.attempt.number > 1) metrics.add('kubercron_job_retries_total', ofJob(event.run));
      // Runs by hand, at a start and asked for afterwards have no time to be late for.
      if (!followsOrder(event.run) || event.attempt.number > 1) return;
      metrics.observe(
        'kubercron_job_lateness_seconds',
        ofJob(event.run),
        Math.max(0, event.attempt.startedAt - scheduledTime) / 1000,
      );
      return;
    }
    case 'run-ended': {
      const { attempt } = event.finish;
      if (attempt?.finishedAt === undefined) return;
      metrics.observe(
        'kubercron_job_duration_seconds',
        ofJob(event.run),
        Math.max(0, attempt.finishedAt - attempt.startedAt) / 1000,
      );
      return;
    }
    case 'run-late':
      metrics.add('kubercron_job_late_runs_total', ofJob(event.run));
      return;
    case 'run-slow':
      metrics.add('kubercron_job_slow_runs_total', ofJob(event.run));
      return;
    case 'notified':
      metrics.add('kubercron_notifications_total', { result: 'sent' });
      return;
    case 'notification-failed': {
      const result = event.nextTryAt === undefined ? 'given-up' : 'retried';
      metrics.add('kubercron_notifications_total', { result });
      return;
    }
    default:
  }
}

function ofJob({ jobId }: Pick<Run, 'jobId'>): { crontab: string; job_name: string } {
  return { crontab: crontabOf(jobId), job_name: jobNameOf(jobId) };
}
