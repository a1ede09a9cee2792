/** The fault suite: `npm run test:faults`. Real processes are killed, clocks set, disks filled. */
export default {
  rootDir: '../..',
  roots: ['<rootDir>/test/faults'],
  testMatch: ['**/*.faults.ts'],
  transform: {},
  extensionsToTreatAsEsm: ['.ts'],
  globalSetup: '<rootDir>/test/faults/announce-seed.ts',
  // Two scenarios of real processes at a time is what a machine of two cores bears.
  maxWorkers: 2,
  // Only what hangs shall fail for its time. Milliseconds.
  testTimeout: 480_000,
};
