import { type AwsProblem, type AwsRequest, awsFault, isError } from './aws-fault.ts';
import { StoreError, type StoreProblem } from './store-error.ts';

/** A run store on DynamoDB cannot be read or written; the message names the table and says how to mend it. */
export class DynamoDbError extends StoreError {
  constructor(problem: StoreProblem, table: string, text: Text, options?: ErrorOptions) {
    super(problem, `dynamodb:${table}`, options);
    this.message = `run store dynamodb:${table}: ${text.what}; ${text.help}`;
  }
}

interface Text {
  readonly what: string;
  readonly help: string;
}

type Described = readonly [StoreProblem, Text];
type Describe = (says: string) => Described;

const MISSING: Describe = () => [
  'unwritable',
  {
    what: 'there is no such table in this account and region',
    help: 'deploy it, name another by `--store dynamodb:TABLE`, or set AWS_PROFILE and AWS_REGION to where it is',
  },
];

const THROTTLED: Describe = () => [
  'busy',
  {
    what: 'it is throttled, or others write the same items at this moment',
    help: 'it is tried again; if that goes on, use on-demand capacity or raise the limits of the table',
  },
];

const FOREIGN: Describe = (says) => [
  'foreign',
  {
    what: `the table is not one of kuber-cron (${says})`,
    help: 'give the run store a table of its own, with the keys and indexes that the stack creates',
  },
];

const FULL: Describe = () => [
  'full',
  {
    what: 'a job has more than 10 GB of history',
    help: 'keep history for a shorter time by `--keep-history` and `--keep-failures`',
  },
];

/** What only DynamoDB says, or what means something else for a table. */
const BY_NAME: Readonly<Record<string, Describe>> = {
  ResourceNotFoundException: MISSING,
  ThrottlingException: THROTTLED,
  ProvisionedThroughputExceededException: THROTTLED,
  RequestLimitExceeded: THROTTLED,
  TransactionConflictException: THROTTLED,
  TransactionInProgressException: THROTTLED,
  ValidationException: FOREIGN,
  ItemCollectionSizeLimitExceededException: FULL,
};

const PROBLEMS: Readonly<Record<AwsProblem, StoreProblem>> = {
  denied: 'unwritable',
  credentials: 'unwritable',
  region: 'unwritable',
  unreachable: 'failed',
  throttled: 'busy',
  failed: 'failed',
};

/** Turns an error of the SDK into a `DynamoDbError`. @param command of the SDK, such as `PutItem` */
export function asDynamoDbError(error: unknown, table: string, command: string): unknown {
  if (error instanceof StoreError || !isError(error)) return error;
  const [problem, text] = describe(error, {
    service: 'DynamoDB',
    action: `dynamodb:${command}`,
    resources: 'the table and on its indexes (`…/index/*`)',
    endpointVariable: 'AWS_ENDPOINT_URL_DYNAMODB',
  });
  return new DynamoDbError(problem, table, text, { cause: error });
}

function describe(error: Error, request: AwsRequest): Described {
  const known = BY_NAME[error.name];
  if (known !== undefined) return known(error.message);
  const { problem, ...text } = awsFault(error, request);
  return [PROBLEMS[problem], text];
}
