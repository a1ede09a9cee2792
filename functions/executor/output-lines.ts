/** A line that is longer is cut: CloudWatch takes 256 KiB of a line, and JSON may write six characters for one. */
const LONGEST = 32 * 1024;

/** Parts text that comes in pieces into lines. */
export class OutputLines {
  readonly #emit: (line: string) => void;
  #begun = '';

  /** @param emit told of each line, without its end */
  constructor(emit: (line: string) => void) {
    this.#emit = emit;
  }

  write(text: string): void {
    const lines = (this.#begun + text).split('\n');
    this.#begun = lines.pop() ?? '';
    for (const line of lines) this.#pass(line);
    while (this.#begun.length > LONGEST) {
      this.#pass(this.#begun.slice(0, LONGEST));
      this.#begun = this.#begun.slice(LONGEST);
    }
  }

  /** The command has ended, with or without a newline. */
  end(): void {
    if (this.#begun !== '') this.#pass(this.#begun);
    this.#begun = '';
  }

  #pass(line: string): void {
    for (let from = 0; from === 0 || from < line.length; from += LONGEST)
      this.#emit(line.slice(from, from + LONGEST));
  }
}
