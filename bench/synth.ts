import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from './bench.ts';
import { run } from './children.ts';
import { realisticCrontab } from './generate-crontab.ts';
import type { Table } from './report.ts';
import { interleaved, median } from './statistics.ts';

const ROOT = join(import.meta.dirname, '..');
const ENTRIES = 10_000;
const SHARDS = 40;

/** `cdk synth` of many entries, beside a program of the CDK that makes as many schedules and nothing else. */
export async function benchSynth({ isQuick, folder, say }: Bench): Promise<readonly Table[]> {
  const crontab = join(folder, 'synth.crontab');
  writeFileSync(crontab, crontabOf(ENTRIES));
  const functions = join(ROOT, 'dist', 'functions');
  const { context } = JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8'));
  const given = { ...context, crontab, zone: 'Europe/Berlin', shards: SHARDS, functions };
  const out = (name: string) => join(folder, `synth-${name}`);
  const synth = async (name: string, argv: readonly string[], values: object) => {
    const begin = performance.now();
    const env = { ...process.env, CDK_OUTDIR: out(name), CDK_CONTEXT_JSON: JSON.stringify(values) };
    await run([process.execPath, ...argv], { env });
    return performance.now() - begin;
  };
  const ours = () => synth('ours', [join(ROOT, 'infra', 'app.ts')], given);
  // Once, to know how many schedules there are.
  await ours();
  const { schedules, largestMb, mostResources, roles } = templates(out('ours'));
  const rounds = isQuick ? 3 : 7;
  say(`synth: ${rounds} rounds of ${ENTRIES.toLocaleString('en-US')} entries, ${schedules} schedules`);
  const bare = [join(import.meta.dirname, 'bare-schedules.ts'), String(schedules), String(SHARDS)];
  const took = await interleaved(rounds, {
    'kuber-cron': ours,
    'a bare program of the CDK': () => synth('bare', bare, context),
  });
  for (const name of ['ours', 'bare']) rmSync(out(name), { recursive: true });
  const [us, them] = [median(took['kuber-cron']), median(took['a bare program of the CDK'])];
  return [
    {
      title: `Synthesis of ${ENTRIES.toLocaleString('en-US')} entries`,
      columns: ['', 's', '÷ bare'],
      rows: [
        ['kuber-cron', us / 1000, us / them],
        ['a bare program of the CDK', them / 1000, 1],
      ],
      notes: [
        `${schedules.toLocaleString('en-US')} schedules in ${SHARDS} stacks, each program from start to end.`,
        `Largest template ${largestMb.toFixed(2)} MB, most resources ${mostResources}, roles that schedules name: ${roles}.`,
      ],
      targets: [
        { what: 'synthesis ÷ a bare program of the CDK', value: us / them, atMost: 1.5 },
        { what: 'largest template, MB', value: largestMb, atMost: 1 },
        { what: 'most resources of a template', value: mostResources, atMost: 500 },
        { what: 'roles that schedules name', value: roles, atMost: 1 },
      ],
    },
  ];
}

/** Without what AWS does not carry, and all named: names that are made of commands cost a hash more. */
function crontabOf(entries: number): string {
  const lines = realisticCrontab(entries * 2).split('\n');
  const plain = lines.filter((line) => /^[\d*]/.test(line)).slice(0, entries);
  if (plain.length < entries) throw new Error(`only ${plain.length} entries were made`);
  return plain.map((line, n) => `# kuber-cron: name=job-${n}\n${line}\n`).join('');
}

function templates(folder: string) {
  const files = readdirSync(folder).filter((name) => name.endsWith('.template.json'));
  const texts = files.map((name) => readFileSync(join(folder, name), 'utf8'));
  const resources = texts.map((text) =>
    Object.values<{ Type: string; Properties?: { Target?: { RoleArn?: unknown } } }>(
      JSON.parse(text).Resources,
    ),
  );
  const shards = resources.map((all) => all.filter(({ Type }) => Type === 'AWS::Scheduler::Schedule'));
  const roles = shards.flat().map(({ Properties }) => JSON.stringify(Properties?.Target?.RoleArn));
  return {
    // Without the watchdog's, which is beside the role and refers to it.
    schedules: shards.flat().length - 1,
    roles: new Set(roles.filter((role) => !role.includes('GetAtt'))).size,
    largestMb: Math.max(...texts.map((text) => Buffer.byteLength(text))) / 1e6,
    mostResources: Math.max(...resources.map(({ length }) => length)),
  };
}
