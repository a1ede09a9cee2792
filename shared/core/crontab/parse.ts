import {
  type AllowedCodes,
  type DiagnosticCode,
  type DiagnosticSink,
  type Finding,
  NOTHING_ALLOWED,
} from '../diagnostic.ts';
import { nearest } from '../nearest.ts';
import {
  FALSE_BLANK,
  FIELD_NAMES,
  FIELD_RANGES,
  type Field,
  type FieldFault,
  type FieldName,
  parseField,
  shortNameFor,
} from '../schedule/field.ts';
import { compileSchedule, NICKNAMES, type Schedule, scheduleOf } from '../schedule/schedule.ts';
import { nearestZone, zoneTable } from '../schedule/zone-data.ts';
import type { Span } from '../source.ts';
import {
  type Directive,
  isCommentedDirective,
  markerLength,
  nearMiss,
  readDirectiveLine,
} from './directives.ts';
import type { Crontab, Entry, EnvironmentSetting } from './entry.ts';
import { EnvironmentScope, MOST_SETTINGS, readSettingLine, type SettingLine } from './environment.ts';
import type { JobOptions } from './options.ts';

export interface ParseOptions {
  /** A system crontab: a user column stands between the time fields and the command. */
  readonly system?: boolean;
}

/** Debian refuses longer commands and cuts longer settings. UTF-8 bytes. */
const LONGEST_LINE_BYTES = 998;

/** Unknown zones that a near one is looked for: the list of zones is long, and a file of faults may be too. */
const MOST_ZONES_COMPARED = 20;

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
  readonly #settings: EnvironmentSetting[] = [];
  readonly #fields: Record<FieldName, Map<string, Field | FieldFault>> = {
    minute: new Map(),
    hour: new Map(),
    dayOfMonth: new Map(),
    month: new Map(),
    dayOfWeek: new Map(),
  };
  readonly #schedules = new Map<string, Schedule>();

  // What the lines above say about the next entry.
  #environment = EnvironmentScope.EMPTY;
  #zone: string | undefined;
  #defaults: JobOptions = {};
  #defaultAllowed: AllowedCodes = NOTHING_ALLOWED;
  readonly #allowedInFile = new Set<DiagnosticCode>();
  #pending: Directive[] = [];
  #pendingLine: Span | undefined;
  /** Everything in the pending lines could be read, so that what lacks is not there. */
  #pendingIsWhole = true;

  /** Commented-out directive lines: in order above an entry that is commented out too, else a slip. */
  #commentedDirectives: Finding[] = [];

  readonly #unknownZoneHelp = new Map<string, string>();

  constructor(text: string, sink: DiagnosticSink, isSystem: boolean) {
    this.#text = text;
    this.#sink = sink;
    this.#isSystem = isSystem;
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
    return { entries: this.#entries, settings: this.#settings, allowedInFile: this.#allowedInFile };
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
      this.#setting(setting, whole, { start, end });
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

  // Environment settings

  #setting(setting: SettingLine, whole: string, line: Span): void {
    const { name, value, fault } = setting;
    const nameSpan = { start: line.start + setting.nameStart, end: line.start + setting.nameEnd };
    const valueSpan = { start: line.start + setting.valueStart, end: line.start + setting.valueEnd };
    const allowed = this.#defaultAllowed;
    if (utf8Length(whole) > LONGEST_LINE_BYTES) {
      this.#sink.add({
        code: 'setting-too-long',
        span: nameSpan,
        message: `a setting may have ${LONGEST_LINE_BYTES} bytes, this one has ${utf8Length(whole)} (Debian's cron cuts it silently)`,
        help: 'shorten it, or set it in a script that the command runs',
      });
      return;
    }
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      this.#sink.add({
        code: 'bad-setting',
        span: name === '' ? { start: nameSpan.start, end: nameSpan.start + 1 } : nameSpan,
        message:
          name === ''
            ? 'before the `=` of a setting stands its name, and here is none'
            : `an environment variable's name must be letters, digits and \`_\`, got \`${clip(name)}\``,
        help: 'any line with `=` after its first word is a setting: an entry begins with five time fields or a nickname',
      });
      return;
    }
    if (fault === 'empty') {
      this.#sink.add({
        code: 'empty-setting',
        span: nameSpan,
        message: `\`${name}=\` without a value makes Debian's cron refuse the file`,
        help: `write \`${name}=""\``,
      });
      return;
    }
    if (fault !== undefined) {
      this.#sink.add({
        code: 'bad-setting',
        span: valueSpan,
        message:
          fault === 'unclosed-quote'
            ? `the quote of \`${name}\` is not closed`
            : `after the closing quote of \`${name}\` stands more text`,
        help: 'a value stands in one pair of quotes or in none; there are no escapes inside quotes, so use the other kind for a quote',
      });
      return;
    }
    if (name === 'CRON_TZ' && !this.#timeZone(value, valueSpan)) return;
    if (name === 'LOGNAME' || name === 'USER') {
      this.#sink.add(
        {
          code: 'ignored-setting',
          span: nameSpan,
          message: `\`${name}\` is the user that the daemon runs as: cron does not let a crontab change it`,
          help: 'remove the line',
        },
        allowed,
      );
      return;
    }
    const environment = this.#environment.with(name, value);
    if (environment.size > MOST_SETTINGS) {
      this.#sink.add({
        code: 'too-many-settings',
        span: nameSpan,
        message: `a crontab may set ${MOST_SETTINGS} different variables`,
        help: 'set them in a script that the command runs',
      });
      return;
    }
    this.#environment = environment;
    this.#settings.push({ span: line, name, value, valueSpan, allowed });
  }

  #timeZone(value: string, span: Span): boolean {
    if (!this.#unknownZoneHelp.has(value) && zoneTable(value) !== undefined) {
      this.#zone = value;
      return true;
    }
    this.#sink.add({
      code: 'unknown-time-zone',
      span,
      message: `${value === '' ? 'an empty text' : `\`${clip(value)}\``} is not a time zone; some crons silently take UTC instead`,
      help: this.#zoneHelp(value),
    });
    return false;
  }

  #zoneHelp(value: string): string {
    const known = this.#unknownZoneHelp.get(value);
    if (known !== undefined) return known;
    const [first = '', ...rest] = value.split(/[ \t]+/);
    let help = 'use a name of the IANA database, such as `Europe/Berlin` or `UTC`';
    if (rest.length > 4 && zoneTable(first) !== undefined) {
      help = `a setting takes its whole line: put \`${rest.join(' ').slice(0, 60)}\` on a line of its own`;
    } else if (this.#unknownZoneHelp.size < MOST_ZONES_COMPARED) {
      const near = nearestZone(value);
      if (near !== undefined) help = `did you mean \`${near}\`?`;
      this.#unknownZoneHelp.set(value, help);
    }
    return help;
  }

  // Entries

  #entry(whole: string, line: Span, lineNumber: number): void {
    const options = { ...this.#defaults, ...toOptions(this.#pending) };
    const when = whole.startsWith('@')
      ? this.#nickname(whole, line)
      : this.#fiveFields(whole, line, options.name);
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
      zone: this.#zone,
      user,
      userSpan,
      commandText,
      commandSpan,
      environment: this.#environment,
      options,
      directives: this.#pending.length > 0 ? this.#pending : NO_DIRECTIVES,
      allowed,
    });
  }

  #nickname(whole: string, line: Span): When | undefined {
    const end = wordEnd(whole, 0);
    const word = whole.slice(0, end);
    if (word === '@reboot') return { schedule: undefined, end, isNickname: true, oversizedSteps: [] };
    const text = NICKNAMES[word];
    if (text !== undefined) {
      const schedule = this.#interned(text, () => compileSchedule(text));
      return { schedule, end, isNickname: true, oversizedSteps: [] };
    }
    const known = ['@reboot', ...Object.keys(NICKNAMES)];
    const near = nearest(word, known);
    this.#sink.add({
      code: 'unknown-nickname',
      span: { start: line.start, end: line.start + end },
      message: `\`${clip(word)}\` is none of ${known.join(' ')}`,
      help:
        word === '@every'
          ? 'a crontab has no intervals: write time fields, such as `*/5 * * * *`'
          : near === undefined
            ? 'use one of these, in lower case, or five time fields'
            : `did you mean \`${near}\`?`,
    });
    return undefined;
  }

  #fiveFields(whole: string, line: Span, jobName: string | undefined): When | undefined {
    const fields: Field[] = [];
    const oversizedSteps: Span[] = [];
    let isGood = true;
    let at = 0;
    let end = 0;
    for (const [index, name] of FIELD_NAMES.entries()) {
      at = skipBlanks(whole, end);
      end = wordEnd(whole, at);
      const word = whole.slice(at, end);
      const field = word === '' ? undefined : this.#field(word, name, jobName);
      if (field === undefined || ('code' in field && isGood && index > 0 && looksLikeProgram(word))) {
        if (isGood) this.#missingFields(whole, line, index, at);
        return undefined;
      }
      if ('code' in field) {
        isGood = false;
        // Without the name that could not be read this is a consequence, not another fault.
        if (field.code === 'hash-needs-name' && !this.#pendingIsWhole) continue;
        const isText = index === 0 && !/^[\d*,/H?-]/.test(word);
        const isExport = isText && /^(?:export|set|setenv)$/.test(word);
        this.#sink.add({
          code: isExport ? 'bad-setting' : field.code,
          span: { start: line.start + at + field.start, end: line.start + at + field.end },
          message: isExport
            ? `\`${word}\` is a shell's word: a crontab has \`NAME=value\` lines`
            : field.message,
          help: isExport ? `remove \`${word}\`` : isText ? WHAT_A_LINE_IS : field.help,
        });
        // The rest of such a line is no list of fields either: one finding says all.
        if (isText || FALSE_BLANK.test(word)) return undefined;
        continue;
      }
      fields.push(field);
      if (field.oversizedStep !== undefined) {
        const { oversizedStep: step } = field;
        oversizedSteps.push({ start: line.start + at + step.start, end: line.start + at + step.end });
      }
    }
    if (!isGood) return undefined;
    const key = fields.map((field) => field.text).join(' ');
    return {
      schedule: this.#interned(key, () => scheduleOf(fields)),
      end,
      isNickname: false,
      oversizedSteps,
    };
  }

  #missingFields(whole: string, line: Span, found: number, at: number): void {
    const missing = FIELD_NAMES.slice(found).map((name) => FIELD_RANGES[name].label);
    this.#sink.add({
      code: 'missing-fields',
      span: { start: line.start + Math.min(at, whole.length), end: line.end },
      message: `an entry has five time fields before its command; here ${found === 1 ? 'is' : 'are'} ${found}, without ${missing.join(', ')}`,
      help: 'the fields are, in order: minute hour day-of-month month day-of-week; write `*` for each that does not matter',
    });
  }

  #field(word: string, name: FieldName, jobName: string | undefined): Field | FieldFault {
    const cache = this.#fields[name];
    const known = cache.get(word);
    if (known !== undefined) return known;
    const field = parseField(word, name, jobName);
    // A field with `H` is another for each job.
    if (!word.includes('H') && word.length < 200) cache.set(word, field);
    return field;
  }

  #interned(text: string, make: () => Schedule): Schedule {
    let schedule = this.#schedules.get(text);
    if (schedule === undefined) {
      schedule = make();
      this.#schedules.set(text, schedule);
    }
    return schedule;
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

interface When {
  readonly schedule: Schedule | undefined;
  /** Offset behind the last field. */
  readonly end: number;
  readonly isNickname: boolean;
  readonly oversizedSteps: readonly Span[];
}

function toOptions(directives: readonly Directive[]): JobOptions {
  if (directives.length === 0) return NO_OPTIONS;
  return Object.fromEntries(directives.map(({ key, value }) => [key, value]));
}

const NO_OPTIONS: JobOptions = {};
const NO_DIRECTIVES: readonly Directive[] = [];

const WHAT_A_LINE_IS =
  'an entry begins with five time fields or a nickname, a setting is `NAME=value`, a comment begins with `#`';

function looksLikeProgram(word: string): boolean {
  if (shortNameFor(word) !== undefined) return false;
  return /^(?:[/.~$"'({>]|[A-Za-z_]{4,}|[A-Za-z_.-]+\/)/.test(word);
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (at < text.length && isBlank(text.charCodeAt(at))) at++;
  return at;
}

function wordEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && !isBlank(text.charCodeAt(at))) at++;
  return at;
}

/** Bytes of the text in UTF-8; short texts of ASCII, nearly all, are not encoded for it. */
function utf8Length(text: string): number {
  if (text.length * 3 <= LONGEST_LINE_BYTES) return text.length;
  let bytes = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    // A surrogate pair is four bytes: two for each half.
    bytes += code < 0x80 ? 1 : code < 0x800 || (code >= 0xd800 && code < 0xe000) ? 2 : 3;
  }
  return bytes;
}

function count(text: string, character: string): number {
  let found = 0;
  for (let at = text.indexOf(character); at !== -1; at = text.indexOf(character, at + 1)) found++;
  return found;
}

function plural(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function clip(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
