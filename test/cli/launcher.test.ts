import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, openSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from '@jest/globals';
import packageJson from '../../package.json' with { type: 'json' };
import { launch } from '../support/kuber-cron.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FOLDER = temporaryFolder();
const VERSION = `${packageJson.version}\n`;

const CRONTAB = join(FOLDER, 'my.crontab');
writeFileSync(CRONTAB, '# kuber-cron: name=hello\n0 4 * * * echo "hello $KUBERCRON_JOB"\n');

describe('an old Node gets one sentence', () => {
  const old = `kuber-cron needs Node.js 24 or newer, this is VERSION: install it, or in a clone run \`npm ci --ignore-scripts=false\`, which brings its own.\n`;

  test('a Node that says it is older', async () => {
    const fake = join(FOLDER, 'fake-node.cjs');
    writeFileSync(
      fake,
      "Object.defineProperty(process, 'versions', { value: { node: '22.11.0' } }); Object.defineProperty(process, 'version', { value: 'v22.11.0' });",
    );
    const argv = [process.execPath, '--require', fake, join(ROOT, 'cli/kuber-cron.js'), '--version'];
    expect(await launch(argv)).toEqual({ code: 3, stdout: '', stderr: old.replace('VERSION', 'v22.11.0') });
  });

  // Beside the Node of this project a machine may have an older one.
  const node = ['/usr/bin/node', '/usr/local/bin/node'].find((path) => existsSync(path));
  const version = node === undefined ? '' : execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
  const isOld = /^v(?:1\d|2[0-3])\./.test(version);
  if (!isOld) console.info('no Node older than 24 is installed: the launcher is not tried with one');
  (isOld ? test : test.skip)('an older Node that is installed', async () => {
    expect(await launch([node as string, join(ROOT, 'cli/kuber-cron.js'), 'check', '-'])).toEqual({
      code: 3,
      stdout: '',
      stderr: old.replace('VERSION', version),
    });
  });
});

describe('outputs', () => {
  test('a reader that goes away is no fault, and the exit code stays that of the command', async () => {
    const path = join(FOLDER, 'faulty.crontab');
    writeFileSync(path, '61 * * * * true\n'.repeat(10_000));
    expect(await launch(['kuber-cron', 'check', '--format', 'json', path], { hangsUp: true })).toMatchObject({
      code: 1,
      stderr: '',
    });
  });

  const hasFullDisk = existsSync('/dev/full');
  if (!hasFullDisk) console.info('there is no /dev/full: a disk that is full is not tried');
  (hasFullDisk ? test : test.skip)('a disk that is full is told', async () => {
    const stdout = openSync('/dev/full', 'w');
    expect(await launch(['kuber-cron', 'check', CRONTAB], { stdout })).toEqual({
      code: 3,
      stdout: '',
      stderr: 'kuber-cron: cannot write what was asked for: the disk is full\n',
    });
  });
});

describe('the package', () => {
  const unpacked = join(FOLDER, 'package');
  const bin = join(FOLDER, 'bin');

  beforeAll(() => {
    // A copy of what building reads, so that this clone's own `dist` is not touched.
    const clone = join(FOLDER, 'clone');
    mkdirSync(clone);
    for (const part of [
      'package.json',
      'tsconfig.json',
      'cli',
      'container',
      'functions',
      'infra',
      'shared',
      'crontab',
      'docs',
      'LICENSE',
      'README.md',
      'CHANGELOG.md',
    ])
      cpSync(join(ROOT, part), join(clone, part), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(clone, 'node_modules'));
    const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}` };
    for (const argv of [
      ['run', 'build'],
      ['pack', '--ignore-scripts', '--pack-destination', FOLDER],
    ]) {
      const { status, stdout, stderr } = spawnSync('npm', argv, { cwd: clone, env, encoding: 'utf8' });
      if (status !== 0) throw new Error(`npm ${argv.join(' ')}: ${stdout}${stderr}`);
    }
    execFileSync('tar', [
      '-xzf',
      join(FOLDER, `${packageJson.name}-${packageJson.version}.tgz`),
      '-C',
      FOLDER,
    ]);
    // As npm installs it: a link in a folder of the path, and Node found by the first line.
    mkdirSync(bin);
    symlinkSync(join(unpacked, packageJson.bin['kuber-cron']), join(bin, 'kuber-cron'));
    symlinkSync(process.execPath, join(bin, 'node'));
  }, 60_000);

  /** The installed program, where no node_modules are near. */
  const installed = (...argv: string[]) =>
    launch(['/usr/bin/env', 'kuber-cron', ...argv], {
      cwd: FOLDER,
      env: { PATH: `${bin}${delimiter}/usr/bin${delimiter}/bin`, XDG_STATE_HOME: join(FOLDER, 'state') },
    });

  test('it holds the bundle and no sources', () => {
    expect(
      ['cli/main.ts', 'shared', 'container', 'node_modules', 'test'].filter((path) =>
        existsSync(join(unpacked, path)),
      ),
    ).toEqual([]);
    expect(
      ['dist/kuber-cron.js', 'docs', 'crontab/crontab.example', 'README.md', 'LICENSE'].filter(
        (path) => !existsSync(join(unpacked, path)),
      ),
    ).toEqual([]);
  });

  test('its program works', async () => {
    expect(await installed('--version')).toEqual({ code: 0, stdout: VERSION, stderr: '' });
    expect(await installed('check', CRONTAB)).toEqual({
      code: 0,
      stdout: `${CRONTAB}: 1 entry, 1 named, 0 with options, 0 errors, 0 warnings\n`,
      stderr: '',
    });
    expect(await installed('run', '--crontab', CRONTAB, 'hello')).toEqual({
      code: 0,
      stdout: 'hello hello\n',
      stderr: '',
    });
    expect((await installed('runs', 'hello')).stdout).toMatch(/ succeeded .* by hand\n$/);
    expect((await installed('daemon', '--help')).code).toBe(0);
  });
});
