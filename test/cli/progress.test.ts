import { expect, test } from '@jest/globals';
import { Progress } from '../../cli/progress.ts';

type Step = ['show', afterMs: number, text: string, bytes?: number] | ['clear'];

const ERASE = '\u001b[K';
const MANY = 2 * 2 ** 20;

test.each<[title: string, steps: Step[], written: string]>([
  ['what is quick is not spoken of', [['show', 999, 'a'], ['clear']], ''],
  ['after a second it is', [['show', 1000, 'a']], `\ra${ERASE}`],
  ['what is known to take long is at once', [['show', 0, 'a', MANY]], `\ra${ERASE}`],
  ['what is a little smaller is not', [['show', 0, 'a', MANY - 1]], ''],
  [
    'the line changes ten times a second at most',
    [
      ['show', 1000, 'a'],
      ['show', 1099, 'b'],
      ['show', 1100, 'c'],
    ],
    `\ra${ERASE}\rc${ERASE}`,
  ],
  ['the line goes when it is over', [['show', 1000, 'a'], ['clear']], `\ra${ERASE}\r${ERASE}`],
  ['it goes once', [['show', 1000, 'a'], ['clear'], ['clear']], `\ra${ERASE}\r${ERASE}`],
  ['names cannot move the cursor', [['show', 1000, '\u001b[A\n']], `\r\\u{1b}[A\\u{a}${ERASE}`],
  ['it fits into one line', [['show', 1000, 'a'.repeat(200)]], `\r${'a'.repeat(19)}${ERASE}`],
])('%s', (_title, steps, expected) => {
  for (const isTTY of [true, false]) {
    let written = '';
    let clock = 5;
    const stderr = {
      write: (text: string) => {
        written += text;
      },
      isTTY,
      columns: 20,
    };
    const progress = new Progress({ stderr }, () => clock);
    for (const step of steps) {
      if (step[0] === 'clear') progress.clear();
      else {
        clock = 5 + step[1];
        progress.show(step[2], step[3]);
      }
    }
    expect(written).toBe(isTTY ? expected : '');
  }
});
