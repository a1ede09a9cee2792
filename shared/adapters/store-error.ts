import { isNativeError } from 'node:util/types';

/** What keeps a run store from doing its work. */
export type StoreProblem =
  | 'foreign'
  | 'newer'
  | 'damaged'
  | 'unwritable'
  | 'full'
  | 'busy'
  | 'closed'
  | 'failed';

/** A run store cannot be opened, read or written; the message names the file and says how to mend it. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly problem: StoreProblem;
  readonly file: string;

  constructor(problem: StoreProblem, file: string, options?: ErrorOptions) {
    const { what, help } = TEXTS[problem];
    super(`run store ${file}: ${what}${detailOf(problem, options?.cause)}; ${help}`, options);
    this.problem = problem;
    this.file = file;
  }
}

const TEXTS: Readonly<Record<StoreProblem, { readonly what: string; readonly help: string }>> = {
  foreign: {
    what: 'this file belongs to another program',
    help: 'give the run store a file of its own',
  },
  newer: {
    what: 'a later version of kuber-cron wrote this file',
    help: 'use that version, or give this one a file of its own',
  },
  damaged: {
    what: 'the file is damaged',
    help: 'restore it from a backup, or move it and its -wal and -shm files away to begin an empty history',
  },
  unwritable: {
    what: 'the file or its folder cannot be written',
    help: 'let this user write there, or choose a file in another folder',
  },
  full: {
    what: 'no space is left',
    help: 'make room in its file system',
  },
  busy: {
    what: 'another process keeps it locked',
    help: 'find the process that has the file open and end it, then try again',
  },
  closed: {
    what: 'it is closed',
    help: 'open it again',
  },
  failed: {
    what: 'a statement failed',
    help: 'see whether its file system is healthy',
  },
};

/** The platform's words, where they say more than the problem does. */
function detailOf(problem: StoreProblem, cause: unknown): string {
  const says = problem === 'failed' || problem === 'unwritable' || problem === 'damaged';
  return says && isNativeError(cause) ? ` (${cause.message})` : '';
}

/** Result codes of SQLite; the low byte of an extended code. @see https://www.sqlite.org/rescode.html */
const PROBLEM_BY_CODE: Readonly<Record<number, StoreProblem>> = {
  5: 'busy',
  6: 'busy',
  8: 'unwritable',
  11: 'damaged',
  13: 'full',
  14: 'unwritable',
  26: 'foreign',
};

/** Turns an error of SQLite or of the file system into a `StoreError`; leaves any other as it is. */
export function asStoreError(error: unknown, file: string): unknown {
  if (error instanceof StoreError || !isNativeError(error)) return error;
  const { code, errcode } = error as Error & { code?: string; errcode?: number };
  if (errcode !== undefined) {
    return new StoreError(PROBLEM_BY_CODE[errcode & 0xff] ?? 'failed', file, { cause: error });
  }
  const isSystem = 'syscall' in error;
  if (!isSystem) return error;
  return new StoreError(code === 'ENOSPC' ? 'full' : 'unwritable', file, { cause: error });
}
