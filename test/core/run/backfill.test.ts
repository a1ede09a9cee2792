import { describe, expect, test } from '@jest/globals';
import {
  type BackfillStep,
  type BackfillWish,
  backfillStep,
  DueHistory,
  type PastAnswer,
  type PastDue,
} from '../../../shared/core/run/backfill.ts';
import type { Run, RunStatus } from '../../../shared/core/run/run.ts';
import { dueRunId, scheduledTimeText } from '../../../shared/core/run/run-id.ts';
import { type ScheduleInterval, scheduleChange } from '../../../shared/core/run/schedule-history.ts';
import { planOf } from '../../support/plan-of.ts';

const t = (text: string) => Date.parse(text);

function interval(fields: string, from: string, until?: string, options = ''): ScheduleInterval {
  const plan = planOf(`# kuber-cron: name=a ${options}\n${fields} true\n`);
  const [opened] = scheduleChange([], [], plan, t(from)).opened;
  return { ...(opened as ScheduleInterval), ...(until === undefined ? {} : { until: t(until) }) };
}

describe('what was due follows from the schedules that were in force', () => {
  const edited = [
    interval('0 4 * * *', '2026-11-01T00:00Z', '2026-11-03T04:00Z'),
    interval('0 6 * * *', '2026-11-03T04:00Z', '2026-11-04T06:01Z'),
    interval('0 6 * * *', '2026-11-06T00:00Z'),
  ];
  test.each<[title: string, schedules: readonly ScheduleInterval[], from: string, to: string, due: string[]]>(
    [
      [
        'an edit ends the one and begins the other, a gap has none',
        edited,
        '2026-10-30T00:00Z',
        '2026-11-06T23:59Z',
        [
          '2026-11-01T04:00Z',
          '2026-11-02T04:00Z',
          '2026-11-03T06:00Z',
          '2026-11-04T06:00Z',
          '2026-11-06T06:00Z',
        ],
      ],
      [
        'both ends are included',
        edited,
        '2026-11-01T04:00Z',
        '2026-11-02T04:00Z',
        ['2026-11-01T04:00Z', '2026-11-02T04:00Z'],
      ],
      ['a minute less leaves them out', edited, '2026-11-01T04:01Z', '2026-11-02T03:59Z', []],
      [
        'a job of starts has no times',
        [interval('@reboot', '2026-11-01T00:00Z')],
        '2026-11-01T00:00Z',
        '2026-12-01T00:00Z',
        [],
      ],
      [
        'what other targets run is theirs',
        [interval('0 4 * * *', '2026-11-01T00:00Z', undefined, 'targets=aws')],
        '2026-11-01T00:00Z',
        '2026-12-01T00:00Z',
        [],
      ],
    ],
  )('%s', (_title, schedules, from, to, due) => {
    const history = new DueHistory(schedules, t(from), t(to));
    expect([...history.instants()].map(({ instant }) => scheduledTimeText(instant))).toEqual(due);
    expect(history.count).toBe(due.length);
  });

  test('twenty years of every minute are counted without walking', () => {
    const history = new DueHistory(
      [interval('* * * * *', '2021-01-01T00:00Z')],
      t('2021-01-01T00:00Z'),
      t('2040-12-31T23:59Z'),
    );
    expect(history.count).toBe(7305 * 1440);
  });
});

describe('what a backfill does', () => {
  const NOW = t('2026-11-23T04:00Z');
  const schedule = interval('0 3 * * *', '2026-01-01T00:00Z');
  const suspended = interval('0 3 * * *', '2026-01-01T00:00Z', undefined, 'suspend');
  const due = (day: string, of = schedule): PastDue => {
    const instant = t(`${day}T03:00Z`);
    return { instant, interval: of, startBy: instant + 3_600_000 };
  };
  const row = (status: RunStatus): Run => ({
    ...{ jobId: 'shop/a', runId: dueRunId(0), scheduledTime: 0, trigger: 'schedule', status },
    ...{ planHash: 'hash', createdAt: 0, attempts: [] },
  });
  const answer = (fields: Partial<PastAnswer> = {}): PastAnswer => ({
    pauses: [],
    cursor: NOW,
    now: NOW,
    ...fields,
  });
  const WISHES = [
    { reprocess: 'none', unrecorded: true },
    { reprocess: 'failed', unrecorded: false },
    { reprocess: 'failed', unrecorded: true },
    { reprocess: 'all', unrecorded: false },
    { reprocess: 'all', unrecorded: true },
  ] as const satisfies readonly BackfillWish[];
  const text = (step: BackfillStep) => (step.kind === 'reopen' ? 'reopen' : `${step.kind} ${step.because}`);
  const leave = 'leave not-wanted';

  test('the wishes of the columns', () => {
    expect(WISHES.map(({ reprocess, unrecorded }) => `${reprocess}${unrecorded ? '+' : ''}`)).toEqual([
      ...['none+', 'failed', 'failed+', 'all', 'all+'],
    ]);
  });

  test.each<[status: RunStatus, steps: string[]]>([
    ['failed', [leave, 'reopen', 'reopen', 'reopen', 'reopen']],
    ['timed-out', [leave, 'reopen', 'reopen', 'reopen', 'reopen']],
    ['lost', [leave, 'reopen', 'reopen', 'reopen', 'reopen']],
    ['missed', [leave, 'reopen', 'reopen', 'reopen', 'reopen']],
    ['succeeded', [leave, leave, leave, 'reopen', 'reopen']],
    ['skipped', [leave, leave, leave, 'reopen', 'reopen']],
    ['cancelled', [leave, leave, leave, 'reopen', 'reopen']],
    ['pending', Array(5).fill('leave under-way')],
    ['claimed', Array(5).fill('leave under-way')],
    ['running', Array(5).fill('leave under-way')],
  ])('with a run that is %s', (status, steps) => {
    const of = (wish: BackfillWish) => backfillStep(due('2026-11-22'), answer({ run: row(status) }), wish);
    expect(WISHES.map((wish) => text(of(wish)))).toEqual(steps);
  });

  const pauses = [
    { jobId: 'shop/a', from: t('2026-11-20T00:00Z'), until: t('2026-11-21T00:00Z'), by: 'jane' },
  ];
  const known = (because: string) => [
    ...[`owe ${because}`, `leave ${because}`, `owe ${because}`, `leave ${because}`, `owe ${because}`],
  ];
  test.each<[title: string, due: PastDue, fields: Partial<PastAnswer>, steps: string[]]>([
    ['in a stretch', due('2026-11-01'), { span: row('missed') }, known('span')],
    ['in a pause', due('2026-11-20'), { pauses }, known('paused')],
    ['after a pause', due('2026-11-21'), { pauses }, known('no-row')],
    ['while suspended', due('2026-11-22', suspended), {}, known('suspended')],
    ['without an answer', due('2026-11-22'), {}, known('no-row')],
    // A row of it may have been there, and that of a success.
    [
      'older than rows are kept',
      due('2026-11-15'),
      {},
      [...Array(4).fill('leave forgotten'), 'owe forgotten'],
    ],
    [
      'that the daemon still starts by itself',
      due('2026-11-23'),
      { cursor: t('2026-11-23T02:00Z') },
      Array(5).fill('leave still-owed'),
    ],
    [
      'that no daemon starts any more',
      due('2026-11-22'),
      { cursor: t('2026-11-20T02:00Z') },
      known('no-row'),
    ],
    ['old, and handled by no daemon', due('2026-11-01'), { cursor: t('2026-10-20T02:00Z') }, known('no-row')],
  ])('without a run, %s', (_title, of, fields, steps) => {
    expect(WISHES.map((wish) => text(backfillStep(of, answer(fields), wish)))).toEqual(steps);
  });
});
