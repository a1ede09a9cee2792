import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Command,
  CommandError,
  EXIT,
  type Invocation,
  type Io,
  isSet,
  OPTION,
  text,
  UsageError,
  whole,
} from '../shared/adapters/command-line.ts';
import { isAlive } from '../shared/adapters/host.ts';
import { type LogStream, logsFolder } from '../shared/adapters/log-files.ts';
import { LogReader } from '../shared/adapters/log-reader.ts';
import { isFinal, type Run, type RunOutput } from '../shared/core/run/run.ts';
import type { RunStore } from '../shared/core/run/run-store.ts';
import { findRun as findNamedRun } from './find-run.ts';
import { runJson, whyText } from './run-text.ts';
import { findJob, withStore } from './stores.ts';

/** How often is looked for more. Milliseconds. */
const FOLLOW_EVERY_MS = 250;
const MOST_ATTEMPTS = 999_999;

export const logsCommand: Command = {
  name: 'logs',
  summary: 'Print what a run wrote',
  examples: [
    ['kuber-cron logs nightly-backup', 'the latest run of a job'],
    ['kuber-cron logs --follow nightly-backup', 'and go on until that run is over'],
    ['kuber-cron logs nightly-backup 2026-03-29T01:30Z', 'one run, by the id that `runs` shows'],
  ],
  operands: 'JOB [RUN]',
  options: {
    follow: { type: 'boolean', help: 'go on until the run is over' },
    attempt: { type: 'string', value: 'N', help: 'which start of the run (default: the latest)' },
    store: OPTION.store,
    format: OPTION.format(['text', 'json']),
  },
  notes: `Standard output goes to standard output, errors to errors, byte for byte where they are no terminal. JSON has the
last 16 KiB of each stream.
Exit code: 0 fine, 2 wrong usage, 3 there is no such job, run or attempt, or something that cannot be read.`,

  async run(invocation, io) {
    const [wanted, runId, ...rest] = invocation.operands;
    if (wanted === undefined || rest.length > 0)
      throw new UsageError('`logs` wants a job, and perhaps one of its runs; `kuber-cron runs` lists both');
    const isJson = text(invocation, 'format') === 'json';
    if (isJson && isSet(invocation, 'follow'))
      throw new UsageError('`--follow` prints text: leave out `--format json`');
    const number = wantedAttempt(invocation);
    return await withStore(invocation, async (store, location) => {
      const jobId = await findJob(store, wanted);
      const run = await findRun(store, jobId, runId);
      const follows = isSet(invocation, 'follow') && !isFinal(run.status);
      if (number !== undefined && run.attempts.length < number && !follows) throw noSuchAttempt(run, number);
      if (isJson) {
        const attempt = number ?? run.attempts.length;
        const output = attempt === 0 ? undefined : await store.output(jobId, run.runId, attempt);
        io.stdout.write(`${JSON.stringify({ run: runJson(run), output: output ?? null }, null, 2)}\n`);
        return EXIT.fine;
      }
      const printer = new LogPrinter(store, logsFolder(location.path), io);
      if (follows) await printer.follow(run, number);
      else await printer.print(run, number ?? run.attempts.length);
      return EXIT.fine;
    });
  },
};

function wantedAttempt(invocation: Invocation): number | undefined {
  if (text(invocation, 'attempt') === undefined) return undefined;
  return whole(invocation, 'attempt', { min: 1, max: MOST_ATTEMPTS, otherwise: 1 });
}

function noSuchAttempt({ jobId, runId, attempts }: Run, number: number): CommandError {
  const { length } = attempts;
  const there = length === 0 ? 'it was not started' : `there ${length === 1 ? 'is 1' : `are ${length}`}`;
  return new CommandError(`\`${jobId}\` ${runId} has no attempt ${number}; ${there}`);
}

/** Prints outputs: from their files, and where there is none from the store. */
export class LogPrinter {
  readonly #store: Pick<RunStore, 'run' | 'output'>;
  readonly #folder: string;
  readonly #io: Io;

  constructor(store: Pick<RunStore, 'run' | 'output'>, folder: string, io: Io) {
    this.#store = store;
    this.#folder = folder;
    this.#io = io;
  }

  /** What there is of an attempt; 0 is that of a run that has none. */
  async print(run: Run, number: number): Promise<void> {
    this.#tell(run);
    if (number === 0) {
      this.#io.stderr.write(`it ${isFinal(run.status) ? 'was not started' : 'has not started yet'}\n`);
      return;
    }
    const log = this.#open(run, number);
    try {
      await log.more();
      if (isOver(run, number)) await log.end();
      else this.#io.stderr.write('it still runs: `--follow` waits for more\n');
    } finally {
      await log.close();
    }
  }

  /** Goes on until the run is over, or the one attempt that is wanted. */
  async follow(first: Run, wanted: number | undefined): Promise<void> {
    let run = first;
    let number = wanted ?? Math.max(1, run.attempts.length);
    let log = this.#open(run, number);
    let hasOwner = true;
    this.#tell(run);
    try {
      while (!isReaderGone(this.#io)) {
        // Before the output: all that a command wrote can be read when its run is over.
        run = (await this.#store.run(run.jobId, run.runId)) ?? { ...run, status: 'lost' };
        await log.more();
        if (isOver(run, number)) await log.end();
        if (run.attempts.length > number && wanted === undefined) {
          await log.close();
          number += 1;
          log = this.#open(run, number);
          this.#io.stderr.write(`attempt ${number}:\n`);
          continue;
        }
        if (isFinal(run.status) || (wanted !== undefined && isOver(run, number))) break;
        if (hasOwner && run.owner !== undefined && isAlive(run.owner) === false) {
          hasOwner = false;
          this.#io.stderr.write('the process that ran it is gone: the next daemon ends this run\n');
        }
        await sleep(FOLLOW_EVERY_MS);
      }
    } finally {
      await log.close();
    }
    if (wanted !== undefined && run.attempts.length < wanted) throw noSuchAttempt(run, wanted);
    this.#tell(run);
  }

  #tell(run: Run): void {
    const facts = [run.status, whyText(run)].filter((fact) => fact !== '').join(', ');
    this.#io.stderr.write(`${run.jobId} ${run.runId}: ${facts}\n`);
  }

  #open({ jobId, runId }: Run, attempt: number): AttemptLog {
    const readers = STREAMS.map((stream) => ({
      stream,
      reader: new LogReader(this.#folder, { jobId, runId, attempt }, stream),
      last: Buffer.alloc(0),
    }));
    return new AttemptLog(readers, () => this.#store.output(jobId, runId, attempt), this.#io);
  }
}

const STREAMS = ['stdout', 'stderr'] as const satisfies readonly LogStream[];

interface ReadStream {
  readonly stream: LogStream;
  readonly reader: LogReader;
  /** The end of what was printed. */
  last: Buffer;
}

/** Enough to tell whether a log has its end. */
const COMPARED = { characters: 1024, bytes: 8 * 1024 };

/** What is kept of one attempt. */
class AttemptLog {
  readonly #streams: readonly ReadStream[];
  readonly #output: () => Promise<RunOutput | undefined>;
  readonly #io: Io;
  #hasEnded = false;

  constructor(streams: readonly ReadStream[], output: () => Promise<RunOutput | undefined>, io: Io) {
    this.#streams = streams;
    this.#output = output;
    this.#io = io;
  }

  /** What is new in the files. */
  async more(): Promise<void> {
    for (const one of this.#streams) {
      for await (const part of one.reader.read()) {
        if (part instanceof Uint8Array) {
          one.last = Buffer.concat([one.last, part]).subarray(-COMPARED.bytes);
          // As they are: what a command wrote need not be text.
          (this.#io[one.stream] as ByteOutput).write(part);
        } else this.#notKept(one.stream, part.notKept);
      }
    }
  }

  /** What the files do not have; once. */
  async end(): Promise<void> {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const output = await this.#output();
    if (output === undefined && this.#streams.every(({ reader }) => !reader.hasFound))
      this.#io.stderr.write('it wrote nothing\n');
    for (const { stream, reader, last } of this.#streams) {
      const tail = output?.[stream];
      let end = last.toString('utf8');
      if (tail !== undefined && !end.endsWith(tail.text.slice(-COMPARED.characters))) {
        if (reader.hasFound)
          this.#io.stderr.write(`(the log of ${stream} has no end: what follows is from the store)\n`);
        if (tail.droppedBytes > 0) this.#notKept(stream, tail.droppedBytes);
        this.#io[stream].write(tail.text);
        end = tail.text;
      }
      if (this.#io[stream].isTTY === true && end !== '' && !end.endsWith('\n')) this.#io[stream].write('\n');
    }
  }

  async close(): Promise<void> {
    for (const { reader } of this.#streams) await reader.close();
  }

  #notKept(stream: LogStream, bytes: number): void {
    this.#io.stderr.write(`(${bytes} bytes of ${stream} before this are not kept)\n`);
  }
}

/** The streams of a process. */
interface ByteOutput {
  write(bytes: string | Uint8Array): unknown;
  readonly destroyed?: boolean;
}

/** Whether nobody reads any more, as behind `head`. */
function isReaderGone({ stdout }: Io): boolean {
  return (stdout as ByteOutput).destroyed === true;
}

function isOver({ status, attempts }: Run, number: number): boolean {
  return isFinal(status) || attempts.length > number || attempts[number - 1]?.finishedAt !== undefined;
}

async function findRun(store: RunStore, jobId: string, runId: string | undefined): Promise<Run> {
  if (runId !== undefined) return await findNamedRun(store, jobId, runId);
  // The latest that can have written anything.
  const runs = await store.runs({ jobId, limit: 100 });
  const run = runs.find(({ attempts }) => attempts.length > 0) ?? runs[0];
  if (run === undefined) throw new CommandError(`\`${jobId}\` has not run yet`);
  return run;
}
