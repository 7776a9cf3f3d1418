// @ts-check
/**
 * The process under test: listeners, proxies and backends over TLS whose owner ends, aborts, suspends and renews them at
 * any moment, from inside any event, while the peers in the other process do what they like. An error that nobody hears,
 * or a crash, is the library's.
 */
import { subscribe } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer as createTlsServer } from 'node:tls';
import { adoptClient, createBackend, createListener, createProxy } from 'sockchart';
import { CERTIFICATE, EXAMPLE, TRUST } from './certificates.mjs';
import { serve, tell } from './child.mjs';
import { Random } from './random.mjs';

/** @typedef {import('node:net').Socket} Socket */
/** @typedef {{ close(options?: { timeoutMs?: number }): Promise<unknown>, abort(): Promise<unknown>, readonly closed: Promise<import('sockchart').Outcome>, readonly id: string, readonly state: string }} Instance */

const BIG = Buffer.alloc(1 << 20, 'b');
const EVENTS = ['data', 'secureConnect', 'end', 'error', 'drain', 'close', 'finish', 'connect', 'secure'];
/** What a call may say that comes when the life is over, or not there yet. */
const ALLOWED = new Set(['ERR_CLOSED', 'ERR_NOT_ESTABLISHED', 'ERR_NOT_SUPPORTED']);
/** Every life ends within its timeouts, which are far shorter. */
const END_MS = 15_000;
const VISIT_MS = 2_000;
/** Scenes at the same time. */
const STAGES = 16;

/** @type {string[]} */
const errors = [];
/** @type {Record<string, number>} */
const counts = {};
/** @type {Map<Instance, string>} */
const lives = new Map();
/** By port. @type {Map<number, number>} */
const accepted = new Map();

const note = (/** @type {string} */ what, /** @type {unknown} */ error) => {
  if (errors.length < 20) errors.push(`${what}: ${error instanceof Error ? error.stack : error}`);
};
for (const event of /** @type {const} */ (['uncaughtException', 'unhandledRejection', 'warning'])) {
  process.on(event, (/** @type {unknown} */ error) => note(event, error));
}

subscribe('net.server.socket', (message) => {
  const { localPort = 0 } = /** @type {{ socket: Socket }} */ (message).socket;
  accepted.set(localPort, (accepted.get(localPort) ?? 0) + 1);
});

/** Sockets and servers that are open, whoever they belong to. */
function handlesLeft() {
  const open = process.getActiveResourcesInfo().filter((name) => /TCP|TLS/.test(name));
  if (open.length === 0) return [];
  const handles = /** @type {any} */ (process)._getActiveHandles();
  return [...open, ...handles.map(describe)];
}

/** @param {any} handle */
function describe(handle) {
  const { destroyed, encrypted, readyState, writableEnded, writableFinished, readableEnded, localPort, remotePort } =
    handle;
  const listeners = handle
    .eventNames?.()
    .map((/** @type {string} */ name) => `${String(name)} ${handle.listenerCount(name)}`);
  const facts = {
    destroyed,
    encrypted,
    readyState,
    writableEnded,
    writableFinished,
    readableEnded,
    localPort,
    remotePort,
  };
  return `${handle.constructor.name} ${JSON.stringify(facts)} ${listeners?.join()}`;
}

/** @param {string} what */
const count = (what) => {
  counts[what] = (counts[what] ?? 0) + 1;
};

/** @template {Instance} L @param {L} life @param {string} kind @returns {L} */
function watch(life, kind) {
  lives.set(life, kind);
  life.closed.then(({ ending, cause, truncated }) => {
    lives.delete(life);
    count(`${kind} ${ending}`);
    if (truncated) note('truncated', `${kind} ${life.id}`);
    if (cause.code === 'abortTimeout') note('abandoned', `${kind} ${life.id}`);
  });
  return life;
}

class Owner {
  #random;
  /** Where to connect: a port, and what is known of it. @type {{ port: number, tls: boolean }[]} */
  #servers;

  /** @param {Random} random @param {{ port: number, tls: boolean }[]} servers */
  constructor(random, servers) {
    this.#random = random;
    this.#servers = servers;
  }

  async play() {
    const scene = this.#random.pick([
      this.listener,
      this.listener,
      this.proxy,
      this.proxy,
      this.given,
      this.backend,
      this.backend,
    ]);
    count(scene.name);
    await scene.call(this);
  }

  /** Now, or in one of the ways in which something happens later. @param {() => unknown} act */
  when(act) {
    const random = this.#random;
    const go = () => {
      try {
        const answer = act();
        if (answer instanceof Promise)
          answer.catch((error) => ALLOWED.has(error?.code) || error?.name === 'AbortError' || note('rejected', error));
      } catch (error) {
        if (!ALLOWED.has(/** @type {{ code: string }} */ (error).code)) note('threw', error);
      }
    };
    random.pick([
      go,
      go,
      () => queueMicrotask(go),
      () => process.nextTick(go),
      () => setImmediate(go),
      () => setImmediate(() => process.nextTick(go)),
      () => setTimeout(go, random.below(4)),
      () => setTimeout(go, random.below(30)),
    ])();
  }

  /** An owner who does not behave: also with the socket itself. @param {Instance} life @param {() => Socket | undefined} socket */
  meddle(life, socket) {
    const random = this.#random;
    count('meddled');
    this.when(() =>
      random.pick([
        () => life.abort(),
        () => life.close(),
        () => life.close({ timeoutMs: random.between(1, 20) }),
        () => socket()?.destroy(),
        () => socket()?.end(),
        () => socket()?.write(BIG),
        () => socket()?.resume(),
        () => socket()?.destroy(new Error('the owner’s')),
        () => {
          socket()?.write(BIG);
          return life.close({ timeoutMs: 5 });
        },
        () => {
          const one = socket();
          one?.end('x');
          void life.abort();
          one?.write('y');
        },
        () => {
          const one = socket();
          void life.abort();
          one?.destroy();
          one?.end('z');
        },
      ])(),
    );
  }

  /** Meddles from inside events. @param {Socket} socket @param {Instance} life @param {number} probability */
  hook(socket, life, probability) {
    for (const event of EVENTS) {
      if (this.#random.chance(probability)) socket.once(event, () => this.meddle(life, () => socket));
    }
  }

  limits() {
    const random = this.#random;
    return {
      acceptTimeout: random.pick([10, 50, 300, 1_000]),
      closeTimeout: random.pick([20, 200, 600]),
      abortTimeout: 3_000,
    };
  }

  /** Aborts, some time. */
  signal() {
    const controller = new AbortController();
    if (this.#random.chance(0.15)) setTimeout(() => controller.abort(), this.#random.below(120)).unref();
    return controller.signal;
  }

  listenTls() {
    const random = this.#random;
    return {
      ...CERTIFICATE,
      names: { 'example.com': EXAMPLE, '*.example.com': EXAMPLE },
      ...(random.chance(0.3)
        ? { requestCert: true, ca: EXAMPLE.cert, rejectUnauthorized: random.chance(0.5) }
        : { ca: undefined }),
      ...(random.chance(0.2) && { ALPNProtocols: ['h2'] }),
    };
  }

  serverTls() {
    const random = this.#random;
    return {
      ...(random.chance(0.85) ? TRUST : {}),
      rejectUnauthorized: random.chance(0.9),
      ...(random.chance(0.3) && EXAMPLE),
    };
  }

  servers() {
    const random = this.#random;
    return Array.from({ length: random.between(1, 3) }, () => {
      const { port, tls } = random.pick(this.#servers);
      return { host: '127.0.0.1', port, ...(tls && { tls: this.serverTls() }) };
    });
  }

  /** Lets peers come, and does something else meanwhile. @param {number} port @param {() => unknown} meanwhile */
  async visit(port, meanwhile) {
    const random = this.#random;
    const visits = random.between(4, 10);
    const before = accepted.get(port) ?? 0;
    for (let time = 0; time < visits; time++) {
      tell({ port });
      if (random.chance(0.4)) await sleep(random.below(15));
      this.when(meanwhile);
    }
    // On a busy machine it takes them a while to come.
    const late = performance.now() + VISIT_MS;
    while ((accepted.get(port) ?? 0) - before < visits * 0.7 && performance.now() < late) {
      await sleep(5);
      if (random.chance(0.3)) this.when(meanwhile);
    }
    await sleep(random.below(100));
    accepted.delete(port);
  }

  /** @param {import('sockchart').Client} client */
  serveClient(client) {
    const random = this.#random;
    const { socket } = client;
    watch(client, 'client');
    random.pick([
      () => socket.on('data', (chunk) => socket.write(chunk)),
      () => socket.on('data', (chunk) => socket.write(chunk)),
      () => socket.resume(),
      () => {},
    ])();
    if (random.chance(0.7)) socket.on('end', () => socket.end());
    this.hook(socket, client, 0.15);
    if (random.chance(0.4)) this.meddle(client, () => client.socket);
  }

  /** @param {import('sockchart').Client} client */
  admit({ socket }) {
    const random = this.#random;
    if (random.chance(0.2)) socket.resume();
    return random.pick([true, true, true, false, sleep(5, true)]);
  }

  async listener() {
    const random = this.#random;
    const tls = this.listenTls();
    const listener = createListener({
      host: '127.0.0.1',
      port: 0,
      tls,
      ...this.limits(),
      drainTimeout: random.pick([30, 300, 800]),
      clientsMax: random.pick([2, 5, 100]),
      signal: this.signal(),
      ...(random.chance(0.4) && { admit: (client) => this.admit(client) }),
    });
    await this.#listen(listener, () => {
      // What it asks of clients must be as it was.
      const renewed = random.pick([EXAMPLE, { ...CERTIFICATE, names: { 'example.com': EXAMPLE } }]);
      if (random.chance(0.3)) listener.renewTls({ ...renewed, ...(tls.ca !== undefined && { ca: tls.ca }) });
      if (random.chance(0.05)) listener.suspend();
      if (random.chance(0.1)) listener.resume();
      for (const client of listener.clients) if (random.chance(0.1)) this.meddle(client, () => client.socket);
    });
  }

  /** A TLS server of the owner's, or clients that are adopted from it. */
  async given() {
    const random = this.#random;
    const server = createTlsServer(
      /** @type {any} */ ({
        ...CERTIFICATE,
        allowHalfOpen: random.chance(0.5),
        pauseOnConnect: random.chance(0.5),
        handshakeTimeout: 300,
      }),
    );
    server.on('tlsClientError', (_error, socket) => random.chance(0.5) && socket.destroy());
    if (random.chance(0.5)) {
      const listener = createListener({
        host: '127.0.0.1',
        port: 0,
        server,
        ...this.limits(),
        drainTimeout: 300,
        clientsMax: random.pick([2, 100]),
      });
      await this.#listen(listener, () => {
        for (const client of listener.clients) if (random.chance(0.2)) this.meddle(client, () => client.socket);
      });
      return;
    }
    const clients = /** @type {import('sockchart').Client[]} */ ([]);
    /** Who has not shaken hands is the server's own; a handshake that fails may leave it open. @type {Socket[]} */
    const raw = [];
    server.on('connection', (socket) => raw.push(socket));
    let isOver = false;
    server.on('secureConnection', (socket) => {
      const client = adoptClient(socket, {
        ...this.limits(),
        ...(random.chance(0.3) && { admit: (one) => this.admit(one) }),
      });
      clients.push(client);
      this.serveClient(client);
      if (isOver) void client.abort();
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
    await this.visit(/** @type {import('node:net').AddressInfo} */ (server.address()).port, () => {});
    server.close();
    await sleep(400);
    isOver = true;
    await Promise.all(clients.map((client) => (random.chance(0.5) ? client.abort() : client.close())));
    for (const socket of raw) setImmediate(() => socket.destroy());
  }

  /** @param {import('sockchart').Listener} listener @param {() => void} meanwhile */
  async #listen(listener, meanwhile) {
    watch(listener, 'listener');
    listener.on('client', (client) => this.serveClient(client));
    listener.on('clientClosed', ({ outcome }) => count(`client of a listener ${outcome.ending}`));
    try {
      const address = await listener.start();
      if ('port' in address) await this.visit(address.port, meanwhile);
    } catch (error) {
      if (!ALLOWED.has(/** @type {{ code: string }} */ (error).code)) throw error;
    }
    await (this.#random.chance(0.3) ? listener.abort() : listener.close());
  }

  async proxy() {
    const random = this.#random;
    const isTls = random.chance(0.8);
    const proxy = createProxy({
      listen: {
        host: '127.0.0.1',
        port: 0,
        ...(isTls && { tls: { ...CERTIFICATE, names: { 'example.com': EXAMPLE } } }),
      },
      servers: this.servers(),
      acceptTimeout: random.pick([20, 200, 1_000]),
      connectTimeout: random.pick([10, 100, 500]),
      abortTimeout: 3_000,
      disposeTimeout: 3_000,
      sessionConnectTimeout: 800,
      idleTimeout: 400,
      halfCloseTimeout: 300,
      drainTimeout: random.pick([50, 400]),
      downFor: 100,
      signal: this.signal(),
      ...(random.chance(0.3) && { connectBufferBytes: 4_096 }),
      ...(random.chance(0.2) && { admit: (client) => this.admit(client) }),
    });
    watch(proxy, 'proxy');
    proxy.on('sessionClosed', ({ outcome }) => count(`session ${outcome.ending}`));
    if (random.chance(0.3))
      proxy.on('established', (session) => random.chance(0.3) && this.meddle(session, () => session.client.socket));
    try {
      await proxy.start();
      const [address] = proxy.addresses;
      if (address !== undefined && 'port' in address) {
        await this.visit(address.port, () => {
          if (isTls && random.chance(0.3)) proxy.listeners[0]?.renewTls(random.pick([EXAMPLE, CERTIFICATE]));
          for (const session of proxy.sessions) {
            if (random.chance(0.1))
              this.meddle(session, () =>
                random.pick([session.client.socket, /** @type {any} */ (session.backend).socket]),
              );
          }
        });
      }
    } catch (error) {
      if (!ALLOWED.has(/** @type {{ code: string }} */ (error).code)) throw error;
    }
    await (random.chance(0.3) ? proxy.abort() : proxy.close());
  }

  async backend() {
    const random = this.#random;
    const backends = Array.from({ length: random.between(1, 4) }, () => {
      /** @type {import('sockchart').BackendOptions['prepare']} */
      const prepare = async (socket, { signal }) => {
        if (random.chance(0.5)) socket.write('login');
        this.hook(socket, backend, 0.08);
        if (random.chance(0.5)) await sleep(random.below(10), undefined, { signal });
        if (random.chance(0.1)) throw new Error('the hook’s');
      };
      const backend = createBackend({
        servers: this.servers(),
        persistent: random.chance(0.6),
        connectTimeout: random.pick([3, 20, 500]),
        closeTimeout: random.pick([20, 300]),
        abortTimeout: 3_000,
        disposeTimeout: 3_000,
        holdTimeout: 100,
        prepareTimeout: 200,
        backoff: { initialMs: 1, maxMs: 20 },
        downFor: 100,
        signal: this.signal(),
        ...(random.chance(0.5) && { prepare }),
      });
      watch(backend, 'backend');
      backend.on('established', ({ socket }) => {
        if (random.chance(0.6)) socket.resume();
        this.hook(socket, backend, 0.1);
        if (random.chance(0.4)) this.meddle(backend, () => socket);
        if (!random.chance(0.4) || backend.connection === undefined) return;
        const hold = backend.hold();
        hold.signal.addEventListener('abort', () => this.when(() => hold.release()));
        setTimeout(() => hold.release(), 40).unref();
      });
      void backend.connect();
      if (random.chance(0.3)) this.meddle(backend, () => /** @type {any} */ (backend).socket);
      if (random.chance(0.2)) this.when(() => backend.retryNow());
      return backend;
    });
    await sleep(random.below(150));
    await Promise.all(backends.map((backend) => (random.chance(0.5) ? backend.abort() : backend.close())));
  }
}

serve({
  /** @param {{ seed: number, seconds: number, servers: { port: number, tls: boolean }[] }} options */
  async play({ seed, seconds, servers }) {
    const owner = new Owner(new Random(seed), servers);
    const end = performance.now() + seconds * 1_000;
    const stage = async () => {
      while (performance.now() < end) {
        try {
          await owner.play();
        } catch (error) {
          note('a scene', error);
        }
      }
    };
    await Promise.all(Array.from({ length: STAGES }, stage));
    const late = performance.now() + END_MS;
    while ((lives.size > 0 || handlesLeft().length > 0) && performance.now() < late) await sleep(50);
    const left = [...lives].map(([{ id, state }, kind]) => `${kind} ${id}: ${state}`);
    return { errors, counts, left: [...left, ...handlesLeft()] };
  },
  release() {
    process.removeAllListeners('disconnect');
    setImmediate(() => process.disconnect());
  },
});
