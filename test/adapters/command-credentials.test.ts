import { STSClient } from '@aws-sdk/client-sts';
import { expect, test } from '@jest/globals';
import { Unobtainable } from '../../shared/adapters/aws-error.ts';
import { CommandCredentials } from '../../shared/adapters/command-credentials.ts';
import { answering, awsError } from './aws-clients.ts';

const ROLE = 'arn:aws:iam::123456789012:role/commands';
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function credentialsOf(answer?: () => unknown) {
  const inputs: unknown[] = [];
  let now = 0;
  const client = answering(new STSClient({ region: 'eu-central-1' }), (input) => {
    inputs.push(input);
    const AccessKeyId = `key-${inputs.length}`;
    const Credentials = { AccessKeyId, SecretAccessKey: 'secret', SessionToken: 'token' };
    return answer === undefined
      ? { Credentials: { ...Credentials, Expiration: new Date(now + HOUR) } }
      : answer();
  });
  const credentials = new CommandCredentials(ROLE, () => now, client);
  const getAt = async (at: number, session = 'shop.backup') => {
    now = at;
    return (await credentials.get(session)).AWS_ACCESS_KEY_ID;
  };
  return { inputs, credentials, getAt };
}

test('credentials are those of the role, in a session that says whose', async () => {
  const { inputs, credentials } = credentialsOf();
  expect(await credentials.get('shop.backup')).toEqual({
    ...{ AWS_ACCESS_KEY_ID: 'key-1', AWS_SECRET_ACCESS_KEY: 'secret', AWS_SESSION_TOKEN: 'token' },
  });
  expect(inputs).toEqual([{ RoleArn: ROLE, RoleSessionName: 'shop.backup', DurationSeconds: 3600 }]);
});

test('credentials are kept for their session, as long as a command can have them to its end', async () => {
  const { getAt } = credentialsOf();
  expect(await getAt(0)).toBe('key-1');
  expect(await getAt(44 * MINUTE)).toBe('key-1');
  expect(await getAt(44 * MINUTE, 'shop.report')).toBe('key-2');
  expect(await getAt(44 * MINUTE + 1)).toBe('key-3');
  expect(await getAt(60 * MINUTE)).toBe('key-3');
});

test.each([
  ['AccessDenied', true],
  ['ThrottlingException', false],
  ['TimeoutError', false],
])('that the service says %s is an answer for good: %s', async (name, isForGood) => {
  const { credentials } = credentialsOf(() => {
    throw awsError(name);
  });
  const error = await credentials.get('shop.backup').catch((one: unknown) => one);
  expect(error instanceof Unobtainable).toBe(isForGood);
  expect((error as Error).message).toBe(
    `the role of commands \`${ROLE}\` cannot be assumed (${name}: says the service); see whether the executor may assume it and reaches STS`,
  );
});

test('an answer without credentials is a fault', async () => {
  const { credentials } = credentialsOf(() => ({}));
  await expect(credentials.get('shop.backup')).rejects.toThrow(/the answer has no credentials/);
});
