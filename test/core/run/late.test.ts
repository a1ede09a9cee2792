import { expect, test } from '@jest/globals';
import { lateAfter } from '../../../shared/core/run/late.ts';
import { jobOf } from '../../support/plan-of.ts';

const MINUTE = 60_000;

test.each<[what: string, options: string, gapMinutes: number | undefined, minutes: number]>([
  ['half the time to the next one', '', 4, 2],
  ['five minutes at most', '', 60, 5],
  ['five minutes when nothing follows', '', undefined, 5],
  ['what the job says', 'late-after=20m', 4, 20],
])('a run that has not started is late after %s', (_what, options, gapMinutes, minutes) => {
  const job = jobOf(`# kuber-cron: name=a ${options}\n* * * * * run-a\n`);
  const next = gapMinutes === undefined ? undefined : gapMinutes * MINUTE;
  expect(lateAfter(job, 0, next)).toBe(minutes * MINUTE);
});
