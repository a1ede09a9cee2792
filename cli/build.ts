import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';

const DIST = new URL('../dist/', import.meta.url);

/**
 * Bundles the command line, so that the package needs nothing but Node: types cannot be stripped under node_modules, and
 * a bundle starts faster. What is imported when it is needed, such as the library of DynamoDB, is a file of its own.
 */
for (const name of existsSync(DIST) ? readdirSync(DIST) : [])
  if (/-[A-Z0-9]{8}\.js$/.test(name)) rmSync(new URL(name, DIST));
const { metafile } = await build({
  stdin: {
    contents: `export { runProcess } from './cli/main.ts'; export { daemonCommand } from './container/daemon.ts';`,
    resolveDir: new URL('..', import.meta.url).pathname,
    sourcefile: 'kuber-cron.ts',
    loader: 'ts',
  },
  absWorkingDir: new URL('..', import.meta.url).pathname,
  outdir: 'dist',
  entryNames: 'kuber-cron',
  chunkNames: '[name]-[hash]',
  splitting: true,
  bundle: true,
  metafile: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  // Libraries in CommonJS look for their `require`.
  banner: {
    js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`,
  },
  logLevel: 'info',
});

// The licences of the libraries in the bundle want their texts to go with it.
const packages = new Set<string>();
for (const input of Object.keys(metafile.inputs)) {
  const name = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1];
  if (name !== undefined) packages.add(name);
}
const notices = [...packages].sort().map((name) => {
  const folder = new URL(`../node_modules/${name}/`, import.meta.url);
  const { version, license } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8'));
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  const text = file === undefined ? '' : `\n${readFileSync(new URL(file, folder), 'utf8').trim()}\n`;
  return `${name} ${version} (${license})\n${text}`;
});
writeFileSync(new URL('../dist/LICENSES.txt', import.meta.url), notices.join('\n----\n\n'));
