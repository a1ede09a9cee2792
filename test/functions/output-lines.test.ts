import { expect, test } from '@jest/globals';
import { OutputLines } from '../../functions/executor/output-lines.ts';

const LONG = 'x'.repeat(32 * 1024);

test.each<[pieces: string[], lines: string[]]>([
  [[], []],
  [
    ['one\n', 'two\n'],
    ['one', 'two'],
  ],
  [['one\ntwo\nthree'], ['one', 'two', 'three']],
  [
    ['o', 'n', 'e\nt', 'wo'],
    ['one', 'two'],
  ],
  [['\n\nlast\n'], ['', '', 'last']],
  [[`${LONG}${LONG}y\n`], [LONG, LONG, 'y']],
  [
    [LONG, LONG, 'y'],
    [LONG, LONG, 'y'],
  ],
  [[`${LONG}\n`], [LONG]],
])('%#: pieces of output become lines', (pieces, expected) => {
  const lines: string[] = [];
  const output = new OutputLines((line) => lines.push(line));
  for (const piece of pieces) output.write(piece);
  output.end();
  expect(lines).toEqual(expected);
});
