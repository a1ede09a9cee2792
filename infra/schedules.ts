import { CfnWaitConditionHandle, Stack, type StackProps } from 'aws-cdk-lib';
import { CfnSchedule, type CfnScheduleProps } from 'aws-cdk-lib/aws-scheduler';
import type { Construct } from 'constructs';
import { sha256Hex } from '../shared/core/hash.ts';
import { type PlannedJob, type SchedulePlan, timetableOf } from '../shared/core/plan/plan.ts';
import { deliveryInput, eventAgeSeconds, scheduleName, shardOfJob } from '../shared/core/target/delivery.ts';
import { coverOf } from '../shared/core/target/eventbridge.ts';
import { executorMemory } from '../shared/core/target/executor.ts';
import { InputError } from './input-error.ts';
import type { Names } from './names.ts';

/** Resources of a template. @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html */
const MOST_RESOURCES = 500;

/** The service's longest description. */
const LONGEST_DESCRIPTION = 512;

/** Attempts that the service allows; the event's age ends them earlier. */
const MOST_DELIVERY_ATTEMPTS = 185;

export interface ScheduleContext {
  readonly names: Names;
  /** MiB of the executor for jobs that ask for none. */
  readonly memory: number;
}

/** The schedules of a job: one for each part of its cover. Depends on the job, on no other, and on no date. */
export function schedulesOf(
  plan: SchedulePlan,
  job: PlannedJob,
  { names, memory }: ScheduleContext,
): (CfnScheduleProps & { readonly name: string })[] {
  const timetable = timetableOf(plan, job);
  const cover = coverOf(timetable);
  if (timetable === undefined || !cover.isCarried) return [];
  const { description, suspend } = job.options;
  const what = `${job.written} ${job.zone}`;
  return cover.parts.map(({ expression, timeZone }, part) => ({
    name: scheduleName(plan.crontab, job.name, part),
    groupName: names.group,
    description: (description === undefined ? what : `${what}: ${description}`).slice(0, LONGEST_DESCRIPTION),
    scheduleExpression: expression,
    scheduleExpressionTimezone: timeZone,
    flexibleTimeWindow: { mode: 'OFF' },
    state: suspend === undefined ? 'ENABLED' : 'DISABLED',
    target: {
      arn: substituted(names.executorArn(executorMemory(job.options, memory))),
      roleArn: substituted(names.schedulerRoleArn),
      input: deliveryInput(plan.crontab, job.name, part),
      retryPolicy: {
        maximumEventAgeInSeconds: eventAgeSeconds(timetable, job.options['starting-deadline']),
        maximumRetryAttempts: MOST_DELIVERY_ATTEMPTS,
      },
      deadLetterConfig: { arn: substituted(names.deadLettersArn) },
    },
  }));
}

/**
 * `Fn.sub` as it comes out of synthesis. Its token would be resolved twice for each of three ARNs of a schedule, which
 * took as long as all else. The CDK takes intrinsic functions as they are where it resolves none.
 */
function substituted(text: string): string {
  return { 'Fn::Sub': text } as unknown as string;
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
    for (const schedule of schedules) new CfnSchedule(this, logicalId(schedule.name), schedule);
  }
}

function moreShards(shards: number, count: number): number {
  // Hashes do not spread evenly: three quarters of the room are planned for.
  return Math.ceil((shards * count) / (MOST_RESOURCES * 0.75));
}

function logicalId(name: string): string {
  return `Schedule${sha256Hex(name).slice(0, 16).toUpperCase()}`;
}
