import { describe, expect, test } from '@jest/globals';
import type { PauseInterval } from '../../../shared/core/run/pause.ts';
import { type SettlePolicy, settle } from '../../../shared/core/run/settle.ts';
import { timetable } from '../../support/timetables.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function at(time: string): number {
  return Date.parse(`2026-05-05T${time}Z`);
}

function pause(from: string, to: string): PauseInterval {
  return { jobId: 'shop/a', from: at(from), until: at(to), by: 'jane@desk' };
}

/** What becomes of every tenth minute, in short: `owed 12:00`, `too-late 11:00..11:30`, and last the start. */
function answers(after: string, now: string, policy: SettlePolicy): string[] {
  const text = (instant: number) => new Date(instant).toISOString().slice(11, 16);
  const { start, owed, missed, until } = settle(timetable('*/10 * * * *', 'UTC'), at(after), at(now), policy);
  expect(until).toBe(at(now));
  return [
    ...missed.map(({ instant, spanFrom, reason }) =>
      spanFrom === undefined ? `${reason} ${text(instant)}` : `${reason} ${text(spanFrom)}..${text(instant)}`,
    ),
    ...owed.map((instant) => `owed ${text(instant)}`),
    ...(start === undefined ? [] : [`${start.trigger} ${text(start.instant)}`]),
  ];
}

type Row = [what: string, after: string, now: string, policy: SettlePolicy, answers: string[]];
const ALL: SettlePolicy = { catchUp: 'all', startingDeadlineMs: HOUR };

describe('under `catch-up=all`', () => {
  test.each<Row>([
    ['what may still start is owed', '11:55', '12:25', ALL, ['owed 12:00', 'owed 12:10', 'owed 12:20']],
    ['what is on time starts', '11:55', '12:20', ALL, ['owed 12:00', 'owed 12:10', 'schedule 12:20']],
    [
      'what is too late is missed',
      '10:55',
      '12:11',
      { ...ALL, startingDeadlineMs: HOUR / 2 },
      ['too-late 11:00..11:40', 'owed 11:50', 'owed 12:00', 'owed 12:10'],
    ],
  ])('%s: after %s, at %s', (_what, after, now, policy, expected) => {
    expect(answers(after, now, policy)).toEqual(expected);
  });

  const POLICY: SettlePolicy = { catchUp: 'all', startingDeadlineMs: 3 * DAY };
  test.each<[due: number, pieces: number[]]>([
    [1000, [1000]],
    // The last of them is on time, and so starts with its piece.
    [1001, [1001]],
    [1002, [1000, 2]],
    [2500, [1000, 1000, 500]],
  ])('%d due runs come in pieces of %j, and none is left out', (due, pieces) => {
    const minutely = timetable('* * * * *', 'UTC');
    const [begin, now] = [at('00:00'), at('00:00') + due * 60_000];
    const owed: number[][] = [];
    for (let after = begin; after < now; ) {
      const { owed: piece, start, until } = settle(minutely, after, now, POLICY);
      owed.push(start === undefined ? [...piece] : [...piece, start.instant]);
      after = until;
    }
    expect(owed.map(({ length }) => length)).toEqual(pieces);
    expect(owed.flat()).toEqual(Array.from({ length: due }, (_, index) => begin + (index + 1) * 60_000));
  });
});

describe('what was due in a pause', () => {
  const half = pause('12:05', '12:25');
  test.each<Row>([
    ['is not made up for', '12:05', '12:26', { catchUp: 'once', pauses: [half] }, []],
    [
      'is not owed, and what was due around it is',
      '11:55',
      '12:35',
      { ...ALL, pauses: [half] },
      ['owed 12:00', 'owed 12:30'],
    ],
    [
      'is not told as missed',
      '09:55',
      '12:00',
      { catchUp: 'none', startingDeadlineMs: 0, pauses: [pause('10:05', '11:35')] },
      ['too-late 10:00', 'too-late 11:40..11:50', 'schedule 12:00'],
    ],
    [
      'leaves the one before it to be made up for',
      '11:55',
      '12:26',
      { catchUp: 'once', startingDeadlineMs: HOUR, pauses: [half] },
      ['catch-up 12:00'],
    ],
    [
      'is due again at its end',
      '12:15',
      '12:20',
      { catchUp: 'once', pauses: [pause('12:05', '12:20')] },
      ['schedule 12:20'],
    ],
  ])('%s: after %s, at %s', (_what, after, now, policy, expected) => {
    expect(answers(after, now, policy)).toEqual(expected);
  });
});
