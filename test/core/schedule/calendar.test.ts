import { expect, test } from '@jest/globals';
import { daysInMonth, firstDayOfMonth, packedDate, weekday } from '../../../shared/core/schedule/calendar.ts';

const DAY_MS = 86_400_000;

test.each<[from: string, until: string]>([
  ['1899-12-01', '1904-03-02'],
  ['1967-01-01', '1973-01-01'],
  ['1999-12-30', '2046-01-02'],
  ['2099-12-01', '2104-03-02'],
  ['2399-12-01', '2404-03-02'],
])('every day from %s to %s is the one that Date knows', (from, until) => {
  const wrong: string[] = [];
  for (let day = Date.parse(from) / DAY_MS; day < Date.parse(until) / DAY_MS; day++) {
    const date = new Date(day * DAY_MS);
    const [year, month] = [date.getUTCFullYear(), date.getUTCMonth() + 1];
    const isRight =
      packedDate(day) === year * 512 + month * 32 + date.getUTCDate() &&
      weekday(day) === date.getUTCDay() &&
      firstDayOfMonth(year, month) === Date.UTC(year, month - 1) / DAY_MS &&
      daysInMonth(year, month) === new Date(Date.UTC(year, month, 0)).getUTCDate();
    if (!isRight) wrong.push(date.toISOString());
  }
  expect(wrong).toEqual([]);
});

test.each<[year: number, days: number]>([
  [1900, 28],
  [2000, 29],
  [2023, 28],
  [2024, 29],
  [2100, 28],
  [2400, 29],
])('February %d has %d days', (year, days) => {
  expect([daysInMonth(year, 2), firstDayOfMonth(year, 3) - firstDayOfMonth(year, 2)]).toEqual([days, days]);
});
