import type { DiagnosticSink } from '../diagnostic.ts';
import type { EnvironmentSetting } from './entry.ts';

/** Names of files to read first: the shells expand their values themselves. `MAILTO` has a finding of its own. */
const EXPANDED_BY_SHELLS = new Set(['BASH_ENV', 'ENV', 'MAILTO']);

const CREDENTIAL_NAME =
  /(?:PASSWORD|PASSWD|PASSPHRASE|(?:^|_|DB|SSH)PASS|(?:^|_)(?:PWD|SECRET|TOKEN|CREDENTIALS?|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|SECRET_?KEY))(?:_ID)?$/i;
/** Values of variables that say whether there is a credential, or where. */
const NO_CREDENTIAL = /^(?:|\/.*|true|false|yes|no|on|off|[01])$/i;
/** `scheme://user:password@host` */
const URL_WITH_PASSWORD = /^[a-z][a-z0-9+.-]*:\/\/[^/\s:@]*:[^/\s@]+@/i;

/** Finds what an environment setting most likely was not meant to do. */
export function lintSetting(setting: EnvironmentSetting, sink: DiagnosticSink): void {
  const { name, value, valueSpan, span, allowed } = setting;
  const nameSpan = { start: span.start, end: span.start + name.length };
  const isCredentialName = CREDENTIAL_NAME.test(name) && !['PWD', 'OLDPWD'].includes(name);
  if ((isCredentialName && !NO_CREDENTIAL.test(value)) || URL_WITH_PASSWORD.test(value)) {
    sink.add(
      {
        code: 'credential-in-setting',
        span: nameSpan,
        message: `\`${name}\` looks like a credential, and a crontab in git is no place for one`,
        help: `remove the line, write \`# kuber-cron: secrets=${name}\` above the entries that need it, and set it where they run`,
      },
      allowed,
    );
  }
  if (name === 'MAILTO' && value !== '') {
    sink.add(
      {
        code: 'mailto-ignored',
        span: nameSpan,
        message: 'no mail is sent: output is kept with each run instead',
        help: 'read it with `kuber-cron logs`; write `MAILTO=""` to say so to other crons too',
      },
      allowed,
    );
  }
  const trap = /\$[A-Za-z_{(]|`(?=[^`]+`)|(?:^|:)~(?=\/|:|$)/.exec(value);
  if (trap !== null && !EXPANDED_BY_SHELLS.has(name)) {
    sink.add(
      {
        code: 'unexpanded-setting',
        span: valueSpan,
        message: `no shell reads a setting: ${trap[0].includes('~') ? '`~`' : trap[0].startsWith('$') ? '`$`' : 'a backquote'} in \`${name}\` stays as it is written`,
        help: 'write the full value, or set the variable in the command',
      },
      allowed,
    );
  }
  if (
    /(?:^|[ \t])[\d*][\d*,/-]*[ \t]+[\d*][\d*,/-]*[ \t]+[\d*]\S*[ \t]+[\d*A-Za-z]\S*[ \t]+[\d*A-Za-z]\S*[ \t]+\S/.test(
      value,
    )
  ) {
    sink.add(
      {
        code: 'setting-hides-entry',
        span: valueSpan,
        message: `the whole line is the value of \`${name}\`: what looks like an entry in it never runs`,
        help: 'put the entry on a line of its own',
      },
      allowed,
    );
  }
}
