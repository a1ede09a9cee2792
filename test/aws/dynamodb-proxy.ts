import { createServer, type Server as HttpServer, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';

/** What befalls a request on the wire: it does not arrive; its answer does not; or the service says this. */
export type WireFault = 'lost-request' | 'lost-answer' | 'throttled';

/** What a throttled table answers. */
const THROTTLED = JSON.stringify({
  __type: 'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException',
  message: 'The level of configured provisioned throughput for the table was exceeded.',
});

/** Stands between functions and DynamoDB Local: writes down what they ask for, and has it go wrong. */
export class DynamoDbProxy {
  /** Operations as they came, each try by itself. */
  readonly requests: string[] = [];
  readonly #target: string;
  readonly #server: HttpServer;
  #faults: (WireFault | undefined)[] = [];

  private constructor(target: string) {
    this.#target = target;
    this.#server = createServer(async (request, response) => {
      const [body, operation] = [await buffer(request), String(request.headers['x-amz-target'])];
      this.requests.push(operation.replace(/^.*\./, ''));
      const fault = this.#faults.shift();
      if (fault === 'lost-request') return void response.destroy();
      if (fault === 'throttled') return answer(response, 400, THROTTLED);
      const headers = { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': operation };
      const authorization = String(request.headers.authorization);
      const real = await fetch(this.#target, {
        method: 'POST',
        body,
        headers: { ...headers, authorization },
      });
      const text = await real.text();
      if (fault === 'lost-answer') return void response.destroy();
      answer(response, real.status, text);
    });
  }

  static async listen(target: string): Promise<DynamoDbProxy> {
    const proxy = new DynamoDbProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get endpoint(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  }

  /** Forgets the requests. @param faults of the next ones, in their order; those after them are well */
  befall(...faults: (WireFault | undefined)[]): void {
    this.requests.length = 0;
    this.#faults = faults;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(body);
}
