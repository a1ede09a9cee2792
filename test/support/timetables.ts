import { dueInstants, type Timetable } from '../../shared/core/schedule/due.ts';
import { FIELD_NAMES, type Field, parseField } from '../../shared/core/schedule/field.ts';
import { NICKNAMES, scheduleOf } from '../../shared/core/schedule/schedule.ts';
import { zoneTable } from '../../shared/core/schedule/zone-data.ts';
import { type ZoneTable, zonedText } from '../../shared/core/schedule/zone-table.ts';

/** A timetable from fields as a person writes them (names, leading zeros) or a nickname. */
export function timetable(fields: string, zone: string | ZoneTable): Timetable {
  const texts = (NICKNAMES[fields] ?? fields).split(' ');
  const parsed = FIELD_NAMES.map((name, index) => parseField(texts[index] ?? '', name));
  for (const field of parsed) if ('code' in field) throw new Error(`${fields}: ${field.message}`);
  return { schedule: scheduleOf(parsed as Field[]), zone: typeof zone === 'string' ? knownZone(zone) : zone };
}

export function knownZone(zone: string): ZoneTable {
  const table = zoneTable(zone);
  if (table === undefined) throw new Error(`${zone} is not a time zone`);
  return table;
}

/** The due instants from `from` to before `until`, as wall times with offsets. Both are ISO texts. */
export function dueTexts(entry: Timetable, from: string, until: string): string[] {
  const instants = dueInstants(entry, Date.parse(from) - 1, Date.parse(until) - 1);
  return [...instants].map((instant) => zonedText(entry.zone, instant));
}
