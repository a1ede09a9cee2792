import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, type Server as HttpServer } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { CloudFormationClient, GetTemplateCommand } from '@aws-sdk/client-cloudformation';
import { GetFunctionConfigurationCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { ACCOUNT, clientOf, REGION } from './moto.ts';
import { freePort, type Server } from './tools.ts';

/** A function as it was deployed, its code in a folder. */
export interface DeployedFunction {
  readonly name: string;
  readonly folder: string;
  readonly handler: string;
  readonly memoryMb: number;
  readonly timeoutSeconds: number;
  readonly environment: Readonly<Record<string, string>>;
}

/** What is read here of a resource in a template. */
interface FunctionResource {
  readonly Properties?: {
    readonly FunctionName?: string;
    readonly Code?: { readonly S3Bucket: { readonly 'Fn::Sub': string }; readonly S3Key: string };
  };
}

/**
 * Fetches a function: the archive that its stack names, and its configuration.
 *
 * @param parent in which its folder is made
 */
export async function fetchFunction(
  aws: Server,
  stack: string,
  name: string,
  parent: string,
): Promise<DeployedFunction> {
  const [formation, s3, lambda] = [
    new CloudFormationClient(clientOf(aws)),
    new S3Client({ ...clientOf(aws), forcePathStyle: true }),
    new LambdaClient(clientOf(aws)),
  ];
  const { TemplateBody = '{}' } = await formation.send(new GetTemplateCommand({ StackName: stack }));
  const { Resources } = JSON.parse(TemplateBody) as { Resources: Record<string, FunctionResource> };
  const code = Object.values(Resources).find(({ Properties }) => Properties?.FunctionName === name)
    ?.Properties?.Code;
  if (code === undefined) throw new Error(`${stack} has no function ${name}`);
  const Bucket = code.S3Bucket['Fn::Sub']
    .replace('${AWS::AccountId}', ACCOUNT)
    .replace('${AWS::Region}', REGION);
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: code.S3Key }));
  const folder = mkdtempSync(join(parent, `${name}-`));
  const archive = `${folder}.zip`;
  writeFileSync(archive, (await Body?.transformToByteArray()) ?? '');
  execFileSync(process.env.KUBERCRON_TEST_PYTHON ?? '', ['-m', 'zipfile', '-e', archive, folder]);
  const configuration = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: name }));
  const { Handler = '', MemorySize = 0, Timeout = 0, Environment } = configuration;
  return {
    ...{ name, folder, handler: Handler, memoryMb: MemorySize, timeoutSeconds: Timeout },
    environment: Environment?.Variables ?? {},
  };
}

/** What an invocation came to. */
export interface Answer {
  /** JSON; after a time-out or a crash the words of the platform. */
  readonly payload: string;
  readonly isError: boolean;
}

/** One execution environment of Lambda: runs a function, one event after the other. */
export class LambdaSandbox {
  readonly #port: number;
  readonly #process: ChildProcess;
  #log = '';
  #last: Promise<unknown> = Promise.resolve();

  private constructor(port: number, child: ChildProcess) {
    this.#port = port;
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#log += text;
      });
    }
  }

  /** @param environment added to the function's own */
  static async start(
    one: DeployedFunction,
    environment: Readonly<Record<string, string>>,
  ): Promise<LambdaSandbox> {
    const [port, api] = [await freePort(), await freePort()];
    const { KUBERCRON_TEST_LAMBDA = '', KUBERCRON_TEST_LAMBDA_CLIENT = '' } = process.env;
    const own = mkdtempSync(`${one.folder}-tmp-`);
    mkdirSync(join(own, 'commands'));
    const argv = [
      ...['--log-level', 'error', '--runtime-interface-emulator-address', `127.0.0.1:${port}`],
      ...[
        '--runtime-api-address',
        `127.0.0.1:${api}`,
        process.execPath,
        KUBERCRON_TEST_LAMBDA_CLIENT,
        one.handler,
      ],
    ];
    const child = spawn(KUBERCRON_TEST_LAMBDA, argv, {
      ...{ cwd: one.folder, detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
      env: {
        ...{ PATH: process.env.PATH, AWS_REGION: REGION, AWS_EC2_METADATA_DISABLED: 'true' },
        ...{ AWS_LAMBDA_FUNCTION_TIMEOUT: String(one.timeoutSeconds), TMPDIR: own },
        ...one.environment,
        // On Lambda, /tmp is a sandbox's own; here it is everybody's.
        KUBERCRON_SANDBOX: join(own, 'commands'),
        ...environment,
        ...{ _HANDLER: one.handler, LAMBDA_TASK_ROOT: one.folder, AWS_LAMBDA_FUNCTION_NAME: one.name },
        ...{ AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(one.memoryMb), AWS_LAMBDA_FUNCTION_VERSION: '$LATEST' },
      },
    });
    const sandbox = new LambdaSandbox(port, child);
    while (!(await isOpen(port))) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`the emulator of Lambda did not start: ${sandbox.log}`);
      await sleep(10);
    }
    return sandbox;
  }

  /** All that the function, its runtime and the platform wrote. */
  get log(): string {
    return this.#log;
  }

  /** Lines of the function's own log. */
  get lines(): readonly Readonly<Record<string, unknown>>[] {
    return this.#log.split('\n').flatMap((line) => (line.startsWith('{"') ? [JSON.parse(line)] : []));
  }

  /** @param event JSON. The platform gives a sandbox one at a time, and the emulator does not survive two. */
  invoke(event: string): Promise<Answer> {
    const answer = this.#last.then(() => this.#invoke(event));
    this.#last = answer.catch(() => {});
    return answer;
  }

  async #invoke(body: string): Promise<Answer> {
    const url = `http://127.0.0.1:${this.#port}/2015-03-31/functions/function/invocations`;
    for (;;) {
      const payload = await (await fetch(url, { method: 'POST', body })).text();
      if (!payload.includes(NOT_READY)) return { payload, isError: isError(payload) };
      await sleep(50);
    }
  }

  async stop(): Promise<void> {
    const { pid, exitCode, signalCode } = this.#process;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    process.kill(-pid, 'SIGKILL');
    await ended;
  }
}

/** So the emulator answers while it still clears up after a time-out: the event has reached nobody. */
const NOT_READY = 'ErrGateCanceled';

/** The emulator answers 200 to everything: an error shows in the body alone. */
function isError(payload: string): boolean {
  try {
    const value: unknown = JSON.parse(payload);
    return typeof value === 'object' && value !== null && 'errorType' in value;
  } catch {
    return true;
  }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Where moto has functions run: the sandboxes of a test, by name of the function. */
export class Invocations {
  readonly sandboxes = new Map<string, LambdaSandbox>();
  readonly #server: HttpServer;

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const name = (request.url ?? '').split('/').at(-1) ?? '';
      const event = await text(request);
      const sandbox = this.sandboxes.get(name);
      const answer = (await sandbox?.invoke(event)) ?? { payload: `nobody runs ${name}`, isError: true };
      response.writeHead(200, answer.isError ? { 'X-Function-Error': 'Unhandled' } : {}).end(answer.payload);
    });
  }

  static async listen(): Promise<Invocations> {
    const invocations = new Invocations();
    await new Promise<void>((resolve) => invocations.#server.listen(0, '127.0.0.1', resolve));
    return invocations;
  }

  get url(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  }

  async stop(): Promise<void> {
    for (const sandbox of this.sandboxes.values()) await sandbox.stop();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
