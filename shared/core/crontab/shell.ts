/** A command with what stands in quotes blotted out, so that a pattern sees syntax only. */
export interface ShellSkeleton {
  /** As long as the command; quoted characters are `_`, a trailing comment is blanks. */
  readonly text: string;
  /** Offset of the quote that is not closed; undefined when all are. */
  readonly openQuote?: number;
}

/**
 * Marks what a POSIX shell takes literally: quotes, escapes and comments, through `$(…)` and backquotes.
 * `$'…'` counts as quoting, as POSIX has it since 2024, although dash does not know it yet.
 * @see POSIX.1-2024, Shell Command Language, 2.2 Quoting
 */
export function shellSkeleton(command: string): ShellSkeleton {
  let text = '';
  const open: { readonly kind: "'" | "$'" | '"' | '`' | '$(' | '('; readonly at: number }[] = [];
  for (let at = 0; at < command.length; at++) {
    const character = command[at] as string;
    const inside = open.at(-1)?.kind;
    if (inside === "'") {
      if (character === "'") open.pop();
      text += '_';
      continue;
    }
    if (inside === "$'" && character === "'") {
      open.pop();
      text += '_';
      continue;
    }
    if (character === '\\') {
      text += at + 1 < command.length ? '__' : '\\';
      at++;
      continue;
    }
    if (inside === "$'") {
      text += '_';
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
      open.push({ kind: command[at - 1] === '$' ? "$'" : "'", at });
      text += '_';
      continue;
    }
    if (inside === '$(' || inside === '(') {
      if (character === '(') open.push({ kind: '(', at });
      else if (character === ')') open.pop();
    }
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
  const quote = open.find(({ kind }) => kind !== '$(' && kind !== '(');
  return quote === undefined ? { text } : { text, openQuote: quote.at };
}

/** Words of a shell that stand before the program they start. */
const PREFIXES = new Set(
  ['!', '{', '}', 'if', 'then', 'else', 'elif', 'fi', 'while', 'until', 'do', 'done', 'esac'].concat([
    'exec',
    'nohup',
    'time',
    'command',
    'builtin',
  ]),
);

/** Commands that prepare another one or wait for it; a job is called by them only where there is no other. */
const PREPARATIONS = new Set(
  ['cd', '.', 'source', 'test', '[', '[[', ':', 'true', 'sleep', 'umask', 'ulimit', 'export', 'set'].concat([
    'unset',
    'trap',
    'shopt',
    'for',
    'case',
    'select',
    'in',
  ]),
);

/**
 * Syntax that puts words other than commands where a command is looked for (arrays, expansions, patterns, options of
 * exec, addresses): a job had better be called nothing than by a piece of them.
 */
const UNCLEAR = /=\(|\$\{\w*[^\w}]|[<>]\(|\bexec\s+-|\bcase\b|:\/\//;

/** Longer beginnings of a command are not looked at. */
const LONGEST_LOOK = 400;

/**
 * Base name of the program that a command starts, to call a job by: past assignments, redirections, tests,
 * `cd … &&` and words like `exec`. Nothing else of a command may show in a name, for it can hold a password.
 * Empty when it cannot be told.
 */
export function programName(command: string): string {
  const first = fileName(plainWord(command));
  if (first !== '' && !PREFIXES.has(first) && !PREPARATIONS.has(first)) return first;
  const { text } = shellSkeleton(command.slice(0, LONGEST_LOOK));
  let at = 0;
  let isRedirected = false;
  let preparation = '';
  let isPreparation = false;
  while (at < text.length) {
    const character = text[at] as string;
    if (character === ' ' || character === '\t') {
      at++;
    } else if (';&|()'.includes(character)) {
      isPreparation = false;
      at++;
    } else if (character === '<' || character === '>') {
      while (at < text.length && '<>&|'.includes(text[at] as string)) at++;
      isRedirected = true;
    } else {
      const end = shellWordEnd(text, at);
      const word = command.slice(at, end);
      at = end;
      const isDescriptor = /^\d+$/.test(word) && (text[end] === '<' || text[end] === '>');
      if (isRedirected) isRedirected = false;
      else if (isDescriptor || isPreparation || word.startsWith('-') || /^[A-Za-z_]\w*\+?=/.test(word))
        continue;
      else if (PREPARATIONS.has(fileName(word))) {
        preparation ||= fileName(word);
        isPreparation = true;
      } else if (!PREFIXES.has(fileName(word))) {
        return UNCLEAR.test(command.slice(0, end)) ? '' : baseName(word);
      }
    }
  }
  return preparation;
}

/** The first word when it is made of characters that mean nothing to a shell, else nothing: the usual case, and cheap. */
function plainWord(command: string): string {
  const end = /[^\w./+-]/.exec(command.slice(0, LONGEST_LOOK))?.index ?? command.length;
  const next = command[end];
  return command[0] !== '-' && (next === undefined || next === ' ' || next === '\t')
    ? command.slice(0, end)
    : '';
}

/** Offset behind a word of a skeleton; a substitution is part of its word, whatever stands in it. */
function shellWordEnd(text: string, from: number): number {
  let depth = 0;
  let at = from;
  for (; at < text.length; at++) {
    const character = text[at] as string;
    if (character === '`') {
      const close = text.indexOf('`', at + 1);
      if (close === -1) return text.length;
      at = close;
    } else if (character === '(' && (depth > 0 || text[at - 1] === '$')) depth++;
    else if (character === ')' && depth > 0) depth--;
    else if (depth === 0 && ' \t;&|()<>'.includes(character)) break;
  }
  return at;
}

function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** What a word of a command calls a program; empty when that is not plain. */
function baseName(word: string): string {
  const base = fileName(word.replace(/^["']|["']$/g, ''));
  const variable = /^\$\{?(\w+)\}?$/.exec(base)?.[1];
  return variable ?? (/^[\w.+@-]+$/.test(base) ? base : '');
}
