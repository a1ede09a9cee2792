import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { KuberCron } from '../../infra/kuber-cron.ts';
import { MEMORY_CLASSES } from '../../shared/core/target/executor.ts';
import { buildFunctions, newApp, type Template, writeCrontabs } from '../support/synthesize.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FOLDER = temporaryFolder();
const ROOT = join(import.meta.dirname, '..', '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const PAGE = read('docs/aws.md');

/** Rows of the tables in a section of the page whose first head is this, as trimmed cells. */
function rows(head: string): string[][] {
  const lines = PAGE.split('\n');
  const start = lines.findIndex((line) => line.startsWith(`| ${head} |`));
  const end = lines.findIndex((line, index) => index > start && !line.startsWith('|'));
  return lines.slice(start + 2, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const codes = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);

const templates = ((): Template[] => {
  const app = newApp(FOLDER);
  const crontabs = writeCrontabs(FOLDER, {
    shop: 'CRON_TZ=UTC\n# kuber-cron: name=backup timeout=1m\n0 4 * * * true\n',
  });
  const cron = new KuberCron(app, 'Cron', { crontabs, functions: buildFunctions(FOLDER) });
  cron.topic.addSubscription(new EmailSubscription('ops@example.com'));
  return app.synth().stacks.map(({ template }) => template as Template);
})();
const resources = templates.flatMap((template) => Object.values(template.Resources));

describe('docs/aws.md lists', () => {
  test('every type of resource that is made, and no other', () => {
    const listed = rows('Resource').flatMap(([, types]) => codes(types));
    expect([...new Set(listed)].sort()).toEqual([...new Set(resources.map(({ Type }) => Type))].sort());
  });

  test('what stays when the stack is destroyed', () => {
    const stays = rows('Resource').flatMap(([, types, , end]) => (end === '**stays**' ? codes(types) : []));
    expect(stays).toEqual(
      resources.flatMap(({ Type, DeletionPolicy }) => (DeletionPolicy === 'Retain' ? [Type] : [])),
    );
  });

  test('every alarm', () => {
    const alarms = resources
      .filter(({ Type }) => Type === 'AWS::CloudWatch::Alarm')
      .map(({ Properties }) =>
        Properties.AlarmName.replace('kuber-cron-', '').replace(/^shop-/, '<crontab>-'),
      );
    expect(rows('Alarm `<name>-…`').map(([name]) => codes(name)[0])).toEqual(alarms);
  });

  test('the sizes of executors', () => {
    expect(PAGE.replaceAll('\n', ' ')).toContain(
      `${MEMORY_CLASSES.slice(0, -1).join(', ')} or ${MEMORY_CLASSES.at(-1)} MiB`,
    );
  });

  test('what each role may do, as the templates have it', () => {
    const granted: string[][] = [];
    let role = '';
    let statement: string[] | undefined;
    for (const line of read('test/fixtures/infra/permissions.txt').split('\n')) {
      const [, kind = '', name = ''] = /^AWS::(\S+) (.*)$/.exec(line) ?? [];
      if (kind !== '') role = kind.startsWith('IAM') ? (/ of (\w+)$/.exec(name)?.[1] ?? name) : '';
      const sid = /^ {2}Allow \((\w+)\)$/.exec(line)?.[1];
      if (sid !== undefined && role !== '') {
        statement = [role, sid];
        granted.push(statement);
      } else if (/^ {2}\S|^$/.test(line)) statement = undefined;
      const action = /^ {4}([a-z0-9]+:\w+)$/.exec(line)?.[1];
      if (action !== undefined) statement?.push(action);
    }
    const listed = rows('Who').map(([who = '', sid = '', actions]) => [who, sid, ...codes(actions)]);
    expect(listed.sort()).toEqual(granted.sort());
    expect(listed.length).toBeGreaterThan(10);
  });
});

describe('the costs in docs/aws.md are reckoned from the prices there:', () => {
  const prices = rows('Price').map(([, price]) => Number(price));
  const [delivery = 0, invocation = 0, second = 0, write = 0, readUnit = 0, log = 0] = prices;
  const million = rows('For a million runs').map(([, , usd]) => Number(usd));
  const perRun = million.at(-1) ?? 0;
  const money = (value: number) => Number(value.toFixed(2));
  const perSecond = money(1e6 * 0.5 * second);

  test('a million runs', () => {
    const parts = [delivery, invocation, perSecond, 22 * write, 2 * log];
    expect(million).toEqual([...parts, money(parts.reduce((sum, one) => sum + one))].map(money));
  });

  test('jobs, a month', () => {
    const beat = 2 * write;
    expect(rows('A job that runs').map(([, runs, , usd]) => [runs, Number(usd)])).toEqual([
      ['43,200', money((43_200 * perRun) / 1e6)],
      ['8,640', money((8_640 * (perRun + perSecond)) / 1e6)],
      ['30', money((30 * (perRun + 59 * perSecond + 3 * beat)) / 1e6)],
    ]);
  });

  test('the watchdog and the alarms of a deployment, a month', () => {
    const alarms = resources.filter(({ Type }) => Type === 'AWS::CloudWatch::Alarm');
    const metricsOf = (isOfCrontab: boolean) =>
      alarms
        .filter(({ Properties }) => Properties.AlarmName.startsWith('kuber-cron-shop-') === isOfCrontab)
        .map(
          ({ Properties }) =>
            (Properties.Metrics ?? [{ MetricStat: {} }]).filter((one: object) => 'MetricStat' in one).length,
        )
        .reduce((sum, one) => sum + one, 0);
    const start = PAGE.indexOf('What a deployment costs a month');
    const standing = [...PAGE.slice(start).matchAll(/^\| .* \| .* \| ([\d.]+) \|$/gm)].map(([, usd]) =>
      Number(usd),
    );
    expect(standing.slice(0, 5)).toEqual([
      money((43_200 * (delivery + invocation)) / 1e6),
      money(43_200 * 0.5 * second),
      Number(((43_200 * readUnit) / 1e6).toFixed(4)),
      metricsOf(false) / 10,
      metricsOf(true) / 10,
    ]);
  });
});
