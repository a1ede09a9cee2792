import fc from 'fast-check';

const words = [
  '*',
  '0',
  '5',
  '59',
  '60',
  '1-5',
  '5-1',
  '*/2',
  '*/0',
  '1,2',
  '1,,2',
  'mon',
  'jan-dec/2',
  'H',
  'H(1-5)',
  'H/7',
  '?',
  'L',
  '5;x',
  '@daily',
  '@reboot',
  '@every',
  'job',
  './run',
  '-n',
  'root',
  '%',
  '\\%',
  '\\\\',
  '\\',
  '"',
  "'",
  '`',
  '$(',
  ')',
  '&>',
  '[[',
  '2>&1',
  '>x',
  '#',
  '# kuber-cron:',
  '#kuber-cron:',
  '# # kuber-cron:',
  '# kuber-corn:',
  'defaults',
  'name=a',
  'name=b',
  'name=A',
  'timeout=5m',
  'retries=x',
  'allow=unescaped-percent',
  'suspend',
  'description="a b"',
  'description="a',
  'A=b',
  'A=',
  'A="b',
  'CRON_TZ=UTC',
  'CRON_TZ=x',
  'SHELL=/bin/bash',
  'MAILTO=x',
  '=',
  '\u00a0',
  '\u3000',
  'ä',
  '🎉',
  '\ud800',
  '\u0000',
  '\r',
  '\ufeff',
  '\u001b[31m',
];

const blank = fc.constantFrom(' ', '\t', '  ');
const line = fc
  .array(fc.tuple(fc.constantFrom(...words), blank), { maxLength: 9 })
  .map((parts) => parts.map(([word, after]) => word + after).join(''));

/** Text of what crontabs are made of, in and out of order. */
export const crontabLikeText: fc.Arbitrary<string> = fc
  .tuple(fc.array(line, { maxLength: 8 }), fc.constantFrom('\n', '\r\n', ''))
  .map(([lines, end]) => lines.join('\n') + end);

const fieldOf = (min: number, max: number, names: readonly string[] = []) => {
  const value = fc.oneof(
    fc.integer({ min, max }).map(String),
    ...(names.length > 0 ? [fc.constantFrom(...names)] : []),
  );
  const number = fc.tuple(
    fc.integer({ min, max }),
    fc.integer({ min, max }),
    fc.integer({ min: 1, max: max + 3 }),
  );
  const item = fc.oneof(
    fc.constant('*'),
    fc.integer({ min: 1, max: max + 3 }).map((step) => `*/${step}`),
    value,
    number.map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
    number.map(([a, b, step]) => `${Math.min(a, b)}-${Math.max(a, b)}/${step}`),
  );
  return fc.array(item, { minLength: 1, maxLength: 3 }).map((items) => items.join(','));
};

/** Five fields that crons accept. */
export const goodFields: fc.Arbitrary<string> = fc
  .tuple(
    fieldOf(0, 59),
    fieldOf(0, 23),
    fieldOf(1, 31),
    fieldOf(1, 12, ['jan', 'DEC']),
    fieldOf(0, 7, ['sun', 'Sat']),
  )
  .map((fields) => fields.join(' '));

const command = fc.constantFrom(
  'a',
  'a --x',
  'cd /srv && ./b',
  'PASS=x c "d e"',
  'date +\\%F',
  'cat%Dear%all',
  "printf 'a\\\\nb'",
  '/opt/ü',
);

const entry = fc
  .tuple(
    fc.oneof(goodFields, fc.constantFrom('@daily', '@reboot', '@hourly')),
    fc.constantFrom(' ', '\t'),
    command,
  )
  .map(([schedule, gap, text]) => [`${schedule}${gap}${text}`]);

const setting = fc.constantFrom(
  ['A=b'],
  ['A="c d"'],
  ['CRON_TZ=UTC'],
  ['CRON_TZ=Europe/Berlin'],
  ['SHELL=/bin/bash'],
);
const directive = fc.constantFrom(
  ['# kuber-cron: timeout=5m', '# kuber-cron: retries=2 owner=x'],
  ['# kuber-cron: suspend="a b"'],
);

/** Lines of a crontab without errors but where entries repeat, in blocks that nothing may be put into but comments. */
export const goodBlocks: fc.Arbitrary<readonly (readonly string[])[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: entry },
    { weight: 1, arbitrary: setting },
    { weight: 2, arbitrary: fc.tuple(directive, entry).map(([above, below]) => [...above, ...below]) },
    { weight: 1, arbitrary: fc.constantFrom([''], ['# comment'], ['# kuber-cron: defaults late-after=5m']) },
  ),
  { maxLength: 12 },
);
