import { stableHash } from '../hash.ts';
import { HANDED_MS, type PendingCause, type Run } from '../run/run.ts';
import { crontabOf } from '../run/run-id.ts';
import type { EpochMs } from '../schedule/zone-table.ts';

/**
 * One table holds everything. `<n>` is a number from 0 to `SHARDS` - 1 that follows from the job id; instants in keys are
 * epoch milliseconds with leading zeros.
 *
 * | partition (`pk`) | sort key (`sk`) | holds |
 * |---|---|---|
 * | `JOB#<jobId>` | `RUN#<runId>` | a run, or a row that answers for a stretch; a final one has `ttl` |
 * | | `OUT#<runId>#<attempt>` | the end of what an attempt wrote |
 * | | `CONTROL` | what a claim looks at: version, runs that are not final, newest start, end of the last pause |
 * | | `ALIAS` | what the job is called now |
 * | `CRONTAB#<crontab>#<n>` | `STATE#<jobId>` | counters and last figures of a job |
 * | | `PAUSE#<jobId>#<from>` | a pause |
 * | | `SCHED#<jobId>#<from>` | a schedule, by hash of its zone table |
 * | `CRONTAB#<crontab>` | `CURSOR` | the newest minute that was handled |
 * | | `TURN` | who settles at this time |
 * | | `PLAN#<written>#<id>#<chunk>` | a piece of a plan: JSON, gzip |
 * | `CRONTABS` | `<crontab>` | the active plan: hash, since, id and number of pieces |
 * | `ZONES` | `<hash>` | a zone table |
 * | `NOTE#<id>` | `NOTE` | a notification that waits to be sent |
 * | `TABLE` | `MODE` | whether this is the store of a dry run |
 *
 * States, pauses and schedules are not in their job's partition: a crontab's are listed by one query a shard, without an
 * index that would double the price of each end of a run.
 *
 * Indexes hold keys alone, so a run that only changes writes none of them:
 *
 * | index | partition | sort key | finds |
 * |---|---|---|---|
 * | `by-creation` (local) | `pk` | `created` | runs of a job, newest first |
 * | `by-order` (local) | `pk` | `order` | of a job: what is under way `U#`, what is owed in order `P#`, stretches `S#` |
 * | `all-by-creation` | `shard` | `created` | runs of all jobs, newest first |
 * | `to-do` | `todo` | `due` | all that is not over: runs by shard, notifications by time |
 *
 * Local indexes can be read consistently, which the claim needs. They bound a job's partition to 10 GB: at 1 KB a run,
 * some ten million runs within its retention.
 */
export const SHARDS = 8;

export const INDEX = {
  byCreation: 'by-creation',
  byOrder: 'by-order',
  allByCreation: 'all-by-creation',
  toDo: 'to-do',
} as const;

/** Attribute by which DynamoDB deletes items that are over: epoch seconds. */
export const TTL_ATTRIBUTE = 'ttl';

/** What an item's key is. */
export interface TableKey {
  readonly pk: string;
  readonly sk: string;
}

type KeySchema = { AttributeName: string; KeyType: 'HASH' | 'RANGE' }[];

/** The table as CreateTable takes it, but for its name; TTL is set by UpdateTimeToLive afterwards. */
export function tableDefinition() {
  const keys = (partition: string, sort: string): KeySchema => [
    { AttributeName: partition, KeyType: 'HASH' },
    { AttributeName: sort, KeyType: 'RANGE' },
  ];
  const index = (IndexName: string, partition: string, sort: string) => ({
    IndexName,
    KeySchema: keys(partition, sort),
    Projection: { ProjectionType: 'KEYS_ONLY' as const },
  });
  const attributes = ['pk', 'sk', 'created', 'order', 'shard', 'todo', 'due'];
  return {
    BillingMode: 'PAY_PER_REQUEST' as const,
    KeySchema: keys('pk', 'sk'),
    AttributeDefinitions: attributes.map((AttributeName) => ({
      AttributeName,
      AttributeType: 'S' as const,
    })),
    LocalSecondaryIndexes: [index(INDEX.byCreation, 'pk', 'created'), index(INDEX.byOrder, 'pk', 'order')],
    GlobalSecondaryIndexes: [
      index(INDEX.allByCreation, 'shard', 'created'),
      index(INDEX.toDo, 'todo', 'due'),
    ],
  };
}

/** Sixteen digits hold every instant that a `Date` can. */
export function instantKey(instant: EpochMs): string {
  return String(instant).padStart(16, '0');
}

export const jobKey = (jobId: string): string => `JOB#${jobId}`;
export const runSortKey = (runId: string): string => `RUN#${runId}`;
export const runKey = ({ jobId, runId }: Pick<Run, 'jobId' | 'runId'>): TableKey => ({
  pk: jobKey(jobId),
  sk: runSortKey(runId),
});
export const outputKey = ({ jobId, runId }: Pick<Run, 'jobId' | 'runId'>, attempt: number): TableKey => ({
  pk: jobKey(jobId),
  sk: `OUT#${runId}#${attempt}`,
});
export const controlKey = (jobId: string): TableKey => ({ pk: jobKey(jobId), sk: 'CONTROL' });
export const aliasKey = (jobId: string): TableKey => ({ pk: jobKey(jobId), sk: 'ALIAS' });

export const shardOf = (jobId: string): number => stableHash(jobId) % SHARDS;
const everyShard = (name: (shard: number) => string): string[] =>
  Array.from({ length: SHARDS }, (_, shard) => name(shard));

const crontabShard = (crontab: string, shard: number) => `CRONTAB#${crontab}#${shard}`;
export const crontabShards = (crontab: string): string[] =>
  everyShard((shard) => crontabShard(crontab, shard));
const recordKey = (kind: string, jobId: string, rest: string): TableKey => ({
  pk: crontabShard(crontabOf(jobId), shardOf(jobId)),
  sk: `${kind}#${jobId}${rest}`,
});
export const stateKey = (jobId: string): TableKey => recordKey('STATE', jobId, '');
/** @param rest of the sort key: what comes after the job id */
export const pauseKey = (jobId: string, rest: string): TableKey => recordKey('PAUSE', jobId, `#${rest}`);
/** @param rest of the sort key: what comes after the job id */
export const scheduleKey = (jobId: string, rest: string): TableKey => recordKey('SCHED', jobId, `#${rest}`);

export const crontabKey = (crontab: string): string => `CRONTAB#${crontab}`;
export const cursorKey = (crontab: string): TableKey => ({ pk: crontabKey(crontab), sk: 'CURSOR' });
export const turnKey = (crontab: string): TableKey => ({ pk: crontabKey(crontab), sk: 'TURN' });
export const planHeadKey = (crontab: string): TableKey => ({ pk: 'CRONTABS', sk: crontab });
export const zoneTableKey = (hash: string): TableKey => ({ pk: 'ZONES', sk: hash });
export const notificationKey = (id: string): TableKey => ({ pk: `NOTE#${id}`, sk: 'NOTE' });
export const MODE_KEY: TableKey = { pk: 'TABLE', sk: 'MODE' };

/** Partition of `to-do` with the notifications. */
export const NOTIFICATIONS_TO_DO = 'NOTE';
const runsToDo = (shard: number) => `RUN#${shard}`;
/** Partitions of `to-do` with the runs. */
export const RUNS_TO_DO: readonly string[] = everyShard(runsToDo);
const allRuns = (shard: number) => `ALL#${shard}`;
/** Partitions of `all-by-creation`. */
export const ALL_RUNS: readonly string[] = everyShard(allRuns);

/** Keys of the indexes that a run stands in. @param followsOrder see `run-transitions.ts` */
export function runIndexKeys(run: Run, followsOrder: boolean): Readonly<Record<string, string>> {
  const { jobId, runId, status, scheduledTime, createdAt, cause, notBefore = 0, handedAt, spanFrom } = run;
  const [created, scheduled] = [instantKey(createdAt), instantKey(scheduledTime)];
  const shard = shardOf(jobId);
  const always = { created: creationKey(run), shard: allRuns(shard) };
  const todo = runsToDo(shard);
  switch (status) {
    case 'claimed':
    case 'running':
      return { ...always, order: `U#${created}#${runId}`, todo, due: `U#${jobId}#${created}#${runId}` };
    case 'pending': {
      const from = Math.max(notBefore, handedAt === undefined ? 0 : handedAt + HANDED_MS);
      const due = `${pendingPrefix(jobId, cause)}${scheduled}#${created}#${runId}#${instantKey(from)}`;
      return { ...always, ...(followsOrder && { order: `P#${scheduled}#${runId}` }), todo, due };
    }
    default:
      return { ...always, ...(spanFrom !== undefined && { order: `S#${scheduled}#${runId}` }) };
  }
}

/** Order of history within an index: time of creation, job, run id. */
export function creationKey({ createdAt, jobId, runId }: Pick<Run, 'createdAt' | 'jobId' | 'runId'>): string {
  return `${instantKey(createdAt)}#${jobId}#${runId}`;
}

/** What the `due` keys of a job's pending runs of one cause begin with. */
export function pendingPrefix(jobId: string, cause: PendingCause | undefined): string {
  return `P#${jobId}#${cause ?? ''}#`;
}

/** A pending run as its `due` key tells of it. */
export interface PendingKey {
  readonly jobId: string;
  readonly runId: string;
  readonly prefix: string;
  /** Or when it is no longer handed out. */
  readonly notBefore: EpochMs;
  /** Sorts by scheduled time, then creation, job and run id. */
  readonly order: string;
}

export function readPendingKey(due: string): PendingKey {
  const [, jobId = '', cause = '', scheduled = '', created = '', ...rest] = due.split('#');
  // A run id may hold the separator.
  const runId = rest.slice(0, -1).join('#');
  return {
    ...{ jobId, runId, prefix: `P#${jobId}#${cause}#`, notBefore: Number(rest.at(-1)) },
    order: `${scheduled}#${created}#${jobId}#${runId}`,
  };
}
