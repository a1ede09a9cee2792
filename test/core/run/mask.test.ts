import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Masker } from '../../../shared/core/run/mask.ts';

/** What comes out of a stream that is fed in these pieces. */
function streamed(secrets: readonly string[], pieces: readonly string[]): string {
  let out = '';
  const stream = new Masker(secrets).stream((text) => {
    out += text;
  });
  for (const piece of pieces) stream.write(piece);
  stream.end();
  return out;
}

describe('a text is masked', () => {
  test.each<[what: string, secrets: string[], text: string, masked: string]>([
    ['without secrets', [], 'as it is', 'as it is'],
    ['of a secret, each time', ['hunter2hunter2'], 'a hunter2hunter2 b hunter2hunter2', 'a *** b ***'],
    ['of a secret as JSON writes it', ['pass"word"s'], '{"p":"pass\\"word\\"s"}', '{"p":"***"}'],
    ['of no secret below eight characters', ['s3cr3t7'], 'pin s3cr3t7', 'pin s3cr3t7'],
    [
      'of a secret whose newline the command dropped',
      ['supersecretvalue\n'],
      'tok supersecretvalue end',
      'tok *** end',
    ],
    [
      'of a secret that begins with another',
      ['hunter2hunter2', 'hunter2hunter2XYZ'],
      'hunter2hunter2XYZ!',
      '***!',
    ],
    ['of secrets that overlap', ['secretAAAA1', 'AAAA1tailBBB'], '-secretAAAA1tailBBB-', '-***-'],
    ['of secrets side by side, each by itself', ['hunter2A', 'hunter2B'], 'hunter2Ahunter2B', '******'],
  ])('%s', (_what, secrets, text, masked) => {
    expect(new Masker(secrets).mask(text)).toBe(masked);
    expect(streamed(secrets, [...text])).toBe(masked);
  });

  test('the same in whatever pieces it comes', () => {
    const secrets = ['abababab', 'abababababab', 'babababac', 'cccccccc'];
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'ab', 'abababab', '\n'), maxLength: 60 });
    fc.assert(
      fc.property(fc.array(text), (pieces) => {
        expect(streamed(secrets, pieces)).toBe(new Masker(secrets).mask(pieces.join('')));
      }),
    );
  });

  test('in bounded memory, also where secrets overlap without end', () => {
    const pieces = Array.from({ length: 300 }, () => 'a'.repeat(1000));
    expect(streamed(['aaaaaaaa'], pieces).replaceAll('*', '')).toBe('');
  });
});
