import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';

/** Log files below a folder by their paths, uncompressed; the folder of a process that writes is `.live/*`. */
export function logFiles(folder: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const name of names(folder)
    .filter((one) => /\.log(?:\.gz)?$/.test(one))
    .sort()) {
    try {
      const bytes = readFileSync(join(folder, name));
      const text = name.endsWith('.gz') ? gunzipSync(bytes) : bytes;
      files[name.replace(/^\.live\/[^/]+/, '.live/*')] = text.toString();
    } catch (error) {
      // Compressed between the two looks.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return files;
}

/** The same when nothing is left to be compressed. */
export async function compressedLogs(folder: string): Promise<Record<string, string>> {
  for (;;) {
    const files = logFiles(folder);
    if (Object.keys(files).every((name) => name.endsWith('.gz'))) return files;
    await sleep(5);
  }
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' });
  } catch {
    // None yet.
    return [];
  }
}
