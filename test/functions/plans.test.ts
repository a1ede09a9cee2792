import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { BundledPlans } from '../../functions/plans.ts';
import { canonicalJson } from '../../shared/core/plan/canonical-json.ts';
import { planHash } from '../../shared/core/plan/plan.ts';
import { planOf } from '../support/plan-of.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FOLDER = temporaryFolder();
const shop = planOf('CRON_TZ=Europe/Berlin\n# kuber-cron: name=backup\n30 4 * * * ./backup.sh\n');
const office = { ...planOf(''), crontab: 'office' };
writeFileSync(join(FOLDER, 'shop.json'), canonicalJson(shop));
writeFileSync(join(FOLDER, 'office.json'), canonicalJson(office));
const plans = new BundledPlans(FOLDER);

test('a plan is read by the name of its crontab, with its hash', () => {
  expect(plans.get('shop')).toEqual({ plan: shop, hash: planHash(shop) });
  expect(plans.get('shop')).toBe(plans.get('shop'));
});

test.each(['warehouse', '../shop', '', 'shop.json'])('there is none of %j', (crontab) => {
  expect(plans.get(crontab)).toBeUndefined();
});

test('all are read in the order of their names', () => {
  const expected = [office, shop].map((plan) => [plan.crontab, { plan, hash: planHash(plan) }]);
  expect([...plans.all()]).toEqual(expected);
});

test('one of another form is refused', () => {
  writeFileSync(join(FOLDER, 'other.json'), canonicalJson({ ...shop, crontab: 'other', format: 2 }));
  const message = `\`${join(FOLDER, 'other.json')}\` is no plan of crontab other in format 1: deploy the function again`;
  expect(() => plans.get('other')).toThrow(message);
});
