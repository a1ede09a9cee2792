import type { JobOptions } from '../crontab/options.ts';
import { durationText } from '../crontab/values.ts';
import type { Schedule } from '../schedule/schedule.ts';
import { NO_REBOOT } from './eventbridge.ts';

/** Longest run of a command: Lambda ends the executor after 15 minutes, which leaves one to end and record the run. */
export const LONGEST_TIMEOUT_MS = 14 * 60_000;

/** @see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
export const MOST_MEMORY_BYTES = 10_240 * 2 ** 20;

/** What AWS asks of an entry; both an entry as parsed and a job as planned have it. */
export interface AwsQuestion {
  /** Undefined for `@reboot`. */
  readonly schedule: Schedule | undefined;
  /** Zone of `CRON_TZ`, else of `--zone`; undefined where neither is given. */
  readonly zone: string | undefined;
  readonly options: JobOptions;
}

export type AwsObstacleCode =
  | 'memory-exceeds-target'
  | 'missing-time-zone'
  | 'missing-timeout'
  | 'timeout-exceeds-target'
  | 'unsupported-reboot';

/** Something about an entry that AWS does not carry as it is written. */
export interface AwsObstacle {
  readonly code: AwsObstacleCode;
  /** The key that says it, where a key does. */
  readonly key?: 'memory' | 'timeout';
  readonly message: string;
  readonly help: string;
}

const LONGEST = durationText(LONGEST_TIMEOUT_MS);
const ELSEWHERE = 'leave it to the daemon by `# kuber-cron: targets=daemon`';

/** What keeps AWS from running an entry as it is written; nothing for one whose `targets` leave AWS out. */
export function awsObstacles({ schedule, zone, options }: AwsQuestion): AwsObstacle[] {
  if (options.targets?.includes('aws') === false) return [];
  const { timeout, memory } = options;
  const found: AwsObstacle[] = [];
  if (schedule === undefined) return [NO_REBOOT];
  if (zone === undefined) {
    found.push({
      code: 'missing-time-zone',
      message: 'no time zone is set, and AWS has none of its own as a machine has',
      help: 'write `CRON_TZ=Europe/Berlin` (or another zone) above the entry, or say `--zone`',
    });
  }
  if (timeout === undefined) {
    found.push({
      code: 'missing-timeout',
      message: `without \`timeout\` a command is ended after ${LONGEST}, the longest run that Lambda allows`,
      help: `write \`# kuber-cron: timeout=…\` with ${LONGEST} at most, or ${ELSEWHERE}`,
    });
  } else if (timeout > LONGEST_TIMEOUT_MS) {
    found.push({
      code: 'timeout-exceeds-target',
      key: 'timeout',
      message: `timeout must be at most ${LONGEST} on AWS, got ${durationText(timeout)}: Lambda ends every run after 15 minutes`,
      help: `part the work, shorten the timeout, or ${ELSEWHERE}`,
    });
  }
  if (memory !== undefined && memory > MOST_MEMORY_BYTES) {
    found.push({
      code: 'memory-exceeds-target',
      key: 'memory',
      message: `memory must be at most 10240Mi on AWS, got ${Math.ceil(memory / 2 ** 20)}Mi: no Lambda function has more`,
      help: `ask for less, or ${ELSEWHERE}`,
    });
  }
  return found;
}
