import type { EpochMs } from '../schedule/zone-table.ts';

/** A stretch of time in which a job owes nothing: it answers for its due instants. */
export interface PauseInterval {
  readonly jobId: string;
  readonly from: EpochMs;
  /** Planned end; without it, it lasts until somebody resumes the job. */
  readonly until?: EpochMs;
  readonly by: string;
  /** In their words. */
  readonly why?: string;
  readonly resumed?: Resumption;
}

/** The end of a pause before its time. */
export interface Resumption {
  readonly at: EpochMs;
  readonly by: string;
  readonly why?: string;
}

/** The first instant that a pause does not cover. */
export function pauseEnd({ until, resumed }: PauseInterval): EpochMs {
  return Math.min(until ?? Number.POSITIVE_INFINITY, resumed?.at ?? Number.POSITIVE_INFINITY);
}

/** Whether an instant lies in the pause. */
export function isPausedAt(pause: PauseInterval, instant: EpochMs): boolean {
  return instant >= pause.from && instant < pauseEnd(pause);
}

/** A stretch of time: both ends included. */
export type Stretch = readonly [from: EpochMs, to: EpochMs];

/** What a pause answers for. */
export function pausedStretch(pause: PauseInterval): Stretch {
  return [pause.from, pauseEnd(pause) - 1];
}

/** What is left of a stretch without others, in order. */
export function without([from, to]: Stretch, others: readonly Stretch[]): readonly Stretch[] {
  const left: Stretch[] = [];
  let start = from;
  for (const [first, last] of [...others].sort(([a], [b]) => a - b)) {
    if (last < start || last < first || first > to) continue;
    if (first > start) left.push([start, first - 1]);
    start = last + 1;
  }
  return start > to ? left : [...left, [start, to]];
}
