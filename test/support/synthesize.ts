import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { buildSync } from 'esbuild';
import { KuberCron } from '../../infra/kuber-cron.ts';
import type { KuberCronProps } from '../../infra/kuber-cron-props.ts';
import { crontabName } from '../../shared/core/plan/plan.ts';

// The bundled validator takes seconds; the command line's own synth has it.
process.env.CDK_VALIDATION = 'false';

/** A template as the tests read it. */
export interface Template {
  readonly Resources: Readonly<Record<string, Resource>>;
  readonly Outputs?: Readonly<Record<string, { readonly Value: unknown }>>;
}

export interface Resource {
  readonly Type: string;
  // biome-ignore lint/suspicious/noExplicitAny: of CloudFormation, whose shapes the facts themselves say
  readonly Properties: any;
  readonly DependsOn?: unknown;
  readonly DeletionPolicy?: string;
}

/** A stack as it would be deployed. */
export interface Synthesized {
  readonly name: string;
  readonly text: string;
  readonly template: Template;
  readonly dependencies: readonly string[];
}

/** Bundles for the constructs, made by esbuild from a function of the tests. */
export function buildFunctions(folder: string): string {
  for (const name of ['executor', 'watchdog']) {
    buildSync({
      entryPoints: [join(import.meta.dirname, 'lambda-function.ts')],
      outfile: join(folder, 'functions', name, 'main.mjs'),
      bundle: true,
      platform: 'node',
      target: 'node24',
      format: 'esm',
      banner: { js: `// ${name}` },
    });
  }
  return join(folder, 'functions');
}

/** The context that `cdk.json` gives: the features of the CDK that are on. */
const { context } = JSON.parse(readFileSync(new URL('../../cdk.json', import.meta.url), 'utf8'));

/** An app as `infra/app.ts` has it. */
export function newApp(folder: string): App {
  const [outdir, analyticsReporting] = [mkdtempSync(join(folder, 'cdk-')), false];
  return new App({ autoSynth: false, outdir, analyticsReporting, context });
}

/** Files of crontabs, each by its text. */
export function writeCrontabs(folder: string, crontabs: Readonly<Record<string, string>>): string[] {
  const own = mkdtempSync(join(folder, 'crontabs-'));
  mkdirSync(own, { recursive: true });
  return Object.entries(crontabs).map(([file, text]) => {
    const path = join(own, `${file}.crontab`);
    writeFileSync(path, text);
    return path;
  });
}

/**
 * The stacks of some crontabs, by stack name, the core first.
 *
 * @param crontabs texts by file name
 * @param change further properties
 */
export function synthesize(
  folder: string,
  crontabs: Readonly<Record<string, string>>,
  change: Partial<KuberCronProps> = {},
): readonly Synthesized[] {
  for (const name of Object.keys(crontabs))
    if (crontabName(name) !== name) throw new Error(`no name: ${name}`);
  const app = newApp(folder);
  const functions = join(folder, 'functions');
  new KuberCron(app, 'Cron', { crontabs: writeCrontabs(folder, crontabs), functions, ...change });
  return app
    .synth()
    .stacks.map(({ stackName, templateFullPath, dependencies }) => {
      const text = readFileSync(templateFullPath, 'utf8');
      return {
        ...{ name: stackName, text, template: { Resources: {}, ...JSON.parse(text) } as Template },
        dependencies: dependencies.flatMap((one) => ('stackName' in one ? [one.stackName as string] : [])),
      };
    })
    .sort((a, b) => Number(b.name.endsWith('-core')) - Number(a.name.endsWith('-core')));
}

/** Resources of a type, by logical id. */
export function resourcesOf(template: Template, type: string): Record<string, Resource> {
  return Object.fromEntries(Object.entries(template.Resources).filter(([, { Type }]) => Type === type));
}

/** The only resource of a type. */
export function resourceOf(template: Template, type: string): Resource {
  const found = Object.values(resourcesOf(template, type));
  if (found.length !== 1) throw new Error(`one ${type} expected, got ${found.length}`);
  return found[0] as Resource;
}

/** Every schedule of jobs with its place and its whole text, by its name. */
export function schedulesByName(stacks: readonly Synthesized[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const { name: stack, template } of stacks.slice(1)) {
    for (const [id, schedule] of Object.entries(resourcesOf(template, 'AWS::Scheduler::Schedule'))) {
      const { Name } = schedule.Properties;
      if (found.has(Name)) throw new Error(`two schedules are called ${Name}`);
      found.set(Name, JSON.stringify({ stack, id, schedule }));
    }
  }
  return found;
}
