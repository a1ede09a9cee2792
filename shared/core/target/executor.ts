import type { JobOptions } from '../crontab/options.ts';

/**
 * Sizes of executor functions in MiB, ascending: few, since one alarm sums the errors of all, and takes ten metrics. New
 * accounts have none above 3008 until they ask for more.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 */
export const MEMORY_CLASSES = [256, 512, 1024, 2048, 3008, 4096, 8192, 10_240] as const;

/**
 * Size of the executor function that runs a job: the smallest class that has what the job's `memory` asks for, which
 * `check --target aws` bounds to the largest.
 *
 * @param usual MiB, of jobs that ask for none
 */
export function executorMemory({ memory }: Pick<JobOptions, 'memory'>, usual: number): number {
  if (memory === undefined) return usual;
  const fitting = MEMORY_CLASSES.find((size) => size * 2 ** 20 >= memory);
  if (fitting === undefined) throw new Error(`no executor has ${memory} bytes of memory`);
  return fitting;
}

/** Name of an executor function. @param app name of the deployment @param memory MiB */
export function executorName(app: string, memory: number): string {
  return `${app}-executor-${memory}`;
}

/** What the functions are told by their environment. */
export const FUNCTION_VARIABLES = {
  /** Name of the deployment, from which `executorName` makes the functions that the watchdog starts. */
  app: 'KUBERCRON_APP',
  /** MiB of jobs that ask for none: the other half of `executorMemory`. */
  memory: 'KUBERCRON_EXECUTOR_MEMORY',
  /** Run store as `--store` takes it: `dynamodb:TABLE`. */
  store: 'KUBERCRON_STORE',
  /** Namespace of CloudWatch that metrics are written to. */
  metricsNamespace: 'KUBERCRON_METRICS_NAMESPACE',
  /** Whether each job has metrics of its own: `true` or `false`. */
  jobMetrics: 'KUBERCRON_JOB_METRICS',
  /** Whether runs are recorded as they would start, and none is started: `true` or `false`. */
  dryRun: 'KUBERCRON_DRY_RUN',
  /** ARN of the role whose credentials commands get. */
  commandRole: 'KUBERCRON_COMMAND_ROLE_ARN',
  /** Path in SSM Parameter Store below which each variable of `secrets` is a parameter; not set where no job has any. */
  secretsPath: 'KUBERCRON_SECRETS_PATH',
  /** ARN of the SNS topic that notifications go to. */
  topic: 'KUBERCRON_TOPIC_ARN',
} as const;

/** Folder of a function's code with a plan of each crontab as `<crontab>.json`, canonical JSON. */
export const PLANS_FOLDER = 'plans';
