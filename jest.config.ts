/** No transform: Node strips the types of test files by itself (docs/adr/0007-jest-without-a-transform.md). */
export default {
  roots: ['<rootDir>/test'],
  transform: {},
  extensionsToTreatAsEsm: ['.ts'],
  // Machines are small and busy: only what hangs shall fail for its time. Milliseconds.
  testTimeout: 120_000,
};
