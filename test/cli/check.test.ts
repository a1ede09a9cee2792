import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { kuberCron, launch } from '../support/kuber-cron.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FOLDER = temporaryFolder();
const now = '2026-11-23T12:00Z';

/** Writes a file below the folder of this test file. @returns its path */
function file(name: string, text: string | Uint8Array): string {
  const path = join(FOLDER, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
}

const GOOD = '# kuber-cron: name=one\n0 4 * * * true\n';
const WARNED = '# kuber-cron: name=one\n0 0 13 * 5 true\n';
const FAULTY = '61 * * * * true\n';

describe('the exit code says whether there are problems', () => {
  test.each<[crontab: string, options: string[], code: number]>([
    [GOOD, [], 0],
    [GOOD, ['--strict'], 0],
    [WARNED, [], 0],
    [WARNED, ['--strict'], 1],
    ['0 4 * * * unnamed\n', ['--strict'], 0],
    [FAULTY, [], 1],
    ['', [], 0],
    ['0 4 * * * root true\n', ['--system', '--strict'], 0],
    ['0 4 * * * root true\n', ['--strict'], 1],
    ['# kuber-cron: name=one\n30 2 * * * true\n', ['--strict', '--zone', 'UTC'], 0],
    ['# kuber-cron: name=one\n30 2 * * * true\n', ['--strict', '--zone', 'Europe/Berlin'], 1],
  ])('%j %j', async (stdin, options, code) => {
    for (const format of ['text', 'json', 'github'])
      expect([
        format,
        (await kuberCron(['check', '--format', format, ...options, '-'], { stdin, now })).code,
      ]).toEqual([format, code]);
  });
});

test('each finding has its place and its fix, and a count ends the file', async () => {
  expect(await kuberCron(['check', '-'], { stdin: FAULTY, now })).toEqual({
    code: 1,
    stdout: `error[value-out-of-range]: minute must be 0-59, got \`61\`
 --> <stdin>:1:1
1 | 61 * * * * true
  | ^^
  = help: the fields are, in order: minute hour day-of-month month day-of-week

<stdin>: 0 entries, 0 named, 0 with options, 1 error, 0 warnings
`,
    stderr: '',
  });
});

test('JSON has all findings of all files', async () => {
  const path = file('json/shop.crontab', `${FAULTY}${GOOD}`);
  const { code, stdout } = await kuberCron(['check', '--format', 'json', path], { now });
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toEqual({
    files: [
      {
        file: path,
        crontab: 'shop',
        entries: 1,
        jobs: ['one'],
        errors: 1,
        warnings: 0,
        diagnostics: [
          {
            code: 'value-out-of-range',
            severity: 'error',
            file: path,
            start: { offset: 0, line: 1, column: 1 },
            end: { offset: 2, line: 1, column: 3 },
            message: 'minute must be 0-59, got `61`',
            help: 'the fields are, in order: minute hour day-of-month month day-of-week',
            related: [],
          },
        ],
      },
    ],
  });
});

test('annotations are commands of GitHub, and nothing else is written', async () => {
  const { stdout } = await kuberCron(['check', '--format', 'github', '-'], { stdin: FAULTY, now });
  expect(stdout).toBe(
    '::error file=<stdin>,line=1,endLine=1,col=1,endColumn=3,title=value-out-of-range::minute must be 0-59, got `61`%0Ahelp: the fields are, in order: minute hour day-of-month month day-of-week\n',
  );
});

test('of very many findings the first hundred are shown, and counted are all', async () => {
  const { stdout } = await kuberCron(['check', '-'], { stdin: FAULTY.repeat(250), now });
  expect(stdout.match(/^error\[/gm)).toHaveLength(100);
  expect(stdout).toMatch(/\n… and 150 more\n\n<stdin>: 0 entries, .* 250 errors, 0 warnings\n$/);
});

test.each<[what: string, bytes: Uint8Array, code: string]>([
  ['a binary file', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1, 2, 10]), 'nul-character'],
  ['Latin-1', Buffer.from([0x23, 0x20, 0xe4, 10]), 'not-utf-8'],
  ['a file that is too large', Buffer.alloc(34 * 2 ** 20, '#\n'), 'file-too-large'],
])('%s is told as what it is', async (_what, bytes, code) => {
  const found = async (argv: string[], stdin: Uint8Array = Buffer.alloc(0)) => {
    const { stdout } = await kuberCron(['check', '--format', 'json', ...argv], { stdin, now });
    return JSON.parse(stdout).files[0].diagnostics.map((one: { code: string }) => one.code);
  };
  expect(await found([file('odd.crontab', bytes)])).toContain(code);
  expect(await found(['-'], bytes)).toContain(code);
});

test('an input without end is not read for ever', async () => {
  let read = 0;
  async function* endless() {
    for (; read < 100; read++) yield Buffer.alloc(2 ** 20, '#\n');
  }
  const { code, stdout } = await kuberCron(['check', '-'], { stdin: endless(), now });
  expect(code).toBe(1);
  expect(stdout).toContain('error[file-too-large]');
  expect(read).toBeLessThan(40);
});

describe('folders', () => {
  test('of a folder files are read that end in .crontab or have a name without odd characters', async () => {
    for (const name of [
      'a.crontab',
      'daily_2-B',
      '.hidden',
      '.hidden.crontab',
      'editor~',
      '#lock#',
      'b.crontab.bak',
      'notes.txt',
      'below/c.crontab',
    ])
      file(`names/${name}`, GOOD);
    const { stdout } = await kuberCron(['check', '--format', 'json', join(FOLDER, 'names')], { now });
    expect(JSON.parse(stdout).files.map((one: { crontab: string }) => one.crontab)).toEqual([
      'a',
      'daily-2-b',
    ]);
  });

  test('several files end in a sum', async () => {
    const paths = [file('sum/a.crontab', FAULTY), file('sum/b.crontab', WARNED)];
    const { stdout } = await kuberCron(['check', ...paths], { now });
    expect(stdout).toMatch(/\n2 files: 1 error, 1 warning\n$/);
  });

  test('files of one name are each checked', async () => {
    const paths = [file('x/crontab', GOOD), file('y/crontab', GOOD)];
    expect((await kuberCron(['check', ...paths], { now })).code).toBe(0);
    expect(await kuberCron(['next', ...paths], { now })).toEqual({
      code: 2,
      stdout: '',
      stderr: `kuber-cron: \`${paths[0]}\` and \`${paths[1]}\` would both be crontab \`crontab\`: rename one file\nTry \`kuber-cron next --help\`.\n`,
    });
  });

  test.each(['check', 'next', 'explain'])(
    '`%s` of a folder without crontabs cannot be done',
    async (command) => {
      const empty = join(FOLDER, 'empty');
      mkdirSync(empty, { recursive: true });
      expect(await kuberCron([command, empty])).toEqual({
        code: 3,
        stdout: '',
        stderr: `kuber-cron: no crontab in \`${empty}\`: of a folder, files called *.crontab are read, and those whose names have only letters, digits, - and _\n`,
      });
    },
  );

  test('what cannot be read is told, and the rest is checked all the same', async () => {
    const folder = join(FOLDER, 'links');
    file('links/b.crontab', FAULTY);
    symlinkSync('a.crontab', join(folder, 'a.crontab'));
    symlinkSync('nowhere', join(folder, 'c.crontab'));
    const { code, stdout, stderr } = await kuberCron(['check', folder], { now });
    expect(stderr).toBe(
      `kuber-cron: cannot read \`${folder}/a.crontab\`: its symbolic links lead round in a circle\n` +
        `kuber-cron: cannot read \`${folder}/c.crontab\`: there is no such file or folder\n`,
    );
    expect(stdout).toMatch(/\n3 files: 1 error, 0 warnings\n$/);
    expect(code).toBe(3);
  });

  test.each<[path: string, reason: string]>([
    ['a.crontab/x', 'a part of the path is not a folder'],
    ['n'.repeat(300), 'the name is too long'],
  ])('`%s` cannot be read', async (name, reason) => {
    file('a.crontab', GOOD);
    const path = join(FOLDER, name);
    expect(await kuberCron(['check', path], { now })).toEqual({
      code: 3,
      stdout: '',
      stderr: `kuber-cron: cannot read \`${path}\`: ${reason}\n`,
    });
  });
});

describe('colours', () => {
  test.each<[env: Record<string, string>, columns: number | undefined, isColoured: boolean]>([
    [{}, 80, true],
    [{}, undefined, false],
    [{ NO_COLOR: '1' }, 80, false],
    [{ NO_COLOR: '' }, 80, true],
    [{ TERM: 'dumb' }, 80, false],
  ])('with %j on a terminal of %s columns: %s', async (env, columns, isColoured) => {
    const world = { stdin: FAULTY, now, env, ...(columns === undefined ? {} : { columns }) };
    expect((await kuberCron(['check', '-'], world)).stdout.includes('\u001b[')).toBe(isColoured);
  });
});

test('a file that takes long is announced on a terminal, and the line is erased', async () => {
  const large = file('large.crontab', '#\n'.repeat(2 ** 20));
  const world = { now, columns: 24, env: { NO_COLOR: '1' } };
  const { stdout, stderr } = await kuberCron(['check', large], world);
  // No longer than the terminal is wide: a line that wraps could not be erased.
  expect(stderr).toBe(`\r${`checking 1 of 1: ${large}`.slice(0, 23)}\u001b[K\r\u001b[K`);
  expect(stdout).toContain(': 0 entries');
  expect((await kuberCron(['check', large], { now })).stderr).toBe('');
});

describe('--fix', () => {
  const UNNAMED = 'A=ä\n\n0 4 * * *\ttrue\n  5 4 * * *  echo  x';
  const NAMED =
    /^A=ä\n\n# kuber-cron: name=true-[a-z0-9]{8}\n0 4 \* \* \*\ttrue\n {2}# kuber-cron: name=echo-[a-z0-9]{8}\n {2}5 4 \* \* \* {2}echo {2}x\n$/;

  test('names are written above the entries and every other byte stays', async () => {
    const path = file('fix/a.crontab', UNNAMED);
    const { code, stdout, stderr } = await kuberCron(['check', '--fix', path], { now });
    expect(readFileSync(path, 'utf8')).toMatch(NAMED);
    expect(code).toBe(0);
    expect(stderr).toBe(`${path}: added 2 names and the final newline\n`);
    expect(stdout).toBe(`${path}: 2 entries, 2 named, 0 with options, 0 errors, 0 warnings\n`);
  });

  test('a second time there is nothing to do, and nothing is written', async () => {
    const path = file('fix/twice.crontab', UNNAMED);
    await kuberCron(['check', '--fix', path], { now });
    const { ino } = statSync(path);
    expect((await kuberCron(['check', '--fix', path], { now })).stderr).toBe('');
    expect(statSync(path).ino).toBe(ino);
  });

  test('a link stays a link, and the file that it leads to keeps its mode', async () => {
    const path = file('fix/real/b.crontab', UNNAMED);
    chmodSync(path, 0o666);
    const link = join(FOLDER, 'fix', 'link.crontab');
    symlinkSync('real/b.crontab', link);
    expect((await kuberCron(['check', '--fix', link], { now })).code).toBe(0);
    expect([lstatSync(link).isSymbolicLink(), readlinkSync(link)]).toEqual([true, 'real/b.crontab']);
    expect(readFileSync(path, 'utf8')).toMatch(NAMED);
    expect((statSync(path).mode & 0o777).toString(8)).toBe('666');
    expect(readdirSync(join(path, '..'))).toEqual(['b.crontab']);
  });

  test('a crontab with other errors is left alone, and that is said', async () => {
    const path = file('fix/c.crontab', `${FAULTY}0 4 * * * unnamed\n`);
    const { code, stderr } = await kuberCron(['check', '--fix', path], { now });
    expect([code, stderr]).toEqual([1, `${path}: nothing is written while there are other errors\n`]);
    expect(readFileSync(path, 'utf8')).toBe(`${FAULTY}0 4 * * * unnamed\n`);
  });

  const isRoot = process.getuid?.() === 0;
  const nobody = 65_534;
  test('a folder that cannot be written is told, and nothing is left in it', async () => {
    const path = file('locked/d.crontab', UNNAMED);
    const folder = join(path, '..');
    for (const part of [FOLDER, folder]) chmodSync(part, 0o555);
    // Root may write anywhere, so this is somebody else.
    const { code, stdout, stderr } = await launch(
      ['kuber-cron', 'check', '--fix', path],
      isRoot ? { uid: nobody } : {},
    );
    for (const part of [FOLDER, folder]) chmodSync(part, 0o755);
    expect({ code, stdout, stderr }).toEqual({
      code: 3,
      stdout: '',
      stderr: `kuber-cron: cannot write \`${path}\`: permission denied\n`,
    });
    expect(readdirSync(folder)).toEqual(['d.crontab']);
  });

  if (!isRoot) console.info('a file that cannot be replaced is not tried: that takes two users, and so root');
  // Needs two users: somebody may write in the folder, but not take the place of another's file.
  (isRoot ? test : test.skip)(
    'a file that cannot be replaced is told, and nothing is left beside it',
    async () => {
      const path = file('sticky/e.crontab', UNNAMED);
      const folder = join(path, '..');
      chmodSync(FOLDER, 0o755);
      chmodSync(folder, 0o1777);
      const { code, stderr } = await launch(['kuber-cron', 'check', '--fix', path], { uid: nobody });
      expect([code, stderr]).toEqual([3, `kuber-cron: cannot write \`${path}\`: permission denied\n`]);
      expect(readdirSync(folder)).toEqual(['e.crontab']);
      expect(readFileSync(path, 'utf8')).toBe(UNNAMED);
    },
  );

  test('a file that cannot be read is told', async () => {
    const path = file('locked/secret.crontab', GOOD);
    chmodSync(FOLDER, 0o755);
    chmodSync(path, 0);
    const { code, stderr } = await launch(['kuber-cron', 'check', path], isRoot ? { uid: nobody } : {});
    expect([code, stderr]).toEqual([3, `kuber-cron: cannot read \`${path}\`: permission denied\n`]);
  });
});
