import { CommandError } from '../shared/adapters/command-line.ts';
import { nearest } from '../shared/core/nearest.ts';
import { jobNameOf } from '../shared/core/run/run-id.ts';

/** Names that a message lists. */
const MOST_LISTED = 8;

/**
 * The id of the job that a person names: by its name, or as `crontab/name`.
 *
 * @throws CommandError with the nearest name, or with the names that there are
 */
export function pickJob(jobIds: Iterable<string>, wanted: string): string {
  const known = [...new Set(jobIds)];
  if (known.includes(wanted)) return wanted;
  const found = known.filter((jobId) => jobNameOf(jobId) === wanted);
  if (found.length > 1)
    throw new CommandError(`several crontabs have a job \`${wanted}\`: name one of ${found.join(', ')}`);
  if (found[0] !== undefined) return found[0];
  const names = wanted.includes('/') ? known : [...new Set(known.map(jobNameOf))];
  const near = nearest(wanted, names) ?? names.find((name) => wanted !== '' && name.startsWith(wanted));
  const more = names.length - MOST_LISTED;
  const others =
    names.length === 0
      ? 'there is none at all'
      : `there are ${names.slice(0, MOST_LISTED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  throw new CommandError(
    `there is no job \`${wanted}\`; ${near === undefined ? others : `did you mean \`${near}\`?`}`,
  );
}
