import { describeRunStore } from '../adapters/run-store-contract.ts';
import { describeDynamoDb, openTestStore } from './tables.ts';

describeDynamoDb('on DynamoDB', () => {
  describeRunStore('DynamoDbRunStore', openTestStore);
});
