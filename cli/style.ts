import { stripVTControlCharacters, styleText } from 'node:util';
import type { Io, Output } from '../shared/adapters/command-line.ts';
import type { Paint } from '../shared/core/diagnostic-text.ts';

type Format = Parameters<typeof styleText>[0];

/** Colours for a stream: only on a terminal, and not where NO_COLOR is set. @see https://no-color.org */
export function colours(output: Output, env: Io['env']): (format: Format, text: string) => string {
  const isOn = output.isTTY === true && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb';
  return (format, text) => (isOn ? styleText(format, text, { validateStream: false }) : text);
}

const ROLES = {
  error: ['red', 'bold'],
  warning: ['yellow', 'bold'],
  note: ['blue', 'bold'],
  help: ['cyan'],
  frame: ['dim'],
} as const satisfies Record<Parameters<Paint>[0], Format>;

/** Colours of diagnostics. */
export function diagnosticPaint(output: Output, env: Io['env']): Paint {
  const paint = colours(output, env);
  return (role, text) => paint([...ROLES[role]], text);
}

/** Rows as aligned columns, two blanks apart; the last column is not padded. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, width(cell));
  }
  return rows
    .map((row) =>
      row
        .map((cell, index) =>
          index === row.length - 1 ? cell : cell + ' '.repeat((widths[index] as number) - width(cell)),
        )
        .join('  '),
    )
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}

function width(cell: string): number {
  return stripVTControlCharacters(cell).length;
}

/** A span of time as people say it: `0.4s`, `12s`, `3m 20s`, `2h 05m`, `3d 04h`. */
export function spanText(ms: number): string {
  const seconds = ms / 1000;
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  if (seconds < 10) return `${seconds.toFixed(1)}s`;
  if (seconds < 60) return `${Math.floor(seconds)}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${two(seconds % 60)}s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h ${two((seconds % 3600) / 60)}m`;
  return `${Math.floor(seconds / 86_400)}d ${two((seconds % 86_400) / 3600)}h`;
}
