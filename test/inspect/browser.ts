/** A browser as far as the server of the live page can tell: it keeps cookies, and says where a request comes from. */
import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import type { Overview, ServersNews } from '../../src/inspect/protocol.js';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export class Browser {
  readonly #port: number;
  #cookie: string | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** Opens an address that was printed; keeps the cookie. */
  async open(url: string): Promise<Answer> {
    const { pathname, search } = new URL(url);
    const answer = await this.get(pathname + search);
    const [cookie] = answer.headers['set-cookie'] ?? [];
    this.#cookie ??= cookie?.split(';', 1)[0];
    return answer;
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.#ask('GET', path, headers);
  }

  async json<T>(path: string): Promise<T> {
    const { status, text } = await this.get(path);
    if (status !== 200) throw new Error(`${path} was answered by ${status}: ${text}`);
    return JSON.parse(text) as T;
  }

  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.#ask(
      'POST',
      path,
      {
        origin: `http://127.0.0.1:${this.#port}`,
        'content-type': 'application/json',
        'x-sockchart': 'action',
        ...headers,
      },
      typeof body === 'string' ? body : JSON.stringify(body),
    );
  }

  /** As somebody who has the cookie, and says not where it comes from. */
  postFromNowhere(path: string, body: unknown): Promise<Answer> {
    const headers = { 'content-type': 'application/json', 'x-sockchart': 'action' };
    return this.#ask('POST', path, headers, JSON.stringify(body));
  }

  /** The stream of what there is to see; nobody reads it yet. */
  async stream(): Promise<IncomingMessage> {
    const asked = this.#request('GET', '/api/stream', {});
    asked.end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    return response;
  }

  async #ask(method: string, path: string, headers: Record<string, string>, body?: string): Promise<Answer> {
    const asked = this.#request(method, path, headers);
    asked.end(body);
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += chunk;
    return { status: response.statusCode ?? 0, headers: response.headers, text };
  }

  #request(method: string, path: string, headers: Record<string, string>) {
    const cookie = this.#cookie === undefined ? {} : { cookie: this.#cookie };
    return request({
      host: '127.0.0.1',
      port: this.#port,
      method,
      path,
      headers: { ...cookie, ...headers },
      agent: false,
    });
  }
}

/** The overviews that a stream tells, one after the other. */
export async function* overviews(stream: IncomingMessage): AsyncGenerator<Overview> {
  for await (const { name, data } of events(stream)) if (name === 'overview') yield data as Overview;
}

/** What a stream tells of the servers. */
export async function* serversNews(stream: IncomingMessage): AsyncGenerator<ServersNews> {
  for await (const { name, data } of events(stream)) if (name === 'servers') yield data as ServersNews;
}

async function* events(stream: IncomingMessage): AsyncGenerator<{ name: string; data: unknown }> {
  let parts: string[] = [];
  for await (const chunk of stream.setEncoding('utf8') as AsyncIterable<string>) {
    const isSplit = chunk.startsWith('\n') && parts.at(-1)?.endsWith('\n');
    parts.push(chunk);
    if (!isSplit && !chunk.includes('\n\n')) continue;
    const whole = parts.join('').split('\n\n');
    parts = [whole.pop() ?? ''];
    for (const event of whole) {
      const field = (name: string): string | undefined =>
        event
          .split('\n')
          .find((line) => line.startsWith(`${name}: `))
          ?.slice(name.length + 2);
      const data = field('data');
      if (data !== undefined) yield { name: field('event') ?? '', data: JSON.parse(data) };
    }
  }
}
