import {
  type Command,
  CommandError,
  EXIT,
  type Invocation,
  OPTION,
  text,
  UsageError,
  whole,
} from '../shared/adapters/command-line.ts';
import { printable } from '../shared/core/diagnostic-text.ts';
import {
  type Difference,
  type Drift,
  expectedSchedules,
  findDrift,
  type ScheduleReader,
} from '../shared/core/target/drift.ts';
import {
  DEFAULT_DEPLOYMENT,
  DEFAULT_MEMORY,
  DEFAULT_SHARDS,
  DEPLOYMENT_NAME,
  isDeploymentName,
  MOST_SHARDS,
  Names,
} from '../shared/core/target/names.ts';
import { Progress } from './progress.ts';
import { loadCrontabs } from './sources.ts';
import { table } from './style.ts';

/** Rows that are shown; more scroll away unread. JSON has them all. */
const MOST_SHOWN = 100;
/** Longer values are cut. Characters. */
const LONGEST_VALUE = 120;

export const driftCommand: Command = {
  name: 'drift',
  summary: 'Compare the schedules that AWS has with those that crontabs ask for',
  examples: [
    ['kuber-cron drift crontab/production', 'what was changed behind the back of the deployment'],
    ['kuber-cron drift --name shop --memory 1024 crontab/', 'of a deployment with context values'],
    ['kuber-cron drift --format json crontab/production', 'for machines'],
  ],
  operands: 'FILE…|FOLDER…',
  options: {
    name: { type: 'string', value: 'APP', help: `name of the deployment (default: ${DEFAULT_DEPLOYMENT})` },
    zone: OPTION.zone,
    shards: {
      type: 'string',
      value: 'N',
      help: `stacks that share the schedules (default: ${DEFAULT_SHARDS})`,
    },
    memory: {
      type: 'string',
      value: 'MIB',
      help: `memory of the executor for jobs without \`memory\` (default: ${DEFAULT_MEMORY})`,
    },
    format: OPTION.format(['text', 'json']),
  },
  notes: `Give all crontabs of the deployment, and the values that it was deployed with by \`-c name=…\`, \`zone\`, \`shards\` and
\`memory\`. Account and region are those of AWS_PROFILE and AWS_REGION. It needs scheduler:ListSchedules and
scheduler:GetSchedule, and writes nothing.
Exit code: 0 all is as the crontabs say, 1 something is not, 2 wrong usage, 3 it cannot be told.`,

  async run(invocation, io) {
    if (invocation.operands.includes('-'))
      throw new UsageError('`drift` wants files: the name of a file is the name of its crontab');
    const name = deploymentName(invocation);
    const shards = whole(invocation, 'shards', { min: 1, max: MOST_SHARDS, otherwise: DEFAULT_SHARDS });
    const memory = whole(invocation, 'memory', { min: 128, max: 10_240, otherwise: DEFAULT_MEMORY });
    const progress = new Progress(io);
    const { crontabs, hasErrors } = await loadCrontabs(invocation, io, {
      ...{ command: 'drift', operands: invocation.operands, progress, target: 'aws' },
    });
    if (hasErrors) throw new CommandError('nothing is compared while a crontab has errors');
    const plans = crontabs.map(({ plan }) => plan);
    const expected = expectedSchedules(plans, { names: new Names(name), memory }, shards);
    const drift = await withSchedules((reader) =>
      findDrift(expected, name, reader, (done, of) =>
        progress.show(`comparing ${done} of ${of} schedules …`),
      ),
    ).finally(() => progress.clear());
    if (text(invocation, 'format') === 'json') {
      const json = { deployment: name, expected: expected.length, drift };
      io.stdout.write(`${JSON.stringify(json, null, 2)}\n`);
    } else io.stdout.write(report(name, expected.length, drift));
    return drift.length === 0 ? EXIT.fine : EXIT.problems;
  },
};

function deploymentName(invocation: Invocation): string {
  const name = text(invocation, 'name') ?? DEFAULT_DEPLOYMENT;
  if (isDeploymentName(name)) return name;
  throw new UsageError(`the name of a deployment ${DEPLOYMENT_NAME}, got \`${name}\``);
}

/** The library takes longer to load than all the rest. */
async function withSchedules<T>(work: (reader: ScheduleReader) => Promise<T>): Promise<T> {
  const { EventBridgeSchedules } = await import('../shared/adapters/schedules.ts');
  const schedules = new EventBridgeSchedules();
  try {
    return await work(schedules);
  } finally {
    schedules.close();
  }
}

const KINDS = ['missing', 'disabled', 'changed', 'extra'] as const satisfies readonly Drift['kind'][];

function report(name: string, expected: number, drift: readonly Drift[]): string {
  if (drift.length === 0) return `${name}: ${counted(expected)} as the crontabs say\n`;
  const counts = KINDS.map((kind) => [drift.filter((one) => one.kind === kind).length, kind] as const);
  const shown = drift.slice(0, MOST_SHOWN);
  const more = drift.length - shown.length;
  return [
    table([['SCHEDULE', 'DRIFT', 'STACK', 'FIELD', 'GOT', 'EXPECTED'], ...shown.flatMap(rows)]),
    more > 0 ? `… and ${more} more\n` : '',
    `${name}: ${counted(expected)} expected; ${counts
      .filter(([count]) => count > 0)
      .map(([count, kind]) => `${count} ${kind}`)
      .join(', ')}\n`,
    'help: deploy what is not deployed yet; how to mend the rest is in docs/aws.md, `Drift`\n',
  ].join('');
}

function counted(count: number): string {
  return `${count} ${count === 1 ? 'schedule' : 'schedules'}`;
}

function rows({ schedule, kind, stack = '', differences }: Drift): string[][] {
  const head = [printable(schedule), kind, stack];
  if (differences.length === 0) return [head];
  return differences.map(({ field, ...values }, index) => [
    ...(index === 0 ? head : ['', '', '']),
    printable(field),
    shortened(values.got),
    shortened(values.expected),
  ]);
}

function shortened(value: Difference['got']): string {
  if (value === undefined) return '–';
  const safe = printable(value);
  return safe.length > LONGEST_VALUE ? `${safe.slice(0, LONGEST_VALUE - 1)}…` : safe;
}
