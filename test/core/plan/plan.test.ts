import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { checkCrontab } from '../../../shared/core/crontab/check.ts';
import {
  crontabName,
  isCrontabName,
  planCrontab,
  planHash,
  runsOn,
  timetableOf,
} from '../../../shared/core/plan/plan.ts';
import { jobOf, planOf } from '../../support/plan-of.ts';
import { knownZone, timetable } from '../../support/timetables.ts';

const CRONTAB = `CRON_TZ=Europe/Berlin
SHELL=/bin/bash
# kuber-cron: defaults retries=1

# Dump the shop database
# kuber-cron: name=nightly-backup timeout=10m success-exit-codes=0,3
30 2 * * *      pg_dump shop > /backup/shop.sql

# kuber-cron: name=queue
*/5 * * * *     ./check-queue.sh%one%two
CRON_TZ=America/New_York
# kuber-cron: name=reports allow=both-day-fields
0 9 1 * mon     ./reports.sh
# kuber-cron: name=warm-up
@reboot         ./warm-up.sh
`;

describe('the plan of a crontab', () => {
  test('is what each job means, in the order of their names', () => {
    const environment = { CRON_TZ: 'Europe/Berlin', SHELL: '/bin/bash' };
    const american = { CRON_TZ: 'America/New_York', SHELL: '/bin/bash' };
    expect(planOf(CRONTAB)).toEqual({
      format: 1,
      crontab: 'shop',
      zones: {
        'America/New_York': knownZone('America/New_York'),
        'Europe/Berlin': knownZone('Europe/Berlin'),
      },
      jobs: [
        {
          name: 'nightly-backup',
          schedule: '30 2 * * *',
          written: '30 2 * * *',
          zone: 'Europe/Berlin',
          command: 'pg_dump shop > /backup/shop.sql',
          environment,
          options: { retries: 1, timeout: 600_000, 'success-exit-codes': [0, 3] },
        },
        {
          name: 'queue',
          schedule: '*/5 * * * *',
          written: '*/5 * * * *',
          zone: 'Europe/Berlin',
          command: './check-queue.sh',
          stdin: 'one\ntwo\n',
          environment,
          options: { retries: 1 },
        },
        {
          name: 'reports',
          schedule: '0 9 1 * 1',
          written: '0 9 1 * mon',
          zone: 'America/New_York',
          command: './reports.sh',
          environment: american,
          options: { retries: 1 },
        },
        {
          name: 'warm-up',
          schedule: '@reboot',
          written: '@reboot',
          zone: 'America/New_York',
          command: './warm-up.sh',
          environment: american,
          options: { retries: 1 },
        },
      ],
    });
  });

  test.each<[crontab: string, zones: string[]]>([
    ['', []],
    ['0 9 * * * a\n', ['UTC']],
    ['CRON_TZ=Europe/Berlin\n0 9 * * * a\n', ['Europe/Berlin']],
    ['CRON_TZ=Europe/Berlin\nCRON_TZ=Asia/Tokyo\n0 9 * * * a\n', ['Asia/Tokyo']],
    ['0 9 * * * a\nCRON_TZ=Asia/Tokyo\n0 9 * * * b\n', ['Asia/Tokyo', 'UTC']],
  ])('of %j has the zones %j', (crontab, zones) => {
    expect(Object.keys(planOf(crontab).zones).sort()).toEqual(zones);
  });

  test('is the same after a journey as JSON', () => {
    const plan = planOf(CRONTAB);
    const copy = JSON.parse(JSON.stringify(plan));
    expect(copy).toEqual(plan);
    expect(planHash(copy)).toBe(planHash(plan));
  });

  test('is refused to a crontab with errors, and without a zone that exists', () => {
    const now = Date.parse('2026-01-01T00:00Z');
    const planned = (text: string, zone: string) => () =>
      planCrontab(checkCrontab(text, { now }), { crontab: 'shop', zone });
    expect(planned('61 * * * * a\n', 'UTC')).toThrow('a crontab with errors has no plan');
    expect(planned('1 * * * * a\n', 'Europe/Berln')).toThrow('`Europe/Berln` is not a time zone');
  });
});

/** `H` by hand: the first four bytes of a SHA-256. */
function spread(job: string, field: string, low: number, width: number): number {
  return low + (createHash('sha256').update(`${job}/${field}`).digest().readUInt32BE() % width);
}

test.each<[job: string, fields: string, schedule: string]>([
  ['backup', 'H * * * *', `${spread('backup', 'minute', 0, 60)} * * * *`],
  [
    'backup',
    'H H(0-5) * * *',
    `${spread('backup', 'minute', 0, 60)} ${spread('backup', 'hour', 0, 6)} * * *`,
  ],
  [
    'report',
    'H H(0-5) * * *',
    `${spread('report', 'minute', 0, 60)} ${spread('report', 'hour', 0, 6)} * * *`,
  ],
  [
    'backup',
    'H/20 * * * *',
    `${[0, 20, 40].map((start) => start + spread('backup', 'minute', 0, 20)).join(',')} * * * *`,
  ],
  ['backup', '0 0 H * *', `0 0 ${spread('backup', 'dayOfMonth', 1, 28)} * *`],
  ['backup', '0 0 * H H', `0 0 * ${spread('backup', 'month', 1, 12)} ${spread('backup', 'dayOfWeek', 0, 7)}`],
])('`H` in the schedule of %s, `%s`, stands for %s', (job, fields, schedule) => {
  const around = `0 0 * * * something-else\n# kuber-cron: name=${job}\n${fields} a\n`;
  expect(jobOf(`# kuber-cron: name=${job}\n${fields} a\n`).schedule).toBe(schedule);
  expect(planOf(around).jobs.find(({ name }) => name === job)?.schedule).toBe(schedule);
});

describe('the hash of a plan', () => {
  const hash = (text: string, zone?: string) => planHash(planOf(text, zone));

  test('is the SHA-256 of its JSON with sorted keys', () => {
    expect(hash('')).toBe(
      createHash('sha256').update('{"crontab":"shop","format":1,"jobs":[],"zones":{}}').digest('hex'),
    );
  });

  const queue = '# kuber-cron: name=queue\n*/5 * * * *     ./check-queue.sh%one%two\n';

  test.each<[edit: string, crontab: string]>([
    ['nothing', CRONTAB],
    ['another comment', CRONTAB.replace('# Dump the shop database', '# Dump it')],
    ['comments at the ends', `# first\n${CRONTAB}# last\n`],
    ['blank lines', CRONTAB.replaceAll('\n# kuber-cron: name', '\n\n# kuber-cron: name')],
    ['blanks between fields', CRONTAB.replace('30 2 * * *      pg', '30\t2  * *\t* pg')],
    ['blanks before an entry', CRONTAB.replace('*/5', '  */5')],
    ['another order of entries', CRONTAB.replace(queue, '').replace('# Dump', `${queue}\n# Dump`)],
    ['another order of settings', CRONTAB.replace(/(CRON_TZ=E.*\n)(SHELL.*\n)/, '$2$1')],
    ['another order of keys', CRONTAB.replace(/(timeout=10m) (\S+)/, '$2 $1')],
    ['keys on two lines', CRONTAB.replace(' timeout=', '\n# kuber-cron: timeout=')],
    ['another spelling of a duration', CRONTAB.replace('10m', '600s')],
    ['a key that says the default of above', CRONTAB.replace('timeout', 'retries=1 timeout')],
    ['a warning allowed', CRONTAB.replace('name=queue', 'name=queue allow=unescaped-percent')],
  ])('is the same after %s', (_edit, crontab) => {
    expect(hash(crontab)).toBe(hash(CRONTAB));
  });

  test.each<[edit: string, from: string | RegExp, to: string]>([
    ['a minute', '30 2', '31 2'],
    ['a star for all values', '*/5 *', '*/5 0-23'],
    ['a command', 'pg_dump shop', 'pg_dump stop'],
    ['a blank in a command', 'pg_dump shop', 'pg_dump  shop'],
    ['standard input', '%two', '%too'],
    ['a name', 'name=queue', 'name=queues'],
    ['a zone', 'Europe/Berlin', 'Europe/Paris'],
    ['an alias of the zone', 'America/New_York', 'US/Eastern'],
    ['a setting', '/bin/bash', '/bin/sh'],
    ['a setting more', 'SHELL', 'PATH=/bin\nSHELL'],
    ['a setting that moves below an entry', /(SHELL.*\n)([\s\S]*sql\n)/, '$2$1'],
    ['a timeout', '10m', '11m'],
    ['a default', 'retries=1', 'retries=2'],
    ['exit codes', '0,3', '0,4'],
    ['a suspension', 'name=queue', 'name=queue suspend'],
    ['a description', 'name=queue', 'name=queue description=short'],
    ['an entry less', /# kuber-cron: name=warm-up\n.*\n/, ''],
  ])('is another after a change of %s', (_edit, from, to) => {
    const edited = CRONTAB.replace(from, to);
    expect(edited).not.toBe(CRONTAB);
    expect(hash(edited)).not.toBe(hash(CRONTAB));
  });

  test('depends on the zone of entries that set none, and not where all set one', () => {
    expect(hash('0 9 * * * a\n', 'Asia/Tokyo')).not.toBe(hash('0 9 * * * a\n', 'UTC'));
    expect(hash(CRONTAB, 'Asia/Tokyo')).toBe(hash(CRONTAB, 'UTC'));
  });

  test('depends on the zone data', () => {
    const plan = planOf(CRONTAB);
    const berlin = knownZone('Europe/Berlin');
    const newer = {
      ...plan,
      zones: { ...plan.zones, 'Europe/Berlin': { ...berlin, changes: berlin.changes.slice(0, 20) } },
    };
    expect(planHash(newer)).not.toBe(planHash(plan));
  });

  test('is the same for every order of independent entries', () => {
    const entries = [
      '0 1 * * * a\n',
      '0 2 * * * b -x\n',
      '# kuber-cron: name=c retries=2\n@daily c\n',
      '0 2 * * * b -y\n',
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(entries, { minLength: entries.length }), (shuffled) => {
        expect(hash(shuffled.join('\n'))).toBe(hash(entries.join('')));
      }),
      { numRuns: 24 },
    );
  });
});

describe('a planned job', () => {
  test('has the timetable of its schedule and zone', () => {
    const plan = planOf(CRONTAB);
    expect(plan.jobs.map((job) => timetableOf(plan, job))).toEqual([
      timetable('30 2 * * *', 'Europe/Berlin'),
      timetable('*/5 * * * *', 'Europe/Berlin'),
      timetable('0 9 1 * 1', 'America/New_York'),
      undefined,
    ]);
  });

  test('cannot be timed by a plan that lacks its zone', () => {
    const plan = planOf('0 9 * * * a\n');
    expect(() => plan.jobs.map((job) => timetableOf({ ...plan, zones: {} }, job))).toThrow(
      /lacks the zone UTC/,
    );
  });

  test.each<[options: string, targets: string[]]>([
    ['retries=1', ['daemon', 'kubernetes', 'aws']],
    ['targets=daemon', ['daemon']],
    ['targets=aws,kubernetes', ['kubernetes', 'aws']],
  ])('with %s runs on %j', (options, targets) => {
    const job = jobOf(`# kuber-cron: ${options}\n0 9 * * * a\n`);
    expect((['daemon', 'kubernetes', 'aws'] as const).filter((target) => runsOn(job, target))).toEqual(
      targets,
    );
  });
});

describe('the name of a crontab', () => {
  test.each<[path: string, name: string]>([
    ['production', 'production'],
    ['crontab/production.crontab', 'production'],
    ['/etc/cron.d/shop', 'shop'],
    ['./shop.cron', 'shop'],
    ['shop.txt', 'shop'],
    ['shop.crontab.txt', 'shop-crontab'],
    ['shop.v2.crontab', 'shop-v2'],
    ['Shop_Night.crontab', 'shop-night'],
    ['.crontab', 'crontab'],
    ['crontab', 'crontab'],
    ['-', 'crontab'],
    ['folder/', 'crontab'],
    ['日本.crontab', 'crontab'],
    ['sixteen-letters1.crontab', 'sixteen-letters1'],
  ])('from the file `%s` is %s', (path, name) => {
    expect(crontabName(path)).toBe(name);
  });

  test('that is too long is cut, and keeps what tells it from others', () => {
    const names = ['seventeen-letters', 'seventeen-letters-more', 'seventeen-l'].map(crontabName);
    expect(names.map((name) => name.replace(/-[a-z2-7]{4}$/, '-????'))).toEqual([
      'seventeen-l-????',
      'seventeen-l-????',
      'seventeen-l',
    ]);
    expect(new Set(names).size).toBe(3);
  });

  test('is always a legal one', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (path) =>
        expect(isCrontabName(crontabName(path))).toBe(true),
      ),
    );
    fc.assert(
      fc.property(fc.stringMatching(/^[a-zA-Z._-]{0,40}$/), (path) =>
        expect(isCrontabName(crontabName(path))).toBe(true),
      ),
    );
  });

  test.each<[name: string, isLegal: boolean]>([
    ['shop', true],
    ['shop-2', true],
    ['2', true],
    ['sixteen-letters1', true],
    ['seventeen-letters', false],
    ['', false],
    ['Shop', false],
    ['shop_2', false],
    ['-shop', false],
    ['shop-', false],
    ['shop--2', false],
    ['shop/2', false],
    ['shop\n', false],
  ])('may be %j: %s', (name, isLegal) => {
    expect(isCrontabName(name)).toBe(isLegal);
  });
});
