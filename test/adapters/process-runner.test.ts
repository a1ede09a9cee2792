import {
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { FileCommandRunner, StreamingCommandRunner } from '../../shared/adapters/process-runner.ts';
import { RunLogs } from '../../shared/adapters/run-logs.ts';
import type { CommandEnd, CommandRunner, CommandSpec, RunningCommand } from '../../shared/core/run/ports.ts';
import { OUTPUT_TAIL_BYTES, type RunOutput } from '../../shared/core/run/run.ts';
import { compressedLogs, logFiles } from '../support/log-files.ts';
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

  test('is ended by KILL when it ignores TERM, and is left until then', async () => {
    const pids = join(folder, `deaf-${process.hrtime.bigint()}`);
    const command = start(make(), `trap '' TERM; echo $$ > ${pids}; sleep 60 & wait; wait; echo deaf`);
    await made(pids);
    command.kill('SIGTERM');
    expect(command.isGroupLeft()).toBe(true);
    command.kill('SIGKILL');
    expect(await command.ended).toEqual({ kind: 'signalled', signal: 'SIGKILL' });
    while (command.isGroupLeft()) await sleep(10);
  });

  test('goes on when it has closed its output', async () => {
    const command = start(make(), 'exec >&- 2>&-; echo lost 2>/dev/null; sleep 0.1; exit 5');
    expect(await command.ended).toEqual({ kind: 'exited', exitCode: 5 });
  });

  test('is told which of its limits it exceeded', async () => {
    const command = start(make(), 'while :; do :; done', { limits: { cpuTimeMs: 1000 } });
    expect(await command.ended).toEqual({ kind: 'signalled', signal: 'SIGXCPU', exceeded: 'cpu-time' });
  });

  test('gives the group that it was started in, and none when it was not', async () => {
    const command = start(make(), 'echo $$');
    expect(await command.ended).toEqual({
      kind: 'exited',
      exitCode: 0,
      ...wrote(`${command.processGroup}\n`),
    });
    expect(start(make(), 'true', { shell: '/no/shell' }).processGroup).toBeUndefined();
  });

  const isLinux = process.platform === 'linux';
  if (!isLinux) console.info('what escapes from its group is not tried: only Linux shows whose it is');
  describe('of an attempt', () => {
    const linuxTest = isLinux ? test : test.skip;

    /** As a daemon gives them; an attempt is started once. */
    function marked(): Partial<CommandSpec> {
      const KUBERCRON_OWNER = String(process.hrtime.bigint());
      const mark = {
        KUBERCRON_RUN_ID: 'shop/backup/2026-11-23T03:30Z',
        KUBERCRON_ATTEMPT: '1',
        KUBERCRON_OWNER,
      };
      return { environment: { PATH: '/usr/bin:/bin', ...mark } };
    }

    linuxTest.each<[what: string, escapee: string, signals: readonly ('SIGTERM' | 'SIGKILL')[]]>([
      ['by TERM', 'exec sleep 60', ['SIGTERM']],
      ['by KILL, when it ignores TERM', "trap '' TERM; sleep 60", ['SIGTERM', 'SIGKILL']],
      ['by KILL alone', 'exec sleep 60', ['SIGKILL']],
    ])('what left the group and the session is ended %s', async (_what, escapee, signals) => {
      const pids = join(folder, `escaped-${process.hrtime.bigint()}`);
      const inner = `echo $$ > ${pids}; ${escapee}`;
      const command = start(make(), `setsid sh -c "${inner.replaceAll('$', '\\$')}" & wait`, marked());
      const escaped = await made(pids);
      for (const [n, signal] of signals.entries()) {
        command.kill(signal);
        await command.ended;
        if (n < signals.length - 1) expect([isRunning(escaped), command.isGroupLeft()]).toEqual([true, true]);
      }
      while (isRunning(escaped)) await sleep(10);
      while (command.isGroupLeft()) await sleep(10);
    });

    linuxTest('what starts others without end, each in its session, is ended by KILL', async () => {
      const begun = join(folder, `begun-${process.hrtime.bigint()}`);
      const script = `${begun}.sh`;
      writeFileSync(script, `while :; do setsid sleep 60 & echo $! >> ${begun}; sleep 0.005; done`);
      const command = start(make(), `setsid sh ${script} & wait`, marked());
      while (!existsSync(begun) || readFileSync(begun, 'utf8').split('\n').length < 20) await sleep(10);
      command.kill('SIGKILL');
      while (command.isGroupLeft()) await sleep(10);
      expect(readFileSync(begun, 'utf8').trim().split('\n').filter(isRunning)).toEqual([]);
    });

    linuxTest('all are told once, those in the group and those outside', async () => {
      const told = join(folder, `told-${process.hrtime.bigint()}`);
      const tell = (name: string) =>
        `trap 'echo ${name} >> ${told}' TERM; echo > ${told}.${name}; sleep 0.5 & wait; wait`;
      const script = `${told}.sh`;
      writeFileSync(script, tell('outside'));
      const command = start(make(), `setsid sh ${script} & ${tell('inside')}`, marked());
      for (const name of ['inside', 'outside']) while (!existsSync(`${told}.${name}`)) await sleep(10);
      command.kill('SIGTERM');
      while (command.isGroupLeft()) await sleep(10);
      expect(readFileSync(told, 'utf8').trim().split('\n').sort()).toEqual(['inside', 'outside']);
    });

    linuxTest('what a command put into the background goes on when it ends by itself', async () => {
      const pids = join(folder, `kept-${process.hrtime.bigint()}`);
      const command = start(make(), `setsid sleep 60 >/dev/null 2>&1 & echo $! > ${pids}`, marked());
      expect(await command.ended).toEqual({ kind: 'exited', exitCode: 0 });
      expect(isRunning(await made(pids))).toBe(true);
    });
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

describe('a runner to files that has made some ahead', () => {
  /** Files below the folder that this process has open; they have no name. */
  const openFiles = () =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).startsWith(`${spares}/`);
      } catch {
        return false;
      }
    }).length;
  const spares = join(folder, 'spares');
  const isLinux = process.platform === 'linux';

  (isLinux ? test : test.skip)(
    'gives each command files of its own, and lets go of them when none can be made',
    async () => {
      const runner = new FileCommandRunner(spares);
      const burst = async (name: string) => {
        const commands = Array.from({ length: 25 }, (_, n) =>
          start(runner, `echo ${name}${n}; echo e${n} >&2`),
        );
        return await Promise.all(commands.map(({ ended }) => ended));
      };
      const expected = (name: string) =>
        Array.from({ length: 25 }, (_, n) => ({
          kind: 'exited',
          exitCode: 0,
          ...wrote(`${name}${n}\n`, `e${n}\n`),
        }));
      expect(await burst('a')).toEqual(expected('a'));
      expect(openFiles()).toBe(0);
      while (openFiles() < 50) await sleep(50);
      expect(await burst('b')).toEqual(expected('b'));
      while (openFiles() < 50) await sleep(50);
      rmSync(spares, { recursive: true });
      // With a spare one still; the folder is gone when the next are to be made.
      expect(await burst('c')).toEqual(expected('c'));
      while (openFiles() > 0) await sleep(50);
      expect((await start(runner, 'true').ended).kind).toBe('not-started');
    },
  );
});

describe('a runner to files that keeps all of the output', () => {
  const log = { jobId: 'shop/backup', runId: '2026-03-29T01:30Z', attempt: 1 };
  const name = 'shop/backup/2026-03-29T01:30Z.1';
  let keeping: { readonly logs: RunLogs; readonly kept: string; readonly runner: FileCommandRunner };
  let number = 0;
  beforeEach(() => {
    const kept = join(folder, `logs-${++number}`);
    const logs = new RunLogs(kept, { bytesPerStream: 100_000 });
    keeping = { logs, kept, runner: new FileCommandRunner(outputs, logs) };
  });
  afterEach(() => keeping.logs.close());

  test('has it in a file, masked, when the run ends, and the end of it as ever', async () => {
    const { kept, runner } = keeping;
    const command = `echo "$KEY"; for n in $(seq 900); do printf '%049d\\n' $n; done; echo err >&2`;
    const end = await start(runner, command, {
      log,
      masked: ['open sesame'],
      environment: { PATH: '/usr/bin:/bin', KEY: 'open sesame' },
    }).ended;
    const numbers = Array.from({ length: 900 }, (_, index) => `${String(index + 1).padStart(49, '0')}\n`);
    const stdout = `***\n${numbers.join('')}`;
    expect(Object.values(logFiles(kept))).toEqual([stdout]);
    expect(end).toMatchObject({ output: { stdout: { text: stdout.slice(-OUTPUT_TAIL_BYTES) } } });
    expect(await compressedLogs(kept)).toEqual({ [`${name}.stdout.log.gz`]: stdout });
  });

  test.each<[what: string, command: string, files: string[]]>([
    ['that wrote nothing', 'true', []],
    ['whose output the store has', 'echo out; echo err >&2', []],
    ['that wrote what is no text', String.raw`printf 'a\377'; echo err >&2`, ['stdout']],
    ['that wrote much to one stream', `echo out; head -c 20000 /dev/zero >&2`, ['stderr']],
  ])('makes no file that is not needed: a command %s', async (_what, command, files) => {
    const { kept, runner } = keeping;
    await start(runner, command, { log }).ended;
    expect(Object.keys(await compressedLogs(kept))).toEqual(
      files.map((stream) => `${name}.${stream}.log.gz`),
    );
  });

  test("makes none for a command that is nobody's run", async () => {
    const { kept, runner } = keeping;
    await start(runner, 'head -c 20000 /dev/zero').ended;
    expect(logFiles(kept)).toEqual({});
  });

  test('shows what a command that goes on has written', async () => {
    const { kept, runner } = keeping;
    const command = start(runner, 'echo first; read line < /dev/stdin; exec sleep 60', { log, stdin: 'x\n' });
    while (Object.values(logFiles(kept)).join('') !== 'first\n') await sleep(10);
    command.kill('SIGKILL');
    expect(await command.ended).toEqual({ kind: 'signalled', signal: 'SIGKILL', ...wrote('first\n') });
  });

  test('bounds a gigabyte that comes at once: the beginning and the end', async () => {
    const { kept, runner } = keeping;
    const command = `printf begin; head -c ${2 ** 30} /dev/zero; printf end`;
    const end = await start(runner, command, { log }).ended;
    expect(end).toMatchObject({ kind: 'exited', exitCode: 0 });
    const files = Object.values(await compressedLogs(kept));
    expect(files.at(-1)).toMatch(/^begin\0{49995}$/);
    expect(files.at(-2)).toMatch(/^\0*end$/);
    expect(files.join('').length).toBeLessThanOrEqual(100_000);
  });

  test('runs commands also when no log can be written, and keeps the end', async () => {
    const { kept, runner } = keeping;
    writeFileSync(kept, 'a file');
    const end = await start(runner, `head -c 20000 /dev/zero | tr '\\0' x`, { log }).ended;
    expect(end).toEqual({
      kind: 'exited',
      exitCode: 0,
      output: {
        stdout: { text: 'x'.repeat(OUTPUT_TAIL_BYTES), droppedBytes: 20_000 - OUTPUT_TAIL_BYTES },
        stderr: { text: '', droppedBytes: 0 },
      },
    });
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
