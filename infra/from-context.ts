import type { App } from 'aws-cdk-lib';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { nearest } from '../shared/core/nearest.ts';
import { InputError } from './input-error.ts';
import { KuberCron } from './kuber-cron.ts';

/** Keys of `-c KEY=VALUE`, and what each takes. */
const CONTEXT = {
  crontab: 'a file or folder, or several with commas between',
  zone: 'the time zone of entries without `CRON_TZ`',
  name: 'the name of the deployment',
  shards: 'over how many stacks the schedules are spread',
  memory: 'the MiB of the executor for jobs without `memory`',
  functions: 'the folder of the prebuilt functions',
  secretsPath: 'the path of secrets in SSM Parameter Store',
  email: 'an address that alarms and notifications go to',
} as const;

type Key = keyof typeof CONTEXT;
const KEYS = Object.keys(CONTEXT) as Key[];

/**
 * The deployment that the context of the CDK's command line describes.
 *
 * @throws InputError when a value is wrong, or a crontab has errors
 */
export function deployFromContext(app: App): KuberCron {
  const context: Readonly<Record<string, unknown>> = app.node.getAllContext();
  for (const key of Object.keys(context)) {
    const near = KEYS.includes(key as Key) ? undefined : nearest(key, KEYS);
    if (near !== undefined)
      throw new InputError(`there is no context value \`${key}\`; did you mean \`-c ${near}=…\`?`);
  }
  const text = (key: Key): string | undefined => {
    const value = context[key];
    if (value === undefined || (typeof value === 'string' && value !== '')) return value;
    throw new InputError(`\`-c ${key}=…\` takes ${CONTEXT[key]}, got ${JSON.stringify(value)}`);
  };
  const whole = (key: Key): number | undefined => {
    const value = context[key];
    if (value === undefined) return undefined;
    if (/^\d{1,6}$/.test(String(value))) return Number(value);
    throw new InputError(
      `\`-c ${key}=…\` takes a whole number, ${CONTEXT[key]}, got ${JSON.stringify(value)}`,
    );
  };
  const crontabs = text('crontab')?.split(',');
  if (crontabs === undefined)
    throw new InputError('no crontab: say which by `-c crontab=crontab/production`, a file or a folder');
  const email = text('email');
  if (email !== undefined && !/^[^\s@]+@[^\s@]+$/.test(email))
    throw new InputError(`\`-c email=…\` takes ${CONTEXT.email}, got \`${email}\``);
  const cron = new KuberCron(app, 'Cron', {
    ...{ crontabs, zone: text('zone'), name: text('name'), shards: whole('shards'), memory: whole('memory') },
    ...{ functions: text('functions'), secretsPath: text('secretsPath') },
  });
  if (email !== undefined) cron.topic.addSubscription(new EmailSubscription(email));
  return cron;
}
