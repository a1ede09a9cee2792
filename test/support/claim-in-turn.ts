/**
 * One of several processes that claim the same runs: `claim-in-turn.ts FILE NAME ROUNDS`. Says `ready`, begins when
 * its standard input has a line, and writes its outcomes as one line of JSON. Each round claims one run that all want,
 * and a run of its own of a job that only one may run.
 */
import { once } from 'node:events';
import { SqliteRunStore } from '../../shared/adapters/sqlite-run-store.ts';
import { claimOf } from './run-claims.ts';

const [file, name, rounds] = process.argv.slice(2) as [string, string, string];
process.stdout.write('ready\n');
await once(process.stdin, 'data');
const store = SqliteRunStore.open(file);
const shared: string[] = [];
const locked: string[] = [];
for (let round = 0; round < Number(rounds); round += 1) {
  const token = `${name}-${round}`;
  shared.push((await store.claim(claimOf({ jobId: `shop/shared-${round}`, token }))).outcome);
  const own = claimOf({
    jobId: `shop/locked-${round}`,
    runId: `2026-03-29T01:30Z#m${name}`,
    trigger: 'manual',
    token,
  });
  locked.push((await store.claim(own)).outcome);
}
await store.close();
process.stdout.write(`${JSON.stringify({ shared, locked })}\n`);
process.stdin.destroy();
