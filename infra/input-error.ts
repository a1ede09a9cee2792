/** What somebody gave is wrong: the message says what was got, what is allowed and how to mend it, without a stack. */
export class InputError extends Error {
  override readonly name = 'InputError';
}
