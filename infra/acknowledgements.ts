import { Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import type { Names } from '../shared/core/target/names.ts';

/** What of a deployment cdk-nag finds fault with. */
export interface Acknowledged {
  readonly names: Names;
  readonly deadLetters: IConstruct;
  readonly executorRole: IConstruct;
  /** Names of the executor functions. */
  readonly executors: readonly string[];
  readonly watchdogRole: IConstruct;
  readonly isInNetwork: boolean;
}

/**
 * Says why it is so, finding by finding: whoever checks an app with cdk-nag's `AwsSolutionsChecks` has no exceptions to
 * make for our stacks, and a wider permission is still found.
 */
export function acknowledgeFindings(one: Acknowledged): void {
  acknowledge(one.deadLetters, 'SQS3', 'It is the dead-letter queue: of schedules and functions');
  acknowledgeStreams(one.executorRole, one.names, one.executors);
  acknowledgeStreams(one.watchdogRole, one.names, [one.names.watchdog]);
  if (one.isInNetwork)
    acknowledge(one.executorRole, 'IAM5[Resource::*]', 'EC2 knows no resources for network interfaces');
}

function acknowledgeStreams(role: IConstruct, names: Names, functions: readonly string[]): void {
  for (const name of functions) {
    const group = `arn:<AWS::Partition>:logs:<AWS::Region>:<AWS::AccountId>:log-group:${names.logGroup(name)}`;
    acknowledge(role, `IAM5[Resource::${group}:*]`, 'Lambda names the streams of the log group');
  }
}

function acknowledge(construct: IConstruct, rule: string, reason: string): void {
  Validations.of(construct).acknowledge({ id: `AwsSolutions::AwsSolutions-${rule}`, reason });
}
