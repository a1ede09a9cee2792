import { describe, expect, test } from '@jest/globals';
import { Janitor, type JanitorPorts } from '../../container/janitor.ts';
import { MemoryRunStore } from '../../shared/adapters/memory-run-store.ts';
import type { Run } from '../../shared/core/run/run.ts';
import type { Finish } from '../../shared/core/run/run-store.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';
import { claimOf } from '../support/run-claims.ts';

const CLAIM = claimOf();
const KEY = [CLAIM.jobId, CLAIM.runId] as const;

/** A janitor over a run whose owner is dead. */
async function overDeadOwner(given: Partial<JanitorPorts> & { readonly isStarted: boolean }) {
  const store = new MemoryRunStore();
  const clock = new FakeClock(CLAIM.at);
  await store.claim(CLAIM);
  const first = { number: 1, startedAt: CLAIM.at };
  if (given.isStarted) await store.start(...KEY, CLAIM.owner.token, first);
  const ports: JanitorPorts = {
    ...{ store, clock, emit: () => {}, random: () => 0, isAlive: () => false },
    killLeftovers: async () => {},
    spool: { all: () => [], remove: () => {} },
    cleanLogs: async () => {},
    ...given,
  };
  const runs = { holds: () => false, planned: () => undefined, sweepFrom: () => {} };
  return { store, janitor: new Janitor(ports, runs, undefined), first };
}

describe('a run whose owner died', () => {
  test.each([
    ['claimed', false, 'pending'],
    ['running', true, 'lost'],
  ])('is %s still while what is left of it is being ended', async (before, isStarted, after) => {
    const ending = Promise.withResolvers<void>();
    const asked: Run[] = [];
    const killLeftovers = async (runs: readonly Run[]) => {
      asked.push(...runs);
      await ending.promise;
    };
    const { store, janitor } = await overDeadOwner({ isStarted, killLeftovers });
    const recovered = janitor.recover();
    await settled();
    expect([asked.map(({ runId }) => runId), (await store.run(...KEY))?.status]).toEqual([
      [CLAIM.runId],
      before,
    ]);
    ending.resolve();
    await recovered;
    expect((await store.run(...KEY))?.status).toBe(after);
  });

  test('is not lost when its end is in the spool', async () => {
    const spooled: Finish[] = [];
    const spool = {
      all: () => [...spooled],
      remove: (finish: Finish) => void spooled.splice(spooled.indexOf(finish), 1),
    };
    const { store, janitor, first } = await overDeadOwner({ isStarted: true, spool });
    const at = CLAIM.at + 1000;
    const attempt = { ...first, finishedAt: at, status: 'succeeded', exitCode: 0 } as const;
    const [jobId, runId] = KEY;
    spooled.push({ jobId, runId, token: CLAIM.owner.token, status: 'succeeded', attempt, at });
    await janitor.recover();
    const run = await store.run(...KEY);
    expect([run?.status, run?.finishedAt, spooled]).toEqual(['succeeded', at, []]);
  });
});
