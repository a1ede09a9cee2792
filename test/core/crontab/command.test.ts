import { describe, expect, test } from '@jest/globals';
import {
  type CommandInput,
  firstUnescapedPercent,
  splitCommand,
} from '../../../shared/core/crontab/command.ts';
import { programName, shellSkeleton } from '../../../shared/core/crontab/shell.ts';

describe('a command ends at the first percent sign without a backslash', () => {
  test.each<[string, CommandInput]>([
    ['job', { command: 'job' }],
    ['', { command: '' }],
    ['job %', { command: 'job ' }],
    ['job%a', { command: 'job', stdin: 'a\n' }],
    ['job%a%b', { command: 'job', stdin: 'a\nb\n' }],
    ['job%a%', { command: 'job', stdin: 'a\n' }],
    ['job%%', { command: 'job', stdin: '\n' }],
    ['job%a%%b', { command: 'job', stdin: 'a\n\nb\n' }],
    ['job% a ', { command: 'job', stdin: ' a \n' }],
    ['%a', { command: '', stdin: 'a\n' }],
    ['date +\\%F', { command: 'date +%F' }],
    ['date +\\%F%a', { command: 'date +%F', stdin: 'a\n' }],
    ["date '+%F'", { command: "date '+", stdin: "F'\n" }],
    ['job%100\\%%b', { command: 'job', stdin: '100%\nb\n' }],
    ["printf 'a\\nb'", { command: "printf 'a\\nb'" }],
    ["printf 'a\\\\nb'", { command: "printf 'a\\nb'" }],
    ['a\\\\\\\\b', { command: 'a\\\\b' }],
    ['a\\\\%b', { command: 'a\\', stdin: 'b\n' }],
    ['a\\\\\\%b', { command: 'a\\%b' }],
    ['a\\', { command: 'a\\' }],
    ['job%a\\nb', { command: 'job', stdin: 'a\\nb\n' }],
    ['job%a\\\\b', { command: 'job', stdin: 'a\\\\b\n' }],
    ['job%a\\\\%b', { command: 'job', stdin: 'a\\%b\n' }],
    ['job%a\\', { command: 'job', stdin: 'a\\\n' }],
  ])('%j', (text, expected) => {
    expect(splitCommand(text)).toEqual(expected);
  });

  test.each<[string, number]>([
    ['job', -1],
    ['', -1],
    ['%', 0],
    ['a%b%c', 1],
    ['a\\%b', -1],
    ['a\\\\%b', 3],
    ['a\\x%', 3],
    ['a\\', -1],
  ])('in %j it is at %i', (text, at) => {
    expect(firstUnescapedPercent(text)).toBe(at);
  });
});

describe('the program of a command', () => {
  test.each<[string, string]>([
    ['job', 'job'],
    ['/usr/local/bin/backup.sh --now', 'backup.sh'],
    ['./run', 'run'],
    ['~/bin/run', 'run'],
    ['$HOME/bin/run', 'run'],
    ['"$HOME/my bin/run" x', 'run'],
    ["'/opt/run' x", 'run'],
    ['${PHP} index.php', 'PHP'],
    ['$PHP index.php', 'PHP'],
    ['A=1 B="x y" job', 'job'],
    ['PATH+=:/x job', 'job'],
    ['cd /srv/app && ./run', 'run'],
    ['cd "/srv/my app"; ./run', 'run'],
    ['. /etc/profile; job', 'job'],
    ['. ~/.profile && source venv/bin/activate && python -m job', 'python'],
    ['[ -x /usr/bin/job ] && /usr/bin/job', 'job'],
    ['[[ -f go ]] && ./go', 'go'],
    ['test -x /usr/sbin/anacron || ( cd / && run-parts --report /etc/cron.daily )', 'run-parts'],
    ['sleep 30; /opt/poll', 'poll'],
    ['sleep $(( ( RANDOM % 600 ) + 1 ))m && /opt/poll', 'poll'],
    ['sleep 30', 'sleep'],
    ['/bin/sleep 30; /opt/poll', 'poll'],
    ['/usr/bin/test -x /opt/a && /usr/bin/time /opt/a', 'a'],
    ['/bin/sleep 30', 'sleep'],
    ['cd /srv', 'cd'],
    ['exec /opt/job', 'job'],
    ['nohup nice /opt/job &', 'nice'],
    ['time -p job', 'job'],
    ['(job; other)', 'job'],
    ['{ job; other; }', 'job'],
    ['! job', 'job'],
    ['if [ -f x ]; then job; fi', 'job'],
    ['for f in *.txt; do rm "$f"; done', 'rm'],
    ['while true; do job; done', 'job'],
    ['case $(date +\\%u) in 1) job;; esac', 'job'],
    ['>/tmp/log job', 'job'],
    ['2>/tmp/log job', 'job'],
    ['< /tmp/in job', 'job'],
    ['>/tmp/log 2>&1 job', 'job'],
    ['job>/tmp/log', 'job'],
    ['job;other', 'job'],
    ['job|other', 'job'],
    ['job&', 'job'],
    ['A=$(date) job', 'job'],
    ['A=`date` job', 'job'],
    ['A=$((1 + (2))) job', 'job'],
    ['A="$(cat "a b")" job', 'job'],
    ['7z a x', '7z'],
    ['node', 'node'],
    ['# only a comment', ''],
    ['', ''],
    ['   ', ''],
    ['A=1', ''],
    ['&&', ''],
    ['"my program" x', ''],
    ['my\\ program x', ''],
    ['$(which php) x', ''],
    ['`which php` x', ''],
    ['[ -x /bin/job ]', '['],
  ])('%s is called %s', (command, name) => {
    expect(programName(command)).toBe(name);
  });

  test.each([
    'A=$(echo hunter2) job',
    'A=$(echo hunter2 ; echo hunter2) job',
    'A=`echo hunter2` job',
    'A="$(echo hunter2)" job',
    'A="`echo hunter2`" job',
    'A=$(( hunter2 + 1 )) job',
    'A=$(echo $(echo hunter2)) job',
    'A=$(echo `echo hunter2`) job',
    'A="hunter2 hunter2" job',
    "A='hunter2 hunter2' job",
    'A=hunter2\\ hunter2 job',
    'A=hunter2; job',
    'A="hunter2',
    "A='hunter2",
    'A=$(echo hunter2',
    'A=`echo hunter2',
    '$(echo hunter2) job',
    '`echo hunter2` job',
    '"hunter2 hunter2"',
    '${A:-hunter2} job',
    '"a:hunter2@b" job',
    '<hunter2 job',
    '<<<hunter2 job',
    '>hunter2',
    '> "hunter2 hunter2" job',
    'cd hunter2',
    'cd hunter2 hunter2',
    'cd hunter2 && job hunter2',
    'export A=hunter2; job',
    'export A=hunter2',
    'set -- hunter2; job',
    '[ hunter2 = hunter2 ] && job',
    'test hunter2 && job',
    'sleep hunter2',
    'for a in hunter2 hunter2; do job; done',
    'case hunter2 in',
    'time -hunter2 job',
    'exec -a=hunter2 job',
    '# hunter2',
    'job --password=hunter2',
    'job -phunter2',
    'curl -u user:hunter2 https://example.com',
    `A=${'x'.repeat(390)}' hunter2 hunter2' job`,
    `A=$(${'x'.repeat(390)} hunter2 hunter2) job`,
  ])('is not what may be a password: %s', (command) => {
    expect(programName(command)).not.toMatch(/hunter2/);
  });
});

describe('what a shell takes literally is blotted out of a skeleton', () => {
  test.each<[string, string]>([
    ['a b', 'a b'],
    ["a 'b c' d", 'a _____ d'],
    ['a "b c" d', 'a _____ d'],
    ['a "b \\" c" d', 'a ________ d'],
    ["a 'b \\' c", 'a _____ c'],
    ['a \\" b', 'a __ b'],
    ["a $'it\\'s' b", 'a $_______ b'],
    ['a "$(b "c d" e)" f', 'a _$(b _____ e)_ f'],
    ['a `b "c"` d', 'a `b ___` d'],
    ['a "`b`" c', 'a _`b`_ c'],
    ['a "$(( (1 + 2) * 3 ))" b', 'a _$(( (1 + 2) * 3 ))_ b'],
    ["a # it's", 'a       '],
    ['a#b', 'a#b'],
    ['a "#b"', 'a ____'],
    ['a;#b', 'a;  '],
    ["a '' b", 'a __ b'],
    ['a\\', 'a\\'],
  ])('%j is %j', (command, text) => {
    expect(shellSkeleton(command)).toEqual({ text });
  });

  test.each<[string, number]>([
    ['a "b', 2],
    ["a 'b", 2],
    ["don't", 3],
    ['a `b', 2],
    ['a "b \\"', 2],
    ['a "$(b "c)"', 2],
    ["a 'b' \"c' d", 6],
    ['a `b "c` d', 5],
    ["a 'b\\' c'", 8],
  ])('in %j the quote at %i is open', (command, at) => {
    expect(shellSkeleton(command).openQuote).toBe(at);
  });
});
