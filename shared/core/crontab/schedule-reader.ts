import type { DiagnosticSink } from '../diagnostic.ts';
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
import type { Span } from '../source.ts';
import { clip, skipBlanks, wordEnd } from './line-text.ts';

/** The beginning of an entry: when it is due. */
export interface When {
  readonly schedule: Schedule | undefined;
  /** Offset behind the last field. */
  readonly end: number;
  readonly isNickname: boolean;
  readonly oversizedSteps: readonly Span[];
}

const WHAT_A_LINE_IS =
  'an entry begins with five time fields or a nickname, a setting is `NAME=value`, a comment begins with `#`';

function looksLikeProgram(word: string): boolean {
  if (shortNameFor(word) !== undefined) return false;
  return /^(?:[/.~$"'({>]|[A-Za-z_]{4,}|[A-Za-z_.-]+\/)/.test(word);
}

/** Reads when entries are due. Equal fields and schedules of a crontab are one object each. */
export class ScheduleReader {
  readonly #sink: DiagnosticSink;
  readonly #fields: Record<FieldName, Map<string, Field | FieldFault>> = {
    minute: new Map(),
    hour: new Map(),
    dayOfMonth: new Map(),
    month: new Map(),
    dayOfWeek: new Map(),
  };
  readonly #schedules = new Map<string, Schedule>();

  constructor(sink: DiagnosticSink) {
    this.#sink = sink;
  }

  /**
   * Reads the time fields or the nickname at the beginning of an entry, or says what is wrong with them.
   *
   * @param whole the line, which spans `line`
   * @param jobName spreads `H`
   * @param isNameKnown the name lacks because there is none, and not because it could not be read
   */
  read(whole: string, line: Span, jobName: string | undefined, isNameKnown: boolean): When | undefined {
    return whole.startsWith('@')
      ? this.#nickname(whole, line)
      : this.#fiveFields(whole, line, jobName, isNameKnown);
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

  #fiveFields(
    whole: string,
    line: Span,
    jobName: string | undefined,
    isNameKnown: boolean,
  ): When | undefined {
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
        if (field.code === 'hash-needs-name' && !isNameKnown) continue;
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
}
