import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';

const alive = new Set<ChildProcess>();

/** Remembers a child until it ends: it does not outlive the benchmark, however that ends. */
export function keep<Child extends ChildProcess>(child: Child): Child {
  alive.add(child);
  child.once('exit', () => alive.delete(child)).once('error', () => alive.delete(child));
  return child;
}

process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => process.exit(1));
}

export function start(command: readonly string[], options: SpawnOptions): ChildProcess {
  const [file, ...args] = command as [string, ...string[]];
  return keep(spawn(file, args, options));
}

/** Runs a program to its end. @throws Error with what it said when it fails */
export async function run(command: readonly string[], options: SpawnOptions = {}): Promise<string> {
  const child = start(command, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  const said: Record<'stdout' | 'stderr', string> = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (part: string) => {
    said.stdout += part;
  });
  child.stderr?.setEncoding('utf8').on('data', (part: string) => {
    said.stderr += part;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}: ${said.stderr || said.stdout}`);
  return said.stdout;
}

/** Ends a child as its supervisor would. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const end = once(child, 'exit');
  child.kill('SIGTERM');
  const hurry = setTimeout(() => child.kill('SIGKILL'), 20_000);
  await end;
  clearTimeout(hurry);
}
