import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Run } from '../../shared/core/run/run.ts';
import { dueRunId, spanId } from '../../shared/core/run/run-id.ts';
import type { RunStore } from '../../shared/core/run/run-store.ts';
import {
  answerOf,
  claimOf,
  finishOf,
  MINUTE,
  NO_CHANGE,
  owedOf,
  recordAnswer,
  runToEnd,
  SPRING_NIGHT,
} from '../support/run-claims.ts';

const JOB = 'shop/backup';
const RUN = '2026-03-29T01:30Z';
const plus = (minutes: number) => SPRING_NIGHT + minutes * MINUTE;
const keyAt = (minutes: number, jobId = JOB) => ({ jobId, runId: dueRunId(plus(minutes)) });
const spanOf = (from: number, to: number) =>
  answerOf({ scheduledTime: plus(to), spanFrom: plus(from), runId: spanId(plus(from)) });

/** Defines what every run store does for ledger passes that start nothing themselves. */
export function describeLedger(open: () => RunStore): void {
  let store: RunStore;
  beforeEach(() => {
    store = open();
  });
  afterEach(() => store.close());
  const pending = async (minutes: number) =>
    (await store.pending(plus(minutes), 9)).map(({ runId }) => runId.slice(14));

  describe('a pending run that is handed out', () => {
    test('is not pending for anybody else for two minutes, and may be claimed at once', async () => {
      await store.owe(owedOf());
      expect(await store.handOut({ jobId: JOB, runId: RUN }, plus(1))).toBe(true);
      expect([await pending(1), await pending(2), await pending(3)]).toStrictEqual([[], [], ['30Z']]);
      const result = await store.claim(claimOf({ at: plus(1) + 1 }));
      expect(result).toMatchObject({ outcome: 'won', run: { status: 'claimed', handedAt: plus(1) } });
    });

    test('may be claimed by an executor whose clock is behind that of who told it', async () => {
      await store.owe(owedOf({ at: plus(1), notBefore: plus(1), handedAt: plus(1) }));
      expect((await store.claim(claimOf({ at: plus(1) - 40 }))).outcome).toBe('won');
    });

    test('and given back waits until it was given back', async () => {
      await store.owe(owedOf({ handedAt: plus(0) }));
      const claim = claimOf({ at: plus(0) });
      await store.claim(claim);
      await store.release(JOB, RUN, claim.owner.token, plus(5));
      expect((await store.claim(claimOf({ at: plus(4), token: 'token-2' }))).outcome).toBe('waiting');
    });

    test('hides none that is owed behind it', async () => {
      await store.owe(owedOf());
      await store.owe(owedOf({ scheduledTime: plus(1) }));
      expect(await pending(5)).toStrictEqual(['30Z']);
      await store.handOut(keyAt(0), plus(5));
      expect(await pending(5)).toStrictEqual(['31Z']);
    });

    test('is handed out as soon as it is put, where its row says so', async () => {
      await store.settle({
        answers: [],
        owed: [owedOf({ at: plus(2), notBefore: plus(2), handedAt: plus(2) })],
      });
      expect([await pending(3), await pending(4)]).toStrictEqual([[], ['30Z']]);
    });

    test.each<[string, boolean, (store: RunStore) => Promise<unknown>]>([
      ['by nobody yet', true, (of) => of.owe(owedOf())],
      ['before its time', false, (of) => of.owe(owedOf({ notBefore: plus(10) }))],
      [
        'by somebody else at this time',
        false,
        async (of) => {
          await of.owe(owedOf());
          await of.handOut(keyAt(0), plus(8) + 1);
        },
      ],
      [
        'by somebody else two minutes ago',
        true,
        async (of) => {
          await of.owe(owedOf());
          await of.handOut(keyAt(0), plus(7));
        },
      ],
      [
        'by this very call, whose answer was lost',
        true,
        async (of) => {
          await of.owe(owedOf());
          await of.handOut(keyAt(0), plus(9));
        },
      ],
      ['that does not exist', false, async () => {}],
      ['that is claimed', false, (of) => of.claim(claimOf())],
      ['that is over', false, (of) => runToEnd(of, claimOf())],
    ])('is so %s: %s', async (_what, isHanded, before) => {
      await before(store);
      expect(await store.handOut(keyAt(0), plus(9))).toBe(isHanded);
    });

    test('is one of its next attempt, which waits for nothing but its time', async () => {
      await store.owe(owedOf());
      await store.handOut(keyAt(0), plus(0));
      const attempt = { number: 1, startedAt: plus(0) };
      const claim = claimOf({ at: plus(0), startedAt: plus(0) });
      await store.claim(claim);
      const ended = { ...attempt, finishedAt: plus(0), status: 'failed' } as const;
      await store.finish(
        finishOf(claim, { status: 'failed', attempt: ended, retry: { notBefore: plus(1) } }),
      );
      expect(await pending(1)).toStrictEqual(['30Z']);
    });

    test('is one of its reopening, too', async () => {
      await store.owe(owedOf());
      await store.handOut(keyAt(0), plus(0));
      await store.endPending({ ...keyAt(0), reason: 'too-late', at: plus(0) });
      const request = { verb: 'retry', by: 'ann@host-1', at: plus(1) } as const;
      await store.reopen({ ...keyAt(0), request, notBefore: plus(1) });
      expect(await pending(1)).toStrictEqual(['30Z']);
    });
  });

  test('of some runs, those that exist are named in the order of the question', async () => {
    await runToEnd(store, claimOf());
    await store.owe(owedOf({ scheduledTime: plus(2) }));
    await recordAnswer(store, spanOf(3, 5));
    const other = { jobId: 'shop/report', runId: RUN };
    const keys = [keyAt(2), keyAt(1), other, keyAt(0), keyAt(3), keyAt(5)];
    expect(await store.existing(keys)).toStrictEqual([keyAt(2), keyAt(0)]);
    expect(await store.existing([])).toStrictEqual([]);
  });

  test('of more than a hundred runs, too', async () => {
    const wanted = Array.from({ length: 230 }, (_, minutes) => keyAt(minutes));
    await store.settle({
      answers: [],
      owed: wanted
        .map((_key, minutes) => owedOf({ scheduledTime: plus(minutes) }))
        .filter((_, n) => n % 3 === 0),
    });
    expect(await store.existing(wanted)).toStrictEqual(wanted.filter((_key, minutes) => minutes % 3 === 0));
  });

  test('instants of a stretch that have an answer are due runs and spans, whatever became of them', async () => {
    await recordAnswer(store, spanOf(-5, -1));
    await runToEnd(store, claimOf());
    await store.claim(
      claimOf({ runId: `${RUN}#m123`, trigger: 'manual', scheduledTime: plus(2), token: 't' }),
    );
    await store.owe(owedOf({ scheduledTime: plus(4) }));
    await recordAnswer(store, answerOf({ scheduledTime: plus(5) }));
    await recordAnswer(store, spanOf(6, 9));
    await store.owe(owedOf({ scheduledTime: plus(11), trigger: 'backfill', cause: 'requested' }));
    await recordAnswer(store, answerOf({ scheduledTime: plus(3), jobId: 'shop/report' }));
    const stretch = (from: number, to: number) => [plus(from), plus(to)];
    const all = [
      stretch(-5, -1),
      stretch(0, 0),
      stretch(4, 4),
      stretch(5, 5),
      stretch(6, 9),
      stretch(11, 11),
    ];
    expect(await store.answered(JOB, plus(-60), plus(60))).toStrictEqual(all);
    // The beginning is not part of it, the end is; a span counts where any of it does.
    expect(await store.answered(JOB, plus(0), plus(4))).toStrictEqual([stretch(4, 4)]);
    expect(await store.answered(JOB, plus(-3), plus(8))).toStrictEqual(all.slice(0, 5));
    expect(await store.answered(JOB, plus(-1), plus(-1) + 30_000)).toStrictEqual([]);
    expect(await store.answered(JOB, plus(0) - 1, plus(0) + 1)).toStrictEqual([stretch(0, 0)]);
    expect(await store.answered(JOB, plus(9), plus(10))).toStrictEqual([]);
  });

  describe('the turn of a crontab', () => {
    test.each([
      ['is taken where nobody has it', 'shop', 'b', 10, true],
      ['is not taken while somebody has it', 'shop', 'b', 5, false],
      ['may be had longer', 'shop', 'a', 5, true],
      ['is free at the end of the time it was taken for', 'shop', 'b', 7, true],
      ['is not that of another crontab', 'office', 'b', 5, true],
    ])('%s', async (what, crontab, token, minutes, isTaken) => {
      if (what !== 'is taken where nobody has it')
        expect(await store.takeTurn('shop', 'a', plus(5), plus(7))).toBe(true);
      expect(await store.takeTurn(crontab, token, plus(minutes), plus(minutes + 2))).toBe(isTaken);
    });

    test('is given back by asking for none of it', async () => {
      await store.takeTurn('shop', 'a', plus(5), plus(7));
      await store.takeTurn('shop', 'a', plus(6), plus(6));
      expect(await store.takeTurn('shop', 'b', plus(6), plus(8))).toBe(true);
    });
  });

  test('a plan says for which target a deployment put it in force', async () => {
    const active = {
      plan: { format: 1 as const, crontab: 'shop', zones: {}, jobs: [] },
      ...{ hash: 'hash-1', since: SPRING_NIGHT },
    };
    await store.setActivePlan({ ...active, target: 'aws' }, NO_CHANGE);
    expect(await store.activePlan('shop')).toStrictEqual({ ...active, target: 'aws' });
    await store.setActivePlan(active, NO_CHANGE);
    expect(await store.activePlan('shop')).toStrictEqual(active);
  });

  test('a run that was handed out and given back stays handed out for its two minutes', async () => {
    await store.owe(owedOf());
    await store.handOut(keyAt(0), plus(0));
    const claim = claimOf({ at: plus(0) });
    await store.claim(claim);
    await store.release(JOB, RUN, claim.owner.token, plus(1));
    expect(await store.run(JOB, RUN)).toMatchObject({
      status: 'pending',
      handedAt: plus(0),
    } satisfies Partial<Run>);
    expect([await pending(1), await pending(2)]).toStrictEqual([[], ['30Z']]);
  });
}
