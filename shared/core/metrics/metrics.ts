import { CONCURRENCY_POLICIES } from '../crontab/options.ts';
import { FINAL_STATUSES } from '../run/run.ts';

/** Why a delivery of a transport started nothing. */
export const DROP_REASONS = ['malformed', 'not-due', 'not-foreseen', 'unknown-job'] as const;

/** What came of a try to send a notification. */
export const NOTIFICATION_RESULTS = ['sent', 'retried', 'given-up'] as const;

/** Labels with a closed set of values. The others are names that people gave, or come from the plan. */
export const CLOSED_LABELS = {
  status: FINAL_STATUSES,
  reason: DROP_REASONS,
  concurrency_policy: CONCURRENCY_POLICIES,
  result: NOTIFICATION_RESULTS,
} as const;

interface MetricSpec {
  readonly type: 'counter' | 'gauge' | 'histogram';
  /**
   * `process`: measured by the process that is asked, from its start. `scrape`: made from run store and plan when
   * somebody asks, so that it survives a restart and counts what other processes ran.
   */
  readonly source: 'process' | 'scrape';
  readonly labels: readonly ('crontab' | 'job_name' | 'version' | 'schedule' | 'timezone' | ClosedLabel)[];
  /** One sentence without a full stop. */
  readonly help: string;
  /** Upper bounds of a histogram, ascending, without +Inf. */
  readonly buckets?: readonly number[];
}

type ClosedLabel = keyof typeof CLOSED_LABELS;

/**
 * Every metric that there is, in the order of exposition. Names are API: dashboards and alert rules use them. Labels
 * never hold text of a command, line numbers or run ids: these leak secrets or grow without end.
 */
export const METRICS = {
  kubercron_build_info: {
    type: 'gauge',
    source: 'process',
    labels: ['version'],
    help: 'Always 1; the label is the version of kuber-cron',
  },
  kubercron_config_last_reload_successful: {
    type: 'gauge',
    source: 'process',
    labels: ['crontab'],
    help: 'Whether the crontab was free of errors when it was last read',
  },
  kubercron_config_last_reload_success_timestamp_seconds: {
    type: 'gauge',
    source: 'process',
    labels: ['crontab'],
    help: 'When the crontab was last read without errors',
  },
  kubercron_scheduler_last_tick_timestamp_seconds: {
    type: 'gauge',
    source: 'process',
    labels: [],
    help: 'When the scheduler last finished a pass over the due times',
  },
  kubercron_scheduler_last_tick_duration_seconds: {
    type: 'gauge',
    source: 'process',
    labels: [],
    help: 'How long the last pass over the due times took',
  },
  kubercron_deliveries_dropped_total: {
    type: 'counter',
    source: 'process',
    labels: ['crontab', 'reason'],
    help: 'Deliveries of a transport that started nothing because no run was due',
  },
  kubercron_notifications_total: {
    type: 'counter',
    source: 'process',
    labels: ['result'],
    help: 'Tries to send a notification: sent, to be tried again, or given up',
  },
  kubercron_job_retries_total: {
    type: 'counter',
    source: 'process',
    labels: ['crontab', 'job_name'],
    help: 'Attempts after the first of a run',
  },
  kubercron_job_late_runs_total: {
    type: 'counter',
    source: 'process',
    labels: ['crontab', 'job_name'],
    help: 'Runs that had not started when their `late-after` was over',
  },
  kubercron_job_slow_runs_total: {
    type: 'counter',
    source: 'process',
    labels: ['crontab', 'job_name'],
    help: 'Attempts that ran longer than their `slow-after`',
  },
  kubercron_job_duration_seconds: {
    type: 'histogram',
    source: 'process',
    labels: ['crontab', 'job_name'],
    help: 'How long the command ran, each attempt by itself',
    buckets: [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400],
  },
  kubercron_job_lateness_seconds: {
    type: 'histogram',
    source: 'process',
    labels: ['crontab', 'job_name'],
    help: 'From the scheduled time to the start of the first attempt',
    buckets: [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600],
  },
  kubercron_job_info: {
    type: 'gauge',
    source: 'scrape',
    labels: ['crontab', 'job_name', 'schedule', 'timezone', 'concurrency_policy'],
    help: 'Always 1; the labels say what the crontab says about the job',
  },
  kubercron_job_suspended: {
    type: 'gauge',
    source: 'scrape',
    labels: ['crontab', 'job_name'],
    help: 'Whether the crontab suspends the job',
  },
  kubercron_job_paused: {
    type: 'gauge',
    source: 'scrape',
    labels: ['crontab', 'job_name'],
    help: 'Whether somebody has paused the job',
  },
  kubercron_job_runs_total: {
    type: 'counter',
    source: 'scrape',
    labels: ['crontab', 'job_name', 'status'],
    help: 'Runs that are over, by how they ended',
  },
  kubercron_job_attempts_total: {
    type: 'counter',
    source: 'scrape',
    labels: ['crontab', 'job_name'],
    help: 'Starts of the command that are over',
  },
  kubercron_job_running: {
    type: 'gauge',
    source: 'scrape',
    labels: ['crontab', 'job_name'],
    help: 'Runs whose command is running',
  },
  kubercron_job_pending: {
    type: 'gauge',
    source: 'scrape',
    labels: ['crontab', 'job_name'],
    help: 'Runs that are to start and have not yet',
  },
  kubercron_job_last_run_timestamp_seconds: {
    type: 'gauge',
    source: 'scrape',
    labels: ['crontab', 'job_name'],
    help: 'When the last run that is over was started',
  },
  kubercron_job_last_success_timestamp_seconds: {
    type: 'gauge',
    source: 'scrape',
    labels: ['crontab', 'job_name'],
    help: 'When a run last ended in success',
  },
  kubercron_job_last_failure_timestamp_seconds: {
    type: 'gauge',
    source: 'scrape',
    labels: ['crontab', 'job_name'],
    help: 'When a run last ended without success',
  },
  kubercron_job_last_exit_code: {
    type: 'gauge',
    source: 'scrape',
    labels: ['crontab', 'job_name'],
    help: 'Exit code of the last run that is over, unless a signal ended it',
  },
  kubercron_job_next_run_timestamp_seconds: {
    type: 'gauge',
    source: 'scrape',
    labels: ['crontab', 'job_name'],
    help: 'When the job is due next',
  },
} as const satisfies Record<`kubercron_${string}`, MetricSpec>;

type Table = typeof METRICS;
type NameWhere<Part> = { [Name in keyof Table]: Table[Name] extends Part ? Name : never }[keyof Table];

export type MetricName = keyof Table;
export type CounterName = NameWhere<{ type: 'counter' }>;
export type GaugeName = NameWhere<{ type: 'gauge' }>;
export type HistogramName = NameWhere<{ type: 'histogram' }>;
/** Metrics that the process itself measures. */
export type ProcessMetricName = NameWhere<{ source: 'process' }>;
/** Metrics that are made at the scrape. */
export type ScrapeMetricName = NameWhere<{ source: 'scrape' }>;

/** Exactly the labels of a metric. */
export type LabelsOf<Name extends MetricName> = Table[Name]['labels'] extends readonly []
  ? Readonly<Record<string, never>>
  : {
      readonly [Label in Table[Name]['labels'][number]]: Label extends ClosedLabel
        ? (typeof CLOSED_LABELS)[Label][number]
        : string;
    };

/** One value of a metric that is made at the scrape; finite. */
export type Sample = {
  [Name in ScrapeMetricName]: {
    readonly name: Name;
    readonly labels: LabelsOf<Name>;
    readonly value: number;
  };
}[ScrapeMetricName];

/** Where a process reports what it measures: times in seconds, instants in seconds since the epoch. */
export interface Metrics {
  /** @param by not negative; 1 where left out */
  add<Name extends CounterName & ProcessMetricName>(name: Name, labels: LabelsOf<Name>, by?: number): void;
  set<Name extends GaugeName & ProcessMetricName>(name: Name, labels: LabelsOf<Name>, value: number): void;
  observe<Name extends HistogramName & ProcessMetricName>(
    name: Name,
    labels: LabelsOf<Name>,
    value: number,
  ): void;
}
