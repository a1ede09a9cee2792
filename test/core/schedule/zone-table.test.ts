import { describe, expect, test } from '@jest/globals';
import { offsetAt, segmentAt, type ZoneTable, zonedText } from '../../../shared/core/schedule/zone-table.ts';

const table: ZoneTable = {
  zone: 'Test/Zone',
  from: 0,
  until: 10_000,
  offset: -30,
  changes: [
    [100, 0],
    [200, 345],
    [300, -90],
  ],
};

describe('a zone table', () => {
  test.each([
    [-5, 0, -30],
    [99, 0, -30],
    [100, 1, 0],
    [199, 1, 0],
    [200, 2, 345],
    [299, 2, 345],
    [300, 3, -90],
    [9_999, 3, -90],
  ])('has minute %d in segment %d, with the offset %d', (minute, segment, offset) => {
    expect([segmentAt(table, minute), offsetAt(table, minute)]).toEqual([segment, offset]);
  });

  test.each([
    [99, '1970-01-01T01:09-00:30'],
    [100, '1970-01-01T01:40Z'],
    [200, '1970-01-01T09:05+05:45'],
    [300, '1970-01-01T03:30-01:30'],
  ])('writes minute %d as %s, to the minute', (minute, text) => {
    expect([zonedText(table, minute * 60_000), zonedText(table, minute * 60_000 + 59_999)]).toEqual([
      text,
      text,
    ]);
  });
});
