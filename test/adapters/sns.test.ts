import type { SNSClient } from '@aws-sdk/client-sns';
import { describe, expect, test } from '@jest/globals';
import { messageOf, SnsChannels } from '../../shared/adapters/sns.ts';
import { type Notification, payload } from '../../shared/core/notify/notification.ts';

const TOPIC = 'arn:aws:sns:eu-central-1:123456789012:shop';
const DUE = Date.parse('2026-03-29T01:30Z');
const notification: Notification = {
  ...{ id: 'shop/nightly-backup/2026-03-29T01:30Z/failed/1', channel: 'ops', kind: 'failed' },
  ...{ jobId: 'shop/nightly-backup', runId: '2026-03-29T01:30Z', scheduledTime: DUE, status: 'failed' },
  ...{ reason: 'exit-code', exitCode: 3, attempts: 4, since: DUE, at: DUE + 60_000, tries: 0 },
};
const signal = new AbortController().signal;

/** A client that answers every request so. */
function clientThat(answer: (input: unknown) => unknown): SNSClient {
  return { send: async (command: { input: unknown }) => answer(command.input) } as unknown as SNSClient;
}

const failing = (name: string, message: string, fields: object = {}) =>
  clientThat(() => {
    throw Object.assign(new Error(message), { name, ...fields });
  });

test('a notification is sent to the topic: body of a webhook, attributes for filter policies', async () => {
  const sent: unknown[] = [];
  const channels = new SnsChannels(
    TOPIC,
    clientThat((input) => sent.push(input)),
  );
  expect(await channels.send(notification, DUE, signal)).toStrictEqual({ outcome: 'sent' });
  const attribute = (StringValue: string) => ({ DataType: 'String', StringValue });
  expect(sent).toStrictEqual([
    {
      TopicArn: TOPIC,
      Subject: 'shop/nightly-backup failed (exit code 3) after 4 attempts; due 2026-03-29T01:30Z',
      Message: JSON.stringify(payload(notification), null, 2),
      MessageAttributes: {
        crontab: attribute('shop'),
        job: attribute('nightly-backup'),
        kind: attribute('failed'),
        channel: attribute('ops'),
      },
    },
  ]);
});

describe('a subject', () => {
  test('is cut to a hundred characters', () => {
    const { Subject = '' } = messageOf({ ...notification, jobId: `shop/${'long-name-'.repeat(9)}x` });
    expect([Subject.length, Subject.slice(-3)]).toStrictEqual([100, '...']);
  });

  test('has no character that the service refuses', () => {
    expect(messageOf({ ...notification, jobId: 'shop/b\u00fccher\n' }).Subject).toMatch(
      /^shop\/b\?cher\? failed/,
    );
  });
});

test.each([
  [
    'is tried again when the topic may not be used yet',
    failing('AuthorizationErrorException', 'no'),
    'failed',
    /^arn:.*: sns:Publish/,
  ],
  [
    'is tried again when access is denied',
    failing('AccessDeniedException', 'no'),
    'failed',
    /allow sns:Publish on the topic/,
  ],
  [
    'is tried again when the service is busy',
    failing('ThrottlingException', 'slow'),
    'failed',
    /SNS is asked too often/,
  ],
  [
    'is tried again when it cannot be reached',
    failing('Error', 'connect', { code: 'ECONNREFUSED' }),
    'failed',
    /SNS cannot be reached .*AWS_ENDPOINT_URL_SNS/,
  ],
  [
    'is given up when the service refuses it',
    failing('InvalidParameterException', 'Subject'),
    'refused',
    /^arn:/,
  ],
] as const)('a notification %s', async (_what, client, outcome, problem) => {
  const result = await new SnsChannels(TOPIC, client).send(notification, DUE, signal);
  expect(result).toMatchObject({ outcome, problem: expect.stringMatching(problem) });
});
