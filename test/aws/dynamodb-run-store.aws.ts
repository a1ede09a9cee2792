import { describeRunStore } from '../adapters/run-store-contract.ts';
import { describeStartedClaims } from '../adapters/started-claim.ts';
import { describeDynamoDb, openTestStore } from './tables.ts';

describeDynamoDb('on DynamoDB', () => {
  describeRunStore('DynamoDbRunStore', openTestStore);
  describeStartedClaims('DynamoDbRunStore', openTestStore);
});
