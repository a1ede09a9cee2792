import { stableHash } from '../hash.ts';

/** The five time fields in crontab order. @see crontab(5) */
export const FIELD_NAMES = ['minute', 'hour', 'dayOfMonth', 'month', 'dayOfWeek'] as const;
export type FieldName = (typeof FIELD_NAMES)[number];

interface FieldRange {
  /** As a person reads it in a message. */
  readonly label: string;
  readonly min: number;
  readonly max: number;
  /** Three-letter names; the index is the value less `min`. */
  readonly names: readonly string[];
  /** Highest value that `H` may take: a day that every month has, and Sunday once. */
  readonly hashMax: number;
}

const LONG_MONTHS = ['january', 'february', 'march', 'april', 'may', 'june', 'july', 'august'].concat([
  'september',
  'october',
  'november',
  'december',
]);
const LONG_DAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
const short = (name: string) => name.slice(0, 3);
const MONTHS = LONG_MONTHS.map(short);
const DAYS = LONG_DAYS.map(short);

/** The three letters to write instead when an item begins with a month or day that is written out, or cut elsewhere. */
export function shortNameFor(item: string): string | undefined {
  const word = /^[A-Za-z]{4,9}(?=[-,/]|$)/.exec(item)?.[0].toLowerCase();
  const name = word && [...LONG_MONTHS, ...LONG_DAYS].find((one) => one.startsWith(word));
  return name ? short(name) : undefined;
}

export const FIELD_RANGES: Readonly<Record<FieldName, FieldRange>> = {
  minute: { label: 'minute', min: 0, max: 59, names: [], hashMax: 59 },
  hour: { label: 'hour', min: 0, max: 23, names: [], hashMax: 23 },
  dayOfMonth: { label: 'day of month', min: 1, max: 31, names: [], hashMax: 28 },
  month: { label: 'month', min: 1, max: 12, names: MONTHS, hashMax: 12 },
  dayOfWeek: { label: 'day of week', min: 0, max: 7, names: DAYS, hashMax: 6 },
};

/** One time field as a set of values. Immutable; equal texts may share one object. */
export interface Field {
  /** Numbers only, without leading zeros, `H` replaced by its value: `0,30`, `1-5`, `*`+`/10`. */
  readonly text: string;
  /** Bit n is set when value n belongs to the set, for values 0-31. Sunday is bit 0 only. */
  readonly low: number;
  /** Bit n is set when value 32 + n belongs to the set (minutes only). */
  readonly high: number;
  /** The text begins with `*`: decides the day rule and the daylight saving rule. */
  readonly isStar: boolean;
  /** Offsets of a step that is larger than its range, relative to the field. */
  readonly oversizedStep?: { readonly start: number; readonly end: number };
}

type FieldFaultCode =
  | 'empty-list-item'
  | 'hash-needs-name'
  | 'reversed-range'
  | 'step-without-range'
  | 'unknown-value'
  | 'unsupported-field-syntax'
  | 'value-out-of-range';

/** What is wrong in a field; offsets are relative to the field's first character. */
export interface FieldFault {
  readonly code: FieldFaultCode;
  readonly start: number;
  readonly end: number;
  readonly message: string;
  readonly help: string;
}

class Fault extends Error {
  readonly fault: FieldFault;
  constructor(fault: FieldFault) {
    super(fault.message);
    this.fault = fault;
  }
}

/**
 * Reads one time field by Debian's grammar, strictly: what Debian or cronie refuse or read differently is a fault.
 *
 * @param jobName spreads `H`; without it `H` is a fault.
 * @returns the field, or the first fault in it.
 */
export function parseField(text: string, fieldName: FieldName, jobName?: string): Field | FieldFault {
  try {
    return readField(text, fieldName, jobName);
  } catch (error) {
    if (error instanceof Fault) return error.fault;
    throw error;
  }
}

function readField(text: string, fieldName: FieldName, jobName: string | undefined): Field {
  const range = FIELD_RANGES[fieldName];
  const item = { low: 0, high: 0 };
  const canonical: string[] = [];
  let oversizedStep: Field['oversizedStep'];
  let start = 0;
  for (const part of text.split(',')) {
    if (part === '') {
      throw new Fault({
        code: 'empty-list-item',
        start,
        end: Math.min(start + 1, text.length),
        message: `${range.label} has an empty list item in \`${text}\``,
        help: 'remove the extra comma',
      });
    }
    const reader = new ItemReader(part, start, range, fieldName, jobName);
    canonical.push(reader.read(item));
    oversizedStep ??= reader.oversizedStep;
    start += part.length + 1;
  }
  const isStar = text.startsWith('*');
  const field = { text: canonical.join(','), low: item.low, high: item.high, isStar };
  return oversizedStep === undefined ? field : { ...field, oversizedStep };
}

/** Characters that look like a blank and separate nothing. */
export const FALSE_BLANK = /[\u00a0\u000b\u000c\u2000-\u200b\u3000]/;

/** Larger ones wrap in some crons. */
const LARGEST_STEP = 999_999_999;

/** Reads one item of a list: a value, a range, `*` or `H`, each with an optional step where crontab(5) has one. */
class ItemReader {
  oversizedStep: Field['oversizedStep'];
  readonly #text: string;
  readonly #offset: number;
  readonly #range: FieldRange;
  readonly #fieldName: FieldName;
  readonly #jobName: string | undefined;
  #at = 0;

  constructor(
    text: string,
    offset: number,
    range: FieldRange,
    fieldName: FieldName,
    jobName: string | undefined,
  ) {
    this.#text = text;
    this.#offset = offset;
    this.#range = range;
    this.#fieldName = fieldName;
    this.#jobName = jobName;
  }

  /** Adds the item's values to the set and returns its canonical text. */
  read(set: { low: number; high: number }): string {
    const { min, max } = this.#range;
    if (this.#text.startsWith('*')) {
      this.#at = 1;
      const step = this.#step(min, max);
      this.#end();
      add(set, min, max, step ?? 1, this.#fieldName);
      return step === undefined ? '*' : `*/${step}`;
    }
    if (/^H(?![A-Za-z])/.test(this.#text)) return this.#hash(set);

    const low = this.#value();
    if (this.#text[this.#at] !== '-') {
      if (this.#text[this.#at] === '/') {
        throw this.#fault('step-without-range', 0, this.#text.length, {
          message: `${this.#range.label} has a step without a range in \`${this.#text}\``,
          help: `write \`${low}-${this.#fieldName === 'dayOfWeek' ? 6 : max}${this.#text.slice(this.#at)}\` or \`*${this.#text.slice(this.#at)}\``,
        });
      }
      this.#end();
      add(set, low, low, 1, this.#fieldName);
      return String(low);
    }
    this.#at++;
    const high = this.#value();
    const step = this.#step(low, high);
    this.#end();
    if (low > high) {
      const list = step === undefined ? this.#wrap(low, high) : this.#wrapInSteps(low, high, step);
      throw this.#fault('reversed-range', 0, this.#text.length, {
        message: `${this.#range.label} range \`${this.#text}\` runs backwards (${low} to ${high}): some crons never run it, others wrap it`,
        help: `write \`${list}\``,
      });
    }
    add(set, low, high, step ?? 1, this.#fieldName);
    return step === undefined ? `${low}-${high}` : `${low}-${high}/${step}`;
  }

  #wrap(low: number, high: number): string {
    const { min, max } = this.#range;
    const isDayOfWeek = this.#fieldName === 'dayOfWeek';
    if (isDayOfWeek && high === 0) return `${low}-7`;
    const span = (from: number, to: number) => (from === to ? `${from}` : `${from}-${to}`);
    return `${span(low, isDayOfWeek ? 6 : max)},${span(min, high)}`;
  }

  #wrapInSteps(low: number, high: number, step: number): string {
    const { min, max } = this.#range;
    const size = (this.#fieldName === 'dayOfWeek' ? 6 : max) - min + 1;
    const values: number[] = [];
    for (let value = low; value <= high + size; value += step) values.push(((value - min) % size) + min);
    return values.join(',');
  }

  /** `H`, `H(a-b)`, `H/n`, `H(a-b)/n`: a stable value, or a stable start of a step, from the job's name (as Jenkins). */
  #hash(set: { low: number; high: number }): string {
    let low = this.#range.min;
    let high = this.#range.hashMax;
    this.#at = 1;
    if (this.#text[this.#at] === '(') {
      this.#at++;
      low = this.#value();
      if (this.#text[this.#at] !== '-') throw this.#unsupported();
      this.#at++;
      high = this.#value();
      if (this.#text[this.#at] !== ')') throw this.#unsupported();
      this.#at++;
      if (low > high) {
        throw this.#fault('reversed-range', 0, this.#text.length, {
          message: `${this.#range.label} range of \`${this.#text}\` runs backwards`,
          help: 'a range of `H` cannot wrap: write the lower value first, on one side of the wrap',
        });
      }
    }
    const step = this.#step(low, high);
    this.#end();
    if (this.#jobName === undefined) {
      throw this.#fault('hash-needs-name', 0, this.#text.length, {
        message: '`H` spreads a job by its name, and this entry has none',
        help: 'put `# kuber-cron: name=…` on the line above the entry',
      });
    }
    const hash = stableHash(`${this.#jobName}/${this.#fieldName}`);
    const width = Math.min(step ?? Number.POSITIVE_INFINITY, high - low + 1);
    const first = low + (hash % width);
    const values: number[] = [];
    for (let value = first; value <= high; value += step ?? high) {
      values.push(value);
      add(set, value, value, 1, this.#fieldName);
      if (step === undefined) break;
    }
    return values.join(',');
  }

  #value(): number {
    const start = this.#at;
    const rest = this.#text.slice(start);
    const digits = /^\d+/.exec(rest)?.[0];
    if (digits !== undefined) {
      this.#at += digits.length;
      const value = Number(digits);
      const { min, max, label } = this.#range;
      if (value < min || value > max) {
        throw this.#fault('value-out-of-range', start, this.#at, {
          message: `${label} must be ${min}-${max}, got ${shown(digits)}`,
          help: this.#rangeHelp(value),
        });
      }
      return value;
    }
    const name = /^[A-Za-z]+/.exec(rest)?.[0];
    const index = name === undefined ? -1 : this.#range.names.indexOf(name.toLowerCase());
    if (name === undefined || index === -1) throw this.#unsupported();
    this.#at += name.length;
    return this.#range.min + index;
  }

  #rangeHelp(value: number): string {
    if (this.#fieldName === 'minute' && value === 60) return 'use 0 for the full hour';
    if (this.#fieldName === 'hour' && value === 24) return 'use 0 for midnight';
    if (this.#fieldName === 'dayOfWeek') return '0 and 7 are Sunday, 6 is Saturday';
    return `the fields are, in order: minute hour day-of-month month day-of-week`;
  }

  /** Reads `/n` if it is there. */
  #step(low: number, high: number): number | undefined {
    if (this.#text[this.#at] !== '/') return undefined;
    const start = this.#at + 1;
    const digits = /^\d+/.exec(this.#text.slice(start))?.[0];
    if (digits === undefined) {
      throw this.#fault('unknown-value', this.#at, this.#text.length, {
        message: `${this.#range.label} step must be a number, got ${shown(this.#text.slice(start))}`,
        help: 'write a whole number from 1 after the slash',
      });
    }
    this.#at = start + digits.length;
    const step = Number(digits);
    if (step < 1 || step > LARGEST_STEP) {
      throw this.#fault('value-out-of-range', start, this.#at, {
        message: `${this.#range.label} step must be 1-${LARGEST_STEP}, got ${shown(digits)}`,
        help: step < 1 ? 'remove the step, or write a whole number from 1' : 'remove the step',
      });
    }
    if (step > high - low) {
      this.oversizedStep = { start: this.#offset + start, end: this.#offset + this.#at };
    }
    return step;
  }

  #end(): void {
    if (this.#at < this.#text.length) throw this.#unsupported();
  }

  #unsupported(): Fault {
    const rest = this.#text.slice(this.#at);
    const { label, min, max, names } = this.#range;
    for (const { pattern, meaning, help } of FOREIGN_SYNTAX) {
      if (pattern.test(this.#text)) {
        return this.#fault('unsupported-field-syntax', 0, this.#text.length, {
          message: `${label} \`${clip(this.#text)}\`: ${meaning} is not part of a crontab`,
          help,
        });
      }
    }
    const blank = FALSE_BLANK.exec(rest);
    if (blank !== null) {
      return this.#fault('unknown-value', this.#at + blank.index, this.#at + blank.index + 1, {
        message: `${label} contains a character that looks like a blank and is none (U+${blank[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')})`,
        help: 'separate fields by spaces or tabs',
      });
    }
    const allowed = names.length > 0 ? `${min}-${max} or ${names[0]}-${names.at(-1)}` : `${min}-${max}`;
    const whole = this.#at === 0 || /^[A-Za-z]/.test(rest);
    const shortName = names.length > 0 ? shortNameFor(rest) : undefined;
    return this.#fault('unknown-value', whole ? 0 : this.#at, this.#text.length, {
      message: `${label} must be ${allowed}, got ${shown(this.#text)}`,
      help:
        shortName !== undefined && names.includes(shortName)
          ? `names have three letters: write \`${shortName}\``
          : 'the fields are, in order: minute hour day-of-month month day-of-week',
    });
  }

  #fault(code: FieldFaultCode, start: number, end: number, text: { message: string; help: string }): Fault {
    return new Fault({ code, start: this.#offset + start, end: this.#offset + end, ...text });
  }
}

const FOREIGN_SYNTAX = [
  { pattern: /^\?/, meaning: '`?` (Quartz, AWS)', help: 'write `*`' },
  {
    pattern: /^(?:L|LW|\d{1,2}L|L-\d+|\d*W)$/i,
    meaning: '`L` or `W` (Quartz, AWS)',
    help: 'for the last day of the month run on days 28-31 and let the command test the date; or name a weekday',
  },
  {
    pattern: /^[A-Za-z0-9]+#\d*$/,
    meaning: '`#` (n-th weekday of the month)',
    help: 'run on the seven possible days of the month (the third week is 15-21) and let the command test the weekday',
  },
  {
    pattern: /^\d*~\d*(?:\/\d+)?$/,
    meaning: '`~` (a random value, drawn anew at each load)',
    help: 'write `H`, a stable spread by the name of the job, for example `H(0-29)`',
  },
] as const;

/** The text in backticks, cut when it is long. */
function shown(text: string): string {
  return `\`${clip(text)}\``;
}

function clip(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

function add(
  set: { low: number; high: number },
  from: number,
  to: number,
  step: number,
  fieldName: FieldName,
): void {
  for (let value = from; value <= to; value += step) {
    const bit = fieldName === 'dayOfWeek' && value === 7 ? 0 : value;
    if (bit < 32) set.low |= 1 << bit;
    else set.high |= 1 << (bit - 32);
  }
}
