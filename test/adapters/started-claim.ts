import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Claim, RunStore } from '../../shared/core/run/run-store.ts';
import { claimOf, finishOf, MINUTE, owedOf, runOf, runToEnd, SPRING_NIGHT } from '../support/run-claims.ts';

const JOB = 'shop/backup';
const RUN = '2026-03-29T01:30Z';
const startedAt = SPRING_NIGHT + 1000;
const plus = (minutes: number) => SPRING_NIGHT + minutes * MINUTE;

/** Defines what every run store does with claims whose owner starts at once. */
export function describeStartedClaims(open: () => RunStore): void {
  describe('of a claim whose owner starts at once,', () => {
    let store: RunStore;
    beforeEach(() => {
      store = open();
    });
    afterEach(() => store.close());

    test('makes a running run, which is ended without a start', async () => {
      const result = await store.claim(claimOf({ startedAt }));
      const run = { status: 'running', attempts: [{ number: 1, startedAt }], owner: { token: 'token-1' } };
      expect(result).toMatchObject({ outcome: 'won', run });
      expect(runOf(result)).toStrictEqual(await store.run(JOB, RUN));
      expect(await store.start(JOB, RUN, 'token-1', { number: 1, startedAt })).toBe(true);
      expect(await store.finish(finishOf(claimOf()))).toBe(true);
      expect(await store.states('shop')).toMatchObject([{ runs: { succeeded: 1 }, attempts: 1 }]);
    });

    test('answers the same when the claim is repeated, and starts nothing twice', async () => {
      const first = await store.claim(claimOf({ startedAt }));
      expect(await store.claim(claimOf({ startedAt: startedAt + 9 }))).toStrictEqual(first);
      expect((await store.claim(claimOf({ startedAt, token: 'token-2' }))).outcome).toBe('taken');
    });

    test('starts the next attempt of a run that waits for one', async () => {
      await runToEnd(store, claimOf(), { status: 'failed', retry: { notBefore: plus(1) } });
      const again = runOf(await store.claim(claimOf({ at: plus(1), startedAt: plus(1) })));
      expect(again.attempts).toMatchObject([{ number: 1 }, { number: 2, startedAt: plus(1) }]);
    });

    test('notes the start: an older run is superseded, also when the claim is given up', async () => {
      const later = claimOf({ scheduledTime: plus(5), startedAt: plus(5) });
      await store.claim(later);
      expect(await store.release(JOB, later.runId, 'token-1', plus(5))).toBe(false);
      await store.finish(
        finishOf(later, { attempt: { number: 1, startedAt: plus(5), status: 'succeeded' } }),
      );
      const older = await store.claim(claimOf({ startedAt: plus(6), at: plus(6) }));
      expect([older.outcome, runOf(older).blockedBy]).toStrictEqual(['closed', later.runId]);
    });

    test.each<[string, Partial<Claim>, string, string]>([
      ['under forbid', {}, 'closed', 'skipped'],
      ['under replace', { concurrencyPolicy: 'replace' }, 'waiting', 'pending'],
      ['under allow', { concurrencyPolicy: 'allow' }, 'won', 'running'],
      ['too late', { startBy: plus(0) }, 'closed', 'missed'],
    ])(
      'obeys the rules of claims: beside a running run, %s, it is %3$s',
      async (_how, fields, ...expected) => {
        await store.claim(claimOf({ startedAt }));
        const next = claimOf({ scheduledTime: plus(1), startedAt: plus(1), token: 'token-2', ...fields });
        const result = await store.claim(next);
        expect([result.outcome, runOf(result).status]).toStrictEqual(expected);
      },
    );

    test('closes older owed runs with it', async () => {
      await store.owe(owedOf());
      const newer = claimOf({ scheduledTime: plus(1), startedAt: plus(1) });
      expect(runOf(await store.claim(newer)).status).toBe('running');
      expect((await store.run(JOB, RUN))?.status).toBe('missed');
    });
  });
}
