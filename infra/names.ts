import { executorName } from '../shared/core/target/executor.ts';

/**
 * Names and ARNs that schedules need of the core stack. They are made of text, not of references: an export would pin
 * what it names, and a schedule's text must not depend on anything but its entry. ARNs are for `Fn::Sub`: account and
 * region are yet to be filled in.
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
