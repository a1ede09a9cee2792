import { App, Stack } from 'aws-cdk-lib';
import { CfnSchedule } from 'aws-cdk-lib/aws-scheduler';

/** What the CDK itself costs: so many schedules in so many stacks, all the same but for their names. */
const [schedules = '0', stacks = '1'] = process.argv.slice(2);
const app = new App();
const perStack = Math.ceil(Number(schedules) / Number(stacks));
for (let number = 0; number < Number(stacks); number++) {
  const stack = new Stack(app, `Schedules${number}`, { suppressTemplateIndentation: true });
  for (let n = number * perStack; n < Math.min((number + 1) * perStack, Number(schedules)); n++) {
    new CfnSchedule(stack, `Schedule${n}`, {
      name: `shop--job-${n}--0`,
      groupName: 'kuber-cron',
      description: '30 2 * * * Europe/Berlin',
      scheduleExpression: 'cron(30 2 * * ? *)',
      scheduleExpressionTimezone: 'Europe/Berlin',
      flexibleTimeWindow: { mode: 'OFF' },
      state: 'ENABLED',
      target: {
        arn: 'arn:aws:lambda:eu-central-1:123456789012:function:kuber-cron-executor-512',
        roleArn: 'arn:aws:iam::123456789012:role/kuber-cron-scheduler',
        input: '{"crontab":"shop","scheduledTime":"<aws.scheduler.scheduled-time>"}',
        retryPolicy: { maximumEventAgeInSeconds: 3660, maximumRetryAttempts: 185 },
        deadLetterConfig: { arn: 'arn:aws:sqs:eu-central-1:123456789012:kuber-cron-dead-letters' },
      },
    });
  }
}
app.synth();
