import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { type CgroupHost, MemoryGroups, thisCgroupHost } from '../../shared/adapters/cgroup.ts';
import { type LimitedStart, limitedStart, limitSupport, tryOut } from '../../shared/adapters/limits.ts';
import { FileCommandRunner } from '../../shared/adapters/process-runner.ts';
import type { CommandEnd, CommandLimits, CommandSpec, RunningCommand } from '../../shared/core/run/ports.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
const runner = new FileCommandRunner(join(folder, 'output'));
const MEBIBYTE = 2 ** 20;

const support = limitSupport();
if (!support.memory) console.info(`memory limits are not tried for real: ${support.why}`);
const testMemory = support.memory ? test : test.skip;

const started: RunningCommand[] = [];
afterEach(async () => {
  for (const command of started.splice(0)) {
    command.kill('SIGKILL');
    await command.ended;
    while (command.isGroupLeft()) await sleep(10);
  }
});

function start(command: string, spec: Partial<CommandSpec> = {}): RunningCommand {
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

/** Takes memory without end, in steps that are small beside every limit. */
const MEMORY_HOG = `exec ${process.execPath} -e 'const kept = []; for (;;) kept.push(Buffer.alloc(2 ** 20, 1))'`;
const CPU_HOG = 'while :; do :; done';

const LIMITS: readonly [what: string, limits: CommandLimits][] = [
  ['no limits', {}],
  ['a memory limit', { memoryBytes: 256 * MEBIBYTE }],
  ['a CPU limit', { cpuTimeMs: 60_000 }],
  ['both limits', { memoryBytes: 256 * MEBIBYTE, cpuTimeMs: 60_000 }],
];

describe('a command with limits is the command without', () => {
  /** Shows what its process was started with; no shell, so that it shows what a shell would change. */
  const reporter = join(folder, 'reporter');
  writeFileSync(
    reporter,
    `#!${process.execPath}
const { readFileSync } = require('node:fs');
const environment = readFileSync('/proc/self/environ', 'utf8').split('\\0').filter(Boolean).sort();
const [, , ...args] = process.argv;
console.log(JSON.stringify({ args, environment, directory: process.cwd(), stdin: readFileSync(0, 'utf8') }));
process.exitCode = 42;
`,
  );
  chmodSync(reporter, 0o755);

  const ENVIRONMENTS: readonly Readonly<Record<string, string>>[] = [
    { PATH: '/usr/bin:/bin' },
    { PATH: '/usr/bin:/bin', QUOTES: `a'b"c$d\`e\\`, EMPTY: '', LINES: 'one\ntwo', UMLAUT: 'ü' },
    { PATH: '/usr/bin:/bin', SHLVL: '7', PWD: folder, OLDPWD: '/usr', _: 'underscore' },
    { CDPATH: '/', ENV: '/no/file' },
  ];

  test.each(
    LIMITS.flatMap(([what, limits]) => ENVIRONMENTS.map((environment) => ({ what, limits, environment }))),
  )('sees the same with $what and $environment', async ({ limits, environment }) => {
    const command = `echo 'it is' "$*" %\\n $(true) ü`;
    const end = await start(command, { shell: reporter, environment, stdin: 'line\n', limits }).ended;
    const { output, ...rest } = end as Extract<CommandEnd, { kind: 'exited' }>;
    expect([rest, output?.stderr.text]).toEqual([{ kind: 'exited', exitCode: 42 }, '']);
    expect(JSON.parse(output?.stdout.text ?? '')).toEqual({
      args: ['-c', command],
      environment: Object.entries(environment)
        .map(([name, value]) => `${name}=${value}`)
        .sort(),
      directory: folder,
      stdin: 'line\n',
    });
  });

  const text = (stdout: string, stderr = '') => ({
    output: { stdout: { text: stdout, droppedBytes: 0 }, stderr: { text: stderr, droppedBytes: 0 } },
  });

  test.each<[command: string, spec: Partial<CommandSpec>, end: CommandEnd]>([
    ['true', {}, { kind: 'exited', exitCode: 0 }],
    ['exit 7', {}, { kind: 'exited', exitCode: 7 }],
    ['exit 125', {}, { kind: 'exited', exitCode: 125 }],
    ['exit 126', {}, { kind: 'exited', exitCode: 126 }],
    ['no-such-command 2>/dev/null', {}, { kind: 'exited', exitCode: 127 }],
    ['exit 137', {}, { kind: 'exited', exitCode: 137 }],
    ['kill -SEGV $$', {}, { kind: 'signalled', signal: 'SIGSEGV' }],
    ['kill -KILL $$', {}, { kind: 'signalled', signal: 'SIGKILL' }],
    ['echo out; echo err >&2', {}, { kind: 'exited', exitCode: 0, ...text('out\n', 'err\n') }],
    ['read a; echo "$a"; cat', { stdin: 'x\ny\n' }, { kind: 'exited', exitCode: 0, ...text('x\ny\n') }],
    ['cat /dev/stdin', { stdin: 'x\n' }, { kind: 'exited', exitCode: 0, ...text('x\n') }],
    ['echo seen', { shell: 'sh' }, { kind: 'exited', exitCode: 0, ...text('seen\n') }],
    ['exec 1>&-; exit 3', {}, { kind: 'exited', exitCode: 3 }],
    [
      'true',
      { shell: '/no/shell' },
      { kind: 'not-started', exitCode: 127, error: 'the shell `/no/shell` does not exist' },
    ],
    [
      'true',
      { shell: 'nosh' },
      { kind: 'not-started', exitCode: 127, error: 'the shell `nosh` does not exist' },
    ],
    [
      'true',
      { shell: '/etc/passwd/sh' },
      { kind: 'not-started', exitCode: 127, error: 'the shell `/etc/passwd/sh` does not exist' },
    ],
    [
      'true',
      { shell: '/etc/passwd' },
      { kind: 'not-started', exitCode: 126, error: 'the shell `/etc/passwd` cannot be executed' },
    ],
    [
      'true',
      { shell: '/tmp' },
      { kind: 'not-started', exitCode: 126, error: 'the shell `/tmp` cannot be executed' },
    ],
    [
      'true',
      { directory: '/no/home' },
      { kind: 'not-started', exitCode: 125, error: 'the working directory (HOME) `/no/home` does not exist' },
    ],
  ])('`%s` in %j ends the same', async (command, spec, end) => {
    for (const [, limits] of LIMITS) {
      expect(await start(command, { ...spec, limits }).ended).toEqual(end);
    }
  });

  test.each(LIMITS)('with %s its group is that of its first process', async (_what, limits) => {
    const command = start('echo $$; sleep 60', { limits });
    expect(command.processGroup).toEqual(expect.any(Number));
    command.kill('SIGTERM');
    const end = await command.ended;
    expect(end).toMatchObject({ kind: 'signalled', signal: 'SIGTERM' });
  });
});

describe('a CPU limit', () => {
  test.each<[what: string, command: string, limits: CommandLimits, end: CommandEnd]>([
    [
      'ends a loop, and says so',
      CPU_HOG,
      { cpuTimeMs: 1000 },
      { kind: 'signalled', signal: 'SIGXCPU', exceeded: 'cpu-time' },
    ],
    [
      'ends what the shell started, and says so',
      `sh -c '${CPU_HOG}' 2>/dev/null; exit $?`,
      { cpuTimeMs: 200 },
      { kind: 'exited', exitCode: 152, exceeded: 'cpu-time' },
    ],
    [
      'ends with KILL what ignores the first signal, and says so',
      `trap '' XCPU; ${CPU_HOG}`,
      { cpuTimeMs: 1000 },
      { kind: 'signalled', signal: 'SIGKILL', exceeded: 'cpu-time' },
    ],
    [
      'is not at fault for another KILL',
      'kill -KILL $$',
      { cpuTimeMs: 1000 },
      { kind: 'signalled', signal: 'SIGKILL' },
    ],
    ['does not count time asleep', 'sleep 1.5', { cpuTimeMs: 1000 }, { kind: 'exited', exitCode: 0 }],
  ])(
    '%s',
    async (_what, command, limits, end) => {
      expect(await start(command, { limits }).ended).toEqual(end);
    },
    60_000,
  );

  test.each([
    [1, '1 6'],
    [1000, '1 6'],
    [1001, '2 7'],
    [90_000, '90 95'],
  ])('of %i ms is rounded up to seconds, with some more to tidy up', async (cpuTimeMs, seconds) => {
    const end = await start('echo $(ulimit -S -t) $(ulimit -H -t)', { limits: { cpuTimeMs } }).ended;
    expect(end).toMatchObject({ output: { stdout: { text: `${seconds}\n` } } });
  });

  test('leaves a stricter one in force', () => {
    const spec = {
      shell: '/bin/sh',
      command: 'ulimit -S -t; ulimit -H -t',
      environment: {},
      directory: '/',
      masked: [],
    };
    const { file, args } = limitedStart({ ...spec, limits: { cpuTimeMs: 60_000 } }) as LimitedStart;
    const shell = ['-c', 'ulimit -t 20; exec "$@"', 'sh', file, ...args];
    expect(spawnSync('/bin/sh', shell, { encoding: 'utf8' })).toMatchObject({
      stdout: '20\n20\n',
      stderr: '',
    });
  });
});

describe('a memory limit', () => {
  const limits = { memoryBytes: 128 * MEBIBYTE };

  testMemory.each<[what: string, command: string, end: CommandEnd]>([
    [
      'ends what takes more, and says so',
      MEMORY_HOG,
      { kind: 'signalled', signal: 'SIGKILL', exceeded: 'memory' },
    ],
    [
      'ends what the command started, and says so whatever the shell makes of it',
      `(${MEMORY_HOG}) 2>/dev/null || exit 3`,
      { kind: 'exited', exitCode: 3, exceeded: 'memory' },
    ],
    ['is not at fault for another KILL', 'kill -KILL $$', { kind: 'signalled', signal: 'SIGKILL' }],
    [
      'is that of all of the command, and of nothing else',
      'head -c 20000000 /dev/zero | tail -c 10000000 >/dev/null',
      { kind: 'exited', exitCode: 0 },
    ],
  ])(
    '%s',
    async (_what, command, end) => {
      expect(await start(command, { limits }).ended).toMatchObject(end);
      expect(ownGroups()).toEqual([]);
    },
    60_000,
  );

  testMemory('keeps its group while something is left in the background, and not longer', async () => {
    const command = start('sleep 60 >/dev/null 2>&1 &', { limits });
    await command.ended;
    const left = ownGroups();
    expect(left).toHaveLength(1);
    command.kill('SIGKILL');
    while (command.isGroupLeft()) await sleep(10);
    await start('true', { limits }).ended;
    expect(ownGroups()).toEqual([]);
  });

  testMemory('leaves no group when the command cannot be started', async () => {
    await start('true', { limits, shell: '/no/shell' }).ended;
    await start('true', { limits, directory: '/no/home' }).ended;
    await start('true', { limits, environment: { A: '\0' } }).ended;
    expect(ownGroups()).toEqual([]);
  });

  testMemory('says that the kernel does not take it', async () => {
    const end = await start('true', { limits: { memoryBytes: 1e300 } }).ended;
    expect(end).toMatchObject({ kind: 'not-started', exitCode: 125 });
    expect((end as { error: string }).error).toMatch(/^its memory limit cannot be set: /);
    expect(ownGroups()).toEqual([]);
  });

  testMemory('removes the groups of daemons that are dead, and of no other', async () => {
    const dead = spawn('true');
    await once(dead, 'exit');
    const [ofDead, ofLiving] = [
      `kuber-cron.${dead.pid}.12345.1`,
      `kuber-cron.${process.ppid}.${startOf(process.ppid)}.1`,
    ];
    for (const name of [ofDead, ofLiving]) mkdirSync(join(parentGroup(), name));
    try {
      new MemoryGroups();
      expect([ofDead, ofLiving].map((name) => existsSync(join(parentGroup(), name)))).toEqual([false, true]);
    } finally {
      rmdirSync(join(parentGroup(), ofLiving));
    }
  });

  function startOf(pid: number): string {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] as string;
  }

  let parent: string | undefined;
  /** Folder that the groups of commands are made in. */
  function parentGroup(): string {
    if (parent !== undefined) return parent;
    const group = new MemoryGroups().make(MEBIBYTE);
    parent = join(group.processFile, '..', '..');
    group.remove();
    return parent;
  }

  /** Groups that this process made and has not removed. */
  function ownGroups(): string[] {
    return readdirSync(parentGroup()).filter((name) => name.startsWith(`kuber-cron.${process.pid}.`));
  }
});

describe('where a group with a memory limit can be made', () => {
  let made = 0;

  /** A folder with the files of a cgroup v2 hierarchy, which holds what the kernel would say. */
  function hierarchy(groups: Readonly<Record<string, Readonly<Record<string, string>>>>): string {
    const root = join(folder, `cgroup-${++made}`);
    for (const [group, files] of Object.entries(groups)) {
      mkdirSync(join(root, group), { recursive: true });
      for (const [file, text] of Object.entries(files)) writeFileSync(join(root, group, file), text);
    }
    return root;
  }

  const group = (procs: string, handedDown = '') => ({
    'cgroup.type': 'domain\n',
    'cgroup.controllers': 'cpu memory pids\n',
    'cgroup.subtree_control': handedDown,
    'cgroup.procs': procs,
  });

  function hostAt(root: string, path: string, delegated: readonly string[] = []): CgroupHost {
    return {
      membership: `0::${path}\n`,
      mounts: `31 23 0:28 / ${root} rw,nosuid shared:4 - cgroup2 cgroup2 rw\n`,
      isDelegated: (unit) => delegated.includes(unit),
    };
  }

  const UNIT = '/system.slice/kuber-cron.service';
  const SCOPE = `/kubepods.slice/cri-containerd-${'0a'.repeat(32)}.scope`;

  test.each<[what: string, path: string, delegated: readonly string[], below: string]>([
    ['a unit with Delegate=yes', UNIT, ['kuber-cron.service'], UNIT],
    ['the scope of a container', SCOPE, [], SCOPE],
    ['a namespace of its own', '/', [], '/'],
  ])('in %s, after its processes went into a leaf', (_what, path, delegated, below) => {
    const root = hierarchy({ [path]: group(`${process.pid}\n`) });
    // The kernel takes a process out of the one file when it is written to the other.
    const groups = () => new MemoryGroups(hostAt(root, path, delegated));
    expect(groups).not.toThrow();
    expect(readFileSync(join(root, below, 'kuber-cron.daemon', 'cgroup.procs'), 'utf8')).toBe(
      `${process.pid}`,
    );
    expect(readFileSync(join(root, below, 'cgroup.subtree_control'), 'utf8')).toBe('+memory');
  });

  test.each<[what: string, path: string, files: Record<string, string>, delegated: readonly string[]]>([
    ['beside the leaf of DelegateSubgroup=', `${UNIT}/daemon`, group(''), ['kuber-cron.service']],
    ['beside a leaf of ours', `${UNIT}/kuber-cron.daemon`, group('', 'memory'), []],
    ['in the root of the machine, among processes', '/daemon/..', {}, []],
  ])('%s, and no process moves', (_what, path, files, delegated) => {
    const isRoot = path.endsWith('..');
    const above = isRoot ? '/' : UNIT;
    const { 'cgroup.type': _type, ...root } = group('1\n2\n');
    const at = hierarchy(isRoot ? { '/': root } : { [path]: group('7\n'), [UNIT]: files });
    const made = new MemoryGroups(hostAt(at, isRoot ? '/' : path, delegated)).make(MEBIBYTE);
    expect(made.processFile.startsWith(join(at, above, 'kuber-cron.'))).toBe(true);
    expect(existsSync(join(at, above, 'kuber-cron.daemon', 'cgroup.type'))).toBe(
      path.includes('kuber-cron.daemon'),
    );
    expect(readFileSync(join(made.processFile, '..', 'memory.max'), 'utf8')).toBe(`${MEBIBYTE}`);
  });

  test.each<[what: string, path: string, files: Record<string, string>, why: string]>([
    [
      'a unit without Delegate=',
      UNIT,
      group('7\n'),
      "the control group `ROOT` is not the daemon's to divide; run the daemon as a systemd service with `Delegate=yes`",
    ],
    [
      'the session of somebody',
      '/user.slice/user-1000.slice/session-3.scope',
      group('7\n8\n'),
      "the control group `ROOT` is not the daemon's to divide; run the daemon as a systemd service with `Delegate=yes`",
    ],
    [
      'a group without the controller',
      UNIT,
      { ...group('7\n'), 'cgroup.controllers': 'cpu pids\n' },
      'the control group `ROOT` has no memory controller; run the daemon as a systemd service with `Delegate=yes`',
    ],
  ])('not in %s: it says why, and nothing moves', (_what, path, files, why) => {
    const root = hierarchy({ [path]: files });
    expect(() => new MemoryGroups(hostAt(root, path))).toThrow(
      new Error(why.replace('ROOT', join(root, path))),
    );
    expect(readdirSync(join(root, path)).sort()).toEqual(Object.keys(files).sort());
  });

  test.each<[what: string, host: CgroupHost, why: string]>([
    [
      'there are no groups',
      { membership: '\n', mounts: '', isDelegated: () => false },
      'this kernel has no control groups; use one that has',
    ],
    [
      'they are not mounted',
      { membership: '0::/a\n', mounts: '31 23 0:28 / / rw - ext4 /dev/vda rw\n', isDelegated: () => false },
      'the control group of this process is not mounted here; limit the container as a whole instead',
    ],
    [
      'only others are mounted',
      {
        membership: '4:memory:/docker/a\n',
        mounts: '31 23 0:28 /docker/ab /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n',
        isDelegated: () => false,
      },
      'the control group of this process is not mounted here; limit the container as a whole instead',
    ],
  ])('nowhere, because %s', (_what, host, why) => {
    expect(() => new MemoryGroups(host)).toThrow(new Error(why));
  });

  test('and one that starts in it is in it, and is told when it had too little', async () => {
    const root = hierarchy({ '/': group('', 'memory') });
    const groups = new MemoryGroups(hostAt(root, '/'));
    expect(() => tryOut(groups)).not.toThrow();
    const one = groups.make(MEBIBYTE);
    const events = join(one.processFile, '..', 'memory.events');
    const of = (oom: number, kill: number) => {
      writeFileSync(events, `low 0\nhigh 0\nmax 9\noom ${oom}\noom_kill ${kill}\noom_group_kill ${kill}\n`);
      return one.isExceeded();
    };
    // Without `oom` it was the memory of a group above, or of the machine, that was at an end.
    expect([one.isExceeded(), of(0, 0), of(0, 1), of(1, 0), of(1, 1)]).toEqual([
      false,
      false,
      false,
      false,
      true,
    ]);
  });

  test('this process is found in its own group', () => {
    if (process.platform !== 'linux') return expect(() => thisCgroupHost()).toThrow();
    expect(thisCgroupHost().membership).toMatch(/^\d+:/);
  });
});
