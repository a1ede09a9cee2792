import { randomInt } from 'node:crypto';

/** Settles on one seed for all files of the suite, and says how to have it again. */
export default function announceSeed(): void {
  process.env.FAULT_SEED ??= String(randomInt(1, 1_000_000));
  process.stderr.write(`the same faults again: FAULT_SEED=${process.env.FAULT_SEED} npm run test:faults\n`);
}
