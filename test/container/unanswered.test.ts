import { expect, test } from '@jest/globals';
import { MemoryRunStore } from '../../shared/adapters/memory-run-store.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';
import { StoreFaults } from '../support/faulty-store.ts';
import { history, SchedulerProcess } from '../support/scheduler-process.ts';

const SECOND = 1000;
const CRONTAB = '# kuber-cron: name=a\n*/10 * * * * run-a\n';

/** A process that wakes up at 10:34, to a store that takes no more answers so many times. */
async function awokenTo(failures: number, crontab = CRONTAB) {
  const store = new MemoryRunStore();
  const clock = new FakeClock(Date.parse('2026-03-10T09:59:30Z'));
  const faults = new StoreFaults();
  const process = new SchedulerProcess(faults.of(store), clock);
  await process.load(crontab);
  process.run();
  await settled();
  faults.fail('settle', ...Array(failures).fill('before'));
  clock.jumpTo(Date.parse('2026-03-10T10:34:00Z'));
  await clock.advance(20 * SECOND);
  return { store, clock, process };
}

const ANSWERED = ['a 10:00-10:20 missed too-late', 'a 10:30 succeeded (catch-up)'];

test('an answer that the store did not take is given again', async () => {
  const { store, clock } = await awokenTo(5);
  await clock.advance(20 * SECOND);
  expect(await history(store)).toEqual(ANSWERED);
});

test('the cursor stays behind an answer that the store never took: the next process gives it', async () => {
  const { store, clock, process } = await awokenTo(1000);
  // Not even the run that may start: whatever has an answer has one for all before it.
  expect(await history(store)).toEqual([]);
  process.die();
  await new SchedulerProcess(store, clock).load(CRONTAB);
  expect(await history(store)).toEqual(ANSWERED);
});

test('so it does when nothing of the job may start any more', async () => {
  const crontab = CRONTAB.replace('name=a', 'name=a catch-up=none');
  const { store, clock, process } = await awokenTo(1000, crontab);
  process.die();
  await new SchedulerProcess(store, clock).load(crontab);
  expect(await history(store)).toEqual(['a 10:00-10:20 missed too-late', 'a 10:30 missed catch-up-none']);
});

test('the cursor stays behind a minute of a job whose end before it is not recorded yet', async () => {
  const store = new MemoryRunStore();
  const clock = new FakeClock(Date.parse('2026-03-10T09:59:30Z'));
  const faults = new StoreFaults();
  const process = new SchedulerProcess(faults.of(store), clock);
  process.commands.lasting.add('a');
  await process.load('# kuber-cron: name=a\n* * * * * run-a\n# kuber-cron: name=b\n* * * * * run-b\n');
  process.run();
  await clock.advance(60 * SECOND);
  let isRefused = true;
  faults.next = (write) => (isRefused && write === 'finish' ? 'before' : 'none');
  process.command('a').end({ kind: 'exited', exitCode: 0 });
  await clock.advance(60 * SECOND);
  expect(await store.cursor('shop')).toBe(Date.parse('2026-03-10T10:00Z'));
  isRefused = false;
  await clock.advance(15 * SECOND);
  expect(await store.cursor('shop')).toBe(Date.parse('2026-03-10T10:01Z'));
  expect(await history(store)).toEqual([
    'a 10:00 succeeded',
    'b 10:00 succeeded',
    'a 10:01 running',
    'b 10:01 succeeded',
  ]);
});
