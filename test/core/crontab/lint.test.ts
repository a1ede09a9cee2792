import { describe, expect, test } from '@jest/globals';
import { checkCrontab } from '../../../shared/core/crontab/check.ts';
import { ALLOWABLE_CODES, type DiagnosticCode } from '../../../shared/core/diagnostic.ts';
import { codes, findings } from '../../support/crontab-findings.ts';
import { CHECK_OPTIONS, errorFixtures } from '../../support/crontab-fixtures.ts';

/** An entry whose time is beyond reproach. */
const command = (text: string) => `0 5 * * * ${text}\n`;
const schedule = (text: string) => `${text} job\n`;

describe('settings', () => {
  test.each<[string, DiagnosticCode]>([
    ['MAILTO=ops@example.com', 'mailto-ignored'],
    ['MAILTO=$USER', 'mailto-ignored'],
    ['PGPASSWORD=x', 'credential-in-setting'],
    ['MYSQL_PWD=x', 'credential-in-setting'],
    ['DB_PASS=x', 'credential-in-setting'],
    ['SSHPASS=x', 'credential-in-setting'],
    ['GITHUB_TOKEN=x', 'credential-in-setting'],
    ['client_secret=x', 'credential-in-setting'],
    ['AWS_ACCESS_KEY_ID=x', 'credential-in-setting'],
    ['AWS_SECRET_ACCESS_KEY=x', 'credential-in-setting'],
    ['APIKEY=x', 'credential-in-setting'],
    ['URL=https://user:x@example.com/', 'credential-in-setting'],
    ['http_proxy=http://:x@proxy', 'credential-in-setting'],
    ['PATH=$PATH:/x', 'unexpanded-setting'],
    ['PATH=/x:${HOME}/bin', 'unexpanded-setting'],
    ['A=$(date)', 'unexpanded-setting'],
    ['A=`date`', 'unexpanded-setting'],
    ['A=~', 'unexpanded-setting'],
    ['A=/x:~/y', 'unexpanded-setting'],
    ['A=b 0 5 * * * job', 'setting-hides-entry'],
    ['A=0 5 * * * job', 'setting-hides-entry'],
    ['A=b */5 8-18 1,15 jan mon-fri job', 'setting-hides-entry'],
  ])('%s is %s', (line, code) => {
    expect(codes(`${line}\n`)).toEqual([code]);
  });

  test.each([
    'MAILTO=""',
    'MAILFROM=ops@example.com',
    'PGPASSFILE=/run/secrets/pgpass',
    'TOKEN_FILE=/run/token',
    'SSH_KEY=/etc/ssh/key',
    'API_KEY=""',
    'USE_PASSWORD=true',
    'ASK_PASS=0',
    'PWD=/srv',
    'OLDPWD=srv',
    'COMPASS=north',
    'SECRETARY=jane',
    'KEYBOARD=de',
    'URL=https://example.com/?a=b:c@d',
    'URL=https://user@example.com/',
    'EMAIL=jane:doe@example.com',
    'A=5$',
    'A=a~b',
    'A=/home/~jane',
    'A=one ` backquote',
    'A=100%',
    'BASH_ENV=$HOME/.env',
    'ENV=$HOME/.env',
    'A=1 2 3 4 5',
    'A=b c d e f g h',
    'A=2026-11-23 05:00',
  ])('%s is in order', (line) => {
    expect(codes(`${line}\n`)).toEqual([]);
  });
});

describe('schedules', () => {
  test.each<[string, DiagnosticCode[]]>([
    ['0 5 1 * 1', ['both-day-fields']],
    ['0 5 1-7 * mon', ['both-day-fields']],
    ['0 5 1 * 0-6', ['both-day-fields']],
    ['0 5 1-31 * 1', ['both-day-fields']],
    ['0 5 */2 * 1', ['both-day-fields']],
    ['0 5 1 * */2', ['both-day-fields']],
    ['0 5 *,5 * 1', []],
    ['0 5 */1 * 1', []],
    ['0 5 */2 * */1', []],
    ['0 5 1 * */1', []],
    ['0 5 1 * *', []],
    ['0 5 */2 * *', []],
    ['0 5 * * 1', []],
    ['0 5 30 2 *', ['never-fires']],
    ['0 5 31 feb,apr,jun,sep,nov *', ['never-fires']],
    ['0 5 30,31 2 */2', ['never-fires']],
    ['0 5 29 2 *', []],
    ['0 5 31 2,3 *', []],
    ['0 5 31 2 1', ['both-day-fields']],
    ['*/60 * * * *', ['oversized-step']],
    ['0 */24 * * *', ['oversized-step']],
    ['0 8-10/3 * * *', ['oversized-step']],
    ['0 8-10/2 * * *', []],
    ['*/59 * * * *', []],
  ])('%s: %j', (fields, expected) => {
    expect(codes(schedule(fields))).toEqual(expected);
  });
});

describe('clock changes', () => {
  test.each<[string, string, DiagnosticCode[]]>([
    ['Europe/Berlin', '30 2 * * *', ['dst-transition']],
    ['Europe/Berlin', '0 2 * * 0', ['dst-transition']],
    ['Europe/Berlin', '0,30 2 * * *', ['merged-starts']],
    ['Europe/Berlin', '0 2,3 * * *', ['merged-starts']],
    ['Europe/Berlin', '0 3 * * *', []],
    ['Europe/Berlin', '59 1 * * *', []],
    ['Europe/Berlin', '30 2 * * 1', []],
    ['Europe/Berlin', '30 2 1 * *', []],
    ['Europe/Berlin', '30 2 * 6 *', []],
    ['Europe/Berlin', '*/30 2 * * *', []],
    ['Europe/Berlin', '30 * * * *', []],
    ['Europe/Berlin', '@daily', []],
    ['America/New_York', '30 1 * * *', ['dst-transition']],
    ['America/New_York', '30 2 * * *', ['dst-transition']],
    ['America/New_York', '30 3 * * *', []],
    ['Africa/Cairo', '@daily', ['dst-transition']],
    ['Australia/Lord_Howe', '15 2 * * *', ['dst-transition']],
    ['Australia/Lord_Howe', '45 2 * * *', []],
    ['Asia/Tokyo', '30 2 * * *', []],
    ['UTC', '30 2 * * *', []],
  ])('in %s %s: %j', (zone, fields, expected) => {
    expect(codes(schedule(fields), { zone })).toEqual(expected);
    expect(codes(`CRON_TZ=${zone}\n${schedule(fields)}`, { zone: 'Asia/Tokyo' })).toEqual(expected);
  });

  test('are not looked at where the zone is not known, or none', () => {
    const { now } = CHECK_OPTIONS;
    const unknown = [
      checkCrontab(schedule('30 2 * * *'), { now }),
      checkCrontab(schedule('30 2 * * *'), { now, zone: 'x' }),
    ];
    expect(unknown.map(({ diagnostics }) => diagnostics.count('warning'))).toEqual([0, 0]);
  });

  test('are named by the dates of the next two years', () => {
    const messages = (now: number) =>
      checkCrontab(schedule('30 2 * * *'), { now, zone: 'Europe/Berlin' }).diagnostics.list.flatMap(
        ({ code, message }) => (code === 'dst-transition' ? [message.match(/\d{4}-\d\d-\d\d/g)] : []),
      );
    expect(messages(Date.UTC(2026, 10, 23))).toEqual([['2027-03-28', '2027-10-31']]);
    expect(messages(Date.UTC(2026, 5, 1))).toEqual([['2027-03-28', '2026-10-25']]);
    expect(messages(Date.UTC(2045, 10, 1))).toEqual([]);
  });
});

describe('time-outs', () => {
  const entry = (options: string, fields: string) => `# kuber-cron: ${options}\n${fields} job\n`;

  test.each<[string, string, DiagnosticCode[]]>([
    ['timeout=6m', '*/5 * * * *', ['timeout-exceeds-gap']],
    ['timeout=5m', '*/5 * * * *', []],
    ['timeout=61s', '* * * * *', ['timeout-exceeds-gap']],
    ['timeout=3h', '0 5,7 * * *', ['timeout-exceeds-gap']],
    ['timeout=2h', '0 5,7 * * *', []],
    ['timeout=61m', '31 * * * *', ['timeout-exceeds-gap']],
    ['timeout=61m', '59 * * * *', ['timeout-exceeds-gap']],
    ['timeout=60m', '32 * * * *', []],
    ['timeout=2m', '31,32 5 * * *', ['timeout-exceeds-gap']],
    ['timeout=2m', '30,31 5 * * *', ['timeout-exceeds-gap']],
    ['timeout=2m', '32,33 5 * * *', ['timeout-exceeds-gap']],
    ['timeout=24h', '59 23 * * *', []],
    ['timeout=2m', '59 23 * * *', []],
    ['timeout=2m', '0,59 * * * *', ['timeout-exceeds-gap']],
    ['timeout=25h', '0 5 * * *', ['timeout-exceeds-gap']],
    ['timeout=25h', '0 5 * * 1', []],
    ['timeout=25h', '0 5 1,2 * *', ['timeout-exceeds-gap']],
    ['timeout=366d', '@reboot', []],
    ['timeout=366d', '0 5 30 2 *', ['never-fires']],
    ['timeout=6m concurrency-policy=allow', '*/5 * * * *', []],
    ['timeout=6m concurrency-policy=replace', '*/5 * * * *', ['timeout-exceeds-gap']],
  ])('%s and %s: %j', (options, fields, expected) => {
    expect(codes(entry(options, fields))).toEqual(expected);
  });

  test('of defaults are pointed at where the schedule is', () => {
    expect(findings('# kuber-cron: defaults timeout=2h\n0 5 * * * a\n@hourly b\n')).toEqual([
      'timeout-exceeds-gap: @hourly',
    ]);
  });

  test('are pointed at where they stand, also behind an entry without any', () => {
    expect(findings('0 5 * * * a\n0 6 * * * b\n# kuber-cron: timeout=2h\n@hourly c\n')).toEqual([
      'timeout-exceeds-gap: timeout=2h',
    ]);
    expect(
      findings('# kuber-cron: defaults timeout=2h\n@hourly a\n# kuber-cron: timeout=3h\n@hourly b\n'),
    ).toEqual(['timeout-exceeds-gap: @hourly', 'timeout-exceeds-gap: timeout=3h']);
  });
});

describe('commands', () => {
  test.each<[string, string[]]>([
    ['* job', ['bad-command-start: *']],
    ['? job', ['sixth-field: ?']],
    ['MON-FRI job', ['sixth-field: MON-FRI']],
    ['mon,wed job', ['sixth-field: mon,wed']],
    ['2026 job', ['sixth-field: 2026']],
    ['1-5 job', ['sixth-field: 1-5']],
    ['0-30/5 job', ['sixth-field: 0-30/5']],
    ['2026-2030 job', ['sixth-field: 2026-2030']],
    ['root job', ['user-column: root']],
    ['www-data\tjob', ['user-column: www-data']],
    ['date +%F', ['unescaped-percent: %']],
    ["date '+%F'", ['unescaped-percent: %']],
    ['job \\\\%a', ['double-backslash: \\\\', 'unescaped-percent: %']],
    ["printf 'a\\\\nb'", ['double-backslash: \\\\']],
    ['job \\', ['trailing-backslash: \\']],
    ['job \\\\\\', ['double-backslash: \\\\', 'trailing-backslash: \\']],
    ['echo "a', ['unbalanced-quote: "']],
    ["echo don't", ["unbalanced-quote: '"]],
    ['echo `date', ['unbalanced-quote: `']],
    ['job &> /dev/null', ['bash-syntax: &>']],
    ['job &>> /dev/null', ['bash-syntax: &>>']],
    ['[[ -f x ]] && job', ['bash-syntax: [[']],
    ['cd /srv; [[ -f x ]] && job', ['bash-syntax: [[']],
    ['if [[ -f x ]]; then job; fi', ['bash-syntax: [[']],
    ['source env && job', ['bash-syntax: source']],
    ['cd /srv && source env && job', ['bash-syntax: source']],
    ['diff <(a) <(b)', ['bash-syntax: <(']],
    ['job 2>&1 >log', ['redirect-order: 2>&1 >log']],
    ['job 2>&1 >> "my log"', ['redirect-order: 2>&1 >> "my log"']],
    ['a && job 2>&1 > log; b', ['redirect-order: 2>&1 > log']],
  ])('%s: %j', (text, expected) => {
    expect(findings(command(text))).toEqual(expected);
  });

  test('errors are to be told and the rest thrown away: `job 2>&1 >/dev/null` is meant', () => {
    expect(findings(command('job 2>&1 >/dev/null'))).toEqual([]);
  });

  test.each([
    '2026',
    'root',
    'rootkit-check --all',
    'postgres -D /data',
    '7z a x',
    'monitor --all',
    'sunday-report x',
    'date +\\%F',
    'find . -exec rm {} \\;',
    'grep "a\\b" x',
    "echo 'a \\' b",
    'echo "it\'s" # it\'s',
    "echo it\\'s",
    'echo "\\"" \'"\'',
    'echo "$(date "+\\%F")" `hostname`',
    'a & > b',
    'a 2>&1 | tee log',
    'a 2>&1 >/dev/null | mail ops',
    'a >log 2>&1',
    'a > log 2>&1 < in',
    'a 2>&1',
    'a 12>&1 >b',
    'echo "2>&1 >log"',
    'echo "&>" \'[[ x ]]\' "source x" "<(x)"',
    'grep [[:space:]] x',
    'grep -E ^[[:digit:]] x',
    'job --source x',
    './source x',
    'echo source x',
    'sort < (a)',
    'a&&b>c',
    'a <&3 >&4',
    'a >&2',
    'a 0<&- &',
    'job # &> [[ source <( "',
  ])('%s is in order', (text) => {
    expect(findings(command(text))).toEqual([]);
  });

  test('bash syntax is in order where bash is the shell', () => {
    const text = command('[[ -f x ]] && source <(a) &> log');
    expect(codes(`SHELL=/bin/bash\n${text}`)).toEqual([]);
    expect(codes(`SHELL=/usr/bin/zsh\n${text}`)).toEqual([]);
    expect(codes(`SHELL=/bin/dash\n${text}`)).toEqual(['bash-syntax']);
    expect(codes(`SHELL=/bin/bash\n0 6 * * * a\nSHELL=/bin/sh\n${text}`)).toEqual(['bash-syntax']);
  });

  test('a quote is looked for under shells with such quotes only', () => {
    expect(codes(`SHELL=/bin/bash\n${command("don't")}`)).toEqual(['unbalanced-quote']);
    expect(codes(`SHELL=/usr/bin/fish\n${command("don't")}`)).toEqual([]);
    expect(codes(`SHELL=/usr/bin/python3\n${command("don't")}`)).toEqual([]);
  });

  test('what stands behind a percent sign is no shell text', () => {
    expect(findings(command("mail ops%don't 2>&1 >x"))).toEqual(['unescaped-percent: %']);
    expect(findings(command('job \\%F 2>&1 >x%y'))).toEqual([
      'redirect-order: 2>&1 >x',
      'unescaped-percent: %',
    ]);
    expect(findings(command("date '+%F'"))).toEqual(['unescaped-percent: %']);
  });

  test('a system crontab has its users where they belong', () => {
    expect(codes('0 5 * * * root root job\n', { system: true })).toEqual([]);
    expect(codes('0 5 * * * root job\n', { system: true })).toEqual([]);
  });
});

describe('a crowded minute', () => {
  const jobs = (count: number, fields: string) =>
    Array.from({ length: count }, (_, index) => `${fields} job ${fields} ${index}\n`).join('');

  test.each<[string, string, DiagnosticCode[]]>([
    ['29 jobs are none', jobs(29, '0 5 * * *'), []],
    ['30 jobs are one', jobs(30, '0 5 * * *'), ['crowded-minute']],
    [
      'lists and steps count for each of their minutes',
      jobs(15, '0,20 5 * * *') + jobs(15, '*/20 * * * *'),
      ['crowded-minute'],
    ],
    ['jobs of other minutes do not', jobs(20, '0 5 * * *') + jobs(20, '1 5 * * *'), []],
    ['jobs of other days do not', jobs(20, '0 5 * * 1') + jobs(20, '0 5 * * 2'), []],
    [
      'jobs of every day count on each day',
      jobs(15, '0 5 * * *') + jobs(15, '0 5 * * 2'),
      ['crowded-minute'],
    ],
    ['@reboot has no minute', jobs(40, '@reboot'), []],
    ['minute 59 of hour 23 is one too', jobs(30, '59 23 * * *'), ['crowded-minute']],
  ])('%s', (_, text, expected) => {
    expect(codes(text)).toEqual(expected);
  });

  test('is told at the first entry that is in it', () => {
    expect(findings(`15 12 1 1 * lonely\n${jobs(31, '0 3 * * *')}`)).toEqual(['crowded-minute: 0 3 * * *']);
  });

  test('is told with its number and time', () => {
    const { diagnostics } = checkCrontab(jobs(31, '5 4 * * *') + jobs(30, '0 5 * * *'), CHECK_OPTIONS);
    expect(diagnostics.list.map(({ message }) => message)).toContain(
      '31 jobs start at 04:05: they wait for each other, and for the machine',
    );
  });
});

describe('jobs without a name', () => {
  const note = (text: string) =>
    checkCrontab(text, CHECK_OPTIONS).diagnostics.list.flatMap(({ code, message }) =>
      code === 'unnamed-jobs' ? [message.split(':')[0]] : [],
    );

  test.each<[string, string, string[]]>([
    [
      'are counted',
      '# kuber-cron: name=a\n0 5 * * * a\n0 6 * * * b\n0 7 * * * c\n',
      ['2 of 3 jobs have no name'],
    ],
    ['are one or more', '0 6 * * * b\n', ['1 of 1 jobs has no name']],
    ['are a note once', '0 5 * * * a\n0 6 * * * b\n', ['2 of 2 jobs have no name']],
    ['are not there', '# kuber-cron: name=a\n0 5 * * * a\n', []],
    ['are not there in an empty file', '', []],
  ])('%s', (_, text, expected) => {
    expect(note(text)).toEqual(expected);
  });
});

describe('allow', () => {
  const percent = '0 5 * * * date +%F\n';

  test.each<[string, string, string[]]>([
    ['silences a code for its entry', `# kuber-cron: allow=unescaped-percent\n${percent}`, []],
    [
      'but not for the next one',
      `# kuber-cron: allow=unescaped-percent\n${percent}0 6 * * * date +%T\n`,
      ['unescaped-percent: %'],
    ],
    ['nor another code', `# kuber-cron: allow=double-backslash\n${percent}`, ['unescaped-percent: %']],
    ['holds from a line on by defaults', `# kuber-cron: defaults allow=unescaped-percent\n\n${percent}`, []],
    [
      'and not above it',
      `${percent}# kuber-cron: defaults allow=unescaped-percent\n\n0 6 * * * date +%T\n`,
      ['unescaped-percent: %'],
    ],
    [
      'until it is set again',
      `# kuber-cron: defaults allow=unescaped-percent\n# kuber-cron: defaults allow=sixth-field\n${percent}`,
      ['unescaped-percent: %'],
    ],
    [
      'adds an own code to those of defaults',
      '# kuber-cron: defaults allow=unescaped-percent\n# kuber-cron: allow=dst-transition\n30 2 * * * date +%F\n',
      [],
    ],
    ['silences settings by defaults', '# kuber-cron: defaults allow=mailto-ignored\nMAILTO=ops\n', []],
    [
      'silences comments by defaults',
      '# kuber-cron: defaults allow=near-miss-directive\n# kuber-corn: x\n',
      [],
    ],
    [
      'silences what concerns the file wherever it stands',
      `${'0 5 * * * a\n'.repeat(1)}${Array.from({ length: 40 }, (_, index) => `0 5 * * * job ${index}\n`).join('')}# kuber-cron: defaults allow=crowded-minute\n`,
      [],
    ],
  ])('%s', (_, text, expected) => {
    expect(findings(text)).toEqual(expected);
  });

  test.each(ALLOWABLE_CODES)('as defaults on the first line silences %s', (code) => {
    const fixture = errorFixtures().find(({ name }) => name === code);
    const rest = fixture?.checked.text.replace(/^# kuber-cron: defaults .*\n/, '');
    const text = `# kuber-cron: defaults allow=${code}\n\n${rest}`;
    expect(codes(text).filter((one) => one === code)).toEqual([]);
    expect(fixture?.checked.diagnostics.list.map((one) => one.code)).toContain(code);
  });
});
