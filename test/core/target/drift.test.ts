import { describe, expect, test } from '@jest/globals';
import {
  type DeployedSchedule,
  type Drift,
  expectedSchedules,
  findDrift,
} from '../../../shared/core/target/drift.ts';
import { Names } from '../../../shared/core/target/names.ts';
import { deployed, type Edit, readerOf } from '../../support/deployed-schedules.ts';
import { planOf } from '../../support/plan-of.ts';

const CRONTAB = `CRON_TZ=Europe/Berlin
# kuber-cron: defaults timeout=4m
# kuber-cron: name=backup memory=2Gi
30 4 * * *   true
# kuber-cron: name=report allow=both-day-fields
0 9 1 * mon  true
# kuber-cron: name=resting suspend
0 5 * * *    true
# kuber-cron: name=elsewhere targets=daemon
@reboot      true
`;

const plan = planOf(CRONTAB);
const expected = expectedSchedules([plan], { names: new Names('jobs'), memory: 512 }, 8);

/** What is deployed when somebody has edited some schedules, deleted others, or made more. */
function deployment(
  edits: Readonly<Record<string, Edit | 'deleted'>> = {},
  more: readonly string[] = [],
): Map<string, DeployedSchedule> {
  const all = expected.flatMap(({ schedule }): [string, DeployedSchedule][] => {
    const edit = edits[schedule.name];
    return edit === 'deleted' ? [] : [[schedule.name, deployed(schedule, edit)]];
  });
  const like = deployed((expected[0] as (typeof expected)[number]).schedule);
  return new Map([...all, ...more.map((name): [string, DeployedSchedule] => [name, like])]);
}

const find = (found: ReadonlyMap<string, DeployedSchedule>) =>
  findDrift(expected, 'jobs', readerOf(found), () => {});

const target = (fields: Record<string, unknown>) => fields.Target as Record<string, unknown>;

test('each part of a job on AWS is expected, and the schedule of the watchdog', () => {
  expect(expected.map(({ schedule, stack, jobId }) => [schedule.name, stack, jobId])).toEqual([
    ['shop--backup--0', expect.stringMatching(/^jobs-schedules-[0-7]$/), 'shop/backup'],
    ['shop--report--0', expect.stringMatching(/^jobs-schedules-[0-7]$/), 'shop/report'],
    ['shop--report--1', expect.stringMatching(/^jobs-schedules-[0-7]$/), 'shop/report'],
    ['shop--resting--0', expect.stringMatching(/^jobs-schedules-[0-7]$/), 'shop/resting'],
    ['watchdog', 'jobs-core', undefined],
  ]);
});

test('what is as it was deployed is no drift', async () => {
  expect(await find(deployment())).toEqual([]);
});

describe('a field that somebody changed is told with what is there and what should be:', () => {
  test.each<[what: string, edit: Edit, field: string, got: string | undefined, expected: string | undefined]>(
    [
      [
        'a time',
        (fields) => (fields.ScheduleExpression = 'cron(0 5 * * ? *)'),
        ...(['ScheduleExpression', 'cron(0 5 * * ? *)', 'cron(30 4 * * ? *)'] as const),
      ],
      [
        'a zone',
        (fields) => (fields.ScheduleExpressionTimezone = 'UTC'),
        ...(['ScheduleExpressionTimezone', 'UTC', 'Europe/Berlin'] as const),
      ],
      [
        'a window',
        (fields) => (fields.FlexibleTimeWindow = { Mode: 'OFF', MaximumWindowInMinutes: 15 }),
        ...(['FlexibleTimeWindow.MaximumWindowInMinutes', '15', undefined] as const),
      ],
      [
        'an end',
        (fields) => (fields.EndDate = '2026-01-01T00:00:00.000Z'),
        ...(['EndDate', '2026-01-01T00:00:00.000Z', undefined] as const),
      ],
      [
        'that it deletes itself',
        (fields) => (fields.ActionAfterCompletion = 'DELETE'),
        ...(['ActionAfterCompletion', 'DELETE', undefined] as const),
      ],
      [
        'a retry policy that is gone',
        (fields) => {
          target(fields).RetryPolicy = { MaximumEventAgeInSeconds: 3660 };
        },
        ...(['Target.RetryPolicy.MaximumRetryAttempts', undefined, '185'] as const),
      ],
      [
        'another executor',
        (fields) => (target(fields).Arn = 'arn:aws:lambda:eu-central-1:123456789012:function:other'),
        'Target.Arn',
        'arn:aws:lambda:eu-central-1:123456789012:function:other',
        'arn:aws:lambda:eu-central-1:123456789012:function:jobs-executor-2048',
      ],
      [
        'an executor of another account',
        (fields) =>
          (target(fields).Arn = 'arn:aws:lambda:eu-central-1:999999999999:function:jobs-executor-2048'),
        'Target.Arn',
        'arn:aws:lambda:eu-central-1:999999999999:function:jobs-executor-2048',
        'arn:aws:lambda:eu-central-1:123456789012:function:jobs-executor-2048',
      ],
      [
        'a dead-letter queue that is gone',
        (fields) => (target(fields).DeadLetterConfig = undefined),
        'Target.DeadLetterConfig.Arn',
        undefined,
        'arn:aws:sqs:eu-central-1:123456789012:jobs-dead-letters',
      ],
    ],
  )('%s', async (_what, edit, field, got, want) => {
    expect(await find(deployment({ 'shop--backup--0': edit }))).toEqual([
      {
        schedule: 'shop--backup--0',
        kind: 'changed',
        jobId: 'shop/backup',
        stack: expect.any(String),
        differences: [
          { field, ...(got !== undefined && { got }), ...(want !== undefined && { expected: want }) },
        ],
      },
    ]);
  });

  test('the input, which says who is due', async () => {
    const found = deployment({
      'shop--backup--0': (fields) => (target(fields).Input = '{"command":"rm -rf /"}'),
    });
    const [{ differences } = { differences: [] }] = await find(found);
    expect(differences).toMatchObject([{ field: 'Target.Input', got: '{"command":"rm -rf /"}' }]);
  });
});

describe('a schedule', () => {
  const disabled: Edit = (fields) => (fields.State = 'DISABLED');
  const enabled: Edit = (fields) => (fields.State = 'ENABLED');
  const none: Edit = (fields) => (fields.ActionAfterCompletion = 'NONE');

  test.each<
    [
      what: string,
      edits: Readonly<Record<string, Edit | 'deleted'>>,
      more: string[],
      found: [string, Drift['kind']][],
    ]
  >([
    ['that is gone is missing', { 'shop--report--1': 'deleted' }, [], [['shop--report--1', 'missing']]],
    ['that is disabled by hand', { 'shop--backup--0': disabled }, [], [['shop--backup--0', 'disabled']]],
    ['of the watchdog that is disabled', { watchdog: disabled }, [], [['watchdog', 'disabled']]],
    [
      'that the crontab suspends and somebody enabled',
      { 'shop--resting--0': enabled },
      [],
      [['shop--resting--0', 'changed']],
    ],
    ['that the crontab suspends is disabled rightly', { 'shop--resting--0': disabled }, [], []],
    ['that says that nothing is done after its end', { 'shop--backup--0': none }, [], []],
    ['of no job is extra', {}, ['shop--old--0'], [['shop--old--0', 'extra']]],
    [
      'is one of many, told by their names',
      { watchdog: 'deleted', 'shop--backup--0': disabled },
      ['other--job--0'],
      [
        ['other--job--0', 'extra'],
        ['shop--backup--0', 'disabled'],
        ['watchdog', 'missing'],
      ],
    ],
  ])('%s', async (_what, edits, more, found) => {
    expect((await find(deployment(edits, more))).map(({ schedule, kind }) => [schedule, kind])).toEqual(
      found,
    );
  });
});

describe('while it looks', () => {
  test('a list that lags behind is not believed', async () => {
    const found = deployment();
    const reader = readerOf(found);
    const lagging = {
      ...reader,
      names: async function* () {
        yield ['shop--backup--0', 'just-deleted'];
      },
    };
    expect(await findDrift(expected, 'jobs', lagging, () => {})).toEqual([]);
  });

  test('it says how far it is, and asks for sixteen at once at most', async () => {
    const many = Array.from({ length: 100 }, (_, index) => `other--job-${index}--0`);
    const reader = readerOf(deployment({}, many), { page: 40 });
    const said: [number, number][] = [];
    let [underWay, most] = [0, 0];
    const counting = {
      ...reader,
      schedule: async (group: string, name: string) => {
        most = Math.max(most, ++underWay);
        await Promise.resolve();
        underWay--;
        return await reader.schedule(group, name);
      },
    };
    await findDrift(expected, 'jobs', counting, (done, of) => said.push([done, of]));
    expect(most).toBe(16);
    expect(said.slice(0, 4)).toEqual([
      [0, 40],
      [0, 80],
      [0, 105],
      [1, 105],
    ]);
    expect(said.at(-1)).toEqual([105, 105]);
  });

  test('the first failure ends it', async () => {
    const found = deployment(
      {},
      Array.from({ length: 100 }, (_, index) => `x-${index}`),
    );
    const asked: string[] = [];
    const failing = {
      ...readerOf(found),
      schedule: async (_group: string, name: string) => {
        if (asked.push(name) === 1) throw new Error('denied');
        return found.get(name);
      },
    };
    await expect(findDrift(expected, 'jobs', failing, () => {})).rejects.toThrow('denied');
    await new Promise(setImmediate);
    expect(asked).toHaveLength(16);
  });
});
