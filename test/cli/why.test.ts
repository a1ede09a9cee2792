import { beforeAll, describe, expect, test } from '@jest/globals';
import { PastStore } from '../support/past-store.ts';
import { claimOf, finishOf, runToEnd, startRun } from '../support/run-claims.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FOLDER = temporaryFolder();
const NOW = '2026-11-23T04:00:30Z';
const t = (text: string) => Date.parse(text);
let past: PastStore;

const SHOP = `# kuber-cron: name=backup retries=1 backoff=1m..1m
30 2 * * * true
# kuber-cron: name=boot
@reboot true
`;

beforeAll(async () => {
  past = await PastStore.make(FOLDER, SHOP, '2026-01-01T00:00Z', 'Europe/Berlin');
  const { store, planHash } = past;
  await store.setCursor('shop', t('2026-11-23T04:00Z'));
  const claim = claimOf({ scheduledTime: t('2026-11-21T01:30Z'), planHash });
  const failed = { number: 1, startedAt: claim.at + 1000, finishedAt: claim.at + 3000, exitCode: 7 } as const;
  const end = { status: 'failed', reason: 'exit-code' } as const;
  await startRun(store, claim);
  const retry = { notBefore: claim.at + 60_000 };
  await store.finish(finishOf(claim, { ...end, attempt: { ...failed, ...end }, retry }));
  const again = claimOf({ scheduledTime: claim.scheduledTime, planHash, at: claim.at + 60_000, token: 'b' });
  const second = { ...failed, number: 2, startedAt: again.at + 1000, finishedAt: again.at + 5000, ...end };
  await runToEnd(store, again, { ...end, attempt: second, at: again.at + 5000 });
  await startRun(store, claimOf({ scheduledTime: t('2026-11-22T01:30Z'), planHash, token: 'c' }));
  await store.claim(claimOf({ scheduledTime: t('2026-11-23T01:30Z'), planHash, token: 'd' }));
  const byHand = {
    runId: '2026-11-20T10:07Z#m0123',
    trigger: 'manual',
    concurrencyPolicy: 'allow',
    token: 'e',
  } as const;
  await runToEnd(
    store,
    claimOf({ ...byHand, scheduledTime: t('2026-11-20T10:07Z'), at: t('2026-11-20T10:07:20Z') }),
  );
  await store.pause({
    jobId: 'shop/backup',
    from: t(NOW),
    until: t('2026-11-25T00:00Z'),
    by: 'jane@host',
    why: 'disk',
  });
});

const SCHEDULE = '  schedule  30 2 * * * (Europe/Berlin), in force from 2026-01-01T00:00:00Z\n';

describe('the answer is a sentence and the facts that it rests on', () => {
  test.each<[time: string[], stdout: string]>([
    [
      ['2026-11-21', '02:30'],
      `shop/backup at 2026-11-21T02:30+01:00 (2026-11-21T01:30Z)
  failed: exit code 7, attempt 2
${SCHEDULE}  attempt 1 2026-11-21T01:30:01Z, took 2.0s: failed, exit code 7
  attempt 2 2026-11-21T01:31:01Z, took 4.0s: failed, exit code 7
  no retry  all attempts that \`retries\` gives are used
`,
    ],
    [
      ['02:30'],
      `shop/backup at 2026-11-23T02:30+01:00 (2026-11-23T01:30Z)
  skipped: the previous run was still running (2026-11-22T01:30Z)
${SCHEDULE}  behind    2026-11-22T01:30Z: running from 2026-11-22T01:30:01Z
`,
    ],
    [
      ['tomorrow', '02:30'],
      `shop/backup at 2026-11-24T02:30+01:00 (2026-11-24T01:30Z)
  left out: paused by jane@host since 2026-11-23T04:00:30Z until 2026-11-25T00:00:00Z (disk)
${SCHEDULE}`,
    ],
    [
      ['2026-11-25 02:30'],
      `shop/backup at 2026-11-25T02:30+01:00 (2026-11-25T01:30Z)
  it is to run, in 1d 21h
${SCHEDULE}  late      when it has not started after 5m
  start by  2026-11-25T03:30+01:00; after that it is missed
`,
    ],
    [
      ['2026-11-20T10:07:45Z'],
      `shop/backup at 2026-11-20T11:07+01:00 (2026-11-20T10:07Z)
  not due: minute 7 is not in \`30\`, hour 11 is not in \`2\`
${SCHEDULE}  before    2026-11-20T02:30+01:00
  after     2026-11-21T02:30+01:00
  by hand   2026-11-20T10:07Z#m0123: succeeded from 2026-11-20T10:07:21Z to 2026-11-20T10:07:23Z
`,
    ],
    [
      ['2027-03-28', '02:30'],
      `shop/backup at 2027-03-28T03:00+02:00 (2027-03-28T01:00Z)
  it is to run, in 124d 20h
  time      2027-03-28 02:30 does not exist in Europe/Berlin: the clocks go forward to 03:00
${SCHEDULE}  clocks    02:30 does not exist that day, and moves to this minute
  late      when it has not started after 5m
  start by  2027-03-28T04:00+02:00; after that it is missed
`,
    ],
    [
      ['2027-10-31 02:30'],
      `shop/backup at 2027-10-31T02:30+02:00 (2027-10-31T00:30Z)
  it is to run, in 341d 20h
  time      2027-10-31 02:30 comes twice in Europe/Berlin
${SCHEDULE}  clocks    the clocks show this time again at 2027-10-31T02:30+01:00: it runs the first time only
  late      when it has not started after 5m
  start by  2027-10-31T02:30+01:00; after that it is missed

shop/backup at 2027-10-31T02:30+01:00 (2027-10-31T01:30Z)
  not due: this time comes twice, and an entry with fixed times runs the first time only, at 2027-10-31T02:30+02:00
  time      2027-10-31 02:30 comes twice in Europe/Berlin
${SCHEDULE}  clocks    the clocks showed this time before, at 2027-10-31T02:30+02:00
  before    2027-10-31T02:30+02:00
  after     2027-11-01T02:30+01:00
`,
    ],
    [
      ['2025-12-31', '02:30'],
      `shop/backup at 2025-12-31T02:30+01:00 (2025-12-31T01:30Z)
  not due: the job was in no crontab then; it came on 2026-01-01T00:00:00Z
`,
    ],
  ])('%j', async (time, stdout) => {
    expect(await past.run(NOW, 'why', 'backup', ...time)).toEqual({ code: 0, stdout, stderr: '' });
  });

  test('a job of starts is due at no time', async () => {
    expect((await past.run(NOW, 'why', 'boot', 'now')).stdout).toBe(
      'shop/boot at 2026-11-23T05:00+01:00 (2026-11-23T04:00Z)\n  never due: the job runs when the daemon starts, and at no time\n  schedule  @reboot (Europe/Berlin), in force from 2026-01-01T00:00:00Z\n',
    );
  });
});

test('JSON has one answer for each minute that the time can mean', async () => {
  const { stdout } = await past.run(NOW, 'why', '--format', 'json', 'backup', '2026-11-21T01:31Z');
  expect(JSON.parse(stdout)).toEqual({
    answers: [
      {
        jobId: 'shop/backup',
        time: '2026-11-21T01:31Z',
        localTime: '2026-11-21T02:31+01:00',
        zone: 'Europe/Berlin',
        verdict: 'never-due',
        answer: 'not due: minute 31 is not in `30`',
        due: false,
        schedule: { schedule: '30 2 * * *', zone: 'Europe/Berlin', from: '2026-01-01T00:00:00.000Z' },
        fields: [{ field: 'minute', value: 31, text: '30' }],
        before: '2026-11-21T01:30Z',
        after: '2026-11-22T01:30Z',
        byHand: [],
      },
    ],
  });
  const twice = await past.run(NOW, 'why', '--format', 'json', 'backup', '2026-10-25 02:30');
  expect(
    JSON.parse(twice.stdout).answers.map(({ time, verdict, due }: Record<string, unknown>) => [
      time,
      verdict,
      due,
    ]),
  ).toEqual([
    ['2026-10-25T00:30Z', 'forgotten', true],
    ['2026-10-25T01:30Z', 'never-due', false],
  ]);
  const failed = await past.run(NOW, 'why', '--format', 'json', 'backup', '2026-11-21 02:30');
  expect(JSON.parse(failed.stdout).answers[0]).toMatchObject({
    verdict: 'run',
    noRetry: 'used-up',
    run: { runId: '2026-11-21T01:30Z', attempts: [{ exitCode: 7 }, { exitCode: 7, durationMs: 4000 }] },
  });
});

describe('what is not understood', () => {
  test.each<[argv: string[], code: number, stderr: string]>([
    [[], 2, '`why` wants a job and a time, such as `kuber-cron why nightly-backup yesterday 03:30`'],
    [['backup'], 2, '`why` wants a job and a time'],
    [['backup', 'soon'], 2, 'a time is `2026-03-29T01:30Z`, `2026-03-29T03:30+02:00`'],
    [
      ['backup', '2026-02-30', '03:30'],
      2,
      'a time is a day and a time that exist, and there is no 2026-02-30',
    ],
    [['bakup', 'now'], 3, 'there is no job `bakup`; did you mean `backup`?'],
  ])('%j', async (argv, code, stderr) => {
    const outcome = await past.run(NOW, 'why', ...argv);
    expect([outcome.code, outcome.stdout]).toEqual([code, '']);
    expect(outcome.stderr).toContain(`kuber-cron: ${stderr}`);
  });
});
