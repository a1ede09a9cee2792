import { describe, expect, test } from '@jest/globals';
import type { PauseInterval } from '../../../shared/core/run/pause.ts';
import type { Attempt, Run } from '../../../shared/core/run/run.ts';
import { dueRunId } from '../../../shared/core/run/run-id.ts';
import { type ScheduleInterval, scheduleChange } from '../../../shared/core/run/schedule-history.ts';
import {
  dueAfter,
  dueBefore,
  explainInstant,
  type Ledger,
  type Verdict,
} from '../../../shared/core/run/why.ts';
import { zonedText } from '../../../shared/core/schedule/zone-table.ts';
import { jobOf, planOf } from '../../support/plan-of.ts';
import { knownZone } from '../../support/timetables.ts';

const t = (text: string) => Date.parse(text);
const NOW = '2026-11-23T04:00:30Z';
const BERLIN = knownZone('Europe/Berlin');

/** The interval of a job `shop/a` with these options, in Berlin. */
function interval(entry: string, from: string, until?: string): ScheduleInterval {
  const [options = '', fields = ''] = entry.includes('|') ? entry.split('|') : ['', entry];
  const plan = planOf(`# kuber-cron: name=a ${options}\n${fields} true\n`, 'Europe/Berlin');
  const [opened] = scheduleChange([], [], plan, t(from)).opened;
  return { ...(opened as ScheduleInterval), ...(until === undefined ? {} : { until: t(until) }) };
}

const HALF_PAST_TWO = interval('30 2 * * *', '2026-01-01T00:00Z');

function ledger(instant: string, fields: Partial<Ledger> = {}): Ledger {
  const usual = { schedules: [HALF_PAST_TWO], pauses: [], cursor: t('2026-11-23T04:00Z') };
  return { instant: t(instant), now: t(NOW), ...usual, ...fields };
}

function row(scheduledTime: string, fields: Partial<Run> = {}): Run {
  const at = t(scheduledTime);
  return {
    ...{ jobId: 'shop/a', runId: dueRunId(at), scheduledTime: at, trigger: 'schedule', status: 'succeeded' },
    ...{ planHash: 'hash', createdAt: at, attempts: [] },
    ...fields,
  };
}

const pause = (from: string, fields: Partial<PauseInterval> = {}): PauseInterval => ({
  ...{ jobId: 'shop/a', from: t(from), by: 'jane@host' },
  ...fields,
});

const verdict = (instant: string, fields?: Partial<Ledger>) =>
  explainInstant(ledger(instant, fields)).verdict;

describe('the ledger has one answer for every minute', () => {
  const daily = [HALF_PAST_TWO];
  const suspended = [
    interval('30 2 * * *', '2026-01-01T00:00Z', '2026-11-01T00:00Z'),
    interval('suspend|30 2 * * *', '2026-11-01T00:00Z', '2026-11-10T00:00Z'),
    interval('suspend="new disk"|30 2 * * *', '2026-11-10T00:00Z'),
  ];
  const span = row('2026-11-22T01:30Z', {
    runId: 'span',
    spanFrom: t('2026-11-20T01:30Z'),
    status: 'missed',
  });
  const until = pause('2026-11-20T00:00Z', { until: t('2026-11-21T00:00Z'), why: 'disk' });
  const resumed = { ...until, resumed: { at: t('2026-11-20T12:00Z'), by: 'joe@host' } };
  test.each<[title: string, instant: string, fields: Partial<Ledger>, expected: Verdict]>([
    [
      'its row',
      '2026-11-23T01:30Z',
      { run: row('2026-11-23T01:30Z') },
      { kind: 'run', run: row('2026-11-23T01:30Z') },
    ],
    [
      'its row, though a pause covers it',
      '2026-11-20T01:30Z',
      { run: row('2026-11-20T01:30Z'), pauses: [until] },
      { kind: 'run', run: row('2026-11-20T01:30Z') },
    ],
    [
      'its row and the run in its way',
      '2026-11-23T01:30Z',
      {
        run: row('2026-11-23T01:30Z', { status: 'skipped', reason: 'overlap', blockedBy: 'x' }),
        blocking: row('2026-11-22T01:30Z', { status: 'running' }),
      },
      {
        kind: 'run',
        run: row('2026-11-23T01:30Z', { status: 'skipped', reason: 'overlap', blockedBy: 'x' }),
        blocking: row('2026-11-22T01:30Z', { status: 'running' }),
      },
    ],
    ['the row of a stretch', '2026-11-21T01:30Z', { span }, { kind: 'span', span }],
    ['a pause', '2026-11-20T01:30Z', { pauses: [until] }, { kind: 'paused', pause: until }],
    [
      'a pause before a stretch',
      '2026-11-20T01:30Z',
      { pauses: [until], span },
      { kind: 'paused', pause: until },
    ],
    [
      'a pause that is in force, of what is to come',
      '2026-11-24T01:30Z',
      { pauses: [pause('2026-11-23T04:00Z')] },
      { kind: 'paused', pause: pause('2026-11-23T04:00Z') },
    ],
    [
      'nothing, after an early end of the pause',
      '2026-11-21T01:30Z',
      { pauses: [resumed] },
      { kind: 'unanswered' },
    ],
    [
      'a suspension, since it began',
      '2026-11-20T01:30Z',
      { schedules: suspended },
      { kind: 'suspended', since: t('2026-11-01T00:00Z'), why: 'new disk' },
    ],
    [
      'a suspension, of what is to come',
      '2027-11-20T01:30Z',
      { schedules: suspended },
      { kind: 'suspended', since: t('2026-11-01T00:00Z'), why: 'new disk' },
    ],
    [
      'a suspension without a word',
      '2026-11-05T01:30Z',
      { schedules: suspended },
      { kind: 'suspended', since: t('2026-11-01T00:00Z') },
    ],
    [
      'another target',
      '2026-11-20T01:30Z',
      { schedules: [interval('targets=aws|30 2 * * *', '2026-01-01T00:00Z')] },
      { kind: 'other-target', targets: ['aws'] },
    ],
    [
      'that the job starts with the daemon',
      '2026-11-20T01:30Z',
      { schedules: [interval('@reboot', '2026-01-01T00:00Z')] },
      { kind: 'at-start' },
    ],
    ['that no crontab ever had the job', '2026-11-20T01:30Z', { schedules: [] }, { kind: 'no-job' }],
    [
      'that the job was not there yet',
      '2025-12-31T01:30Z',
      { schedules: daily },
      { kind: 'no-job', from: t('2026-01-01T00:00Z') },
    ],
    [
      'that the job was away',
      '2026-06-01T00:30Z',
      {
        schedules: [
          interval('30 2 * * *', '2026-01-01T00:00Z', '2026-05-01T00:00Z'),
          interval('30 2 * * *', '2026-07-01T00:00Z'),
        ],
      },
      { kind: 'no-job', until: t('2026-05-01T00:00Z'), from: t('2026-07-01T00:00Z') },
    ],
    [
      'that the job is gone',
      '2026-11-24T01:30Z',
      { schedules: [interval('30 2 * * *', '2026-01-01T00:00Z', '2026-05-01T00:00Z')] },
      { kind: 'no-job', until: t('2026-05-01T00:00Z') },
    ],
    [
      'nothing of what was before schedules are kept',
      '2025-06-01T00:30Z',
      { schedules: daily },
      { kind: 'forgotten' },
    ],
    ['nothing of what is older than rows are kept', '2026-11-14T01:30Z', {}, { kind: 'forgotten' }],
    ['nothing, where there should be something', '2026-11-23T01:30Z', {}, { kind: 'unanswered' }],
    [
      'what is to come, with the times that decide',
      '2026-11-24T01:30Z',
      { job: jobOf('# kuber-cron: name=a late-after=3m\n30 2 * * * true\n') },
      { kind: 'ahead', startBy: t('2026-11-24T02:30Z'), lateFrom: t('2026-11-24T01:33Z') },
    ],
    [
      'what is to come of a job with a deadline',
      '2026-11-24T01:30Z',
      { schedules: [interval('starting-deadline=2h|30 2 * * *', '2026-01-01T00:00Z')] },
      { kind: 'ahead', startBy: t('2026-11-24T03:30Z') },
    ],
  ])('%s', (_title, instant, fields, expected) => {
    expect(verdict(instant, fields)).toEqual(expected);
  });
});

describe('what no daemon has handled is answered by what the next one does', () => {
  const every = (options: string) => [interval(`${options}|*/10 * * * *`, '2026-11-01T00:00Z')];
  const cursor = t('2026-11-23T03:00Z');
  const now = t('2026-11-23T03:45Z');
  test.each<[options: string, instant: string, outcome: Extract<Verdict, { kind: 'owed' }>['outcome']]>([
    ['starting-deadline=1h', '2026-11-23T03:40Z', { kind: 'starts' }],
    ['starting-deadline=1h', '2026-11-23T03:30Z', { kind: 'missed', reason: 'superseded' }],
    ['starting-deadline=10m', '2026-11-23T03:30Z', { kind: 'missed', reason: 'too-late' }],
    ['', '2026-11-23T03:10Z', { kind: 'missed', reason: 'too-late' }],
    ['starting-deadline=1h catch-up=none', '2026-11-23T03:40Z', { kind: 'missed', reason: 'catch-up-none' }],
    ['starting-deadline=1h catch-up=all', '2026-11-23T03:30Z', { kind: 'waits' }],
  ])('`%s` at %s', (options, instant, outcome) => {
    const found = verdict(instant, { schedules: every(options), cursor, now });
    expect(found).toEqual({ kind: 'owed', startBy: expect.any(Number), outcome });
  });

  test('also where no daemon has handled anything', () => {
    const { cursor: _cursor, ...rest } = ledger('2026-11-23T01:30Z', { now: t('2026-11-23T01:31Z') });
    expect(explainInstant(rest).verdict).toEqual({
      ...{ kind: 'owed', startBy: t('2026-11-23T02:30Z'), outcome: { kind: 'starts' } },
    });
  });
});

describe('the clocks of Berlin', () => {
  const fixed = HALF_PAST_TWO;
  const real = interval('*/30 * * * *', '2026-01-01T00:00Z');
  test.each<[title: string, schedule: ScheduleInterval, instant: string, clock: unknown, verdict: string]>([
    ['a skipped time moves to the first minute after', fixed, '2026-03-29T01:00Z', 'moved', 'forgotten'],
    ['its own minute is none after the change', fixed, '2026-03-29T01:30Z', undefined, 'never-due'],
    ['a repeated time runs the first time', fixed, '2026-10-25T00:30Z', 'first-of-two', 'forgotten'],
    ['and not the second time', fixed, '2026-10-25T01:30Z', 'second-of-two', 'never-due'],
    ['real time has no move', real, '2026-03-29T01:00Z', undefined, 'forgotten'],
    ['real time runs twice: the first', real, '2026-10-25T00:30Z', 'first-of-two', 'forgotten'],
    ['real time runs twice: the second', real, '2026-10-25T01:30Z', 'second-of-two', 'forgotten'],
    ['so will a coming spring', fixed, '2027-03-28T01:00Z', 'moved', 'ahead'],
    ['so will a coming autumn', fixed, '2027-10-31T01:30Z', 'second-of-two', 'never-due'],
  ])('%s', (_title, schedule, instant, clock, kind) => {
    const explained = explainInstant(ledger(instant, { schedules: [schedule] }));
    expect([explained.clock?.kind, explained.verdict.kind]).toEqual([clock, kind]);
  });

  test('a time that is never due names the due times around it, across the change', () => {
    const { verdict: found } = explainInstant(ledger('2026-03-29T01:30Z'));
    expect(found).toEqual({
      kind: 'never-due',
      notDue: { kind: 'fields', fields: [{ field: 'hour', value: 3, text: '2' }] },
      before: t('2026-03-29T01:00Z'),
      after: t('2026-03-30T00:30Z'),
    });
  });
});

describe('the schedule that counts is the one in force then', () => {
  const schedules = [
    interval('0 4 * * *', '2026-11-01T00:00Z', '2026-11-10T12:00Z'),
    interval('0 6 * * *', '2026-11-10T12:00Z', '2026-11-15T00:00Z'),
    interval('@reboot', '2026-11-16T00:00Z', '2026-11-17T00:00Z'),
    interval('0 6 * * *', '2026-11-20T12:00Z'),
  ];
  test.each<[instant: string, before: string | undefined, after: string | undefined]>([
    ['2026-10-01T00:00Z', undefined, '2026-11-01T04:00+01:00'],
    ['2026-11-10T10:00Z', '2026-11-10T04:00+01:00', '2026-11-11T06:00+01:00'],
    ['2026-11-10T13:00Z', '2026-11-10T04:00+01:00', '2026-11-11T06:00+01:00'],
    ['2026-11-16T13:00Z', '2026-11-14T06:00+01:00', '2026-11-21T06:00+01:00'],
    ['2027-01-01T00:00Z', '2026-12-31T06:00+01:00', '2027-01-01T06:00+01:00'],
  ])('around %s', (instant, before, after) => {
    const text = (found: number | undefined) => found && zonedText(BERLIN, found);
    expect([text(dueBefore(schedules, t(instant))), text(dueAfter(schedules, t(instant)))]).toEqual([
      before,
      after,
    ]);
  });

  test('an interval ends before its end', () => {
    expect(explainInstant(ledger('2026-11-10T12:00Z', { schedules })).interval).toBe(schedules[1]);
    expect(explainInstant(ledger('2026-11-10T11:59Z', { schedules })).interval).toBe(schedules[0]);
  });
});

describe('why a run was not tried again', () => {
  const ended = (number: number, fields: Partial<Attempt> = {}): Attempt => ({
    ...{ number, startedAt: t('2026-11-23T01:30:00Z'), finishedAt: t('2026-11-23T01:31:00Z') },
    ...{ status: 'failed', reason: 'exit-code', exitCode: 7, ...fields },
  });
  const failed = (fields: Partial<Run>) =>
    row('2026-11-23T01:30Z', {
      status: 'failed',
      reason: 'exit-code',
      finishedAt: t('2026-11-23T01:31:00Z'),
      ...fields,
    });
  const retries = jobOf('# kuber-cron: name=a retries=1 backoff=1m..1m\n30 2 * * * true\n');
  const often = jobOf('# kuber-cron: name=a retries=3 backoff=1m..9m\n* * * * * true\n');
  test.each<[title: string, run: Run, fields: Partial<Ledger>, expected: string | undefined]>([
    ['all are used', failed({ attempts: [ended(1), ended(2)] }), { job: retries }, 'used-up'],
    [
      'the next due time came before',
      failed({ attempts: [ended(1)] }),
      { job: often, schedules: [interval('* * * * *', '2026-01-01T00:00Z')] },
      'next-due',
    ],
    [
      'its wait was too long, though a short one was not',
      failed({ attempts: [ended(1)] }),
      { job: often },
      'next-due',
    ],
    [
      'somebody cancelled it',
      failed({
        ...{ status: 'cancelled', reason: 'requested' },
        attempts: [ended(1, { status: 'cancelled', reason: 'requested' })],
      }),
      { job: retries },
      'not-retryable',
    ],
    [
      'it ran by hand',
      failed({ trigger: 'manual', attempts: [ended(1)] }),
      { job: retries },
      'not-retryable',
    ],
    // The row itself says so.
    ['a later one came', failed({ reason: 'superseded', attempts: [ended(1)] }), { job: retries }, undefined],
    ['it succeeded', row('2026-11-23T01:30Z', { attempts: [ended(1)] }), { job: retries }, undefined],
    [
      'the job is another now',
      failed({ attempts: [ended(1)] }),
      { job: retries, planHash: 'other' },
      undefined,
    ],
    ['the job is gone', failed({ attempts: [ended(1)] }), {}, undefined],
    ['it will be', failed({ status: 'pending', attempts: [ended(1)] }), { job: retries }, undefined],
  ])('%s', (_title, run, fields, expected) => {
    const found = verdict('2026-11-23T01:30Z', { run, planHash: 'hash', ...fields });
    expect(found.kind === 'run' && found.noRetry).toBe(expected);
  });
});
