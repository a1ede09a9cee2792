import {
  GetScheduleCommand,
  paginateListSchedules,
  ResourceNotFoundException,
  SchedulerClient,
} from '@aws-sdk/client-scheduler';
import type { DeployedSchedule, ScheduleReader } from '../core/target/drift.ts';
import { awsFault, isError } from './aws-fault.ts';
import { CommandError } from './command-line.ts';

/** Tries of one request; the service throttles whoever looks through thousands. */
const ATTEMPTS = 8;
const REQUEST_TIMEOUT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 2_000;

/** The service's longest page. */
const PAGE = 100;

/** Reads schedules of EventBridge Scheduler. What fails is a `CommandError` in one sentence. */
export class EventBridgeSchedules implements ScheduleReader {
  readonly #client: SchedulerClient;

  /** @param client (Default: one with region, endpoint and credentials from the environment) */
  constructor(client?: SchedulerClient) {
    this.#client =
      client ??
      new SchedulerClient({
        maxAttempts: ATTEMPTS,
        // Slows down for a service that throttles, where the standard one would run out of tries.
        retryMode: 'adaptive',
        requestHandler: {
          connectionTimeout: CONNECT_TIMEOUT_MS,
          requestTimeout: REQUEST_TIMEOUT_MS,
          throwOnRequestTimeout: true,
        },
      });
  }

  async *names(group: string): AsyncGenerator<readonly string[]> {
    try {
      const pages = paginateListSchedules({ client: this.#client, pageSize: PAGE }, { GroupName: group });
      for await (const { Schedules = [] } of pages) yield Schedules.flatMap(({ Name = [] }) => Name);
    } catch (error) {
      if (error instanceof ResourceNotFoundException)
        throw new CommandError(
          `there is no schedule group \`${group}\` in this account and region; deploy it, name another deployment by \`--name\`, or set AWS_PROFILE and AWS_REGION to where it is`,
          { cause: error },
        );
      // Lists are not allowed or denied by their group.
      throw asCommandError(error, group, 'ListSchedules', '`arn:aws:scheduler:REGION:ACCOUNT:schedule/*/*`');
    }
  }

  async schedule(group: string, name: string): Promise<DeployedSchedule | undefined> {
    try {
      const command = new GetScheduleCommand({ GroupName: group, Name: name });
      const {
        $metadata: _metadata,
        Arn = '',
        Name: _name,
        CreationDate: _created,
        LastModificationDate: _modified,
        ...fields
      } = await this.#client.send(command);
      const { StartDate, EndDate } = fields;
      return {
        arn: Arn,
        fields: {
          ...{ ...fields, Name: name },
          ...(StartDate && { StartDate: StartDate.toISOString() }),
          ...(EndDate && { EndDate: EndDate.toISOString() }),
        },
      };
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return undefined;
      throw asCommandError(error, group, 'GetSchedule', 'the schedules of the group');
    }
  }

  close(): void {
    this.#client.destroy();
  }
}

function asCommandError(error: unknown, group: string, command: string, resources: string): unknown {
  if (!isError(error)) return error;
  const { what, help } = awsFault(error, {
    service: 'EventBridge Scheduler',
    ...{ action: `scheduler:${command}`, resources, endpointVariable: 'AWS_ENDPOINT_URL_SCHEDULER' },
  });
  return new CommandError(`schedules of ${group}: ${what}; ${help}`, { cause: error });
}
