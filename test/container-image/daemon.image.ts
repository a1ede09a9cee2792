import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { Container, type ContainerOptions, describeImage } from './container.ts';
import { podman } from './tools.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

function container(options: ContainerOptions): Container {
  const made = new Container(options);
  ends.push(() => made.remove());
  return made;
}

/** A job that starts with the daemon. */
function atStart(command: string, options = '', name = 'a'): string {
  return `# kuber-cron: name=${name} ${options}\n@reboot ${command}\n`;
}

const BROKEN = '# kuber-cron: name=a\n61 * * * * true\n';
const OK = { status: 200, body: '{"status":"ok"}\n' };

/** Processes that have ended and that nobody asked about. */
async function zombies(made: Container): Promise<number> {
  const { stdout } = await made.exec('sh', '-c', 'cat /proc/[0-9]*/stat');
  return stdout.split('\n').filter((line) => /^\d+ \(.*\) Z/.test(line)).length;
}

describeImage('the image', () => {
  test('runs a job as nobody in particular, on a root file system that cannot be written', async () => {
    const made = await container({
      crontabs: { 'shop.crontab': atStart('id -u; id -g; pwd; grep CapEff /proc/self/status; touch /here') },
    }).start();
    const { time } = await made.event('listening');
    const tookMs = Date.parse(String(time)) - (await made.startedAt());
    process.stderr.write(`start-up: ${tookMs} ms from the start of the container to readiness\n`);
    expect(await made.event('run-ended')).toMatchObject({ status: 'failed', exit_code: 1 });
    const { stdout, stderr } = await made.exec('kuber-cron', 'logs', 'a');
    expect([stdout, stderr]).toEqual([
      '65532\n65532\n/home/kuber-cron\nCapEff:\t0000000000000000\n',
      expect.stringContaining("touch: cannot touch '/here': Read-only file system"),
    ]);
    expect(await made.get('/readyz')).toEqual(OK);
  });

  test('runs under a number that it was not made for, of group 0', async () => {
    const made = await container({
      crontabs: { 'shop.crontab': atStart('id -u; cd') },
      options: ['--user', '1000670000:0'],
    }).start();
    expect(await made.event('run-ended')).toMatchObject({ status: 'succeeded' });
    expect((await made.exec('kuber-cron', 'logs', 'a')).stdout).toBe('1000670000\n');
  });

  test.each([
    ['its own init', [], 0],
    ['Node as process 1, which is why it has one', ['--entrypoint', '["kuber-cron"]'], 1],
  ] as const)(
    'under %s, what a command leaves behind and ends: zombies',
    async (_init, options, expected) => {
      // The child of a process that has ended, in a session of its own, so that the daemon does not see it.
      const orphan =
        'setsid sh -c \'sh -c "sleep 1; : ended" & echo $! >&3\' 3>&1 >/dev/null 2>&1 </dev/null; sleep 0.1';
      const made = await container({
        crontabs: { 'shop.crontab': atStart(orphan) },
        options,
        command: ['daemon', '--http', '0.0.0.0:9746', '/etc/kuber-cron'],
      }).start();
      await made.event('run-ended');
      const { stdout } = await made.exec('kuber-cron', 'logs', 'a');
      const pid = stdout.trim();
      expect(pid).toMatch(/^\d+$/);
      const isRunning = async () =>
        /^\d+ \(.*\) [^Z]/.test((await made.exec('cat', `/proc/${pid}/stat`)).stdout);
      while (await isRunning()) await sleep(100);
      expect(await zombies(made)).toBe(expected);
    },
  );

  test('told to stop, starts nothing more, waits for what runs, and ends with 0', async () => {
    const made = await container({ crontabs: { 'shop.crontab': atStart('sleep 3; echo done') } }).start();
    await made.event('run-started');
    await podman('stop', '--time', '60', made.name);
    expect((await made.lines()).slice(-3).map(({ event, status }) => [event, status])).toEqual([
      ['draining', undefined],
      ['run-ended', 'succeeded'],
      ['stopped', undefined],
    ]);
    expect(await made.state()).toEqual({ status: 'exited', exitCode: 0 });
  });

  test('told to stop, ends what takes longer than `--drain`', async () => {
    const made = await container({
      crontabs: { 'shop.crontab': atStart('sleep 600') },
      command: ['daemon', '--http', '0.0.0.0:9746', '--drain', '1s', '/etc/kuber-cron'],
    }).start();
    await made.event('run-started');
    await podman('stop', '--time', '60', made.name);
    expect((await made.lines()).slice(-2)).toMatchObject([
      { event: 'run-ended', status: 'cancelled', reason: 'daemon-stopped' },
      { event: 'stopped' },
    ]);
    expect(await made.state()).toEqual({ status: 'exited', exitCode: 0 });
  });

  test('killed with all its processes: its run is lost, and retried by the next start on its volume', async () => {
    const first = 'cd /var/lib/kuber-cron; test -e again && exit 0; : > again; sleep 600';
    const made = await container({
      crontabs: { 'shop.crontab': atStart(first, 'retries=1 backoff=1s..1s') },
      command: ['daemon', '--http', '0.0.0.0:9746', '/etc/kuber-cron'],
    }).start();
    await made.event('run-started');
    await podman('kill', '--signal', 'KILL', made.name);
    await podman('wait', made.name);
    expect(await made.state()).toEqual({ status: 'exited', exitCode: 137 });
    await podman('start', made.name);
    await made.event('run-lost');
    await made.event('run-started', 2);
    const [run] = await made.runs();
    expect(run).toMatchObject({ jobId: 'shop/a', attempts: [{ status: 'lost' }, { number: 2 }] });
  });

  test('a command that takes all memory of the container is killed, and the daemon goes on', async () => {
    const greedy = `cd /var/lib/kuber-cron; test -e again && exit 0; : > again; node -e 'const all = []; for (;;) all.push(Buffer.alloc(1e7, 1))'`;
    const made = await container({
      crontabs: {
        'shop.crontab': `PATH=/usr/local/bin:/usr/bin:/bin\n${atStart(greedy, 'retries=1 backoff=1s..1s')}`,
      },
      options: ['--memory', '200m'],
    }).start();
    await made.event('run-ended', 2);
    const [run] = await made.runs();
    // 128 and KILL: the shell tells of it.
    expect(run).toMatchObject({
      attempts: [{ status: 'failed', exitCode: 137 }, { status: 'succeeded' }],
    });
    expect((await made.state()).status).toBe('running');
  });

  test('a broken crontab from a ConfigMap makes no crash loop: it is told, and heals by the next version', async () => {
    const made = container({});
    // As the kubelet writes it: names that lead through a link, which is changed in one step.
    const version = (name: string, crontab: string) => {
      const folder = join(made.crontabs, name);
      mkdirSync(folder);
      writeFileSync(join(folder, 'shop.crontab'), crontab);
      symlinkSync(name, join(made.crontabs, '..data_tmp'));
      renameSync(join(made.crontabs, '..data_tmp'), join(made.crontabs, '..data'));
    };
    version('..2026_11_24_1', BROKEN);
    symlinkSync('..data/shop.crontab', join(made.crontabs, 'shop.crontab'));
    await made.start();
    await made.event('crontab-refused');
    await made.event('listening');
    const { status, body } = await made.get('/readyz');
    expect([status, JSON.parse(body)]).toEqual([
      503,
      {
        status: 'unready',
        reasons: [
          'crontab shop: /etc/kuber-cron/shop.crontab:2:1: error[value-out-of-range]: minute must be 0-59, got `61`',
          'no crontab is in force',
        ],
      },
    ]);
    expect((await podman('healthcheck', 'run', made.name)).code).toBe(0);
    version('..2026_11_24_2', atStart('echo healed'));
    expect(await made.event('run-ended')).toMatchObject({ status: 'succeeded' });
    expect(await made.get('/readyz')).toEqual(OK);
  });

  test('a table that cannot be reached at the start is waited for', async () => {
    const env = ['AWS_REGION=eu-central-1', 'AWS_ACCESS_KEY_ID=test', 'AWS_SECRET_ACCESS_KEY=test'];
    env.push('AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:9');
    const made = await container({
      crontabs: { 'shop.crontab': atStart('true') },
      options: env.flatMap((one) => ['--env', one]),
      command: ['daemon', '--http', '0.0.0.0:9746', '--store', 'dynamodb:runs', '/etc/kuber-cron'],
    }).start();
    await made.event('error', 2);
    const { status, body } = await made.get('/readyz');
    expect([status, JSON.parse(body)]).toEqual([
      503,
      {
        status: 'unready',
        reasons: ['the daemon is starting', 'the run store cannot be used yet; the daemon waits for it'],
      },
    ]);
    expect(await made.get('/livez')).toEqual(OK);
    expect((await made.state()).status).toBe('running');
  });

  test.each([
    ['0.0.0.0:9746', 0],
    ['off', 1],
  ])('its check of health, with health at %s: exit code %i', async (http, code) => {
    const made = await container({
      crontabs: { 'shop.crontab': atStart('true') },
      command: ['daemon', '--http', http, '/etc/kuber-cron'],
    }).start();
    await made.event('run-ended');
    expect((await podman('healthcheck', 'run', made.name)).code).toBe(code);
  });
});
