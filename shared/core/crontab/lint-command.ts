import { firstUnescapedPercent } from './command.ts';
import type { Entry } from './entry.ts';
import type { Report } from './lint-report.ts';
import { shellSkeleton } from './shell.ts';

/** Users of system crontabs that are no programs. */
const USER_NAMES = new Set([
  'root',
  'www-data',
  'nobody',
  'operator',
  'ubuntu',
  'ec2-user',
  'apache',
  'http',
]);
const FIELD_LIKE =
  /^(?:\?|\*|\d+(?:[-,/]\d+)*|\d+-\d+\/\d+|(?:mon|tue|wed|thu|fri|sat|sun)(?:[-,](?:mon|tue|wed|thu|fri|sat|sun))*)$/i;

/** Finds what a command most likely was not meant to do, up to a closed list of traps of the shell. */
export function lintCommand(entry: Entry, report: Report): void {
  const { commandText, commandSpan } = entry;
  const at = (start: number, end: number) => ({
    start: commandSpan.start + start,
    end: commandSpan.start + end,
  });
  const [firstWord = '', secondWord] = commandText.split(/[ \t]+/, 2);
  if (FIELD_LIKE.test(entry.user ?? firstWord) && (secondWord !== undefined || entry.user !== undefined)) {
    report(
      'sixth-field',
      entry.userSpan ?? at(0, firstWord.length),
      `\`${entry.user ?? firstWord}\` stands after five time fields, so it is the ${entry.user === undefined ? 'program that runs' : 'user'}`,
      'a crontab has no seconds and no years: remove the extra field',
    );
  } else if (entry.user === undefined && USER_NAMES.has(firstWord) && secondWord !== undefined) {
    report(
      'user-column',
      at(0, firstWord.length),
      `\`${firstWord}\` is run as a program: only system crontabs such as /etc/crontab have a user column`,
      'remove the user, or read the file with `--system`',
    );
  }

  const marker = commandText.includes('kuber-cron:') ? /#[ \t]*kuber-cron:/.exec(commandText) : null;
  if (marker !== null) {
    report(
      'near-miss-directive',
      at(marker.index, marker.index + marker[0].length),
      'a directive line is a line of its own: behind a command it is part of the command',
      'put it on the line above the entry',
    );
  }

  const backslashes = commandText.indexOf('\\\\');
  const percent = firstUnescapedPercent(commandText);
  if (percent !== -1) {
    report(
      'unescaped-percent',
      at(percent, percent + 1),
      'an unescaped `%` ends the command; what follows is its standard input',
      'write `\\%` for a percent sign, also inside quotes; if input is meant, say so by `# kuber-cron: allow=unescaped-percent`',
    );
  }
  if (backslashes !== -1 && (percent === -1 || backslashes < percent)) {
    report(
      'double-backslash',
      at(backslashes, backslashes + 2),
      "Debian's cron, and kuber-cron, make one backslash of two; cronie leaves both",
      'put the command into a script, so that every cron means the same',
    );
  }
  lintShell(entry, percent, report);
}

/** Every command that a rule below may object to has one of these; most have none. */
const WORTH_A_LOOK = /['"`\\]|2>&1[ \t]+1?>|\[\[|&>|<\(|source/;

/** @param percent offset of the `%` that ends the command, or -1 */
function lintShell(entry: Entry, percent: number, report: Report): void {
  const { commandText, commandSpan, environment } = entry;
  if (!WORTH_A_LOOK.test(commandText)) return;
  const shell = environment.get('SHELL') ?? '/bin/sh';
  if (!/(?:^|\/)(?:ba|da|a|k|z|mk|ya)?sh$/.test(shell)) return;
  if (/(?<!\\)(?:\\\\)*\\$/.test(commandText)) {
    report(
      'trailing-backslash',
      { start: commandSpan.end - 1, end: commandSpan.end },
      'a crontab line is not continued by a backslash: the next line is an entry of its own',
      'write the command on one line, or put it into a script',
    );
    return;
  }
  const hasInput = percent !== -1;
  const command = hasInput ? commandText.slice(0, percent) : commandText;
  const skeleton = shellSkeleton(command);
  const span = (start: number, end: number) => ({
    start: commandSpan.start + start,
    end: commandSpan.start + end,
  });
  if (skeleton.openQuote !== undefined) {
    // A `%` inside quotes cuts them in two, and is reported itself.
    if (!hasInput) {
      report(
        'unbalanced-quote',
        span(skeleton.openQuote, skeleton.openQuote + 1),
        `this ${command[skeleton.openQuote] === '`' ? 'backquote' : 'quote'} is not closed: the shell refuses the command`,
        'close it, or write `\\` before it if it is meant literally',
      );
    }
    return;
  }
  const redirect = /\b2>&1[ \t]+(?:1?>>?)(?![&>(])[ \t]*(?!\/dev\/null\b)[^\s;&|<>()]+(?![^;&]*\|)/.exec(
    skeleton.text,
  );
  if (redirect !== null) {
    report(
      'redirect-order',
      span(redirect.index, redirect.index + redirect[0].length),
      '`2>&1` copies where standard output goes at that moment, so errors do not go to the file',
      'write `>file 2>&1`',
    );
  }
  if (!/(?:^|\/)(?:da|a)?sh$/.test(shell)) return;
  for (const { pattern, what } of BASH_ONLY) {
    const found = pattern.exec(skeleton.text);
    if (found === null) continue;
    const start = found.index + (found[1]?.length ?? 0);
    report(
      'bash-syntax',
      span(start, found.index + found[0].length),
      `${what} is bash, but the command runs under \`${shell}\``,
      'write `SHELL=/bin/bash` above the entry, or use what POSIX has',
    );
    return;
  }
}

/** What stands before a finding is the first group. */
const BASH_ONLY = [
  { pattern: /((?:^|[;&|(]|\b(?:if|while|until|then|do|else|!)\s)\s*)\[\[(?=\s)/, what: '`[[`' },
  { pattern: /((?:^|[;&|(]|\b(?:then|do|else)\s)\s*)source(?=\s)/, what: '`source`' },
  { pattern: /(?<![<>\d])&>>?/, what: '`&>`' },
  { pattern: /<\(/, what: '`<(…)`' },
] as const;
