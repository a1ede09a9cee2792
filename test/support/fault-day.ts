import { timetableOf } from '../../shared/core/plan/plan.ts';
import { isPausedAt } from '../../shared/core/run/pause.ts';
import { isFinal } from '../../shared/core/run/run.ts';
import { jobIdOf } from '../../shared/core/run/run-id.ts';
import type { RunStore } from '../../shared/core/run/run-store.ts';
import { dueInstants } from '../../shared/core/schedule/due.ts';
import { FakeClock, settled } from './fake-clock.ts';
import { type Evidence, type JournalLine, judge, rowText } from './fault-judge.ts';
import type { Chance } from './fault-seed.ts';
import { CallFaults } from './fault-store.ts';
import { planOf } from './plan-of.ts';
import { SchedulerProcess } from './scheduler-process.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
/** A scheduler looks at the clock at least once in this. Milliseconds. */
const LONGEST_SLEEP_MS = 15_000;

export const DAY_START = Date.parse('2026-03-10T06:00:17Z');

/** Jobs of all policies, catch-up kinds and deadlines, some with retries. */
export const DAY_CRONTAB = `# kuber-cron: name=a retries=2 backoff=10s..1m
* * * * * run-a
# kuber-cron: name=b catch-up=none retries=1 backoff=30s..2m
*/7 * * * * run-b
# kuber-cron: name=c concurrency-policy=allow timeout=3m
*/3 * * * * run-c
# kuber-cron: name=d concurrency-policy=replace starting-deadline=2h retries=3 backoff=1s..5m
*/5 * * * * run-d
# kuber-cron: name=e catch-up=all starting-deadline=30m
*/4 * * * * run-e
# kuber-cron: name=f
@reboot run-f
`;

/** The same crontab after an edit: a job is gone, one is new, others have other times and rules. */
export const EDITED_CRONTAB = DAY_CRONTAB.replace('name=b', 'name=g')
  .replace('*/3 ', '2-59/5 ')
  .replace('concurrency-policy=replace', 'concurrency-policy=forbid');

interface Reign {
  readonly crontab: string;
  readonly from: number;
  until: number;
}

/** How a day's store is reached, where that is not by the store itself. */
export interface DayStore {
  /** The store of one process. @param isDead whether the process is: then nothing more is done for it */
  readonly open: (isDead: () => boolean) => RunStore;
  /** Resolves when everything that can go on without time passing has done so. */
  readonly settled: () => Promise<void>;
}

/** A day of schedulers under a test's clock, on one store whose calls may fail, with commands that a seed ends. */
export class FaultDay {
  readonly clock: FakeClock;
  readonly faults: CallFaults;
  readonly processes: SchedulerProcess[] = [];
  /** How long a command of a job runs, milliseconds, and its exit code. */
  ending: (job: string) => readonly [ms: number, exitCode: number];
  readonly #store: RunStore;
  readonly #of: DayStore;
  readonly #reigns: Reign[] = [];
  readonly #dead = new Set<string>();
  readonly #journal: JournalLine[] = [];
  /** What the test did. */
  readonly #events: { readonly instant: number; readonly what: string }[] = [];

  constructor(store: RunStore, chance: Chance, of: DayStore = { open: () => store, settled }) {
    this.#store = store;
    this.#of = of;
    this.clock = new FakeClock(DAY_START, of.settled);
    this.faults = new CallFaults(this.clock);
    this.ending = () => [
      chance.of([0, 0, 0, 5 * SECOND, 50 * SECOND, 3 * MINUTE, 8 * MINUTE]),
      chance.percent(30) ? 1 : 0,
    ];
  }

  get latest(): SchedulerProcess {
    const latest = this.processes.at(-1);
    if (latest === undefined) throw new Error('no process was started');
    return latest;
  }

  get alive(): readonly SchedulerProcess[] {
    return this.processes.filter(({ owner }) => !this.#dead.has(owner.token));
  }

  /** Starts a process and puts a crontab in force, however often the store has to be asked. */
  async begin(crontab = DAY_CRONTAB): Promise<SchedulerProcess> {
    const isDead = () => this.#dead.has(process.owner.token);
    const store = this.faults.of(this.#of.open(isDead), isDead);
    const process: SchedulerProcess = new SchedulerProcess(store, this.clock);
    this.#writeJournal(process);
    this.processes.push(process);
    this.#note(`${process.owner.token} begins`);
    await this.#insist(() => process.recover(({ token }) => !this.#dead.has(token)));
    await this.edit(crontab, process);
    process.run();
    void process.scheduler.startReboot(process.owner.token);
    await this.#of.settled();
    return process;
  }

  async edit(crontab: string, process = this.latest): Promise<void> {
    const handled = (await this.#store.cursor('shop')) ?? 0;
    await process.load(crontab);
    const last = this.#reigns.at(-1);
    if (last?.crontab === crontab) return;
    this.#note(crontab === '' ? 'all jobs are taken out' : 'an edited crontab is in force');
    // Nothing that is handled is due again, be the clock set back.
    const from = Math.max(handled, (await this.#store.activePlan('shop'))?.since ?? 0);
    if (last !== undefined) last.until = from;
    this.#reigns.push({ crontab, from, until: from });
  }

  die(process = this.latest): void {
    this.#note(`${process.owner.token} dies`);
    this.#dead.add(process.owner.token);
    process.die();
  }

  /** What a person may do at any time: pauses a job, resumes it, cancels a run. */
  async operate(chance: Chance): Promise<void> {
    const jobId = jobIdOf('shop', chance.of(['a', 'b', 'c', 'd', 'e']));
    const now = this.clock.now();
    const what = chance.of(['pause', 'resume', 'cancel', 'cancel'] as const);
    this.#note(`${what} ${jobId}`);
    if (what === 'pause') {
      const until = chance.percent(70) ? { until: now + chance.whole(1, 30) * MINUTE } : {};
      // After this moment: what is due in it may be claimed already.
      await this.#store.pause({ jobId, from: now + 1, ...until, by: 'jane@host' });
    } else if (what === 'resume') await this.#store.resume(jobId, { at: now + 1, by: 'jane@host' });
    else {
      const open = (await this.#store.runs({ jobId, limit: 20 })).filter(({ status }) => !isFinal(status));
      const [run] = open;
      if (run !== undefined) await this.#store.cancel(run, { verb: 'cancel', by: 'jane@host', at: now });
    }
  }

  /** Takes all jobs out and lets what runs come to its end, in a store that does well. */
  async end(): Promise<void> {
    this.faults.next = () => 'none';
    await this.clock.advance(2 * MINUTE);
    // Each takes a second to hear of it. A minute that began in between would belong to both plans.
    await this.clock.advance(MINUTE + 10 * SECOND - (this.clock.now() % MINUTE));
    for (const process of this.alive) await this.edit('', process);
    for (let minutes = 0; minutes < 60; minutes++) {
      const runs = await this.#store.runs({ limit: 1_000_000 });
      if (runs.every(({ status }) => isFinal(status))) return;
      await this.clock.advance(MINUTE);
    }
  }

  /** @param isClockSteady whether starts can be held against scheduled times */
  async problems(isClockSteady = true): Promise<string[]> {
    const evidence = await this.#evidence(isClockSteady);
    const errors = this.processes.flatMap((process) => process.errors());
    return judge(evidence)
      .slice(0, 6)
      .map((problem) => {
        const [, job = '', time = ''] = /shop\/(\w+)\D*(\d{4}-\S{11}Z)?/.exec(problem) ?? [];
        const at = Date.parse(time);
        const distance = (instant: number) => Math.abs(instant - at);
        const rows = evidence.runs
          .filter(({ jobId }) => jobId === `shop/${job}`)
          .sort((a, b) => distance(a.scheduledTime) - distance(b.scheduledTime))
          .slice(0, 5);
        const lines = evidence.journal.filter(({ run }) => run.startsWith(`shop/${job}/${time}`));
        const before = this.#events.filter(({ instant }) => !(instant > at + 60 * MINUTE)).slice(-8);
        return [
          problem,
          ...rows.map(rowText),
          ...lines.slice(0, 8).map((line) => `journal ${Object.values(line).join(' ')}`),
          ...before.map(({ instant, what }) => `${new Date(instant).toISOString()} ${what}`),
          ...new Set(errors.slice(0, 4)),
        ].join('\n    ');
      });
  }

  async #evidence(isClockSteady: boolean): Promise<Evidence> {
    const due = new Map<string, readonly number[]>();
    const attempts = new Map<string, number>();
    for (const { crontab, from, until } of this.#reigns) {
      const plan = planOf(crontab);
      for (const job of plan.jobs) {
        const jobId = jobIdOf('shop', job.name);
        attempts.set(jobId, Math.max(attempts.get(jobId) ?? 0, 1 + (job.options.retries ?? 0)));
        const timetable = timetableOf(plan, job);
        if (timetable === undefined) continue;
        const instants = new Set([...(due.get(jobId) ?? []), ...dueInstants(timetable, from, until)]);
        due.set(
          jobId,
          [...instants].sort((a, b) => a - b),
        );
      }
    }
    // A pause answers for its instants without a row.
    for (const [jobId, instants] of due) {
      const pauses = await this.#store.pauses(jobId);
      const isOwed = (instant: number) => !pauses.some((pause) => isPausedAt(pause, instant));
      due.set(jobId, instants.filter(isOwed));
    }
    return {
      runs: await this.#store.runs({ limit: 1_000_000 }),
      states: await this.#store.states('shop'),
      journal: this.#journal,
      due,
      attempts,
      timeouts: new Map(),
      isClockSteady,
    };
  }

  /** Sets the clock back so far that all begins anew when the scheduler notices: before that nothing is owed. */
  async setBack(ms: number): Promise<void> {
    const last = this.#reigns.at(-1) as Reign;
    this.#note(`the clock goes back by ${ms / MINUTE} min`);
    last.until = this.clock.now();
    this.clock.jumpTo(last.until - ms);
    await this.clock.advance(LONGEST_SLEEP_MS);
    this.#reigns.push({ crontab: last.crontab, from: this.clock.now(), until: this.clock.now() });
  }

  #note(what: string): void {
    this.#events.push({ instant: this.clock.now(), what });
  }

  async #insist(act: () => Promise<unknown>): Promise<void> {
    let isDone = false;
    const insist = async () => {
      while (!isDone) {
        try {
          await act();
          isDone = true;
        } catch {
          await this.clock.sleep(SECOND);
        }
      }
    };
    void insist();
    await this.#of.settled();
    while (!isDone) await this.clock.advance(SECOND);
  }

  /** Commands that last until the seed says so, and that tell of their starts and ends. */
  #writeJournal({ commands }: SchedulerProcess): void {
    const start = commands.start.bind(commands);
    commands.lasting.has = () => true;
    commands.start = (spec) => {
      const command = start(spec);
      const { KUBERCRON_RUN_ID, KUBERCRON_ATTEMPT, KUBERCRON_SCHEDULED_TIME, KUBERCRON_JOB } =
        spec.environment;
      const key = { run: KUBERCRON_RUN_ID ?? '', attempt: Number(KUBERCRON_ATTEMPT) };
      this.#journal.push({ what: 'start', ...key, time: KUBERCRON_SCHEDULED_TIME ?? '' });
      const [ms, exitCode] = this.ending(KUBERCRON_JOB ?? '');
      let isOver = false;
      const end = (how: Parameters<typeof command.end>[0]) => {
        if (isOver) return;
        isOver = true;
        if (how.kind === 'exited') this.#journal.push({ what: 'end', ...key, exitCode: how.exitCode });
        command.end(how);
      };
      command.onSignal = (signal) => end({ kind: 'signalled', signal });
      void this.clock.sleep(ms).then(() => end({ kind: 'exited', exitCode }));
      return command;
    };
  }
}
