import { describe, expect, test } from '@jest/globals';
import type { RunStore } from '../../../shared/core/run/run-store.ts';
import { StoreFaults } from '../../support/faulty-store.ts';
import { at, deployed, FIRST_PASS, LedgerBench, MINUTE, namedAs } from '../../support/ledger-bench.ts';
import { claimOf, finishOf, owedOf } from '../../support/run-claims.ts';

const job = (options = '', schedule = '*/5 * * * *') =>
  `# kuber-cron: name=a ${options}\n${schedule} run-a\n`;

describe('a due run that nobody delivered', () => {
  test('is put and handed over when its two minutes are over, and not before', async () => {
    const b = await LedgerBench.inForce(job());
    await b.pass('06:06:59');
    expect([await b.rows(), b.told]).toStrictEqual([[], []]);
    await b.pass('06:07:00');
    expect([await b.rows(), b.told]).toStrictEqual([['a 06:05 pending catch-up'], ['a 06:05']]);
    expect(await b.memory.run('shop/a', '2026-03-10T06:05Z')).toMatchObject({
      ...{ trigger: 'schedule', handedAt: at('06:07'), startBy: at('06:10') },
    });
  });

  test.each(['none', 'once', 'all'])(
    'is started under `catch-up=%s`, since nothing was down',
    async (policy) => {
      const b = await LedgerBench.inForce(job(`catch-up=${policy}`));
      await b.pass('06:06:30');
      await b.pass('06:07:40');
      await b.pass('06:08:10');
      expect(b.told).toStrictEqual(['a 06:05']);
    },
  );

  test('is not put where it was delivered, whatever became of it', async () => {
    const b = await LedgerBench.inForce(job());
    await b.delivered('a', '06:05');
    await b.pass('06:07:00');
    expect([await b.rows(), b.told]).toStrictEqual([['a 06:05 succeeded'], []]);
  });

  test('is missed at once where it may not start any more', async () => {
    const b = await LedgerBench.inForce(job('starting-deadline=90s'));
    await b.pass('06:07:00');
    expect([await b.rows(), b.told]).toStrictEqual([['a 06:05 missed too-late'], []]);
    expect(b.said('runs-missed')).toMatchObject([{ jobId: 'shop/a', missed: { reason: 'too-late' } }]);
    expect(
      (await b.memory.takeNotifications(at('07:00'), at('07:01'), 9)).map(({ kind }) => kind),
    ).toStrictEqual(['missed']);
  });

  test.each([
    ['at its time', '06:04', '06:06'],
    ['at its time, and resumed within the minute', '06:04', '06:05:30'],
  ])('is answered by a pause that was in force %s: no row', async (_when, from, until) => {
    const b = await LedgerBench.inForce(job());
    await b.memory.pause({ jobId: 'shop/a', from: at(from), until: at(until), by: 'ann@host-1' });
    await b.pass('06:07:00');
    expect([await b.rows(), b.told]).toStrictEqual([[], []]);
  });

  test('is not put of a job that is suspended, or of another target', async () => {
    const b = await LedgerBench.inForce(
      `${job('suspend')}\n# kuber-cron: name=b targets=daemon\n* * * * * run-b\n`,
    );
    await b.pass('06:07:00');
    expect([await b.rows(), b.told]).toStrictEqual([[], []]);
  });

  test('is handed over once by passes that come twice, and again when nothing came of it in two minutes', async () => {
    const b = await LedgerBench.inForce(job());
    await b.pass('06:07:00');
    await b.pass('06:07:01');
    await b.pass('06:08:59');
    expect(b.told).toStrictEqual(['a 06:05']);
    await b.pass('06:09:00');
    expect(b.told).toStrictEqual(['a 06:05', 'a 06:05']);
  });

  test('is handed over again two minutes after an executor could not be told, and the pass says so', async () => {
    const b = await LedgerBench.inForce(job());
    b.onHandOver = () => Promise.reject(new Error('Lambda is asked too often'));
    const result = await b.pass('06:07:00');
    expect(result).toMatchObject({
      left: ['1 run could not be handed over to executors'],
      error: new Error('Lambda is asked too often'),
    });
    b.onHandOver = async () => {};
    expect((await b.pass('06:08:00')).left).toStrictEqual([]);
    await b.pass('06:09:00');
    expect(b.told).toStrictEqual(['a 06:05']);
  });
});

describe('after an outage', () => {
  const minutely = (options = '') => job(options, '* * * * *');
  // What an executor may be about to start at the last moment has an answer of its own.
  const TOO_LATE = ['a 06:01-06:04 missed too-late', 'a 06:05 missed too-late', 'a 06:06 missed too-late'];
  test.each([
    [
      'of all of it, the newest is started',
      'starting-deadline=3m',
      [] as string[],
      [...TOO_LATE, 'a 06:07 missed superseded', 'a 06:08 pending catch-up'],
      ['a 06:08'],
    ],
    [
      'of the watchdog, nothing is: all of it was delivered',
      '',
      ['06:01', '06:02', '06:03', '06:04', '06:05', '06:06', '06:07', '06:08'],
      ['01', '02', '03', '04', '05', '06', '07', '08'].map((minute) => `a 06:${minute} succeeded`),
      [],
    ],
    [
      'of the watchdog, gaps in what was delivered are found, also behind newer runs',
      'starting-deadline=3m',
      ['06:01', '06:03', '06:06', '06:08'],
      [
        ...[
          'a 06:01 succeeded',
          'a 06:02 missed too-late',
          'a 06:03 succeeded',
          'a 06:04 missed too-late',
          'a 06:05 missed too-late',
        ],
        ...['a 06:06 succeeded', 'a 06:07 pending catch-up', 'a 06:08 succeeded'],
      ],
      ['a 06:07'],
    ],
    [
      'under `catch-up=none` what may still start is not made up for, but the newest, which is no older than a pass',
      'catch-up=none starting-deadline=4m',
      [],
      [
        'a 06:01-06:03 missed too-late',
        'a 06:04 missed too-late',
        'a 06:05 missed too-late',
        ...['06', '07'].map((m) => `a 06:${m} missed catch-up-none`),
        'a 06:08 pending catch-up',
      ],
      ['a 06:08'],
    ],
    [
      'under `catch-up=all` each is owed, and the oldest handed over',
      'catch-up=all starting-deadline=3m',
      [],
      [...TOO_LATE, 'a 06:07 pending catch-up', 'a 06:08 pending catch-up'],
      ['a 06:07'],
    ],
  ])('%s', async (_what, options, delivered, rows, told) => {
    const b = await LedgerBench.inForce(minutely(options));
    for (const time of delivered) await b.delivered('a', time);
    await b.pass('06:10:00');
    expect([await b.rows(), b.told]).toStrictEqual([rows, told]);
    // Once more changes nothing.
    await b.memory.setCursor('shop', FIRST_PASS);
    await b.pass('06:10:00');
    expect((await b.rows()).length).toBe(rows.length);
  });

  test('of a day, one row answers for what is too late', async () => {
    const b = await LedgerBench.inForce(minutely());
    await b.pass(FIRST_PASS + 1440 * MINUTE);
    const rows = await b.rows();
    expect(rows.length).toBeLessThan(10);
    expect(rows[0]).toBe('a 06:01-05:53 missed too-late');
  });

  test('the next runs of a backlog follow in the same pass, each when the one before it is over', async () => {
    const b = await LedgerBench.inForce(minutely('catch-up=all starting-deadline=5m'), {});
    b.onHandOver = async () => {
      // An executor that takes three seconds.
      void b.clock.sleep(500).then(async () => {
        const [run] = (await b.memory.runs({ limit: 99 })).filter(
          ({ handedAt, status }) => handedAt && status === 'pending',
        );
        if (run === undefined) return;
        const claim = claimOf({
          jobId: 'shop/a',
          scheduledTime: run.scheduledTime,
          at: b.clock.now(),
          startedAt: b.clock.now(),
        });
        await b.memory.claim(claim);
        await b.memory.finish(
          finishOf(claim, {
            attempt: { number: 1, startedAt: claim.at, finishedAt: claim.at, status: 'succeeded' },
          }),
        );
      });
    };
    await b.pass('06:10:00');
    expect(b.told).toStrictEqual(['a 06:05', 'a 06:06', 'a 06:07', 'a 06:08']);
    expect((await b.rows()).filter((row) => row.includes('pending'))).toStrictEqual([
      'a 06:08 pending catch-up',
    ]);
  });

  test('whose answers the store takes in part, the cursor stays, and the next pass does the rest', async () => {
    const faults = new StoreFaults();
    const b = new LedgerBench(`${job()}\n# kuber-cron: name=b\n*/5 * * * * run-b\n`);
    await b.pass(FIRST_PASS);
    const store = faults.of(b.memory);
    const faulty = { store } as { store: RunStore };
    const c = Object.assign(new LedgerBench('', faulty), { plans: b.plans });
    faults.fail('settle', 'before');
    const result = await c.pass('06:07:00');
    expect(result.left).toStrictEqual(['crontab shop could not be settled']);
    expect(await b.memory.cursor('shop')).toBe(FIRST_PASS);
    expect(await b.rows()).toHaveLength(1);
    await b.pass('06:08:00');
    expect(await b.memory.cursor('shop')).toBe(at('06:06'));
    expect(await b.rows()).toStrictEqual(['a 06:05 pending catch-up', 'b 06:05 pending catch-up']);
  });

  test('that needs more time than there is, a pass ends itself and says so', async () => {
    const b = await LedgerBench.inForce(job());
    expect((await b.pass('06:07:00', b.plans, 0)).left).toStrictEqual([
      'the crontabs in the store could not be listed in time',
      'lost runs could not be looked for in time',
      'pending runs could not be handed over in time',
    ]);
    expect(await b.rows()).toStrictEqual([]);
  });
});

describe('a pending run whose time has come', () => {
  test('is handed over: a retry, and what somebody asked for', async () => {
    const b = await LedgerBench.inForce(job('retries=1'));
    await b.memory.owe(
      owedOf({
        jobId: 'shop/a',
        scheduledTime: at('05:00'),
        cause: 'requested',
        trigger: 'backfill',
        notBefore: at('06:02'),
      }),
    );
    await b.pass('06:01:00');
    expect(b.told).toStrictEqual([]);
    await b.pass('06:02:00');
    expect(b.told).toStrictEqual(['a 05:00']);
  });

  test.each([
    ['one at a time of a job', '', {}, ['a 05:00']],
    ['all at once under `allow`', 'concurrency-policy=allow', {}, ['a 05:00', 'a 05:05', 'a 05:10']],
    [
      'under `allow` as many as a backfill says',
      'concurrency-policy=allow',
      { maxActiveRuns: 2 },
      ['a 05:00', 'a 05:05'],
    ],
  ])('is handed over with others, %s', async (_what, options, fields, told) => {
    const b = await LedgerBench.inForce(job(options));
    for (const time of ['05:00', '05:05', '05:10'])
      await b.memory.owe(
        owedOf({
          jobId: 'shop/a',
          scheduledTime: at(time),
          cause: 'requested',
          trigger: 'backfill',
          ...fields,
        }),
      );
    await b.pass('06:01:00');
    expect(b.told).toStrictEqual(told);
  });

  test('is skipped where its job is gone, and left alone where its crontab is somebody else’s', async () => {
    const b = await LedgerBench.inForce(job());
    await b.memory.owe(owedOf({ jobId: 'shop/gone', scheduledTime: at('05:00') }));
    await b.memory.owe(owedOf({ jobId: 'office/b', scheduledTime: at('05:00') }));
    await b.pass('06:01:00');
    expect(await b.rows()).toStrictEqual(['b 05:00 pending catch-up', 'gone 05:00 skipped removed']);
    expect(b.said('run-skipped')).toMatchObject([{ run: { jobId: 'shop/gone', status: 'skipped' } }]);
  });

  test('counts as late once: at the first hand-over after its time for that', async () => {
    const b = await LedgerBench.inForce(job('late-after=4m starting-deadline=1h', '5 * * * *'));
    for (const time of ['06:07:00', '06:09:00', '06:11:00', '06:13:00', '06:15:00']) await b.pass(time);
    expect(b.told).toHaveLength(5);
    expect(b.said('run-late')).toStrictEqual([
      { kind: 'run-late', jobId: 'shop/a', runId: '2026-03-10T06:05Z', lateMs: 6 * MINUTE },
    ]);
  });

  test('counts as late when it is put, where it is so already', async () => {
    const b = await LedgerBench.inForce(job('late-after=30s'));
    await b.pass('06:07:00');
    await b.pass('06:09:00');
    expect(b.said('run-late')).toMatchObject([{ lateMs: 2 * MINUTE }]);
  });
});

describe('a run whose executor is gone', () => {
  const claim = claimOf({ jobId: 'shop/a', scheduledTime: at('06:05'), startedAt: at('06:05') });
  test.each([
    ['is taken from it a minute after its lease', '06:11:00', ['a 06:05 pending retry'], 1],
    ['is not before', '06:10:59', ['a 06:05 running'], 0],
  ])('%s', async (_what, time, rows, lost) => {
    const b = await LedgerBench.inForce(job('retries=1', '5 * * * *'));
    await b.memory.claim(claim);
    const result = await b.pass(time);
    expect([await b.rows(), b.said('run-lost').length]).toStrictEqual([rows, lost]);
    expect(result.running).toStrictEqual(new Map([['shop/a', 1]]));
  });

  test('is lost for good without a retry, and people are told', async () => {
    const b = await LedgerBench.inForce(job('', '5 * * * *'));
    await b.memory.claim(claim);
    await b.pass('06:12:00');
    expect(await b.rows()).toStrictEqual(['a 06:05 lost lease-expired']);
    expect(
      (await b.memory.takeNotifications(at('07:00'), at('07:01'), 9)).map(({ kind }) => kind),
    ).toStrictEqual(['failed']);
  });

  test('is given back and handed over when it was only claimed', async () => {
    const b = await LedgerBench.inForce(job('starting-deadline=1h', '5 * * * *'));
    const { startedAt: _startedAt, ...only } = claim;
    await b.memory.claim(only);
    await b.pass('06:12:00');
    expect([await b.rows(), b.told]).toStrictEqual([['a 06:05 pending given-back'], ['a 06:05']]);
  });
});

describe('a deployment', () => {
  const hourly = job('', '0 * * * *');
  const b0 = () => LedgerBench.inForce(job());
  const versionOf = (b: LedgerBench) =>
    b.memory.activePlan('shop').then((active) => active?.plan.jobs.map(({ schedule }) => schedule));

  test('that is the first owes nothing from before', async () => {
    const b = new LedgerBench(job('', '* * * * *'));
    await b.pass(FIRST_PASS);
    expect(await b.memory.activePlan('shop')).toMatchObject({ since: FIRST_PASS, target: 'aws' });
    expect([await b.memory.cursor('shop'), await b.rows()]).toStrictEqual([FIRST_PASS, []]);
    expect(b.said('plan-activated')).toMatchObject([{ diff: undefined }]);
  });

  test('settles the old plan up to now, and its runs that may start are handed over under the new one', async () => {
    const b = await b0();
    b.plans = [deployed(hourly)];
    await b.pass('06:15:30');
    expect([await b.rows(), await versionOf(b)]).toStrictEqual([
      ['a 06:05 missed too-late', 'a 06:10 missed too-late', 'a 06:15 pending catch-up'],
      ['0 * * * *'],
    ]);
    expect(b.told).toStrictEqual(['a 06:15']);
    const schedules = await b.memory.schedules('shop/a');
    expect(schedules.map(({ schedule, from, until }) => [schedule, from, until])).toStrictEqual([
      ['*/5 * * * *', FIRST_PASS, at('06:15:30')],
      ['0 * * * *', at('06:15:30'), undefined],
    ]);
  });

  test('without a job ends what that owes', async () => {
    const b = await b0();
    await b.memory.owe(owedOf({ jobId: 'shop/a', scheduledTime: at('06:00'), notBefore: at('08:00') }));
    b.plans = [deployed('# kuber-cron: name=b\n0 * * * * run-b\n')];
    await b.pass('06:05:30');
    expect(await b.rows()).toStrictEqual(['a 06:00 skipped removed', 'a 06:05 skipped removed']);
  });

  test('that gives a job another name moves what it owes', async () => {
    const b = await b0();
    b.plans = [deployed('# kuber-cron: name=b was=a\n*/5 * * * * run-a\n')];
    await b.pass('06:05:30');
    expect([await b.rows(), b.told]).toStrictEqual([['b 06:05 pending catch-up'], ['b 06:05']]);
  });

  test('is not undone by a process of the version before that is called once more', async () => {
    const b = await b0();
    const [former, next] = [b.plans, [deployed(hourly)]];
    await b.pass('06:10:00', next);
    await b.pass('06:11:59', former);
    expect(await versionOf(b)).toStrictEqual(['0 * * * *']);
    expect(b.said('note').map(({ message }) => message)).toStrictEqual([
      'crontab shop has been in force as another version since 2026-03-10T06:10:00.000Z; it stays so for 2 minutes at least, since processes of the version before may be at work still',
    ]);
  });

  test('of an earlier crontab is one like any other: it comes in force, two minutes after the one before at the earliest', async () => {
    const b = await b0();
    const former = b.plans;
    await b.pass('06:10:00', [deployed(hourly)]);
    await b.pass('06:12:00', former);
    expect(await versionOf(b)).toStrictEqual(['*/5 * * * *']);
  });

  test('without a crontab takes it out of force, once; when it comes back, the time without it is no downtime', async () => {
    const b = await b0();
    await b.pass('06:10:30', []);
    await b.pass('06:13:30', []);
    expect(b.said('crontab-removed')).toStrictEqual([{ kind: 'crontab-removed', crontab: 'shop' }]);
    expect(await versionOf(b)).toStrictEqual([]);
    const before = await b.rows();
    await b.pass('07:00:30');
    expect([await versionOf(b), await b.rows()]).toStrictEqual([['*/5 * * * *'], before]);
  });

  test('leaves crontabs alone that a daemon has put in force in the same table', async () => {
    const b = await b0();
    const { plan, hash } = namedAs('office', deployed(job()));
    const change = { at: FIRST_PASS, closed: [], opened: [], renamed: [] };
    await b.memory.setActivePlan({ plan, hash, since: FIRST_PASS }, change);
    await b.pass('06:30:00');
    expect(await b.memory.activePlan('office')).toStrictEqual({ plan, hash, since: FIRST_PASS });
  });

  test('that was cut off in the middle is made again, and nothing is answered twice', async () => {
    for (const fault of ['before', 'after'] as const) {
      for (const write of ['settle', 'setCursor', 'setActivePlan', 'takeTurn'] as const) {
        const b = await b0();
        const faults = new StoreFaults();
        faults.fail(write, fault);
        const c = Object.assign(new LedgerBench('', { store: faults.of(b.memory) }), {
          plans: [deployed(hourly)],
        });
        expect((await c.pass('06:06:00')).left).toHaveLength(1);
        // Whoever has the turn is gone after two minutes.
        await b.pass('06:08:10', c.plans);
        expect([write, fault, await versionOf(b), await b.rows()]).toStrictEqual([
          ...[write, fault, ['0 * * * *'], ['a 06:05 pending catch-up']],
        ]);
      }
    }
  });
});

test('while another pass settles a crontab, one leaves it alone, and is not complete', async () => {
  const b = await LedgerBench.inForce(job());
  await b.memory.takeTurn('shop', 'another', at('06:06:30'), at('06:08:30'));
  expect((await b.pass('06:07:00')).left).toStrictEqual([
    'crontab shop is settled by another pass at this moment',
  ]);
  expect(await b.rows()).toStrictEqual([]);
  expect((await b.pass('06:08:30')).left).toStrictEqual([]);
  expect(await b.rows()).toStrictEqual(['a 06:05 pending catch-up']);
});

test('a cursor hours ahead of the clock was written under a wrong one: due times count from now', async () => {
  const b = await LedgerBench.inForce(job());
  await b.memory.setCursor('shop', at('10:00'));
  await b.pass('06:07:00');
  expect([await b.memory.cursor('shop'), b.said('warning').length]).toStrictEqual([at('06:07:00'), 1]);
});

describe('the calls of a pass over ten thousand jobs', () => {
  const crontab = Array.from(
    { length: 10_000 },
    (_, index) => `# kuber-cron: name=j${index}\n${index % 50} * * * * run ${index}\n`,
  ).join('\n');
  const counted = (b: LedgerBench) => {
    const counts: Record<string, number> = {};
    for (const [name] of b.calls) counts[name] = (counts[name] ?? 0) + 1;
    return counts;
  };
  const always = { crontabs: 1, takeTurn: 2, activePlan: 1, cursor: 1, setCursor: 1, unfinished: 1 };

  test('are a constant number and one question for what is due, then one write for each run that is missing', async () => {
    const b = await LedgerBench.inForce(crontab);
    for (let index = 5; index < 10_000; index += 50) await b.delivered(`j${index}`, '06:05');
    await b.memory.setCursor('shop', at('06:04'));
    await b.pass('06:07:00');
    expect(counted(b)).toStrictEqual({ ...always, existing: 1, pending: 1 });
    expect(b.calls.find(([name]) => name === 'existing')?.[1]).toMatchObject([{ length: 200 }]);
    // Of the next minute nothing was delivered.
    await b.pass('06:08:00');
    expect(counted(b)).toStrictEqual({ ...always, existing: 1, pausesAt: 1, settle: 200, pending: 1 });
    expect(b.told).toHaveLength(200);
  });
});
