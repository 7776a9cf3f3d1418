/**
 * One check of a server: it connects as a connection of a client would, asks what the option `by` says, and resets the
 * stream. A reset, as HAProxy closes its checks: the server has nothing to send or to keep any more, and this machine keeps
 * no local port in TIME_WAIT for each check. A stream whose FIN a hook has sent is only closed.
 */
import type { Socket } from 'node:net';
import { CheckError } from '../errors.js';
import type { Report } from '../machines/vocabulary.js';
import { proxyHeaderFor, type ServerProxyProtocol } from '../proxy-protocol.js';
import type { Clock } from '../runtime/clock.js';
import type { InContext } from '../runtime/context.js';
import { type Destination, dial, secure } from '../sockets/dial.js';
import { FirstBytes } from '../sockets/first-bytes.js';
import { checkedStream, discard, isConnected, isPromise } from '../sockets/given.js';
import {
  cut,
  forget,
  hookReportOf,
  linkConnecting,
  refuse,
  reportOf,
  type SocketOwner,
  setRef,
} from '../sockets/socket.js';
import type { CheckedServerTls } from '../tls.js';

/** @internal The server whose checks these are. */
export interface CheckedServer extends Destination {
  readonly name: string;
  /** Opens the stream in place of `net.connect`. */
  readonly connect: ((server: never, context: ConnectContext) => unknown) | undefined;
  readonly tls: CheckedServerTls | undefined;
  readonly proxyProtocol: ServerProxyProtocol | undefined;
}

interface ConnectContext {
  readonly signal: AbortSignal;
  readonly client: undefined;
}

/** @internal What is sent, and what must come. */
export interface Exchange {
  readonly send: Buffer | undefined;
  readonly expect: Buffer | RegExp;
}

type Hook = (stream: Socket, context: { readonly server: never; readonly signal: AbortSignal }) => unknown;

/** @internal How a check is made. */
export interface CheckManner {
  readonly by: 'connect' | Exchange | Hook;
  /** Where it goes, if that is not the server's own address. */
  readonly at: Destination | undefined;
  readonly tls: boolean;
  readonly proxyProtocol: boolean;
  /** How long it may take, in milliseconds. */
  readonly timeout: number;
}

/** Gets the answer of a check, once. */
interface CheckOwner {
  readonly clock: Clock;
  readonly inContext: InContext;
  /** @param report why it has failed; nothing where it has passed */
  checkAnswered(check: Check, report: Report | undefined): void;
}

/** The bytes of an answer that are kept, and looked at. */
const ANSWER_MAX = 16_384;

const SOCKET = { noDelay: true, keepAlive: false } as const;

/** @internal */
export class Check implements SocketOwner {
  readonly number: number;
  readonly #server: CheckedServer;
  readonly #manner: CheckManner;
  readonly #owner: CheckOwner;
  #socket: Socket | undefined = undefined;
  /** Of a `connect` hook whose stream has not connected. */
  #dialling: AbortController | undefined = undefined;
  /** Of the hook that checks. */
  #checking: AbortController | undefined = undefined;
  #answer: FirstBytes | undefined = undefined;
  #isIntroduced = false;
  #isOver = false;

  constructor(number: number, server: CheckedServer, manner: CheckManner, owner: CheckOwner) {
    this.number = number;
    this.#server = server;
    this.#manner = manner;
    this.#owner = owner;
  }

  begin(): void {
    const { connect } = this.#server;
    const { at, timeout } = this.#manner;
    if (connect !== undefined) this.#try(() => this.#askHook(connect), hookReportOf);
    else {
      this.#try(
        () => this.#opened(this.#owner.inContext(dial, at ?? this.#server, SOCKET, timeout, undefined)),
        reportOf,
      );
    }
  }

  /** It answers nothing from now on, and leaves nothing open. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#close();
    this.#abort(this.#checking);
  }

  /** What has come of the answer, for a check that took too long. */
  get error(): CheckError | undefined {
    return this.#answer === undefined ? undefined : new CheckError(this.#answer.bytes);
  }

  socketConnected(): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    this.#dialling = undefined;
    this.#try(() => this.#connected(socket), hookReportOf);
  }

  socketEnded(): void {
    if (this.#checking === undefined) this.#failed({ initiator: 'peer', manner: 'end' });
  }

  socketFinished(): void {}

  /** The hook that checks learns of it by itself, and decides. */
  socketFailed(report: Report): void {
    if (this.#checking === undefined) this.#failed(report);
  }

  socketClosed(): void {
    if (this.#checking === undefined) this.#failed({ initiator: 'owner', manner: 'destroy' });
  }

  wasReadLast(): boolean {
    return true;
  }

  #askHook(connect: NonNullable<CheckedServer['connect']>): void {
    const server = this.#server;
    const dialling = new AbortController();
    this.#dialling = dialling;
    const given = connect.call(server, server as never, { signal: dialling.signal, client: undefined });
    const name = `connect of ${server.name}`;
    if (isPromise(given)) this.#owner.inContext(() => this.#await(given, name));
    else this.#opened(checkedStream(name, given));
  }

  #await(promised: PromiseLike<unknown>, name: string): void {
    Promise.resolve(promised).then(
      (given) => {
        if (this.#isOver) discard(given);
        else this.#try(() => this.#opened(checkedStream(name, given)), hookReportOf);
      },
      (error) => this.#failed(hookReportOf(error)),
    );
  }

  #opened(socket: Socket): void {
    this.#link(socket);
    if (isConnected(socket)) queueMicrotask(() => this.socketConnected());
  }

  #link(socket: Socket): void {
    this.#socket = socket;
    // A hook gets a socket that answers a FIN by itself, as those of Node do.
    socket.allowHalfOpen = typeof this.#manner.by !== 'function';
    linkConnecting(socket, this);
    setRef(socket, false);
  }

  /** The PROXY header goes first, then TLS. */
  #connected(socket: Socket): void {
    const { tls, proxyProtocol } = this.#server;
    const { by } = this.#manner;
    const isSecure = !this.#manner.tls || tls === undefined || 'encrypted' in socket;
    if (!this.#isIntroduced && this.#manner.proxyProtocol && proxyProtocol !== undefined) {
      this.#isIntroduced = true;
      const header = proxyHeaderFor(proxyProtocol, undefined);
      if (by === 'connect' && isSecure) {
        // A reset would take it back while it is not with the system.
        socket.write(header, (error) => error || this.#answered(undefined));
        return;
      }
      socket.write(header);
    }
    if (!isSecure) {
      forget(socket);
      this.#link(this.#owner.inContext(secure, socket, tls as CheckedServerTls, this.#owner.clock.now()));
    } else if (by === 'connect') this.#answered(undefined);
    else if (typeof by === 'function') this.#ask(by, socket);
    else this.#exchange(by, socket);
  }

  #exchange({ send, expect }: Exchange, socket: Socket): void {
    const answer = new FirstBytes();
    this.#answer = answer;
    socket.on('data', (chunk: Buffer) => {
      if (this.#isOver) return;
      answer.add(chunk.subarray(0, ANSWER_MAX - answer.length));
      if (has(answer.bytes, expect)) this.#answered(undefined);
      else if (answer.length >= ANSWER_MAX) {
        this.#failed({ initiator: 'peer', manner: 'error', code: 'ERR_CHECK', error: this.error });
      }
    });
    socket.resume();
    if (send !== undefined) socket.write(send);
  }

  #ask(hook: Hook, stream: Socket): void {
    const checking = new AbortController();
    this.#checking = checking;
    const given = hook(stream, { server: this.#server as never, signal: checking.signal });
    Promise.resolve(given).then(
      (value) => this.#answered(value === false ? { initiator: 'owner', manner: 'refusal' } : undefined),
      (error) => this.#failed(hookReportOf(error)),
    );
  }

  /** Does a step; what that throws is a failure. */
  #try(step: () => void, report: (error: unknown) => Report): void {
    try {
      step();
    } catch (error) {
      this.#failed(report(error));
    }
  }

  #failed(report: Report): void {
    this.#answered(
      this.#answer === undefined || report.error !== undefined ? report : { ...report, error: this.error },
    );
  }

  #answered(report: Report | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#close();
    this.#owner.checkAnswered(this, report);
  }

  #close(): void {
    const socket = this.#socket;
    const dialling = this.#dialling;
    this.#socket = undefined;
    if (socket !== undefined) {
      if (dialling !== undefined) refuse(socket);
      forget(socket);
      cut(socket);
    }
    this.#abort(dialling);
  }

  /** The listeners of a hook's signal are the user's. */
  #abort(controller: AbortController | undefined): void {
    if (controller !== undefined) this.#owner.inContext(() => controller.abort());
  }
}

/** A RegExp is tried on the text of all bytes so far. */
function has(bytes: Buffer, expected: Buffer | RegExp): boolean {
  return Buffer.isBuffer(expected) ? bytes.includes(expected) : expected.test(bytes.toString());
}
