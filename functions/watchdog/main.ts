import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import middy from '@middy/core';
import type { Context } from 'aws-lambda';
import { DynamoDbRunStore } from '../../shared/adapters/dynamodb-run-store.ts';
import { EmfMetrics } from '../../shared/adapters/emf-metrics.ts';
import { ExecutorFunctions } from '../../shared/adapters/executor-functions.ts';
import { SnsChannels } from '../../shared/adapters/sns.ts';
import { SYSTEM_CLOCK } from '../../shared/adapters/system-clock.ts';
import { PLANS_FOLDER } from '../../shared/core/target/executor.ts';
import { errorText, jsonLog } from '../log.ts';
import { BundledPlans } from '../plans.ts';
import { readSettings } from '../settings.ts';
import { Watchdog, WatchdogFault } from './watch.ts';

const clock = SYSTEM_CLOCK;
const write = (text: string) => void process.stdout.write(text);
const log = jsonLog(write, clock.now);

function makeWatchdog(): Watchdog {
  const { app, memory, table, topic, metricsNamespace, hasJobMetrics, isDryRun } = readSettings(process.env);
  const plans = new BundledPlans(join(import.meta.dirname, PLANS_FOLDER));
  const executors = new ExecutorFunctions(app, memory);
  return new Watchdog({
    store: new DynamoDbRunStore(table, isDryRun ? { isDryRun } : {}),
    clock,
    random: Math.random,
    token: randomUUID,
    handOver: (run) => executors.start(run),
    channels: new SnsChannels(topic),
    metrics: new EmfMetrics({ namespace: metricsNamespace, hasJobMetrics, now: clock.now, write }),
    log,
    plans: () => [...plans.all().values()],
  });
}

/** A watchdog, or why there is none: an error while the module is loaded would be told of by its stack alone. */
function tryToMake(): Watchdog | WatchdogFault {
  try {
    return makeWatchdog();
  } catch (error) {
    return new WatchdogFault(`the watchdog cannot work: ${errorText(error)}`);
  }
}

const watchdog = tryToMake();

/** What EventBridge Scheduler invokes each minute. */
export const handler = middy<unknown, void, Error, Context>({ timeoutEarlyInMillis: 0 }).handler(
  async (event) => {
    if (watchdog instanceof WatchdogFault) {
      log('error', 'fault', {}, watchdog.message);
      throw watchdog;
    }
    await watchdog.handle(event);
  },
);
