/** A sample line; `suffix` is what a histogram's series adds to the name of its metric. */
export interface ReadSample {
  readonly suffix: '' | '_bucket' | '_sum' | '_count';
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What a page says about one metric. */
export interface ReadMetric {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly samples: readonly ReadSample[];
}

const HELP = /^# HELP ([a-z_]+) (.+)$/;
const TYPE = /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/;
const SAMPLE = /^([a-z_]+?)(_bucket|_sum|_count)?(?:\{(.*)\})? (-?[0-9.]+(?:e[+-][0-9]+)?)$/;
const LABEL = /([a-z_]+)="((?:[^"\\]|\\["\\n])*)"(?:,|$)/y;

/**
 * Reads a page in the text format of Prometheus, in its order, and refuses what is malformed: stricter than
 * Prometheus, which takes metrics without HELP or TYPE, for example.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function readPrometheusText(page: string): ReadMetric[] {
  const metrics: (ReadMetric & { samples: ReadSample[] })[] = [];
  if (!page.endsWith('\n')) throw new Error('the last line does not end');
  const lines = page.slice(0, -1).split('\n');
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] as string;
    const help = HELP.exec(line);
    if (help !== null) {
      const [, name, text] = help as unknown as [string, string, string];
      const type = TYPE.exec(lines[index + 1] ?? '');
      if (type?.[1] !== name) throw new Error(`no TYPE after HELP of ${name}`);
      if (metrics.some((metric) => metric.name === name)) throw new Error(`${name} comes twice`);
      metrics.push({ name, help: text, type: type[2] as string, samples: [] });
      index += 1;
    } else if (line !== '') {
      const metric = metrics.at(-1);
      if (metric === undefined) throw new Error(`a sample before any metric: ${line}`);
      metric.samples.push(readSample(line, metric));
    }
  }
  for (const metric of metrics) {
    refuseDuplicates(metric);
    if (metric.type === 'histogram') checkHistogram(metric);
  }
  return metrics;
}

function readSample(line: string, metric: ReadMetric): ReadSample {
  const match = SAMPLE.exec(line);
  if (match === null) throw new Error(`malformed line: ${line}`);
  const [, name, suffix = '', labels = '', value] = match;
  if (name !== metric.name) throw new Error(`a sample of ${name} among those of ${metric.name}`);
  if ((suffix !== '') !== (metric.type === 'histogram'))
    throw new Error(`no such series of a ${metric.type}: ${line}`);
  return { suffix: suffix as ReadSample['suffix'], labels: readLabels(labels), value: Number(value) };
}

const UNESCAPED: Readonly<Record<string, string>> = { '\\\\': '\\', '\\"': '"', '\\n': '\n' };

function readLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const match = LABEL.exec(text);
    if (match === null) throw new Error(`malformed labels: ${text}`);
    const [, name, value] = match as unknown as [string, string, string];
    if (name in labels) throw new Error(`the label ${name} comes twice: ${text}`);
    labels[name] = value.replace(/\\./g, (pair) => UNESCAPED[pair] as string);
  }
  return labels;
}

function refuseDuplicates({ name, samples }: ReadMetric): void {
  const seen = new Set<string>();
  for (const { suffix, labels } of samples) {
    const series = seriesOf(suffix, labels);
    if (seen.has(series)) throw new Error(`a series of ${name} comes twice: ${series}`);
    seen.add(series);
  }
}

function seriesOf(suffix: string, labels: Readonly<Record<string, string>>): string {
  return suffix + JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Buckets ascend and cumulate, the last is +Inf and equals `_count`, and there is a `_sum`. */
function checkHistogram({ name, samples }: ReadMetric): void {
  const histograms = new Map<string, ReadSample[]>();
  for (const sample of samples) {
    const { le: _le, ...labels } = sample.labels;
    const key = seriesOf('', labels);
    histograms.set(key, [...(histograms.get(key) ?? []), sample]);
  }
  for (const [key, series] of histograms) {
    const buckets = series.filter(({ suffix }) => suffix === '_bucket');
    const bounds = buckets.map(({ labels }) => Number(labels.le?.replace('+Inf', 'Infinity')));
    const isAscending = bounds.every((bound, index) => index === 0 || bound > (bounds[index - 1] as number));
    if (!isAscending || bounds.at(-1) !== Number.POSITIVE_INFINITY)
      throw new Error(`bounds of ${name} ${key}: ${bounds}`);
    const counts = buckets.map(({ value }) => value);
    if (counts.some((count, index) => count < (counts[index - 1] ?? 0)))
      throw new Error(`counts of ${name} ${key}: ${counts}`);
    const [sum, count, ...rest] = series.slice(buckets.length);
    if (sum?.suffix !== '_sum' || count?.suffix !== '_count' || rest.length > 0)
      throw new Error(`${name} ${key} lacks sum or count`);
    if (count.value !== counts.at(-1)) throw new Error(`${name} ${key}: the count is not that of +Inf`);
  }
}
