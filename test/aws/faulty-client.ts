import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { localClient } from './tables.ts';

/** What befalls one try of a request. */
export const WIRE_FAULTS = [
  /** It never arrives. */
  'lost-request',
  /** It is done, and nobody hears of it. */
  'lost-answer',
  'server-error',
  /** Done, and answered by an error of the server. */
  'late-server-error',
  'throttled',
  /** A transaction that meets another; or a single write that meets one. */
  'conflict',
  /** Of a transaction, one partition is throttled. */
  'partly-throttled',
  /** A transaction is still under way, and will be done. */
  'in-progress',
] as const;
/** What the service may answer without anything being wrong. */
export const ODD_ANSWERS = [
  /** A page of a query ends early. */
  'small-page',
  /** A page has nothing in it, and there are more. */
  'empty-page',
  /** A batch is taken in part. */
  'partly-processed',
  /** A global index is not up to date: what it said the last time. */
  'old-index',
] as const;
/** Those that befall the answer. */
const DONE: readonly WireFault[] = ['lost-answer', 'late-server-error', 'in-progress'];
export type WireFault = (typeof WIRE_FAULTS)[number];
export type OddAnswer = (typeof ODD_ANSWERS)[number];

export interface FaultyClient {
  readonly client: DynamoDBClient;
  /** Tries that went to the wire so far. */
  readonly tries: number;
  /** What befalls the nth try from now on, from 1, and how the service answers a request. */
  befall(faults: {
    readonly wire?: (command: string, nth: number) => WireFault | undefined;
    readonly odd?: (command: string) => OddAnswer | undefined;
  }): void;
}

interface Reply {
  output: Record<string, unknown>;
}
type Input = Record<string, unknown>;

/** How often the SDK tries one request, here without any rest in between. */
export const SDK_TRIES = 5;

/** A client of DynamoDB Local that a test may put anything in the way of. */
export function faultyClient(): FaultyClient {
  const client = localClient();
  client.config.retryStrategy = async () => RESTLESS;
  let wire: (command: string, nth: number) => WireFault | undefined = () => undefined;
  let odd: (command: string) => OddAnswer | undefined = () => undefined;
  let tries = 0;
  const former = new Map<string, Reply>();
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const command = nameOf(context);
      const input = args.input as Input;
      const how = odd(command);
      const ask = async (changed: Input) => (await next({ ...args, input: changed as never })) as never;
      if (command === 'Query') return await query(input, how, ask, former);
      if (how === 'partly-processed' && command === 'BatchGetItem') return await batchGet(input, ask);
      if (how === 'partly-processed' && command === 'BatchWriteItem') return await batchWrite(input, ask);
      return await next(args);
    },
    { step: 'initialize', name: 'oddities' },
  );
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const command = nameOf(context);
      tries += 1;
      const fault = wire(command, tries);
      const error = fault && errorOf(fault, command);
      if (error === undefined) return await next(args);
      if (DONE.includes(fault as WireFault)) await next(args);
      throw error;
    },
    { step: 'finalizeRequest', priority: 'low', name: 'faults' },
  );
  return {
    client,
    get tries() {
      return tries;
    },
    befall: (faults) => {
      tries = 0;
      wire = faults.wire ?? (() => undefined);
      odd = faults.odd ?? (() => undefined);
    },
  };
}

const nameOf = (context: { readonly commandName?: string }): string =>
  String(context.commandName).replace(/Command$/, '');

type Ask = (input: Input) => Promise<never>;

async function query(input: Input, how: OddAnswer | undefined, ask: Ask, former: Map<string, Reply>) {
  const { Limit, ExclusiveStartKey, IndexName } = input;
  if (how === 'empty-page' && ExclusiveStartKey !== undefined) {
    const reply: Reply = await ask({ ...input, Limit: 1 });
    return { ...reply, output: { ...reply.output, Items: [], LastEvaluatedKey: ExclusiveStartKey } } as never;
  }
  if (how === 'small-page') return await ask({ ...input, Limit: Math.min(2, (Limit as number) ?? 2) });
  if (IndexName !== 'to-do' && IndexName !== 'all-by-creation') return await ask(input);
  const key = JSON.stringify(input);
  const known = former.get(key);
  if (how === 'old-index' && known !== undefined) return known as never;
  const reply: Reply = await ask(input);
  former.set(key, reply);
  return reply as never;
}

type Requests = Record<string, { Keys: unknown[] }>;

async function batchGet(input: Input, ask: Ask) {
  const [[table, { Keys, ...rest }] = ['', { Keys: [] }]] = Object.entries(input.RequestItems as Requests);
  const taken = Math.ceil(Keys.length / 2);
  const left = { [table]: { ...rest, Keys: Keys.slice(taken) } };
  const reply: Reply = await ask({
    ...input,
    RequestItems: { [table]: { ...rest, Keys: Keys.slice(0, taken) } },
  });
  return { ...reply, output: { ...reply.output, UnprocessedKeys: left } } as never;
}

async function batchWrite(input: Input, ask: Ask) {
  const [[table, requests] = ['', []]] = Object.entries(input.RequestItems as Record<string, unknown[]>);
  const taken = Math.ceil(requests.length / 2);
  const left = { [table]: requests.slice(taken) };
  const reply: Reply = await ask({ ...input, RequestItems: { [table]: requests.slice(0, taken) } });
  return { ...reply, output: { ...reply.output, UnprocessedItems: left } } as never;
}

/** The error that a try ends by; undefined when this cannot befall such a command. */
function errorOf(fault: WireFault, command: string): Error | undefined {
  const isTransaction = command === 'TransactWriteItems';
  const isRead = command === 'Query' || command === 'GetItem' || command === 'BatchGetItem';
  const named = (name: string, fields: object = {}) =>
    Object.assign(new Error(`${command}: ${fault}`), { name, $metadata: {}, $fault: 'client', ...fields });
  const cancelled = (Code: string) =>
    named('TransactionCanceledException', { CancellationReasons: [{ Code: 'None' }, { Code }] });
  switch (fault) {
    case 'lost-request':
    case 'lost-answer':
      return named('TimeoutError');
    case 'server-error':
    case 'late-server-error':
      return named('InternalServerError', { $fault: 'server', $metadata: { httpStatusCode: 500 } });
    case 'throttled':
      return named('ProvisionedThroughputExceededException');
    case 'conflict':
      if (isRead || command === 'BatchWriteItem') return undefined;
      return isTransaction ? cancelled('TransactionConflict') : named('TransactionConflictException');
    case 'partly-throttled':
      return isTransaction ? cancelled('ProvisionedThroughputExceeded') : undefined;
    case 'in-progress':
      return isTransaction ? named('TransactionInProgressException') : undefined;
  }
}

/** The SDK's rule of what is tried again, without its waits. */
const RESTLESS = {
  mode: 'standard',
  acquireInitialRetryToken: async () => tokenOf(0),
  refreshRetryTokenForRetry: async (
    token: { getRetryCount(): number },
    { errorType }: { readonly errorType: string },
  ) => {
    const count = token.getRetryCount() + 1;
    if (errorType === 'CLIENT_ERROR' || count >= SDK_TRIES) throw new Error('no more tries');
    return tokenOf(count);
  },
  recordSuccess: () => {},
};

function tokenOf(count: number) {
  return { getRetryCount: () => count, getRetryDelay: () => 0 };
}
