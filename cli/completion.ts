import { type Command, EXIT, UsageError } from '../shared/adapters/command-line.ts';

/** Completion scripts, made from the commands themselves. */
export function completionCommand(commands: readonly Command[]): Command {
  return {
    name: 'completion',
    summary: 'Print a completion script for bash or zsh',
    examples: [
      ['source <(kuber-cron completion bash)', 'in ~/.bashrc'],
      ['source <(kuber-cron completion zsh)', 'in ~/.zshrc, after compinit'],
    ],
    operands: 'bash|zsh',
    options: {},
    async run({ operands }, io) {
      const [shell, ...rest] = operands;
      if ((shell !== 'bash' && shell !== 'zsh') || rest.length > 0)
        throw new UsageError('`completion` takes `bash` or `zsh`');
      io.stdout.write(shell === 'bash' ? bash(commands) : zsh(commands));
      return EXIT.fine;
    },
  };
}

/** Commands whose operand is a job. */
const OF_JOBS: ReadonlySet<string> = new Set([
  ...['run', 'runs', 'logs', 'why', 'retry', 'backfill', 'cancel', 'pause', 'resume'],
]);

/** Values of options that are paths. */
const PATHS: ReadonlySet<string | undefined> = new Set(['FILE', 'FOLDER']);

/** A function that prints the names of jobs, asked of the program itself. */
const JOBS = `_kuber_cron_jobs() {
  kuber-cron jobs --format json 2>/dev/null | sed -n 's|^ *"jobId": "[^/]*/\\([^"]*\\)",*$|\\1|p'
}`;

const EVERY_COMMAND: readonly string[] = ['help', '--help', '--version'];

function optionsOf({ options }: Command): string {
  return [...Object.keys(options), 'help'].map((name) => `--${name}`).join(' ');
}

function bash(commands: readonly Command[]): string {
  const names = [...commands.map(({ name }) => name), 'completion', ...EVERY_COMMAND];
  const values = commands.flatMap(({ name, options }) =>
    Object.entries(options).flatMap(([option, { value, choices }]) => {
      if (value === undefined) return [];
      const action =
        choices !== undefined ? `words="${choices.join(' ')}"` : PATHS.has(value) ? 'files=1' : ':';
      return [`    ${name}:--${option}) ${action} ;;`];
    }),
  );
  const operands = commands.map(({ name, options, operands: spec }) => {
    const operand = OF_JOBS.has(name) ? 'words="$(_kuber_cron_jobs)"' : spec === '' ? ':' : 'files=1';
    const dashed = optionsOf({ options } as Command);
    return `    ${name}:*) case "$word" in -*) words="${dashed}" ;; *) ${operand} ;; esac ;;`;
  });
  return `# bash completion of kuber-cron
${JOBS}
_kuber_cron() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" command="\${COMP_WORDS[1]}"
  local words="" files="" IFS=$' \\t\\n'
  COMPREPLY=()
  # bash makes three words of --option=value.
  if [ "$word" = "=" ]; then word=""; elif [ "$before" = "=" ]; then before="\${COMP_WORDS[COMP_CWORD-2]}"; fi
  if [ "$COMP_CWORD" -eq 1 ]; then command="" before=""; fi
  case "$command:$before" in
    :) words="${names.join(' ')}" ;;
    help:*) words="${commands.map(({ name }) => name).join(' ')}" ;;
    completion:*) words="bash zsh" ;;
${values.join('\n')}
${operands.join('\n')}
  esac
  if [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$word")); return; fi
  if [ -n "$files" ]; then
    # Not for words: a folder that is called as one would add its slash.
    compopt -o filenames 2>/dev/null
    IFS=$'\\n'; COMPREPLY=($(compgen -f -- "$word"))
  fi
}
complete -F _kuber_cron kuber-cron
`;
}

function zsh(commands: readonly Command[]): string {
  /** For a word in `'…'` that _arguments takes apart at colons and brackets. */
  const quote = (text: string) => text.replaceAll("'", `'\\''`).replace(/[:[\]]/g, '\\$&');
  const summaries = [
    ...commands.map(({ name, summary }) => [name, summary] as const),
    ['completion', 'Print a completion script'] as const,
  ];
  const cases = commands.map(({ name, options, operands }) => {
    const specs = Object.entries(options).map(([option, { value, help, choices }]) => {
      if (value === undefined) return `'--${option}[${quote(help)}]'`;
      const action = choices !== undefined ? `(${choices.join(' ')})` : PATHS.has(value) ? '_files' : ' ';
      return `'--${option}[${quote(help)}]:${quote(value)}:${action}'`;
    });
    const operand = OF_JOBS.has(name)
      ? [`'1:job:{compadd -- $(_kuber_cron_jobs)}'`]
      : operands === ''
        ? []
        : [`'*:file:_files'`];
    return `    ${name}) _arguments ${[...specs, ...operand].join(' ')} ;;`;
  });
  return `#compdef kuber-cron
${JOBS}
_kuber_cron() {
  if (( CURRENT == 2 )); then
    local -a commands=(
${summaries.map(([name, summary]) => `      '${name}:${quote(summary)}'`).join('\n')}
    )
    _describe command commands
    return
  fi
  local command="$words[2]"
  shift words; (( CURRENT-- ))
  case "$command" in
${cases.join('\n')}
    completion) _values shell bash zsh ;;
  esac
}
compdef _kuber_cron kuber-cron
`;
}
