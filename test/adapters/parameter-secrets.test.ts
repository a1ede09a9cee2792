import { SSMClient } from '@aws-sdk/client-ssm';
import { expect, test } from '@jest/globals';
import { Unobtainable } from '../../shared/adapters/aws-error.ts';
import { ParameterSecrets } from '../../shared/adapters/parameter-secrets.ts';
import { answering, awsError } from './aws-clients.ts';

interface Input {
  readonly Names: readonly string[];
  readonly WithDecryption: boolean;
}

function secretsOf(answer: (input: Input) => unknown) {
  const inputs: Input[] = [];
  const client = answering(new SSMClient({ region: 'eu-central-1' }), (input) => {
    inputs.push(input as Input);
    return answer(input as Input);
  });
  return { inputs, secrets: new ParameterSecrets('/shop/production', client) };
}

const all = ({ Names }: Input) => ({
  Parameters: Names.map((Name) => ({ Name, Value: `value of ${Name}` })),
});

test('secrets are decrypted parameters below the path, by their variables', async () => {
  const { inputs, secrets } = secretsOf(all);
  expect(await secrets.read(['DATABASE_URL', 'API_KEY'])).toEqual({
    DATABASE_URL: 'value of /shop/production/DATABASE_URL',
    API_KEY: 'value of /shop/production/API_KEY',
  });
  const Names = ['/shop/production/DATABASE_URL', '/shop/production/API_KEY'];
  expect(inputs).toEqual([{ Names, WithDecryption: true }]);
});

test.each([
  [1, [1]],
  [10, [10]],
  [11, [10, 1]],
  [25, [10, 10, 5]],
])('%d secrets are asked for in requests of %j', async (count, sizes) => {
  const { inputs, secrets } = secretsOf(all);
  const names = Array.from({ length: count }, (_, index) => `SECRET_${index}`);
  expect(Object.keys(await secrets.read(names))).toEqual(names);
  expect(inputs.map(({ Names }) => Names.length)).toEqual(sizes);
});

test('secrets that are not there are named, with how to make them', async () => {
  const { secrets } = secretsOf(({ Names }) => all({ Names: Names.slice(0, 1), WithDecryption: true }));
  const message =
    'there is no parameter `/shop/production/B`, `/shop/production/C`: put it into Parameter Store by `aws ssm put-parameter --type SecureString`';
  await expect(secrets.read(['A', 'B', 'C'])).rejects.toThrow(new Unobtainable(message));
});

test.each([
  ['AccessDeniedException', true],
  ['InvalidKeyId', true],
  ['ThrottlingException', false],
  ['TimeoutError', false],
  ['InternalServerError', false],
  ['ExpiredTokenException', false],
])('that the service says %s is an answer for good: %s', async (name, isForGood) => {
  const { secrets } = secretsOf(() => {
    throw awsError(name);
  });
  const error = await secrets.read(['API_KEY']).catch((one: unknown) => one);
  expect(error instanceof Unobtainable).toBe(isForGood);
  expect((error as Error).message).toBe(
    `the secrets below \`/shop/production\` cannot be read (${name}: says the service); see whether the executor may read these parameters and their key, and reaches Parameter Store`,
  );
});
