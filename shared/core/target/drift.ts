import type { SchedulePlan } from '../plan/plan.ts';
import { jobIdOf } from '../run/run-id.ts';
import { shardOfJob } from './delivery.ts';
import { type ScheduleContext, type ScheduleText, schedulesOf, watchdogSchedule } from './schedules.ts';

/** A schedule as the service has it now. */
export interface DeployedSchedule {
  /** `arn:aws:scheduler:eu-central-1:123456789012:schedule/GROUP/NAME` */
  readonly arn: string;
  /** What the service says of it under its own names (`ScheduleExpression`, `Target` …), times as ISO 8601. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Reads the schedules of a group. */
export interface ScheduleReader {
  /** Names of all schedules of a group, page by page. */
  names(group: string): AsyncIterable<readonly string[]>;
  /** Undefined for one that is not there. */
  schedule(group: string, name: string): Promise<DeployedSchedule | undefined>;
}

/** A schedule that a deployment should have. */
export interface ExpectedSchedule {
  readonly schedule: ScheduleText;
  /** Stack that makes it. */
  readonly stack: string;
  /** Undefined for the watchdog's. */
  readonly jobId?: string;
}

export interface Difference {
  /** In the service's words: `Target.RetryPolicy.MaximumEventAgeInSeconds`. */
  readonly field: string;
  /** Undefined where nothing is set. */
  readonly got?: string;
  /** Undefined where nothing may be set. */
  readonly expected?: string;
}

/** A schedule that is not as it should be. */
export interface Drift {
  readonly schedule: string;
  /** `extra`: of no job. `disabled`: it delivers nothing, and the crontab does not suspend its job. */
  readonly kind: 'missing' | 'disabled' | 'changed' | 'extra';
  readonly jobId?: string;
  readonly stack?: string;
  /** Empty where one side is not there. */
  readonly differences: readonly Difference[];
}

/** The schedules of all jobs of a deployment and that of its watchdog. @param shards stacks that share the schedules of jobs */
export function expectedSchedules(
  plans: readonly SchedulePlan[],
  context: ScheduleContext,
  shards: number,
): ExpectedSchedule[] {
  const { names } = context;
  const ofJobs = plans.flatMap((plan) =>
    plan.jobs.flatMap((job) => {
      const jobId = jobIdOf(plan.crontab, job.name);
      const stack = names.shardStack(shardOfJob(plan.crontab, job.name, shards));
      return schedulesOf(plan, job, context).map((schedule) => ({ schedule, stack, jobId }));
    }),
  );
  return [...ofJobs, { schedule: watchdogSchedule(names), stack: names.coreStack }];
}

/** Schedules that are asked for at once. */
const AT_ONCE = 16;

/**
 * Compares what is deployed with what should be: one request for each schedule, and one for each page of names.
 *
 * @param report told how many of how many are compared
 * @returns what differs, by the names of the schedules; none of another group
 */
export async function findDrift(
  expected: readonly ExpectedSchedule[],
  group: string,
  reader: ScheduleReader,
  report: (compared: number, of: number) => void,
): Promise<Drift[]> {
  const known = new Map(expected.map((one) => [one.schedule.name, one]));
  const names = new Set(known.keys());
  for await (const page of reader.names(group)) {
    for (const name of page) names.add(name);
    report(0, names.size);
  }
  const found: Drift[] = [];
  let compared = 0;
  await inParallel(names, AT_ONCE, async (name) => {
    // A list may lag behind: what it lacks is asked for as well, and so is what it has too much.
    const drift = driftOf(name, known.get(name), await reader.schedule(group, name));
    if (drift !== undefined) found.push(drift);
    report(++compared, names.size);
  });
  return found.sort((a, b) => (a.schedule < b.schedule ? -1 : 1));
}

/** Works on so many items at once. The first failure is thrown, and nothing is begun after it. */
async function inParallel<T>(
  items: Iterable<T>,
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = [...items].reverse();
  const worker = async () => {
    for (let item = queue.pop(); item !== undefined; item = queue.pop()) {
      try {
        await work(item);
      } catch (error) {
        queue.length = 0;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

function driftOf(
  schedule: string,
  expected: ExpectedSchedule | undefined,
  deployed: DeployedSchedule | undefined,
): Drift | undefined {
  if (expected === undefined)
    return deployed === undefined ? undefined : { schedule, kind: 'extra', differences: [] };
  const { jobId, stack } = expected;
  const about = { schedule, stack, ...(jobId !== undefined && { jobId }) };
  if (deployed === undefined) return { ...about, kind: 'missing', differences: [] };
  const differences = differencesOf(expected.schedule, deployed);
  if (differences.length === 0) return undefined;
  const isDisabled = differences.some(({ field, got }) => field === 'State' && got === 'DISABLED');
  return { ...about, kind: isDisabled ? 'disabled' : 'changed', differences };
}

/** What the service says of a field that was left out, and that says nothing. */
const UNSET: Readonly<Record<string, string>> = { ActionAfterCompletion: 'NONE' };

/** Fields that differ, those that we never set included: an `EndDate` ends deliveries as well. */
function differencesOf(expected: ScheduleText, { arn, fields }: DeployedSchedule): Difference[] {
  const wanted = fieldsOf(expected, (text) => filledIn(text, arn));
  const there = fieldsOf(fields, (text) => text);
  for (const [field, value] of Object.entries(UNSET)) if (there.get(field) === value) there.delete(field);
  const differences: Difference[] = [];
  for (const field of new Set([...wanted.keys(), ...there.keys()])) {
    const [got, want] = [there.get(field), wanted.get(field)];
    if (got === want) continue;
    differences.push({
      field,
      ...(got !== undefined && { got }),
      ...(want !== undefined && { expected: want }),
    });
  }
  return differences;
}

/** Values by their path: `{ target: { arn } }` has `Target.Arn`. */
function fieldsOf(value: object, read: (text: string) => string, path = ''): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, inner] of Object.entries(value)) {
    const at = `${path}${key.charAt(0).toUpperCase()}${key.slice(1)}`;
    if (inner === undefined || inner === null) continue;
    if (typeof inner === 'object') {
      for (const [field, text] of fieldsOf(inner, read, `${at}.`)) found.set(field, text);
    } else found.set(at, read(String(inner)));
  }
  return found;
}

/** An ARN of `Names` in the partition, region and account of another. */
function filledIn(text: string, arn: string): string {
  const [, partition, , region, account] = arn.split(':');
  const values: Readonly<Record<string, string | undefined>> = {
    'AWS::Partition': partition,
    'AWS::Region': region,
    'AWS::AccountId': account,
  };
  return text.replace(/\$\{(AWS::\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}
