#!/usr/bin/env node
// The launcher, and the one file that knows several entry folders. A clone holds the sources, a package the bundle.
import './check-node.js';
import { existsSync } from 'node:fs';

const sources = new URL('./main.ts', import.meta.url);
const modules = existsSync(sources)
  ? [
      sources,
      new URL('../container/daemon.ts', import.meta.url),
      new URL('../container/serve.ts', import.meta.url),
    ]
  : [new URL('../dist/kuber-cron.js', import.meta.url)];
const { runProcess, daemonCommand, serveCommand } = Object.assign(
  {},
  ...(await Promise.all(modules.map((url) => import(url.href)))),
);
await runProcess([daemonCommand, serveCommand]);
