import { expect, test } from '@jest/globals';
import { emptyState, type JobState } from '../../shared/core/run/job-state.ts';
import type { Attempt, Run } from '../../shared/core/run/run.ts';
import { dueRunId } from '../../shared/core/run/run-id.ts';
import { type Evidence, type JournalLine, judge } from '../support/fault-judge.ts';

const MINUTE = 60_000;
const AT = Date.parse('2026-03-28T22:00Z');
const JOB = 'shop/a';

function attemptOf(fields: Partial<Attempt> = {}): Attempt {
  return { number: 1, startedAt: AT + 10, finishedAt: AT + 500, status: 'succeeded', exitCode: 0, ...fields };
}

function rowOf(fields: Partial<Run> = {}): Run {
  const scheduledTime = fields.scheduledTime ?? AT;
  return {
    jobId: JOB,
    runId: dueRunId(scheduledTime),
    scheduledTime,
    trigger: 'schedule',
    status: 'succeeded',
    planHash: 'hash',
    createdAt: scheduledTime,
    finishedAt: scheduledTime + 500,
    attempts: [attemptOf()],
    ...fields,
  };
}

function missed(fields: Partial<Run>): Run {
  return rowOf({ status: 'missed', reason: 'too-late', attempts: [], ...fields });
}

const START = {
  what: 'start',
  run: `${JOB}/2026-03-28T22:00Z`,
  attempt: 1,
  time: '2026-03-28T22:00Z',
} as const;
const END = { what: 'end', run: START.run, attempt: 1, exitCode: 0 } as const;

function countersOf(runs: readonly Run[]): JobState {
  const counters = { ...emptyState(JOB), runs: {} as Record<string, number>, attempts: 0 };
  for (const { status, attempts } of runs) {
    if (status !== 'running') counters.runs[status] = (counters.runs[status] ?? 0) + 1;
    if (status !== 'running') counters.attempts += attempts.length;
  }
  return counters;
}

/** A job that is due at 22:00 and may be tried once, and what is told of it; counters are right unless given. */
function evidence(fields: Partial<Evidence>): Evidence {
  const runs = fields.runs ?? [rowOf()];
  return {
    runs,
    states: [countersOf(runs)],
    journal: [START, END],
    due: new Map([[JOB, [AT]]]),
    attempts: new Map([[JOB, 1]]),
    timeouts: new Map([[JOB, 1000]]),
    ...fields,
  };
}

const HALF_PAST = AT + 30 * MINUTE;
const TWO_DUE = new Map([[JOB, [AT, HALF_PAST]]]);
const OTHER_RUN: readonly JournalLine[] = [
  START,
  { ...START, run: `${JOB}/2026-03-28T22:30Z` },
  END,
  { ...END, run: `${JOB}/2026-03-28T22:30Z` },
];

test.each<[what: string, fields: Partial<Evidence>, problems: readonly string[]]>([
  ['nothing against a run that went well', {}, []],
  [
    'nothing against a span for all that it covers',
    { runs: [missed({ scheduledTime: HALF_PAST, spanFrom: AT })], journal: [], due: TWO_DUE },
    [],
  ],
  [
    'an attempt that was started twice',
    { journal: [START, START, END] },
    [`${START.run} attempt 1 was started 2 times`],
  ],
  [
    'a time that was started under two runs',
    {
      runs: [rowOf(), rowOf({ scheduledTime: HALF_PAST, attempts: [attemptOf({ startedAt: HALF_PAST })] })],
      journal: OTHER_RUN,
      due: TWO_DUE,
    },
    [`${JOB} at 2026-03-28T22:00Z was started as ${START.run} and as ${JOB}/2026-03-28T22:30Z`],
  ],
  [
    'a command beside another one of its job',
    { journal: [START, { what: 'overlap', run: START.run, attempt: 1 }, END] },
    [`${START.run} attempt 1 ran beside another one of its job`],
  ],
  ['a due instant without an answer', { due: TWO_DUE }, [`${JOB} at 2026-03-28T22:30Z has 0 answers`]],
  [
    'a due instant with a row and a span',
    { runs: [rowOf(), missed({ scheduledTime: HALF_PAST, spanFrom: AT })], due: TWO_DUE },
    [
      `${JOB} at 2026-03-28T22:00Z has 2 answers; row ${START.run} (schedule) succeeded #1 2026-03-28T22:00:00.010Z succeeded 0; row ${JOB}/2026-03-28T22:30Z for 2026-03-28T22:00Z-2026-03-28T22:30Z (schedule) missed too-late`,
    ],
  ],
  [
    'a row for an instant that was not due',
    { due: new Map([[JOB, []]]) },
    [
      `${JOB} was not due then: row ${START.run} (schedule) succeeded #1 2026-03-28T22:00:00.010Z succeeded 0`,
    ],
  ],
  [
    'a run that is not over',
    {
      runs: [rowOf({ status: 'running', attempts: [{ number: 1, startedAt: AT + 10 }] })],
      journal: [START],
    },
    [`not over: row ${START.run} (schedule) running #1 2026-03-28T22:00:00.010Z running`],
  ],
  [
    'more attempts than retries allow',
    {
      runs: [rowOf({ attempts: [attemptOf({ exitCode: 1, status: 'failed' }), attemptOf({ number: 2 })] })],
      journal: [START, { ...END, exitCode: 1 }, { ...START, attempt: 2 }, { ...END, attempt: 2 }],
    },
    [
      `attempts are 1 to 1 at most, each once, got 1, 2: row ${START.run} (schedule) succeeded #1 2026-03-28T22:00:00.010Z failed 1, #2 2026-03-28T22:00:00.010Z succeeded 0`,
    ],
  ],
  [
    'a command that no row tells of',
    { runs: [missed({})] },
    [
      `${START.run} attempt 1 is in no row, and the journal has its start`,
      `${START.run} attempt 1 is in no row, and the journal has its end`,
    ],
  ],
  [
    'another exit code than the command had',
    { journal: [START, { ...END, exitCode: 7 }] },
    [`${START.run} attempt 1 ended with 7, and its row says 0`],
  ],
  [
    'an end that the command never came to',
    { journal: [START] },
    [`${START.run} attempt 1 has exit code 0 in its row, and the journal has no end of it`],
  ],
  [
    'a start before its time',
    { runs: [rowOf({ attempts: [attemptOf({ startedAt: AT - 1 })] })] },
    [
      `started before its time: row ${START.run} (schedule) succeeded #1 2026-03-28T21:59:59.999Z succeeded 0`,
    ],
  ],
  [
    'a time-out before its time',
    {
      runs: [
        rowOf({
          status: 'timed-out',
          attempts: [
            { number: 1, startedAt: AT, finishedAt: AT + 999, status: 'timed-out', signal: 'SIGTERM' },
          ],
        }),
      ],
      journal: [START],
    },
    [
      `timed out before 1000 ms were over: row ${START.run} (schedule) timed-out #1 2026-03-28T22:00:00.000Z timed-out SIGTERM`,
    ],
  ],
  [
    'counters that are not those of history',
    { states: [emptyState(JOB)] },
    [`${JOB} has history 1 succeeded, 1 attempts and counters 0 attempts`],
  ],
])('the judge finds %s', (_what, fields, problems) => {
  expect(judge(evidence(fields))).toEqual(problems);
});
