import type { CheckedCrontab } from './check.ts';

/** A mended crontab; `text` is the very text that went in when there was nothing to do. */
export interface Fixed {
  readonly text: string;
  readonly namesAdded: number;
  readonly newlineAdded: boolean;
}

/**
 * Writes down the name that each unnamed job has already, so that its history goes on, and ends the last line.
 * Every other character stays. A crontab with other faults is left alone: they want a person.
 */
export function fixCrontab({ text, crontab, names, diagnostics }: CheckedCrontab): Fixed {
  const newlineAdded = diagnostics.list.some(({ code }) => code === 'missing-final-newline');
  if (diagnostics.count('error') > (newlineAdded ? 1 : 0)) {
    return { text, namesAdded: 0, newlineAdded: false };
  }
  const parts: string[] = [];
  let copied = 0;
  let namesAdded = 0;
  for (const [index, entry] of crontab.entries.entries()) {
    if (entry.options.name !== undefined) continue;
    const lineStart = text.lastIndexOf('\n', entry.span.start - 1) + 1;
    const indent = text.slice(lineStart, entry.span.start);
    parts.push(text.slice(copied, lineStart), `${indent}# kuber-cron: name=${names[index]}\n`);
    copied = lineStart;
    namesAdded++;
  }
  parts.push(text.slice(copied));
  if (newlineAdded) parts.push('\n');
  return { text: parts.join(''), namesAdded, newlineAdded };
}
