import { describe, expect, test } from '@jest/globals';
import { checkCrontab } from '../../../shared/core/crontab/check.ts';
import { NAME_MAX_LENGTH, NAME_PATTERN, tameName } from '../../../shared/core/crontab/values.ts';
import { findings } from '../../support/crontab-findings.ts';
import { CHECK_OPTIONS } from '../../support/crontab-fixtures.ts';

const names = (text: string, system = false) => checkCrontab(text, { ...CHECK_OPTIONS, system }).names;

describe('a job without a name is called by its program and a hash of its command', () => {
  // The hashes are the first 40 bits of SHA-256 in base 32, computed elsewhere.
  test.each<[string, string]>([
    ['/opt/backup/run.sh --all', 'run-sh-yplh6iwv'],
    ['cd /srv && ./Report_Weekly', 'report-weekly-cyl7ohpc'],
    ['PGPASSWORD=hunter2 pg_dump shop', 'pg-dump-tz2xckll'],
    ['$(which php) x.php', 'job-swcsk76c'],
    ['/opt/a-program-with-a-name-that-goes-on-and-on', 'a-program-with-a-name-hwf3l25o'],
    ['/opt/ünïcode', 'job-rgtftc2d'],
  ])('%s', (command, name) => {
    expect(names(`0 5 * * * ${command}\n`)).toEqual([name]);
  });

  test.each([
    ['another time', '*/5 6-8 * * mon a --x\n'],
    ['a nickname', '@daily a --x\n'],
    ['other blanks between the fields', '  0\t5  * * *\ta --x\n'],
    ['blanks at the end of the line', '0 5 * * * a --x \t\n'],
    ['a zone', 'CRON_TZ=UTC\n0 5 * * * a --x\n'],
    ['another environment', 'SHELL=/bin/bash\nA=b\n0 5 * * * a --x\n'],
    ['options', '# kuber-cron: timeout=5m retries=1\n0 5 * * * a --x\n'],
    ['comments', '# one\n\n# two\n0 5 * * * a --x\n# three\n'],
    ['other entries above', '0 1 * * * b\n0 5 * * * a --x\n'],
    ['other entries below', '0 5 * * * a --x\n0 1 * * * b\n'],
  ])('and keeps that name with %s', (_, text) => {
    expect(names(text)).toContain('a-s7nhem54');
  });

  test('and gets another with another command', () => {
    expect(names('0 5 * * * a --x\n0 5 * * * a  --x\n0 5 * * * a --y\n0 5 * * * a\n')).toEqual([
      'a-s7nhem54',
      'a-t2jziyz2',
      'a-4s66oda6',
      'a-zklycewk',
    ]);
  });
});

describe('unnamed entries that share a command are told apart', () => {
  const lines = ['0 5 * * * a --x', '0 6 * * * a --x', '@reboot a --x', 'CRON_TZ=UTC', '0 5 * * * a --x'];

  test('by schedule and zone, whatever their order', () => {
    const all = names(`${lines.join('\n')}\n`);
    expect(new Set(all).size).toBe(4);
    expect(all).not.toContain('a-s7nhem54');
    const turned = names(`${[lines[2], lines[1], lines[0], lines[3], lines[4]].join('\n')}\n`);
    expect(turned).toEqual([all[2], all[1], all[0], all[3]]);
  });

  test('by user in a system crontab', () => {
    expect(new Set(names('0 5 * * * root a\n0 5 * * * deploy a\n', true)).size).toBe(2);
  });

  test('by what the schedule means and not by its spelling', () => {
    expect(findings('0 0 * * * a\n@daily a\n')).toEqual(['identical-entries: @daily a']);
    expect(findings('0 5 * * mon a\n00 05 * * MON a \n')).toEqual(['identical-entries: 00 05 * * MON a ']);
  });

  test('and naming one of them does not rename the other', () => {
    const [, before] = names('0 5 * * * a\n0 6 * * * a\n');
    expect(names('# kuber-cron: name=first\n0 5 * * * a\n0 6 * * * a\n')).toEqual(['first', before]);
  });

  test('and are an error where nothing differs', () => {
    const text = '0 5 * * * a\n0 5 * * * a\n# kuber-cron: timeout=1m\n0 5 * * * a\n';
    expect(findings(text)).toEqual(['identical-entries: 0 5 * * * a', 'identical-entries: 0 5 * * * a']);
  });
});

describe('a name belongs to one job', () => {
  test('however its entries differ', () => {
    const text = '# kuber-cron: name=a\n0 5 * * * x\n# kuber-cron: name=a\nCRON_TZ=UTC\n';
    expect(findings(`${text}\n# kuber-cron: name=a\n0 6 * * * y\n`)).toEqual([
      'detached-directive: # kuber-cron: name=a',
      'duplicate-name: a',
    ]);
  });

  test('also when it is the one that another job gets by itself', () => {
    expect(findings('# kuber-cron: name=a-zklycewk\n0 5 * * * b\n0 6 * * * a\n')).toEqual([
      'duplicate-name: 0 6 * * *',
    ]);
    expect(findings('0 6 * * * a\n# kuber-cron: name=a-zklycewk\n0 5 * * * b\n')).toEqual([
      'duplicate-name: a-zklycewk',
    ]);
  });

  test('and points at the other one', () => {
    const text = '# kuber-cron: name=a\n0 5 * * * x\n# kuber-cron: name=a\n0 6 * * * y\n';
    const { diagnostics } = checkCrontab(text, CHECK_OPTIONS);
    expect(
      diagnostics.list.map(({ related }) =>
        related?.map(({ span, message }) => [text.slice(span.start, span.end), message]),
      ),
    ).toEqual([[['0 5 * * * x', 'the other one']]]);
  });
});

test.each<[string, string]>([
  ['Nightly_Backup', 'nightly-backup'],
  ['--a  b--', 'a-b'],
  ['run.sh', 'run-sh'],
  ['ünï', 'n'],
  ['!!!', ''],
  ['', ''],
  ['a'.repeat(40), 'a'.repeat(30)],
  [`${'a'.repeat(29)}-b`, 'a'.repeat(29)],
  ['x'.repeat(500), 'x'.repeat(30)],
])('%s is tamed to "%s"', (text, name) => {
  const tame = tameName(text, NAME_MAX_LENGTH);
  expect([tame, tame === '' || NAME_PATTERN.test(tame)]).toEqual([name, true]);
});
