// @ts-check
/**
 * Clients and servers that talk through the proxy under test, well or badly. A client says first what the two are going
 * to do, so that each knows what the other should get: every byte that arrives is compared.
 */
import { once } from 'node:events';
import { createServer, connect as netConnect } from 'node:net';
import { createServer as createTlsServer, connect as tlsConnect } from 'node:tls';
import { CERTIFICATE, TRUST } from './certificates.mjs';
import { Random } from './random.mjs';

/** @typedef {import('node:net').Socket} Socket */
/** @typedef {{ host: string, port: number }} Address */

/** Those whose bytes must all arrive, with the end after them. */
const SOUND = {
  /** There and back. */
  echo: 50,
  /** The server says it, and ends. */
  source: 8,
  /** The client says it, and ends; the server has counted it. */
  sink: 6,
  /** The client ends first, and gets its answer over what is left open. */
  late: 8,
  /** The client ends without a word. */
  silent: 3,
  /** The server waits in the middle. */
  stall: 1,
  /** The client reads nothing for a while. */
  slow: 2,
  /** The server ends long before the client does. */
  brief: 4,
};

const FAULTS = {
  /** The client resets in the middle of what it is sent. */
  clientResets: 4,
  /** As soon as it has connected. */
  clientResetsAtOnce: 4,
  /** Without waiting to be connected. */
  clientCancels: 2,
  /** Destroyed with bytes unread, or with bytes on their way. */
  clientDestroys: 3,
  serverResets: 4,
  serverResetsAtOnce: 3,
  serverDestroys: 2,
};

/** What only TLS has. */
const TLS_FAULTS = {
  /** Bytes that are no TLS at all. */
  noTls: 4,
  /** The first bytes of a ClientHello, and then the end or a reset, at once or later. */
  halfHello: 4,
  distrusts: 3,
  /** A record that nobody can read, after the handshake. */
  badRecord: 3,
};

/** @typedef {keyof typeof SOUND | keyof typeof FAULTS | keyof typeof TLS_FAULTS | 'long'} Kind */
/** @typedef {'intact' | 'wrong' | 'short' | 'cut' | 'stuck'} Verdict */

const KINDS = /** @type {Kind[]} */ ([
  ...Object.keys(SOUND),
  ...Object.keys(FAULTS),
  ...Object.keys(TLS_FAULTS),
  'long',
]);
const WITHOUT_FAULTS = new Set([...Object.keys(SOUND), 'long']);

/** @param {string} kind */
export const isSound = (kind) => WITHOUT_FAULTS.has(kind);

/** The first bytes of a connection: the kind, and the number and size of what is said. */
const HEADER_BYTES = 12;
const SIZE_MAX = 300_000;
const PATTERN = new Random(1).bytes(SIZE_MAX + 8_192);
/** As `openssl s_client` would begin. */
const HELLO = Buffer.from('16030100c8010000c40303', 'hex');
const BAD_RECORD = Buffer.from('1703030005aaaaaaaaaa', 'hex');
const STUCK_MS = 300_000;
const RESETS_ON_ACCEPT = 1 / 200;

/** @param {number} number @param {number} size */
function words(number, size) {
  const from = (number * 7) % 8_192;
  return PATTERN.subarray(from, from + size);
}

/** @param {Kind} kind @param {number} number @param {number} size */
function header(kind, number, size) {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes[0] = KINDS.indexOf(kind);
  bytes.writeUInt32LE(number, 4);
  bytes.writeUInt32LE(size, 8);
  return bytes;
}

/**
 * Before Node 24 data and RST in one poll look like data and FIN, and under TLS they do so everywhere; a reset socket has
 * no peer any more.
 *
 * @param {any} socket
 */
const wasReset = (socket) => !socket.writableEnded && socket._handle?.getpeername?.({}) !== 0;

/** @param {any} socket @returns {Socket} */
const rawOf = (socket) => socket._parent ?? socket;

/** Cuts a socket, also under TLS; not while OpenSSL is at work on it, which Node does not survive. @param {Socket} socket */
function cut(socket) {
  setImmediate(() => {
    const raw = rawOf(socket);
    if (!raw.destroyed) raw.resetAndDestroy();
  });
}

const nothing = () => {};

export class Crowd {
  /** How the conversations of each kind came out. @type {Record<string, Record<string, number>>} */
  verdicts = {};
  /** Connections that servers reset as soon as they had them: no fault of a client's, nor of the proxy's. */
  resetOnAccept = 0;
  /** @type {string[]} */
  wrong = [];
  messages = 0;
  #random;
  #resetsOnAccept;
  #number = 0;
  /** @type {import('node:net').Server[]} */
  #servers = [];
  /** @type {Set<Socket>} */
  #sockets = new Set();

  /** @param {number} seed @param {number} [resetsOnAccept] how many of all connections the servers reset at once */
  constructor(seed, resetsOnAccept = RESETS_ON_ACCEPT) {
    this.#random = new Random(seed);
    this.#resetsOnAccept = resetsOnAccept;
  }

  /** @param {readonly string[]} hosts @param {boolean} isTls @returns {Promise<Address[]>} */
  async serve(hosts, isTls) {
    return Promise.all(
      hosts.map(async (host) => {
        const options = { allowHalfOpen: true, noDelay: true };
        const server = isTls
          ? createTlsServer(/** @type {any} */ ({ ...CERTIFICATE, ...options }))
          : createServer(options);
        server.on(isTls ? 'secureConnection' : 'connection', (socket) => this.#answer(socket));
        if (isTls) server.on('connection', (raw) => this.#own(raw));
        server.on('tlsClientError', nothing);
        this.#servers.push(server);
        await once(server.listen({ host, port: 0, backlog: 4_096 }), 'listening');
        return { host, port: /** @type {import('node:net').AddressInfo} */ (server.address()).port };
      }),
    );
  }

  close() {
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  /** What a short conversation is about. @param {boolean} isTls @returns {Kind} */
  kind(isTls) {
    return isTls
      ? this.#random.weighted({ ...SOUND, ...FAULTS, ...TLS_FAULTS })
      : this.#random.weighted({ ...SOUND, ...FAULTS });
  }

  /** @param {Kind} kind @param {Address} address @param {boolean} isTls */
  async talk(kind, address, isTls) {
    const verdict = await this.#talk(kind, address, isTls);
    this.verdicts[kind] = { ...this.verdicts[kind], [verdict]: (this.verdicts[kind]?.[verdict] ?? 0) + 1 };
    if (verdict === 'wrong' || verdict === 'stuck') this.wrong.push(`${kind}: ${verdict}`);
    return verdict;
  }

  /** @param {Socket} socket */
  #own(socket) {
    this.#sockets.add(socket);
    socket.on('error', nothing);
    socket.on('close', () => this.#sockets.delete(socket));
    return socket;
  }

  /** @param {Kind} kind @param {Address} address @param {boolean} isTls @returns {Promise<Verdict>} */
  #talk(kind, address, isTls) {
    const random = this.#random;
    const number = this.#number++;
    const isLarge = random.chance(kind === 'echo' ? 0.01 : 0.05) || kind === 'slow';
    const size = isLarge ? random.between(16_384, SIZE_MAX) : random.between(1, 400);
    const raw = this.#own(netConnect({ ...address, allowHalfOpen: true, noDelay: true }));
    const speaksTls = isTls && kind !== 'noTls' && kind !== 'halfHello';
    const socket = speaksTls
      ? this.#own(tlsConnect(/** @type {any} */ ({ socket: raw, ...TRUST, ...(kind === 'distrusts' && { ca: [] }) })))
      : raw;
    return new Promise((resolve) => {
      const expected = kind === 'brief' || kind === 'serverResets' ? size >> 1 : size;
      let got = 0;
      const timer = setTimeout(() => settle('stuck'), STUCK_MS);
      const settle = (/** @type {Verdict} */ verdict) => {
        clearTimeout(timer);
        resolve(verdict);
        if (verdict === 'wrong' || verdict === 'stuck') socket.destroy();
      };
      socket.on('error', () => settle('cut'));
      socket.on('close', () => settle('cut'));
      socket.on('end', () => {
        if (got === expected && kind !== 'serverResets') settle('intact');
        // Over TLS a reset soon after the handshake looks like an end to who has sent its own FIN, here and in the proxy:
        // docs/properties.md.
        else settle(wasReset(rawOf(socket)) || (isTls && got === 0 && socket.writableEnded) ? 'cut' : 'short');
        socket.end();
      });
      socket.on('data', (/** @type {Buffer} */ chunk) => {
        // An alert that says what was wrong.
        if (isTls && !speaksTls) return;
        if (got + chunk.length > expected || !chunk.equals(words(number, expected).subarray(got, got + chunk.length))) {
          settle('wrong');
          return;
        }
        got += chunk.length;
        if (kind === 'clientResets') cut(socket);
        if (kind === 'clientDestroys') socket.destroy();
        if (got === expected && kind === 'echo') socket.end();
      });
      socket.once(speaksTls ? 'secureConnect' : 'connect', () => {
        if (kind === 'clientResetsAtOnce') return cut(socket);
        if (kind === 'silent') return socket.end();
        if (kind === 'noTls') return socket.end(random.bytes(random.between(1, 600)));
        if (kind === 'halfHello') {
          socket.write(HELLO.subarray(0, random.between(1, HELLO.length)));
          return random.pick([() => socket.end(), () => cut(socket), () => setTimeout(() => socket.end(), 200)])();
        }
        socket.write(header(kind, number, size));
        if (kind === 'badRecord') raw.write(BAD_RECORD);
        if (kind === 'slow') {
          socket.pause();
          setTimeout(() => socket.resume(), random.between(5, 100));
        }
        if (kind === 'echo' || kind === 'sink') socket.write(words(number, size));
        if (kind === 'late' || kind === 'sink') socket.end();
      });
      if (kind === 'silent' || kind === 'sink') expectNothing();
      if (kind === 'clientCancels') setImmediate(() => raw.destroy());

      function expectNothing() {
        socket.removeAllListeners('data');
        const parts = /** @type {Buffer[]} */ ([]);
        socket.on('data', (chunk) => parts.push(chunk));
        socket.removeAllListeners('end');
        socket.on('end', () => {
          const answer = Buffer.concat(parts);
          const isRight = kind === 'silent' ? answer.length === 0 : answer.equals(header('sink', number, size));
          settle(isRight ? 'intact' : wasReset(rawOf(socket)) ? 'cut' : answer.length === 0 ? 'short' : 'wrong');
          socket.end();
        });
      }
    });
  }

  /** The server's side. @param {Socket} socket */
  #answer(socket) {
    this.#own(socket);
    if (this.#random.chance(this.#resetsOnAccept)) {
      this.resetOnAccept++;
      cut(socket);
      return;
    }
    let head = Buffer.alloc(0);
    const onHead = (/** @type {Buffer} */ chunk) => {
      head = Buffer.concat([head, chunk]);
      if (head.length < HEADER_BYTES) return;
      socket.off('data', onHead);
      this.#act(socket, head);
    };
    socket.on('data', onHead);
    socket.on('end', () => {
      if (head.length < HEADER_BYTES) socket.end();
    });
  }

  /** @param {Socket} socket @param {Buffer} head */
  #act(socket, head) {
    const kind = /** @type {Kind} */ (KINDS[/** @type {number} */ (head[0])]);
    const [number, size] = [head.readUInt32LE(4), head.readUInt32LE(8)];
    const rest = head.subarray(HEADER_BYTES);
    const said = words(number, size);
    const goOn = (/** @type {(chunk: Buffer) => unknown} */ take) => {
      if (rest.length > 0) take(rest);
      socket.on('data', take);
    };
    const half = said.subarray(0, size >> 1);
    switch (kind) {
      case 'echo':
      case 'long':
      case 'badRecord':
        goOn((chunk) => {
          if (socket.write(chunk)) return;
          socket.pause();
          socket.once('drain', () => socket.resume());
        });
        socket.on('end', () => socket.end());
        return;
      case 'sink': {
        let got = 0;
        goOn((chunk) => {
          if (!chunk.equals(said.subarray(got, got + chunk.length)))
            this.wrong.push('sink: the server got other bytes');
          got += chunk.length;
        });
        socket.on('end', () => socket.end(header('sink', number, got)));
        return;
      }
      case 'late':
        socket.resume();
        socket.on('end', () => socket.end(said));
        return;
      case 'stall':
        socket.resume();
        socket.write(half);
        setTimeout(() => socket.end(said.subarray(half.length)), 50 + (number % 200));
        return;
      case 'brief':
        socket.resume();
        socket.end(half);
        return;
      case 'serverResets':
        socket.resume();
        socket.write(half, () => setTimeout(() => cut(socket), number % 20));
        return;
      case 'serverResetsAtOnce':
        cut(socket);
        return;
      case 'serverDestroys':
        socket.write(half);
        socket.destroy();
        return;
      default:
        socket.resume();
        socket.end(said);
    }
  }

  /**
   * One that stays and says something now and then, until it is told to come to its end.
   *
   * @param {Address} address
   * @param {boolean} isTls
   * @param {number} pauseMs between two messages, on average
   */
  stay(address, isTls, pauseMs) {
    const random = this.#random;
    const number = this.#number++;
    const raw = this.#own(netConnect({ ...address, allowHalfOpen: true, noDelay: true }));
    const socket = isTls ? this.#own(tlsConnect(/** @type {any} */ ({ socket: raw, ...TRUST }))) : raw;
    /** @type {Buffer[]} */
    let expected = [];
    let isEnding = false;
    /** @type {NodeJS.Timeout | undefined} */
    let timer;
    const say = () => {
      timer = undefined;
      const message = words(random.below(8_192), random.between(1, 2_000));
      expected.push(message);
      socket.write(message);
    };
    const next = () => {
      if (isEnding) socket.end();
      else timer = setTimeout(say, random.between(0, 2 * pauseMs));
    };
    socket.once(isTls ? 'secureConnect' : 'connect', () => {
      socket.write(header('long', number, 0));
      say();
    });
    /** @type {() => void} */
    let onAnswered = nothing;
    /** Its first answer has come: the whole way is open. @type {Promise<void>} */
    const answered = new Promise((resolve) => {
      onAnswered = resolve;
    });
    socket.on('data', (/** @type {Buffer} */ chunk) => {
      const [message = Buffer.alloc(0)] = expected;
      if (!chunk.equals(message.subarray(0, chunk.length))) {
        this.wrong.push('long: other bytes');
        socket.destroy();
        return;
      }
      expected = chunk.length === message.length ? [] : [message.subarray(chunk.length)];
      if (expected.length > 0) return;
      this.messages++;
      onAnswered();
      next();
    });
    /** @type {Promise<Verdict>} */
    const over = new Promise((resolve) => {
      socket.on('error', () => resolve('cut'));
      socket.on('end', () => {
        resolve(isEnding && expected.length === 0 ? 'intact' : wasReset(rawOf(socket)) ? 'cut' : 'short');
        socket.end();
      });
      socket.on('close', () => {
        clearTimeout(timer);
        resolve('cut');
      });
    });
    return {
      answered: Promise.race([answered, over]),
      over,
      end() {
        isEnding = true;
        if (timer === undefined) return;
        clearTimeout(timer);
        say();
      },
      cut: () => cut(socket),
    };
  }
}
