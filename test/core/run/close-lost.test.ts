import { describe, expect, test } from '@jest/globals';
import { closeLost, type LostEnd, type LostJob } from '../../../shared/core/run/close-lost.ts';
import type { LostRun } from '../../../shared/core/run/lease.ts';
import type { Run } from '../../../shared/core/run/run.ts';
import type { Finish, RunStore } from '../../../shared/core/run/run-store.ts';
import { jobOf } from '../../support/plan-of.ts';
import { ownerOf } from '../../support/run-claims.ts';

const MINUTE = 60_000;
const NOW = Date.parse('2026-03-29T01:40Z');
const DUE = Date.parse('2026-03-29T01:30Z');
const LEASE_UNTIL = DUE + 5 * MINUTE;
const KEY = { jobId: 'shop/backup', runId: '2026-03-29T01:30Z', token: 'token-1' };

/** Takes everything, or nothing because the run is another's by now. */
class ClosingStore implements Pick<RunStore, 'finish' | 'release'> {
  readonly asked: unknown[] = [];
  readonly #isTaking: boolean;

  constructor(isTaking: boolean) {
    this.#isTaking = isTaking;
  }

  async finish(finish: Finish): Promise<boolean> {
    this.asked.push(finish);
    return this.#isTaking;
  }

  async release(...release: Parameters<RunStore['release']>): Promise<boolean> {
    this.asked.push(release);
    return this.#isTaking;
  }
}

const CLAIMED: Run = {
  ...{ jobId: KEY.jobId, runId: KEY.runId, scheduledTime: DUE, trigger: 'schedule', status: 'claimed' },
  ...{ planHash: 'hash-1', createdAt: DUE, owner: ownerOf(KEY.token), leaseUntil: LEASE_UNTIL, attempts: [] },
};
const RUNNING: Run = { ...CLAIMED, status: 'running', attempts: [{ number: 1, startedAt: DUE }] };

function planned(options: string, channel?: string): LostJob {
  const job = jobOf(`# kuber-cron: name=backup ${options}\n30 1 * * * ./backup.sh\n`);
  return { job, nextDue: () => undefined, random: () => 0, ...(channel === undefined ? {} : { channel }) };
}

const LOST = { status: 'lost', reason: 'owner-died', at: NOW } as const;
const ATTEMPT = {
  attempt: { number: 1, startedAt: DUE, finishedAt: NOW, status: 'lost', reason: 'owner-died' },
} as const;
const ENDED: Finish = { ...KEY, ...LOST, ...ATTEMPT, ifLeaseUntil: LEASE_UNTIL };
const RELEASED = [KEY.jobId, KEY.runId, KEY.token, NOW, LEASE_UNTIL];

describe('a run whose owner is gone', () => {
  test.each<[what: string, run: Run, planned: LostJob | undefined, asked: Finish | typeof RELEASED]>([
    [
      'and that ran is lost with its attempt, if its lease is the one that was seen',
      RUNNING,
      planned(''),
      ENDED,
    ],
    ['and whose job is gone too is lost', RUNNING, undefined, ENDED],
    [
      'is tried again where its job has another attempt',
      RUNNING,
      planned('retries=1 backoff=2m..2m'),
      { ...ENDED, retry: { notBefore: NOW + 2 * MINUTE, startBy: NOW + 62 * MINUTE } },
    ],
    ['is told of where its job says', RUNNING, planned('', 'ops'), { ...ENDED, channel: 'ops' }],
    ['and that was only claimed is given back', CLAIMED, planned(''), RELEASED],
    ['and that was only claimed is given back by whoever knows no job', CLAIMED, undefined, RELEASED],
    [
      'and that was only claimed by hand is lost: nobody waits for it',
      { ...CLAIMED, trigger: 'manual' },
      planned('retries=1'),
      { ...KEY, ...LOST, ifLeaseUntil: LEASE_UNTIL },
    ],
  ])('%s', async (_what, run, job, asked) => {
    const lost: LostRun = { run, reason: 'owner-died' };
    const end: LostEnd = Array.isArray(asked) ? 'given-back' : (asked as Finish);
    const taking = new ClosingStore(true);
    expect([await closeLost(taking, lost, job, NOW), taking.asked]).toEqual([end, [asked]]);
  });

  test.each([
    ['runs', RUNNING],
    ['is claimed', CLAIMED],
  ])('and that another one has taken meanwhile is left to it: it %s', async (_what, run) => {
    const store = new ClosingStore(false);
    expect(
      await closeLost(store, { run, reason: 'lease-expired' }, planned('retries=1'), NOW),
    ).toBeUndefined();
  });
});
