import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { editDistance, nearest } from '../../shared/core/nearest.ts';

const KEYS = [
  'name',
  'timeout',
  'retries',
  'notify',
  'memory',
  'late-after',
  'slow-after',
  'description',
  'Europe/Berlin',
];

describe('the known word nearest to', () => {
  test.each<[string, string | undefined]>([
    ['timout', 'timeout'],
    ['tiemout', 'timeout'],
    ['TIMEOUT', 'timeout'],
    ['timeouts', 'timeout'],
    ['nmae', 'name'],
    ['nam', 'name'],
    ['desc', 'description'],
    ['retris', 'retries'],
    ['retry', undefined],
    ['mem', 'memory'],
    ['notfy', 'notify'],
    ['late', 'late-after'],
    ['europe/berlin', 'Europe/Berlin'],
    ['after', undefined],
    ['na', undefined],
    ['n', undefined],
    ['', undefined],
    ['nbme', 'name'],
    ['nbmf', undefined],
    ['color', undefined],
    ['x'.repeat(100), undefined],
  ])('%s is %s', (word, expected) => {
    expect(nearest(word, KEYS)).toBe(expected);
  });

  test('the beginning of two is none of them', () => {
    expect(nearest('concurrency', ['concurrency-policy', 'concurrency-limit'])).toBeUndefined();
  });
});

describe('the edits between two words', () => {
  test.each<[string, string, number]>([
    ['', '', 0],
    ['abc', 'abc', 0],
    ['abc', 'ab', 1],
    ['abc', 'abxc', 1],
    ['abc', 'axc', 1],
    ['abc', 'acb', 1],
    ['abcd', 'badc', 2],
    ['kitten', 'sitting', 3],
    ['', 'abc', 3],
    ['abc', 'xyz', 3],
  ])('%s and %s are %i', (a, b, distance) => {
    expect([editDistance(a, b, 9), editDistance(b, a, 9)]).toEqual([distance, distance]);
  });

  /** By the definition (optimal string alignment), without any short cut. */
  function plainDistance(a: string, b: string): number {
    if (a === '' || b === '') return a.length + b.length;
    const swap =
      a.length > 1 && b.length > 1 && a.at(-1) === b.at(-2) && a.at(-2) === b.at(-1)
        ? plainDistance(a.slice(0, -2), b.slice(0, -2)) + 1
        : 99;
    return Math.min(
      plainDistance(a.slice(0, -1), b) + 1,
      plainDistance(a, b.slice(0, -1)) + 1,
      plainDistance(a.slice(0, -1), b.slice(0, -1)) + (a.at(-1) === b.at(-1) ? 0 : 1),
      swap,
    );
  }

  test('are as the definition has them, up to the limit', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 6 });
    fc.assert(
      fc.property(word, word, fc.integer({ min: 1, max: 5 }), (a, b, limit) => {
        expect(editDistance(a, b, limit)).toBe(Math.min(plainDistance(a, b), limit));
      }),
    );
  });
});
