/**
 * A process to be killed: `write-without-end.ts FILE` claims, starts and ends runs until then, several at once, and
 * writes a line for each promise that was kept.
 */
import { writeSync } from 'node:fs';
import { SqliteRunStore } from '../../shared/adapters/sqlite-run-store.ts';
import { claimOf, finishOf } from './run-claims.ts';

const store = SqliteRunStore.open(process.argv[2] as string);

async function writeRuns(jobId: string): Promise<void> {
  for (let count = 0; ; count += 1) {
    const claim = claimOf({ jobId, runId: `run-${count}`, trigger: 'manual' });
    await store.claim(claim);
    writeSync(1, `${jobId} ${claim.runId} claimed\n`);
    await store.start(jobId, claim.runId, 'token-1', { number: 1, startedAt: claim.at });
    writeSync(1, `${jobId} ${claim.runId} running\n`);
    const stdout = { text: claim.runId, droppedBytes: 0 };
    await store.finish(finishOf(claim, { output: { stdout, stderr: stdout } }));
    writeSync(1, `${jobId} ${claim.runId} succeeded\n`);
  }
}

await Promise.all(['shop/a', 'shop/b', 'shop/c'].map(writeRuns));
