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

/** The span of the first word when a comment is almost a directive line, else undefined. */
export function nearMiss(comment: string): { readonly start: number; readonly end: number } | undefined {
  const match = /^#[#! \t]*([A-Za-z][A-Za-z_-]{6,12})(:?)([^ \t]*)([ \t]+[a-z-]+=)?/.exec(comment);
  if (match === null) return undefined;
  const [, word = '', colon, attached = '', keyFollows] = match;
  if (editDistance(word.toLowerCase(), 'kuber-cron', 3) > 2) return undefined;
  if (colon === '' && (attached !== '' || keyFollows === undefined)) return undefined;
  const start = comment.indexOf(word);
  return { start, end: start + word.length + (colon ?? '').length };
}

/** What a directive line says; faults go to the sink. */
export interface DirectiveLine {
  /** Its keys hold for all entries below. */
  readonly isDefaults: boolean;
  readonly directives: readonly Directive[];
}

/**
 * Reads the logfmt text of a directive line: `key=value`, the value bare or in `"…"`, a key alone is true.
 *
 * @param offset of `text` in the crontab
 */
export function readDirectiveLine(text: string, offset: number, sink: DiagnosticSink): DirectiveLine {
  const directives: Directive[] = [];
  let isDefaults = false;
  const tokens = tokenize(text, offset, sink);
  for (const [index, token] of tokens.entries()) {
    if (index === 0 && token.key === 'defaults' && token.value === undefined) isDefaults = true;
    else {
      const directive = readDirective(token, isDefaults, sink);
      if (directive !== undefined) directives.push(directive);
    }
  }
  if (tokens.length === 0 && text.trim() === '') {
    sink.add({
      code: 'bad-directive',
      span: { start: offset - 1, end: offset },
      message: 'this directive line has no key',
      help: 'write for example `# kuber-cron: name=nightly-backup timeout=10m`, or remove the line',
    });
  }
  return { isDefaults, directives };
}

interface Token {
  readonly key: string;
  readonly keySpan: Span;
  /** Undefined for a key alone. */
  readonly value: string | undefined;
  readonly valueSpan: Span;
}

function tokenize(text: string, offset: number, sink: DiagnosticSink): Token[] {
  const tokens: Token[] = [];
  const pattern =
    /[ \t]*(?:([^ \t="]+)(=(?:"((?:[^"\\]|\\.)*)"(?=[ \t]|$)|([^ \t"]*)(?=[ \t]|$))?)?(?=[ \t]|$)|$)/y;
  while (pattern.lastIndex < text.length) {
    const from = pattern.lastIndex;
    const match = pattern.exec(text);
    if (match === null) {
      const start = from + (/^[ \t]*/.exec(text.slice(from))?.[0].length ?? 0);
      sink.add({
        code: 'bad-directive',
        span: { start: offset + start, end: offset + text.trimEnd().length },
        message: 'this is not of the form `key=value` or `key="value"`',
        help: 'a value with blanks or quotes stands in `"…"`, with `\\"` for a quote inside',
      });
      break;
    }
    const [whole, key, assignment, quoted, bare] = match;
    if (key === undefined) break;
    const keyStart = offset + from + whole.indexOf(key);
    const keySpan = { start: keyStart, end: keyStart + key.length };
    const value = quoted === undefined ? bare : quoted.replace(/\\(.)/g, '$1');
    const valueStart = keySpan.end + 1;
    tokens.push({
      key,
      keySpan,
      value: assignment === undefined ? undefined : (value ?? ''),
      valueSpan:
        assignment === undefined ? keySpan : { start: valueStart, end: keySpan.end + assignment.length },
    });
  }
  return tokens;
}

function readDirective(token: Token, isDefaults: boolean, sink: DiagnosticSink): Directive | undefined {
  const { keySpan, valueSpan, value } = token;
  const key = OPTION_KEYS.find((one) => one === token.key);
  if (key === undefined) {
    const near = nearest(token.key, OPTION_KEYS);
    sink.add({
      code: 'unknown-key',
      span: keySpan,
      message: `there is no key \`${token.key}\``,
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
  const got = value === undefined ? 'none' : `\`${value.length > 60 ? `${value.slice(0, 60)}…` : value}\``;
  sink.add({
    code: 'bad-value',
    span: valueSpan,
    message: `\`${key}\` takes ${read.allowed}, got ${got}`,
    ...(read.help === undefined ? {} : { help: read.help }),
  });
  return undefined;
}
