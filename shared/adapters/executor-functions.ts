import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import type { HandedRun } from '../core/run/ledger-keeper.ts';
import type { StartInput } from '../core/target/delivery.ts';
import { executorMemory, executorName } from '../core/target/executor.ts';
import { AWS_CLIENT } from './aws-error.ts';
import { awsFault } from './aws-fault.ts';

/** The executor functions of a deployment. */
export class ExecutorFunctions {
  readonly #app: string;
  readonly #memory: number;
  readonly #client: LambdaClient;

  /**
   * @param app name of the deployment
   * @param memory MiB of jobs that ask for none
   * @param client one with region, endpoint and credentials from the environment where left out
   */
  constructor(app: string, memory: number, client: LambdaClient = new LambdaClient(AWS_CLIENT)) {
    this.#app = app;
    this.#memory = memory;
    this.#client = client;
  }

  /** Has the executor of the job's size start a run, and does not wait for it. @throws Error in one sentence */
  async start({ crontab, job, runId }: HandedRun): Promise<void> {
    const FunctionName = executorName(this.#app, executorMemory(job.options, this.#memory));
    const Payload = JSON.stringify({ crontab, job: job.name, runId } satisfies StartInput);
    try {
      await this.#client.send(new InvokeCommand({ FunctionName, InvocationType: 'Event', Payload }));
    } catch (error) {
      const { what, help } = awsFault(error as Error, {
        service: 'Lambda',
        action: 'lambda:InvokeFunction',
        resources: `the function ${FunctionName}`,
        endpointVariable: 'AWS_ENDPOINT_URL_LAMBDA',
      });
      throw new Error(`executor ${FunctionName}: ${what}; ${help}`, { cause: error });
    }
  }
}
