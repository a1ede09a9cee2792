import { stop } from './tools.ts';

export default async function stopServices(): Promise<void> {
  for (const server of globalThis.services) await stop(server);
}
