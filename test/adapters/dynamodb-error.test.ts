import { describe, expect, test } from '@jest/globals';
import { asDynamoDbError } from '../../shared/adapters/dynamodb-error.ts';
import { StoreError } from '../../shared/adapters/store-error.ts';

const MISSING = { name: 'ResourceNotFoundException', message: 'Requested resource not found' };
const PRINCIPAL = 'User: arn:aws:sts::123456789012:assumed-role/ops/ann';

describe('an error of the SDK becomes one sentence that says what to do:', () => {
  test.each<[string, object, string, string]>([
    [
      'a table that is not there',
      MISSING,
      'unwritable',
      'there is no such table in this account and region; deploy it, name another by `--store dynamodb:TABLE`, or set AWS_PROFILE and AWS_REGION to where it is',
    ],
    [
      'a denied action, without who is denied it',
      {
        name: 'AccessDeniedException',
        message: `${PRINCIPAL} is not authorized to perform: dynamodb:ConditionCheckItem on resource: arn:aws:dynamodb:eu-central-1:123456789012:table/runs because no identity-based policy allows it`,
      },
      'unwritable',
      'these credentials may not do dynamodb:ConditionCheckItem; allow dynamodb:ConditionCheckItem on the table and on its indexes (`…/index/*`) in the policy of their role or user',
    ],
    [
      'credentials that have expired',
      { name: 'ExpiredTokenException', message: 'The security token included in the request is expired' },
      'unwritable',
      'the AWS credentials have expired; log in again, for example by `aws sso login`',
    ],
    [
      'a session of single sign-on that has expired',
      {
        name: 'CredentialsProviderError',
        message: 'The SSO session associated with this profile has expired.',
      },
      'unwritable',
      'the AWS credentials have expired; log in again, for example by `aws sso login`',
    ],
    [
      'no credentials',
      { name: 'CredentialsProviderError', message: 'Could not load credentials from any providers' },
      'unwritable',
      'no AWS credentials were found; set AWS_PROFILE, or give the process a role',
    ],
    [
      'credentials of nobody',
      {
        name: 'UnrecognizedClientException',
        message: 'The security token included in the request is invalid.',
      },
      'unwritable',
      'AWS does not accept these credentials; see whether they are complete, of this account and still in force, and whether the clock is right',
    ],
    [
      'no region',
      { message: 'Region is missing' },
      'unwritable',
      'no AWS region is known, or it is none; set AWS_REGION',
    ],
    [
      'throttling that does not end',
      { name: 'ProvisionedThroughputExceededException', message: 'The level of …' },
      'busy',
      'it is throttled, or others write the same items at this moment; it is tried again; if that goes on, use on-demand capacity or raise the limits of the table',
    ],
    [
      'no connection',
      { code: 'ECONNREFUSED', message: 'connect ECONNREFUSED 127.0.0.1:1' },
      'failed',
      'DynamoDB cannot be reached (connect ECONNREFUSED 127.0.0.1:1); see whether the network, AWS_REGION and AWS_ENDPOINT_URL_DYNAMODB lead there',
    ],
    [
      'an action that is denied whatever else is allowed',
      {
        name: 'AccessDeniedException',
        message: `${PRINCIPAL} is not authorized to perform: dynamodb:Query on resource: x with an explicit deny in an identity-based policy`,
      },
      'unwritable',
      'these credentials may not do dynamodb:Query; an explicit deny in the identity-based policy forbids it: take that out',
    ],
    [
      'a key of nobody',
      { name: 'InvalidClientTokenId', message: 'The security token included in the request is invalid' },
      'unwritable',
      'AWS does not accept these credentials; see whether they are complete, of this account and still in force, and whether the clock is right',
    ],
    [
      'a certificate of somebody else',
      { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', message: 'unable to verify the first certificate' },
      'failed',
      'DynamoDB cannot be reached (unable to verify the first certificate); see whether the network, AWS_REGION and AWS_ENDPOINT_URL_DYNAMODB lead there',
    ],
    [
      'an endpoint that is no URL',
      { name: 'TypeError', code: 'ERR_INVALID_URL', message: 'Invalid URL' },
      'failed',
      'the endpoint is no URL; set AWS_ENDPOINT_URL_DYNAMODB or AWS_ENDPOINT_URL to one such as http://127.0.0.1:8000, or unset them',
    ],
    [
      'an answer of something else',
      { name: 'SyntaxError', message: 'Unexpected token <', $response: {} },
      'failed',
      'what answers is not DynamoDB; see where AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL and a proxy on the way lead',
    ],
    [
      'a table with other keys',
      { name: 'ValidationException', message: 'The provided key element does not match the schema' },
      'foreign',
      'the table is not one of kuber-cron (The provided key element does not match the schema); give the run store a table of its own, with the keys and indexes that the stack creates',
    ],
    [
      'a job with too much history',
      { name: 'ItemCollectionSizeLimitExceededException', message: 'Collection size exceeded.' },
      'full',
      'a job has more than 10 GB of history; keep history for a shorter time by `--keep-history` and `--keep-failures`',
    ],
    [
      'anything else',
      { name: 'InternalServerError', message: 'Internal server error' },
      'failed',
      'dynamodb:GetItem failed (InternalServerError: Internal server error); it is tried again where that can help',
    ],
  ])('%s', (_what, { message = '', ...fields }: { message?: string }, problem, sentence) => {
    const cause = Object.assign(new Error(message), fields);
    const error = asDynamoDbError(cause, 'runs', 'GetItem');
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toMatchObject({ problem, message: `run store dynamodb:runs: ${sentence}`, cause });
  });

  test('which is told once', () => {
    const error = asDynamoDbError(Object.assign(new Error(), MISSING), 'runs', 'GetItem');
    expect(asDynamoDbError(error, 'runs', 'Query')).toBe(error);
  });
});
