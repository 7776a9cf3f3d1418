/** Serves the live page: its access, its routes and its files. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BindError } from '../errors.js';
import { hostAndPort } from '../text.js';
import { Access } from './access.js';
import { actionOf, perform, performOn } from './actions.js';
import { type Assets, NO_PAGE, readAssets } from './assets.js';
import { connectionDetail, connectionsPage, handleOf, isPartOf } from './connections.js';
import { newestLines, sendPage, sendRecording } from './downloads.js';
import { Drawings } from './drawings.js';
import { type InspectorOptions, type Settings, settingsOf } from './inspector-options.js';
import { Observer } from './observer.js';
import { overviewOf } from './overview.js';
import type { About, ActionRequest, Overview, ServersNews } from './protocol.js';
import { headOf } from './record.js';
import { bodyOf, decoded, json, queryOf, Refusal, urlOf } from './requests.js';
import { performOnServer } from './server-actions.js';
import { findServer, serverDetail } from './server-detail.js';
import { ServerTable } from './servers.js';
import { Streams } from './streams.js';

/** The live page being served. Made by {@link createInspectorServer}. */
export interface InspectorServer extends AsyncDisposable {
  /** Lets one browser in, once. */
  readonly url: string;
  /** Where it listens. */
  readonly host: string;
  /** The TCP port, also where 0 was asked for. */
  readonly port: number;
  /** Pages that are open. */
  readonly pages: number;
  /** Another address like {@link url}, for another browser. */
  newUrl(): string;
  /** Ends every page's connection, and counts no more. */
  close(): Promise<void>;
}

/** Room for the pages, each with a few requests at a time; other connections cannot take the sockets that a proxy needs. */
const SOCKETS_MAX = 128;
const LIMITS = { headersTimeout: 10_000, requestTimeout: 15_000, connectionsCheckingInterval: 5_000 };

const PLAIN = 'text/plain; charset=utf-8';
const NO_ACCESS =
  'The address that the program has printed lets one browser in, once. For another one start the program again, or call newUrl().';

const HEADERS = {
  'content-security-policy': [
    `default-src 'none'`,
    `script-src 'self'`,
    `style-src 'self'`,
    `img-src 'self' data:`,
    `connect-src 'self'`,
    `frame-ancestors 'none'`,
    `base-uri 'none'`,
    `form-action 'none'`,
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
} as const;

/**
 * Serves the live page. It costs nothing while no page is open, and does not keep the process alive.
 *
 * It accepts 128 sockets at most, also of clients without a token; a socket that sends no whole request is closed after
 * some 15 seconds. A client that can connect can take all of them, and so keep the page from being opened: nothing else.
 *
 * @throws OptionError
 * @throws BindError when it cannot listen
 * @example
 * ```ts
 * const inspector = await createInspectorServer({ proxies: [proxy] });
 * console.log(inspector.url); // lets one browser in
 * ```
 * @example
 * Machines of your own, without what nobody should see:
 * ```ts
 * await createInspectorServer({
 *   machines: [mqttMachine],
 *   redact: ({ password, ...context }) => context,
 * });
 * ```
 */
export async function createInspectorServer(options: InspectorOptions = {}): Promise<InspectorServer> {
  const settings = settingsOf(options);
  const page = new Page(new Observer(settings.observer), settings);
  // Instances that start before a page is open are shown, too.
  settings.own.open();
  try {
    await page.listen(settings.host, settings.port);
  } catch (error) {
    settings.own.close();
    throw error;
  }
  return page;
}

class Page implements InspectorServer {
  host = '';
  port = 0;
  url = '';
  readonly #observer: Observer;
  readonly #settings: Settings;
  readonly #server: Server;
  readonly #streams: Streams;
  readonly #drawings: Drawings;
  #access!: Access;
  #assets: Promise<Assets> | undefined;
  #leaving: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(observer: Observer, settings: Settings) {
    this.#observer = observer;
    this.#settings = settings;
    this.#drawings = new Drawings(settings.own.all);
    this.#streams = new Streams(
      { overview: () => this.#overview(), servers: new ServerTable(settings.proxies) },
      () => {
        if (observer.isWatching) this.#watch();
      },
    );
    this.#server = createServer(LIMITS, (request, response) => void this.#answer(request, response));
    this.#server.maxConnections = SOCKETS_MAX;
    // A debugging aid is no reason for a process to go on.
    this.#server.on('connection', (socket) => socket.unref());
  }

  get pages(): number {
    return this.#streams.size;
  }

  async listen(host: string, port: number): Promise<void> {
    const server = this.#server;
    try {
      server.listen({ host, port });
      await once(server, 'listening');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const where = hostAndPort(host, port);
      const cause = { initiator: 'system', manner: 'error', phase: 'binding' } as const;
      throw new BindError(where, code === undefined ? cause : { ...cause, code });
    }
    // An accept that has failed is no reason for a proxy to end.
    server.on('error', () => {});
    server.unref();
    this.host = host;
    this.port = (server.address() as AddressInfo).port;
    this.#access = new Access(host, this.port, this.#settings.names);
    this.url = this.newUrl();
  }

  newUrl(): string {
    return this.#access.newUrl();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#leaving);
    this.#streams.stop();
    this.#observer.stop();
    this.#settings.own.close();
    await this.#drawings.close();
    const server = this.#server;
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    // The client may be gone.
    response.on('error', () => {});
    try {
      await this.#route(request, response);
    } catch (error) {
      if (response.headersSent) {
        response.destroy();
        return;
      }
      const message = error instanceof Error ? error.message : 'What was thrown is no error.';
      const { status, headers } = error instanceof Refusal ? error : new Refusal(500, message);
      const all = { 'content-type': 'application/json; charset=utf-8', ...headers };
      response.writeHead(status, all);
      response.end(all['content-type'] === PLAIN ? message : JSON.stringify({ error: message }));
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, headers } = request;
    const isAction = method !== 'GET';
    const refusal = this.#access.refusal(headers, isAction);
    if (refusal !== undefined) throw new Refusal(403, refusal);
    const { pathname, searchParams } = urlOf(request);
    let isKnown = this.#access.knows(headers);
    const isVisit = !isAction && pathname === '/';
    const token = isVisit ? searchParams.get('token') : null;
    // It is used up by a browser that needs none too: its address is in a history, or on a screen.
    if (token !== null && this.#access.redeem(token) && !isKnown) {
      response.setHeader('set-cookie', this.#access.newCookie());
      isKnown = true;
    }
    if (!isKnown) throw new Refusal(403, NO_ACCESS, isVisit ? { 'content-type': PLAIN } : {});
    if (pathname === '/api/actions') {
      await this.#act(request, response);
      return;
    }
    if (isAction) throw new Refusal(405, 'This page is for reading.', { allow: 'GET' });
    this.#watch();
    const connection = /^\/api\/connections\/([^/]+)$/.exec(pathname)?.[1];
    if (connection !== undefined) {
      const detail = connectionDetail(this.#observer, this.#settings.proxies, decoded(connection));
      if (detail === undefined) throw new Refusal(404, 'There is no such connection, or no longer.');
      json(response, detail);
      return;
    }
    const server = /^\/api\/servers\/([^/]+)$/.exec(pathname)?.[1];
    if (server !== undefined) {
      const found = findServer(this.#settings.proxies, decoded(server));
      if (found === undefined) throw new Refusal(404, 'There is no such server, or no longer.');
      json(response, serverDetail(this.#observer, found, this.#settings.actions));
      return;
    }
    const { recorder } = this.#settings;
    switch (pathname) {
      case '/api/about':
        json(response, this.#about());
        return;
      case '/api/stream':
        this.#streams.add(response);
        clearTimeout(this.#leaving);
        return;
      case '/api/overview':
        json(response, this.#overview());
        return;
      case '/api/connections':
        json(response, connectionsPage(this.#observer, queryOf(searchParams)));
        return;
      case '/api/servers':
        json(response, this.#servers());
        return;
      case '/api/export':
        await this.#export(response, searchParams.has('empty'));
        return;
      case '/api/recording':
        await sendRecording(response, recorder);
        return;
    }
    await this.#file(pathname, response);
  }

  async #export(response: ServerResponse, isEmpty: boolean): Promise<void> {
    const lines = isEmpty ? [] : await newestLines(this.#observer, this.#settings.recorder);
    await sendPage(response, lines, await this.#drawings.possible());
  }

  async #file(pathname: string, response: ServerResponse): Promise<void> {
    const machine = /^\/diagrams\/([^/]+)\.svg$/.exec(pathname)?.[1];
    const picture = machine === undefined ? undefined : await this.#drawings.of(decoded(machine)).catch(refuse);
    if (picture !== undefined) {
      response.writeHead(200, { 'content-type': 'image/svg+xml; charset=utf-8' });
      response.end(picture);
      return;
    }
    this.#assets ??= readAssets();
    const assets = await this.#assets;
    const asset = assets.get(pathname === '/index.html' ? '/' : pathname);
    if (asset === undefined) {
      if (pathname === '/') throw new Refusal(503, NO_PAGE);
      throw new Refusal(404, 'There is no such file.');
    }
    response.writeHead(200, { 'content-type': asset.type, 'content-length': asset.body.length });
    response.end(asset.body);
  }

  #about(): About {
    const { actions, recorder } = this.#settings;
    const { sockchart } = headOf(0);
    return {
      version: sockchart,
      actions,
      machines: this.#observer.charts.names,
      own: this.#settings.own.all.map(({ id }) => id),
      recording: recorder !== undefined,
    };
  }

  /** A page reads: counts, until no page has read for a while. */
  #watch(): void {
    this.#observer.watch();
    clearTimeout(this.#leaving);
    if (this.#streams.size > 0) return;
    this.#leaving = setTimeout(() => this.#observer.stop(), this.#settings.watchFor).unref();
  }

  #servers(): ServersNews {
    const table = new ServerTable(this.#settings.proxies);
    table.news();
    return table.whole();
  }

  #overview(): Overview {
    const { proxies, recorder } = this.#settings;
    return overviewOf(this.#observer, proxies, recorder);
  }

  async #act(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!this.#settings.actions) throw new Refusal(403, 'Actions are not allowed: this page is for reading.');
    const { method, headers } = request;
    if (method !== 'POST') throw new Refusal(405, 'Actions are posted.', { allow: 'POST' });
    // Neither of the two can be sent by a form of another site, nor by its script unless this server agrees.
    if (headers['content-type']?.split(';', 1)[0] !== 'application/json' || headers['x-sockchart'] !== 'action') {
      throw new Refusal(415, 'An action is JSON, with the header x-sockchart: action.');
    }
    const asked = actionOf(await bodyOf(request));
    if (this.#isClosed) throw new Refusal(503, 'This server is closed.');
    this.#watch();
    const { action, id } = asked;
    const server = findServer(this.#settings.proxies, id);
    if (server !== undefined) performOnServer(server.server, asked, this.#observer.charts);
    else this.#actOn(action, id);
    const from = request.socket.remoteAddress ?? '';
    this.#settings.onAction?.({ ...asked, from, ...(server !== undefined && { server: server.server.name }) });
    response.writeHead(204).end();
  }

  #actOn(action: ActionRequest['action'], id: string): void {
    const connection = this.#observer.find(id);
    const run = connection?.other?.run;
    if (run !== undefined) {
      performOn(action, run);
      return;
    }
    const handle = handleOf(id, connection ?? { live: undefined }, this.#settings.proxies);
    const { proxies } = this.#settings;
    // The page shows what is on the channel, and acts on what it was given.
    const isOffered = handle !== undefined && (proxies.length === 0 || isPartOf(proxies, handle));
    if (!isOffered) throw new Refusal(404, 'There is no such connection, or no longer.');
    perform(action, handle);
  }
}

/** What is missing is no fault of this server. */
function refuse(error: Error): never {
  throw new Refusal(503, error.message);
}
