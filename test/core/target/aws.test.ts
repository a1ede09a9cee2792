import { describe, expect, test } from '@jest/globals';
import { checkCrontab } from '../../../shared/core/crontab/check.ts';
import { type AwsQuestion, awsObstacles } from '../../../shared/core/target/aws.ts';
import { CHECK_OPTIONS } from '../../support/crontab-fixtures.ts';
import { timetable } from '../../support/timetables.ts';

const { schedule } = timetable('30 4 * * *', 'UTC');
const FINE: AwsQuestion = { schedule, zone: 'Europe/Berlin', options: { timeout: 14 * 60_000 } };

const CARRIED: readonly string[] = [];

test.each<[what: string, change: Partial<AwsQuestion>, codes: readonly string[]]>([
  ['a timeout of 14 minutes', {}, CARRIED],
  ['10,240 MB', { options: { ...FINE.options, memory: 10_240 * 2 ** 20 } }, CARRIED],
  ['a byte more', { options: { ...FINE.options, memory: 10_240 * 2 ** 20 + 1 } }, ['memory-exceeds-target']],
  ['a millisecond more than 14 minutes', { options: { timeout: 840_001 } }, ['timeout-exceeds-target']],
  ['no timeout', { options: {} }, ['missing-timeout']],
  ['no zone', { zone: undefined }, ['missing-time-zone']],
  ['`@reboot`', { schedule: undefined, zone: undefined, options: {} }, ['unsupported-reboot']],
  [
    'no zone, no timeout and too much memory',
    { zone: undefined, options: { memory: 2 ** 40 } },
    ['missing-time-zone', 'missing-timeout', 'memory-exceeds-target'],
  ],
  ['`@reboot` for the daemon', { schedule: undefined, options: { targets: ['daemon'] } }, CARRIED],
  ['no timeout for others', { options: { targets: ['daemon', 'kubernetes'] } }, CARRIED],
  ['no timeout for all', { options: { targets: ['daemon', 'aws'] } }, ['missing-timeout']],
])('of %s AWS cannot carry what it says', (_what, change, codes) => {
  expect(awsObstacles({ ...FINE, ...change }).map(({ code }) => code)).toEqual(codes);
});

describe('a crontab checked for AWS', () => {
  const codes = (crontab: string, zone: string | undefined) =>
    checkCrontab(crontab, { ...CHECK_OPTIONS, zone, target: 'aws' }).diagnostics.list.map(
      ({ code, message }) => `${code}: ${message.split(':')[0]}`,
    );
  const named = (...entries: readonly string[]) =>
    entries.map((entry, index) => `# kuber-cron: name=job-${index}\n${entry}\n`).join('');

  test.each<[crontab: string, zone: string | undefined, codes: string[]]>([
    [
      named('0 4 * * * true', '0 5 * * * true'),
      undefined,
      ['missing-time-zone: 2 of 2 jobs have no time zone', 'missing-timeout: 2 of 2 jobs have no `timeout`'],
    ],
    [named('0 4 * * * true'), 'UTC', ['missing-timeout: 1 of 1 job has no `timeout`']],
    [`CRON_TZ=UTC\n# kuber-cron: defaults timeout=14m\n${named('0 4 * * * true')}`, undefined, []],
    [`# kuber-cron: defaults allow=missing-timeout\n${named('0 4 * * * true')}`, 'UTC', []],
    [`# kuber-cron: allow=missing-timeout\n${named('0 4 * * * true')}`, 'UTC', []],
    [`# kuber-cron: defaults targets=daemon\n${named('@reboot true', '0 4 * * * true')}`, undefined, []],
    ['', undefined, []],
  ])('%j in zone %s has %j', (crontab, zone, expected) => {
    expect(codes(crontab, zone)).toEqual(expected);
  });

  test('has nothing of this to fear when it is not', () => {
    const crontab = named('@reboot true', '0 4 * * * true').replace('name=job-1', 'name=job-1 memory=1Ti');
    expect(checkCrontab(crontab, { now: CHECK_OPTIONS.now }).diagnostics.list).toEqual([]);
  });
});
