/** The suite against DynamoDB Local: `npm run test:aws`. */
export default {
  rootDir: '../..',
  roots: ['<rootDir>/test/aws'],
  testMatch: ['**/*.aws.ts'],
  transform: {},
  extensionsToTreatAsEsm: ['.ts'],
  globalSetup: '<rootDir>/test/aws/start-services.ts',
  globalTeardown: '<rootDir>/test/aws/stop-services.ts',
  maxWorkers: 2,
  // Only what hangs shall fail for its time. Milliseconds.
  testTimeout: 120_000,
};
