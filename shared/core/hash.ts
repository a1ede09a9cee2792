import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';

// A crontab has a hash for each job: setting one hasher back costs a quarter of making one each time.
const FRESH = sha256.create();
const hasher = sha256.create();
const encoder = new TextEncoder();
const bytes = new Uint8Array(32);

/** The bytes hold until the next call. */
function sha256Of(text: string): Uint8Array {
  FRESH._cloneInto(hasher);
  hasher.update(encoder.encode(text)).digestInto(bytes);
  return bytes;
}

/** SHA-256 of the text's UTF-8 bytes, in lower-case hexadecimal. */
export function sha256Hex(text: string): string {
  return bytesToHex(sha256Of(text));
}

/** A whole number from 0 to 2^32-1 that depends on the text alone: the first four bytes of its SHA-256, big-endian. */
export function stableHash(text: string): number {
  const [a = 0, b = 0, c = 0, d = 0] = sha256Of(text);
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/** Eight characters of `[a-z2-7]`: the first 40 bits of the text's SHA-256 in RFC 4648 base 32. */
export function shortHash(text: string): string {
  const bytes = sha256Of(text);
  let out = '';
  for (let bit = 0; bit < 40; bit += 5) {
    const byte = bit >> 3;
    const pair = ((bytes[byte] as number) << 8) | (bytes[byte + 1] as number);
    out += BASE32[(pair >> (11 - (bit & 7))) & 31];
  }
  return out;
}
