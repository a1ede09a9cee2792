import { describe, expect, test } from '@jest/globals';
import type { DaemonEvent } from '../../container/events.ts';
import type { SchedulerOptions } from '../../container/run-starter.ts';
import { MemoryRunStore } from '../../shared/adapters/memory-run-store.ts';
import { runIdText } from '../../shared/core/run/execute-run.ts';
import { LEASE_MS } from '../../shared/core/run/lease.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';
import { StoreFaults } from '../support/faulty-store.ts';
import { history, SchedulerProcess } from '../support/scheduler-process.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

function at(time: string): number {
  return Date.parse(`2026-03-10T${time}Z`);
}

/** A job `a` with directive options. */
function job(options: string, schedule = '* * * * *', name = 'a'): string {
  return `# kuber-cron: name=${name} ${options}\n${schedule} run-${name}\n`;
}

/** A process that runs a crontab from a time on; jobs named in `lasting` run until they are ended. */
async function processAt(
  time: string,
  crontab: string,
  { lasting = ['a'], store = new MemoryRunStore(), clock = new FakeClock(at(time)), ...options }: Given = {},
) {
  const process = new SchedulerProcess(store, clock, options);
  for (const name of lasting) process.commands.lasting.add(name);
  await process.recover(() => true);
  await process.load(crontab);
  process.run();
  await settled();
  return { process, clock, store };
}

interface Given extends Partial<SchedulerOptions> {
  readonly lasting?: readonly string[];
  readonly store?: MemoryRunStore;
  readonly clock?: FakeClock;
}

const FAILURE = { kind: 'exited', exitCode: 1 } as const;
const SUCCESS = { kind: 'exited', exitCode: 0 } as const;

function ofKind<Kind extends DaemonEvent['kind']>({ events }: SchedulerProcess, kind: Kind) {
  return events.filter((event): event is Extract<DaemonEvent, { kind: Kind }> => event.kind === kind);
}

describe('a failed attempt', () => {
  const HOURLY = '0 * * * *';

  test('is followed by others after their waits, in one run', async () => {
    const { process, clock, store } = await processAt('09:59:59', job('retries=2 backoff=1m..10m', HOURLY));
    await clock.advance(SECOND);
    process.command('a').end(FAILURE);
    await clock.advance(MINUTE);
    process.command('a').end({ kind: 'signalled', signal: 'SIGSEGV' });
    await clock.advance(MINUTE);
    process.command('a').end(SUCCESS);
    await settled();
    expect(await history(store)).toEqual(['a 10:00 succeeded']);
    expect(process.starts).toEqual([
      'a 10:00 at 10:00:00.000',
      'a 10:00 at 10:01:00.000',
      'a 10:00 at 10:02:00.000',
    ]);
    const run = await store.run('shop/a', '2026-03-10T10:00Z');
    expect(run?.attempts.map(({ number, status, reason }) => [number, status, reason])).toEqual([
      [1, 'failed', 'exit-code'],
      [2, 'failed', 'signal'],
      [3, 'succeeded', undefined],
    ]);
  });

  test('that was the last one is the end of its run', async () => {
    const { process, clock, store } = await processAt('09:59:59', job('retries=1', HOURLY));
    await clock.advance(SECOND);
    process.command('a').end(FAILURE);
    await clock.advance(MINUTE);
    process.command('a').end(FAILURE);
    await clock.advance(10 * MINUTE);
    expect([await history(store), process.starts.length]).toEqual([['a 10:00 failed exit-code'], 2]);
  });

  test('gives way to the next run', async () => {
    const { process, clock, store } = await processAt(
      '09:59:59',
      job('retries=3 backoff=90s..90s', '*/2 * * * *'),
    );
    await clock.advance(SECOND);
    process.command('a').end(FAILURE);
    await settled();
    expect((await store.run('shop/a', '2026-03-10T10:00Z'))?.status).toBe('pending');
    await clock.advance(90 * SECOND);
    process.command('a').end(FAILURE);
    await clock.advance(MINUTE);
    expect(await history(store)).toEqual(['a 10:00 failed exit-code', 'a 10:02 running']);
  });

  test('is tried again by the next process when this one dies', async () => {
    const crontab = job('retries=1 backoff=5m..5m', HOURLY);
    const { process, clock, store } = await processAt('09:59:59', crontab);
    await clock.advance(SECOND);
    process.command('a').end(FAILURE);
    await settled();
    process.die();
    const next = await processAt('', crontab, { store, clock });
    await clock.advance(5 * MINUTE);
    next.process.command('a').end(SUCCESS);
    await settled();
    expect(await history(store)).toEqual(['a 10:00 succeeded']);
    expect(next.process.starts).toEqual(['a 10:00 at 10:05:00.000']);
  });

  test('starts in its own millisecond, whatever else is looked for before', async () => {
    const crontab = job('retries=1 backoff=5m..5m', HOURLY) + job('retries=1 backoff=2m..2m', HOURLY, 'b');
    const { process, clock } = await processAt('09:59:59', crontab, { lasting: ['a', 'b'] });
    await clock.advance(SECOND + 7);
    process.command('a').end(FAILURE);
    process.command('b').end(FAILURE);
    await process.load(crontab);
    await clock.advance(6 * MINUTE);
    expect(process.starts.slice(2)).toEqual(['b 10:00 at 10:02:00.007', 'a 10:00 at 10:05:00.007']);
  });

  test('that is due in a pause ends its run', async () => {
    const { process, clock, store } = await processAt('09:59:59', job('retries=1 backoff=5m..5m', HOURLY));
    await clock.advance(SECOND);
    process.command('a').end(FAILURE);
    await store.pause({ jobId: 'shop/a', from: at('10:01'), until: at('10:10'), by: 'jane@desk' });
    await clock.advance(20 * MINUTE);
    expect([await history(store), process.starts.length]).toEqual([['a 10:00 failed paused'], 1]);
  });

  test('of a job that is gone ends its run', async () => {
    const { process, clock, store } = await processAt('09:59:59', job('retries=1 backoff=5m..5m', HOURLY));
    await clock.advance(SECOND);
    process.command('a').end(FAILURE);
    await process.load(job('', HOURLY, 'b'));
    await clock.advance(10 * MINUTE);
    expect(await history(store)).toEqual(['a 10:00 failed removed']);
  });
});

describe('under `concurrency-policy=replace`', () => {
  const REPLACE = job('concurrency-policy=replace');

  test('the run before is ended, and the next one starts when it is over', async () => {
    const { process, clock, store } = await processAt('09:59:59', REPLACE);
    await clock.advance(SECOND);
    const first = process.command('a');
    first.onSignal = (signal) =>
      signal === 'SIGTERM' && void clock.sleep(SECOND).then(() => first.end(FAILURE));
    await clock.advance(MINUTE + 4 * SECOND);
    expect(await history(store)).toEqual(['a 10:00 cancelled replaced', 'a 10:01 running']);
    expect([first.signals, process.starts]).toEqual([
      [
        ['SIGTERM', 61 * SECOND],
        ['SIGKILL', 62 * SECOND],
      ],
      ['a 10:00 at 10:00:00.000', 'a 10:01 at 10:01:01.000'],
    ]);
  });

  test('of runs that wait for it only the newest is started', async () => {
    const { process, clock, store } = await processAt('09:59:59', REPLACE);
    await clock.advance(SECOND);
    const stubborn = process.command('a');
    stubborn.isGroupLeft = () => true;
    await clock.advance(MINUTE + 8 * SECOND);
    await clock.advance(52 * SECOND);
    stubborn.end(FAILURE);
    await clock.advance(SECOND);
    expect(await history(store)).toEqual([
      'a 10:00 cancelled replaced',
      'a 10:01 skipped superseded',
      'a 10:02 running',
    ]);
  });
});

describe('under `catch-up=all`', () => {
  const ALL = job('catch-up=all starting-deadline=1h', '*/10 * * * *');

  test('every run of a downtime is started, oldest first, one at a time, and newly due ones after them', async () => {
    const { process, clock, store } = await processAt('09:59:59', ALL);
    process.die();
    await clock.advance(21 * MINUTE);
    const next = await processAt('', ALL, { store, clock });
    await clock.advance(10 * MINUTE);
    for (let n = 0; n < 4; n++) {
      next.process.command('a').end(SUCCESS);
      await clock.advance(SECOND);
    }
    expect(next.process.starts).toEqual([
      'a 10:00 at 10:20:59.000',
      'a 10:10 at 10:30:59.000',
      'a 10:20 at 10:31:00.000',
      'a 10:30 at 10:31:01.000',
    ]);
    expect(await history(store)).toEqual([
      'a 10:00 succeeded (catch-up)',
      'a 10:10 succeeded (catch-up)',
      'a 10:20 succeeded',
      'a 10:30 succeeded',
    ]);
  });

  test('a year of every minute is owed in bounded pieces, and the rest is too late', async () => {
    const crontab = job('catch-up=all starting-deadline=2d', '* * * * *');
    const { process, clock, store } = await processAt('09:59:59', crontab, { lasting: [] });
    process.die();
    clock.jumpTo(clock.now() + 365 * 24 * HOUR);
    const next = await processAt('', crontab, { store, clock });
    const runs = await store.runs({ limit: 100_000 });
    const pending = runs.filter(({ status }) => status === 'pending').length;
    const started = next.process.starts.length;
    expect([runs.filter(({ spanFrom }) => spanFrom !== undefined).length, pending + started]).toEqual([
      1,
      2 * 24 * 60,
    ]);
  });

  test('a long suspend of the machine is owed in bounded pieces, and what a crash leaves is owed by the next process', async () => {
    const crontab = job('catch-up=all starting-deadline=2d', '* * * * *');
    const { process, clock, store } = await processAt('09:59:59', crontab, { lasting: [] });
    clock.jumpTo(clock.now() + 20 * HOUR);
    // The first piece is in the store, and its process dies.
    for (let n = 0; n < 1000 && (await store.runs({ limit: 2000 })).length < 1000; n++) await settled();
    await clock.advance(15 * SECOND);
    process.die();
    const next = await processAt('', crontab, { store, clock, lasting: [] });
    await clock.advance(SECOND);
    const runs = await store.runs({ limit: 100_000 });
    expect(new Set(runs.map(({ scheduledTime }) => scheduledTime)).size).toBe(runs.length);
    expect(runs.length).toBe(20 * 60 + 1);
    expect(next.process.errors()).toEqual([]);
  });

  test('pauses that cannot be read are read again, and nothing is lost', async () => {
    const store = new MemoryRunStore();
    const { clock } = await processAt('09:59:59', job('', '*/10 * * * *'), { store, lasting: [] });
    const pauses = store.pauses.bind(store);
    let failures = 3;
    store.pauses = async (jobId) => {
      if (failures-- > 0) throw new Error('the disk is gone');
      return await pauses(jobId);
    };
    clock.jumpTo(at('10:21:00'));
    await clock.advance(30 * SECOND);
    await clock.advance(10 * MINUTE);
    expect(await history(store)).toEqual([
      'a 10:00-10:10 missed too-late',
      'a 10:20 succeeded (catch-up)',
      'a 10:30 succeeded',
    ]);
  });
});

describe('a pause', () => {
  test('answers for its instants without a row, and its end starts nothing', async () => {
    const { process, clock, store } = await processAt('09:59:59', job('', '*/10 * * * *'), { lasting: [] });
    await clock.advance(SECOND);
    await store.pause({ jobId: 'shop/a', from: clock.now() + 1, by: 'jane@desk' });
    await clock.advance(25 * MINUTE);
    await store.resume('shop/a', { at: clock.now(), by: 'jane@desk' });
    await clock.advance(10 * MINUTE);
    expect(await history(store)).toEqual(['a 10:00 succeeded', 'a 10:30 succeeded']);
    expect(process.starts).toEqual(['a 10:00 at 10:00:00.000', 'a 10:30 at 10:30:00.000']);
  });

  test('in a downtime is no downtime', async () => {
    const crontab = job('', '*/10 * * * *');
    const { process, clock, store } = await processAt('09:59:59', crontab, { lasting: [] });
    process.die();
    await store.pause({ jobId: 'shop/a', from: at('10:05'), until: at('10:25'), by: 'jane@desk' });
    await clock.advance(29 * MINUTE);
    await processAt('', crontab, { store, clock, lasting: [] });
    // 10:10 and 10:20 are the pause's.
    expect(await history(store)).toEqual(['a 10:00 missed too-late']);
  });

  test('that begins while a run is owed ends it', async () => {
    const crontab = job('concurrency-policy=replace');
    const { process, clock, store } = await processAt('09:59:59', crontab);
    await clock.advance(SECOND);
    const stubborn = process.command('a');
    stubborn.isGroupLeft = () => true;
    await clock.advance(MINUTE);
    await store.pause({ jobId: 'shop/a', from: clock.now() + 1, by: 'jane@desk' });
    await clock.advance(SECOND);
    stubborn.end(FAILURE);
    await clock.advance(20 * SECOND);
    expect(await history(store)).toEqual(['a 10:00 cancelled replaced', 'a 10:01 skipped paused']);
  });
});

describe('somebody', () => {
  test('who cancels a running run is heard within two seconds', async () => {
    const { process, clock, store } = await processAt('09:59:59', job('retries=3', '0 * * * *'));
    await clock.advance(SECOND);
    const command = process.command('a');
    command.onSignal = () => command.end({ kind: 'signalled', signal: 'SIGTERM' });
    const key = { jobId: 'shop/a', runId: '2026-03-10T10:00Z' };
    await store.cancel(key, { verb: 'cancel', by: 'jane@desk', at: clock.now() });
    await clock.advance(2 * SECOND);
    expect([await history(store), command.signals[0]]).toEqual([
      ['a 10:00 cancelled requested'],
      ['SIGTERM', 3 * SECOND],
    ]);
  });

  test('who cancels a run gets no other attempt of it, also when this one ends by itself first', async () => {
    const { process, clock, store } = await processAt('09:59:59', job('retries=3', '0 * * * *'));
    await clock.advance(SECOND);
    const key = { jobId: 'shop/a', runId: '2026-03-10T10:00Z' };
    await store.cancel(key, { verb: 'cancel', by: 'jane@desk', at: clock.now() });
    process.command('a').end(FAILURE);
    await clock.advance(10 * MINUTE);
    expect([await history(store), process.starts.length]).toEqual([['a 10:00 failed exit-code'], 1]);
  });

  test('who asks for a run again gets another attempt, which newer runs do not stand in the way of', async () => {
    const { process, clock, store } = await processAt('09:59:59', job('', '*/10 * * * *'));
    await clock.advance(SECOND);
    process.command('a').end(FAILURE);
    await clock.advance(10 * MINUTE);
    process.command('a').end(SUCCESS);
    await settled();
    const request = { verb: 'retry', by: 'jane@desk', at: clock.now() } as const;
    await store.reopen({ jobId: 'shop/a', runId: '2026-03-10T10:00Z', request, notBefore: clock.now() });
    await clock.advance(15 * SECOND);
    process.command('a').end(SUCCESS);
    await settled();
    expect(await history(store)).toEqual(['a 10:00 succeeded', 'a 10:10 succeeded']);
    expect(process.starts.at(-1)).toBe('a 10:00 at 10:10:15.000');
  });
});

describe('a job that has another name', () => {
  const OLD = job('retries=1', '*/10 * * * *');
  const NEW = job('was=a', '*/10 * * * *', 'b');

  test('keeps its history, its pause and the run that is under way', async () => {
    const { process, clock, store } = await processAt('09:59:59', OLD, { lasting: ['a', 'b'] });
    await clock.advance(SECOND);
    await process.load(NEW);
    await store.pause({ jobId: 'shop/b', from: at('10:25'), by: 'jane@desk' });
    await clock.advance(10 * MINUTE);
    expect(await history(store)).toEqual(['b 10:00 running', 'b 10:10 skipped overlap']);
    process.command('a').end(SUCCESS);
    await clock.advance(10 * MINUTE);
    process.command('b').end(SUCCESS);
    await clock.advance(10 * MINUTE);
    expect(await history(store)).toEqual([
      'b 10:00 succeeded',
      'b 10:10 skipped overlap',
      'b 10:20 succeeded',
    ]);
    expect((await store.states('shop')).map(({ jobId, runs }) => [jobId, runs])).toEqual([
      ['shop/b', { succeeded: 2, skipped: 1 }],
    ]);
  });

  test('is found under its old name by who ends what a killed daemon left', async () => {
    const { process, clock, store } = await processAt('09:59:59', OLD, { lasting: ['a', 'b'] });
    await clock.advance(SECOND);
    await process.load(NEW);
    process.die();
    const next = new SchedulerProcess(store, clock);
    await next.recover(() => false);
    expect(next.killed.map((run) => [run.jobId, runIdText(run)])).toEqual([
      ['shop/b', 'shop/a/2026-03-10T10:00Z'],
    ]);
  });

  test('answers for the downtime of the old one', async () => {
    const { process, clock, store } = await processAt('09:59:59', OLD, { lasting: [] });
    process.die();
    await clock.advance(11 * MINUTE);
    await processAt('', NEW, { store, clock, lasting: [] });
    expect(await history(store)).toEqual(['b 10:00 missed too-late', 'b 10:10 succeeded']);
  });
});

describe('with `--max-concurrent`', () => {
  const jobs = ['a', 'b', 'c'].map((name) => job('', '0 * * * *', name)).join('');

  test('the others wait in order, and how late they are shows', async () => {
    const { process, clock, store } = await processAt('09:59:59', jobs, {
      lasting: ['a', 'b', 'c'],
      maxConcurrent: 1,
    });
    await clock.advance(SECOND);
    expect([process.starts, process.scheduler.waiting]).toEqual([['a 10:00 at 10:00:00.000'], 2]);
    await clock.advance(6 * MINUTE);
    process.command('a').end(SUCCESS);
    await clock.advance(MINUTE);
    process.command('b').end(SUCCESS);
    await settled();
    process.command('c').end(SUCCESS);
    await settled();
    expect(process.starts.slice(1)).toEqual(['b 10:00 at 10:06:00.000', 'c 10:00 at 10:07:00.000']);
    expect(ofKind(process, 'run-late').map(({ run }) => run.jobId)).toEqual(['shop/b', 'shop/c']);
    expect(await history(store)).toEqual(['a 10:00 succeeded', 'b 10:00 succeeded', 'c 10:00 succeeded']);
  });

  test('a run whose starting deadline is over meanwhile is missed', async () => {
    const crontab = job('', '0 * * * *') + job('starting-deadline=2m', '0 * * * *', 'b');
    const { process, clock, store } = await processAt('09:59:59', crontab, {
      lasting: ['a', 'b'],
      maxConcurrent: 1,
    });
    await clock.advance(3 * MINUTE);
    process.command('a').end(SUCCESS);
    await settled();
    expect(await history(store)).toEqual(['a 10:00 succeeded', 'b 10:00 missed too-late']);
  });

  test.each<[what: string, edit: string | undefined, runs: string[], starts: number]>([
    ['is paused by then', undefined, ['a 10:00 succeeded', 'b 10:00 skipped paused'], 1],
    [
      'is suspended by then',
      job('', '0 * * * *') + job('suspend', '0 * * * *', 'b'),
      ['a 10:00 succeeded', 'b 10:00 skipped suspended'],
      1,
    ],
    ['is gone by then', job('', '0 * * * *'), ['a 10:00 succeeded', 'b 10:00 skipped removed'], 1],
  ])('a run whose job %s is not started', async (_what, edit, runs, starts) => {
    const crontab = job('', '0 * * * *') + job('', '0 * * * *', 'b');
    const { process, clock, store } = await processAt('09:59:59', crontab, { maxConcurrent: 1 });
    await clock.advance(MINUTE);
    if (edit === undefined) await store.pause({ jobId: 'shop/b', from: clock.now(), by: 'jane@desk' });
    else await process.load(edit);
    process.command('a').end(SUCCESS);
    await clock.advance(20 * SECOND);
    expect([await history(store), process.starts.length]).toEqual([runs, starts]);
  });

  test('a run whose command was edited meanwhile runs the new one', async () => {
    const crontab = job('', '0 * * * *') + job('', '0 * * * *', 'b');
    const { process, clock } = await processAt('09:59:59', crontab, { maxConcurrent: 1 });
    await clock.advance(MINUTE);
    await process.load(crontab.replace('run-b', 'run-b --all'));
    process.command('a').end(SUCCESS);
    await clock.advance(SECOND);
    expect(process.command('b').spec.command).toBe('run-b --all');
  });

  test('what waits when the daemon stops is started by the next one', async () => {
    const { process, clock, store } = await processAt('09:59:59', jobs, { maxConcurrent: 1 });
    await clock.advance(SECOND);
    await process.stop();
    const drained = process.scheduler.drain(15 * SECOND, new AbortController().signal);
    process.command('a').end(SUCCESS);
    await drained;
    process.die();
    await processAt('', jobs, { store, clock, lasting: [] });
    expect(await history(store)).toEqual(['a 10:00 succeeded', 'b 10:00 succeeded', 'c 10:00 succeeded']);
  });
});

describe('a dry run', () => {
  test('records what would start, and starts nothing', async () => {
    const crontab = job('', '*/10 * * * *') + job('suspend', '*/10 * * * *', 'b');
    const { process, clock, store } = await processAt('09:59:59', crontab, { isDryRun: true });
    await clock.advance(11 * MINUTE);
    expect([await history(store), process.commands.started]).toEqual([
      ['a 10:00 skipped dry-run', 'a 10:10 skipped dry-run'],
      [],
    ]);
    expect(ofKind(process, 'run-would-start').map(({ run }) => run.runId)).toEqual([
      '2026-03-10T10:00Z',
      '2026-03-10T10:10Z',
    ]);
  });
});

describe('two daemons on one store', () => {
  const crontab = job('retries=1 backoff=1m..1m', '*/10 * * * *');

  test('start each run once', async () => {
    const first = await processAt('09:59:59', crontab, { lasting: [] });
    const second = await processAt('', crontab, { store: first.store, clock: first.clock, lasting: [] });
    await first.clock.advance(HOUR);
    expect(first.process.starts.length + second.process.starts.length).toBe(6);
    expect((await history(first.store)).length).toBe(6);
  });

  test('on one host: one takes over at once when the other dies, after what is left of it was ended', async () => {
    const first = await processAt('09:59:59', crontab);
    const second = await processAt('', crontab, { store: first.store, clock: first.clock });
    await first.clock.advance(SECOND);
    const [owner, other] =
      first.process.starts.length === 1 ? [first.process, second.process] : [second.process, first.process];
    owner.die();
    other.isAlive = ({ token }) => token !== owner.owner.token;
    await first.clock.advance(20 * SECOND);
    expect(other.killed.map(({ runId }) => runId)).toEqual(['2026-03-10T10:00Z']);
    await first.clock.advance(MINUTE);
    other.command('a').end(SUCCESS);
    await settled();
    const run = await first.store.run('shop/a', '2026-03-10T10:00Z');
    expect(run?.attempts.map(({ status, reason }) => [status, reason])).toEqual([
      ['lost', 'owner-died'],
      ['succeeded', undefined],
    ]);
  });

  test('on two hosts: one takes over when the lease of the other is over, not before', async () => {
    const first = await processAt('09:59:59', crontab);
    await first.clock.advance(SECOND);
    const second = await processAt('', crontab, { store: first.store, clock: first.clock });
    second.process.isAlive = () => undefined;
    first.process.die();
    await first.clock.advance(LEASE_MS);
    expect(ofKind(second.process, 'run-lost')).toEqual([]);
    await first.clock.advance(MINUTE);
    expect(ofKind(second.process, 'run-lost').map(({ end }) => end.reason)).toEqual(['lease-expired']);
  });
});

describe('a store that fails', () => {
  test('while a command ends: the next run does not take it for one that still runs', async () => {
    const faults = new StoreFaults();
    const clock = new FakeClock(at('09:59:59'));
    const store = new MemoryRunStore();
    const process = new SchedulerProcess(faults.of(store), clock);
    process.commands.lasting.add('a');
    await process.load(job(''));
    process.run();
    await clock.advance(2 * SECOND);
    faults.next = () => 'before';
    process.command('a').end(SUCCESS);
    // Its executor rests for half a minute between two tries by now.
    await clock.advance(80 * SECOND);
    faults.next = () => 'none';
    await clock.advance(2 * SECOND);
    expect((await history(store))[0]).toBe('a 10:00 succeeded');
    expect((await history(store))[1]).toBe('a 10:01 running');
  });

  test('while an attempt ends: the next one starts soon after the store does its work again', async () => {
    const faults = new StoreFaults();
    const clock = new FakeClock(at('09:59:59'));
    const store = new MemoryRunStore();
    const process = new SchedulerProcess(faults.of(store), clock);
    process.commands.lasting.add('a');
    await process.load(job('retries=1 backoff=1s..1s', '0 * * * *') + job('', '* * * * *', 'b'));
    process.run();
    await clock.advance(2 * SECOND);
    faults.next = () => 'before';
    process.command('a').end(FAILURE);
    await clock.advance(80 * SECOND);
    faults.next = () => 'none';
    await clock.advance(MINUTE);
    const starts = process.starts.filter((start) => start.startsWith('a'));
    expect(starts.length).toBe(2);
    process.command('a').end(SUCCESS);
    await settled();
    expect((await history(store))[0]).toBe('a 10:00 succeeded');
  });

  test('for as long as a lease lasts stops the command before somebody else may start it', async () => {
    const faults = new StoreFaults();
    const clock = new FakeClock(at('09:59:59'));
    const store = new MemoryRunStore();
    const process = new SchedulerProcess(faults.of(store), clock);
    process.commands.lasting.add('a');
    await process.load(job('', '0 * * * *'));
    process.run();
    await clock.advance(SECOND);
    const command = process.command('a');
    command.onSignal = () => command.end({ kind: 'signalled', signal: 'SIGTERM' });
    faults.next = () => 'before';
    await clock.advance(LEASE_MS);
    faults.next = () => 'none';
    await clock.advance(MINUTE);
    const [signal] = command.signals;
    expect([signal?.[0], (signal?.[1] ?? 0) < LEASE_MS - 30 * SECOND]).toEqual(['SIGTERM', true]);
    expect(await history(store)).toEqual(['a 10:00 lost lease-lost']);
  });
});
