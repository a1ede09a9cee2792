import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { App } from 'aws-cdk-lib';
import { Executor } from '../../infra/executor.ts';
import { deployFromContext } from '../../infra/from-context.ts';
import { InputError } from '../../infra/input-error.ts';
import { KuberCron } from '../../infra/kuber-cron.ts';
import type { KuberCronProps } from '../../infra/kuber-cron-props.ts';
import { kuberCron, launch } from '../support/kuber-cron.ts';
import { buildFunctions, newApp, resourcesOf, type Template, writeCrontabs } from '../support/synthesize.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FOLDER = temporaryFolder();
const functions = buildFunctions(FOLDER);
const crontabs = writeCrontabs(FOLDER, {
  shop: 'CRON_TZ=UTC\n# kuber-cron: name=backup timeout=1m\n0 4 * * * true\n',
});
const [crontab = ''] = crontabs;

const ROOT = join(import.meta.dirname, '..', '..');

/** What an app says that cannot be synthesized. */
function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return error.message;
  }
  throw new Error('it was not refused');
}

describe('a property that is wrong is told in one sentence', () => {
  const deploy = (change: Partial<KuberCronProps>) => () =>
    new KuberCron(newApp(FOLDER), 'Cron', { crontabs, functions, ...change });

  test.each<[change: Partial<KuberCronProps>, message: string]>([
    [
      { name: 'Shop' },
      '`name` has at most 20 lower-case letters, digits and single dashes, a letter first, got `Shop`',
    ],
    [
      { name: 'a-name-of-21-letters-' },
      '`name` has at most 20 lower-case letters, digits and single dashes, a letter first, got `a-name-of-21-letters-`',
    ],
    [{ shards: 0 }, '`shards` takes a whole number from 1 to 200, got `0`'],
    [{ shards: 2.5 }, '`shards` takes a whole number from 1 to 200, got `2.5`'],
    [{ memory: 10_241 }, '`memory` takes a whole number from 128 to 10240, got `10241`'],
    [
      { secretsPath: 'shop/' },
      '`secretsPath` takes a path of SSM Parameter Store such as `/shop/production`, without a slash at the end, got `shop/`',
    ],
    [
      { zone: 'Europe/Berln' },
      '`zone` takes a time zone such as Europe/Berlin or UTC, got `Europe/Berln`; did you mean `Europe/Berlin`?',
    ],
    [{ zone: '' }, '`zone` takes a time zone such as Europe/Berlin or UTC, got ``'],
    [
      { crontabs: [] },
      '`crontabs` is empty: name a file such as crontab/production, or a folder of crontabs',
    ],
    [
      { crontabs: ['no/such.crontab'] },
      'cannot read the crontab `no/such.crontab`: there is no such file or folder',
    ],
    [
      { functions: 'no/functions' },
      'no bundle of the executor at `no/functions/executor/main.mjs`: build it by `npm run build`, or say in `functions` where it is',
    ],
  ])('%j', (change, message) => {
    expect(refusal(deploy(change))).toBe(message);
  });

  test('as is a folder without crontabs, and two crontabs of one name', () => {
    const empty = join(FOLDER, 'empty');
    mkdirSync(empty, { recursive: true });
    expect(refusal(deploy({ crontabs: [empty] }))).toBe(
      `no crontab in \`${empty}\`: of a folder, files called *.crontab are read, and those whose names have only letters, digits, - and _`,
    );
    const other = join(empty, 'shop');
    writeFileSync(other, '');
    expect(refusal(deploy({ crontabs: [crontab, other] }))).toBe(
      `\`${crontab}\` and \`${other}\` would both be crontab \`shop\`: rename one file`,
    );
  });

  test('as are secrets without a source, and an image without a Dockerfile', () => {
    const secret = writeCrontabs(FOLDER, {
      shop: 'CRON_TZ=UTC\n# kuber-cron: name=backup timeout=1m secrets=DATABASE_URL\n0 4 * * * true\n',
    });
    expect(refusal(deploy({ crontabs: secret }))).toBe(
      'job shop/backup has `secrets`, and nobody said where they are: give `secretsPath`, a path of SSM Parameter Store such as `/shop/production`',
    );
    expect(refusal(() => Executor.image(FOLDER))).toBe(
      `\`Executor.image\` takes a folder with a \`Dockerfile\`, and \`${FOLDER}\` has none`,
    );
  });
});

describe('a crontab with errors', () => {
  const broken = writeCrontabs(FOLDER, {
    one: '# kuber-cron: name=one timeout=20m\n0 4 * * * true\n61 * * * * true\n',
    two: '# kuber-cron: timout=1m\n@reboot true\n',
    fine: 'CRON_TZ=UTC\n# kuber-cron: name=fine timeout=1m\n0 4 * * * true\n',
  });

  test('is refused with the diagnostics of `check`, those of all crontabs', async () => {
    const said = refusal(() => new KuberCron(newApp(FOLDER), 'Cron', { crontabs: broken, functions }));
    const checks = await Promise.all(broken.map((file) => kuberCron(['check', '--target', 'aws', file])));
    const errors = checks.flatMap(({ stdout }) =>
      stdout.split('\n\n').filter((one) => one.startsWith('error[')),
    );
    expect(errors.map((one) => one.slice(0, one.indexOf(']') + 1))).toEqual([
      'error[timeout-exceeds-target]',
      'error[missing-time-zone]',
      'error[value-out-of-range]',
      'error[unknown-key]',
      'error[unsupported-reboot]',
    ]);
    expect(said).toBe(`${errors.join('\n\n')}\n\n5 errors in the crontabs: nothing is synthesized`);
  });

  test('has its zone from the property, as `check` has it from `--zone`', () => {
    const without = writeCrontabs(FOLDER, { shop: '# kuber-cron: name=one timeout=1m\n0 4 * * * true\n' });
    const deploy = (zone?: string) => () =>
      new KuberCron(newApp(FOLDER), 'Cron', { crontabs: without, functions, ...(zone && { zone }) });
    expect(refusal(deploy())).toMatch(/^error\[missing-time-zone\]: 1 of 1 job has no time zone/);
    expect(deploy('Europe/Berlin')).not.toThrow();
  });
});

describe('the app', () => {
  const synth = (context: Readonly<Record<string, unknown>>) => () =>
    deployFromContext(new App({ autoSynth: false, context: { functions, ...context } }));

  test.each<[context: Record<string, unknown>, message: string]>([
    [{}, 'no crontab: say which by `-c crontab=crontab/production`, a file or a folder'],
    [{ crontab: '' }, '`-c crontab=…` takes a file or folder, or several with commas between, got ""'],
    [{ crontabs: crontab }, 'there is no context value `crontabs`; did you mean `-c crontab=…`?'],
    [{ crontab, zonee: 'UTC' }, 'there is no context value `zonee`; did you mean `-c zone=…`?'],
    [
      { crontab, shards: 'many' },
      '`-c shards=…` takes a whole number, over how many stacks the schedules are spread, got "many"',
    ],
    [{ crontab, memory: '64' }, '`memory` takes a whole number from 128 to 10240, got `64`'],
    [{ crontab, email: 'me' }, '`-c email=…` takes an address that alarms and notifications go to, got `me`'],
  ])('with context %j is refused', (context, message) => {
    expect(refusal(synth(context))).toBe(message);
  });

  test('takes everything from the context', () => {
    const more = writeCrontabs(FOLDER, { other: '# kuber-cron: name=other timeout=1m\n0 4 * * * true\n' });
    const app = newApp(FOLDER);
    const context = { zone: 'Asia/Tokyo', name: 'test', shards: '2', memory: 1024, email: 'ops@example.com' };
    for (const [key, value] of Object.entries({
      ...context,
      crontab: [crontab, ...more].join(','),
      functions,
    }))
      app.node.setContext(key, value);
    const cron = deployFromContext(app);
    const { stacks } = app.synth();
    expect(stacks.map(({ stackName }) => stackName).sort()).toEqual([
      'test-core',
      'test-schedules-0',
      'test-schedules-1',
    ]);
    const core = stacks.find(({ id }) => id === cron.core.artifactId)?.template as Template;
    const subscriptions = Object.values(resourcesOf(core, 'AWS::SNS::Subscription'));
    expect(subscriptions.map(({ Properties }) => Properties.Endpoint)).toEqual(['ops@example.com']);
    const schedules = stacks.flatMap(({ template }) =>
      Object.values(resourcesOf(template, 'AWS::Scheduler::Schedule')).map(({ Properties }) => [
        ...[Properties.Name, Properties.ScheduleExpressionTimezone],
      ]),
    );
    expect(schedules.sort()).toEqual([
      ['other--other--0', 'Asia/Tokyo'],
      ['shop--backup--0', 'UTC'],
      ['watchdog', 'UTC'],
    ]);
  });

  /** Runs the app as the CDK's command line does. */
  const run = (outdir: string, context: Readonly<Record<string, string>>) =>
    launch([process.execPath, join(ROOT, 'infra', 'app.ts')], {
      cwd: ROOT,
      env: {
        CDK_OUTDIR: outdir,
        CDK_CONTEXT_JSON: JSON.stringify({ functions, ...context }),
        CDK_VALIDATION: 'false',
      },
    });

  test('emits templates of a good crontab, and nothing of a bad one but one sentence', async () => {
    const [good, bad] = [join(FOLDER, 'good'), join(FOLDER, 'bad')];
    for (const folder of [good, bad]) mkdirSync(folder, { recursive: true });
    expect(await run(good, { crontab })).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(readdirSync(good).filter((file) => file.endsWith('.template.json'))).toHaveLength(9);
    expect(await run(bad, { crontab, zone: 'Mars/Base' })).toEqual({
      ...{ code: 1, stdout: '' },
      stderr: 'kuber-cron: `zone` takes a time zone such as Europe/Berlin or UTC, got `Mars/Base`\n',
    });
    expect(readdirSync(bad)).toEqual([]);
  });
});
