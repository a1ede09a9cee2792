import { execFile } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { ACCOUNT, CREDENTIALS, REGION } from './moto.ts';
import type { Server } from './tools.ts';

const ROOT = join(import.meta.dirname, '../..');
const BIN = join(ROOT, 'node_modules', '.bin');

export interface CdkOutcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CdkOptions {
  /** Of `infra/app.ts`, given as `-c KEY=VALUE`. */
  readonly context: Readonly<Record<string, string>>;
  /** By which the clock of the app, and not that of the command line, is ahead. Milliseconds. (Default: 0) */
  readonly clockAhead?: number;
}

/** The command line of the CDK, as it stands in `package.json`, against an AWS of our own. */
export class Cdk {
  readonly #aws: Server | undefined;
  readonly #folder: string;

  /** @param folder for what is synthesized, and for a home of its own */
  constructor(folder: string, aws?: Server) {
    this.#aws = aws;
    this.#folder = folder;
  }

  /** Where the last command put templates and assets. */
  get assembly(): string {
    return join(this.#folder, 'cdk.out');
  }

  /** Makes what the CDK needs in an account, once: the command synthesizes before it. */
  bootstrap(options: CdkOptions): Promise<CdkOutcome> {
    return this.run(['bootstrap', `aws://${ACCOUNT}/${REGION}`], options);
  }

  /** @param command such as `deploy`, with its own options */
  run(command: readonly string[], { context, clockAhead = 0 }: CdkOptions): Promise<CdkOutcome> {
    const values = Object.entries(context).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
    const clock = `--import ${join(import.meta.dirname, 'clock-ahead.ts')}`;
    const app = clockAhead === 0 ? 'node infra/app.ts' : `node ${clock} infra/app.ts`;
    return this.#run([...command, '--app', app, '--output', this.assembly, ...values], {
      ...(clockAhead > 0 && { KUBERCRON_TEST_CLOCK_AHEAD: String(clockAhead) }),
    });
  }

  #run(argv: readonly string[], env: Readonly<Record<string, string>>): Promise<CdkOutcome> {
    const options = {
      cwd: ROOT,
      env: {
        ...{ PATH: `${BIN}${delimiter}${process.env.PATH}`, HOME: this.#folder, TMPDIR: this.#folder },
        ...{ AWS_REGION: REGION, AWS_EC2_METADATA_DISABLED: 'true', CDK_DISABLE_CLI_TELEMETRY: 'true' },
        ...{ AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId, AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey },
        // Nowhere, so that no test that has no AWS of its own finds another.
        AWS_ENDPOINT_URL: this.#aws?.endpoint ?? 'http://localhost:1',
        ...env,
      },
      maxBuffer: 64 * 2 ** 20,
    };
    return new Promise((resolve) => {
      execFile(process.execPath, [join(BIN, 'cdk'), ...argv], options, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, stdout, stderr });
      });
    });
  }
}
