import { cpSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Platform } from 'aws-cdk-lib/aws-ecr-assets';
import { Code, type FunctionProps, Handler, Runtime } from 'aws-cdk-lib/aws-lambda';
import { canonicalJson } from '../shared/core/plan/canonical-json.ts';
import type { SchedulePlan } from '../shared/core/plan/plan.ts';
import { PLANS_FOLDER } from '../shared/core/target/executor.ts';
import { InputError } from './input-error.ts';

/** What of a function its code decides. */
export type FunctionCode = Pick<FunctionProps, 'code' | 'handler' | 'runtime'>;

/** Module of each bundle that exports `handler`. */
const MAIN = 'main.mjs';

/** Folder of a build context that an image copies to `/var/task`. */
const IMAGE_FOLDER = 'kuber-cron';

/** What runs commands. */
export class Executor {
  /** A zip: Node.js 24 on Amazon Linux 2023, with the few tools that Lambda's own image has: no `find`, `git` or `tar`. */
  static zip(): Executor {
    return new Executor(undefined);
  }

  /**
   * An image of your own, with the tools that commands need. The folder is the build context; beside what is in it the
   * build finds `kuber-cron/`, the executor with its plans:
   *
   * ```dockerfile
   * FROM public.ecr.aws/lambda/nodejs:24
   * RUN dnf install -y postgresql16 && dnf clean all
   * COPY kuber-cron/ ${LAMBDA_TASK_ROOT}/
   * CMD ["main.handler"]
   * ```
   *
   * @param folder with the `Dockerfile`
   */
  static image(folder: string): Executor {
    if (!existsSync(join(folder, 'Dockerfile')))
      throw new InputError(
        `\`Executor.image\` takes a folder with a \`Dockerfile\`, and \`${folder}\` has none`,
      );
    return new Executor(folder);
  }

  readonly #folder: string | undefined;

  private constructor(folder: string | undefined) {
    this.#folder = folder;
  }

  /** As `zipCode`. @internal */
  code(staging: string, bundle: string, plans: readonly SchedulePlan[]): FunctionCode {
    if (this.#folder === undefined) return zipCode(staging, bundle, plans);
    cpSync(this.#folder, staging, { recursive: true });
    stage(join(staging, IMAGE_FOLDER), bundle, plans);
    return {
      code: Code.fromAssetImage(staging, { platform: Platform.LINUX_AMD64 }),
      handler: Handler.FROM_IMAGE,
      runtime: Runtime.FROM_IMAGE,
    };
  }
}

/** Code of a bundle with the plans beside it. @param staging folder to put them in, needed until a function has the code */
export function zipCode(staging: string, bundle: string, plans: readonly SchedulePlan[]): FunctionCode {
  stage(staging, bundle, plans);
  return { code: Code.fromAsset(staging), handler: 'main.handler', runtime: Runtime.NODEJS_24_X };
}

/**
 * Folder of one function's bundle.
 *
 * @param functions prebuilt bundles: a folder for each function, each with its `main.mjs`
 * @throws InputError when it is not there
 */
export function bundleFolder(functions: string, name: 'executor' | 'watchdog'): string {
  const folder = resolve(functions, name);
  if (statSync(join(folder, MAIN), { throwIfNoEntry: false })?.isFile() !== true) {
    throw new InputError(
      `no bundle of the ${name} at \`${join(functions, name, MAIN)}\`: build it by \`npm run build\`, or say in \`functions\` where it is`,
    );
  }
  return folder;
}

function stage(folder: string, bundle: string, plans: readonly SchedulePlan[]): void {
  cpSync(bundle, folder, { recursive: true });
  mkdirSync(join(folder, PLANS_FOLDER), { recursive: true });
  for (const plan of plans)
    writeFileSync(join(folder, PLANS_FOLDER, `${plan.crontab}.json`), canonicalJson(plan));
}
