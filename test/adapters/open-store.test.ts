import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { CommandError } from '../../shared/adapters/command-line.ts';
import { openDaemonStore } from '../../shared/adapters/open-store.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const FOLDER = temporaryFolder();

test.each<
  [first: 'runs for real' | 'is a dry run', second: 'runs for real' | 'is a dry run', isOpened: boolean]
>([
  ['runs for real', 'runs for real', true],
  ['is a dry run', 'is a dry run', true],
  ['runs for real', 'is a dry run', false],
  ['is a dry run', 'runs for real', false],
])('on the store of a daemon that %s, one that %s may work: %s', async (first, second, isOpened) => {
  const path = join(FOLDER, randomUUID(), 'store.sqlite');
  await openDaemonStore({ path, isDryRun: first === 'is a dry run' }).close();
  const open = () => openDaemonStore({ path, isDryRun: second === 'is a dry run' });
  if (isOpened) await open().close();
  else expect(open).toThrow(CommandError);
  expect(existsSync(`${path}.dry-run`)).toBe(first === 'is a dry run');
});
