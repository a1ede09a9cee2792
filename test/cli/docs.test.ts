import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { allCommands } from '../../cli/main.ts';
import { daemonCommand } from '../../container/daemon.ts';
import { serveCommand } from '../../container/serve.ts';
import type { Command } from '../../shared/adapters/command-line.ts';
import { SqliteRunStore } from '../../shared/adapters/sqlite-run-store.ts';
import { scheduleChange } from '../../shared/core/run/schedule-history.ts';
import { expectedSchedules } from '../../shared/core/target/drift.ts';
import { Names } from '../../shared/core/target/names.ts';
import { deployed, type Edit } from '../support/deployed-schedules.ts';
import { kuberCron, launch } from '../support/kuber-cron.ts';
import { planOf } from '../support/plan-of.ts';
import { ScheduleService } from '../support/schedule-service.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const PAGE = new URL('../../docs/cli.md', import.meta.url);
const FOLDER = temporaryFolder();
const commands = allCommands([daemonCommand, serveCommand]);

/** What stands below the mark of a command. */
function generated({ name, operands, options }: Command): string {
  const cell = (text: string) => text.replaceAll('|', '\\|');
  const rows = Object.entries(options).map(([option, { value, help }]) => {
    const word = value === undefined ? `--${option}` : `--${option} ${value}`;
    return `| \`${cell(word)}\` | ${cell(help)} |`;
  });
  return [
    `<!-- options of ${name} -->`,
    '',
    `\`kuber-cron ${`${name} ${operands}`.trim()}\``,
    '',
    ...(rows.length === 0 ? [] : ['| Option | Meaning |', '|---|---|', ...rows, '']),
    '',
  ].join('\n');
}

const BLOCK = /^<!-- options of ([a-z]+) -->\n(?:\n`kuber-cron .*`\n)?(?:\n\|[\s\S]*?\|\n(?!\|))?\n?/gm;

function page(): string {
  return readFileSync(PAGE, 'utf8');
}

test('the page has the usage and the options of every command as the commands have them', () => {
  const written = page().replace(BLOCK, (_, name) => {
    const command = commands.find((one) => one.name === name);
    return command === undefined ? '' : generated(command);
  });
  const expected = `${written.trimEnd()}\n`;
  if (process.env.UPDATE_GOLDENS === '1') writeFileSync(PAGE, expected);
  expect(page()).toBe(expected);
  expect([...page().matchAll(/^## ([a-z]+)$/gm)].map(([, name]) => name)).toEqual(
    commands.map(({ name }) => name),
  );
  expect([...page().matchAll(/^<!-- options of ([a-z]+) -->$/gm)].map(([, name]) => name)).toEqual(
    commands.map(({ name }) => name),
  );
});

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** The example of a command's JSON, as the page shows it. */
function documented(command: string): Json {
  const block = new RegExp(`^\`\`\`json ${command}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(page())?.[1];
  if (block === undefined) throw new Error(`docs/cli.md has no JSON of ${command}`);
  return JSON.parse(block);
}

/** Where a value differs in shape from its example: `?` marks keys that can be absent. */
function differences(value: Json, example: Json, at: string): string[] {
  if (Array.isArray(example)) {
    if (!Array.isArray(value)) return [`${at} is no list`];
    return value.flatMap((one, index) => differences(one, example[0], `${at}[${index}]`));
  }
  if (typeof example !== 'object' || example === null)
    return typeof value === typeof example ? [] : [`${at} is ${JSON.stringify(value)}`];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${at} is no object`];
  const examples = new Map(Object.entries(example));
  const missing = [...examples.keys()].filter((key) => !key.endsWith('?') && !(key in value));
  const found = Object.entries(value).flatMap(([key, one]) => {
    const of = examples.get(key) ?? examples.get(`${key}?`);
    return of === undefined ? [`${at}.${key} is not documented`] : differences(one, of, `${at}.${key}`);
  });
  return [...missing.map((key) => `${at}.${key} is missing`), ...found];
}

describe('the JSON of the page is that of the command', () => {
  const store = `sqlite:${FOLDER}/store.sqlite`;
  const stdin = `# kuber-cron: name=a description=b owner=c timeout=1m
H 2 * * * true%in
# kuber-cron: name=boot
@reboot true
0 4 * * * unnamed
# kuber-cron: name=held
0 5 * * * true
`;

  test.each<[command: string, invocations: string[][]]>([
    ['check', [['check', '-']]],
    ['doctor', [['doctor', '--store', store, '-']]],
    [
      'explain',
      [
        ['explain', '-'],
        ['explain', '--zone', 'Europe/Berlin', 'H 2 * * *'],
      ],
    ],
    ['next', [['next', '-']]],
    ['jobs', [['jobs', '--store', store]]],
    ['runs', [['runs', '--store', store]]],
    [
      'why',
      [
        ['why', '--store', store, 'a', 'tomorrow 23:59'],
        ['why', '--store', store, 'boot', 'now'],
        ['why', '--store', store, 'held', 'tomorrow 05:00'],
      ],
    ],
  ])('%s', async (command, invocations) => {
    const opened = SqliteRunStore.open(store.slice(7));
    const plan = { ...planOf(stdin), crontab: 'stdin' };
    await opened.setActivePlan({ plan, hash: 'x', since: 0 }, scheduleChange([], [], plan, 0));
    await opened.pause({ jobId: 'stdin/held', from: 1, until: 4e12, by: 'jane@host', why: 'because' });
    await opened.close();
    expect((await kuberCron(['run', '--store', store, '--crontab', '-', 'a'], { stdin })).code).toBe(0);
    for (const argv of invocations) {
      const { stdout } = await kuberCron([...argv, '--format', 'json'], { stdin });
      expect(differences(JSON.parse(stdout), documented(command), command)).toEqual([]);
      expect(Object.values(JSON.parse(stdout)).flat()).not.toEqual([]);
    }
  });

  test('logs', async () => {
    const entry = '# kuber-cron: name=a\n0 0 1 1 * echo x\n';
    await kuberCron(['run', '--store', store, '--crontab', '-', 'a'], { stdin: entry });
    const { stdout } = await kuberCron(['logs', '--store', store, '--format', 'json', 'a']);
    const { run, ...rest } = JSON.parse(stdout);
    const { run: _as, ...example } = documented('logs') as { run: Json };
    expect(differences(rest, example, 'logs')).toEqual([]);
    expect(differences({ runs: [run] }, documented('runs'), 'logs')).toEqual([]);
  });

  test('drift', async () => {
    const crontab = `${FOLDER}/shop.crontab`;
    writeFileSync(
      crontab,
      'CRON_TZ=UTC\n# kuber-cron: name=a timeout=1m\n0 4 * * * true\n# kuber-cron: name=b timeout=1m\n0 5 * * * true\n',
    );
    const context = { names: new Names('kuber-cron'), memory: 512 };
    const [first, , watchdog] = expectedSchedules([planOf(readFileSync(crontab, 'utf8'))], context, 8);
    const edit: Edit = (fields) => Object.assign(fields, { EndDate: 1, Description: undefined });
    const found = [first, watchdog].flatMap((one) =>
      one === undefined ? [] : [deployed(one.schedule, edit)],
    );
    const service = await ScheduleService.start(
      'kuber-cron',
      new Map(found.map((one) => [one.fields.Name as string, one])),
    );
    const env = { AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'y' };
    const argv = ['kuber-cron', 'drift', '--format', 'json', crontab];
    try {
      const { stdout } = await launch(argv, {
        env: { ...env, AWS_ENDPOINT_URL_SCHEDULER: service.endpoint },
      });
      const written = JSON.parse(stdout);
      expect(differences(written, documented('drift'), 'drift')).toEqual([]);
      expect(written.drift).toHaveLength(3);
    } finally {
      await service.stop();
    }
  });

  test('every command with JSON is documented, and no other', () => {
    const withJson = commands
      .filter(({ options }) => options.format?.choices?.includes('json') === true)
      .map(({ name }) => name);
    expect([...page().matchAll(/^```json ([a-z]+)$/gm)].map(([, name]) => name)).toEqual(withJson);
  });
});
