import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { DOCTOR_CODES } from '../shared/core/doctor.ts';
import { FINAL_STATUSES, REASONS } from '../shared/core/run/run.ts';

const DOCS = join(import.meta.dirname, '../docs');
const page = (name: string) => readFileSync(join(DOCS, name), 'utf8');

/** The text below a heading of the second level. */
function chapter(text: string, heading: string): string {
  return text.split(/^## /m).find((one) => one.startsWith(`${heading}\n`)) ?? '';
}

/** Sections of a chapter of docs/troubleshooting.md: their headings, and how much they say. */
function sections(heading: string): { readonly title: string; readonly length: number }[] {
  const [, ...found] = chapter(page('troubleshooting.md'), heading).split(/^### /m);
  return found.map((text) => {
    const [title = '', ...rest] = text.split('\n');
    return { title, length: rest.join('').trim().length };
  });
}

const FINDINGS = sections('Findings of doctor');
const RUNS = sections('Runs that did not end well');

/** What ends a run, by the table of docs/run-protocol.md: `status: reason`. */
function endsOfProtocol(): string[] {
  return chapter(page('run-protocol.md'), 'Reasons')
    .split('\n')
    .flatMap((line) => {
      const [, names = '', statuses = ''] = line.split('|');
      const reasons = [...names.matchAll(/`([a-z-]+)`/g)].map(([, reason]) => reason);
      const ends = FINAL_STATUSES.filter((status) =>
        new RegExp(`(?<![\\w-])${status}(?![\\w-])`).test(statuses),
      );
      return reasons.flatMap((reason) => ends.map((status) => `${status}: ${reason}`));
    });
}

test('there is a section on each finding of doctor, in its order', () => {
  expect(FINDINGS.map(({ title }) => title)).toEqual(DOCTOR_CODES);
});

test('there is a section on each status and reason that the run protocol has', () => {
  expect(RUNS.map(({ title }) => title).sort()).toEqual(endsOfProtocol().sort());
});

test('no reason is without a section', () => {
  const told = new Set(RUNS.map(({ title }) => title.split(': ')[1]));
  expect(Object.keys(REASONS).filter((reason) => !told.has(reason))).toEqual([]);
});

test('no section is empty', () => {
  expect([...FINDINGS, ...RUNS].filter(({ length }) => length < 10)).toEqual([]);
});

test('every link within the page leads to one of its headings', () => {
  const text = page('troubleshooting.md');
  const anchors = [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^a-z0-9 -]/g, '')
      .replaceAll(' ', '-'),
  );
  const links = [...text.matchAll(/\]\(#([^)]*)\)/g)].map(([, link]) => link as string);
  expect(links.filter((link) => !anchors.includes(link))).toEqual([]);
});
