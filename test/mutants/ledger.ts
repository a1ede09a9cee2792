import type { Mutants } from './mutant.ts';

const KEEPER = 'test/core/run/ledger-keeper.test.ts';
const SIMULATION = 'test/functions/ledger.simulation.test.ts';
const STORE = 'test/adapters/memory-run-store.test.ts';
const FILE = 'shared/core/run/ledger-keeper.ts';

/** What becomes of runs that others start. */
export const LEDGER: Mutants = {
  'ledger-grace': {
    promise: 'a transport has two minutes to deliver what is due',
    file: FILE,
    find: 'const until = cutToMinute(now - GRACE_MS);',
    replace: 'const until = cutToMinute(now);',
    test: KEEPER,
  },
  'ledger-no-downtime': {
    promise: 'a run that was not delivered is started under `catch-up=none`, too',
    file: FILE,
    find: 'const NO_DOWNTIME_MS = GRACE_MS + 2 * MINUTE_MS;',
    replace: 'const NO_DOWNTIME_MS = MINUTE_MS;',
    test: KEEPER,
  },
  'ledger-pauses': {
    promise: 'a pause answers for what was due in it',
    file: FILE,
    find: '|| isPaused(one)',
    replace: '',
    test: KEEPER,
  },
  'ledger-gaps': {
    promise: 'gaps behind newer runs are found after an outage',
    file: FILE,
    find: 'next !== undefined && next < from',
    replace: 'next === undefined',
    test: KEEPER,
  },
  'ledger-cursor': {
    promise: 'the cursor moves only past what is answered',
    file: FILE,
    find: 'if (failed !== undefined) throw failed.error;',
    replace: '',
    test: KEEPER,
  },
  'ledger-young-plan': {
    promise: 'a process of the version before puts no plan back',
    file: FILE,
    find: 'if (!isInForce && !isYoung) return',
    replace: 'if (!isInForce) return',
    test: KEEPER,
  },
  'ledger-foreign-crontab': {
    promise: 'a crontab that a daemon put in force stays so',
    file: FILE,
    find: 'if (gone?.target !== this.#options.target) return;',
    replace: '',
    test: KEEPER,
  },
  'ledger-removed-jobs': {
    promise: 'a job that is gone owes nothing, whenever it was to start',
    file: FILE,
    find: 'if (gone.size === 0) return;',
    replace: 'return;',
    test: KEEPER,
  },
  'ledger-turn': {
    promise: 'one pass at a time settles a crontab',
    file: FILE,
    find: 'if (await store.takeTurn(crontab, this.#token, asked, asked + TURN_MS)) {',
    replace: 'if (await store.takeTurn(crontab, this.#token, asked, asked + TURN_MS).then(() => true)) {',
    test: KEEPER,
  },
  'ledger-lost-early': {
    promise: 'a run is taken from its owner a minute after its lease, and not before',
    file: FILE,
    find: 'leaseUntil + LOST_AFTER_MS <= now',
    replace: 'leaseUntil <= now',
    test: KEEPER,
  },
  'ledger-one-at-a-time': {
    promise: 'runs of a job that come one after the other are handed over one at a time',
    file: FILE,
    find: 'if (this.#handed.has(jobId)) return false;',
    replace: '',
    test: KEEPER,
  },
  'ledger-late-once': {
    promise: 'a run counts as late once',
    file: 'shared/core/run/late.ts',
    find: '(handedAt === undefined || !isLateAt(handedAt))',
    replace: 'true',
    test: KEEPER,
  },
  'ledger-hand-out-condition': {
    promise: 'of two passes that hand a run over at once, one does',
    file: 'shared/core/run/run-transitions.ts',
    find: 'return isHandedOut(run, at) ? undefined :',
    replace: 'return false ? undefined :',
    test: STORE,
  },
  'ledger-handed-out': {
    promise: 'a run that was handed over is left alone for two minutes',
    file: 'shared/core/run/run.ts',
    find: 'handedAt + HANDED_MS > now',
    replace: 'handedAt > now',
    test: STORE,
  },
  'ledger-delivered-singly': {
    promise: 'what may still be delivered has an answer of its own, which a delivery finds',
    file: FILE,
    find: 'deliveredMs: GRACE_MS',
    replace: 'deliveredMs: undefined',
    test: KEEPER,
  },
  'ledger-late-delivery': {
    promise: 'a delivery after the last moment to start makes no second answer',
    file: 'functions/executor/execute.ts',
    find: 'if (by < this.#ports.clock.now()) {',
    replace: 'if (by < 0) {',
    test: 'test/functions/execute.test.ts',
  },
  'ledger-put-and-hand-over': {
    promise: 'what is put and may start is handed over by the pass that puts it, and by no other soon',
    file: FILE,
    find: '...(isHanded && { handedAt: at })',
    replace: '',
    test: KEEPER,
  },
  'ledger-answered-by-a-delivery': {
    promise: 'each due instant has one answer, whatever is lost, doubled or late',
    file: FILE,
    find: 'const existing = new Set((await store.existing(due.map(keyOnly))).map(keyText));',
    replace: 'const existing = new Set<string>(due.map(keyText));',
    test: SIMULATION,
  },
  'watchdog-heartbeat': {
    promise: 'the heartbeat is that of complete passes',
    file: 'functions/watchdog/watch.ts',
    find: 'if (left.length > 0) {',
    replace: 'if (false) {',
    test: 'test/functions/watch.test.ts',
  },
  'watchdog-fails': {
    promise: 'the function fails when the store did not take all of a pass',
    file: 'functions/watchdog/watch.ts',
    find: "if ('error' in result) throw",
    replace: 'if (false) throw',
    test: 'test/functions/watch.test.ts',
  },
  'sns-subject': {
    promise: 'a subject has no character that SNS refuses',
    file: 'shared/adapters/sns.ts',
    find: "text.replaceAll(/[^\\x20-\\x7e]/g, '?')",
    replace: 'text',
    test: 'test/adapters/sns.test.ts',
  },
};
