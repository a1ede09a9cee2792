import { shellSkeleton } from './shell.ts';

/** A program that a command starts. */
export interface Program {
  /** As written, without double quotes; may begin with `~/`, and may hold `$NAME` and `${NAME}`. */
  readonly word: string;
  /** Where the word stands in the command. */
  readonly start: number;
  readonly end: number;
  /** Where the command has gone by `cd`: an absolute folder, or one below its home folder; undefined when unknown. */
  readonly folder: string | undefined;
}

/** What stands before a command without being one. */
const BEFORE_A_COMMAND = new Set([
  ...['!', '{', 'if', 'then', 'else', 'elif', 'while', 'until', 'do'],
  ...['time', 'exec', 'command', 'builtin', 'coproc'],
]);

/** What ends a compound command, or begins what is no command. */
const NO_COMMAND = new Set(['}', 'fi', 'done', 'for', 'select', 'in']);

/** What POSIX shells, bash, ksh and zsh do themselves. */
const BUILTINS = new Set([
  ...[':', '[', 'alias', 'bg', 'bind', 'break', 'caller', 'cd', 'compgen', 'complete', 'compopt', 'continue'],
  ...[
    'declare',
    'dirs',
    'disown',
    'echo',
    'enable',
    'exit',
    'export',
    'false',
    'fc',
    'fg',
    'getopts',
    'hash',
  ],
  ...[
    'help',
    'history',
    'jobs',
    'kill',
    'let',
    'local',
    'logout',
    'mapfile',
    'popd',
    'print',
    'printf',
    'pushd',
  ],
  ...['pwd', 'read', 'readarray', 'readonly', 'return', 'set', 'setopt', 'shift', 'shopt', 'suspend', 'test'],
  ...['times', 'trap', 'true', 'type', 'typeset', 'ulimit', 'umask', 'unalias', 'unset', 'wait', 'whence'],
]);

/** Programs that start another one, and what may stand between: options, and so many operands. */
const STARTERS: Readonly<Record<string, { readonly valued: RegExp; readonly operands: number }>> = {
  chronic: { valued: /^$/, operands: 0 },
  env: { valued: /^-[uCS]$/, operands: 0 },
  flock: { valued: /^-[wE]$/, operands: 1 },
  ionice: { valued: /^-[cn]$/, operands: 0 },
  nice: { valued: /^-n$/, operands: 0 },
  nohup: { valued: /^$/, operands: 0 },
  setsid: { valued: /^$/, operands: 0 },
  stdbuf: { valued: /^-[ioe]$/, operands: 0 },
  sudo: { valued: /^-[ugC]$/, operands: 0 },
  timeout: { valued: /^-[ks]$/, operands: 1 },
};

/** From here on a name may be anything: a function, what a sourced file makes of it, found on a new PATH. */
const UNKNOWABLE = /^(?:case|function|eval|source|\.|\[\[|\(\()$/;

const ASSIGNMENT = /^[A-Za-z_]\w*\+?=/;
const NAME = /^"?(?:~\/)?(?:[\w./@:+,-]|\$\w+|\$\{\w+\})+"?$/;

/** Longer commands are looked at so far only. Characters. */
const LONGEST_LOOK = 4000;

/**
 * The programs that a command starts under a POSIX shell, in their order. Errs on the side of silence: what could be a
 * function, a piece of other syntax or a name made at run time is left out, and so is what the command asks after
 * itself (`test -x …`, `command -v …`).
 */
export function programsOf(command: string): readonly Program[] {
  const source = command.slice(0, LONGEST_LOOK);
  const { text, openQuote } = shellSkeleton(source);
  if (openQuote !== undefined) return [];
  return new Reader(source, text).read();
}

/** How far a simple command has been read: before its name, inside it, or between a starter and what it starts. */
type Place =
  | 'name'
  | 'words'
  | { readonly starter: string; readonly operands: number; readonly value?: true };

class Reader {
  readonly #source: string;
  readonly #text: string;
  readonly #found: Program[] = [];
  /** What goes on behind the parenthesis or backquote that is open. */
  readonly #outer: { readonly place: Place; readonly folder: string | undefined }[] = [];
  #place: Place = 'name';
  #folder: string | undefined = '';
  /** The next word is the target of a redirection. */
  #isRedirected = false;
  #hasFolderNext = false;
  #isInBackquotes = false;

  constructor(source: string, text: string) {
    this.#source = source;
    this.#text = text;
  }

  read(): readonly Program[] {
    for (let at = 0; at < this.#text.length; ) {
      const next = this.#step(at);
      if (next === undefined) break;
      at = next;
    }
    return this.#found.filter(({ word }) => !this.#asksAfter(word));
  }

  /** @returns where to go on; undefined when nothing behind can be told */
  #step(at: number): number | undefined {
    const rest = this.#text.slice(at);
    const [blank] = /^[ \t\n]+/.exec(rest) ?? [];
    if (blank !== undefined) return at + blank.length;
    if (/^\$?\(\(/.test(rest)) return undefined;
    const [redirection] = /^(?:\d*|&)(?:[<>]+[&|-]?|>\|)(?!\()/.exec(rest) ?? [];
    if (redirection !== undefined) {
      this.#isRedirected = true;
      return at + redirection.length;
    }
    const [opening] = /^(?:[$<>]?\()/.exec(rest) ?? [];
    if (opening !== undefined) return this.#open(at + opening.length);
    if (rest[0] === '`') return this.#isInBackquotes ? this.#close(at + 1, false) : this.#open(at + 1, true);
    if (rest[0] === ')') return this.#close(at + 1, true);
    if (/^[;&|]/.test(rest)) {
      this.#place = 'name';
      this.#hasFolderNext = false;
      return at + 1;
    }
    return this.#word(at);
  }

  #open(next: number, isBackquote = false): number {
    this.#outer.push({ place: this.#place === 'name' ? 'words' : this.#place, folder: this.#folder });
    if (isBackquote) this.#isInBackquotes = true;
    this.#place = 'name';
    this.#isRedirected = false;
    return next;
  }

  #close(next: number, isParenthesis: boolean): number | undefined {
    const outer = this.#outer.pop();
    // That of a pattern.
    if (outer === undefined) return undefined;
    if (!isParenthesis) this.#isInBackquotes = false;
    this.#place = outer.place;
    this.#folder = outer.folder;
    // What follows at once belongs to the word of the substitution.
    return next + (/^[^\s;&|()`<>]*/.exec(this.#text.slice(next))?.[0].length ?? 0);
  }

  #word(at: number): number | undefined {
    const length = /^(?:\$\{[^}]*\}|[^\s;&|()<>`$]|\$(?!\())+/.exec(this.#text.slice(at))?.[0].length ?? 1;
    const end = at + length;
    const word = this.#source.slice(at, end);
    // A word that goes on with a substitution is known at run time only.
    const isWhole = !(this.#isInBackquotes ? /^\$\(/ : /^(?:\$\(|`)/).test(this.#text.slice(end));
    if (this.#isRedirected) {
      this.#isRedirected = false;
      return end;
    }
    if (this.#place === 'words') {
      this.#goTo(word, isWhole);
      return end;
    }
    if (this.#place === 'name') return this.#name(word, at, end, isWhole);
    return this.#started(this.#place, word, at, end, isWhole);
  }

  #name(word: string, at: number, end: number, isWhole: boolean): number | undefined {
    if (ASSIGNMENT.test(word)) {
      const isPlain = this.#text[end] !== '(' && !word.startsWith('PATH=');
      return isPlain ? end : undefined;
    }
    if (BEFORE_A_COMMAND.has(word)) {
      // `exec -a NAME`, `command -v NAME`.
      return /^[ \t]+-/.test(this.#text.slice(end)) ? this.#skip(end) : end;
    }
    if (UNKNOWABLE.test(word) || /^\s*\(/.test(this.#text.slice(end))) return undefined;
    this.#place = 'words';
    this.#hasFolderNext = word === 'cd';
    if (word === 'cd' && /^[ \t]*(?:[;&|]|$)/.test(this.#text.slice(end))) this.#folder = '';
    if (/^(?:export|declare|typeset)$/.test(word) && /^[ \t]+PATH=/.test(this.#text.slice(end)))
      return undefined;
    if (NO_COMMAND.has(word) || BUILTINS.has(word)) return end;
    if (!isWhole || !NAME.test(word)) return end;
    this.#found.push({ word: word.replaceAll('"', ''), start: at, end, folder: this.#folder });
    const starter = word.slice(word.lastIndexOf('/') + 1);
    const how = STARTERS[starter];
    if (how !== undefined) this.#place = { starter, operands: how.operands };
    return end;
  }

  #skip(end: number): number {
    this.#place = 'words';
    return end;
  }

  /** A word behind a program that starts another one. */
  #started(
    place: Exclude<Place, string>,
    word: string,
    at: number,
    end: number,
    isWhole: boolean,
  ): number | undefined {
    const { starter, operands, value } = place;
    const how = STARTERS[starter] as (typeof STARTERS)[string];
    if (value === true) this.#place = { starter, operands };
    else if (starter === 'flock' && /^-c$|^--command/.test(word)) this.#place = 'words';
    else if (starter === 'env' && /^-[SC]|^--(?:split|chdir)/.test(word)) this.#place = 'words';
    else if (word.startsWith('-'))
      this.#place = how.valued.test(word) ? { starter, operands, value: true } : place;
    else if (starter === 'env' && ASSIGNMENT.test(word)) {
      if (word.startsWith('PATH=')) this.#place = 'words';
    } else if (operands > 0) this.#place = { starter, operands: operands - 1 };
    else {
      this.#place = 'name';
      return this.#startedName(word, at, end, isWhole);
    }
    return end;
  }

  /** What a program starts is a program: it knows no builtins. */
  #startedName(word: string, at: number, end: number, isWhole: boolean): number | undefined {
    if (BUILTINS.has(word) || BEFORE_A_COMMAND.has(word)) {
      this.#place = 'words';
      return end;
    }
    return this.#name(word, at, end, isWhole);
  }

  /** The operand of `cd`. */
  #goTo(word: string, isWhole: boolean): void {
    if (!this.#hasFolderNext) return;
    this.#hasFolderNext = false;
    const folder = word.replaceAll('"', '');
    if (!isWhole || !/^[\w./@:+,-]+$/.test(folder) || folder.startsWith('-')) this.#folder = undefined;
    else if (folder.startsWith('/')) this.#folder = folder;
    else
      this.#folder =
        this.#folder === undefined ? undefined : `${this.#folder}${this.#folder && '/'}${folder}`;
  }

  /** Whether the command itself looks whether a program is there. */
  #asksAfter(word: string): boolean {
    const name = word.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
    return new RegExp(`(?:-[xefs]|-[vV]|which|type|hash)[ \\t]+"?${name}(?![\\w./-])`).test(this.#source);
  }
}
