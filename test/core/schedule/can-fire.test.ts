import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { nextDue } from '../../../shared/core/schedule/due.ts';
import { canFire } from '../../../shared/core/schedule/schedule.ts';
import { MINUTE_MS, type ZoneTable } from '../../../shared/core/schedule/zone-table.ts';
import { scheduleTexts } from '../../support/schedule-texts.ts';
import { timetable } from '../../support/timetables.ts';

describe('whether an entry can ever be due', () => {
  test.each<[fields: string, can: boolean]>([
    ['* * * * *', true],
    ['0 0 29 2 *', true],
    ['0 0 30 2 *', false],
    ['0 0 31 2,4,6,9,11 *', false],
    ['0 0 31 2,3 *', true],
    ['0 0 31 */2 *', true],
    ['0 0 30,31 feb *', false],
    // Without a star either day field suffices, and a weekday always comes.
    ['0 0 30 2 1', true],
    ['0 0 30 2 */2', false],
    // 29 February is a Sunday once in 28 years.
    ['0 0 29 2 */7', true],
  ])('`%s`: %s', (fields, can) => {
    expect(canFire(timetable(fields, 'UTC').schedule)).toBe(can);
  });

  test('is whether it is due within a century', () => {
    const century: ZoneTable = {
      zone: 'UTC',
      from: Date.parse('2000-01-01T00:00Z') / MINUTE_MS,
      until: Date.parse('2100-01-01T00:00Z') / MINUTE_MS,
      offset: 0,
      changes: [],
    };
    fc.assert(
      fc.property(scheduleTexts, (fields) => {
        const entry = timetable(fields, century);
        expect(canFire(entry.schedule)).toBe(nextDue(entry, Number.NEGATIVE_INFINITY) !== undefined);
      }),
      { numRuns: 300 },
    );
  });
});
