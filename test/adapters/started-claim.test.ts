import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { MemoryRunStore } from '../../shared/adapters/memory-run-store.ts';
import { SqliteRunStore } from '../../shared/adapters/sqlite-run-store.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { describeStartedClaims } from './started-claim.ts';

const FOLDER = temporaryFolder();

describeStartedClaims('MemoryRunStore', () => new MemoryRunStore());
describeStartedClaims('SqliteRunStore', () => SqliteRunStore.open(join(FOLDER, randomUUID())));
