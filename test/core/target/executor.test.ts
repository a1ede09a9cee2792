import { expect, test } from '@jest/globals';
import { MOST_MEMORY_BYTES } from '../../../shared/core/target/aws.ts';
import { executorMemory, executorName, MEMORY_CLASSES } from '../../../shared/core/target/executor.ts';

const MI = 2 ** 20;

test.each<[memory: number | undefined, usual: number, size: number]>([
  [undefined, 512, 512],
  [undefined, 768, 768],
  [MI, 512, 256],
  [256 * MI, 512, 256],
  [256 * MI + 1, 512, 512],
  [3000 * MI, 512, 3008],
  [MOST_MEMORY_BYTES, 512, 10_240],
])('a job that asks for %s bytes runs, where %d MiB are usual, in %d MiB', (memory, usual, size) => {
  expect(executorMemory({ memory }, usual)).toBe(size);
});

test('more than any function has is a fault of whoever did not check the crontab', () => {
  expect(() => executorMemory({ memory: MOST_MEMORY_BYTES + 1 }, 512)).toThrow(
    'no executor has 10737418241 bytes',
  );
});

test('the classes leave room for one more and the watchdog in an alarm of ten metrics', () => {
  expect(MEMORY_CLASSES.length + 2).toBe(10);
  expect(executorName('kuber-cron', 512)).toBe('kuber-cron-executor-512');
});
