import { describe, expect, test } from '@jest/globals';
import { type FieldName, parseField, shortNameFor } from '../../../shared/core/schedule/field.ts';

/** Values that a field stands for, or its fault as `code: text at fault`. */
function read(text: string, name: FieldName, jobName?: string): number[] | string {
  const field = parseField(text, name, jobName);
  if ('code' in field) return `${field.code}: ${text.slice(field.start, field.end)}`;
  const values: number[] = [];
  for (let value = 0; value < 64; value++) {
    const bits = value < 32 ? field.low : field.high;
    if ((bits & (1 << (value & 31))) !== 0) values.push(value);
  }
  return values;
}

const range = (from: number, to: number, step = 1) =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, index) => from + index * step);

describe('a field that crons agree on is a set of values', () => {
  test.each<[string, FieldName, number[]]>([
    ['*', 'minute', range(0, 59)],
    ['*', 'hour', range(0, 23)],
    ['*', 'dayOfMonth', range(1, 31)],
    ['*', 'month', range(1, 12)],
    ['*', 'dayOfWeek', range(0, 6)],
    ['0', 'minute', [0]],
    ['59', 'minute', [59]],
    ['31', 'minute', [31]],
    ['32', 'minute', [32]],
    ['09', 'minute', [9]],
    ['0000000000000059', 'minute', [59]],
    ['*/15', 'minute', [0, 15, 30, 45]],
    ['*/7', 'minute', range(0, 59, 7)],
    ['*/1', 'minute', range(0, 59)],
    ['*/59', 'minute', [0, 59]],
    ['10-20', 'minute', range(10, 20)],
    ['10-10', 'minute', [10]],
    ['10-20/5', 'minute', [10, 15, 20]],
    ['0-59/20', 'minute', [0, 20, 40]],
    ['1,2,3', 'minute', [1, 2, 3]],
    ['3,1,1', 'minute', [1, 3]],
    ['0-10/5,30,50-59/3', 'minute', [0, 5, 10, 30, 50, 53, 56, 59]],
    ['*,5', 'minute', range(0, 59)],
    ['8-18/2', 'hour', range(8, 18, 2)],
    ['23', 'hour', [23]],
    ['*/2', 'dayOfMonth', range(1, 31, 2)],
    ['31', 'dayOfMonth', [31]],
    ['*/3', 'month', [1, 4, 7, 10]],
    ['jan', 'month', [1]],
    ['DEC', 'month', [12]],
    ['Jan-mAr,12', 'month', [1, 2, 3, 12]],
    ['jan-dec/2', 'month', range(1, 12, 2)],
    ['3-may', 'month', [3, 4, 5]],
    ['0', 'dayOfWeek', [0]],
    ['7', 'dayOfWeek', [0]],
    ['0,7', 'dayOfWeek', [0]],
    ['sun', 'dayOfWeek', [0]],
    ['Sun-Sat', 'dayOfWeek', range(0, 6)],
    ['mon-fri/2', 'dayOfWeek', [1, 3, 5]],
    ['6-7', 'dayOfWeek', [0, 6]],
    ['fri-7', 'dayOfWeek', [0, 5, 6]],
    ['*/2', 'dayOfWeek', [0, 2, 4, 6]],
    ['*/7', 'dayOfWeek', [0]],
    ['1-7', 'dayOfWeek', range(0, 6)],
  ])('%s in %s', (text, name, values) => {
    expect(read(text, name)).toEqual(values);
  });
});

describe('a field that a cron refuses, or reads otherwise, is a fault with its place', () => {
  test.each<[string, FieldName, string]>([
    ['60', 'minute', 'value-out-of-range: 60'],
    ['24', 'hour', 'value-out-of-range: 24'],
    ['0', 'dayOfMonth', 'value-out-of-range: 0'],
    ['32', 'dayOfMonth', 'value-out-of-range: 32'],
    ['0', 'month', 'value-out-of-range: 0'],
    ['13', 'month', 'value-out-of-range: 13'],
    ['8', 'dayOfWeek', 'value-out-of-range: 8'],
    ['4294967296', 'minute', 'value-out-of-range: 4294967296'],
    ['1,2,70', 'minute', 'value-out-of-range: 70'],
    ['10-70', 'minute', 'value-out-of-range: 70'],
    ['*/0', 'minute', 'value-out-of-range: 0'],
    ['1-5/00', 'minute', 'value-out-of-range: 00'],
    ['*/1000000000', 'minute', 'value-out-of-range: 1000000000'],
    ['30-10', 'minute', 'reversed-range: 30-10'],
    ['1,22-4', 'hour', 'reversed-range: 22-4'],
    ['22-4/2', 'hour', 'reversed-range: 22-4/2'],
    ['fri-sun', 'dayOfWeek', 'reversed-range: fri-sun'],
    ['sat-sun', 'dayOfWeek', 'reversed-range: sat-sun'],
    ['5-0', 'minute', 'reversed-range: 5-0'],
    ['5/15', 'minute', 'step-without-range: 5/15'],
    ['1,5/15', 'minute', 'step-without-range: 5/15'],
    ['mon/2', 'dayOfWeek', 'step-without-range: mon/2'],
    [',1', 'minute', 'empty-list-item: ,'],
    ['1,', 'minute', 'empty-list-item: '],
    ['1,,2', 'minute', 'empty-list-item: ,'],
    ['?', 'dayOfMonth', 'unsupported-field-syntax: ?'],
    ['L', 'dayOfMonth', 'unsupported-field-syntax: L'],
    ['l', 'dayOfMonth', 'unsupported-field-syntax: l'],
    ['L-3', 'dayOfMonth', 'unsupported-field-syntax: L-3'],
    ['15W', 'dayOfMonth', 'unsupported-field-syntax: 15W'],
    ['LW', 'dayOfMonth', 'unsupported-field-syntax: LW'],
    ['5L', 'dayOfWeek', 'unsupported-field-syntax: 5L'],
    ['5#2', 'dayOfWeek', 'unsupported-field-syntax: 5#2'],
    ['FRI#3', 'dayOfWeek', 'unsupported-field-syntax: FRI#3'],
    ['0~59', 'minute', 'unsupported-field-syntax: 0~59'],
    ['~', 'minute', 'unsupported-field-syntax: ~'],
    ['5;x', 'minute', 'unknown-value: ;x'],
    ['*x', 'minute', 'unknown-value: *x'],
    ['**', 'minute', 'unknown-value: *'],
    ['*-5', 'minute', 'unknown-value: -5'],
    ['*/x', 'minute', 'unknown-value: /x'],
    ['*/', 'minute', 'unknown-value: /'],
    ['*/mon', 'dayOfWeek', 'unknown-value: /mon'],
    ['1-', 'minute', 'unknown-value: '],
    ['-5', 'minute', 'unknown-value: -5'],
    ['+5', 'minute', 'unknown-value: +5'],
    ['1.5', 'minute', 'unknown-value: .5'],
    ['1-2-3', 'minute', 'unknown-value: -3'],
    ['*/5/5', 'minute', 'unknown-value: /5'],
    ['mon', 'minute', 'unknown-value: mon'],
    ['jan', 'dayOfWeek', 'unknown-value: jan'],
    ['mon', 'month', 'unknown-value: mon'],
    ['monday', 'dayOfWeek', 'unknown-value: monday'],
    ['june', 'month', 'unknown-value: june'],
    ['mo', 'dayOfWeek', 'unknown-value: mo'],
    ['h', 'minute', 'unknown-value: h'],
    ['HH', 'minute', 'unknown-value: HH'],
    ['5\u00a0', 'minute', 'unknown-value: \u00a0'],
    ['١', 'minute', 'unknown-value: ١'],
  ])('%s in %s is %s', (text, name, fault) => {
    expect(read(text, name)).toBe(fault);
  });
});

test.each<[string, FieldName, string]>([
  ['22-4', 'hour', 'write `22-23,0-4`'],
  ['23-0', 'hour', 'write `23,0`'],
  ['22-4/2', 'hour', 'write `22,0,2,4`'],
  ['fri-sun', 'dayOfWeek', 'write `5-7`'],
  ['fri-mon', 'dayOfWeek', 'write `5-6,0-1`'],
  ['fri-tue/2', 'dayOfWeek', 'write `5,0,2`'],
  ['nov-feb', 'month', 'write `11-12,1-2`'],
  ['25-5/5', 'dayOfMonth', 'write `25,30,4`'],
  ['5/15', 'minute', 'write `5-59/15` or `*/15`'],
  ['1/2', 'dayOfWeek', 'write `1-6/2` or `*/2`'],
  ['60', 'minute', 'use 0 for the full hour'],
  ['24', 'hour', 'use 0 for midnight'],
  ['thursday', 'dayOfWeek', 'names have three letters: write `thu`'],
  ['mon,tues', 'dayOfWeek', 'names have three letters: write `tue`'],
  ['sept', 'month', 'names have three letters: write `sep`'],
])('the help for %s in %s is: %s', (text, name, help) => {
  expect(parseField(text, name)).toHaveProperty('help', help);
});

test.each<[string, string | undefined]>([
  ['monday', 'mon'],
  ['Thurs', 'thu'],
  ['SEPT-dec', 'sep'],
  ['january/2', 'jan'],
  ['mon', undefined],
  ['monitor.sh', undefined],
  ['sunday.sh', undefined],
  ['weekday', undefined],
  ['', undefined],
])('%s is long for %s', (word, name) => {
  expect(shortNameFor(word)).toBe(name);
});

test.each<[string, FieldName, string, boolean]>([
  ['*', 'minute', '*', true],
  ['*/05', 'minute', '*/5', true],
  ['*,007', 'minute', '*,7', true],
  ['007,*', 'minute', '7,*', false],
  ['Jan-MAR/2', 'month', '1-3/2', false],
  ['sun,Mon-fri,7', 'dayOfWeek', '0,1-5,7', false],
  ['0-59', 'minute', '0-59', false],
])('%s in %s is written %s, and begins with a star: %s', (text, name, canonical, isStar) => {
  const field = parseField(text, name);
  expect('code' in field ? field : [field.text, field.isStar]).toEqual([canonical, isStar]);
});

test.each<[string, FieldName, string | undefined]>([
  ['*/60', 'minute', '60'],
  ['*/59', 'minute', undefined],
  ['0,10-15/6', 'minute', '6'],
  ['10-15/5', 'minute', undefined],
  ['5-5/1', 'minute', '1'],
  ['*/24', 'hour', '24'],
  ['*/31', 'dayOfMonth', '31'],
  ['*/30', 'dayOfMonth', undefined],
  ['*/12', 'month', '12'],
  ['*/8', 'dayOfWeek', '8'],
  ['*/7', 'dayOfWeek', undefined],
])('in %s of %s the step that is larger than its range is %s', (text, name, step) => {
  const field = parseField(text, name);
  if ('code' in field) throw new Error(field.message);
  const { oversizedStep: at } = field;
  expect(at && text.slice(at.start, at.end)).toBe(step);
});

describe('H', () => {
  // By an own SHA-256 of `job/field`. Should one of these ever change, every crontab with an H would run at other times.
  test.each<[string, FieldName, string, number[]]>([
    ['H', 'minute', 'nightly-backup', [4]],
    ['H', 'hour', 'nightly-backup', [22]],
    ['H', 'dayOfMonth', 'nightly-backup', [4]],
    ['H', 'month', 'nightly-backup', [8]],
    ['H', 'dayOfWeek', 'nightly-backup', [4]],
    ['H', 'minute', 'weekly-report', [59]],
    ['H(0-29)', 'minute', 'nightly-backup', [4]],
    ['H/15', 'minute', 'nightly-backup', [4, 19, 34, 49]],
    ['H(8-18)/2', 'hour', 'nightly-backup', [8, 10, 12, 14, 16, 18]],
    ['H(1-5),50', 'minute', 'nightly-backup', [5, 50]],
    ['H(mon-fri)', 'dayOfWeek', 'nightly-backup', [2]],
  ])('%s in %s of %s is %j for good', (text, name, job, values) => {
    expect(read(text, name, job)).toEqual(values);
  });

  test.each<[string, FieldName, number, number]>([
    ['H', 'minute', 0, 59],
    ['H', 'hour', 0, 23],
    ['H', 'dayOfMonth', 1, 28],
    ['H', 'month', 1, 12],
    ['H', 'dayOfWeek', 0, 6],
    ['H(10-12)', 'minute', 10, 12],
    ['H(7-7)', 'hour', 7, 7],
  ])('%s in %s reaches from %i to %i', (text, name, low, high) => {
    const reached = new Set<number>();
    for (let job = 0; job < 2000; job++)
      for (const value of read(text, name, `job-${job}`)) reached.add(Number(value));
    expect([...reached].sort((a, b) => a - b)).toEqual(range(low, high));
  });

  test('H/n begins below n and goes on in steps of n', () => {
    for (let job = 0; job < 200; job++) {
      const values = read('H/20', 'minute', `job-${job}`) as number[];
      const [first = -1] = values;
      expect([values, first < 20]).toEqual([[first, first + 20, first + 40], true]);
    }
  });

  test.each<[string, FieldName, string | undefined, string]>([
    ['H', 'minute', undefined, 'hash-needs-name: H'],
    ['1,H/5', 'minute', undefined, 'hash-needs-name: H/5'],
    ['H(5-1)', 'minute', 'a', 'reversed-range: H(5-1)'],
    ['H(0-70)', 'minute', 'a', 'value-out-of-range: 70'],
    ['H(1)', 'minute', 'a', 'unknown-value: )'],
    ['H(1-5', 'minute', 'a', 'unknown-value: '],
    ['H-5', 'minute', 'a', 'unknown-value: -5'],
    ['H/0', 'minute', 'a', 'value-out-of-range: 0'],
    ['H5', 'minute', 'a', 'unknown-value: 5'],
  ])('%s in %s of job %s is %s', (text, name, job, fault) => {
    expect(read(text, name, job)).toBe(fault);
  });
});
