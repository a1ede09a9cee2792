import { describe, expect, test } from '@jest/globals';
import { starterOf, targetOf, whenStarted } from '../../cli/operator.ts';
import { kuberCron } from '../support/kuber-cron.ts';
import { jobOf } from '../support/plan-of.ts';

const FILE = { path: '/nonexistent/store.sqlite' };
const TABLE = { path: '/nonexistent/dynamodb/runs/store', table: 'runs' };

describe('on a table, functions of AWS may be who starts runs:', () => {
  test.each<[targets: string, ofFile: string | undefined, ofTable: string | undefined]>([
    ['', 'daemon', 'daemon'],
    [' targets=daemon', 'daemon', 'daemon'],
    [' targets=aws,daemon', 'daemon', 'daemon'],
    [' targets=aws', undefined, 'aws'],
    [' targets=kubernetes', undefined, undefined],
  ])('a job with `%s` is started as %s from a file, and as %s from a table', (targets, ofFile, ofTable) => {
    const job = jobOf(`# kuber-cron: name=one${targets}\n0 4 * * * true\n`);
    expect([targetOf(job, FILE), targetOf(job, TABLE)]).toEqual([ofFile, ofTable]);
  });

  test('messages name them', () => {
    expect([starterOf(FILE), starterOf(TABLE)]).toEqual(['daemon', 'watchdog or daemon']);
    expect(whenStarted(FILE)).toBe('no daemon works on this store: nothing starts until one does');
    expect(whenStarted(TABLE)).toBe(
      'the watchdog of the deployment looks each minute, a daemon that works on this table within 15s',
    );
  });
});

test.each([[['prune']], [['prune', '--dry-run']]])('%j has nothing to do on a table', async (argv) => {
  expect(await kuberCron([...argv, '--store', 'dynamodb:runs'])).toEqual({
    code: 0,
    stdout:
      'nothing to do: DynamoDB deletes by itself what is over, within days, and until then nothing shows it\n',
    stderr: '',
  });
});
