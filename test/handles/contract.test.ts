/** The contract of handles, kept by every kind of handle over every kind of socket. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, Server as TlsServer } from 'node:tls';
import { describe, expect, test } from 'vitest';
import {
  adoptClient,
  type Backend,
  type Client,
  type ClientOptions,
  createBackend,
  createListener,
  createProxy,
  type Listener,
  type ListenerOptions,
} from '../../src/index.js';
import { useBench } from '../support/bench.js';
import { LOOPBACK, PROXY_WAITS, WAITS } from '../support/make.js';
import { CERTIFICATE, dialTls, echo, type PeerServer, plainServer, tlsServer, type Where } from '../support/peers.js';
import { Flipped, usePairs } from '../support/streams.js';
import { gate, until, within } from '../support/wait.js';
import { handleContract, type Kind, type Made, type MakeOptions } from './contract.js';

const bench = useBench();
const pairs = usePairs(bench);

/** Numbers paths, for a test may need several. */
let serial = 0;

interface Over {
  readonly tls: boolean;
  readonly unix: boolean;
}

const kinds = {
  TCP: { tls: false, unix: false },
  Unix: { tls: false, unix: true },
  TLS: { tls: true, unix: false },
  'TLS over a Unix socket': { tls: true, unix: true },
} satisfies Record<string, Over>;

const ended = (socket: Socket): void => {
  socket.resume();
  socket.on('end', () => socket.end());
};

/** A server over such a socket; a silent one neither reads nor ends. */
async function peerOver({ tls, unix }: Over, silent: boolean, handler = silent ? () => {} : echo): Promise<PeerServer> {
  const peer = tls ? tlsServer(handler) : plainServer(handler, silent);
  return bench.peer(peer, unix ? { path: bench.path(`peer${serial++}`) } : {});
}

async function dialOver(tls: boolean, where: Where): Promise<Socket> {
  if (!tls) return bench.dial(where);
  const socket = bench.own(dialTls(where));
  await once(socket, 'secureConnect');
  return socket;
}

/** Answers a FIN, unless it is silent. */
const behave = (socket: Socket, silent: boolean | undefined): void => {
  if (silent === true) socket.pause();
  else ended(socket);
};

function waits({ signal, closeTimeout = 5_000 }: MakeOptions) {
  return { clock: bench.clock, ...PROXY_WAITS, closeTimeout, ...(signal !== undefined && { signal }) };
}

for (const [name, over] of Object.entries(kinds)) {
  handleContract(`a client over ${name}`, bench, {
    endings: ['closed'],
    async make(options): Promise<Made> {
      const accepted = gate<Socket>();
      const server = await peerOver(over, true, (socket: Socket) => accepted.open(socket));
      behave(await dialOver(over.tls, server.at), options.silent);
      const socket = await accepted.promise;
      const admitted = gate();
      const { signal, closeTimeout = 5_000 } = options;
      const settings: ClientOptions = {
        clock: bench.clock,
        closeTimeout,
        abortTimeout: PROXY_WAITS.abortTimeout,
        lingerTimeout: PROXY_WAITS.lingerTimeout,
        lingerMax: PROXY_WAITS.lingerMax,
        admit: () => admitted.promise,
        ...(signal !== undefined && { signal }),
      };
      const client: Client = adoptClient(socket, settings);
      const established = new Promise<void>((resolve, reject) => {
        client.on('established', () => resolve());
        client.on('closed', () => reject(Object.assign(new Error('closed'), { code: 'ERR_CLOSED' })));
        if (client.outcome !== undefined) reject(Object.assign(new Error('closed'), { code: 'ERR_CLOSED' }));
      });
      established.catch(() => {});
      return {
        handle: client,
        onFirstEvent: (listener) => client.on('established', listener),
        onClosed: (listener) => client.on('closed', listener),
        up: () => {
          admitted.open();
          return established;
        },
        sockets: () => [socket],
        reachable: async () => !socket.destroyed,
      };
    },
  });

  for (const persistent of [true, false]) {
    handleContract(`a ${persistent ? 'persistent backend' : 'backend of one conversation'} over ${name}`, bench, {
      endings: ['closed'],
      async make(options): Promise<Made> {
        const server = await peerOver(over, options.silent === true);
        const at = over.tls ? { ...server.at, tls: { ca: CERTIFICATE.cert } } : server.at;
        const backend: Backend = createBackend({ servers: [at], persistent, ...WAITS, ...waits(options) });
        return {
          handle: backend,
          onFirstEvent: (listener) => backend.on('established', listener),
          onClosed: (listener) => backend.on('closed', listener),
          up: () => backend.connect(),
          sockets: () => (backend.connection === undefined ? [] : [backend.connection.socket]),
          reachable: async () => {
            for (const socket of server.live) socket.resume();
            await until('the peer to see the end', () => server.live.every((socket) => socket.readableEnded));
            return false;
          },
        };
      },
    });
  }
}

type Give = (
  silent: boolean | undefined,
) => Promise<{ admitted: () => unknown; dialled: () => unknown; socket: Socket }>;

/** Streams that are no sockets, and streams over a socket. */
const streamKinds: Record<string, Give> = {
  'a stream in memory': async (silent) => {
    const [ours, theirs] = pairs.make();
    behave(theirs as Socket, silent);
    return { admitted: () => true, dialled: () => {}, socket: ours as Socket };
  },
  'a stream over TCP': async (silent) => {
    const accepted = gate<Socket>();
    const server = await peerOver(kinds.TCP, true, (socket: Socket) => accepted.open(socket));
    behave(await dialOver(false, server.at), silent);
    const socket = await accepted.promise;
    const over = (): Duplex => pairs.count(new Flipped(socket));
    return { admitted: over, dialled: over, socket };
  },
};

for (const [name, give] of Object.entries(streamKinds)) {
  handleContract(`a client over ${name}`, bench, {
    endings: ['closed'],
    async make(options): Promise<Made> {
      const { admitted, socket } = await give(options.silent);
      const asked = gate();
      const client = adoptClient(socket, {
        clock: bench.clock,
        closeTimeout: options.closeTimeout ?? 5_000,
        abortTimeout: PROXY_WAITS.abortTimeout,
        lingerTimeout: PROXY_WAITS.lingerTimeout,
        lingerMax: PROXY_WAITS.lingerMax,
        admit: () => asked.promise.then(admitted),
        ...(options.signal !== undefined && { signal: options.signal }),
      });
      const established = new Promise<void>((resolve, reject) => {
        client.on('established', () => resolve());
        client.on('closed', () => reject(Object.assign(new Error('closed'), { code: 'ERR_CLOSED' })));
        if (client.outcome !== undefined) reject(Object.assign(new Error('closed'), { code: 'ERR_CLOSED' }));
      });
      established.catch(() => {});
      return {
        handle: client,
        onFirstEvent: (listener) => client.on('established', listener),
        onClosed: (listener) => client.on('closed', listener),
        up: () => {
          asked.open();
          return established;
        },
        sockets: () => [socket, client.socket],
        reachable: async () => !socket.destroyed || !client.socket.destroyed,
      };
    },
  });

  for (const persistent of [true, false]) {
    handleContract(`a ${persistent ? 'persistent backend' : 'backend of one conversation'} over ${name}`, bench, {
      endings: ['closed'],
      async make(options): Promise<Made> {
        const { dialled, socket } = await give(options.silent);
        const backend = createBackend({
          servers: [{ port: 1, connect: async () => socket }],
          prepare: dialled,
          persistent,
          ...WAITS,
          ...waits(options),
        });
        let isDialled = false;
        return {
          handle: backend,
          onFirstEvent: (listener) => backend.on('established', listener),
          onClosed: (listener) => backend.on('closed', listener),
          up: () => {
            isDialled = true;
            return backend.connect();
          },
          sockets: () => (backend.connection === undefined ? [] : [socket, backend.connection.socket]),
          reachable: async () => {
            if (!isDialled || backend.incarnation === 0) socket.destroy();
            return !socket.destroyed;
          },
        };
      },
    });
  }
}

describe.each(Object.entries(kinds))('over %s, an end of the peer is no reset', (_name, over) => {
  test('for a backend of one conversation', async () => {
    const server = await peerOver(over, true, (socket) => socket.end('bye'));
    const at = over.tls ? { ...server.at, tls: { ca: CERTIFICATE.cert } } : server.at;
    const backend = bench.keep(createBackend({ servers: [at], persistent: false, ...WAITS, ...waits({}) }));
    const { socket } = await backend.connect();
    ended(socket);
    expect(await within(5_000, 'the end', backend.closed)).toMatchObject({ ending: 'ended' });
  });

  test('for a client', async () => {
    const accepted = gate<Socket>();
    const server = await peerOver(over, true, accepted.open);
    const peer = await dialOver(over.tls, server.at);
    const client = bench.keep(adoptClient(await accepted.promise, { clock: bench.clock }));
    client.on('established', () => ended(client.socket));
    peer.resume();
    peer.end('bye');
    expect(await within(5_000, 'the end', client.closed)).toMatchObject({ ending: 'ended' });
  });
});

const listenerKinds: Record<string, () => Promise<Partial<ListenerOptions>>> = {
  'a port': async () => LOOPBACK,
  'a path': async () => ({ path: bench.path(`front${serial++}`) }),
  'an existing server': async () => ({ ...LOOPBACK, server: createServer() }),
  'an existing server that listens': async () => {
    const server = createServer();
    server.listen(LOOPBACK);
    await once(server, 'listening');
    bench.later(() => server.close(() => {}));
    return { server };
  },
  'a port, with TLS': async () => ({ ...LOOPBACK, tls: CERTIFICATE }),
  'a path, with TLS': async () => ({ path: bench.path(`front${serial++}`), tls: CERTIFICATE }),
  'an existing TLS server': async () => ({ ...LOOPBACK, server: createTlsServer(CERTIFICATE) }),
};

for (const [what, prepare] of Object.entries(listenerKinds)) {
  handleContract(`a listener on ${what}`, bench, {
    endings: ['closed'],
    async make(options): Promise<Made> {
      const where = await prepare();
      const { server } = where;
      const tls = where.tls !== undefined || server instanceof TlsServer;
      const events = ['connection', 'secureConnection', 'listening', 'error', 'close'];
      const counts = events.map((event) => server?.listenerCount(event) ?? 0);
      const { signal, closeTimeout = 5_000 } = options;
      const listener: Listener = createListener({
        clock: bench.clock,
        abortTimeout: 250,
        drainTimeout: closeTimeout,
        ...where,
        ...(signal !== undefined && { signal }),
      });
      let address: Where | undefined;
      return {
        handle: listener,
        onFirstEvent: (heard) => listener.on('listening', heard),
        onClosed: (heard) => listener.on('closed', heard),
        up: async () => {
          address = (await listener.start()) as Where;
          // A client that leaves when it is told to; a silent one stays.
          if (options.silent === true) {
            await dialOver(tls, address);
            await until('the client', () => listener.clients.size === 1);
          }
        },
        sockets: () => [...listener.clients].map(({ socket }) => socket),
        reachable: async () => {
          const at = address ?? (server?.listening === true ? (server.address() as unknown as Where) : undefined);
          if (at === undefined) return false;
          const probe = bench.dialing(at.path === undefined ? { host: '127.0.0.1', port: at.port as number } : at);
          return new Promise<boolean>((resolve) => {
            probe.on('connect', () => resolve(true));
            probe.on('error', () => resolve(false));
          });
        },
        leftovers: () => events.filter((event, index) => (server?.listenerCount(event) ?? 0) > (counts[index] ?? 0)),
      };
    },
  });
}

async function makeProxyOver(options: MakeOptions, what: 'proxy' | 'session'): Promise<Made> {
  const server = await peerOver(kinds.TCP, options.silent === true);
  const proxy = bench.keep(
    createProxy({
      listen: LOOPBACK,
      servers: [server.at],
      ...waits(options),
      drainTimeout: options.closeTimeout ?? 5_000,
    }),
  );
  const reachable = async (): Promise<boolean> => {
    for (const socket of server.live) socket.resume();
    await until('the peer to see the end', () => server.live.every((socket) => socket.readableEnded));
    return proxy.listeners.some((listener) => listener.outcome === undefined);
  };
  const sockets = (): Socket[] =>
    proxy.sessions.flatMap(({ client, backend }) =>
      backend.connection === undefined ? [client.socket] : [client.socket, backend.connection.socket],
    );
  const dialIn = async (): Promise<void> => {
    const [at] = proxy.addresses;
    const client = await bench.dial(at as Where);
    behave(client, options.silent);
    await until('the session', () => proxy.sessions.some((session) => session.matches('relaying')));
    // Conversations end when clients end.
    if (options.silent !== true) client.end();
  };
  if (what === 'proxy') {
    return {
      handle: proxy,
      onFirstEvent: (listener) => proxy.on('running', listener),
      onClosed: (listener) => proxy.on('closed', listener),
      up: async () => {
        await proxy.start();
        await dialIn();
      },
      sockets,
      reachable,
    };
  }
  // A session is there as soon as its client is; its first event comes with its backend.
  const down = await bench.refusing();
  const slow = bench.keep(
    createProxy({
      listen: LOOPBACK,
      servers: [{ port: down }],
      ...waits(options),
      attemptsMax: 100_000,
      backoff: { initialMs: 5, maxMs: 5 },
      drainTimeout: options.closeTimeout ?? 5_000,
      retryBudget: { burst: 100_000 },
    }),
  );
  await slow.start();
  const client = await bench.dial(slow.addresses[0] as Where);
  behave(client, options.silent);
  await until('the session', () => slow.sessions.length === 1);
  const [session] = slow.sessions;
  if (session === undefined) throw new Error('There is a session.');
  return {
    handle: session,
    onFirstEvent: (listener) => session.on('established', listener),
    onClosed: (listener) => session.on('closed', listener),
    up: async () => {
      if (session.outcome !== undefined) throw Object.assign(new Error('closed'), { code: 'ERR_CLOSED' });
      const up = new Promise((resolve) => session.on('established', resolve));
      await bench.peer(plainServer(options.silent === true ? () => {} : echo, options.silent === true), { port: down });
      await up;
      if (options.silent !== true) client.end();
    },
    sockets: () => {
      const { connection } = session.backend;
      return connection === undefined ? [session.client.socket] : [session.client.socket, connection.socket];
    },
    reachable: async () => session.client.outcome === undefined || session.backend.outcome === undefined,
  };
}

const proxyKind: Kind = { endings: ['closed'], make: (options) => makeProxyOver(options, 'proxy') };
handleContract('a proxy', bench, proxyKind);

const sessionKind: Kind = {
  hasNoSignal: true,
  // Its peers may end before it is told to.
  endings: ['closed', 'ended'],
  make: (options) => makeProxyOver(options, 'session'),
};
handleContract('a session', bench, sessionKind);
