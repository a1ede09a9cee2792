import { describe, expect, test } from '@jest/globals';
import { checkCrontab } from '../../../shared/core/crontab/check.ts';
import { fixCrontab } from '../../../shared/core/crontab/fix.ts';
import { CHECK_OPTIONS } from '../../support/crontab-fixtures.ts';

const fix = (text: string) => fixCrontab(checkCrontab(text, CHECK_OPTIONS));

describe('fix writes the name of each unnamed job above it, and ends the last line', () => {
  test.each<[string, string, string, number, boolean]>([
    ['a name', '0 5 * * * a\n', '# kuber-cron: name=a-zklycewk\n0 5 * * * a\n', 1, false],
    ['a name, as far in', ' \t0 5 * * * a\n', ' \t# kuber-cron: name=a-zklycewk\n \t0 5 * * * a\n', 1, false],
    [
      'the end of the last line',
      '# kuber-cron: name=x\n0 5 * * * a',
      '# kuber-cron: name=x\n0 5 * * * a\n',
      0,
      true,
    ],
    ['both', '0 5 * * * a', '# kuber-cron: name=a-zklycewk\n0 5 * * * a\n', 1, true],
    ['the end of a setting', 'A=b', 'A=b\n', 0, true],
    [
      'a name below other directive lines',
      '# about\n# kuber-cron: retries=1\n0 5 * * * a\n',
      '# about\n# kuber-cron: retries=1\n# kuber-cron: name=a-zklycewk\n0 5 * * * a\n',
      1,
      false,
    ],
    [
      'names between named ones, and nothing else',
      '\n\n# kuber-cron: name=x\n0 5 * * * a\n\t\nA="b"\n@daily\tb  \n#end',
      '\n\n# kuber-cron: name=x\n0 5 * * * a\n\t\nA="b"\n# kuber-cron: name=b-hyr6qfqa\n@daily\tb  \n#end',
      1,
      false,
    ],
  ])('%s', (_, text, fixed, namesAdded, newlineAdded) => {
    expect(fix(text)).toEqual({ text: fixed, namesAdded, newlineAdded });
    expect(fix(fixed)).toEqual({ text: fixed, namesAdded: 0, newlineAdded: false });
  });

  test.each([
    ['an empty file', ''],
    ['comments', '# a\n# b'],
    ['named jobs', '# kuber-cron: name=x\n0 5 * * * a\n'],
    ['a file with an error', '0 5 * * * a\n60 * * * * b'],
    [
      'a file with an error among many warnings',
      `${'# kuber-corn: x\n'.repeat(100_000)}60 * * * * b\n0 5 * * * a`,
    ],
    ['CR LF', '0 5 * * * a\r\n'],
    ['identical entries', '0 5 * * * a\n0 5 * * * a\n'],
  ])('%s is left alone', (_, text) => {
    expect(fix(text)).toEqual({ text, namesAdded: 0, newlineAdded: false });
  });

  test('a file with warnings is mended like any other', () => {
    expect(fix('30 2 * * * date +%F\n').namesAdded).toBe(1);
  });
});
