import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const ROOT = join(import.meta.dirname, '..');
const TYPES = join(ROOT, 'dist', 'types');

/** Makes the construct usable from a package: Node strips no types under node_modules. Its peers stay outside. */
await build({
  entryPoints: [join(ROOT, 'infra', 'library.ts')],
  outfile: join(ROOT, 'dist', 'infra.js'),
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  external: ['aws-cdk-lib', 'aws-cdk-lib/*', 'constructs'],
  logLevel: 'info',
});

rmSync(TYPES, { recursive: true, force: true });
const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
execFileSync(process.execPath, [compiler, '-p', join(ROOT, 'infra')], { stdio: 'inherit' });
// The compiler leaves the endings of imports as they are written, and a package has no `.ts` files.
for (const name of readdirSync(TYPES, { recursive: true, encoding: 'utf8' })) {
  if (!name.endsWith('.d.ts')) continue;
  const file = join(TYPES, name);
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/(from '\.[^']*)\.ts'/g, "$1.js'"));
}
