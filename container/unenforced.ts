import type { LimitSupport } from '../shared/adapters/limits.ts';
import { addressVariable } from '../shared/adapters/webhook.ts';
import type { JobOptions } from '../shared/core/crontab/options.ts';
import type { SchedulePlan } from '../shared/core/plan/plan.ts';

/** What of a crontab this daemon can carry out. */
export interface DaemonAbilities {
  /** Asked only when some job has a limit: to find out costs something. */
  readonly limits: () => LimitSupport;
  /** Whether a channel of notifications has an address. */
  readonly hasChannel: (name: string) => boolean;
}

/** One sentence for each thing that a crontab asks for and that is not done here: nobody shall count on it. */
export function unenforced({ crontab, jobs }: SchedulePlan, abilities: DaemonAbilities): string[] {
  const users = (test: (options: Pick<JobOptions, 'memory' | 'cpu-time' | 'notify'>) => boolean) => {
    const count = jobs.filter(({ options }) => test(options)).length;
    return count === 0 ? undefined : `${count} ${count === 1 ? 'job' : 'jobs'} of crontab \`${crontab}\``;
  };
  const sentences: string[] = [];
  const memory = users((options) => options.memory !== undefined);
  const cpuTime = users((options) => options['cpu-time'] !== undefined);
  if (memory !== undefined || cpuTime !== undefined) {
    const limits = abilities.limits();
    if (memory !== undefined && !limits.memory) {
      sentences.push(
        `\`memory\` is not enforced here (${memory}): ${limits.why ?? 'there are no control groups'}`,
      );
    }
    if (cpuTime !== undefined && !limits.cpuTime) {
      sentences.push(`\`cpu-time\` is not enforced here (${cpuTime}): there is no /bin/sh that could set it`);
    }
  }
  const channels = new Set(jobs.flatMap(({ options }) => options.notify ?? []));
  for (const channel of [...channels].filter((name) => !abilities.hasChannel(name)).sort()) {
    const who = users(({ notify }) => notify === channel);
    sentences.push(
      `nobody is told by \`notify=${channel}\`: \`${addressVariable(channel)}\` is not set (${who})`,
    );
  }
  return sentences;
}
