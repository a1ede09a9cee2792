/** The suite that builds the image and runs it: `npm run test:container`. */
export default {
  rootDir: '../..',
  roots: ['<rootDir>/test/container-image'],
  testMatch: ['**/*.image.ts'],
  transform: {},
  extensionsToTreatAsEsm: ['.ts'],
  globalSetup: '<rootDir>/test/container-image/build-image.ts',
  maxWorkers: 2,
  // Only what hangs shall fail for its time. Milliseconds.
  testTimeout: 180_000,
};
