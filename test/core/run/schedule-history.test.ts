import { describe, expect, test } from '@jest/globals';
import {
  intervalAt,
  type ScheduleChange,
  type ScheduleInterval,
  scheduleChange,
  timetableOfInterval,
} from '../../../shared/core/run/schedule-history.ts';
import { isDue } from '../../../shared/core/schedule/due.ts';
import { planOf } from '../../support/plan-of.ts';

const NONE: ScheduleChange['renamed'] = [];

/** Intervals that a crontab opens when nothing was before. */
function opened(text: string, from = 1, zone = 'UTC'): readonly ScheduleInterval[] {
  return scheduleChange([], NONE, planOf(text, zone), from).opened;
}

const BACKUP = '# kuber-cron: name=backup\n30 2 * * * ./backup\n';
const REPORT = '# kuber-cron: name=report\n@daily ./report\n';

test('an interval has what decides about due instants and their runs, and no more', () => {
  const text =
    '# kuber-cron: name=backup suspend="moved" targets=daemon starting-deadline=1h catch-up=all retries=3\n30 02 * * * ./backup\n';
  const [table] = Object.values(planOf(text, 'Europe/Berlin').zones);
  expect(opened(text, 7, 'Europe/Berlin')).toStrictEqual([
    {
      ...{ jobId: 'shop/backup', from: 7, schedule: '30 2 * * *', written: '30 02 * * *' },
      ...{ zone: 'Europe/Berlin', table, suspend: 'moved', targets: ['daemon'] },
      ...{ startingDeadlineMs: 3_600_000, catchUp: 'all' },
    },
  ]);
});

describe('a new crontab', () => {
  const rename = [{ from: 'shop/backup', to: 'shop/dump' }];
  const as = (name: string, schedule = '30 2 * * *', options = '') =>
    `# kuber-cron: name=${name} ${options}\n${schedule} ./backup\n`;
  test.each<[string, string, ScheduleChange['renamed'], closed: string[], opened: string[]]>([
    ['that is the same', BACKUP, NONE, [], []],
    ['with another command', BACKUP.replace('./backup', './dump'), NONE, [], []],
    ['with more tries', as('backup', undefined, 'retries=3'), NONE, [], []],
    ['with another schedule', as('backup', '31 2 * * *'), NONE, ['shop/backup'], ['shop/backup']],
    ['with the schedule in other words', as('backup', '30 02 * * *'), NONE, ['shop/backup'], ['shop/backup']],
    ['in another zone', `CRON_TZ=Europe/Berlin\n${BACKUP}`, NONE, ['shop/backup'], ['shop/backup']],
    ['that suspends the job', as('backup', undefined, 'suspend'), NONE, ['shop/backup'], ['shop/backup']],
    [
      'with another deadline',
      as('backup', undefined, 'starting-deadline=2h'),
      NONE,
      ['shop/backup'],
      ['shop/backup'],
    ],
    ['with another job', BACKUP + REPORT, NONE, [], ['shop/report']],
    ['without the job', REPORT, NONE, ['shop/backup'], ['shop/report']],
    ['that is empty', '', NONE, ['shop/backup'], []],
    ['with the job under a new name', as('dump'), rename, [], []],
    ['with a new name and schedule', as('dump', '1 2 * * *'), rename, ['shop/dump'], ['shop/dump']],
    ['with the job under a new name that nobody tells of', as('dump'), NONE, ['shop/backup'], ['shop/dump']],
  ])('%s closes %4$j and opens %5$j', (_what, text, renamed, closed, now) => {
    const change = scheduleChange(opened(BACKUP), renamed, planOf(text), 9);
    expect([change.at, change.closed, change.opened.map(({ jobId }) => jobId), change.renamed]).toStrictEqual(
      [...[9, closed, now, renamed]],
    );
    for (const { from, until } of change.opened) expect([from, until]).toStrictEqual([9, undefined]);
  });

  test('closes an interval whose zone has other changes of the clocks', () => {
    const text = `CRON_TZ=Europe/Berlin\n${BACKUP}`;
    const [known] = opened(text) as [ScheduleInterval];
    const { changes } = known.table;
    const before = { ...known, table: { ...known.table, changes: changes.slice(1) } };
    expect(scheduleChange([before], NONE, planOf(text), 9).closed).toStrictEqual(['shop/backup']);
  });
});

describe('the schedule in force', () => {
  const [interval] = opened(BACKUP) as [ScheduleInterval];
  const [first, second, third] = [
    { ...interval, from: 2, until: 4 },
    { ...interval, from: 4, until: 6 },
    { ...interval, from: 8 },
  ];
  test.each<[number, ScheduleInterval | undefined]>([
    [1, undefined],
    [2, first],
    [3, first],
    [4, second],
    [6, undefined],
    [8, third],
    [99, third],
  ])('at %d is the interval that holds it', (instant, expected) => {
    expect(intervalAt([first, second, third], instant)).toBe(expected);
  });

  test('is the later one where a clock went backwards', () => {
    const set = [
      { ...interval, from: 3 },
      { ...interval, from: 5, until: 3 },
    ];
    expect(intervalAt(set, 6)).toBe(set[0]);
  });

  test('says what was due, and of a run at a start nothing', () => {
    const timetable = timetableOfInterval(interval);
    expect(timetable && isDue(timetable, Date.parse('2026-03-29T02:30Z'))).toBe(true);
    expect(timetable && isDue(timetable, Date.parse('2026-03-29T02:31Z'))).toBe(false);
    const [reboot] = opened('# kuber-cron: name=warm\n@reboot ./warm\n') as [ScheduleInterval];
    expect(timetableOfInterval(reboot)).toBeUndefined();
  });
});
