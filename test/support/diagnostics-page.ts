import { DIAGNOSTICS, type DiagnosticCode, type Severity } from '../../shared/core/diagnostic.ts';
import { DiagnosticRenderer, printable } from '../../shared/core/diagnostic-text.ts';
import { errorFixtures, type Fixture } from './crontab-fixtures.ts';

/** Why a code is worth stopping for, and how to mend what it found; Markdown. */
const TEXTS: Readonly<Record<DiagnosticCode, readonly [why: string, mend: string]>> = {
  'byte-order-mark': [
    'The mark is invisible in an editor, and a part of the first line to cron: a setting gets another name, an entry another minute.',
    'Save the file as UTF-8 without BOM; in vim `:set nobomb`.',
  ],
  'carriage-return': [
    'To cron the CR is a character like another: it runs `run.sh\\r`, which does not exist, and writes to files whose names end in CR.',
    'Save with Unix line ends, and keep git from converting them: `crontab text eol=lf` in `.gitattributes`.',
  ],
  'missing-final-newline': [
    'crontab(1) refuses such a file, since an unfinished line is often a sign of a file that was cut.',
    '`kuber-cron check --fix` adds the newline.',
  ],
  'not-utf-8': [
    'Bytes in another encoding would reach commands, names and logs as other characters on each machine.',
    'Convert it: `iconv -f latin1 -t utf-8`.',
  ],
  'nul-character': [
    'No command can hold a NUL. Most often the file is UTF-16, or no text at all.',
    'Save the file as UTF-8 text. Lines with a NUL are not looked at further.',
  ],
  'file-too-large': [
    'The bound keeps a wrong path, such as that of a log, from costing minutes and memory.',
    'Look at the path; split what is really a crontab.',
  ],
  'bad-setting': [
    'Crons refuse the line, or take a name that no command can read.',
    'Write `NAME=value` or `NAME="value"`, without `export`, escapes and text behind the quote.',
  ],
  'empty-setting': [
    "Debian's cron refuses the whole file for it, cronie takes it as empty.",
    'Write `NAME=""`, which all of them take.',
  ],
  'setting-too-long': [
    "Debian's cron cuts a setting after 998 bytes and says nothing: a `PATH` loses its end.",
    'Shorten it, or set it in a script that the command runs.',
  ],
  'too-many-settings': [
    'Other crons stop at this number, and no command needs so many.',
    'Set them in a script that the command runs.',
  ],
  'unknown-time-zone': [
    'Nobody can say when the entries below run; cronie silently takes UTC.',
    'Use a name of the IANA database, in its spelling: `Europe/Berlin`, `UTC`.',
  ],
  'ignored-setting': [
    'The command runs as the user that the daemon runs as, whatever the crontab says, so these two variables name that user.',
    'Remove the line.',
  ],
  'setting-hides-entry': [
    'A line that begins with `NAME=` is a setting up to its end, so the job behind it never runs, and nothing else tells.',
    'Put the entry on a line of its own.',
  ],
  'credential-in-setting': [
    'A crontab lives in git: what stands in it is read by everybody who can read the repository, for good.',
    'Name the variable in `secrets=`, set it where the daemon runs, and change the credential that was in git.',
  ],
  'mailto-ignored': [
    'People who count on mail from cron would hear nothing.',
    'Remove the line, or keep it for other crons by `# kuber-cron: defaults allow=mailto-ignored` above it.',
  ],
  'unexpanded-setting': [
    'Cron hands a setting on as it is written: with `PATH=$HOME/bin:…` the command looks for a folder that is called `$HOME`.',
    'Write the value in full, or set the variable at the beginning of the command.',
  ],
  'missing-fields': [
    'Cron would take the first word of the command for a time field.',
    'Add the field that lacks; `*` where it does not matter.',
  ],
  'missing-command': [
    "Debian's cron would install it and run nothing, every time.",
    'Add the command, or remove the line.',
  ],
  'missing-user': [
    'In a system crontab (`--system`) the word behind the time fields is the user, so that the command would be taken for one.',
    'Add the user, or leave out `--system`.',
  ],
  'foreign-user': [
    'The daemon runs everything as its own user. Only root could do otherwise, and a daemon that is root for that is none to trust.',
    'Start a daemon as that user, with a crontab of its own.',
  ],
  'unknown-nickname': [
    'Crons know these words only, in lower case. `@every` belongs to Go libraries.',
    'Use one of them, or five time fields.',
  ],
  'value-out-of-range': [
    'Cron refuses the file. Often two fields changed places, or an hour of 24 means midnight.',
    'Write a value of the field; ranges and steps too stay inside it.',
  ],
  'unknown-value': [
    "Names are three letters, in month and day of week only. Debian's cron skips what follows a number, so that `5;x` silently is 5; others refuse it.",
    'Write a number or one of the names.',
  ],
  'reversed-range': [
    "It never runs in Debian's cron, wraps around in some cases in cronie, and is refused by others.",
    'Write the two parts as a list.',
  ],
  'step-without-range': [
    'Crons refuse it, while Kubernetes and many libraries take `5/15` for `5-59/15`.',
    'Write the range.',
  ],
  'empty-list-item': [
    'Crons refuse it; most often a value was deleted and its comma was not.',
    'Remove the comma, or add the value.',
  ],
  'unsupported-field-syntax': [
    'Quartz, AWS and others have signs that no cron knows.',
    'Run on all days that may be meant and let the command test the date: `0 6 28-31 * * [ "$(date -d tomorrow +\\%d)" = 01 ] && …`.',
  ],
  'hash-needs-name': [
    '`H` is a value that the name of the job decides, so that it stays when the command changes.',
    'Name the job on the line above.',
  ],
  'bad-command-start': [
    'A command that begins with `*` is a sixth time field in all but name, and crons refuse it. One that begins with `-` is refused by Debian, or read as an option by cronie.',
    'Remove the extra field or the blanks inside a range.',
  ],
  'command-too-long': [
    "Debian's cron refuses commands of more than 998 bytes.",
    'Put it into a script and run that.',
  ],
  'both-day-fields': [
    'Two day fields do not mean what most readers take them for: cron runs on either, unless one begins with `*`. The example runs on seven days and on every Monday.',
    'For "the first Monday" run on days 1-7 and let the command test the weekday, `[ "$(date +\\%u)" = 1 ] && …`. If either is meant, `allow=both-day-fields`.',
  ],
  'never-fires': [
    'The entry looks like a job and is none.',
    'Correct the day or the month. For the last day of each month see `unsupported-field-syntax`.',
  ],
  'oversized-step': [
    'A step counts inside the range, so only its first value remains: `*/60` is once an hour. Some crons even run it every minute.',
    'Write the value that is meant, or a smaller step in another field.',
  ],
  'sixth-field': [
    'A crontab has five time fields. The sixth is the program that runs, and the five before it are read one off.',
    'Remove the seconds or the year.',
  ],
  'user-column': [
    'Lines of `/etc/crontab` have a user before the command, those of a user crontab do not: a program called `root` would run.',
    'Remove the user, or read the file with `--system`.',
  ],
  'unescaped-percent': [
    'The first `%` that has no backslash ends the command, even inside quotes; the rest is its standard input. `date +%F` runs `date +`.',
    'Write `\\%`. If input is meant, `allow=unescaped-percent`.',
  ],
  'double-backslash': [
    "Debian's cron, and with it kuber-cron, hands one backslash of two to the shell, cronie both.",
    'Put the command into a script.',
  ],
  'dst-transition': [
    'On these days the time does not exist, or comes twice. The job runs once, but at another hour, or in the first of the two.',
    'Choose a time outside the change, or `CRON_TZ=UTC`; if it does not matter, `allow=dst-transition`.',
  ],
  'merged-starts': [
    "Several times of one entry fall into the hour that is skipped. Debian's cron starts the job several times right after it; here these starts are one run.",
    'Choose other times if the job has to run as often as usual on that day, else `allow=merged-starts`.',
  ],
  'crowded-minute': [
    'They all start at once: the machine, the database behind it and everything else that begins at this minute get slow together.',
    'Write `H` for the minute: each job gets one of its own, by its name, that stays.',
  ],
  'timeout-exceeds-gap': [
    'A run may still be going when the next one is due, which is then skipped.',
    'Shorten the timeout or run less often; `concurrency-policy=allow` lets them overlap.',
  ],
  'unbalanced-quote': [
    'The shell refuses the command, each time that it runs.',
    'Close the quote. A crontab line is not continued on the next one.',
  ],
  'bash-syntax': [
    'Commands run under `/bin/sh`. With `&>` it even runs without complaint: in the background, and its output goes elsewhere.',
    'Write `SHELL=/bin/bash` above, or `>file 2>&1` and the like.',
  ],
  'redirect-order': [
    'Redirections are made from left to right: errors go where output went before, and not to the file.',
    'Write `>file 2>&1`.',
  ],
  'trailing-backslash': [
    'A crontab has no continued lines: the command ends here, and the next line is an entry of its own.',
    'Write one line, or a script.',
  ],
  'bad-directive': [
    'What follows cannot be read either, so nothing of it would hold.',
    'Write `key=value`, without blanks around `=`; a value with blanks in `"…"`.',
  ],
  'unknown-key': [
    'A misspelt key would silently have no effect.',
    'Correct it; the keys are listed in [the crontab format](crontab-format.md#keys).',
  ],
  'duplicate-key': ['It cannot be told which of the two is meant.', 'Keep one.'],
  'bad-value': ['The key takes other values.', 'Write what the message names.'],
  'key-not-in-defaults': [
    'All jobs below would have one name, or one description.',
    'Put it above its entry.',
  ],
  'detached-directive': [
    'A directive line belongs to the next entry. With a blank line or a setting in between it is likely that its entry was moved or removed, and that it would now change another job.',
    'Write it right above its entry; comments may stand between.',
  ],
  'disabled-entry-directive': [
    'The lines above a commented-out entry go with it, so that they do not slide on to the next job. As they are, they look as if they held.',
    'Comment them out too, as editors do with a block: `# # kuber-cron: …`.',
  ],
  'near-miss-directive': [
    'It is a comment like any other, so the job lacks what stands in it.',
    'Write `# kuber-cron:` with a blank behind it, on a line of its own above the entry.',
  ],
  'former-name-in-use': [
    'By `was` a job takes over the history, the pause and the counters of another name. While a job has that name they are its own, and they cannot go to two jobs.',
    'Rename the old job in the same edit, and say `was` in one place only.',
  ],
  'duplicate-name': [
    'Two jobs would share one history, one lock and one set of metrics.',
    'Give each its own name.',
  ],
  'identical-entries': [
    'Jobs without a name are told apart by command, schedule, zone and user. With all of them equal the two histories would mix.',
    'Remove one, or name both.',
  ],
  'unnamed-jobs': [
    'A job without a name is called by its program and a hash of its command: change the command, and it is another job with another history.',
    '`kuber-cron check --fix` writes the names down that the jobs have already. `# kuber-cron: defaults allow=unnamed-jobs` silences the note.',
  ],
  'missing-time-zone': [
    'Found by `check --target aws` without `--zone`. A daemon takes the zone of its machine; EventBridge Scheduler would take UTC, and the job would start hours off.',
    'Write `CRON_TZ=` into the crontab, so that it means the same everywhere.',
  ],
  'missing-timeout': [
    'Found by `check --target aws`. A command without a limit may run for days on a machine. On AWS it runs in a Lambda function, which lives for 15 minutes: after 14 the command is ended, and the run is `timed-out`.',
    'Say how long the jobs may take, by `timeout=`, once in `defaults`. If 14 minutes are fine, `allow=missing-timeout`.',
  ],
  'timeout-exceeds-target': [
    'Found by `check --target aws`. The command would be ended before the time that the crontab gives it.',
    'Give the job less work at a time, or let a daemon run it: `targets=daemon`.',
  ],
  'memory-exceeds-target': [
    'Found by `check --target aws`. There is no Lambda function of that size.',
    'Ask for 10240Mi at most, or let a daemon run the job: `targets=daemon`.',
  ],
  'unsupported-reboot': [
    'Found by `check --target aws`. Nothing is started there that stays, so there is no moment that the entry could mean.',
    'Leave the entry to the daemon by `targets=daemon`, or write a time.',
  ],
};

/** What a page shows of a line, in characters, and of a crontab, in lines. */
const LONGEST_LINE = 160;
const MOST_LINES = 8;

/** docs/diagnostics.md, made from the catalogue and the fixtures. */
export function diagnosticsPage(): string {
  const fixtures = errorFixtures();
  const first = (code: DiagnosticCode) => fixtures.find(({ name }) => name === code) as Fixture;
  const codes = Object.keys(DIAGNOSTICS) as DiagnosticCode[];
  return [head(codes, first('duplicate-name')), ...codes.map((code) => section(code, first(code)))].join('');
}

function head(codes: readonly DiagnosticCode[], { checked }: Fixture): string {
  const [diagnostic] = checked.diagnostics.list;
  const json = diagnostic && new DiagnosticRenderer('crontab/production', checked.text).json(diagnostic);
  const count = (wanted: Severity) => codes.filter((code) => DIAGNOSTICS[code].severity === wanted).length;
  return `# Diagnostics

<!-- Made by \`npm run docs:write\` from shared/core/diagnostic.ts and test/fixtures/crontab/err; do not edit. -->

\`kuber-cron check\` finds all faults of a crontab in one pass. The codes and the shape of the JSON are stable.

- An **error** (${count('error')} codes): the crontab is not used. A daemon that runs keeps the last good one. Errors cannot be silenced.
- A **warning** (${count('warning')} codes): the crontab is legal, and most likely not what was meant. \`--strict\` makes warnings fail.
- A **note** (${count('note')} code): worth knowing, never a failure.

What a target cannot carry is looked for when it is named: \`check --target aws\`.

A warning that is meant is silenced for one entry by \`# kuber-cron: allow=CODE,…\` above it, and for all lines from here on by \`# kuber-cron: defaults allow=CODE,…\`. Findings about settings, about comments and about the whole file take the second form only; for the whole file (\`crowded-minute\`, \`unnamed-jobs\`) it holds wherever it stands.

Clock changes are looked for in the two years from today, in the zone of \`CRON_TZ\`, else in that of \`--zone\`. The examples below were checked on 2026-11-23 with \`--zone Europe/Berlin\`.

## Formats of \`check\`

\`--format text\` is for people; it is what the examples show. \`--format github\` prints workflow commands that GitHub shows in a pull request. \`--format json\` prints one object:

| key | value |
|---|---|
| \`files\` | one object for each file |
| \`files[].file\`, \`crontab\` | its path; its name |
| \`files[].entries\`, \`jobs\` | number of entries; names of the jobs, in the order of the entries |
| \`files[].errors\`, \`warnings\` | their numbers |
| \`files[].diagnostics\` | the findings, in the order of the text |

Of a finding \`help\` may be absent. Offsets are UTF-16 code units from 0, lines and columns count from 1; an end is behind the last character.

\`\`\`json
${JSON.stringify(json, null, 2)}
\`\`\`
`;
}

function section(code: DiagnosticCode, { name, checked, output }: Fixture): string {
  const { severity, title } = DIAGNOSTICS[code];
  const [why, mend] = TEXTS[code];
  return `
## ${code}

**${severity}**: ${title}

${why}

\`\`\`crontab
${excerpt(code === 'file-too-large' ? '# a text of 36,000,000 characters' : checked.text)}
\`\`\`

\`\`\`text
${shown(output.replaceAll(`${name}.crontab:`, 'crontab/production:')).join('\n')}
\`\`\`

${mend}
`;
}

function excerpt(crontab: string): string {
  const lines = shown(crontab);
  if (lines.length <= MOST_LINES) return lines.join('\n');
  return [...lines.slice(0, MOST_LINES), `# … and ${lines.length - MOST_LINES} lines more`].join('\n');
}

function shown(text: string): string[] {
  return text
    .replace(/\n$/, '')
    .split('\n')
    .map(printable)
    .map((line) => (line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)}…` : line));
}
