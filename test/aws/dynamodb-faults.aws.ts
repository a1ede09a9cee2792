import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { DynamoDbRunStore } from '../../shared/adapters/dynamodb-run-store.ts';
import { faultCrontab } from '../support/fault-crontab.ts';
import { DAY_CRONTAB, DAY_START, FaultDay } from '../support/fault-day.ts';
import { type FaultDaemon, FaultHome, type HomeStore, waitFor } from '../support/fault-home.ts';
import { type Evidence, rowText } from '../support/fault-judge.ts';
import { Chance, FAULT_SEED } from '../support/fault-seed.ts';
import { CALL_FAULTS } from '../support/fault-store.ts';
import { endQuietly, evidenceOf, stories } from '../support/fault-trial.ts';
import { BusyStores } from './busy-stores.ts';
import { createTable, describeDynamoDb, localClient } from './tables.ts';

/** More by hand: `FAULT_DAYS=50 FAULT_SEED=$RANDOM npm run test:aws -- dynamodb-faults`. */
const DAYS = Number(process.env.FAULT_DAYS ?? 2);
const KILLS = Number(process.env.FAULT_KILLS ?? 6);
const JOBS = 15;
/** A minute is two seconds. */
const RATE = 30;
/** Later than now: what is over by the machine's clock would be gone. */
const START = Date.UTC(new Date().getUTCFullYear() + 1, 6, 4, 11, 58);
const SECOND = 1000;
const MINUTE = 60 * SECOND;

describeDynamoDb('on DynamoDB', () => {
  test.each(Array.from({ length: DAYS }, (_, n) => [n]))(
    `schedulers on one table, of which one after the other dies, answer each due instant once (seed ${FAULT_SEED}, day %d)`,
    async (n) => {
      const chance = new Chance(FAULT_SEED, `two schedulers on a table ${n}`);
      const client = localClient();
      const now = () => DAY_START;
      const table = await createTable(client);
      const stores = new BusyStores(table, chance, now);
      const day = new FaultDay(new DynamoDbRunStore(table, { client, now }), chance, stores);
      await day.begin();
      await day.begin();
      for (let step = 0; step < 15; step++) {
        const percent = chance.of([0, 0, 5, 30]);
        day.faults.next = () => (chance.percent(percent) ? chance.of(CALL_FAULTS) : 'none');
        stores.wirePercent = chance.of([0, 1, 5, 20]);
        stores.oddPercent = chance.of([0, 5, 20]);
        await day.clock.advance(chance.of([1, 43 * SECOND, MINUTE, 3 * MINUTE]));
        if (chance.percent(25)) await day.operate(chance);
        if (chance.percent(30)) {
          day.die(chance.of(day.alive));
          await day.clock.advance(chance.of([0, SECOND, 2 * MINUTE, 7 * MINUTE]));
          await day.begin(DAY_CRONTAB);
        }
      }
      stores.wirePercent = 0;
      stores.oddPercent = 0;
      await day.end();
      expect(await day.problems()).toEqual([]);
    },
  );

  describe('two daemons on one table, killed in turns,', () => {
    const chance = new Chance(FAULT_SEED, 'two daemons on a table');
    let home: FaultHome;
    let evidence: Evidence;
    /** Of each daemon: how many runs it started. */
    const starts: number[] = [];

    beforeAll(async () => {
      home = new FaultHome(await homeTable());
      writeFileSync(home.crontab, faultCrontab(new Chance(FAULT_SEED, 'shared table'), JOBS, home.folder));
      const pace = { real: Date.now(), shown: START, rate: RATE };
      const start = async () => {
        const daemon = home.start({ pace });
        await daemon.event('crontab-loaded');
        return daemon;
      };
      const daemons: [FaultDaemon, FaultDaemon] = [await start(), await start()];
      const reign = await home.read((store) => store.activePlan('shop'));
      if (reign === undefined) throw new Error('no plan is in force');
      const end = async (which: 0 | 1) => {
        starts.push(daemons[which].lines.filter(({ event }) => event === 'run-started').length);
        return daemons[which].kill();
      };
      for (let deaths = 0; deaths < KILLS; deaths++) {
        await sleep(chance.whole(300, 2500));
        const which = chance.of([0, 1] as const);
        if ((await end(which)) !== 'SIGKILL')
          throw new Error(`a daemon ended by itself:\n${daemons[which].errors}`);
        // The other is alone for up to a minute and a half.
        await sleep(chance.whole(0, 1500));
        daemons[which] = await start();
      }
      await end(0);
      const until = await endQuietly(home, daemons[1], RATE);
      evidence = await evidenceOf(home, reign.plan, reign.since, until);
    }, 240_000);
    afterAll(() => home.remove());

    test(`start each run once (seed ${FAULT_SEED})`, () => {
      expect(stories(home, evidence)).toEqual([]);
    });

    test('take over from each other: nothing is missed for want of a daemon', () => {
      const tooLate = evidence.runs.filter(
        ({ reason }) => reason === 'too-late' || reason === 'catch-up-none',
      );
      expect(tooLate.map(rowText)).toEqual([]);
    });

    test('both work, and no process of a run is left', () => {
      const idle = starts.filter((count) => count === 0).length;
      expect({ isShared: idle < starts.length / 2, processes: home.processes() }).toEqual({
        isShared: true,
        processes: [],
      });
    });
  });

  describe('a daemon whose clock is an hour off that of the table', () => {
    const HOUR = 60 * MINUTE;
    let home: FaultHome;
    beforeAll(async () => {
      home = new FaultHome(await homeTable());
      writeFileSync(home.crontab, '# kuber-cron: name=once\n@reboot true\n');
    });
    afterAll(() => home.remove());

    test.each([
      ['ahead of', HOUR],
      ['behind', -HOUR],
    ])('%s it says so, is not ready and starts nothing, until it is set right', async (how, offBy) => {
      const real = Date.now();
      const before = await home.history();
      const daemon = home.start(
        { pace: { real, shown: real + offBy, rate: 1 }, isTimeTold: true },
        '127.0.0.1:0',
      );
      const { address } = await daemon.event('listening');
      const probe = async () => {
        const answer = await fetch(`${address}/readyz`);
        return { status: answer.status, body: await answer.text() };
      };
      const unready = { status: 503, body: expect.stringContaining(`s ${how} that of the run store`) };
      expect([await probe(), await home.history()]).toEqual([unready, before]);
      daemon.child.kill('SIGUSR2');
      // Its `@reboot` job, which it owes since it was started.
      expect((await daemon.event('run-ended')).status).toBe('succeeded');
      expect(await probe()).toEqual({ status: 200, body: '{"status":"ok"}\n' });
      daemon.child.kill('SIGUSR2');
      await waitFor('a clock that is off again', async () => (await probe()).status === 503 || undefined);
      expect(await daemon.signal('SIGTERM')).toBe(0);
      expect((await home.history()).runs).toHaveLength(before.runs.length + 1);
    });
  });
});

/** A new table, as the run store of a home. */
async function homeTable(): Promise<HomeStore> {
  const client = localClient();
  const table = await createTable(client);
  return {
    option: `dynamodb:${table}`,
    env: {
      ...{ AWS_ENDPOINT_URL_DYNAMODB: process.env.KUBERCRON_TEST_DYNAMODB ?? '', AWS_REGION: 'eu-central-1' },
      ...{ AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_EC2_METADATA_DISABLED: 'true' },
    },
    store: new DynamoDbRunStore(table, { client }),
  };
}
