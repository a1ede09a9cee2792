export type Cell = string | number | undefined;

/** A figure that is asked for, and what came out. */
export interface Target {
  readonly what: string;
  readonly value: number;
  readonly atMost?: number;
  readonly atLeast?: number;
}

/** What one measurement gives: a table, what to read from it, and what was asked for. */
export interface Table {
  readonly title: string;
  /** The first names the rows. */
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
  readonly notes?: readonly string[];
  readonly targets?: readonly Target[];
}

function isMet({ value, atMost, atLeast }: Target): boolean {
  return value <= (atMost ?? Number.POSITIVE_INFINITY) && value >= (atLeast ?? Number.NEGATIVE_INFINITY);
}

export function markdown({ title, columns, rows, notes = [], targets = [] }: Table): string {
  const line = (cells: readonly Cell[]) => `| ${cells.map(text).join(' | ')} |`;
  const rule = columns.map((_, index) => (index === 0 ? '---' : '---:'));
  return [
    `### ${title}`,
    '',
    line(columns),
    `|${rule.join('|')}|`,
    ...rows.map(line),
    '',
    ...notes.map((note) => `- ${note}`),
    ...targets.map((target) => `- ${targetText(target)}`),
    '',
  ].join('\n');
}

function targetText(target: Target): string {
  const { what, value, atMost, atLeast } = target;
  const wanted = atMost === undefined ? `at least ${atLeast}` : `at most ${atMost}`;
  return `${isMet(target) ? 'Met' : '**Missed**'}: ${what}: ${text(value)} (${wanted})`;
}

/** Three digits are what such measurements are good for. */
function text(cell: Cell): string {
  if (cell === undefined || Number.isNaN(cell)) return '–';
  if (typeof cell === 'string') return cell;
  if (Number.isInteger(cell)) return cell.toLocaleString('en-US');
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(cell))));
  return cell.toLocaleString('en-US', {
    minimumFractionDigits: Math.min(digits, 3),
    maximumFractionDigits: Math.min(digits, 3),
  });
}
