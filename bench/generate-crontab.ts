import { randomFrom } from './statistics.ts';

const HOSTS = ['db1', 'db2', 'web1', 'web2', 'mail', 'cache', 'search', 'queue'];
const AREAS = ['orders', 'billing', 'users', 'reports', 'catalog', 'stock', 'search', 'mail'];
const SCRIPTS = ['cleanup', 'sync', 'export', 'rotate', 'backup', 'reindex', 'notify', 'aggregate'];

/**
 * A crontab as teams write them, the same in every run: mostly unnamed entries, comments, blank lines, a few settings,
 * and directives at some entries.
 */
export function realisticCrontab(lines: number): string {
  const random = randomFrom(lines);
  const whole = (below: number) => Math.floor(random() * below);
  const one = (words: readonly string[]) => words[whole(words.length)] as string;
  const daily = () => `${whole(60)} ${whole(24)} * * *`;
  const schedules = [
    () => '* * * * *',
    () => `*/${one(['2', '5', '10', '15', '30'])} * * * *`,
    () => `${whole(60)} * * * *`,
    daily,
    daily,
    () => `${whole(60)} ${whole(24)} * * ${whole(7)}`,
    () => `${whole(60)} ${whole(24)} ${1 + whole(28)} * *`,
    () => `${whole(30)},${30 + whole(30)} ${8 + whole(3)}-${16 + whole(4)} * * 1-5`,
    () => `${whole(60)} */${one(['2', '3', '4', '6'])} * * *`,
  ];
  const commands = [
    (n: number) => `/opt/app/bin/${one(SCRIPTS)} --area ${one(AREAS)} --shard ${n}`,
    (n: number) =>
      `/usr/local/bin/${one(SCRIPTS)}-${one(AREAS)}.sh ${n} > /var/log/cron/${one(AREAS)}-${n}.log 2>&1`,
    (n: number) =>
      `cd /srv/app && ./manage.py ${one(SCRIPTS)}_${one(AREAS)} --batch ${n} >> log/${one(AREAS)}.log 2>&1`,
    (n: number) =>
      `flock -n /run/lock/${one(AREAS)}-${n}.lock /opt/app/bin/${one(SCRIPTS)} ${one(AREAS)} ${one(HOSTS)}`,
    (n: number) => `test -x /opt/${one(AREAS)}/run && /opt/${one(AREAS)}/run ${one(SCRIPTS)} ${n}`,
    (n: number) => `curl -fsS -m 10 https://${one(HOSTS)}.example.com/hooks/${one(SCRIPTS)}/${n} > /dev/null`,
  ];
  const text = ['SHELL=/bin/sh', 'PATH=/usr/local/bin:/usr/bin:/bin', ''];
  while (text.length < lines) {
    const n = text.length;
    const kind = random();
    if (kind < 0.05) text.push(`# ${one(AREAS)}: ${one(SCRIPTS)} on ${one(HOSTS)}`);
    else if (kind < 0.08) text.push('');
    else if (kind < 0.16 && n < lines - 1) text.push(directive(n, one), entry(daily));
    else text.push(entry());
  }
  return `${text.join('\n')}\n`;

  function entry(schedule = schedules[whole(schedules.length)] as () => string): string {
    return `${schedule()} ${commands[whole(commands.length)]?.(text.length)}`;
  }
}

function directive(n: number, one: (words: readonly string[]) => string): string {
  const more = one([
    '',
    ' timeout=30m',
    ' timeout=2h starting-deadline=1h',
    ' catch-up=none',
    ' concurrency-policy=allow',
  ]);
  return `# kuber-cron: name=${one(AREAS)}-${one(SCRIPTS)}-${n}${more}`;
}
