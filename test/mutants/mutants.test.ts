import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ALL_MUTANTS, TABLES } from './all.ts';
import { type JestReport, type Mutant, mutated, type Verdict, verdictOf } from './mutant.ts';

const ROOT = join(import.meta.dirname, '../..');

describe('the mutants', () => {
  test('are at least forty, each with a name of its own', () => {
    const names = TABLES.flatMap(Object.keys);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
    expect(names.length).toBeGreaterThanOrEqual(40);
  });

  test('have their places and their tests still', () => {
    const faults = Object.entries(ALL_MUTANTS).flatMap(([name, mutant]) => {
      const text = readFileSync(join(ROOT, mutant.file), 'utf8');
      try {
        if (mutated(text, mutant) === text) return [`${name} changes nothing`];
        if (mutant.find.includes('\n') || mutant.replace.includes('\n')) return [`${name} is no one line`];
        return existsSync(join(ROOT, mutant.test)) ? [] : [`${name}: there is no ${mutant.test}`];
      } catch (error) {
        return [`${name}: ${(error as Error).message}`];
      }
    });
    expect(faults).toEqual([]);
  });
});

describe('a mutant', () => {
  const mutant: Mutant = { promise: '', file: 'a.ts', find: 'x < 1', replace: 'x <= 1', test: '' };

  test('changes its place', () => {
    expect(mutated('if (x < 1)\n  y();\n', mutant)).toBe('if (x <= 1)\n  y();\n');
  });

  test.each([
    ['is gone', 'if (x < 2)\n', 0],
    ['is not the only one', 'x < 1\nx < 1\n', 2],
  ])('whose place %s is an error', (_what, text, times) => {
    expect(() => mutated(text, mutant)).toThrow(`\`x < 1\` stands ${times} times in a.ts, not once`);
  });
});

describe('the verdict', () => {
  const report = (statuses: readonly string[], message = ''): JestReport => ({
    numPassedTests: statuses.filter((status) => status === 'passed').length,
    testResults: [
      { message, assertionResults: statuses.map((status, index) => ({ fullName: `test ${index}`, status })) },
    ],
  });

  test.each<[what: string, report: JestReport | undefined, verdict: Verdict]>([
    ['a test failed', report(['passed', 'failed'], 'x'), { colour: 'red', failed: ['test 1'] }],
    ['all passed', report(['passed', 'passed']), { colour: 'green' }],
    ['some are left out', report(['passed', 'pending']), { colour: 'green' }],
    ['no title fits', report(['pending']), { colour: 'none', why: 'no test has such a title' }],
    [
      'the file cannot be loaded',
      report([], 'SyntaxError: x'),
      { colour: 'none', why: 'the test file failed as a whole:\nSyntaxError: x' },
    ],
    ['Jest was killed', undefined, { colour: 'none', why: 'Jest ended without a report' }],
  ])('when %s', (_what, given, verdict) => {
    expect(verdictOf(given)).toEqual(verdict);
  });
});
