/** Answers that stay the same however often is asked: what was asked for is not there, or not allowed. */
const REFUSALS = [
  'AccessDenied',
  'AccessDeniedException',
  'InvalidKeyId',
  'MalformedPolicyDocument',
  'ParameterNotFound',
  'RegionDisabledException',
  'ValidationError',
  'ValidationException',
];

/** Something that a command needs cannot be had, and asking again will not help. The message holds no secret. */
export class Unobtainable extends Error {
  override readonly name = 'Unobtainable';
}

/** An error of the SDK in the words of the caller: `Unobtainable`, or one that may pass. */
export function asAwsError(error: unknown, what: string, help: string): Error {
  const { name = 'Error', message = String(error) } = (error ?? {}) as Partial<Error>;
  const text = `${what} (${name}: ${message}); ${help}`;
  return REFUSALS.includes(name)
    ? new Unobtainable(text, { cause: error })
    : new Error(text, { cause: error });
}

/** Tries and time-outs of a client, as those of the run store: a function pays for each second that it waits. */
export const AWS_CLIENT = {
  maxAttempts: 5,
  requestHandler: { connectionTimeout: 2_000, requestTimeout: 4_000, throwOnRequestTimeout: true },
};
