/** Equals every number that is not below another: for what chance decides, and that must not be nothing. */
export function atLeast(least: number): unknown {
  return {
    asymmetricMatch: (value: unknown) => typeof value === 'number' && value >= least,
    toString: () => `at least ${least}`,
    getExpectedType: () => 'number',
    toAsymmetricMatcher: () => `at least ${least}`,
  };
}
