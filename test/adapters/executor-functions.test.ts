import type { LambdaClient } from '@aws-sdk/client-lambda';
import { expect, test } from '@jest/globals';
import { ExecutorFunctions } from '../../shared/adapters/executor-functions.ts';
import { readExecutorEvent } from '../../shared/core/target/delivery.ts';
import { jobOf } from '../support/plan-of.ts';

const runId = '2026-03-29T01:30Z';

test.each([
  ['of the usual size', '', 'shop-executor-512'],
  ['of the size that its job asks for', 'memory=900Mi', 'shop-executor-1024'],
])(
  'a run is started by the executor %s, which takes the event and is not waited for',
  async (_what, options, name) => {
    const sent: { Payload: string }[] = [];
    const client = { send: async ({ input }: { input: { Payload: string } }) => sent.push(input) };
    const job = jobOf(`# kuber-cron: name=backup ${options}\n30 1 * * * run\n`);
    await new ExecutorFunctions('shop', 512, client as unknown as LambdaClient).start({
      crontab: 'shop',
      job,
      runId,
    });
    const [{ Payload }] = sent as [{ Payload: string }];
    expect(sent).toStrictEqual([{ FunctionName: name, InvocationType: 'Event', Payload }]);
    expect(readExecutorEvent(JSON.parse(Payload), Date.parse(runId))).toStrictEqual({
      ok: true,
      event: { kind: 'start', crontab: 'shop', job: 'backup', runId },
    });
  },
);

test('an executor that cannot be told says so in one sentence', async () => {
  const send = async () => {
    throw Object.assign(new Error('Rate exceeded'), { name: 'TooManyRequestsException' });
  };
  const executors = new ExecutorFunctions('shop', 512, { send } as unknown as LambdaClient);
  const job = jobOf('# kuber-cron: name=backup\n30 1 * * * run\n');
  await expect(executors.start({ crontab: 'shop', job, runId })).rejects.toThrow(
    'executor shop-executor-512: Lambda is asked too often at this moment; try again in a minute',
  );
});
