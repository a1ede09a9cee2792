import { lambdaEmulator, pythonWithMoto, runtimeClient } from './aws-tools.ts';
import { MissingTool, type Server, startDynamoDbLocal } from './tools.ts';

declare global {
  /** What the suite started, and ends. */
  var services: Server[];
}

/** Starts what the suite needs, and says where it is. In CI, what is missing fails; else the suite says why it skips. */
export default async function startServices(): Promise<void> {
  globalThis.services = [];
  await bring('against DynamoDB Local', async () => {
    const server = await startDynamoDbLocal();
    globalThis.services.push(server);
    process.env.KUBERCRON_TEST_DYNAMODB = server.endpoint;
  });
  await bring('of deployments, against moto,', () => {
    process.env.KUBERCRON_TEST_PYTHON = pythonWithMoto();
  });
  await bring('of deployed functions', () => {
    process.env.KUBERCRON_TEST_LAMBDA_CLIENT = runtimeClient();
    process.env.KUBERCRON_TEST_LAMBDA = lambdaEmulator();
  });
}

async function bring(which: string, act: () => void | Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof MissingTool) || process.env.CI !== undefined) throw error;
    process.stderr.write(`tests ${which} are left out: ${error.message}\n`);
  }
}
