import { MissingTool, type Server, startDynamoDbLocal } from './tools.ts';

declare global {
  /** What the suite started, and ends. */
  var services: Server[];
}

/** Starts what the suite needs, and says where it is. In CI, what is missing fails; else the suite says why it skips. */
export default async function startServices(): Promise<void> {
  globalThis.services = [];
  try {
    const server = await startDynamoDbLocal();
    globalThis.services.push(server);
    process.env.KUBERCRON_TEST_DYNAMODB = server.endpoint;
  } catch (error) {
    if (!(error instanceof MissingTool) || process.env.CI !== undefined) throw error;
    process.stderr.write(`tests against DynamoDB Local are left out: ${error.message}\n`);
  }
}
