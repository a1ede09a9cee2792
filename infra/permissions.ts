import { Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';

/** What a function in a network must be allowed; the service knows no resources for them. */
export const NETWORK_ACTIONS = [
  'ec2:AssignPrivateIpAddresses',
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:UnassignPrivateIpAddresses',
];

/** A statement of a policy. */
export function allow(
  sid: string,
  actions: readonly string[],
  resources: readonly string[],
): PolicyStatement {
  return new PolicyStatement({ effect: Effect.ALLOW, sid, actions: [...actions], resources: [...resources] });
}
