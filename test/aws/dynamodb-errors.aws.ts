import { randomUUID } from 'node:crypto';
import { CreateTableCommand } from '@aws-sdk/client-dynamodb';
import { expect, test } from '@jest/globals';
import { DynamoDbRunStore } from '../../shared/adapters/dynamodb-run-store.ts';
import type { RunStore } from '../../shared/core/run/run-store.ts';
import { claimOf, finishOf, SPRING_NIGHT } from '../support/run-claims.ts';
import { createTable, describeDynamoDb, localClient } from './tables.ts';

const client = localClient();
const now = () => SPRING_NIGHT;
const open = (table: string, isDryRun?: boolean) =>
  new DynamoDbRunStore(table, { client, now, ...(isDryRun !== undefined && { isDryRun }) });

/** A table of somebody else, with other keys. */
async function foreignTable(): Promise<string> {
  const TableName = `foreign-${randomUUID()}`;
  await client.send(
    new CreateTableCommand({
      ...{ TableName, BillingMode: 'PAY_PER_REQUEST' },
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    }),
  );
  return TableName;
}

describeDynamoDb('on DynamoDB', () => {
  const calls: [string, (store: RunStore) => Promise<unknown>][] = [
    ['a claim', (store) => store.claim(claimOf())],
    ['an end', (store) => store.finish(finishOf(claimOf()))],
    ['a look at a run', (store) => store.run('shop/backup', 'x')],
    ['a list', (store) => store.runs({ limit: 9 })],
    ['a heartbeat', (store) => store.extend('shop/backup', 'x', 'token-1', 5)],
    ['a cursor', (store) => store.setCursor('shop', 5)],
    ['a message', (store) => store.settleNotification('x', { nextTryAt: 5 })],
  ];

  test.each(calls)('%s on a table that is not there says so, and what to do', async (_what, call) => {
    await expect(call(open('no-such-table'))).rejects.toMatchObject({
      ...{ name: 'StoreError', problem: 'unwritable', file: 'dynamodb:no-such-table' },
      message: expect.stringMatching(
        /^run store dynamodb:no-such-table: there is no such table .*AWS_REGION/,
      ),
    });
  });

  test.each(calls)('%s on a table of somebody else says that it is not ours', async (_what, call) => {
    await expect(call(open(await foreignTable()))).rejects.toMatchObject({ problem: 'foreign' });
  });

  test.each(calls)('%s on a store that is closed says so', async (_what, call) => {
    const store = open('runs');
    await store.close();
    await store.close();
    await expect(call(store)).rejects.toMatchObject({
      message: 'run store dynamodb:runs: it is closed; open it again',
    });
  });

  test.each<[first: boolean, second: boolean, isOpened: boolean]>([
    [false, false, true],
    [true, true, true],
    [false, true, false],
    [true, false, false],
  ])('after a daemon with dry run %p, one with dry run %p may work: %p', async (first, second, isOpened) => {
    const table = await createTable(client);
    await open(table, first).setCursor('shop', 5);
    const cursor = open(table, second).cursor('shop');
    if (isOpened) expect(await cursor).toBe(5);
    else await expect(cursor).rejects.toMatchObject({ problem: 'foreign' });
    // Who reads only, asks for neither.
    expect(await open(table).cursor('shop')).toBe(5);
  });
});
