/** Crontabs on AWS, as a construct of the CDK. */
export { Executor } from './executor.ts';
export { InputError } from './input-error.ts';
export { KuberCron } from './kuber-cron.ts';
export type { KuberCronProps } from './kuber-cron-props.ts';
