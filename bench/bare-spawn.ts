import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * The least that Node.js can do for commands that are due: at the instant it starts them all in one go, each with a
 * file for what it writes, and remembers nothing. Run as a program: a file of commands, a folder, and the instants.
 */
const [commandsFile, folder, ...instants] = process.argv.slice(2) as [string, string, ...string[]];
const commands = readFileSync(commandsFile, 'utf8').split('\n');
for (const instant of instants.map(Number)) {
  for (let left = instant - Date.now(); left > 0; left = instant - Date.now()) await sleep(left);
  const children = commands.map((command, index) => {
    const fd = openSync(join(folder, String(index)), 'a');
    const child = spawn('/bin/sh', ['-c', command], { detached: true, stdio: ['ignore', fd, fd] });
    closeSync(fd);
    return child;
  });
  await Promise.all(children.map((child) => once(child, 'exit')));
}
// Until it is stopped: the CPU time of a process that has ended cannot be read.
setInterval(() => {}, 60_000);
