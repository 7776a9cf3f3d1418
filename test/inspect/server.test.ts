import { execFile } from 'node:child_process';
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { messageOf } from '../../inspector/src/messages.js';
import { BindError, OptionError, TRANSITION_CHANNEL, type Transition } from '../../src/index.js';
import {
  createInspectorServer,
  type InspectorOptions,
  type InspectorServer,
  type Registry,
  record,
} from '../../src/inspect/index.js';
import type { About, ConnectionDetail, ConnectionsPage, Overview, ServersNews } from '../../src/inspect/protocol.js';
import { stepWords } from '../../src/inspect/words.js';
import { openSockets, useBench } from '../support/bench.js';
import { makers } from '../support/make.js';
import { Reader } from '../support/peers.js';
import { turns, until, within } from '../support/wait.js';
import { Browser, overviews } from './browser.js';

const bench = useBench();
const { makeProxy, makeBackend } = makers(bench);
const transitions = channel(TRANSITION_CHANNEL);

let inspectors: InspectorServer[] = [];
afterEach(async () => {
  await Promise.all(inspectors.map((inspector) => inspector.close()));
  inspectors = [];
  expect(transitions.hasSubscribers).toBe(false);
});

async function serve(options: InspectorOptions = {}): Promise<InspectorServer> {
  const inspector = await createInspectorServer(options);
  inspectors.push(inspector);
  return inspector;
}

/** A browser that was let in. */
async function visit(inspector: InspectorServer): Promise<Browser> {
  const browser = new Browser(inspector.port);
  await browser.open(inspector.newUrl());
  return browser;
}

/** Waits for an overview that is as it should be; the stream goes on. */
async function seen(told: AsyncGenerator<Overview>, holds: (overview: Overview) => boolean): Promise<Overview> {
  for (;;) {
    const { value, done } = await within(10_000, 'what the stream should tell', told.next());
    if (done) throw new Error('The stream has ended.');
    if (holds(value)) return value;
  }
}

const pathOf = (id: string): string => `/api/connections/${encodeURIComponent(id)}`;

describe('who may look', () => {
  test('the token lets one browser in, once; its cookie lets it in again, also with the address it came by', async () => {
    const inspector = await serve();
    expect(inspector.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{43}$/);
    const [first, second] = [new Browser(inspector.port), new Browser(inspector.port)];
    expect((await first.get('/api/about')).status).toBe(403);
    expect((await first.get('/?token=')).status).toBe(403);
    expect((await first.get(`/?token=${'x'.repeat(43)}`)).status).toBe(403);
    const opened = await first.open(inspector.url);
    expect(opened.status).not.toBe(403);
    expect(opened.headers['set-cookie']).toEqual([
      expect.stringMatching(/^sockchart-\d+=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/$/),
    ]);
    expect((await first.get('/api/about')).status).toBe(200);
    expect((await second.open(inspector.url)).status).toBe(403);
    expect((await second.get('/api/about')).status).toBe(403);
    const reloaded = await first.open(inspector.url);
    expect([reloaded.status, reloaded.headers['set-cookie']]).toEqual([opened.status, undefined]);
    await second.open(inspector.newUrl());
    expect((await second.get('/api/about')).status).toBe(200);
    expect((await first.get('/api/about')).status).toBe(200);
  });

  test('a browser that was let in already uses a token up too, and keeps its cookie', async () => {
    const inspector = await serve();
    const browser = await visit(inspector);
    const { status, headers } = await browser.open(inspector.url);
    expect([status, headers['set-cookie']]).toEqual([200, undefined]);
    expect((await new Browser(inspector.port).open(inspector.url)).status).toBe(403);
    expect((await browser.get('/api/about')).status).toBe(200);
  });

  test('a cookie of the same name that somebody else has set locks nobody out', async () => {
    const inspector = await serve();
    const opened = await new Browser(inspector.port).open(inspector.url);
    const [own = ''] = opened.headers['set-cookie']?.[0]?.split(';') ?? [];
    const tossed = `sockchart-${inspector.port}=${'a'.repeat(43)}`;
    const browser = new Browser(inspector.port);
    for (const cookie of [`${tossed}; ${own}`, `${own}; ${tossed}`]) {
      expect((await browser.get('/api/about', { cookie })).status, cookie).toBe(200);
    }
    expect((await browser.get('/api/about', { cookie: `${tossed}; ${tossed}` })).status).toBe(403);
  });

  test('who opens the page without access reads why; who asks as a program gets JSON', async () => {
    const browser = new Browser((await serve()).port);
    const [page, asked] = [await browser.get('/'), await browser.get('/api/about')];
    expect([page.status, page.headers['content-type']]).toEqual([403, 'text/plain; charset=utf-8']);
    expect([asked.status, asked.headers['content-type']]).toEqual([403, 'application/json; charset=utf-8']);
    expect(page.text).toMatch(/^The address that the program has printed lets one browser in, once\./);
    expect(JSON.parse(asked.text)).toEqual({ error: page.text });
  });

  test('who asks for nothing takes no more than so many sockets, for so long', async () => {
    let server: Server | undefined;
    const onRequest = (message: unknown): void => {
      ({ server } = message as { server: Server });
    };
    subscribe('http.server.request.start', onRequest);
    bench.later(() => unsubscribe('http.server.request.start', onRequest));
    await new Browser((await serve()).port).get('/');
    expect(server).toMatchObject({ headersTimeout: 10_000, requestTimeout: 15_000, maxConnections: 128 });
    const { host, port } = await serve();
    let ended = 0;
    for (let count = 1; count <= 130; count++) {
      const socket = await bench.dial({ host, port });
      socket.on('error', () => {});
      socket.on('end', () => ended++);
      socket.resume();
    }
    await until('the end of two that are too many', () => ended === 2);
    await turns();
    expect(ended).toBe(2);
  });

  test('the token opens nothing but the page, and a cookie that is none is none', async () => {
    const inspector = await serve();
    const browser = new Browser(inspector.port);
    const { search } = new URL(inspector.url);
    expect((await browser.get(`/api/about${search}`)).status).toBe(403);
    const name = `sockchart-${inspector.port}`;
    for (const cookie of [name, `${name}=`, `${name}=undefined`, `x${name}=1`, `${name}=${'a'.repeat(43)}`]) {
      expect((await browser.get('/api/about', { cookie })).status, cookie).toBe(403);
    }
    expect((await browser.open(inspector.url)).status).not.toBe(403);
  });

  test('a host that the server does not have is refused, whatever the cookie', async () => {
    const inspector = await serve({ names: ['box.example:9'] });
    const browser = await visit(inspector);
    const { port } = inspector;
    const status = async (host: string) => (await browser.get('/api/about', { host })).status;
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      '127.0.0.1',
      `127.0.0.1:${port + 1}`,
      `127.0.0.1.evil.example:${port}`,
      `[::1]:${port}`,
      'box.example',
    ]) {
      expect(await status(host), host).toBe(403);
    }
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `LOCALHOST:${port}`, 'box.example:9']) {
      expect(await status(host), host).toBe(200);
    }
    // Not even a good token is used up for one.
    expect((await new Browser(port).get(`/${new URL(inspector.url).search}`, { host: 'evil.example' })).status).toBe(
      403,
    );
    expect((await new Browser(port).open(inspector.url)).status).not.toBe(403);
  });

  test('what comes from another origin is refused', async () => {
    const inspector = await serve();
    const browser = await visit(inspector);
    const { port } = inspector;
    const status = async (headers: Record<string, string>) => (await browser.get('/api/about', headers)).status;
    for (const origin of [
      'http://evil.example',
      'null',
      `https://127.0.0.1:${port}`,
      `http://127.0.0.1:${port + 1}`,
      `http://localhost:${port}`,
    ]) {
      expect(await status({ origin }), origin).toBe(403);
    }
    expect(await status({ origin: `http://127.0.0.1:${port}` })).toBe(200);
    for (const site of ['cross-site', 'same-site']) {
      expect(await status({ 'sec-fetch-site': site, 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' })).toBe(
        403,
      );
    }
    expect(await status({ 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' })).toBe(
      200,
    );
    const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
    expect((await browser.get('/', link)).status).not.toBe(403);
    expect((await browser.get('/', { ...link, 'sec-fetch-dest': 'iframe' })).status).toBe(403);
  });

  test('every answer has the strict policy, and none may be read by another origin', async () => {
    const inspector = await serve();
    const browser = await visit(inspector);
    for (const path of ['/', '/api/about', '/diagrams/session.svg', '/none', '/api/connections/none']) {
      const { headers } = await browser.get(path);
      expect(headers['content-security-policy'], path).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
          "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
      );
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cross-origin-resource-policy': 'same-origin',
        'cache-control': 'no-store',
      });
      expect(headers['access-control-allow-origin']).toBeUndefined();
    }
    expect((await new Browser(inspector.port).get('/')).headers['content-security-policy']).toContain(
      "default-src 'none'",
    );
  });

  test('nothing but its own files is served', async () => {
    const browser = await visit(await serve());
    for (const path of [
      '/../package.json',
      '/diagrams/../package.json',
      '/%2e%2e/package.json',
      '/diagrams/session.mmd',
      '/diagrams/..%2f..%2fpackage.json',
      '//etc/passwd',
      '/diagrams/',
      '/__proto__',
    ]) {
      expect((await browser.get(path)).status, path).toBe(404);
    }
    const { status, headers, text } = await browser.get('/diagrams/backend.svg');
    expect([status, headers['content-type']]).toEqual([200, 'image/svg+xml; charset=utf-8']);
    expect(text).toBe(await readFile('diagrams/backend.svg', 'utf8'));
    expect((await browser.get('http://evil.example/')).status).toBe(400);
    expect((await browser.get('/api/connections/%zz')).status).toBe(400);
  });

  test('it listens to this machine unless told otherwise, and says where it cannot', async () => {
    const inspector = await serve();
    expect(inspector.host).toBe('127.0.0.1');
    await expect(createInspectorServer({ port: inspector.port })).rejects.toThrow(BindError);
    const wide = await serve({ host: '0.0.0.0' });
    expect(wide.url).toContain(`http://127.0.0.1:${wide.port}/`);
    const browser = await visit(wide);
    expect((await browser.get('/api/about')).status).toBe(200);
    expect((await browser.get('/api/about', { host: `evil.example:${wide.port}` })).status).toBe(403);
  });

  test('options that cannot be right are refused', async () => {
    const wrong: [object, string][] = [
      [{ prot: 1 }, 'spelt "port"'],
      [{ port: -1 }, 'port'],
      [{ host: '' }, 'host'],
      [{ proxies: [{}] }, 'proxies'],
      [{ proxies: {} }, 'proxies'],
      [{ proxies: [{ id: 'a', listeners: [], sessions: [] }] }, 'proxies'],
      [{ proxies: [{ id: 'a', listeners: [], sessions: [], backends: [], servers: [] }] }, 'proxies'],
      [{ names: [1] }, 'names'],
      [{ actions: 'yes' }, 'actions'],
      [{ recorder: {} }, 'recorder'],
      [{ stepsMax: 0 }, 'stepsMax'],
      [{ watchFor: -1 }, 'watchFor'],
    ];
    for (const [options, message] of wrong) {
      const made = createInspectorServer(options);
      await expect(made, message).rejects.toThrow(OptionError);
      await expect(made).rejects.toThrow(message);
    }
  });
});

describe('what there is to see', () => {
  test('the stream follows real sockets', async () => {
    const echo = await bench.echo();
    const { proxy, at } = await makeProxy({ servers: [echo.at] });
    const browser = await visit(await serve({ proxies: [proxy] }));
    const stream = await browser.stream();
    expect(stream.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    const told = overviews(stream);
    const next = (holds: (overview: Overview) => boolean) => seen(told, holds);
    const first = await next(() => true);
    expect(first).toMatchObject({
      live: 0,
      proxies: [{ id: proxy.id, state: 'running' }],
      listeners: [{ id: proxy.listeners[0]?.id, address: `127.0.0.1:${at.port}` }],
    });
    const socket = await bench.dial(at);
    const reader = new Reader(socket);
    socket.write('hello');
    await reader.has(5);
    const busy = await next(({ live, totals }) => live === 1 && totals.bytesFromClients === 5);
    const session = busy.machines.find(({ machine }) => machine === 'session');
    expect(session?.states).toMatchObject({ 'relaying.both': 1 });
    expect(session?.edges).toContainEqual(
      expect.objectContaining({ from: 'connecting.open', event: 'backend.established', to: 'relaying.both', total: 1 }),
    );
    socket.end();
    await reader.ends();
    const over = await next(({ live }) => live === 0);
    expect(over.totals).toMatchObject({ accepted: 1, established: 1, closed: 1, endings: { ended: 1 } });
    const line = await next(({ seconds }) => seconds.some(({ closed }) => closed === 1));
    expect(line.seconds.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(1);
    stream.destroy();
  });

  test('a server is up when it has answered, untried before, and ejected or on trial when it has failed', async () => {
    const echo = await bench.echo();
    const dead = await bench.refusing();
    const servers = [{ port: dead }, { port: echo.port }, { port: echo.port, host: 'localhost' }];
    const { proxy, at } = await makeProxy({ servers, balance: 'inOrder', downFor: 1 });
    const browser = await visit(await serve({ proxies: [proxy] }));
    const states = async (): Promise<string[]> =>
      (await browser.json<ServersNews>('/api/servers')).servers.map(({ state }) => state as string);
    expect(await states()).toEqual(['untried', 'untried', 'untried']);
    const reader = new Reader(await bench.dial(at));
    reader.socket.write('hello');
    await reader.has(5);
    // That the time is over for which it is chosen last makes it no better.
    const since = performance.now();
    await until('a moment', () => performance.now() - since > 5);
    expect(await states()).toEqual(['trying', 'up', 'untried']);
  });

  test('a client’s reset is the client’s, and its session can be found when it is over', async () => {
    const echo = await bench.echo();
    const { proxy, at } = await makeProxy({ servers: [echo.at] });
    const browser = await visit(await serve({ proxies: [proxy] }));
    await browser.get('/api/about');
    const socket = await bench.dial(at);
    const reader = new Reader(socket);
    socket.write('hello');
    await reader.has(5);
    const peer = `127.0.0.1:${socket.localPort}`;
    socket.resetAndDestroy();
    await until('the session to be over', () => proxy.sessions.length === 0);
    for (const of of ['dropped', 'ended']) {
      const { rows, total } = await browser.json<ConnectionsPage>(`/api/connections?of=${of}&filter=${peer}`);
      expect([total, rows]).toMatchObject([
        1,
        [{ peer, state: 'dropped', lastCause: expect.stringMatching(/^client reset /) }],
      ]);
    }
    expect((await browser.json<ConnectionsPage>('/api/connections')).total).toBe(0);
    expect((await browser.get('/api/connections?of=none')).status).toBe(400);
    const { rows } = await browser.json<ConnectionsPage>('/api/connections?of=dropped');
    const detail = await browser.json<ConnectionDetail>(pathOf(rows[0]?.id ?? ''));
    // All three lives tell of one and the same reset.
    for (const { why } of detail.instances) expect(why).not.toMatch(/the backend reset/);
    const resets = detail.steps.filter(({ cause }) => cause?.manner === 'reset');
    expect(resets.filter(({ machine }) => machine !== 'client').map(({ cause }) => cause?.leg)).toEqual(
      resets.filter(({ machine }) => machine !== 'client').map(() => 'client'),
    );
    const words = detail.steps.map((_, index) => stepWords(detail.steps, index)).join('\n');
    expect(words).toMatch(/the client reset the connection/);
    expect(words).not.toMatch(/the backend reset/);
    const arrows = detail.steps.map((step) => messageOf(step)).filter(({ from, to }) => from !== to);
    expect(arrows.filter(({ label }) => label === 'RST').map(({ from, to }) => `${from} → ${to}`)).toEqual([
      'client → proxy',
      'proxy → backend',
    ]);
    expect(arrows.map(({ label }) => label)).not.toContain('closed');
  });

  test('connections are paged, and one of them is told in full, by the id of any of its instances', async () => {
    const echo = await bench.echo();
    const { proxy, at } = await makeProxy({ servers: [echo.at] });
    const browser = await visit(await serve({ proxies: [proxy] }));
    const sockets = await Promise.all(Array.from({ length: 5 }, () => bench.dial(at)));
    await until('the sessions', () => proxy.sessions.length === 5);
    const page = await browser.json<ConnectionsPage>('/api/connections?sort=age&order=asc&offset=1&limit=2');
    expect(page).toMatchObject({ total: 5, matching: 5, offset: 1 });
    expect(page.rows.map(({ id }) => id)).toEqual(
      proxy.sessions
        .slice(2, 4)
        .map(({ id }) => id)
        .reverse(),
    );
    const port = sockets[2]?.localPort;
    const found = await browser.json<ConnectionsPage>(`/api/connections?filter=127.0.0.1:${port}`);
    expect(found.rows).toMatchObject([{ peer: `127.0.0.1:${port}`, server: `127.0.0.1:${echo.port}` }]);
    const session = proxy.sessions.find(({ id }) => id === found.rows[0]?.id);
    for (const id of [session?.id, session?.client.id, session?.backend.id]) {
      const detail = await browser.json<ConnectionDetail>(pathOf(id ?? ''));
      expect(detail.instances.map((instance) => instance.id)).toEqual([
        session?.id,
        session?.client.id,
        session?.backend.id,
      ]);
      expect(detail.steps.at(0)).toMatchObject({ machine: 'client', from: '', to: 'live.accepted.open' });
      expect(detail.instances.every(({ description }) => description !== '')).toBe(true);
    }
    expect((await browser.get('/api/connections?limit=500')).status).toBe(200);
    for (const query of ['sort=x', 'order=up', 'limit=501', 'limit=-1', 'offset=1e3', 'limit=']) {
      expect((await browser.get(`/api/connections?${query}`)).status, query).toBe(400);
    }
    expect((await browser.get(pathOf('session#0'))).status).toBe(404);
    expect(await browser.json<About>('/api/about')).toMatchObject({ actions: false, recording: false });
  });

  test('what a peer or a machine chose stays text', async () => {
    const inspector = await serve();
    const browser = await visit(inspector);
    await browser.get('/api/about');
    const evil = '</script><img src=x onerror=alert(1)>\u2028\n\ndata: {}';
    transitions.publish({
      who: evil,
      machine: 'client',
      from: '',
      event: evil,
      to: evil,
      about: { server: evil },
      cause: { initiator: 'peer', manner: 'reset', phase: 'established', code: evil },
      at: 0,
    } as unknown as Transition);
    const { headers, text } = await browser.get('/api/connections');
    expect(headers['content-type']).toBe('application/json; charset=utf-8');
    expect((JSON.parse(text) as ConnectionsPage).rows).toMatchObject([{ id: evil, state: evil }]);
    expect((await browser.json<ConnectionDetail>(pathOf(evil))).steps).toMatchObject([{ who: evil, event: evil }]);
    const stream = await browser.stream();
    const overview = await seen(overviews(stream), () => true);
    expect(overview.machines[0]?.states).toEqual({ [evil]: 1 });
    stream.destroy();
    const page = await browser.get('/api/export');
    if (page.status === 200) {
      const data = /<script type="application\/json" id="recording">(.*?)<\/script>/s.exec(page.text)?.[1] ?? '';
      expect(JSON.parse(data)).toContainEqual(expect.objectContaining({ who: evil }));
      expect(page.text).not.toContain('<img src=x');
    } else {
      expect(page.text).toContain('The live page is not found');
    }
  });

  test('an export holds the recording, runs its own script alone, and asks for nothing', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sc-server-'));
    bench.later(() => rm(folder, { recursive: true }));
    const recorder = await record(join(folder, 'run.jsonl'));
    bench.later(() => recorder.stop());
    const browser = await visit(await serve({ recorder }));
    for (const who of ['a#1', 'a#2']) {
      transitions.publish({ who, machine: 'a', from: '', event: 'xstate.init', to: 'b', at: 0 } as Transition);
    }
    const recording = await browser.get('/api/recording');
    expect(recording.headers['content-type']).toBe('application/x-ndjson; charset=utf-8');
    expect(
      recording.text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toMatchObject([{ recording: 1 }, { who: 'a#1' }, { who: 'a#2' }]);
    const { status, headers, text } = await browser.get('/api/export');
    expect(status, 'npm run build comes before the tests').toBe(200);
    expect(headers['content-disposition']).toContain('attachment');
    const dataOf = (page: string, id: string): unknown =>
      JSON.parse(new RegExp(`<script type="application/json" id="${id}">(.*?)</script>`, 's').exec(page)?.[1] ?? '');
    expect(dataOf(text, 'recording')).toMatchObject([{ recording: 1 }, { who: 'a#1' }, { who: 'a#2' }, { end: 2 }]);
    expect(Object.keys(dataOf(text, 'diagrams') as object)).toContain('backend');
    expect(dataOf((await browser.get('/api/export?empty')).text, 'recording')).toEqual([]);
    expect(text).toMatch(/content-security-policy" content="default-src 'none'; script-src 'sha256-[^']+'; /);
    expect(text).not.toMatch(/<(?:script|img|iframe)\b[^>]*\bsrc=|<link\b[^>]*\brel="stylesheet"/);
    // Each script element that is opened is closed, and no text closes one early.
    expect(text.match(/<script\b/g)).toHaveLength(3);
    expect(text.match(/<\/script>/g)).toHaveLength(3);
    await recorder.stop();
  });

  test('what is recorded is every file of this run, and nothing of an earlier one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sc-server-'));
    bench.later(() => rm(folder, { recursive: true }));
    const file = join(folder, 'run.jsonl');
    const publish = (run: string, count: number): void => {
      for (let number = 0; number < count; number++) {
        transitions.publish({
          who: `${run}#${number}`,
          machine: 'a',
          from: '',
          event: 'xstate.init',
          to: 'b',
          at: 0,
        } as Transition);
      }
    };
    const earlier = await record(file);
    publish('old', 3);
    await earlier.stop();
    const recorder = await record(file, { bytesMax: 4_096, filesMax: 20 });
    bench.later(() => recorder.stop());
    const browser = await visit(await serve({ recorder }));
    publish('new', 150);
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on('warning', onWarning);
    bench.later(() => process.off('warning', onWarning));
    const expected = Array.from({ length: 150 }, (_, number) => `new#${number}`);
    const lines = (await browser.get('/api/recording')).text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { who?: string });
    expect(lines.flatMap(({ who }) => who ?? [])).toEqual(expected);
    const { text } = await browser.get('/api/export');
    const data = /<script type="application\/json" id="recording">(.*?)<\/script>/s.exec(text)?.[1] ?? '';
    const exported = JSON.parse(data) as { who?: string; missing?: number }[];
    expect(exported.flatMap(({ who }) => who ?? [])).toEqual(expected);
    expect(exported.at(-1)).toMatchObject({ end: 150 });
    // Such as one about too many listeners of the response.
    expect(warnings).toEqual([]);
    await recorder.stop();
  });
});

/** What has the shape of a proxy, and is none. */
const shapeOf = (proxy: Registry): Registry => ({
  id: 'registry#1',
  state: 'running',
  timers: () => [],
  accepts: () => [],
  listeners: [],
  sessions: [],
  backends: [],
  servers: proxy.servers,
});

describe('actions', () => {
  test('are refused where they were not allowed, and so is every other method', async () => {
    const echo = await bench.echo();
    const { proxy, at } = await makeProxy({ servers: [echo.at] });
    const browser = await visit(await serve({ proxies: [proxy] }));
    await bench.dial(at);
    await until('the session', () => proxy.sessions.length === 1);
    const id = proxy.sessions[0]?.id ?? '';
    const answer = await browser.post('/api/actions', { action: 'abort', id });
    expect([answer.status, JSON.parse(answer.text)]).toEqual([403, { error: expect.stringContaining('not allowed') }]);
    expect((await browser.post('/api/connections', {})).status).toBe(405);
    expect(proxy.sessions[0]?.outcome).toBeUndefined();
  });

  test('take a page of this origin, JSON and a header that no form can send', async () => {
    const echo = await bench.echo();
    const { proxy, at } = await makeProxy({ servers: [echo.at] });
    const inspector = await serve({ proxies: [proxy], actions: true });
    const browser = await visit(inspector);
    await bench.dial(at);
    await until('the session', () => proxy.sessions.length === 1);
    const action = { action: 'abort', id: proxy.sessions[0]?.id };
    const status = async (headers: Record<string, string>, body: unknown = action, who = browser) =>
      (await who.post('/api/actions', body, headers)).status;
    expect(await status({ origin: 'http://evil.example' })).toBe(403);
    expect(await status({ 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(await status({}, action, new Browser(inspector.port))).toBe(403);
    expect(await status({ 'content-type': 'text/plain' })).toBe(415);
    expect(await status({ 'x-sockchart': '' })).toBe(415);
    expect(await status({}, '{')).toBe(400);
    expect(await status({}, 'null')).toBe(400);
    expect(await status({}, { ...action, action: 'constructor' })).toBe(400);
    expect(await status({}, { ...action, action: 'toString' })).toBe(400);
    expect(await status({}, { action: 'close', id: 7 })).toBe(400);
    const unknown = JSON.stringify({ action: 'close', id: 'session#0' });
    expect(await status({}, unknown)).toBe(404);
    expect(await status({}, unknown.padEnd(4_096))).toBe(404);
    expect(await status({}, unknown.padEnd(4_097))).toBe(413);
    expect(
      (await browser.get('/api/actions', { 'content-type': 'application/json', 'x-sockchart': 'action' })).status,
    ).toBe(405);
    expect(proxy.sessions[0]?.outcome).toBeUndefined();
    // Without an origin it is nobody's.
    const port = inspector.port;
    const request = httpRequest({ host: '127.0.0.1', port, method: 'POST', path: '/api/actions', agent: false });
    request.end();
    const [{ statusCode }] = (await once(request, 'response')) as [IncomingMessage];
    expect(statusCode).toBe(403);
    expect((await browser.postFromNowhere('/api/actions', action)).status).toBe(403);
    expect(proxy.sessions[0]?.outcome).toBeUndefined();
    // It was the origin that was missing, and nothing else.
    expect((await browser.post('/api/actions', action)).status).toBe(204);
    await until('the session to be closed', () => proxy.sessions.length === 0);
  });

  test('act on real connections, listeners and proxies', async () => {
    const echo = await bench.echo();
    const dead = await bench.refusing();
    const { backend } = makeBackend({
      servers: [{ port: dead }],
      persistent: true,
      attemptsMax: Number.POSITIVE_INFINITY,
      backoff: { initialMs: 60_000, maxMs: 60_000, jitter: 0 },
    });
    const waiting = backend.connect();
    waiting.catch(() => {});
    const { proxy, at } = await makeProxy({ servers: [echo.at] });
    const inspector = await serve({ proxies: [proxy, { ...shapeOf(proxy), backends: [backend] }], actions: true });
    const browser = await visit(inspector);
    const act = async (action: string, id: string) => (await browser.post('/api/actions', { action, id })).status;
    const [first, second] = [await bench.dial(at), await bench.dial(at)];
    const readers = [new Reader(first), new Reader(second)];
    await until('the sessions', () => proxy.sessions.filter((session) => session.matches('relaying')).length === 2);
    const [one, other] = proxy.sessions;
    expect(await act('abort', one?.id ?? '')).toBe(204);
    expect(await readers[0]?.ends()).toBe('reset');
    expect((await one?.closed)?.ending).toBe('aborted');

    const listener = proxy.listeners[0];
    expect(await act('suspend', listener?.id ?? '')).toBe(204);
    expect(listener?.matches('serving.suspended')).toBe(true);
    expect(await act('resume', listener?.id ?? '')).toBe(204);
    await until('the listener to listen again', () => listener?.matches('serving.listening') === true);

    await until('the backend to wait', () => backend.matches('active.waiting'));
    const before = backend.incarnation;
    expect(await act('retry', backend.id)).toBe(204);
    await until('another attempt', () => backend.incarnation > before);

    expect(await act('drain', other?.id ?? '')).toBe(409);
    expect(await act('suspend', other?.id ?? '')).toBe(409);
    expect(await act('drain', proxy.id)).toBe(204);
    expect(proxy.matches('draining')).toBe(true);
    expect(await act('resume', listener?.id ?? '')).toBe(409);
    expect(await act('close', other?.id ?? '')).toBe(204);
    second.end();
    expect((await proxy.closed).ending).toBe('closed');
    await backend.abort();
  });

  test('of a page that was given proxies act on no connection of another one; of a page that was given none, on each that it shows', async () => {
    const echo = await bench.echo();
    const { proxy } = await makeProxy({ servers: [echo.at] });
    const { proxy: another, at } = await makeProxy({ servers: [echo.at] });
    const some = await visit(await serve({ proxies: [proxy], actions: true }));
    const all = await visit(await serve({ actions: true }));
    for (const browser of [some, all]) await browser.get('/api/about');
    await bench.dial(at);
    await until('the session', () => another.sessions[0]?.matches('relaying') === true);
    const session = another.sessions[0];
    const action = { action: 'abort', id: session?.id };
    expect((await some.get(pathOf(session?.id ?? ''))).status).toBe(200);
    expect((await some.post('/api/actions', action)).status).toBe(404);
    expect((await all.post('/api/actions', { ...action, id: 'session#0' })).status).toBe(404);
    expect(session?.outcome).toBeUndefined();
    expect((await all.post('/api/actions', action)).status).toBe(204);
    expect((await session?.closed)?.ending).toBe('aborted');
  });
});

describe('what goes wrong in what is looked at stays there', () => {
  test('an action that fails later, or throws what is no error', async () => {
    const { proxy } = await makeProxy({ servers: [{ port: 1 }] });
    const lost: unknown[] = [];
    const onLost = (reason: unknown): void => void lost.push(reason);
    process.on('unhandledRejection', onLost);
    bench.later(() => process.off('unhandledRejection', onLost));
    const bad = {
      ...shapeOf(proxy),
      close: () => Promise.reject(new Error('It could not be closed.')),
      abort: () => {
        throw undefined;
      },
    };
    const browser = await visit(await serve({ proxies: [bad], actions: true }));
    expect((await browser.post('/api/actions', { action: 'close', id: bad.id })).status).toBe(204);
    const { status, text } = await browser.post('/api/actions', { action: 'abort', id: bad.id });
    expect([status, JSON.parse(text)]).toEqual([500, { error: 'What was thrown is no error.' }]);
    expect(lost).toEqual([]);
  });

  test('the pages of an overview that cannot be made are let go, and may come back', async () => {
    const { proxy } = await makeProxy({ servers: [{ port: 1 }] });
    let isBad = false;
    const bad: Registry = {
      ...shapeOf(proxy),
      get state() {
        if (isBad) throw new Error('It has no state.');
        return 'running';
      },
    };
    const inspector = await serve({ proxies: [bad] });
    const browser = await visit(inspector);
    const stream = await browser.stream();
    await seen(overviews(stream), () => true);
    isBad = true;
    await until('the page to be let go', () => inspector.pages === 0);
    expect((await browser.get('/api/overview')).status).toBe(500);
    isBad = false;
    const again = await browser.stream();
    await seen(overviews(again), () => true);
    again.destroy();
  });

  test('an action that was read when it was closed is not begun', async () => {
    const { proxy } = await makeProxy({ servers: [{ port: 1 }] });
    const asked: string[] = [];
    const shape = { ...shapeOf(proxy), close: () => asked.push('close') };
    const inspector = await serve({ proxies: [shape], actions: true });
    const browser = await visit(inspector);
    const closed = new Promise<void>((resolve) => {
      const onRequest = (message: unknown): void => {
        const { request } = message as { request: IncomingMessage };
        if (request.method !== 'POST') return;
        unsubscribe('http.server.request.start', onRequest);
        request.once('end', () => resolve(inspector.close()));
      };
      subscribe('http.server.request.start', onRequest);
    });
    await expect(browser.post('/api/actions', { action: 'close', id: shape.id })).rejects.toThrow();
    await closed;
    expect(transitions.hasSubscribers).toBe(false);
    expect(asked).toEqual([]);
  });
});

describe('what it costs', () => {
  test('nobody is subscribed until a page is opened, nor for long after it was closed', async () => {
    const inspector = await serve({ watchFor: 1 });
    expect(transitions.hasSubscribers).toBe(false);
    expect((await new Browser(inspector.port).get('/api/overview')).status).toBe(403);
    expect(transitions.hasSubscribers).toBe(false);
    const browser = await visit(inspector);
    const stream = await browser.stream();
    await seen(overviews(stream), () => true);
    expect([transitions.hasSubscribers, inspector.pages]).toEqual([true, 1]);
    stream.destroy();
    await until('the page to be gone', () => inspector.pages === 0);
    await until('nobody to be subscribed', () => !transitions.hasSubscribers);
  });

  test('a page that does not read is skipped, and not queued for; the others go on', async () => {
    const inspector = await serve();
    const [slow, quick] = [await visit(inspector), await visit(inspector)];
    await quick.get('/api/about');
    // An overview of four megabytes: a few of them are more than the system takes for who does not read.
    const tell = (number: number): void => {
      const event = `e${number % 2_000}`.padEnd(2_000, '.');
      transitions.publish({ who: `x#${number}`, machine: 'x', from: '', event, to: 'a', at: 0 } as Transition);
    };
    for (let number = 0; number < 2_000; number++) tell(number);
    const slowly = await slow.stream();
    const quickly = await quick.stream();
    let events = 0;
    for await (const { transitions: count } of overviews(quickly)) {
      events++;
      tell(count);
      if (events === 10) break;
    }
    // What the slow one gets now is what the system had taken, at most one more, and then what there is.
    let old = 0;
    for await (const { transitions: count } of overviews(slowly)) {
      if (count >= 2_009) break;
      old++;
    }
    expect(old).toBeGreaterThan(0);
    expect(old).toBeLessThanOrEqual(6);
  });

  test('a page that takes nothing for half a minute is let go, and no page before', async () => {
    const inspector = await serve();
    const [slow, quick] = [await visit(inspector), await visit(inspector)];
    await quick.get('/api/about');
    for (let number = 0; number < 2_000; number++) {
      const event = `e${number}`.padEnd(2_000, '.');
      transitions.publish({ who: `x#${number}`, machine: 'x', from: '', event, to: 'a', at: 0 } as Transition);
    }
    const slowly = await slow.stream();
    const gone = new Promise((resolve) => slowly.on('close', () => resolve('gone')));
    slowly.on('error', () => {});
    const told = overviews(await quick.stream());
    // By then the other one has more waiting than the system takes.
    for (let events = 0; events < 8; events++) await told.next();
    const { now } = performance;
    let ahead = 29_000;
    vi.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + ahead);
    bench.later(() => vi.restoreAllMocks());
    const full = now.call(performance);
    await told.next();
    await told.next();
    // Unless so much time has gone by since it was full.
    if (now.call(performance) - full < 500) expect(inspector.pages).toBe(2);
    ahead = 120_000;
    await told.next();
    await told.next();
    expect(inspector.pages).toBe(1);
    slowly.resume();
    expect(await within(5_000, 'the end of the page', gone)).toBe('gone');
    await told.return(undefined);
  });

  test('sixteen pages are served, and one that is too many is not', async () => {
    const inspector = await serve();
    const browser = await visit(inspector);
    const streams: IncomingMessage[] = [];
    for (let page = 0; page < 16; page++) streams.push(await browser.stream());
    expect(streams.map(({ statusCode }) => statusCode)).toEqual(new Array(16).fill(200));
    expect(inspector.pages).toBe(16);
    const { status, text } = await browser.get('/api/stream');
    expect([status, JSON.parse(text)]).toEqual([503, { error: 'There are 16 pages open already.' }]);
    expect(inspector.pages).toBe(16);
    streams[0]?.destroy();
    await until('one to have left', () => inspector.pages === 15);
    const again = await browser.stream();
    expect(again.statusCode).toBe(200);
    for (const stream of [...streams, again]) stream.destroy();
    await until('all to have left', () => inspector.pages === 0);
  });

  test('close ends every page, and leaves nothing', async () => {
    const before = openSockets();
    const inspector = await createInspectorServer();
    const browser = await visit(inspector);
    const stream = await browser.stream();
    await seen(overviews(stream), () => true);
    stream.on('error', () => {});
    const ended = new Promise((resolve) => stream.once('close', resolve));
    await inspector.close();
    await ended;
    expect(transitions.hasSubscribers).toBe(false);
    await until('every socket to be closed', () => openSockets() <= before);
    await inspector.close();
    const again = connect(inspector.port, '127.0.0.1');
    const [error] = (await once(again, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
  });
});

test('the five lines of the documentation attach it to a proxy', async () => {
  const text = await readFile('docs/inspector.md', 'utf8');
  const [, program = ''] = /```js\n(.*?)```/s.exec(text) ?? [];
  expect(program.trim().split('\n').length).toBeLessThanOrEqual(5);
  const folder = await mkdtemp('dist/inspector-docs-');
  bench.later(() => rm(folder, { recursive: true }));
  // Inside the package, so that its own name leads to it.
  const file = join(folder, 'program.mjs');
  const proxy = `import { createProxy } from 'sockchart';
const proxy = createProxy({ listen: { port: 0 }, servers: [{ port: 1 }] });`;
  await writeFile(
    file,
    `${proxy}\n${program}\nconst answer = await fetch(inspector.url);\nconsole.log(answer.status);`,
  );
  const { stdout } = await promisify(execFile)(process.execPath, [file]);
  const [url, status] = stdout.trim().split('\n');
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{43}$/);
  // It has ended by itself, although the page is still served: an aid is no reason to go on.
  expect(status).toBe('200');
});
