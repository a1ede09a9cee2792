import { DiagnosticSink, type Diagnostics } from '../diagnostic.ts';
import type { Crontab } from './entry.ts';
import { lintCrontab } from './lint.ts';
import type { LintContext } from './lint-schedule.ts';
import { lintForAws } from './lint-target.ts';
import { assignNames } from './names.ts';
import { type ParseOptions, parseCrontab } from './parse.ts';

export interface CheckOptions extends ParseOptions, LintContext {
  /** The user that commands run as: entries of a system crontab for others are errors. Not looked at where left out. */
  readonly user?: string;
  /** Also look for what this target cannot carry. */
  readonly target?: 'aws';
}

/** A crontab and everything that there is to say about it. */
export interface CheckedCrontab {
  readonly text: string;
  readonly crontab: Crontab;
  /** Name of each entry's job, in the order of the entries. */
  readonly names: readonly string[];
  readonly diagnostics: Diagnostics;
}

/** Larger than any crontab; a bound for what one file can cost. UTF-16 code units. */
const LONGEST_FILE = 32 * 2 ** 20;

/**
 * Parses a crontab, names its jobs and looks for what is legal but wrong.
 *
 * @param source text, or the file's bytes: bytes that are not UTF-8 are a finding too
 */
export function checkCrontab(source: string | Uint8Array, options: CheckOptions): CheckedCrontab {
  const sink = new DiagnosticSink();
  let text = typeof source === 'string' ? source : decode(source, sink);
  if (text.length > LONGEST_FILE) {
    sink.add({
      code: 'file-too-large',
      span: { start: 0, end: 0 },
      message: `the file has ${text.length} characters; a crontab has at most ${LONGEST_FILE}`,
      help: 'is this the right file? If so, split it',
    });
    text = '';
  }
  const crontab = parseCrontab(text, sink, options);
  if (options.user !== undefined) reportForeignUsers(crontab, options.user, sink);
  const names = assignNames(crontab.entries, sink);
  lintCrontab(crontab, options, sink);
  if (options.target === 'aws') lintForAws(crontab, options.zone, sink);
  return { text, crontab, names, diagnostics: sink.finish() };
}

const REPLACEMENT = '\ufffd';

function decode(bytes: Uint8Array, sink: DiagnosticSink): string {
  const decode = (part: Uint8Array, fatal: boolean) =>
    new TextDecoder('utf-8', { fatal, ignoreBOM: true }).decode(part);
  try {
    return decode(bytes, true);
  } catch {
    const text = decode(bytes, false);
    // The first replacement character that the file does not itself contain marks the first bad byte.
    const encoder = new TextEncoder();
    let at = text.indexOf(REPLACEMENT);
    let byte = encoder.encode(text.slice(0, at)).length;
    while (bytes[byte] === 0xef && bytes[byte + 1] === 0xbf && bytes[byte + 2] === 0xbd) {
      const next = text.indexOf(REPLACEMENT, at + 1);
      byte += encoder.encode(text.slice(at, next)).length;
      at = next;
    }
    sink.add({
      code: 'not-utf-8',
      span: { start: at, end: at + 1 },
      message: 'the file is not UTF-8 from here on',
      help: 'save the file as UTF-8 text',
    });
    return text;
  }
}

/** Only root could run commands as somebody else, and a daemon that is root for that is none to trust. */
function reportForeignUsers(crontab: Crontab, user: string, sink: DiagnosticSink): void {
  for (const entry of crontab.entries) {
    if (entry.userSpan === undefined || entry.user === user) continue;
    sink.add({
      code: 'foreign-user',
      span: entry.userSpan,
      message: `this entry is for user \`${entry.user}\`, and commands run as \`${user}\``,
      help: `start a daemon as \`${entry.user}\` for it, or write \`${user}\` if that is meant`,
    });
  }
}
