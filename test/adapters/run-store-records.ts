import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { PauseInterval } from '../../shared/core/run/pause.ts';
import { spanId } from '../../shared/core/run/run-id.ts';
import type { ActivePlan, RunStore } from '../../shared/core/run/run-store.ts';
import type { ScheduleChange, ScheduleInterval } from '../../shared/core/run/schedule-history.ts';
import {
  answerOf,
  claimOf,
  finishOf,
  MINUTE,
  NO_CHANGE,
  owedOf,
  recordAnswer,
  runOf,
  runToEnd,
  SPRING_NIGHT,
  startRun,
} from '../support/run-claims.ts';

const JOB = 'shop/backup';
const DUMP = 'shop/dump';
const RUN = '2026-03-29T01:30Z';
const DAY = 24 * 60 * MINUTE;
const plus = (minutes: number) => SPRING_NIGHT + minutes * MINUTE;

function pauseOf(minutes: number, fields: Partial<PauseInterval> = {}): PauseInterval {
  return { jobId: JOB, from: plus(minutes), by: 'ann@host-1', ...fields };
}

function intervalOf(minutes: number, fields: Partial<ScheduleInterval> = {}): ScheduleInterval {
  const table = { zone: 'UTC', from: 0, until: 10, offset: 0, changes: [[3, 60]] } as const;
  return {
    ...{
      jobId: JOB,
      from: plus(minutes),
      schedule: '30 1 * * *',
      written: '30 01 * * *',
      zone: 'UTC',
      table,
    },
    ...fields,
  };
}

const plan: ActivePlan = {
  plan: { format: 1, crontab: 'shop', zones: {}, jobs: [] },
  hash: 'hash-1',
  since: SPRING_NIGHT,
};

/** Defines what every run store keeps beside runs: messages, pauses, schedules, names. */
export function describeRunRecords(open: () => RunStore): void {
  let store: RunStore;
  beforeEach(() => {
    store = open();
  });
  afterEach(() => store.close());
  const change = (minutes: number, fields: Partial<ScheduleChange>) =>
    store.setActivePlan(plan, { ...NO_CHANGE, at: plus(minutes), ...fields });
  const rename = () => change(9, { renamed: [{ from: JOB, to: DUMP }] });

  describe('messages', () => {
    const channel = 'default';
    const taken = async (minutes = 10_000) =>
      (await store.takeNotifications(plus(minutes), plus(minutes + 1), 9)).map(
        ({ kind, runId }) => `${kind} ${runId.slice(14)}`,
      );

    test('tell of a failure once, and of its end once', async () => {
      for (const [minutes, status] of ['failed', 'failed', 'succeeded', 'succeeded', 'lost'].entries()) {
        const claim = claimOf({ scheduledTime: plus(minutes) });
        await runToEnd(store, claim, { status: status as 'failed', channel });
      }
      expect(await taken()).toStrictEqual(['failed 30Z', 'recovered 32Z', 'failed 34Z']);
    });

    test('hold what their receiver has to know', async () => {
      await runToEnd(store, claimOf(), { status: 'failed', reason: 'exit-code', channel: 'ops' });
      expect(await store.takeNotifications(plus(9), plus(10), 9)).toStrictEqual([
        {
          ...{ id: `${JOB}/${RUN}/failed/${SPRING_NIGHT + 3000}`, channel: 'ops', kind: 'failed' },
          ...{ jobId: JOB, runId: RUN, scheduledTime: SPRING_NIGHT, status: 'failed', reason: 'exit-code' },
          ...{ exitCode: 0, attempts: 1, since: SPRING_NIGHT, at: SPRING_NIGHT + 3000, tries: 0 },
        },
      ]);
    });

    test.each<[string, () => Promise<unknown>, string[]]>([
      ['an answer', () => recordAnswer(store, answerOf({ channel })), ['missed 30Z']],
      [
        'a stretch of missed runs',
        () => recordAnswer(store, answerOf({ runId: spanId(SPRING_NIGHT), spanFrom: SPRING_NIGHT, channel })),
        ['missed 30Z..'],
      ],
      [
        'a claim that comes too late',
        () => store.claim(claimOf({ startBy: plus(1), at: plus(2), channel })),
        ['missed 30Z'],
      ],
      [
        'a claim that closes older runs',
        async () => {
          await store.owe(owedOf());
          await store.claim(claimOf({ scheduledTime: plus(1), channel }));
        },
        ['missed 30Z'],
      ],
      [
        'the end of a pending run',
        async () => {
          await store.owe(owedOf());
          await store.endPending({ jobId: JOB, runId: RUN, reason: 'too-late', at: plus(1), channel });
        },
        ['missed 30Z'],
      ],
      [
        'an attempt that has a retry',
        () => runToEnd(store, claimOf(), { status: 'failed', retry: { notBefore: plus(1) }, channel }),
        [],
      ],
      ['a failure that nobody is told of', () => runToEnd(store, claimOf(), { status: 'failed' }), []],
      [
        'a run by hand',
        () => runToEnd(store, claimOf({ trigger: 'manual' }), { status: 'failed', channel }),
        [],
      ],
      [
        'an overlap',
        () => recordAnswer(store, answerOf({ status: 'skipped', reason: 'overlap', channel })),
        [],
      ],
    ])('come of %s: %3$j', async (_what, act, expected) => {
      await act();
      expect(await taken()).toStrictEqual(expected);
    });

    test('are reserved by who takes them, then due again, until they are settled', async () => {
      await runToEnd(store, claimOf(), { status: 'failed', channel });
      const take = () => store.takeNotifications(plus(1), plus(3), 9);
      const [first] = await take();
      expect(await take()).toStrictEqual([]);
      const [again] = await store.takeNotifications(plus(3), plus(5), 9);
      expect(again).toStrictEqual(first);
      const { id } = first as { id: string };
      await store.settleNotification(id, { nextTryAt: plus(20) });
      expect(await store.takeNotifications(plus(20) - 1, plus(30), 9)).toStrictEqual([]);
      expect(await store.takeNotifications(plus(20), plus(30), 9)).toStrictEqual([{ ...first, tries: 1 }]);
      await store.settleNotification(id, undefined);
      await store.settleNotification(id, { nextTryAt: plus(40) });
      expect(await store.takeNotifications(plus(99), plus(100), 9)).toStrictEqual([]);
    });

    test('are taken in the order in which they are due, up to a limit', async () => {
      for (const [minutes, jobId] of ['shop/c', 'shop/a', 'shop/b'].entries()) {
        const claim = claimOf({ jobId, scheduledTime: plus(2 - minutes) });
        await runToEnd(store, claim, { status: 'failed', channel });
      }
      const take = async () =>
        (await store.takeNotifications(plus(9), plus(10), 2)).map(({ jobId }) => jobId);
      expect([await take(), await take(), await take()]).toStrictEqual([
        ['shop/b', 'shop/a'],
        ['shop/c'],
        [],
      ]);
    });
  });

  describe('pauses', () => {
    test('begin once, and end once', async () => {
      const pause = pauseOf(0, { until: plus(9), why: 'move of the disk' });
      expect(await store.pause(pause)).toStrictEqual(pause);
      expect(await store.pause(pauseOf(1))).toStrictEqual(pause);
      const resumption = { at: plus(2), by: 'bob@host-1', why: 'moved' };
      const resumed = { ...pause, resumed: resumption };
      expect(await store.resume(JOB, resumption)).toStrictEqual(resumed);
      expect(await store.resume(JOB, resumption)).toStrictEqual(resumed);
      expect(await store.resume(JOB, { ...resumption, at: plus(3) })).toBeUndefined();
      expect(await store.pauses(JOB)).toStrictEqual([resumed]);
    });

    test('that overlap because a clock went backwards all end', async () => {
      await store.pause(pauseOf(5));
      await store.pause(pauseOf(0, { until: plus(20) }));
      expect((await store.pauses(JOB)).map(({ from }) => from)).toStrictEqual([plus(0), plus(5)]);
      await store.resume(JOB, { at: plus(10), by: 'bob@host-1' });
      expect(await store.pausesAt('shop', plus(10))).toStrictEqual([]);
    });

    test.each<[number, string[]]>([
      [-1, []],
      [0, ['shop/a']],
      [5, ['shop/a', 'shop/b']],
      [10, ['shop/b']],
      [20, []],
    ])('of a crontab at minute %d are those of %j', async (minutes, jobs) => {
      await store.pause(pauseOf(5, { jobId: 'shop/b' }));
      await store.pause(pauseOf(0, { jobId: 'shop/a', until: plus(10) }));
      await store.pause(pauseOf(0, { jobId: 'shop0/a' }));
      await store.resume('shop/b', { at: plus(20), by: 'bob@host-1' });
      const paused = await store.pausesAt('shop', plus(minutes));
      expect(paused.map(({ jobId }) => jobId)).toStrictEqual(jobs);
    });

    test('of nobody: nothing to resume', async () => {
      expect(await store.resume(JOB, { at: plus(0), by: 'bob@host-1' })).toBeUndefined();
      expect(await store.pauses(JOB)).toStrictEqual([]);
    });
  });

  describe('schedules', () => {
    const closed = (interval: ScheduleInterval, minutes: number) => ({ ...interval, until: plus(minutes) });
    const first = intervalOf(0, {
      suspend: 'moved',
      targets: ['daemon'],
      startingDeadlineMs: 5,
      catchUp: 'all',
    });
    const second = intervalOf(10, { schedule: '@reboot', written: '@reboot' });

    test('are kept as they were, also when the answer is lost and the plan is set again', async () => {
      for (let repeated = 0; repeated < 2; repeated += 1) await change(0, { opened: [first] });
      for (let repeated = 0; repeated < 2; repeated += 1)
        await change(10, { closed: [JOB], opened: [second] });
      expect(await store.schedules(JOB)).toStrictEqual([closed(first, 10), second]);
      for (let repeated = 0; repeated < 2; repeated += 1) await change(20, { closed: [JOB] });
      expect(await store.schedules(JOB)).toStrictEqual([closed(first, 10), closed(second, 20)]);
      expect(await store.currentSchedules('shop')).toStrictEqual([]);
    });

    test('that are in force are those of a crontab, by job', async () => {
      const jobs = ['shop/b', 'shop/a', 'shop-2/a', 'shop0/a', 'shop/c'];
      await change(0, { opened: jobs.map((jobId) => intervalOf(0, { jobId })) });
      await change(1, { closed: ['shop/c'] });
      expect(await store.currentSchedules('shop')).toStrictEqual(
        ['shop/a', 'shop/b'].map((jobId) => intervalOf(0, { jobId })),
      );
    });

    test('keep their zone table, also when it changes', async () => {
      const table = { zone: 'UTC', from: 0, until: 10, offset: 0, changes: [] };
      await change(0, { opened: [intervalOf(0), intervalOf(0, { jobId: DUMP, table })] });
      expect((await store.schedules(JOB))[0]?.table.changes).toStrictEqual([[3, 60]]);
      expect((await store.schedules(DUMP))[0]?.table).toStrictEqual(table);
    });

    test('set with a plan come with it', async () => {
      await change(0, { opened: [first] });
      expect(await store.activePlan('shop')).toStrictEqual(plan);
    });
  });

  describe('a job with a new name', () => {
    const claim = claimOf({ concurrencyPolicy: 'forbid' });

    test('has the runs, counters, pauses and schedules of the old one', async () => {
      const stdout = { text: 'done', droppedBytes: 0 };
      await runToEnd(store, claim, { output: { stdout, stderr: stdout } });
      await store.pause(pauseOf(3, { until: plus(4) }));
      await change(0, { opened: [intervalOf(0)] });
      const [runs, states] = [await store.runs({ jobId: JOB, limit: 9 }), await store.states('shop')];
      for (let repeated = 0; repeated < 2; repeated += 1) await rename();
      const renamed = { jobId: DUMP };
      expect(await store.runs({ jobId: DUMP, limit: 9 })).toStrictEqual(
        runs.map((run) => ({ ...run, ...renamed })),
      );
      expect(await store.states('shop')).toStrictEqual(states.map((state) => ({ ...state, ...renamed })));
      expect(await store.output(DUMP, RUN, 1)).toStrictEqual({ stdout, stderr: stdout });
      expect(await store.pauses(DUMP)).toStrictEqual([pauseOf(3, { until: plus(4), ...renamed })]);
      expect(await store.schedules(DUMP)).toStrictEqual([intervalOf(0, renamed)]);
      const left = [store.runs({ jobId: JOB, limit: 9 }), store.pauses(JOB), store.schedules(JOB)] as const;
      expect(await Promise.all(left)).toStrictEqual([[], [], []]);
    });

    test('is not started again for an instant that the old one started after', async () => {
      await runToEnd(store, claim);
      await rename();
      const older = await store.claim(claimOf({ jobId: DUMP, scheduledTime: plus(-1) }));
      expect([older.outcome, runOf(older).blockedBy]).toStrictEqual(['closed', RUN]);
      expect((await store.claim(claimOf({ jobId: DUMP }))).outcome).toBe('taken');
    });

    test('has its lock held by a run that goes on under the old one, and ends there', async () => {
      await startRun(store, claim);
      await rename();
      const next = claimOf({ jobId: DUMP, scheduledTime: plus(1), token: 'token-2' });
      expect((await store.claim(next)).outcome).toBe('closed');
      expect(await store.extend(JOB, RUN, 'token-1', plus(20))).toStrictEqual({});
      const finish = finishOf(claim);
      expect([await store.finish(finish), await store.finish(finish)]).toStrictEqual([true, true]);
      expect(await store.run(JOB, RUN)).toBeUndefined();
      expect((await store.run(DUMP, RUN))?.status).toBe('succeeded');
      expect(await store.states('shop')).toMatchObject([{ jobId: DUMP, runs: { succeeded: 1, skipped: 1 } }]);
    });

    test.each<[string, () => Promise<unknown>]>([
      ['started', () => store.start(JOB, RUN, 'token-1', { number: 1, startedAt: plus(1) })],
      ['given back', () => store.release(JOB, RUN, 'token-1', plus(1))],
    ])('has a claimed run %s under the old one', async (_what, act) => {
      await store.claim(claim);
      await rename();
      expect(await act()).toBe(true);
      expect((await store.run(DUMP, RUN))?.status).not.toBe('claimed');
    });

    test('keeps both runs where both names had one of that time', async () => {
      await runToEnd(store, claimOf({ jobId: DUMP }));
      await runToEnd(store, claimOf({ jobId: DUMP, scheduledTime: plus(-5), concurrencyPolicy: 'allow' }));
      await runToEnd(store, claim, { status: 'failed' });
      await runToEnd(store, claimOf({ scheduledTime: plus(1) }), { status: 'failed' });
      await rename();
      const view = (await store.runs({ limit: 9 })).map(({ jobId, runId, status }) => [jobId, runId, status]);
      expect(view).toStrictEqual([
        [DUMP, '2026-03-29T01:31Z', 'failed'],
        [DUMP, RUN, 'succeeded'],
        [JOB, RUN, 'failed'],
        [DUMP, '2026-03-29T01:25Z', 'succeeded'],
      ]);
      expect(await store.states('shop')).toMatchObject([
        { jobId: DUMP, runs: { succeeded: 2, failed: 2 }, attempts: 4 },
      ]);
    });

    test('may get its old name back', async () => {
      await startRun(store, claim);
      await rename();
      await change(10, { renamed: [{ from: DUMP, to: JOB }] });
      expect(await store.finish(finishOf(claimOf({ jobId: DUMP })))).toBe(true);
      expect((await store.run(JOB, RUN))?.status).toBe('succeeded');
      expect(await store.finish(finishOf(claimOf({ jobId: DUMP, runId: 'other' })))).toBe(false);
    });
  });

  test('prune deletes pauses and schedules that ended 400 days ago, not before, and none in force', async () => {
    await store.pause(pauseOf(0, { until: plus(1) }));
    await store.pause(pauseOf(2));
    await change(0, { opened: [intervalOf(0)] });
    await change(1, { closed: [JOB], opened: [intervalOf(1)] });
    const left = async () => [(await store.pauses(JOB)).length, (await store.schedules(JOB)).length];
    const counts = [];
    for (const now of [plus(1) + 400 * DAY - 1, plus(1) + 400 * DAY, plus(1) + 4000 * DAY]) {
      expect(await store.prune(now, 9)).toBe(0);
      counts.push(await left());
    }
    expect(counts).toStrictEqual([
      [2, 2],
      [1, 1],
      [1, 1],
    ]);
  });
}
