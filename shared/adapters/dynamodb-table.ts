import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  BatchGetItemCommand,
  BatchWriteItemCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  type QueryCommandInput,
  type TransactWriteItem,
  TransactWriteItemsCommand,
  UpdateItemCommand,
  type UpdateItemCommandInput,
  type WriteRequest,
} from '@aws-sdk/client-dynamodb';
import type { TableKey } from '../core/target/dynamodb-schema.ts';
import { asDynamoDbError, DynamoDbError } from './dynamodb-error.ts';
import { type Item, itemOf } from './dynamodb-items.ts';

/** The SDK's own tries of one request: throttling, 5xx, time-outs and broken connections. */
const SDK_ATTEMPTS = 5;
/** An answer that takes longer is lost, and asked for again. Milliseconds. */
const REQUEST_TIMEOUT_MS = 4_000;
const CONNECT_TIMEOUT_MS = 2_000;

/** Tries of what the SDK does not try again: transactions that met others, batches that were taken in part. */
const TRIES = 10;
/** The longest wait before the second try; it doubles with each. Milliseconds. */
const FIRST_WAIT_MS = 25;
const LONGEST_WAIT_MS = 1_000;

/** Requests under way at once; a busy minute has thousands. Below the SDK's 50 connections: time-outs run while a request waits for one. */
const REQUESTS_AT_ONCE = 48;

/** Limits of the service. @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html */
const BATCH_GET_KEYS = 100;
const BATCH_WRITE_ITEMS = 25;
/** Batches under way at once. */
const PARALLEL = 8;

/** Region, endpoint and credentials from the environment, as every tool of AWS has them. */
export function createClient(): DynamoDBClient {
  return new DynamoDBClient({
    maxAttempts: SDK_ATTEMPTS,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      throwOnRequestTimeout: true,
    },
  });
}

/** A write of a transaction; the table's name is added. */
export type Write =
  | { readonly put: Item; readonly when?: string; readonly names?: Names; readonly values?: Item }
  | {
      readonly update: TableKey;
      readonly set: string;
      readonly when?: string;
      readonly names?: Names;
      readonly values?: Item;
    }
  | { readonly delete: TableKey; readonly when?: string; readonly names?: Names; readonly values?: Item }
  | { readonly check: TableKey; readonly when: string; readonly names?: Names; readonly values?: Item };
type Names = Readonly<Record<string, string>>;

/** Of each write that was refused by its condition: what is there. `undefined` for a write that was not at fault. */
export type Refusal = readonly ({ readonly item: Item | undefined } | undefined)[];

/** Reads and writes one table; what fails is tried again where that can help, then thrown as a `DynamoDbError`. */
export class DynamoDbTable {
  readonly #client: DynamoDBClient;
  readonly #gate = new Gate(REQUESTS_AT_ONCE);
  readonly name: string;

  constructor(client: DynamoDBClient, name: string) {
    this.#client = client;
    this.name = name;
  }

  async get({ pk, sk }: TableKey): Promise<Item | undefined> {
    const input = { TableName: this.name, Key: itemOf({ pk, sk }), ConsistentRead: true };
    const { Item } = await this.#guard('GetItem', () =>
      this.#gate.pass(() => this.#client.send(new GetItemCommand(input))),
    );
    return Item;
  }

  /** When an answer was sent by the clock of the service, to the second; undefined when its head does not say. */
  async time({ pk, sk }: TableKey): Promise<number | undefined> {
    const command = new GetItemCommand({ TableName: this.name, Key: itemOf({ pk, sk }) });
    let date: string | undefined;
    command.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args);
        date = (result.response as { headers?: Record<string, string> }).headers?.date;
        return result;
      },
      { step: 'deserialize', priority: 'low' },
    );
    await this.#guard('GetItem', () => this.#gate.pass(() => this.#client.send(command)));
    const time = Date.parse(date ?? '');
    return Number.isNaN(time) ? undefined : time;
  }

  /**
   * Items in the order of their keys, up to date; those that are not there are undefined.
   *
   * @param attributes all where left out; else these, beside the keys
   */
  async getAll(keys: readonly TableKey[], attributes?: readonly string[]): Promise<(Item | undefined)[]> {
    const found = new Map<string, Item>();
    const once = new Map(keys.map((key) => [keyText(key.pk, key.sk), key]));
    await inParallel(chunksOf([...once.values()], BATCH_GET_KEYS), async (chunk) => {
      let wanted = chunk.map(({ pk, sk }) => itemOf({ pk, sk }));
      for (let round = 0; wanted.length > 0; round++) {
        if (round > 0) await this.#rest(round, 'BatchGetItem');
        const asked = { Keys: wanted, ConsistentRead: true, ...projectionOf(attributes) };
        const input = { RequestItems: { [this.name]: asked } };
        const { Responses, UnprocessedKeys } = await this.#guard('BatchGetItem', () =>
          this.#gate.pass(() => this.#client.send(new BatchGetItemCommand(input))),
        );
        for (const item of Responses?.[this.name] ?? []) found.set(keyText(item.pk?.S, item.sk?.S), item);
        const left = UnprocessedKeys?.[this.name]?.Keys ?? [];
        if (left.length < wanted.length) round = 0;
        wanted = left;
      }
    });
    return keys.map(({ pk, sk }) => found.get(keyText(pk, sk)));
  }

  /** All items of a query, page by page. @param input without the table */
  async *query(input: Omit<QueryCommandInput, 'TableName'>): AsyncGenerator<Item> {
    for await (const page of this.pages(input)) yield* page;
  }

  async *pages(input: Omit<QueryCommandInput, 'TableName'>): AsyncGenerator<readonly Item[]> {
    let from: Item | undefined;
    do {
      const page = { ...input, TableName: this.name, ...(from && { ExclusiveStartKey: from }) };
      const { Items, LastEvaluatedKey } = await this.#guard('Query', () =>
        this.#gate.pass(() => this.#client.send(new QueryCommand(page))),
      );
      yield Items ?? [];
      from = LastEvaluatedKey;
    } while (from !== undefined);
  }

  /**
   * Writes all or nothing. An answer that was lost is asked for again under the same token, and then is the first one's.
   *
   * @returns undefined when all is written; else what stood in the way
   */
  async write(writes: readonly Write[]): Promise<Refusal | undefined> {
    const [only] = writes;
    if (writes.length === 1 && only !== undefined && 'put' in only) return this.#put(only);
    const input = {
      TransactItems: writes.map((write) => this.#transactItem(write)),
      ClientRequestToken: randomUUID(),
    };
    for (let round = 1; ; round++) {
      try {
        await this.#gate.pass(() => this.#client.send(new TransactWriteItemsCommand(input)));
        return undefined;
      } catch (error) {
        const refusal = refusalOf(error);
        if (refusal !== undefined) return refusal;
        if (!meetsOthers(error) || round >= TRIES) throw this.#error(error, 'TransactWriteItems');
        await pause(round);
      }
    }
  }

  async #put({ put, when, names, values }: Write & { readonly put: Item }): Promise<Refusal | undefined> {
    const input = {
      ...{ TableName: this.name, Item: put, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const },
      ...expressionOf({ when, names, values }),
    };
    for (let round = 1; ; round++) {
      try {
        await this.#gate.pass(() => this.#client.send(new PutItemCommand(input)));
        return undefined;
      } catch (error) {
        if (nameOf(error) === 'ConditionalCheckFailedException')
          return [{ item: (error as { Item?: Item }).Item }];
        if (!meetsOthers(error) || round >= TRIES) throw this.#error(error, 'PutItem');
        await pause(round);
      }
    }
  }

  /** @returns the item after it; undefined when the condition does not hold */
  async update(
    input: Omit<UpdateItemCommandInput, 'TableName' | 'Key'>,
    key: TableKey,
  ): Promise<Item | undefined> {
    const command = new UpdateItemCommand({
      ...{ ...input, TableName: this.name, Key: itemOf({ ...key }), ReturnValues: 'ALL_NEW' },
    });
    try {
      const { Attributes } = await this.#gate.pass(() => this.#client.send(command));
      return Attributes ?? {};
    } catch (error) {
      if (nameOf(error) === 'ConditionalCheckFailedException') return undefined;
      throw this.#error(error, 'UpdateItem');
    }
  }

  /** Writes in no order, each by itself. */
  async writeAll(puts: readonly Item[], deletes: readonly TableKey[] = []): Promise<void> {
    const requests: WriteRequest[] = [
      ...puts.map((item) => ({ PutRequest: { Item: item } })),
      ...deletes.map(({ pk, sk }) => ({ DeleteRequest: { Key: itemOf({ pk, sk }) } })),
    ];
    await inParallel(chunksOf(requests, BATCH_WRITE_ITEMS), async (chunk) => {
      let left = [...chunk];
      for (let round = 0; left.length > 0; round++) {
        if (round > 0) await this.#rest(round, 'BatchWriteItem');
        const { UnprocessedItems } = await this.#guard('BatchWriteItem', () =>
          this.#gate.pass(() =>
            this.#client.send(new BatchWriteItemCommand({ RequestItems: { [this.name]: left } })),
          ),
        );
        const unprocessed = UnprocessedItems?.[this.name] ?? [];
        if (unprocessed.length < left.length) round = 0;
        left = unprocessed;
      }
    });
  }

  close(): void {
    this.#client.destroy();
  }

  #transactItem(write: Write): TransactWriteItem {
    const common = {
      TableName: this.name,
      ...(write.when !== undefined && { ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const }),
    };
    if ('put' in write) return { Put: { ...common, ...expressionOf(write), Item: write.put } };
    if ('update' in write) {
      const Key = itemOf({ ...write.update });
      return { Update: { ...common, ...expressionOf(write), Key, UpdateExpression: write.set } };
    }
    if ('delete' in write)
      return { Delete: { ...common, ...expressionOf(write), Key: itemOf({ ...write.delete }) } };
    const Key = itemOf({ ...write.check });
    return { ConditionCheck: { ...common, ...expressionOf(write), ConditionExpression: write.when, Key } };
  }

  /** Waits before what was taken in part is asked for again. @throws DynamoDbError after too many in vain */
  async #rest(round: number, command: string): Promise<void> {
    if (round >= TRIES) {
      const throttled = Object.assign(new Error('unprocessed'), { name: 'ThrottlingException' });
      throw this.#error(throttled, command);
    }
    await pause(round);
  }

  async #guard<T>(command: string, send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      throw this.#error(error, command);
    }
  }

  #error(error: unknown, command: string): unknown {
    return asDynamoDbError(plainCause(error), this.name, command);
  }
}

/** Lets so many pass at once, in the order in which they came. */
class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(size: number) {
    this.#free = size;
  }

  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

/** Tries a decision until nothing has changed under it. @throws DynamoDbError after many rounds */
export async function untilUndisturbed<T>(
  table: DynamoDbTable,
  round: () => Promise<{ readonly result: T } | 'disturbed'>,
): Promise<T> {
  for (let count = 1; count <= TRIES; count++) {
    const done = await round();
    if (done !== 'disturbed') return done.result;
    // The first time, what there is was in the answer; later, others are at it again and again.
    if (count > 1) await pause(count - 1);
  }
  throw new DynamoDbError('busy', table.name, {
    what: 'others change the same job all the time',
    help: 'it is tried again; if that goes on, see how many processes claim its runs',
  });
}

/** Does work for all of a list, some at a time. @throws the first failure, when nothing is under way any more */
export async function inParallel<T>(list: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const left = list.values();
  const failures: unknown[] = [];
  const worker = async () => {
    try {
      // A write that arrived after the failure was told could undo what was written since.
      for (const one of left) if (failures.length === 0) await work(one);
    } catch (error) {
      failures.push(error);
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, list.length) }, worker));
  if (failures.length > 0) throw failures[0];
}

export function chunksOf<T>(list: readonly T[], size: number): T[][] {
  const chunks: T[][] = [];
  for (let at = 0; at < list.length; at += size) chunks.push(list.slice(at, at + size));
  return chunks;
}

function expressionOf({
  when,
  names,
  values,
}: {
  when?: string | undefined;
  names?: Names | undefined;
  values?: Item | undefined;
}) {
  return {
    ...(when !== undefined && { ConditionExpression: when }),
    ...(names !== undefined && { ExpressionAttributeNames: { ...names } }),
    ...(values !== undefined && Object.keys(values).length > 0 && { ExpressionAttributeValues: values }),
  };
}

function projectionOf(attributes: readonly string[] | undefined) {
  if (attributes === undefined) return {};
  const all = ['pk', 'sk', ...attributes];
  return {
    ProjectionExpression: all.map((name) => `#${name}`).join(', '),
    ExpressionAttributeNames: Object.fromEntries(all.map((name) => [`#${name}`, name])),
  };
}

const keyText = (pk: string | undefined, sk: string | undefined) => JSON.stringify([pk, sk]);

const nameOf = (error: unknown): string => (error as Error | undefined)?.name ?? '';

interface Reason {
  readonly Code?: string;
  readonly Item?: Item;
  readonly Message?: string;
}

const reasonsOf = (error: unknown): readonly Reason[] =>
  nameOf(error) === 'TransactionCanceledException'
    ? ((error as { CancellationReasons?: Reason[] }).CancellationReasons ?? [])
    : [];

function refusalOf(error: unknown): Refusal | undefined {
  const reasons = reasonsOf(error);
  if (!reasons.some(({ Code }) => Code === 'ConditionalCheckFailed')) return undefined;
  return reasons.map(({ Code, Item }) => (Code === 'ConditionalCheckFailed' ? { item: Item } : undefined));
}

/** What another try can mend, and the SDK does not try again. */
const PASSING = ['TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded'];

function meetsOthers(error: unknown): boolean {
  if (nameOf(error) === 'TransactionConflictException' || nameOf(error) === 'TransactionInProgressException')
    return true;
  return reasonsOf(error).some(({ Code }) => PASSING.includes(Code ?? ''));
}

/** A cancelled transaction is told of by what cancelled it. */
function plainCause(error: unknown): unknown {
  const reason = reasonsOf(error).find(({ Code }) => Code !== undefined && Code !== 'None');
  if (reason?.Code === undefined) return error;
  const { Code, Message = '' } = reason;
  const name = PASSING.includes(Code)
    ? 'ThrottlingException'
    : Code.replace(/(?:Error|Exception)?$/, 'Exception');
  return Object.assign(new Error(Message, { cause: error }), { name });
}

/** Full jitter: those who met once shall not meet again. */
async function pause(round: number): Promise<void> {
  await sleep(Math.random() * Math.min(FIRST_WAIT_MS * 2 ** (round - 1), LONGEST_WAIT_MS));
}
