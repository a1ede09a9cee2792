import { describe, expect, test } from '@jest/globals';
import type { Diagnostic } from '../../shared/core/diagnostic.ts';
import { DiagnosticRenderer, type Paint, printable } from '../../shared/core/diagnostic-text.ts';
import { LineIndex } from '../../shared/core/source.ts';

const finding = (start: number, end: number, more: Partial<Diagnostic> = {}): Diagnostic => ({
  code: 'unknown-value',
  severity: 'error',
  span: { start, end },
  message: 'a message',
  ...more,
});

describe('a finding as text', () => {
  /** The line and the marks below it. */
  const frame = (text: string, start: number, end: number) =>
    new DiagnosticRenderer('f', text).text(finding(start, end)).split('\n').slice(2);

  test.each<[string, string, [number, number], string[]]>([
    ['marks the text at fault', 'abc def\n', [4, 7], ['1 | abc def', '  |     ^^^']],
    ['marks one place at least', 'abc\n', [3, 3], ['1 | abc', '  |    ^']],
    ['marks the end of the file', 'abc', [3, 3], ['1 | abc', '  |    ^']],
    ['marks an empty file', '', [0, 0], ['1 | ', '  | ^']],
    ['marks an empty line', 'a\n\nb\n', [2, 2], ['2 | ', '  | ^']],
    ['ends its marks with the line', 'abc\ndef\n', [2, 6], ['1 | abc', '  |   ^']],
    ['makes room for the number', `${'\n'.repeat(99)}abc\n`, [100, 101], ['100 | abc', '    |  ^']],
    ['writes tabs as blanks', '\ta\tb\n', [3, 4], ['1 |  a b', '  |    ^']],
    ['counts two columns for wide characters', '備份 x\n', [3, 4], ['1 | 備份 x', '  |      ^']],
    ['and marks them', 'a 備份 x\n', [2, 4], ['1 | a 備份 x', '  |   ^^^^']],
    ['and for pictures', '🎉 x\n', [3, 4], ['1 | 🎉 x', '  |    ^']],
    ['counts one for narrow ones', 'ä€™x\n', [3, 4], ['1 | ä€™x', '  |    ^']],
    ['counts none for combining marks', 'a\u0301x\n', [2, 3], ['1 | a\u0301x', '  |  ^']],
    ['shows a CR', 'ab\r\n', [2, 3], ['1 | ab\\u{d}', '  |   ^^^^^']],
    [
      'shows control characters',
      '\u001b[31mx\u0007\n',
      [5, 6],
      ['1 | \\u{1b}[31mx\\u{7}', '  |           ^'],
    ],
    ['shows what turns the direction', 'a\u202eb\n', [2, 3], ['1 | a\\u{202e}b', '  |          ^']],
    ['shows half a pair', 'a\ud83d b\n', [3, 4], ['1 | a\\u{d83d} b', '  |           ^']],
  ])('%s', (_, text, [start, end], lines) => {
    expect(frame(text, start, end)).toEqual(lines);
  });

  test.each<[string, number, number, string, number, number]>([
    ['as a whole up to 120 characters', 119, 120, 'x'.repeat(120), 79, 1],
  ])('shows a line %s', (_, start) => {
    expect(frame('x'.repeat(120), 0, 3)).toEqual([`1 | ${'x'.repeat(120)}`, '  | ^^^']);
    expect(frame('x'.repeat(121), 0, 3)).toEqual([`1 | ${'x'.repeat(120)}…`, '  | ^^^']);
    expect(frame('x'.repeat(120), start, 120)).toEqual([`1 | …${'x'.repeat(41)}`, `  | ${' '.repeat(41)}^`]);
  });

  test('shows the piece of a long line that is at fault', () => {
    const text = `${'a'.repeat(500)}bad${'c'.repeat(500)}\n`;
    expect(frame(text, 500, 503)).toEqual([
      `1 | …${'a'.repeat(40)}bad${'c'.repeat(77)}…`,
      `  | ${' '.repeat(41)}^^^`,
    ]);
    expect(frame(text, 0, 1003)).toEqual([`1 | ${'a'.repeat(120)}…`, `  | ${'^'.repeat(120)}`]);
  });

  test('has severity, code, place, help and what is related', () => {
    const renderer = new DiagnosticRenderer('crontab/production', 'one\ntwo\n');
    const diagnostic = finding(4, 7, {
      severity: 'warning',
      code: 'both-day-fields',
      message: 'about `two`',
      help: 'mend it',
      related: [{ span: { start: 0, end: 3 }, message: 'the other one' }],
    });
    expect(renderer.text(diagnostic).split('\n')).toEqual([
      'warning[both-day-fields]: about `two`',
      ' --> crontab/production:2:1',
      '2 | two',
      '  | ^^^',
      '  = the other one:',
      ' --> crontab/production:1:1',
      '1 | one',
      '  | ^^^',
      '  = help: mend it',
    ]);
  });

  test('never moves a cursor, whatever message and file name hold', () => {
    const renderer = new DiagnosticRenderer('a\u001b[2Jb', 'x\n');
    expect(renderer.text(finding(0, 1, { message: 'got `\u001b[2J`', help: 'a\nb' }))).toBe(
      [
        'error[unknown-value]: got `\\u{1b}[2J`',
        ' --> a\\u{1b}[2Jb:1:1',
        '1 | x',
        '  | ^',
        '  = help: a\\u{a}b',
      ].join('\n'),
    );
  });

  test('is painted by role', () => {
    const paint: Paint = (role, text) => `<${role}>${text}</>`;
    const renderer = new DiagnosticRenderer('f', 'x\n', paint);
    expect(renderer.text(finding(0, 1, { help: 'h' })).split('\n')).toEqual([
      '<error>error[unknown-value]</>: a message',
      ' <frame>--></> f:1:1',
      '<frame>1 |</> x',
      '<frame>  |</> ^',
      '<help>  = help:</> h',
    ]);
  });
});

test('a finding as JSON has offsets, lines and columns', () => {
  const renderer = new DiagnosticRenderer('f', 'one\n🎉 two\n');
  const related = [{ span: { start: 0, end: 3 }, message: 'the other one' }];
  expect(renderer.json(finding(7, 10, { help: 'mend it', related }))).toEqual({
    code: 'unknown-value',
    severity: 'error',
    file: 'f',
    start: { offset: 7, line: 2, column: 4 },
    end: { offset: 10, line: 2, column: 7 },
    message: 'a message',
    help: 'mend it',
    related: [
      {
        file: 'f',
        start: { offset: 0, line: 1, column: 1 },
        end: { offset: 3, line: 1, column: 4 },
        message: 'the other one',
      },
    ],
  });
  expect(renderer.json(finding(0, 0))).toEqual({
    code: 'unknown-value',
    severity: 'error',
    file: 'f',
    start: { offset: 0, line: 1, column: 1 },
    end: { offset: 0, line: 1, column: 1 },
    message: 'a message',
    related: [],
  });
});

describe('a finding as a workflow command', () => {
  const github = (file: string, more: Partial<Diagnostic>) =>
    new DiagnosticRenderer(file, 'one two\n').github(finding(4, 7, more));

  test.each<[string, string, Partial<Diagnostic>, string]>([
    [
      'has a place',
      'f',
      {},
      '::error file=f,line=1,endLine=1,col=5,endColumn=8,title=unknown-value::a message',
    ],
    [
      'has the help on a line of its own',
      'f',
      { help: 'mend it' },
      '::error file=f,line=1,endLine=1,col=5,endColumn=8,title=unknown-value::a message%0Ahelp: mend it',
    ],
    [
      'calls a note a notice',
      'f',
      { severity: 'note', code: 'unnamed-jobs' },
      '::notice file=f,line=1,endLine=1,col=5,endColumn=8,title=unnamed-jobs::a message',
    ],
    [
      'escapes what would end a property',
      'a,b:c%.crontab',
      { severity: 'warning' },
      '::warning file=a%2Cb%3Ac%25.crontab,line=1,endLine=1,col=5,endColumn=8,title=unknown-value::a message',
    ],
    [
      'escapes what would begin another command',
      'f',
      { message: '100% `\n::error::x`\r', help: '%0A' },
      '::error file=f,line=1,endLine=1,col=5,endColumn=8,title=unknown-value::100%25 `\\u{a}::error::x`\\u{d}%0Ahelp: %250A',
    ],
  ])('%s', (_, file, more, expected) => {
    expect(github(file, more)).toBe(expected);
  });
});

test.each<[string, string]>([
  ['plain text, ä 備 🎉', 'plain text, ä 備 🎉'],
  ['a\tb', 'a b'],
  ['a\nb\rc\0d', 'a\\u{a}b\\u{d}c\\u{0}d'],
  ['\u007f\u0085\u200b\u2028\u2066\ufeff', '\\u{7f}\\u{85}\\u{200b}\\u{2028}\\u{2066}\\u{feff}'],
  ['\udc00🎉\ud800', '\\u{dc00}🎉\\u{d800}'],
])('%j is printed as %s', (text, printed) => {
  expect(printable(text)).toBe(printed);
});

describe('lines and columns', () => {
  test.each<[string, number, number, number]>([
    ['abc', 0, 1, 1],
    ['abc', 3, 1, 4],
    ['a\nb\n', 1, 1, 2],
    ['a\nb\n', 2, 2, 1],
    ['a\nb\n', 4, 3, 1],
    ['\n\n\n', 2, 3, 1],
    ['a\r\nb', 3, 2, 1],
    ['', 0, 1, 1],
    ['🎉x', 2, 1, 3],
  ])('in %j offset %i is line %i, column %i', (text, offset, line, column) => {
    expect(new LineIndex(text).position(offset)).toEqual({ line, column });
  });

  test.each<[string, number, string]>([
    ['a\nb\n', 1, 'a'],
    ['a\nb\n', 2, 'b'],
    ['a\nb\n', 3, ''],
    ['a\nb', 2, 'b'],
    ['a', 9, ''],
  ])('in %j line %i is %j', (text, line, expected) => {
    expect(new LineIndex(text).line(line)).toBe(expected);
  });
});
