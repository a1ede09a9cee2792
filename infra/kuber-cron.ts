import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Annotations, Aws, CfnOutput, Duration, FileSystem, Fn, RemovalPolicy, Stack } from 'aws-cdk-lib';
import {
  ArnPrincipal,
  Policy,
  PolicyDocument,
  PolicyStatement,
  Role,
  ServicePrincipal,
} from 'aws-cdk-lib/aws-iam';
import {
  Architecture,
  CfnEventInvokeConfig,
  Function as LambdaFunction,
  LoggingFormat,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { CfnSchedule, CfnScheduleGroup } from 'aws-cdk-lib/aws-scheduler';
import { type ITopic, Topic } from 'aws-cdk-lib/aws-sns';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { executorMemory, FUNCTION_VARIABLES } from '../shared/core/target/executor.ts';
import { Names } from '../shared/core/target/names.ts';
import { watchdogSchedule } from '../shared/core/target/schedules.ts';
import { acknowledgeFindings } from './acknowledgements.ts';
import { Watch } from './alarms.ts';
import { planCrontabs } from './crontab-plans.ts';
import { bundleFolder, Executor, type FunctionCode, zipCode } from './executor.ts';
import { checkedProps, type KuberCronProps, secretsOf } from './kuber-cron-props.ts';
import { allow, NETWORK_ACTIONS } from './permissions.ts';
import { RunTable, TABLE_ACTIONS } from './run-table.ts';
import { ScheduleShard, spreadJobs } from './schedules.ts';

/** Lambda's longest. */
const EXECUTOR_TIMEOUT = Duration.minutes(15);
/** A pass that takes longer is not finished: the next one goes on. */
const WATCHDOG_TIMEOUT = Duration.minutes(2);
const WATCHDOG_MEMORY = 512;
/** Lambda's longest wait for a free executor; each run's own deadline ends it earlier. */
const LONGEST_WAIT = Duration.hours(6);
/** What the service itself does at most; the claim makes them harmless. */
const ASYNC_RETRIES = 2;

/**
 * Crontabs on AWS: a stack with run store, functions, roles, alarms and dashboard, and stacks with the schedules of
 * EventBridge Scheduler.
 *
 * @throws InputError when a crontab has errors or a property is wrong: nothing is synthesized then
 *
 * @example
 * const cron = new KuberCron(app, 'Cron', { crontabs: ['crontab/production'], zone: 'Europe/Berlin' });
 * bucket.grantReadWrite(cron.commandRole);
 */
export class KuberCron extends Construct {
  /** Stack of everything but the schedules. */
  readonly core: Stack;
  /** Stacks of the schedules. */
  readonly shards: readonly Stack[];
  /** What commands may do: nothing, until something is granted to it. */
  readonly commandRole: Role;
  /** The run store. */
  readonly table: RunTable;
  /** Where alarms and notifications go. */
  readonly topic: ITopic;
  /** What was due and could not be delivered. */
  readonly deadLetters: Queue;
  /** Functions that run commands, by MiB of memory. */
  readonly executors: ReadonlyMap<number, LambdaFunction>;
  /** Function that starts, each minute, what EventBridge did not. */
  readonly watchdog: LambdaFunction;

  readonly #props: KuberCronProps;
  readonly #names: Names;

  constructor(scope: Construct, id: string, props: KuberCronProps) {
    super(scope, id);
    this.#props = props;
    const { name, shards, memory, functions } = checkedProps(props);
    const bundles = {
      executor: bundleFolder(functions, 'executor'),
      watchdog: bundleFolder(functions, 'watchdog'),
    };
    // The time decides which clock changes are warned of, and nothing that is synthesized.
    const { plans, warnings } = planCrontabs(props.crontabs, props.zone, Date.now());
    const secrets = secretsOf(plans, props.secretsPath);
    for (const { id, text } of warnings) Annotations.of(this).addWarningV2(`kuber-cron:${id}`, text);

    const names = new Names(name);
    this.#names = names;
    const around = scope.node.scopes.find(Stack.isStack);
    const env = props.env ?? (around && { account: around.account, region: around.region });
    const common = env === undefined ? {} : { env };
    this.core = new Stack(this, 'Core', {
      ...common,
      stackName: names.coreStack,
      description: `kuber-cron: runs of ${plans.map(({ crontab }) => crontab).join(', ')}`.slice(0, 1024),
    });

    const { dryRun = false, jobMetrics = false } = props;
    // Another table, not another mode of one: what a dry run recorded must never be taken for runs.
    this.table = dryRun
      ? new RunTable(this.core, 'DryRuns', { removalPolicy: props.removalPolicy ?? RemovalPolicy.DESTROY })
      : new RunTable(this.core, 'Runs', { removalPolicy: props.removalPolicy ?? RemovalPolicy.RETAIN });
    this.topic = props.topic ?? this.#makeTopic();
    this.deadLetters = new Queue(this.core, 'DeadLetters', {
      queueName: names.deadLetters,
      retentionPeriod: Duration.days(14),
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      removalPolicy: RemovalPolicy.DESTROY,
    });

    const jobs = plans.flatMap((plan) => plan.jobs);
    const sizes = [...new Set([memory, ...jobs.map(({ options }) => executorMemory(options, memory))])];
    sizes.sort((a, b) => a - b);
    const variables = {
      [FUNCTION_VARIABLES.app]: name,
      [FUNCTION_VARIABLES.memory]: String(memory),
      [FUNCTION_VARIABLES.store]: `dynamodb:${this.table.tableName}`,
      [FUNCTION_VARIABLES.metricsNamespace]: name,
      [FUNCTION_VARIABLES.jobMetrics]: String(jobMetrics),
      [FUNCTION_VARIABLES.dryRun]: String(dryRun),
      [FUNCTION_VARIABLES.topic]: this.topic.topicArn,
    };
    const staging = FileSystem.mkdtemp('kuber-cron-');
    const folder = (part: string) => {
      mkdirSync(join(staging, part));
      return join(staging, part);
    };
    try {
      const executorRole = this.#executorRole(sizes, secrets);
      this.commandRole = this.#makeCommandRole(executorRole);
      const code = (props.executor ?? Executor.zip()).code(folder('executor'), bundles.executor, plans);
      const environment = {
        ...variables,
        [FUNCTION_VARIABLES.commandRole]: this.commandRole.roleArn,
        ...(props.secretsPath !== undefined && { [FUNCTION_VARIABLES.secretsPath]: props.secretsPath }),
      };
      this.executors = new Map(
        sizes.map((size) => [size, this.#makeExecutor(size, executorRole, code, environment)]),
      );
      const watchdogCode = zipCode(folder('watchdog'), bundles.watchdog, plans);
      this.watchdog = this.#makeWatchdog(sizes, watchdogCode, variables);
      acknowledgeFindings({
        ...{ names, deadLetters: this.deadLetters, executorRole, isInNetwork: props.vpc !== undefined },
        executors: sizes.map((size) => names.executor(size)),
        watchdogRole: this.watchdog.role ?? this.watchdog,
      });
    } finally {
      rmSync(staging, { recursive: true });
    }

    this.#makeSchedulerParts(sizes);
    new Watch(this.core, 'Watch', {
      ...{ names, namespace: name, crontabs: plans.map(({ crontab }) => crontab), watchdog: this.watchdog },
      executors: [...this.executors.values()],
      ...{ deadLetters: this.deadLetters, tableName: this.table.tableName, topic: this.topic },
    });
    this.#makeOutputs();

    const context = { names, memory };
    this.shards = spreadJobs(plans, shards).map((jobs, shard) => {
      const stack = new ScheduleShard(this, `Schedules${shard}`, {
        ...common,
        stackName: names.shardStack(shard),
        description: `kuber-cron: schedules, stack ${shard + 1} of ${shards}`,
        ...{ jobs, context, shards },
      });
      // Schedules name group, role, queue and functions by text, from which no order follows.
      stack.addStackDependency(this.core);
      return stack;
    });
  }

  #makeTopic(): Topic {
    const topic = new Topic(this.core, 'Topic', { displayName: this.#names.alarm('runs'), enforceSSL: true });
    // A policy of one's own replaces that by which the account may publish.
    topic.addToResourcePolicy(
      new PolicyStatement({
        sid: 'AlarmsPublish',
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
      }),
    );
    return topic;
  }

  #executorRole(sizes: readonly number[], secrets: readonly string[]): Role {
    const { secretsPath, secretsKey, vpc } = this.#props;
    const statements = [
      this.#mayLog(sizes.map((size) => this.#names.executor(size))),
      this.#mayUseTable(),
      this.#mayPublish(),
      allow('GiveUp', ['sqs:SendMessage'], [this.deadLetters.queueArn]),
    ];
    if (secrets.length > 0) {
      const parameters = secrets.map((secret) =>
        Fn.sub(
          `arn:\${AWS::Partition}:ssm:\${AWS::Region}:\${AWS::AccountId}:parameter${secretsPath}/${secret}`,
        ),
      );
      statements.push(allow('ReadSecrets', ['ssm:GetParameters'], parameters));
      if (secretsKey !== undefined) statements.push(allow('Decrypt', ['kms:Decrypt'], [secretsKey.keyArn]));
    }
    if (vpc !== undefined) statements.push(allow('JoinNetwork', NETWORK_ACTIONS, ['*']));
    return this.#role('ExecutorRole', 'Executors: keep runs, and read the secrets of jobs', statements);
  }

  #makeCommandRole(executorRole: Role): Role {
    const role = new Role(this.core, 'CommandRole', {
      description: 'Commands of crontabs: what is granted to it, and nothing else',
      assumedBy: new ArnPrincipal(executorRole.roleArn),
    });
    // Not among the role's own policies: each of the two roles names the other.
    new Policy(this.core, 'AssumeCommandRole', {
      roles: [executorRole],
      statements: [allow('AssumeCommandRole', ['sts:AssumeRole'], [role.roleArn])],
    });
    return role;
  }

  #makeExecutor(
    memorySize: number,
    role: Role,
    code: FunctionCode,
    environment: Record<string, string>,
  ): LambdaFunction {
    const { vpc, vpcSubnets, securityGroups, temporaryStorage, reservedConcurrency, architecture } =
      this.#props;
    const functionName = this.#names.executor(memorySize);
    const id = `Executor${memorySize}`;
    const executor = new LambdaFunction(this.core, id, {
      ...code,
      ...{ functionName, role, memorySize, environment, timeout: EXECUTOR_TIMEOUT },
      description: `Runs commands with up to ${memorySize} MiB`,
      architecture: architecture ?? Architecture.X86_64,
      loggingFormat: LoggingFormat.TEXT,
      logGroup: this.#logGroup(`${id}Logs`, functionName),
      ...(vpc && { vpc }),
      ...(vpcSubnets && { vpcSubnets }),
      ...(securityGroups && { securityGroups }),
      ...(temporaryStorage && { ephemeralStorageSize: temporaryStorage }),
      ...(reservedConcurrency !== undefined && { reservedConcurrentExecutions: reservedConcurrency }),
    });
    new CfnEventInvokeConfig(this.core, `${id}Invoke`, {
      functionName: executor.functionName,
      qualifier: '$LATEST',
      maximumEventAgeInSeconds: LONGEST_WAIT.toSeconds(),
      maximumRetryAttempts: ASYNC_RETRIES,
      destinationConfig: { onFailure: { destination: this.deadLetters.queueArn } },
    });
    return executor;
  }

  #makeWatchdog(
    sizes: readonly number[],
    code: FunctionCode,
    environment: Record<string, string>,
  ): LambdaFunction {
    const functionName = this.#names.watchdog;
    const role = this.#role('WatchdogRole', 'Watchdog: keeps the ledger and starts what is owed', [
      this.#mayLog([functionName]),
      this.#mayUseTable(),
      this.#mayPublish(),
      allow(
        'StartRuns',
        ['lambda:InvokeFunction'],
        sizes.map((size) => Fn.sub(this.#names.executorArn(size))),
      ),
    ]);
    const watchdog = new LambdaFunction(this.core, 'Watchdog', {
      ...code,
      ...{ functionName, role, environment, memorySize: WATCHDOG_MEMORY, timeout: WATCHDOG_TIMEOUT },
      description: 'Keeps the ledger of runs, each minute',
      architecture: Architecture.X86_64,
      loggingFormat: LoggingFormat.TEXT,
      logGroup: this.#logGroup('WatchdogLogs', functionName),
    });
    new CfnEventInvokeConfig(this.core, 'WatchdogInvoke', {
      functionName: watchdog.functionName,
      qualifier: '$LATEST',
      // The next minute makes up for it.
      maximumEventAgeInSeconds: 60,
      maximumRetryAttempts: 0,
    });
    return watchdog;
  }

  #makeSchedulerParts(sizes: readonly number[]): void {
    const names = this.#names;
    const group = new CfnScheduleGroup(this.core, 'Schedules', { name: names.group });
    group.applyRemovalPolicy(RemovalPolicy.DESTROY);
    const role = new Role(this.core, 'SchedulerRole', {
      roleName: Fn.sub(names.schedulerRole),
      description: 'EventBridge Scheduler: invokes executors and the watchdog',
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        conditions: {
          StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID, 'aws:SourceArn': Fn.sub(names.groupArn) },
        },
      }),
      inlinePolicies: {
        Deliver: new PolicyDocument({
          statements: [
            allow(
              'Invoke',
              ['lambda:InvokeFunction'],
              [...sizes.map((size) => Fn.sub(names.executorArn(size))), this.watchdog.functionArn],
            ),
            allow('GiveUp', ['sqs:SendMessage'], [this.deadLetters.queueArn]),
          ],
        }),
      },
    });
    const { target, ...text } = watchdogSchedule(names);
    const schedule = new CfnSchedule(this.core, 'WatchdogSchedule', {
      ...text,
      // By references, from which an order follows.
      target: {
        ...target,
        arn: this.watchdog.functionArn,
        roleArn: role.roleArn,
        deadLetterConfig: { arn: this.deadLetters.queueArn },
      },
    });
    // It names the group by text.
    schedule.addResourceDependency(group);
  }

  #makeOutputs(): void {
    const output = (id: string, description: string, value: string) =>
      new CfnOutput(this.core, id, { description, value });
    output('Store', 'Run store, for `kuber-cron … --store`', `dynamodb:${this.table.tableName}`);
    output('TopicArn', 'Topic of alarms and notifications', this.topic.topicArn);
    output('CommandRoleArn', 'Role of commands', this.commandRole.roleArn);
    output('ScheduleGroup', 'Group of the schedules', this.#names.group);
    output('DeadLettersUrl', 'Queue of what could not be delivered', this.deadLetters.queueUrl);
  }

  #role(id: string, description: string, statements: PolicyStatement[]): Role {
    return new Role(this.core, id, {
      description,
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      inlinePolicies: { Work: new PolicyDocument({ statements }) },
    });
  }

  #logGroup(id: string, functionName: string): LogGroup {
    return new LogGroup(this.core, id, {
      logGroupName: this.#names.logGroup(functionName),
      retention: this.#props.logRetention ?? RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
  }

  /** Streams are named by the service, so the end of the ARN is open. */
  #mayLog(functionNames: readonly string[]): PolicyStatement {
    const streams = functionNames.map((one) =>
      Fn.sub(
        `arn:\${AWS::Partition}:logs:\${AWS::Region}:\${AWS::AccountId}:log-group:${this.#names.logGroup(one)}:*`,
      ),
    );
    return allow('Log', ['logs:CreateLogStream', 'logs:PutLogEvents'], streams);
  }

  #mayUseTable(): PolicyStatement {
    return allow('KeepRuns', TABLE_ACTIONS, this.table.arns);
  }

  #mayPublish(): PolicyStatement {
    return allow('Notify', ['sns:Publish'], [this.topic.topicArn]);
  }
}
