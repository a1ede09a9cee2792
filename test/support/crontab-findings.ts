import { type CheckOptions, checkCrontab } from '../../shared/core/crontab/check.ts';
import { CHECK_OPTIONS } from './crontab-fixtures.ts';

/** What `check` finds, as `code: text at fault`, without the note that jobs have no names. */
export function findings(source: string | Uint8Array, options: Partial<CheckOptions> = {}): string[] {
  const { text, diagnostics } = checkCrontab(source, { ...CHECK_OPTIONS, ...options });
  return diagnostics.list
    .filter(({ code }) => code !== 'unnamed-jobs')
    .map(({ code, span }) => `${code}: ${text.slice(span.start, span.end)}`);
}

/** The codes of `findings`. */
export function codes(source: string | Uint8Array, options: Partial<CheckOptions> = {}): string[] {
  return findings(source, options).map((one) => one.slice(0, one.indexOf(':')));
}
