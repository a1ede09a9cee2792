import { expect, test } from '@jest/globals';
import { diffPlans, type PlanDiff } from '../../../shared/core/plan/diff.ts';
import { planOf } from '../../support/plan-of.ts';

const backup = '# kuber-cron: name=backup timeout=10m\n30 2 * * * pg_dump shop\n';
const queue = '# kuber-cron: name=queue\n*/5 * * * * ./queue.sh\n';
const before = backup + queue;

const NOTHING: PlanDiff = { added: [], removed: [], changed: [] };

function changed(part: string, ...parts: string[]): PlanDiff {
  const all = [part, ...parts] as PlanDiff['changed'][number]['parts'];
  return { ...NOTHING, changed: [{ name: 'backup', parts: all, isAnotherJob: false }] };
}

test.each<[edit: string, after: string, diff: PlanDiff]>([
  ['nothing', before, NOTHING],
  ['another order', queue + backup, NOTHING],
  ['a comment', `# hello\n\n${before}`, NOTHING],
  ['another spelling of the same times', before.replace('30 2', '30 02'), NOTHING],
  [
    'an entry more',
    `${before}@daily ./new.sh\n`.replace('@daily', '# kuber-cron: name=new\n@daily'),
    { ...NOTHING, added: ['new'] },
  ],
  ['an entry less', queue, { ...NOTHING, removed: ['backup'] }],
  [
    'another name',
    before.replace('name=backup', 'name=dump'),
    { ...NOTHING, added: ['dump'], removed: ['backup'] },
  ],
  ['all entries gone', '', { ...NOTHING, removed: ['backup', 'queue'] }],
  ['another time', before.replace('30 2', '31 2'), changed('schedule')],
  [
    'another zone',
    `CRON_TZ=Asia/Tokyo\n${backup}`,
    {
      ...changed('zone', 'environment'),
      removed: ['queue'],
    },
  ],
  ['another command', before.replace('dump shop', 'dump -v shop'), changed('command')],
  ['standard input', before.replace('dump shop', 'dump shop%y'), changed('stdin')],
  ['another option', before.replace('10m', '20m'), changed('options')],
  ['an option less', before.replace(' timeout=10m', ''), changed('options')],
  [
    'another time and option',
    before.replace('30 2', '31 2').replace('10m', '20m'),
    changed('schedule', 'options'),
  ],
  [
    'a name that slid to another job',
    before.replace('30 2 * * * pg_dump shop', '0 9 * * 1 ./report.sh'),
    { ...NOTHING, changed: [{ name: 'backup', parts: ['schedule', 'command'], isAnotherJob: true }] },
  ],
  [
    'two names exchanged',
    before
      .replace('name=queue', 'name=x')
      .replace('name=backup', 'name=queue')
      .replace('name=x', 'name=backup'),
    {
      ...NOTHING,
      changed: [
        { name: 'backup', parts: ['schedule', 'command', 'options'], isAnotherJob: true },
        { name: 'queue', parts: ['schedule', 'command', 'options'], isAnotherJob: true },
      ],
    },
  ],
])('%s', (_edit, after, diff) => {
  expect(diffPlans(planOf(before), planOf(after))).toEqual(diff);
});
