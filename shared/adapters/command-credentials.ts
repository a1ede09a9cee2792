import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import type { EpochMs } from '../core/schedule/zone-table.ts';
import { AWS_CLIENT, asAwsError } from './aws-error.ts';

/** Variables by which every tool of AWS finds credentials. */
export interface Credentials {
  readonly AWS_ACCESS_KEY_ID: string;
  readonly AWS_SECRET_ACCESS_KEY: string;
  readonly AWS_SESSION_TOKEN: string;
}

/** The longest session of a role that another role assumes. Seconds. @see https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining */
const SESSION_S = 3600;
/** What a session must still last when a command gets it: longer than any function. Milliseconds. */
const LEFT_MS = 16 * 60_000;

/** Credentials of the role that commands have, by session; kept while they last long enough. */
export class CommandCredentials {
  readonly #role: string;
  readonly #client: STSClient;
  readonly #now: () => EpochMs;
  readonly #known = new Map<string, { readonly credentials: Credentials; readonly until: EpochMs }>();

  /** @param client one with region, endpoint and credentials from the environment where left out */
  constructor(role: string, now: () => EpochMs, client: STSClient = new STSClient(AWS_CLIENT)) {
    this.#role = role;
    this.#now = now;
    this.#client = client;
  }

  /**
   * @param session what logs of AWS call whoever uses them: 2 to 64 letters, digits and `_=,.@-`
   * @throws Unobtainable when the role must not be assumed; Error when nobody answers
   */
  async get(session: string): Promise<Credentials> {
    const known = this.#known.get(session);
    if (known !== undefined && known.until - this.#now() >= LEFT_MS) return known.credentials;
    const fresh = await this.#assume(session);
    this.#known.set(session, fresh);
    return fresh.credentials;
  }

  async #assume(session: string): Promise<{ readonly credentials: Credentials; readonly until: EpochMs }> {
    const help = 'see whether the executor may assume it and reaches STS';
    try {
      const { Credentials: given } = await this.#client.send(
        new AssumeRoleCommand({
          ...{ RoleArn: this.#role, RoleSessionName: session, DurationSeconds: SESSION_S },
        }),
      );
      const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = given ?? {};
      if (AccessKeyId === undefined || SecretAccessKey === undefined || SessionToken === undefined)
        throw new Error('the answer has no credentials');
      return {
        credentials: {
          AWS_ACCESS_KEY_ID: AccessKeyId,
          AWS_SECRET_ACCESS_KEY: SecretAccessKey,
          AWS_SESSION_TOKEN: SessionToken,
        },
        until: Expiration?.getTime() ?? 0,
      };
    } catch (error) {
      throw asAwsError(error, `the role of commands \`${this.#role}\` cannot be assumed`, help);
    }
  }
}
