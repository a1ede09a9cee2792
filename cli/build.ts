import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type BuildOptions, build, type Metafile } from 'esbuild';

const ROOT = new URL('..', import.meta.url);
const DIST = new URL('dist/', ROOT);

/** What is read and compiled at each cold start. Bytes. */
const LARGEST_FUNCTION = 700 * 1024;

const COMMON = {
  absWorkingDir: ROOT.pathname,
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
} as const satisfies BuildOptions;

/**
 * Bundles the command line, so that the package needs nothing but Node: types cannot be stripped under node_modules, and
 * a bundle starts faster. What is imported when it is needed, such as the library of DynamoDB, is a file of its own.
 */
for (const name of existsSync(DIST) ? readdirSync(DIST) : [])
  if (/-[A-Z0-9]{8}\.js$/.test(name)) rmSync(new URL(name, DIST));
const { metafile } = await build({
  ...COMMON,
  stdin: {
    contents: `export { runProcess } from './cli/main.ts'; export { daemonCommand } from './container/daemon.ts'; export { serveCommand } from './container/serve.ts';`,
    resolveDir: ROOT.pathname,
    sourcefile: 'kuber-cron.ts',
    loader: 'ts',
  },
  outdir: 'dist',
  entryNames: 'kuber-cron',
  chunkNames: '[name]-[hash]',
  splitting: true,
});
writeLicenses(metafile, DIST);

/** Bundles each function of AWS, as the constructs deploy it: all that it needs in one file, small for a fast start. */
for (const name of ['executor', 'watchdog']) {
  const entry = `functions/${name}/main.ts`;
  if (!existsSync(new URL(entry, ROOT))) continue;
  const folder = new URL(`functions/${name}/`, DIST);
  const { metafile } = await build({
    ...COMMON,
    entryPoints: [entry],
    outfile: `dist/functions/${name}/main.mjs`,
    minify: true,
    legalComments: 'none',
    // Of modules only what is used is taken, and the clients of AWS are mostly not.
    mainFields: ['module', 'main'],
  });
  const bytes = metafile.outputs[`dist/functions/${name}/main.mjs`]?.bytes ?? 0;
  if (bytes > LARGEST_FUNCTION)
    throw new Error(`the bundle of the ${name} has ${bytes} bytes: see what it imports`);
  writeLicenses(metafile, folder);
}

/** The licences of the libraries in a bundle want their texts to go with it. */
function writeLicenses({ inputs }: Metafile, folder: URL): void {
  const packages = new Set<string>();
  for (const input of Object.keys(inputs)) {
    const name = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1];
    if (name !== undefined) packages.add(name);
  }
  const notices = [...packages].sort().map((name) => {
    const folder = new URL(`node_modules/${name}/`, ROOT);
    const { version, license } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8'));
    const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
    const text = file === undefined ? '' : `\n${readFileSync(new URL(file, folder), 'utf8').trim()}\n`;
    return `${name} ${version} (${license})\n${text}`;
  });
  writeFileSync(new URL('LICENSES.txt', folder), notices.join('\n----\n\n'));
}
