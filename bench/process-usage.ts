import { readdirSync, readFileSync } from 'node:fs';

/** Linux keeps these figures of each process in files; elsewhere they are left out. */
export const hasProcessFiles = read('/proc/self/status') !== undefined;

/** CPU time of all threads since the start of the process. Milliseconds. */
export function cpuMs(pid: number | undefined): number {
  const folder = `/proc/${pid}/task`;
  let ns = 0;
  try {
    // In nanoseconds, where the process's own sum counts in hundredths of a second.
    for (const thread of readdirSync(folder))
      ns += Number(read(`${folder}/${thread}/schedstat`)?.split(' ')[0] ?? 0);
  } catch {
    return Number.NaN;
  }
  return ns / 1e6;
}

/** Resident memory, now and at its highest. MiB. */
export function memory(pid: number | undefined): { readonly now: number; readonly peak: number } {
  const status = read(`/proc/${pid}/status`) ?? '';
  const mebibytes = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(status)?.[1]) / 1024;
  return { now: mebibytes('VmRSS'), peak: mebibytes('VmHWM') };
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The process, or the thread, has ended.
    return undefined;
  }
}
