import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { OPTION_KEYS, OPTIONS } from '../shared/core/crontab/options.ts';
import { DIAGNOSTICS } from '../shared/core/diagnostic.ts';
import { DEFAULT_RETENTION, SHORTEST_RETENTION_MS } from '../shared/core/run/retention.ts';
import { PENDING_CAUSES, REASONS, RUN_STATUSES } from '../shared/core/run/run.ts';
import { NICKNAMES } from '../shared/core/schedule/schedule.ts';
import { golden } from './support/crontab-fixtures.ts';
import { diagnosticsPage } from './support/diagnostics-page.ts';

const DOCS = join(import.meta.dirname, '../docs');
const FORMAT = readFileSync(join(DOCS, 'crontab-format.md'), 'utf8');
const PROTOCOL = readFileSync(join(DOCS, 'run-protocol.md'), 'utf8');

/** The rows of the table below a heading of a page, without its head; cells are trimmed. */
function tableRows(page: string, heading: string): string[][] {
  const section = page.split(/^## /m).find((one) => one.startsWith(`${heading}\n`)) ?? '';
  return section
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(1)
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

describe('docs/diagnostics.md', () => {
  const page = diagnosticsPage();

  test('is what the catalogue and the fixtures say (`npm run docs:write`)', () => {
    expect(page).toBe(golden(join(DOCS, 'diagnostics.md'), page));
  });

  test('has a section for each code, in the order of the catalogue', () => {
    expect([...page.matchAll(/^## ([a-z0-9-]+)$/gm)].map(([, code]) => code)).toEqual(
      Object.keys(DIAGNOSTICS),
    );
  });
});

describe('docs/crontab-format.md', () => {
  const rows = (heading: string) => tableRows(FORMAT, heading);

  test('lists every key with its meaning, in the order of the code', () => {
    const keys = rows('Keys').map(([key = '', , meaning]) => [/^`([a-z-]+)/.exec(key)?.[1], meaning]);
    expect(keys).toEqual(OPTION_KEYS.map((key) => [key, OPTIONS[key].meaning]));
  });

  test('marks the keys that `defaults` does not take', () => {
    const marked = rows('Keys').flatMap(([key = '', , , one]) =>
      one === 'no' ? [/[a-z-]+/.exec(key)?.[0]] : [],
    );
    expect(marked).toEqual(OPTION_KEYS.filter((key) => OPTIONS[key].ofOneJob));
  });

  test('shows for each key a value that it takes', () => {
    const refused = rows('Keys').filter(([key = '', example = '']) => {
      const name = OPTION_KEYS.find((one) => one === /[a-z-]+/.exec(key)?.[0]);
      const value = /=(?:"([^"]*)"|([^"`]*))`$/.exec(example);
      const text = value?.[1] ?? value?.[2];
      return name === undefined || text === undefined || !OPTIONS[name].read(text).ok;
    });
    expect(refused).toEqual([]);
  });

  test('lists the nicknames with the fields that they stand for', () => {
    const listed = rows('Nicknames').flatMap(([words = '', fields = '']) =>
      [...words.matchAll(/@[a-z]+/g)].map(([word]) => [word, /^`(.*)`$/.exec(fields)?.[1]]),
    );
    expect(Object.fromEntries(listed)).toEqual({ '@reboot': undefined, ...NICKNAMES });
  });
});

describe('docs/run-protocol.md', () => {
  const names = (heading: string) =>
    tableRows(PROTOCOL, heading).flatMap(([cell = '']) =>
      [...cell.matchAll(/`([a-z-]+)`/g)].map(([, name]) => name),
    );

  test('explains every status, in the order of the code', () => {
    expect(names('Status')).toEqual(RUN_STATUSES);
  });

  test('explains every reason', () => {
    expect(names('Reasons').sort()).toEqual(Object.keys(REASONS).sort());
  });

  test('names every cause of waiting', () => {
    for (const cause of Object.keys(PENDING_CAUSES)) expect(PROTOCOL).toContain(`\`${cause}\``);
  });

  test('says how long things are kept', () => {
    const days = (ms: number) => `${ms / 86_400_000} days`;
    const { successMs, failureMs } = DEFAULT_RETENTION;
    const rows = tableRows(PROTOCOL, 'What is kept').map((row) => row.join(' '));
    expect(rows[0]).toContain(
      `${days(successMs)} for successes and skips, ${days(failureMs)} for all others`,
    );
    expect(rows[0]).toContain(`${days(SHORTEST_RETENTION_MS)} at least`);
  });
});
