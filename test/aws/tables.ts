import { randomUUID } from 'node:crypto';
import {
  CreateTableCommand,
  DeleteItemCommand,
  DeleteTableCommand,
  DynamoDBClient,
  paginateScan,
} from '@aws-sdk/client-dynamodb';
import { describe } from '@jest/globals';
import { DynamoDbRunStore, type DynamoDbRunStoreOptions } from '../../shared/adapters/dynamodb-run-store.ts';
import { lazyRunStore } from '../../shared/adapters/lazy-run-store.ts';
import type { RunStore } from '../../shared/core/run/run-store.ts';
import { TTL_ATTRIBUTE, tableDefinition } from '../../shared/core/target/dynamodb-schema.ts';
import { SPRING_NIGHT } from '../support/run-claims.ts';

const endpoint = process.env.KUBERCRON_TEST_DYNAMODB;

/** Tests that need DynamoDB Local; why they are skipped is said once, at the start of the suite. */
export const describeDynamoDb = endpoint === undefined ? describe.skip : describe;

/** A client of DynamoDB Local, which takes any credentials. */
export function localClient(): DynamoDBClient {
  return new DynamoDBClient({
    ...(endpoint !== undefined && { endpoint }),
    region: 'eu-central-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
}

export async function createTable(client: DynamoDBClient): Promise<string> {
  const TableName = `runs-${randomUUID()}`;
  await client.send(new CreateTableCommand({ TableName, ...tableDefinition() }));
  return TableName;
}

/** A store whose table goes when it is closed, and which deletes by TTL when it is told the time, as the service does. */
class StoreWithItsTable extends DynamoDbRunStore {
  readonly #client = localClient();
  readonly #table: string;

  constructor(table: string, options: DynamoDbRunStoreOptions) {
    super(table, options);
    this.#table = table;
  }

  override async expired(now = 0): Promise<number> {
    return (await this.#over(now)).filter(({ sk }) => sk.startsWith('RUN#')).length;
  }

  override async prune(now = 0, limit = 0): Promise<number> {
    const over = await this.#over(now);
    const runs = over.filter(({ sk }) => sk.startsWith('RUN#')).slice(0, limit);
    for (const { pk, sk } of [...runs, ...over.filter((one) => !one.sk.startsWith('RUN#'))]) {
      const Key = { pk: { S: pk }, sk: { S: sk } };
      await this.#client.send(new DeleteItemCommand({ TableName: this.#table, Key }));
    }
    return runs.length;
  }

  override async close(): Promise<void> {
    await super.close();
    await this.#client.send(new DeleteTableCommand({ TableName: this.#table })).catch(() => {});
    this.#client.destroy();
  }

  async #over(now: number): Promise<{ pk: string; sk: string; ttl: number }[]> {
    const items = [];
    for await (const { Items } of paginateScan({ client: this.#client }, { TableName: this.#table })) {
      for (const { pk, sk, [TTL_ATTRIBUTE]: ttl } of Items ?? [])
        items.push({ pk: pk?.S ?? '', sk: sk?.S ?? '', ttl: Number(ttl?.N ?? 'Infinity') });
    }
    return items.filter(({ ttl }) => ttl * 1000 <= now).sort((a, b) => a.ttl - b.ttl);
  }
}

/** An empty store, whose table is made by its first use. */
export function openTestStore(): RunStore {
  return lazyRunStore(async () => {
    const client = localClient();
    return new StoreWithItsTable(await createTable(client), { client, now: () => SPRING_NIGHT });
  });
}
