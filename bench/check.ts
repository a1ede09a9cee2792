import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from './bench.ts';
import { start } from './children.ts';
import { packedKuberCron, supercronic } from './contestants.ts';
import { realisticCrontab } from './generate-crontab.ts';
import { memory } from './process-usage.ts';
import type { Table, Target } from './report.ts';
import { interleaved, median } from './statistics.ts';

const SIZES = [1000, 10_000, 100_000] as const;
const LARGEST = 100_000;
/** How often the memory of a process is looked at: its kernel keeps the peak, but only while it lives. Milliseconds. */
const LOOK_MS = 3;

interface Usage {
  readonly ms: number;
  /** MiB */
  readonly peak: number;
}

/** `check` of large files, beside `supercronic -test`. */
export async function benchCheck({ isQuick, folder, say }: Bench): Promise<readonly Table[]> {
  const ours = [...(await packedKuberCron(folder)), 'check'];
  const peer = await supercronic(say);
  const contestants = {
    'kuber-cron check': ours,
    ...(peer && { 'supercronic -test': [peer.path, '-test'] }),
  };
  const files = new Map([1, ...SIZES].map((lines) => [lines, join(folder, `${lines}-lines.crontab`)]));
  for (const [lines, file] of files) {
    writeFileSync(file, lines === 1 ? '0 4 * * * /opt/app/bin/backup\n' : realisticCrontab(lines));
  }
  const rounds = isQuick ? 3 : 9;
  say(`check: ${rounds} rounds of all sizes`);
  // All sizes in turn, too: growth is a ratio as well.
  const rounded = await interleaved(
    rounds,
    Object.fromEntries(
      Object.entries(contestants).flatMap(([name, command]) =>
        [...files].map(([lines, file]) => [`${name} ${lines}`, () => used([...command, file])]),
      ),
    ),
  );
  const usages = new Map(
    Object.entries(rounded).map(([name, all]) => [
      name,
      { ms: median(all.map(({ ms }) => ms)), peak: median(all.map(({ peak }) => peak)) },
    ]),
  );
  const of = (name: string, lines: number) => usages.get(`${name} ${lines}`) as Usage;
  const net = (lines: number) => of('kuber-cron check', lines).ms - of('kuber-cron check', 1).ms;
  const targets: Target[] = [
    {
      what: '100,000 lines ÷ 10,000 lines, without the start',
      value: net(100_000) / net(10_000),
      atMost: 10,
    },
  ];
  if (peer !== undefined) {
    const [us, them] = [of('kuber-cron check', LARGEST), of('supercronic -test', LARGEST)];
    targets.push(
      {
        what: `${LARGEST.toLocaleString('en-US')} lines ÷ supercronic -test, time`,
        value: us.ms / them.ms,
        atMost: 0.5,
      },
      {
        what: `${LARGEST.toLocaleString('en-US')} lines ÷ supercronic -test, peak memory`,
        value: us.peak / them.peak,
        atMost: 1,
      },
    );
  }
  return [
    {
      title: 'Checking a crontab',
      columns: ['lines', ...Object.keys(contestants).flatMap((name) => [`${name}, ms`, 'peak MiB'])],
      rows: [1, ...SIZES].map((lines) => [
        lines.toLocaleString('en-US'),
        ...Object.keys(contestants).flatMap((name) => [of(name, lines).ms, of(name, lines).peak]),
      ]),
      notes: [
        'Whole processes from start to end, Node and all; one line is the cost of a start.',
        ...(peer
          ? [`supercronic ${peer.version}. It reads schedules and commands; it looks for no other faults.`]
          : []),
      ],
      targets,
    },
  ];
}

async function used(command: readonly string[]): Promise<Usage> {
  const begin = performance.now();
  const child = start(command, { stdio: 'ignore' });
  let peak = Number.NaN;
  const look = setInterval(() => {
    const now = memory(child.pid).peak;
    if (!Number.isNaN(now)) peak = now;
  }, LOOK_MS);
  const [code] = await once(child, 'exit');
  const ms = performance.now() - begin;
  clearInterval(look);
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}`);
  return { ms, peak };
}
