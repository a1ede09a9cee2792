import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer as createSocketServer } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { addressVariable, signature, WebhookChannels } from '../../shared/adapters/webhook.ts';
import { type Notification, payload } from '../../shared/core/notify/notification.ts';

const AT = Date.parse('2026-03-29T01:42:09.999Z');
const DUE = Date.parse('2026-03-29T01:30Z');
const FAILED: Notification = {
  id: 'shop/nightly-backup/2026-03-29T01:30Z/failed/1774748527315',
  channel: 'default',
  kind: 'failed',
  jobId: 'shop/nightly-backup',
  runId: '2026-03-29T01:30Z',
  scheduledTime: DUE,
  status: 'failed',
  reason: 'exit-code',
  exitCode: 3,
  attempts: 4,
  since: DUE,
  at: Date.parse('2026-03-29T01:42:07.315Z'),
  tries: 0,
};
const BODY = JSON.stringify(payload(FAILED));
const NEVER = new AbortController().signal;

const opened: Server[] = [];
afterEach(async () => {
  await Promise.all(
    opened.splice(0).map(async (server) => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    }),
  );
});

interface Got {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A receiver on loopback that keeps what it gets. */
async function receiver(answer: RequestListener): Promise<{ origin: string; host: string; got: Got[] }> {
  const got: Got[] = [];
  const server = createServer(async (request, response) => {
    const chunks = await request.setEncoding('utf8').toArray();
    const { method, url: path, headers } = request;
    got.push({ method, path, headers, body: chunks.join('') });
    answer(request, response);
  });
  opened.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { origin: `http://${host}`, host, got };
}

/** Answers with a status and no body. */
function status(code: number, headers: Record<string, string> = {}): RequestListener {
  return (_request, response) => void response.writeHead(code, headers).end();
}

/** The signature by another implementation of HMAC than the one under test. */
function expectedSignature(key: Uint8Array, id: string, timestamp: string, body: string): string {
  const mac = hmac(sha256, key, new TextEncoder().encode(`${id}.${timestamp}.${body}`));
  return `v1,${Buffer.from(mac).toString('base64')}`;
}

// The published example of the specification's libraries.
const VECTOR = {
  secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  key: Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64'),
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  timestamp: 1614265330,
  body: '{"test": 2432232314}',
  signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
};

describe('a signature', () => {
  const { key, id, timestamp, body } = VECTOR;
  test('is the one that Standard Webhooks gives as an example', () => {
    expect([
      signature(key, id, timestamp, body),
      expectedSignature(key, id, String(timestamp), body),
    ]).toEqual([VECTOR.signature, VECTOR.signature]);
  });

  // RFC 4231, test case 2, with the dots of the scheme.
  test.each<[key: string, id: string, body: string]>([
    ['Jefe', 'what do ya want', 'for nothing?'],
    ['é'.repeat(40), 'id', 'café ☕'],
    ['k'.repeat(200), '', ''],
  ])('by %j of %j and %j is that of another implementation', (text, messageId, message) => {
    const bytes = Buffer.from(text);
    expect(signature(bytes, messageId, 0, message)).toBe(expectedSignature(bytes, messageId, '0', message));
  });
});

describe('a notification is sent', () => {
  const RAW_SECRET = 'correct horse battery staple';
  test.each<[what: string, secret: string | undefined, key: Uint8Array | undefined]>([
    ['signed by a secret in base64', VECTOR.secret, VECTOR.key],
    ['signed by a secret of any text', RAW_SECRET, Buffer.from(RAW_SECRET)],
    ['signed by a secret from a file with a newline at its end', `${RAW_SECRET}\n`, Buffer.from(RAW_SECRET)],
    ['unsigned without a secret', undefined, undefined],
  ])('%s, with the headers of the specification', async (_what, secret, key) => {
    const { origin, host, got } = await receiver(status(204));
    const channels = new WebhookChannels({
      KUBERCRON_WEBHOOK_URL: `${origin}/hooks/T0KEN?key=s3cret`,
      KUBERCRON_WEBHOOK_SECRET: secret,
    });
    expect(await channels.send(FAILED, AT, NEVER)).toEqual({ outcome: 'sent' });
    const timestamp = String(Math.floor(AT / 1000));
    const [first] = got;
    const ours = Object.entries(first?.headers ?? {}).filter(([name]) =>
      /^(webhook-|content-type|host|user-agent|authorization)/.test(name),
    );
    expect({ ...first, headers: Object.fromEntries(ours) }).toEqual({
      method: 'POST',
      path: '/hooks/T0KEN?key=s3cret',
      headers: {
        host,
        'content-type': 'application/json',
        'user-agent': 'kuber-cron',
        'webhook-id': FAILED.id,
        'webhook-timestamp': timestamp,
        ...(key === undefined
          ? {}
          : { 'webhook-signature': expectedSignature(key, FAILED.id, timestamp, BODY) }),
      },
      body: BODY,
    });
    expect(got).toHaveLength(1);
  });

  test.each<[userinfo: string, credentials: string]>([
    ['cron:hunter2', 'cron:hunter2'],
    ['cron', 'cron:'],
    ['c%40cme:p%3Ass%2F', 'c@cme:p:ss/'],
    ['cron:100%', 'cron:100%'],
  ])('with credentials %s of its address as basic authentication', async (userinfo, credentials) => {
    const { host, got } = await receiver(status(200));
    const channels = new WebhookChannels({ KUBERCRON_WEBHOOK_URL: `http://${userinfo}@${host}/` });
    expect(await channels.send(FAILED, AT, NEVER)).toEqual({ outcome: 'sent' });
    const sent = got.map(({ headers }) => headers.authorization);
    expect(sent).toEqual([`Basic ${Buffer.from(credentials).toString('base64')}`]);
  });

  test('to the address of its channel', async () => {
    const [ordinary, ops] = [await receiver(status(200)), await receiver(status(200))];
    const channels = new WebhookChannels({
      KUBERCRON_WEBHOOK_URL: ordinary.origin,
      KUBERCRON_WEBHOOK_URL_OPS_TEAM: ops.origin,
    });
    await channels.send(FAILED, AT, NEVER);
    await channels.send({ ...FAILED, id: 'other', channel: 'ops-team' }, AT, NEVER);
    const ids = [ordinary, ops].map(({ got }) => got.map(({ headers }) => headers['webhook-id']));
    expect(ids).toEqual([[FAILED.id], ['other']]);
  });
});

describe('an answer', () => {
  const patience = Math.floor(AT / 1000) * 1000 + 90_000;
  test.each<[code: number, headers: Record<string, string>, result: object]>([
    [200, {}, { outcome: 'sent' }],
    [202, {}, { outcome: 'sent' }],
    [299, {}, { outcome: 'sent' }],
    [
      302,
      { location: '/elsewhere' },
      { outcome: 'failed', problem: 'answered 302, a redirect, which is not followed' },
    ],
    [
      308,
      { location: '/elsewhere' },
      { outcome: 'failed', problem: 'answered 308, a redirect, which is not followed' },
    ],
    [400, {}, { outcome: 'refused', problem: 'answered 400' }],
    [401, {}, { outcome: 'refused', problem: 'answered 401' }],
    [404, { 'retry-after': '5' }, { outcome: 'refused', problem: 'answered 404' }],
    [408, {}, { outcome: 'failed', problem: 'answered 408' }],
    [410, {}, { outcome: 'refused', problem: 'answered 410' }],
    [425, {}, { outcome: 'failed', problem: 'answered 425' }],
    [429, { 'retry-after': '120' }, { outcome: 'failed', problem: 'answered 429', retryAfterMs: 120_000 }],
    [500, {}, { outcome: 'failed', problem: 'answered 500' }],
    [503, { 'retry-after': '0' }, { outcome: 'failed', problem: 'answered 503' }],
    [503, { 'retry-after': 'soon' }, { outcome: 'failed', problem: 'answered 503' }],
    [503, { 'retry-after': '-5' }, { outcome: 'failed', problem: 'answered 503' }],
    [
      503,
      { 'retry-after': new Date(patience).toUTCString() },
      { outcome: 'failed', problem: 'answered 503', retryAfterMs: patience - AT },
    ],
    [503, { 'retry-after': new Date(0).toUTCString() }, { outcome: 'failed', problem: 'answered 503' }],
  ])('of %d with %j is %j, and asks once', async (code, headers, result) => {
    const { origin, got } = await receiver(status(code, headers));
    const channels = new WebhookChannels({ KUBERCRON_WEBHOOK_URL: `${origin}/T0KEN` });
    const { problem, ...rest } = result as { problem?: string };
    expect(await channels.send(FAILED, AT, NEVER)).toEqual({
      ...rest,
      ...(problem === undefined ? {} : { problem: `${origin} ${problem}` }),
    });
    expect(got.map(({ path }) => path)).toEqual(['/T0KEN']);
  });

  test('of 500 and then 200 is a failed try and a sent one, of the same id and body, signed anew', async () => {
    const codes = [500, 200];
    const { origin, got } = await receiver((_request, response) => {
      response.writeHead(codes.shift() ?? 418).end();
    });
    const channels = new WebhookChannels({
      KUBERCRON_WEBHOOK_URL: origin,
      KUBERCRON_WEBHOOK_SECRET: VECTOR.secret,
    });
    const outcomes = [
      (await channels.send(FAILED, AT, NEVER)).outcome,
      (await channels.send({ ...FAILED, tries: 1 }, AT + 15_000, NEVER)).outcome,
    ];
    expect(outcomes).toEqual(['failed', 'sent']);
    const seconds = [Math.floor(AT / 1000), Math.floor(AT / 1000) + 15].map(String);
    expect(
      got.map(({ headers, body }) => [headers['webhook-id'], headers['webhook-signature'], body]),
    ).toEqual(seconds.map((one) => [FAILED.id, expectedSignature(VECTOR.key, FAILED.id, one, BODY), BODY]));
  });

  test('whose body never ends is an answer all the same, and its connection is ended', async () => {
    const closed = Promise.withResolvers<void>();
    const { origin } = await receiver((_request, response) => {
      response.on('close', () => closed.resolve());
      response.writeHead(200).write('and');
    });
    const channels = new WebhookChannels({ KUBERCRON_WEBHOOK_URL: origin });
    expect(await channels.send(FAILED, AT, NEVER)).toEqual({ outcome: 'sent' });
    await closed.promise;
  });
});

describe('no answer', () => {
  const TOKEN = 'T0KEN';
  const send = (origin: string, signal = NEVER, options = {}) =>
    new WebhookChannels({ KUBERCRON_WEBHOOK_URL: `${origin}/${TOKEN}` }, options).send(FAILED, AT, signal);

  test('in time is a failed try', async () => {
    const { origin } = await receiver(() => {});
    expect(await send(origin, NEVER, { timeoutMs: 100 })).toEqual({
      outcome: 'failed',
      problem: `${origin}: no answer in 0.1s`,
    });
  });

  test('because nobody listens is a failed try', async () => {
    const server = createSocketServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.close();
    await once(server, 'close');
    expect(await send(origin)).toEqual({ outcome: 'failed', problem: `${origin}: no answer (ECONNREFUSED)` });
  });

  test('because the receiver hangs up is a failed try', async () => {
    const { origin } = await receiver((request) => void request.socket.destroy());
    expect(await send(origin)).toEqual({
      outcome: 'failed',
      problem: `${origin}: no answer (UND_ERR_SOCKET)`,
    });
  });

  test('because what answers speaks no HTTP is a failed try', async () => {
    const server = createSocketServer((socket) =>
      socket
        .on('error', () => {})
        .resume()
        .end('220 mail.example.com ESMTP\r\n'),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const result = await send(origin);
    server.close();
    await once(server, 'close');
    expect(result).toEqual({
      outcome: 'failed',
      problem: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+: no answer \(Response does not match /),
    });
  });

  test('because the try is cut off is a failed try', async () => {
    const cut = new AbortController();
    const { origin } = await receiver(() => cut.abort());
    expect(await send(origin, cut.signal)).toEqual({
      outcome: 'failed',
      problem: `${origin}: the request failed`,
    });
  });

  test('because the channel has no address is a failed try, and names the variable', async () => {
    const channels = new WebhookChannels({});
    expect(await channels.send({ ...FAILED, channel: 'ops-team' }, AT, NEVER)).toEqual({
      outcome: 'failed',
      problem: 'no address; set `KUBERCRON_WEBHOOK_URL_OPS_TEAM`',
    });
  });
});

describe('the variables', () => {
  const LONG = 'x'.repeat(24);
  const note = (channel: string, shown: string, variable: string) => ({
    kind: 'note',
    message: `notifications of channel \`${channel}\` go to ${shown} unsigned; \`${variable}\` sets a secret`,
  });
  const warning = (message: string) => ({ kind: 'warning', message });

  test.each<[env: Record<string, string | undefined>, channels: string[], findings: object[]]>([
    [{}, [], []],
    [{ PATH: '/bin', KUBERCRON_WEBHOOK_URL: undefined, KUBERCRON_WEBHOOK_SECRET: '' }, [], []],
    [{ KUBERCRON_WEBHOOK_URL: ' ' }, [], []],
    [{ KUBERCRON_WEBHOOK_URL: 'https://example.com/x', KUBERCRON_WEBHOOK_SECRET: LONG }, ['default'], []],
    [
      { KUBERCRON_WEBHOOK_URL: 'https://user:hunter2@example.com:8443/hooks/T0KEN?key=s3cret' },
      ['default'],
      [note('default', 'https://example.com:8443', 'KUBERCRON_WEBHOOK_SECRET')],
    ],
    [
      {
        KUBERCRON_WEBHOOK_URL_OPS_TEAM: 'http://127.0.0.1:80/x',
        KUBERCRON_WEBHOOK_URL_DB2: 'HTTPS://Example.com',
      },
      ['db2', 'ops-team'],
      [
        note('db2', 'https://example.com', 'KUBERCRON_WEBHOOK_SECRET_DB2'),
        note('ops-team', 'http://127.0.0.1', 'KUBERCRON_WEBHOOK_SECRET_OPS_TEAM'),
      ],
    ],
    [
      { KUBERCRON_WEBHOOK_URL: 'https://example.com', KUBERCRON_WEBHOOK_SECRET: 'hunter2' },
      ['default'],
      [
        warning(
          '`KUBERCRON_WEBHOOK_SECRET` has 7 bytes, which can be guessed; take 24 or more, such as from `openssl rand -base64 32`',
        ),
      ],
    ],
    [
      { KUBERCRON_WEBHOOK_SECRET_OPS: LONG },
      [],
      [warning('`KUBERCRON_WEBHOOK_SECRET_OPS` signs nothing: `KUBERCRON_WEBHOOK_URL_OPS` is not set')],
    ],
    [
      { KUBERCRON_WEBHOOK_OPS_URL: 'https://example.com/T0KEN' },
      [],
      [
        warning(
          '`KUBERCRON_WEBHOOK_OPS_URL` has no meaning; the variables are `KUBERCRON_WEBHOOK_URL` and `KUBERCRON_WEBHOOK_SECRET`, and those of a channel with its name behind, such as `KUBERCRON_WEBHOOK_URL_OPS`',
        ),
      ],
    ],
  ])('%j are the channels %j', (env, names, findings) => {
    const channels = new WebhookChannels(env);
    const known = ['default', 'db2', 'ops', 'ops-team'].filter((name) => channels.has(name));
    expect([known, channels.findings]).toEqual([names, findings]);
  });

  const TAKES =
    'takes an address with `https://` or `http://`, such as `https://example.com/hooks/cron`; %s (it is not shown, for it may hold a secret)';
  const URL_TAKES = `\`KUBERCRON_WEBHOOK_URL\` ${TAKES}`;
  const noChannel = (name: string, variable: string) =>
    `\`${name}\` names no channel; write its name in capitals, such as \`${variable}_OPS_TEAM\` for \`notify=ops-team\``;

  test.each<[env: Record<string, string>, message: string]>([
    [{ KUBERCRON_WEBHOOK_URL: 'example.com:443/T0KEN' }, URL_TAKES.replace('%s', 'it begins with neither')],
    [{ KUBERCRON_WEBHOOK_URL: 'ftp://example.com/T0KEN' }, URL_TAKES.replace('%s', 'it begins with neither')],
    [{ KUBERCRON_WEBHOOK_URL: 'T0KEN' }, URL_TAKES.replace('%s', 'it begins with neither')],
    [{ KUBERCRON_WEBHOOK_URL: 'https://' }, URL_TAKES.replace('%s', 'it is no URL')],
    [{ KUBERCRON_WEBHOOK_URL: 'https://example.com:T0KEN/' }, URL_TAKES.replace('%s', 'it is no URL')],
    [
      { KUBERCRON_WEBHOOK_URL_ops: 'https://a/T0KEN' },
      noChannel('KUBERCRON_WEBHOOK_URL_ops', 'KUBERCRON_WEBHOOK_URL'),
    ],
    [
      { KUBERCRON_WEBHOOK_URL_: 'https://a/T0KEN' },
      noChannel('KUBERCRON_WEBHOOK_URL_', 'KUBERCRON_WEBHOOK_URL'),
    ],
    [
      { KUBERCRON_WEBHOOK_URL_DEFAULT: 'https://a/T0KEN' },
      noChannel('KUBERCRON_WEBHOOK_URL_DEFAULT', 'KUBERCRON_WEBHOOK_URL'),
    ],
    [
      { KUBERCRON_WEBHOOK_SECRET_OPS__TEAM: 'T0KEN' },
      noChannel('KUBERCRON_WEBHOOK_SECRET_OPS__TEAM', 'KUBERCRON_WEBHOOK_SECRET'),
    ],
    ...['whsec_', 'whsec_T0KEN$', 'whsec_T0KEN', 'whsec_T0K=N'].map(
      (secret): [Record<string, string>, string] => [
        { KUBERCRON_WEBHOOK_URL: 'https://example.com', KUBERCRON_WEBHOOK_SECRET: secret },
        '`KUBERCRON_WEBHOOK_SECRET` begins with `whsec_`, but what follows is no base64; copy it again',
      ],
    ),
  ])('%j are refused, without a word of the value', (env, message) => {
    expect(() => new WebhookChannels(env)).toThrow(new Error(message));
    expect(message).not.toContain('T0K');
  });

  test('are refused all at once', () => {
    const env = {
      KUBERCRON_WEBHOOK_URL: 'x',
      KUBERCRON_WEBHOOK_SECRET: 'whsec_',
      KUBERCRON_WEBHOOK_URL_a: 'x',
    };
    const read = () => new WebhookChannels(env);
    expect(read).toThrow(
      /`KUBERCRON_WEBHOOK_SECRET` begins.*; `KUBERCRON_WEBHOOK_URL` takes.*; `KUBERCRON_WEBHOOK_URL_a` names/,
    );
  });

  test.each([
    ['default', 'KUBERCRON_WEBHOOK_URL'],
    ['ops', 'KUBERCRON_WEBHOOK_URL_OPS'],
    ['ops-team-2', 'KUBERCRON_WEBHOOK_URL_OPS_TEAM_2'],
  ])('of channel %s: %s', (channel, variable) => {
    expect(addressVariable(channel)).toBe(variable);
  });
});

describe('docs/notifications.md', () => {
  const page = readFileSync(new URL('../../docs/notifications.md', import.meta.url), 'utf8');
  const block = (language: string) =>
    new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'ms').exec(page)?.[1] ?? '';

  test('shows the body as it is sent', () => {
    expect(JSON.parse(block('json'))).toEqual(JSON.parse(BODY));
  });

  type Verify = (headers: IncomingHttpHeaders, body: string, secret: string, now?: number) => boolean;
  const later = AT + 299_000;
  test.each<[what: string, expected: boolean, change: (got: Got) => Parameters<Verify>]>([
    ['takes what was sent', true, ({ headers, body }) => [headers, body, VECTOR.secret, AT]],
    ['takes it five minutes later', true, ({ headers, body }) => [headers, body, VECTOR.secret, later]],
    ['refuses a replay', false, ({ headers, body }) => [headers, body, VECTOR.secret, later + 2_000]],
    ['refuses another body', false, ({ headers, body }) => [headers, `${body} `, VECTOR.secret, AT]],
    ['refuses another secret', false, ({ headers, body }) => [headers, body, 'whsec_AAAA', AT]],
    [
      'refuses another id',
      false,
      ({ headers, body }) => [{ ...headers, 'webhook-id': 'x' }, body, VECTOR.secret, AT],
    ],
    ['refuses a message without headers', false, ({ body }) => [{}, body, VECTOR.secret, AT]],
    [
      'takes one of several signatures',
      true,
      ({ headers, body }) => [
        { ...headers, 'webhook-signature': `v1,x ${headers['webhook-signature']} v1a,y` },
        body,
        VECTOR.secret,
        AT,
      ],
    ],
    [
      'refuses a message without signature',
      false,
      ({ headers: { 'webhook-signature': _own, ...headers }, body }) => [headers, body, VECTOR.secret, AT],
    ],
  ])('has an example that %s', async (_what, expected, change) => {
    const { origin, got } = await receiver(status(200));
    const env = { KUBERCRON_WEBHOOK_URL: origin, KUBERCRON_WEBHOOK_SECRET: VECTOR.secret };
    await new WebhookChannels(env).send(FAILED, AT, NEVER);
    const { isGenuine } = (await import(`data:text/javascript,${encodeURIComponent(block('js'))}`)) as {
      isGenuine: Verify;
    };
    const [first] = got;
    if (first === undefined) throw new Error('nothing was sent');
    expect(isGenuine(...change(first))).toBe(expected);
  });
});
