import { describe, expect, jest, test } from '@jest/globals';
import { readExpression } from '../support/eventbridge-evaluator.ts';
import {
  buildFunctions,
  resourcesOf,
  type Synthesized,
  schedulesByName,
  synthesize,
} from '../support/synthesize.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FOLDER = temporaryFolder();
buildFunctions(FOLDER);

const CRONTAB = `CRON_TZ=Europe/Berlin
# kuber-cron: defaults timeout=4m
# kuber-cron: name=nightly-backup memory=2Gi description="Dump the shop" starting-deadline=2h
30 4 * * *   pg_dump "$DATABASE_URL" > /backup/shop.sql
# kuber-cron: name=report allow=both-day-fields suspend="until spring"
0 9 1 * mon  ./report.sh
# kuber-cron: name=queue
*/5 * * * *  ./check-queue.sh
# kuber-cron: name=only-here targets=daemon
@reboot      ./warm-up.sh
# kuber-cron: name=never allow=never-fires
0 9 30 2 *   ./never.sh
0 4 * * *    ./unnamed.sh --password=hunter2
`;

const shop = (text: string) => synthesize(FOLDER, { shop: text });
const stacks = shop(CRONTAB);

/** Properties of a schedule in CloudFormation's words. */
function schedule(name: string, found = stacks) {
  const text = schedulesByName(found).get(name);
  return text === undefined ? undefined : JSON.parse(text).schedule;
}

const arn = (rest: string) => ({ 'Fn::Sub': `arn:\${AWS::Partition}:${rest}` });

describe('a schedule', () => {
  test('says all that the service would otherwise choose by itself', () => {
    expect(schedule('shop--nightly-backup--0')).toEqual({
      Type: 'AWS::Scheduler::Schedule',
      Properties: {
        Name: 'shop--nightly-backup--0',
        GroupName: 'kuber-cron',
        Description: '30 4 * * * Europe/Berlin: Dump the shop',
        ScheduleExpression: 'cron(30 4 * * ? *)',
        ScheduleExpressionTimezone: 'Europe/Berlin',
        FlexibleTimeWindow: { Mode: 'OFF' },
        State: 'ENABLED',
        Target: {
          Arn: arn('lambda:${AWS::Region}:${AWS::AccountId}:function:kuber-cron-executor-2048'),
          RoleArn: arn('iam::${AWS::AccountId}:role/kuber-cron-scheduler-${AWS::Region}'),
          DeadLetterConfig: { Arn: arn('sqs:${AWS::Region}:${AWS::AccountId}:kuber-cron-dead-letters') },
          RetryPolicy: { MaximumEventAgeInSeconds: 7260, MaximumRetryAttempts: 185 },
          Input: JSON.stringify({
            crontab: 'shop',
            job: 'nightly-backup',
            part: 0,
            scheduledTime: '<aws.scheduler.scheduled-time>',
            executionId: '<aws.scheduler.execution-id>',
            attemptNumber: '<aws.scheduler.attempt-number>',
            scheduleArn: '<aws.scheduler.schedule-arn>',
          }),
        },
      },
    });
  });

  test.each<[name: string, state: string, expression: string, zone: string, age: number]>([
    ['shop--nightly-backup--0', 'ENABLED', 'cron(30 4 * * ? *)', 'Europe/Berlin', 7260],
    ['shop--report--0', 'DISABLED', 'cron(0 9 1 * ? *)', 'Europe/Berlin', 3660],
    ['shop--report--1', 'DISABLED', 'cron(0 9 ? * MON *)', 'Europe/Berlin', 3660],
    ['shop--queue--0', 'ENABLED', 'cron(0/5 * * * ? *)', 'UTC', 360],
  ])('%s is %s by %s in %s, delivered for %d seconds', (name, state, expression, zone, age) => {
    const { Properties } = schedule(name);
    expect([
      Properties.State,
      Properties.ScheduleExpression,
      Properties.ScheduleExpressionTimezone,
      Properties.Target.RetryPolicy.MaximumEventAgeInSeconds,
    ]).toEqual([state, expression, zone, age]);
    expect(() => readExpression(Properties.ScheduleExpression)).not.toThrow();
  });

  test('stands for each part of what runs on AWS and comes, and for nothing else', () => {
    const names = [...schedulesByName(stacks).keys()].sort();
    expect(names.map((name) => name.replace(/unnamed-.*--/, 'unnamed-*--'))).toEqual([
      'shop--nightly-backup--0',
      'shop--queue--0',
      'shop--report--0',
      'shop--report--1',
      'shop--unnamed-*--0',
    ]);
  });

  test('holds no command', () => {
    const all = stacks.map(({ text }) => text).join('\n');
    for (const word of ['pg_dump', 'DATABASE_URL', 'check-queue.sh', 'hunter2', '--password']) {
      expect(all).not.toContain(word);
    }
  });

  test('is in one group with its executor, whatever the deployment is called', () => {
    const { Properties } = schedule(
      'shop--queue--0',
      synthesize(FOLDER, { shop: CRONTAB }, { name: 'test' }),
    );
    expect(Properties.GroupName).toBe('test');
    expect(Properties.Target.Arn).toEqual(
      arn('lambda:${AWS::Region}:${AWS::AccountId}:function:test-executor-512'),
    );
  });
});

describe('an edit changes no schedule of another entry', () => {
  const before = schedulesByName(stacks);
  const queue = '# kuber-cron: name=queue\n*/5 * * * *  ./check-queue.sh\n';

  /** Names of the schedules that differ. */
  function touched(after: readonly Synthesized[]): string[] {
    const now = schedulesByName(after);
    return [...new Set([...before.keys(), ...now.keys()])]
      .filter((name) => before.get(name) !== now.get(name))
      .sort();
  }

  test.each<[edit: string, from: string | RegExp, to: string, touched: string[]]>([
    ['nothing', '', '', []],
    ['a command', './check-queue.sh', './other.sh', []],
    [
      'a comment and blank lines',
      '# kuber-cron: name=report',
      '\n# Monthly\n\n# kuber-cron: name=report',
      [],
    ],
    ['a timeout for all', 'timeout=4m', 'timeout=3m', []],
    ['the retries of all', 'defaults ', 'defaults retries=3 ', []],
    ['an entry moved to the end', new RegExp(`(${queue.replaceAll('*', '\\*')})([\\s\\S]*)`), '$2$1', []],
    ['all entries turned round', /(# kuber-cron: name=n[\s\S]*)(# kuber-cron: name=q[\s\S]*)/, '$2$1', []],
    ['a time', '*/5 *', '*/6 *', ['shop--queue--0']],
    [
      'a zone below an entry',
      queue,
      `CRON_TZ=Asia/Tokyo\n${queue}CRON_TZ=Europe/Berlin\n`,
      ['shop--queue--0'],
    ],
    ['memory', 'name=queue', 'name=queue memory=4Gi', ['shop--queue--0']],
    ['a deadline', 'starting-deadline=2h', 'starting-deadline=1h', ['shop--nightly-backup--0']],
    ['a description', 'Dump the shop', 'Dump it', ['shop--nightly-backup--0']],
    ['a suspension ended', ' suspend="until spring"', '', ['shop--report--0', 'shop--report--1']],
    ['one part of two', '0 9 1 * mon', '0 9 1 * *', ['shop--report--0', 'shop--report--1']],
    ['an entry removed', queue, '', ['shop--queue--0']],
    ['an entry added', queue, `# kuber-cron: name=more\n7 7 * * * true\n${queue}`, ['shop--more--0']],
    ['a rename', 'name=queue', 'name=orders was=queue', ['shop--orders--0', 'shop--queue--0']],
  ])('%s', (_edit, from, to, expected) => {
    const edited = CRONTAB.replace(from, to);
    if (from !== '') expect(edited).not.toBe(CRONTAB);
    expect(touched(shop(edited))).toEqual(expected);
  });

  test('nor does another crontab beside it', () => {
    const both = synthesize(FOLDER, { shop: CRONTAB, other: CRONTAB });
    expect(touched(both).filter((name) => name.startsWith('shop--'))).toEqual([]);
    expect(touched(both).filter((name) => name.startsWith('other--'))).toHaveLength(before.size);
  });
});

test('a deployment two years on is the same, to the byte', () => {
  const texts = (found: readonly Synthesized[]) => found.map(({ name, text }) => [name, text]);
  const at = (now: string) => {
    jest.useFakeTimers({ now: Date.parse(now), doNotFake: ['hrtime', 'nextTick', 'performance'] });
    try {
      return texts(shop(CRONTAB));
    } finally {
      jest.useRealTimers();
    }
  };
  const [first, second] = [at('2026-11-23T12:00Z'), at('2028-11-23T12:00Z')];
  expect(second).toEqual(first);
});

describe('the stacks', () => {
  test('of the schedules come after the core, and are there without a schedule too', () => {
    const empty = shop('');
    expect(empty.map(({ name, dependencies }) => [name, dependencies])).toEqual([
      ['kuber-cron-core', []],
      ...Array.from({ length: 8 }, (_, shard) => [`kuber-cron-schedules-${shard}`, ['kuber-cron-core']]),
    ]);
    for (const { template } of empty.slice(1)) {
      expect(template.Resources).toEqual({ Shard: { Type: 'AWS::CloudFormation::WaitConditionHandle' } });
    }
  });

  const many = (count: number, name = (index: number) => `job-${index}`) =>
    `CRON_TZ=Europe/Berlin\n# kuber-cron: defaults timeout=10m allow=dst-transition,crowded-minute\n${Array.from(
      { length: count },
      (_, index) => `# kuber-cron: name=${name(index)}\n${index % 60} ${index % 24} * * * true ${index}\n`,
    ).join('')}`;

  test('hold 2,000 entries within the limits of CloudFormation', () => {
    const found = shop(many(2000, (index) => `a-name-of-thirty-letters--${index}`.replace('--', '-')));
    expect(schedulesByName(found).size).toBe(2000);
    for (const { template, text } of found) {
      expect(Object.keys(template.Resources).length).toBeLessThan(500);
      expect(Buffer.byteLength(text)).toBeLessThan(1_000_000);
    }
  });

  test('that are too few are refused with how many it takes', () => {
    const refused = () => synthesize(FOLDER, { shop: many(1200) }, { shards: 2 });
    expect(refused).toThrow(
      /^\d{3} schedules fall to one of 2 stacks, .* 499 at most: raise `shards` to [34]$/,
    );
    const enough = synthesize(FOLDER, { shop: many(1200) }, { shards: 4 });
    expect(schedulesByName(enough).size).toBe(1200);
  });

  test('name what they need by text, so that no export pins it', () => {
    for (const { text, template } of stacks) {
      expect(text).not.toContain('Fn::ImportValue');
      expect(Object.values(template.Outputs ?? {}).filter((one) => 'Export' in one)).toEqual([]);
    }
    const ofJobs = stacks
      .slice(1)
      .flatMap(({ template }) => Object.keys(resourcesOf(template, 'AWS::Scheduler::Schedule')));
    expect(new Set(ofJobs).size).toBe(5);
  });
});
