import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, release, tmpdir, type } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Bench } from './bench.ts';
import { benchCheck } from './check.ts';
import { benchExecutor } from './executor.ts';
import { benchHerd } from './herd.ts';
import { benchHistory } from './history.ts';
import { benchIdle } from './idle.ts';
import { benchNextDue } from './next-due.ts';
import { benchReload } from './reload.ts';
import { markdown, type Table } from './report.ts';
import { benchSynth } from './synth.ts';

const SUBJECTS: Readonly<Record<string, (bench: Bench) => Promise<readonly Table[]>>> = {
  'next-due': benchNextDue,
  check: benchCheck,
  executor: benchExecutor,
  herd: benchHerd,
  history: benchHistory,
  idle: benchIdle,
  reload: benchReload,
  synth: benchSynth,
};

const USAGE = `npm run bench -- [--quick] [--json] [SUBJECT…]
subjects: ${Object.keys(SUBJECTS).join(' ')} (default: all, about 50 minutes)
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const unknown = positionals.filter((name) => !Object.hasOwn(SUBJECTS, name));
if (values.help || unknown.length > 0) {
  process.stderr.write(`${unknown.map((name) => `there is no subject \`${name}\`\n`).join('')}${USAGE}`);
  process.exit(values.help ? 0 : 2);
}

const folder = mkdtempSync(join(tmpdir(), 'kuber-cron-bench-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

const machine = {
  date: new Date().toISOString().slice(0, 10),
  cores: cpus().length,
  system: `${type()} ${release()} ${process.arch}`,
  node: process.version,
};
const names = positionals.length > 0 ? positionals : Object.keys(SUBJECTS);
const say = (text: string) => process.stderr.write(`${text}\n`);
const tables: Record<string, readonly Table[]> = {};
if (!values.json) {
  const { date, cores, system, node } = machine;
  process.stdout.write(`${date}, ${cores} cores, ${system}, Node.js ${node}\n\n`);
}
for (const name of names) {
  say(`${name} …`);
  tables[name] = (await SUBJECTS[name]?.({ isQuick: values.quick, folder, say })) ?? [];
  if (!values.json) for (const table of tables[name]) process.stdout.write(`${markdown(table)}\n`);
}
if (values.json) process.stdout.write(`${JSON.stringify({ ...machine, tables }, null, 2)}\n`);
