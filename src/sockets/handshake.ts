/**
 * The server's side of TLS handshakes. The listener accepts raw sockets, so that a client counts from its accept, and a
 * cut can be a reset; a `tls.Server` that listens nowhere is given them, which Node documents for its `connection` event.
 */
import type { Socket } from 'node:net';
import type { SecureContext, TLSSocket, Server as TlsServer } from 'node:tls';
import { builtin } from '../builtin.js';
import { OptionError } from '../errors.js';
import { NEVER_MS, type Report } from '../machines/vocabulary.js';
import { asAsked, type CheckedListenTls, type ListenTls, listenTls, renewed } from '../tls.js';
import { SessionCache } from './session-cache.js';
import { rawOf, reportOf } from './socket.js';

/** Is told how its handshake went: by one of the two, once, unless its socket closes before. */
export interface Handshaking {
  handshakeDone(socket: TLSSocket): void;
  handshakeFailed(cause: Report): void;
}

type SniAnswer = (error: Error | null, context: SecureContext | undefined) => void;

const HANDSHAKING = Symbol('sockchart.handshaking');

type HandshakingSocket = Socket & { [HANDSHAKING]?: Handshaking | undefined };

/** What the clients of a listener may count on, and Node takes only at the start. */
const FIXED = [
  'ALPNProtocols',
  'requestCert',
  'rejectUnauthorized',
  'sessionCacheMax',
] as const satisfies readonly (keyof ListenTls)[];

/** Shakes hands for one listener. */
export class Handshakes {
  #server: TlsServer;
  #given: ListenTls;
  #checked: CheckedListenTls;
  readonly #cache: SessionCache | undefined;

  constructor(tls: ListenTls, now: () => number = Date.now) {
    this.#given = renewed({}, tls);
    this.#checked = listenTls('tls', tls);
    const { sessionCacheMax, sessionMs } = this.#checked;
    this.#cache = sessionCacheMax === undefined ? undefined : new SessionCache(sessionCacheMax, sessionMs, now);
    this.#server = this.#makeServer();
  }

  #makeServer(): TlsServer {
    const { context, names, ALPNProtocols, requestCert, rejectUnauthorized } = this.#checked;
    const server = builtin.tls.createServer({
      ...context,
      ...(ALPNProtocols !== undefined && { ALPNProtocols }),
      requestCert,
      rejectUnauthorized,
      pauseOnConnect: true,
      // The client's own time for admission bounds it.
      handshakeTimeout: NEVER_MS,
      // With it each handshake waits for an answer in its middle.
      ...(names.size > 0 && {
        SNICallback: (name: string, answer: SniAnswer) => answer(null, this.#contextFor(asAsked(name))),
      }),
    });
    this.#cache?.serve(server);
    server.on('secureConnection', (socket: TLSSocket) => {
      // It may not be wanted any more, and Node emits its errors even after it was destroyed; up to 20.19 Node has no
      // listener of its own for them.
      socket.on('error', ignore);
      takeHandshaking(socket)?.handshakeDone(socket);
    });
    server.on('tlsClientError', (error: Error, socket: TLSSocket) =>
      takeHandshaking(socket)?.handshakeFailed(handshakeReport(error, socket)),
    );
    return server;
  }

  /** Other certificates, for handshakes that begin from now on. What is left out stays: it must not loosen by itself. */
  renew(tls: ListenTls): void {
    const given = renewed(this.#given, tls);
    const checked = listenTls('tls', given);
    for (const option of FIXED) {
      if (JSON.stringify(checked[option]) !== JSON.stringify(this.#checked[option])) {
        throw new OptionError(`tls.${option}`, tls[option], 'what it was at the start, or left out');
      }
    }
    const hadNames = this.#checked.names.size > 0;
    this.#given = given;
    this.#checked = checked;
    // Handshakes that have begun go on with the server that they began with.
    if (checked.names.size > 0 === hadNames) this.#server.setSecureContext(checked.context);
    else this.#server = this.#makeServer();
    // As tickets, whose keys are new as well: a session of a certificate that was replaced is not resumed.
    this.#cache?.restart(checked.sessionMs);
  }

  begin(raw: Socket, handshaking: Handshaking): void {
    (raw as HandshakingSocket)[HANDSHAKING] = handshaking;
    // A client that ends in the middle of a handshake will not come back to it.
    raw.allowHalfOpen = false;
    this.#server.emit('connection', raw);
  }

  #contextFor(name: string): SecureContext | undefined {
    const { names } = this.#checked;
    const exact = names.get(name);
    if (exact !== undefined) return exact;
    const dot = name.indexOf('.');
    return dot === -1 ? undefined : names.get(`*${name.slice(dot)}`);
  }
}

function ignore(): void {}

function takeHandshaking(socket: TLSSocket): Handshaking | undefined {
  const raw = rawOf(socket) as HandshakingSocket | undefined;
  const handshaking = raw?.[HANDSHAKING];
  if (raw !== undefined) raw[HANDSHAKING] = undefined;
  return handshaking;
}

/** A client whose certificate was not taken is told nothing by Node but the end of its socket. */
function handshakeReport(error: Error, { authorizationError }: TLSSocket): Report {
  if (authorizationError) {
    return { initiator: 'library', manner: 'refusal', code: String(authorizationError) };
  }
  return reportOf(error);
}
