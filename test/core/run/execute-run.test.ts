import { describe, expect, test } from '@jest/globals';
import type { PlannedJob } from '../../../shared/core/plan/plan.ts';
import {
  commandSpec,
  type ExecuteOptions,
  executeRun,
  GRACE_MS,
} from '../../../shared/core/run/execute-run.ts';
import type { CommandEnd, CommandSpec } from '../../../shared/core/run/ports.ts';
import type { Attempt, Run, RunOutput } from '../../../shared/core/run/run.ts';
import type { Finish } from '../../../shared/core/run/run-store.ts';
import { FakeClock, settled } from '../../support/fake-clock.ts';
import { type FakeCommand, FakeCommands } from '../../support/fake-commands.ts';
import { jobOf } from '../../support/plan-of.ts';
import { ownerOf } from '../../support/run-claims.ts';

const NOW = Date.parse('2026-03-29T01:30:02Z');
const MINUTE = 60_000;

const claimed: Run = {
  jobId: 'shop/backup',
  runId: '2026-03-29T01:30Z',
  scheduledTime: Date.parse('2026-03-29T01:30Z'),
  trigger: 'schedule',
  status: 'claimed',
  planHash: 'hash-1',
  createdAt: NOW,
  owner: ownerOf('token-1'),
  attempts: [],
};

function backup(options = ''): PlannedJob {
  return jobOf(`# kuber-cron: name=backup ${options}\n30 1 * * * ./backup.sh\n`);
}

/** Keeps what is written; can be made to fail or to say that the run is another's. */
class MemoryStore {
  isOurs = true;
  failures = 0;
  readonly starts: [jobId: string, runId: string, token: string, attempt: Attempt][] = [];
  readonly finishes: Finish[] = [];

  async start(...start: MemoryStore['starts'][number]): Promise<boolean> {
    this.#fail();
    this.starts.push(start);
    return this.isOurs;
  }

  async finish(finish: Finish): Promise<boolean> {
    this.#fail();
    this.finishes.push(finish);
    return this.isOurs;
  }

  #fail(): void {
    if (this.failures === 0) return;
    this.failures--;
    throw new Error('the disk is full');
  }
}

/** A run under way, with everything that it can be asked and told. */
function begin(
  job: PlannedJob,
  run: Run = claimed,
  options: Partial<ExecuteOptions> = {},
  store = new MemoryStore(),
) {
  const clock = new FakeClock(NOW);
  const commands = new FakeCommands(clock);
  const stop = new AbortController();
  const result = executeRun(
    run,
    job,
    { store, clock, commands },
    {
      user: { name: 'jane', home: '/home/jane' },
      passed: {},
      secrets: {},
      stop: stop.signal,
      ...options,
    },
  );
  return { clock, commands, store, stop, result };
}

async function commandOf({ commands }: { readonly commands: FakeCommands }): Promise<FakeCommand> {
  await settled();
  expect(commands.started.length).toBe(1);
  return commands.started[0] as FakeCommand;
}

const output: RunOutput = {
  stdout: { text: 'done\n', droppedBytes: 0 },
  stderr: { text: '', droppedBytes: 0 },
};

describe('how a command ends is how its run ends', () => {
  test.each<
    [what: string, options: string, end: CommandEnd, verdict: Partial<Finish>, attempt: Partial<Attempt>]
  >([
    ['exit code 0', '', { kind: 'exited', exitCode: 0 }, { status: 'succeeded' }, { exitCode: 0 }],
    [
      'exit code 3',
      '',
      { kind: 'exited', exitCode: 3 },
      { status: 'failed', reason: 'exit-code' },
      { exitCode: 3 },
    ],
    [
      'exit code 3 where that is a success',
      'success-exit-codes=0,3',
      { kind: 'exited', exitCode: 3 },
      { status: 'succeeded' },
      { exitCode: 3 },
    ],
    [
      'exit code 0 where that is none',
      'success-exit-codes=3',
      { kind: 'exited', exitCode: 0 },
      { status: 'failed', reason: 'exit-code' },
      { exitCode: 0 },
    ],
    [
      'a signal',
      'success-exit-codes=0,137',
      { kind: 'signalled', signal: 'SIGSEGV' },
      { status: 'failed', reason: 'signal' },
      { signal: 'SIGSEGV' },
    ],
    [
      'no start',
      'success-exit-codes=0,127',
      { kind: 'not-started', exitCode: 127, error: 'no such file' },
      { status: 'failed', reason: 'not-started' },
      { exitCode: 127, error: 'no such file' },
    ],
    ['output', '', { kind: 'exited', exitCode: 0, output }, { status: 'succeeded', output }, { exitCode: 0 }],
  ])('%s', async (_what, options, end, verdict, attempt) => {
    const run = begin(backup(options));
    const command = await commandOf(run);
    await run.clock.advance(5_000);
    command.end(end);
    const { status, reason } = verdict;
    const finish = {
      jobId: 'shop/backup',
      runId: '2026-03-29T01:30Z',
      token: 'token-1',
      at: NOW + 5_000,
      ...verdict,
      attempt: {
        number: 1,
        startedAt: NOW,
        finishedAt: NOW + 5_000,
        status,
        ...(reason && { reason }),
        ...attempt,
      },
    };
    expect(await run.result).toEqual(finish);
    expect(run.store.finishes).toEqual([finish]);
    expect(command.signals).toEqual([]);
    expect(run.clock.sleepers).toBe(0);
  });
});

describe('before a command starts', () => {
  test('its attempt is written, and then told', async () => {
    const told: Attempt[] = [];
    const tried: Run = { ...claimed, attempts: [{ number: 1, startedAt: NOW - MINUTE }] };
    const run = begin(backup(), tried, { onStart: (attempt) => told.push(attempt) });
    await commandOf(run);
    expect(run.store.starts).toEqual([
      ['shop/backup', '2026-03-29T01:30Z', 'token-1', { number: 2, startedAt: NOW }],
    ]);
    expect(told).toEqual([{ number: 2, startedAt: NOW }]);
  });

  test('a run that is no longer ours is let go', async () => {
    const told: Attempt[] = [];
    const store = new MemoryStore();
    store.isOurs = false;
    const run = begin(backup(), claimed, { onStart: (attempt) => told.push(attempt) }, store);
    expect(await run.result).toBeUndefined();
    expect([run.commands.started, run.store.finishes, told]).toEqual([[], [], []]);
  });

  test('a runner that throws is a run that was not started', async () => {
    const store = new MemoryStore();
    const clock = new FakeClock(NOW);
    const commands = {
      start: () => {
        throw new Error('no more processes');
      },
    };
    const stop = new AbortController().signal;
    const options = { user: { name: 'jane', home: '/' }, passed: {}, secrets: {}, stop };
    const finish = await executeRun(claimed, backup(), { store, clock, commands }, options);
    expect([finish?.status, finish?.reason, finish?.attempt?.error]).toEqual([
      'failed',
      'not-started',
      'Error: no more processes',
    ]);
    expect(store.finishes).toEqual([finish]);
  });

  test('a run that nobody claimed is a fault of the caller', async () => {
    const { owner: _owner, ...unclaimed } = claimed;
    const run = begin(backup(), unclaimed);
    await expect(run.result).rejects.toThrow('run 2026-03-29T01:30Z is not claimed');
    expect(run.commands.started).toEqual([]);
  });
});

describe('a store that fails is asked again', () => {
  test('before the command starts', async () => {
    const errors: unknown[] = [];
    const store = new MemoryStore();
    store.failures = 2;
    const run = begin(backup(), claimed, { onStoreError: (error) => errors.push(error) }, store);
    await run.clock.advance(700);
    expect(run.commands.started).toEqual([]);
    await run.clock.advance(100);
    const command = await commandOf(run);
    expect(errors).toEqual([new Error('the disk is full'), new Error('the disk is full')]);
    command.end({ kind: 'exited', exitCode: 0 });
    // The wait is part of how late the command was.
    expect((await run.result)?.attempt?.startedAt).toBe(NOW + 750);
  });

  test('after it ended, for as long as it takes, and the end is the one that was', async () => {
    const run = begin(backup());
    const command = await commandOf(run);
    await run.clock.advance(5_000);
    run.store.failures = 20;
    command.end({ kind: 'exited', exitCode: 0 });
    await run.clock.advance(60 * MINUTE);
    const finish = await run.result;
    expect([finish?.status, finish?.at]).toEqual(['succeeded', NOW + 5_000]);
    expect(run.store.finishes).toEqual([finish]);
  });
});

describe('when the executor shall stop and the store takes nothing', () => {
  test('a run that has not started stays claimed', async () => {
    const store = new MemoryStore();
    store.failures = Number.POSITIVE_INFINITY;
    const run = begin(backup(), claimed, {}, store);
    await run.clock.advance(MINUTE);
    run.stop.abort('daemon-stopped');
    expect(await run.result).toBeUndefined();
    expect(run.commands.started).toEqual([]);
  });

  test('an end is given up after some seconds', async () => {
    const run = begin(backup());
    const command = await commandOf(run);
    run.store.failures = Number.POSITIVE_INFINITY;
    command.end({ kind: 'exited', exitCode: 0 });
    await run.clock.advance(60 * MINUTE);
    const result = expect(run.result).rejects.toThrow('the disk is full');
    run.stop.abort('daemon-stopped');
    await run.clock.advance(4_000);
    expect(run.clock.sleepers).toBe(1);
    await run.clock.advance(2_000);
    await result;
  });
});

describe('a command whose time is over', () => {
  test('gets TERM, and KILL after a grace', async () => {
    const run = begin(backup('timeout=10m'));
    const command = await commandOf(run);
    await run.clock.advance(10 * MINUTE - 1);
    expect(command.signals).toEqual([]);
    await run.clock.advance(1 + GRACE_MS - 1);
    expect(command.signals).toEqual([['SIGTERM', 10 * MINUTE]]);
    command.onSignal = (signal) => command.end({ kind: 'signalled', signal });
    await run.clock.advance(1);
    expect(command.signals).toEqual([
      ['SIGTERM', 10 * MINUTE],
      ['SIGKILL', 10 * MINUTE + GRACE_MS],
    ]);
    const at = NOW + 10 * MINUTE + GRACE_MS;
    expect(await run.result).toEqual({
      jobId: 'shop/backup',
      runId: '2026-03-29T01:30Z',
      token: 'token-1',
      status: 'timed-out',
      reason: 'timeout',
      attempt: {
        number: 1,
        startedAt: NOW,
        finishedAt: at,
        status: 'timed-out',
        reason: 'timeout',
        signal: 'SIGKILL',
      },
      at,
    });
  });

  test('has timed out even when it ends well on TERM; what is left of its group is killed at once', async () => {
    const run = begin(backup('timeout=10m'));
    const command = await commandOf(run);
    command.onSignal = () => command.end({ kind: 'exited', exitCode: 0 });
    await run.clock.advance(10 * MINUTE);
    const finish = await run.result;
    expect([finish?.status, finish?.reason, finish?.attempt?.exitCode]).toEqual(['timed-out', 'timeout', 0]);
    expect(command.signals).toEqual([
      ['SIGTERM', 10 * MINUTE],
      ['SIGKILL', 10 * MINUTE],
    ]);
    expect(run.clock.sleepers).toBe(0);
  });

  test.each<[what: string, leavesAfter: number, killedAfter: number]>([
    ['as soon as all of it has gone', 3_000, 3_000],
    ['when the grace is over', 60_000, GRACE_MS],
  ])('leaves its group the same grace: it is killed %s', async (_what, leavesAfter, killedAfter) => {
    const run = begin(backup('timeout=10m'));
    const command = await commandOf(run);
    const { clock } = run;
    command.isGroupLeft = () => clock.monotonic() < 10 * MINUTE + leavesAfter;
    command.onSignal = (signal) => command.end({ kind: 'signalled', signal });
    await clock.advance(11 * MINUTE);
    expect(command.signals).toEqual([
      ['SIGTERM', 10 * MINUTE],
      ['SIGKILL', 10 * MINUTE + killedAfter],
    ]);
    expect((await run.result)?.attempt?.signal).toBe('SIGTERM');
  });

  test('is measured by time that passed, not by the wall clock', async () => {
    const run = begin(backup('timeout=10m'));
    const command = await commandOf(run);
    run.clock.jumpTo(NOW + 24 * 60 * MINUTE);
    await run.clock.advance(9 * MINUTE);
    expect(command.signals).toEqual([]);
    await run.clock.advance(MINUTE);
    expect(command.signals).toEqual([['SIGTERM', 10 * MINUTE]]);
  });

  test('has no such time without `timeout`', async () => {
    const run = begin(backup());
    const command = await commandOf(run);
    await run.clock.advance(400 * 24 * 60 * MINUTE);
    expect(command.signals).toEqual([]);
  });
});

describe('a command that somebody stops', () => {
  test('gets TERM, and KILL after a grace; the run is cancelled for that reason', async () => {
    const run = begin(backup('timeout=10m'));
    const command = await commandOf(run);
    await run.clock.advance(5_000);
    run.stop.abort('daemon-stopped');
    await run.clock.advance(GRACE_MS - 1);
    expect(command.signals).toEqual([['SIGTERM', 5_000]]);
    command.onSignal = (signal) => command.end({ kind: 'signalled', signal });
    await run.clock.advance(1);
    const finish = await run.result;
    expect([finish?.status, finish?.reason, finish?.attempt?.signal]).toEqual([
      'cancelled',
      'daemon-stopped',
      'SIGKILL',
    ]);
    expect(command.signals).toEqual([
      ['SIGTERM', 5_000],
      ['SIGKILL', 5_000 + GRACE_MS],
    ]);
    expect(run.clock.sleepers).toBe(0);
  });

  test('in the grace of its time-out has timed out all the same', async () => {
    const run = begin(backup('timeout=1m'));
    const command = await commandOf(run);
    await run.clock.advance(MINUTE + 1_000);
    run.stop.abort('daemon-stopped');
    command.end({ kind: 'signalled', signal: 'SIGTERM' });
    expect((await run.result)?.status).toBe('timed-out');
  });

  test('is stopped at once when the wish came before its start', async () => {
    const run = begin(backup(), claimed, { stop: AbortSignal.abort('requested') });
    const command = await commandOf(run);
    expect(command.signals).toEqual([['SIGTERM', 0]]);
    command.end({ kind: 'signalled', signal: 'SIGTERM' });
    expect((await run.result)?.reason).toBe('requested');
  });

  test('and had already ended is not touched', async () => {
    const run = begin(backup());
    const command = await commandOf(run);
    command.end({ kind: 'exited', exitCode: 0 });
    expect((await run.result)?.status).toBe('succeeded');
    run.stop.abort('daemon-stopped');
    await settled();
    expect(command.signals).toEqual([]);
  });
});

describe('a command sees', () => {
  const user = { name: 'jane', home: '/home/jane' };
  const own = {
    LOGNAME: 'jane',
    USER: 'jane',
    KUBERCRON_JOB: 'backup',
    KUBERCRON_RUN_ID: 'shop/backup/2026-03-29T01:30Z',
    KUBERCRON_SCHEDULED_TIME: '2026-03-29T01:30Z',
    KUBERCRON_ATTEMPT: '1',
    KUBERCRON_TRIGGER: 'schedule',
  };
  const plain: CommandSpec = {
    shell: '/bin/sh',
    command: './backup.sh',
    environment: { HOME: '/home/jane', PATH: '/usr/bin:/bin', SHELL: '/bin/sh', ...own },
    directory: '/home/jane',
    masked: [],
  };
  const seen = (changes: Partial<CommandSpec>, environment: Record<string, string> = {}): CommandSpec => ({
    ...plain,
    ...changes,
    environment: { ...plain.environment, ...environment },
  });

  type Given = Partial<Pick<ExecuteOptions, 'passed' | 'secrets'>>;

  test.each<[what: string, settings: string, given: Given, spec: CommandSpec]>([
    ["cron's five and the run", '', {}, plain],
    ['settings', 'A=1\nB=" 2 "\n', {}, seen({}, { A: '1', B: ' 2' })],
    ['a shell', 'SHELL=/bin/bash\n', {}, seen({ shell: '/bin/bash' }, { SHELL: '/bin/bash' })],
    ['a home, which is its folder', 'HOME=/srv\n', {}, seen({ directory: '/srv' }, { HOME: '/srv' })],
    ['a path', 'PATH=/opt/bin:/bin\n', {}, seen({}, { PATH: '/opt/bin:/bin' })],
    ['what the executor passes on', '', { passed: { LANG: 'C' } }, seen({}, { LANG: 'C' })],
    [
      'its setting rather than what is passed on',
      'LANG=de\n',
      { passed: { LANG: 'C' } },
      seen({}, { LANG: 'de' }),
    ],
    [
      'its secret rather than a setting, masked in the output',
      'KEY=none\n',
      { secrets: { KEY: 'open sesame' } },
      seen({ masked: ['open sesame'] }, { KEY: 'open sesame' }),
    ],
    [
      'its user and run, whatever else is said of them',
      '',
      { passed: { USER: 'root', KUBERCRON_JOB: 'x' }, secrets: { LOGNAME: 'secret user' } },
      seen({ masked: ['secret user'] }),
    ],
  ])('%s', (_what, settings, { passed = {}, secrets = {} }, spec) => {
    const job = jobOf(`${settings}# kuber-cron: name=backup\n30 1 * * * ./backup.sh\n`);
    expect(commandSpec(claimed, job, 1, { user, passed, secrets })).toEqual(spec);
  });

  test('standard input, and which attempt of which run it is', () => {
    const job = jobOf('# kuber-cron: name=backup\n30 1 * * * ./backup.sh \\%x%one%two\n');
    const byHand: Run = { ...claimed, runId: '2026-03-29T01:30Z#mabc', trigger: 'manual' };
    expect(commandSpec(byHand, job, 3, { user, passed: {}, secrets: {} })).toEqual(
      seen(
        { command: './backup.sh %x', stdin: 'one\ntwo\n' },
        {
          KUBERCRON_RUN_ID: 'shop/backup/2026-03-29T01:30Z#mabc',
          KUBERCRON_ATTEMPT: '3',
          KUBERCRON_TRIGGER: 'manual',
        },
      ),
    );
  });
});
