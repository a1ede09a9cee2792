import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { allCommands } from '../../cli/main.ts';
import { daemonCommand } from '../../container/daemon.ts';
import { serveCommand } from '../../container/serve.ts';
import { kuberCron } from '../support/kuber-cron.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FOLDER = temporaryFolder();
const others = [daemonCommand, serveCommand];
const names = allCommands(others).map(({ name }) => name);
const script = (shell: string) => join(FOLDER, `completion.${shell}`);
const hasZsh = spawnSync('zsh', ['--version']).status === 0;

beforeAll(async () => {
  for (const shell of ['bash', 'zsh'])
    writeFileSync(script(shell), (await kuberCron(['completion', shell], { others })).stdout);
  const files = join(FOLDER, 'files');
  mkdirSync(join(files, 'folder'), { recursive: true });
  for (const name of ['with blank.crontab', 'a.crontab']) writeFileSync(join(files, name), '');
  // A word of the completion must stay one, even where a folder has its name.
  mkdirSync(join(files, 'jobs'));
  // Stands for the program: what it says of its jobs.
  const program = join(FOLDER, 'kuber-cron');
  writeFileSync(
    program,
    `#!/bin/sh
[ "$*" = "jobs --format json" ] || exit 9
cat <<'JSON'
{
  "jobs": [
    {
      "jobId": "shop/backup",
      "schedule": "30 3 * * *"
    },
    {
      "jobId": "shop/check-queue"
    }
  ]
}
JSON
`,
  );
  chmodSync(program, 0o755);
});

/** What bash offers for the last of the words. */
function offered(words: readonly string[]): string[] {
  const list = words.map((word) => `'${word}'`).join(' ');
  const command = `source '${script('bash')}'; COMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; _kuber_cron; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const stdout = execFileSync('bash', ['--norc', '-c', command], {
    cwd: join(FOLDER, 'files'),
    env: { PATH: `${FOLDER}${delimiter}${process.env.PATH}` },
    encoding: 'utf8',
  });
  return stdout.split('\n').filter((line) => line !== '');
}

describe('bash', () => {
  test('the script has no fault of syntax', () => {
    expect(spawnSync('bash', ['-n', script('bash')], { encoding: 'utf8' })).toMatchObject({
      status: 0,
      stderr: '',
    });
  });

  test.each<[words: string[], expected: string[]]>([
    [
      ['kuber-cron', ''],
      [...names, 'help', '--help', '--version'],
    ],
    [
      ['kuber-cron', 'r'],
      ['run', 'runs', 'retry', 'resume'],
    ],
    [['kuber-cron', 'jo'], ['jobs']],
    [
      ['kuber-cron', 'help', 'c'],
      ['check', 'cancel'],
    ],
    [
      ['kuber-cron', 'check', '--'],
      ['--strict', '--fix', '--target', '--zone', '--system', '--format', '--help'],
    ],
    [
      ['kuber-cron', 'check', '--format', ''],
      ['text', 'json', 'github'],
    ],
    [['kuber-cron', 'check', '--format', '=', 'j'], ['json']],
    [
      ['kuber-cron', 'check', '--format', '='],
      ['text', 'json', 'github'],
    ],
    [['kuber-cron', 'next', '--format', 'j'], ['json']],
    [
      ['kuber-cron', 'daemon', '--reboot-on', ''],
      ['boot', 'start'],
    ],
    [
      ['kuber-cron', 'check', ''],
      ['a.crontab', 'folder', 'jobs', 'with blank.crontab'],
    ],
    [['kuber-cron', 'check', '--strict', 'w'], ['with blank.crontab']],
    [
      ['kuber-cron', 'run', ''],
      ['backup', 'check-queue'],
    ],
    [['kuber-cron', 'logs', 'ch'], ['check-queue']],
    [['kuber-cron', 'pause', 'ch'], ['check-queue']],
    [['kuber-cron', 'why', 'b'], ['backup']],
    [
      ['kuber-cron', 'backfill', '--reprocess', ''],
      ['none', 'failed', 'all'],
    ],
    [['kuber-cron', 'backfill', '--from', ''], []],
    [['kuber-cron', 'prune', ''], []],
    [['kuber-cron', 'run', '--crontab', 'a'], ['a.crontab']],
    [['kuber-cron', 'runs', '--limit', ''], []],
    [['kuber-cron', 'jobs', ''], []],
    [
      ['kuber-cron', 'completion', ''],
      ['bash', 'zsh'],
    ],
    [['kuber-cron', 'nonsense', ''], []],
  ])('%j', (words, expected) => {
    expect(offered(words).sort()).toEqual([...expected].sort());
  });
});

describe('zsh', () => {
  // In CI it is installed, so that its lack is a failure there.
  const isLookedAt = hasZsh || process.env.CI !== undefined;
  if (!isLookedAt) console.info('zsh is not installed: its completion is not looked at');

  (isLookedAt ? test : test.skip)('the script has no fault of syntax', () => {
    expect(spawnSync('zsh', ['-n', script('zsh')], { encoding: 'utf8' })).toMatchObject({
      status: 0,
      stderr: '',
    });
  });

  (isLookedAt ? test : test.skip)('after compinit the script is taken', () => {
    const command = `autoload -U compinit && compinit -D && source '${script('zsh')}' && print -r -- $_comps[kuber-cron]`;
    const env = { PATH: process.env.PATH, ZDOTDIR: FOLDER, HOME: FOLDER };
    expect(spawnSync('zsh', ['-f', '-c', command], { encoding: 'utf8', env })).toMatchObject({
      status: 0,
      stdout: '_kuber_cron\n',
      stderr: '',
    });
  });
});
