import { execFileSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { KuberCron } from '../../infra/kuber-cron.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { describeMoto } from './needs.ts';

const FOLDER = temporaryFolder();
const CRONTAB = join(FOLDER, 'shop.crontab');
writeFileSync(
  CRONTAB,
  `# kuber-cron: defaults timeout=5m
# kuber-cron: name=report secrets=DATABASE_URL
30 2 * * 1-5 ./report.sh
# kuber-cron: name=large memory=2Gi suspend
0 4 1 * 1 ./large.sh
`,
);

/** A deployment with everything in it that changes a template. */
function deployment(outdir: string) {
  const app = new App({ outdir: join(FOLDER, outdir), analyticsReporting: false });
  const cron = new KuberCron(app, 'Cron', {
    ...{ crontabs: [CRONTAB], zone: 'Europe/Berlin', secretsPath: '/shop', jobMetrics: true, dryRun: true },
  });
  return { app, cron };
}

const logs = (name: string) =>
  `AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:logs:<AWS::Region>:<AWS::AccountId>:log-group:/aws/lambda/kuber-cron-${name}:*]`;

const STREAMS = 'Lambda names the streams of a log group, so the end of its ARN is open; nothing else is';

/** What rules of cdk-nag say that does not fit, and why. */
const ACKNOWLEDGED: readonly (readonly [id: string, reason: string])[] = [
  [logs('executor-2048'), STREAMS],
  [logs('executor-512'), STREAMS],
  [logs('watchdog'), STREAMS],
  [
    'AwsSolutions::AwsSolutions-SQS3',
    'the queue is the dead-letter queue, of schedules and functions, where the rule does not look',
  ],
];

test('cdk-nag finds these in a deployment, and nothing else', () => {
  const { app } = deployment('nag');
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  let said = '';
  try {
    app.synth();
  } catch (error) {
    said = String(error);
  }
  const found = [...said.matchAll(/Acknowledge with '([^']*)'/g)].map(([, id = '']) => id);
  expect(found.sort()).toEqual(ACKNOWLEDGED.map(([id]) => id));
});

test('and these acknowledged, nothing', () => {
  const { app, cron } = deployment('acknowledged');
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  for (const [id, reason] of ACKNOWLEDGED) Validations.of(cron).acknowledge({ id, reason });
  expect(app.synth().stacks).toHaveLength(9);
});

describeMoto('cfn-lint', () => {
  test('finds nothing but what the CDK itself writes', () => {
    const { stacks } = deployment('lint').app.synth();
    const folder = stacks[0]?.assembly.directory ?? '';
    const templates = readdirSync(folder).filter((name) => name.endsWith('.template.json'));
    expect(templates).toHaveLength(9);
    const python = process.env.KUBERCRON_TEST_PYTHON ?? '';
    // W3005: an order that a reference makes too, which the CDK writes beside it.
    const run = 'import sys; from cfnlint.runner import main; sys.exit(main())';
    const said = execFileSync(python, ['-c', run, '-i', 'W3005', '--', ...templates], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(said).toBe('');
  }, 120_000);
});
