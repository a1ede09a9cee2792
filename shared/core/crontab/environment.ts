/** More than anybody sets; cronie takes 1,000. */
export const MOST_SETTINGS = 1000;

/** A chain of settings longer than this is copied into one map, so that no look-up walks far. */
const LONGEST_CHAIN = 32;

/**
 * The environment settings that hold at a place in the crontab. Immutable and shared by the entries below a setting,
 * so that a file that changes a setting before every entry costs little.
 */
export class EnvironmentScope {
  static readonly EMPTY = new EnvironmentScope(new Map(), undefined, 0, 0);

  readonly #base: ReadonlyMap<string, string>;
  readonly #last: Link | undefined;
  readonly #chainLength: number;
  /** Different names set. */
  readonly size: number;
  #object: Readonly<Record<string, string>> | undefined;

  private constructor(
    base: ReadonlyMap<string, string>,
    last: Link | undefined,
    chainLength: number,
    size: number,
  ) {
    this.#base = base;
    this.#last = last;
    this.#chainLength = chainLength;
    this.size = size;
  }

  get(name: string): string | undefined {
    for (let link = this.#last; link !== undefined; link = link.before) {
      if (link.name === name) return link.value;
    }
    return this.#base.get(name);
  }

  /** The scope below a further setting. */
  with(name: string, value: string): EnvironmentScope {
    const size = this.get(name) === undefined ? this.size + 1 : this.size;
    if (this.#chainLength >= LONGEST_CHAIN) {
      const base = this.#flat();
      base.set(name, value);
      return new EnvironmentScope(base, undefined, 0, size);
    }
    return new EnvironmentScope(this.#base, { name, value, before: this.#last }, this.#chainLength + 1, size);
  }

  /** All settings; the same object at each call. */
  toObject(): Readonly<Record<string, string>> {
    this.#object ??= Object.fromEntries(this.#flat());
    return this.#object;
  }

  #flat(): Map<string, string> {
    const links: Link[] = [];
    for (let link = this.#last; link !== undefined; link = link.before) links.push(link);
    const all = new Map(this.#base);
    for (const { name, value } of links.reverse()) all.set(name, value);
    return all;
  }
}

interface Link {
  readonly name: string;
  readonly value: string;
  readonly before: Link | undefined;
}

/** What a line that is meant as a setting says; offsets are relative to the line. */
export interface SettingLine {
  readonly name: string;
  readonly nameStart: number;
  readonly nameEnd: number;
  readonly value: string;
  readonly valueStart: number;
  readonly valueEnd: number;
  readonly fault?: 'empty' | 'unclosed-quote' | 'text-after-quote';
}

const isBlank = (character: string | undefined) => character === ' ' || character === '\t';

/**
 * Reads a line as `name = value`, where name and value may stand in quotes.
 *
 * @param line without leading blanks and line end
 * @returns undefined when the line is no setting by Debian's reading, so that it must be an entry
 * @see load_env() in Debian's env.c
 */
export function readSettingLine(line: string): SettingLine | undefined {
  let at = 0;
  const quote = line[0] === '"' || line[0] === "'" ? line[0] : undefined;
  if (quote === undefined) {
    while (at < line.length && line[at] !== '=' && !isBlank(line[at])) at++;
  } else {
    at = line.indexOf(quote, 1);
    if (at === -1 || line.slice(1, at).includes('=')) return undefined;
  }
  const nameStart = quote === undefined ? 0 : 1;
  const nameEnd = at;
  if (quote !== undefined) at++;
  while (isBlank(line[at])) at++;
  if (line[at] !== '=') return undefined;
  at++;
  while (isBlank(line[at])) at++;
  const name = line.slice(nameStart, nameEnd);
  const valueQuote = line[at] === '"' || line[at] === "'" ? (line[at] as string) : undefined;
  if (valueQuote === undefined) {
    let end = line.length;
    while (end > at && isBlank(line[end - 1])) end--;
    const setting = { name, nameStart, nameEnd, value: line.slice(at, end), valueStart: at, valueEnd: end };
    return end === at ? { ...setting, fault: 'empty' } : setting;
  }
  const close = line.indexOf(valueQuote, at + 1);
  if (close === -1) {
    return {
      name,
      nameStart,
      nameEnd,
      value: line.slice(at + 1),
      valueStart: at,
      valueEnd: line.length,
      fault: 'unclosed-quote',
    };
  }
  const setting = {
    name,
    nameStart,
    nameEnd,
    value: unquoted(line.slice(at + 1, close)),
    valueStart: at,
    valueEnd: close + 1,
  };
  let rest = close + 1;
  while (isBlank(line[rest])) rest++;
  return rest === line.length ? setting : { ...setting, fault: 'text-after-quote' };
}

/** Crons trim what stood in quotes once more, and take off another pair: the end of load_env() in Debian's env.c. */
function unquoted(value: string): string {
  const trimmed = value.replace(/[ \t]+$/, '');
  const quote = trimmed[0];
  const isQuoted = trimmed.length > 1 && (quote === '"' || quote === "'") && trimmed.endsWith(quote);
  return isQuoted ? trimmed.slice(1, -1) : trimmed;
}
