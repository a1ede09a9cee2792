import { describe, expect, test } from '@jest/globals';
import { readPrometheusText } from './prometheus-text.ts';

const HEAD = '# HELP a_total what it is\n# TYPE a_total counter\n';
const HISTOGRAM = '# HELP h what it is\n# TYPE h histogram\n';

describe('reading the text format of Prometheus', () => {
  test('gives metrics and samples in their order', () => {
    const page = `${HEAD}a_total{x="1\\\\2\\"3\\n4,}",y=""} 5\n\n${HISTOGRAM}h_bucket{le="0.5"} 1\nh_bucket{le="+Inf"} 2\nh_sum 9.5\nh_count 2\n`;
    expect(readPrometheusText(page)).toEqual([
      {
        name: 'a_total',
        help: 'what it is',
        type: 'counter',
        samples: [{ suffix: '', labels: { x: '1\\2"3\n4,}', y: '' }, value: 5 }],
      },
      {
        name: 'h',
        help: 'what it is',
        type: 'histogram',
        samples: [
          { suffix: '_bucket', labels: { le: '0.5' }, value: 1 },
          { suffix: '_bucket', labels: { le: '+Inf' }, value: 2 },
          { suffix: '_sum', labels: {}, value: 9.5 },
          { suffix: '_count', labels: {}, value: 2 },
        ],
      },
    ]);
  });

  test.each([
    ['a last line without an end', 'the last line does not end', `${HEAD}a_total 1`],
    ['a sample before its metric', 'a sample before any metric', 'a_total 1\n'],
    ['HELP without TYPE', 'no TYPE after HELP', '# HELP a_total what it is\na_total 1\n'],
    ['an unknown type', 'no TYPE after HELP', '# HELP a what it is\n# TYPE a number\n'],
    ['a metric twice', 'a_total comes twice', `${HEAD}${HEAD}`],
    ['a sample among those of another metric', 'a sample of b_total among', `${HEAD}b_total 1\n`],
    ['a sample without a value', 'malformed line', `${HEAD}a_total\n`],
    ['a value that is no number', 'malformed line', `${HEAD}a_total undefined\n`],
    ['a raw quote in a label value', 'malformed labels', `${HEAD}a_total{x="1"2"} 1\n`],
    ['a raw line end in a label value', 'malformed line', `${HEAD}a_total{x="1\n2"} 1\n`],
    ['an unknown escape', 'malformed labels', `${HEAD}a_total{x="\\t"} 1\n`],
    ['a label twice', 'the label x comes twice', `${HEAD}a_total{x="1",x="2"} 1\n`],
    [
      'a series twice',
      'a series of a_total comes twice',
      `${HEAD}a_total{x="1",y="2"} 1\na_total{y="2",x="1"} 1\n`,
    ],
    ['a bucket of a counter', 'no such series of a counter', `${HEAD}a_total_bucket{le="1"} 1\n`],
    ['a histogram without +Inf', 'bounds of h', `${HISTOGRAM}h_bucket{le="1"} 1\nh_sum 1\nh_count 1\n`],
    [
      'bounds that fall',
      'bounds of h',
      `${HISTOGRAM}h_bucket{le="2"} 1\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n`,
    ],
    [
      'counts that fall',
      'counts of h',
      `${HISTOGRAM}h_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n`,
    ],
    [
      'a count that is not that of +Inf',
      'the count is not that of',
      `${HISTOGRAM}h_bucket{le="+Inf"} 1\nh_sum 1\nh_count 2\n`,
    ],
    ['a histogram without a sum', 'lacks sum or count', `${HISTOGRAM}h_bucket{le="+Inf"} 1\nh_count 1\n`],
  ])('refuses %s', (_title, message, page) => {
    expect(() => readPrometheusText(page)).toThrow(message);
  });
});
