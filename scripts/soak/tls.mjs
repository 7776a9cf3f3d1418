// @ts-check
/** TLS under stress: the library in a process of its own, its peers here, and wires between them that do anything. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, connect as netConnect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer as createTlsServer, connect as tlsConnect } from 'node:tls';
import { CERTIFICATE, EXAMPLE, TRUST } from './certificates.mjs';
import { Child } from './child.mjs';
import { Random } from './random.mjs';
import { Wires } from './wire.mjs';

/** @typedef {import('node:net').Socket} Socket */

const BIG = Buffer.alloc(1 << 20, 'p');
const LIFE_MS = 500;

class Peers {
  clients = 0;
  #random;
  #wires;
  /** @type {import('node:net').Server[]} */
  #servers = [];
  /** @type {Set<Socket>} */
  #sockets = new Set();
  /** One wire for each port of the library's. @type {Map<number, Promise<number>>} */
  #ways = new Map();

  /** @param {Random} random @param {Wires} wires */
  constructor(random, wires) {
    this.#random = random;
    this.#wires = wires;
  }

  /** Servers of every kind, with a wire before each. */
  async serve() {
    const kinds = [
      { tls: false },
      { tls: true },
      { tls: true, maxVersion: 'TLSv1.2' },
      { tls: true, requestCert: true, ca: EXAMPLE.cert },
      { tls: true, ...EXAMPLE },
    ];
    const servers = [];
    for (const { tls, ...options } of kinds) {
      const server = tls
        ? createTlsServer(/** @type {any} */ ({ ...CERTIFICATE, allowHalfOpen: this.#random.chance(0.5), ...options }))
        : createServer({ allowHalfOpen: true });
      server.on('connection', (raw) => this.#own(raw));
      server.on(tls ? 'secureConnection' : 'connection', (socket) => this.#behave(socket));
      server.on('tlsClientError', () => {});
      this.#servers.push(server);
      await once(server.listen({ host: '127.0.0.1', port: 0 }), 'listening');
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
      servers.push({ port: await this.#wires.to(port, true), tls });
      // Also where TLS is expected and there is none.
      if (!tls) servers.push({ port: await this.#wires.to(port, true), tls: true });
    }
    return servers;
  }

  close() {
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  /** A client comes. @param {number} port */
  async visit(port) {
    const random = this.#random;
    this.clients++;
    let way = this.#ways.get(port);
    if (way === undefined) {
      way = this.#wires.to(port, false);
      this.#ways.set(port, way);
    }
    const raw = this.#own(netConnect({ host: '127.0.0.1', port: await way, allowHalfOpen: true }));
    if (random.chance(0.1)) {
      this.#behave(raw);
      return;
    }
    const version = random.pick(['TLSv1.2', 'TLSv1.3', 'TLSv1.3']);
    const socket = tlsConnect(
      /** @type {import('node:tls').ConnectionOptions} */ ({
        ...TRUST,
        socket: raw,
        rejectUnauthorized: random.chance(0.15),
        minVersion: version,
        maxVersion: version,
        servername: random.pick(['localhost', 'example.com', 'www.example.com', 'no.where']),
        ...(random.chance(0.4) && EXAMPLE),
        ...(random.chance(0.15) && { ALPNProtocols: [random.pick(['h2', 'spdy'])] }),
      }),
    );
    this.#behave(socket);
    if (version === 'TLSv1.2' && random.chance(0.2)) {
      socket.once('secureConnect', () => {
        for (let time = random.between(1, 5); time > 0; time--) socket.renegotiate({}, () => {});
      });
    }
  }

  /** @param {Socket} socket */
  #own(socket) {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    return socket;
  }

  /** @param {Socket} socket */
  #behave(socket) {
    const random = this.#random;
    this.#own(socket);
    if (random.chance(0.7)) socket.resume();
    if (random.chance(0.3)) socket.on('data', (chunk) => socket.write(chunk));
    const act = random.pick([
      () => socket.destroy(),
      () => socket.end(),
      () => socket.end('bye'),
      () => socket.write('hello'),
      () => socket.write(BIG),
      () => {
        socket.write('x');
        socket.write(BIG);
        socket.end();
      },
      () => socket.pause(),
      () => socket.write(random.bytes(random.between(1, 600))),
    ]);
    const begin = random.pick(['connect', 'secureConnect', 'data', 'end', 'now', 'later']);
    if (begin === 'now') act();
    else if (begin === 'later') setTimeout(act, random.below(60));
    else socket.once(begin, act);
    setTimeout(() => socket.destroy(), LIFE_MS);
  }
}

/** @param {{ seed: number, seconds: number }} options */
export async function tls({ seed, seconds }) {
  const random = new Random(seed);
  const wires = new Wires(random);
  const peers = new Peers(random, wires);
  const library = new Child('library.mjs', [], ({ port }) => void peers.visit(port).catch(() => {}));
  try {
    const servers = await peers.serve();
    const { errors, counts, left } = await library.call('play', { seed, seconds, servers });
    assert.deepEqual(errors, [], 'errors that nobody heard');
    assert.deepEqual(left, [], 'lives that have not ended');
    void library.call('release').catch(() => {});
    assert.deepEqual(
      await Promise.race([library.exited, sleep(10_000)]),
      { code: 0, signal: null },
      'what the process does when nothing is left to do',
    );
    const text = (/** @type {Record<string, number>} */ of) =>
      Object.entries(of)
        .map(([name, count]) => `${name} ${count}`)
        .join(', ');
    return `${peers.clients} clients\n        ${text(counts)}\n        wires ${text(wires.faults)}`;
  } finally {
    library.kill();
    peers.close();
    wires.close();
  }
}
