import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { canonicalJson } from '../../../shared/core/plan/canonical-json.ts';

test.each<[value: unknown, text: string]>([
  [{ b: 1, a: 2 }, '{"a":2,"b":1}'],
  [{ b: { d: 1, c: [] }, a: null }, '{"a":null,"b":{"c":[],"d":1}}'],
  [[{ b: 1, a: 2 }, 'x', [3, 2, 1]], '[{"a":2,"b":1},"x",[3,2,1]]'],
  [{ a: undefined, b: false }, '{"b":false}'],
  [{ ä: 1, z: 2, Z: 3, _: 4 }, '{"Z":3,"_":4,"z":2,"ä":1}'],
  ['a "b" \n', '"a \\"b\\" \\n"'],
  [JSON.parse('{"b":1,"__proto__":"x"}'), '{"__proto__":"x","b":1}'],
  [JSON.parse('{"b":1,"__proto__":{"d":1,"c":2}}'), '{"__proto__":{"c":2,"d":1},"b":1}'],
])('%j is %s', (value, text) => {
  expect(canonicalJson(value)).toBe(text);
});

/** The same value with the keys of its objects the other way round. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, inner]) => [key, reversed(inner)]),
  );
}

test('the order of keys does not matter, and nothing is lost', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalJson(value);
      expect(canonicalJson(reversed(value))).toBe(text);
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});
