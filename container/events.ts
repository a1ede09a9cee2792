import type { Notification } from '../shared/core/notify/notification.ts';
import type { PlanDiff } from '../shared/core/plan/diff.ts';
import type { PlannedJob } from '../shared/core/plan/plan.ts';
import type { Attempt, Run } from '../shared/core/run/run.ts';
import type { ActivePlan, Finish } from '../shared/core/run/run-store.ts';
import type { Missed } from '../shared/core/run/settle.ts';
import type { EpochMs } from '../shared/core/schedule/zone-table.ts';

/** A finding about a crontab, for its readers. */
export interface ReportedFinding {
  /** One line with its place, and without the text of the crontab: a command may hold a secret. */
  readonly line: string;
  /** With the text of the crontab, for the person at the terminal. */
  readonly frame: string;
}

/** Everything that a daemon tells: logs, the terminal and metrics are renderings of these. */
export type DaemonEvent =
  | {
      readonly kind: 'crontab-loaded';
      readonly crontab: string;
      readonly file: string;
      readonly active: ActivePlan;
      readonly diff: PlanDiff | undefined;
    }
  | {
      readonly kind: 'crontab-refused';
      readonly crontab: string;
      readonly file: string;
      readonly errors: number;
      readonly report: readonly ReportedFinding[];
    }
  | { readonly kind: 'crontab-removed'; readonly crontab: string }
  | {
      readonly kind: 'crontab-warnings';
      readonly crontab: string;
      readonly file: string;
      readonly report: readonly ReportedFinding[];
    }
  | { readonly kind: 'run-started'; readonly run: Run; readonly job: PlannedJob; readonly attempt: Attempt }
  | { readonly kind: 'run-ended'; readonly run: Run; readonly job: PlannedJob; readonly finish: Finish }
  /** Over without a start, or without another one. */
  | { readonly kind: 'run-skipped'; readonly run: Run }
  | { readonly kind: 'run-would-start'; readonly run: Run; readonly job: PlannedJob }
  | { readonly kind: 'run-late'; readonly run: Run; readonly job: PlannedJob; readonly lateMs: number }
  | { readonly kind: 'run-slow'; readonly run: Run; readonly job: PlannedJob }
  | { readonly kind: 'run-taken'; readonly run: Run }
  | { readonly kind: 'runs-missed'; readonly jobId: string; readonly missed: Missed }
  | { readonly kind: 'run-lost'; readonly run: Run; readonly end: Finish }
  | { readonly kind: 'notified'; readonly notification: Notification }
  | {
      readonly kind: 'notification-failed';
      readonly notification: Notification;
      /** Why, without path, query or credentials of the address: these are secrets. */
      readonly problem: string;
      /** Undefined when it is given up. */
      readonly nextTryAt: EpochMs | undefined;
    }
  | { readonly kind: 'tick'; readonly now: EpochMs; readonly handled: number; readonly durationMs: number }
  | {
      readonly kind: 'clock-set-back';
      readonly from: EpochMs;
      readonly to: EpochMs;
      readonly isReset: boolean;
    }
  | { readonly kind: 'listening'; readonly address: string }
  | { readonly kind: 'draining'; readonly signal: string; readonly running: number; readonly drainMs: number }
  | {
      readonly kind: 'started';
      readonly pid: number;
      readonly version: string;
      readonly store: string;
      readonly zone: string;
    }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'note'; readonly message: string }
  | { readonly kind: 'warning'; readonly message: string }
  | { readonly kind: 'error'; readonly message: string; readonly error?: unknown };

export type EmitEvent = (event: DaemonEvent) => void;
