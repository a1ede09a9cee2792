import type { DiagnosticSink } from '../diagnostic.ts';
import { editDistance, nearest } from '../nearest.ts';
import type { Span } from '../source.ts';
import { type JobOptions, OPTION_KEYS, OPTIONS, type OptionKey } from './options.ts';
import type { Read } from './values.ts';

/** One `key=value` of a directive line. */
export interface Directive {
  readonly key: OptionKey;
  readonly value: NonNullable<JobOptions[OptionKey]>;
  readonly span: Span;
  readonly valueSpan: Span;
}

const MARKER = /^#[ \t]*kuber-cron:(?=[ \t]|$)/;

/** Length of the marker that makes a comment a directive line; 0 when it is an ordinary comment. */
export function markerLength(comment: string): number {
  return MARKER.exec(comment)?.[0].length ?? 0;
}

/** A directive line that was commented out, as editors do it with a whole block. */
export function isCommentedDirective(comment: string): boolean {
  return /^#[ \t]*#[# \t]*kuber-cron:(?=[ \t]|$)/.test(comment);
}

/** Words that may be a misspelt marker, with the colon and what sticks to it. The blanks may be any that look like one. */
const ALMOST_MARKER =
  /^#[#!\s]*((?:[A-Za-z][A-Za-z_-]{6,12}|[A-Za-z]{4,6} [A-Za-z]{3,5}(?=:)))([ \t]*[:;=])?([^ \t]*)(?:[ \t]+([a-z-]+)[ \t]*(=|[ \t]|$))?/;

/** The span of the first word when a comment is almost a directive line, else undefined. */
export function nearMiss(comment: string): { readonly start: number; readonly end: number } | undefined {
  const match = ALMOST_MARKER.exec(comment);
  if (match === null) return undefined;
  const [, word = '', colon = '', attached, key, sign] = match;
  if (editDistance(word.toLowerCase(), 'kuber-cron', 3) > 2) return undefined;
  // Prose may well begin with the name of the program; what goes on like a directive is none.
  const isKey = sign === '=' || OPTION_KEYS.some((one) => one === key);
  if (colon === '' && (attached !== '' || !isKey)) return undefined;
  const start = comment.indexOf(word);
  return { start, end: start + word.length + colon.length };
}

/** What a directive line says; faults go to the sink. */
export interface DirectiveLine {
  /** Its keys hold for all entries below. */
  readonly isDefaults: boolean;
  readonly directives: readonly Directive[];
  /** Everything on it could be read. */
  readonly isWhole: boolean;
}

/** Stands first in a line whose keys hold for the entries below. */
const DEFAULTS = 'defaults';

/**
 * Reads the logfmt text of a directive line: `key=value`, the value bare or in `"…"`, a key alone is true.
 *
 * @param offset of `text` in the crontab
 */
export function readDirectiveLine(text: string, offset: number, sink: DiagnosticSink): DirectiveLine {
  const { tokens, fault } = tokenize(text, offset);
  const isDefaults = tokens[0]?.key === DEFAULTS && tokens[0].value === undefined;
  const keys = isDefaults ? tokens.slice(1) : tokens;
  const directives: Directive[] = [];
  for (const token of keys) {
    const directive = readDirective(token, isDefaults, sink);
    if (directive !== undefined) directives.push(directive);
  }
  if (fault !== undefined) sink.add({ code: 'bad-directive', ...fault });
  else if (keys.length === 0) {
    sink.add({
      code: 'bad-directive',
      span: tokens[0]?.keySpan ?? { start: offset - 1, end: offset },
      message: `this directive line has no key${isDefaults ? ' behind `defaults`' : ''}`,
      help: `write for example \`# kuber-cron: ${isDefaults ? 'defaults timeout=10m' : 'name=nightly-backup timeout=10m'}\`, or remove the line`,
    });
  }
  return { isDefaults, directives, isWhole: fault === undefined && directives.length === keys.length };
}

interface Token {
  readonly key: string;
  readonly keySpan: Span;
  /** Undefined for a key alone. */
  readonly value: string | undefined;
  readonly valueSpan: Span;
}

interface FormFault {
  readonly span: Span;
  readonly message: string;
  readonly help: string;
}

const isBlank = (character: string | undefined) => character === ' ' || character === '\t';

/** Cuts the text at blanks outside quotes. What cannot be cut ends the reading: nothing tells where it goes on. */
function tokenize(text: string, offset: number): { tokens: Token[]; fault?: FormFault } {
  const tokens: Token[] = [];
  const span = (start: number, end: number) => ({ start: offset + start, end: offset + end });
  const fault = (start: number, end: number, message: string, help: string) => ({
    tokens,
    fault: { span: span(start, Math.max(end, start + 1)), message, help },
  });
  const quoting = 'a value with blanks or quotes stands in `"…"`, with `\\"` for a quote inside';
  const spacing = 'write `key=value` without blanks around `=`';
  for (let at = 0; ; ) {
    while (isBlank(text[at])) at++;
    if (at === text.length) return { tokens };
    const keyStart = at;
    while (at < text.length && !isBlank(text[at]) && text[at] !== '=' && text[at] !== '"') at++;
    const key = text.slice(keyStart, at);
    const keySpan = span(keyStart, at);
    if (text[at] === '"') return fault(keyStart, at + 1, 'a key has no quotes', quoting);
    if (text[at] !== '=') {
      tokens.push({ key, keySpan, value: undefined, valueSpan: keySpan });
      continue;
    }
    if (key === '') {
      // What stands before it is half of the same slip.
      const before = tokens.at(-1)?.value === undefined ? tokens.pop() : undefined;
      const start = before === undefined ? keyStart : before.keySpan.start - offset;
      return fault(start, at + 1, 'there is no key right before the `=`', spacing);
    }
    const valueStart = ++at;
    if (text[at] === '"') {
      const close = closingQuote(text, at + 1);
      if (close === -1) {
        return fault(valueStart, text.length, `the quote of \`${clip(key)}\` is not closed`, quoting);
      }
      const value = text.slice(at + 1, close).replace(/\\(.)/g, '$1');
      at = close + 1;
      if (at < text.length && !isBlank(text[at])) {
        const message = `after the closing quote of \`${clip(key)}\` stands more text`;
        return fault(valueStart, wordEnd(text, at), message, quoting);
      }
      tokens.push({ key, keySpan, value, valueSpan: span(valueStart, at) });
      continue;
    }
    at = wordEnd(text, at);
    const value = text.slice(valueStart, at);
    if (value === '') {
      const message = `\`${clip(key)}=\` has no value right behind it`;
      return fault(keyStart, at, message, spacing);
    }
    if (value.includes('"')) {
      return fault(valueStart, at, `the value of \`${clip(key)}\` has a quote inside`, quoting);
    }
    tokens.push({ key, keySpan, value, valueSpan: span(valueStart, at) });
  }
}

function closingQuote(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === '"') return at;
    if (text[at] === '\\') at++;
  }
  return -1;
}

function wordEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && !isBlank(text[at])) at++;
  return at;
}

function readDirective(token: Token, isDefaults: boolean, sink: DiagnosticSink): Directive | undefined {
  const { keySpan, valueSpan, value } = token;
  const key = OPTION_KEYS.find((one) => one === token.key);
  if (key === undefined) {
    if (token.key === DEFAULTS) {
      sink.add({
        code: 'bad-directive',
        span: keySpan,
        message: '`defaults` must be the first word of its line, without a value',
        help: 'write it as `# kuber-cron: defaults key=value`',
      });
      return undefined;
    }
    const near = nearest(token.key, WORDS);
    sink.add({
      code: 'unknown-key',
      span: keySpan,
      message: `there is no key \`${clip(token.key)}\``,
      help: near === undefined ? `the keys are ${OPTION_KEYS.join(', ')}` : `did you mean \`${near}\`?`,
    });
    return undefined;
  }
  const spec = OPTIONS[key];
  if (isDefaults && spec.ofOneJob === true) {
    sink.add({
      code: 'key-not-in-defaults',
      span: keySpan,
      message: `\`${key}\` belongs to one job, so \`defaults\` cannot set it`,
      help: 'put it in a directive line right above the entry',
    });
    return undefined;
  }
  const span = { start: keySpan.start, end: valueSpan.end };
  if (value === undefined && spec.flag === true) return { key, value: true, span, valueSpan };
  const read: Read<NonNullable<JobOptions[OptionKey]>> =
    value === undefined ? { ok: false, allowed: 'a value', help: `write \`${key}=…\`` } : spec.read(value);
  if (read.ok) return { key, value: read.value, span, valueSpan };
  sink.add({
    code: 'bad-value',
    span: valueSpan,
    message: `\`${key}\` takes ${read.allowed}, got ${value === undefined ? 'none' : `\`${clip(value)}\``}`,
    ...(read.help === undefined ? {} : { help: read.help }),
  });
  return undefined;
}

const WORDS: readonly string[] = [...OPTION_KEYS, DEFAULTS];

function clip(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
