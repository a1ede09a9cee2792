import { describe, expect, test } from '@jest/globals';
import { MemoryRunStore } from '../../shared/adapters/memory-run-store.ts';
import { DAY_START, FaultDay } from '../support/fault-day.ts';
import { Chance, FAULT_SEED } from '../support/fault-seed.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const CRONTAB = `# kuber-cron: name=a retries=1 backoff=2m..3m
*/10 * * * * run-a
`;
/** A set-back beyond this says that the clock was wrong before: what was handled then is no measure any more. */
const LARGEST_SET_BACK = 3 * HOUR;

const JUMPS: readonly (readonly [what: string, ms: number])[] = [
  ['1 s forwards', SECOND],
  ['1 min forwards', MINUTE],
  ['10 min forwards', 10 * MINUTE],
  ['1 h forwards', HOUR],
  ['5 h forwards', 5 * HOUR],
  ['1 day forwards', DAY],
  ['1 s backwards', -SECOND],
  ['1 min backwards', -MINUTE],
  ['10 min backwards', -10 * MINUTE],
  ['2 h 50 min backwards', -170 * MINUTE],
  ['5 h backwards', -5 * HOUR],
  ['1 day backwards', -DAY],
];

/** Brings a day that begins at 06:00:17 to a stage of the run of 06:10. */
const STAGES: Readonly<Record<string, (day: FaultDay) => Promise<void>>> = {
  'before the claim': (day) => day.clock.advance(9 * MINUTE + 10 * SECOND),
  'in the claim': (day) => slowCall(day, 'claim', 9 * MINUTE + 43 * SECOND),
  claimed: (day) => slowCall(day, 'start', 9 * MINUTE + 43 * SECOND),
  running: (day) => day.clock.advance(9 * MINUTE + 50 * SECOND),
  finishing: (day) => slowCall(day, 'finish', 9 * MINUTE + 43 * SECOND + 40 * SECOND),
  'between two attempts': async (day) => {
    day.ending = () => [40 * SECOND, 1];
    await day.clock.advance(11 * MINUTE);
    day.ending = () => [40 * SECOND, 0];
  },
};

/** Until some seconds into a call that takes the store forty. */
async function slowCall(day: FaultDay, method: string, ms: number): Promise<void> {
  day.faults.next = (name) => (name === method ? 'slow' : 'none');
  await day.clock.advance(ms + 5 * SECOND);
  day.faults.next = () => 'none';
}

describe.each(Object.keys(STAGES))('when a run is %s and the clock jumps', (stage) => {
  test.each(JUMPS)('%s, each due instant is answered once', async (_what, ms) => {
    const day = new FaultDay(new MemoryRunStore(), new Chance(FAULT_SEED, stage));
    day.ending = () => [40 * SECOND, 0];
    await day.begin(CRONTAB);
    await STAGES[stage]?.(day);
    if (ms < -LARGEST_SET_BACK) await day.setBack(-ms);
    else day.clock.jumpTo(day.clock.now() + ms);
    await day.clock.advance(4 * HOUR);
    await day.end();
    expect(await day.problems(false)).toEqual([]);
  });
});

test.each(Array.from({ length: 25 }, (_, n) => n))(
  `a day of clocks that jump, crashes and slow stores: each due instant is answered once (seed ${FAULT_SEED}, day %i)`,
  async (n) => {
    const chance = new Chance(FAULT_SEED, `clock ${n}`);
    const day = new FaultDay(new MemoryRunStore(), chance);
    await day.begin();
    let latest = DAY_START;
    for (let step = 0; step < 30; step++) {
      day.faults.next = () => (chance.percent(5) ? 'slow' : 'none');
      await day.clock.advance(chance.of([1, 17 * SECOND, 43 * SECOND, 4 * MINUTE, 25 * MINUTE]));
      latest = Math.max(latest, day.clock.now());
      if (chance.percent(40)) {
        const ms = chance.of([SECOND, 30 * SECOND, MINUTE, 10 * MINUTE, HOUR, 3 * HOUR]);
        const to = day.clock.now() + (chance.percent(50) ? ms : -ms);
        // Further back than three hours is another rule; the table above has it.
        day.clock.jumpTo(Math.max(to, latest - 170 * MINUTE));
        latest = Math.max(latest, day.clock.now());
      }
      if (chance.percent(15)) {
        day.die();
        await day.clock.advance(chance.of([0, 5 * SECOND, 8 * MINUTE]));
        await day.begin();
      }
    }
    day.faults.next = () => 'none';
    // What was handled ahead of a clock that then went back has its time again.
    await day.clock.advance(Math.max(0, latest - day.clock.now()) + HOUR);
    await day.end();
    expect(await day.problems(false)).toEqual([]);
  },
);
