import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached, has, MissingTool } from './tools.ts';

/** The Runtime Interface Emulator comes in AWS's package for Python of its command line for serverless applications. */
const SAM_CLI = '1.170.0';
const EMULATOR_SHA256: Partial<Record<NodeJS.Architecture, readonly [file: string, sha256: string]>> = {
  x64: ['aws-lambda-rie-x86_64', '6b1e686e62ab2baf5759c412c4864276ef2a88b094fca53ec070637ccba9b9a5'],
  arm64: ['aws-lambda-rie-arm64', 'ec2e5d09633d853834c008b1ef264bf834b258a94d551d2b2074966494b39a21'],
};

/** The Runtime Interface Client, which is in Lambda's own image for Node.js as well: its code, and a part in C++. */
const CLIENT = '4.0.2';
const CLIENT_SHA256 = '180651f3b1745cb68797cdba9a26c01da6c72b81c908400ebc6c27a43986c2e0';

const REQUIREMENTS = join(import.meta.dirname, 'requirements.txt');

function sha256(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

function checkHash(file: string, expected: string): void {
  const hash = sha256(file);
  if (hash !== expected)
    throw new Error(`${file} is not what it was: it has ${hash}; delete its folder, and it is fetched again`);
}

/** @throws MissingTool saying what could not be brought, and why */
function bring(what: string, command: string, args: readonly string[], env = process.env): void {
  try {
    execFileSync(command, args, { stdio: 'pipe', env });
  } catch (error) {
    const { stderr = '' } = error as { stderr?: Buffer | string };
    const reason = String(stderr).trim().split('\n').slice(-3).join(' ');
    throw new MissingTool(`${what} could not be brought: ${reason || String(error)}`, { cause: error });
  }
}

/**
 * A Python with moto and cfn-lint, in the versions of `requirements.txt`.
 *
 * @throws MissingTool without Python 3 and its `venv`, or without a network
 */
export function pythonWithMoto(): string {
  const folder = cached(`python-${sha256(REQUIREMENTS).slice(0, 16)}`, (folder) => {
    if (!has('python3', '-c', 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))'))
      throw new MissingTool('there is no Python from 3.11 on with `venv`: install python3-venv');
    bring('an environment of Python', 'python3', ['-m', 'venv', folder]);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
    bring('moto and cfn-lint', join(folder, 'bin', 'python'), [...pip, '-r', REQUIREMENTS]);
  });
  return join(folder, 'bin', 'python');
}

/**
 * The program that stands in for Lambda: it has the interface of the service on one side and that of a runtime on the
 * other, starts the runtime and enforces the time-out.
 *
 * @throws MissingTool as `pythonWithMoto`, and on processors that it does not exist for
 */
export function lambdaEmulator(): string {
  const [name, hash] = EMULATOR_SHA256[process.arch] ?? [];
  if (name === undefined || hash === undefined || process.platform !== 'linux')
    throw new MissingTool(`there is no emulator of Lambda for ${process.platform} on ${process.arch}`);
  const folder = cached(`lambda-emulator-${SAM_CLI}`, (folder) => {
    const python = pythonWithMoto();
    const wheel = ['-m', 'pip', 'download', '--quiet', '--no-deps', '-d', folder, `aws-sam-cli==${SAM_CLI}`];
    bring('the emulator of Lambda', python, wheel);
    const file = join(folder, `aws_sam_cli-${SAM_CLI}-py3-none-any.whl`);
    bring('the emulator of Lambda', python, ['-m', 'zipfile', '-e', file, join(folder, 'wheel')]);
    renameSync(join(folder, 'wheel', 'samcli', 'local', 'rapid', name), join(folder, name));
    chmodSync(join(folder, name), 0o755);
    rmSync(file);
    rmSync(join(folder, 'wheel'), { recursive: true });
  });
  checkHash(join(folder, name), hash);
  return join(folder, name);
}

/**
 * What Lambda starts in Node.js to call a handler, built for the Node of the project. Never to be imported: it ends a
 * process that Lambda did not start.
 *
 * @throws MissingTool without CMake and a compiler, or without a network
 */
export function runtimeClient(): string {
  const node = process.versions.node;
  const folder = cached(`lambda-runtime-client-${CLIENT}-node-${node}-${process.arch}`, (folder) => {
    for (const tool of ['cmake', 'make', 'g++', 'python3']) {
      if (!has(tool, '--version'))
        throw new MissingTool(`there is no ${tool}, which the client of Lambda's runtime is built by`);
    }
    // The package of Node has the headers, which a build would else fetch from elsewhere.
    const headers = `node-${process.platform}-${process.arch}`;
    writeFileSync(join(folder, 'package.json'), '{ "private": true }');
    const npm = (...args: string[]) => {
      const env = { ...process.env, npm_config_nodedir: join(folder, 'node_modules', headers) };
      bring("the client of Lambda's runtime", 'npm', ['--prefix', folder, ...args], env);
    };
    npm('install', '--ignore-scripts', '--no-audit', `aws-lambda-ric@${CLIENT}`, `${headers}@${node}`);
    npm('rebuild', '--ignore-scripts=false', 'aws-lambda-ric');
    for (const file of ['index.mjs', 'rapid-client.node'])
      copyFileSync(join(folder, 'node_modules', 'aws-lambda-ric', file), join(folder, file));
    for (const name of ['node_modules', 'package.json', 'package-lock.json'])
      rmSync(join(folder, name), { recursive: true, force: true });
  });
  const main = join(folder, 'index.mjs');
  checkHash(main, CLIENT_SHA256);
  return main;
}
