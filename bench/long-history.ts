import type { DatabaseSync } from 'node:sqlite';
import { APPLICATION_ID, MIGRATIONS } from '../shared/adapters/run-store-schema.ts';
import { openDatabase, transact } from '../shared/adapters/sqlite-database.ts';
import { SqliteRunStore } from '../shared/adapters/sqlite-run-store.ts';
import { checkCrontab } from '../shared/core/crontab/check.ts';
import { planCrontab, planHash } from '../shared/core/plan/plan.ts';
import type { Owner } from '../shared/core/run/run.ts';
import { dueRunId } from '../shared/core/run/run-id.ts';
import type { Claim, RunStore } from '../shared/core/run/run-store.ts';
import { scheduleChange } from '../shared/core/run/schedule-history.ts';

const HOUR_MS = 3_600_000;
const JOBS = 100;
const OWNER: Owner = { token: 'token-1', host: 'host-1', bootId: 'boot-1', pid: 4242, processStart: '77' };
/** Of a run. */
const TIMES = ['scheduled_time', 'created_at', 'finished_at', 'start_by', 'lease_until', 'not_before'];

/** A hundred jobs that ran every hour, up to a newest instant. */
export const HISTORY = {
  /** Base name of the file gives the crontab's name: `shop`. */
  crontab: Array.from(
    { length: JOBS },
    (_, index) => `# kuber-cron: name=job-${index}\n7 * * * * true\n`,
  ).join(''),
  jobIds: Array.from({ length: JOBS }, (_, index) => `shop/job-${index}`),
  newest: Date.UTC(2026, 10, 1, 0, 7),
} as const;

/**
 * Makes a store of so many runs: those of the newest hour by the store itself, those of the hours before as copies of
 * them with other times.
 *
 * @param path of a file that does not exist yet
 * @param rows a multiple of a hundred
 */
export async function makeLongHistory(path: string, rows: number): Promise<void> {
  const { crontab, jobIds, newest } = HISTORY;
  const hours = rows / JOBS;
  const since = newest - hours * HOUR_MS;
  const plan = planCrontab(checkCrontab(crontab, { zone: 'UTC', now: newest }), {
    crontab: 'shop',
    zone: 'UTC',
  });
  const store = SqliteRunStore.open(path);
  await store.setActivePlan({ plan, hash: planHash(plan), since }, scheduleChange([], [], plan, since));
  await runHour(store, jobIds, newest);
  await store.setCursor('shop', newest);
  await store.close();
  const database = openDatabase(path, { applicationId: APPLICATION_ID, migrations: MIGRATIONS }, 5000);
  repeat(database, hours);
  database.close();
}

/** The runs of jobs that are due at an instant, from claim to end; each step in one transaction. */
export async function runHour(store: RunStore, jobIds: readonly string[], instant: number): Promise<void> {
  const claims = jobIds.map((jobId) => claimOf(jobId, instant));
  await Promise.all(claims.map((claim) => store.claim(claim)));
  const attempt = { number: 1, startedAt: instant + 40 };
  const steps = claims.map(({ jobId, runId }) => [jobId, runId, OWNER.token, attempt] as const);
  await Promise.all(steps.map((step) => store.start(...step)));
  await Promise.all(
    claims.map(({ jobId, runId }, index) => {
      const status = index % 10 === 3 ? 'failed' : 'succeeded';
      const at = instant + 3000;
      const ended = { ...attempt, finishedAt: at, status, exitCode: status === 'failed' ? 1 : 0 } as const;
      const text = status === 'failed' ? 'cannot reach the database\n' : '';
      const stdout = { text: '', droppedBytes: 0 };
      const output = { stdout, stderr: { ...stdout, text } };
      return store.finish({
        ...{ jobId, runId, token: OWNER.token, status, attempt: ended, at },
        ...(text === '' ? {} : { output }),
      });
    }),
  );
}

function claimOf(jobId: string, instant: number): Claim {
  return {
    ...{ jobId, runId: dueRunId(instant), scheduledTime: instant, trigger: 'schedule' },
    ...{ planHash: 'a'.repeat(64), owner: OWNER, concurrencyPolicy: 'forbid' },
    ...{ at: instant, leaseUntil: instant + 300_000, startBy: instant + HOUR_MS },
  };
}

/** Copies all runs and their output to the hours before, in the order in which they would have come. */
function repeat(database: DatabaseSync, hours: number): void {
  const columns = database
    .prepare(`SELECT name FROM pragma_table_info('run') WHERE name <> 'id'`)
    .all()
    .map(({ name }) => name as string);
  const earlier = (time: string) => `${time} - n * ${HOUR_MS}`;
  const shifted = columns.map((name) => {
    if (name === 'run_id')
      return `strftime('%Y-%m-%dT%H:%MZ', (${earlier('scheduled_time')}) / 1000, 'unixepoch')`;
    if (name !== 'attempts') return TIMES.includes(name) ? earlier(name) : name;
    const times = ['startedAt', 'finishedAt'].map((key) => {
      const path = `'$[0].${key}'`;
      return `${path}, ${earlier(`json_extract(attempts, ${path})`)}`;
    });
    return `json_replace(attempts, ${times.join(', ')})`;
  });
  database.exec(`CREATE TEMP TABLE newest AS SELECT * FROM run;
    CREATE TEMP TABLE newest_output AS
      SELECT job_id, attempt, output FROM output JOIN run ON run.id = output.run`);
  transact(database, () =>
    database.exec(`DELETE FROM run;
      WITH RECURSIVE hour(n) AS (SELECT ${hours - 1} UNION ALL SELECT n - 1 FROM hour WHERE n > 0)
      INSERT INTO run (${columns.join(', ')}) SELECT ${shifted.join(', ')} FROM hour CROSS JOIN temp.newest;
      INSERT INTO output (run, attempt, output)
        SELECT run.id, attempt, newest_output.output FROM run JOIN temp.newest_output USING (job_id)`),
  );
}
