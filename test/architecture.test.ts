import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const ROOT = join(import.meta.dirname, '..');

/** Folders where code starts. */
const ENTRIES = ['cli', 'container', 'functions', 'infra'];

const SOURCES = ['shared', 'bench', 'test', ...ENTRIES]
  .flatMap(filesIn)
  .filter((path) => /\.(?:[cm]?[jt]s)$/.test(path));

/** Files below a folder, as paths from the root; none where there is no such folder. */
function filesIn(folder: string): string[] {
  return readdirSync(ROOT).includes(folder)
    ? readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length + 1))
    : [];
}

function textOf(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** What a source imports: by `import` and `export … from`, by `import()`, or as a URL beside itself. */
function importsOf(text: string): string[] {
  const found = text.matchAll(
    /^(?:import|export)\b[^'"`;]*?\bfrom\s*(['"])(.+?)\1|^import\s*(['"])(.+?)\3|\bimport\(\s*(['"])(.+?)\5|\bnew URL\(\s*(['"])(\..+?)\7/gm,
  );
  return [...found].map((match) => (match[2] ?? match[4] ?? match[6] ?? match[8]) as string);
}

/** The rule that an import breaks, if it breaks one. */
function brokenRule(file: string, specifier: string): string | undefined {
  const isRelative = /^\.\.?\//.test(specifier);
  const target = isRelative ? normalize(join(dirname(file), specifier)) : specifier;
  const isIn = (path: string, folder: string) => path.startsWith(`${folder}/`);
  const targetEntry = ENTRIES.find((entry) => isRelative && isIn(target, entry));

  if (isIn(file, 'shared/core')) {
    if (isRelative ? isIn(target, 'shared/core') : isIn(specifier, '@noble/hashes')) return undefined;
    return 'the core imports nothing but itself and @noble/hashes: time and I/O come in through ports';
  }
  if (isIn(file, 'shared')) {
    if (!isRelative || isIn(target, 'shared')) return undefined;
    return 'adapters know the core and each other only';
  }
  const entry = ENTRIES.find((one) => isIn(file, one));
  if (entry === undefined) return undefined;
  if (targetEntry !== undefined && targetEntry !== entry) {
    // The launcher, which is where the daemon's command joins the others.
    if (file === 'cli/kuber-cron.js' && /^container\/(?:daemon|serve)\.ts$/.test(target)) return undefined;
    return 'entry folders never import each other: what they share belongs in shared/';
  }
  if (isRelative && (isIn(target, 'test') || isIn(target, 'bench')))
    return 'nothing that ships imports tests';
  if (entry === 'infra') {
    if (isIn(target, 'shared/adapters')) return 'infra knows the core only';
    // Functions are given to it as folders; what a laptop or a server needs has no place in a template.
    const isKnown = isRelative || /^(?:aws-cdk-lib(?:\/|$)|constructs$|node:(?:fs|path)$)/.test(specifier);
    if (!isKnown) return 'infra knows the core, the CDK, node:fs and node:path';
  }
  return undefined;
}

/** What makes a function depend on more than its arguments. */
const IMPURE =
  /\bprocess\.|\bset(?:Timeout|Interval|Immediate)\b|\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bperformance\.|\bfetch\(|\bconsole\.|\bglobalThis\b|\bcrypto\.|\brequire\(/;

function impureLines(text: string): string[] {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/.+/g, ''))
    .split('\n')
    .map((line) => line.replace(/(?:^|\s)\/\/.*$/, ''))
    .flatMap((line, index) => (IMPURE.test(line) ? [`${index + 1}: ${line.trim()}`] : []));
}

describe('the arrows between folders', () => {
  test('are obeyed by every import', () => {
    const broken = SOURCES.flatMap((file) =>
      importsOf(textOf(file)).flatMap((specifier) => {
        const rule = brokenRule(file, specifier);
        return rule === undefined ? [] : [`${file} imports ${specifier}: ${rule}`];
      }),
    );
    expect(broken).toEqual([]);
  });

  test('hold for the sources of all folders that there are', () => {
    const folders = new Set(
      SOURCES.map((path) =>
        path
          .split('/')
          .slice(0, path.startsWith('shared') ? 2 : 1)
          .join('/'),
      ),
    );
    expect([...folders]).toEqual(
      expect.arrayContaining(['shared/core', 'shared/adapters', 'cli', 'container', 'infra', 'test']),
    );
  });

  test.each<[file: string, specifier: string, isBroken: boolean]>([
    ['shared/core/run/run.ts', '../schedule/due.ts', false],
    ['shared/core/hash.ts', '@noble/hashes/sha2.js', false],
    ['shared/core/hash.ts', 'node:crypto', true],
    ['shared/core/hash.ts', '@noble/curves/p256.js', true],
    ['shared/core/run/run.ts', '../../adapters/system-clock.ts', true],
    ['shared/core/run/run.ts', '../../../cli/main.ts', true],
    ['shared/adapters/host.ts', 'node:os', false],
    ['shared/adapters/host.ts', '../core/run/run.ts', false],
    ['shared/adapters/host.ts', '../../container/daemon.ts', true],
    ['container/daemon.ts', '../shared/adapters/host.ts', false],
    ['container/daemon.ts', './log.ts', false],
    ['container/daemon.ts', '../cli/main.ts', true],
    ['cli/main.ts', '../container/daemon.ts', true],
    ['cli/kuber-cron.js', '../container/daemon.ts', false],
    ['cli/kuber-cron.js', '../container/serve.ts', false],
    ['cli/kuber-cron.js', '../container/log.ts', true],
    ['functions/executor/handler.ts', '../../container/log.ts', true],
    ['infra/app.ts', '../functions/executor/handler.ts', true],
    ['infra/app.ts', '../shared/adapters/host.ts', true],
    ['infra/app.ts', '../shared/core/plan/plan.ts', false],
    ['infra/app.ts', 'aws-cdk-lib', false],
    ['infra/app.ts', 'aws-cdk-lib/aws-lambda', false],
    ['infra/app.ts', 'constructs', false],
    ['infra/app.ts', 'node:fs', false],
    ['infra/app.ts', './kuber-cron.ts', false],
    ['infra/app.ts', 'node:child_process', true],
    ['infra/app.ts', '@aws-sdk/client-scheduler', true],
    ['infra/app.ts', 'cdk-nag', true],
    ['cli/main.ts', '../test/support/fake-clock.ts', true],
    ['test/core/hash.test.ts', '../../cli/main.ts', false],
  ])('%s imports %s: forbidden is %s', (file, specifier, isBroken) => {
    expect(brokenRule(file, specifier) !== undefined).toBe(isBroken);
  });

  test('are read from every form of import', () => {
    const text = [
      "import './a.ts';",
      "import b from './b.ts';",
      'import {',
      '  c,',
      "} from './c.ts';",
      "export type { D } from './d.ts';",
      "export * from './e.ts';",
      "const f = await import('./f.ts');",
      "const g = new URL('./g.ts', import.meta.url);",
      "const h = './h.ts';",
    ].join('\n');
    expect(importsOf(text)).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => `./${name}.ts`));
  });
});

describe('the core is pure', () => {
  test('it asks neither the process, nor the clock, nor chance', () => {
    const impure = SOURCES.filter((path) => path.startsWith('shared/core/')).flatMap((path) =>
      impureLines(textOf(path)).map((line) => `${path}:${line}`),
    );
    expect(impure).toEqual([]);
  });

  test.each<[line: string, isImpure: boolean]>([
    ['const now = Date.now();', true],
    ['const now = new Date();', true],
    ['const day = new Date(instant);', false],
    ['setTimeout(run, 5);', true],
    ['const home = process.env.HOME;', true],
    ['const n = Math.random();', true],
    ['const n = Math.floor(1.5);', false],
    ['// unlike process.env or Date.now()', false],
    ['/** unlike process.env\n * or Date.now() */', false],
    ['run(); // by process.exit', false],
  ])('%j is impure: %s', (line, isImpure) => {
    expect(impureLines(line).length > 0).toBe(isImpure);
  });
});

describe('a file is named for the thing that it defines', () => {
  test('so there are no barrels and no drawers of odds and ends', () => {
    const unnamed = SOURCES.filter((path) => /^(?:index|utils?|helpers?|common|misc)\./.test(basename(path)));
    expect(unnamed.map((path) => `${path}: name the file for what it defines`)).toEqual([]);
  });
});
