/** Half-open range of UTF-16 offsets into the crontab's text. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Line and column as people count them: both from 1, the column in UTF-16 code units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Turns offsets into lines and columns, and lines back into text, only when somebody wants to read them. */
export class LineIndex {
  readonly #text: string;
  readonly #lineStarts: number[] = [0];

  constructor(text: string) {
    this.#text = text;
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) {
      this.#lineStarts.push(at + 1);
    }
  }

  position(offset: number): Position {
    let low = 0;
    let high = this.#lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#lineStarts[middle] as number) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (this.#lineStarts[low] as number) + 1 };
  }

  /** Text of a line, without its line end. */
  line(line: number): string {
    const start = this.#lineStarts[line - 1] ?? this.#text.length;
    const end = this.#lineStarts[line];
    return this.#text.slice(start, end === undefined ? this.#text.length : end - 1);
  }
}
