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

/** Commands whose first operand is a job. */
const OF_JOBS = new Set(['run', 'runs', 'logs']);

/** The words that can follow an option; empty where a file or anything may. */
function choices(command: Command): string {
  return Object.entries(command.options)
    .flatMap(([name, { choices: words }]) =>
      words === undefined ? [] : [`    ${command.name}:--${name}) words="${words.join(' ')}" ;;`],
    )
    .join('\n');
}

/** Names of jobs, asked of the program itself. */
const JOBS = `kuber-cron jobs --format json 2>/dev/null | sed -n 's|^ *"jobId": "[^/]*/\\([^"]*\\)",*$|\\1|p'`;

function bash(commands: readonly Command[]): string {
  const names = [...commands.map(({ name }) => name), 'completion'];
  return `# bash completion of kuber-cron
_kuber_cron() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" command="\${COMP_WORDS[1]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${names.join(' ')} --help --version" -- "$word"))
    return
  fi
  case "$command:$before" in
${commands
  .map(choices)
  .filter((text) => text !== '')
  .join('\n')}
    completion:*) words="bash zsh" ;;
  esac
  if [ -z "$words" ]; then
    case "$word" in
      -*) case "$command" in
${commands.map(({ name, options }) => `        ${name}) words="${[...Object.keys(options), 'help'].map((option) => `--${option}`).join(' ')}" ;;`).join('\n')}
      esac ;;
      *) case "$command" in
        ${[...OF_JOBS].join('|')}) words="$(${JOBS})" ;;
      esac ;;
    esac
  fi
  if [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$word")); else COMPREPLY=($(compgen -f -- "$word")); fi
}
complete -o filenames -F _kuber_cron kuber-cron
`;
}

function zsh(commands: readonly Command[]): string {
  const quote = (text: string) =>
    text.replaceAll("'", `'\\''`).replaceAll(':', '\\:').replaceAll('[', '(').replaceAll(']', ')');
  const summaries = [
    ...commands.map(({ name, summary }) => [name, summary]),
    ['completion', 'Print a completion script'],
  ];
  return `#compdef kuber-cron
_kuber_cron() {
  if (( CURRENT == 2 )); then
    local -a commands=(
${summaries.map(([name, summary]) => `      '${name}:${quote(summary as string)}'`).join('\n')}
    )
    _describe command commands
    return
  fi
  local command="$words[2]"
  shift words; (( CURRENT-- ))
  case "$command" in
${commands
  .map(({ name, options }) => {
    const specs = Object.entries(options).map(([option, { value, help, choices: words }]) => {
      const action =
        value === undefined
          ? ''
          : `:${quote(value).replaceAll('|', ' ')}:${words === undefined ? '_files' : `(${words.join(' ')})`}`;
      return `'--${option}[${quote(help)}]${action}'`;
    });
    const operand = OF_JOBS.has(name)
      ? `'1:job:{compadd -- $(${JOBS.replaceAll("'", `'\\''`)})}'`
      : `'*:file:_files'`;
    return `    ${name}) _arguments ${[...specs, operand].join(' ')} ;;`;
  })
  .join('\n')}
    completion) _values shell bash zsh ;;
  esac
}
compdef _kuber_cron kuber-cron
`;
}
