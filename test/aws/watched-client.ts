import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { localClient } from './tables.ts';

/** What befalls a request: its answer, or it, is lost on the way; or the service says this. */
export type Fault = 'lost-answer' | 'lost-request' | 'throttled' | 'server-error' | 'conflict' | Error;

export interface WatchedClient {
  readonly client: DynamoDBClient;
  /** Commands as they went to the wire, each try of the SDK by itself. */
  readonly requests: string[];
  /** Decides what befalls the requests from now on. @param number from 1 */
  befall(faultOf: (command: string, number: number) => Fault | undefined): void;
}

/** A client of DynamoDB Local whose requests are written down and may go wrong. */
export function watchedClient(): WatchedClient {
  const client = localClient();
  const requests: string[] = [];
  let faultOf: (command: string, number: number) => Fault | undefined = () => undefined;
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const command = String(context.commandName).replace(/Command$/, '');
      requests.push(command);
      const fault = faultOf(command, requests.length);
      if (fault === undefined) return await next(args);
      if (fault === 'lost-answer') await next(args);
      throw errorOf(fault);
    },
    { step: 'finalizeRequest', priority: 'low', name: 'watch' },
  );
  return {
    client,
    requests,
    befall: (next) => {
      requests.length = 0;
      faultOf = next;
    },
  };
}

function errorOf(fault: Fault): Error {
  if (fault instanceof Error) return fault;
  const named = (name: string, fields: object = {}) =>
    Object.assign(new Error(fault), { name, $metadata: {}, ...fields });
  switch (fault) {
    case 'throttled':
      return named('ThrottlingException', { $fault: 'client' });
    case 'server-error':
      return named('InternalServerError', { $fault: 'server', $metadata: { httpStatusCode: 500 } });
    case 'conflict':
      return named('TransactionCanceledException', {
        $fault: 'client',
        CancellationReasons: [{ Code: 'None' }, { Code: 'TransactionConflict' }],
      });
    default:
      return named('TimeoutError');
  }
}
