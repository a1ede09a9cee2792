import { App } from 'aws-cdk-lib';
import { deployFromContext } from './from-context.ts';
import { InputError } from './input-error.ts';

// Else the CDK would synthesize whatever there is when the process ends, after an error too.
const app = new App({ autoSynth: false });
try {
  deployFromContext(app);
  app.synth();
} catch (error) {
  if (!(error instanceof InputError)) throw error;
  process.stderr.write(`kuber-cron: ${error.message}\n`);
  process.exitCode = 1;
}
