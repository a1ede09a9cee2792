import {
  type AllowedCodes,
  type DiagnosticCode,
  type DiagnosticSink,
  type Finding,
  NOTHING_ALLOWED,
} from '../diagnostic.ts';
import { FIELD_NAMES, parseField } from '../schedule/field.ts';
import { NICKNAMES } from '../schedule/schedule.ts';
import type { Span } from '../source.ts';
import {
  type Directive,
  isCommentedDirective,
  markerLength,
  nearMiss,
  readDirectiveLine,
} from './directives.ts';
import type { Crontab, Entry } from './entry.ts';
import { readSettingLine } from './environment.ts';
import { clip, isBlank, LONGEST_LINE_BYTES, skipBlanks, utf8Length, wordEnd } from './line-text.ts';
import type { JobOptions } from './options.ts';
import { ScheduleReader } from './schedule-reader.ts';
import { SettingReader } from './setting-reader.ts';

export interface ParseOptions {
  /** A system crontab: a user column stands between the time fields and the command. */
  readonly system?: boolean;
}

/**
 * Reads a crontab. Total: any text gives a result, every fault is reported, and reading goes on at the next line.
 *
 * @see docs/crontab-format.md, crontab(5)
 */
export function parseCrontab(text: string, sink: DiagnosticSink, options: ParseOptions = {}): Crontab {
  return new Parser(text, sink, options.system === true).parse();
}

const BYTE_ORDER_MARK = '\ufeff';

class Parser {
  readonly #text: string;
  readonly #sink: DiagnosticSink;
  readonly #isSystem: boolean;

  readonly #entries: Entry[] = [];
  readonly #schedules: ScheduleReader;
  readonly #settings: SettingReader;

  // What the lines above say about the next entry.
  #defaults: JobOptions = {};
  #defaultAllowed: AllowedCodes = NOTHING_ALLOWED;
  readonly #allowedInFile = new Set<DiagnosticCode>();
  #pending: Directive[] = [];
  #pendingLine: Span | undefined;
  /** Everything in the pending lines could be read, so that what lacks is not there. */
  #pendingIsWhole = true;

  /** Commented-out directive lines: in order above an entry that is commented out too, else a slip. */
  #commentedDirectives: Finding[] = [];

  constructor(text: string, sink: DiagnosticSink, isSystem: boolean) {
    this.#text = text;
    this.#sink = sink;
    this.#isSystem = isSystem;
    this.#schedules = new ScheduleReader(sink);
    this.#settings = new SettingReader(sink);
  }

  parse(): Crontab {
    this.#checkCharacters();
    const text = this.#text;
    let start = text.startsWith(BYTE_ORDER_MARK) ? 1 : 0;
    for (let line = 1; start < text.length; line++) {
      const newline = text.indexOf('\n', start);
      const end = newline === -1 ? text.length : newline;
      const isActive = this.#line(start, text[end - 1] === '\r' ? Math.max(start, end - 1) : end, line);
      if (newline === -1) {
        if (isActive) this.#missingNewline();
        break;
      }
      start = newline + 1;
    }
    this.#detach();
    return { entries: this.#entries, settings: this.#settings.settings, allowedInFile: this.#allowedInFile };
  }

  /** One finding each for what concerns the whole file. */
  #checkCharacters(): void {
    const text = this.#text;
    if (text.startsWith(BYTE_ORDER_MARK)) {
      this.#sink.add({
        code: 'byte-order-mark',
        span: { start: 0, end: 1 },
        message: 'the file begins with a byte order mark, which crons take for part of the first line',
        help: 'save the file as UTF-8 without BOM',
      });
    }
    const carriageReturns = count(text, '\r');
    if (carriageReturns > 0) {
      const at = text.indexOf('\r');
      this.#sink.add({
        code: 'carriage-return',
        span: { start: at, end: at + 1 },
        message: `the file has ${plural(carriageReturns, 'carriage return')}, which crons pass on to the command`,
        help: 'save the file with Unix line ends (LF)',
      });
    }
    const nulCharacters = count(text, '\0');
    if (nulCharacters > 0) {
      const at = text.indexOf('\0');
      this.#sink.add({
        code: 'nul-character',
        span: { start: at, end: at + 1 },
        message: `the file has ${plural(nulCharacters, 'NUL character')}`,
        help: 'this looks like a binary file or UTF-16: save it as UTF-8 text',
      });
    }
  }

  #missingNewline(): void {
    const { length } = this.#text;
    this.#sink.add({
      code: 'missing-final-newline',
      span: { start: length, end: length },
      message: 'the last line does not end in a newline, so cron refuses the file',
      help: 'end the file with a newline; `check --fix` does it',
    });
  }

  /** @returns whether the line is an entry or a setting */
  #line(lineStart: number, end: number, line: number): boolean {
    const text = this.#text;
    let start = lineStart;
    while (start < end && isBlank(text.charCodeAt(start))) start++;
    if (start === end) {
      this.#detach();
      return false;
    }
    if (text[start] === '#') {
      this.#comment(start, end);
      return false;
    }
    const whole = text.slice(start, end);
    if (whole.includes('\0')) {
      // Binary, or UTF-16: what is wrong with the file has been said, and the line is none of text.
      this.#forget();
      return false;
    }
    const setting = readSettingLine(whole);
    if (setting !== undefined) {
      this.#detach();
      this.#settings.read(setting, whole, { start, end }, this.#defaultAllowed);
    } else {
      for (const finding of this.#commentedDirectives) this.#sink.add(finding, this.#defaultAllowed);
      this.#entry(whole, { start, end }, line);
      this.#forget();
    }
    return true;
  }

  // Comments and directives

  #comment(start: number, end: number): void {
    const comment = this.#text.slice(start, end);
    const marker = markerLength(comment);
    if (marker > 0) {
      this.#directiveLine(comment.slice(marker), start + marker, { start, end });
      return;
    }
    const near = nearMiss(comment);
    if (near !== undefined) {
      const finding: Finding = {
        code: 'near-miss-directive',
        span: { start: start + near.start, end: start + near.end },
        message: `\`${comment.slice(near.start, near.end)}\` is an ordinary comment: directives begin with \`# kuber-cron:\``,
        help: 'write `# kuber-cron:` and a blank, or reword the comment',
      };
      if (isCommentedDirective(comment)) this.#commentedDirectives.push(finding);
      else this.#sink.add(finding, this.#defaultAllowed);
      return;
    }
    const isAwaited = this.#pendingLine !== undefined || this.#commentedDirectives.length > 0;
    if (!isAwaited || !this.#isDisabledEntry(comment)) return;
    if (this.#pendingLine !== undefined) {
      this.#sink.add(
        {
          code: 'disabled-entry-directive',
          span: this.#pendingLine,
          message: 'this directive belongs to an entry that is commented out, and has no effect',
          help: 'comment the directive out with its entry',
        },
        this.#defaultAllowed,
      );
    }
    this.#forget();
  }

  #directiveLine(text: string, offset: number, span: Span): void {
    const { isDefaults, directives, isWhole } = readDirectiveLine(text, offset, this.#sink);
    const known = isDefaults ? [] : this.#pending;
    for (const directive of directives) {
      const first = known.find((one) => one.key === directive.key);
      if (first === undefined) {
        known.push(directive);
        continue;
      }
      this.#sink.add({
        code: 'duplicate-key',
        span: directive.span,
        message: `\`${directive.key}\` is given twice for one entry`,
        help: 'keep one of the two',
        related: [{ span: first.span, message: 'first given here' }],
      });
    }
    if (isDefaults) {
      this.#defaults = { ...this.#defaults, ...toOptions(known) };
      this.#defaultAllowed = new Set(this.#defaults.allow);
      for (const code of this.#defaultAllowed) this.#allowedInFile.add(code);
    } else {
      this.#pendingLine ??= span;
      this.#pendingIsWhole &&= isWhole;
    }
  }

  /** A blank line, a setting or the end of the file parts directives from any entry. */
  #detach(): void {
    if (this.#pendingLine !== undefined) {
      this.#sink.add({
        code: 'detached-directive',
        span: this.#pendingLine,
        message: 'this directive has no entry right below it',
        help: 'write it right above its entry: only comments may stand between the two',
      });
    }
    this.#forget();
  }

  #forget(): void {
    if (this.#pending.length > 0) this.#pending = [];
    this.#pendingLine = undefined;
    this.#pendingIsWhole = true;
    if (this.#commentedDirectives.length > 0) this.#commentedDirectives = [];
  }

  #isDisabledEntry(comment: string): boolean {
    const text = comment.replace(/^[# \t]+/, '');
    if (!/^[@*\dH]/.test(text)) return false;
    const words = text.split(/[ \t]+/, 7);
    if (text.startsWith('@')) {
      return words.length > 1 && (words[0] === '@reboot' || NICKNAMES[words[0] as string] !== undefined);
    }
    return (
      words.length > 5 &&
      words[5] !== '' &&
      FIELD_NAMES.every((name, index) => !('code' in parseField(words[index] as string, name, 'any')))
    );
  }

  #entry(whole: string, line: Span, lineNumber: number): void {
    const options = { ...this.#defaults, ...toOptions(this.#pending) };
    const when = this.#schedules.read(whole, line, options.name, this.#pendingIsWhole);
    if (when === undefined) return;
    let at = skipBlanks(whole, when.end);
    let user: string | undefined;
    let userSpan: Span | undefined;
    if (this.#isSystem) {
      const end = wordEnd(whole, at);
      user = whole.slice(at, end);
      userSpan = { start: line.start + at, end: line.start + end };
      at = skipBlanks(whole, end);
      if (user === '' || at >= whole.length) {
        this.#sink.add({
          code: user === '' ? 'missing-command' : 'missing-user',
          span: { start: line.start, end: line.end },
          message:
            user === ''
              ? 'this entry has no user and no command'
              : `a system crontab has a user before the command; here is one word, \`${clip(user)}\``,
          help: 'write the user (for example `root`) and the command, or leave out `--system`',
        });
        return;
      }
    }
    const commandText = whole.slice(at);
    const commandSpan = { start: line.start + at, end: line.end };
    if (!this.#command(commandText, commandSpan, when.isNickname)) return;
    const own = this.#pending.find((directive) => directive.key === 'allow');
    const allowed =
      own === undefined ? this.#defaultAllowed : new Set([...this.#defaultAllowed, ...(options.allow ?? [])]);
    for (const span of when.oversizedSteps) {
      this.#sink.add(
        {
          code: 'oversized-step',
          span,
          message: 'this step is larger than its range: only the first value remains',
          help: 'write that value alone, or a smaller step',
        },
        allowed,
      );
    }
    this.#entries.push({
      span: line,
      line: lineNumber,
      scheduleSpan: { start: line.start, end: line.start + when.end },
      schedule: when.schedule,
      zone: this.#settings.zone,
      user,
      userSpan,
      commandText,
      commandSpan,
      environment: this.#settings.environment,
      options,
      directives: this.#pending.length > 0 ? this.#pending : NO_DIRECTIVES,
      allowed,
    });
  }

  /** What no cron takes for a command. @returns whether it is one */
  #command(command: string, span: Span, isNickname: boolean): boolean {
    if (command === '') {
      this.#sink.add({
        code: 'missing-command',
        span: { start: span.start - 1, end: span.end },
        message: 'this entry has no command',
        help: isNickname
          ? 'write the command after the nickname'
          : 'write the command after the five time fields',
      });
      return false;
    }
    if (command.startsWith('*') || command.startsWith('-')) {
      const isStar = command.startsWith('*');
      this.#sink.add({
        code: 'bad-command-start',
        span: { start: span.start, end: span.start + wordEnd(command, 0) },
        message: isStar
          ? 'a command cannot begin with `*`: this looks like a sixth time field'
          : 'a command cannot begin with `-`: crons refuse it or read an option',
        help: isStar
          ? 'a crontab has five time fields, without seconds and years: remove the others'
          : 'remove blanks inside a range such as `2 - 5`, or give the program by its path',
      });
      return false;
    }
    const bytes = utf8Length(command);
    if (bytes > LONGEST_LINE_BYTES) {
      this.#sink.add({
        code: 'command-too-long',
        span: { start: span.start, end: span.start + wordEnd(command, 0) },
        message: `a command may have ${LONGEST_LINE_BYTES} bytes, this one has ${bytes}`,
        help: 'put it into a script and run that',
      });
      return false;
    }
    return true;
  }
}

function toOptions(directives: readonly Directive[]): JobOptions {
  if (directives.length === 0) return NO_OPTIONS;
  return Object.fromEntries(directives.map(({ key, value }) => [key, value]));
}

const NO_OPTIONS: JobOptions = {};
const NO_DIRECTIVES: readonly Directive[] = [];

function count(text: string, character: string): number {
  let found = 0;
  for (let at = text.indexOf(character); at !== -1; at = text.indexOf(character, at + 1)) found++;
  return found;
}

function plural(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
