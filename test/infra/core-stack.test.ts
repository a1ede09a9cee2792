import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { Size, Stack } from 'aws-cdk-lib';
import { SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { Executor } from '../../infra/executor.ts';
import { KuberCron } from '../../infra/kuber-cron.ts';
import type { KuberCronProps } from '../../infra/kuber-cron-props.ts';
import { METRICS } from '../../shared/core/metrics/metrics.ts';
import { tableDefinition } from '../../shared/core/target/dynamodb-schema.ts';
import { FUNCTION_VARIABLES } from '../../shared/core/target/executor.ts';
import {
  buildFunctions,
  newApp,
  type Resource,
  resourceOf,
  resourcesOf,
  synthesize,
  type Template,
  writeCrontabs,
} from '../support/synthesize.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FOLDER = temporaryFolder();
const functions = buildFunctions(FOLDER);

const CRONTAB = `CRON_TZ=UTC
# kuber-cron: defaults timeout=10m
# kuber-cron: name=backup memory=1500Mi secrets=DATABASE_URL,API_KEY
30 4 * * *   true
# kuber-cron: name=report secrets=API_KEY
0 9 * * *    true
`;

function coreOf(change: Partial<KuberCronProps> = {}, crontab = CRONTAB): Template {
  const [core] = synthesize(FOLDER, { shop: crontab }, { secretsPath: '/shop/production', ...change });
  if (core === undefined) throw new Error('no stack');
  return core.template;
}

const core = coreOf();
const logicalId = (name: string) =>
  Object.entries(core.Resources).find(([, { Properties }]) => Properties.FunctionName === name)?.[0] ?? '';

describe('the run store', () => {
  test('is the table of the core with TTL and point-in-time recovery, and stays', () => {
    const { AttributeDefinitions, ...definition } = tableDefinition();
    const table = resourceOf(core, 'AWS::DynamoDB::Table');
    const { AttributeDefinitions: attributes, ...properties } = table.Properties;
    expect(properties).toEqual({
      ...definition,
      TimeToLiveSpecification: { AttributeName: 'ttl', Enabled: true },
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
    });
    expect(attributes).toEqual(expect.arrayContaining(AttributeDefinitions));
    expect(attributes).toHaveLength(AttributeDefinitions.length);
    expect(table.DeletionPolicy).toBe('Retain');
  });

  test('of a dry run is another one, and goes with it', () => {
    const { Resources } = coreOf({ dryRun: true });
    const tables = Object.entries(resourcesOf({ Resources }, 'AWS::DynamoDB::Table'));
    expect(
      tables.map(([id, { DeletionPolicy }]) => [id.replace(/[0-9A-F]{8}$/, ''), DeletionPolicy]),
    ).toEqual([['DryRuns', 'Delete']]);
  });
});

describe('the functions', () => {
  const properties = Object.values(resourcesOf(core, 'AWS::Lambda::Function')).map((one) => one.Properties);

  test.each<[name: string, memory: number, seconds: number]>([
    ['kuber-cron-executor-512', 512, 900],
    ['kuber-cron-executor-2048', 2048, 900],
    ['kuber-cron-watchdog', 512, 120],
  ])('have %s with %d MiB for %d seconds', (name, memory, seconds) => {
    const found = properties.find(({ FunctionName }) => FunctionName === name);
    expect(found).toMatchObject({
      Runtime: 'nodejs24.x',
      Handler: 'main.handler',
      MemorySize: memory,
      Timeout: seconds,
      Architectures: ['x86_64'],
      LoggingConfig: { LogFormat: 'Text' },
    });
    expect(Object.keys(found.Environment.Variables).sort()).toEqual(
      Object.values(FUNCTION_VARIABLES)
        .filter((one) => !name.endsWith('watchdog') || !/COMMAND_ROLE|SECRETS/.test(one))
        .sort(),
    );
    expect(found.Environment.Variables).toMatchObject({
      KUBERCRON_APP: 'kuber-cron',
      KUBERCRON_EXECUTOR_MEMORY: '512',
      KUBERCRON_METRICS_NAMESPACE: 'kuber-cron',
      KUBERCRON_STORE: { 'Fn::Join': ['', ['dynamodb:', { Ref: expect.stringMatching(/^Runs/) }]] },
    });
  });

  test.each([
    [{}, { KUBERCRON_JOB_METRICS: 'false', KUBERCRON_DRY_RUN: 'false' }],
    [{ jobMetrics: true }, { KUBERCRON_JOB_METRICS: 'true', KUBERCRON_DRY_RUN: 'false' }],
    [{ dryRun: true }, { KUBERCRON_JOB_METRICS: 'false', KUBERCRON_DRY_RUN: 'true' }],
  ])('are told by %j that %j', (change, variables) => {
    const all = Object.values(resourcesOf(coreOf(change), 'AWS::Lambda::Function'));
    expect(all).toHaveLength(3);
    for (const { Properties } of all) expect(Properties.Environment.Variables).toMatchObject(variables);
  });

  test('are an executor for each memory class that a job asks for, and the usual one', () => {
    const names = (change: Partial<KuberCronProps>, crontab?: string) =>
      Object.values(resourcesOf(coreOf(change, crontab), 'AWS::Lambda::Function')).map(
        (one) => one.Properties.FunctionName,
      );
    expect(names({}, '')).toEqual(['kuber-cron-executor-512', 'kuber-cron-watchdog']);
    expect(names({ memory: 768, name: 'test' })).toEqual([
      'test-executor-768',
      'test-executor-2048',
      'test-watchdog',
    ]);
  });

  test('keep logs for a month, or as long as is said', () => {
    const retention = (template: Template) =>
      Object.values(resourcesOf(template, 'AWS::Logs::LogGroup')).map(({ Properties, DeletionPolicy }) => [
        ...[Properties.LogGroupName, Properties.RetentionInDays, DeletionPolicy],
      ]);
    const names = ['executor-512', 'executor-2048', 'watchdog'].map((one) => `/aws/lambda/kuber-cron-${one}`);
    expect(retention(core)).toEqual(names.map((name) => [name, 30, 'Delete']));
    expect(retention(coreOf({ logRetention: 7 }))).toEqual(names.map((name) => [name, 7, 'Delete']));
  });

  test('try an event again that an executor could not take, and none of the watchdog', () => {
    const configurations = Object.values(resourcesOf(core, 'AWS::Lambda::EventInvokeConfig')).map(
      ({ Properties }) => [
        Properties.FunctionName.Ref,
        Properties.MaximumRetryAttempts,
        Properties.MaximumEventAgeInSeconds,
        Properties.DestinationConfig?.OnFailure.Destination['Fn::GetAtt'][0].replace(/[0-9A-F]{8}$/, ''),
      ],
    );
    expect(configurations).toEqual([
      [logicalId('kuber-cron-executor-512'), 2, 21_600, 'DeadLetters'],
      [logicalId('kuber-cron-executor-2048'), 2, 21_600, 'DeadLetters'],
      [logicalId('kuber-cron-watchdog'), 0, 60, undefined],
    ]);
  });

  test('have the bundle with the plans beside it, and nothing of what only others run', () => {
    const app = newApp(FOLDER);
    const elsewhere = '# kuber-cron: name=elsewhere targets=daemon\n@reboot true\n';
    const crontabs = writeCrontabs(FOLDER, { shop: CRONTAB + elsewhere, other: '' });
    new KuberCron(app, 'Cron', { crontabs, functions, secretsPath: '/shop' });
    const { directory, stacks } = app.synth();
    const [template] = stacks.filter(({ stackName }) => stackName.endsWith('-core'));
    for (const name of ['executor-512', 'watchdog']) {
      const { Code } = Object.values<Resource>(template?.template.Resources).find(
        ({ Properties }) => Properties?.FunctionName === `kuber-cron-${name}`,
      )?.Properties ?? { Code: undefined };
      const asset = join(directory, `asset.${Code.S3Key.replace('.zip', '')}`);
      expect(readFileSync(join(asset, 'main.mjs'), 'utf8')).toMatch(
        new RegExp(`^// ${name.split('-')[0]}\\n`),
      );
      const plan = JSON.parse(readFileSync(join(asset, 'plans', 'shop.json'), 'utf8'));
      expect(plan).toMatchObject({ format: 1, crontab: 'shop' });
      expect(plan.jobs.map((job: { name: string }) => job.name)).toEqual(['backup', 'report']);
      expect(Object.keys(plan.zones)).toEqual(['UTC']);
      expect(existsSync(join(asset, 'plans', 'other.json'))).toBe(true);
    }
  });

  test('can be an image of one’s own that finds the executor beside its Dockerfile', () => {
    const folder = join(FOLDER, 'image');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'Dockerfile'), 'FROM public.ecr.aws/lambda/nodejs:24\nCOPY kuber-cron/ ./\n');
    const app = newApp(FOLDER);
    const crontabs = writeCrontabs(FOLDER, { shop: '' });
    new KuberCron(app, 'Cron', { crontabs, functions, executor: Executor.image(folder) });
    const { directory, stacks } = app.synth();
    const [template] = stacks.filter(({ stackName }) => stackName.endsWith('-core'));
    const [executor, watchdog] = Object.values<Resource>(template?.template.Resources).filter(
      ({ Type }) => Type === 'AWS::Lambda::Function',
    );
    expect([executor?.Properties.PackageType, watchdog?.Properties.PackageType]).toEqual([
      'Image',
      undefined,
    ]);
    expect([executor?.Properties.Handler, executor?.Properties.Runtime]).toEqual([undefined, undefined]);
    const tag = executor?.Properties.Code.ImageUri['Fn::Sub'].split(':').at(-1);
    for (const file of ['Dockerfile', 'kuber-cron/main.mjs', 'kuber-cron/plans/shop.json']) {
      expect(existsSync(join(directory, `asset.${tag}`, file))).toBe(true);
    }
  });

  test('take what is said of network, storage and concurrency', () => {
    const app = newApp(FOLDER);
    const network = new Stack(app, 'Network');
    const vpc = new Vpc(network, 'Vpc', { maxAzs: 1 });
    const group = new SecurityGroup(network, 'Group', { vpc });
    const crontabs = writeCrontabs(FOLDER, { shop: '' });
    const cron = new KuberCron(app, 'Cron', {
      ...{ crontabs, functions, vpc, securityGroups: [group] },
      ...{ temporaryStorage: Size.gibibytes(2), reservedConcurrency: 5 },
    });
    const template = app.synth().getStackArtifact(cron.core.artifactId).template as Template;
    const [executor, watchdog] = Object.values(resourcesOf(template, 'AWS::Lambda::Function'));
    expect(executor?.Properties).toMatchObject({
      EphemeralStorage: { Size: 2048 },
      ReservedConcurrentExecutions: 5,
      VpcConfig: { SecurityGroupIds: [expect.anything()], SubnetIds: [expect.anything()] },
    });
    expect(watchdog?.Properties).not.toHaveProperty('VpcConfig');
    expect(watchdog?.Properties).not.toHaveProperty('ReservedConcurrentExecutions');
  });
});

/** Who may do what, of a template: roles, policies, and policies of queue and topic, a line for each action and place. */
function permissions({ Resources }: Template): string {
  const shown = (value: unknown): string => {
    const { Ref, 'Fn::Sub': sub, 'Fn::GetAtt': attribute, 'Fn::Join': join } = Object(value);
    if (join !== undefined) return join[1].map(shown).join('');
    const text =
      sub ?? Ref ?? attribute?.join('.') ?? (typeof value === 'string' ? value : JSON.stringify(value));
    // Whoever reads a change must not need to look up hashes.
    return text.replace(/\b([A-Z][A-Za-z]+)[0-9A-F]{8}\b/g, '$1');
  };
  const lines = (value: unknown) => [value].flat().map(shown);
  const statement = ({
    Sid,
    Effect,
    Action,
    Resource,
    Principal,
    Condition,
    ...rest
  }: Record<string, unknown>) => {
    if (Object.keys(rest).length > 0) throw new Error(`not shown: ${Object.keys(rest)}`);
    const conditions = Object.entries(Condition ?? {}).flatMap(([test, keys]) =>
      Object.entries(keys as object).map(([key, value]) => `    if ${test} ${key} ${shown(value)}`),
    );
    const principals = Object.entries(Object(typeof Principal === 'string' ? { Any: Principal } : Principal));
    return [
      `  ${Effect}${Sid === undefined ? '' : ` (${Sid})`}`,
      ...principals.map(([kind, who]) => `    to ${kind} ${shown(who)}`),
      ...lines(Action).map((one) => `    ${one}`),
      ...(Resource === undefined ? [] : lines(Resource).map((one) => `    on ${one}`)),
      ...conditions,
    ];
  };
  const sections = Object.entries(Resources).flatMap(([id, { Type, Properties }]) => {
    const {
      AssumeRolePolicyDocument: trust,
      Policies = [],
      PolicyDocument: own,
      ManagedPolicyArns = [],
    } = Properties;
    const documents = [trust, ...Policies.map((one: { PolicyDocument: unknown }) => one.PolicyDocument), own];
    const statements = documents.filter((one) => one !== undefined).flatMap((one) => one.Statement);
    if (statements.length === 0) return [];
    const { Roles = [] } = Properties;
    const of = Roles.length === 0 ? '' : ` of ${lines(Roles).join(', ')}`;
    const managed = lines(ManagedPolicyArns).map((one) => `  managed ${one}`);
    return [`${Type} ${shown(id)}${of}`, ...managed, ...statements.flatMap(statement), ''];
  });
  return sections.join('\n');
}

describe('what each part may do', () => {
  const GOLDEN = new URL('../fixtures/infra/permissions.txt', import.meta.url);

  test('is as the golden file has it', () => {
    const actual = permissions(core);
    if (process.env.UPDATE_GOLDENS === '1') writeFileSync(GOLDEN, actual);
    expect(actual).toBe(readFileSync(GOLDEN, 'utf8'));
  });

  /** Every statement that allows something, with the resource that it stands in. */
  function allowed(template: Template) {
    return Object.entries(template.Resources).flatMap(([id, { Properties }]) => {
      const inline = (Properties.Policies ?? []).map(
        (one: { PolicyDocument: unknown }) => one.PolicyDocument,
      );
      const documents = [...inline, Properties.PolicyDocument].filter((one) => one !== undefined);
      return documents
        .flatMap((one) => one.Statement)
        .filter(({ Effect }) => Effect === 'Allow')
        .map((one) => ({ id, actions: [one.Action].flat(), resources: [one.Resource].flat() }));
    });
  }

  test('has no wildcard but at the end of the names of log streams', () => {
    const open = allowed(core).flatMap(({ actions, resources }) => {
      const texts = [...actions, ...resources.map((one) => JSON.stringify(one))];
      return texts.filter((one) => one.includes('*'));
    });
    expect(open.sort()).toEqual(
      ['executor-2048', 'executor-512', 'watchdog'].map((name) =>
        JSON.stringify({
          'Fn::Sub': `arn:\${AWS::Partition}:logs:\${AWS::Region}:\${AWS::AccountId}:log-group:/aws/lambda/kuber-cron-${name}:*`,
        }),
      ),
    );
  });

  test('has the network’s actions on everything, where there is one: they know no resources', () => {
    const app = newApp(FOLDER);
    const vpc = new Vpc(new Stack(app, 'Network'), 'Vpc', { maxAzs: 1 });
    const cron = new KuberCron(app, 'Cron', {
      crontabs: writeCrontabs(FOLDER, { shop: '' }),
      functions,
      vpc,
    });
    const template = app.synth().getStackArtifact(cron.core.artifactId).template as Template;
    const open = allowed(template).filter(({ resources }) => resources.includes('*'));
    expect(open.map(({ actions }) => actions.every((one: string) => one.startsWith('ec2:')))).toEqual([true]);
  });

  test('lets executors decrypt by the secrets’ key, where there is one', () => {
    const app = newApp(FOLDER);
    const secretsKey = new Key(new Stack(app, 'Keys'), 'Key');
    const crontabs = writeCrontabs(FOLDER, { shop: CRONTAB });
    const cron = new KuberCron(app, 'Cron', { crontabs, functions, secretsPath: '/shop', secretsKey });
    const template = app.synth().getStackArtifact(cron.core.artifactId).template as Template;
    const decrypting = allowed(template).filter(({ actions }) => actions.includes('kms:Decrypt'));
    expect(decrypting.map(({ id, actions }) => [id.replace(/[0-9A-F]{8}$/, ''), actions])).toEqual([
      ['ExecutorRole', ['kms:Decrypt']],
    ]);
  });

  test('gives commands nothing, until something is granted to their role', () => {
    const ofCommands = (template: Template) =>
      Object.entries(resourcesOf(template, 'AWS::IAM::Policy')).filter(([, { Properties }]) =>
        Properties.Roles.some(({ Ref }: { Ref: string }) => Ref.startsWith('CommandRole')),
      );
    const [role] = Object.entries(core.Resources).filter(([id]) => id.startsWith('CommandRole'));
    expect(Object.keys(role?.[1].Properties)).toEqual(['AssumeRolePolicyDocument', 'Description']);
    expect(ofCommands(core)).toEqual([]);

    const app = newApp(FOLDER);
    const bucket = new Bucket(new Stack(app, 'Data'), 'Bucket');
    const cron = new KuberCron(app, 'Cron', { crontabs: writeCrontabs(FOLDER, { shop: '' }), functions });
    bucket.grantRead(cron.commandRole);
    const template = app.synth().getStackArtifact(cron.core.artifactId).template as Template;
    const [granted] = ofCommands(template);
    expect(granted?.[1].Properties.PolicyDocument.Statement[0].Action).toEqual([
      's3:GetBucket*',
      's3:GetObject*',
      's3:List*',
    ]);
  });
});

describe('what watches over it', () => {
  interface Figure {
    readonly Namespace: string;
    readonly MetricName: string;
    readonly Dimensions?: readonly { readonly Name: string; readonly Value: unknown }[];
  }

  /** The metrics that an alarm looks at. */
  function figures({ Properties }: Resource): Figure[] {
    if (Properties.MetricName !== undefined) return [Properties];
    return Properties.Metrics.flatMap(
      (one: { MetricStat?: { Metric: Figure } }) => one.MetricStat?.Metric ?? [],
    );
  }

  const alarms = Object.values(resourcesOf(core, 'AWS::CloudWatch::Alarm'));
  const topic = { Ref: Object.keys(resourcesOf(core, 'AWS::SNS::Topic'))[0] };

  test.each<
    [alarm: string, metric: string, dimensions: string[], statistic: string | undefined, missing: string]
  >([
    ['shop-failed', 'kubercron_job_runs_total', ['Crontab=shop', 'Status=failed'], undefined, 'notBreaching'],
    ['shop-missed', 'kubercron_job_runs_total', ['Crontab=shop', 'Status=missed'], 'Sum', 'notBreaching'],
    ['shop-late', 'kubercron_job_late_runs_total', ['Crontab=shop'], 'Sum', 'notBreaching'],
    [
      'shop-not-foreseen',
      'kubercron_deliveries_dropped_total',
      ['Crontab=shop', 'Reason=not-foreseen'],
      'Sum',
      'notBreaching',
    ],
    ['dropped', 'InvocationDroppedCount', ['ScheduleGroup=kuber-cron'], 'Sum', 'notBreaching'],
    ['target-errors', 'TargetErrorCount', ['ScheduleGroup=kuber-cron'], 'Sum', 'notBreaching'],
    ['heartbeat', 'kubercron_scheduler_last_tick_timestamp_seconds', [], 'SampleCount', 'breaching'],
  ])('alarm %s looks at %s %j', (name, metric, dimensions, statistic, missing) => {
    const alarm = alarms.find(({ Properties }) => Properties.AlarmName === `kuber-cron-${name}`);
    const [figure] = alarm === undefined ? [] : figures(alarm);
    expect(figure?.MetricName).toBe(metric);
    expect((figure?.Dimensions ?? []).map(({ Name, Value }) => `${Name}=${Value}`)).toEqual(dimensions);
    expect(alarm?.Properties).toMatchObject({
      TreatMissingData: missing,
      Threshold: 1,
      AlarmActions: [topic],
    });
    expect(alarm?.Properties.Statistic).toBe(statistic);
  });

  test('is the alarm of the heartbeat, after five minutes without one', () => {
    const heartbeat = alarms.find(({ Properties }) => Properties.AlarmName === 'kuber-cron-heartbeat');
    expect(heartbeat?.Properties).toMatchObject({
      ...{ Period: 60, EvaluationPeriods: 5, ComparisonOperator: 'LessThanThreshold' },
    });
  });

  test('counts failed, timed-out and lost runs as failures, all functions as one, and the store’s throttles', () => {
    const metricsOf = (name: string) =>
      figures(alarms.find(({ Properties }) => Properties.AlarmName === `kuber-cron-${name}`) as Resource);
    const last = ({ Dimensions }: Figure) => Dimensions?.at(-1)?.Value;
    expect(metricsOf('shop-failed').map(last)).toEqual(['failed', 'timed-out', 'lost']);
    const all = ['kuber-cron-executor-512', 'kuber-cron-executor-2048', 'kuber-cron-watchdog'];
    for (const name of ['errors', 'throttles']) {
      expect(metricsOf(name).map(last)).toEqual(all.map((one) => ({ Ref: logicalId(one) })));
    }
    expect(metricsOf('store-throttles').map(({ MetricName }) => MetricName)).toEqual([
      'ReadThrottleEvents',
      'WriteThrottleEvents',
    ]);
    expect(metricsOf('dead-letters').map(({ MetricName }) => MetricName)).toEqual([
      'ApproximateNumberOfMessagesVisible',
    ]);
  });

  test('takes no more metrics than an alarm may have, when every memory class is in use', () => {
    const sizes = ['200Mi', '300Mi', '600Mi', '2Gi', '3000Mi', '4Gi', '8Gi', '10Gi'];
    const jobs = sizes.map(
      (memory, index) => `# kuber-cron: name=job-${index} memory=${memory}\n0 4 * * * true\n`,
    );
    const template = coreOf(
      { memory: 768 },
      `CRON_TZ=UTC\n# kuber-cron: defaults timeout=1m\n${jobs.join('')}`,
    );
    expect(Object.keys(resourcesOf(template, 'AWS::Lambda::Function'))).toHaveLength(10);
    for (const alarm of Object.values(resourcesOf(template, 'AWS::CloudWatch::Alarm'))) {
      expect(figures(alarm).length).toBeLessThanOrEqual(10);
    }
  });

  test('knows its own metrics by the names of the table, on the dashboard too', () => {
    const own = new Set(
      alarms
        .flatMap(figures)
        .filter(({ Namespace }) => Namespace === 'kuber-cron')
        .map(({ MetricName }) => MetricName),
    );
    const dashboard = JSON.stringify(resourceOf(core, 'AWS::CloudWatch::Dashboard').Properties.DashboardBody);
    for (const [name] of dashboard.matchAll(/kubercron_\w+/g)) own.add(name);
    expect([...own].filter((name) => !(name in METRICS))).toEqual([]);
    expect(own.size).toBeGreaterThan(7);
  });

  test('is the watchdog, every minute, in the group that it needs', () => {
    const schedule = resourceOf(core, 'AWS::Scheduler::Schedule');
    expect(schedule).toMatchObject({
      Properties: {
        Name: 'watchdog',
        GroupName: 'kuber-cron',
        ScheduleExpression: 'cron(* * * * ? *)',
        ScheduleExpressionTimezone: 'UTC',
        FlexibleTimeWindow: { Mode: 'OFF' },
        Target: { RetryPolicy: { MaximumEventAgeInSeconds: 60, MaximumRetryAttempts: 0 } },
      },
      DependsOn: Object.keys(resourcesOf(core, 'AWS::Scheduler::ScheduleGroup')),
    });
  });
});

describe('the construct', () => {
  test.each<[around: string, env: Record<string, string> | undefined, environment: string]>([
    [
      'a stack of one region',
      { account: '123456789012', region: 'eu-central-1' },
      'aws://123456789012/eu-central-1',
    ],
    ['a stack of any', undefined, 'aws://unknown-account/unknown-region'],
  ])('in %s %j deploys its own stacks there', (_around, env, environment) => {
    const app = newApp(FOLDER);
    const around = new Stack(app, 'Around', env === undefined ? {} : { env });
    new KuberCron(around, 'Cron', { crontabs: writeCrontabs(FOLDER, { shop: '' }), functions, shards: 2 });
    const { stacks } = app.synth();
    const own = stacks.filter(({ stackName }) => stackName.startsWith('kuber-cron-'));
    expect(own.map((one) => [one.stackName, one.environment.name]).sort()).toEqual([
      ['kuber-cron-core', environment],
      ['kuber-cron-schedules-0', environment],
      ['kuber-cron-schedules-1', environment],
    ]);
  });

  test('can be there twice under two names', () => {
    const app = newApp(FOLDER);
    const crontabs = writeCrontabs(FOLDER, { shop: CRONTAB });
    for (const name of ['staging', 'production'])
      new KuberCron(app, name, { crontabs, functions, name, shards: 1, secretsPath: `/${name}` });
    const kinds = ['FunctionName', 'QueueName', 'LogGroupName', 'AlarmName', 'DashboardName', 'RoleName'];
    const named = app.synth().stacks.flatMap(({ template }) =>
      Object.values<Resource>(template.Resources).flatMap(({ Type, Properties = {} }) =>
        kinds
          .flatMap((kind) =>
            Properties[kind]?.Ref ? [] : [Properties[kind]?.['Fn::Sub'] ?? Properties[kind]],
          )
          .filter((one) => one !== undefined)
          .map((one) => `${Type} ${one}`),
      ),
    );
    expect(named.length).toBeGreaterThan(20);
    expect(new Set(named).size).toBe(named.length);
  });
});
