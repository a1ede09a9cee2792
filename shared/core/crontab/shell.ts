/** A command with what stands in quotes blotted out, so that a pattern sees syntax only. */
export interface ShellSkeleton {
  /** As long as the command; quoted characters are `_`, a trailing comment is blanks. */
  readonly text: string;
  /** Offset of the quote that is not closed; undefined when all are. */
  readonly openQuote?: number;
}

/**
 * Marks what a POSIX shell takes literally: quotes, escapes and comments, through `$(…)` and backquotes.
 * @see POSIX.1-2024, Shell Command Language, 2.2 Quoting
 */
export function shellSkeleton(command: string): ShellSkeleton {
  let text = '';
  const open: { readonly kind: "'" | '"' | '`' | '$('; readonly at: number }[] = [];
  for (let at = 0; at < command.length; at++) {
    const character = command[at] as string;
    const inside = open.at(-1)?.kind;
    if (inside === "'") {
      if (character === "'") open.pop();
      text += '_';
      continue;
    }
    if (character === '\\') {
      text += at + 1 < command.length ? '__' : '\\';
      at++;
      continue;
    }
    if (character === '$' && command[at + 1] === '(') {
      open.push({ kind: '$(', at });
      text += '$(';
      at++;
      continue;
    }
    if (character === '`') {
      if (inside === '`') open.pop();
      else if (open.some((one) => one.kind === '`')) {
        // Closes the outer one: what is open inside it is unbalanced, and is reported there.
        return { text: text.padEnd(command.length, '_'), openQuote: (open.at(-1) as { at: number }).at };
      } else open.push({ kind: '`', at });
      text += '`';
      continue;
    }
    if (character === '"') {
      if (inside === '"') open.pop();
      else open.push({ kind: '"', at });
      text += '_';
      continue;
    }
    if (inside === '"') {
      text += '_';
      continue;
    }
    if (character === "'") {
      open.push({ kind: "'", at });
      text += '_';
      continue;
    }
    if (character === ')' && inside === '$(') open.pop();
    if (
      character === '#' &&
      inside === undefined &&
      (at === 0 || /[\s;&|(]/.test(command[at - 1] as string))
    ) {
      text = text.padEnd(command.length);
      break;
    }
    text += character;
  }
  const quote = open.find((one) => one.kind !== '$(');
  return quote === undefined ? { text } : { text, openQuote: quote.at };
}

/** Words of a shell that stand before the program they start. */
const PREFIXES = new Set(['exec', 'nohup', 'time', 'command', '!', '{', 'then', 'if', 'while', 'do']);

/**
 * Base name of the program that a command starts, to call a job by: past assignments, `cd … &&` and words like `exec`.
 * Nothing else of a command may show in a name, for it can hold a password. Empty when it cannot be told.
 */
export function programName(command: string): string {
  const { text } = shellSkeleton(command.slice(0, 400));
  const pattern = /[\s(]*((?:[^\s;&|()<>]|\$\()+)|([;&|()<>]+)/g;
  let isArgument = false;
  for (const match of text.matchAll(pattern)) {
    const [whole, word] = match;
    if (word === undefined) {
      isArgument = /^[<>]/.test(whole);
      continue;
    }
    if (isArgument) {
      // A file of a redirection is followed by the program or its arguments; what `cd` and `.` take is skipped below.
      isArgument = false;
      continue;
    }
    const end = (match.index ?? 0) + whole.length;
    const written = command.slice(end - word.length, end);
    if (/^[A-Za-z_]\w*=/.test(written) || PREFIXES.has(written)) continue;
    if (written === 'cd' || written === '.' || written === 'source') {
      isArgument = true;
      continue;
    }
    return (
      written
        .replace(/^["']|["']$/g, '')
        .split('/')
        .at(-1) ?? ''
    );
  }
  return '';
}
