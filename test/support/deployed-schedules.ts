import type { DeployedSchedule, ScheduleReader } from '../../shared/core/target/drift.ts';
import type { ScheduleText } from '../../shared/core/target/schedules.ts';
import type { Resource, Synthesized } from './synthesize.ts';

const REGION = 'eu-central-1';
const ACCOUNT = '123456789012';

/** What somebody did to the fields of a deployed schedule. */
export type Edit = (fields: Record<string, unknown>) => void;

/** A schedule as the service would have it after its deployment, and after an edit by hand. */
export function deployed(schedule: ScheduleText, edit: Edit = () => {}): DeployedSchedule {
  const fields = serviceWords(filledIn(schedule)) as Record<string, unknown>;
  edit(fields);
  return { arn: arnOf(schedule.groupName, schedule.name), fields };
}

/** The schedules of synthesized stacks, by their names, as CloudFormation would make them. */
export function deployedBy(stacks: readonly Synthesized[]): Map<string, DeployedSchedule> {
  const found = new Map<string, DeployedSchedule>();
  for (const { template } of stacks) {
    for (const { Type, Properties } of Object.values(template.Resources)) {
      if (Type !== 'AWS::Scheduler::Schedule') continue;
      const fields = resolved(Properties, template.Resources) as Record<string, unknown>;
      found.set(Properties.Name, { arn: arnOf(Properties.GroupName, Properties.Name), fields });
    }
  }
  return found;
}

/** A group of schedules of a service that gives so many names a page. */
export function readerOf(
  schedules: ReadonlyMap<string, DeployedSchedule>,
  { page = 2 }: { readonly page?: number } = {},
): ScheduleReader {
  return {
    async *names() {
      const names = [...schedules.keys()];
      for (let from = 0; from < names.length; from += page) yield names.slice(from, from + page);
    },
    schedule: async (_group, name) => schedules.get(name),
  };
}

function arnOf(group: string, name: string): string {
  return `arn:aws:scheduler:${REGION}:${ACCOUNT}:schedule/${group}/${name}`;
}

function filledIn<T>(value: T): T {
  const text = JSON.stringify(value)
    .replaceAll('${AWS::Partition}', 'aws')
    .replaceAll('${AWS::Region}', REGION)
    .replaceAll('${AWS::AccountId}', ACCOUNT);
  return JSON.parse(text) as T;
}

function serviceWords(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.charAt(0).toUpperCase() + key.slice(1),
      serviceWords(inner),
    ]),
  );
}

type Intrinsic = { readonly 'Fn::Sub'?: string; readonly 'Fn::GetAtt'?: readonly [string, string] };

/** A value of a template, its intrinsic functions replaced by what they come to. */
function resolved(value: unknown, resources: Readonly<Record<string, Resource>>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { 'Fn::Sub': text, 'Fn::GetAtt': attribute } = value as Intrinsic;
  if (text !== undefined) return filledIn(text);
  if (attribute !== undefined) return arnOfResource(resources[attribute[0]], resources);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, resolved(inner, resources)]));
}

function arnOfResource(
  resource: Resource | undefined,
  resources: Readonly<Record<string, Resource>>,
): string {
  const { Type, Properties } = resource ?? { Type: 'none', Properties: {} };
  switch (Type) {
    case 'AWS::Lambda::Function':
      return `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${Properties.FunctionName}`;
    case 'AWS::IAM::Role':
      return `arn:aws:iam::${ACCOUNT}:role/${resolved(Properties.RoleName, resources)}`;
    case 'AWS::SQS::Queue':
      return `arn:aws:sqs:${REGION}:${ACCOUNT}:${Properties.QueueName}`;
    default:
      throw new Error(`no ARN of ${Type}`);
  }
}
