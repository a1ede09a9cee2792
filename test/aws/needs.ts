import { describe } from '@jest/globals';

/** What the start of the suite found: a Python with moto; the emulator of Lambda and the client of its runtime. */
const { KUBERCRON_TEST_PYTHON: python, KUBERCRON_TEST_LAMBDA: lambda } = process.env;

/** Tests that need moto. Why they are skipped is said once, at the start of the suite. */
export const describeMoto = python === undefined ? describe.skip : describe;
/** Tests that need all that there is: moto, DynamoDB Local, and functions that run. */
export const describeLambda =
  lambda === undefined || process.env.KUBERCRON_TEST_DYNAMODB === undefined ? describe.skip : describeMoto;
