import type { OptionSpec } from '../shared/adapters/command-line.ts';
import type { Timetable } from '../shared/core/schedule/due.ts';
import { type EpochMs, zonedText } from '../shared/core/schedule/zone-table.ts';
import { type AwsObstacle, type AwsQuestion, awsObstacles } from '../shared/core/target/aws.ts';
import { type CoverPart, coverOf, extraDeliveries, ledgerStarts } from '../shared/core/target/eventbridge.ts';

export const TARGET_OPTION = {
  type: 'string',
  value: 'aws',
  choices: ['aws'],
  help: 'also what becomes of it on this target',
} as const satisfies OptionSpec;

const YEAR_MS = 365 * 86_400_000;

/** What becomes of a job on AWS. Documented in docs/cli.md. */
export interface OnAws {
  /** `targets` names others only. */
  readonly leftOut: boolean;
  readonly schedules: readonly CoverPart[];
  /** Deliveries in the next year that start nothing, since no run is due. */
  readonly droppedDeliveries: number;
  /** Runs in the next year that EventBridge does not deliver, because the clocks change: ISO 8601 with offset. */
  readonly watchdogStarts: readonly string[];
  readonly obstacles: readonly AwsObstacle[];
}

/** @param timetable undefined for `@reboot` */
export function onAws(timetable: Timetable | undefined, question: AwsQuestion, now: EpochMs): OnAws {
  const leftOut = question.options.targets?.includes('aws') === false;
  const cover = coverOf(timetable);
  const about = { leftOut, obstacles: awsObstacles(question) };
  if (leftOut || timetable === undefined || !cover.isCarried)
    return { ...about, schedules: [], droppedDeliveries: 0, watchdogStarts: [] };
  const year = [now, now + YEAR_MS] as const;
  return {
    ...about,
    schedules: cover.parts,
    droppedDeliveries: extraDeliveries(timetable, ...year),
    watchdogStarts: ledgerStarts(timetable, ...year).map((instant) => zonedText(timetable.zone, instant)),
  };
}

const MOST_STARTS_SHOWN = 2;

/** The runs that the watchdog starts, on one line. */
export function watchdogText({ watchdogStarts }: OnAws): string {
  const shown = watchdogStarts.slice(0, MOST_STARTS_SHOWN).join(', ');
  const more = watchdogStarts.length - MOST_STARTS_SHOWN;
  return more > 0 ? `${shown} and ${more} more` : shown;
}
