import { MemoryRunStore } from '../../shared/adapters/memory-run-store.ts';
import { describeRunStore } from './run-store-contract.ts';

describeRunStore('MemoryRunStore', () => new MemoryRunStore());
