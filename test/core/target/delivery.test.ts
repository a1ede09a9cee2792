import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { startBy } from '../../../shared/core/run/run.ts';
import { dueInstants, nextDue } from '../../../shared/core/schedule/due.ts';
import { MINUTE_MS } from '../../../shared/core/schedule/zone-table.ts';
import {
  deliveryInput,
  eventAgeSeconds,
  type ReadEvent,
  readExecutorEvent,
  scheduleName,
  shardOfJob,
} from '../../../shared/core/target/delivery.ts';
import { scheduleTexts } from '../../support/schedule-texts.ts';
import { timetable } from '../../support/timetables.ts';

const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

describe('a delivery is tried', () => {
  test.each<[fields: string, zone: string, deadlineMs: number | undefined, seconds: number]>([
    ['* * * * *', 'Europe/Berlin', undefined, 360],
    ['*/5 * * * *', 'Europe/Berlin', undefined, 360],
    ['*/7 * * * *', 'Europe/Berlin', undefined, 480],
    ['0,50 * * * *', 'Europe/Berlin', undefined, 3060],
    ['0 * * * *', 'Europe/Berlin', undefined, 3660],
    ['* 0-22 * * *', 'Europe/Berlin', undefined, 3660],
    ['30 4 * * *', 'Europe/Berlin', undefined, 3660],
    // A fixed time comes once in two hours when the clocks go back.
    ['*/5 0-23 * * *', 'Europe/Berlin', undefined, 360],
    ['0-55/5 0-23 * * *', 'Europe/Berlin', undefined, 3660],
    ['0-55/5 0-23 * * *', 'Asia/Tokyo', undefined, 360],
    ['*/20 * * * *', 'Australia/Lord_Howe', undefined, 3660],
    ['*/20 * 1 * 1', 'UTC', undefined, 3660],
    ['*/20 * 1-31 * 1', 'UTC', undefined, 1260],
    ['30 4 * * *', 'UTC', 2 * HOUR_MS, 7260],
    ['* * * * *', 'UTC', 2 * HOUR_MS, 7260],
    ['30 4 * * *', 'UTC', 1000, 61],
    ['30 4 * * *', 'UTC', 1500, 62],
    ['30 4 * * *', 'UTC', 3 * DAY_MS, 86_400],
  ])('of `%s` in %s with a deadline of %s ms for %d seconds', (fields, zone, deadlineMs, seconds) => {
    expect(eventAgeSeconds(timetable(fields, zone), deadlineMs)).toBe(seconds);
  });

  test('for a minute longer than any of its runs may start, clock changes included', () => {
    const zones = ['Europe/Berlin', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'UTC', 'America/St_Johns'];
    // Both changes of the year in each of the zones.
    const windows = ['2027-03-14', '2027-03-28', '2027-04-04', '2027-10-03', '2027-10-31', '2027-11-07'];
    const hourly = fc.constantFrom('*/7 * * * *', '3-59/9 0-23 * * *', '5,17 * * * *', '* */1 * * *');
    fc.assert(
      fc.property(
        fc.oneof(hourly, scheduleTexts),
        fc.constantFrom(...zones),
        fc.constantFrom(...windows),
        (fields, zone, day) => {
          const times = timetable(fields, zone);
          const age = eventAgeSeconds(times, undefined) * 1000;
          const from = Date.parse(`${day}T00:00Z`) - DAY_MS;
          let count = 0;
          for (const instant of dueInstants(times, from, from + 3 * DAY_MS)) {
            const last = startBy(instant, nextDue(times, instant), undefined);
            expect(last + MINUTE_MS).toBeLessThanOrEqual(instant + age);
            if (++count > 300) break;
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('a delivery tells', () => {
  test('whose it is, and what the service knows of it, and no more', () => {
    expect(JSON.parse(deliveryInput('shop', 'nightly-backup', 1))).toEqual({
      crontab: 'shop',
      job: 'nightly-backup',
      part: 1,
      scheduledTime: '<aws.scheduler.scheduled-time>',
      executionId: '<aws.scheduler.execution-id>',
      attemptNumber: '<aws.scheduler.attempt-number>',
      scheduleArn: '<aws.scheduler.schedule-arn>',
    });
  });
});

describe('a schedule', () => {
  test('has a name that the service takes, however long those of job and crontab are', () => {
    const longest = scheduleName('sixteen-letters1', 'a-name-of-thirty-letters-and-0', 1);
    expect(longest).toBe('sixteen-letters1--a-name-of-thirty-letters-and-0--1');
    expect(longest).toMatch(/^[0-9a-zA-Z-_.]{1,64}$/);
  });

  test.each([
    ['shop', 'backup'],
    ['shop', 'queue'],
    ['office', 'backup'],
  ])('of %s/%s lies in a stack that its id alone decides', (crontab, job) => {
    const hash = createHash('sha256').update(`${crontab}/${job}`).digest().readUInt32BE();
    for (const shards of [1, 8, 32]) expect(shardOfJob(crontab, job, shards)).toBe(hash % shards);
  });

  test('shares its stack with as many as others do', () => {
    const counts = Array.from({ length: 8 }, () => 0);
    for (let index = 0; index < 8000; index++) {
      const shard = shardOfJob('shop', `job-${index}`, 8);
      counts[shard] = (counts[shard] ?? 0) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});

describe('an event of an executor', () => {
  const NOW = Date.parse('2026-03-29T04:30:07Z');
  const DELIVERY = {
    ...{ crontab: 'shop', job: 'backup', part: 1, scheduledTime: '2026-03-29T04:30:02.5Z' },
    ...{ executionId: 'c2a7-11', attemptNumber: '1' },
    scheduleArn: 'arn:aws:scheduler:eu-central-1:123456789012:schedule/kuber-cron/shop--backup--1',
  };
  const START = { crontab: 'shop', job: 'backup', runId: '2026-03-29T04:30Z' };
  const takes = '; it takes crontab, job, part, scheduledTime, executionId, attemptNumber, scheduleArn';
  const TIME =
    '`scheduledTime` of the event takes a time such as 2026-03-29T01:30:17Z, of the last 14 days and not to come';

  test.each<[what: string, value: object, expected: Extract<ReadEvent, { ok: true }>['event']]>([
    [
      'a delivery',
      DELIVERY,
      {
        kind: 'delivery',
        crontab: 'shop',
        job: 'backup',
        scheduledTime: Date.parse('2026-03-29T04:30:02.5Z'),
      },
    ],
    ['a run that waits', START, { kind: 'start', ...START }],
    [
      'a run by hand that waits',
      { ...START, runId: '2026-03-29T04:30Z#m0123456789ab' },
      { kind: 'start', ...START, runId: '2026-03-29T04:30Z#m0123456789ab' },
    ],
  ])('is %s', (_what, value, event) => {
    expect(readExecutorEvent(value, NOW)).toEqual({ ok: true, event });
  });

  test.each<[value: unknown, problem: string]>([
    [undefined, 'the event takes an object, got nothing'],
    [null, 'the event takes an object, got null'],
    ['run it', 'the event takes an object, got another text'],
    [[DELIVERY], 'the event takes an object, got a list'],
    [{}, '`crontab` of the event takes the name of a crontab, got nothing'],
    [{ ...DELIVERY, command: 'rm -rf /' }, `the event has 1 unknown members${takes}`],
    [{ ...START, part: 0 }, 'the event has 1 unknown members; it takes crontab, job, runId'],
    [
      { ...DELIVERY, crontab: '../shop' },
      '`crontab` of the event takes the name of a crontab, got another text',
    ],
    [{ ...DELIVERY, job: ['backup'] }, '`job` of the event takes the name of a job, got a list'],
    [{ ...DELIVERY, job: 'a'.repeat(31) }, '`job` of the event takes the name of a job, got another text'],
    [{ ...DELIVERY, part: 2 }, '`part` of the event takes 0 or 1, got a number'],
    [{ ...DELIVERY, part: '0' }, '`part` of the event takes 0 or 1, got another text'],
    [{ ...DELIVERY, scheduledTime: NOW }, `${TIME}, got a number`],
    [{ ...DELIVERY, scheduledTime: '2026-03-29T04:30Z' }, `${TIME}, got another text`],
    [{ ...DELIVERY, scheduledTime: '2026-03-29T04:61:00Z' }, `${TIME}, got another text`],
    [{ ...DELIVERY, scheduledTime: '2026-03-29T04:31:08Z' }, `${TIME}, got another text`],
    [{ ...DELIVERY, scheduledTime: '2026-03-15T04:30:00Z' }, `${TIME}, got another text`],
    [
      { ...DELIVERY, attemptNumber: 1 },
      '`attemptNumber` of the event takes a whole number as text, got a number',
    ],
    [
      { ...DELIVERY, scheduleArn: 'none' },
      '`scheduleArn` of the event takes the ARN of a schedule, got another text',
    ],
    [
      { ...DELIVERY, executionId: '' },
      '`executionId` of the event takes a text of 1 to 256 characters, got another text',
    ],
    [
      { ...START, runId: '2026-03-29T04:30Z..' },
      '`runId` of the event takes the id of a run, got another text',
    ],
  ])('%j is none', (value, problem) => {
    expect(readExecutorEvent(value, NOW)).toEqual({ ok: false, problem });
  });

  test('is read as the service sends what the schedule says', () => {
    const filled = deliveryInput('shop', 'backup', 0)
      .replace('<aws.scheduler.scheduled-time>', '2026-03-29T04:30:17Z')
      .replace('<aws.scheduler.execution-id>', 'd32c5kddcf5bb8c3')
      .replace('<aws.scheduler.attempt-number>', '1')
      .replace('<aws.scheduler.schedule-arn>', DELIVERY.scheduleArn);
    expect(readExecutorEvent(JSON.parse(filled), NOW).ok).toBe(true);
  });

  test('is never an error to read', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        expect(readExecutorEvent(value, NOW).ok).toBe(false);
      }),
    );
  });
});
