/** `hold-lock.ts FILE MS` keeps a database from being written for a while, and says `locked` when it does. */
import { writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

const [file, ms] = process.argv.slice(2) as [string, string];
const database = new DatabaseSync(file);
database.exec('BEGIN IMMEDIATE');
writeSync(1, 'locked\n');
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(ms));
database.exec('COMMIT');
database.close();
