import { ALLOWABLE_CODES, type DiagnosticCode } from '../diagnostic.ts';
import { nearest } from '../nearest.ts';
import {
  type Read,
  readDuration,
  readDurationRange,
  readList,
  readName,
  readOneOf,
  readQuantity,
  readSuspension,
  readText,
  readVariableName,
  readWhole,
} from './values.ts';

export const CONCURRENCY_POLICIES = ['allow', 'forbid', 'replace'] as const;
const CATCH_UP_POLICIES = ['none', 'once', 'all'] as const;
const TARGETS = ['daemon', 'kubernetes', 'aws'] as const;

export type ConcurrencyPolicy = (typeof CONCURRENCY_POLICIES)[number];
export type CatchUpPolicy = (typeof CATCH_UP_POLICIES)[number];
export type Target = (typeof TARGETS)[number];

/** What directive lines say about a job. Durations in milliseconds, memory in bytes. */
export interface JobOptions {
  readonly name?: string;
  readonly was?: string;
  readonly description?: string;
  readonly owner?: string;
  readonly timeout?: number;
  readonly retries?: number;
  readonly backoff?: { readonly minMs: number; readonly maxMs: number };
  readonly 'concurrency-policy'?: ConcurrencyPolicy;
  readonly 'starting-deadline'?: number;
  readonly 'catch-up'?: CatchUpPolicy;
  readonly 'late-after'?: number;
  readonly 'slow-after'?: number;
  /** True, or the reason. */
  readonly suspend?: true | string;
  readonly targets?: readonly Target[];
  readonly memory?: number;
  readonly 'cpu-time'?: number;
  readonly secrets?: readonly string[];
  readonly 'success-exit-codes'?: readonly number[];
  readonly notify?: string;
  readonly allow?: readonly DiagnosticCode[];
}

export type OptionKey = keyof JobOptions;

interface OptionSpec<K extends OptionKey> {
  /** One line for `--help` and the documentation. */
  readonly meaning: string;
  readonly read: (text: string) => Read<NonNullable<JobOptions[K]>>;
  /** May stand without a value. */
  readonly flag?: true;
  /** Belongs to one job, so `defaults` cannot set it. */
  readonly ofOneJob?: true;
}

/** The keys of directive lines: the one place that knows their names and types. */
export const OPTIONS: { readonly [K in OptionKey]-?: OptionSpec<K> } = {
  name: { meaning: "the job's name: its history, metrics and schedules", read: readName, ofOneJob: true },
  was: { meaning: 'the name that the job had before', read: readName, ofOneJob: true },
  description: { meaning: 'what the job does', read: readText(500), ofOneJob: true },
  owner: { meaning: 'who looks after it', read: readText(100) },
  timeout: { meaning: 'longest run; then TERM, grace, KILL', read: readDuration },
  retries: { meaning: 'attempts after the first', read: readWhole(0, 100) },
  backoff: { meaning: 'shortest and longest wait before a retry', read: readDurationRange },
  'concurrency-policy': {
    meaning: 'what happens when the previous run still runs',
    read: readOneOf(CONCURRENCY_POLICIES),
  },
  'starting-deadline': { meaning: 'how long after its time a run may still start', read: readDuration },
  'catch-up': { meaning: 'which runs are made up for after downtime', read: readOneOf(CATCH_UP_POLICIES) },
  'late-after': { meaning: 'not started this long after its time: late', read: readDuration },
  'slow-after': { meaning: 'running longer than this: slow', read: readDuration },
  suspend: {
    meaning: 'planned but not started; the value is the reason',
    read: readSuspension,
    flag: true,
    ofOneJob: true,
  },
  targets: { meaning: 'where the entry runs', read: readList(readOneOf(TARGETS)) },
  memory: { meaning: 'memory that the command may use', read: readQuantity },
  'cpu-time': { meaning: 'CPU time that the command may use', read: readDuration },
  secrets: { meaning: "variables from the target's secret source", read: readList(readVariableName) },
  'success-exit-codes': { meaning: 'exit codes that count as success', read: readList(readWhole(0, 255)) },
  notify: { meaning: 'channel for failures and missed runs', read: readName },
  allow: { meaning: 'silences these warnings', read: readList(readAllowedCode) },
};

export const OPTION_KEYS = Object.keys(OPTIONS) as readonly OptionKey[];

function readAllowedCode(text: string): Read<DiagnosticCode> {
  const code = ALLOWABLE_CODES.find((one) => one === text);
  if (code !== undefined) return { ok: true, value: code };
  const near = nearest(text, ALLOWABLE_CODES);
  return {
    ok: false,
    allowed: 'codes of warnings',
    help:
      near === undefined
        ? 'errors cannot be silenced; `check` prints the code of each warning'
        : `did you mean \`${near}\`?`,
  };
}
