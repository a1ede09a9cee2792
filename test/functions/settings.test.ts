import { expect, test } from '@jest/globals';
import { readExecutorSettings, readSettings, SettingsError } from '../../functions/settings.ts';

const ENVIRONMENT = {
  KUBERCRON_APP: 'kuber-cron',
  KUBERCRON_EXECUTOR_MEMORY: '512',
  KUBERCRON_STORE: 'dynamodb:kuber-cron-core-Runs1A2B',
  KUBERCRON_METRICS_NAMESPACE: 'kuber-cron',
  KUBERCRON_TOPIC_ARN: 'arn:aws:sns:eu-central-1:123456789012:topic',
  KUBERCRON_JOB_METRICS: 'false',
  KUBERCRON_DRY_RUN: 'true',
  KUBERCRON_COMMAND_ROLE_ARN: 'arn:aws:iam::123456789012:role/commands',
  KUBERCRON_SECRETS_PATH: '/shop/production',
  AWS_REGION: 'eu-central-1',
};
const SETTINGS = {
  ...{ app: 'kuber-cron', memory: 512, table: 'kuber-cron-core-Runs1A2B', metricsNamespace: 'kuber-cron' },
  topic: 'arn:aws:sns:eu-central-1:123456789012:topic',
  ...{ hasJobMetrics: false, isDryRun: true },
};

test('functions read what the construct tells them', () => {
  expect(readSettings(ENVIRONMENT)).toEqual(SETTINGS);
  const { KUBERCRON_SECRETS_PATH: _path, KUBERCRON_DRY_RUN: _dryRun, ...without } = ENVIRONMENT;
  const own = { commandRole: 'arn:aws:iam::123456789012:role/commands', region: 'eu-central-1' };
  expect(readExecutorSettings(ENVIRONMENT)).toEqual({ ...SETTINGS, ...own, secretsPath: '/shop/production' });
  expect(readExecutorSettings(without)).toEqual({ ...SETTINGS, ...own, isDryRun: false });
});

test.each<[change: Record<string, string | undefined>, message: string]>([
  [{ KUBERCRON_APP: undefined }, '`KUBERCRON_APP` takes the name of the deployment, got nothing'],
  [
    { KUBERCRON_STORE: 'sqlite:/tmp/runs' },
    '`KUBERCRON_STORE` takes `dynamodb:TABLE`, got `sqlite:/tmp/runs`',
  ],
  [
    { KUBERCRON_EXECUTOR_MEMORY: 'much' },
    '`KUBERCRON_EXECUTOR_MEMORY` takes the MiB of an executor such as 512, got `much`',
  ],
  [{ KUBERCRON_JOB_METRICS: 'yes' }, '`KUBERCRON_JOB_METRICS` takes `true` or `false`, got `yes`'],
  [
    { KUBERCRON_SECRETS_PATH: 'shop' },
    '`KUBERCRON_SECRETS_PATH` takes a path such as /shop/production, got `shop`',
  ],
  [{ AWS_REGION: '' }, '`AWS_REGION` takes a region such as eu-central-1, got nothing'],
])('%j is refused in one sentence', (change, message) => {
  const read = () => readExecutorSettings({ ...ENVIRONMENT, ...change });
  expect(read).toThrow(new SettingsError(`${message}: deploy the function by its construct`));
});

test('all that is wrong is told at once', () => {
  const read = () => readSettings({ ...ENVIRONMENT, KUBERCRON_APP: 'X', KUBERCRON_DRY_RUN: '1' });
  expect(read).toThrow(/KUBERCRON_APP.*; .*KUBERCRON_DRY_RUN/);
});
