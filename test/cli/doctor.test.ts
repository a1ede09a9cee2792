import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { SqliteRunStore } from '../../shared/adapters/sqlite-run-store.ts';
import { DOCTOR_CODES } from '../../shared/core/doctor.ts';
import { kuberCron, launch, type World } from '../support/kuber-cron.ts';
import { claimOf } from '../support/run-claims.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FOLDER = temporaryFolder();
const BIN = join(FOLDER, 'bin');
mkdirSync(BIN);
mkdirSync(join(FOLDER, 'home'));
for (const [name, text, mode] of [
  ['fine', '#!/bin/sh\n', 0o755],
  ['plain', '#!/bin/sh\n', 0o644],
  ['no-interpreter', '#!/opt/nowhere/perl -w\n', 0o755],
  ['of-windows', '#!/bin/sh\r\necho\r\n', 0o755],
  ['by-env', '#!/usr/bin/env no-such-language\n', 0o755],
] as const) {
  writeFileSync(join(BIN, name), text);
  chmodSync(join(BIN, name), mode);
}

const NO_STORE = ['--store', `sqlite:${FOLDER}/state/none.sqlite`];

interface Report {
  readonly findings: readonly { readonly code: string; readonly message: string; readonly jobs?: string[] }[];
}

async function doctor(crontab: string, args: readonly string[] = NO_STORE, world: World = {}) {
  const argv = ['doctor', '--zone', 'UTC', '--format', 'json', ...args, '-'];
  const { code, stdout } = await kuberCron(argv, { stdin: crontab, ...world });
  const { findings } = JSON.parse(stdout) as Report;
  return { code, findings };
}

/** What is found of one entry, as `code: message`. */
async function found(
  entry: string,
  world: World = {},
  args: readonly string[] = NO_STORE,
): Promise<string[]> {
  const { findings } = await doctor(`HOME=${FOLDER}/home\n${entry}\n`, args, world);
  return findings.map(({ code, message }) => `${code}: ${message}`);
}

describe('the command of a job', () => {
  test.each<[string, string[]]>([
    ['0 4 * * * true', []],
    ['0 4 * * * sh -c true | cat', []],
    [`0 4 * * * ${BIN}/fine`, []],
    [`0 4 * * * cd ${BIN} && ./fine`, []],
    [
      `BIN=${BIN}\n0 4 * * * $BIN/fine; "\${BIN}/gone"`,
      [`program-missing: there is no program \`${BIN}/gone\``],
    ],
    ['0 4 * * * $UNKNOWN/x', []],
    [
      '0 4 * * * no-such-program --all | cat',
      ['program-missing: there is no program `no-such-program` on the PATH of the command, `/usr/bin:/bin`'],
    ],
    [`0 4 * * * ${BIN}/gone`, [`program-missing: there is no program \`${BIN}/gone\``]],
    ['0 4 * * * ./gone', [`program-missing: there is no program \`${FOLDER}/home/gone\``]],
    [`0 4 * * * ${BIN}/plain`, [`program-not-executable: \`${BIN}/plain\` may not be executed by this user`]],
    [
      `0 4 * * * ${BIN}/no-interpreter`,
      [
        `interpreter-missing: \`${BIN}/no-interpreter\` is a script for \`/opt/nowhere/perl\`, which is not there`,
      ],
    ],
    [
      `0 4 * * * ${BIN}/of-windows`,
      [
        `interpreter-missing: the first line of \`${BIN}/of-windows\` ends in CR LF, so \`/bin/sh\` with a CR is looked for`,
      ],
    ],
    [
      `0 4 * * * ${BIN}/by-env`,
      [
        `interpreter-missing: \`${BIN}/by-env\` is a script for \`no-such-language\`, which is not on the PATH \`/usr/bin:/bin\``,
      ],
    ],
    ['SHELL=/bin/gone-sh\n0 4 * * * true', ['shell-missing: the shell `/bin/gone-sh` is not there']],
    [`SHELL=${BIN}/plain\n0 4 * * * a`, [`shell-missing: the shell \`${BIN}/plain\` may not be executed`]],
    [
      'HOME=/nowhere\n0 4 * * * true',
      ['home-missing: the folder `/nowhere` (HOME), which the command starts in, is not there'],
    ],
    // What another shell does with its words is not known.
    [`SHELL=${BIN}/fine\n0 4 * * * no-such-program`, []],
  ])('%s', async (entry, expected) => {
    expect(await found(entry)).toEqual(expected);
  });

  test('a program that only this process sees: where it is, and how to write that', async () => {
    const { stdout } = await kuberCron(['doctor', '--zone', 'UTC', ...NO_STORE, '-'], {
      stdin: '0 4 * * * fine\n',
      env: { PATH: `/usr/bin:${BIN}` },
    });
    expect(
      stdout,
    ).toBe(`error[program-missing]: there is no program \`fine\` on the PATH of the command, \`/usr/bin:/bin\`
 --> <stdin>:1:11
1 | 0 4 * * * fine
  |           ^^^^
  = help: it is \`${BIN}/fine\`: write that, or \`PATH=${BIN}:/usr/bin:/bin\` above the entry

1 crontab, 1 job, 1 finding
`);
  });

  test('what several jobs lack is told once, with their number', async () => {
    const entry = (name: string) => `# kuber-cron: name=${name}\n0 4 * * * gone ${name}\n`;
    const { findings } = await doctor(`HOME=${FOLDER}/home\n${entry('a')}${entry('b')}${entry('c')}`);
    expect(findings.map(({ message, jobs }) => [message, jobs])).toEqual([
      [
        'there is no program `gone` on the PATH of the command, `/usr/bin:/bin` (and in 2 more jobs)',
        ['stdin/a', 'stdin/b', 'stdin/c'],
      ],
    ]);
  });
});

describe('what a job asks for', () => {
  const secrets = join(FOLDER, 'secrets');
  mkdirSync(secrets);
  writeFileSync(join(secrets, 'LONG'), 'long enough\n');

  test.each<[string, World, string[], string[]]>([
    ['secrets=KEY', {}, NO_STORE, ['secret-missing: there is no secret `KEY`']],
    ['secrets=KEY', { env: { KEY: 'long enough' } }, NO_STORE, []],
    ['secrets=LONG', {}, [...NO_STORE, '--secrets', secrets], []],
    [
      'secrets=KEY',
      { env: { KEY: 'short' } },
      NO_STORE,
      ['secret-not-masked: the secret `KEY` has fewer than 8 characters, so it is not masked in output'],
    ],
    ['notify=ops', {}, NO_STORE, ['channel-missing: nobody is told by `notify=ops`']],
    ['notify=ops', { env: { KUBERCRON_WEBHOOK_URL_OPS: 'https://hooks.example/x' } }, NO_STORE, []],
    ['cpu-time=10s', {}, NO_STORE, []],
  ])('%s %j', async (directive, world, args, expected) => {
    expect(await found(`# kuber-cron: name=a ${directive}\n0 4 * * * true`, world, args)).toEqual(expected);
  });

  test('an address of a channel that cannot be used is told without the address', async () => {
    const env = { KUBERCRON_WEBHOOK_URL: 'not-an-address-hunter2' };
    const [finding] = await found('0 4 * * * true', { env });
    expect(finding).toMatch(/^channel-unusable: .*KUBERCRON_WEBHOOK_URL/);
    expect(finding).not.toContain('hunter2');
  });

  const asNobody = process.getuid?.() === 0 ? test : test.skip;
  asNobody(
    'a memory limit is told where it is not enforced, as by a user without a control group',
    async () => {
      const crontab = join(FOLDER, 'memory.crontab');
      writeFileSync(crontab, `HOME=/\n# kuber-cron: name=a memory=64Mi\n0 4 * * * true\n`);
      chmodSync(FOLDER, 0o755);
      const argv = ['kuber-cron', 'doctor', '--zone', 'UTC', '--store', 'sqlite:/tmp/none.sqlite', crontab];
      const { code, stdout } = await launch(argv, { uid: 65_534 });
      expect([code, stdout]).toEqual([
        1,
        expect.stringContaining('error[limit-not-enforced]: `memory` is not enforced here: '),
      ]);
    },
  );
});

describe('the machine', () => {
  test('a zone that is none is told with the nearest', async () => {
    const expected =
      'zone-unknown: the variable TZ is `Europa/Berlin`, which is no time zone: times without CRON_TZ would be read as UTC';
    expect(await found('0 4 * * * true', { env: { TZ: 'Europa/Berlin' } })).toEqual([expected]);
    expect(await found('0 4 * * * true', { env: { TZ: 'Europe/Berlin' } })).toEqual([]);
  });

  test('a clock that was set back before kuber-cron was installed', async () => {
    expect(await found('0 4 * * * true', { now: '2001-09-09T01:46:40Z' })).toEqual([
      'clock-wrong: the clock says 2001-09-09T01:46:40.000Z, which is before kuber-cron was installed here',
    ]);
  });

  test('a clock that is behind the newest run of the store', async () => {
    const file = join(FOLDER, 'ahead.sqlite');
    const now = Date.now();
    const store = SqliteRunStore.open(file);
    await store.claim(claimOf({ scheduledTime: Math.floor(now / 60_000) * 60_000, at: now + 3_600_000 }));
    await store.close();
    const args = ['--store', `sqlite:${file}`];
    expect(await found('0 4 * * * true', { now: new Date(now).toISOString() }, args)).toEqual([
      `clock-wrong: the clock says ${new Date(now).toISOString()}, and the newest run in the store was made at ${new Date(now + 3_600_000).toISOString()}`,
    ]);
    expect(await found('0 4 * * * true', { now: new Date(now + 3_600_000).toISOString() }, args)).toEqual([]);
  });

  test('a run store that belongs to another program', async () => {
    const file = join(FOLDER, 'foreign.sqlite');
    writeFileSync(file, 'a text, and no database, of more than a hundred bytes: '.repeat(4));
    expect(await found('0 4 * * * true', {}, ['--store', `sqlite:${file}`])).toEqual([
      `store-unusable: run store ${file}: this file belongs to another program`,
    ]);
  });

  test('a store that is not there is not made', async () => {
    const { code } = await kuberCron(['doctor', ...NO_STORE]);
    expect(code).toBe(0);
    expect(() => chmodSync(join(FOLDER, 'state'), 0o700)).toThrow('ENOENT');
  });

  test('a folder that this user may not write cannot hold a store', async () => {
    const folder = join(FOLDER, 'closed');
    mkdirSync(folder, { mode: 0o555 });
    chmodSync(FOLDER, 0o755);
    const argv = ['kuber-cron', 'doctor', '--store', `sqlite:${folder}/deeper/store.sqlite`];
    const { code, stdout } = await launch(argv, process.getuid?.() === 0 ? { uid: 65_534 } : {});
    expect([code, stdout]).toEqual([
      1,
      `error[store-unusable]: run store ${folder}/deeper/store.sqlite: the folder \`${folder}\` cannot be written: permission denied
  = help: let this user write there (in a container, mount a volume), or name another place by \`--store\`

no crontabs, no jobs, 1 finding
`,
    ]);
  });
});

describe('a crontab', () => {
  test('with errors is shown as `check` shows it, and nothing of it is looked at', async () => {
    const { code, stdout } = await kuberCron(['doctor', ...NO_STORE, '-'], { stdin: '61 * * * * gone\n' });
    expect([code, stdout]).toEqual([
      1,
      `error[value-out-of-range]: minute must be 0-59, got \`61\`
 --> <stdin>:1:1
1 | 61 * * * * gone
  | ^^
  = help: the fields are, in order: minute hour day-of-month month day-of-week

error[crontab-refused]: \`<stdin>\` has 1 error, so nothing of it would run
  = help: mend what \`kuber-cron check -\` shows

1 crontab, no jobs, 1 finding
`,
    ]);
  });

  test('that is not there', async () => {
    const { code, stdout } = await kuberCron(['doctor', ...NO_STORE, '--format', 'github', '/nowhere/tab']);
    expect([code, stdout]).toEqual([
      1,
      '::error title=crontab-unreadable::cannot read `/nowhere/tab`: there is no such file or folder%0Ahelp: name a file or a folder that is there, and that this user may read\n',
    ]);
  });
});

describe('--skip', () => {
  test('leaves findings out', async () => {
    const { code, stdout } = await kuberCron(
      ['doctor', '--zone', 'UTC', ...NO_STORE, '--skip', 'secret-missing,program-missing', '-'],
      { stdin: 'HOME=/\n# kuber-cron: name=a secrets=KEY\n0 4 * * * gone\n' },
    );
    expect([code, stdout]).toEqual([0, '1 crontab, 1 job, no findings\n']);
  });

  test('of a finding that there is not is wrong usage', async () => {
    const { code, stderr } = await kuberCron(['doctor', '--skip', 'secret-mising']);
    expect([code, stderr]).toEqual([
      2,
      'kuber-cron: `doctor` finds no `secret-mising`; did you mean `secret-missing`?\nTry `kuber-cron doctor --help`.\n',
    ]);
  });
});

test('every finding has a name that reads as one', () => {
  expect(DOCTOR_CODES.filter((code) => !/^[a-z]+(?:-[a-z]+)*$/.test(code))).toEqual([]);
});
