import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CreateTableCommand } from '@aws-sdk/client-dynamodb';
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { DynamoDbRunStore } from '../../shared/adapters/dynamodb-run-store.ts';
import { isFinal } from '../../shared/core/run/run.ts';
import { tableDefinition } from '../../shared/core/target/dynamodb-schema.ts';
import { deliveries } from '../support/eventbridge-evaluator.ts';
import { launch } from '../support/kuber-cron.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { Cdk } from './cdk.ts';
import { DynamoDbProxy, type WireFault } from './dynamodb-proxy.ts';
import { type Answer, type DeployedFunction, fetchFunction, Invocations, LambdaSandbox } from './lambda.ts';
import { ACCOUNT, clientOf, REGION, startMoto } from './moto.ts';
import { describeLambda } from './needs.ts';
import { readSchedules, type Schedule } from './schedules.ts';
import { localClient } from './tables.ts';
import { type Server, stop } from './tools.ts';

const MINUTE_MS = 60_000;
const FOLDER = temporaryFolder();
const OUT = join(FOLDER, 'out');
const SECRET = 'postgres://shop:correct-horse@db/shop';

/** The newest instant of every tenth minute that is over. All instants of the tests are told by the minutes before it. */
const NOW = Date.now();
const LAST = NOW - (NOW % (10 * MINUTE_MS));
const at = (minutes: number) => LAST + minutes * MINUTE_MS;
const [minute, hour, day, , weekday] = (() => {
  const one = new Date(at(-60));
  return [one.getUTCMinutes(), one.getUTCHours(), one.getUTCDate(), 0, one.getUTCDay()];
})();

/** Jobs of the executor's tests: lines by name and options. All but one are due every ten minutes. */
const SHOP: Readonly<Record<string, string>> = {
  hello: '*/10 * * * *  echo hello from $KUBERCRON_JOB',
  doubled: '*/10 * * * *  true',
  'either allow=both-day-fields': `${minute} ${hour} ${day} * ${weekday}  true`,
  ordered: '*/10 * * * *  true',
  'impatient starting-deadline=5m': '*/10 * * * *  true',
  failing: '*/10 * * * *  echo "disk full" >&2; exit 7',
  'secretive secrets=DATABASE_URL': '*/10 * * * *  echo "$DATABASE_URL and $AWS_SECRET_ACCESS_KEY"',
  identity: `*/10 * * * *  echo "$AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY $AWS_SESSION_TOKEN" > $OUT/keys; env | sed 's/=.*//' | sort > $OUT/names`,
  leaving: '*/10 * * * *  sleep 300 & echo $! > $OUT/left; touch $TMPDIR/file; echo $HOME >> $OUT/left',
  crashing: '*/10 * * * *  kill -9 $PPID; sleep 300',
  long: '*/10 * * * *  sleep 300',
  frozen: '*/10 * * * *  kill -STOP $PPID; sleep 300',
  wire: '*/10 * * * *  echo $KUBERCRON_SCHEDULED_TIME >> $OUT/wire',
  moved: '*/10 * * * *  true',
  steady: '*/10 * * * *  echo started >> $OUT/steady',
  gone: '*/10 * * * *  true',
};
const { gone, ...REST } = SHOP;
const SHOP_LATER = { ...REST, moved: '5-59/10 * * * *  true' };

function crontabOf(jobs: Readonly<Record<string, string>>): string {
  const entries = Object.entries(jobs).map(([name, line]) => `# kuber-cron: name=${name}\n${line}\n`);
  const head = ['CRON_TZ=UTC', `OUT=${OUT}`, '# kuber-cron: defaults timeout=10m starting-deadline=3h', ''];
  return head.join('\n') + entries.join('');
}

/** What the ledger knows of a job, oldest first: `-30 succeeded: succeeded 0` is minute, status and attempts. */
async function ledger(store: DynamoDbRunStore, jobId: string): Promise<string[]> {
  const runs = await store.runs({ jobId, limit: 1000 });
  return [...runs]
    .sort((a, b) => a.scheduledTime - b.scheduledTime)
    .map(({ scheduledTime, status, reason, attempts }) => {
      const ends = attempts.map((one) =>
        [one.status, one.reason, one.exitCode ?? one.signal].filter((part) => part !== undefined).join(' '),
      );
      const head = [(scheduledTime - LAST) / MINUTE_MS, status, reason].filter((part) => part !== undefined);
      return `${head.join(' ')}${ends.length > 0 ? `: ${ends.join(', ')}` : ''}`;
    });
}

describeLambda('a crontab that is deployed and delivered', () => {
  let aws: Server;
  let proxy: DynamoDbProxy;
  let cdk: Cdk;
  let invocations: Invocations;
  const sandboxes: LambdaSandbox[] = [];

  const deploy = async (name: string, jobs: Readonly<Record<string, string>>): Promise<void> => {
    const crontab = join(FOLDER, name);
    writeFileSync(crontab, crontabOf(jobs));
    const context = { crontab, name, shards: '1', secretsPath: '/shop/production' };
    const outcome = await cdk.run(['deploy', '--all', '--method', 'direct', '--require-approval', 'never'], {
      context,
    });
    if (outcome.code !== 0) throw new Error(outcome.stderr + outcome.stdout);
  };

  /** A sandbox of a function. @param environment besides what it needs to find the services */
  const start = async (
    one: DeployedFunction,
    environment: Record<string, string> = {},
  ): Promise<LambdaSandbox> => {
    const sandbox = await LambdaSandbox.start(one, {
      ...{ AWS_ENDPOINT_URL: aws.endpoint, AWS_ENDPOINT_URL_DYNAMODB: proxy.endpoint },
      ...{ AWS_ACCESS_KEY_ID: 'executor', AWS_SECRET_ACCESS_KEY: 'of-the-executor' },
      ...environment,
    });
    sandboxes.push(sandbox);
    return sandbox;
  };

  const fetched = (app: string, name: string) => fetchFunction(aws, `${app}-core`, `${app}-${name}`, FOLDER);

  /** The table of a function, which its deployment made in one AWS, and which is used in the other. */
  const openStore = async ({ environment }: DeployedFunction): Promise<DynamoDbRunStore> => {
    const TableName = environment.KUBERCRON_STORE?.replace('dynamodb:', '') ?? '';
    const client = localClient();
    await client.send(new CreateTableCommand({ TableName, ...tableDefinition() }));
    return new DynamoDbRunStore(TableName, { client });
  };

  /** Events of an instant, as the service makes them of what is deployed; one for each schedule that is due. */
  const eventsOf = (schedules: ReadonlyMap<string, Schedule>, job: string, minutes: number): string[] => {
    const due = [...schedules.values()].filter(
      ({ Name = '', ScheduleExpression = '', ScheduleExpressionTimezone = 'UTC', State }) =>
        Name.startsWith(job.replace('/', '--')) &&
        State === 'ENABLED' &&
        deliveries(ScheduleExpression, ScheduleExpressionTimezone, at(minutes), at(minutes + 1)).length > 0,
    );
    if (due.length === 0) throw new Error(`no schedule of ${job} is due at ${minutes}`);
    return due.map((schedule) => eventOf(schedule, at(minutes)));
  };

  beforeAll(async () => {
    checkBuild();
    mkdirSync(OUT);
    invocations = await Invocations.listen();
    [aws, proxy] = [
      await startMoto(invocations.url),
      await DynamoDbProxy.listen(process.env.KUBERCRON_TEST_DYNAMODB ?? ''),
    ];
    cdk = new Cdk(FOLDER, aws);
    const parameter = { Name: '/shop/production/DATABASE_URL', Value: SECRET, Type: 'SecureString' } as const;
    await new SSMClient(clientOf(aws)).send(new PutParameterCommand(parameter));
    writeFileSync(join(FOLDER, 'shop'), crontabOf(SHOP));
    const context = { crontab: join(FOLDER, 'shop'), secretsPath: '/shop/production' };
    const outcome = await cdk.bootstrap({ context });
    if (outcome.code !== 0) throw new Error(outcome.stderr);
    await deploy('shop', SHOP);
    shop = await fetched('shop', 'executor-512');
    [store, schedules, sandbox] = [
      await openStore(shop),
      await readSchedules(aws, 'shop'),
      await start(shop),
    ];
    slow = invokeSlowly();
    // Whoever waits for it is told.
    slow.catch(() => {});
  });
  let shop: DeployedFunction;
  let store: DynamoDbRunStore;
  let schedules: ReadonlyMap<string, Schedule>;
  let sandbox: LambdaSandbox;
  let slow: Promise<Answer[][]>;

  /** What takes its time, meanwhile, in a function whose time-out is short. */
  const invokeSlowly = async (): Promise<Answer[][]> => {
    const short = await start(
      { ...shop, timeoutSeconds: 34 },
      { AWS_ENDPOINT_URL_DYNAMODB: process.env.KUBERCRON_TEST_DYNAMODB ?? '' },
    );
    const answers = [];
    for (const job of ['long', 'frozen', 'frozen']) answers.push(await deliver(job, -20, short));
    return answers;
  };

  /** Delivers an instant of a job by all schedules that are due then. */
  const deliver = async (job: string, minutes: number, to = sandbox): Promise<Answer[]> => {
    const answers = [];
    for (const event of eventsOf(schedules, `shop/${job}`, minutes)) answers.push(await to.invoke(event));
    return answers;
  };

  test.each<[fact: string, job: string, instants: number[], expected: string[]]>([
    ['what is due runs, each instant once', 'hello', [-60, -50, -40], ['-60 ok', '-50 ok', '-40 ok']],
    ['an event that is delivered three times runs once', 'doubled', [-40, -40, -40], ['-40 ok']],
    ['two schedules that are due together start one run', 'either', [-60], ['-60 ok']],
    [
      'an older event that comes after a newer one starts nothing',
      'ordered',
      [-40, -20, -30],
      ['-40 ok', '-30 skipped superseded', '-20 ok'],
    ],
    ['an event that comes after its starting deadline is left to the ledger', 'impatient', [-20], []],
    ['a command that fails is a result', 'failing', [-20], ['-20 failed exit-code: failed exit-code 7']],
  ])('%s', async (_fact, job, instants, expected) => {
    const answers: Answer[] = [];
    for (const minutes of instants) answers.push(...(await deliver(job, minutes)));
    expect(answers.filter(({ isError }) => isError)).toStrictEqual([]);
    expect(await ledger(store, `shop/${job}`)).toStrictEqual(expected.map(whole));
  });

  test('commands have the identity of the command role, and nothing of the executor', async () => {
    await deliver('identity', -20);
    expect(await ledger(store, 'shop/identity')).toStrictEqual([whole('-20 ok')]);
    const [accessKeyId = '', secretAccessKey = '', sessionToken = ''] = readOut('keys').trim().split(' ');
    const credentials = { accessKeyId, secretAccessKey, sessionToken };
    const sts = new STSClient({ ...clientOf(aws), credentials });
    const { Arn } = await sts.send(new GetCallerIdentityCommand({}));
    const role = shop.environment.KUBERCRON_COMMAND_ROLE_ARN?.split('/').at(-1);
    expect(Arn).toBe(`arn:aws:sts::${ACCOUNT}:assumed-role/${role}/shop.identity`);
    expect(readOut('names').trim().split('\n')).toStrictEqual(
      [
        ...[
          'AWS_ACCESS_KEY_ID',
          'AWS_DEFAULT_REGION',
          'AWS_REGION',
          'AWS_SECRET_ACCESS_KEY',
          'AWS_SESSION_TOKEN',
          'CRON_TZ',
        ],
        ...['HOME', 'KUBERCRON_ATTEMPT', 'KUBERCRON_JOB', 'KUBERCRON_OWNER', 'KUBERCRON_RUN_ID'],
        ...[
          'KUBERCRON_SCHEDULED_TIME',
          'KUBERCRON_TRIGGER',
          'LOGNAME',
          'OUT',
          'PATH',
          'PWD',
          'SHELL',
          'TMPDIR',
          'USER',
        ],
      ].sort(),
    );
  });

  test('secrets and credentials are masked in the log and in what is kept', async () => {
    await deliver('secretive', -20);
    const [run] = await store.runs({ jobId: 'shop/secretive', limit: 1 });
    const output = await store.output('shop/secretive', run?.runId ?? '', 1);
    expect(output).toMatchObject({ stdout: { text: '*** and ***\n', droppedBytes: 0 } });
    const logged = sandbox.lines.filter(({ event, job }) => event === 'output' && job === 'secretive');
    expect(logged.map(({ msg }) => msg)).toStrictEqual(['*** and ***']);
    expect(sandbox.log).not.toContain(SECRET);
  });

  test('nothing of a run is left for the next: no process, no file', async () => {
    await deliver('leaving', -20);
    expect(await ledger(store, 'shop/leaving')).toStrictEqual([whole('-20 ok')]);
    const [pid = '', home = ''] = readOut('left').trim().split('\n');
    expect([isAlive(pid), existsSync(home)]).toStrictEqual([false, false]);
  });

  test('a crash of the runtime loses the run, and the next invocation says so', async () => {
    expect(await deliver('crashing', -20)).toStrictEqual([
      { payload: expect.stringContaining('Runtime.ExitError'), isError: true },
    ]);
    expect(await ledger(store, 'shop/crashing')).toStrictEqual(['-20 running: ']);
    // The service delivers it again.
    expect(await deliver('crashing', -20)).toStrictEqual([{ payload: 'null', isError: false }]);
    expect(await ledger(store, 'shop/crashing')).toStrictEqual(['-20 lost owner-died: lost owner-died']);
  });

  describe('on a wire that fails', () => {
    const throttled = (times: number) => Array<WireFault>(times).fill('throttled');
    const started: number[] = [];

    test.each<[fact: string, minutes: number, faults: (WireFault | undefined)[], failed: number]>([
      ['that does not', -120, [], 0],
      ['at the claim, which does not arrive', -110, ['lost-request'], 0],
      ['after the claim, whose answer is lost', -100, ['lost-answer'], 0],
      ['as the table is throttled at the claim', -90, throttled(2), 0],
      [
        'so that no claim arrives, until the event is delivered again',
        -80,
        Array<WireFault>(50).fill('lost-request'),
        1,
      ],
      [
        'so that no claim is answered, until the event is delivered again',
        -70,
        Array<WireFault>(50).fill('lost-answer'),
        1,
      ],
      ['at the end, which does not arrive', -60, [undefined, 'lost-request'], 0],
      ['after the end, whose answer is lost', -50, [undefined, 'lost-answer'], 0],
      ['as the table is throttled at the end', -40, [undefined, ...throttled(4)], 0],
    ])('%s, the command is started once and its end recorded', async (_fact, minutes, faults, failed) => {
      proxy.befall(...faults);
      let failures = 0;
      // The service invokes twice more what failed; by then the table is well.
      while ((await deliver('wire', minutes)).some(({ isError }) => isError)) {
        failures += 1;
        proxy.befall();
      }
      started.push(minutes);
      expect(failures).toBe(failed);
      expect(await ledger(store, 'shop/wire')).toStrictEqual(started.map((one) => whole(`${one} ok`)));
      expect(
        readOut('wire')
          .trim()
          .split('\n')
          .map((time) => (Date.parse(time) - LAST) / MINUTE_MS),
      ).toStrictEqual(started);
      if (faults.length === 0)
        expect(proxy.requests).toStrictEqual(['TransactWriteItems', 'TransactWriteItems']);
    });
  });

  describe('and deployed anew while events are under way', () => {
    let later: LambdaSandbox;
    let schedulesLater: ReadonlyMap<string, Schedule>;
    beforeAll(async () => {
      await deploy('shop', SHOP_LATER);
      schedulesLater = await readSchedules(aws, 'shop');
      later = await start(await fetched('shop', 'executor-512'));
    });

    const dropped = () =>
      later.lines.flatMap(({ event, job, reason }) => (event === 'delivery-dropped' ? [[job, reason]] : []));

    test('an instant that both versions get at once is started by one', async () => {
      await Promise.all([deliver('steady', -20, sandbox), deliver('steady', -20, later)]);
      expect(await ledger(store, 'shop/steady')).toStrictEqual([whole('-20 ok')]);
      expect(readOut('steady')).toBe('started\n');
    });

    test('an event of a job that is gone starts nothing in the new version', async () => {
      expect(await deliver('gone', -30, later)).toStrictEqual([{ payload: 'null', isError: false }]);
      expect([await ledger(store, 'shop/gone'), dropped().at(-1)]).toStrictEqual([
        [],
        ['gone', 'unknown-job'],
      ]);
    });

    test('and is what it was in the old one', async () => {
      await deliver('gone', -20);
      expect(await ledger(store, 'shop/gone')).toStrictEqual([whole('-20 ok')]);
    });

    test('an event of an expression that was edited starts nothing, and one of the new expression does', async () => {
      await deliver('moved', -20, later);
      expect([await ledger(store, 'shop/moved'), dropped().at(-1)]).toStrictEqual([
        [],
        ['moved', 'not-foreseen'],
      ]);
      for (const event of eventsOf(schedulesLater, 'shop/moved', -15)) await later.invoke(event);
      expect(await ledger(store, 'shop/moved')).toStrictEqual([whole('-15 ok')]);
    });
  });

  describe('with its watchdog', () => {
    const due = (minutes: number) => `${new Date(at(minutes)).getUTCMinutes()} * * * *`;
    const NIGHT = {
      news: `${[-40, -30, -20]
        .map((one) => new Date(at(one)).getUTCMinutes())
        .sort((a, b) => a - b)
        .join(',')} * * * *  true`,
      failing: `${due(-20)}  exit 3`,
      'crashing retries=1 backoff=1s..1s': `${due(-20)}  [ $KUBERCRON_ATTEMPT = 2 ] || kill -9 $PPID`,
    };
    let night: DynamoDbRunStore;
    let nightly: ReadonlyMap<string, Schedule>;
    let watchdog: DeployedFunction;
    let executor: DeployedFunction;

    beforeAll(async () => {
      await deploy('night', NIGHT);
      nightly = await readSchedules(aws, 'night');
      [watchdog, executor] = [await fetched('night', 'watchdog'), await fetched('night', 'executor-512')];
      night = await openStore(executor);
      invocations.sandboxes.set('night-executor-512', await start(executor));
    });
    afterAll(() => night.close());

    /** A pass of the watchdog, as its schedule has it made. */
    const pass = async (by: LambdaSandbox): Promise<void> => {
      const schedule = nightly.get('watchdog');
      if (schedule === undefined) throw new Error('the watchdog has no schedule');
      const answer = await by.invoke(eventOf(schedule, Date.now()));
      if (answer.isError) throw new Error(answer.payload);
    };

    test('what is not delivered is started, what is lost is tried again, and failures are told', async () => {
      // The crontab came into force an hour ago.
      await pass(await start(watchdog, clockAhead(-60)));
      // What was delivered since then has run by now, in a sandbox that is gone, and one run did not come to its end.
      const former = await start(executor, clockAhead(-12));
      const answers = [];
      for (const job of ['failing', 'crashing'])
        for (const event of eventsOf(nightly, `night/${job}`, -20)) answers.push(await former.invoke(event));
      expect(answers.map(({ isError }) => isError)).toStrictEqual([false, true]);
      await former.stop();
      const by = await start(watchdog);
      const isOver = async () => (await night.runs({ limit: 100 })).every(({ status }) => isFinal(status));
      do await pass(by);
      while (!(await isOver()));
      expect(
        Object.fromEntries(
          await Promise.all(
            ['news', 'failing', 'crashing'].map(async (job) => [job, await ledger(night, `night/${job}`)]),
          ),
        ),
      ).toStrictEqual({
        news: ['-40 missed superseded', '-30 missed superseded', whole('-20 ok')],
        failing: ['-20 failed exit-code: failed exit-code 3'],
        crashing: ['-20 succeeded: lost lease-expired, succeeded 0'],
      });
      const told = by.lines.flatMap(({ event, job, kind }) =>
        event === 'notified' ? [`${job} ${kind}`] : [],
      );
      expect(told.sort()).toStrictEqual(['failing failed', 'news missed', 'news recovered']);
    });
  });

  test('a run ends before the time of its invocation does', async () => {
    const [answers] = await slow;
    expect(answers).toStrictEqual([{ payload: 'null', isError: false }]);
    expect(await ledger(store, 'shop/long')).toStrictEqual([
      '-20 timed-out timeout: timed-out timeout SIGTERM',
    ]);
  });

  test('a runtime that hangs is ended by its time-out, and the run is lost', async () => {
    const [, answers, next] = await slow;
    expect([answers, next]).toStrictEqual([
      [{ payload: 'Task timed out after 34.00 seconds', isError: true }],
      [{ payload: 'null', isError: false }],
    ]);
    expect(await ledger(store, 'shop/frozen')).toStrictEqual(['-20 lost owner-died: lost owner-died']);
  });

  test('is in the history of whoever asks for it', async () => {
    const env = {
      ...{ HOME: FOLDER, AWS_REGION: REGION, AWS_EC2_METADATA_DISABLED: 'true' },
      ...{ AWS_ACCESS_KEY_ID: 'engineer', AWS_SECRET_ACCESS_KEY: 'of-the-engineer' },
      AWS_ENDPOINT_URL_DYNAMODB: process.env.KUBERCRON_TEST_DYNAMODB ?? '',
    };
    const argv = ['kuber-cron', 'runs', '--store', shop.environment.KUBERCRON_STORE ?? ''];
    const { code, stdout, stderr } = await launch([...argv, '--format', 'json', '--limit', '1000'], { env });
    expect([code, stderr]).toStrictEqual([0, '']);
    const { runs } = JSON.parse(stdout) as { runs: { jobId: string; runId: string; status: string }[] };
    const known = await store.runs({ limit: 1000 });
    expect(runs.map(({ jobId, runId, status }) => [jobId, runId, status])).toStrictEqual(
      known.map(({ jobId, runId, status }) => [jobId, runId, status]),
    );
    expect(known.length).toBeGreaterThan(20);
  });

  afterAll(async () => {
    for (const sandbox of sandboxes) await sandbox.stop();
    await Promise.all([invocations.stop(), proxy.stop(), stop(aws)]);
  });
});

/** What is deployed is what was built, and tests of something older would prove nothing. */
function checkBuild(): void {
  const root = join(import.meta.dirname, '../..');
  const changed = (file: string) => statSync(join(root, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const newest = Math.max(...globSync('{functions,shared}/**/*.ts', { cwd: root }).map(changed));
  for (const name of ['executor', 'watchdog'])
    if (changed(`dist/functions/${name}/main.mjs`) < newest)
      throw new Error(`the ${name} is not built, or older than its source: \`npm run build\``);
}

/** Short for a run that succeeded at once. */
function whole(row: string): string {
  return row.replace(/ ok$/, ' succeeded: succeeded 0');
}

/** What a command wrote for the tests. */
function readOut(name: string): string {
  return readFileSync(join(OUT, name), 'utf8');
}

/** Whether a process runs: one that has ended stays, as what nobody has asked about. */
function isAlive(pid: string): boolean {
  const file = `/proc/${pid}/stat`;
  return existsSync(file) && !/\) Z /.test(readFileSync(file, 'utf8'));
}

/** The environment of a program whose clock is off by so many minutes. */
function clockAhead(minutes: number): Record<string, string> {
  return {
    NODE_OPTIONS: `--import ${join(import.meta.dirname, 'clock-ahead.ts')}`,
    KUBERCRON_TEST_CLOCK_AHEAD: String(minutes * MINUTE_MS),
  };
}

/** The input of a schedule with the service's context filled in. Its times have seconds. */
function eventOf({ Arn = '', Target }: Schedule, instant: number): string {
  const values: Readonly<Record<string, string>> = {
    'schedule-arn': Arn,
    'scheduled-time': new Date(instant + 17_000).toISOString().replace('.000Z', 'Z'),
    'execution-id': createHash('sha256').update(`${Arn} ${instant}`).digest('hex').slice(0, 32),
    'attempt-number': '1',
  };
  const input = Target?.Input ?? '';
  return input.replace(/<aws\.scheduler\.([a-z-]+)>/g, (_whole, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`the service does not fill in ${name}`);
    return value;
  });
}
