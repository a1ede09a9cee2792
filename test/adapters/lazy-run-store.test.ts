import { expect, test } from '@jest/globals';
import { lazyRunStore } from '../../shared/adapters/lazy-run-store.ts';
import { MemoryRunStore } from '../../shared/adapters/memory-run-store.ts';
import { claimOf, finishOf } from '../support/run-claims.ts';

test('a store is opened once, by its first use, and its calls reach it in their order', async () => {
  let opened = 0;
  const store = lazyRunStore(async () => {
    opened += 1;
    return new MemoryRunStore();
  });
  expect(opened).toBe(0);
  const claim = claimOf();
  const start = { number: 1, startedAt: claim.at + 1000 };
  const results = await Promise.all([
    store.claim(claim),
    store.start(claim.jobId, claim.runId, 'token-1', start),
    store.finish(finishOf(claim)),
    store.run(claim.jobId, claim.runId),
  ]);
  expect(results).toMatchObject([{ outcome: 'won' }, true, true, { status: 'succeeded' }]);
  expect(opened).toBe(1);
});

test('a store that was never used is not opened to be closed, and a promise may hold it', async () => {
  let opened = 0;
  const store = await lazyRunStore(async () => {
    opened += 1;
    return new MemoryRunStore();
  });
  await store.close();
  expect(opened).toBe(0);
});

test('what keeps it from opening is told to each call', async () => {
  const store = lazyRunStore(() => Promise.reject(new Error('no such library')));
  await expect(store.cursor('shop')).rejects.toThrow('no such library');
  await expect(store.crontabs()).rejects.toThrow('no such library');
});
