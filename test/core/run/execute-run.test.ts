import { describe, expect, test } from '@jest/globals';
import type { PlannedJob } from '../../../shared/core/plan/plan.ts';
import {
  commandSpec,
  type ExecuteOptions,
  executeRun,
  GRACE_MS,
  ownerMark,
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

const NO_RETRY = { random: () => 0, nextDue: () => undefined };

/** Keeps what is put into it, and everything that it was told. */
class MemorySpool {
  readonly told: string[] = [];
  isFull = false;

  put({ runId }: Finish): void {
    if (this.isFull) throw new Error('no space is left');
    this.told.push(`put ${runId}`);
  }

  remove({ runId }: Finish): void {
    this.told.push(`remove ${runId}`);
  }
}

/** A run under way, with everything that it can be asked and told. */
function begin(
  job: PlannedJob,
  run: Run = claimed,
  options: Partial<ExecuteOptions> = {},
  store = new MemoryStore(),
  spool = new MemorySpool(),
) {
  const clock = new FakeClock(NOW);
  const commands = new FakeCommands(clock);
  const stop = new AbortController();
  const result = executeRun(
    run,
    job,
    { store, clock, commands, random: () => 0.5, nextDue: () => undefined, spool },
    {
      user: { name: 'jane', home: '/home/jane' },
      passed: {},
      secrets: {},
      stop: stop.signal,
      ending: stop.signal,
      ...options,
    },
  );
  return { clock, commands, store, spool, stop, result };
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
    const options = { user: { name: 'jane', home: '/' }, passed: {}, secrets: {}, stop, ending: stop };
    const finish = await executeRun(claimed, backup(), { store, clock, commands, ...NO_RETRY }, options);
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

describe('the end of a run that the store does not take', () => {
  test.each<[what: string, failures: number, isFull: boolean, told: string[], errors: number]>([
    ['is in the spool until it does', 3, false, ['put 2026-03-29T01:30Z', 'remove 2026-03-29T01:30Z'], 3],
    ['is never there when it does at once', 0, false, [], 0],
    ['is kept in memory when the spool is full, and that is said each time', 2, true, [], 4],
  ])('%s', async (_what, failures, isFull, told, errors) => {
    const spool = new MemorySpool();
    spool.isFull = isFull;
    let said = 0;
    const onStoreError = () => void said++;
    const run = begin(backup(), claimed, { onStoreError }, new MemoryStore(), spool);
    const command = await commandOf(run);
    run.store.failures = failures;
    command.end({ kind: 'exited', exitCode: 0 });
    await run.clock.advance(MINUTE);
    expect((await run.result)?.status).toBe('succeeded');
    expect([spool.told, said]).toEqual([told, errors]);
  });
});

describe('another attempt', () => {
  const RETRIES = 'retries=2 backoff=90s..90s';
  const notBefore = NOW + 90_000;
  const RETRY = { notBefore, startBy: notBefore + 60 * MINUTE };
  test.each<[what: string, options: string, end: CommandEnd, retry: Finish['retry']]>([
    ['follows a failure', RETRIES, { kind: 'exited', exitCode: 1 }, RETRY],
    ['follows a signal', RETRIES, { kind: 'signalled', signal: 'SIGSEGV' }, RETRY],
    ['follows a start that failed', RETRIES, { kind: 'not-started', exitCode: 127, error: 'x' }, RETRY],
    ['does not follow a success', RETRIES, { kind: 'exited', exitCode: 0 }, undefined],
    ['does not follow where there is none', '', { kind: 'exited', exitCode: 1 }, undefined],
  ])('%s', async (_what, options, end, retry) => {
    const run = begin(backup(options));
    (await commandOf(run)).end(end);
    expect((await run.result)?.retry).toEqual(retry);
  });

  test('is numbered after those before it', async () => {
    const before: Attempt = { number: 1, startedAt: NOW - MINUTE, finishedAt: NOW, status: 'failed' };
    const run = begin(backup(RETRIES), { ...claimed, attempts: [before] });
    const command = await commandOf(run);
    expect(command.spec.environment.KUBERCRON_ATTEMPT).toBe('2');
    command.end({ kind: 'exited', exitCode: 0 });
    expect((await run.result)?.attempt?.number).toBe(2);
  });
});

describe('a run that its claim started', () => {
  test('is executed without another start', async () => {
    const run = begin(backup(), { ...claimed, status: 'running', attempts: [{ number: 1, startedAt: NOW }] });
    (await commandOf(run)).end({ kind: 'exited', exitCode: 0 });
    const finish = await run.result;
    expect([run.store.starts, finish?.status, finish?.attempt?.number]).toEqual([[], 'succeeded', 1]);
  });
});

describe('the longest run of the platform', () => {
  test.each<[what: string, options: string, limitMs: number, termAt: number]>([
    ['ends a job without a timeout', '', 90_000, 90_000],
    ['ends a job with a longer one', 'timeout=10m', 90_000, 90_000],
    ['leaves a job its shorter one', 'timeout=1m', 90_000, 60_000],
  ])('%s', async (_what, options, limitMs, termAt) => {
    const run = begin(backup(options), claimed, { limitMs });
    const command = await commandOf(run);
    command.onSignal = () => command.end({ kind: 'signalled', signal: 'SIGTERM' });
    await run.clock.advance(10 * MINUTE);
    expect(command.signals[0]).toEqual(['SIGTERM', termAt]);
    expect((await run.result)?.status).toBe('timed-out');
  });
});

describe('a limit', () => {
  test.each<[what: string, end: CommandEnd, verdict: Partial<Finish>]>([
    [
      'that ended the command is the reason',
      { kind: 'signalled', signal: 'SIGKILL', exceeded: 'memory' },
      { status: 'failed', reason: 'memory' },
    ],
    [
      'that ended a part of it is the reason',
      { kind: 'exited', exitCode: 137, exceeded: 'cpu-time' },
      { status: 'failed', reason: 'cpu-time' },
    ],
    [
      'that ended a part of it is the reason, although the last part went well',
      { kind: 'exited', exitCode: 0, exceeded: 'memory' },
      { status: 'failed', reason: 'memory' },
    ],
  ])('%s', async (_what, end, verdict) => {
    const run = begin(backup('memory=64Mi cpu-time=10s'));
    const command = await commandOf(run);
    expect(command.spec.limits).toEqual({ memoryBytes: 64 * 2 ** 20, cpuTimeMs: 10_000 });
    command.end(end);
    const { status, reason } = (await run.result) as Finish;
    expect({ status, ...(reason && { reason }) }).toEqual(verdict);
  });
});

test('a command that runs longer than its slow-after is told of once, and goes on', async () => {
  let told = 0;
  const run = begin(backup('slow-after=5m'), claimed, { onSlow: () => void told++ });
  const command = await commandOf(run);
  await run.clock.advance(5 * MINUTE - 1);
  expect(told).toBe(0);
  await run.clock.advance(30 * MINUTE);
  expect([told, command.signals]).toEqual([1, []]);
  command.end({ kind: 'exited', exitCode: 0 });
  expect((await run.result)?.status).toBe('succeeded');
});

test('a command that ends before its slow-after is not slow', async () => {
  let told = 0;
  const run = begin(backup('slow-after=5m'), claimed, { onSlow: () => void told++ });
  (await commandOf(run)).end({ kind: 'exited', exitCode: 0 });
  await run.result;
  await run.clock.advance(10 * MINUTE);
  expect(told).toBe(0);
});

describe('a command sees', () => {
  const user = { name: 'jane', home: '/home/jane' };
  const own = {
    LOGNAME: 'jane',
    USER: 'jane',
    KUBERCRON_JOB: 'backup',
    KUBERCRON_RUN_ID: 'shop/backup/2026-03-29T01:30Z',
    KUBERCRON_OWNER: ownerMark('token-1'),
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
    log: { jobId: 'shop/backup', runId: '2026-03-29T01:30Z', attempt: 1 },
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
        {
          command: './backup.sh %x',
          stdin: 'one\ntwo\n',
          log: { jobId: 'shop/backup', runId: '2026-03-29T01:30Z#mabc', attempt: 3 },
        },
        {
          KUBERCRON_RUN_ID: 'shop/backup/2026-03-29T01:30Z#mabc',
          KUBERCRON_ATTEMPT: '3',
          KUBERCRON_TRIGGER: 'manual',
        },
      ),
    );
  });
});
