import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from '@jest/globals';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { Container, describeImage } from './container.ts';
import { build, podman, ROOT } from './tools.ts';

const FOLDER = temporaryFolder();
/** Dockerfiles of the page, in its order. */
const [THREE_LINES = '', WITH_TOOLS = ''] = [
  ...readFileSync(join(ROOT, 'docs/container.md'), 'utf8').matchAll(/^```dockerfile\n(.*?)^```$/gms),
].map(([, text]) => text);

const images: string[] = [];
afterAll(async () => {
  if (images.length > 0) await podman('image', 'rm', '--force', ...images);
});
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** Builds an image as a user would. */
async function buildOwn(dockerfile: string, crontab: string) {
  const image = `localhost/kuber-cron-test/own-${process.pid}-${images.length}`;
  writeFileSync(join(FOLDER, 'Dockerfile'), dockerfile);
  writeFileSync(join(FOLDER, 'production.crontab'), crontab);
  const done = await build(FOLDER, ['-f', join(FOLDER, 'Dockerfile'), '--layers=false', '-t', image]);
  if (done.code === 0) images.push(image);
  return { ...done, image };
}

/** What the first job of an image writes. */
async function output(image: string): Promise<string> {
  const made = new Container({ image, ownCrontabs: true });
  ends.push(() => made.remove());
  await made.start();
  await made.event('run-ended');
  return (await made.exec('kuber-cron', 'logs', 'a')).stdout;
}

const atStart = (command: string) => `# kuber-cron: name=a\n@reboot ${command}\n`;

describeImage('an image of a user', () => {
  test('of three lines runs its crontab', async () => {
    expect(THREE_LINES.trim().split('\n').length).toBe(3);
    const { code, stdout, image } = await buildOwn(THREE_LINES, atStart('echo hello | gzip | zcat'));
    expect([code, stdout]).toEqual([0, expect.stringContaining('1 crontab, 1 job, no findings')]);
    expect(await output(image)).toBe('hello\n');
  });

  test('with tools of its own, runs them as the user that it was not built by', async () => {
    const { code, stderr, image } = await buildOwn(WITH_TOOLS, atStart('curl --version | head -c 5; id -u'));
    expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
    expect(await output(image)).toBe('curl 65532\n');
  });

  test.each([
    [
      'a program that is not there',
      'pg_dump shop > /dev/null',
      'error[program-missing]: there is no program `pg_dump`',
    ],
    ['a program that commands do not see', 'node -e 1', 'PATH=/usr/local/bin:/usr/bin:/bin` above the entry'],
    [
      'a script that is not there',
      './nightly.sh',
      'error[program-missing]: there is no program `/home/kuber-cron/nightly.sh`',
    ],
  ])('with %s is not built: %s', async (_what, command, finding) => {
    const { code, stdout } = await buildOwn(THREE_LINES, atStart(command));
    expect([code > 0, stdout]).toEqual([true, expect.stringContaining(finding)]);
  });

  test('with a broken crontab is not built', async () => {
    const { code, stdout } = await buildOwn(THREE_LINES, '61 * * * * true\n');
    expect([code > 0, stdout]).toEqual([
      true,
      expect.stringContaining('error[value-out-of-range]: minute must be 0-59'),
    ]);
  });

  test('without a shell: `doctor` says so, and so does the record of a run', async () => {
    const without =
      'FROM kuber-cron\nUSER root\nCOPY production.crontab /etc/kuber-cron/\nRUN rm /bin/sh\nUSER kuber-cron\n';
    const { image } = await buildOwn(without, atStart('echo never'));
    const made = new Container({ image, ownCrontabs: true });
    ends.push(() => made.remove());
    await made.start();
    expect(await made.event('run-ended')).toMatchObject({ status: 'failed', reason: 'not-started' });
    const [run] = await made.runs();
    expect(run?.attempts).toMatchObject([{ error: 'the shell `/bin/sh` does not exist' }]);
    const { code, stdout } = await made.exec('kuber-cron', 'doctor', '/etc/kuber-cron');
    expect([code, stdout]).toEqual([
      1,
      expect.stringContaining('error[shell-missing]: the shell `/bin/sh` is not there'),
    ]);
  });
});
