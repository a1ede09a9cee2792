import type { Diagnostic, Severity } from './diagnostic.ts';
import { LineIndex } from './source.ts';

/** Paints a text for its role; the identity where there are no colours. */
export type Paint = (role: Severity | 'help' | 'frame', text: string) => string;

const PLAIN: Paint = (_role, text) => text;

/** Widest piece of a line that a frame shows. Characters. */
const FRAME_WIDTH = 120;

/** A diagnostic, or another finding about a text. */
export type Rendered = Omit<Diagnostic, 'code'> & { readonly code: string };

/** Renders the diagnostics of one file; keep one per file, since it indexes the text's lines. */
export class DiagnosticRenderer {
  readonly #file: string;
  readonly #lines: LineIndex;
  readonly #paint: Paint;

  constructor(file: string, text: string, paint: Paint = PLAIN) {
    this.#file = file;
    this.#lines = new LineIndex(text);
    this.#paint = paint;
  }

  /** With place, code frame and help, over several lines; no line end at the end. */
  text(diagnostic: Rendered): string {
    const { code, severity, message, help, span } = diagnostic;
    const head = `${this.#paint(severity, `${severity}[${code}]`)}: ${printable(message)}`;
    // A log of CI is no place for a password either.
    const out = [head, ...this.#frame(span, code === 'credential-in-setting')];
    for (const related of diagnostic.related ?? []) {
      out.push(this.#paint('frame', `  = ${printable(related.message)}:`), ...this.#frame(related.span));
    }
    if (help !== undefined) out.push(`${this.#paint('help', '  = help:')} ${printable(help)}`);
    return out.join('\n');
  }

  /** Documented shape of `--format json`; offsets are UTF-16, lines and columns from 1. */
  json(diagnostic: Rendered) {
    const place = (span: Diagnostic['span']) => ({
      file: this.#file,
      start: { offset: span.start, ...this.#lines.position(span.start) },
      end: { offset: span.end, ...this.#lines.position(span.end) },
    });
    const { code, severity, message, help, span, related = [] } = diagnostic;
    return {
      code,
      severity,
      ...place(span),
      message,
      ...(help === undefined ? {} : { help }),
      related: related.map((one) => ({ ...place(one.span), message: one.message })),
    };
  }

  /** A workflow command of GitHub Actions. @see https://docs.github.com/actions/reference/workflow-commands-for-github-actions */
  github(diagnostic: Rendered): string {
    const { code, severity, message, help, span } = diagnostic;
    const start = this.#lines.position(span.start);
    const end = this.#lines.position(Math.max(span.start, span.end - 1));
    const data = (text: string) => printable(text).replaceAll('%', '%25');
    const property = (text: string) => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
    const place = `file=${property(this.#file)},line=${start.line},endLine=${end.line},col=${start.column},endColumn=${end.column + 1}`;
    const body = help === undefined ? data(message) : `${data(message)}%0Ahelp: ${data(help)}`;
    return `::${severity === 'note' ? 'notice' : severity} ${place},title=${property(code)}::${body}`;
  }

  /** `path:line:column`, the form that editors and terminals turn into a link. */
  place(span: Diagnostic['span']): string {
    const { line, column } = this.#lines.position(span.start);
    return `${printable(this.#file)}:${line}:${column}`;
  }

  /** @param hidesRest what follows the span on its line is not shown */
  #frame(span: Diagnostic['span'], hidesRest = false): string[] {
    const { line, column } = this.#lines.position(span.start);
    const text = this.#lines.line(line);
    const whole = hidesRest ? `${text.slice(0, column - 1 + span.end - span.start)}…` : text;
    const from = column - 1 > FRAME_WIDTH - 40 ? column - 1 - 40 : 0;
    const cut = whole.slice(from, from + FRAME_WIDTH);
    const width = Math.min(Math.max(1, span.end - span.start), Math.max(1, cut.length - (column - 1 - from)));
    const lead = from > 0 ? '…' : '';
    const before = lead + printable(cut.slice(0, column - 1 - from));
    const marked = printable(cut.slice(column - 1 - from, column - 1 - from + width));
    const rest =
      printable(cut.slice(column - 1 - from + width)) + (from + cut.length < whole.length ? '…' : '');
    const gutter = ' '.repeat(String(line).length);
    return [
      `${gutter}${this.#paint('frame', '-->')} ${this.place(span)}`,
      `${this.#paint('frame', `${line} |`)} ${before}${marked}${rest}`,
      `${this.#paint('frame', `${gutter} |`)} ${' '.repeat(columns(before))}${'^'.repeat(Math.max(1, columns(marked)))}`,
    ];
  }
}

/** Control characters, what changes the direction of text or has no width, and halves of a surrogate pair. */
const UNPRINTABLE =
  /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\u{d800}-\u{dfff}]/gu;

/** Tabs become blanks, and what would move the cursor or colour a terminal is written as an escape. */
export function printable(text: string): string {
  return text
    .replaceAll('\t', ' ')
    .replace(UNPRINTABLE, (character) => `\\u{${character.charCodeAt(0).toString(16)}}`);
}

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
const COMBINING = /\p{Mn}/u;

/** Terminal columns of a printable text: East Asian wide characters and pictures take two, combining marks none. */
function columns(text: string): number {
  let count = 0;
  for (const character of text) {
    if (character < '\u0300') count++;
    else if (WIDE.test(character)) count += 2;
    else if (!COMBINING.test(character)) count++;
  }
  return count;
}
