import type { Incident, Notification } from '../core/notify/notification.ts';
import { emptyState, type JobState, recorded } from '../core/run/job-state.ts';
import { type Attempt, FINAL_STATUSES, isFinal, type RunOutput } from '../core/run/run.ts';
import type { NewestStart, StoredRun } from '../core/run/run-transitions.ts';
import type { EpochMs } from '../core/schedule/zone-table.ts';
import {
  controlKey,
  instantKey,
  NOTIFICATIONS_TO_DO,
  notificationKey,
  outputKey,
  stateKey,
  TTL_ATTRIBUTE,
} from '../core/target/dynamodb-schema.ts';
import {
  attribute,
  type Control,
  type Item,
  itemOf,
  json,
  runItem,
  type Seen,
  ttlOf,
} from './dynamodb-items.ts';
import type { Write } from './dynamodb-table.ts';

/** A run as it shall be, and as it was seen; undefined where it is taken for one that does not exist. */
export interface RunWrite {
  readonly stored: StoredRun;
  readonly before: Seen | undefined;
}

/** What a write takes for granted of its job, and what it changes there. */
export interface ControlWrite {
  /** The job is as it was read. */
  readonly version?: Control;
  /** No pause covers this instant or a later one. */
  readonly notPausedAt?: EpochMs;
  /** No run of the job is pending, claimed or running. */
  readonly isNothingOpen?: boolean;
  /** No run that is due after this instant was started. */
  readonly noStartAfter?: EpochMs;
  /** Becomes the newest start: taken for granted, unless it is proven by the version. */
  readonly newest?: NewestStart;
  readonly isNewestProven?: boolean;
  readonly pausedUntil?: EpochMs;
}

/** What is written of one job in one transaction. */
export interface JobWrite {
  readonly jobId: string;
  readonly runs: readonly RunWrite[];
  readonly control?: ControlWrite;
  /** The attempt that ends by it. */
  readonly attempt?: Attempt | undefined;
  readonly channel?: string | undefined;
  /** The incident that the job is taken to be in. */
  readonly incident?: Incident | undefined;
  readonly output?: {
    readonly output: RunOutput;
    readonly attempt: Attempt;
    readonly expiresAt: EpochMs;
  };
}

/** Conditions. Each names what would be another's doing. */
const RUN_IS_NEW = 'attribute_not_exists(#pk)';
const RUN_IS_AS_SEEN = '#version = :seen';
const JOB_IS_NEW = 'attribute_not_exists(#version)';
const JOB_IS_AS_READ = '#version = :read';
const JOB_IS_NOT_PAUSED = '(attribute_not_exists(#pausedUntil) OR #pausedUntil <= :notPausedAt)';
const NOTHING_IS_OPEN = '(attribute_not_exists(#open) OR #open = :zero)';
const NO_LATER_START = '(attribute_not_exists(#newest) OR #newest <= :noStartAfter)';
const STAYS_NEWEST = '(attribute_not_exists(#newest) OR #newest <= :newest)';
const NO_INCIDENT = 'attribute_not_exists(#incident)';
const SAME_INCIDENT = '#incident = :before';

/** A notification that nobody takes is kept this long. Milliseconds. */
const NOTIFICATION_KEPT_MS = 30 * 86_400_000;

/** The transaction, and where in it the job's control and state are; runs come first, in their order. */
export interface JobWrites {
  readonly writes: readonly Write[];
  readonly control?: number;
  readonly state?: number;
}

export function writesOf(job: JobWrite): JobWrites {
  const runs = job.runs.map(({ stored, before }): Write => {
    const put = runItem(stored, (before?.version ?? 0) + 1);
    if (before === undefined) return { put, when: RUN_IS_NEW, names: { '#pk': 'pk' } };
    const values = itemOf({ ':seen': before.version });
    return { put, when: RUN_IS_AS_SEEN, names: { '#version': 'version' }, values };
  });
  const control = controlWrite(job);
  const { state, notifications } = stateWrites(job);
  const writes = [
    ...runs,
    ...(control === undefined ? [] : [control]),
    ...(state === undefined ? [] : [state]),
    ...notifications.map(notificationWrite),
    ...outputWrite(job),
  ];
  return {
    writes,
    ...(control !== undefined && { control: runs.length }),
    ...(state !== undefined && { state: runs.length + (control === undefined ? 0 : 1) }),
  };
}

const isOpen = (stored: StoredRun | undefined): boolean =>
  stored !== undefined && !isFinal(stored.run.status);

function controlWrite({ jobId, runs, control = {} }: JobWrite): Write | undefined {
  const { version, notPausedAt, isNothingOpen, noStartAfter, newest, isNewestProven, pausedUntil } = control;
  let opened = 0;
  let isChanged = newest !== undefined || pausedUntil !== undefined;
  for (const { stored, before } of runs) {
    const [was, is] = [isOpen(before?.stored), isOpen(stored)];
    opened += Number(is) - Number(was);
    isChanged ||= (was || is) && before?.stored?.run.status !== stored.run.status;
  }
  const conditions: string[] = [];
  const names: Record<string, string> = {};
  const values: Item = {};
  const require = (condition: string, name: string, value: Readonly<Record<string, number>> = {}) => {
    conditions.push(condition);
    names[`#${name}`] = name;
    Object.assign(values, itemOf(value));
  };
  if (version !== undefined) {
    if (version.version === undefined) require(JOB_IS_NEW, 'version');
    else require(JOB_IS_AS_READ, 'version', { ':read': version.version });
  }
  if (notPausedAt !== undefined) require(JOB_IS_NOT_PAUSED, 'pausedUntil', { ':notPausedAt': notPausedAt });
  if (isNothingOpen === true) require(NOTHING_IS_OPEN, 'open', { ':zero': 0 });
  if (noStartAfter !== undefined) require(NO_LATER_START, 'newest', { ':noStartAfter': noStartAfter });
  if (newest !== undefined && isNewestProven !== true)
    require(STAYS_NEWEST, 'newest', { ':newest': newest.instant });
  const when = conditions.length === 0 ? {} : { when: conditions.join(' AND ') };
  if (!isChanged) {
    return conditions.length === 0
      ? undefined
      : { check: controlKey(jobId), when: '', ...when, names, values };
  }
  const update = new Update(names, values);
  update.add('version', 1);
  if (opened !== 0) update.add('open', opened);
  if (newest !== undefined) {
    update.set('newest', newest.instant);
    update.set('newestRunId', newest.runId);
  }
  if (pausedUntil !== undefined) update.set('pausedUntil', pausedUntil);
  return { update: controlKey(jobId), set: update.text, ...when, names, values };
}

/** Counters are added to, whatever they are; what people are told of follows from the incident alone. */
function stateWrites(job: JobWrite): { state?: Write; notifications: readonly Notification[] } {
  const { jobId, runs, attempt, channel, incident } = job;
  const before: JobState = { ...emptyState(jobId), ...(incident !== undefined && { incident }) };
  let after = before;
  const notifications: Notification[] = [];
  for (const { stored } of runs.filter(isRecorded(attempt))) {
    const one = recorded(after, stored.run, attempt, channel);
    after = one.state;
    if (one.notification !== undefined) notifications.push(one.notification);
  }
  if (after === before) return { notifications };
  const names: Record<string, string> = { '#incident': 'incident' };
  const values: Item = {};
  const update = new Update(names, values);
  update.add('version', 1);
  if (after.attempts > 0) update.add('attempts', after.attempts);
  for (const status of FINAL_STATUSES) {
    const count = after.runs[status];
    if (count !== undefined) update.add(status, count);
  }
  update.set('jobId', jobId);
  if (after.last !== undefined) update.set('last', JSON.stringify(after.last));
  if (after.lastSuccessAt !== undefined) update.set('lastSuccessAt', after.lastSuccessAt);
  if (after.lastFailureAt !== undefined) update.set('lastFailureAt', after.lastFailureAt);
  if (after.incident === undefined && incident !== undefined) update.remove('incident');
  else if (after.incident !== undefined) update.set('incident', JSON.stringify(after.incident));
  if (incident !== undefined) values[':before'] = attribute(JSON.stringify(incident));
  const when = incident === undefined ? NO_INCIDENT : SAME_INCIDENT;
  return { state: { update: stateKey(jobId), set: update.text, when, names, values }, notifications };
}

/** A row that answers for a longer stretch than before is no other end. */
const isRecorded =
  (attempt: Attempt | undefined) =>
  ({ stored, before }: RunWrite): boolean =>
    attempt !== undefined || (isFinal(stored.run.status) && stored.run.status !== before?.stored?.run.status);

function notificationWrite(notification: Notification): Write {
  const { id, at, tries } = notification;
  return {
    put: itemOf({
      ...notificationKey(id),
      notification: json(notification),
      ...{ tries, todo: NOTIFICATIONS_TO_DO, due: instantKey(at) },
      [TTL_ATTRIBUTE]: ttlOf(at + NOTIFICATION_KEPT_MS),
    }),
  };
}

function outputWrite({ runs, output }: JobWrite): Write[] {
  const [first] = runs;
  if (output === undefined || first === undefined) return [];
  const { attempt, expiresAt } = output;
  const put = itemOf({
    ...outputKey(first.stored.run, attempt.number),
    ...{ startedAt: attempt.startedAt, output: json(output.output) },
    [TTL_ATTRIBUTE]: ttlOf(expiresAt),
  });
  return [{ put }];
}

/** An update expression; its names and values go to where those of the condition are. */
class Update {
  readonly #names: Record<string, string>;
  readonly #values: Item;
  readonly #sets: string[] = [];
  readonly #adds: string[] = [];
  readonly #removes: string[] = [];

  constructor(names: Record<string, string>, values: Item) {
    this.#names = names;
    this.#values = values;
  }

  set(name: string, value: string | number): void {
    this.#sets.push(`${this.#name(name)} = ${this.#value(value)}`);
  }

  add(name: string, value: number): void {
    this.#adds.push(`${this.#name(name)} ${this.#value(value)}`);
  }

  remove(name: string): void {
    this.#removes.push(this.#name(name));
  }

  get text(): string {
    const clause = (word: string, parts: readonly string[]) =>
      parts.length === 0 ? [] : [`${word} ${parts.join(', ')}`];
    return [
      ...clause('SET', this.#sets),
      ...clause('ADD', this.#adds),
      ...clause('REMOVE', this.#removes),
    ].join(' ');
  }

  /** A name may hold a hyphen, which an expression may not. */
  #name(name: string): string {
    const placeholder = `#${name.replaceAll('-', '')}`;
    this.#names[placeholder] = name;
    return placeholder;
  }

  #value(value: string | number): string {
    const placeholder = `:u${Object.keys(this.#values).length}`;
    this.#values[placeholder] = attribute(value);
    return placeholder;
  }
}
