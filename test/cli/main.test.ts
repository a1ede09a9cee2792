import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { allCommands } from '../../cli/main.ts';
import { daemonCommand } from '../../container/daemon.ts';
import { serveCommand } from '../../container/serve.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { kuberCron } from '../support/kuber-cron.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const others = [daemonCommand, serveCommand];
const commands = allCommands(others);
const NO_STORE = join(temporaryFolder(), 'none.sqlite');
const nothing = `sqlite:${NO_STORE}`;
/** In tables, `STORE` stands for a store that does not exist. */
const withStore = (argv: readonly string[]) => argv.map((word) => (word === 'STORE' ? nothing : word));

test.each([['--version'], ['-V'], ['version']])('`%s` prints the version and nothing else', async (word) => {
  expect(await kuberCron([word])).toEqual({ code: 0, stdout: `${packageJson.version}\n`, stderr: '' });
});

describe('help', () => {
  test.each([['--help'], ['-h'], ['help']])(
    '`%s` begins with examples and lists every command',
    async (word) => {
      const { code, stdout, stderr } = await kuberCron([word], { others });
      expect([code, stderr]).toEqual([0, '']);
      const listed = [...stdout.matchAll(/^ {2}([a-z]+) {3,}[A-Z]/gm)].map(([, name]) => name);
      expect(listed).toEqual(commands.map(({ name }) => name));
      expect(stdout.indexOf('kuber-cron check crontab/production')).toBeLessThan(stdout.indexOf('commands:'));
    },
  );

  test('no arguments are a wrong usage that shows the help', async () => {
    const { stdout } = await kuberCron(['--help'], { others });
    expect(await kuberCron([], { others })).toEqual({ code: 2, stdout: '', stderr: stdout });
  });

  test.each(commands.map((command) => [command.name, command] as const))(
    'the help of `%s` shows its examples first, then every option',
    async (name, { examples, options }) => {
      const { code, stdout } = await kuberCron([name, '--help'], { others });
      expect(code).toBe(0);
      const places = [
        ...examples.map(([line]) => stdout.indexOf(`  ${line} `)),
        stdout.indexOf(`\nusage: kuber-cron ${name}`),
        ...Object.keys(options).map((option) => stdout.indexOf(`\n  --${option} `)),
      ];
      expect(places).not.toContain(-1);
      expect(places).toEqual([...places].sort((a, b) => a - b));
      for (const argv of [
        ['help', name],
        [name, 'x', '-h'],
      ])
        expect((await kuberCron(argv, { others })).stdout).toBe(stdout);
    },
  );

  test('what stands behind `--` is no option', async () => {
    const { code, stderr } = await kuberCron(['logs', '--store', nothing, '--', '--help']);
    expect(code).toBe(3);
    expect(stderr).toContain('no run store at');
  });
});

describe('wrong usage is exit code 2 and says what is allowed', () => {
  test.each<[argv: string[], stderr: string]>([
    [['chekc'], 'there is no command `chekc`; did you mean `check`?'],
    [
      ['x'],
      'there is no command `x`; there are check, doctor, explain, next, daemon, serve, run, jobs, runs, logs, why, retry, backfill, cancel, pause, resume, prune, drift, completion',
    ],
    [['help', 'nxt'], 'there is no command `nxt`; did you mean `next`?'],
    [['\u001b[31m'], 'there is no command `\\u{1b}[31m`; there are'],
    [['check'], '`check` wants a crontab: a file, a folder, or `-` for standard input'],
    [['check', '--strct', 'x'], '`check` has no option `--strct`; did you mean `--strict`?'],
    [
      ['check', '-q', 'x'],
      '`check` has no option `-q`; it takes --strict, --fix, --target, --zone, --system, --format, --help',
    ],
    [['check', '--fix=1', 'x'], '`--fix` takes no value'],
    [['check', '--format'], '`--format` wants a value: `--format text|json|github`'],
    [['check', '--format=', 'x'], '`--format` wants a value: `--format text|json|github`'],
    [['check', '--format', 'xml', 'x'], '`--format` must be one of text, json, github, got `xml`'],
    [['check', '--zone', 'Mars', '-'], '`--zone` takes a time zone such as Europe/Berlin or UTC, got `Mars`'],
    [['check', '--zone', 'Europe/Berln', '-'], 'got `Europe/Berln`; did you mean `Europe/Berlin`?'],
    [['check', '-', '-'], 'standard input can be read once: write `-` once'],
    [['check', '--fix', '-'], '`--fix` writes files: standard input cannot be mended in place'],
    [['next'], '`next` wants a crontab'],
    [['next', '--count', '0', '-'], '`--count` must be a whole number of 1-10000, got `0`'],
    [['next', '--count', 'ten', '-'], '`--count` must be a whole number of 1-10000, got `ten`'],
    [
      ['next', '--from', 'tomorrow', '-'],
      '`--from` takes an instant with its offset, such as `2027-03-28T02:30+01:00`',
    ],
    [['next', '--from', '2027-02-30', '-'], 'got `2027-02-30`'],
    [['explain'], '`explain` wants an expression in quotes, or a crontab and perhaps a job'],
    [['explain', '-', 'a', 'b'], '`explain` takes one crontab and one job; an expression stands in quotes'],
    [
      ['explain', '5 4 * *'],
      'an expression has five fields (minute hour day-of-month month day-of-week), got 4: `5 4 * *`',
    ],
    [
      ['explain', ''],
      'an expression has five fields (minute hour day-of-month month day-of-week), got 0: ``',
    ],
    [['explain', '# a b c d e'], '`# a b c d e` is a setting, a comment or several lines, and no expression'],
    [
      ['explain', 'A=1 b c d e f'],
      '`A=1 b c d e f` is a setting, a comment or several lines, and no expression',
    ],
    [['run'], '`run` wants one job; `kuber-cron jobs` lists them'],
    [['run', 'a', 'b'], '`run` wants one job; `kuber-cron jobs` lists them'],
    [
      ['run', '--pass-env', 'A-B', 'x'],
      '`--pass-env` takes names of variables, with commas between, got `A-B`',
    ],
    [['jobs', 'x'], '`jobs` takes no operand; `kuber-cron runs JOB` shows one job'],
    [['runs', 'a', 'b'], '`runs` takes one job'],
    [['runs', '--limit', '1.5'], '`--limit` must be a whole number of 1-100000, got `1.5`'],
    [['logs'], '`logs` wants a job, and perhaps one of its runs; `kuber-cron runs` lists both'],
    [['jobs', '--store', 'a.sqlite'], '`--store` takes `sqlite:PATH` or `dynamodb:TABLE`, got `a.sqlite`'],
    [
      ['jobs', '--store', 'dynamo:runs'],
      '`--store` takes `sqlite:PATH` or `dynamodb:TABLE`, got `dynamo:runs`; did you mean `dynamodb:runs`?',
    ],
    [
      ['jobs', '--store', 'DynamoDB://runs'],
      '`--store` takes `sqlite:PATH` or `dynamodb:TABLE`, got `DynamoDB://runs`; did you mean `dynamodb:runs`?',
    ],
    [
      ['jobs', '--store', 'sqllite:/tmp/a'],
      '`--store` takes `sqlite:PATH` or `dynamodb:TABLE`, got `sqllite:/tmp/a`; did you mean `sqlite:/tmp/a`?',
    ],
    [['jobs', '--store', 'dynamodb:'], '`--store` takes `sqlite:PATH` or `dynamodb:TABLE`, got `dynamodb:`'],
    [
      ['jobs', '--store', 'dynamodb://runs'],
      '`--store dynamodb:TABLE` takes the name alone, got `//runs`; did you mean `dynamodb:runs`?',
    ],
    [
      ['jobs', '--store', 'dynamodb:arn:aws:dynamodb:eu-central-1:123456789012:table/runs'],
      '`--store dynamodb:TABLE` takes a name and no ARN: `dynamodb:runs`, and AWS_REGION=eu-central-1',
    ],
    [
      ['jobs', '--store', 'dynamodb:my runs'],
      '`--store dynamodb:TABLE` takes 3 to 255 letters, digits and `_.-` as the table, got `my runs`',
    ],
    [['jobs', '--store', 'sqlite:/'], '`--store` takes a file, and `/` is a folder'],
    [['completion', 'fish'], '`completion` takes `bash` or `zsh`'],
    [['daemon'], '`daemon` wants a crontab: a file or a folder'],
  ])('%j', async (argv, expected) => {
    const { code, stdout, stderr } = await kuberCron(argv, { others });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(expected);
    expect(stderr).toMatch(/^kuber-cron: .*\nTry `kuber-cron (?:[a-z]+ )?--help`\.\n$/);
  });
});

describe('what cannot be done is one sentence', () => {
  const noStore = `kuber-cron: no run store at \`${NO_STORE}\`: start \`kuber-cron daemon\` first, or name another by \`--store sqlite:PATH\`\n`;
  test.each<[argv: string[], code: number, stderr: string]>([
    [['jobs', '--store', 'STORE'], 3, noStore],
    [['runs', '--store', 'STORE'], 3, noStore],
    [['runs', '--store', 'STORE', 'job'], 3, noStore],
    [['logs', '--store', 'STORE', 'job'], 3, noStore],
    [['why', '--store', 'STORE', 'job', 'now'], 3, noStore],
    [['retry', '--store', 'STORE', 'job'], 3, noStore],
    [['backfill', '--store', 'STORE', 'job', '--from', 'now'], 3, noStore],
    [['cancel', '--store', 'STORE', 'job', 'run'], 3, noStore],
    [['pause', '--store', 'STORE', 'job'], 3, noStore],
    [['resume', '--store', 'STORE', 'job'], 3, noStore],
    [['prune', '--store', 'STORE'], 3, noStore],
    [['run', '--store', 'STORE', 'job'], 125, noStore],
    [
      ['check', '/nonexistent'],
      3,
      'kuber-cron: cannot read `/nonexistent`: there is no such file or folder\n',
    ],
    [
      ['next', '/nonexistent'],
      3,
      'kuber-cron: cannot read `/nonexistent`: there is no such file or folder\n',
    ],
    [
      ['explain', 'crontab/nonexistent'],
      3,
      'kuber-cron: cannot read `crontab/nonexistent`: there is no such file, and an expression has five fields (minute hour day-of-month month day-of-week), got 1\n',
    ],
    [
      ['run', '--crontab', '/nonexistent', '--store', 'STORE', 'job'],
      125,
      'kuber-cron: cannot read `/nonexistent`: there is no such file or folder\n',
    ],
  ])('%j', async (argv, code, stderr) => {
    expect(await kuberCron(withStore(argv))).toEqual({ code, stdout: '', stderr });
  });
});
