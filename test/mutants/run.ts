import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { ALL_MUTANTS } from './all.ts';
import { type JestReport, type Mutant, mutated, type Verdict, verdictOf } from './mutant.ts';

const ROOT = join(import.meta.dirname, '../..');
/** Copies of the project that are worked in at a time. */
const LANES = 2;
/** What is not copied; the packages are linked. */
const LEFT_OUT = ['.git', 'coverage', 'dist', 'node_modules'];
/** A test that hangs for so long has failed. Milliseconds. */
const TEST_TIMEOUT_MS = 30_000;
/** A run of Jest that hangs for so long is ended, without a verdict. Milliseconds. */
const RUN_TIMEOUT_MS = 180_000;

type TestRun = Pick<Mutant, 'test' | 'only'>;

const folder = mkdtempSync(join(tmpdir(), 'kuber-cron-mutants-'));
// Some tests start the project as another user.
chmodSync(folder, 0o711);
const children = new Set<ChildProcess>();

process.on('exit', () => {
  for (const child of children) end(child);
  // What a broken project leaves running may still write.
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));

process.exitCode = await main(process.argv.slice(2));

async function main(names: readonly string[]): Promise<number> {
  const unknown = names.filter((name) => !Object.hasOwn(ALL_MUTANTS, name));
  if (unknown.length > 0) {
    const known = Object.keys(ALL_MUTANTS).join(', ');
    console.error(`there is no mutant \`${unknown.join('`, `')}\`; there are: ${known}`);
    return 2;
  }
  const mutants = Object.entries(ALL_MUTANTS).filter(([name]) => names.length === 0 || names.includes(name));
  const misplaced = mutants.flatMap(([name, mutant]) => {
    const fault = faultOf(mutant);
    return fault === undefined ? [] : [`${name}: ${fault}`];
  });
  if (misplaced.length > 0) {
    console.error(`These have no place in the project any more:\n${misplaced.join('\n')}`);
    return 1;
  }
  const copies = [copyOf(ROOT, 0)];
  // Of the first copy: the project may be edited meanwhile.
  while (copies.length < LANES) copies.push(copyOf(copies[0] as string, copies.length));

  const begin = performance.now();
  const failed = await failedWithoutMutant(copies, distinctRuns(mutants.map(([, mutant]) => mutant)));
  if (failed.length > 0) {
    console.error(`These do not pass without a mutant, so they tell of none:\n${failed.join('\n')}`);
    return 1;
  }
  console.log(`without a mutant the tests pass ${since(begin)}`);

  const survivors: string[] = [];
  let done = 0;
  await inLanes(copies, mutants, async (copy, [name, mutant]) => {
    const begin = performance.now();
    const verdict = await withMutant(copy, mutant);
    console.log(`${++done}/${mutants.length} ${name} ${explained(verdict)} ${since(begin)}`);
    if (verdict.colour === 'red') return;
    survivors.push(
      `${name} ${explained(verdict)}\n  ${titleOf(mutant)} must fail, for it breaks: ${mutant.promise}`,
    );
  });
  const count = mutants.length;
  const red = count - survivors.length;
  console.log(`${count} ${count === 1 ? 'mutant' : 'mutants'}: ${red} red, ${survivors.length} not`);
  for (const survivor of survivors) console.log(survivor);
  return survivors.length === 0 ? 0 : 1;
}

function since(begin: number): string {
  return `(${((performance.now() - begin) / 1000).toFixed(1)} s)`;
}

async function failedWithoutMutant(copies: readonly string[], runs: readonly TestRun[]): Promise<string[]> {
  const failed: string[] = [];
  await inLanes(copies, runs, async (copy, run) => {
    const verdict = await tested(copy, run);
    if (verdict.colour !== 'green') failed.push(`${titleOf(run)} ${explained(verdict)}`);
  });
  return failed;
}

/** Why a mutant cannot be applied; undefined when it can. */
function faultOf(mutant: Mutant): string | undefined {
  try {
    mutated(readFileSync(join(ROOT, mutant.file), 'utf8'), mutant);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** @returns the new folder, which is a project of its own */
function copyOf(source: string, number: number): string {
  const copy = join(folder, String(number), 'project');
  const isCopied = (path: string) => !LEFT_OUT.includes(relative(source, path));
  cpSync(source, copy, { recursive: true, filter: isCopied });
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  mkdirSync(join(copy, '../tmp'));
  return copy;
}

function distinctRuns(mutants: readonly Mutant[]): TestRun[] {
  const runs = mutants.map(({ test, only }): TestRun => (only === undefined ? { test } : { test, only }));
  return [...new Map(runs.map((run) => [titleOf(run), run])).values()];
}

/** Works off items, one at a time in each copy. */
async function inLanes<T>(
  copies: readonly string[],
  items: readonly T[],
  work: (copy: string, item: T) => Promise<void>,
): Promise<void> {
  const left = [...items];
  const lane = async (copy: string) => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(copy, item);
  };
  await Promise.all(copies.map(lane));
}

async function withMutant(copy: string, mutant: Mutant): Promise<Verdict> {
  const path = join(copy, mutant.file);
  const text = readFileSync(path, 'utf8');
  try {
    writeFileSync(path, mutated(text, mutant));
    return await tested(copy, mutant);
  } catch (error) {
    return { colour: 'none', why: (error as Error).message };
  } finally {
    writeFileSync(path, text);
  }
}

/** Runs one test file in a copy. Whatever it leaves behind lies beside the copy, and goes with it. */
async function tested(copy: string, { test, only }: TestRun): Promise<Verdict> {
  const report = join(copy, '../report.json');
  rmSync(report, { force: true });
  const args = [
    ...['--disable-warning=ExperimentalWarning', '--experimental-vm-modules'],
    ...['node_modules/jest/bin/jest.js', '--runTestsByPath', test],
    ...(only === undefined ? [] : ['--testNamePattern', only]),
    ...['--json', `--outputFile=${report}`, `--cacheDirectory=${join(copy, '../cache')}`],
    ...['--silent', '--forceExit', `--testTimeout=${TEST_TIMEOUT_MS}`],
  ];
  // No golden is to be written to fit a mutant.
  const { UPDATE_GOLDENS: _none, ...rest } = process.env;
  const log = openSync(join(copy, '../jest.log'), 'w');
  const child = spawn(process.execPath, args, {
    ...{ cwd: copy, env: { ...rest, TMPDIR: join(copy, '../tmp') } },
    // A group of its own, so that an end reaches its workers too.
    ...{ detached: true, stdio: ['ignore', log, log] as const },
  });
  closeSync(log);
  children.add(child);
  const timer = setTimeout(() => end(child), RUN_TIMEOUT_MS);
  await new Promise((resolve) => child.once('exit', resolve).once('error', resolve));
  clearTimeout(timer);
  children.delete(child);
  return verdictOf(existsSync(report) ? (JSON.parse(readFileSync(report, 'utf8')) as JestReport) : undefined);
}

function end({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

function titleOf({ test, only }: TestRun): string {
  return only === undefined ? test : `${test} -t '${only}'`;
}

function explained(verdict: Verdict): string {
  if (verdict.colour === 'green') return 'stays GREEN';
  if (verdict.colour === 'none') return `has NO VERDICT: ${verdict.why}`;
  const [first, ...others] = verdict.failed;
  return `red by: ${first}${others.length === 0 ? '' : `, and ${others.length} more`}`;
}
