/** One line of the product that is changed so that a promise is broken. */
export interface Mutant {
  /** What the unchanged line keeps. */
  readonly promise: string;
  /** Paths are from the root of the project. */
  readonly file: string;
  /** Stands in the file once, within one line. */
  readonly find: string;
  readonly replace: string;
  /** The test file that must go red. */
  readonly test: string;
  /** Pattern for the titles of tests that are enough, where the whole file takes long. */
  readonly only?: string;
}

/** By name. */
export type Mutants = Readonly<Record<string, Mutant>>;

/**
 * The text of the mutant's file with the change in it.
 *
 * @throws Error when the place is not there exactly once
 */
export function mutated(text: string, { file, find, replace }: Mutant): string {
  const parts = text.split(find);
  if (parts.length !== 2) {
    throw new Error(
      `\`${find}\` stands ${parts.length - 1} times in ${file}, not once: a mutant takes a part of one line that no other has`,
    );
  }
  return parts.join(replace);
}

/** What Jest writes with `--json`, as far as it is looked at. */
export interface JestReport {
  readonly numPassedTests: number;
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

/** Only a test that failed is red: a file that cannot be loaded, or a run that ends in the middle, proves nothing. */
export type Verdict =
  | { readonly colour: 'red'; readonly failed: readonly string[] }
  | { readonly colour: 'green' }
  | { readonly colour: 'none'; readonly why: string };

/** @param report undefined when Jest wrote none */
export function verdictOf(report: JestReport | undefined): Verdict {
  if (report === undefined) return { colour: 'none', why: 'Jest ended without a report' };
  const tests = report.testResults.flatMap(({ assertionResults }) => assertionResults);
  const failed = tests.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName);
  if (failed.length > 0) return { colour: 'red', failed };
  const message = report.testResults.map((one) => one.message.trim()).find((text) => text !== '');
  if (message !== undefined) return { colour: 'none', why: `the test file failed as a whole:\n${message}` };
  if (report.numPassedTests === 0) return { colour: 'none', why: 'no test has such a title' };
  return { colour: 'green' };
}
