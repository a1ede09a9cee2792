import { describe, expect, test } from '@jest/globals';
import {
  isPausedAt,
  type PauseInterval,
  pausedStretch,
  type Stretch,
  without,
} from '../../../shared/core/run/pause.ts';

const pause = (from: number, until?: number, resumedAt?: number): PauseInterval => ({
  ...{ jobId: 'shop/backup', from, by: 'ann@host-1' },
  ...(until === undefined ? {} : { until }),
  ...(resumedAt === undefined ? {} : { resumed: { at: resumedAt, by: 'bob@host-1' } }),
});

describe('a pause', () => {
  test.each<[string, PauseInterval, number[]]>([
    ['with a planned end', pause(2, 4), [2, 3]],
    ['without an end', pause(7), [7, 8, 9]],
    ['that was resumed before its end', pause(2, 6, 4), [2, 3]],
    ['that was resumed after its end', pause(2, 4, 6), [2, 3]],
    ['that was resumed at once', pause(2, undefined, 2), []],
  ])('%s covers %3$j', (_which, interval, covered) => {
    const instants = Array.from({ length: 10 }, (_, instant) => instant);
    expect(instants.filter((instant) => isPausedAt(interval, instant))).toStrictEqual(covered);
  });
});

describe('a stretch from 10 to 20 without', () => {
  test.each<[string, PauseInterval[], Stretch[]]>([
    ['pauses', [], [[10, 20]]],
    ['a pause before it', [pause(5, 10)], [[10, 20]]],
    ['a pause after it', [pause(21)], [[10, 20]]],
    ['a pause at its first instant', [pause(5, 11)], [[11, 20]]],
    ['a pause at its last instant', [pause(20)], [[10, 19]]],
    [
      'a pause within',
      [pause(13, 15)],
      [
        [10, 12],
        [15, 20],
      ],
    ],
    ['a pause of all of it', [pause(10, 21)], []],
    ['a pause without end', [pause(3)], []],
    [
      'a pause that was resumed',
      [pause(12, undefined, 14)],
      [
        [10, 11],
        [14, 20],
      ],
    ],
    [
      'two pauses',
      [pause(11, 12), pause(15, 18)],
      [
        [10, 10],
        [12, 14],
        [18, 20],
      ],
    ],
    [
      'two that overlap',
      [pause(11, 15), pause(13, 18)],
      [
        [10, 10],
        [18, 20],
      ],
    ],
    [
      'two in another order',
      [pause(15, 18), pause(11, 12)],
      [
        [10, 10],
        [12, 14],
        [18, 20],
      ],
    ],
    ['an empty pause', [pause(15, 15)], [[10, 20]]],
  ])('%s is %3$j', (_which, pauses, left) => {
    expect(without([10, 20], pauses.map(pausedStretch))).toStrictEqual(left);
  });
});
