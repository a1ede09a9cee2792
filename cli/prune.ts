import { type Command, EXIT, isSet, OPTION, UsageError } from '../shared/adapters/command-line.ts';
import { Progress } from './progress.ts';
import { now } from './sources.ts';
import { withStore } from './stores.ts';

/** Rows that are deleted at once: a daemon that wants to write in between must not wait. */
const CHUNK = 500;

export const pruneCommand: Command = {
  name: 'prune',
  summary: 'Delete history whose time is over, now',
  examples: [
    ['kuber-cron prune', 'what a daemon does by and by'],
    ['kuber-cron prune --dry-run', 'only say how much'],
  ],
  operands: '',
  options: {
    'dry-run': { type: 'boolean', help: 'say how many, and delete nothing' },
    store: OPTION.store,
  },
  notes: `How long runs are kept is written down when they end, as their daemon was told: \`--keep-history\` and \`--keep-failures\`.
DynamoDB deletes from a table by itself.
Exit code: 0 fine, 2 wrong usage, 3 there is no store, or it cannot be read.`,

  async run(invocation, io) {
    if (invocation.operands.length > 0)
      throw new UsageError('`prune` takes no operand: it deletes what is over of all jobs');
    return await withStore(invocation, async (store, { table }) => {
      if (table !== undefined) {
        io.stdout.write(
          `nothing to do: DynamoDB deletes by itself what is over, within days, and until then nothing shows it\n`,
        );
        return EXIT.fine;
      }
      const at = now(io);
      if (isSet(invocation, 'dry-run')) {
        io.stdout.write(`${counted(await store.expired(at))} would be deleted\n`);
        return EXIT.fine;
      }
      const progress = new Progress(io);
      let count = 0;
      for (;;) {
        const deleted = await store.prune(at, CHUNK);
        count += deleted;
        if (deleted < CHUNK) break;
        progress.show(`${count} runs are deleted …`);
      }
      progress.clear();
      io.stdout.write(count === 0 ? 'nothing to delete\n' : `deleted ${counted(count)}\n`);
      return EXIT.fine;
    });
  },
};

function counted(count: number): string {
  return `${count} ${count === 1 ? 'run' : 'runs'}`;
}
