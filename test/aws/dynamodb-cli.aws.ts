import { execFile, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { createTable, describeDynamoDb, localClient } from './tables.ts';

const FOLDER = temporaryFolder();
const CRONTAB = join(FOLDER, 'shop.crontab');
const LAUNCHER = join(import.meta.dirname, '../../cli/kuber-cron.js');

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function environment(): Record<string, string> {
  return {
    ...{ PATH: process.env.PATH ?? '', HOME: FOLDER, XDG_STATE_HOME: join(FOLDER, 'state') },
    ...{ AWS_ENDPOINT_URL_DYNAMODB: process.env.KUBERCRON_TEST_DYNAMODB ?? '', AWS_REGION: 'eu-central-1' },
    ...{ AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_EC2_METADATA_DISABLED: 'true' },
  };
}

function kuberCron(argv: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { env: { ...environment(), ...env }, cwd: FOLDER };
    execFile(process.execPath, [LAUNCHER, ...argv], options, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });
}

describeDynamoDb('with --store dynamodb:TABLE', () => {
  let store: string[];
  beforeAll(async () => {
    writeFileSync(CRONTAB, 'CRON_TZ=UTC\n# kuber-cron: name=hello\n0 0 1 1 *  echo hello\n');
    store = ['--store', `dynamodb:${await createTable(localClient())}`];
  });

  test('a run by hand is in the history of whoever looks there', async () => {
    const ran = await kuberCron(['run', ...store, '--crontab', CRONTAB, 'hello']);
    expect([ran.code, ran.stdout]).toStrictEqual([0, expect.stringContaining('hello')]);
    const runs = await kuberCron(['runs', ...store, 'hello', '--format', 'json']);
    expect([runs.code, runs.stderr]).toStrictEqual([0, '']);
    expect(JSON.parse(runs.stdout)).toMatchObject({ runs: [{ jobId: 'shop/hello', status: 'succeeded' }] });
  });

  test('a daemon runs its crontab there, and the verbs of operators work beside it', async () => {
    const crontab = join(FOLDER, 'till.crontab');
    writeFileSync(
      crontab,
      'CRON_TZ=UTC\n# kuber-cron: name=once\n@reboot  echo done\n# kuber-cron: name=close\n0 0 1 1 *  true\n',
    );
    const daemon = spawn(process.execPath, [LAUNCHER, 'daemon', ...store, '--http', 'off', crontab], {
      ...{ env: environment(), cwd: FOLDER, stdio: 'ignore' },
    });
    const ended = new Promise((resolve) => daemon.once('exit', resolve));
    try {
      const statuses = async (): Promise<string[]> => {
        const { stdout } = await kuberCron(['runs', ...store, '--format', 'json']);
        const { runs } = JSON.parse(stdout) as { runs: { jobId: string; status: string }[] };
        return runs.filter(({ jobId }) => jobId === 'till/once').map(({ status }) => status);
      };
      while (daemon.exitCode === null && !(await statuses()).includes('succeeded'));
      expect(await statuses()).toStrictEqual(['succeeded']);
      const verbs = [
        ['jobs', ...store],
        ['pause', ...store, 'close', '--until', '2h', '--reason', 'disk'],
        ['why', ...store, 'close', '2027-01-01T00:00Z'],
        ['resume', ...store, 'close'],
        ['backfill', ...store, 'close', '--from', '2026-01-01', '--to', '2026-01-02', '--dry-run'],
        ['logs', ...store, 'once'],
        ['prune', ...store],
      ];
      const codes = [];
      for (const argv of verbs) codes.push([argv[0], (await kuberCron(argv)).code]);
      expect(codes).toStrictEqual(verbs.map(([verb]) => [verb, 0]));
    } finally {
      daemon.kill('SIGTERM');
      await ended;
    }
    expect(daemon.exitCode).toBe(0);
  });

  test.each<[string, string[], Record<string, string>, number, string]>([
    [
      'a table that is not there',
      ['--store', 'dynamodb:no-such-table'],
      {},
      3,
      'kuber-cron: run store dynamodb:no-such-table: there is no such table in this account and region; deploy it, name another by `--store dynamodb:TABLE`, or set AWS_PROFILE and AWS_REGION to where it is\n',
    ],
    [
      'no region',
      ['--store', 'dynamodb:runs'],
      { AWS_REGION: '' },
      3,
      'kuber-cron: run store dynamodb:runs: no AWS region is known, or it is none; set AWS_REGION\n',
    ],
    [
      'no credentials',
      ['--store', 'dynamodb:runs'],
      { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' },
      3,
      'kuber-cron: run store dynamodb:runs: no AWS credentials were found; set AWS_PROFILE, or give the process a role\n',
    ],
    [
      'a name that no table can have',
      ['--store', 'dynamodb:a/b'],
      {},
      2,
      'kuber-cron: `--store dynamodb:TABLE` takes 3 to 255 letters, digits and `_.-` as the table, got `a/b`\nTry `kuber-cron jobs --help`.\n',
    ],
  ])('%s: one sentence', async (_what, argv, env, code, stderr) => {
    expect(await kuberCron(['jobs', ...argv], env)).toStrictEqual({ code, stdout: '', stderr });
  });
});
