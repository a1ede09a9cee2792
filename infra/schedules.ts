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
      arn: names.executorArn(executorMemory(job.options, memory)),
      roleArn: names.schedulerRoleArn,
      input: deliveryInput(plan.crontab, job.name, part),
      retryPolicy: {
        maximumEventAgeInSeconds: eventAgeSeconds(timetable, job.options['starting-deadline']),
        maximumRetryAttempts: MOST_DELIVERY_ATTEMPTS,
      },
      deadLetterConfig: { arn: names.deadLettersArn },
    },
  }));
}

export interface ScheduleShardProps extends StackProps {
  readonly plans: readonly SchedulePlan[];
  readonly context: ScheduleContext;
  /** Which one this is, from 0, … */
  readonly shard: number;
  /** … of how many. */
  readonly shards: number;
}

/** A stack with the schedules of the jobs whose ids fall to it. */
export class ScheduleShard extends Stack {
  constructor(scope: Construct, id: string, props: ScheduleShardProps) {
    const { plans, context, shard, shards, ...rest } = props;
    // A template of hundreds of schedules comes near the limit of 1 MB; nobody reads it for its blanks.
    super(scope, id, { ...rest, suppressTemplateIndentation: true });
    // A template must have a resource, and a stack whose last schedule goes must stay to delete it.
    new CfnWaitConditionHandle(this, 'Shard');
    let count = 1;
    for (const plan of plans) {
      for (const job of plan.jobs) {
        if (shardOfJob(plan.crontab, job.name, shards) !== shard) continue;
        for (const schedule of schedulesOf(plan, job, context)) {
          new CfnSchedule(this, logicalId(schedule.name), schedule);
          count++;
        }
      }
    }
    if (count > MOST_RESOURCES) {
      throw new InputError(
        `${count - 1} schedules fall to one of ${shards} stacks, and a stack has ${MOST_RESOURCES - 1} at most: raise \`shards\` to ${moreShards(shards, count)}`,
      );
    }
  }
}

function moreShards(shards: number, count: number): number {
  // Hashes do not spread evenly: three quarters of the room are planned for.
  return Math.ceil((shards * count) / (MOST_RESOURCES * 0.75));
}

function logicalId(name: string): string {
  return `Schedule${sha256Hex(name).slice(0, 16).toUpperCase()}`;
}
