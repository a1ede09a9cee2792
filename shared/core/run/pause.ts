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

/** What is left of a stretch without the pauses, in order. */
export function withoutPauses(stretch: Stretch, pauses: readonly PauseInterval[]): readonly Stretch[] {
  let left: Stretch[] = [stretch];
  for (const pause of pauses) {
    const end = pauseEnd(pause);
    left = left.flatMap(([from, to]): Stretch[] => {
      if (end <= from || pause.from > to) return [[from, to]];
      const before: Stretch[] = pause.from > from ? [[from, pause.from - 1]] : [];
      const after: Stretch[] = end <= to ? [[end, to]] : [];
      return [...before, ...after];
    });
  }
  return left;
}
