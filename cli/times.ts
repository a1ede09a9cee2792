import { type Invocation, text, UsageError } from '../shared/adapters/command-line.ts';
import { machineZone } from '../shared/adapters/host.ts';
import { crontabOf, jobNameOf } from '../shared/core/run/run-id.ts';
import type { RunStore } from '../shared/core/run/run-store.ts';
import { readTime, type TimeContext } from '../shared/core/run/time-text.ts';
import { zoneTable } from '../shared/core/schedule/zone-data.ts';
import { type EpochMs, type ZoneTable, zonedText } from '../shared/core/schedule/zone-table.ts';

/** What the help of a verb says about TIME. */
export const TIME_NOTE = `TIME is an instant with its offset (\`2026-03-29T01:30Z\`), a time on the clocks of the job's zone
(\`2026-03-29 03:30\`, \`03:30\` today, \`yesterday 03:30\`), or one from now (\`now\`, \`2h ago\`, \`in 2h\`).`;

/** The zone that a job's times are in: as it is planned now, else as it was last, else the machine's. */
export async function zoneOfJob(store: RunStore, jobId: string): Promise<ZoneTable> {
  const plan = (await store.activePlan(crontabOf(jobId)))?.plan;
  const planned = plan?.jobs.find(({ name }) => name === jobNameOf(jobId));
  const last =
    planned === undefined ? (await store.schedules(jobId)).at(-1)?.table : plan?.zones[planned.zone];
  return last ?? (zoneTable(machineZone()) as ZoneTable);
}

/** The value of an option that is a time. @throws UsageError when it is none, or more than one */
export function timeOption(invocation: Invocation, name: string, context: TimeContext): EpochMs | undefined {
  const value = text(invocation, name);
  if (value === undefined) return undefined;
  const read = readTime(value, context);
  const { zone } = context;
  switch (read.kind) {
    case 'instant':
      return read.instant;
    case 'repeated': {
      const [first, second] = read.instants.map((instant) => `\`${zonedText(zone, instant)}\``);
      throw new UsageError(
        `\`--${name}\`: ${read.wall} comes twice in ${zone.zone}; write ${first} or ${second}`,
      );
    }
    case 'skipped':
      throw new UsageError(
        `\`--${name}\`: ${read.wall} does not exist in ${zone.zone}, where the clocks go forward; write \`${zonedText(zone, read.instant)}\``,
      );
    case 'no-time':
      throw new UsageError(`\`--${name}\` takes ${read.allowed}; got \`${value}\``);
  }
}

/** An instant for people: on the clocks of its zone, with the offset. */
export function timeText(zone: ZoneTable, instant: EpochMs): string {
  const minute = zonedText(zone, instant);
  return zone.zone === 'UTC' ? minute : `${minute} (${zone.zone})`;
}
