import { describe, expect, test } from '@jest/globals';
import { HEARTBEAT_MS, LEASE_MS, LeaseKeeper, LeaseWatch } from '../../../shared/core/run/lease.ts';
import type { Owner, Run } from '../../../shared/core/run/run.ts';
import type { Lease, RunStore } from '../../../shared/core/run/run-store.ts';
import { FakeClock, settled } from '../../support/fake-clock.ts';
import { ownerOf } from '../../support/run-claims.ts';

const SECOND = 1000;
const NOW = Date.parse('2026-03-29T01:30:00Z');

function runOf(id: string, fields: Partial<Run> = {}): Run {
  return {
    jobId: `shop/${id}`,
    runId: '2026-03-29T01:30Z',
    scheduledTime: NOW,
    trigger: 'schedule',
    status: 'running',
    planHash: 'hash-1',
    createdAt: NOW,
    owner: ownerOf('token-1'),
    leaseUntil: NOW + LEASE_MS,
    attempts: [],
    ...fields,
  };
}

/** A store that answers as a test says. */
class LeaseStore implements Pick<RunStore, 'extend' | 'run'> {
  readonly extended: string[] = [];
  looks = 0;
  answer: () => Promise<Lease | undefined> = async () => ({});
  seen: Run | undefined;

  async extend(jobId: string, _runId: string, token: string, leaseUntil: number): Promise<Lease | undefined> {
    this.extended.push(`${jobId} ${token} ${(leaseUntil - NOW) / SECOND}`);
    return await this.answer();
  }

  async run(): Promise<Run | undefined> {
    this.looks++;
    return this.seen;
  }
}

function keeping(lookEveryMs?: number) {
  const clock = new FakeClock(NOW);
  const store = new LeaseStore();
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const keeper = new LeaseKeeper(store, clock, { onError, ...(lookEveryMs && { lookEveryMs }) });
  const stops: string[] = [];
  const letGo = keeper.keep(
    runOf('a'),
    (reason) => void stops.push(`${reason} at ${clock.monotonic() / SECOND}`),
  );
  return { clock, store, keeper, stops, letGo, errors };
}

const cancel = { verb: 'cancel', by: 'jane@desk', at: NOW } as const;
const replace = { verb: 'replace', by: '2026-03-29T01:31Z', at: NOW } as const;

describe('an owner', () => {
  test('extends all of its leases every twenty seconds', async () => {
    const { clock, store, keeper } = keeping();
    keeper.keep(runOf('b'), () => {});
    await clock.advance(2 * HEARTBEAT_MS);
    expect(store.extended).toEqual([
      'shop/a token-1 320',
      'shop/b token-1 320',
      'shop/a token-1 340',
      'shop/b token-1 340',
    ]);
  });

  test('lets go of what is over, and sleeps when nothing is left', async () => {
    const { clock, store, letGo } = keeping();
    await clock.advance(HEARTBEAT_MS);
    letGo();
    await settled();
    await clock.advance(10 * HEARTBEAT_MS);
    expect([store.extended.length, clock.sleepers]).toEqual([1, 0]);
  });

  test.each<
    [what: string, lookEveryMs: number | undefined, lease: Lease, run: Run | undefined, stops: string[]]
  >([
    ['with a heartbeat', undefined, { cancelRequest: cancel }, undefined, ['requested at 20']],
    ['a later run asks for it', undefined, { cancelRequest: replace }, undefined, ['replaced at 20']],
    [
      'sooner, where to look costs little',
      2000,
      {},
      runOf('a', { cancelRequest: cancel }),
      ['requested at 2'],
    ],
    [
      "not when the run is somebody else's by now",
      2000,
      {},
      runOf('a', { cancelRequest: cancel, owner: ownerOf('token-2') }),
      [],
    ],
  ])('hears that a run shall end: %s', async (_what, lookEveryMs, lease, seen, stops) => {
    const keeping_ = keeping(lookEveryMs);
    keeping_.store.answer = async () => lease;
    keeping_.store.seen = seen;
    await keeping_.clock.advance(90 * SECOND);
    expect(keeping_.stops).toEqual(stops);
  });

  test.each<[what: string, answer: LeaseStore['answer'], stops: string[]]>([
    ["is another's by now", async () => undefined, ['lease-lost at 20']],
    [
      'cannot be extended: TERM comes fifty seconds before the end of the lease',
      () => Promise.reject(new Error('down')),
      ['lease-lost at 250'],
    ],
    ['cannot be extended since the store hangs', () => new Promise(() => {}), ['lease-lost at 250']],
  ])('stops a run that %s', async (_what, answer, stops) => {
    const { clock, store, stops: told } = keeping();
    store.answer = answer;
    await clock.advance(LEASE_MS);
    expect(told).toEqual(stops);
  });

  test('that was heard again goes on, and asks sooner until then', async () => {
    const { clock, store, stops, errors } = keeping();
    store.answer = () => Promise.reject(new Error('down'));
    await clock.advance(100 * SECOND);
    store.answer = async () => ({});
    await clock.advance(LEASE_MS);
    expect(stops).toEqual([]);
    // At 20 s, and then every five.
    expect(errors.length).toBe(17);
  });

  test('whose clock jumps keeps its leases as long as ever', async () => {
    const { clock, store, stops } = keeping();
    clock.jumpTo(NOW + 24 * 3_600_000);
    await clock.advance(HEARTBEAT_MS);
    clock.jumpTo(NOW - 24 * 3_600_000);
    await clock.advance(10 * HEARTBEAT_MS);
    expect([stops, store.extended.length]).toEqual([[], 11]);
  });
});

describe('a run is lost', () => {
  const DEAD = ownerOf('dead');
  const LIVING = ownerOf('living');
  const FAR = ownerOf('far');
  const isAlive = ({ token }: Owner) => (token === 'far' ? undefined : token !== 'dead');

  function lostAfter(ms: number, runs: readonly Run[], later: readonly Run[] = runs) {
    const clock = new FakeClock(NOW);
    const watch = new LeaseWatch(clock);
    const isOwn = ({ jobId }: Run) => jobId === 'shop/own';
    const first = watch.lost(runs, isAlive, isOwn);
    return clock
      .advance(ms)
      .then(() =>
        [...first, ...watch.lost(later, isAlive, isOwn)].map(({ run, reason }) => `${run.jobId} ${reason}`),
      );
  }

  test.each<[what: string, ms: number, run: Run, later: Run | undefined, lost: string[]]>([
    [
      'at once when its owner died',
      0,
      runOf('a', { owner: DEAD }),
      runOf('b', { owner: LIVING }),
      ['shop/a owner-died'],
    ],
    [
      'never while its owner lives and extends it',
      LEASE_MS + 1,
      runOf('a', { owner: LIVING }),
      runOf('a', { owner: LIVING, leaseUntil: NOW + 1 }),
      [],
    ],
    [
      'when its owner lives and does not extend it for a lease',
      LEASE_MS + 1,
      runOf('a', { owner: LIVING }),
      undefined,
      ['shop/a lease-expired'],
    ],
    [
      'when nothing is seen of its owner and of a lease',
      LEASE_MS + 1,
      runOf('a', { owner: FAR }),
      undefined,
      ['shop/a lease-expired'],
    ],
    ['not before that', LEASE_MS, runOf('a', { owner: FAR }), undefined, []],
    [
      'not by what its lease says: clocks differ',
      0,
      runOf('a', { owner: FAR, leaseUntil: NOW - 86_400_000 }),
      undefined,
      [],
    ],
    ['never when it is our own', 10 * LEASE_MS, runOf('own', { owner: DEAD }), undefined, []],
  ])('%s', async (_what, ms, run, later, lost) => {
    expect(await lostAfter(ms, [run], later === undefined ? [run] : [later])).toEqual(lost);
  });
});
