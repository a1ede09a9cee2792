import { copyFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, expect, test } from '@jest/globals';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { Container, describeLambdaImage } from './container.ts';
import { build, podman, ROOT } from './tools.ts';

const FOLDER = temporaryFolder();
const EXECUTOR = join(ROOT, 'dist/functions/executor/main.mjs');
const EMULATOR = '/usr/local/bin/aws-lambda-rie';
const ADDRESSES = [
  '--runtime-interface-emulator-address',
  '127.0.0.1:8080',
  '--runtime-api-address',
  '127.0.0.1:9001',
];

const images: string[] = [];
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});
afterAll(async () => {
  if (images.length > 0) await podman('image', 'rm', '--force', ...images);
});

/** What a function answers that an image with this module is made for, as Lambda starts it. */
async function invoke(module: string, event: unknown): Promise<unknown> {
  const image = `localhost/kuber-cron-test/function-${process.pid}-${images.length}`;
  copyFileSync(module, join(FOLDER, 'main.mjs'));
  writeFileSync(join(FOLDER, 'Dockerfile'), 'FROM kuber-cron-lambda\nCOPY main.mjs /var/task/\n');
  const built = await build(FOLDER, ['-f', join(FOLDER, 'Dockerfile'), '--layers=false', '-t', image]);
  if (built.code !== 0) throw new Error(built.stderr);
  images.push(image);
  const { stdout } = await podman(
    'image',
    'inspect',
    '--format',
    '{{json .Config.Entrypoint}} {{json .Config.Cmd}}',
    image,
  );
  const [entryPoint = '[]', command = '[]'] = stdout.trim().split(' ');
  const bootstrap = [...(JSON.parse(entryPoint) as string[]), ...(JSON.parse(command) as string[])];
  const made = new Container({
    image,
    options: [
      ...['--volume', `${process.env.KUBERCRON_TEST_LAMBDA}:${EMULATOR}:ro`, '--tmpfs', '/tmp'],
      // As Lambda does: a user of its own, whatever the image says.
      ...[
        '--user',
        '993:990',
        '--entrypoint',
        JSON.stringify([EMULATOR, ...ADDRESSES]),
        '--env',
        'AWS_REGION=eu-central-1',
      ],
    ],
    command: bootstrap,
    ownCrontabs: true,
  });
  ends.push(() => made.remove());
  await made.start();
  const script = `const r = await fetch('http://127.0.0.1:8080/2015-03-31/functions/function/invocations', { method: 'POST', body: process.argv[1] }); console.log(await r.text())`;
  for (;;) {
    const { code, stdout, stderr } = await made.exec(
      'node',
      '--input-type=module',
      '-e',
      script,
      JSON.stringify(event),
    );
    if (code === 0) return JSON.parse(stdout);
    if (!stderr.includes('ECONNREFUSED') || (await made.state()).status !== 'running')
      throw new Error(stderr);
    await sleep(100);
  }
}

describeLambdaImage('the image for Lambda', () => {
  test('runs a function whose commands have the tools of Debian, and not those of Lambda', async () => {
    const module = join(FOLDER, 'function.mjs');
    writeFileSync(
      module,
      `import { execSync } from 'node:child_process';
      const run = (command) => execSync(command, { encoding: 'utf8' }).trim();
      export const handler = async ({ command }) => ({ said: run(command), folder: process.cwd(), root: process.env.LAMBDA_TASK_ROOT });`,
    );
    expect(
      await invoke(module, {
        command: 'find /etc -maxdepth 1 -name debian_version | tar -cf - -T - | tar -tf -; id -u',
      }),
    ).toEqual({
      said: 'etc/debian_version\n993',
      folder: '/var/task',
      root: '/var/task',
    });
  });

  test('runs the executor, which says in one sentence what it was not told', async () => {
    if (!existsSync(EXECUTOR)) throw new Error(`there is no ${EXECUTOR}: make it by \`npm run build\``);
    expect(await invoke(EXECUTOR, {})).toMatchObject({
      errorMessage: expect.stringMatching(/^the executor cannot work: `KUBERCRON_[A-Z_]+` takes /),
    });
  });
});
