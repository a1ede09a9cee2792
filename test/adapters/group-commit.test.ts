import { describe, expect, test } from '@jest/globals';
import { GroupCommit, type Transact } from '../../shared/adapters/group-commit.ts';

/** A list that a transaction appends to; what throws leaves it as it was. */
function fakeDatabase(fail: { readonly begin?: true; readonly commit?: true } = {}) {
  let rows: readonly string[] = [];
  const transactions: (readonly string[])[] = [];
  const transact: Transact = (action) => {
    const before = rows;
    try {
      if (fail.begin) throw new Error('no begin');
      const result = action();
      if (fail.commit) throw new Error('no commit');
      transactions.push(rows.slice(before.length));
      return result;
    } catch (error) {
      rows = before;
      throw error;
    }
  };
  const append = (row: string) => () => {
    if (row === 'bad') throw new Error('bad row');
    rows = [...rows, row];
    return rows.length;
  };
  return { transact, append, transactions };
}

const outcomes = async (promises: readonly Promise<number>[]) =>
  (await Promise.allSettled(promises)).map((result) =>
    result.status === 'fulfilled' ? result.value : (result.reason as Error).message,
  );

describe('writes of one turn', () => {
  test.each<[string, string[], (number | string)[], string[][]]>([
    ['are one transaction in their order', ['a', 'b', 'c'], [1, 2, 3], [['a', 'b', 'c']]],
    [
      'are done one by one when one of them is at fault',
      ['a', 'bad', 'c'],
      [1, 'bad row', 2],
      [['a'], ['c']],
    ],
    ['are not repeated when there is only the one at fault', ['bad'], ['bad row'], []],
  ])('%s', async (_fact, rows, expected, transactions) => {
    const database = fakeDatabase();
    const writes = new GroupCommit(database.transact);
    expect(await outcomes(rows.map((row) => writes.submit(database.append(row))))).toStrictEqual(expected);
    expect(database.transactions).toStrictEqual(transactions);
  });

  test.each([
    ['begin', { begin: true }, 'no begin'],
    ['commit', { commit: true }, 'no commit'],
  ] as const)('all fail when the database does not %s', async (_step, fail, message) => {
    const database = fakeDatabase(fail);
    const writes = new GroupCommit(database.transact);
    const promises = ['a', 'b'].map((row) => writes.submit(database.append(row)));
    expect(await outcomes(promises)).toStrictEqual([message, message]);
    expect(database.transactions).toStrictEqual([]);
  });

  test('are joined by what their turn leads to, up to its end', async () => {
    const database = fakeDatabase();
    const writes = new GroupCommit(database.transact);
    const first = writes.submit(database.append('a'));
    await Promise.resolve();
    const second = writes.submit(database.append('b'));
    await Promise.all([first, second]);
    await writes.submit(database.append('c'));
    expect(database.transactions).toStrictEqual([['a', 'b'], ['c']]);
  });

  test('are done at once when asked for', async () => {
    const database = fakeDatabase();
    const writes = new GroupCommit(database.transact);
    const write = writes.submit(database.append('a'));
    writes.flush();
    expect(database.transactions).toStrictEqual([['a']]);
    expect(await write).toBe(1);
  });
});
