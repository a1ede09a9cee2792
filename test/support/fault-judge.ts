import type { JobState } from '../../shared/core/run/job-state.ts';
import { type Attempt, type FinalStatus, isFinal, type Run } from '../../shared/core/run/run.ts';
import { scheduledTimeText } from '../../shared/core/run/run-id.ts';

/** What a command wrote to the journal: the one witness that the run store cannot deceive. */
export type JournalLine =
  | { readonly what: 'start'; readonly run: string; readonly attempt: number; readonly time: string }
  | { readonly what: 'end'; readonly run: string; readonly attempt: number; readonly exitCode: number }
  /** A command found another one of its job at work, though its job forbids that. */
  | { readonly what: 'overlap'; readonly run: string; readonly attempt: number };

export interface Evidence {
  /** All rows of one crontab. */
  readonly runs: readonly Run[];
  readonly states: readonly JobState[];
  readonly journal: readonly JournalLine[];
  /** Due instants of each job while its plan was in force, by job id. */
  readonly due: ReadonlyMap<string, readonly number[]>;
  /** How many attempts a run of a job may have, by job id. */
  readonly attempts: ReadonlyMap<string, number>;
  /** Timeouts by job id. Milliseconds. */
  readonly timeouts: ReadonlyMap<string, number>;
  /** Whether no clock was set: only then a start before its scheduled time is one. (Default: true) */
  readonly isClockSteady?: boolean;
}

/** Everything that the evidence holds against the promises; each is one sentence with its witnesses. */
export function judge(evidence: Evidence): string[] {
  return [
    ...startedTwice(evidence),
    ...startedUnderTwoRuns(evidence),
    ...overlaps(evidence),
    ...unanswered(evidence),
    ...notOver(evidence),
    ...tooManyAttempts(evidence),
    ...wronglyTold(evidence),
    ...wronglyTimed(evidence),
    ...miscounted(evidence),
  ];
}

/** `shop/a/2026-03-28T22:01Z`, as commands know a run. */
export function runName({ jobId, runId }: Pick<Run, 'jobId' | 'runId'>): string {
  return `${jobId}/${runId}`;
}

/** Whether the row answers for due instants. */
export function isOfSchedule({ trigger, runId }: Pick<Run, 'trigger' | 'runId'>): boolean {
  return trigger !== 'manual' && !runId.startsWith('reboot#');
}

export function rowText(run: Run): string {
  const { status, reason, trigger, spanFrom, scheduledTime, attempts } = run;
  const span =
    spanFrom === undefined ? '' : ` for ${scheduledTimeText(spanFrom)}-${scheduledTimeText(scheduledTime)}`;
  const tries = attempts.map((one) =>
    ` #${one.number} ${new Date(one.startedAt).toISOString()} ${one.status ?? 'running'} ${one.exitCode ?? one.signal ?? ''}`.trimEnd(),
  );
  return `row ${runName(run)}${span} (${trigger}) ${[status, reason].filter(Boolean).join(' ')}${tries.join(',')}`;
}

function startedTwice({ journal }: Evidence): string[] {
  const starts = journal.filter(({ what }) => what === 'start');
  return repeated(starts.map(({ run, attempt }) => `${run} attempt ${attempt}`)).map(
    ([key, count]) => `${key} was started ${count} times`,
  );
}

function startedUnderTwoRuns({ journal }: Evidence): string[] {
  const runs = new Map<string, Set<string>>();
  for (const line of journal) {
    if (line.what !== 'start' || line.run.includes('#')) continue;
    const job = line.run.slice(0, line.run.lastIndexOf('/'));
    const key = `${job} at ${line.time}`;
    runs.set(key, (runs.get(key) ?? new Set()).add(line.run));
  }
  return [...runs]
    .filter(([, names]) => names.size > 1)
    .map(([key, names]) => `${key} was started as ${[...names].join(' and as ')}`);
}

function overlaps({ journal }: Evidence): string[] {
  return journal
    .filter(({ what }) => what === 'overlap')
    .map(({ run, attempt }) => `${run} attempt ${attempt} ran beside another one of its job`);
}

/** Each due instant has exactly one answer, and nothing else has one. */
function unanswered({ runs, due }: Evidence): string[] {
  const problems: string[] = [];
  const answers = new Map<string, Run[]>();
  const answer = (jobId: string, instant: number, run: Run) => {
    const key = `${jobId} ${instant}`;
    answers.set(key, [...(answers.get(key) ?? []), run]);
  };
  for (const run of runs.filter(isOfSchedule)) {
    const { jobId, scheduledTime, spanFrom = scheduledTime } = run;
    const covered = (due.get(jobId) ?? []).filter((one) => one >= spanFrom && one <= scheduledTime);
    for (const instant of covered) answer(jobId, instant, run);
    if (covered.length === 0) problems.push(`${jobId} was not due then: ${rowText(run)}`);
  }
  const doubled: string[] = [];
  for (const [jobId, instants] of due) {
    for (const instant of instants) {
      const rows = answers.get(`${jobId} ${instant}`) ?? [];
      const what = `${jobId} at ${scheduledTimeText(instant)} has ${rows.length} answers`;
      if (rows.length === 0) problems.push(what);
      if (rows.length > 1) doubled.push([what, ...rows.map(rowText)].join('; '));
    }
  }
  // What is lost comes first.
  return [...problems, ...doubled];
}

function notOver({ runs }: Evidence): string[] {
  return runs.filter(({ status }) => !isFinal(status)).map((run) => `not over: ${rowText(run)}`);
}

function tooManyAttempts({ runs, attempts }: Evidence): string[] {
  return runs.flatMap((run) => {
    const allowed = attempts.get(run.jobId) ?? 1;
    const numbers = run.attempts.map(({ number }) => number);
    const isInOrder = numbers.every((number, index) => number === index + 1);
    if (isInOrder && numbers.length <= allowed) return [];
    return [`attempts are 1 to ${allowed} at most, each once, got ${numbers.join(', ')}: ${rowText(run)}`];
  });
}

/** History tells what the journal saw, and what it tells of commands that ended by themselves the journal saw. */
function wronglyTold({ runs, journal }: Evidence): string[] {
  const problems: string[] = [];
  const told = new Map<string, Attempt>();
  for (const run of runs) {
    for (const attempt of run.attempts) told.set(`${runName(run)} attempt ${attempt.number}`, attempt);
  }
  const seen = new Map<string, number>();
  for (const line of journal) {
    const key = `${line.run} attempt ${line.attempt}`;
    const attempt = told.get(key);
    if (attempt === undefined) problems.push(`${key} is in no row, and the journal has its ${line.what}`);
    if (line.what !== 'end') continue;
    seen.set(key, line.exitCode);
    const { exitCode } = attempt ?? {};
    if (exitCode !== undefined && exitCode !== line.exitCode)
      problems.push(`${key} ended with ${line.exitCode}, and its row says ${exitCode}`);
  }
  for (const [key, { exitCode, error }] of told) {
    if (exitCode !== undefined && error === undefined && !seen.has(key))
      problems.push(`${key} has exit code ${exitCode} in its row, and the journal has no end of it`);
  }
  return problems;
}

/** Never early; and no time-out before its time. */
function wronglyTimed({ runs, timeouts, isClockSteady = true }: Evidence): string[] {
  if (!isClockSteady) return [];
  return runs.flatMap((run) => {
    const early = run.attempts.filter(({ startedAt }) => startedAt < run.scheduledTime);
    const timeout = timeouts.get(run.jobId) ?? 0;
    const cut = run.attempts.filter(
      ({ status, startedAt, finishedAt = startedAt }) =>
        status === 'timed-out' && finishedAt - startedAt < timeout,
    );
    return [
      ...early.map(() => `started before its time: ${rowText(run)}`),
      ...cut.map(() => `timed out before ${timeout} ms were over: ${rowText(run)}`),
    ];
  });
}

function miscounted({ runs, states }: Evidence): string[] {
  const counted = new Map<string, { runs: Partial<Record<FinalStatus, number>>; attempts: number }>();
  for (const { jobId, status, attempts } of runs) {
    if (!isFinal(status)) continue;
    const count = counted.get(jobId) ?? { runs: {}, attempts: 0 };
    count.runs[status] = (count.runs[status] ?? 0) + 1;
    count.attempts += attempts.length;
    counted.set(jobId, count);
  }
  const known = new Map(states.map((state) => [state.jobId, { runs: state.runs, attempts: state.attempts }]));
  const problems: string[] = [];
  for (const jobId of new Set([...counted.keys(), ...known.keys()])) {
    const [inHistory, inCounters] = [text(counted.get(jobId)), text(known.get(jobId))];
    if (inHistory !== inCounters)
      problems.push(`${jobId} has history ${inHistory} and counters ${inCounters}`);
  }
  return problems;
}

function text(count: { runs: Partial<Record<FinalStatus, number>>; attempts: number } | undefined): string {
  const runs = Object.entries(count?.runs ?? {})
    .map(([status, number]) => `${number} ${status}`)
    .sort();
  return [...runs, `${count?.attempts ?? 0} attempts`].join(', ');
}

function repeated(keys: readonly string[]): [key: string, count: number][] {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return [...counts].filter(([, count]) => count > 1);
}
