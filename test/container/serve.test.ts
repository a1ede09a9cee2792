import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { serveCommand } from '../../container/serve.ts';
import { SqliteRunStore } from '../../shared/adapters/sqlite-run-store.ts';
import { scheduleChange } from '../../shared/core/run/schedule-history.ts';
import { kuberCron } from '../support/kuber-cron.ts';
import { planOf } from '../support/plan-of.ts';
import { claimOf, finishOf } from '../support/run-claims.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FOLDER = temporaryFolder();
const LAUNCHER = new URL('../../cli/kuber-cron.js', import.meta.url).pathname;
const PLAN = planOf(
  '# kuber-cron: name=backup\n30 1 * * * true\n# kuber-cron: name=cloud targets=aws\n0 4 * * * true\n',
);

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** A store in which `shop` is in force and its backup ran well. */
async function makeStore(path: string): Promise<void> {
  const store = SqliteRunStore.open(path);
  const claim = claimOf({ scheduledTime: Date.UTC(2026, 10, 23, 1, 30) });
  await store.setActivePlan({ plan: PLAN, hash: 'x', since: 0 }, scheduleChange([], [], PLAN, 0));
  await store.claim(claim);
  await store.start(claim.jobId, claim.runId, claim.owner.token, { number: 1, startedAt: claim.at + 1000 });
  await store.finish(finishOf(claim));
  await store.close();
}

/** Starts `serve` on a store. */
async function serve(store: string) {
  const child = spawn(
    process.execPath,
    [LAUNCHER, 'serve', '--store', `sqlite:${store}`, '--http', '127.0.0.1:0'],
    {
      env: { PATH: process.env.PATH ?? '' },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const over = once(child, 'exit');
  const end = async () => {
    child.kill('SIGTERM');
    await over;
    return child.exitCode;
  };
  ends.push(end);
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const address = /: (http:\S+)\n$/.exec(line.toString())?.[1];
  const get = async (path: string) => {
    const response = await fetch(`${address}${path}`);
    return { status: response.status, body: await response.text() };
  };
  return { get, end, line: line.toString() };
}

const OK = { status: 200, body: '{"status":"ok"}\n' };

describe('serve', () => {
  test('lives without a store, says that there is none, and finds it when it is made', async () => {
    const store = join(FOLDER, 'later.sqlite');
    const { get, end } = await serve(store);
    expect(await get('/livez')).toEqual(OK);
    const { status, body } = await get('/readyz');
    expect([status, JSON.parse(body)]).toEqual([
      503,
      { status: 'unready', reasons: [expect.stringMatching(`^no run store at \`${store}\``)] },
    ]);
    expect((await get('/metrics')).status).toBe(500);
    await makeStore(store);
    expect(await get('/readyz')).toEqual(OK);
    expect(await end()).toBe(0);
  });

  test('shows what the store knows of the jobs that run where it is from', async () => {
    const store = join(FOLDER, 'store.sqlite');
    await makeStore(store);
    const { get, line } = await serve(store);
    expect(line).toMatch(new RegExp(`^health and metrics of ${store}: http://127\\.0\\.0\\.1:\\d+\n$`));
    const { body } = await get('/metrics');
    const values = body
      .split('\n')
      .filter((one) =>
        /^kubercron_job_(?:runs_total|last_exit_code|next_run_timestamp_seconds|info)\{/.test(one),
      )
      .filter((one) => !one.endsWith(' 0') || one.includes('exit_code'));
    expect(values.map((one) => one.replace(/ \d{10}$/, ' <time>'))).toEqual([
      expect.stringMatching(/^kubercron_job_info\{crontab="shop",job_name="backup",.*\} 1$/),
      'kubercron_job_runs_total{crontab="shop",job_name="backup",status="succeeded"} 1',
      'kubercron_job_last_exit_code{crontab="shop",job_name="backup"} 0',
      'kubercron_job_next_run_timestamp_seconds{crontab="shop",job_name="backup"} <time>',
    ]);
  });

  test.each([
    [['serve', 'my.crontab'], '`serve` takes no operands: crontabs come from the store'],
    [['serve', '--http', 'off'], '`serve` does nothing else: `--http` cannot be `off`'],
  ])('%j is wrong usage', async (argv, message) => {
    const { code, stderr } = await kuberCron(argv, { others: [serveCommand] });
    expect([code, stderr.split('\n')[0]]).toEqual([2, `kuber-cron: ${message}`]);
  });
});
