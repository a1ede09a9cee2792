import { describe, expect, test } from '@jest/globals';
import { ExecutorFault } from '../../functions/executor/execute.ts';
import { Unobtainable } from '../../shared/adapters/aws-error.ts';
import { ownerMark } from '../../shared/core/run/execute-run.ts';
import type { Attempt } from '../../shared/core/run/run.ts';
import type { Finish } from '../../shared/core/run/run-store.ts';
import { settled } from '../support/fake-clock.ts';
import type { FakeCommand } from '../support/fake-commands.ts';
import { StoreFaults } from '../support/faulty-store.ts';
import { claimOf, finishOf, owedOf, ownerOf } from '../support/run-claims.ts';
import { CREDENTIALS, delivery, ExecutorBench, MINUTE, NOW } from './executor-bench.ts';

const RUN = '2026-03-29T04:30Z';
const AT = Date.parse(RUN);
const crontab = (options = '', schedule = '30 4 * * *') =>
  `# kuber-cron: name=backup ${options}\n${schedule} ./backup.sh\n`;
const bench = (options = '', change: ConstructorParameters<typeof ExecutorBench>[1] = {}) =>
  new ExecutorBench(crontab(options), change);
const failed = { kind: 'exited', exitCode: 1 } as const;
const claimAt = (time: string, fields: Parameters<typeof claimOf>[0] = {}) =>
  claimOf({ scheduledTime: Date.parse(time), startedAt: Date.parse(time), ...fields });

describe('an event that is about no due run', () => {
  const suspended = crontab('suspend="moved"');
  // Both day fields: two expressions, of which each brings days along.
  const monthEnds = crontab('', '30 4 */2 * 0');
  test.each<
    [
      what: string,
      text: string,
      fields: Record<string, unknown>,
      reason: string,
      crontab: string,
      level: string,
    ]
  >([
    ['is no object of ours', crontab(), { command: 'rm' }, 'malformed', '(none)', 'error'],
    ['is about a crontab that is gone', crontab(), { crontab: 'office' }, 'unknown-job', '(none)', 'error'],
    ['is about a job that is gone', crontab(), { job: 'report' }, 'unknown-job', 'shop', 'error'],
    ['is about a suspended job', suspended, {}, 'not-due', 'shop', 'info'],
    [
      'is one that an expression brings along',
      monthEnds,
      { scheduledTime: '2026-03-22T04:30:10Z' },
      'not-due',
      'shop',
      'info',
    ],
    [
      'is one that no expression can have made',
      crontab(),
      { scheduledTime: '2026-03-29T04:29:10Z' },
      'not-foreseen',
      'shop',
      'error',
    ],
  ])(
    'and %s is dropped, counted, and asks the store nothing',
    async (_what, text, fields, reason, name, level) => {
      const b = new ExecutorBench(text);
      expect(await b.invoke(delivery(fields))).toBe('returned');
      expect(b.requests).toEqual([]);
      expect(b.sandbox).toEqual([]);
      expect(b.lines.map((line) => [line.level, line.event, line.reason])).toEqual([
        [level, 'delivery-dropped', reason],
      ]);
      const dimensions = { Crontab: name, Reason: reason };
      expect(b.metrics).toEqual([['kubercron_deliveries_dropped_total', dimensions, 1]]);
    },
  );
});

describe('a delivery of a due run', () => {
  test('starts it with two requests, whatever its seconds are', async () => {
    const b = bench();
    expect(await b.runToEnd(delivery({ scheduledTime: '2026-03-29T04:30:59.999Z' }))).toBe('returned');
    expect(b.requests).toEqual(['claim', 'finish']);
    expect(await b.run()).toMatchObject({
      ...{ jobId: 'shop/backup', runId: RUN, scheduledTime: AT, trigger: 'schedule', status: 'succeeded' },
      startBy: AT + 60 * MINUTE,
      attempts: [{ number: 1, startedAt: NOW, finishedAt: NOW, status: 'succeeded', exitCode: 0 }],
    });
    expect(b.lines.map(({ event }) => event)).toEqual(['run-started', 'run-ended']);
    expect(b.metrics).toEqual([
      ['kubercron_job_attempts_total', { Crontab: 'shop' }, 1],
      ['kubercron_job_lateness_seconds', { Crontab: 'shop' }, 7],
      ['kubercron_job_duration_seconds', { Crontab: 'shop' }, 0],
      ['kubercron_job_runs_total', { Crontab: 'shop', Status: 'succeeded' }, 1],
    ]);
    expect(b.sandbox).toEqual(['enter', `remember ${RUN}`, 'leave']);
  });

  test('gives its command what cron gives, the credentials of commands, and nothing of the function', async () => {
    const b = new ExecutorBench(
      'TEAM=shop\n# kuber-cron: name=backup secrets=API_KEY memory=1Gi cpu-time=5m\n30 4 * * * ./backup.sh\n',
    );
    await b.runToEnd(delivery());
    const { environment, masked, directory, limits } = b.commands.started[0]?.spec ?? {};
    expect(environment).toEqual({
      ...{ HOME: '/sandbox/home', TMPDIR: '/sandbox/home/tmp', PATH: '/usr/bin:/bin', SHELL: '/bin/sh' },
      ...{ LOGNAME: 'sbx_user', USER: 'sbx_user', TEAM: 'shop', API_KEY: 'value-of-API_KEY' },
      ...{ AWS_REGION: 'eu-central-1', AWS_DEFAULT_REGION: 'eu-central-1', ...CREDENTIALS },
      ...{ KUBERCRON_JOB: 'backup', KUBERCRON_RUN_ID: `shop/backup/${RUN}`, KUBERCRON_ATTEMPT: '1' },
      ...{ KUBERCRON_OWNER: ownerMark('token-1'), KUBERCRON_SCHEDULED_TIME: RUN },
      KUBERCRON_TRIGGER: 'schedule',
    });
    expect(directory).toBe('/sandbox/home');
    expect(masked).toEqual(['value-of-API_KEY', ...Object.values(CREDENTIALS)]);
    // The memory of the function is the limit.
    expect(limits).toEqual({ cpuTimeMs: 300_000 });
    expect(b.sessions).toEqual(['shop.backup']);
  });

  test('that comes twice starts it once', async () => {
    const b = bench();
    await b.runToEnd(delivery());
    expect(await b.invoke(delivery({ part: 1, executionId: '7a2d' }))).toBe('returned');
    expect(b.commands.started).toHaveLength(1);
    expect(b.said('run-taken')).toHaveLength(1);
  });

  test.each<
    [
      what: string,
      before: (b: ExecutorBench) => Promise<unknown>,
      event: string,
      status: string | undefined,
      reason: string | undefined,
    ]
  >([
    [
      'while the run before is under way, is an overlap',
      (b) => b.memory.claim(claimAt('2026-03-28T04:30Z')),
      ...(['run-skipped', 'skipped', 'overlap'] as const),
    ],
    [
      'after a later run was started, is superseded',
      async (b) => {
        const claim = claimAt('2026-03-29T04:31Z');
        await b.memory.claim(claim);
        await b.memory.finish(finishOf(claim, { attempt: { number: 1, startedAt: claim.at } }));
      },
      ...(['run-skipped', 'skipped', 'superseded'] as const),
    ],
    [
      'in a pause, has no run',
      (b) => b.memory.pause({ jobId: 'shop/backup', from: AT - MINUTE, by: 'ann@host-1' }),
      ...(['run-paused', undefined, undefined] as const),
    ],
    [
      'after the last moment to start, is left to the ledger',
      async (b) => b.clock.jumpTo(AT + 61 * MINUTE),
      ...(['delivery-late', undefined, undefined] as const),
    ],
    [
      'after the last moment to start a run that is pending, makes it missed',
      async (b) => {
        await b.memory.owe(owedOf({ scheduledTime: AT, startBy: AT + 60 * MINUTE }));
        b.clock.jumpTo(AT + 61 * MINUTE);
      },
      ...(['run-skipped', 'missed', 'too-late'] as const),
    ],
  ])('%s', async (_what, before, event, status, reason) => {
    const b = bench();
    await before(b);
    expect(await b.invoke(delivery())).toBe('returned');
    expect(b.commands.started).toEqual([]);
    expect(b.lines.map((line) => line.event)).toEqual([event]);
    const run = await b.run();
    expect([run?.status, run?.reason]).toEqual([status, reason]);
    const counted = [['kubercron_job_runs_total', { Crontab: 'shop', Status: status }, 1]];
    expect(b.metrics).toEqual(status === undefined ? [] : counted);
  });

  test('whose command fails is a result, with another attempt to come if the job has any', async () => {
    const b = bench('retries=1 backoff=2m..2m', { hasJobMetrics: true });
    expect(await b.runToEnd(delivery(), 1)).toBe('returned');
    expect(await b.run()).toMatchObject({ status: 'pending', cause: 'retry', notBefore: NOW + 2 * MINUTE });
    expect(b.metrics.filter(([name]) => name === 'kubercron_job_runs_total')).toEqual([]);
    expect(b.metrics.filter(([name]) => name === 'kubercron_job_attempts_total')).toEqual([
      ['kubercron_job_attempts_total', { Crontab: 'shop' }, 1],
      ['kubercron_job_attempts_total', { Crontab: 'shop', JobName: 'backup' }, 1],
    ]);
  });

  test.each([
    ['is late', 'late-after=1m', NOW + MINUTE, 'run-late', 'kubercron_job_late_runs_total'],
    ['is not late', 'late-after=2m', NOW + MINUTE, undefined, 'kubercron_job_late_runs_total'],
  ])('%s by what the job says', async (_what, options, now, event, metric) => {
    const b = bench(options);
    b.clock.jumpTo(now);
    await b.runToEnd(delivery());
    expect(b.lines.map((line) => line.event).filter((one) => one === 'run-late')).toEqual(
      event ? [event] : [],
    );
    expect(b.metrics.some(([name]) => name === metric)).toBe(event !== undefined);
  });

  test('is not counted as late where the watchdog has done so', async () => {
    const b = bench('late-after=1m');
    b.clock.jumpTo(NOW + 3 * MINUTE);
    await b.memory.owe(owedOf({ scheduledTime: AT }));
    const key = { jobId: 'shop/backup', runId: RUN };
    expect(await b.memory.handOut(key, NOW + 2 * MINUTE)).toBe(true);
    await b.runToEnd({ crontab: 'shop', job: 'backup', runId: RUN });
    expect(b.lines.map((line) => line.event)).toEqual(['run-started', 'run-ended']);
  });

  test('runs longer than it should', async () => {
    const b = bench('slow-after=1m');
    const ended = b.invoke(delivery());
    await b.clock.advance(MINUTE);
    b.commands.started[0]?.end({ kind: 'exited', exitCode: 0 });
    await b.clock.advance(0);
    expect(await ended).toBe('returned');
    expect(b.said('run-slow')).toHaveLength(1);
    expect(b.metrics).toContainEqual(['kubercron_job_slow_runs_total', { Crontab: 'shop' }, 1]);
  });
});

describe('the time of an invocation', () => {
  test.each<[what: string, options: string, ms: number, runsFor: number]>([
    ['leaves thirty seconds behind the command', '', 10 * MINUTE, 10 * MINUTE - 30_000],
    ['is no reason to run longer than the job may', 'timeout=2m', 10 * MINUTE, 2 * MINUTE],
  ])('%s', async (_what, options, ms, runsFor) => {
    const b = bench(options);
    const ended = b.invoke(delivery(), { ms });
    await settled();
    const [command] = b.commands.started;
    (command as FakeCommand).onSignal = () => command?.end({ kind: 'signalled', signal: 'SIGTERM' });
    await b.clock.advance(ms - 11_000);
    expect(await ended).toBe('returned');
    expect(command?.signals[0]).toEqual(['SIGTERM', runsFor]);
    expect(await b.run()).toMatchObject({ status: 'timed-out', reason: 'timeout' });
  });

  test('that is too short for a command is a fault before anything is claimed', async () => {
    const b = bench();
    const error = await b.invoke(delivery(), { ms: 30_500 });
    expect(error).toBeInstanceOf(ExecutorFault);
    expect(b.requests).toEqual([]);
  });

  test('keeps the lease, and hears of a wish to end the run', async () => {
    const b = bench();
    const ended = b.invoke(delivery());
    await b.clock.advance(0);
    const [command] = b.commands.started;
    (command as FakeCommand).onSignal = () => command?.end({ kind: 'signalled', signal: 'SIGTERM' });
    await b.clock.advance(25_000);
    expect((await b.run())?.leaseUntil).toBe(NOW + 20_000 + 5 * MINUTE);
    const key = { jobId: 'shop/backup', runId: RUN };
    await b.memory.cancel(key, { verb: 'cancel', by: 'ann@host-1', at: b.clock.now() });
    await b.clock.advance(20_000);
    expect(await ended).toBe('returned');
    expect(await b.run()).toMatchObject({ status: 'cancelled', reason: 'requested' });
    const { length } = b.requests;
    await b.clock.advance(10 * MINUTE);
    expect(b.requests).toHaveLength(length);
  });
});

describe('a run that waits in the store', () => {
  const owed = (fields: object = {}) =>
    owedOf({ scheduledTime: AT, notBefore: AT, startBy: NOW + 5 * MINUTE, ...fields });
  const start = { crontab: 'shop', job: 'backup', runId: RUN };

  test('is started when the watchdog says so', async () => {
    const b = bench();
    await b.memory.owe(owed());
    expect(await b.runToEnd(start)).toBe('returned');
    expect(b.requests).toEqual(['run', 'claim', 'finish']);
    expect(await b.run()).toMatchObject({
      status: 'succeeded',
      trigger: 'catch-up',
      startBy: NOW + 5 * MINUTE,
    });
  });

  test.each<[what: string, prepare: (b: ExecutorBench) => Promise<unknown>, event: string]>([
    ['is to wait', (b) => b.memory.owe(owed({ notBefore: NOW + MINUTE })), 'run-waiting'],
    ['is not there', async () => {}, 'run-not-pending'],
    ['is over', async (b) => b.runToEnd(delivery()), 'run-not-pending'],
  ])('is not started when it %s', async (_what, prepare, event) => {
    const b = bench();
    await prepare(b);
    const { length } = b.commands.started;
    expect(await b.invoke(start)).toBe('returned');
    expect(b.commands.started).toHaveLength(length);
    expect(b.lines.at(-1)?.event).toBe(event);
  });

  test('begins its next attempt after one that failed', async () => {
    const b = bench('retries=1 backoff=2m..2m');
    await b.runToEnd(delivery(), 1);
    await b.clock.advance(3 * MINUTE);
    expect(await b.runToEnd(start)).toBe('returned');
    expect(b.commands.started[1]?.spec.environment.KUBERCRON_ATTEMPT).toBe('2');
    expect(await b.run()).toMatchObject({
      status: 'succeeded',
      attempts: [{ status: 'failed' }, { number: 2 }],
    });
    expect(b.metrics).toContainEqual(['kubercron_job_retries_total', { Crontab: 'shop' }, 1]);
    expect(b.metrics.filter(([name]) => name === 'kubercron_job_lateness_seconds')).toHaveLength(1);
  });

  test('that nobody can read now comes again', async () => {
    const b = bench('', {
      faulty: (store) => Object.assign(store, { run: () => Promise.reject(new Error('throttled')) }),
    });
    expect(await b.invoke(start)).toEqual(new ExecutorFault('the run was not read: throttled'));
  });
});

describe('what a command needs', () => {
  const unobtainable = () => Promise.reject(new Unobtainable('there is no parameter `/shop/API_KEY`'));
  const unreachable = () => Promise.reject(new Error('no answer from ssm'));

  test.each<[what: string, change: object]>([
    ['a secret', { secrets: unobtainable }],
    ['the role of commands', { credentials: unobtainable }],
  ])('and cannot be had, %s, fails the run with its reason', async (_what, change) => {
    const b = bench('secrets=API_KEY retries=1', change);
    expect(await b.invoke(delivery())).toBe('returned');
    const attempt = { number: 1, status: 'failed', reason: 'not-started', exitCode: 125 };
    expect(await b.run()).toMatchObject({
      status: 'pending',
      attempts: [{ ...attempt, error: 'there is no parameter `/shop/API_KEY`' }],
    });
    expect(b.commands.started).toEqual([]);
  });

  test.each<[what: string, change: object]>([
    ['its secrets', { secrets: unreachable }],
    ['its credentials', { credentials: unreachable }],
  ])('and cannot be asked for now, %s, is a fault before anything is claimed', async (_what, change) => {
    const b = bench('secrets=API_KEY', change);
    const fault = new ExecutorFault('what the command needs could not be asked for: no answer from ssm');
    expect(await b.invoke(delivery())).toEqual(fault);
    expect(b.requests).toEqual([]);
    expect(b.sandbox).toEqual(['enter', 'leave']);
    expect(b.said('fault')).toHaveLength(1);
  });

  test('is masked only when it is long enough, which is said', async () => {
    const b = bench('secrets=API_KEY', { secrets: async () => ({ API_KEY: 'short' }) });
    await b.runToEnd(delivery());
    expect(b.said('warning').map(({ msg }) => msg)).toEqual([
      'the secret `API_KEY` has fewer than 8 characters, so it is not masked in output',
    ]);
  });
});

describe('a store that fails', () => {
  const faultyBench = () => {
    const faults = new StoreFaults();
    return { faults, b: bench('', { faulty: (store) => faults.of(store) }) };
  };
  const invokeThrough = async (b: ExecutorBench) => {
    const ended = b.invoke(delivery());
    await b.clock.advance(5_000);
    return await ended;
  };

  test('is asked again to take the claim', async () => {
    const { faults, b } = faultyBench();
    faults.fail('claim', 'before', 'after');
    const ended = b.invoke(delivery());
    await b.clock.advance(5_000);
    b.commands.started[0]?.end({ kind: 'exited', exitCode: 0 });
    expect(await ended).toBe('returned');
    expect(b.requests).toEqual(['claim', 'claim', 'claim', 'finish']);
    expect((await b.run())?.attempts).toHaveLength(1);
  });

  test.each(['before', 'after'] as const)(
    'when it claims, failing %s it took that, makes the event come again',
    async (fault) => {
      const { faults, b } = faultyBench();
      faults.fail('claim', fault, fault, fault);
      const thrown = await invokeThrough(b);
      expect(thrown).toBeInstanceOf(ExecutorFault);
      expect((thrown as Error).stack).toBe(`ExecutorFault: ${(thrown as Error).message}`);
      expect(b.commands.started).toEqual([]);
      await b.clock.advance(MINUTE);
      expect(await b.runToEnd(delivery())).toBe('returned');
      expect(b.commands.started).toHaveLength(1);
      expect(await b.run()).toMatchObject({ status: 'succeeded', attempts: [{ number: 1 }] });
    },
  );

  test('and took a claim all the same, leaves it to the lease where the event comes to another sandbox', async () => {
    const { faults, b } = faultyBench();
    faults.fail('claim', 'after', 'after', 'after');
    await invokeThrough(b);
    expect(await b.invoke(delivery(), { executor: b.another() })).toBe('returned');
    expect(b.commands.started).toEqual([]);
    expect(await b.run()).toMatchObject({ status: 'running', owner: { token: 'token-1' } });
  });

  test('until ten seconds before the end, has the result of the run in the log, and gets it when it can', async () => {
    const { faults, b } = faultyBench();
    const ended = b.invoke(delivery(), { ms: 5 * MINUTE });
    await settled();
    faults.next = (write) => (write === 'finish' ? 'before' : 'none');
    b.commands.started[0]?.end({
      ...failed,
      output: { stdout: { text: 'private', droppedBytes: 0 }, stderr: { text: '', droppedBytes: 0 } },
    });
    await b.clock.advance(5 * MINUTE - 10_001);
    expect(b.said('run-unrecorded')).toEqual([]);
    await b.clock.advance(1);
    expect(await ended).toEqual(new ExecutorFault(`the end of run shop/backup ${RUN} is not recorded`));
    expect(b.said('run-unrecorded').map(({ result }) => result)).toEqual([
      expect.objectContaining({
        jobId: 'shop/backup',
        runId: RUN,
        status: 'failed',
        reason: 'exit-code',
        at: NOW,
      }),
    ]);
    expect(JSON.stringify(b.lines)).not.toMatch(/token-1|private/);
    // The lease is nobody's any more.
    const lease = (await b.run())?.leaseUntil;
    await b.clock.advance(MINUTE);
    expect((await b.run())?.leaseUntil).toBe(lease);

    faults.next = () => 'none';
    expect(await b.invoke(delivery())).toBe('returned');
    expect(b.commands.started).toHaveLength(1);
    expect(await b.run()).toMatchObject({ status: 'failed', attempts: [{ finishedAt: NOW, exitCode: 1 }] });
  });

  test('with an answer that never comes, does not hold the invocation', async () => {
    const b = bench('', { faulty: (store) => Object.assign(store, { finish: () => new Promise(() => {}) }) });
    const ended = b.invoke(delivery(), { ms: MINUTE });
    await settled();
    b.commands.started[0]?.end({ kind: 'exited', exitCode: 0 });
    await b.clock.advance(50_000);
    expect(await ended).toBeInstanceOf(ExecutorFault);
    expect(b.said('run-unrecorded')).toHaveLength(1);
  });

  test('and let another have the run meanwhile, is not counted as its end', async () => {
    const b = bench();
    const ended = b.invoke(delivery());
    await settled();
    const run = await b.run();
    const lost: Finish = {
      jobId: 'shop/backup',
      runId: RUN,
      token: 'token-1',
      status: 'lost',
      reason: 'lease-expired',
      at: NOW,
    };
    const [attempt] = run?.attempts ?? [];
    await b.memory.finish({ ...lost, attempt: { ...(attempt as Attempt), finishedAt: NOW, status: 'lost' } });
    b.commands.started[0]?.end({ kind: 'exited', exitCode: 0 });
    expect(await ended).toBe('returned');
    expect(b.said('run-taken-away')).toHaveLength(1);
    expect(b.metrics.map(([name]) => name)).not.toContain('kubercron_job_runs_total');
  });
});

describe('a sandbox whose last invocation was ended by the platform', () => {
  const mark = { runId: `shop/backup/${RUN}`, owner: ownerMark('token-0') };
  const former = { jobId: 'shop/backup', runId: RUN, token: 'token-0', mark };
  const startedBy = (token: string) => claimOf({ scheduledTime: AT, startedAt: AT, token });

  test('closes the run of that as lost, with another attempt if the job has any', async () => {
    const b = bench('retries=1 backoff=3m..3m');
    await b.memory.claim(startedBy('token-0'));
    b.former = former;
    await b.executor.sweep();
    expect(await b.run()).toMatchObject({
      status: 'pending',
      notBefore: NOW + 3 * MINUTE,
      attempts: [{ number: 1, status: 'lost', reason: 'owner-died' }],
    });
    expect(b.said('run-lost')).toHaveLength(1);
  });

  test('leaves a run alone that is another’s by now', async () => {
    const b = bench('retries=1');
    await b.memory.claim(startedBy('token-9'));
    b.former = former;
    await b.executor.sweep();
    expect(await b.run()).toMatchObject({ status: 'running', owner: ownerOf('token-9') });
  });

  test('goes on when that fails', async () => {
    const b = bench('', {
      faulty: (store) => Object.assign(store, { run: () => Promise.reject(new Error('throttled')) }),
    });
    b.former = former;
    expect(await b.runToEnd(delivery())).toBe('returned');
    expect(b.commands.started).toHaveLength(1);
    expect(b.said('error')[0]?.error).toBe('throttled');
  });
});

describe('a dry run', () => {
  test('records what would start, and starts nothing', async () => {
    const b = bench('', { isDryRun: true });
    expect(await b.invoke(delivery())).toBe('returned');
    expect(b.commands.started).toEqual([]);
    expect(b.sandbox).toEqual([]);
    expect(await b.run()).toMatchObject({ status: 'skipped', reason: 'dry-run', attempts: [] });
    expect(b.said('run-would-start')).toHaveLength(1);
  });
});
