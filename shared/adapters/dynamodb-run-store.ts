import { randomUUID } from 'node:crypto';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Target } from '../core/crontab/options.ts';
import { sha256Hex } from '../core/hash.ts';
import type { Incident, Notification } from '../core/notify/notification.ts';
import type { JobState } from '../core/run/job-state.ts';
import { isPausedAt, type PauseInterval, type Resumption, type Stretch } from '../core/run/pause.ts';
import { DEFAULT_RETENTION, type Retention } from '../core/run/retention.ts';
import {
  type Attempt,
  isFinal,
  isHandedOut,
  type OperatorRequest,
  type Run,
  type RunOutput,
} from '../core/run/run.ts';
import { dueRunId, scheduledTimeText } from '../core/run/run-id.ts';
import type {
  ActivePlan,
  Answer,
  Claim,
  ClaimResult,
  Finish,
  Lease,
  Owed,
  PendingEnd,
  Reopening,
  RequestResult,
  RunKey,
  RunQuery,
  RunStore,
  Settlement,
} from '../core/run/run-store.ts';
import {
  answeredRun,
  cancelledRun,
  cancelResult,
  closedRun,
  decideClaim,
  extendedRun,
  finishedRun,
  followsOrder,
  handedRun,
  isClaimedBy,
  isFinishedAs,
  isOwnedBy,
  isStartedAs,
  isUnfinished,
  type JobSituation,
  laterStart,
  mayFinish,
  mayReopen,
  newestFirst,
  owedRun,
  releasedRun,
  reopenedRun,
  type StoredRun,
  spanWith,
  startedRun,
  startOf,
  wasAsked,
} from '../core/run/run-transitions.ts';
import type { ScheduleChange, ScheduleInterval } from '../core/run/schedule-history.ts';
import type { EpochMs, ZoneTable } from '../core/schedule/zone-table.ts';
import {
  ALL_RUNS,
  aliasKey,
  controlKey,
  creationKey,
  crontabKey,
  crontabShards,
  cursorKey,
  INDEX,
  instantKey,
  jobKey,
  MODE_KEY,
  NOTIFICATIONS_TO_DO,
  notificationKey,
  outputKey,
  pauseKey,
  planHeadKey,
  RUNS_TO_DO,
  readPendingKey,
  runKey,
  runSortKey,
  scheduleKey,
  TTL_ATTRIBUTE,
  turnKey,
  zoneTableKey,
} from '../core/target/dynamodb-schema.ts';
import { DynamoDbError } from './dynamodb-error.ts';
import {
  type Control,
  controlOf,
  type Item,
  isGone,
  itemOf,
  numberOf,
  packed,
  parsed,
  type Seen,
  seenOf,
  shortened,
  stateOf,
  storedRunOf,
  textOf,
  unpacked,
} from './dynamodb-items.ts';
import { type ControlWrite, type JobWrite, type RunWrite, writesOf } from './dynamodb-job-write.ts';
import { pausedUntil, pauseItem, pauseOf, scheduleItem, scheduleOf } from './dynamodb-records.ts';
import { renameJob } from './dynamodb-rename.ts';
import { chunksOf, createClient, DynamoDbTable, inParallel, untilUndisturbed } from './dynamodb-table.ts';

export interface DynamoDbRunStoreOptions {
  /** (Default: one with region, endpoint and credentials from the environment) */
  readonly client?: DynamoDBClient;
  /** How long final runs are kept. (Default: `DEFAULT_RETENTION`) */
  readonly retention?: Retention;
  /** By which clock items are over. (Default: that of the machine) */
  readonly now?: () => EpochMs;
  /** Whether the table is, or becomes, that of a dry run: what one records must never be taken for runs. */
  readonly isDryRun?: boolean;
}

/** A job in which nothing goes on: what the common claim meets. */
const QUIET: JobSituation = { unfinished: [], owedBefore: () => [], settled: undefined, pauses: [] };

/** Older pending runs that a claim looks at, oldest first; what it leaves is closed when its own time comes. */
const OWED_LOOKED_AT = 100;
/** Older pending runs that are closed in the claim's own transaction; the others after it. */
const CLOSED_WITH_CLAIM = 40;
/** Runs that are settled in one transaction. */
const SETTLED_AT_ONCE = 40;
/** Index keys that are read at once, of which those of the same kind are then left out. */
const PENDING_PAGE = 200;
/** Pieces of former plans are deleted when they are this old: whoever reads one now may go on. Milliseconds. */
const PLAN_KEPT_MS = 3_600_000;

/** A run as it was found for its owner. */
interface Found {
  /** Under the name that the owner knows, or a later one of the job. */
  readonly owned: Seen | undefined;
  /** All runs of that id under these names. */
  readonly known: readonly StoredRun[];
}

interface Step<T> {
  readonly result: T;
  readonly write?: JobWrite;
}

/**
 * A run store in one table of DynamoDB, for any number of processes.
 *
 * The rules decide by what was read last, or by what is most often so, and the conditions of the write prove that it is
 * still so. A write that is refused brings back what is there, and the rules decide again. So the common claim is one
 * transaction without a read before it, and so is the end of a run that this process has claimed.
 */
export class DynamoDbRunStore implements RunStore {
  readonly #table: DynamoDbTable;
  readonly #retention: Retention;
  readonly #now: () => EpochMs;
  readonly #isDryRun: boolean | undefined;
  #modeChecked: Promise<void> | undefined;
  #isClosed = false;
  /** Runs of this process, as it wrote them last. */
  readonly #held = new Map<string, Seen>();
  /** The last write of each job: writes of one job would only meet each other. */
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly #zoneTables = new Map<string, ZoneTable>();
  readonly #plans = new Map<string, Pick<ActivePlan, 'plan'> & { readonly id: string }>();

  constructor(table: string, options: DynamoDbRunStoreOptions = {}) {
    const { client, retention = DEFAULT_RETENTION, now = Date.now, isDryRun } = options;
    this.#table = new DynamoDbTable(client ?? createClient(), table);
    this.#retention = retention;
    this.#now = now;
    this.#isDryRun = isDryRun;
  }

  claim(claim: Claim): Promise<ClaimResult> {
    return this.#inTurn(claim.jobId, () => {
      let existing: Seen | undefined;
      let job: JobRead | undefined;
      let incident: Incident | undefined;
      return untilUndisturbed(this.#table, async () => {
        const decided = decideClaim(claim, existing?.stored, job?.situation ?? QUIET, this.#retention);
        // What is over for a run, or not yet to be done, follows from the run alone.
        if (decided.writes.length === 0 && (existing !== undefined || job !== undefined))
          return { result: decided.result };
        if (existing !== undefined && job === undefined) {
          job = await this.#readJob(claim);
          existing = job.existing;
          return 'disturbed';
        }
        const { result, writes } = decided;
        const own = writes.find(({ run }) => run.runId === claim.runId);
        const others = writes.filter((one) => one !== own);
        const seen = (stored: StoredRun): RunWrite => ({
          stored,
          before: stored === own ? existing : job?.seen.get(stored.run.runId),
        });
        const runs = [...(own === undefined ? [] : [own]), ...others.slice(0, CLOSED_WITH_CLAIM)].map(seen);
        const write: JobWrite = {
          ...{ jobId: claim.jobId, runs, incident, channel: claim.channel },
          control: controlOfClaim(claim, result, job?.control),
        };
        const refused = await this.#write(write);
        if (refused === undefined) {
          if (result.outcome === 'won' && own !== undefined) this.#hold(own, existing);
          await this.#closeOthers(claim, others.slice(CLOSED_WITH_CLAIM).map(seen));
          return { result };
        }
        if ('incident' in refused) incident = refused.incident;
        if (refused.runs[0] !== undefined && job === undefined) existing = refused.runs[0].seen;
        if (existing === undefined || job !== undefined) {
          job = await this.#readJob(claim);
          existing = job.existing;
        }
        return 'disturbed';
      });
    });
  }

  start(jobId: string, runId: string, token: string, attempt: Attempt): Promise<boolean> {
    return this.#asOwner({ jobId, runId }, token, ({ owned }): Step<boolean> => {
      if (owned?.stored === undefined) return { result: false };
      const { run } = owned.stored;
      if (isStartedAs(run, token, attempt)) return { result: true };
      if (!isClaimedBy(run, token)) return { result: false };
      const stored = startedRun(owned.stored, attempt);
      const control: ControlWrite = followsOrder(run) ? { newest: startOf(run) } : {};
      return { result: true, write: { jobId: run.jobId, runs: [{ stored, before: owned }], control } };
    });
  }

  extend(jobId: string, runId: string, token: string, leaseUntil: EpochMs): Promise<Lease | undefined> {
    return this.#asOwner({ jobId, runId }, token, ({ owned }): Step<Lease | undefined> => {
      if (owned?.stored === undefined) return { result: undefined };
      const { run } = owned.stored;
      const { cancelRequest } = run;
      const result = cancelRequest === undefined ? {} : { cancelRequest };
      // It was extended by this very call, and the answer was lost.
      if (run.leaseUntil === leaseUntil) return { result };
      const stored = extendedRun(owned.stored, leaseUntil);
      return { result, write: { jobId: run.jobId, runs: [{ stored, before: owned }] } };
    });
  }

  finish(finish: Finish): Promise<boolean> {
    return this.#asOwner(finish, finish.token, ({ owned, known }): Step<boolean> => {
      if (owned?.stored === undefined || !mayFinish(owned.stored.run, finish)) {
        return { result: known.some(({ run }) => isFinishedAs(run, finish)) };
      }
      const stored = finishedRun(owned.stored, finish, this.#retention);
      const { attempt, output, channel, at } = finish;
      const { failureMs, successMs } = this.#retention;
      const expiresAt = at + Math.max(failureMs, successMs);
      const isKept = attempt !== undefined && output !== undefined;
      return {
        result: true,
        write: {
          ...{ jobId: stored.run.jobId, runs: [{ stored, before: owned }], attempt, channel },
          ...(isKept && { output: { attempt, output: shortened(output), expiresAt } }),
        },
      };
    });
  }

  async settle({ answers, owed }: Settlement): Promise<void> {
    type One = { readonly answer: Answer } | { readonly owed: Owed };
    const timeOf = (one: One) => ('answer' in one ? one.answer : one.owed).scheduledTime;
    const all = [...answers.map((answer) => ({ answer })), ...owed.map((one) => ({ owed: one }))];
    // Oldest first: who settles the stretch again, after this was cut off, begins behind the newest answer.
    const ordered = all.sort((a, b) => timeOf(a) - timeOf(b));
    let chunk = new Map<string, One>();
    for (const one of ordered) {
      const { runId } = 'answer' in one ? one.answer : one.owed;
      // A transaction writes no item twice.
      if (chunk.size >= SETTLED_AT_ONCE || chunk.has(runId)) {
        await this.#settle([...chunk.values()]);
        chunk = new Map();
      }
      chunk.set(runId, one);
    }
    await this.#settle([...chunk.values()]);
  }

  owe(owed: Owed): Promise<boolean> {
    return this.#change(owed, 'none', (seen): Step<boolean> => {
      if (seen?.stored !== undefined) return { result: false };
      const runs = [{ stored: owedRun(owed), before: seen }];
      return { result: true, write: { jobId: owed.jobId, runs } };
    });
  }

  endPending(end: PendingEnd): Promise<boolean> {
    return this.#change(end, 'read', (seen): Step<boolean> => {
      if (seen?.stored?.run.status !== 'pending') return { result: false };
      const runs = [{ stored: closedRun(seen.stored, end, this.#retention), before: seen }];
      return { result: true, write: { jobId: end.jobId, runs, channel: end.channel } };
    });
  }

  handOut(key: RunKey, at: EpochMs): Promise<boolean> {
    return this.#change(key, 'read', (seen): Step<boolean> => {
      const stored = seen?.stored && handedRun(seen.stored, at);
      if (stored === undefined || stored === seen?.stored) return { result: stored !== undefined };
      return { result: true, write: { jobId: key.jobId, runs: [{ stored, before: seen }] } };
    });
  }

  release(
    jobId: string,
    runId: string,
    token: string,
    at: EpochMs,
    ifLeaseUntil?: EpochMs,
  ): Promise<boolean> {
    return this.#asOwner({ jobId, runId }, token, ({ owned }): Step<boolean> => {
      if (owned?.stored === undefined) return { result: false };
      const { run } = owned.stored;
      if (!isClaimedBy(run, token)) return { result: false };
      if (ifLeaseUntil !== undefined && run.leaseUntil !== ifLeaseUntil) return { result: false };
      const runs = [{ stored: releasedRun(owned.stored, at), before: owned }];
      return { result: true, write: { jobId: run.jobId, runs } };
    });
  }

  cancel(key: RunKey, request: OperatorRequest): Promise<RequestResult> {
    return this.#change(key, 'read', (seen): Step<RequestResult> => {
      if (seen?.stored === undefined) return { result: { outcome: 'unknown' } };
      const known = cancelResult(seen.stored.run, request);
      if (known !== undefined) return { result: known };
      const stored = cancelledRun(seen.stored, request, this.#retention);
      const { run } = stored;
      return {
        result: { outcome: isFinal(run.status) ? 'done' : 'requested', run },
        write: { jobId: key.jobId, runs: [{ stored, before: seen }] },
      };
    });
  }

  reopen(reopening: Reopening): Promise<RequestResult> {
    return this.#change(reopening, 'read', (seen): Step<RequestResult> => {
      if (seen?.stored === undefined) return { result: { outcome: 'unknown' } };
      const { run } = seen.stored;
      if (wasAsked(run, reopening.request)) return { result: { outcome: 'done', run } };
      if (!mayReopen(run)) return { result: { outcome: 'not-possible', run } };
      const stored = reopenedRun(seen.stored, reopening);
      return {
        result: { outcome: 'done', run: stored.run },
        write: { jobId: reopening.jobId, runs: [{ stored, before: seen }] },
      };
    });
  }

  pause(pause: PauseInterval): Promise<PauseInterval> {
    return this.#changePauses(pause.jobId, (pauses) => {
      const inForce = pauses.find(({ pause: one }) => isPausedAt(one, pause.from))?.pause;
      if (inForce !== undefined) return { result: inForce };
      return { result: pause, write: [{ rest: instantKey(pause.from), pause }] };
    });
  }

  resume(jobId: string, resumption: Resumption): Promise<PauseInterval | undefined> {
    const { at } = resumption;
    return this.#changePauses(jobId, (pauses) => {
      const ended = pauses
        .filter(({ pause }) => isPausedAt(pause, at))
        .map(({ rest, pause }) => ({ rest, pause: { ...pause, resumed: resumption } }));
      const all = [...ended, ...pauses].map(({ pause }) => pause).sort((a, b) => a.from - b.from);
      const result = all.find(({ resumed }) => resumed?.at === at);
      return ended.length === 0 ? { result } : { result, write: ended };
    });
  }

  async run(jobId: string, runId: string): Promise<Run | undefined> {
    return (await this.#see({ jobId, runId }))?.stored?.run;
  }

  async runs({ jobId, limit, before }: RunQuery): Promise<readonly Run[]> {
    await this.#ready();
    return jobId === undefined ? this.#runsOfAll(limit, before) : this.#runsOfJob(jobId, limit, before);
  }

  async answeredUntil(jobId: string, after: EpochMs, until: EpochMs): Promise<EpochMs | undefined> {
    await this.#ready();
    if (until <= after) return undefined;
    const isAnswer = (item: Item) => {
      const { run } = storedRunOf(item);
      return followsOrder(run) && run.scheduledTime > after && run.scheduledTime <= until;
    };
    const found: EpochMs[] = [];
    // Due runs are named by their instants, so those of a stretch of time lie side by side.
    const queries = [
      this.#ofJob(jobId, 'sk', runSortKey(scheduledTimeText(after)), runSortKey(scheduledTimeText(until))),
      this.#ofJob(jobId, 'order', `S#${instantKey(after + 1)}`, `S#${instantKey(until + 1)}`),
    ];
    for (const query of queries) {
      for await (const item of this.#table.query({ ...query, ScanIndexForward: false, Limit: 5 })) {
        if (isGone(item, this.#now()) || !isAnswer(item)) continue;
        found.push(numberOf(item, 'scheduledTime'));
        break;
      }
    }
    return found.sort((a, b) => b - a)[0];
  }

  async existing(keys: readonly RunKey[]): Promise<readonly RunKey[]> {
    await this.#ready();
    const items = await this.#table.getAll(keys.map(runKey), [TTL_ATTRIBUTE]);
    return keys.filter((_key, index) => {
      const item = items[index];
      return item !== undefined && !isGone(item, this.#now());
    });
  }

  async answered(jobId: string, after: EpochMs, until: EpochMs): Promise<readonly Stretch[]> {
    await this.#ready();
    if (until <= after) return [];
    const found: Stretch[] = [];
    // Due runs are named by their instants, so those of a stretch of time lie side by side.
    const [from, to] = [scheduledTimeText(after), scheduledTimeText(until)];
    const runs = {
      ...this.#ofJob(jobId, 'sk', runSortKey(from), runSortKey(to)),
      ProjectionExpression: '#pk, #sort, #scheduledTime, #ttl',
    };
    Object.assign(runs.ExpressionAttributeNames, {
      '#scheduledTime': 'scheduledTime',
      '#ttl': TTL_ATTRIBUTE,
    });
    const spans = this.#ofJob(jobId, 'order', `S#${instantKey(after + 1)}`, 'S$');
    const [items, spanItems] = await Promise.all([this.#livingItems(runs), this.#livingItems(spans)]);
    for (const item of items) {
      const instant = numberOf(item, 'scheduledTime');
      const isDue = textOf(item, 'sk') === runSortKey(dueRunId(instant));
      if (isDue && instant > after && instant <= until) found.push([instant, instant]);
    }
    for (const item of spanItems) {
      const { scheduledTime, spanFrom = scheduledTime } = storedRunOf(item).run;
      if (spanFrom <= until) found.push([spanFrom, scheduledTime]);
    }
    return found.sort(([a, aEnd], [b, bEnd]) => a - b || aEnd - bEnd);
  }

  async spanAt(jobId: string, instant: EpochMs): Promise<Run | undefined> {
    await this.#ready();
    const query = this.#ofJob(jobId, 'order', `S#${instantKey(instant)}`, 'S$');
    for await (const item of this.#table.query({ ...query, Limit: 5 })) {
      if (isGone(item, this.#now())) continue;
      const { run } = storedRunOf(item);
      if (run.spanFrom !== undefined && run.spanFrom <= instant) return run;
    }
    return undefined;
  }

  async output(jobId: string, runId: string, attempt: number): Promise<RunOutput | undefined> {
    await this.#ready();
    const keys = [runKey({ jobId, runId }), outputKey({ jobId, runId }, attempt)];
    const [run, output] = await this.#table.getAll(keys);
    if (run === undefined || output === undefined || isGone(run, this.#now())) return undefined;
    // That of a former run of the same id may still be there.
    const startedAt = numberOf(output, 'startedAt');
    const isOf = (one: Attempt) => one.number === attempt && one.startedAt === startedAt;
    return storedRunOf(run).run.attempts.some(isOf) ? parsed<RunOutput>(output, 'output') : undefined;
  }

  async unfinished(): Promise<readonly Run[]> {
    const items = await this.#toDo(['U#', 'U$']);
    const runs = await this.#runsAt(items);
    const byJob = (a: Run, b: Run) => (a.jobId < b.jobId ? -1 : 1);
    return runs
      .filter(({ status }) => isUnfinished(status))
      .sort((a, b) => (a.jobId === b.jobId ? newestFirst(b, a) : byJob(a, b)));
  }

  async pending(now: EpochMs, limit: number): Promise<readonly Run[]> {
    await this.#ready();
    const found: { readonly item: Item; readonly order: string }[] = [];
    await inParallel(RUNS_TO_DO, async (shard) => {
      // A long backlog of one job is not read: its index keys after the first that is due are passed over.
      for (let from: string | undefined = 'P#'; from !== undefined; ) {
        const done = new Set<string>();
        let last: string | undefined;
        const query = { ...this.#toDoQuery(shard, [from, 'P$']), Limit: PENDING_PAGE };
        for await (const page of this.#table.pages(query)) {
          for (const item of page) {
            const { prefix, notBefore, order } = readPendingKey(textOf(item, 'due'));
            if (!done.has(prefix) && notBefore <= now) {
              done.add(prefix);
              found.push({ item, order });
            }
          }
          const end = page.at(-1);
          const prefix = end && readPendingKey(textOf(end, 'due')).prefix;
          if (page.length === PENDING_PAGE && prefix !== undefined && done.has(prefix)) {
            last = `${prefix}~`;
            break;
          }
        }
        from = last;
      }
    });
    const oldest = found.sort((a, b) => (a.order < b.order ? -1 : 1)).slice(0, limit);
    const runs = await this.#runsAt(oldest.map(({ item }) => item));
    return runs.filter(
      (run) => run.status === 'pending' && (run.notBefore ?? 0) <= now && !isHandedOut(run, now),
    );
  }

  async pendingCounts(crontab: string): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>();
    // Jobs of a crontab are those whose id begins with its name and a slash; '0' is what follows '/'.
    for (const item of await this.#toDo([`P#${crontab}/`, `P#${crontab}0`])) {
      const { jobId } = readPendingKey(textOf(item, 'due'));
      counts.set(jobId, (counts.get(jobId) ?? 0) + 1);
    }
    return new Map([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  async states(crontab: string): Promise<readonly JobState[]> {
    return (await this.#records(crontab, 'STATE#')).map(stateOf).sort(byJob);
  }

  async pauses(jobId: string): Promise<readonly PauseInterval[]> {
    await this.#ready();
    return (await this.#pausesOf(jobId)).map(({ pause }) => pause);
  }

  async pausesAt(crontab: string, instant: EpochMs): Promise<readonly PauseInterval[]> {
    return (await this.#records(crontab, 'PAUSE#'))
      .map(pauseOf)
      .filter((pause) => isPausedAt(pause, instant))
      .sort((a, b) => byJob(a, b) || a.from - b.from);
  }

  async schedules(jobId: string): Promise<readonly ScheduleInterval[]> {
    await this.#ready();
    const items = await this.#livingItems({
      ...recordsQuery(scheduleKey(jobId, '')),
      ConsistentRead: true,
    });
    return (await this.#intervals(items)).sort((a, b) => a.from - b.from);
  }

  async currentSchedules(crontab: string): Promise<readonly ScheduleInterval[]> {
    const items = await this.#records(crontab, 'SCHED#');
    return (await this.#intervals(items.filter(({ until }) => until === undefined))).sort(byJob);
  }

  async takeTurn(crontab: string, token: string, at: EpochMs, until: EpochMs): Promise<boolean> {
    await this.#ready();
    const refused = await this.#table.write([
      {
        put: itemOf({ ...turnKey(crontab), token, until }),
        when: TURN_IS_FREE,
        names: { '#pk': 'pk', '#token': 'token', '#until': 'until' },
        values: itemOf({ ':token': token, ':at': at }),
      },
    ]);
    return refused === undefined;
  }

  async cursor(crontab: string): Promise<EpochMs | undefined> {
    await this.#ready();
    const item = await this.#table.get(cursorKey(crontab));
    return item === undefined ? undefined : numberOf(item, 'handledUntil');
  }

  async setCursor(crontab: string, cursor: EpochMs): Promise<void> {
    await this.#ready();
    await this.#table.write([{ put: itemOf({ ...cursorKey(crontab), handledUntil: cursor }) }]);
  }

  async activePlan(crontab: string): Promise<ActivePlan | undefined> {
    await this.#ready();
    return await untilUndisturbed(this.#table, async () => {
      const head = await this.#table.get(planHeadKey(crontab));
      if (head === undefined) return { result: undefined };
      const id = textOf(head, 'id');
      const rest = {
        ...{ hash: textOf(head, 'hash'), since: numberOf(head, 'since') },
        ...(head.target === undefined ? {} : { target: textOf(head, 'target') as Target }),
      };
      const known = this.#plans.get(crontab);
      if (known?.id === id) return { result: { plan: known.plan, ...rest } };
      const chunks = await this.#items({
        ...prefixQuery(crontabKey(crontab), `PLAN#${id}#`),
        ConsistentRead: true,
      });
      // Another plan came in force meanwhile, and this one's pieces were cleared away.
      if (chunks.length < numberOf(head, 'chunks')) return 'disturbed';
      const plan = unpacked<ActivePlan['plan']>(chunks.map((chunk) => chunk.plan?.B ?? new Uint8Array()));
      this.#plans.set(crontab, { plan, id });
      return { result: { plan, ...rest } };
    });
  }

  /**
   * Not one write, for it may be thousands: but each of them may be repeated, and the plan comes in force by the last.
   * Until then the plan before it is, and whoever makes the change again goes on where this one was cut off.
   */
  async setActivePlan({ plan, hash, since, target }: ActivePlan, change: ScheduleChange): Promise<void> {
    await this.#ready();
    const { crontab } = plan;
    const chunks = packed(plan);
    const id = `${instantKey(this.#now())}#${randomUUID()}`;
    const pieces = chunks.map((bytes, index) =>
      itemOf({ pk: crontabKey(crontab), sk: `PLAN#${id}#${String(index).padStart(4, '0')}`, plan: bytes }),
    );
    // One at a time: together they may be larger than a request may be.
    for (const put of pieces) await this.#table.write([{ put }]);
    for (const { from, to } of change.renamed) await renameJob(this.#table, from, to, this.#now);
    await this.#changeSchedules(crontab, change);
    const head = itemOf({ ...planHeadKey(crontab), hash, since, target, id, chunks: chunks.length });
    const [first] = pieces as [Item];
    // Who slept for hours in the middle of this may find its pieces cleared away.
    const key = { pk: textOf(first, 'pk'), sk: textOf(first, 'sk') };
    const refused = await this.#table.write([
      { put: head },
      { check: key, when: PIECE_IS_THERE, names: { '#pk': 'pk' } },
    ]);
    if (refused !== undefined)
      throw new DynamoDbError('busy', this.#table.name, {
        what: `another plan of crontab ${crontab} came in force before this one, which took too long`,
        help: 'it is tried again',
      });
    await this.#clearPlans(crontab);
  }

  async crontabs(): Promise<readonly string[]> {
    await this.#ready();
    const heads = await this.#items({ ...prefixQuery('CRONTABS', ''), ConsistentRead: true });
    return heads.map((item) => textOf(item, 'sk'));
  }

  async takeNotifications(
    now: EpochMs,
    reservedUntil: EpochMs,
    limit: number,
  ): Promise<readonly Notification[]> {
    await this.#ready();
    const taken: Notification[] = [];
    const query = { ...this.#toDoQuery(NOTIFICATIONS_TO_DO, ['0', instantKey(now)]), Limit: limit };
    for await (const item of this.#table.query(query)) {
      if (taken.length >= limit) break;
      const key = { pk: textOf(item, 'pk'), sk: textOf(item, 'sk') };
      const reserved = await this.#table.update(
        {
          UpdateExpression: 'SET #due = :until',
          ConditionExpression: NOTIFICATION_IS_AS_SEEN,
          ExpressionAttributeNames: { '#due': 'due' },
          ExpressionAttributeValues: itemOf({
            ':until': instantKey(reservedUntil),
            ':due': textOf(item, 'due'),
          }),
        },
        key,
      );
      if (reserved !== undefined && !isGone(reserved, this.#now())) taken.push(notificationOf(reserved));
    }
    return taken;
  }

  async settleNotification(id: string, next: { readonly nextTryAt: EpochMs } | undefined): Promise<void> {
    await this.#ready();
    const key = notificationKey(id);
    if (next === undefined) return await this.#table.writeAll([], [key]);
    await this.#table.update(
      {
        UpdateExpression: 'SET #due = :due ADD #tries :one',
        ConditionExpression: NOTIFICATION_IS_THERE,
        ExpressionAttributeNames: { '#due': 'due', '#tries': 'tries' },
        ExpressionAttributeValues: itemOf({ ':due': instantKey(next.nextTryAt), ':one': 1 }),
      },
      key,
    );
  }

  /** None: DynamoDB deletes what is over by itself, at no cost, and until then it is not seen. */
  async expired(): Promise<number> {
    return 0;
  }

  /** Nothing to do: DynamoDB deletes what is over by itself, at no cost, and until then it is not seen. */
  async prune(): Promise<number> {
    return 0;
  }

  /** From the head of an answer to a small question. */
  async time(): Promise<EpochMs | undefined> {
    await this.#ready();
    return await this.#table.time(MODE_KEY);
  }

  /** Waits for the writes that are under way, then lets go of the connections. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.allSettled(this.#turns.values());
    this.#table.close();
  }

  /** Sees once whether the table is of the right kind of daemon. */
  #ready(): Promise<void> {
    if (this.#isClosed) {
      const text = { what: 'it is closed', help: 'open it again' };
      return Promise.reject(new DynamoDbError('closed', this.#table.name, text));
    }
    if (this.#isDryRun === undefined) return Promise.resolve();
    this.#modeChecked ??= this.#checkMode(this.#isDryRun).catch((error: unknown) => {
      this.#modeChecked = undefined;
      throw error;
    });
    return this.#modeChecked;
  }

  async #checkMode(isDryRun: boolean): Promise<void> {
    const refused = await this.#table.write([
      {
        put: itemOf({ ...MODE_KEY, isDryRun }),
        when: MODE_IS_MINE,
        names: { '#pk': 'pk', '#isDryRun': 'isDryRun' },
        values: itemOf({ ':mine': isDryRun }),
      },
    ]);
    if (refused === undefined) return;
    throw new DynamoDbError(
      'foreign',
      this.#table.name,
      isDryRun
        ? { what: 'it is that of a daemon that runs for real', help: 'give the dry run a table of its own' }
        : { what: 'it is that of a dry run, which recorded runs as skipped', help: 'name another table' },
    );
  }

  /** Writes of one job one after the other, in the order of the calls. */
  async #inTurn<T>(jobId: string, work: () => Promise<T>): Promise<T> {
    await this.#ready();
    const before = this.#turns.get(jobId);
    const turn = (before ?? Promise.resolve()).then(work, work);
    this.#turns.set(jobId, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(jobId) === turn) this.#turns.delete(jobId);
    }
  }

  /** Changes the run of an owner, also when its job has another name by now. */
  #asOwner<T>(key: RunKey, token: string, decide: (found: Found) => Step<T>): Promise<T> {
    return this.#inTurn(key.jobId, () => {
      const held = this.#held.get(keyOf(key));
      let assumed: Found | undefined =
        held?.stored !== undefined && isOwnedBy(held.stored.run, token)
          ? { owned: held, known: [] }
          : undefined;
      let incident: Incident | undefined;
      let isProven = false;
      let isNewestKnown = false;
      return untilUndisturbed(this.#table, async () => {
        const found = assumed ?? (await this.#find(key, token));
        const { result, write } = decide(found);
        if (write === undefined) {
          // What is taken for granted is proven by a write, or read.
          if (assumed === undefined || isProven) return { result };
          assumed = undefined;
          return 'disturbed';
        }
        const { newest: _newest, ...control } = write.control ?? {};
        const refused = await this.#write({
          ...write,
          ...(isNewestKnown && { control }),
          ...(incident !== undefined && { incident }),
        });
        const [run] = write.runs as readonly [RunWrite];
        if (refused === undefined) {
          this.#held.delete(keyOf(key));
          if (isUnfinished(run.stored.run.status)) this.#hold(run.stored, run.before, key);
          return { result };
        }
        if ('incident' in refused) incident = refused.incident;
        // A newer start is noted there, and so much the better.
        if (refused.control !== undefined) isNewestKnown = true;
        if (refused.runs[0] !== undefined) {
          const { seen } = refused.runs[0];
          this.#held.delete(keyOf(key));
          const isOwned = seen?.stored !== undefined && isOwnedBy(seen.stored.run, token);
          assumed = isOwned ? { owned: seen, known: [] } : undefined;
          isProven = isOwned;
        }
        return 'disturbed';
      });
    });
  }

  /** Changes a run that nobody need own. @param assumed whether it is taken for one that does not exist, or read */
  #change<T>(key: RunKey, assumed: 'none' | 'read', decide: (seen: Seen | undefined) => Step<T>): Promise<T> {
    return this.#inTurn(key.jobId, () => {
      let seen: Seen | undefined | 'unknown' = assumed === 'none' ? undefined : 'unknown';
      let incident: Incident | undefined;
      return untilUndisturbed(this.#table, async () => {
        if (seen === 'unknown') seen = await this.#see(key);
        const { result, write } = decide(seen);
        if (write === undefined) return { result };
        const refused = await this.#write({ ...write, ...(incident !== undefined && { incident }) });
        if (refused === undefined) {
          this.#held.delete(keyOf(key));
          return { result };
        }
        if ('incident' in refused) incident = refused.incident;
        if (refused.runs[0] !== undefined) seen = refused.runs[0].seen;
        return 'disturbed';
      });
    });
  }

  /** Creates runs of one job, in one transaction. */
  async #settle(ones: readonly ({ readonly answer: Answer } | { readonly owed: Owed })[]): Promise<void> {
    const [first] = ones;
    if (first === undefined) return;
    const { jobId } = 'answer' in first ? first.answer : first.owed;
    const channel = ones.flatMap((one) => ('answer' in one ? (one.answer.channel ?? []) : []))[0];
    await this.#inTurn(jobId, () => {
      const seen: (Seen | undefined)[] = ones.map(() => undefined);
      let incident: Incident | undefined;
      return untilUndisturbed(this.#table, async () => {
        const writes = ones.map((one, index): RunWrite | undefined => {
          const before = seen[index];
          const stored =
            'answer' in one ? this.#answered(one.answer, before?.stored) : newOwed(one.owed, before?.stored);
          return stored === undefined ? undefined : { stored, before };
        });
        const places = writes.flatMap((write, index) => (write === undefined ? [] : [index]));
        const runs = writes.filter((write) => write !== undefined);
        if (runs.length === 0) return { result: undefined };
        const refused = await this.#write({ jobId, runs, channel, incident });
        if (refused === undefined) return { result: undefined };
        if ('incident' in refused) incident = refused.incident;
        for (const [place, one] of refused.runs.entries()) {
          if (one !== undefined) seen[places[place] as number] = one.seen;
        }
        return 'disturbed';
      });
    });
  }

  #answered(answer: Answer, existing: StoredRun | undefined): StoredRun | undefined {
    return existing === undefined ? answeredRun(answer, this.#retention) : spanWith(existing, answer);
  }

  /** The rest of what a claim makes pointless. Who is disturbed leaves it: it is closed when its own time comes. */
  async #closeOthers({ jobId, channel }: Claim, runs: readonly RunWrite[]): Promise<void> {
    let incident: Incident | undefined;
    for (const chunk of chunksOf(runs, CLOSED_WITH_CLAIM)) {
      const refused = await this.#write({ jobId, runs: chunk, channel, incident });
      if (refused === undefined || !('incident' in refused)) continue;
      incident = refused.incident;
      await this.#write({ jobId, runs: chunk, channel, incident });
    }
  }

  /** @returns undefined when all is written; else what is there instead */
  async #write(write: JobWrite): Promise<Refused | undefined> {
    const { writes, control, state } = writesOf(write);
    const refusal = await this.#table.write(writes);
    if (refusal === undefined) return undefined;
    const runs = write.runs.map((_run, index) => {
      const one = refusal[index];
      return one && { seen: one.item && seenOf(one.item, this.#now()) };
    });
    const refusedState = state === undefined ? undefined : refusal[state];
    return {
      runs,
      ...(control !== undefined &&
        refusal[control] !== undefined && { control: controlOf(refusal[control].item) }),
      ...(refusedState !== undefined && {
        incident: refusedState.item && parsed<Incident>(refusedState.item, 'incident'),
      }),
    };
  }

  /** Keeps what this process has just written of its own run. */
  #hold(stored: StoredRun, before: Seen | undefined, key: RunKey = stored.run): void {
    this.#held.set(keyOf(key), { stored, version: (before?.version ?? 0) + 1 });
  }

  async #see(key: RunKey): Promise<Seen | undefined> {
    await this.#ready();
    const item = await this.#table.get(runKey(key));
    return item && seenOf(item, this.#now());
  }

  async #find({ jobId, runId }: RunKey, token: string): Promise<Found> {
    const known: StoredRun[] = [];
    const names = new Set<string>();
    for (let name: string | undefined = jobId; name !== undefined && !names.has(name); ) {
      names.add(name);
      const keys = [runKey({ jobId: name, runId }), aliasKey(name)];
      const [item, alias]: (Item | undefined)[] = await this.#table.getAll(keys);
      const seen = item && seenOf(item, this.#now());
      if (seen?.stored !== undefined) {
        if (isOwnedBy(seen.stored.run, token)) return { owned: seen, known: [seen.stored] };
        known.push(seen.stored);
      }
      name = alias && textOf(alias, 'to');
    }
    return { owned: undefined, known };
  }

  /** What a claim has to know of its job. Its version comes first: what is read after it is as new, or newer. */
  async #readJob(claim: Claim): Promise<JobRead> {
    const { jobId, scheduledTime, at, concurrencyPolicy } = claim;
    const [item, controlItem] = await this.#table.getAll([runKey(claim), controlKey(jobId)]);
    const control = controlOf(controlItem);
    const underWay = this.#ofJob(jobId, 'order', 'U#', 'U$');
    const owedBefore = this.#ofJob(jobId, 'order', 'P#', `P#${instantKey(scheduledTime)}`);
    const isOwedAsked = concurrencyPolicy !== 'allow';
    const [unfinished, owed, pauses] = await Promise.all([
      this.#items(underWay),
      isOwedAsked ? this.#first(owedBefore, OWED_LOOKED_AT) : [],
      control.pausedUntil > Math.min(scheduledTime, at) ? this.#pausesOf(jobId) : [],
    ]);
    const seen = new Map<string, Seen>();
    const storedOf = (read: Item): StoredRun => {
      const stored = storedRunOf(read);
      seen.set(stored.run.runId, { stored, version: numberOf(read, 'version') });
      return stored;
    };
    const owedRuns = owed.map(storedOf);
    return {
      existing: item && seenOf(item, this.#now()),
      ...{ control, seen },
      situation: {
        unfinished: unfinished.map(storedOf),
        owedBefore: (instant) => owedRuns.filter(({ run }) => run.scheduledTime < instant),
        settled: control.newest,
        pauses: pauses.map(({ pause }) => pause),
      },
    };
  }

  async #runsOfJob(jobId: string, limit: number, before: Run | undefined): Promise<readonly Run[]> {
    const runs: Run[] = [];
    const end = before === undefined ? ':' : creationKey({ ...before, jobId });
    const query = { ...this.#ofJob(jobId, 'created', '0', end), ScanIndexForward: false, Limit: limit + 1 };
    for await (const item of this.#table.query(query)) {
      if (runs.length >= limit) break;
      // A range has its end in it.
      if (isGone(item, this.#now()) || textOf(item, 'created') === end) continue;
      runs.push(storedRunOf(item).run);
    }
    return runs;
  }

  async #runsOfAll(limit: number, before: Run | undefined): Promise<readonly Run[]> {
    const runs: Run[] = [];
    let end = before === undefined ? ':' : creationKey(before);
    while (runs.length < limit) {
      const keys: Item[] = [];
      const wanted = limit - runs.length;
      await inParallel(ALL_RUNS, async (shard) => {
        const query = {
          IndexName: INDEX.allByCreation,
          KeyConditionExpression: '#shard = :shard AND #created < :end',
          ExpressionAttributeNames: { '#shard': 'shard', '#created': 'created' },
          ExpressionAttributeValues: itemOf({ ':shard': shard, ':end': end }),
          ...{ ScanIndexForward: false, Limit: wanted },
        };
        keys.push(...(await this.#first(query, wanted)));
      });
      const newest = keys
        .sort((a, b) => (textOf(a, 'created') < textOf(b, 'created') ? 1 : -1))
        .slice(0, wanted);
      runs.push(...(await this.#runsAt(newest)));
      if (newest.length < wanted) break;
      end = textOf(newest.at(-1) as Item, 'created');
    }
    return runs;
  }

  /** The runs that index keys stand for, in their order, without those that are gone. */
  async #runsAt(items: readonly Item[]): Promise<Run[]> {
    const keys = items.map((item) => ({ pk: textOf(item, 'pk'), sk: textOf(item, 'sk') }));
    const found = await this.#table.getAll(keys);
    return found.flatMap((item) =>
      item === undefined || isGone(item, this.#now()) ? [] : [storedRunOf(item).run],
    );
  }

  /** Index keys of runs that are not over, in a range of `due`. */
  async #toDo(range: Range): Promise<Item[]> {
    await this.#ready();
    const items: Item[] = [];
    await inParallel(RUNS_TO_DO, async (shard) => {
      items.push(...(await this.#items(this.#toDoQuery(shard, range))));
    });
    return items;
  }

  #toDoQuery(partition: string, [from, to]: Range) {
    return {
      IndexName: INDEX.toDo,
      KeyConditionExpression: '#todo = :todo AND #due BETWEEN :from AND :to',
      ExpressionAttributeNames: { '#todo': 'todo', '#due': 'due' },
      ExpressionAttributeValues: itemOf({ ':todo': partition, ':from': from, ':to': to }),
    };
  }

  /** Items of a job in a range of its sort key or of a local index, up to date. */
  #ofJob(jobId: string, attribute: 'sk' | 'created' | 'order', from: string, to: string) {
    const indexes = { sk: undefined, created: INDEX.byCreation, order: INDEX.byOrder };
    const IndexName = indexes[attribute];
    return {
      ...(IndexName !== undefined && { IndexName, Select: 'ALL_ATTRIBUTES' as const }),
      KeyConditionExpression: '#pk = :pk AND #sort BETWEEN :from AND :to',
      ExpressionAttributeNames: { '#pk': 'pk', '#sort': attribute },
      ExpressionAttributeValues: itemOf({ ':pk': jobKey(jobId), ':from': from, ':to': to }),
      ConsistentRead: true,
    };
  }

  async #items(query: Parameters<DynamoDbTable['query']>[0]): Promise<Item[]> {
    return await this.#first(query, Number.POSITIVE_INFINITY);
  }

  async #first(query: Parameters<DynamoDbTable['query']>[0], limit: number): Promise<Item[]> {
    const items: Item[] = [];
    for await (const page of this.#table.pages(query)) {
      items.push(...page);
      if (items.length >= limit) break;
    }
    return items.slice(0, limit);
  }

  async #livingItems(query: Parameters<DynamoDbTable['query']>[0]): Promise<Item[]> {
    return (await this.#items(query)).filter((item) => !isGone(item, this.#now()));
  }

  /** Records of a crontab's jobs of one kind. */
  async #records(crontab: string, prefix: string): Promise<Item[]> {
    await this.#ready();
    const items: Item[] = [];
    await inParallel(crontabShards(crontab), async (shard) => {
      items.push(...(await this.#livingItems({ ...prefixQuery(shard, prefix), ConsistentRead: true })));
    });
    return items;
  }

  async #pausesOf(jobId: string): Promise<PauseRecord[]> {
    const key = pauseKey(jobId, '');
    const items = await this.#livingItems({ ...recordsQuery(key), ConsistentRead: true });
    const records = items.map((item) => ({
      pause: pauseOf(item),
      rest: textOf(item, 'sk').slice(key.sk.length),
    }));
    return records.sort((a, b) => a.pause.from - b.pause.from);
  }

  #changePauses<T>(
    jobId: string,
    decide: (pauses: readonly PauseRecord[]) => { result: T; write?: readonly PauseRecord[] },
  ): Promise<T> {
    return this.#inTurn(jobId, () =>
      untilUndisturbed(this.#table, async () => {
        const control = controlOf(await this.#table.get(controlKey(jobId)));
        const pauses = await this.#pausesOf(jobId);
        const { result, write } = decide(pauses);
        if (write === undefined) return { result };
        const changed = new Map(write.map((one) => [one.rest, one]));
        const after = [...pauses.filter(({ rest }) => !changed.has(rest)), ...write];
        const until = pausedUntil(after.map(({ pause }) => pause));
        const { writes } = writesOf({ jobId, runs: [], control: { version: control, pausedUntil: until } });
        const puts = write.map(({ rest, pause }) => ({ put: pauseItem(pause, rest) }));
        const refused = await this.#table.write([...writes, ...puts]);
        return refused === undefined ? { result } : 'disturbed';
      }),
    );
  }

  async #changeSchedules(crontab: string, { at, closed, opened }: ScheduleChange): Promise<void> {
    if (closed.length === 0 && opened.length === 0) return;
    await this.#keepZoneTables(opened);
    const closing = new Set(closed);
    const changing = new Set([...closed, ...opened.map(({ jobId }) => jobId)]);
    const current = (await this.#records(crontab, 'SCHED#')).filter(({ until }) => until === undefined);
    const deletes: { pk: string; sk: string }[] = [];
    const puts: Item[] = [];
    const key = (item: Item) => ({ pk: textOf(item, 'pk'), sk: textOf(item, 'sk') });
    const openedKeys = new Set<string>();
    for (const interval of opened) {
      const item = scheduleItem(interval, instantKey(interval.from), zoneHash(interval.table));
      openedKeys.add(textOf(item, 'sk'));
      puts.push(item);
    }
    const intervals = await this.#intervals(current);
    for (const [index, item] of current.entries()) {
      const interval = intervals[index] as ScheduleInterval;
      const { jobId, from } = interval;
      if (openedKeys.has(textOf(item, 'sk'))) continue;
      // What begins at this very moment was opened by the same change before, and its answer was lost.
      if (from === at && changing.has(jobId)) deletes.push(key(item));
      else if (closing.has(jobId)) {
        const rest = textOf(item, 'sk').slice(scheduleKey(jobId, '').sk.length);
        puts.push(scheduleItem({ ...interval, until: at }, rest, textOf(item, 'zoneTable')));
      }
    }
    await this.#table.writeAll(puts, deletes);
  }

  /** Thousands of schedules share a few zone tables. */
  async #keepZoneTables(intervals: readonly ScheduleInterval[]): Promise<void> {
    const tables = new Set(intervals.map(({ table }) => table));
    const items = new Map<string, Item>();
    for (const table of tables) {
      const hash = zoneHash(table);
      items.set(hash, itemOf({ ...zoneTableKey(hash), zoneTable: JSON.stringify(table) }));
    }
    await this.#table.writeAll([...items.values()]);
  }

  async #intervals(items: readonly Item[]): Promise<ScheduleInterval[]> {
    const unknown = [...new Set(items.map((item) => textOf(item, 'zoneTable')))].filter(
      (hash) => !this.#zoneTables.has(hash),
    );
    for (const item of await this.#table.getAll(unknown.map(zoneTableKey))) {
      if (item === undefined) continue;
      this.#zoneTables.set(textOf(item, 'sk'), JSON.parse(textOf(item, 'zoneTable')) as ZoneTable);
    }
    return items.map((item) =>
      scheduleOf(item, this.#zoneTables.get(textOf(item, 'zoneTable')) as ZoneTable),
    );
  }

  /** Deletes pieces of former plans. */
  async #clearPlans(crontab: string): Promise<void> {
    const pk = crontabKey(crontab);
    const query = {
      KeyConditionExpression: '#pk = :pk AND #sk BETWEEN :from AND :to',
      ExpressionAttributeNames: { '#pk': 'pk', '#sk': 'sk' },
      ProjectionExpression: '#pk, #sk',
      ExpressionAttributeValues: itemOf({
        ...{ ':pk': pk, ':from': 'PLAN#', ':to': `PLAN#${instantKey(this.#now() - PLAN_KEPT_MS)}` },
      }),
    };
    const old = (await this.#items(query)).map((item) => textOf(item, 'sk'));
    if (old.length === 0) return;
    // Looked at after them: one that came in force meanwhile may have been written long ago.
    const head = await this.#table.get(planHeadKey(crontab));
    const deletes = old
      .filter((sk) => head === undefined || !sk.startsWith(`PLAN#${textOf(head, 'id')}#`))
      .map((sk) => ({ pk, sk }));
    await this.#table.writeAll([], deletes);
  }
}

type Range = readonly [from: string, to: string];

interface PauseRecord {
  /** What comes after the job in its sort key. */
  readonly rest: string;
  readonly pause: PauseInterval;
}

/** A job as a claim has read it. */
interface JobRead {
  readonly existing: Seen | undefined;
  readonly control: Control;
  readonly situation: JobSituation;
  readonly seen: ReadonlyMap<string, Seen>;
}

/** What is there instead of what a write took for granted; of each run, undefined when it was not at fault. */
interface Refused {
  readonly runs: readonly ({ readonly seen: Seen | undefined } | undefined)[];
  readonly control?: Control;
  readonly incident?: Incident | undefined;
}

const NOTIFICATION_IS_AS_SEEN = '#due = :due';
/** And not put off to that time already: then this is a repetition, whose answer was lost. */
const NOTIFICATION_IS_THERE = 'attribute_exists(#due) AND #due <> :due';
const PIECE_IS_THERE = 'attribute_exists(#pk)';
const TURN_IS_FREE = 'attribute_not_exists(#pk) OR #token = :token OR #until <= :at';
const MODE_IS_MINE = 'attribute_not_exists(#pk) OR #isDryRun = :mine';

/** What a claim's decision stands on: a job that is as it was read, or one in which nothing goes on. */
function controlOfClaim(claim: Claim, result: ClaimResult, read: Control | undefined): ControlWrite {
  const { scheduledTime, at, concurrencyPolicy, trigger } = claim;
  const started =
    result.outcome === 'won' && result.run.status === 'running' && followsOrder(result.run)
      ? startOf(result.run)
      : undefined;
  if (read !== undefined) {
    const newest = started && laterStart(read.newest, started);
    return { version: read, ...(newest !== undefined && { newest, isNewestProven: true }) };
  }
  const isOrdered = concurrencyPolicy !== 'allow' && result.outcome !== 'paused' && followsOrder(result.run);
  return {
    ...(trigger !== 'manual' && { notPausedAt: Math.min(scheduledTime, at) }),
    ...(concurrencyPolicy !== 'allow' && { isNothingOpen: true }),
    ...(isOrdered && { noStartAfter: scheduledTime }),
    ...(started !== undefined && { newest: started }),
  };
}

function newOwed(owed: Owed, existing: StoredRun | undefined): StoredRun | undefined {
  return existing === undefined ? owedRun(owed) : undefined;
}

function notificationOf(item: Item): Notification {
  const notification = parsed<Notification>(item, 'notification') as Notification;
  return { ...notification, tries: numberOf(item, 'tries') };
}

function prefixQuery(pk: string, prefix: string) {
  return {
    KeyConditionExpression: prefix === '' ? '#pk = :pk' : '#pk = :pk AND begins_with(#sk, :prefix)',
    ExpressionAttributeNames: { '#pk': 'pk', ...(prefix !== '' && { '#sk': 'sk' }) },
    ExpressionAttributeValues: itemOf({ ':pk': pk, ...(prefix !== '' && { ':prefix': prefix }) }),
  };
}

const recordsQuery = ({ pk, sk }: { readonly pk: string; readonly sk: string }) => prefixQuery(pk, sk);

const zoneHash = (table: ZoneTable): string => sha256Hex(JSON.stringify(table));

function byJob(a: { readonly jobId: string }, b: { readonly jobId: string }): number {
  if (a.jobId === b.jobId) return 0;
  return a.jobId < b.jobId ? -1 : 1;
}

const keyOf = ({ jobId, runId }: RunKey): string => JSON.stringify([jobId, runId]);
