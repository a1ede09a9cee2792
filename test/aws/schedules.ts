import {
  GetScheduleCommand,
  type GetScheduleCommandOutput,
  paginateListSchedules,
  SchedulerClient,
} from '@aws-sdk/client-scheduler';
import { clientOf } from './moto.ts';
import type { Server } from './tools.ts';

/** A schedule as EventBridge Scheduler describes it. */
export type Schedule = Omit<GetScheduleCommandOutput, '$metadata'>;

/** Every schedule of a group, whole, by name in the order of the names. Empty when there is no such group. */
export async function readSchedules(aws: Server, group: string): Promise<ReadonlyMap<string, Schedule>> {
  const client = new SchedulerClient(clientOf(aws));
  const found: [string, Schedule][] = [];
  for await (const { Schedules = [] } of paginateListSchedules({ client }, { GroupName: group })) {
    for (const { Name = '' } of Schedules) {
      const { $metadata, ...schedule } = await client.send(
        new GetScheduleCommand({ GroupName: group, Name }),
      );
      found.push([Name, schedule]);
    }
  }
  client.destroy();
  return new Map(found.sort(([a], [b]) => (a < b ? -1 : 1)));
}
