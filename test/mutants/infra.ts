import type { Mutants } from './mutant.ts';

const SCHEDULES = 'test/infra/schedules.test.ts';
const CORE = 'test/infra/core-stack.test.ts';
const INPUT = 'test/infra/input.test.ts';
const DELIVERY = 'test/core/target/delivery.test.ts';
const DRIFT = 'test/core/target/drift.test.ts';

/** What is deployed to AWS. */
export const INFRA: Mutants = {
  'shard-of-job': {
    promise: 'an edit moves no other entry to another stack',
    file: 'shared/core/target/delivery.ts',
    find: 'return stableHash(jobIdOf(crontab, job)) % shards;',
    replace: 'return (crontab.length + job.length) % shards;',
    test: DELIVERY,
  },
  'event-age': {
    promise: 'the ledger, and not the service, says that a run was missed',
    file: 'shared/core/target/delivery.ts',
    find: 'startingDeadlineMs) + MINUTE_MS;',
    replace: 'startingDeadlineMs) - MINUTE_MS;',
    test: DELIVERY,
  },
  'event-age-in-overlap': {
    promise: 'a delivery is tried long enough where a fixed time comes once in two hours',
    file: 'shared/core/target/delivery.ts',
    find: 'if (movesMinutes || (!schedule.followsRealTime && zone.changes.length > 0)) return undefined;',
    replace: 'if (movesMinutes) return undefined;',
    test: DELIVERY,
  },
  'suspended-schedule': {
    promise: 'a suspended entry has a schedule that does not deliver',
    file: 'shared/core/target/schedules.ts',
    find: "state: suspend === undefined ? 'ENABLED' : 'DISABLED',",
    replace: "state: 'ENABLED',",
    test: SCHEDULES,
  },
  'second-part': {
    promise: 'both expressions of an entry with two day fields are deployed',
    file: 'shared/core/target/schedules.ts',
    find: 'return cover.parts.map(({ expression, timeZone }, part) => ({',
    replace: 'return cover.parts.slice(0, 1).map(({ expression, timeZone }, part) => ({',
    test: SCHEDULES,
  },
  'empty-shard': {
    promise: 'a stack whose last schedule goes stays to delete it',
    file: 'infra/schedules.ts',
    find: "new CfnWaitConditionHandle(this, 'Shard');",
    replace: "if (jobs.length > 0) new CfnWaitConditionHandle(this, 'Shard');",
    test: SCHEDULES,
  },
  'shards-after-core': {
    promise: 'schedules are made after what they name',
    file: 'infra/kuber-cron.ts',
    find: 'stack.addStackDependency(this.core);',
    replace: '',
    test: SCHEDULES,
  },
  'other-targets': {
    promise: 'AWS gets no plan of what only others run',
    file: 'infra/crontab-plans.ts',
    find: "jobs.filter((job) => runsOn(job, 'aws'))",
    replace: 'jobs.filter((job) => runsOn(job, job.options.targets?.[0] ?? "aws"))',
    test: CORE,
  },
  'errors-emit-nothing': {
    promise: 'a crontab with errors deploys nothing',
    file: 'infra/crontab-plans.ts',
    find: 'if (errors.length > 0) {',
    replace: 'if (plans.length === 0) {',
    test: INPUT,
  },
  'auto-synth': {
    promise: 'after an error the CDK emits nothing by itself',
    file: 'infra/app.ts',
    find: 'new App({ autoSynth: false })',
    replace: 'new App()',
    test: INPUT,
  },
  'heartbeat-missing': {
    promise: 'that nothing is heard of the watchdog is an alarm',
    file: 'infra/alarms.ts',
    find: 'treatMissingData: TreatMissingData.BREACHING,',
    replace: 'treatMissingData: TreatMissingData.IGNORE,',
    test: CORE,
  },
  'wildcard-secrets': {
    promise: 'executors read the secrets of jobs and no others',
    file: 'infra/kuber-cron.ts',
    find: 'parameter${secretsPath}/${secret}`,',
    replace: 'parameter${secretsPath}/*`,',
    test: CORE,
  },
  'drift-unset': {
    promise: 'what somebody set that we never set is drift',
    file: 'shared/core/target/drift.ts',
    find: 'new Set([...wanted.keys(), ...there.keys()])',
    replace: 'new Set(wanted.keys())',
    test: DRIFT,
  },
  'drift-missing-in-list': {
    promise: 'a list that lags behind makes no drift',
    file: 'shared/core/target/drift.ts',
    find: 'const names = new Set(known.keys());',
    replace: 'const names = new Set<string>();',
    test: DRIFT,
  },
  'drift-disabled': {
    promise: 'a schedule that was disabled by hand is told as such',
    file: 'shared/core/target/drift.ts',
    find: "got === 'DISABLED'",
    replace: "got === 'ENABLED'",
    test: DRIFT,
  },
  'drift-after-failure': {
    promise: 'nothing more is asked of a service that refuses',
    file: 'shared/core/target/drift.ts',
    find: 'queue.length = 0;',
    replace: '',
    test: DRIFT,
  },
  'table-of-aws': {
    promise: 'operators retry what only AWS runs from its table',
    file: 'cli/operator.ts',
    find: "return table !== undefined && runsOn(job, 'aws') ? 'aws' : undefined;",
    replace: 'return undefined;',
    test: 'test/cli/operator.test.ts',
  },
  'store-stays': {
    promise: 'history stays when the stack is destroyed',
    file: 'infra/kuber-cron.ts',
    find: 'props.removalPolicy ?? RemovalPolicy.RETAIN',
    replace: 'props.removalPolicy ?? RemovalPolicy.DESTROY',
    test: CORE,
  },
};
