import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { Stack, Validations } from 'aws-cdk-lib';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { AwsSolutionsChecks } from 'cdk-nag';
import { KuberCron } from '../../infra/kuber-cron.ts';
import { buildFunctions, newApp, writeCrontabs } from '../support/synthesize.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { Cdk } from './cdk.ts';
import { describeMoto } from './needs.ts';

const FOLDER = temporaryFolder();
const functions = buildFunctions(FOLDER);
const crontabs = writeCrontabs(FOLDER, {
  shop: `CRON_TZ=Europe/Berlin
# kuber-cron: defaults timeout=1m
# kuber-cron: name=backup memory=2Gi secrets=DATABASE_URL
30 4 * * *  true
# kuber-cron: name=report allow=both-day-fields
0 6 1,15 * 1  true
# kuber-cron: name=resting suspend
*/5 * * * *  true
`,
});
const secretsPath = '/shop/production';
/** Everything in it that changes a template. */
const PROPS = { crontabs, functions, secretsPath, shards: 1, jobMetrics: true, dryRun: true };

/** What cfn-lint's own program does. */
const RUN = 'import sys; from cfnlint.runner import main; sys.exit(main())';

/** A finding: rule and the construct that it is about. */
type Finding = readonly [rule: string, construct: string];

interface Report {
  readonly pluginReports: readonly {
    readonly violations: readonly {
      readonly ruleName: string;
      readonly violatingConstructs: readonly { readonly constructPath: string }[];
    }[];
  }[];
}

describe('cdk-nag', () => {
  /** What is found fault with, after what is acknowledged. */
  const findings = (change: (cron: KuberCron) => void): Finding[] => {
    const app = newApp(FOLDER);
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    change(new KuberCron(app, 'Cron', PROPS));
    try {
      app.synth();
    } catch (error) {
      if ((error as Error).name !== 'ValidationFailed') throw error;
    }
    const file = join(app.outdir, 'validation-report.json');
    if (!existsSync(file)) return [];
    const { pluginReports } = JSON.parse(readFileSync(file, 'utf8')) as Report;
    return pluginReports.flatMap(({ violations }) =>
      violations.flatMap(({ ruleName, violatingConstructs }) =>
        violatingConstructs.map(({ constructPath }) => [ruleName, constructPath] as const),
      ),
    );
  };

  test.each<[what: string, change: (cron: KuberCron) => void, expected: Finding[]]>([
    ['finds no fault with the constructs', () => {}, []],
    [
      'finds what somebody grants to commands without a limit',
      ({ commandRole }) =>
        commandRole.addToPolicy(new PolicyStatement({ actions: ['s3:GetObject'], resources: ['*'] })),
      [['AwsSolutions-IAM5[Resource::*]', 'Cron/Core/CommandRole/DefaultPolicy/Resource']],
    ],
    [
      'finds a function that may do more than we acknowledge',
      ({ watchdog }) =>
        watchdog.addToRolePolicy(new PolicyStatement({ actions: ['logs:*'], resources: ['*'] })),
      [
        ['AwsSolutions-IAM5[Action::logs:*]', 'Cron/Core/WatchdogRole/DefaultPolicy/Resource'],
        ['AwsSolutions-IAM5[Resource::*]', 'Cron/Core/WatchdogRole/DefaultPolicy/Resource'],
      ],
    ],
  ])('%s', (_what, change, expected) => {
    expect(findings(change).toSorted()).toStrictEqual(expected);
  });

  test('is told why of each exception, which are these', () => {
    const app = newApp(FOLDER);
    const vpc = new Vpc(new Stack(app, 'Network'), 'Vpc');
    const cron = new KuberCron(app, 'Cron', { ...PROPS, vpc });
    const reasons = cron.core.node
      .findAll()
      .flatMap(({ node }) =>
        node.metadata
          .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
          .flatMap(({ data }) => Object.entries<string>(data).map((one) => [node.id, ...one])),
      );
    const streams = (name: string) =>
      `AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:logs:<AWS::Region>:<AWS::AccountId>:log-group:/aws/lambda/kuber-cron-${name}:*]`;
    const named = 'Lambda names the streams of the log group';
    expect(reasons).toStrictEqual([
      [
        'DeadLetters',
        'AwsSolutions::AwsSolutions-SQS3',
        'It is the dead-letter queue: of schedules and functions',
      ],
      ['ExecutorRole', streams('executor-512'), named],
      ['ExecutorRole', streams('executor-2048'), named],
      [
        'ExecutorRole',
        'AwsSolutions::AwsSolutions-IAM5[Resource::*]',
        'EC2 knows no resources for network interfaces',
      ],
      ['WatchdogRole', streams('watchdog'), named],
    ]);
  });
});

describeMoto('cfn-lint', () => {
  /** Findings of templates. W3005: the CDK says of roles what follows from references as well. */
  const lint = (folder: string): Promise<{ readonly code: unknown; readonly stdout: string }> => {
    const templates = readdirSync(folder).filter((name) => name.endsWith('.template.json'));
    const paths = templates.map((name) => join(folder, name));
    const argv = ['-c', RUN, '--regions', 'eu-central-1', '--ignore-checks', 'W3005', '--', ...paths];
    return new Promise((resolve) => {
      execFile(process.env.KUBERCRON_TEST_PYTHON ?? '', argv, (error, stdout) =>
        resolve({ code: error?.code ?? 0, stdout }),
      );
    });
  };
  const cdk = new Cdk(FOLDER);

  beforeAll(async () => {
    const context = {
      crontab: crontabs.join(),
      functions,
      secretsPath,
      shards: '2',
      email: 'ops@example.com',
    };
    const outcome = await cdk.run(['synth', '--quiet', '--all'], { context });
    if (outcome.code !== 0) throw new Error(outcome.stderr);
  });

  test('finds no fault with what the command line of the CDK synthesizes', async () => {
    expect(await lint(cdk.assembly)).toStrictEqual({ code: 0, stdout: '' });
  });

  test('finds one that is put there', async () => {
    const [name = ''] = readdirSync(cdk.assembly).filter((one) => /Schedules0.*\.template\.json$/.test(one));
    const file = join(cdk.assembly, name);
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll('"Mode":"OFF"', '"Mode":"NEVER"'));
    expect((await lint(cdk.assembly)).stdout).toMatch(/^E3030 'NEVER' is not one of \['OFF', 'FLEXIBLE'\]/);
  });
});
