import { cpSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDbRunStore } from '../shared/adapters/dynamodb-run-store.ts';
import { checkCrontab } from '../shared/core/crontab/check.ts';
import { canonicalJson } from '../shared/core/plan/canonical-json.ts';
import { planCrontab } from '../shared/core/plan/plan.ts';
import { tableDefinition } from '../shared/core/target/dynamodb-schema.ts';
import { lambdaEmulator, runtimeClient } from '../test/aws/aws-tools.ts';
import { type DeployedFunction, LambdaSandbox } from '../test/aws/lambda.ts';
import { MissingTool, startDynamoDbLocal, stop } from '../test/aws/tools.ts';
import type { Bench } from './bench.ts';
import { keep } from './children.ts';
import type { Table } from './report.ts';
import { interleaved, median } from './statistics.ts';

const BUNDLE = join(import.meta.dirname, '..', 'dist', 'functions', 'executor');
const TABLE = 'bench-runs';
const CREDENTIALS = { accessKeyId: 'bench', secretAccessKey: 'bench' };
const MINUTE_MS = 60_000;

/** A delivery from its arrival to its recorded end, and the first of a new sandbox, beside a function that only spawns. */
export async function benchExecutor({ isQuick, folder, say }: Bench): Promise<readonly Table[]> {
  try {
    process.env.KUBERCRON_TEST_LAMBDA = lambdaEmulator();
    process.env.KUBERCRON_TEST_LAMBDA_CLIENT = runtimeClient();
    const table = await startDynamoDbLocal();
    keep(table.process);
    try {
      return await measured(table.endpoint, { isQuick, folder, say });
    } finally {
      await stop(table);
    }
  } catch (error) {
    if (!(error instanceof MissingTool)) throw error;
    say(`executor: left out, since ${error.message}`);
    return [];
  }
}

async function measured(endpoint: string, { isQuick, folder, say }: Bench): Promise<readonly Table[]> {
  const client = new DynamoDBClient({ endpoint, region: 'eu-central-1', credentials: CREDENTIALS });
  await client.send(new CreateTableCommand({ TableName: TABLE, ...tableDefinition() }));
  const roles = await answerRoles();
  const functions = { 'kuber-cron': executor(folder, endpoint, roles.url), 'a bare function': bare(folder) };
  const names = Object.keys(functions) as (keyof typeof functions)[];
  const event = events();
  const first: Record<string, number[]> = { 'kuber-cron': [], 'a bare function': [] };
  const sandboxes = new Map<string, LambdaSandbox>();
  const invoke = async (name: keyof typeof functions) => {
    const body = event();
    const begin = performance.now();
    const answer = await sandboxes.get(name)?.invoke(body);
    const ms = performance.now() - begin;
    if (answer === undefined || answer.isError) throw new Error(`${name}: ${answer?.payload}`);
    return ms;
  };
  const [colds, warms] = isQuick ? [3, 60] : [9, 300];
  say(`executor: ${colds} first and ${warms} later deliveries`);
  try {
    for (let cold = 0; cold < colds; cold++) {
      for (const name of names) {
        await sandboxes.get(name)?.stop();
        sandboxes.set(name, await LambdaSandbox.start(functions[name], {}));
        first[name]?.push(await invoke(name));
      }
    }
    const later = await interleaved(warms, {
      'kuber-cron': () => invoke('kuber-cron'),
      'a bare function': () => invoke('a bare function'),
    });
    const store = new DynamoDbRunStore(TABLE, { client });
    const runs = await store.runs({ limit: 10_000 });
    const good = runs.filter(({ status }) => status === 'succeeded').length;
    if (good !== colds + warms) throw new Error(`${good} of ${colds + warms} runs succeeded`);
    const [ours, theirs] = [median(later['kuber-cron']), median(later['a bare function'])];
    const [cold, bareCold] = [median(first['kuber-cron'] ?? []), median(first['a bare function'] ?? [])];
    return [
      {
        title: 'The executor',
        columns: ['', 'a delivery, ms', '÷ bare', 'the first of a sandbox, ms', '÷ bare'],
        rows: [
          ['kuber-cron', ours, ours / theirs, cold, cold / bareCold],
          ['a bare function', theirs, 1, bareCold, 1],
        ],
        notes: [
          'Under the emulator of Lambda; the two requests of a run go to DynamoDB Local, which answers at its own pace.',
          `Command: \`true\`. The bundle has ${Math.round(statSync(join(BUNDLE, 'main.mjs')).size / 1024)} KiB.`,
        ],
        targets: [
          { what: 'bundle, KiB', value: statSync(join(BUNDLE, 'main.mjs')).size / 1024, atMost: 700 },
        ],
      },
    ];
  } finally {
    for (const sandbox of sandboxes.values()) await sandbox.stop();
    roles.stop();
  }
}

/** Deliveries of instants, each newer than the one before. */
function events(): () => string {
  let instant = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS - 1000 * MINUTE_MS;
  return () => {
    instant += MINUTE_MS;
    return JSON.stringify({
      ...{ crontab: 'bench', job: 'nothing', part: 0, executionId: 'bench', attemptNumber: '1' },
      ...{ scheduledTime: new Date(instant + 17_000).toISOString(), scheduleArn: 'arn:bench' },
    });
  };
}

function executor(folder: string, table: string, roles: string): DeployedFunction {
  const code = join(folder, 'executor');
  cpSync(BUNDLE, code, { recursive: true });
  mkdirSync(join(code, 'plans'));
  const text = '# kuber-cron: name=nothing starting-deadline=1d timeout=1m\n* * * * * true\n';
  const checked = checkCrontab(text, { zone: 'UTC', now: Date.now() });
  const plan = planCrontab(checked, { crontab: 'bench', zone: 'UTC' });
  writeFileSync(join(code, 'plans', 'bench.json'), canonicalJson(plan));
  return {
    ...{ name: 'executor', folder: code, handler: 'main.handler', memoryMb: 512, timeoutSeconds: 900 },
    environment: {
      ...{ KUBERCRON_APP: 'bench', KUBERCRON_EXECUTOR_MEMORY: '512', KUBERCRON_STORE: `dynamodb:${TABLE}` },
      ...{ KUBERCRON_METRICS_NAMESPACE: 'bench', KUBERCRON_TOPIC_ARN: 'arn:aws:sns:eu-central-1:1:bench' },
      ...{ KUBERCRON_COMMAND_ROLE_ARN: 'arn:aws:iam::123456789012:role/bench' },
      ...{ AWS_ENDPOINT_URL_DYNAMODB: table, AWS_ENDPOINT_URL: roles },
      ...{ AWS_ACCESS_KEY_ID: 'bench', AWS_SECRET_ACCESS_KEY: 'bench' },
    },
  };
}

function bare(folder: string): DeployedFunction {
  const code = join(folder, 'bare');
  mkdirSync(code);
  cpSync(join(import.meta.dirname, 'bare-function.mjs'), join(code, 'main.mjs'));
  return {
    ...{ name: 'bare', folder: code, handler: 'main.handler', memoryMb: 512, timeoutSeconds: 900 },
    environment: {},
  };
}

/** Gives the commands' role once to each sandbox, as STS does; what STS takes is no part of what is measured. */
async function answerRoles() {
  const until = new Date(Date.now() + 3_600_000).toISOString();
  const answer = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>bench-command</AccessKeyId><SecretAccessKey>bench-command-secret</SecretAccessKey><SessionToken>bench-command-session</SessionToken><Expiration>${until}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`;
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/xml' }).end(answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return {
    url: `http://127.0.0.1:${port}`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
