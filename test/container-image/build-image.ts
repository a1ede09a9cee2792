import { statSync } from 'node:fs';
import { lambdaEmulator, runtimeClient } from '../aws/aws-tools.ts';
import { MissingTool } from '../aws/tools.ts';
import {
  baseImages,
  build,
  IMAGE,
  LAMBDA_IMAGE,
  lambdaClientImage,
  ROOT,
  removeLeftovers,
  sizeOf,
} from './tools.ts';

/** Builds the images. In CI, what is missing for them fails; else the suite says why it skips. */
export default async function buildImages(): Promise<void> {
  await bring('of the image', async () => {
    const { node, base } = baseImages();
    await removeLeftovers();
    const began = performance.now();
    const bases = ['--build-arg', `NODE_IMAGE=${node}`, '--build-arg', `BASE_IMAGE=${base}`];
    await buildTarget([...bases, '--build-arg', 'REVISION=of-the-test', '-t', IMAGE]);
    const seconds = Math.round((performance.now() - began) / 1000);
    const [size, own, debian] = [sizeOf(IMAGE), statSync(process.execPath).size, sizeOf(base)];
    const mb = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
    const parts = `${mb(debian)} of Debian + ${mb(own)} of Node + ${mb(size - debian - own)} of kuber-cron`;
    process.stderr.write(`image: ${mb(size)} = ${parts} (built in ${seconds}s)\n`);
    process.env.KUBERCRON_TEST_IMAGE = IMAGE;

    await bring('of the image for Lambda', async () => {
      const client = lambdaClientImage(node, runtimeClient());
      process.env.KUBERCRON_TEST_LAMBDA = lambdaEmulator();
      const target = ['--target', 'lambda', '--build-arg', `LAMBDA_CLIENT_IMAGE=${client}`];
      await buildTarget([...bases, ...target, '-t', LAMBDA_IMAGE]);
      process.env.KUBERCRON_TEST_LAMBDA_IMAGE = LAMBDA_IMAGE;
    });
  });
}

async function buildTarget(args: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await build(ROOT, ['-f', `${ROOT}/container/Dockerfile`, ...args]);
  if (code !== 0) throw new Error(`the image could not be built:\n${stdout}\n${stderr}`);
}

async function bring(which: string, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof MissingTool) || process.env.CI !== undefined) throw error;
    process.stderr.write(`tests ${which} are left out: ${error.message}\n`);
  }
}
