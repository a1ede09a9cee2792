import type { Span } from './source.ts';

/**
 * `error`: the crontab is not used. `warning`: legal, but most likely not what was meant; `--strict` makes it fail.
 * `note`: worth knowing, never a failure.
 */
export type Severity = 'error' | 'warning' | 'note';

/** Every diagnostic that there is. The slugs are API: `allow=` and people's scripts name them. */
export const DIAGNOSTICS = {
  // The file
  'byte-order-mark': { severity: 'error', title: 'the file begins with a byte order mark' },
  'carriage-return': { severity: 'error', title: 'lines end in CR LF' },
  'missing-final-newline': { severity: 'error', title: 'the last line does not end' },
  'not-utf-8': { severity: 'error', title: 'the file is not UTF-8' },
  'nul-character': { severity: 'error', title: 'the file contains a NUL character' },
  'file-too-large': { severity: 'error', title: 'the file is larger than a crontab can be' },
  // Environment settings
  'bad-setting': { severity: 'error', title: 'an environment setting that crons refuse' },
  'empty-setting': { severity: 'error', title: 'an environment setting without a value' },
  'setting-too-long': { severity: 'error', title: 'an environment setting that Debian would cut' },
  'too-many-settings': { severity: 'error', title: 'more environment settings than crons take' },
  'unknown-time-zone': { severity: 'error', title: 'CRON_TZ is not a time zone' },
  'ignored-setting': { severity: 'warning', title: 'a setting that cannot be changed' },
  'setting-hides-entry': { severity: 'warning', title: 'an entry behind a setting is no entry' },
  'credential-in-setting': { severity: 'warning', title: 'a setting looks like a credential' },
  'mailto-ignored': { severity: 'warning', title: 'no mail is sent' },
  'unexpanded-setting': { severity: 'warning', title: 'a setting is not expanded by any shell' },
  // Entries
  'missing-fields': { severity: 'error', title: 'fewer than five time fields' },
  'missing-command': { severity: 'error', title: 'an entry without a command' },
  'missing-user': { severity: 'error', title: 'a system crontab entry without a user' },
  'foreign-user': { severity: 'error', title: 'an entry of another user' },
  'unknown-nickname': { severity: 'error', title: 'an @ word that no cron knows' },
  'value-out-of-range': { severity: 'error', title: 'a value outside its field' },
  'unknown-value': { severity: 'error', title: 'a value that is no number or name' },
  'reversed-range': { severity: 'error', title: 'a range that runs backwards' },
  'step-without-range': { severity: 'error', title: 'a step without a range' },
  'empty-list-item': { severity: 'error', title: 'a list with an empty item' },
  'unsupported-field-syntax': { severity: 'error', title: 'syntax of another scheduler' },
  'hash-needs-name': { severity: 'error', title: '`H` in an entry without a name' },
  'bad-command-start': { severity: 'error', title: 'a command that crons refuse' },
  'command-too-long': { severity: 'error', title: 'a command that Debian refuses' },
  'both-day-fields': { severity: 'warning', title: 'both day fields are set' },
  'never-fires': { severity: 'warning', title: 'a day that never comes' },
  'oversized-step': { severity: 'warning', title: 'a step larger than its range' },
  'sixth-field': { severity: 'warning', title: 'the command begins like a time field' },
  'user-column': { severity: 'warning', title: 'the command begins with a user name' },
  'unescaped-percent': { severity: 'warning', title: 'a `%` ends the command' },
  'double-backslash': { severity: 'warning', title: 'crons differ about two backslashes' },
  'dst-transition': { severity: 'warning', title: 'a time inside a clock change' },
  'merged-starts': { severity: 'warning', title: 'starts that merge in a clock change' },
  'crowded-minute': { severity: 'warning', title: 'many jobs start on one minute' },
  'timeout-exceeds-gap': { severity: 'warning', title: 'the timeout is longer than the gap' },
  'unbalanced-quote': { severity: 'warning', title: 'a quote is not closed' },
  'bash-syntax': { severity: 'warning', title: 'bash syntax under a POSIX shell' },
  'redirect-order': { severity: 'warning', title: '`2>&1` before the redirection' },
  'trailing-backslash': { severity: 'warning', title: 'a line is not continued' },
  // Directives
  'bad-directive': { severity: 'error', title: 'a directive line that cannot be read' },
  'unknown-key': { severity: 'error', title: 'a key that does not exist' },
  'duplicate-key': { severity: 'error', title: 'a key twice' },
  'bad-value': { severity: 'error', title: 'a value that the key does not take' },
  'key-not-in-defaults': { severity: 'error', title: 'a key that belongs to one job' },
  'detached-directive': { severity: 'error', title: 'a directive with no entry below it' },
  'disabled-entry-directive': { severity: 'warning', title: 'a directive above a commented-out entry' },
  'near-miss-directive': { severity: 'warning', title: 'a comment that is almost a directive' },
  // Jobs
  'duplicate-name': { severity: 'error', title: 'two jobs with one name' },
  'former-name-in-use': { severity: 'error', title: 'a history that would have two jobs' },
  'identical-entries': { severity: 'error', title: 'unnamed entries that nothing tells apart' },
  'unnamed-jobs': { severity: 'note', title: 'jobs without a name of their own' },
  // What a target cannot carry
  'missing-time-zone': { severity: 'error', title: 'a target that has no time zone of its own' },
  'missing-timeout': { severity: 'warning', title: 'a limit that nobody wrote' },
  'timeout-exceeds-target': { severity: 'error', title: 'a timeout that the target does not allow' },
  'memory-exceeds-target': { severity: 'error', title: 'more memory than the target has' },
  'unsupported-reboot': { severity: 'error', title: 'a target without a start' },
} as const satisfies Record<string, { severity: Severity; title: string }>;

export type DiagnosticCode = keyof typeof DIAGNOSTICS;

/** Codes that `allow=` takes. */
export const ALLOWABLE_CODES: readonly DiagnosticCode[] = (
  Object.keys(DIAGNOSTICS) as DiagnosticCode[]
).filter((code) => DIAGNOSTICS[code].severity !== 'error');

/** One finding about a crontab. Data only: rendering is in `diagnostic-text.ts`. */
export interface Diagnostic {
  readonly code: DiagnosticCode;
  readonly severity: Severity;
  /** Smallest text at fault. */
  readonly span: Span;
  /** The fact: what was got and what is allowed. One line, no full stop. */
  readonly message: string;
  /** How to mend it. */
  readonly help?: string;
  readonly related?: readonly { readonly span: Span; readonly message: string }[];
}

/** What a finding says; its severity comes from the catalogue. */
export type Finding = Omit<Diagnostic, 'severity'>;

/** Codes that an entry, or everything from a line on, silences. */
export type AllowedCodes = ReadonlySet<DiagnosticCode>;

export const NOTHING_ALLOWED: AllowedCodes = new Set();

/** More than anybody mends at once; a file of faults alone must not exhaust memory. */
const MOST_KEPT = 100_000;

/** Collects findings: sorts out what is allowed, keeps a bounded number and counts the rest. */
export class DiagnosticSink {
  readonly #kept: Diagnostic[] = [];
  readonly #dropped: Record<Severity, number> = { error: 0, warning: 0, note: 0 };

  add(finding: Finding, allowed: AllowedCodes = NOTHING_ALLOWED): void {
    const { severity } = DIAGNOSTICS[finding.code];
    if (severity !== 'error' && allowed.has(finding.code)) return;
    if (this.#kept.length < MOST_KEPT) this.#kept.push({ ...finding, severity });
    else this.#dropped[severity]++;
  }

  /** In the order of the text. */
  finish(): Diagnostics {
    return new Diagnostics(
      this.#kept.sort((a, b) => a.span.start - b.span.start || a.span.end - b.span.end),
      this.#dropped,
    );
  }
}

/** All findings about one crontab, in the order of the text. */
export class Diagnostics {
  readonly list: readonly Diagnostic[];
  readonly #dropped: Readonly<Record<Severity, number>>;

  constructor(list: readonly Diagnostic[], dropped: Readonly<Record<Severity, number>>) {
    this.list = list;
    this.#dropped = dropped;
  }

  /** How many there are of a severity, those counted but not kept included. */
  count(severity: Severity): number {
    let count = this.#dropped[severity];
    for (const diagnostic of this.list) if (diagnostic.severity === severity) count++;
    return count;
  }

  get hasErrors(): boolean {
    return this.count('error') > 0;
  }
}
