import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { checkCrontab } from '../../../shared/core/crontab/check.ts';
import { DIAGNOSTICS, type DiagnosticCode } from '../../../shared/core/diagnostic.ts';
import { CHECK_OPTIONS, errorFixtures, FIXTURES, golden, rendered } from '../../support/crontab-fixtures.ts';

const fixtures = errorFixtures();

describe('a crontab with a fault', () => {
  test('has a fixture for every code, and every fixture has a code', () => {
    const codes = Object.keys(DIAGNOSTICS).sort();
    expect([...new Set(fixtures.map(({ code }) => code))].sort()).toEqual(codes);
    expect(fixtures.filter(({ name, code }) => name === code)).toHaveLength(codes.length);
  });

  test.each(fixtures.map((fixture) => [fixture.name, fixture] as const))(
    '%s prints as before',
    (name, fixture) => {
      expect(fixture.output).toBe(golden(join(FIXTURES, 'err', `${name}.out`), fixture.output));
    },
  );

  test.each(
    fixtures.filter(({ name, code }) => name === code).map((fixture) => [fixture.code, fixture] as const),
  )('%s is the only finding of its first fixture', (code, fixture) => {
    expect([...new Set(fixture.checked.diagnostics.list.map((one) => one.code))]).toEqual([code]);
  });

  test.each(fixtures.map((fixture) => [fixture.name, fixture] as const))(
    '%s is worded in house style',
    (_, fixture) => {
      const { list } = fixture.checked.diagnostics;
      const texts = list.flatMap(({ message, help, related = [] }) => [
        message,
        ...(help === undefined ? [] : [help]),
        ...related.map((one) => one.message),
      ]);
      const odd = texts.filter(
        (one) => /\.$|\n|\b(?:invalid|illegal|please|sorry)\b|``/i.test(one) || /^[A-Z][a-z]+ /.test(one),
      );
      expect(odd.filter((one) => !one.startsWith("Debian's"))).toEqual([]);
    },
  );
});

describe('a crontab in good order', () => {
  const files = readdirSync(join(FIXTURES, 'ok')).filter((file) => file.endsWith('.crontab'));

  test.each(files)('%s has no findings but notes', (file) => {
    const system = file.startsWith('system-');
    const checked = checkCrontab(readFileSync(join(FIXTURES, 'ok', file)), { ...CHECK_OPTIONS, system });
    const findings = checked.diagnostics.list.filter(({ severity }) => severity !== 'note');
    expect(rendered(checked, file, findings)).toBe('');
  });

  test.each(files)('%s has the jobs that it had', (file) => {
    const system = file.startsWith('system-');
    const { crontab, names } = checkCrontab(readFileSync(join(FIXTURES, 'ok', file)), {
      ...CHECK_OPTIONS,
      system,
    });
    const jobs = crontab.entries.map(
      ({ schedule, zone, user, commandText, options }, index) =>
        `${[names[index], schedule?.text ?? '@reboot', zone ?? '-', user ?? '-', commandText, JSON.stringify(options)].join(' | ')}\n`,
    );
    expect(jobs.join('')).toBe(
      golden(join(FIXTURES, 'ok', file.replace(/\.crontab$/, '.jobs')), jobs.join('')),
    );
  });

  test('is there in numbers', () => {
    expect(files.length).toBeGreaterThan(9);
  });
});

test('every code of the catalogue is a slug', () => {
  const codes = Object.keys(DIAGNOSTICS) as DiagnosticCode[];
  expect(codes.filter((code) => !/^[a-z]+(?:-[a-z0-9]+)*$/.test(code))).toEqual([]);
});
