/** Debian refuses longer commands and cuts longer settings. UTF-8 bytes. */
export const LONGEST_LINE_BYTES = 998;

/** Space and tab: nothing else separates in a crontab. */
export function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}

export function skipBlanks(text: string, from: number): number {
  let at = from;
  while (at < text.length && isBlank(text.charCodeAt(at))) at++;
  return at;
}

export function wordEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && !isBlank(text.charCodeAt(at))) at++;
  return at;
}

/** Bytes of a text in UTF-8; for a text that cannot be too long, nearly every one, its length will do. */
export function utf8Length(text: string): number {
  if (text.length * 3 <= LONGEST_LINE_BYTES) return text.length;
  let bytes = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    // A surrogate pair is four bytes: two for each half.
    bytes += code < 0x80 ? 1 : code < 0x800 || (code >= 0xd800 && code < 0xe000) ? 2 : 3;
  }
  return bytes;
}

/** Somebody's text as a message shows it: not all of it when it is long. */
export function clip(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
