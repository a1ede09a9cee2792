import { join } from 'node:path';
import type { Environment, RemovalPolicy, Size } from 'aws-cdk-lib';
import type { ISecurityGroup, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { Architecture } from 'aws-cdk-lib/aws-lambda';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { SchedulePlan } from '../shared/core/plan/plan.ts';
import {
  DEFAULT_DEPLOYMENT,
  DEFAULT_MEMORY,
  DEFAULT_SHARDS,
  DEPLOYMENT_NAME,
  isDeploymentName,
  MOST_SHARDS,
} from '../shared/core/target/names.ts';
import type { Executor } from './executor.ts';
import { InputError } from './input-error.ts';

/** What a deployment of crontabs needs. */
export interface KuberCronProps {
  /**
   * Crontabs: files, and folders of which files called `*.crontab` are read and those whose names have only letters,
   * digits, `-` and `_`. One with errors fails synthesis with what `kuber-cron check --target aws` says.
   */
  readonly crontabs: readonly string[];

  /**
   * Time zone of entries without `CRON_TZ` above them: an IANA name such as `Europe/Berlin`.
   * @default - an entry without `CRON_TZ` is an error
   */
  readonly zone?: string;

  /**
   * Name of the deployment, which the names of its stacks, functions, roles and alarms begin with. Two in one account
   * and region need two names. At most 20 lower-case letters, digits and single dashes.
   * @default 'kuber-cron'
   */
  readonly name?: string;

  /**
   * Account and region of the stacks.
   * @default - those of the stack around it; without one, those that the CDK command line deploys to
   */
  readonly env?: Environment;

  /**
   * Stacks over which the schedules are spread, 1 to 200. One takes 499 schedules; an entry has one or two. Fixed once
   * deployed, since no schedule can be in two stacks while it moves: to change it, destroy the stacks of the schedules
   * first. Until they are there again, the watchdog starts what is due.
   * @default 8
   */
  readonly shards?: number;

  /**
   * Prebuilt code of the functions: a folder with `executor/main.mjs` and `watchdog/main.mjs`.
   * @default - the folder `dist/functions` of the package
   */
  readonly functions?: string;

  /**
   * What commands run in: a zip, or an image with tools of your own.
   * @default Executor.zip()
   */
  readonly executor?: Executor;

  /**
   * Memory of the executor for jobs without `memory`, 128 to 10,240 MiB. A job with `memory` runs in the smallest of
   * 256, 512, 1024, 2048, 3008, 4096, 8192 and 10,240 MiB that has it.
   * @default 512
   */
  readonly memory?: number;

  /**
   * Size of `/tmp`, 512 MiB to 10 GiB.
   * @default - 512 MiB
   */
  readonly temporaryStorage?: Size;

  /**
   * Processor of the executors.
   * @default Architecture.X86_64
   */
  readonly architecture?: Architecture;

  /**
   * Most runs at once in each executor. What is due beyond that waits, and is started as long as its starting deadline
   * allows.
   * @default - as many as the account allows
   */
  readonly reservedConcurrency?: number;

  /**
   * Network in which commands run; DynamoDB, STS, SNS and SSM must be reachable from it.
   * @default - none: commands reach the internet and nothing private
   */
  readonly vpc?: IVpc;

  /**
   * Subnets of the network.
   * @default - its private subnets
   */
  readonly vpcSubnets?: SubnetSelection;

  /**
   * Security groups of the executors in the network.
   * @default - a new one that allows all outbound
   */
  readonly securityGroups?: ISecurityGroup[];

  /**
   * Path in SSM Parameter Store: `secrets=DATABASE_URL` of a job is the parameter `<path>/DATABASE_URL`.
   * @default - none; a job with `secrets` is an error
   */
  readonly secretsPath?: string;

  /**
   * Key that the secrets are encrypted with.
   * @default - the account's key `aws/ssm`
   */
  readonly secretsKey?: IKey;

  /**
   * Topic that alarms and notifications go to. It must allow CloudWatch to publish.
   * @default - a new topic, to which you subscribe: `cron.topic.addSubscription(…)`
   */
  readonly topic?: ITopic;

  /**
   * Whether each job has metrics of its own, with the dimension `JobName`, beside those of its crontab. CloudWatch bills
   * each metric that got a value in a month, about 0.30 USD: up to 15 of them, or 4.50 USD, for a job.
   * @default false
   */
  readonly jobMetrics?: boolean;

  /**
   * Shadow mode: runs are decided as usual, recorded as `skipped (dry-run)`, and no command is started. It has a run
   * store of its own, which goes when this is turned off: history begins then. In a deployment that ran for real it
   * would leave the history behind; give the shadow another `name`.
   * @default false
   */
  readonly dryRun?: boolean;

  /**
   * How long the functions' logs are kept.
   * @default RetentionDays.ONE_MONTH
   */
  readonly logRetention?: RetentionDays;

  /**
   * What becomes of the run store, which is all history, when the stack is destroyed.
   * @default RemovalPolicy.RETAIN; of a dry run, RemovalPolicy.DESTROY
   */
  readonly removalPolicy?: RemovalPolicy;
}

/** Works from `infra/` and from a bundle in `dist/` alike. */
const DEFAULT_FUNCTIONS = join(import.meta.dirname, '..', 'dist', 'functions');

/** Properties whose values matter before anything is made, checked. @throws InputError when one is wrong */
export function checkedProps({
  name = DEFAULT_DEPLOYMENT,
  shards = DEFAULT_SHARDS,
  memory = DEFAULT_MEMORY,
  functions = DEFAULT_FUNCTIONS,
  secretsPath,
}: KuberCronProps) {
  checkName(name);
  checkWhole('shards', shards, 1, MOST_SHARDS);
  checkWhole('memory', memory, 128, 10_240);
  checkSecretsPath(secretsPath);
  return { name, shards, memory, functions };
}

function checkName(name: string): void {
  if (isDeploymentName(name)) return;
  throw new InputError(`\`name\` ${DEPLOYMENT_NAME}, got \`${name}\``);
}

function checkWhole(what: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new InputError(`\`${what}\` takes a whole number from ${min} to ${max}, got \`${value}\``);
}

function checkSecretsPath(path: string | undefined): void {
  if (path === undefined || /^(?:\/[A-Za-z0-9_.-]+)+$/.test(path)) return;
  throw new InputError(
    `\`secretsPath\` takes a path of SSM Parameter Store such as \`/shop/production\`, without a slash at the end, got \`${path}\``,
  );
}

/** Variables that jobs take from the secret source, each once, in order. @throws InputError when there is no source */
export function secretsOf(plans: readonly SchedulePlan[], path: string | undefined): string[] {
  const jobs = plans.flatMap(({ crontab, jobs }) => jobs.map((job) => ({ crontab, job })));
  const wanting = jobs.find(({ job }) => job.options.secrets !== undefined);
  if (wanting !== undefined && path === undefined) {
    throw new InputError(
      `job ${wanting.crontab}/${wanting.job.name} has \`secrets\`, and nobody said where they are: give \`secretsPath\`, a path of SSM Parameter Store such as \`/shop/production\``,
    );
  }
  return [...new Set(jobs.flatMap(({ job }) => job.options.secrets ?? []))].sort();
}
