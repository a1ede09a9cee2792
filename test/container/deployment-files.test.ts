import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { DAEMON_OPTIONS, daemonSettings } from '../../container/daemon-options.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { GRACE_MS } from '../../shared/core/run/execute-run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const ROOT = join(import.meta.dirname, '../..');
const FOLDER = temporaryFolder();
const file = (path: string) => readFileSync(join(ROOT, path), 'utf8');

const DOCKERFILE = file('container/Dockerfile');
const COMPOSE = file('compose.yaml');
const UNIT = file('container/kuber-cron.service');
const PAGE = file('docs/container.md');

/** The arguments of the last instruction of a kind in the stage of the daemon. */
function instruction(name: 'CMD' | 'ENTRYPOINT'): string[] {
  const stage = DOCKERFILE.split(/^(?=FROM )/m).find((one) => / AS kuber-cron\n/.test(one)) ?? '';
  const found = [...stage.matchAll(new RegExp(`^${name} (\\[.*\\])$`, 'gm'))].at(-1)?.[1];
  return JSON.parse(found ?? '[]') as string[];
}

describe('the image', () => {
  test('has the version of the package', () => {
    expect(/^ARG VERSION=(.*)$/m.exec(DOCKERFILE)?.[1]).toBe(packageJson.version);
  });

  test('starts what the page says', () => {
    expect(PAGE).toContain(`| default command | \`${instruction('CMD').join(' ')}\``);
    expect(PAGE).toContain(
      `| entry point | \`${instruction('ENTRYPOINT').join(' ').replace('/usr/bin/', '')}\``,
    );
  });

  test('starts the daemon with options that it has', () => {
    const names = [...instruction('CMD'), ...(/command: \[(.*)\]/.exec(COMPOSE)?.[1]?.split(/, /) ?? [])]
      .filter((word) => word.startsWith('--'))
      .map((word) => word.slice(2));
    expect(names.filter((name) => !(name in DAEMON_OPTIONS))).toEqual([]);
    expect(names.length).toBeGreaterThan(2);
  });
});

describe('who stops the daemon waits until it has ended its commands', () => {
  const { drainMs } = daemonSettings({ operands: [], values: {} });
  const needed = (drainMs + GRACE_MS) / 1000;
  test.each([
    ['compose.yaml', Number(/stop_grace_period: (\d+)s/.exec(COMPOSE)?.[1])],
    ['kuber-cron.service', Number(/^TimeoutStopSec=(\d+)s$/m.exec(UNIT)?.[1])],
    ['docs/container.md', Number(/--stop-timeout (\d+)/.exec(PAGE)?.[1])],
  ])('%s', (_name, seconds) => {
    expect(seconds).toBeGreaterThan(needed);
  });
});

describe('the unit of systemd', () => {
  const has = spawnSync('systemd-analyze', ['--version']).status === 0;
  if (!has) console.info('there is no systemd-analyze: the unit is not looked at');
  const testHere = has ? test : test.skip;
  const unit = join(FOLDER, 'kuber-cron.service');
  // The program need not be installed here; older versions know fewer keys, and say so.
  writeFileSync(
    unit,
    UNIT.replace(/^ExecStart=\S+/m, 'ExecStart=/bin/true').replace(/^DelegateSubgroup=.*\n/m, ''),
  );

  testHere('has no fault', () => {
    // It also looks at what the unit depends on, which is the machine's.
    const { stderr } = spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' });
    expect(stderr.split('\n').filter((line) => line.includes('kuber-cron'))).toEqual([]);
  });

  testHere('exposes little: 2.5 of 10', () => {
    const args = ['security', '--offline=true', '--threshold=26', '--no-pager', unit];
    const { status, stdout } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
    expect([status, stdout.split('\n').filter((line) => line.startsWith('→'))]).toEqual([
      0,
      expect.anything(),
    ]);
  });
});
