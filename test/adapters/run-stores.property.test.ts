import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MemoryRunStore } from '../../shared/adapters/memory-run-store.ts';
import { SqliteRunStore } from '../../shared/adapters/sqlite-run-store.ts';
import type { RunStore } from '../../shared/core/run/run-store.ts';
import { answerOf, claimOf, finishOf, MINUTE, SPRING_NIGHT } from '../support/run-claims.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();

const jobIds = ['shop/a', 'shop/b', 'till/a'] as const;
const runIds = ['#m1', 'reboot#1'] as const;

/** Few jobs, runs and tokens, so that operations meet. */
const wish = fc
  .record({
    jobId: fc.constantFrom(...jobIds),
    minute: fc.integer({ min: 0, max: 3 }),
    kind: fc.constantFrom('due', 'due', 'due', ...runIds),
    token: fc.constantFrom('one', 'two'),
    concurrencyPolicy: fc.constantFrom('forbid', 'forbid', 'allow', 'replace'),
    delay: fc.integer({ min: 0, max: 2 }),
  })
  .map(({ jobId, minute, kind, token, concurrencyPolicy, delay }) => {
    const scheduledTime = SPRING_NIGHT + minute * MINUTE;
    return claimOf({
      ...{ jobId, scheduledTime, token, concurrencyPolicy, at: scheduledTime + delay * MINUTE },
      ...(kind === 'due' ? {} : { runId: kind }),
      ...(kind === '#m1' ? { trigger: 'manual' } : {}),
    });
  });
const outputs = fc.option(
  fc.tuple(fc.string({ unit: 'binary' }), fc.nat()).map(([text, droppedBytes]) => {
    const tail = { text, droppedBytes };
    return { stdout: tail, stderr: tail };
  }),
  { nil: undefined },
);

/** What a counterexample shows, and what is done. */
interface Operation {
  readonly what: string;
  readonly run: (store: RunStore) => Promise<unknown>;
}

const claims = wish.map(
  (claim): Operation => ({ what: show('claim', claim), run: (store) => store.claim(claim) }),
);

const starts = wish.map(
  ({ jobId, runId, owner: { token }, at }): Operation => ({
    what: show('start', { jobId, runId, token, at }),
    run: (store) => store.start(jobId, runId, token, { number: 1, startedAt: at }),
  }),
);

const finishes = fc
  .tuple(wish, fc.constantFrom('succeeded', 'failed', 'lost'), outputs, fc.boolean())
  .map(([claim, status, output, isStarted]): Operation => {
    const finish = finishOf(claim, {
      status,
      ...(output === undefined ? {} : { output }),
      ...(isStarted ? {} : { attempt: undefined }),
    });
    return { what: show('finish', finish), run: (store) => store.finish(finish) };
  });

const releases = wish.map(
  ({ jobId, runId, owner: { token } }): Operation => ({
    what: show('release', { jobId, runId, token }),
    run: (store) => store.release(jobId, runId, token),
  }),
);

const answers = wish.map(({ jobId, scheduledTime }): Operation => {
  const answer = answerOf({ jobId, scheduledTime });
  return { what: show('answer', answer), run: (store) => store.answer(answer) };
});

const prunes = fc
  .tuple(fc.constantFrom(20, 30, 60, 90, 100), fc.integer({ min: 0, max: 3 }))
  .map(([days, limit]): Operation => {
    const now = SPRING_NIGHT + days * 86_400_000 + 2 * MINUTE;
    return { what: show('prune', { days, limit }), run: (store) => store.prune(now, limit) };
  });

const cursors = wish.map(
  ({ at }): Operation => ({ what: show('cursor', at), run: (store) => store.setCursor('shop', at) }),
);

const turns = fc.array(
  fc.array(
    fc.oneof(
      { weight: 4, arbitrary: claims },
      { weight: 2, arbitrary: starts },
      { weight: 3, arbitrary: finishes },
      { weight: 1, arbitrary: releases },
      { weight: 1, arbitrary: answers },
      { weight: 1, arbitrary: prunes },
      { weight: 1, arbitrary: cursors },
    ),
    { minLength: 1, maxLength: 4 },
  ),
  { maxLength: 15 },
);

function show(verb: string, what: unknown): string {
  return `${verb} ${JSON.stringify(what)}`;
}

async function view(store: RunStore): Promise<unknown> {
  const runs = await store.runs({ limit: 100 });
  const [before] = await store.runs({ limit: 1 });
  return {
    runs,
    rest: await store.runs({ limit: 3, ...(before === undefined ? {} : { before }) }),
    ofJobs: await Promise.all(jobIds.map((jobId) => store.runs({ jobId, limit: 2 }))),
    outputs: await Promise.all(runs.map(({ jobId, runId }) => store.output(jobId, runId, 1))),
    unfinished: await store.unfinished(),
    states: [await store.states('shop'), await store.states('till')],
    cursor: await store.cursor('shop'),
  };
}

test('run stores of memory and SQLite give the same answers to any operations', async () => {
  let files = 0;
  await fc.assert(
    fc.asyncProperty(turns, async (operations) => {
      files += 1;
      const memory = new MemoryRunStore();
      const sqlite = SqliteRunStore.open(join(folder, `${files}.db`));
      try {
        for (const turn of operations) {
          const answersOf = (store: RunStore) => Promise.all(turn.map(({ run }) => run(store)));
          expect(await answersOf(sqlite)).toStrictEqual(await answersOf(memory));
        }
        expect(await view(sqlite)).toStrictEqual(await view(memory));
      } finally {
        await sqlite.close();
      }
    }),
    { numRuns: 150 },
  );
});
