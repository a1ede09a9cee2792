import { CfnWaitConditionHandle, Stack, type StackProps } from 'aws-cdk-lib';
import { CfnSchedule, type CfnScheduleProps } from 'aws-cdk-lib/aws-scheduler';
import type { Construct } from 'constructs';
import { sha256Hex } from '../shared/core/hash.ts';
import type { PlannedJob, SchedulePlan } from '../shared/core/plan/plan.ts';
import { shardOfJob } from '../shared/core/target/delivery.ts';
import { type ScheduleContext, type ScheduleText, schedulesOf } from '../shared/core/target/schedules.ts';
import { InputError } from './input-error.ts';

/** Resources of a template. @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html */
const MOST_RESOURCES = 500;

/**
 * `Fn.sub` as it comes out of synthesis. Its token would be resolved twice for each of three ARNs of a schedule, which
 * took as long as all else. The CDK takes intrinsic functions as they are where it resolves none.
 */
function substituted(text: string): string {
  return { 'Fn::Sub': text } as unknown as string;
}

/** A schedule as the construct of the CDK takes it. */
function propsOf({ target, ...schedule }: ScheduleText): CfnScheduleProps {
  return {
    ...schedule,
    target: {
      ...target,
      arn: substituted(target.arn),
      roleArn: substituted(target.roleArn),
      deadLetterConfig: { arn: substituted(target.deadLetterConfig.arn) },
    },
  };
}

/** A job and the plan that it is of. */
type Planned = readonly [plan: SchedulePlan, job: PlannedJob];

/** The jobs of each of so many stacks. */
export function spreadJobs(plans: readonly SchedulePlan[], shards: number): readonly (readonly Planned[])[] {
  const spread = Array.from({ length: shards }, (): Planned[] => []);
  for (const plan of plans)
    for (const job of plan.jobs) spread[shardOfJob(plan.crontab, job.name, shards)]?.push([plan, job]);
  return spread;
}

export interface ScheduleShardProps extends StackProps {
  readonly jobs: readonly Planned[];
  readonly context: ScheduleContext;
  /** How many stacks share the schedules. */
  readonly shards: number;
}

/** A stack with the schedules of some jobs. */
export class ScheduleShard extends Stack {
  constructor(scope: Construct, id: string, { jobs, context, shards, ...props }: ScheduleShardProps) {
    // A template of hundreds of schedules comes near the limit of 1 MB; nobody reads it for its blanks.
    super(scope, id, { ...props, suppressTemplateIndentation: true });
    // A template must have a resource, and a stack whose last schedule goes must stay to delete it.
    new CfnWaitConditionHandle(this, 'Shard');
    const schedules = jobs.flatMap(([plan, job]) => schedulesOf(plan, job, context));
    if (schedules.length >= MOST_RESOURCES) {
      throw new InputError(
        `${schedules.length} schedules fall to one of ${shards} stacks, and a stack has ${MOST_RESOURCES - 1} at most: raise \`shards\` to ${moreShards(shards, schedules.length)}`,
      );
    }
    for (const schedule of schedules) new CfnSchedule(this, logicalId(schedule.name), propsOf(schedule));
  }
}

function moreShards(shards: number, count: number): number {
  // Hashes do not spread evenly: three quarters of the room are planned for.
  return Math.ceil((shards * count) / (MOST_RESOURCES * 0.75));
}

function logicalId(name: string): string {
  return `Schedule${sha256Hex(name).slice(0, 16).toUpperCase()}`;
}
