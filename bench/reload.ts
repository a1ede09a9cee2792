import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from './bench.ts';
import { stop } from './children.ts';
import { daemons, minuteAfter, runsByInstant, untilInstant } from './daemons.ts';
import type { Table } from './report.ts';
import { Stamps } from './stamps.ts';

const LINES = 10_000;
const EVERY_MINUTE = 100;
/** To load the crontab at the start. */
const LOAD_MS = 10_000;

/** A large crontab is edited right before a minute begins: no run of that minute may be lost or come twice. */
export async function benchReload(bench: Bench): Promise<readonly Table[]> {
  // Ours looks once a second and waits for the file to rest, so its reload meets the minute only by the later ones.
  const offsets = bench.isQuick ? [150, 700] : [150, 150, 400, 800, 1200];
  const contestants = await daemons(bench, ['-inotify']);
  if (60_000 - (Date.now() % 60_000) < LOAD_MS) await untilInstant(minuteAfter(0) + 100);
  const running = [...contestants].map(([name, startDaemon], index) => {
    const folder = join(bench.folder, `reload-${index}`);
    mkdirSync(folder);
    const stamps = new Stamps(join(folder, 'stamps'), EVERY_MINUTE);
    const crontab = join(folder, 'edited.crontab');
    writeFileSync(crontab, edition(stamps.commands, 0));
    return { name, stamps, crontab, daemon: startDaemon(crontab, join(folder, 'daemon')) };
  });
  const results = running.map(({ name }) => ({ name, offsets: new Map<number, [number, number]>() }));
  const minutes: number[] = [];
  for (const [index, offset] of offsets.entries()) {
    const minute = minuteAfter(LOAD_MS / 2);
    bench.say(`reload: edit ${offset} ms before ${new Date(minute).toISOString()}`);
    for (const { stamps } of running) stamps.reset();
    await untilInstant(minute - offset);
    for (const { crontab, stamps } of running) writeFileSync(crontab, edition(stamps.commands, index + 1));
    await untilInstant(minute);
    await sleep(20_000);
    for (const [which, { stamps }] of running.entries()) {
      const { lost, doubled } = stamps.since(minute);
      const [lostBefore, doubledBefore] = results[which]?.offsets.get(offset) ?? [0, 0];
      results[which]?.offsets.set(offset, [lostBefore + lost, doubledBefore + doubled]);
    }
    minutes.push(minute);
  }
  await Promise.all(running.map(({ daemon }) => stop(daemon.process)));
  for (const { daemon } of running) {
    if (daemon.store === undefined) continue;
    const loads = daemon.log().split('"event":"crontab-loaded"').length - 1;
    if (loads !== offsets.length + 1) throw new Error(`${offsets.length} edits, but ${loads - 1} reloads`);
    const stored = await runsByInstant(daemon.store);
    for (const minute of minutes) {
      const good = stored.get(minute)?.filter(({ status }) => status === 'succeeded').length;
      if (good !== EVERY_MINUTE)
        throw new Error(`the store has ${good} runs of ${new Date(minute).toISOString()}`);
    }
  }
  const kinds = [...new Set(offsets)];
  const edits = (offset: number) => offsets.filter((one) => one === offset).length;
  return [
    {
      title: `${LINES.toLocaleString('en-US')} lines edited right before a minute: lost, doubled runs`,
      columns: [
        '',
        ...kinds.map((offset) => `${offset / 1000} s before (${edits(offset) * EVERY_MINUTE} runs)`),
      ],
      rows: results.map((one) => [one.name, ...kinds.map((offset) => one.offsets.get(offset)?.join(', '))]),
      notes: [
        `${EVERY_MINUTE} of the lines are due every minute; each edit writes the file in place and changes 50 other lines. supercronic runs with \`-inotify\`.`,
      ],
      targets: [
        {
          what: 'runs lost or doubled',
          value: [...(results[0]?.offsets.values() ?? [])].flat().reduce((sum, count) => sum + count, 0),
          atMost: 0,
        },
      ],
    },
  ];
}

function edition(commands: readonly string[], number: number): string {
  const rare = (index: number) => {
    const isEdited = index < 50;
    return `0 0 1 ${isEdited ? 1 + (number % 12) : 1} * /opt/app/bin/yearly --shard ${index}\n`;
  };
  return [
    ...commands.map((command) => `* * * * * ${command}\n`),
    ...Array.from({ length: LINES - commands.length }, (_, index) => rare(index)),
  ].join('');
}
