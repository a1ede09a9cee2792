import { describe, expect, test } from '@jest/globals';
import { MemoryRunStore } from '../../shared/adapters/memory-run-store.ts';
import { type PlannedJob, timetableOf } from '../../shared/core/plan/plan.ts';
import { type Owner, startBy } from '../../shared/core/run/run.ts';
import type { RunStore } from '../../shared/core/run/run-store.ts';
import { scheduleChange } from '../../shared/core/run/schedule-history.ts';
import { nextDue, type Timetable } from '../../shared/core/schedule/due.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';
import { type Fault, StoreFaults } from '../support/faulty-store.ts';
import { planOf } from '../support/plan-of.ts';
import { claimOf, ownerOf } from '../support/run-claims.ts';
import { history, SchedulerProcess } from '../support/scheduler-process.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

function at(time: string): number {
  return Date.parse(`2026-03-10T${time}Z`);
}

/** A process that runs a crontab from a time on. */
async function processAt(
  time: string,
  crontab: string,
  store = new MemoryRunStore(),
  faults = new StoreFaults(),
) {
  const clock = new FakeClock(at(time));
  const process = new SchedulerProcess(faults.of(store), clock);
  await process.load(crontab);
  process.run();
  await settled();
  return { process, scheduler: process.scheduler, clock, store, faults };
}

/** A job `a` with directive options. */
function job(options: string, schedule = '* * * * *', name = 'a'): string {
  return `# kuber-cron: name=${name} ${options}\n${schedule} run-${name}\n`;
}

const EVERY_MINUTE = job('');

/** Puts a crontab in force as a process did that is gone. */
async function putInForce(store: RunStore, crontab: string, since: number): Promise<void> {
  const plan = planOf(crontab);
  await store.setActivePlan({ plan, hash: 'old', since }, scheduleChange([], [], plan, since));
}

/** Until when the run of 10:00 of a crontab's one job may start. */
function startByOf(crontab: string): number {
  const plan = planOf(crontab);
  const job = plan.jobs[0] as PlannedJob;
  const next = nextDue(timetableOf(plan, job) as Timetable, at('10:00'));
  return startBy(at('10:00'), next, job.options['starting-deadline']);
}

/** `90s`, `30m`, `2h` in milliseconds. */
function duration(text: string): number {
  return Number.parseInt(text, 10) * ({ s: SECOND, m: MINUTE, h: HOUR }[text.at(-1) as 's' | 'm' | 'h'] ?? 0);
}

describe('a run starts at its minute', () => {
  test.each<[what: string, from: string, crontab: string, passes: number, starts: string[]]>([
    ['not a millisecond before', '09:59:30', EVERY_MINUTE, 30 * SECOND - 1, []],
    ['on the minute', '09:59:30', EVERY_MINUTE, 30 * SECOND, ['a 10:00 at 10:00:00.000']],
    [
      'once each',
      '09:59:30',
      EVERY_MINUTE,
      2 * MINUTE,
      ['a 10:00 at 10:00:00.000', 'a 10:01 at 10:01:00.000'],
    ],
    [
      'only what is due',
      '09:59:30',
      job('', '*/2 * * * *') + job('', '1 10 * * *', 'b') + job('', '0 0 1 1 *', 'c'),
      3 * MINUTE,
      ['a 10:00 at 10:00:00.000', 'b 10:01 at 10:01:00.000', 'a 10:02 at 10:02:00.000'],
    ],
    ['not one that began before the job was there', '10:00:00', EVERY_MINUTE, MINUTE - 1, []],
    ['never when suspended', '09:59:30', job('suspend'), HOUR, []],
    ['never when it is for another target', '09:59:30', job('targets=aws'), HOUR, []],
    [
      'also when the daemon is one of its targets',
      '09:59:30',
      job('targets=aws,daemon'),
      MINUTE / 2,
      ['a 10:00 at 10:00:00.000'],
    ],
  ])('%s', async (_what, from, crontab, passes, starts) => {
    const { process, clock } = await processAt(from, crontab);
    await clock.advance(passes);
    expect(process.starts).toEqual(starts);
  });

  test('when the wall clock runs slower than timers do', async () => {
    const { process, clock } = await processAt('09:59:50', EVERY_MINUTE);
    await clock.advance(5 * SECOND);
    clock.jumpTo(clock.now() - 7);
    await clock.advance(5 * SECOND);
    expect([clock.now(), process.starts]).toEqual([at('10:00:00') - 7, []]);
    await clock.advance(6);
    expect(process.starts).toEqual([]);
    await clock.advance(1);
    expect(process.starts).toEqual(['a 10:00 at 10:00:00.000']);
  });

  test('late, and once, when the store is slow', async () => {
    const { process, clock, store } = await processAt('09:59:30', EVERY_MINUTE);
    const claim = store.claim.bind(store);
    store.claim = async (one) => {
      await clock.sleep(90 * SECOND);
      return claim(one);
    };
    await clock.advance(5 * MINUTE);
    expect(process.starts).toEqual([
      'a 10:00 at 10:01:30.000',
      'a 10:01 at 10:03:00.000',
      'a 10:03 at 10:04:30.000',
    ]);
    expect(await history(store)).toEqual([
      'a 10:00 succeeded',
      'a 10:01 succeeded',
      'a 10:02 missed superseded',
      'a 10:03 succeeded',
    ]);
  });
});

describe('after a suspend, which is downtime like any other,', () => {
  test.each<[options: string, schedule: string, asleep: string, runs: string[]]>([
    ['', '0 10 * * *', '30s', ['a 10:00 succeeded']],
    ['', '0 10 * * *', '30m', ['a 10:00 succeeded (catch-up)']],
    ['', '0 10 * * *', '2h', ['a 10:00 missed too-late']],
    ['starting-deadline=3h', '0 10 * * *', '2h', ['a 10:00 succeeded (catch-up)']],
    ['starting-deadline=10m', '0 10 * * *', '30m', ['a 10:00 missed too-late']],
    ['catch-up=none', '0 10 * * *', '30m', ['a 10:00 missed catch-up-none']],
    ['catch-up=none', '0 10 * * *', '30s', ['a 10:00 succeeded']],
    ['', '*/10 * * * *', '34m', ['a 10:00-10:20 missed too-late', 'a 10:30 succeeded (catch-up)']],
    ['', '*/10 * * * *', '5h', ['a 10:00-14:40 missed too-late', 'a 14:50 succeeded (catch-up)']],
    [
      'catch-up=none',
      '*/10 * * * *',
      '34m',
      ['a 10:00-10:20 missed too-late', 'a 10:30 missed catch-up-none'],
    ],
  ])('%s of %s, asleep for %s from 09:59:30', async (options, schedule, asleep, runs) => {
    const { clock, store } = await processAt('09:59:30', job(options, schedule));
    clock.jumpTo(clock.now() + duration(asleep));
    await clock.advance(15 * SECOND);
    expect(await history(store)).toEqual(runs);
  });
});

describe('when the clock goes back,', () => {
  test('by half an hour, nothing that was handled is due again', async () => {
    const { process, clock } = await processAt('09:59:30', EVERY_MINUTE);
    await clock.advance(MINUTE);
    clock.jumpTo(at('09:30:30'));
    await clock.advance(32 * MINUTE);
    expect(process.starts).toEqual([
      'a 10:00 at 10:00:00.000',
      'a 10:01 at 10:01:00.000',
      'a 10:02 at 10:02:00.000',
    ]);
    expect(process.events.filter(({ kind }) => kind === 'clock-set-back')).toEqual([]);
  });

  test('a job that is new owes nothing that its crontab has handled', async () => {
    const { process, clock } = await processAt('09:59:30', EVERY_MINUTE);
    await clock.advance(MINUTE);
    clock.jumpTo(at('09:58:30'));
    await process.load(job('', '* * * * *', 'b'));
    await clock.advance(3 * MINUTE);
    expect(process.starts).toEqual(['a 10:00 at 10:00:00.000', 'b 10:01 at 10:01:00.000']);
  });

  test('by five hours, the clock was wrong before: it starts from now, and says so once', async () => {
    const { process, clock, store } = await processAt('09:59:30', EVERY_MINUTE);
    await clock.advance(MINUTE);
    clock.jumpTo(at('05:00:30'));
    await clock.advance(MINUTE);
    expect(process.starts).toEqual(['a 10:00 at 10:00:00.000', 'a 05:01 at 05:01:00.000']);
    expect(process.events.filter(({ kind }) => kind === 'clock-set-back')).toEqual([
      { kind: 'clock-set-back', from: at('10:00:00'), to: at('05:00:45'), isReset: true },
    ]);
    expect(await store.cursor('shop')).toBe(at('05:01:00'));
  });

  test('by five hours, and nothing fell due before it dies, the store knows of it', async () => {
    const daily = job('starting-deadline=1h concurrency-policy=allow', '30 9 * * *');
    const { process, clock, store } = await processAt(
      '14:59:30',
      EVERY_MINUTE + daily.replaceAll('name=a', 'name=b'),
    );
    await clock.advance(MINUTE);
    await process.load(daily);
    clock.jumpTo(at('09:00:30'));
    await clock.advance(MINUTE);
    process.die();
    clock.jumpTo(at('09:40:00'));
    const next = new SchedulerProcess(store, clock);
    await next.load(daily);
    expect(next.starts).toEqual(['a 09:30 at 09:40:00.000']);
  });

  test.each([
    ['less than three hours ahead', '12:59', []],
    ['more than three hours ahead', '13:01', ['a 10:01 at 10:01:00.000']],
  ])('a cursor of the store that is %s', async (_what, cursor, starts) => {
    const store = new MemoryRunStore();
    await store.setCursor('shop', at(cursor));
    const { process, clock } = await processAt('10:00:30', EVERY_MINUTE, store);
    await clock.advance(MINUTE);
    expect(process.starts).toEqual(starts);
  });
});

describe('when a crontab is edited,', () => {
  test.each<[what: string, after: string, runs: string[]]>([
    ['nothing', EVERY_MINUTE, ['a 10:00 succeeded', 'a 10:01 succeeded']],
    [
      'its order',
      job('', '* * * * *', 'b') + EVERY_MINUTE,
      ['a 10:00 succeeded', 'a 10:01 succeeded', 'b 10:01 succeeded'],
    ],
    [
      'a name: the old job is answered, the new one owes nothing',
      job('', '* * * * *', 'b'),
      ['a 10:00 succeeded', 'b 10:01 succeeded'],
    ],
    ['the schedule', job('', '1 * * * *'), ['a 10:00 succeeded', 'a 10:01 succeeded']],
    ['to suspend a job', job('suspend'), ['a 10:00 succeeded']],
    ['to hold nothing', '', ['a 10:00 succeeded']],
  ])('in the very moment when a minute begins: %s', async (_what, after, runs) => {
    const { process, clock, store } = await processAt('09:59:59', EVERY_MINUTE);
    // The loop sleeps still.
    clock.jumpTo(at('10:00:00'));
    await process.load(after);
    await clock.advance(MINUTE);
    expect(await history(store)).toEqual(runs);
  });

  test('a running command goes on, and what is new waits for it', async () => {
    const { process, clock, store } = await processAt('09:59:30', EVERY_MINUTE);
    process.commands.lasting.add('a');
    await clock.advance(40 * SECOND);
    await process.load(job('timeout=1h'));
    await clock.advance(MINUTE);
    process.command('a').end({ kind: 'exited', exitCode: 0 });
    await clock.advance(MINUTE);
    expect(await history(store)).toEqual(['a 10:00 succeeded', 'a 10:01 skipped overlap', 'a 10:02 running']);
  });

  test('what changed is told', async () => {
    const { process } = await processAt('09:59:30', EVERY_MINUTE + job('', '5 * * * *', 'b'));
    await process.load(job('', '1 * * * *') + job('', '* * * * *', 'c'));
    await process.load(job('', '1 * * * *') + job('', '* * * * *', 'c'));
    const loads = process.events.flatMap((event) => (event.kind === 'crontab-loaded' ? [event.diff] : []));
    expect(loads).toEqual([
      undefined,
      {
        added: ['c'],
        removed: ['b'],
        changed: [{ name: 'a', parts: ['schedule'], isAnotherJob: false }],
      },
      undefined,
    ]);
  });
});

describe('a crontab that is taken out of force', () => {
  test('answers what is due by then, and nothing after', async () => {
    const { process, scheduler, clock, store } = await processAt('09:59:59', EVERY_MINUTE);
    clock.jumpTo(at('10:00:00'));
    await scheduler.deactivate('shop');
    await clock.advance(10 * MINUTE);
    expect(await history(store)).toEqual(['a 10:00 succeeded']);
    expect([scheduler.plans, [...scheduler.jobs()], scheduler.nextInstant]).toEqual([[], [], undefined]);
    expect(process.events.at(-1)?.kind).toBe('tick');
  });

  test('owes nothing of the time without it when it comes back, be it to another process', async () => {
    const { process, scheduler, clock, store } = await processAt('09:59:30', EVERY_MINUTE);
    await scheduler.deactivate('shop');
    await clock.advance(10 * MINUTE);
    await process.load(EVERY_MINUTE);
    await clock.advance(MINUTE);
    await scheduler.deactivate('shop');
    process.die();
    await clock.advance(10 * MINUTE);
    const next = new SchedulerProcess(store, clock);
    await next.load(EVERY_MINUTE);
    expect(await history(store)).toEqual(['a 10:10 succeeded']);
  });

  test('that was never in force is no matter', async () => {
    const { scheduler, process } = await processAt('09:59:30', EVERY_MINUTE);
    const before = process.events.length;
    await scheduler.deactivate('other');
    expect(process.events.slice(before)).toEqual([]);
  });
});

describe('while the run before is still running', () => {
  test.each<[policy: string, runs: string[]]>([
    ['', ['a 10:00 running', 'a 10:01 skipped overlap']],
    ['concurrency-policy=forbid', ['a 10:00 running', 'a 10:01 skipped overlap']],
    ['concurrency-policy=allow', ['a 10:00 running', 'a 10:01 running']],
  ])('a job with `%s`', async (policy, runs) => {
    const { process, clock, store } = await processAt('09:59:30', job(policy));
    process.commands.lasting.add('a');
    await clock.advance(90 * SECOND);
    expect(await history(store)).toEqual(runs);
  });
});

describe('@reboot jobs', () => {
  const CRONTAB = `${job('', '@reboot')}${job('suspend', '@reboot', 'b')}`;

  test.each<[what: string, occasions: string[], runs: string[]]>([
    ['once for each occasion', ['x', 'y'], ['a reboot#x succeeded', 'a reboot#y succeeded']],
    ['once for one occasion', ['x', 'x'], ['a reboot#x succeeded']],
  ])('start %s', async (_what, occasions, runs) => {
    const store = new MemoryRunStore();
    for (const occasion of occasions) {
      const { process, scheduler } = await processAt('10:00:30', CRONTAB, store);
      await scheduler.startReboot(occasion);
      await settled();
      process.die();
    }
    expect((await history(store)).sort()).toEqual(runs);
  });

  test('of one crontab, where one is named', async () => {
    const { scheduler, process } = await processAt('10:00:30', CRONTAB);
    await scheduler.startReboot('x', 'other');
    expect(process.starts).toEqual([]);
    await scheduler.startReboot('x', 'shop');
    expect(process.starts).toEqual(['a reboot#x at 10:00:30.000']);
  });

  test('that run already are left alone when others are tried again', async () => {
    const crontab = job('', '@reboot') + job('', '@reboot', 'b');
    const { scheduler, process, clock, faults } = await processAt('10:00:30', crontab);
    process.commands.lasting.add('a').add('b');
    const first: Fault[] = ['none', 'before'];
    faults.next = (write) => (write === 'claim' ? (first.shift() ?? 'none') : 'none');
    const starting = scheduler.startReboot('x');
    await clock.advance(10 * SECOND);
    await starting;
    expect(process.starts.map((start) => start.slice(0, 1))).toEqual(['a', 'b']);
    expect(scheduler.running.map(({ job: { name } }) => name)).toEqual(['a', 'b']);
  });

  test('start when the store does so again', async () => {
    const { scheduler, process, clock, faults, store } = await processAt('10:00:30', CRONTAB);
    faults.fail('claim', 'before', 'after', 'before');
    const starting = scheduler.startReboot('x');
    await clock.advance(10 * SECOND);
    await starting;
    expect(process.starts.length).toBe(1);
    expect(await history(store)).toEqual(['a reboot#x succeeded']);
  });
});

describe('a store that fails', () => {
  const FAULTS: [string, Fault[]][] = [
    ['refuses once', ['before']],
    ['takes one and says it failed', ['after']],
    ['does both in turn', ['before', 'after', 'before']],
    ['refuses for a minute', Array(70).fill('before')],
    ['fails for a minute and took it all', Array(70).fill('after')],
  ];
  const WRITES = ['claim', 'start', 'finish', 'setCursor'] as const;

  test.each(WRITES.flatMap((write) => FAULTS.map(([what, faults]) => [write, what, faults] as const)))(
    'in %s, and %s: nothing is lost and nothing doubled',
    async (write, _what, list) => {
      const { process, clock, store, faults } = await processAt('09:59:30', EVERY_MINUTE);
      faults.fail(write, ...list);
      await clock.advance(5 * MINUTE);
      faults.next = () => 'none';
      await clock.advance(5 * MINUTE);
      const runs = await history(store);
      expect(runs.map((run) => run.replace(/ (succeeded|skipped overlap|missed superseded)$/, ''))).toEqual(
        Array.from({ length: 10 }, (_, n) => `a 10:0${n}`),
      );
      const started = process.starts.map((start) => start.slice(0, 7));
      expect(started).toEqual(runs.filter((run) => run.endsWith('succeeded')).map((run) => run.slice(0, 7)));
      expect(await store.unfinished()).toEqual([]);
      expect(process.errors().length).toBeGreaterThan(0);
      expect(await store.cursor('shop')).toBe(at('10:09'));
    },
  );

  test('for an hour: the newest run that may start does, and one row tells of the others but the claimed one', async () => {
    const { clock, store, faults } = await processAt('09:59:30', EVERY_MINUTE);
    faults.next = (write) => (write === 'claim' ? 'after' : write === 'release' ? 'before' : 'none');
    await clock.advance(HOUR);
    faults.next = () => 'none';
    await clock.advance(MINUTE);
    expect(await history(store)).toEqual([
      'a 10:00 missed too-late',
      'a 10:01-10:54 missed too-late',
      'a 10:55-10:58 missed superseded',
      'a 10:59 succeeded',
      'a 11:00 succeeded',
    ]);
  });

  test('is asked once a second, not more', async () => {
    const { process, clock, faults } = await processAt('09:59:30', EVERY_MINUTE);
    faults.next = (write) => (write === 'claim' ? 'before' : 'none');
    await clock.advance(30 * SECOND + 10 * SECOND);
    expect(process.errors()).toEqual(Array(11).fill('the store failed; this minute is tried again'));
  });

  test('for one job only, holds up no other', async () => {
    const { process, clock, store } = await processAt('09:59:30', EVERY_MINUTE + job('', '* * * * *', 'b'));
    const claim = store.claim.bind(store);
    store.claim = async (one) => {
      if (one.jobId === 'shop/a') throw new Error('no');
      return claim(one);
    };
    await clock.advance(2 * MINUTE);
    expect(process.starts).toEqual(['b 10:00 at 10:00:00.000', 'b 10:01 at 10:01:00.000']);
    expect(await store.cursor('shop')).toBeLessThan(at('10:00'));
  });

  test('and cannot take back a claim, keeps that job back and no other', async () => {
    const { process, clock, store, faults } = await processAt(
      '09:59:30',
      EVERY_MINUTE + job('', '* * * * *', 'b'),
    );
    // The first claim is that of `a`.
    const first: Fault[] = ['after'];
    faults.next = (write) =>
      write === 'claim' ? (first.shift() ?? 'none') : write === 'release' ? 'before' : 'none';
    await clock.advance(2 * MINUTE);
    faults.next = () => 'none';
    await clock.advance(MINUTE);
    expect(process.starts).toEqual([
      'b 10:00 at 10:00:00.000',
      'b 10:01 at 10:01:00.000',
      'a 10:01 at 10:01:31.000',
      ...['a 10:02 at 10:02:00.000', 'b 10:02 at 10:02:00.000'],
    ]);
    expect((await history(store)).filter((run) => run.startsWith('a'))).toEqual([
      'a 10:00 missed superseded',
      'a 10:01 succeeded',
      'a 10:02 succeeded',
    ]);
  });

  test('in an activation: the old plan goes on until the store takes the new one', async () => {
    const { process, scheduler, clock, faults } = await processAt('09:59:30', EVERY_MINUTE);
    faults.fail('setActivePlan', 'before');
    const plan = planOf(job('', '* * * * *', 'b'));
    await expect(scheduler.activate(plan, 'shop.crontab')).rejects.toThrow('setActivePlan is refused');
    await clock.advance(30 * SECOND);
    await scheduler.activate(plan, 'shop.crontab');
    await clock.advance(MINUTE);
    expect(process.starts).toEqual(['a 10:00 at 10:00:00.000', 'b 10:01 at 10:01:00.000']);
  });
});

describe('a secret that cannot be read', () => {
  test('and one that is missing, too, fails its own run', async () => {
    const clock = new FakeClock(at('09:59:30'));
    const store = new MemoryRunStore();
    const process = new SchedulerProcess(store, clock, { secret: () => undefined });
    await process.load(job('secrets=KEY') + job('', '* * * * *', 'b'));
    process.run();
    await clock.advance(MINUTE);
    expect(await history(store)).toEqual(['a 10:00 failed not-started', 'b 10:00 succeeded']);
    expect((await store.run('shop/a', '2026-03-10T10:00Z'))?.attempts[0]?.error).toBe(
      'the daemon has no secret `KEY`: set the variable, or its file in `--secrets`',
    );
  });

  test('fails its own run, and no other', async () => {
    const clock = new FakeClock(at('09:59:30'));
    const store = new MemoryRunStore();
    const secret = () => {
      throw new Error('permission denied');
    };
    const process = new SchedulerProcess(store, clock, { secret });
    await process.load(job('secrets=KEY') + job('', '* * * * *', 'b'));
    process.run();
    await clock.advance(MINUTE);
    expect(await history(store)).toEqual(['a 10:00 failed not-started', 'b 10:00 succeeded']);
    expect((await store.run('shop/a', '2026-03-10T10:00Z'))?.attempts[0]?.error).toBe('permission denied');
  });
});

describe('drain', () => {
  test('waits for commands that end by themselves', async () => {
    const { process, scheduler, clock, store } = await processAt('09:59:30', EVERY_MINUTE);
    process.commands.lasting.add('a');
    await clock.advance(30 * SECOND);
    await process.stop();
    const drained = scheduler.drain(15 * SECOND, new AbortController().signal);
    await clock.advance(14 * SECOND);
    process.command('a').end({ kind: 'exited', exitCode: 0 });
    await drained;
    expect(process.command('a').signals).toEqual([]);
    expect(await history(store)).toEqual(['a 10:00 succeeded']);
  });

  test.each<[what: string, hurryAfter: number | undefined, signals: [string, number][]]>([
    [
      'after its time',
      undefined,
      [
        ['SIGTERM', 45 * SECOND],
        ['SIGKILL', 55 * SECOND],
      ],
    ],
    [
      'at once when somebody hurries',
      2 * SECOND,
      [
        ['SIGTERM', 32 * SECOND],
        ['SIGKILL', 42 * SECOND],
      ],
    ],
  ])('ends commands that go on %s: TERM, then KILL', async (_what, hurryAfter, signals) => {
    const { process, scheduler, clock, store } = await processAt('09:59:30', EVERY_MINUTE);
    process.commands.lasting.add('a');
    await clock.advance(30 * SECOND);
    await process.stop();
    const hurry = new AbortController();
    const drained = scheduler.drain(15 * SECOND, hurry.signal);
    const command = process.command('a');
    command.onSignal = (signal) => {
      if (signal === 'SIGKILL') command.end({ kind: 'signalled', signal });
    };
    if (hurryAfter !== undefined) {
      await clock.advance(hurryAfter);
      hurry.abort();
    }
    await clock.advance(40 * SECOND);
    await drained;
    expect(command.signals).toEqual(signals);
    expect(await history(store)).toEqual(['a 10:00 cancelled daemon-stopped']);
    expect(scheduler.running).toEqual([]);
  });

  test('ends although the store takes nothing; the next process tells what became of the runs', async () => {
    const { process, scheduler, clock, store, faults } = await processAt('09:59:30', EVERY_MINUTE);
    process.commands.lasting.add('a');
    await clock.advance(30 * SECOND);
    faults.next = () => 'before';
    process.command('a').end({ kind: 'exited', exitCode: 0 });
    await process.stop();
    const drained = scheduler.drain(15 * SECOND, new AbortController().signal);
    await clock.advance(MINUTE);
    await drained;
    process.die();
    const next = new SchedulerProcess(store, clock);
    await next.recover(() => false);
    expect(await history(store)).toEqual(['a 10:00 lost owner-died']);
  });

  test('nothing starts any more: no due run, no @reboot job, no crontab', async () => {
    const { process, scheduler, clock } = await processAt('09:59:30', EVERY_MINUTE + job('', '@reboot', 'b'));
    await process.stop();
    clock.jumpTo(at('10:00:30'));
    await scheduler.activate(planOf(job('', '* * * * *', 'c')), 'shop.crontab');
    await scheduler.startReboot('x');
    await scheduler.drain(SECOND, new AbortController().signal);
    await clock.advance(5 * MINUTE);
    expect(process.starts).toEqual([]);
  });
});

describe('what a process that died has left', () => {
  const OLD = ownerOf('old');
  type Kind = 'claimed' | 'running' | 'claimed by hand' | 'running by hand';

  /** A run of 10:00 of another process, in a store whose daemon had handled 10:00. */
  async function leftBehind(kind: Kind, crontab = EVERY_MINUTE) {
    const store = new MemoryRunStore();
    const clock = new FakeClock(at('10:00:00'));
    await putInForce(store, crontab, at('09:00'));
    await store.setCursor('shop', at('10:00'));
    const byHand = kind.endsWith('by hand');
    const claim = claimOf({
      jobId: 'shop/a',
      runId: byHand ? '2026-03-10T10:00Z#m1' : '2026-03-10T10:00Z',
      scheduledTime: at('10:00'),
      trigger: byHand ? 'manual' : 'schedule',
      token: OLD.token,
      ...(byHand ? {} : { startBy: startByOf(crontab) }),
    });
    await store.claim(claim);
    if (kind.startsWith('running'))
      await store.start(claim.jobId, claim.runId, OLD.token, { number: 1, startedAt: at('10:00') });
    return { store, clock };
  }

  const recovered = async (
    { store, clock }: Awaited<ReturnType<typeof leftBehind>>,
    crontab: string,
    isAlive: (owner: Owner) => boolean | undefined,
  ) => {
    const process = new SchedulerProcess(store, clock);
    await process.recover(isAlive);
    await process.load(crontab);
    process.run();
    await settled();
    return { runs: await history(store), starts: process.starts, events: process.events };
  };

  test.each<[kind: Kind, later: string, crontab: string, runs: string[]]>([
    ['claimed', '30s', EVERY_MINUTE, ['a 10:00 succeeded']],
    ['claimed', '3h', job('', '0 10 * * *'), ['a 10:00 missed too-late']],
    ['claimed', '3h', job('starting-deadline=4h', '0 10 * * *'), ['a 10:00 succeeded']],
    ['claimed', '30m', job('catch-up=none', '0 10 * * *'), ['a 10:00 missed catch-up-none']],
    ['claimed', '30s', job('catch-up=none', '0 10 * * *'), ['a 10:00 succeeded']],
    ['claimed', '90s', EVERY_MINUTE, ['a 10:00 missed superseded', 'a 10:01 succeeded']],
    ['claimed', '30s', job('', '* * * * *', 'b'), ['a 10:00 skipped removed']],
    ['running', '30s', EVERY_MINUTE, ['a 10:00 lost owner-died']],
    ['running', '90s', EVERY_MINUTE, ['a 10:00 lost owner-died', 'a 10:01 succeeded']],
    ['claimed by hand', '30s', EVERY_MINUTE, ['a 10:00 lost owner-died (manual)']],
    ['running by hand', '30s', EVERY_MINUTE, ['a 10:00 lost owner-died (manual)']],
  ])('%s, %s later, with %j', async (kind, later, crontab, runs) => {
    const left = await leftBehind(kind, crontab.includes('name=b') ? EVERY_MINUTE : crontab);
    left.clock.jumpTo(left.clock.now() + duration(later));
    expect((await recovered(left, crontab, () => false)).runs).toEqual(runs);
  });

  test.each<[kind: Kind, status: string]>([
    ['claimed', 'claimed'],
    ['running', 'running'],
    ['claimed by hand', 'claimed'],
    ['running by hand', 'running'],
  ])('%s is not touched when its owner lives', async (kind, status) => {
    const left = await leftBehind(kind);
    const { runs, starts } = await recovered(left, EVERY_MINUTE, () => true);
    expect([runs.length, runs[0]?.split(' ')[2], starts]).toEqual([1, status, []]);
  });

  test('is not touched when its owner is on a host that cannot be seen, and that is said', async () => {
    const { runs, events } = await recovered(await leftBehind('running'), EVERY_MINUTE, () => undefined);
    expect(runs).toEqual(['a 10:00 running']);
    expect(events[0]).toEqual({
      kind: 'warning',
      message:
        'run shop/a 2026-03-10T10:00Z belongs to a process on host host-1, which cannot be seen from here; its job may start nothing else until it is over, or has given no sign of life for five minutes',
    });
  });

  test('@reboot, claimed: is started, or told under its own id', async () => {
    for (const [later, run] of [
      [MINUTE, 'a reboot#x succeeded'],
      [2 * HOUR, 'a reboot#x missed too-late'],
    ] as const) {
      const crontab = job('', '@reboot');
      const store = new MemoryRunStore();
      const clock = new FakeClock(at('10:00:00'));
      await putInForce(store, crontab, at('09:00'));
      const runId = 'reboot#x';
      await store.claim(
        claimOf({
          jobId: 'shop/a',
          runId,
          scheduledTime: at('10:00'),
          token: OLD.token,
          startBy: at('11:00'),
        }),
      );
      clock.jumpTo(clock.now() + later);
      expect((await recovered({ store, clock }, crontab, () => false)).runs).toEqual([run]);
    }
  });

  const SETTLED = ['a 10:00 missed superseded', 'a 10:01-10:02 missed superseded', 'a 10:03 succeeded'];
  const FAULTY = (['claim', 'settle', 'setCursor'] as const).flatMap((write) =>
    (['before', 'after'] as const).map((fault) => [write, [fault, fault], SETTLED] as const),
  );
  test.each<readonly ['claim' | 'settle' | 'setCursor' | 'release', readonly Fault[], string[]]>([
    ...FAULTY,
    ['release', ['after', 'after'], SETTLED],
    // The claim that could not be given back was in the way of the newer run, and that is final.
    [
      'release',
      ['before'],
      ['a 10:00 succeeded', 'a 10:01-10:02 missed superseded', 'a 10:03 skipped overlap'],
    ],
  ])('is not lost when the store fails in %s, %j it is written', async (write, failures, runs) => {
    const { store, clock } = await leftBehind('claimed');
    clock.jumpTo(at('10:03:30'));
    const faults = new StoreFaults();
    faults.fail(write, ...failures);
    const process = new SchedulerProcess(faults.of(store), clock);
    await process.recover(() => false);
    await process.load(EVERY_MINUTE);
    process.run();
    await clock.advance(25 * SECOND);
    expect(await history(store)).toEqual(runs);
  });
});

describe('after a restart', () => {
  test.each<[what: string, after: string, runs: string[]]>([
    ['its newest run is made up for', EVERY_MINUTE, ['a 10:00-10:03 missed superseded', 'a 10:04 succeeded']],
    [
      'a job that is gone owes no start',
      job('', '0 0 * * *', 'b'),
      ['a 10:00-10:03 missed superseded', 'a 10:04 skipped removed'],
    ],
    [
      'a job that is new owes nothing',
      EVERY_MINUTE + job('', '* * * * *', 'b'),
      ['a 10:00-10:03 missed superseded', 'a 10:04 succeeded'],
    ],
    [
      'the rules that count are those of now',
      job('catch-up=none starting-deadline=2m'),
      ['a 10:00-10:02 missed too-late', 'a 10:03 missed catch-up-none', 'a 10:04 succeeded'],
    ],
  ])('%s', async (_what, after, runs) => {
    const { process, clock, store } = await processAt('09:59:30', EVERY_MINUTE);
    process.die();
    await clock.advance(5 * MINUTE + 25 * SECOND);
    const next = new SchedulerProcess(store, clock);
    await next.load(after);
    await settled();
    expect(await history(store)).toEqual(runs);
  });

  test('a plan that came in force after the cursor owes nothing from before', async () => {
    const store = new MemoryRunStore();
    await store.setCursor('shop', at('09:00'));
    await putInForce(store, EVERY_MINUTE, at('10:00:30'));
    await processAt('10:02:10', EVERY_MINUTE, store);
    expect(await history(store)).toEqual(['a 10:01 missed superseded', 'a 10:02 succeeded']);
  });
});
