/** Serves the live page: its files, what it asks for, and a stream of what there is to see. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { BindError, NotSupportedError, OptionError, SockchartError } from '../errors.js';
import { port as checkPort, count, flag, integer, onlyKnown, type Timeout, text, timeout } from '../options.js';
import { Access } from './access.js';
import { type Assets, exportPage, NO_PAGE, readAssets } from './assets.js';
import { MACHINES } from './charts.js';
import { type ConnectionsQuery, connectionDetail, connectionsPage, handleOf } from './connections.js';
import { Observer } from './observer.js';
import { now } from './plain.js';
import type {
  About,
  ActionRequest,
  Listed,
  ListenerInfo,
  Overview,
  RecordedLine,
  ServerInfo,
  Sort,
} from './protocol.js';
import { LISTED, SORTS } from './protocol.js';
import { closeParts, headOf, lastLines, openParts, type Recorder } from './record.js';
import type { LiveListener, Registry } from './registry.js';

export interface InspectorOptions {
  /** TCP port. Default 0: one that is free. */
  readonly port?: number | undefined;
  /** Where to listen. Default `127.0.0.1`: nobody but this machine. What goes over the wire is not encrypted. */
  readonly host?: string | undefined;
  /** Other names that a browser may call this host by, as in its address bar: `box.example:9000`. */
  readonly names?: readonly string[] | undefined;
  /** Proxies, or what has their shape: bytes, peers, timers and servers are asked of them. */
  readonly proxies?: readonly Registry[] | undefined;
  /** Whether the page may close, abort, drain, suspend, resume and retry. Default false: it only reads. */
  readonly actions?: boolean | undefined;
  /** A recording under way, which the page then offers. */
  readonly recorder?: Recorder | undefined;
  /** How long it goes on counting after the last page has left, in milliseconds. Default 60 000. */
  readonly watchFor?: Timeout | undefined;
  /** Steps that are remembered of one connection. Default 64. */
  readonly stepsPerConnectionMax?: number | undefined;
  /** Steps that are remembered of all connections together. Default 1 000 000: about 40 MB. */
  readonly stepsMax?: number | undefined;
  /** Connections that have ended and are remembered. Default 1 000. */
  readonly endedMax?: number | undefined;
}

const INSPECTOR_OPTIONS = [
  'port',
  'host',
  'names',
  'proxies',
  'actions',
  'recorder',
  'watchFor',
  'stepsPerConnectionMax',
  'stepsMax',
  'endedMax',
] as const;

/** The live page being served. Made by {@link createInspectorServer}. */
export interface InspectorServer extends AsyncDisposable {
  /** Lets one browser in, once. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Pages that are open. */
  readonly pages: number;
  /** Another address like {@link url}, for another browser. */
  newUrl(): string;
  /** Ends every page's connection, and counts no more. */
  close(): Promise<void>;
}

const STREAM_EVERY_MS = 500;
const PAGES_MAX = 16;
/** A page that has taken nothing for so long is let go; it comes back by itself. */
const STALLED_MS = 30_000;
const ROWS_MAX = 500;
const FILTER_MAX = 200;
const ACTION_BYTES_MAX = 4_096;
/** Steps in an export. */
const EXPORT_MAX = 50_000;

/** Room for the pages, each with a few requests at a time; whoever else connects cannot take what a proxy needs. */
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
 * It takes 128 sockets at most, also of those who have no token; one that sends no whole request is closed after some
 * 15 seconds. Whoever can connect can take all of them, and so keep the page from being opened: nothing else.
 *
 * @throws OptionError
 * @throws BindError when it cannot listen
 * @example
 * ```ts
 * const inspector = await createInspectorServer({ proxies: [proxy] });
 * console.log(inspector.url); // lets one browser in
 * ```
 */
export async function createInspectorServer(options: InspectorOptions = {}): Promise<InspectorServer> {
  onlyKnown('createInspectorServer', options, INSPECTOR_OPTIONS);
  const host = options.host === undefined ? '127.0.0.1' : text('host', options.host);
  const port = options.port === undefined ? 0 : checkPort('port', options.port);
  const { names = [], proxies = [], recorder } = options;
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string' && name !== '')) {
    throw new OptionError('names', names, 'a list of names such as box.example:9000');
  }
  if (!Array.isArray(proxies) || !proxies.every(isRegistry)) {
    throw new OptionError('proxies', proxies, 'a list of what createProxy() returns');
  }
  if (recorder !== undefined && typeof recorder?.file !== 'string') {
    throw new OptionError('recorder', recorder, 'what record() returns');
  }
  const observer = new Observer({
    registries: proxies,
    stepsPerConnectionMax: integer('stepsPerConnectionMax', options.stepsPerConnectionMax, 64, 2, 65_536),
    stepsMax: count('stepsMax', options.stepsMax, 1_000_000),
    endedMax: integer('endedMax', options.endedMax, 1_000, 1, 1_000_000),
  });
  const page = new Page(observer, {
    proxies,
    names,
    actions: flag('actions', options.actions, false),
    recorder,
    watchFor: timeout('watchFor', options.watchFor, 60_000),
  });
  await page.listen(host, port);
  return page;
}

function isRegistry(proxy: unknown): proxy is Registry {
  const { id, sessions, listeners, backends, servers } = (proxy ?? {}) as Partial<Registry>;
  const isListed = [sessions, listeners, backends, servers?.list].every(Array.isArray);
  return typeof id === 'string' && isListed && typeof servers?.clock?.now === 'function';
}

interface Settings {
  readonly proxies: readonly Registry[];
  readonly names: readonly string[];
  readonly actions: boolean;
  readonly recorder: Recorder | undefined;
  readonly watchFor: number;
}

/** What is answered in place of what was asked for. */
class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

/** A page that is told what there is to see. */
interface Stream {
  readonly response: ServerResponse;
  /** Since when it has not taken what it was sent. */
  fullSince: number | undefined;
}

class Page implements InspectorServer {
  host = '';
  port = 0;
  url = '';
  readonly #observer: Observer;
  readonly #settings: Settings;
  readonly #server: Server;
  readonly #streams = new Set<Stream>();
  #access!: Access;
  #assets: Promise<Assets> | undefined;
  #streaming: NodeJS.Timeout | undefined;
  #leaving: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(observer: Observer, settings: Settings) {
    this.#observer = observer;
    this.#settings = settings;
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
      const where = `${host.includes(':') ? `[${host}]` : host}:${port}`;
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
    clearInterval(this.#streaming);
    this.#observer.stop();
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
    // Whoever has asked may be gone.
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
    switch (pathname) {
      case '/api/about':
        json(response, this.#about());
        return;
      case '/api/stream':
        this.#stream(response);
        return;
      case '/api/overview':
        json(response, this.#overview());
        return;
      case '/api/connections':
        json(response, connectionsPage(this.#observer, queryOf(searchParams)));
        return;
      case '/api/export':
        await this.#export(response, searchParams.has('empty'));
        return;
      case '/api/recording':
        await this.#recording(response);
        return;
    }
    await this.#file(pathname, response);
  }

  async #file(pathname: string, response: ServerResponse): Promise<void> {
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
    return { version: sockchart, actions, machines: [...MACHINES.keys()], recording: recorder !== undefined };
  }

  /** Somebody looks: counts, until nobody has for a while. */
  #watch(): void {
    this.#observer.watch();
    clearTimeout(this.#leaving);
    if (this.#streams.size > 0) return;
    this.#leaving = setTimeout(() => this.#observer.stop(), this.#settings.watchFor).unref();
  }

  #stream(response: ServerResponse): void {
    if (this.#streams.size >= PAGES_MAX) throw new Refusal(503, `There are ${PAGES_MAX} pages open already.`);
    const stream: Stream = { response, fullSince: undefined };
    this.#streams.add(stream);
    clearTimeout(this.#leaving);
    response.on('drain', () => {
      stream.fullSince = undefined;
    });
    response.on('close', () => {
      this.#streams.delete(stream);
      if (this.#streams.size > 0) return;
      clearInterval(this.#streaming);
      this.#streaming = undefined;
      if (this.#observer.isWatching) this.#watch();
    });
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    response.write('retry: 1000\n\n');
    send(stream, this.#event());
    this.#streaming ??= setInterval(() => this.#sendAll(), STREAM_EVERY_MS).unref();
  }

  /** Made once for all pages; one that has not taken the last goes without. */
  #sendAll(): void {
    const at = performance.now();
    let event: string | undefined;
    try {
      for (const stream of this.#streams) {
        if (stream.fullSince === undefined) {
          event ??= this.#event();
          send(stream, event);
        } else if (at - stream.fullSince > STALLED_MS) {
          stream.response.destroy();
        }
      }
    } catch {
      // What is looked at has thrown: the pages come back by themselves, and are told of it.
      for (const { response } of this.#streams) response.destroy();
    }
  }

  #event(): string {
    return `event: overview\ndata: ${JSON.stringify(this.#overview())}\n\n`;
  }

  #overview(): Overview {
    const observer = this.#observer;
    const { proxies, recorder } = this.#settings;
    return {
      at: now(),
      since: observer.since,
      transitions: observer.transitions,
      transitionRate: observer.transitionRate,
      machines: observer.machines(),
      totals: observer.totals(),
      servers: proxies.flatMap(serversOf),
      seconds: observer.seconds(),
      live: observer.connections.size,
      ...(recorder?.error !== undefined && { recordingError: recorder.error.message }),
      proxies: proxies.map(({ id, state }) => ({ id, state })),
      listeners: proxies.flatMap(({ listeners }) => listeners.map(listenerInfo)),
    };
  }

  async #export(response: ServerResponse, isEmpty: boolean): Promise<void> {
    const page = await exportPage(isEmpty ? [] : await this.#lines());
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-disposition': 'attachment; filename="sockchart.html"',
    });
    response.end(page);
  }

  /** The end of the recording, or of what is remembered. */
  async #lines(): Promise<RecordedLine[]> {
    const { recorder } = this.#settings;
    const observer = this.#observer;
    if (recorder === undefined) {
      const steps = observer.lastSteps(EXPORT_MAX);
      const missing = observer.transitions - steps.length;
      const gap = missing > 0 ? [{ at: observer.since, missing }] : [];
      return [headOf(observer.since), ...gap, ...steps, { at: now(), end: steps.length }];
    }
    await recorder.flush();
    const lines = await lastLines(recorder.file, EXPORT_MAX);
    // It goes on, but nothing is missing here.
    if (recorder.error === undefined && !('end' in (lines.at(-1) as object)))
      lines.push({ at: now(), end: recorder.steps });
    return lines;
  }

  /** All files of it, one after the other. */
  async #recording(response: ServerResponse): Promise<void> {
    const { recorder } = this.#settings;
    if (recorder === undefined) throw new Refusal(404, 'Nothing is being recorded.');
    await recorder.flush();
    const parts = await openParts(recorder.file);
    try {
      response.writeHead(200, {
        'content-type': 'application/x-ndjson; charset=utf-8',
        'content-disposition': 'attachment; filename="sockchart.jsonl"',
      });
      for (const { handle } of parts) {
        await pipeline(handle.createReadStream({ start: 0, autoClose: false }), response, { end: false });
      }
      response.end();
    } finally {
      await closeParts(parts);
    }
  }

  async #act(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!this.#settings.actions) throw new Refusal(403, 'Actions are not allowed: this page is for reading.');
    const { method, headers } = request;
    if (method !== 'POST') throw new Refusal(405, 'Actions are posted.', { allow: 'POST' });
    // Neither of the two can be sent by a form of another site, nor by its script unless this server agrees.
    if (headers['content-type']?.split(';', 1)[0] !== 'application/json' || headers['x-sockchart'] !== 'action') {
      throw new Refusal(415, 'An action is JSON, with the header x-sockchart: action.');
    }
    const { action, id } = actionOf(await bodyOf(request));
    if (this.#isClosed) throw new Refusal(503, 'This server is closed.');
    this.#watch();
    const connection = this.#observer.find(id);
    const handle = handleOf(id, connection ?? { live: undefined }, this.#settings.proxies);
    if (handle === undefined) throw new Refusal(404, 'There is no such connection, or no longer.');
    try {
      perform(action, handle);
    } catch (error) {
      if (error instanceof SockchartError) throw new Refusal(409, error.message);
      throw error;
    }
    response.writeHead(204).end();
  }
}

function send(stream: Stream, event: string): void {
  if (!stream.response.write(event)) stream.fullSince = performance.now();
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify(value));
}

function urlOf({ url = '' }: IncomingMessage): URL {
  // What is no path, such as what a proxy is asked for, leads nowhere.
  if (!url.startsWith('/') || !URL.canParse(url, 'http://localhost')) throw new Refusal(400, 'This is no path.');
  return new URL(`http://localhost${url}`);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Refusal(400, 'This is no name of a connection.');
  }
}

function queryOf(given: URLSearchParams): ConnectionsQuery {
  const sort = given.get('sort') ?? 'age';
  const order = given.get('order') ?? 'asc';
  if (!(SORTS as readonly string[]).includes(sort)) throw new Refusal(400, `sort is one of ${SORTS.join(', ')}.`);
  if (order !== 'asc' && order !== 'desc') throw new Refusal(400, 'order is asc or desc.');
  const of = given.get('of') ?? 'alive';
  if (!(LISTED as readonly string[]).includes(of)) throw new Refusal(400, `of is one of ${LISTED.join(', ')}.`);
  return {
    of: of as Listed,
    sort: sort as Sort,
    descending: order === 'desc',
    filter: (given.get('filter') ?? '').slice(0, FILTER_MAX).toLowerCase(),
    state: (given.get('state') ?? '').slice(0, FILTER_MAX),
    offset: whole(given, 'offset', 0, Number.MAX_SAFE_INTEGER),
    limit: whole(given, 'limit', 100, ROWS_MAX),
  };
}

function whole(given: URLSearchParams, name: string, fallback: number, most: number): number {
  const text = given.get(name);
  if (text === null) return fallback;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= most)) throw new Refusal(400, `${name} is a whole number up to ${most}.`);
  return value;
}

function serversOf({ servers }: Registry): ServerInfo[] {
  return servers.list.map(({ name, connections, failures, hasAnswered, excluded }) => ({
    name,
    connections,
    failures,
    // That its time is over makes no server answer: it is up when it has.
    state: excluded !== undefined ? 'excluded' : failures > 0 ? 'down' : hasAnswered ? 'up' : 'untried',
  }));
}

function listenerInfo(listener: LiveListener): ListenerInfo {
  const { id, state } = listener;
  const accepted = listener.accepts();
  return {
    id,
    state,
    address: addressOf(listener),
    canSuspend: accepted.includes('listener.suspend'),
    canResume: accepted.includes('listener.resume'),
  };
}

function addressOf({ address }: LiveListener): string {
  if (address === undefined) return '';
  if ('path' in address) return address.path;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ACTION_BYTES_MAX) throw new Refusal(413, 'An action is shorter than this.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const ACTIONS = ['close', 'abort', 'drain', 'suspend', 'resume', 'retry'] as const satisfies ActionRequest['action'][];

function actionOf(body: string): ActionRequest {
  let read: Partial<ActionRequest> | null;
  try {
    read = JSON.parse(body);
  } catch {
    throw new Refusal(400, 'This is no JSON.');
  }
  const { action, id } = read ?? {};
  if (action === undefined || !ACTIONS.includes(action) || typeof id !== 'string') {
    throw new Refusal(400, `An action is { action, id }, where action is one of ${ACTIONS.join(', ')}.`);
  }
  return { action, id };
}

type AnyHandle = NonNullable<ReturnType<typeof handleOf>>;
type Method = 'close' | 'abort' | 'suspend' | 'resume' | 'retryNow';
type Able = Partial<Record<Method, () => unknown>>;

const METHODS: Record<ActionRequest['action'], Method> = {
  close: 'close',
  abort: 'abort',
  drain: 'close',
  suspend: 'suspend',
  resume: 'resume',
  retry: 'retryNow',
};

/** @throws SockchartError where it cannot be done */
function perform(action: ActionRequest['action'], handle: AnyHandle): void {
  // It is the backend that waits for its next attempt.
  const asked: Able = action === 'retry' && 'backend' in handle ? (handle.backend as Able) : (handle as Able);
  const method = asked[METHODS[action]];
  if (method === undefined || (action === 'drain' && !('sessions' in handle))) {
    throw new NotSupportedError(`${handle.id} cannot ${action}.`);
  }
  // How it ends is seen on the page.
  Promise.resolve(method.call(asked)).catch(() => {});
}
