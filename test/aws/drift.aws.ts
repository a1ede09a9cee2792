import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateScheduleCommand,
  DeleteScheduleCommand,
  GetScheduleCommand,
  SchedulerClient,
  UpdateScheduleCommand,
} from '@aws-sdk/client-scheduler';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { launch } from '../support/kuber-cron.ts';
import { buildFunctions } from '../support/synthesize.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { Cdk } from './cdk.ts';
import { CREDENTIALS, clientOf, REGION, startMoto } from './moto.ts';
import { describeMoto } from './needs.ts';
import { type Server, stop } from './tools.ts';

const FOLDER = temporaryFolder();
const CRONTAB = join(FOLDER, 'shop');
const TEXT = `CRON_TZ=Europe/Berlin
# kuber-cron: defaults timeout=1m
# kuber-cron: name=backup memory=1Gi
30 4 * * *  true
# kuber-cron: name=report allow=both-day-fields
0 6 1 * 1   true
# kuber-cron: name=resting suspend
0 5 * * *   true
`;
const GroupName = 'kuber-cron';

describeMoto('drift of a real deployment', () => {
  let aws: Server;
  let scheduler: SchedulerClient;
  let cdk: Cdk;
  let context: Record<string, string>;

  async function deploy(...command: string[]): Promise<void> {
    const outcome = await cdk.run([...command, '--method', 'direct', '--require-approval', 'never'], {
      context,
    });
    if (outcome.code !== 0) throw new Error(outcome.stderr + outcome.stdout);
  }

  /** What the command says, by the schedules that it names. */
  async function drift(...argv: string[]) {
    const env = {
      ...{
        HOME: FOLDER,
        AWS_REGION: REGION,
        AWS_ENDPOINT_URL: aws.endpoint,
        AWS_EC2_METADATA_DISABLED: 'true',
      },
      ...{ AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId, AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey },
    };
    const { code, stdout, stderr } = await launch(
      ['kuber-cron', 'drift', '--shards', '2', '--format', 'json', ...argv, CRONTAB],
      { env },
    );
    expect(stderr).toBe('');
    const { expected, drift } = JSON.parse(stdout);
    type Found = { schedule: string; kind: string; differences: { field: string }[] };
    const found = (drift as Found[]).map(({ schedule, kind, differences }) => [
      schedule,
      [kind, ...differences.map(({ field }) => field)].join(' '),
    ]);
    return { code, expected, found: Object.fromEntries(found) };
  }

  /** Changes a deployed schedule as a person in the console would. */
  async function edit(Name: string, change: object): Promise<void> {
    const { $metadata: _, ...now } = await scheduler.send(new GetScheduleCommand({ GroupName, Name }));
    const { FlexibleTimeWindow, Target, ScheduleExpression } = now;
    const whole = { ...now, Name, FlexibleTimeWindow, Target, ScheduleExpression };
    await scheduler.send(new UpdateScheduleCommand({ ...whole, ...change }));
  }

  beforeAll(async () => {
    aws = await startMoto();
    scheduler = new SchedulerClient(clientOf(aws));
    cdk = new Cdk(FOLDER, aws);
    context = { crontab: CRONTAB, functions: buildFunctions(FOLDER), shards: '2' };
    writeFileSync(CRONTAB, TEXT);
    expect(await cdk.bootstrap({ context })).toMatchObject({ code: 0 });
    await deploy('deploy', '--all');
  });
  afterAll(async () => {
    scheduler.destroy();
    await stop(aws);
  });

  test('there is none after the deployment', async () => {
    expect(await drift()).toEqual({ code: 0, expected: 5, found: {} });
  });

  test('it is told what was not deployed with these values', async () => {
    expect(await drift('--memory', '256')).toEqual({
      ...{ code: 1, expected: 5 },
      found: {
        'shop--report--0': 'changed Target.Arn',
        'shop--report--1': 'changed Target.Arn',
        'shop--resting--0': 'changed Target.Arn',
      },
    });
  });

  test('what people did by hand is told, and is gone when the stacks of the schedules were made anew', async () => {
    await edit('shop--backup--0', { ScheduleExpression: 'cron(0 5 * * ? *)', Description: 'later' });
    await edit('shop--report--0', { State: 'DISABLED' });
    await edit('shop--resting--0', { State: 'ENABLED' });
    await edit('watchdog', { State: 'DISABLED' });
    await scheduler.send(new DeleteScheduleCommand({ GroupName, Name: 'shop--report--1' }));
    const { $metadata: _, ...like } = await scheduler.send(
      new GetScheduleCommand({ GroupName, Name: 'shop--resting--0' }),
    );
    const { FlexibleTimeWindow, Target, ScheduleExpression } = like;
    const create = (Name: string) =>
      scheduler.send(
        new CreateScheduleCommand({ GroupName, Name, FlexibleTimeWindow, Target, ScheduleExpression }),
      );
    await create('test');
    expect(await drift()).toEqual({
      ...{ code: 1, expected: 5 },
      found: {
        'shop--backup--0': 'changed Description ScheduleExpression',
        'shop--report--0': 'disabled State',
        'shop--report--1': 'missing',
        'shop--resting--0': 'changed State',
        test: 'extra',
        watchdog: 'disabled State',
      },
    });

    // CloudFormation takes what is gone for deleted, moto does not.
    await create('shop--report--1');
    const destroyed = await cdk.run(
      ['destroy', 'Cron/Schedules0', 'Cron/Schedules1', '--exclusively', '--force'],
      {
        context,
      },
    );
    expect(destroyed).toMatchObject({ code: 0 });
    await deploy('deploy', '--all');
    expect(await drift()).toEqual({
      ...{ code: 1, expected: 5 },
      found: { test: 'extra', watchdog: 'disabled State' },
    });
  });
});
