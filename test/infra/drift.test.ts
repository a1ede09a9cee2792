import { expect, test } from '@jest/globals';
import { expectedSchedules, findDrift } from '../../shared/core/target/drift.ts';
import { DEFAULT_DEPLOYMENT, DEFAULT_MEMORY, DEFAULT_SHARDS, Names } from '../../shared/core/target/names.ts';
import { deployedBy, readerOf } from '../support/deployed-schedules.ts';
import { planOf } from '../support/plan-of.ts';
import { buildFunctions, synthesize } from '../support/synthesize.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FOLDER = temporaryFolder();
buildFunctions(FOLDER);

const CRONTAB = `CRON_TZ=Europe/Berlin
# kuber-cron: defaults timeout=4m allow=both-day-fields,never-fires,dst-transition
# kuber-cron: name=backup memory=2Gi starting-deadline=2h description="Dump the shop"
30 4 * * *   true
# kuber-cron: name=report suspend="until spring"
0 9 1 * mon  true
# kuber-cron: name=queue
*/5 * * * *  true
# kuber-cron: name=elsewhere targets=daemon
@reboot      true
# kuber-cron: name=never
0 9 30 2 *   true
`;

type Values = Partial<Record<'memory' | 'shards', number>> & { readonly name?: string };

test.each<[what: string, given: Values]>([
  ['by default', {}],
  ['with a name, a memory and shards of its own', { name: 'shop-2', memory: 1024, shards: 3 }],
])('what the stacks make %s is what drift looks for', async (_what, given) => {
  const stacks = synthesize(FOLDER, { shop: CRONTAB }, given);
  const { name = DEFAULT_DEPLOYMENT, memory = DEFAULT_MEMORY, shards = DEFAULT_SHARDS } = given;
  const made = deployedBy(stacks);
  const expected = expectedSchedules([planOf(CRONTAB)], { names: new Names(name), memory }, shards);
  expect(await findDrift(expected, name, readerOf(made), () => {})).toEqual([]);
  // Each where it is said to be.
  const stackOf = new Map(
    stacks.flatMap((stack) => [...deployedBy([stack]).keys()].map((schedule) => [schedule, stack.name])),
  );
  expect(new Map(expected.map(({ schedule, stack }) => [schedule.name, stack]))).toEqual(stackOf);
  expect(made.size).toBe(5);
});
