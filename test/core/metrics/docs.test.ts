import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { CLOSED_LABELS, METRICS } from '../../../shared/core/metrics/metrics.ts';

const PAGE = new URL('../../../docs/metrics.md', import.meta.url);
const MARK = /^<!-- From here on, .* -->\n/m;

/** The generated end of the page. */
function generated(): string {
  const metrics = Object.entries(METRICS).map(([name, { type, source, labels, help }]) => {
    const names = labels.map((label) => `\`${label}\``).join(', ') || '—';
    const from = source === 'scrape' ? 'run store and plan' : 'process';
    return `| \`${name}\` | ${type} | ${names} | ${from} | ${help} |`;
  });
  const values = Object.entries(CLOSED_LABELS).map(
    ([label, all]) => `| \`${label}\` | ${all.map((value) => `\`${value}\``).join(', ')} |`,
  );
  const buckets = Object.entries(METRICS).flatMap(([name, spec]) =>
    'buckets' in spec ? [`| \`${name}\` | ${spec.buckets.join(', ')} |`] : [],
  );
  return [
    '',
    '| Metric | Type | Labels | From | Meaning |',
    '|---|---|---|---|---|',
    ...metrics,
    '',
    '| Label | Values |',
    '|---|---|',
    ...values,
    '',
    '| Histogram | Upper bounds |',
    '|---|---|',
    ...buckets,
    '',
  ].join('\n');
}

/** The page cut after the mark. */
function parts(): { head: string; tail: string } {
  const page = readFileSync(PAGE, 'utf8');
  const mark = MARK.exec(page);
  if (mark === null) throw new Error('docs/metrics.md has no mark where the generated part begins');
  const end = mark.index + mark[0].length;
  return { head: page.slice(0, end), tail: page.slice(end) };
}

test('the page lists every metric as the table has it', () => {
  if (process.env.UPDATE_GOLDENS === '1') writeFileSync(PAGE, parts().head + generated());
  expect(parts().tail).toBe(generated());
});

test('the page speaks of no metric that there is not', () => {
  const series = Object.entries(METRICS).flatMap(([name, { type }]) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  );
  const spoken = parts().head.match(/\bkubercron_[a-z_]+/g) ?? [];
  expect(spoken.length).toBeGreaterThan(0);
  expect(spoken.filter((name) => !series.includes(name))).toEqual([]);
});
