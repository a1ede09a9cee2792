import type { EpochMs } from '../schedule/zone-table.ts';
import {
  type BackfillStep,
  type BackfillWish,
  backfillStep,
  type DueHistory,
  type PastDue,
} from './backfill.ts';
import type { OperatorRequest, Run } from './run.ts';
import { crontabOf, dueRunId } from './run-id.ts';
import type { RunStore } from './run-store.ts';

/** Runs that are read, or written, at once. */
const CHUNK = 100;

/** What a backfill does about a due instant. */
export interface PlannedStep {
  readonly due: PastDue;
  readonly step: BackfillStep;
}

/** How many runs a backfill made pending. */
export interface BackfillDone {
  /** That were over. */
  readonly reopened: number;
  /** That did not exist. */
  readonly added: number;
  /** Left alone, since somebody else took them up after they were looked at. */
  readonly overtaken: number;
}

/** What the runs of a backfill are made with. */
export interface BackfillRuns {
  readonly request: OperatorRequest;
  readonly maxActiveRuns: number;
  readonly planHash: string;
}

/** A backfill of one job over a store. */
export class Backfill {
  readonly #store: RunStore;
  readonly #jobId: string;
  readonly #at: EpochMs;
  readonly #tell: (text: string) => void;

  /** @param tell hears how far it is */
  constructor(store: RunStore, jobId: string, at: EpochMs, tell: (text: string) => void) {
    this.#store = store;
    this.#jobId = jobId;
    this.#at = at;
    this.#tell = tell;
  }

  /** What is to be done about every due instant, oldest first; nothing is written. */
  async plan(history: DueHistory, wish: BackfillWish): Promise<readonly PlannedStep[]> {
    const pauses = await this.#store.pauses(this.#jobId);
    const cursor = await this.#store.cursor(crontabOf(this.#jobId));
    const steps: PlannedStep[] = [];
    // One row answers for thousands: it is asked for once.
    let span: Run | undefined;
    for (const dues of chunks(history.instants())) {
      const runs = await Promise.all(
        dues.map(({ instant }) => this.#store.run(this.#jobId, dueRunId(instant))),
      );
      for (const [index, due] of dues.entries()) {
        const run = runs[index];
        if (run === undefined && !isIn(span, due.instant))
          span = await this.#store.spanAt(this.#jobId, due.instant);
        const answer = {
          run,
          span: isIn(span, due.instant) ? span : undefined,
          pauses,
          cursor,
          now: this.#at,
        };
        steps.push({ due, step: backfillStep(due, answer, wish) });
      }
      this.#tell(`${steps.length} due times are looked at …`);
    }
    return steps;
  }

  /** Makes pending what is to run, oldest first. Cut short, it may be repeated: it goes on where it ended. */
  async carryOut(steps: readonly PlannedStep[], runs: BackfillRuns): Promise<BackfillDone> {
    const wanted = steps.filter(({ step }) => step.kind !== 'leave');
    const counts = { reopened: 0, added: 0, overtaken: 0 };
    let done = 0;
    for (const chunk of chunks(wanted)) {
      for (const result of await Promise.all(chunk.map((one) => this.#write(one, runs)))) counts[result]++;
      done += chunk.length;
      this.#tell(`${done} of ${wanted.length} runs are pending …`);
    }
    return counts;
  }

  async #write(
    { due, step }: PlannedStep,
    { request, maxActiveRuns, planHash }: BackfillRuns,
  ): Promise<keyof BackfillDone> {
    const { instant: scheduledTime } = due;
    const key = { jobId: this.#jobId, runId: dueRunId(scheduledTime) };
    const wish = { notBefore: this.#at, maxActiveRuns, request };
    if (step.kind === 'reopen') {
      const { outcome } = await this.#store.reopen({ ...key, ...wish });
      return outcome === 'done' ? 'reopened' : 'overtaken';
    }
    const isNew = await this.#store.owe({
      ...key,
      ...wish,
      ...{ scheduledTime, planHash, trigger: 'backfill', cause: 'requested', at: this.#at },
    });
    return isNew ? 'added' : 'overtaken';
  }
}

function isIn(span: Run | undefined, instant: EpochMs): boolean {
  return (
    span !== undefined && (span.spanFrom ?? span.scheduledTime) <= instant && instant <= span.scheduledTime
  );
}

function* chunks<Item>(items: Iterable<Item>): Generator<readonly Item[]> {
  let chunk: Item[] = [];
  for (const item of items) {
    chunk.push(item);
    if (chunk.length < CHUNK) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}
