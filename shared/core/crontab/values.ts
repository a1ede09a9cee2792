import { nearest } from '../nearest.ts';

/** A value read from text, or why it cannot be. */
export type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly allowed: string; readonly help?: string };

const ok = <T>(value: T): Read<T> => ({ ok: true, value });
const not = (allowed: string, help?: string): Read<never> =>
  help === undefined ? { ok: false, allowed } : { ok: false, allowed, help };

/** A job's name. Thirty characters leave room for what AWS and Kubernetes put around it. */
export const NAME_PATTERN = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;
export const NAME_MAX_LENGTH = 30;

export function readName(text: string): Read<string> {
  if (NAME_PATTERN.test(text) && text.length <= NAME_MAX_LENGTH) return ok(text);
  const tame = tameName(text, NAME_MAX_LENGTH);
  return not(
    `lower-case letters, digits and single dashes, at most ${NAME_MAX_LENGTH} characters`,
    tame === '' ? undefined : `write \`${tame}\``,
  );
}

/** The nearest legal name: may be empty. */
export function tameName(text: string, maxLength: number): string {
  return text
    .slice(0, 200)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, maxLength)
    .replace(/^-+|-+$/g, '');
}

const DURATION_UNITS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const DURATION_HELP = 'write a whole number and a unit: `90s`, `5m`, `2h`, `1d`';
/** A year: longer is a slip of the pen. */
const LONGEST_DURATION_MS = 366 * 86_400_000;

/** `90s 5m 2h 1d` to milliseconds, from one second to 366 days. */
export function readDuration(text: string): Read<number> {
  const match = /^(\d{1,9})([smhd])$/.exec(text);
  const ms = match === null ? 0 : Number(match[1]) * (DURATION_UNITS[match[2] as string] as number);
  return ms >= 1000 && ms <= LONGEST_DURATION_MS ? ok(ms) : not('a duration of 1s to 366d', DURATION_HELP);
}

/** The shortest exact spelling of a duration: `90000` is `90s`, `120000` is `2m`. */
export function durationText(ms: number): string {
  for (const [unit, size] of Object.entries(DURATION_UNITS).reverse()) {
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${Math.round(ms)}ms`;
}

/** `1m..15m`, or one duration for both bounds. Milliseconds. */
export function readDurationRange(text: string): Read<{ readonly minMs: number; readonly maxMs: number }> {
  const [low, high, ...rest] = text.split('..');
  const min = readDuration(low ?? '');
  const max = readDuration(high ?? low ?? '');
  if (rest.length > 0 || !min.ok || !max.ok || min.value > max.value) {
    return not('two durations with `..` between, the shorter first', 'for example `1m..15m`');
  }
  return ok({ minMs: min.value, maxMs: max.value });
}

export function readWhole(min: number, max: number): (text: string) => Read<number> {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? ok(value) : not(`a whole number from ${min} to ${max}`);
  };
}

export function readOneOf<const T extends string>(words: readonly T[]): (text: string) => Read<T> {
  return (text) => {
    const word = words.find((one) => one === text);
    if (word !== undefined) return ok(word);
    const near = nearest(text, words);
    return not(`one of ${words.join(', ')}`, near === undefined ? undefined : `write \`${near}\``);
  };
}

/** A list without blanks or repeats: `a,b`. */
export function readList<T>(item: (text: string) => Read<T>): (text: string) => Read<readonly T[]> {
  return (text) => {
    const values: T[] = [];
    for (const part of text.split(',')) {
      const read = item(part);
      if (!read.ok) return not(`a list, with commas, of: ${read.allowed}`, read.help);
      if (!values.includes(read.value)) values.push(read.value);
    }
    return ok(values);
  };
}

export function readVariableName(text: string): Read<string> {
  return /^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(text)
    ? ok(text)
    : not('the name of an environment variable (letters, digits, `_`)');
}

export function readText(maxLength: number): (text: string) => Read<string> {
  return (text) =>
    text.trim() !== '' && text.length <= maxLength
      ? ok(text)
      : not(`a text of 1 to ${maxLength} characters`, 'a text with blanks stands in `"…"`');
}

/** The reason of `suspend`. A truth value is none: `suspend=false` must not suspend. */
export function readSuspension(text: string): Read<true | string> {
  if (text === 'true') return ok(true);
  if (/^(?:false|no|off|0)$/i.test(text)) {
    return not('a reason, or nothing', 'remove the key: only jobs without it are started');
  }
  return readText(500)(text);
}

const QUANTITY_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** Bytes as Kubernetes writes them. @see https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/ */
export function readQuantity(text: string): Read<number> {
  const match = /^(\d{1,15}(?:\.\d{1,9})?)(Ki|Mi|Gi|Ti|k|M|G|T|)$/.exec(text);
  const bytes = match === null ? 0 : Number(match[1]) * (QUANTITY_UNITS[match[2] as string] as number);
  return bytes >= 2 ** 20 && bytes <= 2 ** 50
    ? ok(Math.ceil(bytes))
    : not('an amount of memory from 1Mi to 1024Ti', 'for example `512Mi` or `2Gi`');
}
