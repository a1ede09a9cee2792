import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { isGroupAlive, processStart } from '../../shared/adapters/host.ts';
import {
  type AttemptMark,
  findLeftovers,
  groupMembers,
  killLeftovers,
  type Leftover,
} from '../../shared/adapters/leftovers.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
const isLinux = process.platform === 'linux';
if (!isLinux) console.info('finding processes by their environment is not tried: only Linux shows it');
const linuxTest = isLinux ? test : test.skip;

/** No other test, and no other run of this one, has it. */
const OWNER = randomBytes(8).toString('hex');
const isOurs = ({ owner }: AttemptMark) => owner === OWNER;
let attempts = 0;

const children: ChildProcess[] = [];
afterEach(async () => {
  await killLeftovers(() => findLeftovers(isOurs), 0);
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A new attempt. */
function newMark(): AttemptMark {
  return { runId: `shop/backup-ü/2026-11-23T03:30Z`, owner: OWNER, attempt: String(++attempts) };
}

function start(
  command: string,
  mark: AttemptMark,
  more: Readonly<Record<string, string>> = {},
): ChildProcess {
  const { runId, owner, attempt } = mark;
  const child = spawn('/bin/sh', ['-c', command], {
    cwd: folder,
    detached: true,
    stdio: 'ignore',
    env: {
      PATH: process.env.PATH,
      KUBERCRON_RUN_ID: runId,
      KUBERCRON_OWNER: owner,
      KUBERCRON_ATTEMPT: attempt,
      ...more,
    },
  });
  children.push(child);
  return child;
}

/** Resolves when a command has written its process id. */
async function pidIn(name: string): Promise<number> {
  const path = join(folder, name);
  while (!existsSync(path) || !readFileSync(path, 'utf8').endsWith('\n')) await sleep(10);
  return Number(readFileSync(path, 'utf8'));
}

/** Waits until as many processes of an attempt are found. */
async function found(mark: AttemptMark, count: number): Promise<readonly Leftover[]> {
  for (;;) {
    const all = await findLeftovers(({ attempt, owner }) => owner === OWNER && attempt === mark.attempt);
    if (all.length === count) return all;
    await sleep(10);
  }
}

describe('what is left of attempts', () => {
  linuxTest.each<[what: string, command: string, count: number]>([
    ['a command', 'exec sleep 60', 1],
    ['what a command left in the background', 'sleep 60 & exit 0', 1],
    ['what left its group and its session', 'setsid sleep 60 & exec sleep 60', 2],
    ['what cleared its environment below a living process', 'env -i /bin/sleep 60 & exec sleep 60', 2],
    ['what stands behind bytes that are no text', `exec env "B=$(printf '\\377\\376')" sleep 60`, 1],
  ])('is found: %s', async (_what, command, count) => {
    const mark = newMark();
    start(command, mark);
    const all = await found(mark, count);
    expect(all).toEqual(
      all.map(({ pid }) => ({ pid, group: expect.any(Number), processStart: processStart(pid), ...mark })),
    );
  });

  linuxTest('is told apart by run, owner and attempt', async () => {
    const [one, other] = [newMark(), newMark()];
    const [first, second] = [start('exec sleep 60', one), start('exec sleep 60', other)];
    await found(one, 1);
    await found(other, 1);
    const all = await findLeftovers(isOurs);
    expect(all.map(({ pid, attempt }) => ({ pid, attempt }))).toEqual([
      { pid: first.pid, attempt: one.attempt },
      { pid: second.pid, attempt: other.attempt },
    ]);
  });

  linuxTest('belongs to the nearest mark: an attempt inside of another is its own', async () => {
    const [outer, inner] = [newMark(), newMark()];
    start(`env KUBERCRON_ATTEMPT=${inner.attempt} sleep 60 & exec sleep 60`, outer);
    await found(inner, 1);
    expect(await found(outer, 1)).toMatchObject([{ attempt: outer.attempt }]);
  });

  linuxTest('is never the process that looks, nor what started it', async () => {
    const mark = newMark();
    const script = join(import.meta.dirname, '..', 'support', 'find-leftovers.ts');
    start(`${process.execPath} ${script} ${OWNER} > looked.tmp; mv looked.tmp looked; exec sleep 60`, mark);
    while (!existsSync(join(folder, 'looked'))) await sleep(10);
    expect(JSON.parse(readFileSync(join(folder, 'looked'), 'utf8'))).toEqual([]);
    expect(await found(mark, 1)).toHaveLength(1);
  });

  linuxTest('is no process that has ended and that nobody has asked about', async () => {
    const mark = newMark();
    // It outlives the shell, which would else ask about it.
    start('setsid sleep 0.5 & echo $! > zombie; exec sleep 60', mark);
    const zombie = await pidIn('zombie');
    while (!/\) Z /.test(readFileSync(`/proc/${zombie}/stat`, 'utf8'))) await sleep(10);
    expect((await found(mark, 1)).map(({ pid }) => pid)).not.toContain(zombie);
  });
});

describe('ending what is left', () => {
  const LONG_MS = 60_000;

  linuxTest.each<[what: string, command: string, count: number, graceMs: number]>([
    ['what obeys TERM, long before the grace is over', 'exec sleep 60', 1, LONG_MS],
    ['what ignores TERM', `trap '' TERM; sleep 60 & wait; sleep 60`, 2, 300],
    ['what left its session', `trap '' TERM; setsid sleep 60 & wait; sleep 60`, 2, 300],
    [
      'what starts others without end',
      `trap '' TERM; while :; do setsid sleep 60 & sleep 0.01; done`,
      0,
      200,
    ],
    [
      'what starts another when it gets TERM',
      `trap 'setsid sleep 60 & exit' TERM; sleep 60 & wait`,
      2,
      LONG_MS,
    ],
  ])('reaches %s', async (_what, command, count, graceMs) => {
    const mark = newMark();
    const child = start(command, mark);
    if (count > 0) await found(mark, count);
    else while ((await findLeftovers(isOurs)).length < 5) await sleep(10);
    const { ended, left } = await killLeftovers(() => findLeftovers(isOurs), graceMs);
    expect(left).toEqual([]);
    expect(ended.length).toBeGreaterThanOrEqual(Math.max(1, count));
    expect(ended.every(({ pid, processStart: start }) => processStart(pid) !== start)).toBe(true);
    expect([await findLeftovers(isOurs), isGroupAlive(child.pid as number)]).toEqual([[], false]);
  });

  linuxTest('lets a process tidy up within the grace, and tells it once', async () => {
    const mark = newMark();
    start(
      `trap 'echo told >> tidied' TERM; echo $$ > tidy; while [ ! -s tidied ]; do sleep 0.01; done; sleep 0.3`,
      mark,
    );
    await pidIn('tidy');
    expect(await killLeftovers(() => findLeftovers(isOurs), LONG_MS)).toMatchObject({ left: [] });
    expect(readFileSync(join(folder, 'tidied'), 'utf8')).toBe('told\n');
  });

  linuxTest('leaves a process alone that has the pid of another that was found', async () => {
    const mark = newMark();
    const child = start('exec sleep 60', mark);
    const [one] = await found(mark, 1);
    const earlier = { ...(one as Leftover), processStart: '1' };
    let looks = 0;
    const find = async () => (++looks < 4 ? [earlier] : []);
    expect(await killLeftovers(find, 0)).toEqual({ ended: [earlier], left: [] });
    expect(processStart(child.pid as number)).toBe(one?.processStart);
  });

  test('is done at once where nothing is left', async () => {
    expect(await killLeftovers(() => findLeftovers(() => false), LONG_MS)).toEqual({ ended: [], left: [] });
  });
});

describe('the members of a process group, as ps shows them', () => {
  test.each<[what: string, shiftMs: number, isFound: boolean]>([
    ['are found', 0, true],
    ['are found when the clocks of start and table differ a little', 2000, true],
    ['are not those of an earlier group of the same number', -3_600_000, false],
    ['are not those of a later group of the same number', 3_600_000, false],
  ])('%s', async (_what, shiftMs, isFound) => {
    const mark = newMark();
    const name = `member-${attempts}`;
    const startedAt = Date.now() + shiftMs;
    const child = start(`sleep 60 & echo $! > ${name}; wait`, mark);
    const members = [child.pid as number, await pidIn(name)];
    const all = groupMembers([{ processGroup: child.pid as number, startedAt, ...mark }]);
    expect(all.map(({ pid, group, attempt }) => ({ pid, group, attempt }))).toEqual(
      isFound ? members.map((pid) => ({ pid, group: child.pid, attempt: mark.attempt })) : [],
    );
  });

  test('are found when the first process has gone', async () => {
    const mark = newMark();
    const child = start('sleep 60 & echo $! > member-left', mark);
    await once(child, 'exit');
    const member = await pidIn('member-left');
    expect(
      groupMembers([{ processGroup: child.pid as number, startedAt: Date.now(), ...mark }]),
    ).toMatchObject([{ pid: member, group: child.pid }]);
    process.kill(member, 'SIGKILL');
  });

  test('are none when there is no such group', () => {
    expect(groupMembers([{ processGroup: 2 ** 22 + 1, startedAt: Date.now(), ...newMark() }])).toEqual([]);
  });
});
