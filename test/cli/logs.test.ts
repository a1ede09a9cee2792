import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { LogPrinter } from '../../cli/logs.ts';
import { main } from '../../cli/main.ts';
import type { Io } from '../../shared/adapters/command-line.ts';
import { currentOwner } from '../../shared/adapters/host.ts';
import { OutputFile } from '../../shared/adapters/output-file.ts';
import { RunLogs } from '../../shared/adapters/run-logs.ts';
import { SqliteRunStore } from '../../shared/adapters/sqlite-run-store.ts';
import type { StreamLog } from '../../shared/adapters/stream-log.ts';
import { Masker } from '../../shared/core/run/mask.ts';
import { type Attempt, OUTPUT_TAIL_BYTES, type Run, type RunOutput } from '../../shared/core/run/run.ts';
import { compressedLogs } from '../support/log-files.ts';
import { claimOf, finishOf } from '../support/run-claims.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FOLDER = temporaryFolder();
const STORE = join(FOLDER, 'store.sqlite');
const LOGS = join(FOLDER, 'logs');
const RUN_ID = '2026-03-29T01:30Z';

/** Outputs that take what a process takes: text and bytes. */
function world(isTTY = false) {
  const written = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  const output = (name: keyof typeof written) => ({
    write: (text: string | Uint8Array) => {
      written[name] = Buffer.concat([written[name], Buffer.from(text as string)]);
    },
    isTTY,
  });
  const io: Io = { stdin: empty(), stdout: output('stdout'), stderr: output('stderr'), env: {} };
  return {
    io,
    get stdout() {
      return written.stdout.toString();
    },
    get stderr() {
      return written.stderr.toString();
    },
    written,
  };
}

async function* empty() {}

async function logs(...argv: string[]) {
  const own = world();
  const code = await main(['logs', '--store', `sqlite:${STORE}`, ...argv], own.io);
  return { code, stdout: own.stdout, stderr: own.stderr };
}

function compressed(jobId: string, name: string, bytes: string | Uint8Array): string {
  const path = join(LOGS, jobId, `${name}.log.gz`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, gzipSync(bytes));
  return path;
}

const tail = (text: string, droppedBytes = 0) => ({ text, droppedBytes });
const LONG = 'line\n'.repeat(10_000);
const END = tail(LONG.slice(-OUTPUT_TAIL_BYTES), LONG.length - OUTPUT_TAIL_BYTES);
const BINARY = Buffer.from(Array.from({ length: 70_000 }, (_, index) => (index * 31) % 256));

beforeAll(async () => {
  const store = SqliteRunStore.open(STORE);
  const add = async (jobId: string, output: RunOutput | undefined) => {
    const claim = claimOf({ jobId });
    await store.claim(claim);
    await store.start(jobId, claim.runId, claim.owner.token, { number: 1, startedAt: claim.at });
    if (output !== undefined) await store.finish(finishOf(claim, { output }));
  };
  await add('shop/long', { stdout: END, stderr: tail('short') });
  await add('shop/cut', { stdout: END, stderr: tail('') });
  await add('shop/gap', { stdout: tail('the end', 100), stderr: tail('') });
  await add('shop/cleaned', { stdout: tail('the end', 100), stderr: tail('') });
  await add('shop/damaged', { stdout: tail('the end', 100), stderr: tail('') });
  await add('shop/binary', { stdout: tail(BINARY.toString().slice(-1000), 69_000), stderr: tail('') });
  await add('shop/running', undefined);
  await store.close();
  compressed('shop/long', `${RUN_ID}.1.stdout`, LONG);
  compressed('shop/cut', `${RUN_ID}.1.stdout`, LONG.slice(0, 5001));
  compressed('shop/gap', `${RUN_ID}.1.stdout`, 'begin|');
  compressed('shop/gap', `${RUN_ID}.1.stdout.000000000000100`, 'and the end');
  compressed('shop/binary', `${RUN_ID}.1.stdout`, BINARY);
});

describe('the output is that of the files, and where there is none that of the store', () => {
  const said = (job: string, ...more: string[]) =>
    [`shop/${job} ${RUN_ID}: succeeded`, ...more].map((line) => `${line}\n`).join('');

  test.each<[job: string, stdout: string, stderr: string]>([
    ['long', LONG, `${said('long')}short`],
    [
      'cut',
      LONG.slice(0, 5001) + END.text,
      said(
        'cut',
        '(the log of stdout has no end: what follows is from the store)',
        `(${END.droppedBytes} bytes of stdout before this are not kept)`,
      ),
    ],
    ['gap', 'begin|and the end', said('gap', '(94 bytes of stdout before this are not kept)')],
    ['cleaned', 'the end', said('cleaned', '(100 bytes of stdout before this are not kept)')],
  ])('%s', async (job, stdout, stderr) => {
    expect(await logs(job)).toEqual({ code: 0, stdout, stderr });
    expect(await logs('--follow', job)).toEqual({ code: 0, stdout, stderr });
    expect(await logs('--attempt', '1', job)).toEqual({ code: 0, stdout, stderr });
  });

  test('a terminal gets a last newline, a pipe what was written', async () => {
    const own = world(true);
    expect(await main(['logs', '--store', `sqlite:${STORE}`, 'long'], own.io)).toBe(0);
    expect([own.stdout, own.stderr]).toEqual([LONG, `${said('long')}short\n`]);
  });

  test('JSON has the ends, from the store', async () => {
    const { stdout } = await logs('--format', 'json', 'long');
    expect(JSON.parse(stdout).output).toEqual({ stdout: END, stderr: tail('short') });
  });

  test('a file that is damaged is exit code 3', async () => {
    const path = compressed('shop/damaged', `${RUN_ID}.1.stdout`, '');
    writeFileSync(path, 'no gzip');
    const { code, stderr } = await logs('damaged');
    expect([code, stderr]).toEqual([3, expect.stringContaining(`kuber-cron: \`${path}\` cannot be read: `)]);
  });
});

test.each<[argv: string[], code: number, stderr: string]>([
  [['--attempt', '0', 'long'], 2, '`--attempt` must be a whole number of 1-999999, got `0`'],
  [['--attempt', 'x', 'long'], 2, '`--attempt` must be a whole number of 1-999999, got `x`'],
  [['--attempt', '2', 'long'], 3, `\`shop/long\` ${RUN_ID} has no attempt 2; there is 1`],
  [['--follow', '--attempt', '2', 'long'], 3, `\`shop/long\` ${RUN_ID} has no attempt 2; there is 1`],
  [['--follow', '--format', 'json', 'long'], 2, '`--follow` prints text: leave out `--format json`'],
])('%j is exit code %d', async (argv, code, stderr) => {
  const outcome = await logs(...argv);
  expect([outcome.code, outcome.stdout, outcome.stderr.split('\n')[0]]).toEqual([
    code,
    '',
    `kuber-cron: ${stderr}`,
  ]);
});

describe('as a process', () => {
  const launcher = fileURLToPath(new URL('../../cli/kuber-cron.js', import.meta.url));
  const start = (...argv: string[]) => {
    const child = spawn(process.execPath, [launcher, 'logs', '--store', `sqlite:${STORE}`, ...argv]);
    child.stderr.resume();
    return child;
  };

  test('a pipe gets every byte', async () => {
    const child = start('binary');
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(Buffer.concat(chunks).equals(BINARY)).toBe(true);
  });

  test('INT ends it at once', async () => {
    const child = start('--follow', 'running');
    await once(child.stderr, 'data');
    child.kill('SIGINT');
    expect(await once(child, 'close')).toEqual([null, 'SIGINT']);
  });
});

describe('--follow', () => {
  const jobId = 'shop/job';
  const own = new RunLogs(join(FOLDER, 'followed'), { linger: 1, bytesPerStream: 800 });
  const files: OutputFile[] = [];
  afterAll(async () => {
    await own.close();
    for (const file of files) file.close();
  });
  let runs = 0;

  /** A run that goes on as a test says, and somebody who follows it. */
  function followed(wanted?: number) {
    const runId = `run-${++runs}`;
    let run: Run = {
      jobId,
      runId,
      scheduledTime: 0,
      trigger: 'schedule',
      status: 'claimed',
      planHash: 'hash',
      createdAt: 0,
      attempts: [],
    };
    const outputs = new Map<number, RunOutput>();
    const seen = world();
    const printer = new LogPrinter(
      { run: async () => run, output: async (_job, _run, attempt) => outputs.get(attempt) },
      join(FOLDER, 'followed'),
      seen.io,
    );
    const done = printer.follow(run, wanted);
    const shows = async (text: string) => {
      while (seen.stdout !== text) await sleep(10);
    };
    const becomes = (change: Partial<Run>) => {
      run = { ...run, ...change };
    };
    const attempts = (...states: ('running' | 'failed' | 'succeeded')[]): Attempt[] =>
      states.map((status, index) => ({
        number: index + 1,
        startedAt: 0,
        ...(status === 'running' ? {} : { status, finishedAt: 1 }),
      }));
    const command = (attempt: number) => {
      const file = new OutputFile(FOLDER);
      files.push(file);
      const log: StreamLog = own.open({ jobId, runId, attempt }, 'stdout', file, new Masker([]));
      return {
        log,
        async write(text: string) {
          writeSync(file.fd, text);
          await log.pump();
        },
      };
    };
    return { runId, done, seen, shows, becomes, attempts, outputs, command };
  }

  test('shows what comes until the run is over, through all attempts', async () => {
    const { done, seen, shows, becomes, attempts, outputs, command } = followed();
    becomes({ status: 'running', attempts: attempts('running') });
    const first = command(1);
    await first.write('one\n');
    await shows('one\n');
    await first.write('two\n');
    await shows('one\ntwo\n');
    await first.write('three\n');
    await own.finish(first.log, false);
    becomes({ status: 'pending', attempts: attempts('failed') });
    await shows('one\ntwo\nthree\n');
    becomes({ status: 'running', attempts: attempts('failed', 'running') });
    outputs.set(2, { stdout: tail('from the store\n'), stderr: tail('oh\n') });
    becomes({ status: 'succeeded', attempts: attempts('failed', 'succeeded') });
    await done;
    expect([seen.stdout, seen.stderr]).toEqual([
      'one\ntwo\nthree\nfrom the store\n',
      'shop/job run-1: claimed\nattempt 2:\noh\nshop/job run-1: succeeded, attempt 2\n',
    ]);
  });

  test('ends with the attempt that is wanted, and shows no other', async () => {
    const { done, seen, shows, becomes, attempts, command } = followed(2);
    becomes({ status: 'running', attempts: attempts('running') });
    await command(1).write('first\n');
    becomes({ status: 'running', attempts: attempts('failed', 'running') });
    const second = command(2);
    await second.write('second\n');
    await shows('second\n');
    becomes({ status: 'pending', attempts: attempts('failed', 'failed') });
    await done;
    expect(seen.stdout).toBe('second\n');
  });

  test('says that the attempt that is wanted was never made', async () => {
    const { done, runId, becomes, attempts } = followed(2);
    becomes({ status: 'failed', attempts: attempts('failed') });
    await expect(done).rejects.toThrow(`\`shop/job\` ${runId} has no attempt 2; there is 1`);
  });

  test('misses nothing that is kept when files are removed, compressed or gone', async () => {
    const { done, seen, shows, becomes, attempts, command, outputs } = followed();
    becomes({ status: 'running', attempts: attempts('running') });
    const { log, write } = command(1);
    let all = '';
    for (let n = 0; n < 300; n++) {
      all += `${n}\n`;
      await write(`${n}\n`);
      if (n % 20 === 0) await shows(all);
    }
    await own.finish(log, false);
    await compressedLogs(join(FOLDER, 'followed', 'shop'));
    outputs.set(1, { stdout: tail(all), stderr: tail('') });
    becomes({ status: 'succeeded', attempts: attempts('succeeded') });
    await done;
    expect(seen.stdout).toBe(all);
  });

  test('a log that the store has all of may go before it is read', async () => {
    const { done, seen, becomes, attempts, outputs } = followed();
    outputs.set(1, { stdout: tail('all\n'), stderr: tail('') });
    becomes({ status: 'succeeded', attempts: attempts('succeeded') });
    await done;
    expect(seen.stdout).toBe('all\n');
  });

  test('says once that nobody runs it any more, and waits for who ends it', async () => {
    const { done, seen, becomes, attempts } = followed();
    const owner = { ...currentOwner('token'), processStart: '0' };
    becomes({ status: 'running', owner, attempts: attempts('running') });
    while (!seen.stderr.includes('is gone')) await sleep(10);
    becomes({ status: 'lost', reason: 'owner-died', attempts: attempts('running') });
    await done;
    expect(seen.stderr.split('\n').slice(1)).toEqual([
      'the process that ran it is gone: the next daemon ends this run',
      'it wrote nothing',
      expect.stringContaining('lost, the process that ran it ended without a word'),
      '',
    ]);
  });

  test('ends when nobody reads', async () => {
    const { done, seen, becomes, attempts } = followed();
    becomes({ status: 'running', attempts: attempts('running') });
    Object.assign(seen.io.stdout, { destroyed: true });
    await done;
  });

  test('a folder that is removed ends nothing', async () => {
    const { done, seen, shows, becomes, attempts, command } = followed();
    becomes({ status: 'running', attempts: attempts('running') });
    const { write } = command(1);
    await write('one\n');
    await shows('one\n');
    rmSync(join(FOLDER, 'followed'), { recursive: true });
    await write('two\n');
    await write('three\n');
    await shows('one\nthree\n');
    becomes({ status: 'succeeded', attempts: attempts('succeeded') });
    await done;
    expect(seen.stderr).toContain('(4 bytes of stdout before this are not kept)\n');
  });
});
