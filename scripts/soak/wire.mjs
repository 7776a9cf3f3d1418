// @ts-check
/**
 * A wire between a peer and the process under test, which a peer's TLS knows nothing of: it cuts, ends, delays, splits,
 * garbles and adds, at any byte of either direction. So the peers' own TLS sockets are never cut from below, which Node
 * does not survive, and the process under test sees what no well-behaved TLS would send.
 */
import { once } from 'node:events';
import { createServer, connect as netConnect } from 'node:net';

/** @typedef {import('node:net').Socket} Socket */
/** @typedef {import('./random.mjs').Random} Random */

const FAULTS = {
  none: 30,
  /** RST towards the process under test. */
  reset: 18,
  /** FIN, with or without what TLS says before. */
  end: 12,
  /** Bytes in between that are no TLS, or a record of it that cannot be read. */
  add: 14,
  /** One bit is another. */
  garble: 10,
  /** What comes is held back, and then comes together with something else. */
  hold: 12,
  /** Byte by byte. */
  split: 4,
};

/** Alerts, records of every kind, a hello that asks for a renegotiation: none of them as they should be. */
const ADDED = [
  'GET / HTTP/1.1\r\n\r\n',
  Buffer.from('15030300020228', 'hex'),
  Buffer.from('15030300020100', 'hex'),
  Buffer.from('1703030005aaaaaaaaaa', 'hex'),
  Buffer.from('16030100040000000000', 'hex'),
  Buffer.from('16030300010e', 'hex'),
  Buffer.from('140303000101', 'hex'),
  Buffer.from('1603030005180000010017', 'hex'),
  Buffer.from('16030100c8010000c40303', 'hex'),
];

const HANDSHAKE_BYTES = 2_500;

export class Wires {
  /** @type {Record<string, number>} */
  faults = {};
  #random;
  /** @type {import('node:net').Server[]} */
  #servers = [];
  /** @type {Set<Socket>} */
  #sockets = new Set();

  /** @param {Random} random */
  constructor(random) {
    this.#random = random;
  }

  /**
   * Somewhere to connect to, with a wire to `port` behind it.
   *
   * @param {number} port
   * @param {boolean} isFrontTested true where the process under test is the one that connects
   */
  async to(port, isFrontTested) {
    const server = createServer({ allowHalfOpen: true }, (front) => {
      const back = netConnect({ host: '127.0.0.1', port, allowHalfOpen: true });
      if (isFrontTested) this.#join(back, front);
      else this.#join(front, back);
    });
    this.#servers.push(server);
    await once(server.listen({ host: '127.0.0.1', port: 0 }), 'listening');
    return /** @type {import('node:net').AddressInfo} */ (server.address()).port;
  }

  close() {
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  /** @param {Socket} peer @param {Socket} tested */
  #join(peer, tested) {
    const random = this.#random;
    const fault = random.weighted(FAULTS);
    this.faults[fault] = (this.faults[fault] ?? 0) + 1;
    for (const socket of [peer, tested]) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
    }
    peer.on('close', () => tested.destroy());
    tested.on('close', () => peer.destroy());
    // Counted in bytes of either direction, or in time.
    const isInwards = random.chance(0.65);
    let left = random.below(random.chance(0.8) ? HANDSHAKE_BYTES : 200_000);
    let isDone = fault === 'none' || fault === 'split';
    const act = () => {
      if (isDone || tested.destroyed) return;
      isDone = true;
      this.#act(fault, tested);
    };
    if (random.chance(0.15)) setTimeout(act, random.below(60));
    const pass = (/** @type {Socket} */ from, /** @type {Socket} */ to) => {
      /** @type {Buffer[] | undefined} */
      let held;
      const isTowards = to === tested;
      from.on('data', (/** @type {Buffer} */ chunk) => {
        if (to.destroyed) return;
        if (fault === 'split' && isTowards && chunk.length < 4_096) {
          for (const byte of chunk) to.write(Buffer.of(byte));
          return;
        }
        if (held !== undefined) {
          held.push(chunk);
          return;
        }
        if (isDone || isTowards !== isInwards || chunk.length <= left) {
          left -= isTowards === isInwards ? chunk.length : 0;
          if (!to.write(chunk)) {
            from.pause();
            to.once('drain', () => from.resume());
          }
          return;
        }
        const [head, tail] = [chunk.subarray(0, left), chunk.subarray(left)];
        if (fault === 'hold' && isTowards) {
          isDone = true;
          held = [chunk];
          const added = random.chance(0.6) ? [Buffer.from(random.pick(ADDED))] : [];
          setTimeout(() => {
            if (!to.destroyed) to.write(Buffer.concat([...(held ?? []), ...added]));
            held = undefined;
            if (random.chance(0.3)) reset(to);
          }, random.below(40));
          return;
        }
        if (fault === 'garble') {
          isDone = true;
          const other = Buffer.from(chunk);
          const at = left % other.length;
          other[at] = /** @type {number} */ (other[at]) ^ (1 << random.below(8));
          to.write(other);
          return;
        }
        to.write(head);
        act();
        if (!to.destroyed && to.writable) to.write(tail);
      });
      from.on('end', () => to.end());
    };
    pass(peer, tested);
    pass(tested, peer);
  }

  /** @param {keyof typeof FAULTS} fault @param {Socket} tested */
  #act(fault, tested) {
    const random = this.#random;
    switch (fault) {
      case 'reset':
        if (random.chance(0.5)) reset(tested);
        else setImmediate(() => reset(tested));
        return;
      case 'end':
        tested.end();
        return;
      case 'add':
        tested.write(random.pick(ADDED));
        if (random.chance(0.3)) tested.write(random.bytes(random.between(1, 2_000)));
        if (random.chance(0.3)) reset(tested);
        return;
      default:
    }
  }
}

/** While its FIN is on its way the system refuses a reset, and Node never closes the socket then. @param {Socket} socket */
function reset(socket) {
  if (socket.destroyed) return;
  if (socket.connecting) socket.once('connect', () => reset(socket));
  else if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}
