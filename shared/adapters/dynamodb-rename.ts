import { renamedState } from '../core/run/job-state.ts';
import { isFinal } from '../core/run/run.ts';
import { laterStart, renamedRun, type StoredRun } from '../core/run/run-transitions.ts';
import type { EpochMs } from '../core/schedule/zone-table.ts';
import {
  aliasKey,
  controlKey,
  jobKey,
  outputKey,
  pauseKey,
  runKey,
  scheduleKey,
  stateKey,
  type TableKey,
} from '../core/target/dynamodb-schema.ts';
import {
  controlOf,
  type Item,
  isGone,
  itemOf,
  numberOf,
  runItem,
  stateItem,
  stateOf,
  storedRunOf,
  textOf,
} from './dynamodb-items.ts';
import { pausedUntil, pauseItem, pauseOf, scheduleItem, scheduleOf } from './dynamodb-records.ts';
import { chunksOf, type DynamoDbTable, inParallel, untilUndisturbed, type Write } from './dynamodb-table.ts';

/** Runs that are moved in one transaction: each is two writes, and the control of both names two more. */
const MOVED_AT_ONCE = 40;

/**
 * Moves what a job has to its new name. Each step moves what is still there, so it may be cut off anywhere and made
 * again; owners find their runs by the alias, which comes first.
 */
export async function renameJob(
  table: DynamoDbTable,
  from: string,
  to: string,
  now: () => EpochMs,
): Promise<void> {
  if (from === to) return;
  await table.write([{ put: itemOf({ ...aliasKey(from), to }) }]);
  await moveRecords(table, from, to);
  await moveNewest(table, from, to);
  await moveState(table, from, to);
  await moveRuns(table, from, to, now);
  await moveOutputs(table, from, to);
}

/** Pauses and schedules, and with the pauses what a claim looks at instead of them. */
async function moveRecords(table: DynamoDbTable, from: string, to: string): Promise<void> {
  const [pauses, schedules] = [pauseKey(from, ''), scheduleKey(from, '')];
  for await (const item of table.query(prefixQuery(schedules))) {
    const rest = restOf(item, schedules, from);
    const schedule = { ...scheduleOf(item, NO_TABLE), jobId: to };
    await table.writeAll([scheduleItem(schedule, rest, textOf(item, 'zoneTable'))]);
    await table.writeAll([], [keyOf(item)]);
  }
  const moved: Item[] = [];
  for await (const item of table.query(prefixQuery(pauses))) moved.push(item);
  if (moved.length === 0) return;
  await untilUndisturbed(table, async () => {
    const { version, pausedUntil: before } = controlOf(await table.get(controlKey(to)));
    const until = Math.max(before, pausedUntil(moved.map(pauseOf)));
    const refused = await table.write([
      {
        update: controlKey(to),
        set: 'SET #pausedUntil = :until ADD #version :one',
        ...versionIs(version),
        names: { '#version': 'version', '#pausedUntil': 'pausedUntil' },
        values: { ...versionIs(version).values, ...itemOf({ ':until': until, ':one': 1 }) },
      },
    ]);
    return refused === undefined ? { result: undefined } : 'disturbed';
  });
  for (const item of moved) {
    await table.writeAll([pauseItem({ ...pauseOf(item), jobId: to }, restOf(item, pauses, from))]);
    await table.writeAll([], [keyOf(item)]);
  }
}

async function moveNewest(table: DynamoDbTable, from: string, to: string): Promise<void> {
  await untilUndisturbed(table, async () => {
    const [old, present] = (await table.getAll([controlKey(from), controlKey(to)])).map(controlOf);
    if (old?.newest === undefined) return { result: undefined };
    const newest = present?.newest === undefined ? old.newest : laterStart(present.newest, old.newest);
    const names = { '#version': 'version', '#newest': 'newest', '#newestRunId': 'newestRunId' };
    const refused = await table.write([
      {
        update: controlKey(from),
        set: 'REMOVE #newest, #newestRunId ADD #version :one',
        ...{ when: versionIs(old.version).when, names },
        values: { ...versionIs(old.version).values, ...itemOf({ ':one': 1 }) },
      },
      {
        update: controlKey(to),
        set: 'SET #newest = :newest, #newestRunId = :runId ADD #version :one',
        ...{ when: versionIs(present?.version).when, names },
        values: {
          ...versionIs(present?.version).values,
          ...itemOf({ ':newest': newest.instant, ':runId': newest.runId, ':one': 1 }),
        },
      },
    ]);
    return refused === undefined ? { result: undefined } : 'disturbed';
  });
}

async function moveState(table: DynamoDbTable, from: string, to: string): Promise<void> {
  await untilUndisturbed(table, async () => {
    const [old, present] = await table.getAll([stateKey(from), stateKey(to)]);
    if (old === undefined) return { result: undefined };
    const state = renamedState(stateOf(old), present && stateOf(present), to);
    const seen = present && numberOf(present, 'version');
    const was = versionIs(numberOf(old, 'version'));
    const is = versionIs(seen);
    const names = { '#version': 'version' };
    const refused = await table.write([
      { delete: stateKey(from), when: was.when, names, values: was.values },
      {
        put: stateItem(state, itemOf({ ...stateKey(to) }), (seen ?? 0) + 1),
        ...{ when: is.when, names, values: is.values },
      },
    ]);
    return refused === undefined ? { result: undefined } : 'disturbed';
  });
}

async function moveRuns(table: DynamoDbTable, from: string, to: string, now: () => EpochMs): Promise<void> {
  const query = prefixQuery({ pk: jobKey(from), sk: 'RUN#' });
  for await (const page of table.pages(query)) {
    const runs = page.filter((item) => !isGone(item, now()));
    await inParallel(chunksOf(runs, MOVED_AT_ONCE), async (chunk) => {
      const left = await moveTogether(table, to, chunk);
      // One that is at fault must not keep the others.
      for (const item of left) await moveAlone(table, to, textOf(item, 'runId'), from);
    });
  }
}

/** @returns the items that are not moved, because one of them is in the way */
async function moveTogether(
  table: DynamoDbTable,
  to: string,
  items: readonly Item[],
): Promise<readonly Item[]> {
  const refused = await table.write(
    items.flatMap((item) => moveOf(item, to)).concat(controlMoves(items, to)),
  );
  return refused === undefined ? [] : items;
}

/** The new name may have a run of that time itself: then both are kept, each under its own. */
async function moveAlone(table: DynamoDbTable, to: string, runId: string, from: string): Promise<void> {
  await untilUndisturbed(table, async () => {
    const keys = [runKey({ jobId: from, runId }), runKey({ jobId: to, runId })];
    const [item, other] = await table.getAll(keys);
    if (item === undefined || other !== undefined) return { result: undefined };
    const left = await moveTogether(table, to, [item]);
    return left.length === 0 ? { result: undefined } : 'disturbed';
  });
}

const IS_NEW = 'attribute_not_exists(#pk)';
const IS_AS_SEEN = '#version = :seen';

function moveOf(item: Item, to: string): Write[] {
  const stored = storedRunOf(item);
  const moved: StoredRun = { ...stored, run: renamedRun(stored.run, to) };
  const version = numberOf(item, 'version');
  const seen = { names: { '#version': 'version' }, values: itemOf({ ':seen': version }) };
  return [
    { put: runItem(moved, version + 1), when: IS_NEW, names: { '#pk': 'pk' } },
    { delete: keyOf(item), when: IS_AS_SEEN, ...seen },
  ];
}

/** Runs that are not over are counted with their job. */
function controlMoves(items: readonly Item[], to: string): Write[] {
  const open = items.map(storedRunOf).filter(({ run }) => !isFinal(run.status));
  const [first] = open;
  if (first === undefined) return [];
  const count = (jobId: string, by: number): Write => ({
    update: controlKey(jobId),
    set: 'ADD #version :one, #open :by',
    names: { '#version': 'version', '#open': 'open' },
    values: itemOf({ ':one': 1, ':by': by }),
  });
  return [count(first.run.jobId, -open.length), count(to, open.length)];
}

/** Outputs follow their runs, and stay with those that stay. */
async function moveOutputs(table: DynamoDbTable, from: string, to: string): Promise<void> {
  for await (const page of table.pages(prefixQuery({ pk: jobKey(from), sk: 'OUT#' }))) {
    const moves = page.map((item) => {
      const [, runId = '', attempt = ''] = /^OUT#(.*)#(\d+)$/.exec(textOf(item, 'sk')) ?? [];
      return { item, runId, attempt: Number(attempt) };
    });
    const stayed = await table.getAll(moves.map(({ runId }) => runKey({ jobId: from, runId })));
    const moved = moves.filter((_move, index) => stayed[index] === undefined);
    const puts = moved.map(({ item, runId, attempt }) => ({
      ...item,
      ...itemOf({ ...outputKey({ jobId: to, runId }, attempt) }),
    }));
    await table.writeAll(puts);
    await table.writeAll(
      [],
      moved.map(({ item }) => keyOf(item)),
    );
  }
}

/** A schedule's table is kept by its hash, which moves as it is. */
const NO_TABLE = { zone: '', from: 0, until: 0, offset: 0, changes: [] } as const;

/** What comes after the new name: the new name may have a record that begins at the same moment. */
function restOf(item: Item, { sk }: TableKey, from: string): string {
  return `${textOf(item, 'sk').slice(sk.length)}#${from}`;
}

const keyOf = (item: Item): TableKey => ({ pk: textOf(item, 'pk'), sk: textOf(item, 'sk') });

function versionIs(version: number | undefined): { readonly when: string; readonly values: Item } {
  return version === undefined
    ? { when: 'attribute_not_exists(#version)', values: {} }
    : { when: '#version = :seen', values: itemOf({ ':seen': version }) };
}

function prefixQuery({ pk, sk }: TableKey) {
  return {
    KeyConditionExpression: '#pk = :pk AND begins_with(#sk, :prefix)',
    ExpressionAttributeNames: { '#pk': 'pk', '#sk': 'sk' },
    ExpressionAttributeValues: itemOf({ ':pk': pk, ':prefix': sk }),
    ConsistentRead: true,
  };
}
