import type { AllowedCodes } from '../diagnostic.ts';
import type { Schedule } from '../schedule/schedule.ts';
import type { Span } from '../source.ts';
import type { Directive } from './directives.ts';
import type { EnvironmentScope } from './environment.ts';
import type { JobOptions } from './options.ts';

/** One active line of a crontab: when, and what. */
export interface Entry {
  /** The line, without leading blanks and without its end. */
  readonly span: Span;
  /** From 1. */
  readonly line: number;
  /** The time fields or the nickname, as written. */
  readonly scheduleSpan: Span;
  /** Undefined for `@reboot`, which is due at a start and at no time. */
  readonly schedule: Schedule | undefined;
  /** Zone of `CRON_TZ` above the entry; undefined where none is set. */
  readonly zone: string | undefined;
  /** The user column of a system crontab. */
  readonly user: string | undefined;
  readonly userSpan: Span | undefined;
  /** Command as written, with `%` and backslashes. */
  readonly commandText: string;
  readonly commandSpan: Span;
  /** Settings that hold for the entry. */
  readonly environment: EnvironmentScope;
  /** Own keys over `defaults`. */
  readonly options: JobOptions;
  /** The entry's own directives, for messages that point at one. */
  readonly directives: readonly Directive[];
  readonly allowed: AllowedCodes;
}

/** A `NAME=value` line. */
export interface EnvironmentSetting {
  readonly span: Span;
  readonly name: string;
  readonly value: string;
  readonly valueSpan: Span;
  readonly allowed: AllowedCodes;
}

/** What was read of a crontab: everything that could be, even where there are faults. */
export interface Crontab {
  readonly entries: readonly Entry[];
  readonly settings: readonly EnvironmentSetting[];
  /** Codes that a `defaults allow=` anywhere silences for findings about the whole file. */
  readonly allowedInFile: AllowedCodes;
}
