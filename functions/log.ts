/** Writes a line about something that happened, for machines: values never hold a command or a secret. */
export type Log = (
  level: 'info' | 'warn' | 'error',
  event: string,
  fields: Readonly<Record<string, unknown>>,
  message: string,
) => void;

/** JSON lines as the daemon writes them. @param write takes whole lines */
export function jsonLog(write: (text: string) => void, now: () => number): Log {
  return (level, event, fields, msg) => {
    const line = { level, time: new Date(now()).toISOString(), event, ...fields, msg };
    write(`${JSON.stringify(line)}\n`);
  };
}

/** An error with its causes, in one line. */
export function errorText(error: unknown): string {
  const parts: string[] = [];
  for (let at = error; at !== undefined; at = (at as Error).cause)
    parts.push(at instanceof Error ? at.message : String(at));
  return parts.join(': ').replaceAll(/\s+/g, ' ');
}
