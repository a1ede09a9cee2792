import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { deployFromContext } from '../../infra/from-context.ts';
import { buildFunctions, newApp } from '../support/synthesize.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FOLDER = temporaryFolder();
const ROOT = join(import.meta.dirname, '..', '..');
const functions = buildFunctions(FOLDER);

test('the example is a crontab that AWS carries, as it stands', () => {
  const app = newApp(FOLDER);
  app.node.setContext('crontab', join(ROOT, 'crontab', 'crontab.example'));
  app.node.setContext('functions', functions);
  deployFromContext(app);
  const schedules = app
    .synth()
    .stacks.flatMap(({ template }) =>
      Object.values<{ Type: string; Properties: { Name: string } }>(template.Resources),
    )
    .flatMap(({ Type, Properties }) => (Type === 'AWS::Scheduler::Schedule' ? [Properties.Name] : []));
  expect(schedules.sort()).toEqual([
    ...['disk-space', 'fails', 'greet-by-mail', 'hello', 'hourly-report', 'nightly-cleanup', 'too-slow'].map(
      (job) => `crontab-example--${job}--0`,
    ),
    'watchdog',
  ]);
});

describe('the workflow that deploys', () => {
  const text = readFileSync(join(ROOT, '.github', 'workflows', 'deploy.yml'), 'utf8');
  /** Lines below a job's name, without its comments. */
  const job = (name: string) => {
    const [, body = ''] = new RegExp(`^ {2}${name}:\\n((?: {4}.*\\n|\\n)+)`, 'm').exec(text) ?? [];
    return body.replace(/^ *#.*\n/gm, '');
  };
  const runs = (name: string) => [...job(name).matchAll(/^ {6}- run: (.*)$/gm)].map(([, run]) => run);
  const permissions = (name: string) => {
    const [, block = ''] = /^ {4}permissions:\n((?: {6}.*\n)+)/m.exec(job(name)) ?? [];
    return [...block.matchAll(/^ {6}([a-z-]+: [a-z]+)$/gm)].map(([, one]) => one);
  };

  test('pins each action to a commit, and says its version', () => {
    const uses = [...text.matchAll(/uses: (.*)$/gm)].map(([, one]) => one);
    expect(uses.filter((one) => !/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(one ?? ''))).toEqual(
      [],
    );
    expect(uses).toHaveLength(8);
  });

  test('gives nothing by default, and no secret to anybody', () => {
    expect(text).toMatch(/^permissions: \{\}$/m);
    expect(text).not.toMatch(/secrets\.|pull_request_target|write-all/);
    expect(text.match(/persist-credentials: false/g)).toHaveLength(3);
  });

  test.each<[name: string, permissions: string[], condition: RegExp, runs: string[]]>([
    [
      'check',
      ['contents: read'],
      /^(?![\s\S]*^ {4}if:)/m,
      ['npm ci', 'npx kuber-cron check --format github --strict --target aws "$CRONTAB"'],
    ],
    [
      'diff',
      ['contents: read', 'id-token: write'],
      /needs: check\n {4}if: >-\n.*'pull_request' && vars\.AWS_DIFF_ROLE != '' &&\n.*head\.repo\.full_name == github\.repository\n/,
      ['npm ci', 'npm run build', 'npx cdk diff --method=template -c crontab="$CRONTAB"'],
    ],
    [
      'deploy',
      ['contents: read', 'id-token: write'],
      /needs: check\n {4}if: .*'push' && github\.ref == 'refs\/heads\/main' && vars\.AWS_DEPLOY_ROLE != ''\n/,
      [
        'npm ci',
        'npm run build',
        'npx cdk diff --method=template -c crontab="$CRONTAB"',
        'npx cdk deploy --all --require-approval never -c crontab="$CRONTAB"',
        'npx kuber-cron drift "$CRONTAB"',
      ],
    ],
  ])('%s may %j, and runs when it should', (name, allowed, condition, steps) => {
    expect(permissions(name)).toEqual(allowed);
    expect(job(name)).toMatch(condition);
    expect(runs(name)).toEqual(steps);
  });

  test('deploys one after the other, and cuts none off', () => {
    expect(text).toContain(`concurrency:
  group: deploy-\${{ github.ref }}
  cancel-in-progress: \${{ github.event_name == 'pull_request' }}
`);
  });
});
