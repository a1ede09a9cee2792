/** `find-leftovers.ts OWNER` prints what is found of an owner, as JSON. */
import { findLeftovers } from '../../shared/adapters/leftovers.ts';

console.log(JSON.stringify(await findLeftovers(({ owner }) => owner === process.argv[2])));
