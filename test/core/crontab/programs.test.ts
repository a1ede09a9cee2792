import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { programsOf } from '../../../shared/core/crontab/programs.ts';

/** The words, and behind `@` the folder of those that are looked for from there. */
function programs(command: string): string[] {
  return programsOf(command).map(({ word, folder }) =>
    word.includes('/') && !/^[/~$]/.test(word) ? `${word} @${folder ?? '?'}` : word,
  );
}

describe('the programs of a command', () => {
  test.each<[string, string[]]>([
    ['pg_dump shop', ['pg_dump']],
    ['/usr/bin/pg_dump shop', ['/usr/bin/pg_dump']],
    ['pg_dump "$URL" | gzip > /backup/shop.sql.gz', ['pg_dump', 'gzip']],
    ['a && b || c; d & e', ['a', 'b', 'c', 'd', 'e']],
    ['(a; b) && c', ['a', 'b', 'c']],
    ['{ a; b; } >log', ['a', 'b']],
    ['>out 2>&1 a <in', ['a']],
    ['a 2>/dev/null 1>&2 &>x b', ['a']],
    ['a >&2; b', ['a', 'b']],
    ['A=1 B="x y" a', ['a']],
    ['echo "$(date +%F) and $(hostname)"', ['date', 'hostname']],
    ['mail -s "`hostname` is `uptime`" ops', ['mail', 'hostname', 'uptime']],
    ['tar czf $(date +%F).tgz x && scp it there:', ['tar', 'date', 'scp']],
    ['a x$(b)y z', ['a', 'b']],
    ['diff <(a) <(b c)', ['diff', 'a', 'b']],
    ['if a; then b; elif c; then d; else e; fi; f', ['a', 'b', 'c', 'd', 'e', 'f']],
    ['while a; do b; done', ['a', 'b']],
    ['for x in 1 2; do a "$x"; done', ['a']],
    ['! a', ['a']],
    ['time a', ['a']],
    ['exec a', ['a']],
    ['exec -a name a', []],
    ['echo hi; true; cd /; umask 022; [ 1 = 1 ]', []],
    ['nice -n 10 ionice -c3 a', ['nice', 'ionice', 'a']],
    ['nice -19 a', ['nice', 'a']],
    ['timeout -k 5 10m a b', ['timeout', 'a']],
    ['flock -n /tmp/lock a b', ['flock', 'a']],
    ["flock /tmp/lock -c 'a b'", ['flock']],
    ['env A=1 -u B a', ['env', 'a']],
    ['env PATH=/opt/bin a', ['env']],
    ['nohup a &', ['nohup', 'a']],
    ['nohup echo x', ['nohup']],
    ['sudo -u www a', ['sudo', 'a']],
    ['./run.sh', ['./run.sh @']],
    ['cd /srv/app && ./run.sh', ['./run.sh @/srv/app']],
    ['cd app && bin/run', ['bin/run @app']],
    ['cd app; cd sub; ./run', ['./run @app/sub']],
    ['cd "$DIR" && ./run.sh', ['./run.sh @?']],
    ['cd /srv; cd && ./run.sh', ['./run.sh @']],
    ['(cd /srv && ./a); ./b', ['./a @/srv', './b @']],
    ['~/bin/run', ['~/bin/run']],
    ['$HOME/bin/run', ['$HOME/bin/run']],
    [`"\${HOME}/bin/run" x`, [`\${HOME}/bin/run`]],
    ['a # b; c', ['a']],
    ["awk '{print $1; system(x)}' f | sort", ['awk', 'sort']],
  ])('%s', (command, expected) => {
    expect(programs(command)).toEqual(expected);
  });
});

describe('nothing is said of what a command may have made itself', () => {
  test.each<[string, string[]]>([
    ['case $1 in a) b;; esac', []],
    ['a; f() { b; }; f', ['a']],
    ['. ./env.sh && a', []],
    ['source ~/.profile; a', []],
    ['PATH=/opt/bin:$PATH a', []],
    ['export PATH=/opt/bin; a', []],
    ['eval "$X"; a', []],
    ['$CMD', ['$CMD']],
    ['"$(which a)" b', ['which']],
    ['x=(a b); c', []],
    ['[[ a < b ]] && c', []],
    ['echo $((1 + 2)); a', []],
    ['test -x /usr/sbin/anacron || /usr/sbin/anacron -s', []],
    ['[ -x /usr/lib/php/sessionclean ] && /usr/lib/php/sessionclean', []],
    ['command -v certbot >/dev/null && certbot renew', []],
    ["echo 'not closed", []],
    ['', []],
  ])('%s', (command, expected) => {
    expect(programs(command)).toEqual(expected);
  });
});

test('places are those of the words, for any text', () => {
  const pieces = fc.constantFrom(
    'a',
    '/b',
    ' ',
    '"',
    "'",
    '`',
    '$(',
    '(',
    ')',
    '|',
    '&',
    ';',
    '>',
    '$X',
    'cd ',
    '\\',
    '#',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), (words) => {
      const command = words.join('');
      for (const { word, start, end } of programsOf(command))
        expect(command.slice(start, end).replaceAll('"', '')).toBe(word);
    }),
  );
});
