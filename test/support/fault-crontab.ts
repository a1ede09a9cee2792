import type { Chance } from './fault-seed.ts';

/** The crontab's name in a fault home. */
export const FAULT_CRONTAB = 'shop';

/**
 * What every command of a fault crontab is: it tells the journal of its start and end, each in one write. Where its
 * job forbids overlap it holds a lock as long as a process of it lives, so that the kernel knows.
 *
 * `work exclusive|shared SECONDS FAILS CHILD`: it fails when minute and attempt say so, once in FAILS times, 0 never;
 * CHILD is `none`, `child` for one in the background, `escape` for one in a session of its own.
 */
export const WORK = `work() {
  me="$KUBERCRON_RUN_ID $KUBERCRON_ATTEMPT"
  echo "start $me $KUBERCRON_SCHEDULED_TIME" >>journal
  if [ "$1" = exclusive ]; then
    exec 9>>"locks/$KUBERCRON_JOB"
    flock -w 0.5 9 || echo "overlap $me" >>journal
  fi
  case $4 in
    child) sleep 1 9>&- & ;;
    escape) setsid sleep 600 & escaped=$! ;;
  esac
  [ "$2" = 0 ] || sleep "$2"
  [ "$4" != escape ] || kill "$escaped"
  time=\${KUBERCRON_SCHEDULED_TIME#*T} time=\${time%Z}
  hour=\${time%:*} minute=\${time#*:}
  code=0
  if [ "$3" != 0 ]; then
    [ $((((\${hour#0} * 60 + \${minute#0}) * 7 + KUBERCRON_ATTEMPT * 3) % $3)) != 0 ] || code=7
  fi
  echo "end $me $code" >>journal
  exit $code
}
`;

const SCHEDULES = ['* * * * *', '*/2 * * * *', '1-59/2 * * * *', '*/3 * * * *', '*/5 * * * *'] as const;
const RARE_SCHEDULES = [
  '*/7 * * * *',
  '3,33 * * * *',
  '*/4 0-12 * * *',
  '10,11,12 * * * 6',
  '30 2 * * *',
] as const;
const ZONES = ['UTC', 'UTC', 'Europe/Berlin', 'Asia/Kolkata', 'America/New_York'] as const;

/** A seeded crontab of so many jobs: all policies, catch-up kinds and deadlines, retries, overlaps, children. */
export function faultCrontab(chance: Chance, count: number, home: string): string {
  const lines = [`HOME=${home}`];
  for (let n = 1; n <= count; n++) {
    const policy = chance.of(['allow', 'forbid', 'forbid', 'replace']);
    const options = [
      `name=job-${String(n).padStart(2, '0')}`,
      `concurrency-policy=${policy}`,
      `catch-up=${chance.of(['once', 'none', 'all'])}`,
    ];
    const deadline = chance.of([undefined, undefined, '90s', '10m', '2h']);
    if (deadline !== undefined) options.push(`starting-deadline=${deadline}`);
    const retries = chance.of([0, 0, 1, 2, 3]);
    if (retries > 0) options.push(`retries=${retries} backoff=${chance.of(['1s..5s', '10s..1m', '1m..5m'])}`);
    const kind = chance.of(['quick', 'quick', 'quick', 'short', 'short', 'long', 'endless'] as const);
    const seconds = { quick: 0, short: chance.of([0.1, 0.3]), long: chance.of([0.7, 1.5]), endless: 600 }[
      kind
    ];
    if (kind === 'endless') options.push(`timeout=${chance.of(['30s', '2m', '4m'])}`);
    // Who ends by a signal cannot tidy up what left its process group.
    const children = policy === 'replace' ? ['none', 'child'] : ['none', 'child', 'escape'];
    const child = { quick: ['none'], short: children, long: children, endless: ['none'] }[kind];
    const lock = policy === 'allow' ? 'shared' : 'exclusive';
    const schedule =
      n % 17 === 0 ? '@reboot' : chance.percent(70) ? chance.of(SCHEDULES) : chance.of(RARE_SCHEDULES);
    lines.push(
      `CRON_TZ=${chance.of(ZONES)}`,
      `# kuber-cron: ${options.join(' ')}`,
      `${schedule} . ./work.sh; work ${lock} ${seconds} ${chance.of([0, 2, 3, 5])} ${chance.of(child)}`,
    );
  }
  return `${lines.join('\n')}\n`;
}
