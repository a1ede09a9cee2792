import { randomUUID } from 'node:crypto';
import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { currentOwner } from '../../shared/adapters/host.ts';
import { SqliteRunStore } from '../../shared/adapters/sqlite-run-store.ts';
import { LEASE_MS } from '../../shared/core/run/lease.ts';
import { scheduleChange } from '../../shared/core/run/schedule-history.ts';
import { kuberCron, launch, type World } from '../support/kuber-cron.ts';
import { planOf } from '../support/plan-of.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FOLDER = realpathSync(temporaryFolder());
const STORE = join(FOLDER, 'store.sqlite');
const store = ['--store', `sqlite:${STORE}`];
const NOT_EXECUTABLE = join(FOLDER, 'shell');
writeFileSync(NOT_EXECUTABLE, '#!/bin/sh\n', { mode: 0o644 });

const SECRET = 'correct-horse-battery';
let crontabs = 0;

/** An own crontab with one job, `job`, whose lines above the entry are given. */
function crontabOf(command: string, above = ''): { path: string; jobId: string } {
  const name = `c${++crontabs}`;
  const path = join(FOLDER, name);
  const settings = above.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const directives = above.split('\n').filter((line) => line.startsWith('#'));
  writeFileSync(
    path,
    [...settings, '# kuber-cron: name=job', ...directives, `0 0 1 1 * ${command}`, ''].join('\n'),
  );
  return { path, jobId: `${name}/job` };
}

async function runOf(jobId: string) {
  const opened = SqliteRunStore.open(STORE);
  const [run] = await opened.runs({ jobId, limit: 1 });
  const output = run === undefined ? undefined : await opened.output(jobId, run.runId, 1);
  await opened.close();
  return {
    status: run?.status,
    reason: run?.reason,
    trigger: run?.trigger,
    out: output?.stdout.text,
    err: output?.stderr.text,
  };
}

interface Case {
  readonly command: string;
  /** Settings and directives of the job. */
  readonly above?: string;
  readonly options?: string[];
  readonly world?: World;
  readonly code: number;
  readonly stdout?: string;
  readonly stderr?: string;
  readonly status: string;
  readonly reason?: string;
}

const run = { trigger: 'manual' };

describe('the exit code is that of the command, its output passes on, and the run is recorded', () => {
  test.each<[title: string, expected: Case]>([
    [
      'success',
      { command: 'echo out; echo err >&2', code: 0, stdout: 'out\n', stderr: 'err\n', status: 'succeeded' },
    ],
    ['failure', { command: 'exit 3', code: 3, status: 'failed', reason: 'exit-code' }],
    [
      'a code that counts as success',
      { command: 'exit 3', above: '# kuber-cron: success-exit-codes=0,3', code: 3, status: 'succeeded' },
    ],
    [
      'a signal',
      {
        command: 'kill -9 $$',
        code: 137,
        stderr: 'kuber-cron: ended by SIGKILL\n',
        status: 'failed',
        reason: 'signal',
      },
    ],
    [
      'a time-out',
      {
        command: 'echo begun; exec sleep 60',
        above: '# kuber-cron: timeout=1s',
        code: 124,
        stdout: 'begun\n',
        stderr: 'kuber-cron: timed out\n',
        status: 'timed-out',
        reason: 'timeout',
      },
    ],
    [
      'a shell that is missing',
      {
        command: 'true',
        above: `SHELL=${FOLDER}/none`,
        code: 127,
        stderr: `kuber-cron: not started: the shell \`${FOLDER}/none\` does not exist\n`,
        status: 'failed',
        reason: 'not-started',
      },
    ],
    [
      'a shell that cannot be executed',
      {
        command: 'true',
        above: `SHELL=${NOT_EXECUTABLE}`,
        code: 126,
        stderr: `kuber-cron: not started: the shell \`${NOT_EXECUTABLE}\` cannot be executed\n`,
        status: 'failed',
        reason: 'not-started',
      },
    ],
    [
      'a home that is missing',
      {
        command: 'true',
        above: `HOME=${FOLDER}/none`,
        code: 125,
        stderr: `kuber-cron: not started: the working directory (HOME) \`${FOLDER}/none\` does not exist\n`,
        status: 'failed',
        reason: 'not-started',
      },
    ],
    [
      'a command that is missing',
      { command: '/none 2>/dev/null', code: 127, status: 'failed', reason: 'exit-code' },
    ],
    [
      'standard input after %',
      { command: 'cat%one%two', code: 0, stdout: 'one\ntwo\n', status: 'succeeded' },
    ],
    [
      'the environment is that of cron, the job and --pass-env',
      {
        command: 'echo "$A $B ${C-unset} $HOME $PWD $KUBERCRON_TRIGGER"',
        above: `A=own\nHOME=${FOLDER}`,
        options: ['--pass-env', 'B,D'],
        world: { env: { A: 'passed', B: 'passed', C: 'not passed' } },
        code: 0,
        stdout: `own passed unset ${FOLDER} ${FOLDER} manual\n`,
        status: 'succeeded',
      },
    ],
    [
      'secrets are masked, also where the output comes in pieces',
      {
        command:
          'printf "a $PASSWORD b ${PASSWORD\\%battery}" ; sleep 0.1; echo "battery"; echo "$PASSWORD" >&2',
        above: '# kuber-cron: secrets=PASSWORD',
        world: { env: { PASSWORD: SECRET } },
        code: 0,
        stdout: 'a *** b ***\n',
        stderr: '***\n',
        status: 'succeeded',
      },
    ],
  ])('%s', async (_title, expected) => {
    const { path, jobId } = crontabOf(expected.command, expected.above);
    const argv = ['run', ...store, ...(expected.options ?? []), '--crontab', path, 'job'];
    const outcome = await kuberCron(argv, expected.world);
    const { stdout = '', stderr = '' } = expected;
    expect(outcome).toEqual({ code: expected.code, stdout, stderr });
    const isOurs = stderr.startsWith('kuber-cron: ');
    const err = isOurs ? '' : stderr;
    const wrote = stdout !== '' || err !== '';
    expect(await runOf(jobId)).toEqual({
      ...run,
      status: expected.status,
      reason: expected.reason,
      out: wrote ? stdout : undefined,
      err: wrote ? err : undefined,
    });
  });
});

test('secrets of a folder lose their last newline and are masked', async () => {
  const secrets = join(FOLDER, 'secrets');
  mkdirSync(secrets);
  writeFileSync(join(secrets, 'PASSWORD'), `${SECRET}\n`);
  const { path } = crontabOf(
    'echo "<$PASSWORD>"; echo ${#PASSWORD}',
    '# kuber-cron: secrets=PASSWORD allow=credential-in-setting',
  );
  const argv = ['run', ...store, '--secrets', secrets, '--crontab', path, 'job'];
  expect(await kuberCron(argv)).toEqual({ code: 0, stdout: `<***>\n${SECRET.length}\n`, stderr: '' });
});

test('only the end of a long output is kept, and all of it passes on', async () => {
  const { path, jobId } = crontabOf('i=0; while [ $i -lt 4000 ]; do i=$((i+1)); echo "line $i"; done');
  const { stdout } = await kuberCron(['run', ...store, '--crontab', path, 'job']);
  expect(stdout.split('\n')).toHaveLength(4001);
  const { out = '' } = await runOf(jobId);
  expect([out.length, stdout.endsWith(out)]).toEqual([16 * 1024, true]);
});

test('a descendant that holds the output open does not keep the run from ending', async () => {
  const { path, jobId } = crontabOf('sleep 30 & echo "$!"');
  const { code, stdout } = await kuberCron(['run', ...store, '--crontab', path, 'job']);
  process.kill(Number(stdout));
  expect([code, (await runOf(jobId)).status]).toEqual([0, 'succeeded']);
});

describe('what is not started is exit code 125 and says why', () => {
  const entry = '# kuber-cron: name=job\n0 0 1 1 * true\n';
  test.each<[title: string, crontab: string, argv: string[], stderr: string]>([
    ['a job that there is not', entry, ['jbo'], 'kuber-cron: there is no job `jbo`; did you mean `job`?\n'],
    [
      'a secret that there is not',
      '# kuber-cron: name=job secrets=PASSWORD\n0 0 1 1 * true\n',
      ['job'],
      'kuber-cron: there is no secret `PASSWORD`: set the variable, or name a folder by `--secrets`\n',
    ],
    [
      'an entry of another user',
      '# kuber-cron: name=job\n0 0 1 1 * somebody-else true\n',
      ['--system', 'job'],
      `error[foreign-user]: this entry is for user \`somebody-else\`, and commands run as \`${userInfo().username}\``,
    ],
    ['a crontab with errors', `61 * * * * true\n${entry}`, ['job'], 'kuber-cron: `-` has errors\n'],
  ])('%s', async (_title, stdin, argv, stderr) => {
    const outcome = await kuberCron(['run', ...store, '--crontab', '-', ...argv], { stdin });
    expect([outcome.code, outcome.stdout]).toEqual([125, '']);
    expect(outcome.stderr).toContain(stderr);
  });

  test('a run of the job that is under way', async () => {
    const { path, jobId } = crontabOf('true');
    const opened = SqliteRunStore.open(STORE);
    const at = Date.now();
    const claim = (runId: string, token: string) =>
      opened.claim({
        jobId,
        runId,
        scheduledTime: at,
        trigger: 'schedule',
        planHash: 'x',
        owner: currentOwner(token),
        concurrencyPolicy: 'forbid',
        at,
        leaseUntil: at + LEASE_MS,
      });
    expect((await claim('2026-01-01T00:00Z', randomUUID())).outcome).toBe('won');
    const argv = ['run', ...store, '--crontab', path, 'job'];
    expect(await kuberCron(argv)).toEqual({
      code: 125,
      stdout: '',
      stderr: 'kuber-cron: `job` was not started: the previous run was still running (2026-01-01T00:00Z)\n',
    });
    await opened.close();
    const allowing = path;
    writeFileSync(allowing, '# kuber-cron: name=job concurrency-policy=allow\n0 0 1 1 * true\n');
    expect((await kuberCron(argv)).code).toBe(0);
  });
});

test('a run whose process was killed is recorded as lost and keeps the job from nothing', async () => {
  const { path, jobId } = crontabOf('true');
  const opened = SqliteRunStore.open(STORE);
  // No process has this start time, so its owner is dead.
  const owner = { ...currentOwner('token'), processStart: 'long ago' };
  const lost = { jobId, runId: '2026-01-01T00:00Z#mdead' };
  const claim = { ...lost, scheduledTime: 0, trigger: 'manual', planHash: 'x', owner, at: 0 } as const;
  await opened.claim({ ...claim, concurrencyPolicy: 'forbid', leaseUntil: LEASE_MS });
  await opened.start(lost.jobId, lost.runId, 'token', { number: 1, startedAt: 0 });
  expect((await kuberCron(['run', ...store, '--crontab', path, 'job'])).code).toBe(0);
  const { status, reason } = (await opened.run(lost.jobId, lost.runId)) ?? {};
  expect([status, reason]).toEqual(['lost', 'owner-died']);
  await opened.close();
});

test('a job of two files must be named in full', async () => {
  const folder = join(FOLDER, 'two');
  mkdirSync(folder);
  for (const name of ['a', 'b'])
    writeFileSync(join(folder, name), `# kuber-cron: name=job\n0 0 1 1 * echo ${name}\n`);
  const argv = ['run', ...store, '--crontab', folder];
  expect((await kuberCron([...argv, 'job'])).stderr).toBe(
    'kuber-cron: several crontabs have a job `job`: name one of a/job, b/job\n',
  );
  expect(await kuberCron([...argv, 'b/job'])).toEqual({ code: 0, stdout: 'b\n', stderr: '' });
});

test('without --crontab the job is that of the daemon', async () => {
  const path = join(FOLDER, 'of-daemon.sqlite');
  const opened = SqliteRunStore.open(path);
  const plan = planOf('# kuber-cron: name=job\n0 0 1 1 * echo "$KUBERCRON_RUN_ID"\n');
  await opened.setActivePlan({ plan, hash: 'x', since: 0 }, scheduleChange([], [], plan, 0));
  await opened.close();
  const { code, stdout } = await kuberCron(['run', '--store', `sqlite:${path}`, 'job']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^shop\/job\/\d{4}-\d\d-\d\dT\d\d:\d\dZ#m[0-9a-f]{12}\n$/);
});

describe('signals end the command, and the run is recorded as cancelled', () => {
  test.each<[signal: NodeJS.Signals, command: string, code: number]>([
    ['SIGTERM', 'echo begun; exec sleep 60', 143],
    ['SIGINT', 'echo begun; exec sleep 60', 130],
    ['SIGHUP', 'echo begun; exec sleep 60', 129],
    ['SIGTERM', 'trap "exit 0" TERM; echo begun; sleep 60 & wait', 143],
  ])('%s on `%s` is exit code %d', async (signal, command, code) => {
    const { path, jobId } = crontabOf(command);
    const argv = ['kuber-cron', 'run', ...store, '--crontab', path, 'job'];
    expect(await launch(argv, { signal })).toEqual({
      code,
      stdout: 'begun\n',
      stderr: 'kuber-cron: ending `job`; after 10s it is killed\n',
    });
    expect(await runOf(jobId)).toMatchObject({ status: 'cancelled', reason: 'requested' });
  });
});

test('a reader that goes away does not end the command', async () => {
  const { path, jobId } = crontabOf('echo begun; sleep 0.3; echo on; echo on; exit 5');
  const argv = ['kuber-cron', 'run', ...store, '--crontab', path, 'job'];
  expect(await launch(argv, { hangsUp: true })).toMatchObject({ code: 5, stderr: '' });
  expect(await runOf(jobId)).toMatchObject({ status: 'failed', out: 'begun\non\non\n' });
});
