import { Duration } from 'aws-cdk-lib';
import {
  Alarm,
  type AlarmProps,
  ComparisonOperator,
  Dashboard,
  GraphWidget,
  type IMetric,
  MathExpression,
  Metric,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { cloudWatchMetric } from '../shared/core/metrics/cloudwatch.ts';
import type { LabelsOf, MetricName } from '../shared/core/metrics/metrics.ts';
import { FINAL_STATUSES } from '../shared/core/run/run.ts';
import type { Names } from '../shared/core/target/names.ts';

/** What alarms look at: their span. */
const PERIOD = Duration.minutes(5);

/** Passes of the watchdog that may fail to come before somebody is told. */
const SILENT_MINUTES = 5;

/** The ends of a run that somebody must look at; `missed` has an alarm of its own. */
const FAILURES = ['failed', 'timed-out', 'lost'] as const;

export interface WatchProps {
  readonly names: Names;
  /** Of the deployment's own metrics. */
  readonly namespace: string;
  readonly crontabs: readonly string[];
  readonly executors: readonly IFunction[];
  readonly watchdog: IFunction;
  readonly deadLetters: IQueue;
  readonly tableName: string;
  readonly topic: ITopic;
}

/** Alarms and a dashboard over the metrics of the core's table and those of the services. */
export class Watch extends Construct {
  readonly #props: WatchProps;

  constructor(scope: Construct, id: string, props: WatchProps) {
    super(scope, id);
    this.#props = props;
    this.#alarms();
    this.#dashboard();
  }

  #alarms(): void {
    const { crontabs, deadLetters } = this.#props;
    for (const crontab of crontabs) {
      this.#alarm(`${crontab}-failed`, `Runs of ${crontab} failed, timed out or were lost`, {
        metric: sum(FAILURES.map((status) => this.#runs(crontab, status))),
      });
      this.#alarm(`${crontab}-missed`, `Runs of ${crontab} were missed`, {
        metric: this.#runs(crontab, 'missed'),
      });
      this.#alarm(`${crontab}-late`, `Runs of ${crontab} had not started in time`, {
        metric: this.#own('kubercron_job_late_runs_total', { crontab }),
      });
      this.#alarm(`${crontab}-not-foreseen`, `EventBridge reads the clocks of ${crontab}'s zones otherwise`, {
        metric: this.#own('kubercron_deliveries_dropped_total', { crontab, reason: 'not-foreseen' }),
      });
    }
    this.#alarm(
      'dead-letters',
      'EventBridge or Lambda gave up deliveries: they are in the dead-letter queue',
      {
        metric: deadLetters.metricApproximateNumberOfMessagesVisible({
          period: PERIOD,
          statistic: 'Maximum',
        }),
      },
    );
    this.#alarm('errors', 'Executors or the watchdog could not do their work', {
      metric: sum(this.#functions.map((one) => one.metricErrors({ period: PERIOD }))),
    });
    this.#alarm('throttles', 'Executors or the watchdog were throttled', {
      metric: sum(this.#functions.map((one) => one.metricThrottles({ period: PERIOD }))),
    });
    this.#alarm('store-throttles', 'The run store was throttled', {
      metric: sum([this.#table('ReadThrottleEvents'), this.#table('WriteThrottleEvents')]),
    });
    this.#alarm('dropped', 'EventBridge Scheduler dropped invocations', {
      metric: this.#scheduler('InvocationDroppedCount'),
    });
    this.#alarm('target-errors', 'EventBridge Scheduler could not invoke executors', {
      metric: this.#scheduler('TargetErrorCount'),
    });
    // Nobody else is left to say so when nothing works any more.
    this.#alarm('heartbeat', 'The watchdog has not finished a pass for minutes', {
      metric: this.#own(
        'kubercron_scheduler_last_tick_timestamp_seconds',
        {},
        'SampleCount',
        Duration.minutes(1),
      ),
      comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
      evaluationPeriods: SILENT_MINUTES,
      treatMissingData: TreatMissingData.BREACHING,
    });
  }

  #dashboard(): void {
    const { names, crontabs, executors, deadLetters } = this.#props;
    const graph = (title: string, left: IMetric[]) =>
      new GraphWidget({ title, left, width: 8, period: PERIOD });
    const perCrontab = crontabs.map((crontab) => [
      graph(
        `${crontab}: runs by end`,
        FINAL_STATUSES.map((status) => this.#runs(crontab, status, status)),
      ),
      graph(`${crontab}: late, retried, slow`, [
        this.#own('kubercron_job_late_runs_total', { crontab }),
        this.#own('kubercron_job_retries_total', { crontab }),
        this.#own('kubercron_job_slow_runs_total', { crontab }),
      ]),
      graph(`${crontab}: lateness and duration, seconds`, [
        this.#own('kubercron_job_lateness_seconds', { crontab }, 'p99'),
        this.#own('kubercron_job_duration_seconds', { crontab }, 'p50'),
        this.#own('kubercron_job_duration_seconds', { crontab }, 'p99'),
      ]),
    ]);
    const services = [
      graph('Executors: starts, errors, throttles', [
        ...executors.flatMap((one) => [one.metricInvocations(), one.metricErrors(), one.metricThrottles()]),
      ]),
      graph('EventBridge Scheduler', [
        this.#scheduler('InvocationAttemptCount'),
        this.#scheduler('InvocationDroppedCount'),
        this.#scheduler('TargetErrorCount'),
        deadLetters.metricApproximateNumberOfMessagesVisible({ label: 'dead letters' }),
      ]),
      graph('Watchdog: passes and their seconds', [
        this.#own('kubercron_scheduler_last_tick_timestamp_seconds', {}, 'SampleCount'),
        this.#own('kubercron_scheduler_last_tick_duration_seconds', {}, 'Maximum'),
      ]),
    ];
    new Dashboard(this, 'Dashboard', {
      dashboardName: names.alarm('runs'),
      widgets: [...perCrontab, services],
    });
  }

  #alarm(
    what: string,
    alarmDescription: string,
    props: Partial<AlarmProps> & Pick<AlarmProps, 'metric'>,
  ): void {
    const { names, topic } = this.#props;
    const alarm = new Alarm(this, what, {
      alarmName: names.alarm(what),
      alarmDescription,
      threshold: 1,
      evaluationPeriods: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
      ...props,
    });
    alarm.addAlarmAction(new SnsAction(topic));
    alarm.addOkAction(new SnsAction(topic));
  }

  get #functions(): IFunction[] {
    return [...this.#props.executors, this.#props.watchdog];
  }

  #runs(crontab: string, status: (typeof FINAL_STATUSES)[number], label?: string): Metric {
    const metric = this.#own('kubercron_job_runs_total', { crontab, status });
    return label === undefined ? metric : metric.with({ label });
  }

  #own<Name extends MetricName>(
    name: Name,
    labels: Omit<LabelsOf<Name>, 'job_name'>,
    statistic = 'Sum',
    period = PERIOD,
  ): Metric {
    const { metricName, dimensions } = cloudWatchMetric(name, labels);
    const { namespace } = this.#props;
    return new Metric({ namespace, metricName, dimensionsMap: { ...dimensions }, statistic, period });
  }

  /** Of the group: the service has no metrics of a schedule. */
  #scheduler(metricName: string): Metric {
    const dimensionsMap = { ScheduleGroup: this.#props.names.group };
    return new Metric({
      ...{ namespace: 'AWS/Scheduler', metricName, dimensionsMap, statistic: 'Sum', period: PERIOD },
    });
  }

  #table(metricName: string): Metric {
    const dimensionsMap = { TableName: this.#props.tableName };
    return new Metric({
      ...{ namespace: 'AWS/DynamoDB', metricName, dimensionsMap, statistic: 'Sum', period: PERIOD },
    });
  }
}

/** What is missing counts as nothing. An alarm takes ten metrics. */
function sum(metrics: readonly Metric[]): IMetric {
  const usingMetrics = Object.fromEntries(metrics.map((metric, index) => [`m${index}`, metric]));
  const expression = metrics.map((_metric, index) => `FILL(m${index}, 0)`).join(' + ');
  return new MathExpression({ expression, usingMetrics, period: PERIOD });
}
