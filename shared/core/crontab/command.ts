/** A command as the shell gets it, and what it reads. */
export interface CommandInput {
  readonly command: string;
  /** Standard input, ending in LF; undefined when there is none. */
  readonly stdin?: string;
}

/**
 * Splits the command text of an entry at the first `%`, as Debian's cron does.
 *
 * In the command `\%` becomes `%` and `\\` becomes `\`; in the input `%` becomes LF and `\%` becomes `%`.
 * @see crontab(5), and child_process() in Debian's do_command.c
 */
export function splitCommand(text: string): CommandInput {
  if (!text.includes('%') && !text.includes('\\')) return { command: text };
  let command = '';
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string;
    const next = text[at + 1];
    if (character === '%') {
      const input = readInput(text.slice(at + 1));
      return input === '' ? { command } : { command, stdin: input };
    }
    if (character === '\\' && (next === '%' || next === '\\')) {
      command += next;
      at++;
    } else {
      command += character;
    }
  }
  return { command };
}

function readInput(text: string): string {
  if (text === '') return '';
  const input = text.replace(/\\%|%/g, (found) => (found === '%' ? '\n' : '%'));
  return input.endsWith('\n') ? input : `${input}\n`;
}

/** Offset of the first `%` that ends the command, or -1. */
export function firstUnescapedPercent(text: string): number {
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '%') return at;
    if (text[at] === '\\') at++;
  }
  return -1;
}
