import type { EmfMetrics } from '../../shared/adapters/emf-metrics.ts';
import { DEFAULT_CHANNEL, type NotificationChannels } from '../../shared/core/notify/notification.ts';
import { NotificationSender, type SenderEvent } from '../../shared/core/notify/sender.ts';
import {
  type DeployedPlan,
  type KeeperEvent,
  type KeeperPorts,
  LedgerKeeper,
  type PassResult,
} from '../../shared/core/run/ledger-keeper.ts';
import type { FinalStatus, Run } from '../../shared/core/run/run.ts';
import { crontabOf, jobIdOf, jobNameOf } from '../../shared/core/run/run-id.ts';
import type { Finish } from '../../shared/core/run/run-store.ts';
import { errorText, type Log } from '../log.ts';

/** What a pass and its notifications may take together: less than the time of the function. Milliseconds. */
const TIME_MS = 75_000;

export interface WatchdogPorts extends Omit<KeeperPorts, 'emit'> {
  readonly channels: NotificationChannels;
  readonly metrics: EmfMetrics;
  readonly log: Log;
  /** Plans that were deployed with this function. */
  readonly plans: () => readonly DeployedPlan[];
}

/** The watchdog could not do all of its work; the message says what is left. */
export class WatchdogFault extends Error {
  override readonly name = 'WatchdogFault';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    // The platform logs it, and the places in a bundle help nobody.
    this.stack = `${this.name}: ${message}`;
  }
}

/** Keeps the ledger, each minute: a pass of the core, told of in log and metrics; then notifications are sent. */
export class Watchdog {
  readonly #ports: WatchdogPorts;
  readonly #keeper: LedgerKeeper;
  readonly #sender: NotificationSender;

  constructor(ports: WatchdogPorts) {
    const { store, clock, channels, random } = ports;
    this.#ports = ports;
    const emit = (event: KeeperEvent | SenderEvent) => {
      const [level, fields, message] = lineOf(event);
      ports.log(level, event.kind, fields, message);
      this.#measure(event);
    };
    // One topic for all, which knows channels by an attribute.
    const channel = (job: { options: { notify?: string } } | undefined) =>
      job?.options.notify ?? DEFAULT_CHANNEL;
    this.#keeper = new LedgerKeeper({ ...ports, emit }, { target: 'aws', channel });
    this.#sender = new NotificationSender({ queue: store, channels, clock, emit, random });
  }

  /** @throws WatchdogFault when the pass could not do all of its work for another reason than time */
  async handle(event: unknown): Promise<void> {
    const { clock, metrics, log } = this.#ports;
    const problem = problemOf(event);
    if (problem !== undefined) {
      log('error', 'malformed', {}, `no pass was made: ${problem}`);
      return;
    }
    const begin = clock.monotonic();
    try {
      const result = await this.#keeper.pass(this.#ports.plans());
      await this.#notify(TIME_MS - (clock.monotonic() - begin));
      this.#conclude(result);
      if ('error' in result) throw new WatchdogFault(result.left.join('; '), { cause: result.error });
    } catch (error) {
      throw error instanceof WatchdogFault ? error : new WatchdogFault(errorText(error), { cause: error });
    } finally {
      metrics.flush();
    }
  }

  async #notify(timeMs: number): Promise<void> {
    const [cut, done] = [new AbortController(), new AbortController()];
    void this.#ports.clock.sleep(timeMs, done.signal).then(() => cut.abort());
    await this.#sender.pass(cut.signal);
    done.abort();
  }

  #conclude({ left, durationMs, crontabs, running }: PassResult): void {
    const { clock, metrics, log } = this.#ports;
    for (const { plan } of crontabs) {
      const [first] = plan.jobs;
      if (first !== undefined)
        metrics.set('kubercron_job_running', labelsOf(jobIdOf(plan.crontab, first.name)), 0);
    }
    for (const [jobId, count] of running) metrics.set('kubercron_job_running', labelsOf(jobId), count);
    if (left.length > 0) {
      log('warn', 'pass-incomplete', { left, duration_ms: durationMs }, 'the next pass does what is left');
      return;
    }
    metrics.set('kubercron_scheduler_last_tick_timestamp_seconds', {}, clock.now() / 1000);
    metrics.set('kubercron_scheduler_last_tick_duration_seconds', {}, durationMs / 1000);
    log('info', 'pass', { duration_ms: durationMs }, 'pass over the due times is complete');
  }

  /** Counts what the pass itself decides; who starts a run counts the rest. */
  #measure(event: KeeperEvent | SenderEvent): void {
    const { metrics } = this.#ports;
    switch (event.kind) {
      case 'runs-missed':
        metrics.runEnded(event.jobId, event.missed.reason === 'removed' ? 'skipped' : 'missed');
        return;
      case 'run-skipped':
        metrics.runEnded(event.run.jobId, event.run.status as FinalStatus);
        return;
      case 'run-lost':
        this.#measureLost(event.run, event.end);
        return;
      case 'run-late':
        metrics.add('kubercron_job_late_runs_total', labelsOf(event.jobId));
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

  #measureLost({ jobId }: Run, end: Finish | 'given-back'): void {
    if (end === 'given-back') return;
    const { metrics } = this.#ports;
    if (end.attempt !== undefined) metrics.add('kubercron_job_attempts_total', labelsOf(jobId));
    if (end.retry === undefined) metrics.runEnded(jobId, end.status);
  }
}

/** What is wrong with an event, in one sentence that holds none of its values; undefined when it is the schedule's. */
function problemOf(event: unknown): string | undefined {
  const takes =
    'the event takes an object with `scheduledTime` alone, such as {"scheduledTime": "2026-03-29T01:30:17Z"}';
  if (typeof event !== 'object' || event === null) return takes;
  const { scheduledTime, ...rest } = event as Readonly<Record<string, unknown>>;
  const isTime = typeof scheduledTime === 'string' && !Number.isNaN(Date.parse(scheduledTime));
  return isTime && Object.keys(rest).length === 0 ? undefined : takes;
}

function labelsOf(jobId: string): { readonly crontab: string; readonly job_name: string } {
  return { crontab: crontabOf(jobId), job_name: jobNameOf(jobId) };
}

function jobFields(jobId: string) {
  return { crontab: crontabOf(jobId), job: jobNameOf(jobId) };
}

function fieldsOf({ jobId, runId }: Pick<Run, 'jobId' | 'runId'>) {
  return { ...jobFields(jobId), run_id: runId };
}

function notificationFields({ notification }: Extract<SenderEvent, { notification: unknown }>) {
  const { id, channel, kind } = notification;
  return { ...fieldsOf(notification), id, channel, kind };
}

function iso(instant: number): string {
  return new Date(instant).toISOString();
}

type Line = readonly [level: Parameters<Log>[0], fields: Parameters<Log>[2], message: string];

/** An event for people and machines. */
function lineOf(event: KeeperEvent | SenderEvent): Line {
  switch (event.kind) {
    case 'plan-activated': {
      const { plan, hash } = event.active;
      const { added, removed, changed } = event.diff ?? { added: plan.jobs.map(({ name }) => name) };
      const fields = { added, removed, changed: changed?.map(({ name, parts }) => ({ name, parts })) };
      const what = `crontab ${plan.crontab} is in force with ${plan.jobs.length} jobs`;
      return ['info', { crontab: plan.crontab, plan_hash: hash, ...fields }, what];
    }
    case 'crontab-removed':
      return ['info', { crontab: event.crontab }, `crontab ${event.crontab} is gone`];
    case 'runs-missed': {
      const { jobId, missed } = event;
      const { instant, spanFrom = instant, reason } = missed;
      const fields = { ...jobFields(jobId), from: iso(spanFrom), to: iso(instant), reason };
      return ['warn', fields, 'due times are not started any more'];
    }
    case 'run-skipped': {
      const { status, reason } = event.run;
      return ['warn', { ...fieldsOf(event.run), status, reason }, `run ${status}`];
    }
    case 'run-lost': {
      const { run, end } = event;
      const isGivenBack = end === 'given-back';
      const retryAt = isGivenBack || end.retry === undefined ? undefined : iso(end.retry.notBefore);
      const fields = { ...fieldsOf(run), owner: run.owner?.host, retry_at: retryAt };
      const what = 'the executor of the run gave no sign of life: ';
      return ['error', fields, what + (isGivenBack ? 'it is given back' : 'it is lost')];
    }
    case 'run-handed-over':
      return ['info', fieldsOf(event), 'an executor is told to start the run'];
    case 'run-late':
      return ['warn', { ...fieldsOf(event), lateness_ms: event.lateMs }, 'run is late'];
    case 'notified':
      return ['info', notificationFields(event), 'notification sent'];
    case 'notification-failed': {
      const { problem, nextTryAt } = event;
      const isGivenUp = nextTryAt === undefined;
      const fields = {
        ...notificationFields(event),
        problem,
        next_try_at: isGivenUp ? undefined : iso(nextTryAt),
      };
      const what = `notification not sent; it is ${isGivenUp ? 'given up' : 'tried again'}`;
      return [isGivenUp ? 'error' : 'warn', fields, what];
    }
    case 'note':
      return ['info', {}, event.message];
    case 'warning':
      return ['warn', {}, event.message];
    case 'error':
      return ['error', { error: errorText(event.error) }, event.message];
  }
}
