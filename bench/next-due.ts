import { fork } from 'node:child_process';
import { once } from 'node:events';
import { CronExpressionParser } from 'cron-parser';
import { parseCronExpression } from 'cron-schedule';
import { Cron } from 'croner';
import { nextDue } from '../shared/core/schedule/due.ts';
import { compileSchedule } from '../shared/core/schedule/schedule.ts';
import { zoneTable } from '../shared/core/schedule/zone-data.ts';
import { bareNext } from './bare-next.ts';
import type { Bench } from './bench.ts';
import { keep } from './children.ts';
import type { Table } from './report.ts';
import { interleaved, median, randomFrom } from './statistics.ts';

/** Schedules of real crontabs. None falls into the hours of clock changes alone, where the libraries differ. */
const SCHEDULES = [
  '* * * * *',
  '*/5 * * * *',
  '*/15 * * * *',
  '0 * * * *',
  '17 * * * *',
  '0 */6 * * *',
  '30 4 * * *',
  '15,45 8-18 * * *',
  '*/10 9-17 * * 1-5',
  '0 7 * * 1',
  '30 22 * * 1-5',
  '0 6 1 * *',
  '15 5 1,15 * *',
  '0 12 1 */3 *',
  '0 9 31 * *',
  '45 23 * 12 *',
  '0 8 1 1 *',
  '0 12 29 2 *',
  '0 12 13 * 5',
  '5 4 * * 0',
];

/** Instants to search from, for each schedule. */
const STARTS = 50;
/** What one round of one contestant takes at least. Milliseconds. */
const ROUND_MS = 20;

const ZONES = { utc: 'UTC', zoned: 'America/New_York' } as const;

type Search = (schedule: number, after: number) => number | undefined;

/** `nextDue` and the compilation of fields beside the libraries for Node and a bare loop. */
export async function benchNextDue({ isQuick }: Bench): Promise<readonly Table[]> {
  // A process for each zone: cron-schedule knows the zone of the process only.
  const [utc, zoned] = [await measuredIn(ZONES.utc, isQuick), await measuredIn(ZONES.zoned, isQuick)];
  const bare = utc.next.bare as number;
  const row = (name: string, ns: number, zonedNs?: number) => [
    name,
    ns,
    ns / bare,
    zonedNs,
    zonedNs === undefined ? undefined : zonedNs / bare,
  ];
  const names = Object.keys(utc.next).filter((name) => name !== 'bare');
  const ours = utc.next['kuber-cron'] as number;
  const oursZoned = zoned.next['kuber-cron'] as number;
  // The same loop in the other process: how far the two can be compared.
  const zonedScale = bare / (zoned.next.bare as number);
  return [
    {
      title: 'The next due instant',
      columns: ['', 'ns in UTC', '÷ bare loop', `ns in ${ZONES.zoned}`, '÷ bare loop'],
      rows: [
        row('bare loop (UTC only)', bare),
        ...names.map((name) =>
          row(name, utc.next[name] as number, (zoned.next[name] as number) * zonedScale),
        ),
      ],
      notes: [
        `${SCHEDULES.length} schedules, ${STARTS} instants each, per search; all gave the same ${SCHEDULES.length * STARTS} instants, in both zones.`,
      ],
      targets: [
        { what: 'UTC ÷ bare loop', value: ours / bare, atMost: 3 },
        { what: `${ZONES.zoned} ÷ bare loop`, value: (oursZoned * zonedScale) / bare, atMost: 10 },
        {
          what: 'cron-parser ÷ kuber-cron, UTC',
          value: (utc.next['cron-parser'] as number) / ours,
          atLeast: 100,
        },
        {
          what: `cron-parser ÷ kuber-cron, ${ZONES.zoned}`,
          value: (zoned.next['cron-parser'] as number) / oursZoned,
          atLeast: 100,
        },
      ],
    },
    {
      title: 'Compiling five fields',
      columns: ['', 'ns', '÷ kuber-cron'],
      rows: Object.entries(utc.parse).map(([name, ns]) => [
        name,
        ns,
        ns / (utc.parse['kuber-cron'] as number),
      ]),
      notes: ['Each text anew, nothing remembered from one to the next.'],
    },
  ];
}

interface Figures {
  /** Nanoseconds of one search or compilation, by contestant: median of the rounds. */
  readonly next: Readonly<Record<string, number>>;
  readonly parse: Readonly<Record<string, number>>;
}

async function measuredIn(zone: string, isQuick: boolean): Promise<Figures> {
  const child = keep(
    fork(import.meta.filename, [zone, isQuick ? '5' : '25'], { env: { ...process.env, TZ: zone } }),
  );
  const figures = once(child, 'message');
  const end = once(child, 'exit').then(([code]) => {
    throw new Error(`the measurement in ${zone} ended with ${code}`);
  });
  const [message] = await Promise.race([figures, end]);
  end.catch(() => {});
  return message as Figures;
}

async function measure(zone: string, rounds: number): Promise<Figures> {
  const table = zoneTable(zone);
  if (table === undefined) throw new Error(`${zone} is not a time zone`);
  const ours = SCHEDULES.map((text) => ({ schedule: compileSchedule(text), zone: table }));
  const bare = ours.map(({ schedule }) => schedule);
  const croner = SCHEDULES.map((text) => new Cron(text, { timezone: zone }));
  const cronSchedule = SCHEDULES.map((text) => parseCronExpression(text));
  const cronParser = SCHEDULES.map((text) => CronExpressionParser.parse(text, { tz: zone }));
  const searches: Readonly<Record<string, Search>> = {
    bare: (index, after) => bareNext(bare[index] as never, after),
    'kuber-cron': (index, after) => nextDue(ours[index] as never, after),
    'cron-schedule': (index, after) => cronSchedule[index]?.getNextDate(new Date(after)).getTime(),
    croner: (index, after) => croner[index]?.nextRun(new Date(after))?.getTime(),
    'cron-parser': (index, after) => {
      const expression = cronParser[index];
      expression?.reset(new Date(after));
      return expression?.next().getTime();
    },
  };
  const random = randomFrom(1);
  const from = Date.UTC(2026, 0);
  const starts = Array.from({ length: SCHEDULES.length * STARTS }, () =>
    Math.floor(from + random() * 2 * 365 * 86_400_000),
  );
  verify(searches, starts, zone);

  const next = Object.entries(searches).map(([name, search]) => [
    name,
    timer(starts.length, () => {
      let sum = 0;
      for (let index = 0; index < starts.length; index++) {
        sum += search(index % SCHEDULES.length, starts[index] as number) as number;
      }
      return sum;
    }),
  ]);
  const compile: Readonly<Record<string, (text: string) => unknown>> = {
    'kuber-cron': compileSchedule,
    'cron-schedule': (text) => parseCronExpression(text),
    croner: (text) => new Cron(text, { timezone: zone }),
    'cron-parser': (text) => CronExpressionParser.parse(text, { tz: zone }),
  };
  const parse = Object.entries(compile).map(([name, one]) => [
    name,
    timer(SCHEDULES.length, () => {
      let results = 0;
      for (const text of SCHEDULES) if (one(text) !== undefined) results++;
      return results;
    }),
  ]);
  return {
    next: medians(await interleaved(rounds, Object.fromEntries(next))),
    parse: medians(await interleaved(rounds, Object.fromEntries(parse))),
  };
}

function verify(searches: Readonly<Record<string, Search>>, starts: readonly number[], zone: string): void {
  for (const [index, after] of starts.entries()) {
    const schedule = index % SCHEDULES.length;
    const expected = searches['kuber-cron']?.(schedule, after);
    for (const [name, search] of Object.entries(searches)) {
      // The bare loop knows no zone.
      if (name === 'bare' && zone !== ZONES.utc) continue;
      const found = search(schedule, after);
      if (found === expected) continue;
      const [theirs, ours] = [found, expected].map((at) =>
        at === undefined ? 'never' : new Date(at).toISOString(),
      );
      throw new Error(
        `${name} and kuber-cron differ on \`${SCHEDULES[schedule]}\` in ${zone} after ${new Date(after).toISOString()}: ${theirs}, ${ours}`,
      );
    }
  }
}

/** The work, warmed up, as a round of about `ROUND_MS` that gives the nanoseconds of one of its operations. */
function timer(operations: number, work: () => number): () => number {
  let sum = 0;
  let repeats = 0;
  const warmUntil = performance.now() + 5 * ROUND_MS;
  while (performance.now() < warmUntil) {
    sum += work();
    repeats++;
  }
  repeats = Math.max(1, Math.round(repeats / 5));
  return () => {
    const start = performance.now();
    for (let repeat = 0; repeat < repeats; repeat++) sum += work();
    const ns = ((performance.now() - start) * 1e6) / (repeats * operations);
    // The results are used, so that no compiler leaves the work out.
    if (Number.isNaN(sum)) throw new Error('a search found no number');
    return ns;
  };
}

function medians(rounds: Readonly<Record<string, readonly number[]>>): Record<string, number> {
  return Object.fromEntries(Object.entries(rounds).map(([name, values]) => [name, median(values)]));
}

if (process.send !== undefined && process.argv[1] === import.meta.filename) {
  const [zone, rounds] = process.argv.slice(2) as [string, string];
  process.send(await measure(zone, Number(rounds)));
  process.disconnect();
}
