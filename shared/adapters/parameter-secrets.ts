import { GetParametersCommand, SSMClient } from '@aws-sdk/client-ssm';
import { AWS_CLIENT, asAwsError, Unobtainable } from './aws-error.ts';

/** @see https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html */
const NAMES_AT_ONCE = 10;

/** Secrets of jobs: parameters of SSM Parameter Store below a path, each called as its variable is. */
export class ParameterSecrets {
  readonly #path: string;
  readonly #client: SSMClient;

  /** @param client one with region, endpoint and credentials from the environment where left out */
  constructor(path: string, client: SSMClient = new SSMClient(AWS_CLIENT)) {
    this.#path = path;
    this.#client = client;
  }

  /**
   * Values by variable.
   *
   * @throws Unobtainable when one is not there, or must not be read; Error when nobody answers
   */
  async read(variables: readonly string[]): Promise<Record<string, string>> {
    const names = variables.map((variable) => `${this.#path}/${variable}`);
    const chunks = Array.from({ length: Math.ceil(names.length / NAMES_AT_ONCE) }, (_, index) =>
      names.slice(index * NAMES_AT_ONCE, (index + 1) * NAMES_AT_ONCE),
    );
    const answers = await Promise.all(chunks.map((chunk) => this.#get(chunk)));
    const found = new Map(answers.flat());
    const missing = names.filter((name) => !found.has(name));
    if (missing.length > 0) {
      const list = missing.map((name) => `\`${name}\``).join(', ');
      throw new Unobtainable(
        `there is no parameter ${list}: put it into Parameter Store by \`aws ssm put-parameter --type SecureString\``,
      );
    }
    return Object.fromEntries(
      variables.map((variable, index) => [variable, found.get(names[index] as string) as string]),
    );
  }

  async #get(names: string[]): Promise<(readonly [name: string, value: string])[]> {
    try {
      const { Parameters = [] } = await this.#client.send(
        new GetParametersCommand({ Names: names, WithDecryption: true }),
      );
      return Parameters.flatMap(({ Name, Value }) =>
        Name === undefined || Value === undefined ? [] : [[Name, Value] as const],
      );
    } catch (error) {
      throw asAwsError(
        error,
        `the secrets below \`${this.#path}\` cannot be read`,
        'see whether the executor may read these parameters and their key, and reaches Parameter Store',
      );
    }
  }
}
