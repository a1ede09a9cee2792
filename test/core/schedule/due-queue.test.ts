import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DueQueue } from '../../../shared/core/schedule/due-queue.ts';

test('values come out in the order of their instants, and none before its own', () => {
  const queue = new DueQueue<string>();
  for (const [instant, value] of [
    [30, 'c'],
    [10, 'a'],
    [40, 'd'],
    [20, 'b'],
  ] as const) {
    queue.push(instant, value);
  }
  expect([queue.next, queue.size, queue.popDue(9)]).toEqual([10, 4, undefined]);
  expect([queue.popDue(20), queue.popDue(20), queue.popDue(20)]).toEqual(['a', 'b', undefined]);
  queue.remove((value) => value === 'c');
  expect([queue.next, queue.size]).toEqual([40, 1]);
  expect([queue.popDue(40), queue.next, queue.size, queue.popDue(99)]).toEqual([
    'd',
    undefined,
    0,
    undefined,
  ]);
});

test('it gives what a sorted list gives, whatever is put in, taken out and removed in between', () => {
  const act = fc.oneof(
    { weight: 6, arbitrary: fc.record({ push: fc.integer({ min: 0, max: 20 }) }) },
    { weight: 4, arbitrary: fc.record({ popUntil: fc.integer({ min: 0, max: 20 }) }) },
    { weight: 1, arbitrary: fc.record({ remove: fc.integer({ min: 0, max: 20 }) }) },
  );
  fc.assert(
    fc.property(fc.array(act, { maxLength: 100 }), (acts) => {
      const queue = new DueQueue<number>();
      let list: number[] = [];
      for (const one of acts) {
        if ('push' in one) {
          queue.push(one.push, one.push);
          list = [...list, one.push].sort((a, b) => a - b);
        } else if ('remove' in one) {
          queue.remove((value) => value % 7 === one.remove % 7);
          list = list.filter((value) => value % 7 !== one.remove % 7);
        } else {
          const isDue = list[0] !== undefined && list[0] <= one.popUntil;
          expect(queue.popDue(one.popUntil)).toBe(isDue ? list.shift() : undefined);
        }
        expect([queue.size, queue.next]).toEqual([list.length, list[0]]);
      }
    }),
    { numRuns: 200 },
  );
});
