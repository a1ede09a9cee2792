import type { RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, BillingMode, ProjectionType, Table } from 'aws-cdk-lib/aws-dynamodb';
import type { Construct } from 'constructs';
import { TTL_ATTRIBUTE, tableDefinition } from '../shared/core/target/dynamodb-schema.ts';

type KeySchema = ReturnType<typeof tableDefinition>['KeySchema'];

/** Reads and writes of the run store; a transaction needs those of its items. */
export const TABLE_ACTIONS = [
  'dynamodb:BatchGetItem',
  'dynamodb:BatchWriteItem',
  'dynamodb:ConditionCheckItem',
  'dynamodb:DeleteItem',
  'dynamodb:GetItem',
  'dynamodb:PutItem',
  'dynamodb:Query',
  'dynamodb:UpdateItem',
];

/** The run store's table, on demand, with point-in-time recovery, as `tableDefinition` of the core says. */
export class RunTable extends Table {
  constructor(scope: Construct, id: string, props: { readonly removalPolicy: RemovalPolicy }) {
    const { KeySchema, LocalSecondaryIndexes, GlobalSecondaryIndexes } = tableDefinition();
    super(scope, id, {
      ...keys(KeySchema),
      billingMode: BillingMode.PAY_PER_REQUEST,
      timeToLiveAttribute: TTL_ATTRIBUTE,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      removalPolicy: props.removalPolicy,
    });
    for (const { IndexName: indexName, KeySchema } of LocalSecondaryIndexes) {
      const { sortKey } = keys(KeySchema);
      this.addLocalSecondaryIndex({ indexName, sortKey, projectionType: ProjectionType.KEYS_ONLY });
    }
    for (const { IndexName: indexName, KeySchema } of GlobalSecondaryIndexes) {
      this.addGlobalSecondaryIndex({
        ...{ indexName, ...keys(KeySchema), projectionType: ProjectionType.KEYS_ONLY },
      });
    }
  }

  /** ARNs of the table and of each of its indexes. */
  get arns(): string[] {
    const { LocalSecondaryIndexes, GlobalSecondaryIndexes } = tableDefinition();
    const indexes = [...LocalSecondaryIndexes, ...GlobalSecondaryIndexes];
    return [this.tableArn, ...indexes.map(({ IndexName }) => `${this.tableArn}/index/${IndexName}`)];
  }
}

function keys(schema: KeySchema) {
  const key = (type: KeySchema[number]['KeyType']) => ({
    name: schema.find(({ KeyType }) => KeyType === type)?.AttributeName ?? '',
    type: AttributeType.STRING,
  });
  return { partitionKey: key('HASH'), sortKey: key('RANGE') };
}
