import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from '@jest/globals';
import { currentOwner } from '../../shared/adapters/host.ts';
import { parseLogFile } from '../../shared/adapters/log-files.ts';
import { LogReader } from '../../shared/adapters/log-reader.ts';
import { OutputFile } from '../../shared/adapters/output-file.ts';
import { RunLogs, type RunLogsOptions } from '../../shared/adapters/run-logs.ts';
import type { StreamLog } from '../../shared/adapters/stream-log.ts';
import { Masker } from '../../shared/core/run/mask.ts';
import type { LogKey } from '../../shared/core/run/ports.ts';
import { compressedLogs, logFiles } from '../support/log-files.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FOLDER = temporaryFolder();
const KEY: LogKey = { jobId: 'shop/backup', runId: '2026-03-29T01:30Z', attempt: 1 };
const NAME = 'shop/backup/2026-03-29T01:30Z.1.stdout';
const LIVE = `.live/*/${NAME}`;
const DAY = 86_400_000;

let folders = 0;
const opened: { logs: RunLogs[]; files: OutputFile[] } = { logs: [], files: [] };
afterEach(async () => {
  for (const logs of opened.logs.splice(0)) await logs.close();
  for (const file of opened.files.splice(0)) file.close();
});

/** Logs in a folder of their own, and what they warn of. */
function logsIn(options: RunLogsOptions = {}, folder = join(FOLDER, String(++folders))) {
  const warnings: string[] = [];
  const logs = new RunLogs(folder, { onWarning: (message) => warnings.push(message), ...options });
  opened.logs.push(logs);
  return { logs, folder, warnings };
}

interface Command {
  readonly file: OutputFile;
  readonly log: StreamLog;
  write(text: string | Uint8Array): void;
}

/** The standard output of a command, of which a test is the command. */
function commandOf(logs: RunLogs, { key = KEY, secrets = [] as string[], largest = 2 ** 26 } = {}): Command {
  const file = new OutputFile(FOLDER, largest);
  opened.files.push(file);
  const masker = new Masker(secrets.map((secret) => Buffer.from(secret).toString('latin1')));
  const log = logs.open(key, 'stdout', file, masker);
  return { file, log, write: (text) => void writeSync(file.fd, Buffer.from(text)) };
}

/** Until something is so. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(5);
}

describe('the file of an attempt has a name that nothing else has', () => {
  test.each<[key: LogKey, path: string]>([
    [KEY, NAME],
    [{ ...KEY, attempt: 12 }, 'shop/backup/2026-03-29T01:30Z.12.stdout'],
    [{ ...KEY, runId: '2026-03-29T01:30Z#m01ab' }, 'shop/backup/2026-03-29T01:30Z#m01ab.1.stdout'],
    [{ ...KEY, runId: 'reboot#a-b' }, 'shop/backup/reboot#a-b.1.stdout'],
    [{ ...KEY, runId: '../../x' }, 'shop/backup/%2e%2e%2f%2e%2e%2fx.1.stdout'],
    [{ ...KEY, runId: '100%ü' }, 'shop/backup/100%25%c3%bc.1.stdout'],
    [{ ...KEY, jobId: '../..' }, '%2e%2e/%2e%2e/2026-03-29T01:30Z.1.stdout'],
    [{ ...KEY, jobId: 'shop/a/b' }, 'shop/a%2fb/2026-03-29T01:30Z.1.stdout'],
    [{ ...KEY, jobId: '.live/x' }, '%2elive/x/2026-03-29T01:30Z.1.stdout'],
  ])('%j', async (key, path) => {
    const { logs, folder } = logsIn();
    const { log, write } = commandOf(logs, { key });
    write('text');
    await logs.finish(log, false);
    expect(await compressedLogs(folder)).toEqual({ [`${path}.log.gz`]: 'text' });
  });

  test.each([
    'x',
    '.log',
    'a.1.stdout.txt',
    'a.x.stdout.log',
    'a.1.stdin.log',
    'a.1.stdout.12.log',
    'a.b.1.stdout.log',
    'a.1.stdout.log.gz.0f.tmp',
  ])('%s is no log', (name) => {
    expect(parseLogFile(name)).toBeUndefined();
  });

  test('and is for the user alone', async () => {
    const { logs, folder } = logsIn();
    const { log, write } = commandOf(logs);
    write('text');
    await log.pump();
    const modes = () =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => {
        const found = statSync(join(folder, name));
        return (found.mode & 0o777) === (found.isDirectory() ? 0o700 : 0o600) ? 'right' : name;
      });
    expect(new Set([...modes(), (statSync(folder).mode & 0o777).toString(8)])).toEqual(
      new Set(['right', '700']),
    );
    await logs.finish(log, false);
    await compressedLogs(folder);
    expect(new Set(modes())).toEqual(new Set(['right']));
  });
});

describe('what a command writes', () => {
  test('can be read while it runs, and is compressed when it has ended', async () => {
    const { logs, folder } = logsIn();
    const { log, write } = commandOf(logs);
    write('one\n');
    await log.pump();
    expect(logFiles(folder)).toEqual({ [`${LIVE}.log`]: 'one\n' });
    write('two\n');
    await log.pump();
    expect(logFiles(folder)).toEqual({ [`${LIVE}.log`]: 'one\ntwo\n' });
    write('three\n');
    await logs.finish(log, false);
    expect(Object.values(logFiles(folder))).toEqual(['one\ntwo\nthree\n']);
    expect(await compressedLogs(folder)).toEqual({ [`${NAME}.log.gz`]: 'one\ntwo\nthree\n' });
  });

  test('is compressed whenever it ends, also as the one before it is just done', async () => {
    const { logs, folder } = logsIn();
    const names: string[] = [];
    for (let attempt = 1; attempt <= 300; attempt++) {
      const { log, write } = commandOf(logs, { key: { ...KEY, attempt } });
      write('text');
      await logs.finish(log, false);
      for (let turn = attempt % 20; turn > 0; turn--) await undefined;
      names.push(`shop/backup/2026-03-29T01:30Z.${attempt}.stdout.log.gz`);
    }
    expect(Object.keys(await compressedLogs(folder)).sort()).toEqual(names.sort());
  });

  test('needs no file when the store has all of it', async () => {
    const { logs, folder } = logsIn();
    const { log, write } = commandOf(logs);
    write('short\n');
    await logs.finish(log, true);
    expect(existsSync(folder)).toBe(false);
  });

  test('stays for those who follow it, for a while', async () => {
    const { logs, folder } = logsIn({ linger: 50 });
    const { log, write } = commandOf(logs);
    write('sho');
    await log.pump();
    write('rt\n');
    await logs.finish(log, true);
    expect(logFiles(folder)).toEqual({ [`${LIVE}.log`]: 'short\n' });
    await until(() => Object.keys(logFiles(folder)).length === 0);
  });

  test('is kept byte for byte, half characters and binary too', async () => {
    const { logs, folder } = logsIn();
    const { log, write } = commandOf(logs);
    const bytes = Buffer.from(
      Array.from({ length: 300_000 }, (_, index) => (index * 7 + (index >> 8)) % 256),
    );
    for (let at = 0; at < bytes.length; at += 99_991) {
      write(bytes.subarray(at, at + 99_991));
      await log.pump();
    }
    await logs.finish(log, false);
    await compressedLogs(folder);
    const read: Uint8Array[] = [];
    for await (const part of new LogReader(folder, KEY, 'stdout').read()) read.push(part as Uint8Array);
    expect(Buffer.concat(read).equals(bytes)).toBe(true);
  });

  test('what comes from others after the end of the command is not its own', async () => {
    const { logs, folder } = logsIn();
    const { file, log, write } = commandOf(logs);
    write('own\n');
    file.seal();
    write("another's\n");
    await logs.finish(log, false);
    expect(await compressedLogs(folder)).toEqual({ [`${NAME}.log.gz`]: 'own\n' });
  });
});

describe('no secret reaches a file', () => {
  const SECRET = 'open sesame ü';
  const BYTES = Buffer.from(SECRET);

  test('not for a moment, and wherever its pieces are cut', async () => {
    const { logs, folder } = logsIn();
    for (let cut = 1; cut < BYTES.length; cut++) {
      const { log, write } = commandOf(logs, { key: { ...KEY, attempt: cut }, secrets: [SECRET] });
      write('key=');
      write(BYTES.subarray(0, cut));
      await log.pump();
      expect(Object.values(logFiles(folder)).join()).not.toContain('o');
      write(BYTES.subarray(cut));
      write(';');
      await logs.finish(log, false);
    }
    expect(new Set(Object.values(await compressedLogs(folder)))).toEqual(new Set(['key=***;']));
  });

  test('also not where bytes are left out in the middle of one', async () => {
    const { logs, folder } = logsIn({ bytesPerStream: 400 });
    // The gap begins and ends at every place of a secret.
    for (let lead = 0; lead <= BYTES.length; lead++) {
      const key = { ...KEY, attempt: lead + 1 };
      const { file, log, write } = commandOf(logs, { key, secrets: [SECRET], largest: 2000 });
      write('-'.repeat(lead));
      write(Buffer.concat(Array.from({ length: 300 }, () => BYTES)));
      file.limit(() => log.rescue());
      await log.pump();
      write(Buffer.concat(Array.from({ length: 90 }, () => BYTES)));
      write('-'.repeat(lead));
      await logs.finish(log, false);
    }
    const files = Object.values(await compressedLogs(folder));
    expect(files.length).toBeGreaterThan(2 * BYTES.length);
    expect(files.join('').replace(/[-*]/g, '')).toBe('');
  });
});

describe('of a long stream the beginning and the end are kept', () => {
  /** Numbered characters: at offset n stands n modulo 10. */
  const digits = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, index) => (from + index) % 10).join('');
  const name = (offset: number) =>
    `${NAME}${offset === 0 ? '' : `.${String(offset).padStart(15, '0')}`}.log.gz`;

  // 80 bytes: 40 of the beginning, and four files of 10 of the end.
  test.each<[written: number, kept: [from: number, to: number][]]>([
    [1, [[0, 1]]],
    [40, [[0, 40]]],
    [
      41,
      [
        [0, 40],
        [40, 41],
      ],
    ],
    [
      79,
      [
        [0, 40],
        [40, 50],
        [50, 60],
        [60, 70],
        [70, 79],
      ],
    ],
    [
      80,
      [
        [0, 40],
        [40, 50],
        [50, 60],
        [60, 70],
        [70, 80],
      ],
    ],
    [
      81,
      [
        [0, 40],
        [50, 60],
        [60, 70],
        [70, 80],
        [80, 81],
      ],
    ],
    [
      1234,
      [
        [0, 40],
        [1200, 1210],
        [1210, 1220],
        [1220, 1230],
        [1230, 1234],
      ],
    ],
  ])('%d bytes in small pieces', async (written, kept) => {
    const { logs, folder } = logsIn({ bytesPerStream: 80 });
    const { log, write } = commandOf(logs);
    for (let at = 0; at < written; at += 7) {
      write(digits(at, Math.min(written, at + 7)));
      await log.pump();
    }
    await logs.finish(log, false);
    expect(await compressedLogs(folder)).toEqual(
      Object.fromEntries(kept.map(([from, to]) => [name(from), digits(from, to)])),
    );
  });

  test('also when its file was emptied before it was copied', async () => {
    const { logs, folder } = logsIn({ bytesPerStream: 80 });
    const { file, log, write } = commandOf(logs, { largest: 1000 });
    for (let at = 0; at < 10_000; at += 2000) {
      write(digits(at, at + 2000));
      file.limit(() => log.rescue());
    }
    write(digits(10_000, 10_015));
    await logs.finish(log, false);
    const files = await compressedLogs(folder);
    expect(files[name(0)]).toBe(digits(0, 40));
    const end = Object.entries(files).slice(0, -1);
    expect(end.map(([, text]) => text).join('')).toBe(digits(9980, 10_015));
    expect(end[0]?.[0]).toBe(name(9980));
  });

  test('a gigabyte leaves no more than that', async () => {
    const { logs, folder } = logsIn({ bytesPerStream: 80_000 });
    const { file, log, write } = commandOf(logs, { largest: 2 ** 22 });
    const chunk = Buffer.alloc(2 ** 23, 'x');
    for (let n = 0; n < 128; n++) {
      write(chunk);
      file.limit(() => log.rescue());
      if (n % 16 === 0) await log.pump();
      const live = Object.values(logFiles(folder));
      expect(live.reduce((sum, text) => sum + text.length, 0)).toBeLessThanOrEqual(80_000);
    }
    write('end');
    await logs.finish(log, false);
    const files = await compressedLogs(folder);
    expect(Object.values(files).reduce((sum, text) => sum + text.length, 0)).toBeLessThanOrEqual(80_000);
    expect(Object.values(files).at(-2)).toMatch(/^x*end$/);
    expect(Number(/\.(\d+)\.log/.exec(Object.keys(files)[0] as string)?.[1])).toBeGreaterThan(
      2 ** 30 - 80_000,
    );
  });
});

describe('a reader', () => {
  async function read(reader: LogReader): Promise<string> {
    let text = '';
    for await (const part of reader.read())
      text += part instanceof Uint8Array ? Buffer.from(part).toString() : `<${part.notKept}>`;
    return text;
  }

  test('goes on where it was, also when the file was compressed or removed', async () => {
    const { logs, folder } = logsIn();
    const { log, write } = commandOf(logs);
    const reader = new LogReader(folder, KEY, 'stdout');
    expect([await read(reader), reader.hasFound]).toEqual(['', false]);
    write('one\n');
    await log.pump();
    expect([await read(reader), reader.hasFound]).toEqual(['one\n', true]);
    expect(await read(reader)).toBe('');
    write('two\n');
    await log.pump();
    write('three\n');
    await logs.finish(log, false);
    await compressedLogs(folder);
    expect(await read(reader)).toBe('two\nthree\n');
    expect(await read(reader)).toBe('');
    await reader.close();
    expect(await read(new LogReader(folder, KEY, 'stdout'))).toBe('one\ntwo\nthree\n');
    expect(await read(new LogReader(folder, { ...KEY, attempt: 2 }, 'stdout'))).toBe('');
    expect(await read(new LogReader(folder, KEY, 'stderr'))).toBe('');
  });

  test('says how much is not kept, wherever it was when that was removed', async () => {
    const { logs, folder } = logsIn({ bytesPerStream: 80 });
    const { log, write } = commandOf(logs);
    const early = new LogReader(folder, KEY, 'stdout');
    write('a'.repeat(45));
    await log.pump();
    expect(await read(early)).toBe('a'.repeat(45));
    for (const bytes of [30, 25]) {
      write('b'.repeat(bytes));
      await log.pump();
    }
    const late = new LogReader(folder, KEY, 'stdout');
    expect(await read(late)).toBe(`${'a'.repeat(40)}<20>${'b'.repeat(40)}`);
    await logs.finish(log, false);
    await compressedLogs(folder);
    // The file that it had open was read to its end, by its removed name.
    expect(await read(early)).toBe(`${'b'.repeat(5)}<10>${'b'.repeat(40)}`);
    expect(await read(late)).toBe('');
    for (const reader of [early, late]) await reader.close();
  });

  test('names a file that is damaged', async () => {
    const { folder } = logsIn();
    const path = join(folder, `${NAME}.log.gz`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, gzipSync('text'.repeat(1000)).subarray(0, 20));
    await expect(read(new LogReader(folder, KEY, 'stdout'))).rejects.toThrow(`\`${path}\` cannot be read: `);
  });
});

describe('what a killed process left', () => {
  /** Files of another process. */
  function left(folder: string, owner: object | string | undefined, text: string): string {
    const live = join(folder, '.live', 'another');
    mkdirSync(join(live, dirname(NAME)), { recursive: true });
    if (owner !== undefined)
      writeFileSync(join(live, 'owner.json'), typeof owner === 'string' ? owner : JSON.stringify(owner));
    writeFileSync(join(live, `${NAME}.log`), text);
    utimesSync(join(live, `${NAME}.log`), 1_700_000_000, 1_700_000_000);
    return live;
  }
  const dead = { ...currentOwner('another'), processStart: '0' };
  const now = 1_700_000_000_000;

  test.each<[what: string, owner: object | string | undefined, at: number]>([
    ['of this host', dead, now],
    ['before the machine started', { ...dead, bootId: 'another' }, now],
    ['of another host that has been silent for long', { ...dead, host: 'another' }, Date.now() + 2 * DAY],
    ['whose owner is half written', '{"tok', Date.now() + 2 * DAY],
    ['whose owner is not written', undefined, Date.now() + 2 * DAY],
  ])('%s is compressed, with its time, and its folder goes', async (_what, owner, at) => {
    const { logs, folder } = logsIn({ age: 10_000 * DAY });
    const live = left(folder, owner, 'left\n');
    await logs.clean(at);
    expect(await compressedLogs(folder)).toEqual({ [`${NAME}.log.gz`]: 'left\n' });
    expect(statSync(join(folder, `${NAME}.log.gz`)).mtimeMs).toBe(now);
    await logs.clean(at);
    expect(existsSync(live)).toBe(false);
  });

  test.each<[what: string, owner: object | string, at: number]>([
    ['lives', currentOwner('another'), now + 2 * DAY],
    [
      'is on another host and was heard of today',
      { ...dead, host: `not-${hostname()}` },
      Date.now() + DAY / 2,
    ],
  ])('nothing is taken of a process that %s', async (_what, owner, at) => {
    const { logs, folder } = logsIn();
    left(folder, owner, 'growing\n');
    await logs.clean(at);
    expect(logFiles(folder)).toEqual({ [`.live/*/${NAME}.log`]: 'growing\n' });
  });

  test('a process that ends leaves its folder to the next one, or none', async () => {
    const { logs, folder } = logsIn();
    const { log, write } = commandOf(logs);
    write('x');
    await log.pump();
    await logs.close();
    expect(logFiles(folder)).toEqual({ [`${LIVE}.log`]: 'x' });
    const other = logsIn();
    const second = commandOf(other.logs);
    second.write('x');
    await other.logs.finish(second.log, false);
    await compressedLogs(other.folder);
    await other.logs.close();
    expect(readdirSync(join(other.folder, '.live'))).toEqual([]);
  });
});

describe('a log that cannot be written costs the log, is told once, and nothing else', () => {
  test('the disk is full, and then it is not', async () => {
    const { logs, folder, warnings } = logsIn();
    const { log, write } = commandOf(logs);
    write('one\n');
    await log.pump();
    const live = join(folder, '.live', readdirSync(join(folder, '.live'))[0] as string, `${NAME}.log`);
    // From here on each write fails with ENOSPC.
    rmSync(live);
    symlinkSync('/dev/full', live);
    for (const text of ['two\n', 'three\n']) {
      write(text);
      await log.pump();
    }
    rmSync(live, { force: true });
    write('four\n');
    await logs.finish(log, false);
    expect(Object.entries(await compressedLogs(folder)).at(-1)).toEqual([
      `${NAME}.000000000000008.log.gz`,
      'three\nfour\n',
    ]);
    expect(warnings).toEqual([
      `what runs write cannot be kept in \`${folder}\` (ENOSPC: no space left on device, write): commands go on, and the end of their output is kept with the run`,
    ]);
  });

  test('the file vanishes', async () => {
    const { logs, folder, warnings } = logsIn();
    const { log, write } = commandOf(logs);
    for (const text of ['one\n', 'two\n', 'three\n']) {
      write(text);
      await log.pump();
      if (text === 'one\n') rmSync(folder, { recursive: true });
    }
    await logs.finish(log, false);
    expect(await compressedLogs(folder)).toEqual({ [`${NAME}.000000000000008.log.gz`]: 'three\n' });
    expect(warnings).toEqual([expect.stringContaining('ENOENT')]);
  });

  test('there can be no folder', async () => {
    const { logs, folder, warnings } = logsIn();
    writeFileSync(folder, 'a file');
    const { log, write } = commandOf(logs);
    for (const text of ['one\n', 'two\n']) {
      write(text);
      await log.pump();
    }
    await logs.finish(log, false);
    expect(await logs.clean(Date.now())).toEqual({ tooOld: 0, tooMany: 0, tooLarge: 0, bytes: 0 });
    expect(readFileSync(folder, 'utf8')).toBe('a file');
    expect(warnings).toEqual([expect.stringContaining(`cannot be kept in \`${folder}\``)]);
  });

  test('what cannot be compressed stays as it is, and is tried again', async () => {
    const { logs, folder, warnings } = logsIn();
    mkdirSync(folder);
    writeFileSync(join(folder, 'shop'), 'in the way');
    const { log, write } = commandOf(logs);
    write('text\n');
    await logs.finish(log, false);
    await until(() => warnings.length > 0);
    expect(logFiles(folder)).toEqual({ [`${LIVE}.log`]: 'text\n' });
    rmSync(join(folder, 'shop'));
    await logs.clean(Date.now());
    expect(await compressedLogs(folder)).toEqual({ [`${NAME}.log.gz`]: 'text\n' });
    expect(warnings).toEqual([expect.stringContaining('a log cannot be compressed')]);
  });
});

describe('clean', () => {
  const now = 1_800_000_000_000;

  /** Compressed logs, `job/run` and how many days old each is. */
  function filled(folder: string, logs: Readonly<Record<string, number>>, bytes = 100): void {
    for (const [name, days] of Object.entries(logs)) {
      const path = join(folder, 'shop', `${name}.log.gz`);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, Buffer.alloc(bytes));
      utimesSync(path, now / 1000 - days * 86_400, now / 1000 - days * 86_400);
    }
  }

  const kept = (folder: string) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.gz'))
      .map((name) => name.slice('shop/'.length, -'.log.gz'.length))
      .sort();

  const NONE = { tooOld: 0, tooMany: 0, tooLarge: 0, bytes: 0 };
  const THREE = { 'a/1.1.stdout': 3, 'a/2.1.stdout': 2, 'b/1.1.stdout': 2.5 };

  test.each<
    [what: string, bounds: RunLogsOptions, there: Record<string, number>, left: string[], cleaned: object]
  >([
    ['nothing beyond the bounds', {}, THREE, ['a/1.1.stdout', 'a/2.1.stdout', 'b/1.1.stdout'], NONE],
    ['what is too old', { age: 2.2 * DAY }, THREE, ['a/2.1.stdout'], { ...NONE, tooOld: 2, bytes: 200 }],
    [
      'the oldest of a job, attempts as a whole, which are as old as the last of their files',
      { attemptsPerJob: 2 },
      {
        'a/1.1.stdout': 9,
        'a/1.1.stderr': 1,
        'a/1.1.stdout.000000000000040': 1,
        'a/2.1.stdout': 2,
        'a/1.2.stdout': 3,
      },
      ['a/1.1.stderr', 'a/1.1.stdout', 'a/1.1.stdout.000000000000040', 'a/2.1.stdout'],
      { ...NONE, tooMany: 1, bytes: 100 },
    ],
    [
      'the oldest of all jobs when there is too much',
      { totalBytes: 250 },
      { ...THREE, 'c/1.1.stdout': 2.2 },
      ['a/2.1.stdout', 'c/1.1.stdout'],
      { ...NONE, tooLarge: 2, bytes: 200 },
    ],
    ['everything, when it must', { totalBytes: 50 }, THREE, [], { ...NONE, tooLarge: 3, bytes: 300 }],
  ])('removes %s', async (_what, bounds, there, left, cleaned) => {
    const { logs, folder } = logsIn(bounds);
    filled(folder, there);
    expect(await logs.clean(now)).toEqual(cleaned);
    expect(kept(folder)).toEqual(left);
    expect(await logs.clean(now)).toEqual(NONE);
    // No folder of a job without logs stays.
    const jobs = [...new Set(left.map((name) => dirname(name)))];
    expect(existsSync(join(folder, 'shop')) ? readdirSync(join(folder, 'shop')).sort() : []).toEqual(jobs);
  });

  test('leaves files alone that are none of ours, but for halves of a compression', async () => {
    const { logs, folder } = logsIn({ age: 0, totalBytes: 0 });
    filled(folder, { 'a/1.1.stdout': 1 });
    writeFileSync(join(folder, 'README'), '');
    for (const name of ['notes.txt', 'x.1.stdout.log.gz.old.tmp', 'x.1.stdout.log.gz.new.tmp'])
      writeFileSync(join(folder, 'shop', 'a', name), '');
    utimesSync(join(folder, 'shop', 'a', 'x.1.stdout.log.gz.old.tmp'), now / 1000 - 7200, now / 1000 - 7200);
    utimesSync(join(folder, 'shop', 'a', 'x.1.stdout.log.gz.new.tmp'), now / 1000, now / 1000);
    await logs.clean(now);
    expect(readdirSync(join(folder, 'shop', 'a')).sort()).toEqual(['notes.txt', 'x.1.stdout.log.gz.new.tmp']);
    expect(readdirSync(folder).sort()).toEqual(['README', 'shop']);
  });

  test('never removes a run that is being written', async () => {
    const { logs, folder } = logsIn({ age: 0, attemptsPerJob: 1, totalBytes: 0 });
    const { log, write } = commandOf(logs);
    write('growing\n');
    await log.pump();
    await logs.clean(Date.now() + 1000 * DAY);
    expect(logFiles(folder)).toEqual({ [`${LIVE}.log`]: 'growing\n' });
    write('more\n');
    await logs.finish(log, false);
    expect(await compressedLogs(folder)).toEqual({ [`${NAME}.log.gz`]: 'growing\nmore\n' });
    expect(await logs.clean(Date.now() + 1000 * DAY)).toMatchObject({ tooOld: 1 });
    expect(await compressedLogs(folder)).toEqual({});
  });

  test('does a part of much work in each call, and all of it in some', async () => {
    const { logs, folder } = logsIn({ age: DAY });
    const files: Record<string, number> = {};
    for (let job = 0; job < 30; job++)
      for (let run = 0; run < 200; run++) files[`j${job}/${run}.1.stdout`] = 2;
    filled(folder, files, 1);
    const removed: number[] = [];
    while (kept(folder).length > 0) removed.push((await logs.clean(now)).tooOld);
    expect(removed).toEqual([2000, 2000, 2000]);
  });
});
