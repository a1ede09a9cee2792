import type { Io } from '../shared/adapters/command-line.ts';
import { durationText } from '../shared/core/crontab/values.ts';
import { printable } from '../shared/core/diagnostic-text.ts';
import { type PauseInterval, pauseEnd } from '../shared/core/run/pause.ts';
import type { NoRetry } from '../shared/core/run/retry.ts';
import { REASONS, type Run } from '../shared/core/run/run.ts';
import { jobNameOf, scheduledTimeText } from '../shared/core/run/run-id.ts';
import { timetableOfInterval } from '../shared/core/run/schedule-history.ts';
import type { Explanation } from '../shared/core/run/why.ts';
import { FIELD_RANGES } from '../shared/core/schedule/field.ts';
import type { ClockNote, FieldMismatch, NotDue } from '../shared/core/schedule/not-due.ts';
import { type EpochMs, type ZoneTable, zonedText } from '../shared/core/schedule/zone-table.ts';
import { pauseFacts, utcText } from './operator.ts';
import { attemptText, requestText, runJson, whyText } from './run-text.ts';
import { colours, spanText } from './style.ts';

/** An explanation, with what the command knows beside it. */
export interface Answer {
  readonly jobId: string;
  /** The job's as it is now. */
  readonly zone: ZoneTable;
  /** What there is to say about the time as it was given. */
  readonly note?: string;
  readonly explanation: Explanation;
  /** Runs by hand in that minute. */
  readonly byHand: readonly Run[];
}

/** The answer in one sentence. */
function sentence({ jobId, zone, explanation }: Answer): string {
  const { verdict, now: at, instant } = explanation;
  const local = (time: EpochMs) => zonedText(explanation.interval?.table ?? zone, time);
  switch (verdict.kind) {
    case 'run': {
      const { run } = verdict;
      return [run.status, whyText(run)].filter((fact) => fact !== '').join(': ');
    }
    case 'span': {
      const { status, spanFrom = instant, scheduledTime, reason } = verdict.span;
      const why = reason === undefined ? '' : `: ${REASONS[reason]}`;
      return `${status}${why}, as were all from ${local(spanFrom)} to ${local(scheduledTime)}`;
    }
    case 'never-due':
      return `not due: ${notDueText(verdict.notDue, local)}`;
    case 'at-start':
      return 'never due: the job runs when the daemon starts, and at no time';
    case 'no-job': {
      const { until, from } = verdict;
      const parts = [
        ...(until === undefined ? [] : [`it went on ${utcText(until)}`]),
        ...(from === undefined ? [] : [`it came on ${utcText(from)}`]),
      ];
      const isNever = parts.length === 0;
      return isNever
        ? 'not due: no crontab in force has had this job'
        : `not due: the job was in no crontab ${instant > at ? '' : 'then'}`
            .trim()
            .concat(`; ${parts.join(', ')}`);
    }
    case 'suspended':
      return `left out: the crontab suspends the job since ${utcText(verdict.since)}${verdict.why === undefined ? '' : ` (${verdict.why})`}`;
    case 'other-target':
      return `left out: the job is meant for ${verdict.targets.join(', ')} only`;
    case 'paused': {
      const { pause } = verdict;
      const { resumed } = pause;
      const end =
        resumed === undefined || resumed.at !== pauseEnd(pause)
          ? ''
          : `; resumed by ${resumed.by} at ${utcText(resumed.at)}`;
      return `left out: paused ${pauseFacts(pause)}${end}`;
    }
    case 'ahead':
      return `it is to run, in ${spanText(instant - at)}`;
    case 'owed':
      switch (verdict.outcome.kind) {
        case 'starts':
          return 'due, and not handled yet: it is started at the next look at the store';
        case 'waits':
          return 'due, and not handled yet: it is made up for, after the others that are owed';
        case 'missed':
          return `due, and not handled: at the next look at the store it is recorded as missed, since ${missedText(verdict.outcome.reason)}`;
      }
      break;
    case 'forgotten':
      return 'due; what became of it is no longer kept';
    case 'unanswered':
      return `due, and handled, but there is no record of it: that is a fault, please report it; \`kuber-cron backfill ${jobNameOf(jobId)} --from ${scheduledTimeText(instant)} --to ${scheduledTimeText(instant)} --unrecorded\` runs it`;
  }
}

function missedText(reason: keyof typeof REASONS): string {
  return reason === 'superseded' ? 'a later one takes its place (`catch-up=once`)' : REASONS[reason];
}

function notDueText(reason: NotDue, local: (time: EpochMs) => string): string {
  if (reason.kind === 'outside') return 'clock changes are known for 2020 to 2045 only';
  if (reason.kind === 'repeated')
    return `this time comes twice, and an entry with fixed times runs the first time only, at ${local(reason.first)}`;
  const days = reason.fields.filter(isDay);
  const both = days.length === 2 ? ' (neither day field matches)' : '';
  return `${reason.fields.map(mismatchText).join(', ')}${both}`;
}

function isDay({ field }: FieldMismatch): boolean {
  return field === 'dayOfMonth' || field === 'dayOfWeek';
}

const DAY_NAMES = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

function mismatchText({ field, value, text: written }: FieldMismatch): string {
  const shown = field === 'dayOfWeek' ? `${value} (${DAY_NAMES[value]})` : String(value);
  return `${FIELD_RANGES[field].label} ${shown} is not in \`${written}\``;
}

function clockText(note: ClockNote, local: (time: EpochMs) => string): string {
  switch (note.kind) {
    case 'moved': {
      const merged = note.merged > 1 ? `; ${note.merged} starts are one` : '';
      const many = note.walls.length > 1;
      return `${note.walls.join(', ')} ${many ? 'do' : 'does'} not exist that day, and ${many ? 'move' : 'moves'} to this minute${merged}`;
    }
    case 'first-of-two':
      return `the clocks show this time again at ${local(note.second)}: ${note.runsTwice ? 'it runs then too' : 'it runs the first time only'}`;
    case 'second-of-two':
      return `the clocks showed this time before, at ${local(note.first)}`;
  }
}

const NO_RETRY: Readonly<Record<NoRetry, string>> = {
  'not-retryable': 'an end like this is not tried again',
  'used-up': 'all attempts that `retries` gives are used',
  'next-due': 'it would have come after the next due time',
};

/** The answer as a paragraph: the sentence, then the facts that it rests on. */
export function answerText(answer: Answer, io: Io): string {
  const { jobId, note, explanation, byHand } = answer;
  const { instant, interval, clock, verdict } = explanation;
  const paint = colours(io.stdout, io.env);
  const zone = interval?.table ?? answer.zone;
  const local = (time: EpochMs) => zonedText(zone, time);
  const utc = scheduledTimeText(instant);
  const at = local(instant) === utc ? utc : `${local(instant)} (${utc})`;
  const lines = [paint('bold', `${jobId} at ${at}`), `  ${printable(sentence(answer))}`];
  const fact = (name: string, ...values: readonly (string | undefined)[]) => {
    for (const [index, value] of values.filter((one) => one !== undefined).entries())
      lines.push(`  ${paint('dim', (index === 0 ? name : '').padEnd(9))} ${printable(value)}`);
  };
  fact('time', note);
  if (interval !== undefined) {
    const end = interval.until === undefined ? '' : ` to ${utcText(interval.until)}`;
    const inForce = interval.from > 0 ? `, in force from ${utcText(interval.from)}${end}` : '';
    fact('schedule', `${interval.written} (${interval.zone})${inForce}`);
  }
  fact('clocks', clock === undefined ? undefined : clockText(clock, local));
  if (verdict.kind === 'never-due') {
    const { before, after } = verdict;
    fact('before', before === undefined ? 'never since the schedule is known' : local(before));
    fact('after', after === undefined ? 'never again' : local(after));
  }
  if (verdict.kind === 'ahead' || verdict.kind === 'owed') {
    if (verdict.kind === 'ahead' && verdict.lateFrom !== undefined)
      fact('late', `when it has not started after ${durationText(verdict.lateFrom - instant)}`);
    fact('start by', `${local(verdict.startBy)}; after that it is missed`);
  }
  if (verdict.kind === 'run') {
    const { run, blocking, noRetry } = verdict;
    for (const one of run.attempts) {
      const took = one.finishedAt === undefined ? '' : `, took ${spanText(one.finishedAt - one.startedAt)}`;
      fact(`attempt ${one.number}`, `${utcText(one.startedAt)}${took}: ${attemptText(one)}`);
    }
    fact('no retry', noRetry === undefined ? undefined : NO_RETRY[noRetry]);
    if (run.status === 'pending' && run.startBy !== undefined) fact('start by', local(run.startBy));
    if (blocking !== undefined) fact('behind', runFacts(blocking));
    fact(
      'asked',
      ...(run.requests ?? []).map((request) => `${requestText(request)} at ${utcText(request.at)}`),
    );
  }
  fact('by hand', ...byHand.map(runFacts));
  return `${lines.join('\n')}\n`;
}

function runFacts(run: Run): string {
  const { runId, status, attempts } = run;
  const { startedAt, finishedAt } = attempts.at(-1) ?? {};
  const start = startedAt === undefined ? '' : ` from ${utcText(startedAt)}`;
  const end = finishedAt === undefined ? '' : ` to ${utcText(finishedAt)}`;
  return `${runId}: ${status}${start}${end}`;
}

/** Documented in docs/cli.md. */
export function answerJson(answer: Answer) {
  const { jobId, zone, note, explanation, byHand } = answer;
  const { instant, interval, clock, verdict } = explanation;
  const iso = (time: EpochMs | undefined) => (time === undefined ? undefined : new Date(time).toISOString());
  const table = interval?.table ?? zone;
  const local = (time: EpochMs) => zonedText(table, time);
  const minute = (time: EpochMs | undefined) => (time === undefined ? undefined : scheduledTimeText(time));
  const { kind } = verdict;
  const isOpen = kind === 'ahead' || kind === 'owed';
  return {
    jobId,
    time: scheduledTimeText(instant),
    localTime: local(instant),
    zone: table.zone,
    note,
    verdict: kind,
    answer: sentence(answer),
    due: interval === undefined || timetableOfInterval(interval) === undefined ? false : kind !== 'never-due',
    schedule: interval && {
      schedule: interval.written,
      zone: interval.zone,
      from: iso(interval.from),
      until: iso(interval.until),
    },
    clocks: clock && clockText(clock, local),
    fields: kind === 'never-due' && verdict.notDue.kind === 'fields' ? verdict.notDue.fields : undefined,
    before: kind === 'never-due' ? minute(verdict.before) : undefined,
    after: kind === 'never-due' ? minute(verdict.after) : undefined,
    pause: kind === 'paused' ? pauseJson(verdict.pause) : undefined,
    startBy: isOpen ? iso(verdict.startBy) : undefined,
    lateFrom: kind === 'ahead' ? iso(verdict.lateFrom) : undefined,
    run: kind === 'run' ? runJson(verdict.run) : kind === 'span' ? runJson(verdict.span) : undefined,
    noRetry: kind === 'run' ? verdict.noRetry : undefined,
    blockedBy: kind === 'run' && verdict.blocking !== undefined ? runJson(verdict.blocking) : undefined,
    byHand: byHand.map(runJson),
  };
}

function pauseJson({ from, until, by, why, resumed }: PauseInterval) {
  const iso = (time: EpochMs | undefined) => (time === undefined ? undefined : new Date(time).toISOString());
  return {
    from: iso(from),
    until: iso(until),
    by,
    reason: why,
    resumed: resumed && { at: iso(resumed.at), by: resumed.by, reason: resumed.why },
  };
}
