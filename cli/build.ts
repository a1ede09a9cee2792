import { build } from 'esbuild';

/**
 * Bundles the command line into one file, so that the package needs nothing but Node: types cannot be stripped under
 * node_modules, and a bundle starts faster.
 */
try {
  await build({
    stdin: {
      contents: `export { runProcess } from './cli/main.ts'; export { daemonCommand } from './container/daemon.ts';`,
      resolveDir: new URL('..', import.meta.url).pathname,
      sourcefile: 'kuber-cron.ts',
      loader: 'ts',
    },
    outfile: 'dist/kuber-cron.js',
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    // Libraries in CommonJS look for their `require`.
    banner: {
      js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`,
    },
    legalComments: 'external',
    logLevel: 'info',
  });
} catch {
  // esbuild has said what is wrong; its stack would hide that.
  process.exitCode = 1;
}
