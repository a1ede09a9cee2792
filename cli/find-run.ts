import { CommandError } from '../shared/adapters/command-line.ts';
import { nearest } from '../shared/core/nearest.ts';
import type { Run } from '../shared/core/run/run.ts';
import type { RunStore } from '../shared/core/run/run-store.ts';

/** Newest runs of a job among which the beginning of an id is looked for. */
const MOST_LOOKED_AT = 1000;
/** Ids that a message lists. */
const MOST_LISTED = 4;

/**
 * The run that a person names: by its id, or by a beginning that only one of the job's latest runs has.
 *
 * @throws CommandError with the runs that it may be
 */
export async function findRun(
  store: Pick<RunStore, 'run' | 'runs'>,
  jobId: string,
  wanted: string,
): Promise<Run> {
  const exact = await store.run(jobId, wanted);
  if (exact !== undefined) return exact;
  const known = await store.runs({ jobId, limit: MOST_LOOKED_AT });
  const found = known.filter(({ runId }) => wanted !== '' && runId.startsWith(wanted));
  if (found.length === 1) return found[0] as Run;
  const ids = (found.length === 0 ? known : found).map(({ runId }) => runId);
  const list = ids
    .slice(0, MOST_LISTED)
    .map((id) => `\`${id}\``)
    .join(', ');
  const more = ids.length > MOST_LISTED ? ` and ${ids.length - MOST_LISTED} more` : '';
  if (found.length > 1)
    throw new CommandError(`several runs of \`${jobId}\` begin with \`${wanted}\`: ${list}${more}`);
  const near = nearest(wanted, ids);
  const others =
    ids.length === 0
      ? 'it has not run yet'
      : near === undefined
        ? `the latest are ${list}`
        : `did you mean \`${near}\`?`;
  throw new CommandError(`\`${jobId}\` has no run \`${wanted}\`; ${others}`);
}
