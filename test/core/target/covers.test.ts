import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { coverOf, extraDeliveries } from '../../../shared/core/target/eventbridge.ts';
import { golden } from '../../support/crontab-fixtures.ts';
import { timetable } from '../../support/timetables.ts';

const TIMES = ['0 *', '*/5 *', '30 2', '0 2,3', '5-59/15 9-17/2'];
const DAYS_OF_MONTH = ['*', '*/1', '*/2', '1-31', '1', '1,15', '1-7', '8-14', '29-31', '*/2,13'];
const MONTHS = ['*', 'jan', '*/3', '2', '4,6'];
const DAYS_OF_WEEK = ['*', '*/1', '*/2', '0-7', '7', 'mon', 'mon-fri', 'sat,sun', '1,3,5', '*/7'];

/** All spellings of the days, each at one time of each kind; and all times and months with the usual days. */
const CORPUS = [
  ...DAYS_OF_MONTH.flatMap((dayOfMonth) =>
    DAYS_OF_WEEK.flatMap((dayOfWeek) =>
      TIMES.slice(1, 3).map((time) => `${time} ${dayOfMonth} * ${dayOfWeek}`),
    ),
  ),
  ...MONTHS.flatMap((month) =>
    ['* {} *', '1 {} *', '* {} mon-fri', '1,15 {} 5', '31 {} *', '*/2 {} 0'].flatMap((days) =>
      TIMES.map((time) => `${time} ${days.replace('{}', month)}`),
    ),
  ),
];
const YEARS = [Date.parse('2025-01-01') - 1, Date.parse('2029-01-01') - 1] as const;

test('the schedules of a corpus, and what each delivers that is not due', () => {
  const counts = new Map<string, number>();
  const lines = [...new Set(CORPUS)].map((fields) => {
    const entry = timetable(fields, 'UTC');
    const cover = coverOf(entry);
    const parts = cover.isCarried ? cover.parts.map(({ expression }) => expression) : [];
    const extra = Math.round(extraDeliveries(entry, ...YEARS) / 4);
    const kind = `${parts.length} ${parts.length === 1 ? 'schedule' : 'schedules'}, ${extra === 0 ? 'exact' : 'dropping some'}`;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    return `${fields}  →  ${parts.join('  ') || 'never'}${extra === 0 ? '' : `  drops ${extra} a year`}`;
  });
  const summary = [...counts].sort().map(([kind, count]) => `${String(count).padStart(4)} with ${kind}`);
  const text = `${[...summary, '', ...lines].join('\n')}\n`;
  const path = fileURLToPath(new URL('../../fixtures/target/eventbridge.txt', import.meta.url));
  expect(text).toBe(golden(path, text));
});
