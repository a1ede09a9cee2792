import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { DeployedSchedule } from '../../shared/core/target/drift.ts';

/** An answer other than what was asked for. */
export interface Refusal {
  readonly status: number;
  /** Name of the error. */
  readonly type?: string;
  readonly body: string;
}

/** EventBridge Scheduler's two calls that read, over HTTP on loopback, for one group. */
export class ScheduleService {
  /** Paths of the requests, in their order. */
  readonly requests: string[] = [];
  /** Refuses requests from now on. @param number of the request, from 1 */
  refuse: (path: string, number: number) => Refusal | undefined = () => undefined;
  readonly #group: string;
  readonly #schedules: ReadonlyMap<string, DeployedSchedule>;
  readonly #server: Server;

  private constructor(group: string, schedules: ReadonlyMap<string, DeployedSchedule>) {
    this.#group = group;
    this.#schedules = schedules;
    this.#server = createServer(({ url = '' }, response) => this.#answer(new URL(url, 'http://x'), response));
  }

  static async start(
    group: string,
    schedules: ReadonlyMap<string, DeployedSchedule>,
  ): Promise<ScheduleService> {
    const service = new ScheduleService(group, schedules);
    service.#server.listen(0, '127.0.0.1');
    await once(service.#server, 'listening');
    return service;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #answer({ pathname, searchParams }: URL, response: ServerResponse): void {
    const refusal = this.refuse(pathname, this.requests.push(pathname));
    const { status, type = '', body } = refusal ?? this.#found(pathname, searchParams);
    response.writeHead(status, { 'content-type': 'application/json', 'x-amzn-errortype': type }).end(body);
  }

  #found(path: string, query: URLSearchParams): Refusal {
    const missing = { status: 404, type: 'ResourceNotFoundException', body: '{"Message":"no such thing"}' };
    const json = (value: object) => ({ status: 200, body: JSON.stringify(value) });
    if (path === '/schedules') {
      if (query.get('ScheduleGroup') !== this.#group) return missing;
      const from = Number(query.get('NextToken') ?? 0);
      const to = from + Number(query.get('MaxResults') ?? 100);
      const names = [...this.#schedules.keys()].slice(from, to);
      const more = to < this.#schedules.size ? { NextToken: String(to) } : {};
      return json({ Schedules: names.map((Name) => ({ Name, GroupName: this.#group })), ...more });
    }
    const found = this.#schedules.get(decodeURIComponent(path.slice('/schedules/'.length)));
    if (found === undefined || query.get('groupName') !== this.#group) return missing;
    return json({ Arn: found.arn, CreationDate: 1, LastModificationDate: 2, ...found.fields });
  }
}
