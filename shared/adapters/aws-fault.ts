import { isNativeError } from 'node:util/types';

/** Why a service of AWS does not do what it is asked, whichever it is. */
export type AwsProblem = 'denied' | 'credentials' | 'region' | 'unreachable' | 'throttled' | 'failed';

export interface AwsFault {
  readonly problem: AwsProblem;
  /** What is the matter, to stand behind a colon. */
  readonly what: string;
  /** How to mend it. */
  readonly help: string;
}

/** The request that failed. */
export interface AwsRequest {
  /** As people call it: `DynamoDB`. */
  readonly service: string;
  /** Action of IAM: `dynamodb:PutItem`. */
  readonly action: string;
  /** Resources that a policy must name for it, in words. */
  readonly resources: string;
  /** Variable that sends requests elsewhere. */
  readonly endpointVariable: string;
}

type Describe = (says: string, request: AwsRequest) => AwsFault;

/** Neither who is denied it nor on what: messages are logged. */
const DENIED: Describe = (says, { action, resources }) => {
  const denied = /perform: ([\w-]+:\w+)/.exec(says)?.[1] ?? action;
  const what = `these credentials may not do ${denied}`;
  const forbids = /explicit deny in an? ([a-z -]*policy|permissions boundary)/.exec(says)?.[1];
  if (forbids !== undefined)
    return { problem: 'denied', what, help: `an explicit deny in the ${forbids} forbids it: take that out` };
  return {
    problem: 'denied',
    what,
    help: `allow ${denied} on ${resources} in the policy of their role or user`,
  };
};

const EXPIRED: AwsFault = {
  problem: 'credentials',
  what: 'the AWS credentials have expired',
  help: 'log in again, for example by `aws sso login`',
};

const NO_CREDENTIALS: Describe = (says) => {
  if (/expired/i.test(says)) return EXPIRED;
  // The chain of providers says the same, whatever each had to say.
  const profile = process.env.AWS_PROFILE;
  return {
    problem: 'credentials',
    what: `no AWS credentials were found${profile ? ` in the profile \`${profile}\`` : ''}`,
    help: profile
      ? 'set AWS_PROFILE to one that `aws configure list-profiles` names, and log in to it'
      : 'set AWS_PROFILE, or give the process a role',
  };
};

const REFUSED: Describe = () => ({
  problem: 'credentials',
  what: 'AWS does not accept these credentials',
  help: 'see whether they are complete, of this account and still in force, and whether the clock is right',
});

const THROTTLED: Describe = (_says, { service }) => ({
  problem: 'throttled',
  what: `${service} is asked too often at this moment`,
  help: 'try again in a minute',
});

const UNREACHABLE: Describe = (says, { service, endpointVariable }) => ({
  problem: 'unreachable',
  what: `${service} cannot be reached (${says})`,
  help: `see whether the network, AWS_REGION and ${endpointVariable} lead there`,
});

const NO_REGION: AwsFault = {
  problem: 'region',
  what: 'no AWS region is known, or it is none',
  help: 'set AWS_REGION',
};

const BY_NAME: Readonly<Record<string, Describe>> = {
  AccessDenied: DENIED,
  AccessDeniedException: DENIED,
  ExpiredToken: () => EXPIRED,
  ExpiredTokenException: () => EXPIRED,
  CredentialsProviderError: NO_CREDENTIALS,
  TokenProviderError: NO_CREDENTIALS,
  UnrecognizedClientException: REFUSED,
  InvalidClientTokenId: REFUSED,
  InvalidSignatureException: REFUSED,
  IncompleteSignatureException: REFUSED,
  MissingAuthenticationTokenException: REFUSED,
  ThrottlingException: THROTTLED,
  TooManyRequestsException: THROTTLED,
  RequestLimitExceeded: THROTTLED,
  TimeoutError: UNREACHABLE,
  AbortError: UNREACHABLE,
};

const NETWORK =
  /^E(?:CONN|HOST|NET|PIPE|PROTO|TIMEDOUT)|^ENOTFOUND|^EAI_AGAIN|CERT|^UNABLE_TO_|^ERR_(?:TLS|SSL)/;

/** What an error of the SDK says to who asked. */
export function awsFault(error: Error, request: AwsRequest): AwsFault {
  const { name, message, code = '' } = error as Error & { code?: string };
  const says = message || code;
  const known = BY_NAME[name];
  if (known !== undefined) return known(says, request);
  if (NETWORK.test(code)) return UNREACHABLE(says, request);
  if (/^region (?:is missing|not accepted)/i.test(message)) return NO_REGION;
  const { service, endpointVariable, action } = request;
  if (code === 'ERR_INVALID_URL')
    return {
      problem: 'unreachable',
      what: 'the endpoint is no URL',
      help: `set ${endpointVariable} or AWS_ENDPOINT_URL to one such as http://127.0.0.1:8000, or unset them`,
    };
  // Of an answer that the SDK could not read; it has the answer aside.
  if (name === 'SyntaxError' && '$response' in error)
    return {
      problem: 'unreachable',
      what: `what answers is not ${service}`,
      help: `see where ${endpointVariable}, AWS_ENDPOINT_URL and a proxy on the way lead`,
    };
  return {
    problem: 'failed',
    what: `${action} failed (${name}: ${says})`,
    help: 'it is tried again where that can help',
  };
}

export function isError(error: unknown): error is Error {
  return isNativeError(error) || error instanceof Error;
}
