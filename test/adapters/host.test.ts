import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { isGroupAlive } from '../../shared/adapters/host.ts';

const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function start(command: string): ChildProcess {
  const child = spawn('/bin/sh', ['-c', command], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  children.push(child);
  return child;
}

describe('a process group', () => {
  test('is alive while its leader runs, and over when the leader was its only member', async () => {
    const child = start('exec sleep 60');
    expect(isGroupAlive(child.pid as number)).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(isGroupAlive(child.pid as number)).toBe(false);
  });

  test('is alive while a member outlives its leader', async () => {
    const child = start('sleep 60 & echo $!');
    const [member] = await once(child.stdout as NodeJS.ReadableStream, 'data');
    await once(child, 'exit');
    expect(isGroupAlive(child.pid as number)).toBe(true);
    process.kill(Number(member), 'SIGKILL');
  });

  const isLinux = process.platform === 'linux';
  if (!isLinux) console.info('groups of zombies are not tried: only Linux has /proc');
  (isLinux ? test : test.skip)('is over when all that is left was never asked about', async () => {
    // The group of its own is that of a child whose parent has become a `sleep`, which asks about nobody.
    const parent = start('setsid true & echo $!; exec sleep 60');
    const [printed] = await once(parent.stdout as NodeJS.ReadableStream, 'data');
    const group = Number(printed);
    while (!/\) Z /.test(readFileSync(`/proc/${group}/stat`, 'utf8'))) await pause(10);
    expect(() => process.kill(-group, 0)).not.toThrow();
    expect(isGroupAlive(group)).toBe(false);
  });
});
