import { dirname, join } from 'node:path';
import type { LogKey } from '../core/run/ports.ts';
import { crontabOf, jobNameOf } from '../core/run/run-id.ts';

export type LogStream = 'stdout' | 'stderr';

/**
 * Below the logs folder, and no name of a crontab: a folder for each process that writes, with what is not compressed
 * yet.
 */
export const LIVE_FOLDER = '.live';

/** A piece of one stream of an attempt, as its file's name has it. */
export interface LogFile {
  /** Tells the attempts of a job apart. */
  readonly attempt: string;
  readonly stream: LogStream;
  /** Bytes of the stream before the first of this file, those that are not kept among them. */
  readonly offset: number;
  readonly isCompressed: boolean;
}

/** Where all that the runs of a store write is kept: beside it. */
export function logsFolder(store: string): string {
  return join(dirname(store), 'logs');
}

/** Folder of a job's logs, below the logs folder or that of a process that writes. */
export function jobLogFolder(jobId: string): string {
  return join(fileName(crontabOf(jobId)), fileName(jobNameOf(jobId)));
}

export function attemptName({ runId, attempt }: LogKey): string {
  return `${fileName(runId)}.${attempt}`;
}

/** Name of a file while it grows; `.gz` is added when it is compressed. */
export function logFileName(key: LogKey, stream: LogStream, offset: number): string {
  const place = offset === 0 ? '' : `.${String(offset).padStart(15, '0')}`;
  return `${attemptName(key)}.${stream}${place}.log`;
}

/** Undefined for a file that is none of ours. */
export function parseLogFile(name: string): LogFile | undefined {
  const match = /^([^.]+\.\d+)\.(stdout|stderr)(?:\.(\d{15}))?\.log(\.gz)?$/.exec(name);
  if (match === null) return undefined;
  const [, attempt, stream, offset = '0', ending] = match;
  return {
    attempt: attempt as string,
    stream: stream as LogStream,
    offset: Number(offset),
    isCompressed: ending !== undefined,
  };
}

/** A text as one name in a folder: run ids stay as `runs` shows them. No two texts have the same. */
function fileName(text: string): string {
  return text === '' ? '%' : text.replace(/[^A-Za-z0-9:#_-]/gu, encodeCharacter);
}

function encodeCharacter(character: string): string {
  return [...Buffer.from(character)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
}
