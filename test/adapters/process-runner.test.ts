import { existsSync, readdirSync, readFileSync, readlinkSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { FileCommandRunner, StreamingCommandRunner } from '../../shared/adapters/process-runner.ts';
import type { CommandEnd, CommandRunner, CommandSpec, RunningCommand } from '../../shared/core/run/ports.ts';
import { OUTPUT_TAIL_BYTES, type RunOutput } from '../../shared/core/run/run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
const outputs = join(folder, 'output');

/** What was passed on to the person who watches. */
let watched = { stdout: '', stderr: '' };

const RUNNERS: readonly [name: string, make: () => CommandRunner][] = [
  ['a runner to files', () => new FileCommandRunner(outputs)],
  [
    'a runner for somebody who watches',
    () =>
      new StreamingCommandRunner((stream, text) => {
        watched[stream] += text;
      }),
  ],
];

const started: RunningCommand[] = [];
afterEach(async () => {
  for (const command of started.splice(0)) {
    command.kill('SIGKILL');
    await command.ended;
  }
  watched = { stdout: '', stderr: '' };
});

function start(runner: CommandRunner, command: string, spec: Partial<CommandSpec> = {}): RunningCommand {
  const one = runner.start({
    shell: '/bin/sh',
    command,
    environment: { PATH: '/usr/bin:/bin', HOME: folder },
    directory: folder,
    masked: [],
    ...spec,
  });
  started.push(one);
  return one;
}

function wrote(stdout: string, stderr = ''): Pick<Extract<CommandEnd, { kind: 'exited' }>, 'output'> {
  return { output: { stdout: { text: stdout, droppedBytes: 0 }, stderr: { text: stderr, droppedBytes: 0 } } };
}

/** Resolves when a file is there, which a command makes. */
async function made(path: string): Promise<string> {
  while (!existsSync(path) || readFileSync(path, 'utf8') === '') await sleep(10);
  return readFileSync(path, 'utf8').trim();
}

function isRunning(pid: string): boolean {
  try {
    // A zombie is not running.
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

describe.each(RUNNERS)('%s', (_name, make) => {
  test.each<[command: string, spec: Partial<CommandSpec>, end: CommandEnd]>([
    ['true', {}, { kind: 'exited', exitCode: 0 }],
    ['exit 7', {}, { kind: 'exited', exitCode: 7 }],
    ['exit 255', {}, { kind: 'exited', exitCode: 255 }],
    ['no-such-command 2>/dev/null', {}, { kind: 'exited', exitCode: 127 }],
    ['kill -SEGV $$', {}, { kind: 'signalled', signal: 'SIGSEGV' }],
    ['kill -TERM $$', {}, { kind: 'signalled', signal: 'SIGTERM' }],
    ['echo out; echo err >&2', {}, { kind: 'exited', exitCode: 0, ...wrote('out\n', 'err\n') }],
    ['echo $0', { shell: '/bin/bash' }, { kind: 'exited', exitCode: 0, ...wrote('/bin/bash\n') }],
    [
      'env | sort',
      { environment: { A: '1' } },
      { kind: 'exited', exitCode: 0, ...wrote(`A=1\nPWD=${folder}\n`) },
    ],
    ['pwd', { directory: '/' }, { kind: 'exited', exitCode: 0, ...wrote('/\n') }],
    ['cat', {}, { kind: 'exited', exitCode: 0 }],
    ['cat', { stdin: 'one\ntwo\n' }, { kind: 'exited', exitCode: 0, ...wrote('one\ntwo\n') }],
    ['cat /dev/stdin', { stdin: 'one\n' }, { kind: 'exited', exitCode: 0, ...wrote('one\n') }],
    [
      'read line; echo "$line!"; cat',
      { stdin: 'one\ntwo\n' },
      { kind: 'exited', exitCode: 0, ...wrote('one!\ntwo\n') },
    ],
    ['echo seen | tee -a /dev/stderr', {}, { kind: 'exited', exitCode: 0, ...wrote('seen\n', 'seen\n') }],
    ['true', { stdin: 'nobody reads this\n'.repeat(100_000) }, { kind: 'exited', exitCode: 0 }],
  ])('runs `%s`', async (command, spec, end) => {
    expect(await start(make(), command, spec).ended).toEqual(end);
  });

  test.each<[what: string, spec: Partial<CommandSpec>, exitCode: number, error: string]>([
    ['a shell that is not there', { shell: '/no/shell' }, 127, 'the shell `/no/shell` does not exist'],
    ['a shell that is a folder', { shell: '/tmp' }, 126, 'the shell `/tmp` cannot be executed'],
    [
      'a folder that is not there',
      { directory: '/no/home' },
      125,
      'the working directory (HOME) `/no/home` does not exist',
    ],
    [
      'a folder that is a file',
      { directory: '/etc/passwd' },
      125,
      'the working directory (HOME) `/etc/passwd` is not a folder',
    ],
  ])('starts nothing in %s', async (_what, spec, exitCode, error) => {
    const command = start(make(), 'echo started', { stdin: 'x\n', ...spec });
    expect(await command.ended).toEqual({ kind: 'not-started', exitCode, error });
    expect(command.isGroupLeft()).toBe(false);
    command.kill('SIGTERM');
  });

  test('starts nothing with a variable that holds a NUL', async () => {
    const end = await start(make(), 'true', { environment: { A: '\0' } }).ended;
    expect(end).toMatchObject({ kind: 'not-started', exitCode: 125 });
  });

  test.each<[what: string, command: string, stdout: string]>([
    ['bytes that are no text', String.raw`printf 'a\377\376b\n'`, 'a\ufffd\ufffdb\n'],
    ['half a character at the end', String.raw`printf 'a\303'`, 'a\ufffd'],
    ['a character in two pieces', String.raw`printf 'a\303'; sleep 0.2; printf '\274b'`, 'aüb'],
    ['NUL characters', String.raw`printf 'a\000b'`, 'a\0b'],
  ])('keeps %s', async (_what, command, stdout) => {
    expect(await start(make(), command).ended).toEqual({ kind: 'exited', exitCode: 0, ...wrote(stdout) });
  });

  test.each<[what: string, command: string, text: string, droppedBytes: number]>([
    [
      'as much as is kept',
      `head -c ${OUTPUT_TAIL_BYTES} /dev/zero | tr '\\0' x`,
      'x'.repeat(OUTPUT_TAIL_BYTES),
      0,
    ],
    [
      'one byte more than is kept',
      `printf a; head -c ${OUTPUT_TAIL_BYTES} /dev/zero | tr '\\0' x`,
      'x'.repeat(OUTPUT_TAIL_BYTES),
      1,
    ],
    [
      'much more',
      `head -c 1000000 /dev/zero | tr '\\0' x; echo end`,
      `${'x'.repeat(OUTPUT_TAIL_BYTES - 4)}end\n`,
      1_000_004 - OUTPUT_TAIL_BYTES,
    ],
    [
      'characters of three bytes, of which one would be cut',
      `yes € | tr -d '\\n' | head -c 30000`,
      '€'.repeat(5461),
      30_000 - 5461 * 3,
    ],
    [
      'bytes that are no text, and too many',
      `head -c 20000 /dev/zero | tr '\\0' '\\377'`,
      '\ufffd'.repeat(OUTPUT_TAIL_BYTES),
      20_000 - OUTPUT_TAIL_BYTES,
    ],
  ])('keeps the end of %s, and counts what came before', async (_what, command, text, droppedBytes) => {
    expect(await start(make(), command).ended).toEqual({
      kind: 'exited',
      exitCode: 0,
      output: { stdout: { text, droppedBytes }, stderr: { text: '', droppedBytes: 0 } },
    });
  });

  const SECRET = 'open sesame ü';
  const masked = [SECRET, 'abcdefgh'];

  test.each<[what: string, command: string, text: string]>([
    ['a secret', `echo "key=$KEY;"`, 'key=***;\n'],
    ['a secret as JSON has it', String.raw`printf '{"k":"%s"}' 'line\nline2'`, '{"k":"***"}'],
    ['a secret in two pieces', `printf 'open se'; sleep 0.2; echo "same ü."`, '***.\n'],
    [
      'a secret cut inside a character',
      String.raw`printf 'open sesame \303'; sleep 0.2; printf '\274.'`,
      '***.',
    ],
    ['secrets without end', `for n in 1 2 3 4; do printf '%s' "$KEY"; done`, '************'],
  ])('masks %s', async (_what, command, text) => {
    const end = await start(make(), command, {
      masked: [...masked, 'line\nline2'],
      environment: { PATH: '/usr/bin:/bin', KEY: SECRET },
    }).ended;
    expect(end).toEqual({ kind: 'exited', exitCode: 0, ...wrote(text) });
  });

  test('shows no piece of a secret at the border of the tail, wherever that lies', async () => {
    // Each secret is far shorter when it is masked: the tail reaches back over many.
    for (const lead of ['', 'a', 'abcdef', 'abcdefghijk']) {
      const command = `printf '${lead}'; for n in $(seq 6000); do printf '%s' "$KEY"; done`;
      const end = await start(make(), command, {
        masked: [SECRET],
        environment: { PATH: '/usr/bin:/bin', KEY: SECRET },
      }).ended;
      const { text } = (end as { output: RunOutput }).output.stdout;
      expect(text.replaceAll('*', '')).toBe('');
    }
  });

  test('does not wait for a descendant that holds the output open', async () => {
    const pids = join(folder, `holder-${process.hrtime.bigint()}`);
    const end = await start(make(), `(sleep 60 & echo $! > ${pids}; echo started); exit 3`).ended;
    expect(end).toEqual({ kind: 'exited', exitCode: 3, ...wrote('started\n') });
    expect(isRunning(await made(pids))).toBe(true);
  });

  test.each(['SIGTERM', 'SIGKILL'] as const)('%s reaches all of the group', async (signal) => {
    const pids = join(folder, `group-${process.hrtime.bigint()}`);
    const command = start(make(), `sh -c 'sleep 60 & echo $! > ${pids}; wait' & wait`);
    const grandchild = await made(pids);
    expect([isRunning(grandchild), command.isGroupLeft()]).toEqual([true, true]);
    command.kill(signal);
    expect(await command.ended).toEqual({ kind: 'signalled', signal });
    while (isRunning(grandchild)) await sleep(10);
    while (command.isGroupLeft()) await sleep(10);
    command.kill(signal);
  });

  test('knows that a group lives on when its first process has gone', async () => {
    const pids = join(folder, `left-${process.hrtime.bigint()}`);
    const command = start(make(), `sleep 60 >/dev/null 2>&1 & echo $! > ${pids}`);
    await command.ended;
    expect(command.isGroupLeft()).toBe(true);
    command.kill('SIGKILL');
    while (command.isGroupLeft()) await sleep(10);
    expect(isRunning(await made(pids))).toBe(false);
  });
});

describe('a runner to files', () => {
  test('leaves no file behind, and a folder for nobody else', async () => {
    await start(new FileCommandRunner(outputs), 'echo out', { stdin: 'in\n' }).ended;
    expect(readdirSync(outputs)).toEqual([]);
  });

  test('says that its files cannot be made, and does not blame the shell', async () => {
    const own = join(folder, 'gone');
    const runner = new FileCommandRunner(own);
    rmdirSync(own);
    const end = await start(runner, 'true').ended;
    expect(end).toMatchObject({ kind: 'not-started', exitCode: 125 });
    expect((end as { error: string }).error).toContain(`its files in \`${own}\` cannot be made: ENOENT`);
  });

  test('bounds what a command writes, and keeps the end of it', async () => {
    const done = join(folder, 'written');
    const command = start(
      new FileCommandRunner(outputs),
      `head -c ${200 * 2 ** 20} /dev/zero | tr '\\0' x; echo end; echo 1 > ${done}; sleep 60`,
    );
    await made(done);
    while (largestOpenFile() > 64 * 2 ** 20) await sleep(10);
    command.kill('SIGKILL');
    const end = (await command.ended) as Extract<CommandEnd, { kind: 'signalled' }>;
    const { text, droppedBytes } = end.output?.stdout ?? { text: '', droppedBytes: 0 };
    expect(text).toBe(`${'x'.repeat(OUTPUT_TAIL_BYTES - 4)}end\n`);
    expect(droppedBytes).toBeGreaterThan(64 * 2 ** 20);
  });
});

describe('a runner for somebody who watches', () => {
  const runner = RUNNERS[1]?.[1] as () => CommandRunner;

  test('passes everything on, also what is not kept', async () => {
    await start(runner(), `head -c 1000000 /dev/zero | tr '\\0' x; echo err >&2`).ended;
    expect(watched).toEqual({ stdout: 'x'.repeat(1_000_000), stderr: 'err\n' });
  });

  test('shows no secret', async () => {
    const spec = { masked: ['open sesame'] };
    await start(runner(), `printf 'open '; sleep 0.2; printf 'sesame.'; echo open sesame >&2`, spec).ended;
    expect(watched).toEqual({ stdout: '***.', stderr: '***\n' });
  });

  test('passes on what comes before the command has ended', async () => {
    const command = start(runner(), 'echo first; sleep 60');
    while (watched.stdout === '') await sleep(10);
    expect(watched.stdout).toBe('first\n');
    command.kill('SIGTERM');
    await command.ended;
  });
});

/** Size of the largest file without a name that this process has open. */
function largestOpenFile(): number {
  const sizes = readdirSync('/proc/self/fd').map((fd) => {
    const link = `/proc/self/fd/${fd}`;
    try {
      return readlinkSync(link).startsWith(outputs) ? statSync(link).size : 0;
    } catch {
      // The one that read the folder.
      return 0;
    }
  });
  return Math.max(...sizes);
}
