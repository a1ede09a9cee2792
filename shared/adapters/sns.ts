import { PublishCommand, type PublishCommandInput, SNSClient } from '@aws-sdk/client-sns';
import {
  type Notification,
  type NotificationChannels,
  payload,
  type SendResult,
} from '../core/notify/notification.ts';
import { crontabOf, jobNameOf } from '../core/run/run-id.ts';
import type { EpochMs } from '../core/schedule/zone-table.ts';
import { AWS_CLIENT } from './aws-error.ts';
import { awsFault } from './aws-fault.ts';

/** Longest subject of a message, in ASCII. @see https://docs.aws.amazon.com/sns/latest/api/API_Publish.html */
const SUBJECT_MAX_LENGTH = 100;

/** Answers to a message that stay the same however often it is sent. */
const REFUSALS = ['InvalidParameterException', 'InvalidParameterValueException', 'ValidationException'];

/**
 * Sends notifications to one topic: the body is that of a webhook, and filter policies of subscriptions tell channels
 * apart by the attributes `crontab`, `job`, `kind` and `channel`.
 */
export class SnsChannels implements NotificationChannels {
  readonly #topic: string;
  readonly #client: SNSClient;

  /** @param topic its ARN @param client one with region, endpoint and credentials from the environment where left out */
  constructor(topic: string, client: SNSClient = new SNSClient(AWS_CLIENT)) {
    this.#topic = topic;
    this.#client = client;
  }

  async send(notification: Notification, _at: EpochMs, signal: AbortSignal): Promise<SendResult> {
    try {
      const input = messageOf(notification);
      await this.#client.send(new PublishCommand({ TopicArn: this.#topic, ...input }), {
        abortSignal: signal,
      });
      return { outcome: 'sent' };
    } catch (error) {
      const { what, help } = awsFault(error as Error, {
        service: 'SNS',
        action: 'sns:Publish',
        resources: 'the topic',
        endpointVariable: 'AWS_ENDPOINT_URL_SNS',
      });
      const isRefused = REFUSALS.includes((error as Error).name);
      return { outcome: isRefused ? 'refused' : 'failed', problem: `${this.#topic}: ${what}; ${help}` };
    }
  }
}

/** Subscribers by e-mail get subject and body as they are. */
export function messageOf(
  notification: Notification,
): Pick<PublishCommandInput, 'Subject' | 'Message' | 'MessageAttributes'> {
  const { jobId, kind, channel } = notification;
  const body = payload(notification);
  const attribute = (StringValue: string) => ({ DataType: 'String', StringValue });
  return {
    Subject: subjectOf(body.text),
    Message: JSON.stringify(body, null, 2),
    MessageAttributes: {
      crontab: attribute(crontabOf(jobId)),
      job: attribute(jobNameOf(jobId)),
      kind: attribute(kind),
      channel: attribute(channel),
    },
  };
}

function subjectOf(text: string): string {
  const ascii = text.replaceAll(/[^\x20-\x7e]/g, '?');
  return ascii.length <= SUBJECT_MAX_LENGTH ? ascii : `${ascii.slice(0, SUBJECT_MAX_LENGTH - 3)}...`;
}
