import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type DeployedSchedule, expectedSchedules } from '../../shared/core/target/drift.ts';
import { Names } from '../../shared/core/target/names.ts';
import { deployed, type Edit } from '../support/deployed-schedules.ts';
import { kuberCron, launch } from '../support/kuber-cron.ts';
import { planOf } from '../support/plan-of.ts';
import { type Refusal, ScheduleService } from '../support/schedule-service.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FOLDER = temporaryFolder();
const SHOP = join(FOLDER, 'shop.crontab');
const CRONTAB = `CRON_TZ=Europe/Berlin
# kuber-cron: defaults timeout=4m
# kuber-cron: name=backup
30 4 * * *   true
# kuber-cron: name=report allow=both-day-fields
0 9 1 * mon  true
`;
writeFileSync(SHOP, CRONTAB);

/** Environment of the library; nothing of the machine's is to be found. */
const ENVIRONMENT = {
  AWS_REGION: 'eu-central-1',
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_CONFIG_FILE: join(FOLDER, 'config'),
  AWS_SHARED_CREDENTIALS_FILE: join(FOLDER, 'credentials'),
};
const names = [...Object.keys(ENVIRONMENT), 'AWS_ENDPOINT_URL_SCHEDULER', 'AWS_PROFILE', 'AWS_SESSION_TOKEN'];
const before = Object.fromEntries(names.map((name) => [name, process.env[name]]));

function setEnvironment(values: Readonly<Record<string, string | undefined>>): void {
  for (const name of names) {
    if (values[name] === undefined) delete process.env[name];
    else process.env[name] = values[name];
  }
}

beforeEach(() => setEnvironment(ENVIRONMENT));
afterAll(() => setEnvironment(before));

/** The schedules of the crontab as they were deployed, and then edited by hand. */
function deployment(edits: Readonly<Record<string, Edit | 'deleted'>> = {}): Map<string, DeployedSchedule> {
  const expected = expectedSchedules([planOf(CRONTAB)], { names: new Names('jobs'), memory: 512 }, 8);
  return new Map(
    expected.flatMap(({ schedule }): [string, DeployedSchedule][] => {
      const edit = edits[schedule.name];
      return edit === 'deleted' ? [] : [[schedule.name, deployed(schedule, edit)]];
    }),
  );
}

interface Deployment {
  readonly found?: ReadonlyMap<string, DeployedSchedule>;
  readonly refuse?: ScheduleService['refuse'];
  readonly argv?: readonly string[];
}

/** Runs `drift` against a service; its requests are returned as well. */
async function drift({ found = deployment(), refuse, argv = [SHOP] }: Deployment = {}) {
  const service = await ScheduleService.start('jobs', found);
  process.env.AWS_ENDPOINT_URL_SCHEDULER = service.endpoint;
  if (refuse !== undefined) service.refuse = refuse;
  try {
    const outcome = await kuberCron(['drift', '--name', 'jobs', ...argv]);
    return { ...outcome, requests: service.requests };
  } finally {
    await service.stop();
  }
}

const edited = deployment({
  'shop--backup--0': (fields) => {
    Object.assign(fields, { ScheduleExpression: 'cron(0 5 * * ? *)', EndDate: 1_767_225_600 });
  },
  'shop--report--0': (fields) => {
    fields.State = 'DISABLED';
  },
  'shop--report--1': 'deleted',
});
edited.set('shop--old--0', [...edited.values()][0] as DeployedSchedule);

describe('kuber-cron drift', () => {
  test('says that all is as the crontabs say', async () => {
    expect(await drift()).toEqual({
      ...{ code: 0, stdout: 'jobs: 4 schedules as the crontabs say\n', stderr: '' },
      requests: ['/schedules', ...[...deployment().keys()].map((name) => `/schedules/${name}`)],
    });
  });

  test('shows what is not, field by field', async () => {
    expect(await drift({ found: edited })).toMatchObject({
      code: 1,
      stdout: `SCHEDULE         DRIFT     STACK             FIELD               GOT                       EXPECTED
shop--backup--0  changed   jobs-schedules-4  ScheduleExpression  cron(0 5 * * ? *)         cron(30 4 * * ? *)
                                             EndDate             2026-01-01T00:00:00.000Z  –
shop--old--0     extra
shop--report--0  disabled  jobs-schedules-7  State               DISABLED                  ENABLED
shop--report--1  missing   jobs-schedules-7
jobs: 4 schedules expected; 1 missing, 1 disabled, 1 changed, 1 extra
help: deploy what is not deployed yet; how to mend the rest is in docs/aws.md, \`Drift\`
`,
      stderr: '',
    });
  });

  test('--format json has the same for machines', async () => {
    const { code, stdout } = await drift({ found: edited, argv: ['--format', 'json', SHOP] });
    expect([code, JSON.parse(stdout)]).toEqual([
      1,
      {
        deployment: 'jobs',
        expected: 4,
        drift: [
          {
            ...{
              schedule: 'shop--backup--0',
              kind: 'changed',
              jobId: 'shop/backup',
              stack: 'jobs-schedules-4',
            },
            differences: [
              { field: 'ScheduleExpression', got: 'cron(0 5 * * ? *)', expected: 'cron(30 4 * * ? *)' },
              { field: 'EndDate', got: '2026-01-01T00:00:00.000Z' },
            ],
          },
          { schedule: 'shop--old--0', kind: 'extra', differences: [] },
          {
            ...{
              schedule: 'shop--report--0',
              kind: 'disabled',
              jobId: 'shop/report',
              stack: 'jobs-schedules-7',
            },
            differences: [{ field: 'State', got: 'DISABLED', expected: 'ENABLED' }],
          },
          {
            ...{
              schedule: 'shop--report--1',
              kind: 'missing',
              jobId: 'shop/report',
              stack: 'jobs-schedules-7',
            },
            differences: [],
          },
        ],
      },
    ]);
  });

  test('shows a hundred', async () => {
    const [like] = [...deployment().values()];
    const found = deployment();
    for (let index = 0; index < 110; index++)
      found.set(`a-${String(index).padStart(3, '0')}`, like as DeployedSchedule);
    expect((await drift({ found })).stdout.split('\n').slice(100, 103)).toEqual([
      'a-099     extra',
      '… and 10 more',
      'jobs: 4 schedules expected; 110 extra',
    ]);
  });

  test('cuts what is long, and writes nothing that moves a cursor', async () => {
    const found = deployment({
      'shop--backup--0': (fields) => {
        fields.Description = `\u001b[2J${'x'.repeat(200)}`;
      },
    });
    expect((await drift({ found })).stdout).toContain(
      `Description  \\u{1b}[2J${'x'.repeat(110)}…  30 4 * * * Europe/Berlin\n`,
    );
  });

  test('looks through all pages', async () => {
    const [like] = [...deployment().values()];
    const found = deployment();
    for (let index = 0; index < 250; index++) found.set(`z-${index}`, like as DeployedSchedule);
    const { code, stdout, requests } = await drift({ found });
    expect([code, stdout.split('\n').at(-3)]).toEqual([1, 'jobs: 4 schedules expected; 250 extra']);
    expect(requests.filter((path) => path === '/schedules')).toHaveLength(3);
    expect(requests).toHaveLength(3 + 254);
  });

  test('asks again when it is throttled', async () => {
    const throttled: Refusal = { status: 429, type: 'ThrottlingException', body: '{"message":"slow down"}' };
    const { code, requests } = await drift({
      refuse: (_path, number) => (number === 1 || number === 3 ? throttled : undefined),
    });
    expect([code, requests.length]).toEqual([0, 7]);
  });
});

describe('what it cannot tell it says in one sentence, with the way out:', () => {
  const refused = (status: number, type: string, message: string) => () => ({
    ...{ status, type, body: JSON.stringify({ message }) },
  });
  const denied = 'User: arn:aws:iam::123456789012:user/ann is not authorized to perform: scheduler:';

  test.each<[what: string, deployment: Deployment, says: string]>([
    [
      'no such group',
      { argv: ['--name', 'other', SHOP] },
      'there is no schedule group `other` in this account and region; deploy it, name another deployment by `--name`, or set AWS_PROFILE and AWS_REGION to where it is',
    ],
    [
      'a list that is denied',
      { refuse: refused(403, 'AccessDeniedException', `${denied}ListSchedules on resource: …`) },
      'schedules of jobs: these credentials may not do scheduler:ListSchedules; allow scheduler:ListSchedules on `arn:aws:scheduler:REGION:ACCOUNT:schedule/*/*` in the policy of their role or user',
    ],
    [
      'a schedule that is denied',
      {
        refuse: (path) =>
          path === '/schedules'
            ? undefined
            : refused(403, 'AccessDeniedException', `${denied}GetSchedule on resource: …`)(),
      },
      'schedules of jobs: these credentials may not do scheduler:GetSchedule; allow scheduler:GetSchedule on the schedules of the group in the policy of their role or user',
    ],
    [
      'what a policy of the organization forbids',
      {
        refuse: refused(
          403,
          'AccessDeniedException',
          `${denied}ListSchedules on resource: x with an explicit deny in a service control policy`,
        ),
      },
      'schedules of jobs: these credentials may not do scheduler:ListSchedules; an explicit deny in the service control policy forbids it: take that out',
    ],
    [
      'credentials that have expired',
      {
        refuse: refused(
          403,
          'ExpiredTokenException',
          'The security token included in the request is expired',
        ),
      },
      'schedules of jobs: the AWS credentials have expired; log in again, for example by `aws sso login`',
    ],
    [
      'something else that answers',
      { refuse: () => ({ status: 404, body: '<html>Not here</html>' }) },
      'schedules of jobs: what answers is not EventBridge Scheduler; see where AWS_ENDPOINT_URL_SCHEDULER, AWS_ENDPOINT_URL and a proxy on the way lead',
    ],
  ])('%s', async (_what, deployment, says) => {
    expect(await drift(deployment)).toMatchObject({ code: 3, stdout: '', stderr: `kuber-cron: ${says}\n` });
  });

  test.each<[what: string, env: Record<string, string | undefined>, says: RegExp]>([
    [
      'no credentials',
      { AWS_ACCESS_KEY_ID: undefined },
      /^schedules of jobs: no AWS credentials were found; set AWS_PROFILE, or give the process a role$/,
    ],
    [
      'a profile that is not there',
      { AWS_ACCESS_KEY_ID: undefined, AWS_PROFILE: 'nope' },
      /^schedules of jobs: no AWS credentials were found in the profile `nope`; set AWS_PROFILE to one that `aws configure list-profiles` names, and log in to it$/,
    ],
    [
      'no region',
      { AWS_REGION: undefined },
      /^schedules of jobs: no AWS region is known, or it is none; set AWS_REGION$/,
    ],
    [
      'an endpoint that is no URL',
      { AWS_ENDPOINT_URL_SCHEDULER: 'localhost' },
      /^schedules of jobs: the endpoint is no URL; set AWS_ENDPOINT_URL_SCHEDULER or AWS_ENDPOINT_URL to one such as/,
    ],
  ])('%s', async (_what, env, says) => {
    setEnvironment({ ...ENVIRONMENT, ...env });
    const { code, stdout, stderr } = await kuberCron(['drift', '--name', 'jobs', SHOP]);
    expect([code, stdout]).toEqual([3, '']);
    expect(stderr).toMatch(/^kuber-cron: .*\n$/);
    expect(stderr.slice('kuber-cron: '.length, -1)).toMatch(says);
  });

  test('nobody there', async () => {
    const env = { ...ENVIRONMENT, AWS_ENDPOINT_URL_SCHEDULER: 'http://127.0.0.1:1' };
    expect(await launch(['kuber-cron', 'drift', SHOP], { env })).toEqual({
      code: 3,
      stdout: '',
      stderr:
        'kuber-cron: schedules of kuber-cron: EventBridge Scheduler cannot be reached (connect ECONNREFUSED 127.0.0.1:1); see whether the network, AWS_REGION and AWS_ENDPOINT_URL_SCHEDULER lead there\n',
    });
  });

  test('a crontab that AWS does not carry', async () => {
    const odd = join(FOLDER, 'odd.crontab');
    writeFileSync(odd, '# kuber-cron: name=one timeout=1m\n0 4 * * * true\n');
    const { code, stdout, stderr, requests } = await drift({ argv: [SHOP, odd] });
    expect([code, stdout, requests]).toEqual([3, '', []]);
    expect(stderr).toMatch(/^error\[missing-time-zone\]: /);
    expect(stderr).toMatch(/\nkuber-cron: nothing is compared while a crontab has errors\n$/);
    expect((await drift({ argv: ['--zone', 'Europe/Berlin', SHOP, odd] })).code).toBe(1);
  });
});

describe('it takes', () => {
  const empty = join(FOLDER, 'empty');
  mkdirSync(empty);

  test.each<[argv: string[], code: number, says: string]>([
    [[], 2, '`drift` wants a crontab: a file, a folder, or `-` for standard input'],
    [['-'], 2, '`drift` wants files: the name of a file is the name of its crontab'],
    [
      ['--name', 'Shop', SHOP],
      2,
      'the name of a deployment has at most 20 lower-case letters, digits and single dashes, a letter first, got `Shop`',
    ],
    [['--shards', '0', SHOP], 2, '`--shards` must be a whole number of 1-200, got `0`'],
    [['--memory', '64', SHOP], 2, '`--memory` must be a whole number of 128-10240, got `64`'],
    [[empty], 3, `no crontab in \`${empty}\`: of a folder, files called *.crontab are read,`],
  ])('no %j', async (argv, code, says) => {
    const outcome = await kuberCron(['drift', ...argv]);
    expect([outcome.code, outcome.stdout]).toEqual([code, '']);
    expect(outcome.stderr).toContain(`kuber-cron: ${says}`);
  });
});
