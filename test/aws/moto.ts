import { execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort, type Server } from './tools.ts';

/** Where moto and the functions of a suite are. */
export const REGION = 'eu-central-1';
export const ACCOUNT = '123456789012';

/** Credentials that moto takes for anything. */
export const CREDENTIALS = { accessKeyId: 'deployer', secretAccessKey: 'deployer-secret' };

/** An AWS of our own, empty, in memory. @param invokeUrl where functions run: see `moto-server.py` */
export async function startMoto(invokeUrl?: string): Promise<Server> {
  const port = await freePort();
  const script = join(import.meta.dirname, 'moto-server.py');
  const child = spawn(
    process.env.KUBERCRON_TEST_PYTHON ?? '',
    [script, '-H', '127.0.0.1', '-p', String(port)],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env.PATH, ...(invokeUrl !== undefined && { INVOKE_URL: invokeUrl }) },
    },
  );
  let said = '';
  child.stderr?.on('data', (data: Buffer) => {
    said = `${said}${data}`.slice(-4000);
  });
  // moto tells services of S3 by the host's name.
  const endpoint = `http://localhost:${port}`;
  while (child.exitCode === null && child.signalCode === null) {
    if (await fetch(`${endpoint}/moto-api/`).then(Boolean, () => false)) return { endpoint, process: child };
    await sleep(50);
  }
  throw new Error(`moto did not start: ${said}`);
}

/** Settings of a client of the SDK. */
export function clientOf({ endpoint }: Server) {
  return { endpoint, region: REGION, credentials: CREDENTIALS };
}

/** Names of what there is, by kind; kinds of which there is none are left out. */
export async function everythingIn({
  endpoint,
}: Server): Promise<Readonly<Record<string, readonly string[]>>> {
  const script = join(import.meta.dirname, 'list-resources.py');
  const env = {
    ...{ PATH: process.env.PATH, AWS_DEFAULT_REGION: REGION, AWS_EC2_METADATA_DISABLED: 'true' },
    ...{ AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId, AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey },
  };
  const { stdout } = await promisify(execFile)(process.env.KUBERCRON_TEST_PYTHON ?? '', [script, endpoint], {
    env,
  });
  return JSON.parse(stdout);
}
