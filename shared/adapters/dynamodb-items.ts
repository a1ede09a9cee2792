import { gunzipSync, gzipSync } from 'node:zlib';
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { JobState } from '../core/run/job-state.ts';
import {
  type Attempt,
  FINAL_STATUSES,
  type FinalStatus,
  type OperatorRequest,
  type Owner,
  type Run,
  type RunOutput,
} from '../core/run/run.ts';
import { followsOrder, type NewestStart, type StoredRun } from '../core/run/run-transitions.ts';
import type { EpochMs } from '../core/schedule/zone-table.ts';
import { runIndexKeys, runKey, TTL_ATTRIBUTE } from '../core/target/dynamodb-schema.ts';

export type Item = Record<string, AttributeValue>;

/** What an attribute of ours holds; a value that is undefined has no attribute. */
type Value = string | number | boolean | Uint8Array;
type Fields = Readonly<Record<string, Value | undefined>>;

export function attribute(value: Value): AttributeValue {
  if (typeof value === 'string') return { S: value };
  if (typeof value === 'number') return { N: String(value) };
  return typeof value === 'boolean' ? { BOOL: value } : { B: value };
}

export function itemOf(fields: Fields): Item {
  const item: Item = {};
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) item[name] = attribute(value);
  return item;
}

/** A text attribute. @throws Error when the item has none: not one of ours */
export function textOf(item: Item, name: string): string {
  const value = item[name]?.S;
  if (value === undefined) throw new Error(`item ${item.pk?.S} ${item.sk?.S} has no ${name}`);
  return value;
}

/** A numeric attribute. @throws Error when the item has none: not one of ours */
export function numberOf(item: Item, name: string): number {
  const value = item[name]?.N;
  if (value === undefined) throw new Error(`item ${item.pk?.S} ${item.sk?.S} has no ${name}`);
  return Number(value);
}

const optionalText = (item: Item, name: string): string | undefined => item[name]?.S;
const optionalNumber = (item: Item, name: string): number | undefined =>
  item[name]?.N === undefined ? undefined : Number(item[name].N);

/** Lone surrogates, which a cut output may begin with, pass the wire as JSON has them, and not otherwise. */
export const json = (value: object | undefined): string | undefined =>
  value === undefined ? undefined : JSON.stringify(value);

export function parsed<T>(item: Item, name: string): T | undefined {
  const text = item[name]?.S;
  return text === undefined ? undefined : (JSON.parse(text) as T);
}

/** When DynamoDB may delete an item: never before `expiresAt`. Epoch seconds. */
export const ttlOf = (expiresAt: EpochMs | undefined): number | undefined =>
  expiresAt === undefined ? undefined : Math.ceil(expiresAt / 1000);

/** DynamoDB deletes within days of its time: until then, what is over is there and must not be seen. */
export function isGone(item: Item, now: EpochMs): boolean {
  const ttl = optionalNumber(item, TTL_ATTRIBUTE);
  return ttl !== undefined && ttl * 1000 <= now;
}

/** An item as it was read: every write of it raises its version. */
export interface Seen {
  readonly version: number;
  /** Undefined when its time is over: it counts as gone, and may be written anew. */
  readonly stored: StoredRun | undefined;
}

export function runItem({ run, holdsLock, expiresAt }: StoredRun, version: number): Item {
  const { owner, cancelRequest, requests, attempts, ...rest } = run;
  return itemOf({
    ...runKey(run),
    ...rest,
    owner: json(owner),
    cancelRequest: json(cancelRequest),
    requests: json(requests),
    attempts: json(attempts),
    holdsLock,
    version,
    [TTL_ATTRIBUTE]: ttlOf(expiresAt),
    ...runIndexKeys(run, followsOrder(run)),
  });
}

const OPTIONAL_TEXTS = ['reason', 'blockedBy', 'cause'] as const;
const OPTIONAL_NUMBERS = [
  'spanFrom',
  'finishedAt',
  'notBefore',
  'startBy',
  'handedAt',
  'maxActiveRuns',
  'leaseUntil',
] as const;

export function storedRunOf(item: Item): StoredRun {
  const ttl = optionalNumber(item, TTL_ATTRIBUTE);
  const run: Run = {
    jobId: textOf(item, 'jobId'),
    runId: textOf(item, 'runId'),
    scheduledTime: numberOf(item, 'scheduledTime'),
    trigger: textOf(item, 'trigger') as Run['trigger'],
    status: textOf(item, 'status') as Run['status'],
    planHash: textOf(item, 'planHash'),
    createdAt: numberOf(item, 'createdAt'),
    ...present(item, OPTIONAL_TEXTS, optionalText),
    ...present(item, OPTIONAL_NUMBERS, optionalNumber),
    ...defined('owner', parsed<Owner>(item, 'owner')),
    ...defined('cancelRequest', parsed<OperatorRequest>(item, 'cancelRequest')),
    ...defined('requests', parsed<OperatorRequest[]>(item, 'requests')),
    attempts: parsed<Attempt[]>(item, 'attempts') ?? [],
  };
  const holdsLock = item.holdsLock?.BOOL ?? false;
  return { run, holdsLock, ...(ttl === undefined ? {} : { expiresAt: ttl * 1000 }) };
}

export function seenOf(item: Item, now: EpochMs): Seen {
  return { version: numberOf(item, 'version'), stored: isGone(item, now) ? undefined : storedRunOf(item) };
}

function present(
  item: Item,
  names: readonly string[],
  read: (item: Item, name: string) => string | number | undefined,
): object {
  return Object.assign({}, ...names.map((name) => defined(name, read(item, name))));
}

function defined(name: string, value: unknown): object {
  return value === undefined ? {} : { [name]: value };
}

/** What a claim looks at beside the runs of its job. */
export interface Control {
  /** Undefined when there is none yet. */
  readonly version: number | undefined;
  readonly newest: NewestStart | undefined;
  /** No pause covers an instant from here on. */
  readonly pausedUntil: EpochMs;
}

export function controlOf(item: Item | undefined): Control {
  if (item === undefined) return { version: undefined, newest: undefined, pausedUntil: 0 };
  const instant = optionalNumber(item, 'newest');
  return {
    version: optionalNumber(item, 'version'),
    newest: instant === undefined ? undefined : { instant, runId: textOf(item, 'newestRunId') },
    pausedUntil: optionalNumber(item, 'pausedUntil') ?? 0,
  };
}

export function stateOf(item: Item): JobState {
  const runs: Partial<Record<FinalStatus, number>> = {};
  for (const status of FINAL_STATUSES) {
    const count = optionalNumber(item, status);
    if (count !== undefined) runs[status] = count;
  }
  return {
    jobId: textOf(item, 'jobId'),
    runs,
    attempts: optionalNumber(item, 'attempts') ?? 0,
    ...defined('last', parsed(item, 'last')),
    ...present(item, ['lastSuccessAt', 'lastFailureAt'], optionalNumber),
    ...defined('incident', parsed(item, 'incident')),
  };
}

export function stateItem({ jobId, runs, attempts, ...rest }: JobState, key: Item, version: number): Item {
  const { last, lastSuccessAt, lastFailureAt, incident } = rest;
  const texts = { last: json(last), incident: json(incident) };
  return { ...key, ...itemOf({ jobId, version, attempts, ...runs, lastSuccessAt, lastFailureAt, ...texts }) };
}

/** Bytes of each stream that are kept here: every KiB is billed, and the whole is in the logs. */
const OUTPUT_BYTES = 4 * 1024;

/** The end of an output, in the size that is kept here. */
export function shortened({ stdout, stderr }: RunOutput): RunOutput {
  return { stdout: tailOf(stdout), stderr: tailOf(stderr) };
}

function tailOf(tail: RunOutput['stdout']): RunOutput['stdout'] {
  const { text, droppedBytes } = tail;
  const surplus = Buffer.byteLength(text) - OUTPUT_BYTES;
  if (surplus <= 0) return tail;
  let dropped = 0;
  let start = 0;
  // Whole characters: half of one is no text.
  for (const character of text) {
    if (dropped >= surplus) break;
    dropped += Buffer.byteLength(character);
    start += character.length;
  }
  return { text: text.slice(start), droppedBytes: droppedBytes + dropped };
}

/** Bytes of a piece of a plan: an item holds 400 KB with its keys. */
const CHUNK_BYTES = 350 * 1024;

/** A plan as items can hold it: a thousand jobs fit one piece, and more need several. */
export function packed(value: object): Uint8Array[] {
  const bytes = gzipSync(JSON.stringify(value));
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) chunks.push(bytes.subarray(at, at + CHUNK_BYTES));
  return chunks;
}

export function unpacked<T>(chunks: readonly Uint8Array[]): T {
  return JSON.parse(gunzipSync(Buffer.concat(chunks)).toString()) as T;
}
