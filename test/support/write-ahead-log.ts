import { readFileSync } from 'node:fs';

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;

/**
 * How many transactions stand in a SQLite write-ahead log: each ends with a frame that holds the size of the database.
 *
 * @see https://www.sqlite.org/fileformat.html section 4.1
 */
export function countCommits(file: string): number {
  const log = readFileSync(file);
  if (log.length < HEADER_BYTES) return 0;
  const frameBytes = FRAME_HEADER_BYTES + log.readUInt32BE(8);
  const salt = log.subarray(16, 24);
  let commits = 0;
  for (let frame = HEADER_BYTES; frame + frameBytes <= log.length; frame += frameBytes) {
    // What follows is left of a log that was begun anew.
    if (!log.subarray(frame + 8, frame + 16).equals(salt)) break;
    if (log.readUInt32BE(frame + 4) !== 0) commits += 1;
  }
  return commits;
}
