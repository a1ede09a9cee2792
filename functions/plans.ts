import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isCrontabName, type SchedulePlan } from '../shared/core/plan/plan.ts';

/** A crontab as it was deployed with the function. */
export interface BundledPlan {
  readonly plan: SchedulePlan;
  /** As `planHash` makes it. */
  readonly hash: string;
}

/** The plans beside a function's code: `<crontab>.json` each. One is read when it is asked for, and once. */
export class BundledPlans {
  readonly #folder: string;
  readonly #known = new Map<string, BundledPlan | undefined>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The plan of a crontab; undefined when there is none. @throws Error when it is not one of ours */
  get(crontab: string): BundledPlan | undefined {
    if (!this.#known.has(crontab)) this.#known.set(crontab, readPlan(this.#folder, crontab));
    return this.#known.get(crontab);
  }

  /** All of them, by crontab in the order of their names. @throws Error when one is not one of ours */
  all(): ReadonlyMap<string, BundledPlan> {
    const files = readdirSync(this.#folder).filter((file) => file.endsWith('.json'));
    const crontabs = files.map((file) => file.slice(0, -'.json'.length)).sort();
    return new Map(
      crontabs.flatMap((crontab) => {
        const plan = this.get(crontab);
        return plan === undefined ? [] : [[crontab, plan] as const];
      }),
    );
  }
}

function readPlan(folder: string, crontab: string): BundledPlan | undefined {
  // A name comes from an event, and becomes part of a path.
  if (!isCrontabName(crontab)) return undefined;
  const path = join(folder, `${crontab}.json`);
  const text = textOf(path);
  if (text === undefined) return undefined;
  const plan = JSON.parse(text) as SchedulePlan;
  if (plan.format !== 1 || plan.crontab !== crontab)
    throw new Error(`\`${path}\` is no plan of crontab ${crontab} in format 1: deploy the function again`);
  // The file is the canonical JSON that the hash is of.
  return { plan, hash: createHash('sha256').update(text).digest('hex') };
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
