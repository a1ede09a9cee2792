import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type CheckedCrontab, checkCrontab } from '../../../shared/core/crontab/check.ts';
import { fixCrontab } from '../../../shared/core/crontab/fix.ts';
import { parseCrontab } from '../../../shared/core/crontab/parse.ts';
import { NAME_MAX_LENGTH, NAME_PATTERN } from '../../../shared/core/crontab/values.ts';
import { DiagnosticSink } from '../../../shared/core/diagnostic.ts';
import { DiagnosticRenderer } from '../../../shared/core/diagnostic-text.ts';
import { compileSchedule } from '../../../shared/core/schedule/schedule.ts';
import type { Span } from '../../../shared/core/source.ts';
import { CHECK_OPTIONS } from '../../support/crontab-fixtures.ts';
import { crontabLikeText, goodBlocks, goodFields } from '../../support/crontab-texts.ts';

const anyText = fc.oneof(crontabLikeText, fc.string({ unit: 'binary' }), fc.string());
const check = (text: string, system = false) => checkCrontab(text, { ...CHECK_OPTIONS, system });

/** What a crontab means: everything of its jobs but where they stand. */
function jobs({ crontab, names }: CheckedCrontab): unknown[] {
  return crontab.entries.map(({ schedule, zone, user, commandText, environment, options }, index) => ({
    name: names[index],
    schedule: schedule?.text,
    zone,
    user,
    commandText,
    environment: environment.toObject(),
    options,
  }));
}

describe('any text', () => {
  test('is read without a throw, into spans that lie inside it', () => {
    fc.assert(
      fc.property(anyText, fc.boolean(), (text, system) => {
        const { crontab, diagnostics, names } = check(text, system);
        const inside = ({ start, end }: Span) => 0 <= start && start <= end && end <= text.length;
        const spans = [
          ...diagnostics.list.flatMap(({ span, related = [] }) => [span, ...related.map((one) => one.span)]),
          ...crontab.settings.flatMap(({ span, valueSpan }) => [span, valueSpan]),
          ...crontab.entries.flatMap((entry) => [
            entry.span,
            entry.scheduleSpan,
            entry.commandSpan,
            ...(entry.userSpan === undefined ? [] : [entry.userSpan]),
            ...entry.directives.flatMap(({ span, valueSpan }) => [span, valueSpan]),
          ]),
        ];
        expect(spans.filter((span) => !inside(span))).toEqual([]);
        const wrong = crontab.entries.filter(
          ({ commandSpan, commandText, userSpan, user }) =>
            text.slice(commandSpan.start, commandSpan.end) !== commandText ||
            (userSpan && text.slice(userSpan.start, userSpan.end)) !== user,
        );
        expect(wrong).toEqual([]);
        expect(names.filter((name) => name.length > NAME_MAX_LENGTH || !NAME_PATTERN.test(name))).toEqual([]);
      }),
      { numRuns: 2000 },
    );
  });

  test('is parsed alone as it is in a check', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const sink = new DiagnosticSink();
        expect(parseCrontab(text, sink).entries.map(({ span }) => span)).toEqual(
          check(text).crontab.entries.map(({ span }) => span),
        );
      }),
    );
  });

  test('of bytes is read without a throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(checkCrontab(bytes, CHECK_OPTIONS).text).toBe(
          new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes),
        );
      }),
    );
  });

  test('has findings in the order of the text, each of one printable line', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const { list } = check(text).diagnostics;
        expect(list.map(({ span }) => span.start)).toEqual(
          list.map(({ span }) => span.start).sort((a, b) => a - b),
        );
        const renderer = new DiagnosticRenderer('a', text);
        for (const diagnostic of list) {
          const lines = renderer.text(diagnostic).split('\n');
          // Message and help, and two frames of three lines with a line between.
          expect(lines.length).toBeLessThanOrEqual(9);
          expect(lines.filter((line) => /[\u0000-\u001f\u007f-\u009f\u2028\u202e]/.test(line))).toEqual([]);
          const command = renderer.github(diagnostic);
          expect(/^::(?:error|warning|notice) file=a,line=\d+,[^\u0000-\u001f]*$/u.test(command)).toBe(true);
        }
      }),
    );
  });
});

test('the canonical text of a schedule compiles to an equal schedule', () => {
  fc.assert(
    fc.property(goodFields, fc.boolean(), (fields, isHashed) => {
      const text = isHashed ? fields.replace(/\S+/, 'H/7') : fields;
      const { crontab, diagnostics } = check(`# kuber-cron: name=a\n${text} job\n`);
      const [entry] = crontab.entries;
      expect([diagnostics.count('error'), entry?.schedule && compileSchedule(entry.schedule.text)]).toEqual([
        0,
        entry?.schedule,
      ]);
      expect(entry?.schedule?.text).toMatch(/^[\d*,/ -]+$/);
    }),
    { numRuns: 500 },
  );
});

const goodText = goodBlocks.map((blocks) =>
  blocks
    .flat()
    .map((line) => `${line}\n`)
    .join(''),
);

test('a fixed crontab has the same jobs, and no more to fix', () => {
  fc.assert(
    fc.property(goodText, fc.boolean(), (text, isCut) => {
      const checked = check(isCut ? text.slice(0, -1) : text);
      const fixed = fixCrontab(checked);
      const again = check(fixed.text);
      const unnamed = (one: CheckedCrontab) =>
        jobs(one).map((job) => ({
          ...(job as object),
          options: { ...(job as { options: object }).options, name: '' },
        }));
      expect(unnamed(again)).toEqual(unnamed(checked));
      const isRefused = checked.diagnostics.list.some(
        ({ code, severity }) => severity === 'error' && code !== 'missing-final-newline',
      );
      expect(fixCrontab(again)).toEqual({ text: fixed.text, namesAdded: 0, newlineAdded: false });
      expect(fixed.namesAdded).toBe(isRefused ? 0 : checked.crontab.entries.length);
      if (!isRefused) expect(again.diagnostics.list.map(({ code }) => code)).not.toContain('unnamed-jobs');
    }),
    { numRuns: 300 },
  );
});

test('comments that carry no directive never change the jobs, wherever they are put', () => {
  const comment = fc.constantFrom(
    '# comment',
    '#',
    '  # indented',
    '# @author jane',
    '#@daily foo',
    '#!/bin/sh',
    '# vim: ft=crontab',
    '# name=x timeout=5m',
    '#Ansible: x',
    '# ä 🎉 %',
  );
  const place = fc.tuple(fc.nat(), comment);
  fc.assert(
    fc.property(goodText, fc.array(place, { maxLength: 5 }), (text, places) => {
      const lines = text.split('\n').slice(0, -1);
      // A commented-out entry takes the directive lines above it along, so it is not put below one.
      const isFree = (at: number) => {
        const above = lines.slice(0, at);
        const block = above.slice(above.findLastIndex((line) => !line.trimStart().startsWith('#')) + 1);
        return !block.some((line) => line.startsWith('# kuber-cron:'));
      };
      for (const [at, inserted] of places) {
        const index = at % (lines.length + 1);
        if (inserted !== '#@daily foo' || isFree(index)) lines.splice(index, 0, inserted);
      }
      const commented = lines.map((line) => `${line}\n`).join('');
      expect(jobs(check(commented))).toEqual(jobs(check(text)));
    }),
    { numRuns: 300 },
  );
});

test('the order of entries never changes their names', () => {
  const entry = fc
    .tuple(goodFields, fc.constantFrom('a', 'b', 'c --x'))
    .map(([fields, command]) => `${fields} ${command}\n`);
  fc.assert(
    fc.property(
      fc
        .uniqueArray(entry, { maxLength: 6 })
        .chain((lines) =>
          fc.tuple(fc.constant(lines), fc.shuffledSubarray(lines, { minLength: lines.length })),
        ),
      ([lines, shuffled]) => {
        const named = (all: readonly string[]) => {
          const { names } = check(all.join(''));
          return Object.fromEntries(all.map((line, index) => [line, names[index]]));
        };
        expect(named(shuffled)).toEqual(named(lines));
      },
    ),
  );
});
