import { createHmac } from 'node:crypto';
import { readName } from '../core/crontab/values.ts';
import {
  DEFAULT_CHANNEL,
  type Notification,
  type NotificationChannels,
  payload,
  type SendResult,
} from '../core/notify/notification.ts';
import type { EpochMs } from '../core/schedule/zone-table.ts';
import { CommandError } from './command-line.ts';

const URL_VARIABLE = 'KUBERCRON_WEBHOOK_URL';
const SECRET_VARIABLE = 'KUBERCRON_WEBHOOK_SECRET';
const PREFIX = 'KUBERCRON_WEBHOOK_';

/** From the request to the head of the answer. Milliseconds. */
const TIMEOUT_MS = 10_000;
/** Shorter keys can be found by trying. Bytes. @see https://www.standardwebhooks.com */
const SHORTEST_KEY = 24;
/** Refusals that may pass: time-out, too early, too many requests. */
const PASSING_REFUSALS = [408, 425, 429];

interface Channel {
  /** Without credentials, which `fetch` takes in no address. */
  readonly url: string;
  /** Scheme, host and port: the rest of a webhook's address is a secret. */
  readonly shown: string;
  readonly authorization?: string;
  /** Without one, nothing is signed. */
  readonly key?: Uint8Array;
}

/** What there is to say about the addresses when they are read; holds no secret. */
export interface ChannelFinding {
  readonly kind: 'note' | 'warning';
  readonly message: string;
}

/** Sends notifications by POST, signed as Standard Webhooks says. @see https://www.standardwebhooks.com */
export class WebhookChannels implements NotificationChannels {
  readonly #channels: ReadonlyMap<string, Channel>;
  readonly #timeoutMs: number;
  readonly findings: readonly ChannelFinding[];

  /**
   * Reads `KUBERCRON_WEBHOOK_URL` and `KUBERCRON_WEBHOOK_SECRET`, and those of other channels with `_NAME` behind; a
   * variable that is empty is not set.
   *
   * @throws CommandError with every variable that is wrong, and without its value
   */
  constructor(
    env: Readonly<Record<string, string | undefined>>,
    { timeoutMs = TIMEOUT_MS }: { readonly timeoutMs?: number } = {},
  ) {
    this.#timeoutMs = timeoutMs;
    const { channels, findings, errors } = readChannels(env);
    if (errors.length > 0) throw new CommandError(errors.join('; '));
    this.#channels = channels;
    this.findings = findings;
  }

  /** Whether the channel has an address. */
  has(channel: string): boolean {
    return this.#channels.has(channel);
  }

  async send(notification: Notification, at: EpochMs, signal: AbortSignal): Promise<SendResult> {
    const channel = this.#channels.get(notification.channel);
    if (channel === undefined) {
      const problem = `no address; set \`${addressVariable(notification.channel)}\``;
      return { outcome: 'failed', problem };
    }
    const { url, shown, authorization, key } = channel;
    const { id } = notification;
    const timestamp = Math.floor(at / 1000);
    const body = JSON.stringify(payload(notification));
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    try {
      const response = await fetch(url, {
        method: 'POST',
        body,
        redirect: 'manual',
        signal: AbortSignal.any([signal, timeout]),
        headers: {
          'content-type': 'application/json',
          'user-agent': 'kuber-cron',
          'webhook-id': id,
          'webhook-timestamp': String(timestamp),
          ...(key === undefined ? {} : { 'webhook-signature': signature(key, id, timestamp, body) }),
          ...(authorization === undefined ? {} : { authorization }),
        },
      });
      // Nobody reads it, and it may be endless.
      await response.body?.cancel().catch(() => {});
      return resultOf(response, shown, at);
    } catch (error) {
      const why = timeout.aborted ? `no answer in ${this.#timeoutMs / 1000}s` : networkProblem(error);
      return { outcome: 'failed', problem: `${shown}: ${why}` };
    }
  }
}

/** Value of the header `webhook-signature`. @param timestamp seconds since the epoch */
export function signature(key: Uint8Array, id: string, timestamp: number, body: string): string {
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
}

/** The variable that a channel's address comes from: `KUBERCRON_WEBHOOK_URL_OPS_TEAM` for `ops-team`. */
export function addressVariable(channel: string): string {
  return variableOf(URL_VARIABLE, channel);
}

function variableOf(variable: string, channel: string): string {
  return channel === DEFAULT_CHANNEL ? variable : `${variable}_${channel.toUpperCase().replaceAll('-', '_')}`;
}

interface ReadChannels {
  readonly channels: ReadonlyMap<string, Channel>;
  readonly findings: readonly ChannelFinding[];
  /** One sentence each. */
  readonly errors: readonly string[];
}

function readChannels(env: Readonly<Record<string, string | undefined>>): ReadChannels {
  const channels = new Map<string, Channel>();
  const findings: ChannelFinding[] = [];
  const errors: string[] = [];
  for (const name of Object.keys(env)
    .filter((one) => one.startsWith(PREFIX))
    .sort()) {
    if (settingOf(env, name) === '') continue;
    const [, variable, suffix] = /^(KUBERCRON_WEBHOOK_(?:URL|SECRET))(?:_(.*))?$/s.exec(name) ?? [];
    if (variable === undefined) {
      const message = `\`${name}\` has no meaning; the variables are \`${URL_VARIABLE}\` and \`${SECRET_VARIABLE}\`, and those of a channel with its name behind, such as \`${URL_VARIABLE}_OPS\``;
      findings.push({ kind: 'warning', message });
      continue;
    }
    const channel = suffix === undefined ? DEFAULT_CHANNEL : channelOf(suffix);
    if (channel === undefined || variableOf(variable, channel) !== name) {
      const example = `\`${variable}_OPS_TEAM\` for \`notify=ops-team\``;
      errors.push(`\`${name}\` names no channel; write its name in capitals, such as ${example}`);
      continue;
    }
    if (variable === URL_VARIABLE) {
      const read = readChannel(env, name, variableOf(SECRET_VARIABLE, channel), channel);
      findings.push(...read.findings);
      errors.push(...read.errors);
      if (read.channel !== undefined) channels.set(channel, read.channel);
    } else if (settingOf(env, addressVariable(channel)) === '') {
      const message = `\`${name}\` signs nothing: \`${addressVariable(channel)}\` is not set`;
      findings.push({ kind: 'warning', message });
    }
  }
  return { channels, findings, errors };
}

/** Empty when it is not set. What is read from a file often ends in a newline that is no part of it. */
function settingOf(env: Readonly<Record<string, string | undefined>>, name: string): string {
  return env[name]?.trim() ?? '';
}

function channelOf(suffix: string): string | undefined {
  const name = readName(suffix.toLowerCase().replaceAll('_', '-'));
  // The default channel has one spelling.
  return name.ok && name.value !== DEFAULT_CHANNEL ? name.value : undefined;
}

function readChannel(
  env: Readonly<Record<string, string | undefined>>,
  urlVariable: string,
  secretVariable: string,
  name: string,
): { channel?: Channel; findings: ChannelFinding[]; errors: string[] } {
  const findings: ChannelFinding[] = [];
  const errors: string[] = [];
  const secret = settingOf(env, secretVariable);
  const key = secret === '' ? undefined : keyOf(secret);
  if (secret !== '' && key === undefined) {
    errors.push(`\`${secretVariable}\` begins with \`whsec_\`, but what follows is no base64; copy it again`);
  } else if (key !== undefined && key.length < SHORTEST_KEY) {
    const message = `\`${secretVariable}\` has ${key.length} bytes, which can be guessed; take ${SHORTEST_KEY} or more, such as from \`openssl rand -base64 32\``;
    findings.push({ kind: 'warning', message });
  }
  const address = settingOf(env, urlVariable);
  if (!/^https?:/i.test(address) || !URL.canParse(address)) {
    const why = /^https?:/i.test(address) ? 'it is no URL' : 'it begins with neither';
    errors.push(
      `\`${urlVariable}\` takes an address with \`https://\` or \`http://\`, such as \`https://example.com/hooks/cron\`; ${why} (it is not shown, for it may hold a secret)`,
    );
    return { findings, errors };
  }
  const url = new URL(address);
  const shown = url.origin;
  const { username, password } = url;
  url.username = '';
  url.password = '';
  const message = `notifications of channel \`${name}\` go to ${shown} unsigned; \`${secretVariable}\` sets a secret`;
  if (secret === '') findings.push({ kind: 'note', message });
  const channel: Channel = {
    ...{ url: url.href, shown },
    ...(username === '' && password === '' ? {} : { authorization: basicAuthorization(username, password) }),
    ...(key === undefined ? {} : { key }),
  };
  return { channel, findings, errors };
}

/** `whsec_` and base64 as the specification has it, or any text. Undefined when it is neither. */
function keyOf(secret: string): Uint8Array | undefined {
  if (!secret.startsWith('whsec_')) return Buffer.from(secret);
  const base64 = secret.slice('whsec_'.length);
  // Buffer leaves out what is no base64, and would sign with another key than the receiver's.
  return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/.test(base64) &&
    base64 !== ''
    ? Buffer.from(base64, 'base64')
    : undefined;
}

function basicAuthorization(username: string, password: string): string {
  const credentials = `${decoded(username)}:${decoded(password)}`;
  return `Basic ${Buffer.from(credentials).toString('base64')}`;
}

/** Credentials of a URL are percent-encoded, but for a stray `%` that nobody encoded. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function resultOf({ status, headers }: Response, shown: string, at: EpochMs): SendResult {
  if (status >= 200 && status < 300) return { outcome: 'sent' };
  const isRedirect = status >= 300 && status < 400;
  const problem = `${shown} answered ${status}${isRedirect ? ', a redirect, which is not followed' : ''}`;
  if (status >= 400 && status < 500 && !PASSING_REFUSALS.includes(status)) {
    return { outcome: 'refused', problem };
  }
  const retryAfterMs = retryAfter(headers.get('retry-after'), at);
  return { outcome: 'failed', problem, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

/** Seconds, or a date. @see RFC 9110 section 10.2.3 */
function retryAfter(value: string | null, at: EpochMs): number | undefined {
  if (value === null) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - at;
  return ms > 0 ? ms : undefined;
}

/** Why there is no answer. Only what the network says: messages of `fetch` itself may hold the address. */
function networkProblem(error: unknown): string {
  const { cause } = error as { readonly cause?: { readonly code?: unknown; readonly message?: unknown } };
  if (typeof cause?.code === 'string') return `no answer (${cause.code})`;
  return typeof cause?.message === 'string' ? `no answer (${cause.message})` : 'the request failed';
}
