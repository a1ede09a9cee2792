import { FUNCTION_VARIABLES } from '../shared/core/target/executor.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What the functions of a deployment are told. */
export interface Settings {
  /** Name of the deployment. */
  readonly app: string;
  /** MiB of the executor of jobs that ask for none. */
  readonly memory: number;
  /** Table of the run store. */
  readonly table: string;
  readonly metricsNamespace: string;
  /** ARN of the topic of notifications. */
  readonly topic: string;
  /** Whether each job has metrics of its own. */
  readonly hasJobMetrics: boolean;
  /** Whether runs are recorded and none is started. */
  readonly isDryRun: boolean;
}

/** What executors are told besides. */
export interface ExecutorSettings extends Settings {
  /** ARN of the role whose credentials commands get. */
  readonly commandRole: string;
  /** Path in SSM Parameter Store; undefined where no job has secrets. */
  readonly secretsPath?: string;
  /** Region of the function, and of its commands. */
  readonly region: string;
}

/** Variables of a function are wrong; the message has a sentence for each. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/** @throws SettingsError with every variable that is wrong */
export function readSettings(environment: Environment): Settings {
  return read(environment, commonSettings);
}

/** @throws SettingsError with every variable that is wrong */
export function readExecutorSettings(environment: Environment): ExecutorSettings {
  return read(environment, (reader) => {
    const secretsPath = environment[FUNCTION_VARIABLES.secretsPath];
    return {
      ...commonSettings(reader),
      commandRole: reader.text(FUNCTION_VARIABLES.commandRole, /^arn:[^:]+:iam::.+/, 'the ARN of a role'),
      region: reader.text('AWS_REGION', /^[a-z0-9-]+$/, 'a region such as eu-central-1'),
      ...(secretsPath !== undefined && {
        secretsPath: reader.text(FUNCTION_VARIABLES.secretsPath, PATH, 'a path such as /shop/production'),
      }),
    };
  });
}

const PATH = /^(?:\/[A-Za-z0-9_.-]+)+$/;

function commonSettings(reader: Reader): Settings {
  const { app, memory, store, metricsNamespace, topic, jobMetrics, dryRun } = FUNCTION_VARIABLES;
  return {
    app: reader.text(app, /^[a-z][a-z0-9-]*$/, 'the name of the deployment'),
    memory: Number(reader.text(memory, /^[1-9]\d{2,4}$/, 'the MiB of an executor such as 512')),
    table: reader.text(store, /^dynamodb:[\w.-]{3,255}$/, '`dynamodb:TABLE`').slice('dynamodb:'.length),
    metricsNamespace: reader.text(metricsNamespace, /^[\w.#:/-]{1,255}$/, 'a namespace of CloudWatch'),
    topic: reader.text(topic, /^arn:[^:]+:sns:.+/, 'the ARN of an SNS topic'),
    hasJobMetrics: reader.flag(jobMetrics),
    isDryRun: reader.flag(dryRun),
  };
}

function read<T>(environment: Environment, settings: (reader: Reader) => T): T {
  const reader = new Reader(environment);
  const found = settings(reader);
  if (reader.problems.length > 0) throw new SettingsError(reader.problems.join('; '));
  return found;
}

class Reader {
  readonly problems: string[] = [];
  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** Empty for one that is wrong. */
  text(variable: string, pattern: RegExp, allowed: string): string {
    const value = this.#environment[variable] ?? '';
    if (pattern.test(value)) return value;
    const got = value === '' ? 'nothing' : `\`${value}\``;
    this.problems.push(`\`${variable}\` takes ${allowed}, got ${got}: deploy the function by its construct`);
    return '';
  }

  /** False where it is not set. */
  flag(variable: string): boolean {
    if ((this.#environment[variable] ?? '') === '') return false;
    return this.text(variable, /^(?:true|false)$/, '`true` or `false`') === 'true';
  }
}
