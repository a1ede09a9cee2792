import type { AllowedCodes, DiagnosticSink } from '../diagnostic.ts';
import { nearestZone, zoneTable } from '../schedule/zone-data.ts';
import type { Span } from '../source.ts';
import type { EnvironmentSetting } from './entry.ts';
import { EnvironmentScope, MOST_SETTINGS, type SettingLine } from './environment.ts';
import { clip, LONGEST_LINE_BYTES, utf8Length } from './line-text.ts';

/** Settings that mean nothing when they are empty. */
const NEVER_EMPTY = new Set(['CRON_TZ', 'HOME', 'SHELL']);

/** Unknown zones that a near one is looked for: the list of zones is long, and a file of faults may be too. */
const MOST_ZONES_COMPARED = 20;

/** Reads the environment settings of a crontab, and keeps what holds for the lines below. */
export class SettingReader {
  /** All settings so far, those of the same name too. */
  readonly settings: EnvironmentSetting[] = [];
  /** What holds at this place. */
  environment = EnvironmentScope.EMPTY;
  /** Zone of the last `CRON_TZ`. */
  zone: string | undefined;
  readonly #sink: DiagnosticSink;
  readonly #unknownZoneHelp = new Map<string, string>();

  constructor(sink: DiagnosticSink) {
    this.#sink = sink;
  }

  /**
   * Takes a setting line into the scope of the lines below, or says what is wrong with it.
   *
   * @param whole the line, which spans `line`
   */
  read(setting: SettingLine, whole: string, line: Span, allowed: AllowedCodes): void {
    const { name, value, fault } = setting;
    const nameSpan = { start: line.start + setting.nameStart, end: line.start + setting.nameEnd };
    const valueSpan = { start: line.start + setting.valueStart, end: line.start + setting.valueEnd };
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
        help: NEVER_EMPTY.has(name) ? 'write a value, or remove the line' : `write \`${name}=""\``,
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
    if ((name === 'SHELL' && !/^\/[^ \t]*$/.test(value)) || (name === 'HOME' && !value.startsWith('/'))) {
      this.#sink.add({
        code: 'bad-setting',
        span: valueSpan,
        message: `\`${name}\` must be the absolute path of a ${name === 'SHELL' ? 'program, without arguments' : 'folder'}, got \`${clip(value)}\``,
        help:
          name === 'SHELL'
            ? 'for example `SHELL=/bin/bash`'
            : 'no shell reads a setting, so `~` and `$HOME` do not help',
      });
      return;
    }
    if (name === 'LOGNAME' || name === 'USER') {
      this.#sink.add(
        {
          code: 'ignored-setting',
          span: nameSpan,
          message: `\`${name}\` is the user that commands run as, and a crontab does not change it`,
          help: 'remove the line',
        },
        allowed,
      );
      return;
    }
    const environment = this.environment.with(name, value);
    if (environment.size > MOST_SETTINGS) {
      this.#sink.add({
        code: 'too-many-settings',
        span: nameSpan,
        message: `a crontab may set ${MOST_SETTINGS} different variables`,
        help: 'set them in a script that the command runs',
      });
      return;
    }
    this.environment = environment;
    this.settings.push({ span: line, name, value, valueSpan, allowed });
  }

  #timeZone(value: string, span: Span): boolean {
    if (!this.#unknownZoneHelp.has(value) && zoneTable(value) !== undefined) {
      this.zone = value;
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
}
