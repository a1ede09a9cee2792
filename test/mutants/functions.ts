import type { Mutants } from './mutant.ts';

const EXECUTE = 'test/functions/execute.test.ts';
const SANDBOX = 'test/functions/sandbox.test.ts';
const DELIVERY = 'test/core/target/delivery.test.ts';

/** What Lambda runs. */
export const FUNCTIONS: Mutants = {
  'executor-guard': {
    promise: 'what is delivered and not due starts nothing',
    file: 'functions/executor/execute.ts',
    find: "if (verdict !== 'due') {",
    replace: "if (verdict === 'not-foreseen') {",
    test: EXECUTE,
  },
  'executor-two-requests': {
    promise: 'a first attempt costs two requests',
    file: 'functions/executor/execute.ts',
    find: '...(isStarting ? { startedAt: at } : {})',
    replace: '...(isStarting ? {} : { startedAt: at })',
    test: EXECUTE,
  },
  'executor-prepares-first': {
    promise: 'a run is not claimed before its command has what it needs',
    file: 'functions/executor/execute.ts',
    find: 'if (!(error instanceof Unobtainable)) throw error;',
    replace: 'if (!(error instanceof Error)) throw error;',
    test: EXECUTE,
  },
  'executor-doubtful-claim': {
    promise: 'a claim whose answer was lost is won by the event that comes again',
    file: 'functions/executor/execute.ts',
    find: 'this.#doubtful.get(id) ?? fresh.token',
    replace: 'fresh.token',
    test: EXECUTE,
  },
  'executor-result-in-log': {
    promise: 'a result that the store does not take stands in the log before the invocation ends',
    file: 'functions/executor/execute.ts',
    find: 'await Promise.race([executed, timeIsUp]);',
    replace: 'await executed;',
    test: EXECUTE,
  },
  'executor-hands-in': {
    promise: 'a result that the store did not take is handed in by the next invocation',
    file: 'functions/executor/execute.ts',
    find: 'this.#unrecorded.push(finish);',
    replace: 'this.#unrecorded.pop();',
    test: EXECUTE,
  },
  'executor-memory': {
    promise: 'the memory of the function is the limit of a command',
    file: 'functions/executor/command-runner.ts',
    find: 'return cpuTimeMs === undefined ? spec : { ...spec, limits: { cpuTimeMs } };',
    replace: 'return { ...spec, ...(limits && { limits }), ...(cpuTimeMs && {}) };',
    test: EXECUTE,
  },
  'executor-mask': {
    promise: 'the credentials of commands are masked',
    file: 'functions/executor/command-runner.ts',
    find: 'masked: [...spec.masked, ...masked]',
    replace: 'masked: spec.masked',
    test: SANDBOX,
  },
  'sandbox-processes': {
    promise: 'no process of a run outlives it',
    file: 'functions/executor/command-runner.ts',
    find: "command.kill('SIGKILL');",
    replace: "command.kill('SIGTERM');",
    test: SANDBOX,
  },
  'sandbox-files': {
    promise: 'no file of a run outlives it',
    file: 'functions/executor/sandbox.ts',
    find: 'if (this.#isOwnFolder) return await this.#removeNew();',
    replace: '',
    test: SANDBOX,
  },
  'sandbox-foreign-processes': {
    promise: 'outside of Lambda only processes of the own run are ended',
    file: 'functions/executor/sandbox.ts',
    find: 'runId === mark.runId && owner === mark.owner',
    replace: 'runId === mark.runId',
    test: SANDBOX,
  },
  'event-from-the-future': {
    promise: 'a delivery before its time starts nothing',
    file: 'shared/core/target/delivery.ts',
    find: 'instant <= now + CLOCKS_MS',
    replace: 'instant <= now + OLDEST_MS',
    test: DELIVERY,
  },
  'emf-limit': {
    promise: 'a metric has at most a hundred values in a line',
    file: 'shared/core/metrics/emf.ts',
    find: 'values.slice(from, from + VALUES_OF_METRIC)',
    replace: 'values.slice(from, from + VALUES_OF_METRIC + 1)',
    test: 'test/core/metrics/emf.test.ts',
  },
};
