import { createHash } from 'node:crypto';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { sha256Hex, shortHash, stableHash } from '../../shared/core/hash.ts';

test('the hash of the empty text is that of FIPS 180-4', () => {
  expect(sha256Hex('')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
});

test('every hash is made of the SHA-256 of the UTF-8 bytes, in any order of calls', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => {
      const digest = createHash('sha256').update(text).digest();
      const bits = BigInt(`0x${digest.toString('hex')}`) >> 216n;
      const base32 = Array.from(
        { length: 8 },
        (_, index) => 'abcdefghijklmnopqrstuvwxyz234567'[Number((bits >> BigInt(35 - 5 * index)) & 31n)],
      );
      expect([sha256Hex(text), stableHash(text), shortHash(text)]).toEqual([
        digest.toString('hex'),
        digest.readUInt32BE(0),
        base32.join(''),
      ]);
    }),
  );
});
