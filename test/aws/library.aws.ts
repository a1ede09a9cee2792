import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import packageJson from '../../package.json' with { type: 'json' };
import { temporaryFolder } from '../support/temporary-folder.ts';

const ROOT = join(import.meta.dirname, '../..');
const FOLDER = temporaryFolder();
const ASSEMBLY = join(FOLDER, 'cdk.out');
const { devDependencies: pinned } = packageJson;

/** A program of somebody else, in a folder of its own. */
const APP = `import { App, Stack, aws_s3 as s3 } from 'aws-cdk-lib';
import { KuberCron, type KuberCronProps } from 'kuber-cron';

const app = new App({ outdir: 'cdk.out', analyticsReporting: false });
const props: KuberCronProps = { crontabs: ['crontab'], zone: 'Europe/Berlin', name: 'shop-cron' };
const cron = new KuberCron(app, 'Cron', props);
const bucket = new s3.Bucket(cron.core, 'Reports');
bucket.grantReadWrite(cron.commandRole);
const stack: Stack = cron.core;
app.synth();
console.log(stack.stackName);
`;

function npm(...args: string[]): string {
  return execFileSync('npm', args, { cwd: FOLDER, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

describe('the package in a program of its own', () => {
  beforeAll(() => {
    if (!existsSync(join(ROOT, 'dist/functions/executor/main.mjs')))
      throw new Error('the package is not built: `npm run build`');
    execFileSync('npm', ['pack', '--ignore-scripts', '--pack-destination', FOLDER], {
      cwd: ROOT,
      stdio: 'pipe',
    });
    writeFileSync(join(FOLDER, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
    mkdirSync(join(FOLDER, 'crontab'));
    writeFileSync(
      join(FOLDER, 'crontab/shop.crontab'),
      '# kuber-cron: name=report\n30 2 * * 1-5 ./report.sh\n',
    );
    writeFileSync(join(FOLDER, 'app.ts'), APP);
    const peers = (['aws-cdk-lib', 'constructs'] as const).map((name) => `${name}@${pinned[name]}`);
    const [tarball = ''] = readdirSync(FOLDER).filter((name) => name.endsWith('.tgz'));
    npm('install', '--prefer-offline', '--no-audit', '--no-fund', `./${tarball}`, ...peers);
  });

  test('brings no dependency of its own', () => {
    const lock = JSON.parse(readFileSync(join(FOLDER, 'package-lock.json'), 'utf8'));
    const { dependencies = {}, peerDependencies } = lock.packages['node_modules/kuber-cron'];
    expect({ dependencies, peers: Object.keys(peerDependencies) }).toEqual({
      dependencies: {},
      peers: ['aws-cdk-lib', 'constructs'],
    });
  });

  test('has types that a strict compiler takes', () => {
    const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--types', 'node'];
    const types = join(ROOT, 'node_modules/@types');
    const run = () =>
      execFileSync(process.execPath, [compiler, ...options, '--typeRoots', types, 'app.ts'], {
        cwd: FOLDER,
        encoding: 'utf8',
      });
    expect(run()).toBe('');
  });

  test('synthesizes the crontab, with the code of the functions', () => {
    expect(execFileSync(process.execPath, ['app.ts'], { cwd: FOLDER, encoding: 'utf8' })).toBe(
      'shop-cron-core\n',
    );
    const templates = readdirSync(ASSEMBLY).filter((name) => name.endsWith('.template.json'));
    const schedules = templates.flatMap((name) => {
      const { Resources = {} } = JSON.parse(readFileSync(join(ASSEMBLY, name), 'utf8'));
      return Object.values<{ Type: string; Properties: { Name?: string } }>(Resources)
        .filter(({ Type }) => Type === 'AWS::Scheduler::Schedule')
        .map(({ Properties }) => Properties.Name);
    });
    expect(schedules.sort()).toEqual(['shop--report--0', 'watchdog']);
    const assets = readdirSync(ASSEMBLY).filter((name) => name.startsWith('asset.'));
    const holding = assets.map((name) => readdirSync(join(ASSEMBLY, name)).sort());
    expect(holding).toEqual([
      ['LICENSES.txt', 'main.mjs', 'plans'],
      ['LICENSES.txt', 'main.mjs', 'plans'],
    ]);
  });

  test('runs the command line as well', () => {
    const bin = join(FOLDER, 'node_modules/.bin/kuber-cron');
    expect(execFileSync(bin, ['--version'], { encoding: 'utf8' })).toBe(`${packageJson.version}\n`);
  });
});
