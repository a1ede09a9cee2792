import type { DiagnosticSink } from '../diagnostic.ts';
import { awsObstacles } from '../target/aws.ts';
import type { Crontab, Entry } from './entry.ts';
import { reportOn } from './lint-report.ts';

/** What most often no entry says, and one line mends for all: told once for the file. */
const TOLD_ONCE = {
  'missing-time-zone': {
    lack: 'no time zone: AWS does not take one from a machine',
    help: 'write `CRON_TZ=Europe/Berlin` (or another zone) above the first entry, or say `--zone`',
  },
  'missing-timeout': {
    lack: 'no `timeout`: on AWS a command is ended after 14m, the longest run that Lambda allows',
    help: 'write `# kuber-cron: defaults timeout=14m` or less above the first entry; what takes longer is for `targets=daemon`',
  },
} as const;

/**
 * Finds what AWS cannot carry as it is written.
 *
 * @param zone of entries without `CRON_TZ`; undefined where none is given
 */
export function lintForAws({ entries }: Crontab, zone: string | undefined, sink: DiagnosticSink): void {
  const lacking = { 'missing-time-zone': [] as Entry[], 'missing-timeout': [] as Entry[] };
  for (const entry of entries) {
    const report = reportOn(entry, sink);
    for (const { code, key, message, help } of awsObstacles({ ...entry, zone: entry.zone ?? zone })) {
      if (code === 'missing-time-zone' || code === 'missing-timeout') {
        if (!entry.allowed.has(code)) lacking[code].push(entry);
      } else {
        const directive = entry.directives.find((one) => one.key === key);
        report(code, directive?.span ?? entry.scheduleSpan, message, help);
      }
    }
  }
  for (const [code, found] of Object.entries(lacking) as [keyof typeof lacking, Entry[]][]) {
    const [first] = found;
    if (first === undefined) continue;
    const { lack, help } = TOLD_ONCE[code];
    const count = `${found.length} of ${entries.length} ${entries.length === 1 ? 'job' : 'jobs'}`;
    sink.add({
      code,
      span: first.scheduleSpan,
      message: `${count} ${found.length === 1 ? 'has' : 'have'} ${lack}`,
      help,
    });
  }
}
