/** A client whose socket is given to other code: an HTTP server of Node's, most often. */
import { once } from 'node:events';
import { createServer, get, type Server as HttpServer, request } from 'node:http';
import { type AddressInfo, connect, createServer as createNetServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import {
  type Client,
  clientOf,
  createListener,
  createProxy,
  type Listener,
  NotSupportedError,
  OptionError,
  type Outcome,
  type TcpProxy,
} from '../../src/index.js';
import { deferred } from '../../src/promise.js';
import { knowsEnd as isEndKnown } from '../../src/sockets/socket.js';
import { CERTIFICATE } from '../support/peers.js';
import { until } from '../support/wait.js';

const open: { abort(): unknown }[] = [];
const servers: HttpServer[] = [];
afterEach(async () => {
  for (const handle of open.splice(0)) await handle.abort();
  for (const server of servers.splice(0)) server.closeAllConnections();
});

const host = '127.0.0.1';

/** It answers with the address of the client as the library knows it, and the path. */
function web(): HttpServer {
  const server = createServer((incoming, response) => {
    response.end(`${clientOf(incoming.socket)?.id} ${incoming.url}`);
  });
  servers.push(server);
  return server;
}

const give = (http: HttpServer) => (socket: Socket) => void http.emit('connection', socket);

async function fetchFrom(port: number, path: string, headers = {}): Promise<string> {
  const [response] = await once(get({ host, port, path, agent: false, headers }), 'response');
  return text(response);
}

async function listen(options: Parameters<typeof createListener>[0] = {}): Promise<[Listener, number]> {
  const listener = createListener({ host, port: 0, ...options });
  open.push(listener);
  const address = await listener.start();
  return [listener, (address as { port: number }).port];
}

async function serve(options: Omit<Parameters<typeof createProxy>[0], 'listen'>): Promise<[TcpProxy, number]> {
  const proxy = createProxy({ listen: { host, port: 0 }, ...options } as Parameters<typeof createProxy>[0]);
  open.push(proxy);
  await proxy.start();
  const [address] = proxy.addresses;
  return [proxy, (address as { port: number }).port];
}

/** A server of Node's own; its port. */
async function bareServer(accepted: (socket: Socket) => void): Promise<number> {
  const server = createNetServer({ allowHalfOpen: true }, accepted).listen(0, host);
  open.push({ abort: () => server.close() });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const ends = (client: Client): Promise<Outcome> => client.closed;

describe('a client of a listener', () => {
  test('is served by the other code, counts until its socket closes, and ends as handed over', async () => {
    const http = web();
    const [listener, port] = await listen({ clientsMax: 1 });
    const handed = new Promise<Client>((resolve) => {
      listener.once('client', (client) => {
        void client.handOver(give(http));
        resolve(client);
      });
    });
    const agentless = request({ host, port, path: '/a', headers: { connection: 'keep-alive' } }).end();
    const [response] = await once(agentless, 'response');
    const client = await handed;
    expect(await text(response)).toBe(`${client.id} /a`);
    expect(listener.clients.size).toBe(1);
    const refused = connect(port, host);
    await expect(once(refused, 'connect').then(() => once(refused, 'close'))).rejects.toMatchObject({
      code: 'ECONNRESET',
    });
    agentless.destroy();
    expect(await ends(client)).toMatchObject({
      ending: 'handedOver',
      cause: { initiator: 'owner', manner: 'handOver', phase: 'established' },
    });
    expect(listener.clients.size).toBe(0);
  });

  test('in `admit`: what the hook answers no longer matters, and its signal says so', async () => {
    const http = web();
    const seen: { client?: Client; signal?: AbortSignal } = {};
    const [, port] = await listen({
      admit: (client, { signal }) => {
        Object.assign(seen, { client, signal });
        void client.handOver(give(http));
        return false;
      },
    });
    expect(await fetchFrom(port, '/b', { connection: 'close' })).toBe(`${seen.client?.id} /b`);
    expect(seen.signal?.aborted).toBe(true);
    expect(await ends(seen.client as Client)).toMatchObject({ ending: 'handedOver', cause: { phase: 'accepted' } });
  });

  test('its own listeners are off when the other code gets the socket, and `released` was told', async () => {
    const order: string[] = [];
    const [listener, port] = await listen();
    listener.once('client', (client) => {
      client.once('released', () => order.push('released'));
      client.socket.on('data', () => order.push('data'));
      void client.handOver((socket) => {
        order.push(`given, ${socket.listenerCount('data')} listeners`);
        socket.on('data', (chunk) => socket.end(chunk));
      });
    });
    const socket = connect(port, host);
    socket.end('echo');
    expect(await text(socket)).toBe('echo');
    expect(order).toEqual(['released', 'given, 0 listeners']);
  });

  test.each(['ends it in time', 'takes too long'])('a close waits for the other code: it %s', async (how) => {
    const [listener, port] = await listen();
    const given = new Promise<[Client, Socket]>((resolve) => {
      listener.once('client', (client) => void client.handOver((socket) => resolve([client, socket])));
    });
    const peer = connect(port, host).on('error', () => {});
    const [client, socket] = await given;
    const closing = listener.close({ timeoutMs: how === 'ends it in time' ? 60_000 : 20 });
    expect(client.outcome).toBeUndefined();
    if (how === 'ends it in time') {
      socket.resume();
      peer.end();
      socket.end();
      expect(await client.closed).toMatchObject({ ending: 'handedOver', flushed: true });
      expect((await closing).ending).toBe('closed');
    } else {
      expect((await closing).ending).toBe('aborted');
      expect(await client.closed).toMatchObject({ ending: 'aborted', cause: { code: 'drainTimeout' } });
      expect(socket.destroyed).toBe(true);
    }
  });

  test('close() of the client itself: the other code has its time, and ends it as closed', async () => {
    const [listener, port] = await listen();
    const given = new Promise<[Client, Socket]>((resolve) => {
      listener.once('client', (client) => void client.handOver((socket) => resolve([client, socket])));
    });
    connect(port, host).resume().end();
    const [client, socket] = await given;
    const closed = client.close({ timeoutMs: 60_000 });
    socket.resume().end('bye');
    expect(await closed).toMatchObject({ ending: 'closed', cause: { manner: 'close' }, flushed: true });
  });

  test('a peer that resets: handed over, and not flushed', async () => {
    const [listener, port] = await listen();
    const given = new Promise<Client>((resolve) => {
      listener.once('client', (client) => {
        void client.handOver((socket) => socket.on('error', () => {}).resume());
        resolve(client);
      });
    });
    const peer = connect(port, host).on('error', () => {});
    const client = await given;
    peer.resetAndDestroy();
    expect(await client.closed).toMatchObject({ ending: 'handedOver', flushed: false });
  });

  test.each(['throws', 'rejects'])(
    'a function that %s: the client is aborted, with the error in its cause',
    async (how) => {
      const [listener, port] = await listen();
      const error = new Error('not now');
      const ended = new Promise<Outcome>((resolve) => {
        listener.once('client', (client) => {
          resolve(
            client.handOver(() => {
              if (how === 'rejects') return Promise.reject(error);
              throw error;
            }),
          );
        });
      });
      connect(port, host).on('error', () => {});
      expect(await ended).toMatchObject({ ending: 'aborted', cause: { initiator: 'owner', manner: 'error', error } });
    },
  );
});

describe('a client of a proxy', () => {
  test.each([
    [
      'at once',
      (client: Client, http: HttpServer) => {
        void client.handOver(give(http));
        return false as const;
      },
    ],
    [
      'later, when bytes were read ahead',
      async (client: Client, http: HttpServer) => {
        await until('its first bytes', () => client.socket.bytesRead > 0);
        void client.handOver(give(http));
        return false as const;
      },
    ],
  ])('in `route`, %s: every byte gets to the other code, and the session ends as handed over', async (_when, route) => {
    const http = web();
    const [proxy, port] = await serve({ route: (client) => route(client, http) });
    const ended = new Promise<Outcome>((resolve) => {
      proxy.once('sessionClosed', ({ outcome }) => resolve(outcome));
    });
    expect(await fetchFrom(port, '/routed', { connection: 'close' })).toMatch(/^client#\d+ \/routed$/);
    expect(await ended).toMatchObject({ ending: 'handedOver', cause: { manner: 'handOver', phase: 'routing' } });
    expect((await proxy.close()).ending).toBe('closed');
  });

  const gives = (client: Client, note: (isAtOnce: boolean) => void): false => {
    let isAtOnce = false;
    void client.handOver((socket) => {
      isAtOnce = true;
      socket.end('given');
    });
    note(isAtOnce);
    return false;
  };

  test.each<
    [string, boolean, (note: (isAtOnce: boolean) => void) => Omit<Parameters<typeof createProxy>[0], 'listen'>]
  >([
    ['`admit`', true, (note) => ({ servers: [{ port: 1 }], admit: (client) => gives(client, note) })],
    ['an async `admit`', true, (note) => ({ servers: [{ port: 1 }], admit: async (client) => gives(client, note) })],
    ['`route`', false, (note) => ({ route: (client) => gives(client, note) })],
    ['an async `route` before its first await', false, (note) => ({ route: async (client) => gives(client, note) })],
    [
      'an async `route` that has awaited something',
      true,
      (note) => ({
        route: async (client) => {
          await undefined;
          return gives(client, note);
        },
      }),
    ],
  ])('in %s: whether the other code has the socket at once (%s)', async (_where, expected, hooks) => {
    const seen: boolean[] = [];
    const [, port] = await serve(hooks((isAtOnce) => seen.push(isAtOnce)));
    expect(await text(connect(port, host))).toBe('given');
    expect(seen).toEqual([expected]);
  });

  test('large requests that were read ahead in part, and what comes later, come in order', async () => {
    const size = 3_000_000;
    const [, port] = await serve({
      connectBufferBytes: 4_096,
      route: async (client) => {
        await until('what is read ahead', () => client.socket.bytesRead >= 4_096);
        void client.handOver((socket) => {
          let next = 0;
          socket.on('data', (chunk: Buffer) => {
            for (const byte of chunk) if (byte !== next++ % 251) socket.destroy();
          });
          socket.on('end', () => socket.end(String(next)));
        });
        return false;
      },
    });
    const socket = connect(port, host);
    socket.end(Buffer.from(Uint8Array.from({ length: size }, (_, index) => index % 251)));
    expect(await text(socket)).toBe(String(size));
  });

  test.each(['TCP', 'TLS'])('what was read ahead over %s waits for other code that reads later', async (over) => {
    const given = deferred<Socket>();
    const proxy = createProxy({
      listen: { host, port: 0, ...(over === 'TLS' && { tls: CERTIFICATE }) },
      route: async (client) => {
        await client.peek(5);
        void client.handOver(given.resolve);
        return false;
      },
    });
    open.push(proxy);
    await proxy.start();
    const { port } = proxy.addresses[0] as { port: number };
    const peer =
      over === 'TLS' ? connectTls({ port, host, ca: CERTIFICATE.cert, servername: 'localhost' }) : connect(port, host);
    peer.write('first');
    const socket = await given.promise;
    // The peer's FIN is known to be sent before the first byte is read here.
    await new Promise<void>((resolve) => void peer.end(' and last', resolve));
    expect(await text(socket)).toBe('first and last');
    socket.end();
  });

  test.each([
    ['TCP', 'once it was read ahead'],
    ['TLS', 'once it was read ahead'],
    ['TCP', 'in `admit`'],
    ['TLS', 'in `admit`'],
    ['TCP', 'at once'],
    ['TLS', 'at once'],
  ])('over %s, handed over %s: the bytes and the end of a client that has ended already', async (over, when) => {
    const read = deferred<string>();
    const take = (socket: Socket): void => {
      text(socket).then(read.resolve, read.reject);
      socket.once('end', () => socket.end());
    };
    const hasEnded = (socket: Socket): boolean => socket.readableEnded || isEndKnown(socket);
    const later = async (client: Client): Promise<false> => {
      await client.peek(1);
      if (client.session === undefined) await client.peek(100);
      else await until('its end', () => hasEnded(client.socket));
      void client.handOver(take);
      return false;
    };
    const atOnce = async (client: Client): Promise<false> => {
      void client.handOver(take);
      expect(() => client.handOver(take)).toThrow(/was handed over already/);
      await expect(client.peek()).rejects.toThrow(/was handed over/);
      return false;
    };
    const proxy = createProxy({
      listen: { host, port: 0, ...(over === 'TLS' && { tls: CERTIFICATE }) },
      ...(when === 'in `admit`' && { admit: later }),
      route: when === 'at once' ? atOnce : later,
    });
    open.push(proxy);
    await proxy.start();
    const { port } = proxy.addresses[0] as { port: number };
    const peer =
      over === 'TLS' ? connectTls({ port, host, ca: CERTIFICATE.cert, servername: 'localhost' }) : connect(port, host);
    peer.resume().end('request');
    expect(await read.promise).toBe('request');
    expect((await proxy.close()).ending).toBe('closed');
  });

  test('TLS over a socket that was handed over: it ends as that TLS does, and its client is found', async () => {
    const found = deferred<Client | undefined>();
    const secure = createTlsServer(CERTIFICATE, (socket) => {
      found.resolve(clientOf(socket));
      socket.resume();
    });
    const handed = deferred<Client>();
    const [proxy, port] = await serve({
      route: async (client) => {
        await client.clientHello();
        void client.handOver((socket) => secure.emit('connection', socket));
        handed.resolve(client);
        return false;
      },
    });
    const peer = connectTls({ port, host, ca: CERTIFICATE.cert, servername: 'localhost' });
    await once(peer, 'secureConnect');
    const client = await handed.promise;
    expect(await found.promise).toBe(client);
    peer.resume().end();
    expect((await client.closed).ending).toBe('handedOver');
    expect((await proxy.close()).ending).toBe('closed');
  });

  test('an upgrade comes back: the socket is adopted again, by a new client', async () => {
    const http = createServer();
    servers.push(http);
    const echo = createServer();
    echo.on('upgrade', (_request, socket, head) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
      socket.write(head);
      socket.pipe(socket);
    });
    servers.push(echo);
    echo.listen(0, host);
    await once(echo, 'listening');
    const target = { host, port: (echo.address() as AddressInfo).port };
    const outcomes: string[] = [];
    const [proxy, port] = await serve({
      route: (client) => {
        if (client.data === 'upgraded') return target;
        void client.handOver(give(http)).then(({ ending }) => outcomes.push(ending));
        return false;
      },
    });
    http.on('upgrade', ({ url, headers }, socket, head) => {
      const lines = `GET ${url} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: ${headers.upgrade}\r\n\r\n`;
      proxy.adopt(socket, { head: Buffer.concat([Buffer.from(lines), head]), data: 'upgraded' });
    });
    const asked = request({ host, port, headers: { connection: 'Upgrade', upgrade: 'echo' } }).end();
    const [, socket] = await once(asked, 'upgrade');
    expect(outcomes).toEqual(['handedOver']);
    expect(clientOf(socket as Socket)).toBeUndefined();
    socket.end('over and out');
    expect(await text(socket)).toBe('over and out');
    expect((await proxy.close()).ending).toBe('closed');
  });

  test.each(['by its listener', 'elsewhere'])('accepted %s: the deadline of a drain resets it', async (where) => {
    const [proxy, port] = await serve({
      route: (client) => {
        void client.handOver((socket) => socket.on('error', () => {}).pipe(socket));
        return false;
      },
    });
    const other = await bareServer((socket) => proxy.adopt(socket));
    const socket = connect(where === 'elsewhere' ? other : port, host);
    socket.write('x');
    await once(socket, 'data');
    const [info] = proxy.connections();
    expect(info).toMatchObject({ state: 'lent.open', backend: undefined });
    const cut = once(socket, 'close').catch((error) => error);
    expect(await proxy.close({ timeoutMs: 20 })).toMatchObject({ ending: 'aborted', flushed: false });
    expect(await cut).toMatchObject({ code: 'ECONNRESET' });
    expect(proxy.connections()).toEqual([]);
  });

  test('once its session has a route it cannot be handed over', async () => {
    const backend = createServer();
    servers.push(backend);
    backend.listen(0, host);
    await once(backend, 'listening');
    const [proxy, port] = await serve({ servers: [{ host, port: (backend.address() as AddressInfo).port }] });
    const refused = new Promise<unknown>((resolve) => {
      proxy.once('established', ({ client }) => {
        try {
          void client.handOver(() => {});
        } catch (error) {
          resolve(error);
        }
      });
    });
    const socket = connect(port, host).on('error', () => {});
    const error = await refused;
    expect(error).toBeInstanceOf(NotSupportedError);
    expect((error as Error).message).toMatch(
      /^client#\d+ cannot be handed over: it is live\.established\.open\. It can be in admit, in route/,
    );
    socket.destroy();
  });
});

test('what is no function is refused, and a client that has ended', async () => {
  const [listener, port] = await listen();
  const seen = new Promise<Client>((resolve) => listener.once('client', resolve));
  const socket = connect(port, host).on('error', () => {});
  const client = await seen;
  expect(() => client.handOver('http' as never)).toThrow(OptionError);
  expect(clientOf(client.socket)).toBe(client);
  socket.end();
  await client.abort();
  expect(() => client.handOver(() => {})).toThrow(/cannot be handed over: it has ended/);
  expect(clientOf(client.socket)).toBeUndefined();
});
