import { readdirSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Run } from '../../shared/core/run/run.ts';
import { type FaultDaemon, FaultHome, waitFor } from '../support/fault-home.ts';

interface Fact {
  readonly what: string;
  readonly options?: string;
  readonly shell?: string;
  readonly command: string;
  /** Status, reason, and exit code or signal. */
  readonly end: readonly [status: string, reason?: string, code?: number | string];
  readonly stdout?: string;
  readonly stderr?: string;
  /** Gigabytes of standard output that are not kept: what is written while a file is emptied is not counted. */
  readonly dropped?: number;
  /** Processes of the run that live on, as after cron: who leaves the group on purpose is nobody's to end. */
  readonly leaves?: number;
}

const KEPT = 16 * 1024;

const FACTS: readonly Fact[] = [
  {
    what: 'ignores TERM: KILL ends it after the grace',
    options: 'timeout=1s',
    command: "trap '' TERM; sleep 600",
    end: ['timed-out', 'timeout', 'SIGKILL'],
  },
  {
    what: 'ignores TERM, and so does all that it starts',
    options: 'timeout=1s',
    command: "trap '' TERM; (sleep 600; true) & sleep 600; wait",
    end: ['timed-out', 'timeout', 'SIGKILL'],
  },
  {
    what: 'answers TERM with success: it is timed out all the same',
    options: 'timeout=1s',
    command: "trap 'echo tidy; exit 0' TERM; sleep 600 & wait",
    end: ['timed-out', 'timeout', 0],
    stdout: 'tidy\n',
  },
  {
    what: 'escapes with setsid and ends: its run is over',
    command: 'setsid sleep 600 & exit 0',
    end: ['succeeded', undefined, 0],
    leaves: 1,
  },
  {
    what: 'exits at once with its output held open by another process',
    command: 'sleep 600 & echo gone',
    end: ['succeeded', undefined, 0],
    stdout: 'gone\n',
    leaves: 1,
  },
  {
    what: 'closes its output and fails',
    command: 'exec >&- 2>&-; sleep 0.1; exit 3',
    end: ['failed', 'exit-code', 3],
  },
  {
    what: 'closes its input and its output and goes on',
    command: 'exec <&- >&-; echo seen >&2',
    end: ['succeeded', undefined, 0],
    stderr: 'seen\n',
  },
  {
    what: 'writes a gigabyte',
    command: 'head -c 1000000000 /dev/zero | tr "\\\\0" x',
    end: ['succeeded', undefined, 0],
    stdout: 'x'.repeat(KEPT),
    dropped: 1,
  },
  {
    what: 'writes a gigabyte without a stop for breath on both streams',
    options: 'timeout=3s',
    command: 'yes >&2 & yes | tr "\\\\n" y; wait',
    end: ['timed-out', 'timeout', 'SIGTERM'],
  },
  {
    what: 'writes binary',
    command: "printf 'a\\377\\000\\001b'",
    end: ['succeeded', undefined, 0],
    stdout: 'a\ufffd\u0000\u0001b',
  },
  {
    what: 'writes half a UTF-8 character and ends',
    command: "printf 'half \\342\\202'",
    end: ['succeeded', undefined, 0],
    stdout: 'half \ufffd',
  },
  {
    what: 'writes a UTF-8 character in two halves, with time between',
    command: "printf 'euro \\342\\202'; sleep 0.3; printf '\\254'",
    end: ['succeeded', undefined, 0],
    stdout: 'euro €',
  },
  {
    what: 'kills its own process group',
    command: 'kill -KILL 0',
    end: ['failed', 'signal', 'SIGKILL'],
  },
  {
    what: 'stops itself: its time runs out',
    options: 'timeout=1s',
    command: 'kill -STOP $$',
    end: ['timed-out', 'timeout', 'SIGKILL'],
  },
  {
    what: 'has a shell that does not exist',
    shell: '/no/such/shell',
    command: 'true',
    end: ['failed', 'not-started', 127],
  },
  {
    what: 'has a shell that does not come to the command before its time is over',
    shell: 'SLOW',
    options: 'timeout=1s',
    command: 'echo never',
    end: ['timed-out', 'timeout', 'SIGTERM'],
  },
];

const home = new FaultHome();
let daemon: FaultDaemon;
const nameOf = (index: number) => `job-${String(index + 1).padStart(2, '0')}`;

beforeAll(async () => {
  const slow = home.path('slow-shell');
  writeFileSync(slow, '#!/bin/sh\nsleep 600\n', { mode: 0o755 });
  const entries = FACTS.map(
    ({ shell = '/bin/sh', options = '', command }, index) =>
      `SHELL=${shell === 'SLOW' ? slow : shell}
# kuber-cron: name=${nameOf(index)} ${options}
@reboot ${command.replaceAll('%', '\\%')}
`,
  );
  writeFileSync(home.crontab, `HOME=${home.folder}\nPATH=/usr/bin:/bin\n${entries.join('')}`);
  daemon = home.start();
  await daemon.event('crontab-loaded');
});
afterAll(() => home.remove());

async function runOf(name: string): Promise<Run> {
  return waitFor(`the end of ${name}`, async () => {
    const [run] = await home.read((store) => store.runs({ jobId: `shop/${name}`, limit: 1 }));
    return run?.finishedAt === undefined ? undefined : run;
  });
}

describe('a command that', () => {
  test.each(FACTS.map((fact, index) => [fact.what, fact, nameOf(index)] as const))(
    '%s',
    async (_what, fact, name) => {
      const run = await runOf(name);
      const [attempt] = run.attempts;
      const output = await home.read((store) => store.output(run.jobId, run.runId, 1));
      const left = () =>
        home.processes().filter((line) => line.includes(run.runId) && line.includes(`/${name}/`));
      const { stdout = '', stderr = '', dropped = 0, leaves = 0 } = fact;
      // What was killed may take a moment to go.
      await waitFor('the end of its processes', () => (left().length <= leaves ? true : undefined)).catch(
        () => {},
      );
      const isEndless = fact.command.startsWith('yes');
      expect({
        end: [run.status, run.reason, attempt?.exitCode ?? attempt?.signal],
        ...(isEndless
          ? {}
          : {
              stdout: output?.stdout.text ?? '',
              stderr: output?.stderr.text ?? '',
              dropped: Math.round((output?.stdout.droppedBytes ?? 0) / 10 ** 9),
            }),
        left: left().length,
      }).toEqual({
        end: [fact.end[0], fact.end[1], fact.end[2]],
        ...(isEndless ? {} : { stdout, stderr, dropped }),
        left: leaves,
      });
    },
  );
});

test('the daemon is none the worse: it holds no output open, has said no error, and ends in order', async () => {
  for (const [index] of FACTS.entries()) await runOf(nameOf(index));
  // Those that it has made ahead are empty.
  const open = readdirSync(`/proc/${daemon.child.pid}/fd`).flatMap((fd) => {
    try {
      const { nlink, size } = statSync(`/proc/${daemon.child.pid}/fd/${fd}`);
      return nlink === 0 && size > 0 ? [fd] : [];
    } catch {
      return [];
    }
  });
  expect({ open, errors: home.errors(), space: statfsSync(home.folder).bavail > 0 }).toEqual({
    open: [],
    errors: [],
    space: true,
  });
  expect(await daemon.signal('SIGTERM')).toBe(0);
});
