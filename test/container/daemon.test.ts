import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { DaemonHome, type DaemonProcess } from '../support/daemon-process.ts';

/** Stands in every command, and may stand in no log. */
const MARK = 'text-of-a-command';
const SECRET = 'hunter2-hunter2';

/** For what a terminal shows. Milliseconds. */
const PATIENCE_MS = 60_000;

/** All that the daemons of this file have logged. */
let logged = '';
const homes: DaemonHome[] = [];

function homeWith(crontab?: string): DaemonHome {
  const home = new DaemonHome(crontab);
  homes.push(home);
  return home;
}

async function remove(home: DaemonHome): Promise<void> {
  for (const { output } of home.daemons) logged += output;
  await home.remove();
}

afterEach(async () => {
  for (const home of homes.splice(0)) await remove(home);
});

/** A job that starts with the daemon. */
function atStart(command: string, options = '', name = 'a'): string {
  return `# kuber-cron: name=${name} ${options}\n@reboot ${command} # ${MARK}\n`;
}

/** A job that does not start while these tests run. */
function yearly(name: string): string {
  return `# kuber-cron: name=${name}\n0 0 1 1 * echo ${MARK}\n`;
}

const BROKEN = `${yearly('a')}61 * * * * echo ${MARK} ${SECRET}\n`;
const FINDING = ':3:1: error[value-out-of-range]: ';

/** What a command has written to a file, when it has. */
async function content(path: string): Promise<string> {
  while (!existsSync(path) || !readFileSync(path, 'utf8').endsWith('\n')) await sleep(10);
  return readFileSync(path, 'utf8').trim();
}

function isRunning(pid: string | number): boolean {
  try {
    // A zombie is not running.
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

async function isOver(pid: string | number): Promise<void> {
  while (isRunning(pid)) await sleep(20);
}

/** The jobs in force, by their metrics. */
async function jobsOf(daemon: DaemonProcess): Promise<string[]> {
  const { body } = await daemon.get('/metrics');
  return [...body.matchAll(/^kubercron_job_info\{crontab="([^"]*)",job_name="([^"]*)"/gm)].map(
    ([, crontab, job]) => `${crontab}/${job}`,
  );
}

// One daemon whose runs wait for a minute to begin; it does so while the other tests run.
const MINUTELY = `FROM_CRONTAB="a setting"
# kuber-cron: name=seen secrets=KEY
* * * * * pwd; umask; env | sort; echo "[$(cat)]"; echo "key is $KEY" # ${MARK}
# kuber-cron: name=fed
* * * * * cat /dev/stdin; echo ${MARK}%one%two
# kuber-cron: name=failing
* * * * * echo oops >&2; exit 7 # ${MARK}
# kuber-cron: name=suspended suspend
* * * * * echo ${MARK}
`;
let minutely: DaemonHome;
beforeAll(() => {
  minutely = new DaemonHome(MINUTELY);
  minutely.start([minutely.crontab, '--pass-env', 'PASSED,ABSENT'], {
    KEY: SECRET,
    PASSED: 'on',
    HELD_BACK: 'x',
    NODE_OPTIONS: '',
  });
});
afterAll(() => remove(minutely));

describe('a signal', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s starts nothing more and waits for what runs',
    async (signal) => {
      const home = homeWith(atStart('sleep 1; echo done'));
      const daemon = home.start();
      await daemon.event('run-started');
      daemon.signal(signal);
      expect(await daemon.exit()).toBe(0);
      expect(daemon.lines.slice(-3).map(({ event }) => event)).toEqual(['draining', 'run-ended', 'stopped']);
      expect(daemon.all('draining')).toMatchObject([{ signal, running: 1, drain_ms: 15_000 }]);
      expect(await home.history()).toEqual(['a succeeded']);
      expect(readdirSync(dirname(home.store)).filter((name) => name.includes('daemon'))).toEqual([]);
    },
  );

  test('again ends what runs now', async () => {
    const home = homeWith(atStart('exec sleep 60'));
    const daemon = home.start([home.crontab, '--drain', '1h']);
    await daemon.event('run-started');
    daemon.signal('SIGTERM');
    await daemon.event('draining');
    expect((await daemon.get('/readyz')).body).toContain('the daemon is stopping');
    await sleep(400);
    daemon.signal('SIGTERM');
    expect(await daemon.exit()).toBe(0);
    expect(await home.history()).toEqual(['a cancelled daemon-stopped']);
  });

  test('whose patience is over ends what runs: TERM, and KILL for what does not listen', async () => {
    const home = homeWith(
      atStart(`trap "" TERM; sleep 60 & echo $! > sleeper; wait; wait`).replace(/^/, 'HOME=PLACE\n'),
    );
    writeFileSync(home.crontab, readFileSync(home.crontab, 'utf8').replace('PLACE', home.folder));
    const daemon = home.start([home.crontab, '--drain', '0s']);
    const sleeper = await content(home.path('sleeper'));
    await daemon.event('run-started');
    daemon.signal('SIGTERM');
    expect(await daemon.exit()).toBe(0);
    expect(daemon.all('run-ended')).toMatchObject([{ status: 'cancelled', signal: 'SIGKILL' }]);
    expect(isRunning(sleeper)).toBe(false);
  });

  test('HUP reads the crontabs again, also those that did not change, and many do no harm', async () => {
    const home = homeWith(yearly('a'));
    const daemon = home.start();
    await daemon.event('listening');
    for (let n = 0; n < 3; n++) daemon.signal('SIGHUP');
    await daemon.event('crontab-loaded', 2);
    writeFileSync(home.crontab, yearly('a') + yearly('b'));
    daemon.signal('SIGHUP');
    while (!(await jobsOf(daemon)).includes('shop/b')) await sleep(20);
    expect(daemon.all('crontab-loaded').at(-1)).toMatchObject({ added: ['b'], removed: [], changed: [] });
    daemon.signal('SIGTERM');
    expect(await daemon.exit()).toBe(0);
  });
});

describe('a crontab that is edited', () => {
  test.each<[how: string, edit: (path: string, text: string) => void]>([
    ['in its place', writeFileSync],
    [
      'as editors do, by a new file that takes its name',
      (path, text) => {
        writeFileSync(`${path}~`, text);
        renameSync(`${path}~`, path);
      },
    ],
    [
      'by taking it away and putting another there',
      (path, text) => {
        rmSync(path);
        writeFileSync(path, text);
      },
    ],
  ])('%s is taken up', async (_how, edit) => {
    const home = homeWith(yearly('a'));
    const daemon = home.start();
    await daemon.event('listening');
    edit(home.crontab, yearly('b'));
    expect(await daemon.event('crontab-loaded', 2)).toMatchObject({ added: ['b'], removed: ['a'] });
    expect(await jobsOf(daemon)).toEqual(['shop/b']);
  });

  test('as a ConfigMap is, by a link to another folder, is taken up', async () => {
    const home = homeWith();
    const volume = home.path('volume');
    const put = (version: string, text: string) => {
      mkdirSync(`${volume}/${version}`, { recursive: true });
      writeFileSync(`${volume}/${version}/shop.crontab`, text);
      symlinkSync(version, `${volume}/..data_tmp`);
      renameSync(`${volume}/..data_tmp`, `${volume}/..data`);
    };
    put('..1', yearly('a'));
    symlinkSync('..data/shop.crontab', `${volume}/shop.crontab`);
    const [byFolder, byFile] = [home.start([volume]), home.start([`${volume}/shop.crontab`])];
    await Promise.all([byFolder.event('listening'), byFile.event('listening')]);
    put('..2', yearly('b'));
    rmSync(`${volume}/..1`, { recursive: true });
    for (const daemon of [byFolder, byFile]) {
      await daemon.event('crontab-loaded', 2);
      expect(await jobsOf(daemon)).toEqual(['shop/b']);
    }
  });

  test('so that it has an error changes nothing, is shown with its place, and heals', async () => {
    const home = homeWith(yearly('a'));
    const daemon = home.start();
    await daemon.event('listening');
    const isGood = 'kubercron_config_last_reload_successful{crontab="shop"}';
    expect(await daemon.metric(isGood)).toBe(1);
    writeFileSync(home.crontab, BROKEN);
    const refused = await daemon.event('crontab-refused');
    expect(refused).toMatchObject({ level: 'error', crontab: 'shop', file: home.crontab, errors: 1 });
    expect(refused.report).toEqual([expect.stringContaining(`${home.crontab}${FINDING}`)]);
    expect([await daemon.metric(isGood), await jobsOf(daemon)]).toEqual([0, ['shop/a']]);
    expect((await daemon.get('/readyz')).status).toBe(200);
    writeFileSync(home.crontab, yearly('a'));
    await daemon.event('crontab-loaded', 2);
    expect(await daemon.metric(isGood)).toBe(1);
  });

  test('so that it is no longer there changes nothing, and heals', async () => {
    const home = homeWith(yearly('a'));
    const daemon = home.start();
    await daemon.event('listening');
    rmSync(home.crontab);
    expect((await daemon.event('crontab-refused')).report).toEqual([
      `cannot read \`${home.crontab}\`: there is no such file or folder`,
    ]);
    expect(await jobsOf(daemon)).toEqual(['shop/a']);
    writeFileSync(home.crontab, yearly('a'));
    await daemon.event('crontab-loaded', 2);
  });

  test('in a folder: a new file comes in force, one that is gone goes, with its metrics, and may come back', async () => {
    const home = homeWith();
    const folder = home.path('crontabs');
    mkdirSync(folder);
    const write = (name: string, text: string) => writeFileSync(`${folder}/${name}.crontab`, text);
    write('one', yearly('a'));
    const daemon = home.start([folder]);
    await daemon.event('listening');
    write('two', yearly('b'));
    await daemon.event('crontab-loaded', 2);
    expect((await jobsOf(daemon)).sort()).toEqual(['one/a', 'two/b']);
    rmSync(`${folder}/two.crontab`);
    expect(await daemon.event('crontab-removed')).toMatchObject({ crontab: 'two' });
    expect((await daemon.get('/metrics')).body).not.toContain('"two"');
    write('two', yearly('b'));
    await daemon.event('crontab-loaded', 3);
    expect((await jobsOf(daemon)).sort()).toEqual(['one/a', 'two/b']);
    // A folder that cannot be seen is no empty folder.
    renameSync(folder, `${folder}-away`);
    expect((await daemon.event('error')).msg).toContain('is gone; its crontabs go on as they were');
    expect((await jobsOf(daemon)).sort()).toEqual(['one/a', 'two/b']);
  });
});

describe('a crontab that is broken at the start', () => {
  test('with none that was good before: the daemon stays up, is not ready and says why, and heals', async () => {
    const home = homeWith(BROKEN);
    const daemon = home.start();
    await daemon.event('crontab-refused');
    const unready = await daemon.get('/readyz');
    expect(unready.status).toBe(503);
    expect(JSON.parse(unready.body)).toEqual({
      status: 'unready',
      reasons: [expect.stringContaining(`crontab shop: ${home.crontab}${FINDING}`), 'no crontab is in force'],
    });
    expect(unready.body).not.toContain(SECRET);
    expect((await daemon.get('/livez')).status).toBe(200);
    writeFileSync(home.crontab, atStart('echo up'));
    expect(await daemon.event('run-ended')).toMatchObject({ job: 'a', status: 'succeeded' });
    expect(await daemon.get('/readyz')).toEqual({ status: 200, body: '{"status":"ok"}\n' });
  });

  test('the last good one goes on', async () => {
    const home = homeWith(yearly('good'));
    const before = home.start();
    await before.event('listening');
    before.signal('SIGTERM');
    await before.exit();
    writeFileSync(home.crontab, BROKEN);
    const daemon = home.start();
    await daemon.event('listening');
    expect(daemon.all('crontab-refused').length).toBe(1);
    expect(await jobsOf(daemon)).toEqual(['shop/good']);
    expect((await daemon.get('/readyz')).status).toBe(200);
  });
});

describe('a daemon', () => {
  test('whose port is taken warns once, and works', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const home = homeWith(atStart('echo up'));
    const daemon = home.start([home.crontab, '--http', `127.0.0.1:${port}`]);
    await daemon.event('run-ended');
    expect(daemon.all('warning').map(({ msg }) => msg)).toEqual([
      `no /livez, /readyz and /metrics on 127.0.0.1:${port}: port ${port} is taken; choose another address with \`--http\``,
    ]);
    other.close();
  });

  test('that is the second on its store says so, and starts nothing twice', async () => {
    const home = homeWith(atStart('echo up'));
    const first = home.start([home.crontab, '--reboot-on', 'boot']);
    await first.event('run-ended');
    const second = home.start([home.crontab, '--reboot-on', 'boot']);
    await second.event('listening');
    expect(second.all('warning').map(({ msg }) => msg)).toEqual([
      `another daemon (pid ${first.child.pid}) works on this store: each run still starts once, in one of the two`,
    ]);
    second.signal('SIGTERM');
    await second.exit();
    // The first one is still known of.
    const third = home.start();
    expect((await third.event('warning')).msg).toContain(`(pid ${first.child.pid})`);
    await third.event('run-ended');
    expect(second.all('run-started')).toEqual([]);
  });

  test('that is killed: what ran is recorded as lost by the next, and not started again', async () => {
    const home = homeWith('');
    writeFileSync(home.crontab, atStart(`echo $$ >> ${home.path('pids')}; exec sleep 30`));
    const args = [home.crontab, '--reboot-on', 'boot'];
    const killed = home.start(args);
    await killed.event('run-started');
    const pid = await content(home.path('pids'));
    await killed.kill();
    const next = home.start(args);
    expect(await next.event('run-lost')).toMatchObject({ crontab: 'shop', job: 'a', level: 'error' });
    await next.event('listening');
    next.signal('SIGTERM');
    await next.exit();
    process.kill(Number(pid), 'SIGKILL');
    expect(next.all('warning')).toEqual([]);
    expect(await home.history()).toEqual(['a lost owner-died']);
    expect(await content(home.path('pids'))).toBe(pid);
  });

  test('whose log nobody reads any more goes on, and drains', async () => {
    const home = homeWith('');
    writeFileSync(home.crontab, atStart(`sleep 2; echo done > ${home.path('done')}`));
    const daemon = home.start();
    await daemon.event('run-started');
    const { address } = await daemon.event('listening');
    daemon.child.stdout?.destroy();
    daemon.child.stderr?.destroy();
    daemon.signal('SIGHUP');
    await sleep(300);
    daemon.signal('SIGHUP');
    await sleep(300);
    expect((await fetch(`${address}/livez`)).status).toBe(200);
    daemon.signal('SIGTERM');
    expect(await daemon.exit()).toBe(0);
    expect(await home.history()).toEqual(['a succeeded']);
    expect(await content(home.path('done'))).toBe('done');
  });

  test('ends a command whose time is over with all that it started', async () => {
    const home = homeWith('');
    const pids = home.path('pids');
    writeFileSync(home.crontab, atStart(`sh -c 'sleep 60 & echo $! > ${pids}; wait' & wait`, 'timeout=1s'));
    const daemon = home.start();
    const grandchild = await content(pids);
    expect(await daemon.event('run-ended')).toMatchObject({
      status: 'timed-out',
      reason: 'timeout',
      signal: 'SIGTERM',
    });
    await isOver(grandchild);
  });

  test('gives what a command started the time to tidy up', async () => {
    const home = homeWith('');
    const tidy = home.path('tidy');
    const inner = `trap "sleep 0.3; echo tidied > ${tidy}; exit" TERM; sleep 60 & wait`;
    writeFileSync(home.crontab, atStart(`sh -c '${inner}' & wait`, 'timeout=1s'));
    const daemon = home.start();
    await daemon.event('run-ended');
    expect(readFileSync(tidy, 'utf8')).toBe('tidied\n');
  });

  test('keeps its state to its user', async () => {
    const home = homeWith(yearly('a'));
    const daemon = home.start();
    await daemon.event('listening');
    const folder = dirname(home.store);
    const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
    expect(mode(folder)).toBe('700');
    const modes = readdirSync(folder).map((name) => [
      name.replace(/daemon-.*/, 'daemon-'),
      mode(`${folder}/${name}`),
    ]);
    expect(Object.fromEntries(modes)).toEqual({
      output: '700',
      'store.sqlite': '600',
      'store.sqlite-shm': '600',
      'store.sqlite-wal': '600',
      'store.sqlite.daemon-': '600',
    });
  });

  test.each<[args: string[], code: number, message: string]>([
    [[], 2, '`daemon` wants a crontab: a file or a folder'],
    [
      ['--zone', 'Europe/Berlim', 'x'],
      2,
      '`Europe/Berlim` is not a time zone; did you mean `Europe/Berlin`?',
    ],
    [['--drain', 'soon', 'x'], 2, '`--drain` takes'],
    [['--http', 'here', 'x'], 2, '`--http` takes `HOST:PORT`'],
    [['one/x', 'two/x'], 2, 'would both be crontab `x`: rename one file'],
    [['--store', 'sqlite:/etc/passwd/store', 'x'], 3, '/etc/passwd/store'],
  ])('started by %j exits with %d', async (args, code, message) => {
    const daemon = homeWith().start(args);
    expect(await daemon.exit()).toBe(code);
    expect(daemon.errors).toContain(message);
  });
});

const hasScript = spawnSync('script', ['--version']).status === 0;
// In CI its lack is a failure: a suite that leaves out what it cannot try would stay green.
const isTried = hasScript || process.env.CI !== undefined;
if (!isTried) console.log('The tests on a terminal are left out: there is no `script` from util-linux.');

(isTried ? describe : describe.skip)('on a terminal, a daemon', () => {
  const terminals: ReturnType<typeof spawn>[] = [];
  afterEach(async () => {
    for (const terminal of terminals.splice(0)) {
      terminal.stdin?.destroy();
      terminal.stdout?.destroy();
      if (terminal.exitCode !== null || terminal.signalCode !== null) continue;
      terminal.kill('SIGKILL');
      await once(terminal, 'exit');
    }
  });

  /** A daemon on a terminal of its own. Its command line must not need quotes. */
  function onTerminal(home: DaemonHome, args: readonly string[] = [home.crontab]) {
    mkdirSync(home.path('state'), { recursive: true });
    const line = `exec ${home.commandLine(args).join(' ')}`;
    const terminal = spawn('script', ['-qefc', line, '/dev/null'], {
      env: home.environment({ TERM: 'xterm', SHELL: '/bin/sh' }),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    terminals.push(terminal);
    let screen = '';
    terminal.stdout?.setEncoding('utf8').on('data', (text: string) => {
      screen += stripVTControlCharacters(text).replaceAll('\r', '');
    });
    const shows = async (pattern: RegExp): Promise<RegExpExecArray> => {
      for (const end = Date.now() + PATIENCE_MS; ; await sleep(20)) {
        const match = pattern.exec(screen);
        if (match !== null) return match;
        if (terminal.exitCode !== null || Date.now() > end)
          throw new Error(`the terminal does not show ${pattern}:\n${screen}`);
      }
    };
    const exit = once(terminal, 'exit').then(([code]) => code as number);
    return { terminal, shows, exit };
  }

  test('lists its jobs with their next runs, counts down, tells of starts and ends, and stops on Ctrl-C', async () => {
    const home = homeWith(`${yearly('yearly')}${atStart('sleep 2; echo all is well')}`);
    const { terminal, shows, exit } = onTerminal(home);
    await shows(/ JOB +SCHEDULE +NEXT RUN\n/);
    await shows(/ yearly +0 0 1 1 \* +20\d\d-01-01T00:00Z\n/);
    await shows(/ a +@reboot +-\n/);
    await shows(/next run in \d+d \d+h · 1 running · Ctrl-C stops/);
    await shows(/> a {2}started\n/);
    await shows(/\+ a {2}succeeded in \d\.\ds {2}\| all is well\n/);
    terminal.stdin?.write('\x03');
    await shows(/SIGINT: starting nothing more\n(?:.*\n)*.*stopped\n/);
    expect(await exit).toBe(0);
  });

  test('shows the line of an error, and that what was in force goes on', async () => {
    const home = homeWith(yearly('a'));
    const { shows } = onTerminal(home);
    await shows(/next run in/);
    writeFileSync(home.crontab, BROKEN);
    await shows(/has 1 error and is not used; what was in force stays in force\n/);
    await shows(/3 \| 61 \* \* \* \* echo/);
  });

  test('exits with 1 when no crontab is without errors', async () => {
    const { shows, exit } = onTerminal(homeWith(BROKEN));
    await shows(/error\[value-out-of-range\]/);
    expect(await exit).toBe(1);
  });

  test('ends in order when the window is closed: no command is orphaned, no run is lost', async () => {
    const home = homeWith('');
    writeFileSync(home.crontab, atStart(`sleep 2; echo done > ${home.path('done')}`));
    const { terminal, shows } = onTerminal(home);
    const [, pid] = (await shows(/pid (\d+)/)) as unknown as [string, string];
    await shows(/> a {2}started/);
    terminal.kill('SIGKILL');
    await isOver(pid);
    expect(await home.history()).toEqual(['a succeeded']);
    expect(await content(home.path('done'))).toBe('done');
  });
});

describe('when a minute begins', () => {
  test('each due run starts in it, once, and how it went is recorded', async () => {
    const [daemon] = minutely.daemons as [DaemonProcess];
    await daemon.event('run-ended', 3);
    daemon.signal('SIGTERM');
    expect(await daemon.exit()).toBe(0);
    const starts = daemon.all('run-started');
    const minutes = new Set(starts.map(({ run_id }) => run_id));
    expect(new Set(starts.map(({ job, run_id }) => `${job} ${run_id}`)).size).toBe(starts.length);
    expect(starts.map(({ job }) => job).sort()).toEqual(
      [...minutes].flatMap(() => ['seen', 'fed', 'failing']).sort(),
    );
    for (const { run_id, time, lateness_ms } of starts) {
      expect(Date.parse(String(time))).toBeGreaterThanOrEqual(Date.parse(String(run_id)));
      expect(lateness_ms).toBeGreaterThanOrEqual(0);
    }
    const ends = new Map(
      daemon.all('run-ended').map(({ job, status, exit_code }) => [job, [status, exit_code]]),
    );
    expect(Object.fromEntries(ends)).toEqual({
      seen: ['succeeded', 0],
      fed: ['succeeded', 0],
      failing: ['failed', 7],
    });
  });

  test('a command sees what it may and nothing else', async () => {
    const { username, homedir } = userInfo();
    const { stdout, runId, time } = await minutely.lastOutput('shop/seen');
    expect(stdout.split('\n')).toEqual([
      homedir,
      '0022',
      'FROM_CRONTAB=a setting',
      `HOME=${homedir}`,
      'KEY=***',
      'KUBERCRON_ATTEMPT=1',
      'KUBERCRON_JOB=seen',
      expect.stringMatching(/^KUBERCRON_OWNER=[0-9a-f]{16}$/),
      `KUBERCRON_RUN_ID=shop/seen/${runId}`,
      `KUBERCRON_SCHEDULED_TIME=${time}`,
      'KUBERCRON_TRIGGER=schedule',
      `LOGNAME=${username}`,
      'PASSED=on',
      'PATH=/usr/bin:/bin',
      `PWD=${homedir}`,
      'SHELL=/bin/sh',
      `USER=${username}`,
      '[]',
      'key is ***',
      '',
    ]);
  });

  test('a command reads what stands behind %', async () => {
    expect((await minutely.lastOutput('shop/fed')).stdout).toBe(`one\ntwo\n${MARK}\n`);
  });

  test('what a command writes to both streams is kept', async () => {
    expect(await minutely.lastOutput('shop/failing')).toMatchObject({ stdout: '', stderr: 'oops\n' });
  });
});

test('the heartbeat beats although nothing is due', async () => {
  const home = homeWith(yearly('a'));
  const daemon = home.start();
  await daemon.event('listening');
  const beat = () => daemon.metric('kubercron_scheduler_last_tick_timestamp_seconds');
  const first = (await beat()) as number;
  expect(await daemon.metric('kubercron_scheduler_last_tick_duration_seconds')).toBeGreaterThanOrEqual(0);
  while ((await beat()) === first) await sleep(500);
  expect(await beat()).toBeGreaterThan(first);
});

test('no log of any of these daemons held a command or a secret', async () => {
  await remove(minutely);
  expect(logged.length).toBeGreaterThan(10_000);
  expect([logged.includes(MARK), logged.includes(SECRET)]).toEqual([false, false]);
});
