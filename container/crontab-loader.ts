import { CommandError, UsageError } from '../shared/adapters/command-line.ts';
import {
  type CrontabFile,
  crontabFiles,
  foundFiles,
  isFolder,
  readCrontabFile,
} from '../shared/adapters/crontab-files.ts';
import type { PrometheusMetrics } from '../shared/adapters/prometheus-metrics.ts';
import { type CheckedCrontab, type CheckOptions, checkCrontab } from '../shared/core/crontab/check.ts';
import type { Severity } from '../shared/core/diagnostic.ts';
import { DiagnosticRenderer, printable } from '../shared/core/diagnostic-text.ts';
import { isCrontabName, planCrontab, type SchedulePlan } from '../shared/core/plan/plan.ts';
import type { RunStore } from '../shared/core/run/run-store.ts';
import type { EmitEvent, ReportedFinding } from './events.ts';
import type { Scheduler } from './scheduler.ts';
import { type DaemonAbilities, unenforced } from './unenforced.ts';

/** Findings of a crontab that logs and terminals show, and that probes show. */
const MOST_REPORTED = 20;
const MOST_PROBED = 3;

export interface LoaderPorts {
  readonly scheduler: Pick<Scheduler, 'plans' | 'activate' | 'deactivate'>;
  readonly store: Pick<RunStore, 'activePlan'>;
  readonly metrics: Pick<PrometheusMetrics, 'keepJobs' | 'dropCrontab'>;
  readonly emit: EmitEvent;
}

export interface LoaderOptions {
  /** Files and folders. */
  readonly operands: readonly string[];
  /** Name of the one crontab, where it is not the file's. */
  readonly name: string | undefined;
  /** How a crontab is read; the time is that of each reading. */
  readonly check: Omit<CheckOptions, 'now'> & { readonly zone: string };
  readonly now: () => number;
  /** Whether a person is there to mend a broken crontab: the last good one is not taken from the store then. */
  readonly isAttended: boolean;
  readonly abilities: DaemonAbilities;
  /** Called when a crontab that was refused at the start comes in force after all. */
  readonly onHealed: (crontab: string) => void;
}

/** Reads crontabs and puts in force what is without errors. One reading happens at a time. */
export class CrontabLoader {
  readonly #ports: LoaderPorts;
  readonly #options: LoaderOptions;
  /** Operands that were folders once: one that is gone is a fault, not an empty folder and not a file. */
  readonly #folders = new Set<string>();
  /** Text of each file that was last looked at, so that a touched file is not a changed one. */
  readonly #read = new Map<string, string>();
  /** Findings of crontabs that are refused and of which nothing is in force, by name. */
  readonly #refused = new Map<string, readonly string[]>();
  #turn: Promise<unknown> = Promise.resolve();
  #isFirst = true;

  constructor(ports: LoaderPorts, options: LoaderOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  /** Why crontabs are not in force. */
  get refusals(): readonly string[] {
    return [...this.#refused].flatMap(([name, findings]) => findings.map((one) => `crontab ${name}: ${one}`));
  }

  /** Files and folders whose change asks for a reading. */
  watched(): readonly string[] {
    const { operands } = this.#options;
    try {
      return [...operands, ...this.#files().map(({ path }) => path)];
    } catch {
      return operands;
    }
  }

  /**
   * The first reading.
   *
   * @throws UsageError or CommandError when the operands cannot be crontabs, or the store fails
   */
  async loadFirst(): Promise<void> {
    await this.#exclusively(async () => {
      let files: readonly CrontabFile[];
      try {
        files = this.#files();
      } catch (error) {
        if (!this.#mayHeal(error)) throw error;
        await this.#refuseAll((error as Error).message);
        this.#isFirst = false;
        return;
      }
      if (files.length === 0)
        this.#ports.emit({
          kind: 'warning',
          message: `there is no crontab in ${this.#options.operands.join(', ')}`,
        });
      for (const file of files) {
        try {
          await this.#loadFile(file);
        } catch (error) {
          throw new CommandError(
            `crontab \`${file.name}\` could not be put in force: ${(error as Error).message}`,
            { cause: error },
          );
        }
      }
      this.#isFirst = false;
    });
  }

  /**
   * Reads what changed.
   *
   * @param isAnew whether also what did not change is read
   * @returns false when something failed that may go well the next time
   */
  reload(isAnew = false): Promise<boolean> {
    return this.#exclusively(async () => {
      let files: readonly CrontabFile[];
      try {
        files = this.#files();
      } catch (error) {
        this.#ports.emit({ kind: 'error', message: (error as Error).message });
        return true;
      }
      if (isAnew) this.#read.clear();
      const loaded = [];
      for (const file of files) loaded.push(await this.#try(file, () => this.#loadFile(file)));
      const removed = await this.#removeOthers(files);
      return [...loaded, ...removed].every((isDone) => isDone);
    });
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }

  /** @throws UsageError, CommandError */
  #files(): readonly CrontabFile[] {
    const { operands, name } = this.#options;
    for (const operand of operands) {
      if (isFolder(operand)) this.#folders.add(operand);
      else if (this.#folders.has(operand))
        throw new CommandError(`the folder \`${operand}\` is gone; its crontabs go on as they were`);
    }
    return crontabFiles(operands, name);
  }

  /** Whether an edit of a folder can mend what keeps its crontabs from being told apart. */
  #mayHeal(error: unknown): boolean {
    const { isAttended, operands, name } = this.#options;
    const isNamed = name === undefined || isCrontabName(name);
    return error instanceof UsageError && isNamed && !isAttended && operands.some(isFolder);
  }

  async #refuseAll(message: string): Promise<void> {
    const line = printable(message);
    const files = new Map(foundFiles(this.#options.operands).map((file) => [file.name, file]));
    for (const file of files.values()) await this.#refuse(file, 1, [{ line, frame: line }]);
  }

  async #try(file: Pick<CrontabFile, 'name'>, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      const message = `crontab \`${file.name}\` could not be put in force; it is tried again`;
      this.#ports.emit({ kind: 'error', message, error });
      return false;
    }
  }

  async #removeOthers(files: readonly CrontabFile[]): Promise<boolean[]> {
    const { scheduler, metrics } = this.#ports;
    const names = new Set(files.map(({ name }) => name));
    const paths = new Set(files.map(({ path }) => path));
    for (const path of this.#read.keys()) if (!paths.has(path)) this.#read.delete(path);
    const known = new Set([...scheduler.plans.map(({ plan }) => plan.crontab), ...this.#refused.keys()]);
    const removed = [];
    for (const name of known) {
      if (names.has(name)) continue;
      const remove = async () => {
        await scheduler.deactivate(name);
        this.#refused.delete(name);
        metrics.dropCrontab(name);
      };
      removed.push(await this.#try({ name }, remove));
    }
    return removed;
  }

  async #loadFile(file: CrontabFile): Promise<void> {
    const { name, path } = file;
    const { check, now, onHealed } = this.#options;
    let checked: CheckedCrontab;
    try {
      const bytes = readCrontabFile(path);
      const text = Buffer.from(bytes).toString('latin1');
      if (this.#read.get(path) === text) return;
      checked = checkCrontab(bytes, { ...check, now: now() });
      this.#read.set(path, text);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      this.#read.delete(path);
      const line = printable(error.message);
      return this.#refuse(file, 1, [{ line, frame: line }]);
    }
    try {
      if (checked.diagnostics.hasErrors) {
        await this.#refuse(file, checked.diagnostics.count('error'), report(path, checked, 'error'));
        return;
      }
      const plan = planCrontab(checked, { crontab: name, zone: check.zone });
      await this.#putInForce(plan, path);
    } catch (error) {
      // So that the next reading does not take it for one that is in force.
      this.#read.delete(path);
      throw error;
    }
    if (this.#refused.delete(name) && !this.#isFirst) onHealed(name);
    this.#remark(file, checked);
  }

  async #putInForce(plan: SchedulePlan, path: string): Promise<void> {
    this.#ports.metrics.keepJobs(
      plan.crontab,
      plan.jobs.map(({ name }) => name),
    );
    await this.#ports.scheduler.activate(plan, path);
  }

  #remark({ name, path }: CrontabFile, checked: CheckedCrontab): void {
    const { emit, scheduler } = this.#ports;
    const warnings = report(path, checked, 'warning');
    if (warnings.length > 0) emit({ kind: 'crontab-warnings', crontab: name, file: path, report: warnings });
    const active = scheduler.plans.find(({ plan }) => plan.crontab === name);
    if (active === undefined) return;
    for (const message of unenforced(active.plan, this.#options.abilities))
      emit({ kind: 'warning', message });
  }

  /** A crontab with errors changes nothing: what was in force stays, at a start the last good plan of the store. */
  async #refuse(
    { name, path }: CrontabFile,
    errors: number,
    reported: readonly ReportedFinding[],
  ): Promise<void> {
    const { emit, scheduler, store } = this.#ports;
    emit({ kind: 'crontab-refused', crontab: name, file: path, errors, report: reported });
    if (scheduler.plans.some(({ plan }) => plan.crontab === name)) return;
    const last = this.#options.isAttended ? undefined : await store.activePlan(name);
    // One without jobs says that the crontab had been removed.
    if (last === undefined || last.plan.jobs.length === 0) {
      this.#refused.set(
        name,
        reported.slice(0, MOST_PROBED).map(({ line }) => line),
      );
      return;
    }
    emit({ kind: 'warning', message: `crontab \`${name}\` goes on as it was last without errors` });
    await this.#putInForce(last.plan, path);
  }
}

function report(
  path: string,
  { text: crontab, diagnostics }: CheckedCrontab,
  severity: Severity,
): ReportedFinding[] {
  const renderer = new DiagnosticRenderer(path, crontab);
  return diagnostics.list
    .filter((one) => one.severity === severity)
    .slice(0, MOST_REPORTED)
    .map((one) => ({
      line: `${renderer.place(one.span)}: ${severity}[${one.code}]: ${printable(one.message)}`,
      frame: renderer.text(one),
    }));
}
