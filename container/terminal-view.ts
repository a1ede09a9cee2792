import { stripVTControlCharacters, styleText } from 'node:util';
import type { Output } from '../shared/adapters/command-line.ts';
import { printable } from '../shared/core/diagnostic-text.ts';
import { REASONS } from '../shared/core/run/run.ts';
import { jobNameOf, scheduledTimeText } from '../shared/core/run/run-id.ts';
import { type EpochMs, zonedText } from '../shared/core/schedule/zone-table.ts';
import type { DaemonEvent, EmitEvent, ReportedFinding } from './events.ts';
import { errorText } from './log.ts';
import type { Scheduler } from './scheduler.ts';

/** Jobs that the list at the start shows. */
const MOST_LISTED = 30;

/** What a person at a terminal sees: the jobs, a line for each start and end, and a countdown below. */
export class TerminalView {
  readonly #output: Output;
  readonly #paint: (format: Parameters<typeof styleText>[0], text: string) => string;
  #countdown = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(output: Output, env: Readonly<Record<string, string | undefined>>) {
    this.#output = output;
    const isPlain = (env.NO_COLOR ?? '') !== '' || env.TERM === 'dumb';
    this.#paint = (format, text) => (isPlain ? text : styleText(format, text, { validateStream: false }));
  }

  readonly emit: EmitEvent = (event) => {
    for (const line of this.#lines(event)) this.#print(line);
  };

  /** Lists the jobs with their next runs and begins to count down to the earliest. */
  follow(scheduler: Scheduler, now: () => EpochMs): void {
    const jobs = [...scheduler.jobs()].sort(
      (a, b) => (a.next ?? Number.POSITIVE_INFINITY) - (b.next ?? Number.POSITIVE_INFINITY),
    );
    const nameWidth = Math.max(3, ...jobs.slice(0, MOST_LISTED).map(({ job }) => job.name.length));
    const scheduleWidth = Math.max(8, ...jobs.slice(0, MOST_LISTED).map(({ job }) => job.written.length));
    const row = (name: string, schedule: string, next: string) =>
      `  ${name.padEnd(nameWidth)}  ${schedule.padEnd(scheduleWidth)}  ${next}`;
    this.#print('');
    this.#print(this.#paint('bold', row('JOB', 'SCHEDULE', 'NEXT RUN')));
    for (const { job, next } of jobs.slice(0, MOST_LISTED)) {
      const zone = scheduler.plans.find(({ plan }) => plan.jobs.includes(job))?.plan.zones[job.zone];
      const when = next === undefined || zone === undefined ? this.#paint('dim', '-') : zonedText(zone, next);
      this.#print(row(job.name, job.written, when));
    }
    if (jobs.length > MOST_LISTED)
      this.#print(this.#paint('dim', `  … and ${jobs.length - MOST_LISTED} more: \`kuber-cron jobs\``));
    this.#print('');
    const tick = () => {
      const next = scheduler.nextInstant;
      const running = scheduler.running.length;
      const left = next === undefined ? undefined : Math.max(0, Math.ceil((next - now()) / 1000));
      const parts = [
        ...(left === undefined ? ['nothing is due'] : [`next run in ${countdownText(left)}`]),
        ...(running > 0 ? [`${running} running`] : []),
        'Ctrl-C stops',
      ];
      this.#showCountdown(this.#paint('dim', parts.join(' · ')));
    };
    tick();
    this.#timer = setInterval(tick, 1000).unref();
  }

  /** Ends the countdown. */
  close(): void {
    clearInterval(this.#timer);
    this.#showCountdown('');
  }

  #lines(event: DaemonEvent): string[] {
    switch (event.kind) {
      case 'started':
        return [
          this.#paint('bold', `kuber-cron ${event.version}`),
          `pid ${event.pid}, history in ${event.store}`,
        ];
      case 'crontab-loaded': {
        const { crontab, file, active, diff } = event;
        const lines = [
          `${file}: ${count(active.plan.jobs.length, 'job')} in force as crontab \`${crontab}\``,
        ];
        if (diff !== undefined) {
          if (diff.added.length > 0) lines.push(this.#paint('green', `  added: ${diff.added.join(', ')}`));
          if (diff.removed.length > 0)
            lines.push(this.#paint('yellow', `  removed: ${diff.removed.join(', ')}`));
          for (const { name, parts } of diff.changed) lines.push(`  changed: ${name} (${parts.join(', ')})`);
        }
        return lines;
      }
      case 'crontab-removed':
        return [`crontab \`${event.crontab}\` is gone`];
      case 'crontab-refused':
        return [
          this.#paint(
            'red',
            `${event.file} has ${count(event.errors, 'error')} and is not used; what was in force stays in force`,
          ),
          ...this.#report(event.report),
        ];
      case 'crontab-warnings':
        return this.#report(event.report);
      case 'run-started':
        return [
          this.#line(
            'blue',
            '>',
            jobNameOf(event.run.jobId),
            event.attempt.startedAt,
            event.run.trigger === 'schedule' ? 'started' : `started (${event.run.trigger})`,
          ),
        ];
      case 'run-ended': {
        const { status, reason, attempt, output, retry, at } = event.finish;
        const took =
          attempt?.finishedAt === undefined
            ? ''
            : ` in ${((attempt.finishedAt - attempt.startedAt) / 1000).toFixed(1)}s`;
        const how =
          attempt?.error ??
          (attempt?.signal !== undefined
            ? attempt.signal
            : reason === 'exit-code'
              ? `exit code ${attempt?.exitCode}`
              : reason === undefined
                ? ''
                : REASONS[reason]);
        const isGood = status === 'succeeded';
        const said = lastLine(output?.stdout.text) ?? lastLine(output?.stderr.text);
        const again = retry === undefined ? '' : `; again at ${timeText(retry.notBefore)}`;
        const text = `${status}${took}${how === '' ? '' : `: ${how}`}${again}${said === undefined ? '' : this.#paint('dim', `  | ${said}`)}`;
        return [
          this.#line(isGood ? 'green' : 'red', isGood ? '+' : '!', jobNameOf(event.run.jobId), at, text),
        ];
      }
      case 'run-skipped':
        return [
          this.#line(
            'yellow',
            '-',
            jobNameOf(event.run.jobId),
            event.run.finishedAt ?? event.run.createdAt,
            `${event.run.status}: ${event.run.reason === undefined ? '' : REASONS[event.run.reason]}`,
          ),
        ];
      case 'run-would-start': {
        const { jobId, createdAt } = event.run;
        return [this.#line('blue', '>', jobNameOf(jobId), createdAt, 'would start (dry run)')];
      }
      case 'run-late': {
        const seconds = Math.round(event.lateMs / 1000);
        return [this.#paint('yellow', `  ${jobNameOf(event.run.jobId)} is ${seconds} s late`)];
      }
      case 'run-slow':
        return [this.#paint('yellow', `  ${jobNameOf(event.run.jobId)} runs longer than its slow-after`)];
      case 'runs-missed': {
        const { instant, spanFrom, reason } = event.missed;
        const from = spanFrom === undefined ? '' : `${scheduledTimeText(spanFrom)} to `;
        return [
          this.#paint(
            'yellow',
            `  ${jobNameOf(event.jobId)} missed ${from}${scheduledTimeText(instant)}: ${REASONS[reason]}`,
          ),
        ];
      }
      case 'run-lost':
        return [
          this.#paint(
            'red',
            `  ${jobNameOf(event.run.jobId)} ${event.run.runId} is lost: ${REASONS[event.end.reason ?? 'owner-died']}`,
          ),
        ];
      case 'notified': {
        const { channel, jobId, kind } = event.notification;
        return [this.#paint('dim', `  channel \`${channel}\` was told: ${jobNameOf(jobId)} ${kind}`)];
      }
      case 'notification-failed': {
        const { notification, problem, nextTryAt } = event;
        const { channel, jobId, kind } = notification;
        const what = `  channel \`${channel}\` could not be told that ${jobNameOf(jobId)} ${kind}: ${problem}`;
        return nextTryAt === undefined
          ? [this.#paint('red', `${what}; given up`)]
          : [this.#paint('yellow', `${what}; tried again at ${timeText(nextTryAt)}`)];
      }
      case 'clock-set-back':
        return [this.#paint('yellow', 'the clock was far ahead before: starting again from now')];
      case 'listening':
        return [`health and metrics: ${event.address}/metrics`];
      case 'draining':
        return [
          `${event.signal}: starting nothing more${event.running > 0 ? `; waiting up to ${event.drainMs / 1000}s for ${count(event.running, 'command')}; again to end them now` : ''}`,
        ];
      case 'stopped':
        return ['stopped'];
      case 'note':
        return [this.#paint('dim', event.message)];
      case 'warning':
        return [this.#paint('yellow', event.message)];
      case 'error':
        return [
          this.#paint(
            'red',
            `${event.message}${event.error === undefined ? '' : `: ${errorText(event.error)}`}`,
          ),
        ];
      case 'tick':
      case 'run-taken':
        return [];
    }
  }

  /** A text that goes to no terminal is a log, and commands are in no log. */
  #report(report: readonly ReportedFinding[]): string[] {
    const isShown = this.#output.isTTY === true;
    return report.flatMap(({ line, frame }) => (isShown ? frame.split('\n') : [line]));
  }

  #line(
    colour: 'blue' | 'green' | 'red' | 'yellow',
    sign: string,
    job: string,
    at: EpochMs,
    text: string,
  ): string {
    return `${this.#paint('dim', timeText(at))} ${this.#paint(colour, sign)} ${job}  ${text}`;
  }

  #print(line: string): void {
    const shown = this.#countdown;
    if (shown !== '') this.#output.write('\r\x1b[K');
    this.#output.write(`${line}\n`);
    if (shown !== '') this.#output.write(shown);
  }

  #showCountdown(text: string): void {
    // A line that wraps could not be taken back.
    const fits = stripVTControlCharacters(text).length < (this.#output.columns || 80);
    if (this.#countdown !== '') this.#output.write('\r\x1b[K');
    this.#countdown = fits ? text : '';
    if (this.#countdown !== '') this.#output.write(this.#countdown);
  }
}

/** Time of day where the daemon runs. */
function timeText(at: EpochMs): string {
  return new Date(at).toLocaleTimeString('en-GB');
}

function lastLine(text: string | undefined): string | undefined {
  const line = text?.trimEnd().split('\n').at(-1)?.trim();
  if (line === undefined || line === '') return undefined;
  return printable(line.length > 80 ? `${line.slice(0, 80)}…` : line);
}

/** `0:59`, `1:02:03`, `38d 4h`. */
function countdownText(seconds: number): string {
  const two = (number: number) => String(number).padStart(2, '0');
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours === 0) return `${minutes}:${two(seconds % 60)}`;
  if (hours < 24) return `${hours}:${two(minutes % 60)}:${two(seconds % 60)}`;
  return `${Math.floor(hours / 24)}d ${hours % 24}h`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
