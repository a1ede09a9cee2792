import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import middy from '@middy/core';
import type { Context } from 'aws-lambda';
import { CommandCredentials } from '../../shared/adapters/command-credentials.ts';
import { DynamoDbRunStore } from '../../shared/adapters/dynamodb-run-store.ts';
import { EmfMetrics } from '../../shared/adapters/emf-metrics.ts';
import { currentOwner, currentUser } from '../../shared/adapters/host.ts';
import { ParameterSecrets } from '../../shared/adapters/parameter-secrets.ts';
import { StreamingCommandRunner } from '../../shared/adapters/process-runner.ts';
import { SYSTEM_CLOCK } from '../../shared/adapters/system-clock.ts';
import { PLANS_FOLDER } from '../../shared/core/target/executor.ts';
import { errorText, jsonLog } from '../log.ts';
import { BundledPlans } from '../plans.ts';
import { readExecutorSettings } from '../settings.ts';
import { ExecutorFault, RunExecutor } from './execute.ts';
import { Sandbox } from './sandbox.ts';

const { env } = process;
const clock = SYSTEM_CLOCK;
const write = (text: string) => void process.stdout.write(text);
const log = jsonLog(write, clock.now);

/** Where Lambda puts a function's code; there is nobody else then. */
const LAMBDA_TASK_ROOT = '/var/task';
/** A folder for commands that nobody else uses, for tests outside of Lambda. */
const SANDBOX_VARIABLE = 'KUBERCRON_SANDBOX';

function makeExecutor(): RunExecutor {
  const settings = readExecutorSettings(env);
  const { commandRole, region, secretsPath, isDryRun, hasJobMetrics, metricsNamespace } = settings;
  // Cron's, whatever the platform has.
  process.umask(0o022);
  const plans = new BundledPlans(join(import.meta.dirname, PLANS_FOLDER));
  const secrets = secretsPath === undefined ? undefined : new ParameterSecrets(secretsPath);
  const credentials = new CommandCredentials(commandRole, clock.now);
  const folder = env[SANDBOX_VARIABLE];
  const isLambda = env.LAMBDA_TASK_ROOT === LAMBDA_TASK_ROOT;
  const self = { ...currentOwner(''), host: env.AWS_LAMBDA_LOG_STREAM_NAME ?? 'lambda' };
  return new RunExecutor(
    {
      store: new DynamoDbRunStore(settings.table, isDryRun ? { isDryRun } : {}),
      clock,
      metrics: new EmfMetrics({ namespace: metricsNamespace, hasJobMetrics, now: clock.now, write }),
      log,
      plan: (crontab) => plans.get(crontab),
      commands: (onOutput) => new StreamingCommandRunner(onOutput),
      secrets: async (variables) => (await secrets?.read(variables)) ?? {},
      credentials: (session) => credentials.get(session),
      sandbox: new Sandbox({
        ...{ folder: folder ?? tmpdir(), isOwnFolder: isLambda || folder !== undefined, isAlone: isLambda },
      }),
      newOwner: () => ({ ...self, token: randomUUID() }),
      random: Math.random,
    },
    { userName: currentUser().name, region, isDryRun },
  );
}

/** An executor, or why there is none: an error while the module is loaded would be told of by its stack alone. */
function tryToMake(): RunExecutor | ExecutorFault {
  try {
    const executor = makeExecutor();
    void executor.sweep();
    return executor;
  } catch (error) {
    return new ExecutorFault(`the executor cannot work: ${errorText(error)}`);
  }
}

const executor = tryToMake();

/** What EventBridge Scheduler, and the watchdog, invoke. */
export const handler = middy<unknown, void, Error, Context>({ timeoutEarlyInMillis: 0 }).handler(
  async (event, context) => {
    if (executor instanceof ExecutorFault) {
      log('error', 'fault', {}, executor.message);
      throw executor;
    }
    await executor.handle(event, { remainingMs: () => context.getRemainingTimeInMillis() });
  },
);
