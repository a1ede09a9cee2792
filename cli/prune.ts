import { type Command, EXIT, OPTION, UsageError } from '../shared/adapters/command-line.ts';
import { Progress } from './progress.ts';
import { now } from './sources.ts';
import { withStore } from './stores.ts';

/** Rows that are deleted at once: a daemon that wants to write in between must not wait. */
const CHUNK = 500;

export const pruneCommand: Command = {
  name: 'prune',
  summary: 'Delete history whose time is over, now',
  examples: [['kuber-cron prune', 'what a daemon does by and by']],
  operands: '',
  options: { store: OPTION.store },
  notes: `How long runs are kept is written down when they end, as their daemon was told: \`--keep-history\` and \`--keep-failures\`.
Exit code: 0 fine, 2 wrong usage, 3 there is no store, or it cannot be read.`,

  async run(invocation, io) {
    if (invocation.operands.length > 0)
      throw new UsageError('`prune` takes no operand: it deletes what is over of all jobs');
    return await withStore(invocation, async (store) => {
      const at = now(io);
      const progress = new Progress(io);
      let count = 0;
      for (;;) {
        const deleted = await store.prune(at, CHUNK);
        count += deleted;
        if (deleted < CHUNK) break;
        progress.show(`${count} runs are deleted …`);
      }
      progress.clear();
      io.stdout.write(
        count === 0 ? 'nothing to delete\n' : `${count} ${count === 1 ? 'run is' : 'runs are'} deleted\n`,
      );
      return EXIT.fine;
    });
  },
};
