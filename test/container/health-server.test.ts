import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import {
  type HealthServer,
  type HealthServerOptions,
  startHealthServer,
} from '../../container/health-server.ts';

const opened: HealthServer[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((server) => server.close()));
});

/** A logger that keeps its warnings. */
function recorder() {
  const warnings: { details: object; message: string }[] = [];
  return { warnings, warn: (details: object, message: string) => void warnings.push({ details, message }) };
}

async function start(
  options: Partial<HealthServerOptions> = {},
): Promise<HealthServer & { log: ReturnType<typeof recorder> }> {
  const log = recorder();
  const server = await startHealthServer({
    host: '127.0.0.1',
    port: 0,
    livez: () => [],
    readyz: () => [],
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4', body: 'up 1\n' }),
    log,
    ...options,
  });
  if (server === undefined) throw new Error(log.warnings.map(({ message }) => message).join());
  opened.push(server);
  return { ...server, log };
}

interface Got {
  readonly status: number | undefined;
  readonly type: string | undefined;
  readonly length: string | undefined;
  readonly body: string;
}

function get(url: string, method = 'GET', agent?: Agent, body?: string): Promise<Got> {
  return new Promise((resolve, reject) => {
    request(url, { method, ...(agent === undefined ? {} : { agent }) }, async (response) => {
      const chunks = await response.setEncoding('utf8').toArray();
      const { 'content-type': type, 'content-length': length } = response.headers;
      resolve({ status: response.statusCode, type, length, body: chunks.join('') });
    })
      .on('error', reject)
      .end(body);
  });
}

/** Resolves when the connection is over, in order or by a reset: either is an end. */
function closing(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => {
    socket.on('error', () => {}).once('close', resolve);
    socket.resume();
  });
}

const JSON_TYPE = 'application/json; charset=utf-8';
const TEXT_TYPE = 'text/plain; charset=utf-8';

describe('the health server', () => {
  const sick = {
    livez: () => ['no pass for 3m'],
    readyz: async () => ['crontab main: 2 errors', 'no plan "x"'],
  };
  test.each<[string, string, 'well' | 'sick', number, string, string]>([
    ['GET', '/livez', 'well', 200, JSON_TYPE, '{"status":"ok"}\n'],
    ['GET', '/livez', 'sick', 503, JSON_TYPE, '{"status":"unhealthy","reasons":["no pass for 3m"]}\n'],
    ['GET', '/readyz', 'well', 200, JSON_TYPE, '{"status":"ok"}\n'],
    [
      'GET',
      '/readyz',
      'sick',
      503,
      JSON_TYPE,
      '{"status":"unready","reasons":["crontab main: 2 errors","no plan \\"x\\""]}\n',
    ],
    ['GET', '/metrics', 'well', 200, 'text/plain; version=0.0.4', 'up 1\n'],
    ['GET', '/metrics?name=up', 'well', 200, 'text/plain; version=0.0.4', 'up 1\n'],
    ['GET', '/', 'well', 404, TEXT_TYPE, 'not found; there are /livez /readyz /metrics\n'],
    ['GET', '/metrics/', 'well', 404, TEXT_TYPE, 'not found; there are /livez /readyz /metrics\n'],
    ['POST', '/nothing', 'well', 404, TEXT_TYPE, 'not found; there are /livez /readyz /metrics\n'],
    ['POST', '/livez', 'well', 405, TEXT_TYPE, 'only GET and HEAD\n'],
    ['DELETE', '/metrics', 'well', 405, TEXT_TYPE, 'only GET and HEAD\n'],
  ])('answers %s %s when %s with %d', async (method, path, state, status, type, body) => {
    const { url } = await start(state === 'sick' ? sick : {});
    const length = String(Buffer.byteLength(body));
    expect(await get(url + path, method)).toEqual({ status, type, length, body });
  });

  test.each(['/livez', '/readyz', '/metrics', '/nothing'])(
    'answers HEAD %s as GET, without a body',
    async (path) => {
      const { url } = await start({ readyz: () => ['no plan'] });
      expect(await get(url + path, 'HEAD')).toEqual({ ...(await get(url + path)), body: '' });
    },
  );

  test('says which methods there are', async () => {
    const { url } = await start();
    expect((await fetch(`${url}/livez`, { method: 'PUT' })).headers.get('allow')).toBe('GET, HEAD');
  });

  test('counts a body in bytes, not in characters', async () => {
    const { url } = await start({ readyz: () => ['café ☕'] });
    expect((await get(`${url}/readyz`)).body).toBe('{"status":"unready","reasons":["café ☕"]}\n');
  });

  test.each(['livez', 'readyz', 'metrics'])(
    'a fault behind /%s is 500 with one line, and the log has the rest',
    async (name) => {
      const fault = new Error('the store at /var/lib is gone');
      const { url, log } = await start({
        [name]: async () => {
          throw fault;
        },
      });
      const body = `/${name} could not be answered; the log says why\n`;
      expect(await get(`${url}/${name}`)).toEqual({
        status: 500,
        type: TEXT_TYPE,
        length: String(body.length),
        body,
      });
      expect(log.warnings).toEqual([{ details: { err: fault }, message: `/${name} could not be answered` }]);
    },
  );

  test('asks anew each time', async () => {
    const reasons = [['starting'], []];
    const { url } = await start({ readyz: () => reasons.shift() ?? [] });
    expect([(await get(`${url}/readyz`)).status, (await get(`${url}/readyz`)).status]).toEqual([503, 200]);
  });

  test('a request with a body is answered, and the body is not looked at', async () => {
    const { url } = await start();
    expect((await get(`${url}/livez`, 'POST', undefined, 'x'.repeat(1_000_000))).status).toBe(405);
  });

  test('headers over the limit are refused', async () => {
    const { url } = await start();
    expect((await get(`${url}/livez?${'x'.repeat(10_000)}`)).status).toBe(431);
  });

  test('a taken port is one warning that names port and flag, and no server', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const log = recorder();
    const options = { livez: () => [], readyz: () => [], metrics: () => Promise.reject(new Error()), log };
    expect(await startHealthServer({ host: '127.0.0.1', port, ...options })).toBeUndefined();
    expect(log.warnings).toEqual([
      {
        details: { host: '127.0.0.1', port, code: 'EADDRINUSE' },
        message: `no /livez, /readyz and /metrics on 127.0.0.1:${port}: port ${port} is taken; choose another address with \`--http\``,
      },
    ]);
    other.close();
    await once(other, 'close');
  });

  test('an address that is not ours is a warning too', async () => {
    const log = recorder();
    const options = { livez: () => [], readyz: () => [], metrics: () => Promise.reject(new Error()), log };
    // TEST-NET-1: nobody has it.
    expect(await startHealthServer({ host: '192.0.2.1', port: 0, ...options })).toBeUndefined();
    expect(log.warnings.map(({ details }) => details)).toEqual([
      { host: '192.0.2.1', port: 0, code: 'EADDRNOTAVAIL' },
    ]);
  });

  test('names its real address', async () => {
    expect((await start()).url).toMatch(/^http:\/\/127\.0\.0\.1:[1-9][0-9]*$/);
  });

  test('a client that never ends its request is sent away, and does not hold up others', async () => {
    const { url } = await start({ patienceMs: 50 });
    const slow = connect(Number(new URL(url).port), '127.0.0.1');
    const end = closing(slow);
    slow.write('GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ');
    expect((await get(`${url}/livez`)).status).toBe(200);
    // Byte by byte, so that the connection is never idle.
    const drip = setInterval(() => slow.write('x'), 10);
    await end;
    clearInterval(drip);
  });

  test('a client that does not take its answer is sent away', async () => {
    // More than the buffers of two sockets hold.
    const body = 'x'.repeat(20_000_000);
    const { url } = await start({ patienceMs: 50, metrics: async () => ({ contentType: TEXT_TYPE, body }) });
    const accepted = Promise.withResolvers<Socket>();
    const onSocket = (message: unknown) => accepted.resolve((message as { socket: Socket }).socket);
    subscribe('net.server.socket', onSocket);
    const lazy = connect(Number(new URL(url).port), '127.0.0.1').pause();
    lazy.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
    const socket = await accepted.promise;
    await new Promise((resolve) => socket.once('close', resolve));
    unsubscribe('net.server.socket', onSocket);
    lazy.destroy();
  });

  test('close ends connections that are kept alive, half sent, or never used', async () => {
    const { url, close } = await start();
    const port = Number(new URL(url).port);
    const agent = new Agent({ keepAlive: true });
    const kept = once(agent, 'free');
    await get(`${url}/livez`, 'GET', agent);
    const [keptSocket] = (await kept) as [Socket];
    const half = connect(port, '127.0.0.1');
    half.write('GET /livez HTTP/1.1\r\n');
    const unused = connect(port, '127.0.0.1');
    await Promise.all([once(half, 'connect'), once(unused, 'connect')]);
    const sockets = [keptSocket, half, unused];
    const ends = sockets.map(closing);
    await close();
    await Promise.all(ends);
    await expect(get(`${url}/livez`)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    agent.destroy();
  });

  test('close does not wait for a handler that never answers', async () => {
    const asked = Promise.withResolvers<void>();
    const { url, close } = await start({
      metrics: () => {
        asked.resolve();
        return new Promise(() => {});
      },
    });
    const answer = get(`${url}/metrics`);
    const refused = expect(answer).rejects.toMatchObject({ code: 'ECONNRESET' });
    await asked.promise;
    await close();
    await refused;
  });
});
