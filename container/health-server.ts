import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Why something is not well, one sentence each; empty when all is well. Must not hold secrets: anybody may read it. */
type Reasons = readonly string[];

/** What the server writes to: a logger's `warn`. */
interface HealthLog {
  warn(details: object, message: string): void;
}

export interface HealthServerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Whether the process still works; a supervisor restarts it when it does not. */
  readonly livez: () => Reasons | Promise<Reasons>;
  /** Whether the process does what it is there for. */
  readonly readyz: () => Reasons | Promise<Reasons>;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly body: string }>;
  readonly log: HealthLog;
  /**
   * How long a client may take to send its request, and to take the next piece of the answer. Milliseconds.
   *
   * @default 10,000
   */
  readonly patienceMs?: number;
}

export interface HealthServer {
  /** Where it really listens, such as `http://127.0.0.1:9090`. */
  readonly url: string;
  /** Stops listening and ends all connections, also those that are being answered. */
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** A request is a short line and a few headers. Bytes. */
const MAX_HEADER_SIZE = 8 * 1024;
const PLAIN_TEXT = 'text/plain; charset=utf-8';

/**
 * Serves `/livez`, `/readyz` and `/metrics`. Of a request only method and path are looked at.
 *
 * @returns undefined, after one warning, when it cannot listen: jobs are more important than their metrics
 */
export async function startHealthServer(options: HealthServerOptions): Promise<HealthServer | undefined> {
  const { host, port, log, patienceMs = 10_000 } = options;
  const routes: Routes = new Map([
    ['/livez', async () => probeAnswer(await options.livez(), 'unhealthy')],
    ['/readyz', async () => probeAnswer(await options.readyz(), 'unready')],
    ['/metrics', async () => ({ status: 200, ...(await options.metrics()) })],
  ]);
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_SIZE,
      headersTimeout: patienceMs,
      requestTimeout: patienceMs,
      // Node looks for late requests only this often.
      connectionsCheckingInterval: Math.min(patienceMs, 1000),
    },
    async (request, response) => {
      send(response, await answerTo(request, routes, log));
    },
  );
  server.setTimeout(patienceMs);

  const failure = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    server.once('error', resolve).listen(port, host, () => resolve(undefined));
  });
  if (failure !== undefined) {
    log.warn({ host, port, code: failure.code }, cannotListen(host, port, failure));
    return undefined;
  }
  // Without a listener, one failed accept (too many open files) would end the process.
  server.on('error', (error) => log.warn({ err: error }, 'the HTTP server could not take a connection'));

  return {
    url: `http://${authority(host, (server.address() as AddressInfo).port)}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

type Routes = ReadonlyMap<string, () => Promise<Answer>>;

async function answerTo(request: IncomingMessage, routes: Routes, log: HealthLog): Promise<Answer> {
  const path = (request.url ?? '').split('?', 1)[0] as string;
  const route = routes.get(path);
  if (route === undefined) {
    return {
      status: 404,
      contentType: PLAIN_TEXT,
      body: `not found; there are ${[...routes.keys()].join(' ')}\n`,
    };
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return { status: 405, contentType: PLAIN_TEXT, body: 'only GET and HEAD\n' };
  }
  try {
    return await route();
  } catch (error) {
    log.warn({ err: error }, `${path} could not be answered`);
    return {
      status: 500,
      contentType: PLAIN_TEXT,
      body: `${path} could not be answered; the log says why\n`,
    };
  }
}

function probeAnswer(reasons: Reasons, bad: string): Answer {
  const isWell = reasons.length === 0;
  const body = isWell ? { status: 'ok' } : { status: bad, reasons };
  return {
    status: isWell ? 200 : 503,
    contentType: 'application/json; charset=utf-8',
    body: `${JSON.stringify(body)}\n`,
  };
}

function send(response: ServerResponse, { status, contentType, body }: Answer): void {
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
  });
  // To HEAD, Node sends the headers only.
  response.end(body);
}

function cannotListen(host: string, port: number, error: NodeJS.ErrnoException): string {
  const where = authority(host, port);
  const why = error.code === 'EADDRINUSE' ? `port ${port} is taken` : error.message;
  return `no /livez, /readyz and /metrics on ${where}: ${why}; choose another address with \`--http\``;
}

function authority(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
