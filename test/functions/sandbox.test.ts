import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { RunExecutor } from '../../functions/executor/execute.ts';
import { Sandbox } from '../../functions/executor/sandbox.ts';
import { jsonLog } from '../../functions/log.ts';
import { EmfMetrics } from '../../shared/adapters/emf-metrics.ts';
import { currentOwner, processStart } from '../../shared/adapters/host.ts';
import { MemoryRunStore } from '../../shared/adapters/memory-run-store.ts';
import { StreamingCommandRunner } from '../../shared/adapters/process-runner.ts';
import { SYSTEM_CLOCK } from '../../shared/adapters/system-clock.ts';
import { planHash } from '../../shared/core/plan/plan.ts';
import type { Run } from '../../shared/core/run/run.ts';
import { cutToMinute, dueRunId } from '../../shared/core/run/run-id.ts';
import { planOf } from '../support/plan-of.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { CREDENTIALS, delivery, type Line } from './executor-bench.ts';

const FOLDER = temporaryFolder();
const newFolder = () => mkdtempSync(join(FOLDER, 'sandbox-'));
const sandboxIn = (folder: string) => new Sandbox({ folder, isOwnFolder: true, isAlone: false });

interface Ended {
  readonly folder: string;
  readonly run: Run | undefined;
  readonly lines: readonly Line[];
  /** What the command wrote to standard output, by line. */
  readonly output: readonly string[];
}

/** Lets a real shell run a command as an executor does. @param settings lines of the crontab before the entry */
async function execute(command: string, settings = '', folder = newFolder()): Promise<Ended> {
  const plan = planOf(
    `${settings}\n# kuber-cron: name=backup timeout=1m secrets=API_KEY\n* * * * * ${command}\n`,
  );
  const store = new MemoryRunStore();
  const lines: Line[] = [];
  const now = SYSTEM_CLOCK.now;
  const executor = new RunExecutor(
    {
      ...{ store, clock: SYSTEM_CLOCK, random: Math.random },
      metrics: new EmfMetrics({ namespace: 'test', hasJobMetrics: false, now, write: () => {} }),
      log: jsonLog((text) => void lines.push(JSON.parse(text)), now),
      plan: () => ({ plan, hash: planHash(plan) }),
      commands: (onOutput) => new StreamingCommandRunner(onOutput),
      secrets: async () => ({ API_KEY: 'the-key-of-the-shop' }),
      credentials: async () => CREDENTIALS,
      sandbox: sandboxIn(folder),
      newOwner: () => currentOwner(randomUUID()),
    },
    { userName: 'sbx_user', region: 'eu-central-1', isDryRun: false },
  );
  const at = now();
  await executor.handle(delivery({ scheduledTime: new Date(at).toISOString() }), {
    remainingMs: () => 900_000,
  });
  const run = await store.run('shop/backup', dueRunId(cutToMinute(at)));
  const said = lines.filter(({ event, stream }) => event === 'output' && stream === 'stdout');
  return { folder, run, lines, output: said.map(({ msg }) => msg) };
}

const isAlive = (pid: string | undefined) => processStart(Number(pid)) !== undefined;

describe('a command in a sandbox', () => {
  test('sees nothing of the function', async () => {
    process.env.KUBERCRON_SECRETS_PATH = '/of/the/function';
    const { output } = await execute('env | cut -d= -f1 | sort', 'TEAM=shop');
    delete process.env.KUBERCRON_SECRETS_PATH;
    const shellsOwn = ['PWD', 'OLDPWD', 'SHLVL', '_'];
    expect(output.filter((name) => !shellsOwn.includes(name))).toEqual([
      ...['API_KEY', 'AWS_ACCESS_KEY_ID', 'AWS_DEFAULT_REGION', 'AWS_REGION', 'AWS_SECRET_ACCESS_KEY'],
      ...['AWS_SESSION_TOKEN', 'HOME', 'KUBERCRON_ATTEMPT', 'KUBERCRON_JOB', 'KUBERCRON_OWNER'],
      ...['KUBERCRON_RUN_ID', 'KUBERCRON_SCHEDULED_TIME', 'KUBERCRON_TRIGGER', 'LOGNAME', 'PATH', 'SHELL'],
      ...['TEAM', 'TMPDIR', 'USER'],
    ]);
  });

  test('works in a folder of its own, and writes lines to the log without secrets', async () => {
    const { folder, output, lines, run } = await execute(
      'pwd; echo "$TMPDIR"; test -w "$TMPDIR" && echo writable; echo "$API_KEY $AWS_SECRET_ACCESS_KEY"; printf end; echo oops >&2',
    );
    const [home = '', temporary] = output;
    expect(home.startsWith(`${folder}/kuber-cron-run-`)).toBe(true);
    expect([temporary, ...output.slice(2)]).toEqual([`${home}/tmp`, 'writable', '*** ***', 'end']);
    expect(lines.find(({ stream }) => stream === 'stderr')).toMatchObject({
      ...{ level: 'info', crontab: 'shop', job: 'backup', run_id: run?.runId, attempt: 1, stream: 'stderr' },
      msg: 'oops',
    });
    expect(run?.status).toBe('succeeded');
  });

  test.each<[what: string, command: string]>([
    ['a file in its folder', 'echo x > file'],
    [
      'a file beside its folder',
      'echo x > ../file; mkdir -p ../folder/deep; echo x > ../folder/deep/.hidden',
    ],
    [
      'a folder that it locked',
      'mkdir -p ../locked/deep; touch ../locked/deep/file; chmod 0 ../locked/deep ../locked',
    ],
  ])('leaves nothing of %s', async (_what, command) => {
    const folder = newFolder();
    writeFileSync(join(folder, 'of-the-sandbox'), '');
    const { run, lines } = await execute(command, '', folder);
    expect(run?.status).toBe('succeeded');
    expect(readdirSync(folder)).toEqual(['of-the-sandbox']);
    expect(lines.map(({ event }) => event)).not.toContain('files-left');
  });

  test.each<[what: string, command: string]>([
    ['in the background', 'sleep 300 & echo $!'],
    ['in the background that holds no output', 'sleep 300 >/dev/null 2>&1 & echo $!'],
    [
      'that ignores TERM',
      `mkfifo up; sh -c 'trap "" TERM; echo $$; echo > up; exec sleep 300' & read up < up`,
    ],
    [
      'in a session of its own',
      `mkfifo up; setsid sh -c 'echo $$; echo > up; exec sleep 300' & read up < up`,
    ],
  ])('leaves no process %s', async (_what, command) => {
    const { output, run } = await execute(command);
    expect(output).toEqual([expect.stringMatching(/^\d+$/)]);
    expect(isAlive(output[0])).toBe(false);
    expect(run).toMatchObject({ status: 'succeeded' });
  });
});

describe('a sandbox that begins anew', () => {
  const mark = { runId: 'shop/backup/2026-03-29T04:30Z', owner: '0123456789abcdef' };
  const former = { jobId: 'shop/backup', runId: '2026-03-29T04:30Z', token: 'token-0', mark };
  const sleeper = (owner: string) => {
    const env = { PATH: process.env.PATH, KUBERCRON_RUN_ID: mark.runId, KUBERCRON_OWNER: owner };
    return spawn('sleep', ['300'], { detached: true, stdio: 'ignore', env });
  };

  test('ends what is left of its last run, removes its files, and says which it was', async () => {
    const folder = newFolder();
    mkdirSync(join(folder, 'of-the-sandbox'));
    const sandbox = sandboxIn(folder);
    const { home } = sandbox.enter();
    sandbox.remember(former);
    writeFileSync(join(home, 'file'), '');
    writeFileSync(join(folder, 'beside'), '');
    const [left, foreign] = [sleeper(mark.owner), sleeper('another')];
    try {
      expect(await sandboxIn(folder).sweep()).toEqual(former);
      expect([isAlive(String(left.pid)), isAlive(String(foreign.pid))]).toEqual([false, true]);
    } finally {
      left.kill('SIGKILL');
      foreign.kill('SIGKILL');
    }
    expect(readdirSync(folder)).toEqual(['of-the-sandbox']);
    expect(await sandboxIn(folder).sweep()).toBeUndefined();
  });

  test.each<[what: string, isOwnFolder: boolean, marker: string | undefined]>([
    ['is new', true, undefined],
    ['has a note that a command wrote over', true, 'rubbish'],
    ['is not alone in its folder', false, JSON.stringify({ run: former, before: [] })],
  ])('finds nothing when it %s', async (_what, isOwnFolder, marker) => {
    const folder = newFolder();
    if (marker !== undefined) writeFileSync(join(folder, '.kuber-cron-run.json'), marker);
    writeFileSync(join(folder, 'file'), '');
    expect(await new Sandbox({ folder, isOwnFolder, isAlone: false }).sweep()).toBeUndefined();
    expect(existsSync(join(folder, 'file'))).toBe(true);
  });

  test('removes only the folder of the run where others use what is around it', async () => {
    const folder = newFolder();
    const sandbox = new Sandbox({ folder, isOwnFolder: false, isAlone: false });
    sandbox.enter();
    sandbox.remember(former);
    writeFileSync(join(folder, 'of-others'), '');
    expect(await sandbox.leave()).toEqual([]);
    expect(readdirSync(folder)).toEqual(['of-others']);
  });
});
