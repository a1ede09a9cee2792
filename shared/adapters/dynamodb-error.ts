import { isNativeError } from 'node:util/types';
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

/** @param action of IAM, such as `dynamodb:PutItem` */
type Describe = (says: string, action: string) => readonly [StoreProblem, Text];

const MISSING: Describe = () => [
  'unwritable',
  {
    what: 'there is no such table in this account and region',
    help: 'deploy it, name another by `--store dynamodb:TABLE`, or set AWS_PROFILE and AWS_REGION to where it is',
  },
];

const DENIED: Describe = (says, action) => {
  const denied = /perform: ([\w:]+)/.exec(says)?.[1] ?? action;
  return [
    'unwritable',
    {
      what: `these credentials may not do ${denied}`,
      help: `allow ${denied} on the table and on its indexes (\`…/index/*\`) in the policy of their role or user`,
    },
  ];
};

const EXPIRED: Describe = () => [
  'unwritable',
  { what: 'the AWS credentials have expired', help: 'log in again, for example by `aws sso login`' },
];

const NO_CREDENTIALS: Describe = (says) =>
  /expired/i.test(says)
    ? EXPIRED(says, '')
    : [
        'unwritable',
        { what: 'no AWS credentials were found', help: 'set AWS_PROFILE, or give the process a role' },
      ];

const REFUSED: Describe = (_says) => [
  'unwritable',
  {
    what: 'AWS does not accept these credentials',
    help: 'see whether they are complete, of this account and still in force, and whether the clock is right',
  },
];

const THROTTLED: Describe = () => [
  'busy',
  {
    what: 'it is throttled, or others write the same items at this moment',
    help: 'it is tried again; if that goes on, use on-demand capacity or raise the limits of the table',
  },
];

const UNREACHABLE: Describe = (says) => [
  'failed',
  {
    what: `DynamoDB cannot be reached (${says})`,
    help: 'see whether the network, AWS_REGION and AWS_ENDPOINT_URL_DYNAMODB lead there',
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

const BY_NAME: Readonly<Record<string, Describe>> = {
  ResourceNotFoundException: MISSING,
  AccessDeniedException: DENIED,
  ExpiredToken: EXPIRED,
  ExpiredTokenException: EXPIRED,
  CredentialsProviderError: NO_CREDENTIALS,
  TokenProviderError: NO_CREDENTIALS,
  UnrecognizedClientException: REFUSED,
  InvalidSignatureException: REFUSED,
  IncompleteSignatureException: REFUSED,
  MissingAuthenticationTokenException: REFUSED,
  ThrottlingException: THROTTLED,
  ProvisionedThroughputExceededException: THROTTLED,
  RequestLimitExceeded: THROTTLED,
  TransactionConflictException: THROTTLED,
  TransactionInProgressException: THROTTLED,
  TimeoutError: UNREACHABLE,
  AbortError: UNREACHABLE,
  ValidationException: FOREIGN,
  ItemCollectionSizeLimitExceededException: FULL,
};

const NETWORK = /^E(?:CONN|HOST|NET|PIPE|TIMEDOUT)|^ENOTFOUND|^EAI_AGAIN|CERT/;

/** Turns an error of the SDK into a `DynamoDbError`. @param command of the SDK, such as `PutItem` */
export function asDynamoDbError(error: unknown, table: string, command: string): unknown {
  if (error instanceof StoreError || !isError(error)) return error;
  const { name, message, code = '' } = error as Error & { code?: string };
  const [problem, text] = describe(name, code, message)(message || code, `dynamodb:${command}`);
  return new DynamoDbError(problem, table, text, { cause: error });
}

function describe(name: string, code: string, message: string): Describe {
  const known = BY_NAME[name];
  if (known !== undefined) return known;
  if (NETWORK.test(code)) return UNREACHABLE;
  if (/^region (?:is missing|not accepted)/i.test(message)) {
    return () => ['unwritable', { what: 'no AWS region is known, or it is none', help: 'set AWS_REGION' }];
  }
  return (says, action) => [
    'failed',
    { what: `${action} failed (${name}: ${says})`, help: 'it is tried again where that can help' },
  ];
}

function isError(error: unknown): error is Error {
  return isNativeError(error) || error instanceof Error;
}
