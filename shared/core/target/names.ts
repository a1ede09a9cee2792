import { executorName } from './executor.ts';

/** Name of a deployment that was given none. */
export const DEFAULT_DEPLOYMENT = 'kuber-cron';
/** MiB of the executor for jobs that ask for none, where nobody says how many. */
export const DEFAULT_MEMORY = 512;
/** Stacks that share the schedules, where nobody says how many, and at most. */
export const DEFAULT_SHARDS = 8;
export const MOST_SHARDS = 200;

const LONGEST_NAME = 20;

/** What the name of a deployment has to be. */
export const DEPLOYMENT_NAME = `has at most ${LONGEST_NAME} lower-case letters, digits and single dashes, a letter first`;

/** Whether a text can be the name of a deployment: the names of functions and roles begin with it, and have limits. */
export function isDeploymentName(text: string): boolean {
  return text.length <= LONGEST_NAME && /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/.test(text);
}

/**
 * Names and ARNs of what a deployment is made of, so far as its schedules need them. They are made of text, not of
 * references: an export would pin what it names, and a schedule's text must not depend on anything but its entry. ARNs
 * are as `Fn::Sub` takes them: partition, account and region are yet to be filled in.
 */
export class Names {
  readonly #app: string;

  constructor(app: string) {
    this.#app = app;
  }

  get group(): string {
    return this.#app;
  }

  get groupArn(): string {
    return `arn:\${AWS::Partition}:scheduler:\${AWS::Region}:\${AWS::AccountId}:schedule-group/${this.group}`;
  }

  get coreStack(): string {
    return `${this.#app}-core`;
  }

  shardStack(shard: number): string {
    return `${this.#app}-schedules-${shard}`;
  }

  /** Roles are of the account, the rest is of a region. */
  get schedulerRole(): string {
    return `${this.#app}-scheduler-\${AWS::Region}`;
  }

  get schedulerRoleArn(): string {
    return `arn:\${AWS::Partition}:iam::\${AWS::AccountId}:role/${this.#app}-scheduler-\${AWS::Region}`;
  }

  /** @param memory MiB */
  executor(memory: number): string {
    return executorName(this.#app, memory);
  }

  executorArn(memory: number): string {
    return this.#functionArn(this.executor(memory));
  }

  get watchdog(): string {
    return `${this.#app}-watchdog`;
  }

  get watchdogArn(): string {
    return this.#functionArn(this.watchdog);
  }

  get deadLetters(): string {
    return `${this.#app}-dead-letters`;
  }

  get deadLettersArn(): string {
    return `arn:\${AWS::Partition}:sqs:\${AWS::Region}:\${AWS::AccountId}:${this.deadLetters}`;
  }

  logGroup(name: string): string {
    return `/aws/lambda/${name}`;
  }

  alarm(what: string): string {
    return `${this.#app}-${what}`;
  }

  #functionArn(name: string): string {
    return `arn:\${AWS::Partition}:lambda:\${AWS::Region}:\${AWS::AccountId}:function:${name}`;
  }
}
