/** `spool-result.ts FOLDER FINISH` keeps a result, and prints `kept` or why not. */
import { ResultSpool } from '../../shared/adapters/result-spool.ts';
import type { Finish } from '../../shared/core/run/run-store.ts';

const [folder = '', finish = ''] = process.argv.slice(2);
try {
  new ResultSpool(folder).put(JSON.parse(finish) as Finish);
  console.log('kept');
} catch (error) {
  console.log((error as Error).message);
}
