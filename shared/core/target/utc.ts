import type { Schedule } from '../schedule/schedule.ts';
import type { ZoneTable } from '../schedule/zone-table.ts';
import { daysOf, minutesOf } from './eventbridge-fields.ts';

const EVERY_HOUR = 0xff_ffff;
const EVERY_MONTH = 0x1ffe;

/**
 * The clock that a transport shall read an entry's fields on: UTC for one that runs all day, every day, at minutes that
 * are the same in UTC whatever the zone's offset, so that it is exact in changes of the clocks too; else the entry's own.
 */
export function clockOf(schedule: Schedule, zone: ZoneTable): ZoneTable {
  return readsAlikeInUtc(schedule, zone) ? { ...zone, zone: 'UTC', offset: 0, changes: [] } : zone;
}

function readsAlikeInUtc(schedule: Schedule, zone: ZoneTable): boolean {
  if (schedule.hour !== EVERY_HOUR || schedule.month !== EVERY_MONTH) return false;
  const [days, ...more] = daysOf(schedule);
  if (more.length > 0 || days?.text.join(' ') !== '* ?') return false;
  const minutes = minutesOf(schedule);
  return [zone.offset, ...zone.changes.map(([, offset]) => offset)].every((offset) =>
    minutes.every((minute) => minutes.includes((minute + 1440 + offset) % 60)),
  );
}
